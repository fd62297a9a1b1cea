using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Frontend.Syntax;
using CnnCompiler.Ir.Network;
using CnnCompiler.Ir.Network.Operators;

namespace CnnCompiler.Frontend.Binding;

/// <summary>
/// Makes one layer from its statement, attribute by attribute as its operator declares them. Attributes and arrays are checked even where an operand has no type (its own mistake
/// has been reported), so that a file's mistakes are found in one run. Whether shapes fit together is for <see cref="NetworkShapes"/> to say.
/// </summary>
/// <param name="kind">The layer.</param>
/// <param name="syntax">The statement.</param>
/// <param name="attributes">Its attributes.</param>
/// <param name="inputs">Types of the operands, or null where one has none.</param>
/// <param name="arrays">Its arrays.</param>
/// <param name="elements">What values of the type <c>value</c> are.</param>
internal sealed class LayerBuilder(LayerKind kind, LayerStatement syntax, AttributeReader attributes, TensorType[]? inputs, LayerArrays arrays, NetworkElements elements)
{
    // Read by NetworkShapes for reshape only; the binder puts the right type in.
    private static readonly TensorType _placeholder = new(ElementType.Int8, Shape.Of(1));

    private readonly Dictionary<string, object?> _values = new(StringComparer.Ordinal);
    private readonly HashSet<string> _stored = new(StringComparer.Ordinal);
    private PaddingChoice _padding;
    private VolumePaddingChoice _volumePadding;

    /// <summary>Element type of the result where the layer says it, and its fixed-point quantisation.</summary>
    public (ElementType Element, Quantization? Quantization)? WrittenElement { get; private set; }

    /// <summary>True where the result is the sums of products themselves.</summary>
    public bool AreSums { get; private set; }

    /// <summary>The weights' quantisation, once built.</summary>
    public Quantization? WeightQuantization { get; private set; }

    private Shape? Input => inputs is [{ Shape: var shape }, ..] ? shape : null;

    private bool IsReady => inputs is not null && !attributes.Failed;

    /// <summary>The layer, with a type that is not yet right; null where something is wrong or an operand has no type.</summary>
    /// <param name="resultOf">Scale of the result, where it is known before the layer is made (fixed point).</param>
    public Layer? Build(Func<Quantization?> resultOf)
    {
        var added = kind.Attributes.Where(attribute => attribute.Declared is null).ToDictionary(attribute => attribute.Name, Addition, StringComparer.Ordinal);
        foreach (var attribute in kind.Definition.Attributes)
        {
            Read(attribute);
        }

        Normalize();
        var channels = Channels(added);
        var weightShape = attributes.Failed ? null : WeightShape(added, channels);
        if (!ReadArrays(weightShape, channels, added, resultOf) || !IsReady)
        {
            return null;
        }

        ResolvePadding(weightShape);
        var head = new LayerHead(
            syntax.Name.Text, syntax.Operands.Select(operand => operand.Text).ToEquatableArray(), added.GetValueOrDefault("shape") is EquatableArray<int> extents ? _placeholder with { Shape = new(extents) } : _placeholder);
        return kind.Definition.Create(head, _values);
    }

    private object? Addition(LanguageAttribute attribute)
    {
        switch (attribute.Name)
        {
            case "kernel":
                return kind.Keyword == "conv3d" ? attributes.Volume("kernel", null) : attributes.Spatial("kernel", null);
            case "shape":
                return attributes.Integers("shape", 1, NetworkLimits.Elements, "1x400");
            case "sums":
                AreSums = attributes.Flag("sums");
                return null;
            case "element":
                WrittenElement = Element(attribute.Default!);
                return null;
            default:
                return attributes.Integer(attribute.Name, 1, NetworkLimits.Attribute, null, attribute.Name == "filters" ? "16" : "10");
        }
    }

    private (ElementType Element, Quantization? Quantization)? Element(string otherwise)
    {
        var written = attributes.Text("element");
        if (ElementNames.Parse(written?.Text ?? otherwise, elements) is { } element)
        {
            return element;
        }

        attributes.Report(LanguageDiagnostics.UnknownElementType(written!.Value.Span, written.Value.Text, null));
        return null;
    }

    private void Read(OperatorAttribute attribute)
    {
        var name = attribute.Name;
        if (attribute.Kind == AttributeKind.Padding)
        {
            _padding = attributes.Padding();
            return;
        }

        if (attribute.Kind == AttributeKind.VolumePadding)
        {
            _volumePadding = attributes.VolumePadding();
            return;
        }

        _values[name] = attribute.Kind switch
        {
            AttributeKind.Integer => Integer(attribute),
            AttributeKind.Real => attributes.Real(name, attribute.Default as float?),
            AttributeKind.Flag => attributes.Flag(name),
            AttributeKind.Integers => attributes.Integers(name, attribute.Low, attribute.High, "(0, 1, 1, 0)", name == "steps" ? Ones() : null),
            AttributeKind.Reals => attributes.Reals(name),
            AttributeKind.Spatial => attributes.Spatial(name, name == "stride" && _values.GetValueOrDefault("kernel") is Spatial window ? window : attribute.Default as Spatial?, attribute.Low),
            AttributeKind.Volume => attributes.Volume(name, name == "stride" && _values.GetValueOrDefault("kernel") is Volume window ? window : attribute.Default as Volume?),
            AttributeKind.Activation => attributes.Word(name, LayerKinds.Activations, required: name == "function"),
            AttributeKind.Rounding => attributes.Word(name, LayerKinds.Roundings),
            AttributeKind.ResizeMode => attributes.Word(name, LayerKinds.Modes),
            AttributeKind.ResizeCoordinates => attributes.Word(name, LayerKinds.Coordinates),
            AttributeKind.OptionalTensor => Optional(attribute),
            _ => null,
        };
    }

    // What is written says no more than whether the array is there.
    private object? Optional(OperatorAttribute attribute)
    {
        if (attributes.Word(attribute.TextName, [("stored", true), ("none", false)]))
        {
            _stored.Add(attribute.Name);
        }

        return null;
    }

    private int Integer(OperatorAttribute attribute)
    {
        if (attribute.Name != "value")
        {
            return attributes.Integer(attribute.Name, attribute.Low, attribute.High, attribute.Default as int?, attribute.Name == "axis" ? "3" : "1");
        }

        var isCode = inputs is not [{ Element: not ElementType.Int8 }, ..];
        return attributes.Integer(attribute.Name, isCode ? sbyte.MinValue : attribute.Low, isCode ? sbyte.MaxValue : attribute.High, inputs is [{ Quantization: { } quantization }, ..] ? quantization.ZeroPoint : 0);
    }

    private EquatableArray<int> Ones() => Enumerable.Repeat(1, Input?.Rank ?? 1).ToEquatableArray();

    /// <summary>Negative axes count from the last dimension.</summary>
    private void Normalize()
    {
        if (Input is { } input && _values.GetValueOrDefault("axis") is int and < 0 and var axis)
        {
            _values["axis"] = axis + input.Rank;
        }
    }

    private int? Channels(Dictionary<string, object?> added) => kind.Keyword switch
    {
        "conv2d" or "conv2d_transpose" or "conv3d" => (int)added["filters"]!,
        "dense" => (int)added["units"]!,
        "depthwise_conv2d" => Input is { Rank: 4 } input && _values["multiplier"] is int multiplier && (long)input[3] * multiplier <= NetworkLimits.Elements ? input[3] * multiplier : null,
        _ => null,
    };

    /// <summary>Shape that the weights must have; null where it does not follow from the input.</summary>
    private Shape? WeightShape(Dictionary<string, object?> added, int? channels)
    {
        if (Input is not { } input)
        {
            return null;
        }

        var inner = input.Rank > 0 && _values.GetValueOrDefault("groups") is int groups && input.Dimensions[^1] % groups == 0 ? input.Dimensions[^1] / groups : (int?)null;
        return (kind.Keyword, added.GetValueOrDefault("kernel")) switch
        {
            ("conv2d" or "conv2d_transpose", Spatial kernel) when inner is { } depth && input.Rank == 4 => Shape.Of(channels!.Value, kernel.Height, kernel.Width, depth),
            ("conv3d", Volume kernel) when inner is { } depth && input.Rank == 5 => Shape.Of(channels!.Value, kernel.Depth, kernel.Height, kernel.Width, depth),
            ("depthwise_conv2d", Spatial kernel) when channels is { } all => Shape.Of(1, kernel.Height, kernel.Width, all),
            ("dense", _) when input.Rank > 0 => Shape.Of(channels!.Value, (int)(input.Rank == 1 ? input.Elements : input.Elements / input[0])),
            ("capsule_transform", _) when input.Rank == 3 => Shape.Of(input[1], (int)added["capsules"]!, input[2], (int)added["length"]!),
            _ => null,
        };
    }

    private bool ReadArrays(Shape? weightShape, int? channels, Dictionary<string, object?> added, Func<Quantization?> resultOf)
    {
        if (attributes.Failed)
        {
            return false;
        }

        var complete = true;
        var activation = _values.GetValueOrDefault("activation") is FusedActivation fused ? fused : FusedActivation.None;
        var rounding = _values.GetValueOrDefault("rounding") is RoundingScheme scheme ? scheme : default;
        foreach (var attribute in kind.Definition.Attributes)
        {
            switch (attribute)
            {
                case { Kind: AttributeKind.Tensor, Name: "weights" }:
                    var axis = kind.Keyword switch { "depthwise_conv2d" => 3, "capsule_transform" => -1, _ => 0 };
                    var read = arrays.Weights(new(weightShape, channels, axis, HasOneSeededScale: kind.Keyword == "dense" || AreSums, activation, rounding));
                    (_values["weights"], _values["scales"]) = (read?.Weights, read?.Scales);
                    WeightQuantization = read?.Scales;
                    complete &= read is not null;
                    break;
                case { Kind: AttributeKind.OptionalTensor, Name: "bias" } when complete && _stored.Contains("bias") && !(arrays.IsSeeded && weightShape is null):
                    complete &= (_values["bias"] = arrays.Bias(channels, AreSums ? null : resultOf())) is not null;
                    break;
                case { Kind: AttributeKind.Tensor, Name: "value" }:
                    complete &= WrittenElement is { } element && (_values["value"] = arrays.Value(new((EquatableArray<int>)added["shape"]!), element.Element, element.Quantization)) is not null;
                    break;
                case { Kind: AttributeKind.Tensor }:
                case { Kind: AttributeKind.OptionalTensor, Name: not "bias" } when _stored.Contains(attribute.Name):
                    complete &= (_values[attribute.Name] = arrays.Parameters(attribute.TextName, ParameterShape())) is not null;
                    break;
            }
        }

        return complete;
    }

    /// <summary>One for each channel; for layer_norm one for each element from the axis on.</summary>
    private Shape? ParameterShape()
    {
        if (Input is not { Rank: > 0 } input)
        {
            return null;
        }

        return _values.GetValueOrDefault("axis") is int axis
            ? axis >= 0 && axis < input.Rank ? new(input.Dimensions.Skip(axis).ToEquatableArray()) : null
            : Shape.Of(input.Dimensions[^1]);
    }

    private void ResolvePadding(Shape? weights)
    {
        foreach (var attribute in kind.Definition.Attributes)
        {
            if (attribute.Kind == AttributeKind.Padding)
            {
                _values[attribute.Name] = Resolved(weights);
            }
            else if (attribute.Kind == AttributeKind.VolumePadding)
            {
                var kernel = _values.GetValueOrDefault("kernel") is Volume window ? window : weights is { Rank: 5 } known ? new(known[1], known[2], known[3]) : new Volume(1, 1, 1);
                var dilation = _values.GetValueOrDefault("dilation") is Volume step ? step : new(1, 1, 1);
                _values[attribute.Name] = _volumePadding.IsSame && Input is { Rank: 5 } input
                    ? VolumePadding.Same(new(input[1], input[2], input[3]), kernel, (Volume)_values["stride"]!, dilation)
                    : _volumePadding.Explicit;
            }
        }
    }

    // An input of another rank is for NetworkShapes to report.
    private Padding Resolved(Shape? weights)
    {
        if (!_padding.IsSame || Input is not { Rank: 4 } input)
        {
            return _padding.Explicit;
        }

        var kernel = _values.GetValueOrDefault("kernel") is Spatial window ? window : weights is { Rank: 4 } known ? new(known[1], known[2]) : new Spatial(1, 1);
        var dilation = _values.GetValueOrDefault("dilation") is Spatial step ? step : new(1, 1);
        var stride = (Spatial)_values["stride"]!;
        return kind.Keyword == "conv2d_transpose" ? Transposed(kernel, stride, dilation) : Padding.Same(input[1], input[2], kernel, stride, dilation);
    }

    /// <summary>Of a transposed convolution the result has input * stride rows and columns: what the kernel spans beyond the stride is cut off, the larger half after.</summary>
    private Padding Transposed(Spatial kernel, Spatial stride, Spatial dilation)
    {
        var height = NetworkShapes.EffectiveKernel(kernel.Height, dilation.Height) - stride.Height;
        var width = NetworkShapes.EffectiveKernel(kernel.Width, dilation.Width) - stride.Width;
        var extra = (Spatial)_values["output_padding"]!;
        _values["output_padding"] = new Spatial(extra.Height + (int)Math.Max(0, -height), extra.Width + (int)Math.Max(0, -width));
        var (rows, columns) = ((int)Math.Clamp(height, 0, NetworkLimits.Attribute), (int)Math.Clamp(width, 0, NetworkLimits.Attribute));
        return new(rows / 2, rows - (rows / 2), columns / 2, columns - (columns / 2));
    }
}
