using System.Globalization;
using System.Text;
using CnnCompiler.Ir.Network;
using CnnCompiler.Ir.Network.Operators;

namespace CnnCompiler.Fuzzing;

/// <summary>Counts of many networks.</summary>
public sealed class FuzzSummary
{
    private readonly SortedDictionary<string, int> _layers = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, int> _forms = new(StringComparer.Ordinal);
    private readonly SortedDictionary<(string Target, string Code), int> _refusals = [];

    /// <summary>Networks.</summary>
    public int Networks { get; private set; }

    /// <summary>Images that ran.</summary>
    public int Images { get; private set; }

    /// <summary>Networks in which a layer has no result for the inputs, at every level.</summary>
    public int Undefined { get; private set; }

    /// <summary>Layers by keyword.</summary>
    public IReadOnlyDictionary<string, int> Layers => _layers;

    /// <summary>Refusals by target and code.</summary>
    public IReadOnlyDictionary<(string Target, string Code), int> Refusals => _refusals;

    /// <summary>Counts one network.</summary>
    public void Add(NetworkGraph network, FuzzOutcome outcome)
    {
        Networks++;
        Images += outcome.Images;
        Undefined += outcome.IsUndefined ? 1 : 0;
        foreach (var layer in network.Layers)
        {
            Count(_layers, layer.Keyword);
            Count(_forms, layer.Type.Element == Core.Tensors.ElementType.Int32 && Operator.FormOf(layer.Type) == ValueForms.Fixed ? "fixed point" : layer.Type.ToString().Split('[')[0]);
        }

        foreach (var (target, refusal) in outcome.Refusals)
        {
            Count(_refusals, (target, refusal.Code));
        }
    }

    /// <summary>The counts as lines.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{Networks} networks, {_layers.Values.Sum()} layers, {Images} images run, {Undefined} networks without a result at any level\n");
        text.Append(CultureInfo.InvariantCulture, $"layers: {string.Join(", ", _layers.Select(entry => string.Create(CultureInfo.InvariantCulture, $"{entry.Key} {entry.Value}")))}\n");
        text.Append(CultureInfo.InvariantCulture, $"results: {string.Join(", ", _forms.Select(entry => string.Create(CultureInfo.InvariantCulture, $"{entry.Key} {entry.Value}")))}\n");
        foreach (var ((target, code), count) in _refusals)
        {
            text.Append(CultureInfo.InvariantCulture, $"refused by {target} with {code}: {count}\n");
        }

        return text.ToString();
    }

    private static void Count<TKey>(SortedDictionary<TKey, int> counts, TKey key)
        where TKey : notnull => counts[key] = counts.GetValueOrDefault(key) + 1;
}
