using CnnCompiler.Core.Tensors;
using CnnCompiler.Passes.Infrastructure;

namespace CnnCompiler.Fuzzing;

/// <summary>Where two evaluations of the same program differ.</summary>
public static class LevelDifference
{
    /// <summary>
    /// The first tensor, by name, and element that two evaluations both know and disagree about, in words, or null. Integers are equal in value, f32 in their bits (of NaN only that it is one:
    /// hardware doesn't define which).
    /// </summary>
    public static string? Of(ModuleEvaluation expected, ModuleEvaluation actual)
    {
        if (expected.Outputs.Count != actual.Outputs.Count)
        {
            return $"{expected.Outputs.Count} outputs became {actual.Outputs.Count}";
        }

        for (var i = 0; i < expected.Outputs.Count; i++)
        {
            if (Of($"output {i}", expected.Outputs[i], actual.Outputs[i]) is { } difference)
            {
                return difference;
            }
        }

        return expected.Values.OrderBy(value => value.Key, StringComparer.Ordinal)
            .Select(value => actual.Values.TryGetValue(value.Key, out var other) ? Of($"'{value.Key}'", value.Value, other) : null)
            .FirstOrDefault(difference => difference is not null);
    }

    /// <summary>The first element that two tensors disagree about, in words, or null. A level may hold codes in whole words.</summary>
    public static string? Of(string name, Tensor expected, Tensor actual)
    {
        if (expected.Shape.Elements != actual.Shape.Elements || expected.Element.IsReal() != actual.Element.IsReal())
        {
            return $"{name} is {actual} instead of {expected}";
        }

        if (expected.Element == actual.Element && expected.Bytes.SequenceEqual(actual.Bytes))
        {
            return null;
        }

        for (long i = 0, elements = expected.Shape.Elements; i < elements; i++)
        {
            if (expected.Element.IsReal())
            {
                var (left, right) = (expected.GetReal(i), actual.GetReal(i));
                if (BitConverter.DoubleToInt64Bits(left) != BitConverter.DoubleToInt64Bits(right) && !(double.IsNaN(left) && double.IsNaN(right)))
                {
                    return string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{name} {expected}, element {i}: {right:R} instead of {left:R}");
                }
            }
            else if (expected.GetInteger(i) != actual.GetInteger(i))
            {
                return $"{name} {expected}, element {i}: {actual.GetInteger(i)} instead of {expected.GetInteger(i)}";
            }
        }

        return null;
    }
}
