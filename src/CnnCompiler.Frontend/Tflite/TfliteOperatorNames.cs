namespace CnnCompiler.Frontend.Tflite;

/// <summary>Names of the schema's builtin operators, so that a refusal says what was found, and what helps against the usual ones.</summary>
internal static class TfliteOperatorNames
{
    /// <summary>Code of an operator that a name defines instead of the schema.</summary>
    public const int Custom = 32;

    private const string NoLayer = "cnnc has no layer for it";
    private const string Generic = "rebuild the model from the operators that cnnc operators lists";

    /// <summary>The enumeration <c>BuiltinOperator</c> of the schema from 0 on.</summary>
    private static readonly string[] Names = (
        "ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE EMBEDDING_LOOKUP FLOOR FULLY_CONNECTED HASHTABLE_LOOKUP " +
        "L2_NORMALIZATION L2_POOL_2D LOCAL_RESPONSE_NORMALIZATION LOGISTIC LSH_PROJECTION LSTM MAX_POOL_2D MUL RELU RELU_N1_TO_1 RELU6 RESHAPE " +
        "RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH SVDF TANH CONCAT_EMBEDDINGS SKIP_GRAM CALL CUSTOM EMBEDDING_LOOKUP_SPARSE PAD " +
        "UNIDIRECTIONAL_SEQUENCE_RNN GATHER BATCH_TO_SPACE_ND SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE UNIDIRECTIONAL_SEQUENCE_LSTM " +
        "STRIDED_SLICE BIDIRECTIONAL_SEQUENCE_RNN EXP TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM CAST PRELU MAXIMUM ARG_MAX " +
        "MINIMUM LESS NEG PADV2 GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE SIN TRANSPOSE_CONV SPARSE_TO_DENSE TILE EXPAND_DIMS EQUAL NOT_EQUAL " +
        "LOG SUM SQRT RSQRT SHAPE POW ARG_MIN FAKE_QUANT REDUCE_PROD REDUCE_MAX PACK LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT UNPACK REDUCE_MIN " +
        "FLOOR_DIV REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD RANGE RESIZE_NEAREST_NEIGHBOR LEAKY_RELU SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V " +
        "UNIQUE CEIL REVERSE_V2 ADD_N GATHER_ND COS WHERE RANK ELU REVERSE_SEQUENCE MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE " +
        "NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 SCATTER_ND SELECT_V2 DENSIFY SEGMENT_SUM BATCH_MATMUL PLACEHOLDER_FOR_GREATER_OP_CODES CUMSUM " +
        "CALL_ONCE BROADCAST_TO RFFT2D CONV_3D IMAG REAL COMPLEX_ABS HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL " +
        "CONV_3D_TRANSPOSE VAR_HANDLE READ_VARIABLE ASSIGN_VARIABLE BROADCAST_ARGS RANDOM_STANDARD_NORMAL BUCKETIZE RANDOM_UNIFORM MULTINOMIAL GELU " +
        "DYNAMIC_UPDATE_SLICE RELU_0_TO_1 UNSORTED_SEGMENT_PROD UNSORTED_SEGMENT_MAX UNSORTED_SEGMENT_SUM ATAN2 UNSORTED_SEGMENT_MIN SIGN BITCAST " +
        "BITWISE_XOR RIGHT_SHIFT STABLEHLO_LOGISTIC STABLEHLO_ADD STABLEHLO_DIVIDE STABLEHLO_MULTIPLY STABLEHLO_MAXIMUM STABLEHLO_RESHAPE " +
        "STABLEHLO_CLAMP STABLEHLO_CONCATENATE STABLEHLO_BROADCAST_IN_DIM STABLEHLO_CONVOLUTION STABLEHLO_SLICE STABLEHLO_CUSTOM_CALL " +
        "STABLEHLO_REDUCE STABLEHLO_ABS STABLEHLO_AND STABLEHLO_COSINE STABLEHLO_EXPONENTIAL STABLEHLO_FLOOR STABLEHLO_LOG STABLEHLO_MINIMUM " +
        "STABLEHLO_NEGATE STABLEHLO_OR STABLEHLO_POWER STABLEHLO_REMAINDER STABLEHLO_RSQRT STABLEHLO_SELECT STABLEHLO_SUBTRACT STABLEHLO_TANH " +
        "STABLEHLO_SCATTER STABLEHLO_COMPARE STABLEHLO_CONVERT STABLEHLO_DYNAMIC_SLICE STABLEHLO_DYNAMIC_UPDATE_SLICE STABLEHLO_PAD STABLEHLO_IOTA " +
        "STABLEHLO_DOT_GENERAL STABLEHLO_REDUCE_WINDOW STABLEHLO_SORT STABLEHLO_WHILE STABLEHLO_GATHER STABLEHLO_TRANSPOSE DILATE " +
        "STABLEHLO_RNG_BIT_GENERATOR REDUCE_WINDOW").Split(' ');

    /// <summary>The schema's name of an operator.</summary>
    public static string Of(int code, string custom) => code switch
    {
        Custom => $"custom operator {TfliteDiagnostics.Quote(custom)}",
        _ when (uint)code < (uint)Names.Length => Names[code],
        _ => FormattableString.Invariant($"builtin operator number {code}"),
    };

    /// <summary>Why an operator without a builder is refused, and what helps.</summary>
    public static (string Why, string Remedy) Refusal(int code) => (uint)code < (uint)Names.Length ? Refusal(Names[code]) : ("it is not in the TFLite schema that cnnc knows", Generic);

    private static (string Why, string Remedy) Refusal(string name) => name switch
    {
        "CUSTOM" => ("what it computes is known only to the runtime that it was made for", "build the model from builtin operators"),
        "DIV" => (NoLayer, "fold factors and offsets into the weights of a neighbouring layer (batch normalisation is folded by the converter)"),
        "PRELU" or "ELU" or "GELU" or "RELU_0_TO_1" => (NoLayer, "use RELU or RELU6 as the activation"),
        "SHAPE" => (NoLayer, "use a reshape to a fixed shape and convert the model with fixed input shapes"),
        "MIRROR_PAD" => (NoLayer, "pad with a constant"),
        "LSTM" or "RNN" or "SVDF" or "UNIDIRECTIONAL_SEQUENCE_LSTM" or "UNIDIRECTIONAL_SEQUENCE_RNN" or "BIDIRECTIONAL_SEQUENCE_LSTM" or "BIDIRECTIONAL_SEQUENCE_RNN" =>
            ("it keeps a state from one inference to the next", "use a feed-forward network"),
        "IF" or "WHILE" or "CALL" or "CALL_ONCE" => ("it runs another subgraph", "convert the model without control flow"),
        _ => (NoLayer, Generic),
    };
}
