using CnnCompiler.Core;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Passes.Selection;

namespace CnnCompiler.Passes.Algorithms;

/// <summary>
/// Rewrites convolutions as their algorithms say (<see cref="ConvolutionRewrite"/>), those that the user names: <c>conv1=winograd-1x4,conv2=kn2row</c>. For <c>*</c> it is every convolution that has the
/// algorithm; for a layer that does not have it, an error says why.
/// </summary>
public sealed class ConvolutionAlgorithms() : Pass<GconvModule, GconvModule>(
    new("convolution-algorithms", "says convolutions as several general convolutions: im2col, kn2row, Winograd", IrLevel.Gconv, IrLevel.Gconv, [Choose]))
{
    private const string None = "none";
    private const string Every = "*";
    private static readonly PassOption Choose = new(
        "choose", $"layers and their algorithms, LAYER=ALGORITHM,..., where {Every} is every layer: {string.Join(", ", Names)}", None, []);

    private static IEnumerable<string> Names => [ConvolutionAlgorithm.Direct, .. ConvolutionAlgorithm.All.Select(algorithm => algorithm.Name)];

    /// <inheritdoc/>
    protected override GconvModule? Transform(GconvModule module, PassContext context)
    {
        var chosen = new Dictionary<string, ConvolutionAlgorithm?>(StringComparer.Ordinal);
        var operators = module.Program.Steps.OfType<GconvOperator>().ToDictionary(operation => operation.Name, StringComparer.Ordinal);
        foreach (var pair in context.Value(this, Choose) is var text && text == None ? [] : text.Split(','))
        {
            if (pair.Split('=') is not [{ Length: > 0 } layer, { Length: > 0 } name])
            {
                context.Diagnostics.Report(AlgorithmDiagnostics.NoPair(pair));
            }
            else if (!Names.Contains(name, StringComparer.Ordinal))
            {
                context.Diagnostics.Report(SelectionDiagnostics.UnknownCandidate(layer, name, [.. Names]));
            }
            else if (layer != Every && !operators.ContainsKey(layer))
            {
                context.Diagnostics.Report(SelectionDiagnostics.UnknownVertex(layer, operators.Keys));
            }
            else
            {
                chosen[layer] = ConvolutionAlgorithm.Find(name);
            }
        }

        var rewrite = new ConvolutionRewrite(module.Program);
        var chains = new Dictionary<string, AlgorithmChain>(StringComparer.Ordinal);
        var settled = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (name, operation) in operators)
        {
            context.Cancellation.ThrowIfCancellationRequested();
            if (!chosen.TryGetValue(name, out var algorithm) && !chosen.TryGetValue(Every, out algorithm))
            {
                continue;
            }

            if (algorithm is null)
            {
                settled.Add(name);
            }
            else if (rewrite.Try(operation, algorithm, out var refusal) is { } chain)
            {
                chains.Add(name, chain with { Steps = chain.Steps.Select(Settled).ToEquatableArray() });
            }
            else if (chosen.ContainsKey(name))
            {
                context.Diagnostics.Report(AlgorithmDiagnostics.Refused(operation, algorithm, refusal));
            }
        }

        if (context.Diagnostics.HasErrors || settled.Count + chains.Count == 0)
        {
            return context.Diagnostics.HasErrors ? null : module;
        }

        var program = chains.Count == 0 ? module.Program : rewrite.Replace(chains);
        return new(program with { Steps = program.Steps.Select(step => settled.Contains(step.Name) ? Settled(step) : step).ToEquatableArray() });
    }

    private static GconvStep Settled(GconvStep step) => step with { Origin = step.Origin.Value with { IsSettled = true } };
}
