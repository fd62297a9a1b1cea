using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;

namespace CnnCompiler.Frontend.Onnx;

/// <summary>Operators on each element, softmax and normalisations.</summary>
internal static class OnnxElementwise
{
    private const RoundingScheme HalfEven = RoundingScheme.OnnxHalfEven;

    public static IReadOnlyList<OnnxValue> BuildAdd(OnnxNode node) => Binary(node, inputs => new Add(string.Empty, inputs, OnnxNetworkBuilder.Open(), FusedActivation.None, HalfEven));

    public static IReadOnlyList<OnnxValue> BuildSub(OnnxNode node) => Binary(node, inputs => new Sub(string.Empty, inputs, OnnxNetworkBuilder.Open(), FusedActivation.None, HalfEven));

    public static IReadOnlyList<OnnxValue> BuildMul(OnnxNode node) => Binary(node, inputs => new Mul(string.Empty, inputs, OnnxNetworkBuilder.Open(), FusedActivation.None, HalfEven));

    public static IReadOnlyList<OnnxValue> BuildDiv(OnnxNode node)
    {
        var divisor = node.Input(1);
        node.Require(divisor.IsConstant && divisor.Element == ElementType.Float32, "it divides by a value at run time or by integers", "divide by a float constant");
        var values = node.Reals(divisor, "its divisor").AsSpan<float>().ToArray();
        node.Require(Array.TrueForAll(values, value => float.IsFinite(1 / value)), "it divides by 0", "divide by other numbers");
        var reciprocal = Tensor.From<float>(ElementType.Float32, divisor.Shape, values.Select(value => 1 / value).ToArray());
        return Binary(node, inputs => new Mul(string.Empty, inputs, OnnxNetworkBuilder.Open(), FusedActivation.None, HalfEven), new(divisor.Label, divisor.Shape, ElementType.Float32) { Constant = reciprocal });
    }

    public static Func<OnnxNode, IReadOnlyList<OnnxValue>> Unary(UnaryFunction function, Func<OnnxNode, float>? alpha = null) => node =>
        Each(node, name => new Unary(string.Empty, [name], OnnxNetworkBuilder.Open(), function, alpha?.Invoke(node) ?? 0, HalfEven));

    public static IReadOnlyList<OnnxValue> BuildGelu(OnnxNode node) => node.Text("approximate", "none") switch
    {
        "none" => Unary(UnaryFunction.Gelu)(node),
        "tanh" => Unary(UnaryFunction.GeluTanh)(node),
        _ => throw node.Inconsistent("its approximate is neither none nor tanh"),
    };

    /// <summary>Relu keeps codes.</summary>
    public static IReadOnlyList<OnnxValue> BuildRelu(OnnxNode node) =>
        Codes(node, name => new Activation(string.Empty, [name], OnnxNetworkBuilder.Open(), FusedActivation.Relu));

    /// <summary>Clip keeps codes; bounds are attributes before operator set 11.</summary>
    public static IReadOnlyList<OnnxValue> BuildClip(OnnxNode node)
    {
        float Bound(int input, string attribute, float otherwise)
        {
            if (!node.HasInput(input))
            {
                return node.Float(attribute, otherwise);
            }

            var tensor = node.Constant(input, attribute);
            return tensor.Shape.Elements != 1 ? throw node.Inconsistent("a bound is not one number")
                : tensor.Element.IsReal() ? tensor.AsSpan<float>()[0]
                : tensor.GetInteger(0);
        }

        var (low, high) = (Bound(1, "min", float.NegativeInfinity), Bound(2, "max", float.PositiveInfinity));
        var value = node.Runtime(node.Input(0));
        node.Require(!float.IsNaN(low) && !float.IsNaN(high), "a bound is not a number", "give numbers as bounds");

        // The operator's definition, min(max(x, low), high), gives high everywhere where low is above it.
        return Codes(node, name => new Clip(string.Empty, [name], OnnxNetworkBuilder.Open(), Math.Min(low, high), high), value.Element != ElementType.Float32);
    }

    public static IReadOnlyList<OnnxValue> BuildSoftmax(OnnxNode node)
    {
        var value = node.Runtime(node.Input(0));
        var rank = value.Shape.Rank;
        if (rank == 0)
        {
            throw node.Inconsistent("its input has no dimensions");
        }

        var axis = node.Axis(node.Int("axis", node.Opset < 13 ? 1 : -1), rank);
        Layer Make(string name) => new Softmax(string.Empty, [name], OnnxNetworkBuilder.Open(), 1);
        if (node.Opset < 13)
        {
            // Before operator set 13: over all dimensions from the axis on.
            var rows = value.Shape.Dimensions.Take(axis).Aggregate(1, (product, extent) => product * extent);
            var flat = node.Net.Reshape(node.Real(value), rows, (int)(value.Shape.Elements / rows));
            return [node.MadeFirst(node.Net.Reshape(node.Net.AddLike(Make(flat)), [.. value.Shape.Dimensions]))];
        }

        if (value.ChannelsLast && axis == 1)
        {
            return [node.MadeLast(node.Net.AddLike(Make(node.RealLast(value))))];
        }

        var order = Enumerable.Range(0, rank).ToArray();
        (order[axis], order[^1]) = (order[^1], order[axis]);
        return [node.MadeFirst(node.Net.Transpose(node.Net.AddLike(Make(node.Net.Transpose(node.Real(value), order))), order))];
    }

    public static IReadOnlyList<OnnxValue> BuildBatchNormalization(OnnxNode node)
    {
        node.Require(node.Int("training_mode", 0) == 0 && node.OutputCount == 1, "it is in training mode", "export the model for inference (model.eval())");
        node.Require(node.Int("spatial", 1) == 1, "it has numbers for each element (spatial 0)", "use numbers for each channel");
        var value = node.Input(0);
        node.Require(value.Shape.Rank >= 2, "its input has no channels", "use values with dimensions N, C, ...");
        var name = node.RealLast(value);
        Tensor Numbers(int input, string what) => node.RealConstant(input, what);
        return [node.MadeLast(node.Net.AddLike(new BatchNorm(
            string.Empty, [name], OnnxNetworkBuilder.Open(), Numbers(1, "its scale"), Numbers(2, "its offset"), Numbers(3, "its mean"), Numbers(4, "its variance"), node.Float("epsilon", 1e-5f))))];
    }

    public static IReadOnlyList<OnnxValue> BuildLayerNormalization(OnnxNode node)
    {
        node.Require(node.OutputCount == 1, "its mean or deviation is read", "use only its first output");
        var value = node.Input(0);
        var axis = node.Axis(node.Int("axis", -1), value.Shape.Rank);
        var shape = new Shape(value.Shape.Dimensions.Skip(axis).ToEquatableArray());
        Tensor? Numbers(int input, string what)
        {
            if (!node.HasInput(input))
            {
                return null;
            }

            var tensor = node.RealConstant(input, what);
            return tensor.Shape.Elements == shape.Elements ? tensor.Reshape(shape) : throw node.Unsupported($"{what} has shape {tensor.Shape} for {shape}", "give it the extents that are normalised");
        }

        return [node.MadeFirst(node.Net.AddLike(new LayerNorm(
            string.Empty, [node.Real(value)], OnnxNetworkBuilder.Open(), axis, Numbers(1, "its scale"), Numbers(2, "its offset"), node.Float("epsilon", 1e-5f))))];
    }

    public static IReadOnlyList<OnnxValue> BuildLrn(OnnxNode node)
    {
        var value = node.Input(0);
        node.Require(value.Shape.Rank >= 3, "its input has no image", "use values with dimensions N, C, H, W");
        return [node.MadeLast(node.Net.AddLike(new Lrn(
            string.Empty, [node.RealLast(value)], OnnxNetworkBuilder.Open(), node.Small(node.Int("size", 0), "size", 1), node.Float("alpha", 1e-4f), node.Float("beta", 0.75f), node.Float("bias", 1))))];
    }

    public static IReadOnlyList<OnnxValue> BuildReduceMean(OnnxNode node)
    {
        var value = node.Input(0);
        var rank = value.Shape.Rank;
        var given = node.Integers(1, "axes") ?? [];
        if (given.Length == 0 && node.Int("noop_with_empty_axes", 0) != 0)
        {
            return [value];
        }

        var axes = given.Length == 0 ? Enumerable.Range(0, rank).ToArray() : given.Select(axis => node.Axis(axis, rank)).Distinct().Order().ToArray();
        var keep = node.Int("keepdims", 1) != 0;
        if (value.ChannelsLast && (keep || !axes.Contains(1)) && axes.Length > 0 && (keep || axes.Length == rank - 2))
        {
            // Where the channels stay last, no transposition is needed: means of whole images come out as [N, C].
            var places = axes.Select(axis => axis == 0 ? 0 : axis == 1 ? rank - 1 : axis - 1).Order().ToEquatableArray();
            if (keep || places.SequenceEqual(Enumerable.Range(1, rank - 2)))
            {
                var last = node.Net.AddLike(new Mean(string.Empty, [node.RealLast(value)], OnnxNetworkBuilder.Open(), places, keep, HalfEven));
                return [keep ? node.MadeLast(last) : node.MadeFirst(last)];
            }
        }

        return [node.MadeFirst(node.Net.AddLike(new Mean(string.Empty, [node.Real(value)], OnnxNetworkBuilder.Open(), axes.ToEquatableArray(), keep, HalfEven)))];
    }

    /// <summary>A layer of a function of each element, in the layout that its operand has; real numbers.</summary>
    private static IReadOnlyList<OnnxValue> Each(OnnxNode node, Func<string, Layer> make)
    {
        var value = node.Runtime(node.Input(0));
        return value.ChannelsLast
            ? [node.MadeLast(node.Net.AddLike(make(node.RealLast(value))))]
            : [node.MadeFirst(node.Net.AddLike(make(node.Real(value))))];
    }

    /// <summary>The same where codes stay codes.</summary>
    private static IReadOnlyList<OnnxValue> Codes(OnnxNode node, Func<string, Layer> make, bool integersToo = false)
    {
        var value = node.Runtime(node.Input(0));
        node.Require(value.Element == ElementType.Float32 || integersToo, "it is asked for integers", "use float tensors");
        return value.ChannelsLast
            ? [node.MadeLike(value, node.Net.AddLike(make(value.Name)), true)]
            : [node.MadeLike(value, node.Net.AddLike(make(node.First(value))), false)];
    }

    private static IReadOnlyList<OnnxValue> Binary(OnnxNode node, Func<EquatableArray<string>, Layer> make, OnnxValue? instead = null)
    {
        var (first, second) = (node.Input(0), instead ?? node.Input(1));
        node.Require(first.Element == ElementType.Float32 && second.Element == ElementType.Float32, "it is asked for integers, which wrap in ONNX", "use float tensors, or QLinearAdd and QLinearMul");
        node.Require(!first.IsConstant || !second.IsConstant, "both operands are constants", "fold constants before exporting");
        if (OnnxPairs.Codes(node, first, second, make) is { } integer)
        {
            return integer;
        }

        var (a, b, last) = OnnxPairs.Together(node, first, second, name => node.Net.Dequantize(name));
        var made = node.Net.AddLike(make([a, b]));
        return [last ? node.MadeLast(made) : node.MadeFirst(made)];
    }
}
