using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Passes.PostTraining;

/// <summary>
/// Evaluates a network on many samples, several at a time, and hands over every value in the order of the samples: what is summed over them is the same whatever the number of processors.
/// </summary>
public sealed class SampleRunner
{
    private const long BytesAtOnce = 256L << 20;
    private const int MostAtOnce = 64;

    private readonly NetworkGraph _graph;
    private readonly (int[] Operands, TensorType[] Types)[] _reads;
    private readonly int _batch;

    /// <summary>Prepares a verified network.</summary>
    public SampleRunner(NetworkGraph graph)
    {
        _graph = graph;
        Names = [.. graph.Inputs.Select(input => input.Name), .. graph.Layers.Select(layer => layer.Name)];
        TensorType[] types = [.. graph.Inputs.Select(input => input.Type), .. graph.Layers.Select(layer => layer.Type)];
        Places = Names.Select((name, place) => (name, place)).ToDictionary(entry => entry.name, entry => entry.place, StringComparer.Ordinal);
        _reads = [.. graph.Layers.Select(layer => layer.Inputs.Select(name => Places[name]).ToArray()).Select(operands => (operands, Array.ConvertAll(operands, place => types[place])))];
        _batch = (int)Math.Clamp(BytesAtOnce / Math.Max(1, types.Sum(type => type.Shape.Elements * type.Element.Size())), 1, MostAtOnce);
    }

    /// <summary>Names of the values: inputs, then layers.</summary>
    public IReadOnlyList<string> Names { get; }

    /// <summary>Place of each value in <see cref="Names"/>.</summary>
    public IReadOnlyDictionary<string, int> Places { get; }

    /// <summary>
    /// Runs all samples; false, and reported, where one has no defined result. <paramref name="take"/> gets the number of the first sample of a batch and for each sample of it the values in the order of
    /// <see cref="Names"/>.
    /// </summary>
    public bool Run(SampleSet samples, Action<int, IReadOnlyList<Tensor[]>> take, DiagnosticBag diagnostics, CancellationToken cancellation)
    {
        for (var first = 0; first < samples.Samples.Count; first += _batch)
        {
            var start = first;
            var batch = new Tensor[Math.Min(_batch, samples.Samples.Count - first)][];
            var problems = new DiagnosticBag[batch.Length];
            Parallel.For(0, batch.Length, new ParallelOptions { CancellationToken = cancellation }, i =>
            {
                problems[i] = new();
                batch[i] = Evaluate(samples.Samples[start + i], problems[i]);
            });
            foreach (var bag in problems)
            {
                if (bag.HasErrors)
                {
                    diagnostics.Report(bag.Diagnostics);
                    return false;
                }
            }

            take(first, batch);
        }

        return true;
    }

    // Complete unless a diagnostic is reported.
    private Tensor[] Evaluate(IReadOnlyList<Tensor> inputs, DiagnosticBag diagnostics)
    {
        var values = new Tensor[Names.Count];
        for (var i = 0; i < inputs.Count; i++)
        {
            values[i] = inputs[i].Reshape(_graph.Inputs[i].Type.Shape);
        }

        for (var i = 0; i < _reads.Length; i++)
        {
            var (operands, types) = _reads[i];
            if (NetworkEvaluator.EvaluateLayer(_graph.Layers[i], types, Array.ConvertAll(operands, place => values[place]), diagnostics) is not { } result)
            {
                return values;
            }

            values[inputs.Count + i] = result;
        }

        return values;
    }
}
