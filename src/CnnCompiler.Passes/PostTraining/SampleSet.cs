using System.Globalization;
using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Passes.PostTraining;

/// <summary>Samples that a network is calibrated or tested with: for each of them a tensor f32 for each network input.</summary>
/// <param name="Samples">The samples; inputs in graph order.</param>
public sealed record SampleSet(IReadOnlyList<IReadOnlyList<Tensor>> Samples)
{
    /// <summary>
    /// Takes samples from arrays [samples, ...], one for each input and named like it (of a network with one input the only array may have any name). Numbers of any type are taken as they are. Null where an
    /// array is missing or has another shape, which is reported.
    /// </summary>
    public static SampleSet? From(NetworkGraph graph, IReadOnlyDictionary<string, Tensor> arrays, DiagnosticBag diagnostics)
    {
        var columns = new List<List<Tensor>>();
        foreach (var input in graph.Inputs)
        {
            var array = arrays.GetValueOrDefault(input.Name) ?? (graph.Inputs.Count == 1 && arrays.Count == 1 ? arrays.Values.First() : null);
            if (array is null)
            {
                var known = arrays.Count == 0 ? "no arrays at all" : $"arrays {string.Join(", ", arrays.Keys.Order(StringComparer.Ordinal).Take(10))}";
                diagnostics.Report(QuantizationDiagnostics.WrongSample(input, $"missing: the file has {known}", $"store them as an array '{input.Name}' of shape [samples, {Dimensions(input.Type.Shape)}]"));
                return null;
            }

            if (Split(input, array, diagnostics) is not { } column)
            {
                return null;
            }

            if (columns.Count > 0 && columns[0].Count != column.Count)
            {
                var got = string.Create(CultureInfo.InvariantCulture, $"{column.Count}, and there are {columns[0].Count} for '{graph.Inputs[0].Name}'");
                diagnostics.Report(QuantizationDiagnostics.WrongSample(input, got, "give as many for each input"));
                return null;
            }

            columns.Add(column);
        }

        if (columns.Count == 0 || columns[0].Count == 0)
        {
            diagnostics.Report(QuantizationDiagnostics.NoSamples(graph.Name));
            return null;
        }

        return new([.. Enumerable.Range(0, columns[0].Count).Select(sample => (IReadOnlyList<Tensor>)[.. columns.Select(column => column[sample])])]);
    }

    private static List<Tensor>? Split(NetworkInput input, Tensor array, DiagnosticBag diagnostics)
    {
        var elements = input.Type.Shape.Elements;
        var isSamples = array.Shape.Rank > 0 && Squeeze(array.Shape.Dimensions.Skip(1)) == Squeeze(input.Type.Shape.Dimensions);
        if (!isSamples || elements == 0)
        {
            // One sample may come as it is.
            if (Squeeze(array.Shape.Dimensions) != Squeeze(input.Type.Shape.Dimensions) || elements == 0)
            {
                diagnostics.Report(QuantizationDiagnostics.WrongSample(input, array.ToString(), $"give an array of shape [samples, {Dimensions(input.Type.Shape)}]"));
                return null;
            }
        }

        var samples = new List<Tensor>();
        for (long start = 0; start < array.Shape.Elements; start += elements)
        {
            var numbers = new float[elements];
            for (var i = 0; i < numbers.Length; i++)
            {
                numbers[i] = (float)(array.Element.IsReal() ? array.GetReal(start + i) : array.GetInteger(start + i));
            }

            samples.Add(LayerEdits.Real(input.Type.Shape, numbers));
        }

        return samples;
    }

    private static string Dimensions(Shape shape) => string.Join(", ", shape.Dimensions);

    private static EquatableArray<int> Squeeze(IEnumerable<int> dimensions) => dimensions.Where(extent => extent != 1).ToEquatableArray();
}
