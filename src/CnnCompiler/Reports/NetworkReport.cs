using CnnCompiler.Image.Container;
using CnnCompiler.Interpreter.Execution;
using CnnCompiler.Interpreter.OpenEdge;
using CnnCompiler.Interpreter.Systolic;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Passes.Selection;
using CnnCompiler.Passes.Selection.Explanation;
using CnnCompiler.Targets;

namespace CnnCompiler.Reports;

/// <summary>One layer of a compiled network: how it is computed, what that was expected to cost and what it did cost.</summary>
/// <param name="Layer">Name, kind and nominal MACs.</param>
/// <param name="Algorithm">How it is computed, in the target's words; null where the target doesn't say.</param>
/// <param name="Predicted">What it was expected to cost, in the unit of the selection; null where nothing was said.</param>
/// <param name="Cycles">Cycles and counts, measured.</param>
/// <param name="Systolic">On a systolic machine, what it cost there; null on others.</param>
/// <param name="MemoryBytes">Bytes of memory in use while it runs, each byte once.</param>
/// <param name="Decisions">What was chosen for it and what every other candidate would have cost.</param>
public sealed record ReportedLayer(
    LayerInfo Layer, string? Algorithm, long? Predicted, RunCycles Cycles, SystolicLayerRun? Systolic, long MemoryBytes, IReadOnlyList<VertexExplanation> Decisions)
{
    /// <summary>On OpenEdgeCGRA, what it did, as far as it costs energy; null on others.</summary>
    public ArrayActivity? Activity { get; init; }

    /// <summary>On OpenEdgeCGRA, the energy that was expected, in femtojoules; null where nothing was said.</summary>
    public long? PredictedFemtojoules { get; init; }

    /// <summary>Cycles that count: with the exposed host, with DRAM stalls.</summary>
    public long TotalCycles => Systolic?.Cycles ?? Cycles.Total;

    /// <summary>Nominal MACs over <see cref="TotalCycles"/>; 0 where there are no cycles.</summary>
    public double MacsPerCycle => TotalCycles == 0 ? 0 : (double)Layer.Macs / TotalCycles;
}

/// <summary>A compiled network, layer by layer: measured cycles beside predicted ones, choices with their alternatives, memory, the schedule.</summary>
/// <param name="File">The source.</param>
/// <param name="Target">Name of the target.</param>
/// <param name="Image">What was executed.</param>
/// <param name="Layers">The layers in the order of the image.</param>
/// <param name="Outside">Cycles of no layer.</param>
/// <param name="Selection">Every decision, or null where there was none.</param>
/// <param name="Memory">What lies where in memory and when.</param>
/// <param name="Schedule">What ran when.</param>
public sealed record NetworkReport(
    string File,
    string Target,
    CnnImage Image,
    IReadOnlyList<ReportedLayer> Layers,
    RunCycles Outside,
    SelectionExplanation? Selection,
    IReadOnlyList<MemoryRange> Memory,
    IReadOnlyList<ScheduledWork> Schedule)
{
    /// <summary>On OpenEdgeCGRA, what steps of no layer did.</summary>
    public ArrayActivity OutsideActivity { get; init; } = ArrayActivity.None;

    /// <summary>Decisions about the layout of tensors.</summary>
    public IEnumerable<VertexExplanation> Layouts => (Selection?.Vertices ?? []).Where(vertex => vertex.Kind == DecisionKind.Layout);

    /// <summary>Unit of predictions.</summary>
    public string Unit => Selection?.Unit ?? "cycles";

    /// <summary>Sum of the predictions, in <see cref="Unit"/>; null where there is none. Layers without one don't count.</summary>
    public long? Predicted => Layers.Any(layer => layer.Predicted is not null) ? Layers.Sum(layer => layer.Predicted ?? 0) : null;

    /// <summary>All cycles that count.</summary>
    public long TotalCycles => Layers.Sum(layer => layer.TotalCycles) + Outside.Total;

    /// <summary>Nominal MACs.</summary>
    public long Macs => Layers.Sum(layer => layer.Layer.Macs);

    /// <summary>Most bytes of memory in use at once.</summary>
    public long PeakBytes => Layers.Select(layer => layer.MemoryBytes).DefaultIfEmpty(0).Max();

    /// <summary>Runs an image and makes the report.</summary>
    /// <param name="file">The source's name.</param>
    /// <param name="target">The target's name.</param>
    /// <param name="compiled">A compilation up to the image.</param>
    /// <param name="inputs">Bytes of the inputs in graph order. On OpenEdgeCGRA no time depends on them.</param>
    /// <param name="options">How to run; its observers are replaced.</param>
    /// <param name="cancellation">Ends early.</param>
    /// <returns>The run, and the report where it came to its end.</returns>
    public static (RunResult Run, NetworkReport? Report) Make(
        string file, string target, CompileResult compiled, IReadOnlyList<ReadOnlyMemory<byte>> inputs, RunOptions options, CancellationToken cancellation)
    {
        var module = (IImageModule)compiled.Modules[IrLevel.Image];
        var image = module.Image;
        var schedule = new ScheduleRecorder(image);
        var run = ImageInterpreter.Run(image, inputs, options with { OnHostWork = schedule.Add, AfterSystolicStepCost = schedule.Add }, cancellation);
        if (!run.Succeeded)
        {
            return (run, null);
        }

        var explained = compiled.Modules.GetValueOrDefault(IrLevel.Mapped) as IExplainedModule;
        var predicted = (explained?.Predicted ?? []).ToDictionary(prediction => prediction.Layer, StringComparer.Ordinal);
        var decisions = (explained?.Selection?.Vertices ?? []).Where(vertex => vertex.Kind == DecisionKind.Step).ToLookup(vertex => explained!.LayerOf(vertex.Vertex), StringComparer.Ordinal);
        var layers = run.Layers.Select((layer, index) => new ReportedLayer(
            layer.Layer,
            predicted.GetValueOrDefault(layer.Layer.Name)?.Algorithm,
            predicted.GetValueOrDefault(layer.Layer.Name)?.Cost,
            layer.Cycles,
            image.Machine.Systolic is null ? null : run.Systolic[index],
            BytesInUse(module.Memory, index),
            [.. decisions[layer.Layer.Name]])
        {
            Activity = index < run.Activities.Count ? run.Activities[index] : null,
            PredictedFemtojoules = predicted.GetValueOrDefault(layer.Layer.Name)?.Femtojoules,
        }).ToList();
        return (run, new(file, target, image, layers, run.Outside, explained?.Selection, module.Memory, schedule.Finish(run)) { OutsideActivity = run.OutsideActivity });
    }

    /// <summary>Bytes of all ranges of a layer; what lies at the same place one after the other counts once.</summary>
    private static long BytesInUse(IReadOnlyList<MemoryRange> memory, int layer)
    {
        var (bytes, end) = (0L, 0L);
        foreach (var range in memory.Where(range => range.FirstLayer <= layer && layer <= range.LastLayer).OrderBy(range => range.Address))
        {
            bytes += Math.Max(0, range.Address + range.Bytes - Math.Max(range.Address, end));
            end = Math.Max(end, range.Address + range.Bytes);
        }

        return bytes;
    }
}
