using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;

namespace CnnCompiler.Frontend.Tflite;

/// <summary>MEAN and TRANSPOSE (<c>int8-arithmetic.md</c> sections 3.7 and 3.9).</summary>
internal static class TfliteReductions
{
    public static bool ReadMean(TfliteOperatorContext operation) =>
        operation.RequireOptions(TfliteSchema.ReducerOptions.Union).GetBoolean(TfliteSchema.ReducerOptions.KeepDims);

    public static IReadOnlyList<Layer> BuildMean(TfliteOperatorContext operation, bool keep)
    {
        var (input, output) = (operation.Value(0), operation.Output);
        var (numbers, _) = operation.ConstantNumbers(1);
        var rank = input.Shape.Rank;
        if (numbers.Length == 0 || numbers.Any(axis => axis < -rank || axis >= rank))
        {
            throw operation.Inconsistent($"it averages over [{string.Join(", ", numbers)}] of the {rank} dimensions of {input.Shape}");
        }

        var axes = numbers.Select(axis => (int)(axis < 0 ? axis + rank : axis)).Distinct().Order().ToArray();
        operation.RequireShape(Shape.Of([.. Enumerable.Range(0, rank).Where(d => keep || !axes.Contains(d)).Select(d => axes.Contains(d) ? 1 : input.Shape[d])]));
        return [operation.Placed(new Mean(output.ValueName, [input.ValueName], output.Type, axes.ToEquatableArray(), keep, RoundingScheme.TfliteDouble))];
    }

    public static long[] ReadPermutation(TfliteOperatorContext operation) => operation.ConstantNumbers(1).Numbers;

    public static IReadOnlyList<Layer> BuildTranspose(TfliteOperatorContext operation, long[] permutation)
    {
        var (input, output) = (operation.Value(0), operation.Output);
        operation.RequireSameScale(input, output);
        var order = permutation.Select(d => d < 0 ? d + input.Shape.Rank : d).ToArray();
        if (!order.Order().SequenceEqual(Enumerable.Range(0, input.Shape.Rank).Select(d => (long)d)))
        {
            throw operation.Inconsistent($"[{string.Join(", ", permutation)}] is no order of the {input.Shape.Rank} dimensions of {input.Shape}");
        }

        operation.RequireShape(Shape.Of([.. order.Select(d => input.Shape[(int)d])]));
        return [operation.Placed(new Transpose(output.ValueName, [input.ValueName], output.Type, order.Select(d => (int)d).ToEquatableArray()))];
    }
}
