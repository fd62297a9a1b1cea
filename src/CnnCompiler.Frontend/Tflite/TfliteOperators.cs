using System.Collections.Frozen;
using CnnCompiler.Ir.Network;

namespace CnnCompiler.Frontend.Tflite;

/// <summary>One supported operator.</summary>
/// <param name="Code">The schema's builtin operator code.</param>
/// <param name="Name">The schema's name.</param>
/// <param name="Build">Reads the options and makes the layers, in order; the last one has the output tensor's name.</param>
internal sealed record TfliteOperatorRow(int Code, string Name, Func<TfliteOperatorContext, IReadOnlyList<Layer>> Build)
{
    /// <summary>A row whose options reader and builder are separate functions.</summary>
    public static TfliteOperatorRow Of<TOptions>(
        int code, string name, Func<TfliteOperatorContext, TOptions> readOptions, Func<TfliteOperatorContext, TOptions, IReadOnlyList<Layer>> build) =>
        new(code, name, operation => build(operation, readOptions(operation)));
}

/// <summary>The operators that are imported, one row each: code, name, options reader, builder. All others are refused by name.</summary>
internal static class TfliteOperators
{
    private static readonly FrozenDictionary<int, TfliteOperatorRow> Rows = new TfliteOperatorRow[]
    {
        TfliteOperatorRow.Of(0, "ADD", TfliteElementwise.ReadAdd, TfliteElementwise.BuildAdd),
        TfliteOperatorRow.Of(1, "AVERAGE_POOL_2D", TflitePooling.ReadPool, TflitePooling.BuildAveragePool),
        TfliteOperatorRow.Of(2, "CONCATENATION", TfliteCopies.ReadConcatenation, TfliteCopies.BuildConcatenation),
        TfliteOperatorRow.Of(3, "CONV_2D", TfliteConvolutions.ReadConv2D, TfliteConvolutions.BuildConv2D),
        TfliteOperatorRow.Of(4, "DEPTHWISE_CONV_2D", TfliteConvolutions.ReadDepthwiseConv2D, TfliteConvolutions.BuildDepthwiseConv2D),
        TfliteOperatorRow.Of(9, "FULLY_CONNECTED", TfliteConvolutions.ReadFullyConnected, TfliteConvolutions.BuildFullyConnected),
        TfliteOperatorRow.Of(17, "MAX_POOL_2D", TflitePooling.ReadPool, TflitePooling.BuildMaxPool),
        TfliteOperatorRow.Of(19, "RELU", _ => FusedActivation.Relu, TfliteElementwise.BuildActivation),
        TfliteOperatorRow.Of(20, "RELU_N1_TO_1", _ => FusedActivation.ReluN1To1, TfliteElementwise.BuildActivation),
        TfliteOperatorRow.Of(21, "RELU6", _ => FusedActivation.Relu6, TfliteElementwise.BuildActivation),
        TfliteOperatorRow.Of(22, "RESHAPE", TfliteCopies.ReadReshape, TfliteCopies.BuildReshape),
        TfliteOperatorRow.Of(25, "SOFTMAX", TfliteElementwise.ReadSoftmax, TfliteElementwise.BuildSoftmax),
        TfliteOperatorRow.Of(34, "PAD", TfliteCopies.ReadPaddings, TfliteCopies.BuildPad),
        TfliteOperatorRow.Of(39, "TRANSPOSE", TfliteReductions.ReadPermutation, TfliteReductions.BuildTranspose),
        TfliteOperatorRow.Of(40, "MEAN", TfliteReductions.ReadMean, TfliteReductions.BuildMean),
        TfliteOperatorRow.Of(60, "PADV2", TfliteCopies.ReadPaddings, TfliteCopies.BuildPadV2),
    }.ToFrozenDictionary(row => row.Code);

    /// <summary>The row of an operator, or null where it is not supported.</summary>
    public static TfliteOperatorRow? Find(int code) => Rows.GetValueOrDefault(code);
}
