using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;

namespace CnnCompiler.Frontend.Tflite;

/// <summary>Operators that copy codes: RESHAPE, PAD, PADV2 and CONCATENATION (<c>int8-arithmetic.md</c> section 3.9).</summary>
internal static class TfliteCopies
{
    /// <summary>Elements before and after each dimension.</summary>
    internal sealed record Paddings(EquatableArray<int> Before, EquatableArray<int> After);

    /// <summary>The shape that is asked for, with at most one -1, or null where only the output tensor says it.</summary>
    public static IReadOnlyList<long>? ReadReshape(TfliteOperatorContext operation) => operation.HasInput(1)
        ? operation.ConstantNumbers(1).Numbers
        : operation.OptionsOrNull(TfliteSchema.ReshapeOptions.Union)?.GetInt32s(TfliteSchema.ReshapeOptions.NewShape).Select(e => (long)e).ToArray();

    public static IReadOnlyList<Layer> BuildReshape(TfliteOperatorContext operation, IReadOnlyList<long>? asked)
    {
        var (input, output) = (operation.Value(0), operation.Output);
        operation.RequireSameScale(input, output);
        var fits = input.Shape.Elements == output.Shape.Elements;
        if (asked is not null)
        {
            // At most one -1 stands for what is left.
            fits &= asked.Count == output.Shape.Rank && asked.Count(e => e == -1) <= 1 && asked.Zip(output.Shape.Dimensions).All(e => e.First == -1 || e.First == e.Second);
        }

        return fits
            ? [operation.Placed(new Reshape(output.ValueName, [input.ValueName], output.Type))]
            : throw operation.Inconsistent($"{input.Shape} can't be reshaped to {output.Shape}{(asked is null ? string.Empty : $" as it asks for [{string.Join(", ", asked)}]")}");
    }

    public static Paddings ReadPaddings(TfliteOperatorContext operation)
    {
        var (numbers, shape) = operation.ConstantNumbers(1);
        if (shape.Rank != 2 || shape[1] != 2 || numbers.Any(n => n is < 0 or > short.MaxValue))
        {
            throw operation.Inconsistent($"its paddings [{string.Join(", ", numbers)}] of shape {shape} are not two numbers from 0 to 32767 for each dimension");
        }

        return new(numbers.Where((_, i) => i % 2 == 0).Select(n => (int)n).ToEquatableArray(), numbers.Where((_, i) => i % 2 == 1).Select(n => (int)n).ToEquatableArray());
    }

    public static IReadOnlyList<Layer> BuildPad(TfliteOperatorContext operation, Paddings paddings) => BuildPad(operation, paddings, operation.Output.Type.Quantization?.ZeroPoint ?? 0);

    public static IReadOnlyList<Layer> BuildPadV2(TfliteOperatorContext operation, Paddings paddings)
    {
        var output = operation.Output;
        if (output.IsReal)
        {
            throw operation.Unsupported("it pads float32 with a value of its own", "pad with zero (PAD)");
        }

        var (code, quantization) = operation.ConstantCode(2);
        return quantization is null || quantization == output.Quantization
            ? BuildPad(operation, paddings, code)
            : throw operation.Unsupported($"the value it pads with doesn't have {output.DisplayQuantization}, as its output does", "pad with zero (PAD), or give the value the scale of the output");
    }

    public static FusedActivation ReadConcatenation(TfliteOperatorContext operation)
    {
        var options = operation.RequireOptions(TfliteSchema.ConcatenationOptions.Union);
        return operation.Activation(options, TfliteSchema.ConcatenationOptions.Activation);
    }

    public static IReadOnlyList<Layer> BuildConcatenation(TfliteOperatorContext operation, FusedActivation activation)
    {
        if (activation != FusedActivation.None)
        {
            throw operation.Unsupported("an activation is fused into it", "put the activation into a layer of its own");
        }

        var output = operation.Output;
        var asked = operation.RequireOptions(TfliteSchema.ConcatenationOptions.Union).GetInt32(TfliteSchema.ConcatenationOptions.Axis);
        var axis = asked < 0 ? asked + output.Shape.Rank : asked;
        if ((uint)axis >= (uint)output.Shape.Rank || operation.InputCount == 0)
        {
            throw operation.Inconsistent(FormattableString.Invariant($"it joins {operation.InputCount} values along axis {asked} of {output.Shape.Rank}"));
        }

        var layers = new List<Layer>();
        var names = new string[operation.InputCount];
        long joined = 0;
        for (var i = 0; i < names.Length; i++)
        {
            var (name, type, tensor) = operation.Operand(i, layers);
            if (!DiffersOnlyAlong(axis, type.Shape, output.Shape))
            {
                throw operation.Inconsistent(FormattableString.Invariant($"shape {type.Shape} can't be part of {output.Shape} along axis {axis}"));
            }

            names[i] = name;
            if (!output.IsReal && tensor.Quantization != output.Quantization)
            {
                // Each input of another scale is requantised, as a QUANTIZE before it would do.
                names[i] = FormattableString.Invariant($"{output.ValueName}_rescaled{i}");
                layers.Add(operation.Placed(new Quantize(names[i], [name], output.Type with { Shape = type.Shape }, RoundingScheme.TfliteDouble)));
            }

            joined += type.Shape[axis];
        }

        return joined == output.Shape[axis]
            ? [.. layers, operation.Placed(new Concat(output.ValueName, names.ToEquatableArray(), output.Type, axis))]
            : throw operation.Inconsistent(FormattableString.Invariant($"its inputs have {joined} elements along axis {axis}, its output {output.Shape[axis]}"));
    }

    private static bool DiffersOnlyAlong(int axis, Shape part, Shape whole)
    {
        for (var i = 0; i < part.Rank && part.Rank == whole.Rank; i++)
        {
            if (i != axis && part[i] != whole[i])
            {
                return false;
            }
        }

        return part.Rank == whole.Rank;
    }

    private static IReadOnlyList<Layer> BuildPad(TfliteOperatorContext operation, Paddings paddings, int value)
    {
        var (input, output) = (operation.Value(0), operation.Output);
        operation.RequireSameScale(input, output);
        if (paddings.Before.Count != input.Shape.Rank)
        {
            throw operation.Inconsistent($"it has paddings for {paddings.Before.Count} dimensions, but its input has shape {input.Shape}");
        }

        operation.RequireShape(new(input.Shape.Dimensions.Select((extent, i) => extent + paddings.Before[i] + paddings.After[i]).ToEquatableArray()));
        return [operation.Placed(new Pad(output.ValueName, [input.ValueName], output.Type, paddings.Before, paddings.After, value))];
    }
}
