using Builder = CnnCompiler.Frontend.Tests.Tflite.TfliteModelBuilder;

namespace CnnCompiler.Frontend.Tests.Tflite;

/// <summary>A small model of each operator that is imported, by code and name as the schema has them.</summary>
internal static class OperatorModels
{
    // Before All, which uses it.
    private static readonly int[] Image = [1, 4, 6, 2];

    private static readonly (int Code, string Name, Action<Builder, int, List<int>> Build)[] Rows =
    [
        (0, "ADD", (m, x, o) => m.Operator(0, [x, x], [New(m, o, Image)], 11, new())),
        (1, "AVERAGE_POOL_2D", (m, x, o) => m.Operator(1, [x], [New(m, o, [1, 2, 3, 2])], 5, Pool)),
        (2, "CONCATENATION", (m, x, o) => m.Operator(2, [x, x], [New(m, o, [1, 4, 6, 4])], 10, new() { [0] = 3 })),
        (3, "CONV_2D", (m, x, o) => m.Operator(3, [x, m.Weights([3, 2, 2, 2]), m.Numbers("b", [3], 1, 2, 3)], [New(m, o, [1, 4, 6, 3])], 1, new() { [1] = 1, [2] = 1 })),
        (4, "DEPTHWISE_CONV_2D", (m, x, o) => m.Operator(4, [x, m.Weights([1, 2, 2, 4])], [New(m, o, [1, 4, 6, 4])], 2, new() { [1] = 1, [2] = 1, [3] = 2 })),
        (6, "DEQUANTIZE", (m, x, o) => m.Operator(6, [x], [New(m, o, Image, Builder.Float32)])),
        (9, "FULLY_CONNECTED", (m, x, o) => m.Operator(9, [x, m.Weights([3, 48])], [New(m, o, [1, 3])], 8, new())),
        (14, "LOGISTIC", (m, x, o) => m.Operator(14, [x], [New(m, o, Image, scale: 1f / 256, zero: -128)])),
        (17, "MAX_POOL_2D", (m, x, o) => m.Operator(17, [x], [New(m, o, [1, 2, 3, 2])], 5, Pool)),
        (18, "MUL", (m, x, o) => m.Operator(18, [x, m.Weights([2])], [New(m, o, Image)], 21, new())),
        (19, "RELU", (m, x, o) => m.Operator(19, [x], [New(m, o, Image)])),
        (20, "RELU_N1_TO_1", (m, x, o) => m.Operator(20, [x], [New(m, o, Image)])),
        (21, "RELU6", (m, x, o) => m.Operator(21, [x], [New(m, o, Image)])),
        (22, "RESHAPE", (m, x, o) => m.Operator(22, [x, m.Numbers("s", [2], 4, -1)], [New(m, o, [4, 12])], 17, new())),
        (23, "RESIZE_BILINEAR", (m, x, o) => m.Operator(23, [x, m.Numbers("s", [2], 5, 9)], [New(m, o, [1, 5, 9, 2])], 15, new())),
        (25, "SOFTMAX", (m, x, o) => m.Operator(25, [x], [New(m, o, Image, scale: 1f / 256, zero: -128)], 9, new() { [0] = 1f })),
        (28, "TANH", (m, x, o) => m.Operator(28, [x], [New(m, o, Image, scale: 1f / 128)])),
        (34, "PAD", (m, x, o) => m.Operator(34, [x, m.Numbers("p", [4, 2], 0, 0, 1, 0, 0, 2, 0, 0)], [New(m, o, [1, 5, 8, 2])])),
        (39, "TRANSPOSE", (m, x, o) => m.Operator(39, [x, m.Numbers("p", [4], 0, 3, 1, 2)], [New(m, o, [1, 2, 4, 6])])),
        (40, "MEAN", (m, x, o) => m.Operator(40, [x, m.Numbers("a", [2], 1, 2)], [New(m, o, [1, 2])], 27, new())),
        (41, "SUB", (m, x, o) => m.Operator(41, [m.Weights([6, 1]), x], [New(m, o, Image)], 28, new())),
        (43, "SQUEEZE", (m, x, o) => m.Operator(43, [x], [New(m, o, [4, 6, 2])])),
        (45, "STRIDED_SLICE", (m, x, o) => m.Operator(45, [x, m.Numbers("b", [4], 0, 3, 0, 0), m.Numbers("e", [4], 1, 0, 6, 2), m.Numbers("s", [4], 1, -2, 2, 1)], [New(m, o, [2, 3, 2])], 32, new() { [4] = 1 })),
        (49, "SPLIT", (m, x, o) => m.Operator(49, [m.Numbers("a", [], 2), x], [New(m, o, [1, 4, 3, 2]), New(m, o, [1, 4, 3, 2])], 35, new() { [0] = 2 })),
        (60, "PADV2", (m, x, o) => m.Operator(60, [x, m.Numbers("p", [4, 2], 0, 0, 1, 0, 0, 2, 0, 0), m.Constant("v", [], Builder.Int8, [5])], [New(m, o, [1, 5, 8, 2])])),
        (65, "SLICE", (m, x, o) => m.Operator(65, [x, m.Numbers("b", [4], 0, 1, 0, 0), m.Numbers("s", [4], 1, 2, -1, 1)], [New(m, o, [1, 2, 6, 1])])),
        (67, "TRANSPOSE_CONV", (m, x, o) => m.Operator(67, [m.Numbers("s", [4], 1, 8, 12, 3), m.Weights([3, 3, 3, 2]), x], [New(m, o, [1, 8, 12, 3])], 49, new() { [1] = 2, [2] = 2 })),
        (70, "EXPAND_DIMS", (m, x, o) => m.Operator(70, [x, m.Numbers("a", [], 0)], [New(m, o, [1, 1, 4, 6, 2])])),
        (83, "PACK", (m, x, o) => m.Operator(83, [x, x], [New(m, o, [2, 1, 4, 6, 2])], 59, new() { [0] = 2 })),
        (88, "UNPACK", (m, x, o) => m.Operator(88, [x], [New(m, o, [1, 4, 6]), New(m, o, [1, 4, 6])], 64, new() { [0] = 2, [1] = 3 })),
        (97, "RESIZE_NEAREST_NEIGHBOR", (m, x, o) => m.Operator(97, [x, m.Numbers("s", [2], 2, 12)], [New(m, o, [1, 2, 12, 2])], 74, new() { [1] = true })),
        (98, "LEAKY_RELU", (m, x, o) => m.Operator(98, [x], [New(m, o, Image)], 75, new() { [0] = 0.1f })),
        (102, "SPLIT_V", (m, x, o) => m.Operator(102, [x, m.Numbers("s", [2], 1, -1), m.Numbers("a", [], 1)], [New(m, o, [1, 1, 6, 2]), New(m, o, [1, 3, 6, 2])])),
        (114, "QUANTIZE", (m, x, o) => m.Operator(114, [x], [New(m, o, Image, Builder.UInt8, zero: 100)])),
        (117, "HARD_SWISH", (m, x, o) => m.Operator(117, [x], [New(m, o, Image)])),
        (126, "BATCH_MATMUL", (m, x, o) => m.Operator(126, [x, x], [New(m, o, [1, 4, 6, 6])], 101, new() { [1] = true })),
    ];

    /// <summary>Codes of all operators that are imported.</summary>
    public static IReadOnlyList<int> Codes => [.. Rows.Select(row => row.Code)];

    /// <summary>The models, in the order of the codes.</summary>
    public static IReadOnlyList<byte[]> All { get; } = [.. Rows.Select(row =>
    {
        var model = new Builder();
        var x = model.Value("x", Image);
        var outputs = new List<int>();
        row.Build(model, x, outputs);
        return model.Build([x], [.. outputs]);
    })];

    private static FlatObject Pool => new() { [0] = (byte)1, [1] = 2, [2] = 2, [3] = 2, [4] = 2 };

    /// <summary>The schema's name of a code that has a model here.</summary>
    public static string NameOf(int code) => Rows.Single(row => row.Code == code).Name;

    private static int New(Builder model, List<int> outputs, int[] shape, byte type = Builder.Int8, float scale = 0.5f, long zero = 0)
    {
        outputs.Add(model.Value($"y{outputs.Count}", shape, type, scale, zero));
        return outputs[^1];
    }
}
