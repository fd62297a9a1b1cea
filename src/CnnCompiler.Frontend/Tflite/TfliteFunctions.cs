using System.Globalization;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;

namespace CnnCompiler.Frontend.Tflite;

/// <summary>Functions of each element, products, differences, changes of scale, and reshapes by another name; the arithmetic is that of the network's layers (docs/language.md).</summary>
internal static class TfliteFunctions
{
    public static FusedActivation ReadMul(TfliteOperatorContext operation) =>
        operation.Activation(operation.RequireOptions(TfliteSchema.MulOptions.Union), TfliteSchema.MulOptions.Activation);

    public static FusedActivation ReadSub(TfliteOperatorContext operation) =>
        operation.Activation(operation.RequireOptions(TfliteSchema.SubOptions.Union), TfliteSchema.SubOptions.Activation);

    public static IReadOnlyList<Layer> BuildMul(TfliteOperatorContext operation, FusedActivation activation) =>
        TfliteElementwise.Pair(operation, (name, operands, type) => new Mul(name, operands, type, activation, RoundingScheme.TfliteDouble));

    public static IReadOnlyList<Layer> BuildSub(TfliteOperatorContext operation, FusedActivation activation) =>
        TfliteElementwise.Pair(operation, (name, operands, type) => new Sub(name, operands, type, activation, RoundingScheme.TfliteDouble));

    public static float ReadSlope(TfliteOperatorContext operation)
    {
        var slope = operation.RequireOptions(TfliteSchema.LeakyReluOptions.Union).GetSingle(TfliteSchema.LeakyReluOptions.Alpha);
        return float.IsFinite(slope) ? slope : throw operation.Inconsistent(string.Create(CultureInfo.InvariantCulture, $"its alpha is {slope:R}, not a number"));
    }

    public static IReadOnlyList<Layer> BuildLeakyRelu(TfliteOperatorContext operation, float slope) => Function(operation, UnaryFunction.LeakyRelu, slope);

    /// <summary>Logistic and hyperbolic tangent have one output scale and zero point in TFLite's int8 scheme.</summary>
    public static IReadOnlyList<Layer> BuildLogistic(TfliteOperatorContext operation) => WithResult(operation, UnaryFunction.Logistic, (1f / 256, -128));

    /// <inheritdoc cref="BuildLogistic"/>
    public static IReadOnlyList<Layer> BuildTanh(TfliteOperatorContext operation) => WithResult(operation, UnaryFunction.Tanh, (1f / 128, 0));

    public static IReadOnlyList<Layer> BuildHardSwish(TfliteOperatorContext operation) => Function(operation, UnaryFunction.HardSwish, 0);

    /// <summary>From float32, int8 or uint8 to int8 or uint8: at the edges of a network, and changes of scale inside it.</summary>
    public static IReadOnlyList<Layer> BuildQuantize(TfliteOperatorContext operation)
    {
        var (input, output) = (operation.Value(0), operation.Output);
        operation.RequireShape(input.Shape);
        return output.IsReal
            ? throw operation.Unsupported($"its output {output.Display} is FLOAT32", "use DEQUANTIZE to get real numbers")
            : [operation.Placed(new Quantize(output.ValueName, [input.ValueName], output.Type, RoundingScheme.TfliteDouble))];
    }

    /// <summary>Real numbers of int8 or uint8 values; constants of other types come with conversions that are made at run time elsewhere.</summary>
    public static IReadOnlyList<Layer> BuildDequantize(TfliteOperatorContext operation)
    {
        operation.RequireRuntime(0);
        var (input, output) = (operation.Value(0), operation.Output);
        operation.RequireShape(input.Shape);
        return !output.IsReal || input.IsReal
            ? throw operation.Unsupported($"it makes {TfliteSchema.NameOfType(output.TypeCode)} of {TfliteSchema.NameOfType(input.TypeCode)}", "dequantise int8 or uint8 values to FLOAT32")
            : [operation.Placed(new Dequantize(output.ValueName, [input.ValueName], output.Type))];
    }

    /// <summary>SQUEEZE and EXPAND_DIMS: extents of 1 come or go, all others stay in their order.</summary>
    public static IReadOnlyList<Layer> BuildReshape(TfliteOperatorContext operation)
    {
        var (input, output) = (operation.Value(0), operation.Output);
        operation.RequireSameScale(input, output);
        return input.Shape.Dimensions.Where(e => e != 1).SequenceEqual(output.Shape.Dimensions.Where(e => e != 1))
            ? [operation.Placed(new Reshape(output.ValueName, [input.ValueName], output.Type))]
            : throw operation.Inconsistent($"{input.Shape} can't become {output.Shape} by extents of 1 alone");
    }

    private static IReadOnlyList<Layer> WithResult(TfliteOperatorContext operation, UnaryFunction function, (float Scale, int ZeroPoint) result)
    {
        var quantization = operation.Output.Quantization;
        return operation.Output.IsReal || (quantization is { } q && q.Scale == result.Scale && q.ZeroPoint == result.ZeroPoint)
            ? Function(operation, function, 0)
            : throw operation.Unsupported(
                string.Create(CultureInfo.InvariantCulture, $"its output has {operation.Output.DisplayQuantization} instead of 1/{1 / result.Scale} and {result.ZeroPoint}"),
                "convert the model with TensorFlow's int8 scheme");
    }

    private static IReadOnlyList<Layer> Function(TfliteOperatorContext operation, UnaryFunction function, float slope)
    {
        var (input, output) = (operation.Value(0), operation.Output);
        operation.RequireShape(input.Shape);
        return [operation.Placed(new Unary(output.ValueName, [input.ValueName], output.Type, function, slope, RoundingScheme.TfliteDouble))];
    }
}
