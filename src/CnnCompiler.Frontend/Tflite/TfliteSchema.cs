using CnnCompiler.Core.Tensors;

namespace CnnCompiler.Frontend.Tflite;

/// <summary>
/// The tables of the TFLite schema (tensorflow/lite/schema/schema.fbs, version 3 with its later additions) that the reader looks at: field
/// numbers in declaration order, nothing else.
/// </summary>
internal static class TfliteSchema
{
    /// <summary>The only version of the schema in use since 2018.</summary>
    public const uint Version = 3;

    /// <summary>File identifier.</summary>
    public static ReadOnlySpan<byte> Identifier => "TFL3"u8;

    internal static class Model
    {
        public static readonly FlatField Version = new(0, "version");
        public static readonly FlatField OperatorCodes = new(1, "operator_codes");
        public static readonly FlatField Subgraphs = new(2, "subgraphs");
        public static readonly FlatField Buffers = new(4, "buffers");
    }

    internal static class OperatorCode
    {
        public static readonly FlatField DeprecatedBuiltinCode = new(0, "deprecated_builtin_code");
        public static readonly FlatField CustomCode = new(1, "custom_code");
        public static readonly FlatField BuiltinCode = new(3, "builtin_code");
    }

    internal static class Buffer
    {
        public static readonly FlatField Data = new(0, "data");
        public static readonly FlatField Offset = new(1, "offset");
        public static readonly FlatField Size = new(2, "size");
    }

    internal static class SubGraph
    {
        public static readonly FlatField Tensors = new(0, "tensors");
        public static readonly FlatField Inputs = new(1, "inputs");
        public static readonly FlatField Outputs = new(2, "outputs");
        public static readonly FlatField Operators = new(3, "operators");
    }

    internal static class Tensor
    {
        public static readonly FlatField Shape = new(0, "shape");
        public static readonly FlatField Type = new(1, "type");
        public static readonly FlatField Buffer = new(2, "buffer");
        public static readonly FlatField Name = new(3, "name");
        public static readonly FlatField Quantization = new(4, "quantization");
        public static readonly FlatField IsVariable = new(5, "is_variable");
        public static readonly FlatField Sparsity = new(6, "sparsity");
        public static readonly FlatField ShapeSignature = new(7, "shape_signature");
    }

    internal static class Quantization
    {
        public static readonly FlatField Scale = new(2, "scale");
        public static readonly FlatField ZeroPoint = new(3, "zero_point");
        public static readonly FlatField DetailsType = new(4, "details_type");
        public static readonly FlatField QuantizedDimension = new(6, "quantized_dimension");
    }

    internal static class Operator
    {
        public static readonly FlatField OpcodeIndex = new(0, "opcode_index");
        public static readonly FlatField Inputs = new(1, "inputs");
        public static readonly FlatField Outputs = new(2, "outputs");
        public static readonly FlatField BuiltinOptionsType = new(3, "builtin_options_type");
        public static readonly FlatField BuiltinOptions = new(4, "builtin_options");
    }

    internal static class Conv2DOptions
    {
        public const byte Union = 1;
        public static readonly FlatField Padding = new(0, "padding");
        public static readonly FlatField StrideW = new(1, "stride_w");
        public static readonly FlatField StrideH = new(2, "stride_h");
        public static readonly FlatField Activation = new(3, "fused_activation_function");
        public static readonly FlatField DilationW = new(4, "dilation_w_factor");
        public static readonly FlatField DilationH = new(5, "dilation_h_factor");
        public static readonly FlatField BiasType = new(6, "quantized_bias_type");
    }

    internal static class DepthwiseConv2DOptions
    {
        public const byte Union = 2;
        public static readonly FlatField Padding = new(0, "padding");
        public static readonly FlatField StrideW = new(1, "stride_w");
        public static readonly FlatField StrideH = new(2, "stride_h");
        public static readonly FlatField Activation = new(4, "fused_activation_function");
        public static readonly FlatField DilationW = new(5, "dilation_w_factor");
        public static readonly FlatField DilationH = new(6, "dilation_h_factor");
    }

    internal static class Pool2DOptions
    {
        public const byte Union = 5;
        public static readonly FlatField Padding = new(0, "padding");
        public static readonly FlatField StrideW = new(1, "stride_w");
        public static readonly FlatField StrideH = new(2, "stride_h");
        public static readonly FlatField FilterWidth = new(3, "filter_width");
        public static readonly FlatField FilterHeight = new(4, "filter_height");
        public static readonly FlatField Activation = new(5, "fused_activation_function");
    }

    internal static class FullyConnectedOptions
    {
        public const byte Union = 8;
        public static readonly FlatField Activation = new(0, "fused_activation_function");
        public static readonly FlatField WeightsFormat = new(1, "weights_format");
        public static readonly FlatField KeepNumDims = new(2, "keep_num_dims");
        public static readonly FlatField BiasType = new(4, "quantized_bias_type");
    }

    internal static class SoftmaxOptions
    {
        public const byte Union = 9;
        public static readonly FlatField Beta = new(0, "beta");
    }

    internal static class ConcatenationOptions
    {
        public const byte Union = 10;
        public static readonly FlatField Axis = new(0, "axis");
        public static readonly FlatField Activation = new(1, "fused_activation_function");
    }

    internal static class AddOptions
    {
        public const byte Union = 11;
        public static readonly FlatField Activation = new(0, "fused_activation_function");
    }

    internal static class MulOptions
    {
        public const byte Union = 21;
        public static readonly FlatField Activation = new(0, "fused_activation_function");
    }

    internal static class SubOptions
    {
        public const byte Union = 28;
        public static readonly FlatField Activation = new(0, "fused_activation_function");
    }

    internal static class LeakyReluOptions
    {
        public const byte Union = 75;
        public static readonly FlatField Alpha = new(0, "alpha");
    }

    internal static class ReducerOptions
    {
        public const byte Union = 27;
        public static readonly FlatField KeepDims = new(0, "keep_dims");
    }

    internal static class ResizeBilinearOptions
    {
        public const byte Union = 15;
        public static readonly FlatField AlignCorners = new(2, "align_corners");
        public static readonly FlatField HalfPixelCenters = new(3, "half_pixel_centers");
    }

    internal static class ResizeNearestOptions
    {
        public const byte Union = 74;
        public static readonly FlatField AlignCorners = new(0, "align_corners");
        public static readonly FlatField HalfPixelCenters = new(1, "half_pixel_centers");
    }

    internal static class StridedSliceOptions
    {
        public const byte Union = 32;
        public static readonly FlatField BeginMask = new(0, "begin_mask");
        public static readonly FlatField EndMask = new(1, "end_mask");
        public static readonly FlatField EllipsisMask = new(2, "ellipsis_mask");
        public static readonly FlatField NewAxisMask = new(3, "new_axis_mask");
        public static readonly FlatField ShrinkAxisMask = new(4, "shrink_axis_mask");
        public static readonly FlatField Offset = new(5, "offset");
    }

    internal static class SplitOptions
    {
        public const byte Union = 35;
        public static readonly FlatField Parts = new(0, "num_splits");
    }

    internal static class TransposeConvOptions
    {
        public const byte Union = 49;
        public static readonly FlatField Padding = new(0, "padding");
        public static readonly FlatField StrideW = new(1, "stride_w");
        public static readonly FlatField StrideH = new(2, "stride_h");
        public static readonly FlatField Activation = new(3, "fused_activation_function");
        public static readonly FlatField BiasType = new(4, "quantized_bias_type");
    }

    internal static class PackOptions
    {
        public const byte Union = 59;
        public static readonly FlatField Count = new(0, "values_count");
        public static readonly FlatField Axis = new(1, "axis");
    }

    internal static class UnpackOptions
    {
        public const byte Union = 64;
        public static readonly FlatField Count = new(0, "num");
        public static readonly FlatField Axis = new(1, "axis");
    }

    internal static class BatchMatMulOptions
    {
        public const byte Union = 101;
        public static readonly FlatField AdjointX = new(0, "adj_x");
        public static readonly FlatField AdjointY = new(1, "adj_y");
    }

    internal static class ReshapeOptions
    {
        public const byte Union = 17;
        public static readonly FlatField NewShape = new(0, "new_shape");
    }

    /// <summary>Names of the schema's enumeration <c>TensorType</c>, by value.</summary>
    private static readonly string[] ElementTypeNames =
    [
        "FLOAT32", "FLOAT16", "INT32", "UINT8", "INT64", "STRING", "BOOL", "INT16", "COMPLEX64", "INT8", "FLOAT64", "COMPLEX128", "UINT64",
        "RESOURCE", "VARIANT", "UINT32", "UINT16", "INT4",
    ];

    /// <summary>Value of <c>TensorType.FLOAT32</c>.</summary>
    public const byte Float32Type = 0;

    /// <summary>Value of <c>TensorType.INT32</c>.</summary>
    public const byte Int32Type = 2;

    /// <summary>Value of <c>TensorType.UINT8</c>.</summary>
    public const byte UInt8Type = 3;

    /// <summary>Value of <c>TensorType.FLOAT16</c>.</summary>
    public const byte Float16Type = 1;

    /// <summary>Value of <c>TensorType.INT8</c>.</summary>
    public const byte Int8Type = 9;

    /// <summary>The schema's name of an element type.</summary>
    public static string NameOfType(byte type) => type < ElementTypeNames.Length ? ElementTypeNames[type] : FormattableString.Invariant($"element type {type}");

    /// <summary>Our element type, or null where there is none.</summary>
    public static ElementType? ElementTypeOf(byte type) => type switch
    {
        0 => ElementType.Float32,
        Int32Type => ElementType.Int32,
        UInt8Type => ElementType.UInt8,
        4 => ElementType.Int64,
        7 => ElementType.Int16,
        Int8Type => ElementType.Int8,
        _ => null,
    };
}
