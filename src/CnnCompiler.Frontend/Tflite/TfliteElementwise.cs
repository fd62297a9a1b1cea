using System.Globalization;
using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;

namespace CnnCompiler.Frontend.Tflite;

/// <summary>ADD, stand-alone activations and SOFTMAX (<c>int8-arithmetic.md</c> sections 3.5 and 3.8).</summary>
internal static class TfliteElementwise
{
    public static FusedActivation ReadAdd(TfliteOperatorContext operation) =>
        operation.Activation(operation.RequireOptions(TfliteSchema.AddOptions.Union), TfliteSchema.AddOptions.Activation);

    public static IReadOnlyList<Layer> BuildAdd(TfliteOperatorContext operation, FusedActivation activation) =>
        Pair(operation, (name, operands, type) => new Add(name, operands, type, activation, RoundingScheme.TfliteDouble));

    /// <summary>A layer of two operands, either of which may be a constant.</summary>
    public static IReadOnlyList<Layer> Pair(TfliteOperatorContext operation, Func<string, EquatableArray<string>, TensorType, Layer> make)
    {
        var layers = new List<Layer>();
        var (first, second, output) = (operation.Operand(0, layers), operation.Operand(1, layers), operation.Output);
        operation.RequireShape(Broadcast(operation, first.Type.Shape, second.Type.Shape));
        return [.. layers, operation.Placed(make(output.ValueName, [first.Name, second.Name], output.Type))];
    }

    public static IReadOnlyList<Layer> BuildActivation(TfliteOperatorContext operation, FusedActivation function)
    {
        var (input, output) = (operation.Value(0), operation.Output);
        operation.RequireShape(input.Shape);
        var (rescaled, layers) = Rescaled(operation, input, FormattableString.Invariant($"{output.ValueName}_rescaled"));
        return [.. layers, operation.Placed(new Activation(output.ValueName, [rescaled], output.Type, function))];
    }

    /// <summary>A value in the scale and zero point of the output, requantised where they differ.</summary>
    public static (string Name, IReadOnlyList<Layer> Layers) Rescaled(TfliteOperatorContext operation, TfliteTensor input, string name) =>
        input.IsReal || input.Quantization == operation.Output.Quantization
            ? (input.ValueName, [])
            : (name, [operation.Placed(new Quantize(name, [input.ValueName], operation.Output.Type with { Shape = input.Shape }, RoundingScheme.TfliteDouble))]);

    public static float ReadSoftmax(TfliteOperatorContext operation)
    {
        var beta = operation.RequireOptions(TfliteSchema.SoftmaxOptions.Union).GetSingle(TfliteSchema.SoftmaxOptions.Beta);
        return float.IsFinite(beta) && beta > 0 ? beta : throw operation.Inconsistent(string.Create(CultureInfo.InvariantCulture, $"its beta is {beta:R}, not a number above 0"));
    }

    public static IReadOnlyList<Layer> BuildSoftmax(TfliteOperatorContext operation, float beta)
    {
        var (input, output) = (operation.Value(0), operation.Output);
        operation.RequireShape(input.Shape);
        if (!output.IsReal && output.Quantization is not { Scale: 1f / 256, ZeroPoint: -128 })
        {
            throw operation.Unsupported($"its output has {output.DisplayQuantization} instead of 1/256 and -128", "convert the model with TensorFlow's int8 scheme");
        }

        return input.Shape.Rank > 0
            ? [operation.Placed(new Softmax(output.ValueName, [input.ValueName], output.Type, beta))]
            : throw operation.Inconsistent("its input has no dimension");
    }

    /// <summary>The shape of two values of which extents of 1 are repeated.</summary>
    public static Shape Broadcast(TfliteOperatorContext operation, Shape first, Shape second)
    {
        var extents = new int[Math.Max(first.Rank, second.Rank)];
        for (var fromEnd = 1; fromEnd <= extents.Length; fromEnd++)
        {
            var (a, b) = (FromEnd(first, fromEnd), FromEnd(second, fromEnd));
            if (a != b && a != 1 && b != 1)
            {
                throw operation.Inconsistent($"shapes {first} and {second} can't be broadcast to one shape");
            }

            extents[^fromEnd] = Math.Max(a, b);
        }

        return Shape.Of(extents);

        static int FromEnd(Shape shape, int fromEnd) => fromEnd <= shape.Rank ? shape[shape.Rank - fromEnd] : 1;
    }
}
