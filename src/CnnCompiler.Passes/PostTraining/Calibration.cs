using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Passes.PostTraining;

/// <summary>A range of real numbers.</summary>
/// <param name="Low">The least.</param>
/// <param name="High">The largest.</param>
public readonly record struct ValueRange(double Low, double High)
{
    /// <summary>The range that holds two.</summary>
    public ValueRange Union(ValueRange other) => new(Math.Min(Low, other.Low), Math.Max(High, other.High));
}

/// <summary>What the values of an f32 network are like on samples.</summary>
internal sealed class Calibration
{
    private readonly SampleRunner _runner;

    private Calibration(SampleRunner runner, ValueRange[] ranges, IReadOnlyDictionary<string, Tensor> means) => (_runner, Ranges, Means) = (runner, ranges, means);

    /// <summary>Range of each value, in the order of the runner's names.</summary>
    public ValueRange[] Ranges { get; }

    /// <summary>Mean of each element over the samples, of the values that were asked for.</summary>
    public IReadOnlyDictionary<string, Tensor> Means { get; }

    /// <summary>The chosen range of a value.</summary>
    public ValueRange Of(string name) => Ranges[_runner.Places[name]];

    /// <summary>Runs the samples; null, and reported, where a value is not finite or not defined.</summary>
    /// <param name="graph">The network.</param>
    /// <param name="samples">The samples.</param>
    /// <param name="options">How ranges are chosen.</param>
    /// <param name="averaged">Values whose mean is wanted.</param>
    /// <param name="diagnostics">Takes what is wrong.</param>
    /// <param name="cancellation">Ends the run.</param>
    public static Calibration? Run(NetworkGraph graph, SampleSet samples, QuantizationOptions options, IReadOnlySet<string> averaged, DiagnosticBag diagnostics, CancellationToken cancellation)
    {
        var runner = new SampleRunner(graph);
        var count = runner.Names.Count;
        var ranges = new ValueRange[count];
        Array.Fill(ranges, new(double.PositiveInfinity, double.NegativeInfinity));
        var sums = new double[]?[count];
        var odd = new int[count];
        Array.Fill(odd, -1);
        var ran = runner.Run(
            samples,
            (first, batch) => Parallel.For(0, count, place =>
            {
                for (var i = 0; i < batch.Count; i++)
                {
                    var elements = batch[i][place].AsSpan<float>();
                    if (FiniteRange(elements) is not { } range)
                    {
                        odd[place] = odd[place] < 0 ? first + i : odd[place];
                        continue;
                    }

                    ranges[place] = ranges[place].Union(range);
                    if (averaged.Contains(runner.Names[place]))
                    {
                        Add(sums[place] ??= new double[elements.Length], elements);
                    }
                }
            }),
            diagnostics,
            cancellation);
        if (!ran)
        {
            return null;
        }

        if (Array.FindIndex(odd, sample => sample >= 0) is >= 0 and var place)
        {
            diagnostics.Report(QuantizationDiagnostics.NotFinite(runner.Names[place], odd[place]));
            return null;
        }

        var means = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        foreach (var name in averaged)
        {
            var sum = sums[runner.Places[name]]!;
            means.Add(name, Tensor.From<float>(ElementType.Float32, Shape.Of(sum.Length), Array.ConvertAll(sum, total => (float)(total / samples.Samples.Count))));
        }

        return options.Method == CalibrationMethod.MinMax || Narrow(runner, graph.Inputs.Count, ranges, samples, options, diagnostics, cancellation) ? new(runner, ranges, means) : null;
    }

    /// <summary>Largest magnitude of each channel (the last dimension) of some values; null, and reported, where a value is not defined.</summary>
    public static IReadOnlyDictionary<string, float[]>? ChannelMagnitudes(NetworkGraph graph, SampleSet samples, IReadOnlySet<string> values, DiagnosticBag diagnostics, CancellationToken cancellation)
    {
        var runner = new SampleRunner(graph);
        var largest = graph.Layers.Where(layer => values.Contains(layer.Name)).ToDictionary(layer => layer.Name, layer => new float[layer.Type.Shape.Dimensions[^1]], StringComparer.Ordinal);
        return runner.Run(samples, (_, batch) => Parallel.ForEach(largest, entry =>
        {
            foreach (var sample in batch)
            {
                var elements = sample[runner.Places[entry.Key]].AsSpan<float>();
                for (var i = 0; i < elements.Length; i++)
                {
                    var c = i % entry.Value.Length;
                    entry.Value[c] = Math.Max(entry.Value[c], Math.Abs(elements[i]));
                }
            }
        }), diagnostics, cancellation) ? largest : null;
    }

    // The ends of inputs are what users know; the rest may lose outliers.
    private static bool Narrow(SampleRunner runner, int inputs, ValueRange[] ranges, SampleSet samples, QuantizationOptions options, DiagnosticBag diagnostics, CancellationToken cancellation)
    {
        var histograms = Array.ConvertAll(ranges, range => options.Method == CalibrationMethod.Entropy ? Histogram.OfMagnitudes(range) : Histogram.Of(range));
        var ran = runner.Run(
            samples,
            (_, batch) => Parallel.For(inputs, ranges.Length, place =>
            {
                foreach (var values in batch)
                {
                    histograms[place].Add(values[place].AsSpan<float>());
                }
            }),
            diagnostics,
            cancellation);
        if (!ran)
        {
            return false;
        }

        Parallel.For(inputs, ranges.Length, new ParallelOptions { CancellationToken = cancellation }, place =>
            ranges[place] = options.Method == CalibrationMethod.Entropy ? EntropyThreshold.Choose(histograms[place], ranges[place]) : histograms[place].Between(options.Percentile / 100));
        return true;
    }

    private static ValueRange? FiniteRange(ReadOnlySpan<float> elements)
    {
        var (low, high) = (float.PositiveInfinity, float.NegativeInfinity);
        foreach (var element in elements)
        {
            if (!float.IsFinite(element))
            {
                return null;
            }

            low = element < low ? element : low;
            high = element > high ? element : high;
        }

        return new(low, high);
    }

    private static void Add(double[] sums, ReadOnlySpan<float> elements)
    {
        for (var i = 0; i < sums.Length && i < elements.Length; i++)
        {
            sums[i] += elements[i];
        }
    }
}
