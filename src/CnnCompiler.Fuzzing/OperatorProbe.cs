using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Ir.Network;
using CnnCompiler.Ir.Network.Operators;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Targets.Systolic;

namespace CnnCompiler.Fuzzing;

/// <summary>A refusal that a target gave for a layer.</summary>
/// <param name="Code">Its code.</param>
/// <param name="Why">Its reason, without the layer's name.</param>
public sealed record ProbeRefusal(string Code, string Why);

/// <summary>What a target does with an operator on one kind of numbers.</summary>
/// <param name="Operator">The operator.</param>
/// <param name="Form">The numbers.</param>
/// <param name="Tried">Layers that were tried.</param>
/// <param name="Compiled">Those of them that gave an image.</param>
/// <param name="Lowered">What the chain of loop operators had for them.</param>
/// <param name="Mapped">What executes them on the machine.</param>
/// <param name="Refusals">Refusals of the others, one of each reason.</param>
public sealed record OperatorSupport(
    Operator Operator, ValueForms Form, int Tried, int Compiled, IReadOnlyList<string> Lowered, IReadOnlyList<string> Mapped, IReadOnlyList<ProbeRefusal> Refusals);

/// <summary>
/// Asks a target what it takes: layers drawn from each operator's declaration (<see cref="AnyNetworks.Layer"/>: attributes, extents and rounding of all kinds) are compiled, and what became of
/// them is the table. There is no second list of what a target can do that could say something else than the target does.
/// </summary>
public static class OperatorProbe
{
    /// <summary>Layers of an operator and form that are tried where nothing else is asked.</summary>
    public const int Layers = 18;

    /// <summary>The rows of an operator: one for each form that it is defined on.</summary>
    /// <param name="target">The target; its default machine is asked.</param>
    /// <param name="definition">The operator.</param>
    /// <param name="layers">Layers for each row.</param>
    /// <param name="seed">Seed of the first layer.</param>
    /// <param name="cancellation">Ends it early.</param>
    public static IEnumerable<OperatorSupport> Ask(CompilerTarget target, Operator definition, int layers = Layers, int seed = 1, CancellationToken cancellation = default) => AnyNetworks.Forms
        .Where(form => definition.Forms.HasFlag(form))
        .Select(form => Ask(target, definition, form, layers, seed, cancellation))
        .Where(row => row.Tried > 0);

    private static OperatorSupport Ask(CompilerTarget target, Operator definition, ValueForms form, int layers, int seed, CancellationToken cancellation)
    {
        var pipeline = target.Pipeline(target.DefaultMachine, []);
        var (lowered, mapped) = (new SortedSet<string>(StringComparer.Ordinal), new SortedSet<string>(StringComparer.Ordinal));
        var refusals = new SortedDictionary<string, ProbeRefusal>(StringComparer.Ordinal);
        var (tried, compiled) = (0, 0);
        for (var draw = 0; tried < layers && draw < 4 * layers; draw++)
        {
            cancellation.ThrowIfCancellationRequested();

            // The generator leaves the form now and then (conversions, operators beside their usual numbers).
            if (AnyNetworks.Layer(definition, form, Seed(seed, draw)) is not { } graph || !IsOf(graph, definition, form))
            {
                continue;
            }

            tried++;
            var diagnostics = new DiagnosticBag();
            var (parts, units) = (new List<string>(), new List<string>());
            var context = new PassContext
            {
                Diagnostics = diagnostics,
                Cancellation = cancellation,
                AfterPass = snapshot => Note(snapshot.After, parts, units),
            };
            var made = PassRunner.Run(pipeline, new NetworkModule(graph), context);
            lowered.UnionWith(parts);
            if (made is not null && !diagnostics.HasErrors)
            {
                compiled++;
                mapped.UnionWith(units);
            }

            foreach (var refusal in diagnostics.Diagnostics.Where(problem => problem.Severity == DiagnosticSeverity.Error))
            {
                // One of each reason: those that differ in amounts only are the same.
                var reason = Reason(refusal.Message);
                refusals.TryAdd(refusal.Code + string.Concat(reason.Where(c => !char.IsAsciiDigit(c))), new(refusal.Code, reason));
            }
        }

        return new(definition, form, tried, compiled, [.. lowered], [.. mapped], [.. refusals.Values]);
    }

    // Seeds that 3 divides mostly round as TFLite does, which most networks do: two of three.
    private static int Seed(int first, int draw) => (3 * (first + draw)) + (draw % 3 == 2 ? 1 + (draw / 3 % 2) : 0);

    private static bool IsOf(NetworkGraph graph, Operator definition, ValueForms form)
    {
        var layer = graph.Layers.Last(layer => layer.Keyword == definition.Keyword);
        var first = layer.Inputs.Count > 0 ? graph.Inputs.FirstOrDefault(input => input.Name == layer.Inputs[0])?.Type : layer.Type;
        return first is not null && Operator.FormOf(first) == form;
    }

    private static void Note(IrModule module, List<string> parts, List<string> units)
    {
        switch (module)
        {
            case GconvModule { Program: var program }:
                parts.AddRange(program.Steps.Select(step => step.Match(_ => "loops", _ => "view", _ => "softmax step", host => "host step")));
                break;
            case MappedModule { Program: var program }:
                units.AddRange(program.Steps.Select(step => step.Match(nest => nest.Kernel, _ => "softmax on the host")));
                break;
            case SystolicModule systolic:
                var planned = systolic.Plans.Select(plan => plan.Operator).ToHashSet(StringComparer.Ordinal);
                var converted = systolic.Predictions.Select(prediction => prediction.Operator).ToHashSet(StringComparer.Ordinal);
                units.AddRange(systolic.Predictions.Select(prediction => prediction.Algorithm));
                units.AddRange(systolic.Program.Steps.Where(step => !converted.Contains(step.Name)).Select(step => step.Match(
                    operation => planned.Contains(operation.Name) ? "array" : "vector unit", _ => "view", _ => "host processor", _ => "host processor")));
                break;
        }
    }

    /// <summary>What a message says behind the layer's name.</summary>
    private static string Reason(string message)
    {
        foreach (var mark in (string[])["can't run on OpenEdgeCGRA: ", "can't run on a systolic machine: "])
        {
            if (message.IndexOf(mark, StringComparison.Ordinal) is var at and >= 0)
            {
                return message[(at + mark.Length)..];
            }
        }

        return message;
    }
}
