using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Frontend.Syntax;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Frontend.Binding;

/// <summary>
/// Makes one layer from its statement. Attributes and arrays are checked even where an operand has no type (its own mistake has been reported), so that a
/// file's mistakes are found in one run. Whether shapes fit together is for <see cref="NetworkShapes"/> to say.
/// </summary>
/// <param name="syntax">The statement.</param>
/// <param name="attributes">Its attributes.</param>
/// <param name="inputs">Types of the operands, or null where one has none.</param>
/// <param name="weights">The weight file.</param>
internal sealed class LayerBuilder(LayerStatement syntax, AttributeReader attributes, TensorType[]? inputs, WeightsFile weights)
{
    // Read by NetworkShapes for reshape only; the binder puts the right type in.
    private static readonly TensorType _placeholder = new(ElementType.Int8, Shape.Of(1));

    private readonly EquatableArray<string> _operands = syntax.Operands.Select(operand => operand.Text).ToEquatableArray();

    private string Name => syntax.Name.Text;

    public Conv2D? Conv2D()
    {
        var filters = attributes.Integer("filters", 1, NetworkLimits.Attribute, null, "16");
        var kernel = attributes.Spatial("kernel", null);
        var stride = attributes.Spatial("stride", new(1, 1));
        var padding = attributes.Padding();
        var dilation = attributes.Spatial("dilation", new(1, 1));
        var groups = attributes.Integer("groups", 1, NetworkLimits.Attribute, 1);
        var activation = attributes.Word("activation", LayerKinds.Activations);
        var rounding = attributes.Word("rounding", LayerKinds.Roundings);
        var shape = inputs is [{ Shape: { Rank: 4 } input }] && input[3] % groups == 0
            ? Shape.Of(filters, kernel.Height, kernel.Width, input[3] / groups)
            : (Shape?)null;
        return Constants(shape, filters, 0, activation) is { } constants && Resolve(padding, kernel, stride, dilation) is { } amounts
            ? new(Name, _operands, _placeholder, constants.Weights, constants.Scales, constants.Bias, stride, dilation, amounts, groups, activation, rounding)
            : null;
    }

    public DepthwiseConv2D? DepthwiseConv2D()
    {
        var multiplier = attributes.Integer("multiplier", 1, NetworkLimits.Attribute, 1);
        var kernel = attributes.Spatial("kernel", null);
        var stride = attributes.Spatial("stride", new(1, 1));
        var padding = attributes.Padding();
        var dilation = attributes.Spatial("dilation", new(1, 1));
        var activation = attributes.Word("activation", LayerKinds.Activations);
        var rounding = attributes.Word("rounding", LayerKinds.Roundings);
        var channels = inputs is [{ Shape: { Rank: 4 } input }] && (long)input[3] * multiplier <= NetworkLimits.Elements ? input[3] * multiplier : (int?)null;
        var shape = channels is { } known ? Shape.Of(1, kernel.Height, kernel.Width, known) : (Shape?)null;
        return Constants(shape, channels, 3, activation) is { } constants && Resolve(padding, kernel, stride, dilation) is { } amounts
            ? new(Name, _operands, _placeholder, constants.Weights, constants.Scales, constants.Bias, stride, dilation, amounts, multiplier, activation, rounding)
            : null;
    }

    public Dense? Dense()
    {
        var units = attributes.Integer("units", 1, NetworkLimits.Attribute, null, "10");
        var activation = attributes.Word("activation", LayerKinds.Activations);
        var rounding = attributes.Word("rounding", LayerKinds.Roundings);
        var shape = inputs is [{ Shape: { Rank: > 0 } input }]
            ? Shape.Of(units, (int)(input.Rank == 1 ? input.Elements : input.Elements / input[0]))
            : (Shape?)null;
        return Constants(shape, units, 0, activation) is { } constants && IsReady
            ? new(Name, _operands, _placeholder, constants.Weights, constants.Scales, constants.Bias, activation, rounding)
            : null;
    }

    public MaxPool2D? MaxPool2D() =>
        Pool() is { } pool ? new(Name, _operands, _placeholder, pool.Kernel, pool.Stride, pool.Padding, pool.Activation) : null;

    public AveragePool2D? AveragePool2D() =>
        Pool() is { } pool ? new(Name, _operands, _placeholder, pool.Kernel, pool.Stride, pool.Padding, pool.Activation) : null;

    public Add? Add()
    {
        var activation = attributes.Word("activation", LayerKinds.Activations);
        var rounding = attributes.Word("rounding", LayerKinds.Roundings);
        return IsReady ? new(Name, _operands, _placeholder, activation, rounding) : null;
    }

    public Concat? Concat()
    {
        var axis = attributes.Integer("axis", -NetworkLimits.Rank, NetworkLimits.Rank - 1, null, "3");
        return IsReady ? new(Name, _operands, _placeholder, axis < 0 ? axis + inputs![0].Shape.Rank : axis) : null;
    }

    public Pad? Pad()
    {
        var before = attributes.Integers("before", 0, NetworkLimits.Attribute, "(0, 1, 1, 0)");
        var after = attributes.Integers("after", 0, NetworkLimits.Attribute, "(0, 1, 1, 0)");
        var value = attributes.Integer("value", sbyte.MinValue, sbyte.MaxValue, inputs?[0].Quantization?.ZeroPoint ?? 0);
        return IsReady ? new(Name, _operands, _placeholder, before, after, value) : null;
    }

    public Reshape? Reshape()
    {
        var shape = attributes.Integers("shape", 1, NetworkLimits.Elements, "1x400");
        return IsReady ? new(Name, _operands, _placeholder with { Shape = new(shape) }) : null;
    }

    public Activation? Activation()
    {
        var function = attributes.Word("function", LayerKinds.Activations, required: true);
        return IsReady ? new(Name, _operands, _placeholder, function) : null;
    }

    public Softmax? Softmax()
    {
        var beta = attributes.Real("beta", 1);
        return IsReady ? new(Name, _operands, _placeholder, beta) : null;
    }

    private bool IsReady => inputs is not null && !attributes.Failed;

    private (Spatial Kernel, Spatial Stride, Padding Padding, FusedActivation Activation)? Pool()
    {
        var kernel = attributes.Spatial("kernel", null);
        var stride = attributes.Spatial("stride", kernel);
        var padding = attributes.Padding();
        var activation = attributes.Word("activation", LayerKinds.Activations);
        return Resolve(padding, kernel, stride, new(1, 1)) is { } amounts ? (kernel, stride, amounts, activation) : null;
    }

    private Padding? Resolve(PaddingChoice padding, Spatial kernel, Spatial stride, Spatial dilation)
    {
        if (!IsReady)
        {
            return null;
        }

        // An input of another rank is for NetworkShapes to report.
        return padding.IsSame && inputs![0].Shape is { Rank: 4 } input
            ? Padding.Same(input[1], input[2], kernel, stride, dilation)
            : padding.Explicit;
    }

    /// <summary>Weights, their scales and the bias from the weight file or the seed; null where one is missing or wrong, of which the first is reported.</summary>
    /// <param name="shape">Shape of the weights, or null where it is not known.</param>
    /// <param name="channels">Output channels, or null where they are not known.</param>
    /// <param name="axis">Dimension of the weights that the channels are.</param>
    /// <param name="activation">What follows, for the magnitude of seeded weights.</param>
    private (Tensor Weights, Quantization Scales, Tensor? Bias)? Constants(Shape? shape, int? channels, int axis, FusedActivation activation)
    {
        var hasBias = attributes.Word("bias", [("stored", true), ("none", false)]);
        if (attributes.Failed)
        {
            return null;
        }

        if (weights.Seed is { } seed)
        {
            return inputs is null ? null : Seeded(seed, shape, axis, activation, hasBias);
        }

        ReadOnlySpan<Shape> any = [];
        var tensor = weights.Require($"{Name}.weights", syntax.Kind, ElementType.Int8, shape is { } known ? [known] : any);
        if (tensor is null)
        {
            return null;
        }

        var scales = weights.Require($"{Name}.weights_scale", syntax.Kind, ElementType.Float32, channels is { } many ? [Shape.Of(), Shape.Of(1), Shape.Of(many)] : any);
        var bias = hasBias && scales is not null ? weights.Require($"{Name}.bias", syntax.Kind, ElementType.Int32, channels is { } all ? [Shape.Of(all)] : any) : null;
        if (scales is null || (hasBias && bias is null))
        {
            return null;
        }

        // One channel with one scale may be either; per axis is what the layers with many have.
        var values = scales.AsSpan<float>();
        var quantization = scales.Shape.Rank == 0 || (values.Length == 1 && channels != 1)
            ? Quantization.PerTensor(values[0], 0)
            : new Quantization(EquatableArray.Create(values), EquatableArray.Create<int>(new int[values.Length]), axis);
        return (tensor, quantization, bias);
    }

    private (Tensor Weights, Quantization Scales, Tensor? Bias)? Seeded(ulong seed, Shape? shape, int axis, FusedActivation activation, bool hasBias)
    {
        // An input from which no shape follows is for NetworkShapes to report.
        if (shape is not { } known)
        {
            return (new Tensor(ElementType.Int8, Shape.Of(1, 1, 1, 1), new byte[1]), Quantization.PerTensor(1, 0), null);
        }

        if (!weights.Reserve(syntax.Kind, Name, known))
        {
            return null;
        }

        var channels = known[axis];
        var isDense = known.Rank == 2;
        return (
            SeededWeights.Weights(seed, $"{Name}.weights", known),
            SeededWeights.Scales(seed, $"{Name}.weights_scale", channels, isDense ? null : axis, known.Elements / channels, activation),
            hasBias ? SeededWeights.Bias(seed, $"{Name}.bias", channels) : null);
    }
}
