using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;
using CnnCompiler.Ir.Network.Operators;

namespace CnnCompiler.Fuzzing;

/// <summary>
/// Draws the attributes of one layer from what its operator declares. What the declarations can't say (which numbers go together) is decided by the operator's own rules: a draw that they
/// refuse is drawn again.
/// </summary>
/// <param name="random">The generator.</param>
/// <param name="values">Draws contents.</param>
/// <param name="definition">The operator.</param>
/// <param name="operands">Types of the operands.</param>
/// <param name="rounding">The rounding scheme of the layer.</param>
internal sealed class AttributeDraw(SeededRandom random, ValueDraw values, Operator definition, IReadOnlyList<TensorType> operands, RoundingScheme rounding)
{
    private const int MostExtent = 3;
    private readonly Dictionary<string, object?> _drawn = new(StringComparer.Ordinal);

    private Shape Input => operands[0].Shape;

    /// <summary>A value for each attribute.</summary>
    /// <param name="result">Type of the result as far as it is known without them: form and quantisation. Products with stored weights replace its quantisation.</param>
    public IReadOnlyDictionary<string, object?> Draw(ref TensorType result)
    {
        // Arrays have extents that other attributes decide.
        foreach (var attribute in definition.Attributes.Where(attribute => !IsStored(attribute)))
        {
            _drawn[attribute.Name] = Value(attribute);
        }

        if (definition.Attributes.Any(attribute => attribute.Kind == AttributeKind.WeightQuantization))
        {
            result = Products(result);
        }

        foreach (var attribute in definition.Attributes.Where(attribute => IsStored(attribute) && !_drawn.ContainsKey(attribute.Name)))
        {
            _drawn[attribute.Name] = attribute.Kind == AttributeKind.OptionalTensor && random.OneIn(3) ? null : Array(attribute, result);
        }

        return _drawn;
    }

    private static bool IsStored(OperatorAttribute attribute) => attribute.Kind is AttributeKind.Tensor or AttributeKind.OptionalTensor or AttributeKind.WeightQuantization;

    private object Value(OperatorAttribute attribute) => attribute.Kind switch
    {
        AttributeKind.Integer => Integer(attribute),
        AttributeKind.Real => Real(attribute),
        AttributeKind.Flag => random.OneIn(2),
        AttributeKind.Integers => Integers(attribute),
        AttributeKind.Reals => Enumerable.Range(0, AnchorFactor(attribute)).Select(_ => random.Choose(0.5f, 1f, 2f, 3.25f)).ToEquatableArray(),
        AttributeKind.Spatial => new Spatial(Extent(attribute), Extent(attribute)),
        AttributeKind.Volume => new Volume(Extent(attribute), Extent(attribute), Extent(attribute)),
        AttributeKind.Padding => Sides(attribute),
        AttributeKind.VolumePadding => new VolumePadding(Side(attribute), Side(attribute), Sides(attribute)),
        AttributeKind.Activation => random.OneIn(2) ? FusedActivation.None : random.Choose<FusedActivation>(Enum.GetValues<FusedActivation>()),
        AttributeKind.Rounding => rounding,
        AttributeKind.ResizeMode => random.Choose<ResizeMode>(Enum.GetValues<ResizeMode>()),
        AttributeKind.ResizeCoordinates => random.Choose<ResizeCoordinates>(Enum.GetValues<ResizeCoordinates>()),
        _ => throw new InvalidOperationException($"{definition.Keyword} {attribute.Name}: no draw for {attribute.Kind}"),
    };

    private int Integer(OperatorAttribute attribute) => attribute.Name switch
    {
        "groups" => random.OneIn(2) ? 1 : random.Choose(Divisors(Input.Dimensions[^1])),
        "parts" => random.Choose(Divisors(Input[Drawn<int>("axis")])),
        "index" => random.Next(attribute.Low, Drawn<int>("parts") - 1),
        "axis" => random.Next(Math.Max(0, attribute.Low), Math.Max(0, Input.Rank - 1)),
        "value" => Operator.FormOf(operands[0]) switch
        {
            ValueForms.Quantized => random.OneIn(2) ? operands[0].Quantization!.ZeroPoint : random.NextCode(),
            ValueForms.Fixed => random.OneIn(2) ? 0 : random.Next(-1 << 20, 1 << 20),
            _ => random.Next(-3, 3),
        },
        "before" or "count" => random.Next(attribute.Low, 12),
        "feature_stride" => random.Choose(1, 4, 16),
        _ => random.Next(attribute.Low, (int)Math.Min(attribute.High, (long)attribute.Low + 3)),
    };

    private float Real(OperatorAttribute attribute) => attribute.Name switch
    {
        "low" => random.Choose(float.NegativeInfinity, -1.5f, 0, -0.1f),
        "high" => random.Choose(float.PositiveInfinity, 0.75f, 3, 0),
        "alpha" => definition.Keyword == "lrn" ? random.Choose(1f, 1e-4f, 0) : random.Choose(0.01f, 0.3f, 1.5f, -0.25f, 0),
        "beta" => definition.Keyword == "lrn" ? random.Choose(0.75f, 0.5f, 1f) : random.OneIn(2) ? 1 : (float)random.NextLogarithmic(0.25, 4),
        "epsilon" => random.Choose(1e-5f, 1e-3f, 0.5f),
        "bias" => random.Choose(1f, 2f, 0.25f),
        "overlap" => random.Choose(0f, 0.3f, 0.7f, 1f),
        "minimum_size" => random.Choose(0f, 1f, 8f),
        "spatial_scale" => random.Choose(1f, 0.5f, 0.0625f),
        _ => attribute.Default is float value && random.OneIn(2) ? value : (float)random.NextLogarithmic(0.1, 4),
    };

    private EquatableArray<int> Integers(OperatorAttribute attribute)
    {
        var rank = Input.Rank;
        switch (attribute.Name)
        {
            case "axes":
                var axes = Enumerable.Range(0, rank).Where(_ => random.OneIn(2)).ToArray();
                return (axes.Length > 0 ? axes : [random.Next(0, rank - 1)]).ToEquatableArray();
            case "permutation":
                return Enumerable.Range(0, rank).Select(d => (Dimension: d, Key: random.NextBits())).OrderBy(pair => pair.Key).Select(pair => pair.Dimension).ToEquatableArray();
            case "begin":
                return Input.Dimensions.Select(extent => random.Next(0, extent - 1)).ToEquatableArray();
            case "steps":
                return Input.Dimensions.Select(_ => random.Choose(1, 1, 1, 2, 3, -1, -2)).ToEquatableArray();
            case "size":
                var (begin, steps) = (Drawn<EquatableArray<int>>("begin"), Drawn<EquatableArray<int>>("steps"));
                return Input.Dimensions.Select((extent, d) => random.Next(1, 1 + (steps[d] > 0 ? (extent - 1 - begin[d]) / steps[d] : begin[d] / -steps[d]))).ToEquatableArray();
            default:
                // Amounts of padding, mostly none.
                return Input.Dimensions.Select(_ => random.OneIn(2) ? Math.Max(0, attribute.Low) : random.Next(attribute.Low, 3)).ToEquatableArray();
        }
    }

    // As many anchors as the operands were made for.
    private int AnchorFactor(OperatorAttribute attribute)
    {
        var anchors = Input.Dimensions[^1] / 2;
        return attribute.Name == "scales" ? anchors : 1;
    }

    private int Extent(OperatorAttribute attribute) => attribute.Name switch
    {
        "size" => random.Next(attribute.Low, definition.Keyword == "proposal" ? 64 : 9),
        "stride" or "dilation" => random.OneIn(2) ? attribute.Low : random.Next(attribute.Low, MostExtent),
        "output_padding" => random.OneIn(2) ? attribute.Low : random.Next(attribute.Low, 2),
        _ => random.Next(attribute.Low, random.OneIn(4) ? MostExtent + 2 : MostExtent),
    };

    private Padding Sides(OperatorAttribute attribute) => random.Next(0, 2) switch
    {
        0 => default,
        1 when Side(attribute) is var side => new(side, side, side, side),
        _ => new(Side(attribute), Side(attribute), Side(attribute), Side(attribute)),
    };

    private int Side(OperatorAttribute attribute) => random.Next(attribute.Low, 2);

    private Tensor Array(OperatorAttribute attribute, TensorType result) => (definition.Keyword, attribute.Name) switch
    {
        ("constant", _) => values.Contents(result),
        ("layer_norm", _) => values.Reals(new(Input.Dimensions.Skip(Drawn<int>("axis")).ToEquatableArray()), -2, 2),
        (_, "variance") => values.Reals(Shape.Of(Input.Dimensions[^1]), 0.01, 3),
        _ => values.Reals(Shape.Of(Input.Dimensions[^1]), -2, 2),
    };

    // Weights, their scales and the bias of a product, and the quantisation of a result in which they show.
    private TensorType Products(TensorType result)
    {
        var (shape, axis, channels) = WeightShape();
        var hasBias = definition.Attributes.Any(attribute => attribute.Name == "bias");
        switch (Operator.FormOf(operands[0]))
        {
            case ValueForms.Real:
                _drawn["weights"] = values.Contents(new(ElementType.Float32, shape), 1);
                _drawn["scales"] = null;
                _drawn["bias"] = hasBias && !random.OneIn(3) ? values.Contents(new(ElementType.Float32, Shape.Of(channels))) : null;
                return result;
            case ValueForms.Fixed:
                var type = new TensorType(ElementType.Int32, shape, Quantization.PerTensor(ValueDraw.Power(-random.Next(10, 16)), 0));
                _drawn["weights"] = values.Contents(type, 1);
                _drawn["scales"] = type.Quantization;
                _drawn["bias"] = hasBias && !random.OneIn(3) ? values.Contents(result with { Shape = Shape.Of(channels) }) : null;
                return result;
            default:
                return Codes(result, shape, axis, channels);
        }
    }

    private TensorType Codes(TensorType result, Shape shape, int axis, int channels)
    {
        var isSum = _drawn.ContainsKey("activation") && random.OneIn(6);
        var set = new RandomWeights(random).Make(shape, axis, operands[0].Quantization!, null, perChannel: !isSum && random.Next(0, 3) > 0);
        var scales = set.Scales;
        if (rounding == RoundingScheme.OnnxHalfEven && random.OneIn(2))
        {
            scales = scales with { ZeroPoints = scales.ZeroPoints.Select(_ => random.OneIn(8) ? (int)random.NextCode() : random.Next(-9, 9)).ToEquatableArray() };
        }

        var bias = set.Bias;
        if (random.OneIn(6))
        {
            // Sums that leave 32 bits: the definition is that they wrap.
            bias = Tensor.From<int>(ElementType.Int32, Shape.Of(channels), [.. Enumerable.Range(0, channels).Select(_ => random.OneIn(2) ? int.MaxValue - random.Next(0, 999) : int.MinValue + random.Next(0, 999))]);
        }

        (_drawn["weights"], _drawn["scales"], _drawn["bias"]) = (set.Weights, scales, bias);
        if (isSum)
        {
            _drawn["activation"] = FusedActivation.None;
            return new(ElementType.Int32, default, Quantization.PerTensor(operands[0].Quantization!.Scale * scales.Scale, 0));
        }

        return result with { Quantization = set.Output };
    }

    // Shape of the weights, the dimension of the output channels, and their number.
    private (Shape Shape, int Axis, int Channels) WeightShape()
    {
        var depth = Input.Dimensions[^1];
        int[] kernel = [random.Next(1, MostExtent), random.Next(1, MostExtent)];
        switch (definition.Keyword)
        {
            case "depthwise_conv2d":
                var multiplier = Drawn<int>("multiplier");
                return (Shape.Of(1, kernel[0], kernel[1], depth * multiplier), 3, depth * multiplier);
            case "dense":
                var units = random.Next(1, 9);
                return (Shape.Of(units, (int)(Input.Elements / (Input.Rank > 1 && random.OneIn(2) ? Input[0] : 1))), 0, units);
            case "capsule_transform":
                return (Shape.Of(Input[1], random.Next(1, 4), depth, random.Next(1, 4)), 1, 1);
            default:
                var groups = Drawn<int>("groups");
                var channels = groups * random.Next(1, Math.Max(1, 9 / groups));
                if (definition.Keyword == "conv3d")
                {
                    kernel = [random.Next(1, 2), .. kernel];
                }

                return (Shape.Of([channels, .. kernel, depth / groups]), 0, channels);
        }
    }

    private T Drawn<T>(string name) => (T)_drawn[name]!;

    private static int[] Divisors(int number) => [.. Enumerable.Range(1, number).Where(divisor => number % divisor == 0)];
}
