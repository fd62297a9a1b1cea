using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Ir.Gconv;

/// <summary>The four kinds of loop of a general convolution (GCONV Chain; <c>research/gconv.md</c> section 1).</summary>
public enum LoopKind
{
    /// <summary>g: independent pairs of input slice and kernel set (Ng). Indexes input, kernel and output.</summary>
    Group,

    /// <summary>op: kernels applied to the same inputs (Nop). Indexes kernel and output.</summary>
    OutputParallel,

    /// <summary>opc: positions a kernel slides to (Nopc). Indexes input and output.</summary>
    OutputPosition,

    /// <summary>ks: terms reduced for one output (Nks). Indexes input and kernel.</summary>
    KernelSize,
}

/// <summary>One loop of a general convolution.</summary>
/// <param name="Dimension">Data dimension it belongs to: n, h, w, c, or another name.</param>
/// <param name="Kind">Kind; a dimension has at most one loop of a kind.</param>
/// <param name="Extent">Trip count, at least 1.</param>
public readonly record struct GconvLoop(string Dimension, LoopKind Kind, int Extent)
{
    /// <summary>Name in IR text: dimension, dot, g, op, opc or ks.</summary>
    public string Name => Dimension + Kind switch { LoopKind.Group => ".g", LoopKind.OutputParallel => ".op", LoopKind.OutputPosition => ".opc", _ => ".ks" };
}

/// <summary>An affine function of the loops: constant + sum of coefficient times loop index.</summary>
/// <param name="Coefficients">One for each loop, in the order of the operator's loops.</param>
/// <param name="Constant">Added constant.</param>
public sealed record AffineExpression(EquatableArray<long> Coefficients, long Constant)
{
    /// <summary>
    /// 1, or what the value is divided by; where it does not divide evenly there is no element, as outside the tensor. Only an input that skips taps may divide: with stride s this is the
    /// transposed convolution, whose input has s - 1 absent elements between two of its own (<c>up</c> in <c>research/gconv.md</c> section 1).
    /// </summary>
    public int Divisor { get; init; } = 1;
}

/// <summary>What an operand yields where its index is outside the tensor.</summary>
public enum OutOfRange
{
    /// <summary>The index is never outside; the verifier proves it.</summary>
    Never,

    /// <summary>The tap is skipped: it adds nothing to the reduction and isn't counted.</summary>
    SkipTap,

    /// <summary>The access yields <see cref="OperandAccess.FillValue"/>.</summary>
    Fill,
}

/// <summary>How an operand is read: the tensor's index, one affine expression a dimension.</summary>
/// <param name="Tensor">Name of the tensor read.</param>
/// <param name="Index">One affine expression for each of its dimensions.</param>
/// <param name="OutOfRange">What happens outside.</param>
/// <param name="FillValue">The code (of a real tensor the number) used with <see cref="OutOfRange.Fill"/>.</param>
public sealed record OperandAccess(string Tensor, EquatableArray<AffineExpression> Index, OutOfRange OutOfRange = OutOfRange.Never, int FillValue = 0);

/// <summary>The reduction over the ks loops.</summary>
public enum GconvReduction
{
    /// <summary>No ks loop of extent above 1.</summary>
    None,

    /// <summary>Sum, from 0, in the accumulator type; of reals in the order of the loops, the last fastest.</summary>
    Add,

    /// <summary>Maximum, from the smallest value of the accumulator type (minus infinity of reals).</summary>
    Maximum,
}

/// <summary>
/// A general convolution: an affine loop operator with a typed scalar program in four slots.
/// For every output index: acc = reduce over ks of main(pre(input), kernel); output = post(acc).
/// </summary>
/// <param name="Name">Name of the tensor written.</param>
/// <param name="Type">Type of the result. With <see cref="Destination"/> the type of the slice written.</param>
/// <param name="Loops">All loops; the parallel ones (g, op, opc) span the output, the ks ones are reduced.</param>
/// <param name="Input">The streamed operand.</param>
/// <param name="Kernel">The kernel operand (weights, or a second tensor), or null where main uses none.</param>
/// <param name="Extra">Further operands of the slots (bias, multiplier, shift, residual, tables), indexed by parallel loops only.</param>
/// <param name="Accumulator">Type of acc: i32 or i64 (or i8 for maxima) where main yields an integer, f64 where it yields a real.</param>
/// <param name="Pre">Program on the input element (<see cref="ScalarInput"/>), before main.</param>
/// <param name="Main">Program that joins <see cref="ScalarInput"/> (pre's result) and <see cref="ScalarKernel"/>.</param>
/// <param name="Reduce">Reduction.</param>
/// <param name="Post">Program on <see cref="ScalarAccumulator"/>; its value is the output element.</param>
/// <param name="OutputIndex">Output index, one affine expression a dimension of the destination, over the parallel loops.</param>
/// <param name="Destination">Where a tensor is written by several operators (a concatenation as disjoint writes): the name of the joined tensor; else null.</param>
public sealed record GconvOperator(
    string Name,
    TensorType Type,
    EquatableArray<GconvLoop> Loops,
    OperandAccess Input,
    OperandAccess? Kernel,
    EquatableArray<OperandAccess> Extra,
    ElementType Accumulator,
    ScalarExpression Pre,
    ScalarExpression Main,
    GconvReduction Reduce,
    ScalarExpression Post,
    EquatableArray<AffineExpression> OutputIndex,
    string? Destination = null) : GconvStep(Name, Type);

/// <summary>Kinds of view: the same elements seen otherwise, at no cost.</summary>
public enum ViewKind
{
    /// <summary>Same elements in row-major order under another shape.</summary>
    Reshape,

    /// <summary>A tensor written piecewise by operators whose <see cref="GconvOperator.Destination"/> it is; it has no source.</summary>
    Join,
}

/// <summary>A view.</summary>
/// <param name="Name">Name of the value.</param>
/// <param name="Type">Type of the value.</param>
/// <param name="Kind">Kind.</param>
/// <param name="Sources">The tensor seen (reshape), or the names of the operators that write the pieces (join).</param>
public sealed record GconvView(string Name, TensorType Type, ViewKind Kind, EquatableArray<string> Sources) : GconvStep(Name, Type);

/// <summary>Softmax over the last axis on the host: what can't be said as a general convolution is a host step from a closed set.</summary>
/// <param name="Name">Name of the value.</param>
/// <param name="Type">Type of the value.</param>
/// <param name="Source">Tensor read.</param>
/// <param name="Multiplier">q31 multiplier of beta * scale * 2^26.</param>
/// <param name="LeftShift">Its left shift.</param>
/// <param name="DiffMin">Differences below are excluded.</param>
public sealed record GconvHostSoftmax(string Name, TensorType Type, string Source, int Multiplier, int LeftShift, int DiffMin) : GconvStep(Name, Type);

/// <summary>
/// A layer that is executed on the host by the code of the network level, because it is no chain of general convolutions: data-dependent indexes (regions), or indexes that are not affine.
/// Which layers may be host steps is a closed set, <see cref="HostLayers"/>.
/// </summary>
/// <param name="Layer">The layer; name, type and inputs are the step's.</param>
public sealed record GconvHostLayer(Layer Layer) : GconvStep(Layer.Name, Layer.Type);

/// <summary>A step of the chain; each defines one tensor.</summary>
/// <param name="Name">Name of the tensor; unique.</param>
/// <param name="Type">Its type.</param>
public abstract record GconvStep(string Name, TensorType Type)
{
    /// <summary>Name and keyword of the layer it comes from (<c>t22</c>, <c>conv2d</c>) and the layer's nominal MACs, for reports, and whether its algorithm was chosen by hand; not part of equality.</summary>
    public IgnoredInEquality<GconvOrigin> Origin { get; init; }

    /// <summary>Where the layer is written; not part of equality.</summary>
    public IgnoredInEquality<SourceSpan> Span { get; init; }
}

/// <summary>Where a step comes from.</summary>
/// <param name="Layer">Name of the layer.</param>
/// <param name="Keyword">Its keyword.</param>
/// <param name="Macs">Nominal MACs of the layer, padding taps included; 0 where the step isn't the one that multiplies.</param>
/// <param name="IsSettled">How it is computed was chosen by hand: no algorithm is chosen for it again.</param>
public readonly record struct GconvOrigin(string Layer, string Keyword, long Macs, bool IsSettled = false)
{
    /// <summary>The origin of a part: its share of the MACs, such that those of all parts add up to the whole.</summary>
    /// <param name="from">First of the equal pieces that the part has.</param>
    /// <param name="count">How many it has.</param>
    /// <param name="all">Pieces of the whole.</param>
    public GconvOrigin Part(long from, long count, long all) => this with { Macs = Share(from + count, all) - Share(from, all) };

    private long Share(long pieces, long all) => (long)((Int128)Macs * pieces / all);
}

/// <summary>A constant tensor (weights, bias, multipliers).</summary>
/// <param name="Name">Name; unique among all tensors.</param>
/// <param name="Value">Elements.</param>
public sealed record GconvConstant(string Name, Tensor Value);

/// <summary>A chain of general convolutions in topological order.</summary>
/// <param name="Name">Name of the network.</param>
/// <param name="Inputs">Inputs in graph order.</param>
/// <param name="Constants">Constant tensors.</param>
/// <param name="Steps">Steps; each reads inputs, constants and earlier steps only (a join comes after the operators that write it).</param>
/// <param name="Outputs">Names of the results in graph order.</param>
public sealed record GconvProgram(
    string Name,
    EquatableArray<NetworkInput> Inputs,
    EquatableArray<GconvConstant> Constants,
    EquatableArray<GconvStep> Steps,
    EquatableArray<string> Outputs);

/// <summary>The one dispatch over steps.</summary>
public static class GconvStepMatch
{
    /// <summary>Calls the case of the step's kind.</summary>
    public static T Match<T>(this GconvStep step, Func<GconvOperator, T> operation, Func<GconvView, T> view, Func<GconvHostSoftmax, T> softmax, Func<GconvHostLayer, T> host) => step switch
    {
        GconvOperator s => operation(s),
        GconvView s => view(s),
        GconvHostSoftmax s => softmax(s),
        GconvHostLayer s => host(s),
        _ => throw new InvalidOperationException($"no case for {step.GetType().Name}"),
    };
}
