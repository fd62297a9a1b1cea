using System.Collections.Frozen;
using CnnCompiler.Ir.Network;

namespace CnnCompiler.Frontend.Tflite;

/// <summary>One supported operator.</summary>
/// <param name="Code">The schema's builtin operator code.</param>
/// <param name="Name">The schema's name.</param>
/// <param name="Attributes">Options that are read, as the schema names them.</param>
/// <param name="Becomes">What it becomes, and what of it is refused.</param>
/// <param name="Build">Reads the options and makes the layers, in order; the last one has the output tensor's name.</param>
internal sealed record TfliteOperatorRow(int Code, string Name, string Attributes, string Becomes, Func<TfliteOperatorContext, IReadOnlyList<Layer>> Build)
{
    /// <summary>Types of its values at run time, as the schema names them.</summary>
    public string Types { get; init; } = "INT8, FLOAT32";

    /// <summary>True for an operator whose operands and result may be of different types.</summary>
    public bool Converts { get; init; }

    /// <summary>True for an operator that may make more than one tensor.</summary>
    public bool HasManyOutputs { get; init; }

    /// <summary>A row whose options reader and builder are separate functions.</summary>
    public static TfliteOperatorRow Of<TOptions>(
        int code, string name, string attributes, string becomes, Func<TfliteOperatorContext, TOptions> readOptions, Func<TfliteOperatorContext, TOptions, IReadOnlyList<Layer>> build) =>
        new(code, name, attributes, becomes, operation => build(operation, readOptions(operation)));

    /// <summary>A row without options.</summary>
    public static TfliteOperatorRow Of(int code, string name, string attributes, string becomes, Func<TfliteOperatorContext, IReadOnlyList<Layer>> build) =>
        new(code, name, attributes, becomes, build);
}

/// <summary>The operators that are imported, one row each: code, name, options reader, builder. All others are refused by name.</summary>
internal static class TfliteOperators
{
    /// <summary>All rows, by code.</summary>
    public static IReadOnlyList<TfliteOperatorRow> All { get; } =
    [
        TfliteOperatorRow.Of(0, "ADD", "fused_activation_function", "add; an operand may be a constant", TfliteElementwise.ReadAdd, TfliteElementwise.BuildAdd),
        TfliteOperatorRow.Of(1, "AVERAGE_POOL_2D", "padding stride_w stride_h filter_width filter_height fused_activation_function", "avg_pool2d; a change of scale is refused", TflitePooling.ReadPool, TflitePooling.BuildAveragePool),
        TfliteOperatorRow.Of(2, "CONCATENATION", "axis", "concat; inputs of other scales than the output's are requantised first; a fused activation is refused", TfliteCopies.ReadConcatenation, TfliteCopies.BuildConcatenation),
        TfliteOperatorRow.Of(3, "CONV_2D", "padding stride_w stride_h dilation_w_factor dilation_h_factor fused_activation_function", "conv2d, grouped where the filter is shallower than the input; weights per tensor or per channel", TfliteConvolutions.ReadConv2D, TfliteConvolutions.BuildConv2D),
        TfliteOperatorRow.Of(4, "DEPTHWISE_CONV_2D", "padding stride_w stride_h dilation_w_factor dilation_h_factor fused_activation_function", "depthwise_conv2d", TfliteConvolutions.ReadDepthwiseConv2D, TfliteConvolutions.BuildDepthwiseConv2D),
        TfliteOperatorRow.Of(6, "DEQUANTIZE", "", "dequantize", TfliteFunctions.BuildDequantize) with { Converts = true, Types = "INT8, UINT8 to FLOAT32" },
        TfliteOperatorRow.Of(9, "FULLY_CONNECTED", "fused_activation_function keep_num_dims", "dense", TfliteConvolutions.ReadFullyConnected, TfliteConvolutions.BuildFullyConnected),
        TfliteOperatorRow.Of(14, "LOGISTIC", "", "logistic; an int8 output has scale 1/256 and zero point -128", TfliteFunctions.BuildLogistic),
        TfliteOperatorRow.Of(17, "MAX_POOL_2D", "padding stride_w stride_h filter_width filter_height fused_activation_function", "max_pool2d; a change of scale is refused", TflitePooling.ReadPool, TflitePooling.BuildMaxPool),
        TfliteOperatorRow.Of(18, "MUL", "fused_activation_function", "mul; an operand may be a constant", TfliteFunctions.ReadMul, TfliteFunctions.BuildMul),
        TfliteOperatorRow.Of(19, "RELU", "", "activation, after quantize where the scale changes", _ => FusedActivation.Relu, TfliteElementwise.BuildActivation),
        TfliteOperatorRow.Of(20, "RELU_N1_TO_1", "", "activation, after quantize where the scale changes", _ => FusedActivation.ReluN1To1, TfliteElementwise.BuildActivation),
        TfliteOperatorRow.Of(21, "RELU6", "", "activation, after quantize where the scale changes", _ => FusedActivation.Relu6, TfliteElementwise.BuildActivation),
        TfliteOperatorRow.Of(22, "RESHAPE", "new_shape", "reshape to a constant shape", TfliteCopies.ReadReshape, TfliteCopies.BuildReshape),
        TfliteOperatorRow.Of(23, "RESIZE_BILINEAR", "align_corners half_pixel_centers", "resize, bilinear, to a constant size", operation => TfliteSelections.BuildResize(operation, ResizeMode.Bilinear)),
        TfliteOperatorRow.Of(25, "SOFTMAX", "beta", "softmax; an int8 output has scale 1/256 and zero point -128", TfliteElementwise.ReadSoftmax, TfliteElementwise.BuildSoftmax),
        TfliteOperatorRow.Of(28, "TANH", "", "tanh; an int8 output has scale 1/128 and zero point 0", TfliteFunctions.BuildTanh),
        TfliteOperatorRow.Of(34, "PAD", "", "pad with zero by constant amounts", TfliteCopies.ReadPaddings, TfliteCopies.BuildPad),
        TfliteOperatorRow.Of(39, "TRANSPOSE", "", "transpose in a constant order", TfliteReductions.ReadPermutation, TfliteReductions.BuildTranspose),
        TfliteOperatorRow.Of(40, "MEAN", "keep_dims", "mean over constant axes", TfliteReductions.ReadMean, TfliteReductions.BuildMean),
        TfliteOperatorRow.Of(41, "SUB", "fused_activation_function", "sub; an operand may be a constant", TfliteFunctions.ReadSub, TfliteFunctions.BuildSub),
        TfliteOperatorRow.Of(43, "SQUEEZE", "", "reshape", TfliteFunctions.BuildReshape),
        TfliteOperatorRow.Of(45, "STRIDED_SLICE", "begin_mask end_mask shrink_axis_mask", "strided_slice with constant bounds; an ellipsis and new axes are refused", TfliteSelections.ReadStridedSlice, TfliteSelections.BuildStridedSlice),
        TfliteOperatorRow.Of(49, "SPLIT", "num_splits", "strided_slice for each part", TfliteSelections.BuildSplit) with { HasManyOutputs = true },
        TfliteOperatorRow.Of(60, "PADV2", "", "pad with a constant", TfliteCopies.ReadPaddings, TfliteCopies.BuildPadV2) with { Types = "INT8" },
        TfliteOperatorRow.Of(65, "SLICE", "", "strided_slice with constant bounds", TfliteSelections.BuildSlice),
        TfliteOperatorRow.Of(67, "TRANSPOSE_CONV", "padding stride_w stride_h fused_activation_function", "conv2d_transpose to a constant shape; weights per tensor or per channel", TfliteProducts.ReadTransposeConv, TfliteProducts.BuildTransposeConv),
        TfliteOperatorRow.Of(70, "EXPAND_DIMS", "", "reshape", TfliteFunctions.BuildReshape),
        TfliteOperatorRow.Of(83, "PACK", "values_count axis", "reshapes and concat; a change of scale is refused", TfliteSelections.BuildPack),
        TfliteOperatorRow.Of(88, "UNPACK", "num axis", "strided_slice and reshape for each part", TfliteSelections.BuildUnpack) with { HasManyOutputs = true },
        TfliteOperatorRow.Of(97, "RESIZE_NEAREST_NEIGHBOR", "align_corners half_pixel_centers", "resize, nearest, to a constant size", operation => TfliteSelections.BuildResize(operation, ResizeMode.Nearest)),
        TfliteOperatorRow.Of(98, "LEAKY_RELU", "alpha", "leaky_relu", TfliteFunctions.ReadSlope, TfliteFunctions.BuildLeakyRelu),
        TfliteOperatorRow.Of(102, "SPLIT_V", "", "strided_slice for each part of constant sizes", TfliteSelections.BuildSplitV) with { HasManyOutputs = true },
        TfliteOperatorRow.Of(114, "QUANTIZE", "", "quantize", TfliteFunctions.BuildQuantize) with { Converts = true, Types = "INT8, UINT8, FLOAT32 to INT8, UINT8" },
        TfliteOperatorRow.Of(117, "HARD_SWISH", "", "hard_swish", TfliteFunctions.BuildHardSwish),
        TfliteOperatorRow.Of(126, "BATCH_MATMUL", "adj_x adj_y", "matmul; an operand may be a constant", TfliteProducts.BuildBatchMatMul),
    ];

    private static readonly FrozenDictionary<int, TfliteOperatorRow> ByCode = All.ToFrozenDictionary(row => row.Code);

    /// <summary>The row of an operator, or null where it is not supported.</summary>
    public static TfliteOperatorRow? Find(int code) => ByCode.GetValueOrDefault(code);
}
