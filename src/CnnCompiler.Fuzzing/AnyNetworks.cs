using System.Globalization;
using CnnCompiler.Ir.Network;
using CnnCompiler.Ir.Network.Operators;
using CnnCompiler.Core.Tensors;

namespace CnnCompiler.Fuzzing;

/// <summary>
/// Seeded networks of all operators of <see cref="OperatorTable"/> in int8, fixed point and f32, that pass the verifier: odd extents, channels that aren't multiples of 4, batches, several
/// inputs and outputs, concatenations at offsets that aren't aligned, extreme weights and activations, int8 sums that leave 32 bits (which wrap, by definition), every rounding scheme.
/// Equal seeds give equal networks for ever.
/// </summary>
public static class AnyNetworks
{
    /// <summary>Forms that most values of a network may have.</summary>
    public static IReadOnlyList<ValueForms> Forms { get; } = [ValueForms.Quantized, ValueForms.Real, ValueForms.Fixed];

    /// <summary>A network; its first layer's operator is the seed's, so that consecutive seeds have all.</summary>
    public static NetworkGraph Network(int seed)
    {
        var random = new SeededRandom((1UL << 40) | (uint)seed);
        var (round, first) = Math.DivRem((uint)seed, (uint)OperatorTable.All.Count);
        var form = Forms[(int)((first + round) % (uint)Forms.Count)];
        var grower = new NetworkGrower(random, form, (RoundingScheme)random.Next(0, 2));
        grower.Grow(OperatorTable.All[(int)first], random.Next(1, 8));
        return grower.Build(string.Create(CultureInfo.InvariantCulture, $"any-{seed}"));
    }

    /// <summary>A network of one layer; null where the operator is not defined on the form.</summary>
    public static NetworkGraph? Layer(Operator definition, ValueForms form, int seed)
    {
        var grower = new NetworkGrower(new SeededRandom((2UL << 40) | (uint)seed), form, (RoundingScheme)((uint)seed % 3));
        return grower.TryGrow(definition) ? grower.Build(string.Create(CultureInfo.InvariantCulture, $"{definition.Keyword}-{form}-{seed}")) : null;
    }

    /// <summary>Inputs for a network.</summary>
    public static Tensor[] Inputs(NetworkGraph graph, int seed)
    {
        var draw = new ValueDraw(new SeededRandom((3UL << 40) | (uint)seed));
        return [.. graph.Inputs.Select(input => draw.Contents(input.Type))];
    }
}
