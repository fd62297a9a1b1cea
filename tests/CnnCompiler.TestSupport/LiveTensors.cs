using CnnCompiler.Core.Tensors;

namespace CnnCompiler.TestSupport;

/// <summary>Tensors of a network where a target's pipeline leaves out dead channels: whole under their own name, or what is left of them under that of the pass <c>remove-dead-channels</c>.</summary>
public static class LiveTensors
{
    /// <summary>What the pass adds to the name of a tensor with fewer channels.</summary>
    public const string Suffix = ".live";

    /// <summary>What is wrong with a tensor among the values of a level, in words, or null: each element is the network's, or each channel that is left is one of the network's, in order.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="whole">What the network says.</param>
    /// <param name="values">What the level has.</param>
    public static string? Difference(string name, Tensor whole, IReadOnlyDictionary<string, Tensor> values)
    {
        if (values.TryGetValue(name, out var same))
        {
            for (var i = 0; i < whole.Shape.Elements; i++)
            {
                if (whole.GetInteger(i) != same.GetInteger(i))
                {
                    return $"{name} {whole}, element {i}: expected {whole.GetInteger(i)}, got {same.GetInteger(i)}";
                }
            }

            return null;
        }

        return !values.TryGetValue(name + Suffix, out var part) ? $"{name} is missing" : IsPart(whole, part) ? null : $"{name}{Suffix} has a channel that is not one of {name}";
    }

    /// <summary>True where the channels of a tensor, its last dimension, are some of another's in order.</summary>
    public static bool IsPart(Tensor whole, Tensor part)
    {
        using var channels = Channels(whole).GetEnumerator();
        foreach (var channel in Channels(part))
        {
            do
            {
                if (!channels.MoveNext())
                {
                    return false;
                }
            }
            while (!channels.Current.AsSpan().SequenceEqual(channel));
        }

        return true;
    }

    private static IEnumerable<long[]> Channels(Tensor value)
    {
        var channels = value.Shape.Dimensions[^1];
        return Enumerable.Range(0, channels).Select(channel => Enumerable.Range(0, (int)value.Shape.Elements / channels).Select(at => value.GetInteger((at * channels) + channel)).ToArray());
    }
}
