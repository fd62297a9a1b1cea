using System.Collections.Frozen;
using CnnCompiler.Core;
using CnnCompiler.Ir.Network;

namespace CnnCompiler.Frontend.Onnx;

/// <summary>One operator of ONNX as the importer knows it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Domain">Domain; empty for ai.onnx.</param>
/// <param name="Attributes">Attributes that are read.</param>
/// <param name="Becomes">What it becomes, and what of it is refused.</param>
/// <param name="Build">Makes the layers; null where it is refused.</param>
internal sealed record OnnxOperatorRow(string Name, string Domain, string Attributes, string Becomes, Func<OnnxNode, IReadOnlyList<OnnxValue>>? Build)
{
    /// <summary>True where codes go through unchanged.</summary>
    public bool KeepsCodes { get; init; }

    /// <summary>Why it is refused and what helps, where it is.</summary>
    public (string Why, string Remedy)? Refusal { get; init; }
}

/// <summary>The operators that are imported, one row each, and those that are refused with a reason of their own. All others are refused by name.</summary>
internal static class OnnxOperators
{
    private const string Microsoft = "com.microsoft";
    private const RoundingScheme HalfEven = RoundingScheme.OnnxHalfEven;

    public static IReadOnlyList<OnnxOperatorRow> All { get; } =
    [
        Row("Add", "", "add; as an integer layer between DequantizeLinear and QuantizeLinear. Integer operands (they wrap) are refused", OnnxElementwise.BuildAdd),
        Row("AveragePool", "auto_pad ceil_mode count_include_pad kernel_shape pads strides", "avg_pool2d, avg_pool3d of real numbers; dilations are refused", OnnxPooling.BuildAveragePool),
        Row("BatchNormalization", "epsilon", "batch_norm; training mode is refused", OnnxElementwise.BuildBatchNormalization),
        Row("Cast", "to", "constants; dequantize from int32 to float", OnnxViews.BuildCast),
        Row("Clip", "min max", "clip; codes stay codes", OnnxElementwise.BuildClip) with { KeepsCodes = true },
        Row("Concat", "axis", "concat", OnnxViews.BuildConcat) with { KeepsCodes = true },
        Row("Constant", "value value_float value_floats value_int value_ints", "a constant", OnnxViews.BuildConstant),
        Row("Conv", "auto_pad dilations group kernel_shape pads strides", "conv2d, depthwise_conv2d or conv3d; 1-D as 2-D; as an integer layer between DequantizeLinear and QuantizeLinear", OnnxConvolutions.BuildConv),
        Row("ConvInteger", "auto_pad dilations group kernel_shape pads strides", "conv2d with an i32 result", OnnxConvolutions.BuildConvInteger),
        Row("ConvTranspose", "auto_pad dilations group kernel_shape output_padding output_shape pads strides", "conv2d_transpose; 1-D as 2-D; 3-D is refused", OnnxConvolutions.BuildConvTranspose),
        Row("DequantizeLinear", "axis", "dequantize, or nothing where integer layers read it; types other than int8 and uint8, and blocks, are refused", OnnxQuantization.BuildDequantize),
        Row("Div", "", "mul by reciprocals; divisors have to be constant", OnnxElementwise.BuildDiv),
        Row("Dropout", "", "nothing", OnnxViews.BuildDropout) with { KeepsCodes = true },
        Row("Exp", "", "exp", OnnxElementwise.Unary(UnaryFunction.Exp)),
        Row("Flatten", "axis", "reshape", OnnxViews.BuildFlatten) with { KeepsCodes = true },
        Row("Gather", "axis", "constants of one dimension", OnnxViews.BuildGather),
        Row("Gelu", "approximate", "gelu, gelu_tanh", OnnxElementwise.BuildGelu),
        Row("Gemm", "alpha beta transA transB", "dense (constant second operand) or matmul; as an integer layer between DequantizeLinear and QuantizeLinear", OnnxProducts.BuildGemm),
        Row("GlobalAveragePool", "", "mean", OnnxPooling.BuildGlobalAveragePool),
        Row("GlobalMaxPool", "", "max_pool2d, max_pool3d", OnnxPooling.BuildGlobalMaxPool) with { KeepsCodes = true },
        Row("HardSwish", "", "hard_swish", OnnxElementwise.Unary(UnaryFunction.HardSwish)),
        Row("Identity", "", "nothing", OnnxViews.BuildIdentity) with { KeepsCodes = true },
        Row("LRN", "alpha beta bias size", "lrn", OnnxElementwise.BuildLrn),
        Row("LayerNormalization", "axis epsilon", "layer_norm", OnnxElementwise.BuildLayerNormalization),
        Row("LeakyRelu", "alpha", "leaky_relu", OnnxElementwise.Unary(UnaryFunction.LeakyRelu, node => node.Float("alpha", 0.01f))),
        Row("MatMul", "", "dense (constant matrix) or matmul; as an integer layer between DequantizeLinear and QuantizeLinear", OnnxProducts.BuildMatMul),
        Row("MatMulInteger", "", "dense or matmul with an i32 result", OnnxProducts.BuildMatMulInteger),
        Row("MaxPool", "auto_pad ceil_mode kernel_shape pads strides", "max_pool2d, max_pool3d; codes stay codes; dilations and indices of maxima are refused", OnnxPooling.BuildMaxPool) with { KeepsCodes = true },
        Row("Mul", "", "mul; as an integer layer between DequantizeLinear and QuantizeLinear", OnnxElementwise.BuildMul),
        Row("Pad", "mode pads value", "pad with 0", OnnxViews.BuildPad) with { KeepsCodes = true },
        Row("QLinearConv", "auto_pad dilations group kernel_shape pads strides", "conv2d, depthwise_conv2d or conv3d, rounding half to even", OnnxConvolutions.BuildQLinearConv),
        Row("QLinearMatMul", "", "dense or matmul, rounding half to even; sums saturate", OnnxProducts.BuildQLinearMatMul),
        Row("QuantizeLinear", "axis output_dtype", "quantize; types other than int8 and uint8, and blocks, are refused", OnnxQuantization.BuildQuantize),
        Row("ReduceMean", "axes keepdims noop_with_empty_axes", "mean", OnnxElementwise.BuildReduceMean),
        Row("Relu", "", "activation; codes stay codes", OnnxElementwise.BuildRelu) with { KeepsCodes = true },
        Row("Reshape", "allowzero", "reshape to a constant shape", OnnxViews.BuildReshape) with { KeepsCodes = true },
        Row("Resize", "coordinate_transformation_mode mode nearest_mode", "resize: linear, or nearest with the floor of asymmetric coordinates", OnnxViews.BuildResize),
        Row("Shape", "end start", "a constant", OnnxViews.BuildShape),
        Row("Sigmoid", "", "logistic", OnnxElementwise.Unary(UnaryFunction.Logistic)),
        Row("Slice", "", "strided_slice with constant bounds", OnnxViews.BuildSlice) with { KeepsCodes = true },
        Row("Softmax", "axis", "softmax over one dimension (from operator set 13) or over all from the axis on (before)", OnnxElementwise.BuildSoftmax),
        Row("Split", "axis", "split, or strided_slice for uneven parts", OnnxViews.BuildSplit) with { KeepsCodes = true },
        Row("Sqrt", "", "sqrt", OnnxElementwise.Unary(UnaryFunction.Sqrt)),
        Row("Squeeze", "axes", "reshape", OnnxViews.BuildSqueeze) with { KeepsCodes = true },
        Row("Sub", "", "sub; as an integer layer between DequantizeLinear and QuantizeLinear", OnnxElementwise.BuildSub),
        Row("Tanh", "", "tanh", OnnxElementwise.Unary(UnaryFunction.Tanh)),
        Row("Transpose", "perm", "transpose, or nothing where it is the change to channels last or back", OnnxViews.BuildTranspose) with { KeepsCodes = true },
        Row("Unsqueeze", "axes", "reshape", OnnxViews.BuildUnsqueeze) with { KeepsCodes = true },
        Row("Upsample", "mode", "resize", OnnxViews.BuildResize),
        Row("QLinearAdd", "", "add, rounding half to even", OnnxPairs.QLinear(inputs => new Add(string.Empty, inputs, OnnxNetworkBuilder.Open(), FusedActivation.None, HalfEven))) with { Domain = Microsoft },
        Row("QLinearMul", "", "mul, rounding half to even", OnnxPairs.QLinear(inputs => new Mul(string.Empty, inputs, OnnxNetworkBuilder.Open(), FusedActivation.None, HalfEven))) with { Domain = Microsoft },
        Refused("LSTM", "it keeps a state from one step to the next", "use a feed-forward network"),
        Refused("GRU", "it keeps a state from one step to the next", "use a feed-forward network"),
        Refused("RNN", "it keeps a state from one step to the next", "use a feed-forward network"),
        Refused("If", "it runs another graph", "export the model without control flow"),
        Refused("Loop", "it runs another graph", "export the model without control flow"),
        Refused("DynamicQuantizeLinear", "its scale is computed at run time", "quantise statically, with calibration"),
    ];

    private static readonly FrozenDictionary<(string, string), OnnxOperatorRow> ByName = All.ToFrozenDictionary(row => (row.Domain, row.Name));

    /// <summary>The row of an operator, or null where nothing is known of it.</summary>
    public static OnnxOperatorRow? Find(string domain, string name) => ByName.GetValueOrDefault((domain == "ai.onnx" ? string.Empty : domain, name));

    private static OnnxOperatorRow Row(string name, string attributes, string becomes, Func<OnnxNode, IReadOnlyList<OnnxValue>> build) => new(name, string.Empty, attributes, becomes, build);

    private static OnnxOperatorRow Refused(string name, string why, string remedy) => new(name, string.Empty, string.Empty, $"refused: {why}", null) { Refusal = (why, remedy) };
}
