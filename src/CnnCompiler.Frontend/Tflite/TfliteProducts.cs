using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;

namespace CnnCompiler.Frontend.Tflite;

/// <summary>TRANSPOSE_CONV and BATCH_MATMUL (TFLite's reference/transpose_conv.h and batch_matmul.h; requantised as convolutions and dense layers are).</summary>
internal static class TfliteProducts
{
    /// <summary>Options of a transposed convolution.</summary>
    internal sealed record TransposedOptions(bool IsSame, Spatial Stride, FusedActivation Activation);

    public static TransposedOptions ReadTransposeConv(TfliteOperatorContext operation)
    {
        var options = operation.RequireOptions(TfliteSchema.TransposeConvOptions.Union);
        TfliteConvolutions.RequireInt32Bias(operation, options, TfliteSchema.TransposeConvOptions.BiasType);
        return new(
            options.GetByte(TfliteSchema.TransposeConvOptions.Padding) switch
            {
                0 => true,
                1 => false,
                var other => throw operation.Inconsistent(FormattableString.Invariant($"it has an unknown padding, {other}")),
            },
            operation.Steps("stride", options.GetInt32(TfliteSchema.TransposeConvOptions.StrideH), options.GetInt32(TfliteSchema.TransposeConvOptions.StrideW)),
            operation.Activation(options, TfliteSchema.TransposeConvOptions.Activation));
    }

    public static IReadOnlyList<Layer> BuildTransposeConv(TfliteOperatorContext operation, TransposedOptions options)
    {
        var (input, output) = (operation.Value(2), operation.Output);
        var (asked, _) = operation.ConstantNumbers(0);
        var weights = operation.Weights(1, rank: 4, axis: 0, out var quantization);
        var kernel = operation.Steps("kernel", weights.Shape[1], weights.Shape[2]);
        if (input.Shape.Rank != 4 || output.Shape.Rank != 4 || input.Shape[3] != weights.Shape[3] || input.Shape[0] != output.Shape[0] || output.Shape[3] != weights.Shape[0]
            || !asked.SequenceEqual(output.Shape.Dimensions.Select(extent => (long)extent)))
        {
            throw operation.Inconsistent($"an input of shape {input.Shape}, weights of shape {weights.Shape} and the shape [{string.Join(", ", asked)}] that it asks for don't give {output.Shape}");
        }

        var (top, bottom, below) = Along(output.Shape[1], input.Shape[1], kernel.Height, options.Stride.Height);
        var (left, right, beside) = Along(output.Shape[2], input.Shape[2], kernel.Width, options.Stride.Width);
        return
        [
            operation.Placed(new Conv2DTranspose(
                output.ValueName,
                [input.ValueName],
                output.Type,
                weights,
                quantization,
                operation.Bias(3, weights.Shape[0]),
                options.Stride,
                new(1, 1),
                new(top, bottom, left, right),
                new(below, beside),
                1,
                options.Activation,
                RoundingScheme.TfliteDouble)),
        ];

        // Padding before is that of the convolution from the output to the input; what comes out beyond the output's extent is cut off, what is missing stays bias.
        (int Before, int After, int Extra) Along(int result, int extent, int window, int step)
        {
            var positions = (result + step - 1) / step;
            var before = options.IsSame ? (int)Math.Max(0, ((((long)positions - 1) * step) + window - result) / 2) : 0;
            var whole = (((long)extent - 1) * step) + window - before - result;
            return whole is > int.MaxValue or < int.MinValue
                ? throw operation.Inconsistent(FormattableString.Invariant($"{extent} elements in steps of {step} are not {result}"))
                : (before, (int)Math.Max(0, whole), (int)Math.Max(0, -whole));
        }
    }

    public static IReadOnlyList<Layer> BuildBatchMatMul(TfliteOperatorContext operation)
    {
        var options = operation.OptionsOrNull(TfliteSchema.BatchMatMulOptions.Union);
        var layers = new List<Layer>();
        var (first, second, output) = (operation.Operand(0, layers), operation.Operand(1, layers), operation.Output);
        var matrices = operation.Placed(new MatMul(
            output.ValueName,
            [first.Name, second.Name],
            output.Type,
            options?.GetBoolean(TfliteSchema.BatchMatMulOptions.AdjointX) ?? false,
            options?.GetBoolean(TfliteSchema.BatchMatMulOptions.AdjointY) ?? false,
            FusedActivation.None,
            RoundingScheme.TfliteDouble));
        operation.RequireInferred(matrices, [first.Type, second.Type]);
        return [.. layers, matrices];
    }
}
