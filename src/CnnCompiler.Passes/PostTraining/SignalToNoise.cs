using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Passes.PostTraining;

/// <summary>Signal-to-noise ratio of a value.</summary>
/// <param name="Name">The value.</param>
/// <param name="Keyword">What makes it: a layer's keyword, or <c>input</c>.</param>
/// <param name="Decibels">10 log10 of the energy of the f32 values over that of the difference from them; infinite where there is none, negative infinity where the signal is 0 and the noise is not.</param>
/// <param name="Drop">By how much it is below the worst operand, dB; 0 for an input.</param>
public sealed record LayerNoise(string Name, string Keyword, double Decibels, double Drop);

/// <summary>How a quantised network differs from the f32 network it was made from, on samples.</summary>
/// <param name="Values">Inputs and layers in their order.</param>
/// <param name="FirstDrop">The first layer whose ratio is at least <see cref="NoticeableDrop"/> below that of its worst operand, or null.</param>
/// <param name="Samples">Number of samples.</param>
/// <param name="Agreements">Samples whose largest element of the first output has the same place in both.</param>
/// <param name="Ties">Samples where two codes of the first output are largest, which are neither agreement nor disagreement.</param>
public sealed record SignalToNoise(IReadOnlyList<LayerNoise> Values, LayerNoise? FirstDrop, int Samples, int Agreements, int Ties)
{
    /// <summary>A drop that is named: a layer that makes four times the noise it gets, dB.</summary>
    public const double NoticeableDrop = 6;

    /// <summary>Runs both networks on the same samples; null, and reported, where one has no defined result.</summary>
    public static SignalToNoise? Measure(QuantizedNetwork network, SampleSet samples, DiagnosticBag diagnostics, CancellationToken cancellation = default)
    {
        var (real, quantized) = (network.Real, network.Graph);
        var (realRunner, codeRunner) = (new SampleRunner(real), new SampleRunner(quantized));
        var codes = new SampleSet([.. samples.Samples.Select(sample => (IReadOnlyList<Tensor>)[.. sample.Select((tensor, i) => PostTrainingQuantizer.Codes(tensor, quantized.Inputs[i].Type.Quantization!))])]);
        var types = LayerEdits.Types(quantized);
        var count = realRunner.Names.Count;
        var (signal, noise) = (new double[count], new double[count]);
        var (agreements, ties) = (0, 0);

        // A chunk at a time through both, so that not all values of all samples are kept.
        const int Chunk = 16;
        for (var first = 0; first < samples.Samples.Count; first += Chunk)
        {
            List<Tensor[]> reals = [], integers = [];
            if (!realRunner.Run(Part(samples, first), (_, batch) => reals.AddRange(batch), diagnostics, cancellation) || !codeRunner.Run(Part(codes, first), (_, batch) => integers.AddRange(batch), diagnostics, cancellation))
            {
                return null;
            }

            Parallel.For(0, count, place =>
            {
                var name = realRunner.Names[place];
                var (there, quantization) = (codeRunner.Places[name], types[name].Quantization!);
                for (var i = 0; i < reals.Count; i++)
                {
                    Add(reals[i][place].AsSpan<float>(), integers[i][there].AsSpan<sbyte>(), quantization, ref signal[place], ref noise[place]);
                }
            });
            for (var i = 0; i < reals.Count; i++)
            {
                var (expected, _) = Largest(reals[i][realRunner.Places[real.Outputs[0]]].AsSpan<float>());
                var (actual, isTie) = Largest(integers[i][codeRunner.Places[real.Outputs[0]]].AsSpan<sbyte>());
                ties += isTie ? 1 : 0;
                agreements += !isTie && actual == expected ? 1 : 0;
            }
        }

        var values = Report(real, realRunner, [.. signal.Zip(noise, Decibels)]);
        return new(values, values.FirstOrDefault(value => value.Drop >= NoticeableDrop), samples.Samples.Count, agreements, ties);

        static SampleSet Part(SampleSet all, int first) => new([.. all.Samples.Skip(first).Take(Chunk)]);
    }

    /// <summary>Place of the first largest element, and whether another is as large.</summary>
    public static (int Place, bool IsTie) Largest<T>(ReadOnlySpan<T> elements)
        where T : IComparable<T>
    {
        var (place, isTie) = (0, false);
        for (var i = 1; i < elements.Length; i++)
        {
            var order = elements[i].CompareTo(elements[place]);
            isTie = order == 0 || (isTie && order < 0);
            place = order > 0 ? i : place;
        }

        return (place, isTie);
    }

    private static List<LayerNoise> Report(NetworkGraph real, SampleRunner runner, double[] decibels)
    {
        var values = real.Inputs.Select((input, place) => new LayerNoise(input.Name, "input", decibels[place], 0)).ToList();
        foreach (var layer in real.Layers)
        {
            var own = decibels[runner.Places[layer.Name]];
            var worst = layer.Inputs.Select(name => decibels[runner.Places[name]]).DefaultIfEmpty(own).Min();
            values.Add(new(layer.Name, layer.Keyword, own, double.IsFinite(own) && double.IsFinite(worst) ? Math.Max(0, worst - own) : 0));
        }

        return values;
    }

    private static double Decibels(double signal, double noise) => noise == 0 ? double.PositiveInfinity : 10 * Math.Log10(signal / noise);

    private static void Add(ReadOnlySpan<float> real, ReadOnlySpan<sbyte> codes, Quantization quantization, ref double signal, ref double noise)
    {
        var (s, n, scale, zeroPoint) = (0.0, 0.0, (double)quantization.Scale, quantization.ZeroPoint);
        for (var i = 0; i < real.Length && i < codes.Length; i++)
        {
            var difference = real[i] - (scale * (codes[i] - zeroPoint));
            s += (double)real[i] * real[i];
            n += difference * difference;
        }

        signal += s;
        noise += n;
    }
}
