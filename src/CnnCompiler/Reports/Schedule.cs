using CnnCompiler.Image.Container;
using CnnCompiler.Interpreter.Execution;
using CnnCompiler.Interpreter.Systolic;

namespace CnnCompiler.Reports;

/// <summary>A part of a machine that does one thing at a time.</summary>
public enum ScheduleTrack
{
    /// <summary>The array.</summary>
    Array,

    /// <summary>The host.</summary>
    Host,
}

/// <summary>A stretch of a run.</summary>
/// <param name="Track">What is busy.</param>
/// <param name="Name">With what.</param>
/// <param name="Layer">Index of the layer, -1 for none.</param>
/// <param name="Start">Begin, in cycles; on a systolic machine in femtoseconds, because clocks differ from layer to layer.</param>
/// <param name="Duration">Length, in the same unit.</param>
/// <param name="Cycles">Length in cycles.</param>
public sealed record ScheduledWork(ScheduleTrack Track, string Name, int Layer, long Start, long Duration, long Cycles);

/// <summary>Collects the schedule of a run.</summary>
/// <param name="image">The image that is run.</param>
internal sealed class ScheduleRecorder(CnnImage image)
{
    private readonly List<ScheduledWork> _work = [];
    private long _femtoseconds;

    /// <summary>Adds host work.</summary>
    public void Add(HostWork work) => _work.Add(new(ScheduleTrack.Host, NameOf(work.Activity), work.Layer, work.Start, work.Cycles, work.Cycles));

    /// <summary>Adds a step of a systolic program, which begins where the one before ended.</summary>
    public void Add(int step, SystolicLayerRun cost)
    {
        var layer = image.Systolic!.Steps[step].Layer;
        _work.Add(new(ScheduleTrack.Array, layer < 0 ? "step" : image.Layers[layer].Name, layer, _femtoseconds, cost.Femtoseconds, cost.Cycles));
        _femtoseconds += cost.Femtoseconds;
    }

    /// <summary>All of it with the launches, in the order of time.</summary>
    public IReadOnlyList<ScheduledWork> Finish(RunResult run)
    {
        foreach (var launch in run.Launches)
        {
            var cycles = launch.Outcome.Done + launch.BusWaits;
            _work.Add(new(ScheduleTrack.Array, image.Kernels[image.Launches[launch.Launch].Kernel].Name, launch.Layer, launch.Start, cycles, cycles));
        }

        return [.. _work.OrderBy(work => work.Start).ThenBy(work => work.Track)];
    }

    private static string NameOf(HostActivity activity) => activity switch
    {
        HostActivity.Registers => "registers",
        HostActivity.LoadKernel => "load kernel",
        HostActivity.CopyFlash => "copy from flash",
        HostActivity.CopyRam => "copy in RAM",
        HostActivity.Softmax => "softmax",
        _ => "interrupt",
    };
}
