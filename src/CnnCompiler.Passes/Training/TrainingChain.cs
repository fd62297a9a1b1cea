using System.Globalization;
using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Lowering;

namespace CnnCompiler.Passes.Training;

/// <summary>A chain of general convolutions that is being put together from operators of training; each class here adds those of one kind.</summary>
/// <param name="name">Name of the chain.</param>
/// <param name="numbers">What it computes with.</param>
public sealed class TrainingChain(string name, TrainingNumbers numbers)
{
    private readonly List<NetworkInput> _inputs = [];
    private readonly List<GconvConstant> _constants = [];
    private readonly List<GconvStep> _steps = [];
    private readonly Dictionary<string, TensorType> _types = new(StringComparer.Ordinal);

    /// <summary>What it computes with.</summary>
    public TrainingNumbers Numbers => numbers;

    /// <summary>Layer that steps are reported for.</summary>
    public string Layer { get; set; } = "training";

    /// <summary>Shape of a tensor.</summary>
    public Shape Shape(string tensor) => _types[tensor].Shape;

    /// <summary>Adds an input and returns its name.</summary>
    public string Input(string tensor, Shape shape)
    {
        var type = numbers.Type(shape);
        _types.Add(tensor, type);
        _inputs.Add(new(tensor, type));
        return tensor;
    }

    /// <summary>Adds a constant, a weight for example, and returns its name.</summary>
    public string Constant(string tensor, Tensor value)
    {
        var own = Unused(tensor);
        _types.Add(own, new(value.Element, value.Shape));
        _constants.Add(new(own, value));
        return own;
    }

    /// <summary>The chain with these results.</summary>
    public GconvProgram Build(IEnumerable<string> outputs) => new(name, _inputs.ToEquatableArray(), _constants.ToEquatableArray(), _steps.ToEquatableArray(), outputs.ToEquatableArray());

    /// <summary>The same elements under another shape.</summary>
    public string Reshape(string tensor, Shape shape)
    {
        var own = Unused($"{tensor}.view");
        _types.Add(own, _types[tensor] with { Shape = shape });
        _steps.Add(new GconvView(own, _types[own], ViewKind.Reshape, [tensor]) { Origin = new GconvOrigin(Layer, "reshape", 0) });
        return own;
    }

    /// <summary>Operators that write boxes of one tensor, next to each other along an axis.</summary>
    internal string Join(string tensor, string keyword, Shape shape, int axis, IReadOnlyList<string> sources)
    {
        var (own, pieces, offset) = (Unused(tensor), new List<string>(), 0);
        _types.Add(own, numbers.Type(shape));
        foreach (var source in sources)
        {
            var nest = LoopNest.Over(Shape(source), LoopKind.OutputPosition);
            var start = offset;
            var piece = Unused(string.Create(CultureInfo.InvariantCulture, $"{own}.{pieces.Count}"));
            _types.Add(piece, numbers.Type(Shape(source)));
            var output = Enumerable.Range(0, shape.Rank).Select(d => nest.At(d == axis ? start : 0, (d, 1))).ToEquatableArray();
            _steps.Add(Copying.Operator(piece, _types[piece], nest, new(source, nest.Identity()), output, own) with { Origin = new GconvOrigin(Layer, keyword, 0) });
            pieces.Add(piece);
            offset += Shape(source)[axis];
        }

        _steps.Add(new GconvView(own, _types[own], ViewKind.Join, pieces.ToEquatableArray()) { Origin = new GconvOrigin(Layer, keyword, 0) });
        return own;
    }

    /// <summary>Adds an operator and returns the name of its result.</summary>
    internal string Add(string tensor, string keyword, Shape shape, LoopNest nest, TrainingSlots slots, AffineExpression[] output)
    {
        var own = Unused(tensor);
        _types.Add(own, numbers.Type(shape));
        _steps.Add(new GconvOperator(
            own,
            _types[own],
            nest.Loops,
            slots.Input,
            slots.Kernel,
            slots.Extra.ToEquatableArray(),
            numbers.Accumulator,
            slots.Pre ?? Scalar.Input,
            slots.Main ?? Scalar.Input,
            slots.Reduce,
            slots.Post ?? (slots.Reduce == GconvReduction.Add ? numbers.Result(Scalar.Accumulator) : Scalar.Accumulator),
            [.. output]) { Origin = new GconvOrigin(Layer, keyword, 0) });
        return own;
    }

    /// <summary>A function of the elements of a tensor and of others at the same index, or of others that are broadcast to it (aligned at the last dimension): kernel and further operands.</summary>
    internal string Elements(string tensor, string keyword, string input, string? kernel, ScalarExpression main, ScalarExpression post, params ReadOnlySpan<string> extras)
    {
        var shape = Shape(input);
        var nest = kernel is null ? LoopNest.Over(shape, LoopKind.OutputPosition) : Broadcast.Nest(shape, Shape(kernel), shape);
        var further = new List<OperandAccess>();
        foreach (var extra in extras)
        {
            further.Add(new(extra, Broadcast.Index(Shape(extra), shape, nest)));
        }

        return Add(
            tensor,
            keyword,
            shape,
            nest,
            new(new(input, nest.Identity()), kernel is null ? null : new(kernel, Broadcast.Index(Shape(kernel), shape, nest))) { Extra = further, Main = main, Post = post },
            [.. nest.Identity()]);
    }

    /// <summary>A reduction over some dimensions of a tensor, with a second one of the same shape as kernel or without; the others are left.</summary>
    internal string Reduce(string tensor, string keyword, string input, string? kernel, IReadOnlyCollection<int> axes, bool keep, ScalarExpression main, ScalarExpression post, GconvReduction reduce = GconvReduction.Add)
    {
        var shape = Shape(input);
        var parallel = kernel is null ? LoopKind.OutputPosition : LoopKind.Group;
        var nest = new LoopNest([.. shape.Dimensions.Select((extent, d) => new GconvLoop(LoopNest.DimensionName(d, shape.Rank), axes.Contains(d) ? LoopKind.KernelSize : parallel, extent))]);
        var kept = Enumerable.Range(0, shape.Rank).Where(d => keep || !axes.Contains(d)).ToList();
        return Add(
            tensor,
            keyword,
            Core.Tensors.Shape.Of([.. kept.Select(d => axes.Contains(d) ? 1 : shape[d])]),
            nest,
            new(new(input, nest.Identity()), kernel is null ? null : new(kernel, nest.Identity())) { Main = main, Post = post, Reduce = reduce },
            [.. kept.Select(d => axes.Contains(d) ? nest.At(0, []) : nest.At(d))]);
    }

    private string Unused(string tensor)
    {
        var unused = tensor;
        for (var number = 2; _types.ContainsKey(unused); number++)
        {
            unused = string.Create(CultureInfo.InvariantCulture, $"{tensor}.{number}");
        }

        return unused;
    }
}

/// <summary>Operands and programs of an operator of training; null programs pass their value on, a null post of a sum saturates it.</summary>
/// <param name="Input">The streamed operand.</param>
/// <param name="Kernel">The kernel operand, or null.</param>
internal sealed record TrainingSlots(OperandAccess Input, OperandAccess? Kernel)
{
    public IReadOnlyList<OperandAccess> Extra { get; init; } = [];

    public ScalarExpression? Pre { get; init; }

    public ScalarExpression? Main { get; init; }

    public ScalarExpression? Post { get; init; }

    public GconvReduction Reduce { get; init; }
}
