using CnnCompiler.Ir.Network;

namespace CnnCompiler.Frontend.Binding;

/// <summary>Where the scale and zero point of a layer's result come from.</summary>
internal enum ResultQuantization
{
    /// <summary>Written after the layer, or in the weight file.</summary>
    Own,

    /// <summary>Those of the first operand, unless others are written.</summary>
    OfOperand,

    /// <summary>1/256 and -128, unless others are written.</summary>
    OfSoftmax,
}

/// <summary>A layer of the language: one row.</summary>
/// <param name="Keyword">Its name.</param>
/// <param name="MinimumOperands">Fewest values it reads.</param>
/// <param name="MaximumOperands">Most values it reads.</param>
/// <param name="Quantization">Where its result's scale comes from.</param>
/// <param name="Attributes">Its attributes.</param>
/// <param name="Bind">Reads the attributes and makes the layer, with a type that is not yet right; null where something is wrong or an operand has no type.</param>
internal sealed record LayerKind(
    string Keyword, int MinimumOperands, int MaximumOperands, ResultQuantization Quantization, string[] Attributes, Func<LayerBuilder, Layer?> Bind)
{
    /// <summary>The number of operands as a message names it.</summary>
    public string Operands => (MinimumOperands, MaximumOperands) switch
    {
        (1, 1) => "one value",
        (2, 2) => "two values",
        _ => "one or more values",
    };
}

/// <summary>All layers of the language, each stated once.</summary>
internal static class LayerKinds
{
    public static readonly LayerKind[] All =
    [
        new("conv2d", 1, 1, ResultQuantization.Own, ["filters", "kernel", "stride", "padding", "dilation", "groups", "bias", "activation", "rounding"], b => b.Conv2D()),
        new("depthwise_conv2d", 1, 1, ResultQuantization.Own, ["multiplier", "kernel", "stride", "padding", "dilation", "bias", "activation", "rounding"], b => b.DepthwiseConv2D()),
        new("dense", 1, 1, ResultQuantization.Own, ["units", "bias", "activation", "rounding"], b => b.Dense()),
        new("max_pool2d", 1, 1, ResultQuantization.OfOperand, ["kernel", "stride", "padding", "activation"], b => b.MaxPool2D()),
        new("avg_pool2d", 1, 1, ResultQuantization.OfOperand, ["kernel", "stride", "padding", "activation"], b => b.AveragePool2D()),
        new("add", 2, 2, ResultQuantization.Own, ["activation", "rounding"], b => b.Add()),
        new("concat", 1, int.MaxValue, ResultQuantization.OfOperand, ["axis"], b => b.Concat()),
        new("pad", 1, 1, ResultQuantization.OfOperand, ["before", "after", "value"], b => b.Pad()),
        new("reshape", 1, 1, ResultQuantization.OfOperand, ["shape"], b => b.Reshape()),
        new("activation", 1, 1, ResultQuantization.OfOperand, ["function"], b => b.Activation()),
        new("softmax", 1, 1, ResultQuantization.OfSoftmax, ["beta"], b => b.Softmax()),
    ];

    /// <summary>Fused activations by their words; none is the default.</summary>
    public static readonly (string Word, FusedActivation Value)[] Activations =
    [
        ("none", FusedActivation.None), ("relu", FusedActivation.Relu), ("relu6", FusedActivation.Relu6), ("relu_n1_to_1", FusedActivation.ReluN1To1),
    ];

    /// <summary>Rounding schemes by their words; TFLite's reference kernels are the default.</summary>
    public static readonly (string Word, RoundingScheme Value)[] Roundings =
    [
        ("tflite-double", RoundingScheme.TfliteDouble), ("tflite-single", RoundingScheme.TfliteSingle), ("onnx-half-even", RoundingScheme.OnnxHalfEven),
    ];

    /// <summary>The kind of a keyword, or null.</summary>
    public static LayerKind? Find(string keyword) => Array.Find(All, kind => kind.Keyword == keyword);
}
