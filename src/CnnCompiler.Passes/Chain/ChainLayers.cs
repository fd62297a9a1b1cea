using CnnCompiler.Ir.Gconv;
using CnnCompiler.Passes.Selection.Explanation;

namespace CnnCompiler.Passes.Chain;

/// <summary>Layers of the network in a chain: the tensor that the last step of a layer defines stands for it. It has the layer's name, unless a pass made another tensor of it.</summary>
public static class ChainLayers
{
    private const char Part = ':';

    /// <summary>The tensor of each layer.</summary>
    public static IReadOnlyDictionary<string, string> Tensors(GconvProgram program)
    {
        var tensors = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var step in program.Steps)
        {
            tensors[step.Origin.Value.Layer] = step.Name;
        }

        return tensors;
    }

    /// <summary>Choices that name a layer (or with <c>:</c> a part of its decisions) where the chain has no tensor of that name, as choices for the layer's tensor; the others as they are.</summary>
    public static IReadOnlyList<ForcedChoice> Of(GconvProgram program, IReadOnlyList<ForcedChoice> forced)
    {
        if (forced.Count == 0)
        {
            return forced;
        }

        var (tensors, names) = (Tensors(program), program.Steps.Select(step => step.Name).ToHashSet(StringComparer.Ordinal));
        return [.. forced.Select(choice =>
        {
            var at = choice.Vertex.IndexOf(Part, StringComparison.Ordinal);
            var (layer, part) = at < 0 ? (choice.Vertex, string.Empty) : (choice.Vertex[..at], choice.Vertex[at..]);
            return !names.Contains(layer) && tensors.TryGetValue(layer, out var tensor) ? choice with { Vertex = tensor + part } : choice;
        })];
    }
}
