using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;
using CnnCompiler.Ir.Network.Operators;

namespace CnnCompiler.Passes.PostTraining;

/// <summary>
/// Which values share a scale and zero point: those that an operator copies or compares codes of (pools, reshape, pad, concat and so on). Values whose operator fixes the quantisation (softmax, logistic, tanh)
/// share it only with what is copied from them; where they meet others in a concat, they are rescaled first.
/// </summary>
internal sealed class ScaleGroups
{
    private readonly Dictionary<string, string> _parents = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Quantization> _fixed = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ValueRange> _ranges = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Quantization> _chosen = new(StringComparer.Ordinal);

    /// <summary>Groups the values of a network.</summary>
    public ScaleGroups(NetworkGraph graph, Func<string, ValueRange> rangeOf)
    {
        foreach (var input in graph.Inputs)
        {
            _parents.Add(input.Name, input.Name);
        }

        foreach (var layer in graph.Layers)
        {
            _parents.Add(layer.Name, layer.Name);
            Join(layer);
        }

        foreach (var name in _parents.Keys.ToList())
        {
            var root = Root(name);
            _ranges[root] = _ranges.TryGetValue(root, out var range) ? range.Union(rangeOf(name)) : rangeOf(name);
        }
    }

    /// <summary>Quantisation of a value.</summary>
    public Quantization Of(string name)
    {
        var root = Root(name);
        if (_fixed.TryGetValue(root, out var known))
        {
            return known;
        }

        if (!_chosen.TryGetValue(root, out var chosen))
        {
            _chosen.Add(root, chosen = Asymmetric(_ranges[root]));
        }

        return chosen;
    }

    /// <summary>Scale and zero point with which all 256 codes span a range that is widened to hold 0, which is then exact.</summary>
    public static Quantization Asymmetric(ValueRange range)
    {
        var (low, high) = (Math.Min(range.Low, 0), Math.Max(range.High, 0));
        if (low == high)
        {
            return Quantization.PerTensor(1, 0);
        }

        var scale = (float)Math.Clamp((high - low) / byte.MaxValue, 1e-30, 1e30);
        var zeroPoint = Math.Round(sbyte.MinValue - (low / scale), MidpointRounding.AwayFromZero);
        return Quantization.PerTensor(scale, (int)Math.Clamp(zeroPoint, sbyte.MinValue, sbyte.MaxValue));
    }

    private void Join(Layer layer)
    {
        var definition = OperatorTable.Of(layer);
        switch (definition.Quantization)
        {
            case ResultQuantization.OfOperator:
                _fixed.Add(layer.Name, definition.FixedQuantization!);
                break;
            case ResultQuantization.OfOperand when layer is Concat:
                var roots = layer.Inputs.Select(Root).Distinct(StringComparer.Ordinal).ToList();
                var known = roots.Select(root => _fixed.GetValueOrDefault(root)).ToList();
                var areEqual = known.All(quantization => quantization == known[0]);
                foreach (var root in roots.Where(root => areEqual || !_fixed.ContainsKey(root)))
                {
                    Unite(layer.Name, root);
                }

                break;
            case ResultQuantization.OfOperand:
                Unite(layer.Name, layer.Inputs[0]);
                break;
        }
    }

    private void Unite(string name, string other)
    {
        var (from, to) = (Root(name), Root(other));
        if (from != to)
        {
            // A fixed quantisation stays with the root.
            (from, to) = _fixed.ContainsKey(from) ? (to, from) : (from, to);
            _parents[from] = to;
        }
    }

    private string Root(string name)
    {
        while (_parents[name] != name)
        {
            name = _parents[name] = _parents[_parents[name]];
        }

        return name;
    }
}
