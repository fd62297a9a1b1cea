using CnnCompiler.Core.Tensors;
using CnnCompiler.Fuzzing;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.TestSupport;

/// <summary>Whether passes keep what programs compute: each is verified, and its module evaluated before and after on the same inputs.</summary>
public static class TranslationValidation
{
    /// <summary>
    /// Runs a pipeline and returns the first difference (pass, input, tensor, element) or failure (diagnostics), or null where every tensor that two neighbouring modules
    /// share, and every output, is equal.
    /// </summary>
    /// <param name="pipeline">The passes.</param>
    /// <param name="module">What the first pass reads.</param>
    /// <param name="inputs">Sets of inputs to evaluate.</param>
    public static string? Difference(Pipeline pipeline, IrModule module, IReadOnlyList<IReadOnlyList<Tensor>> inputs)
    {
        string? difference = null;
        var known = new ModuleEvaluation?[inputs.Count];
        var context = new PassContext
        {
            VerifyEach = true,
            AfterPass = snapshot => difference ??= Difference(snapshot, inputs, known),
        };
        var result = PassRunner.Run(pipeline, module, context);
        return difference ?? (result is null ? $"the pipeline fails: {Text(context.Diagnostics)}" : null);
    }

    /// <summary>As above, on as many random inputs as asked for.</summary>
    public static string? Difference(Pipeline pipeline, IrModule module, int inputs) =>
        Difference(pipeline, module, [.. Enumerable.Range(0, inputs).Select(seed => RandomNetworks.Inputs(new NetworkGraph("inputs", module.Inputs, [], []), seed))]);

    /// <summary>The first tensor, by name, and element that two evaluations both know and disagree about, or null.</summary>
    public static string? Difference(ModuleEvaluation before, ModuleEvaluation after)
    {
        if (before.Outputs.Count != after.Outputs.Count)
        {
            return $"{before.Outputs.Count} outputs became {after.Outputs.Count}";
        }

        for (var i = 0; i < before.Outputs.Count; i++)
        {
            if (Difference($"output {i}", before.Outputs[i], after.Outputs[i]) is { } difference)
            {
                return difference;
            }
        }

        return before.Values.OrderBy(value => value.Key, StringComparer.Ordinal)
            .Select(value => after.Values.TryGetValue(value.Key, out var other) ? Difference($"'{value.Key}'", value.Value, other) : null)
            .FirstOrDefault(difference => difference is not null);
    }

    private static string? Difference(PassSnapshot snapshot, IReadOnlyList<IReadOnlyList<Tensor>> inputs, ModuleEvaluation?[] known)
    {
        for (var i = 0; i < inputs.Count; i++)
        {
            var diagnostics = new DiagnosticBag();
            var before = known[i] ?? snapshot.Before.Evaluate(inputs[i], diagnostics, CancellationToken.None);
            var after = before is null ? null : snapshot.After.Evaluate(inputs[i], diagnostics, CancellationToken.None);
            known[i] = after;
            if (before is null || after is null)
            {
                return $"{(before is null ? "before" : "after")} {snapshot.Pass.Description.Name} input {i} can't be evaluated: {Text(diagnostics)}";
            }

            if (Difference(before, after) is { } difference)
            {
                return $"{snapshot.Pass.Description.Name} changes input {i}: {difference}";
            }
        }

        return null;
    }

    private static string? Difference(string name, Tensor before, Tensor after)
    {
        if (before.Element != after.Element || before.Shape != after.Shape)
        {
            return $"{name} was {before} and is {after}";
        }

        var at = before.Bytes.CommonPrefixLength(after.Bytes);
        if (at == before.Bytes.Length)
        {
            return null;
        }

        var element = at / before.Element.Size();
        return $"{name} element {element} was {before.GetInteger(element)} and is {after.GetInteger(element)}";
    }

    private static string Text(DiagnosticBag diagnostics) => string.Join(Environment.NewLine, diagnostics.Diagnostics);
}
