using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Network;

namespace CnnCompiler.Ir.Mapped;

/// <summary>
/// How a tensor lies in a buffer: the layout is part of the buffer's type. A logical index (i0, i1, ...) is element
/// <c>sum((i_d + HaloBefore_d) * Pitch_d)</c> of the buffer; element e is word e / Lanes, lane e % Lanes (low byte first).
/// </summary>
/// <param name="Shape">Logical extents, outermost first.</param>
/// <param name="Lanes">Elements a 32-bit word: 1 (sign-extended), 2 (their sum at 16 bits: a + b * 2^16, so that a negative a borrows from b) or 4 (packed bytes).</param>
/// <param name="HaloBefore">Elements of padding before, for each dimension.</param>
/// <param name="HaloAfter">Elements of padding after, for each dimension.</param>
/// <param name="Pitch">Distance in elements between neighbours along each dimension; channel padding shows in the pitch of the dimension outside.</param>
/// <param name="HaloFill">The code that the halo holds, or null where there is none. Channel padding holds anything: nothing depends on it.</param>
public sealed record BufferLayout(
    EquatableArray<int> Shape,
    int Lanes,
    EquatableArray<int> HaloBefore,
    EquatableArray<int> HaloAfter,
    EquatableArray<int> Pitch,
    int? HaloFill)
{
    /// <summary>A dense row-major layout without halo.</summary>
    public static BufferLayout Dense(EquatableArray<int> shape, int lanes)
    {
        var pitch = new int[shape.Count];
        var next = 1;
        for (var d = shape.Count - 1; d >= 0; d--)
        {
            pitch[d] = next;
            next *= shape[d];
        }

        return new(shape, lanes, new int[shape.Count].ToEquatableArray(), new int[shape.Count].ToEquatableArray(), pitch.ToEquatableArray(), null);
    }

    /// <summary>Elements from the start of the buffer to just past its last element, halo included.</summary>
    public int Elements
    {
        get
        {
            var last = 0;
            for (var d = 0; d < Shape.Count; d++)
            {
                last += (HaloBefore[d] + Shape[d] + HaloAfter[d] - 1) * Pitch[d];
            }

            // the outermost pitch covers trailing channel padding
            return Shape.Count == 0 ? 1 : Math.Max(last + 1, Pitch[0] * (HaloBefore[0] + Shape[0] + HaloAfter[0]));
        }
    }

    /// <summary>Element offset of logical index 0.</summary>
    public int Origin
    {
        get
        {
            var origin = 0;
            for (var d = 0; d < Shape.Count; d++)
            {
                origin += HaloBefore[d] * Pitch[d];
            }

            return origin;
        }
    }

    /// <summary>True where element e of the row-major tensor is element e of the buffer.</summary>
    public bool IsDense => HaloFill is null && this == Dense(Shape, Lanes);
}

/// <summary>What a buffer is for.</summary>
public enum BufferRole
{
    /// <summary>A network input, dense packed bytes.</summary>
    Input,

    /// <summary>A network output, dense packed bytes.</summary>
    Output,

    /// <summary>An activation.</summary>
    Activation,

    /// <summary>Accumulators between two kernels.</summary>
    Accumulator,
}

/// <summary>A buffer in RAM.</summary>
/// <param name="Name">Name; unique among buffers and constants.</param>
/// <param name="Role">What it is for.</param>
/// <param name="Layout">How the tensor lies in it.</param>
/// <param name="Words">Size in 32-bit words: the layout's, rounded up, and any slack that kernels may read or write beyond it.</param>
public sealed record MappedBuffer(string Name, BufferRole Role, BufferLayout Layout, int Words);

/// <summary>A constant in flash.</summary>
/// <param name="Name">Name; unique among buffers and constants.</param>
/// <param name="Value">Elements, dense and row-major.</param>
public sealed record MappedConstant(string Name, Tensor Value);

/// <summary>A loop of a nest.</summary>
/// <param name="Name">Name for people.</param>
/// <param name="Extent">Trip count, at least 1.</param>
/// <param name="Reduced">True for a loop that is reduced over.</param>
public readonly record struct MappedLoop(string Name, int Extent, bool Reduced);

/// <summary>One access of a nest: an element of a buffer or constant, its index an affine function of the nest's loops.</summary>
/// <param name="Target">Name of the buffer or constant.</param>
/// <param name="Element">Element index (buffer: as in <see cref="BufferLayout"/>; constant: flat row-major index).</param>
public sealed record MappedAccess(string Target, AffineExpression Element);

/// <summary>A condition <c>Value &lt; Bound</c> on the parallel loops: iterations that break it do nothing (a last, partial tile).</summary>
/// <param name="Value">Affine function of the loops.</param>
/// <param name="Bound">Exclusive upper bound.</param>
public sealed record MappedGuard(AffineExpression Value, int Bound);

/// <summary>A step of a mapped program.</summary>
/// <param name="Name">Name; unique in the program.</param>
public abstract record MappedStep(string Name)
{
    /// <summary>The layer it belongs to, for reports; not part of equality.</summary>
    public IgnoredInEquality<GconvOrigin> Origin { get; init; }
}

/// <summary>
/// A loop nest that one kernel executes, in one launch or several. For every value of the parallel loops that all guards admit:
/// acc = reduction over the reduced loops of <see cref="Term"/>; the element written is <see cref="Post"/>(acc). Arithmetic is in 64 bits,
/// the value stored must fit 32 bits (one lane: its width). <see cref="ScalarExtra"/>(i) is the element of operand i.
/// </summary>
/// <param name="Name">Name.</param>
/// <param name="Kernel">The mapping strategy that executes it, for example <c>contract-rows-are-channels</c>.</param>
/// <param name="Loops">Loops, outermost first.</param>
/// <param name="Guards">Guards.</param>
/// <param name="Operands">Elements read. Those that Post uses depend on parallel loops only.</param>
/// <param name="Output">Element written; every admitted iteration writes another one.</param>
/// <param name="Reduce">Reduction.</param>
/// <param name="Term">What is reduced (its value at the only iteration where nothing is).</param>
/// <param name="Post">Program on the reduced value.</param>
public sealed record MappedNest(
    string Name,
    string Kernel,
    EquatableArray<MappedLoop> Loops,
    EquatableArray<MappedGuard> Guards,
    EquatableArray<MappedAccess> Operands,
    MappedAccess Output,
    GconvReduction Reduce,
    ScalarExpression Term,
    ScalarExpression Post) : MappedStep(Name);

/// <summary>Softmax on the host; both buffers are dense.</summary>
/// <param name="Name">Name.</param>
/// <param name="Source">Buffer read.</param>
/// <param name="Destination">Buffer written.</param>
/// <param name="Rows">Rows.</param>
/// <param name="Columns">Elements a row.</param>
/// <param name="Multiplier">q31 multiplier.</param>
/// <param name="LeftShift">Its left shift.</param>
/// <param name="DiffMin">Differences below are excluded.</param>
public sealed record MappedSoftmax(string Name, string Source, string Destination, int Rows, int Columns, int Multiplier, int LeftShift, int DiffMin)
    : MappedStep(Name);

/// <summary>The one dispatch over mapped steps.</summary>
public static class MappedStepMatch
{
    /// <summary>Calls the case of the step's kind.</summary>
    public static T Match<T>(this MappedStep step, Func<MappedNest, T> nest, Func<MappedSoftmax, T> softmax) => step switch
    {
        MappedNest s => nest(s),
        MappedSoftmax s => softmax(s),
        _ => throw new InvalidOperationException($"no case for {step.GetType().Name}"),
    };
}

/// <summary>A network input or output and its buffer.</summary>
/// <param name="Name">Name in the network.</param>
/// <param name="Type">Type.</param>
/// <param name="Buffer">Buffer: dense packed bytes.</param>
public sealed record MappedPort(string Name, TensorType Type, string Buffer);

/// <summary>Where the value of a network tensor can be found after the step that completes it, for comparison between levels.</summary>
/// <param name="Tensor">Name of the tensor in the GCONV chain.</param>
/// <param name="Buffer">The buffer that holds it.</param>
/// <param name="Shape">The tensor's shape; the buffer's layout may be that of a tensor with the same elements under another shape.</param>
/// <param name="CompletedBy">Index of the step after which it is complete; -1 for inputs.</param>
public sealed record MappedValue(string Tensor, string Buffer, EquatableArray<int> Shape, int CompletedBy);

/// <summary>A mapped program: loop nests over explicit buffers, in order.</summary>
/// <param name="Name">Name of the network.</param>
/// <param name="Buffers">Buffers.</param>
/// <param name="Constants">Constants.</param>
/// <param name="Steps">Steps in order.</param>
/// <param name="Inputs">Network inputs in graph order.</param>
/// <param name="Outputs">Network outputs in graph order.</param>
/// <param name="Values">Where tensors are.</param>
public sealed record MappedProgram(
    string Name,
    EquatableArray<MappedBuffer> Buffers,
    EquatableArray<MappedConstant> Constants,
    EquatableArray<MappedStep> Steps,
    EquatableArray<MappedPort> Inputs,
    EquatableArray<MappedPort> Outputs,
    EquatableArray<MappedValue> Values);
