using CnnCompiler.Ir.Mapped;
using CnnCompiler.Passes.Memory;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Targets.OpenEdge.Emission;

/// <summary>Where everything lies in RAM: buffers for as long as they live, and two parameter slots that launches use in turn.</summary>
public sealed class MemoryLayout
{
    private readonly MemoryPlan _plan;

    private MemoryLayout(MemoryPlan plan, IReadOnlyList<PlannedRange> ranges) => (_plan, Ranges) = (plan, ranges);

    /// <summary>What was planned.</summary>
    public IReadOnlyList<PlannedRange> Ranges { get; }

    /// <summary>Bytes used above the reserve: the exact peak.</summary>
    public long PeakBytes => _plan.PeakBytes;

    /// <summary>RAM byte address of a buffer.</summary>
    public int AddressOf(string buffer) => (int)_plan.AddressOf(buffer);

    /// <summary>For each step, and the end, the first byte address above everything that is live.</summary>
    /// <param name="steps">Number of steps.</param>
    /// <param name="lowest">Where nothing is live.</param>
    public long[] Tops(int steps, long lowest)
    {
        var tops = Enumerable.Repeat(lowest, steps + 1).ToArray();
        foreach (var range in Ranges)
        {
            for (var step = range.FirstStep; step <= range.LastStep; step++)
            {
                tops[step] = Math.Max(tops[step], AddressOf(range.Name) + range.Bytes);
            }
        }

        return tops;
    }

    /// <summary>True where there are parameter slots.</summary>
    public bool HasSlots => Ranges.Any(r => r.Name == SlotName(0));

    /// <summary>RAM byte address of a parameter slot, 0 or 1.</summary>
    public int Slot(int index) => AddressOf(SlotName(index));

    /// <summary>Plans the memory of a program, or reports what doesn't fit.</summary>
    /// <param name="program">The program.</param>
    /// <param name="parameterWords">Words of the largest parameter block; 0 where no slots are wanted.</param>
    /// <param name="machine">RAM and its reserve.</param>
    /// <param name="diagnostics">Takes what is wrong.</param>
    public static MemoryLayout? Plan(MappedProgram program, int parameterWords, MachineDescription machine, DiagnosticBag diagnostics)
    {
        var ranges = Lifetimes(program, parameterWords);
        var capacity = machine.Ram.Bytes - machine.Ram.ReservedBytes;
        var result = MemoryPlanner.Plan(ranges, capacity, machine.Ram.ReservedBytes, FormattableString.Invariant($"RAM of {machine.Name}"), Where);
        diagnostics.Report(result.Diagnostics);
        if (result.Plan is not { } plan)
        {
            return null;
        }

        diagnostics.Report(MemoryPlanChecker.Check(ranges, plan, capacity, machine.Ram.ReservedBytes));
        return diagnostics.HasErrors ? null : new(plan, ranges);

        string Where(int step) => step < program.Steps.Count ? program.Steps[step].Name : "the end";
    }

    /// <summary>How tight the memory is.</summary>
    /// <param name="program">The program.</param>
    /// <param name="parameterWords">Words of the largest parameter block.</param>
    /// <returns>What has to be in memory and when, the most bytes at one step, and that step.</returns>
    public static (IReadOnlyList<PlannedRange> Ranges, long Bytes, int Step) Pressure(MappedProgram program, int parameterWords)
    {
        var ranges = Lifetimes(program, parameterWords);
        var (bytes, step) = MemoryPlanner.LowerBound(ranges);
        return (ranges, bytes, step);
    }

    private static string SlotName(int index) => FormattableString.Invariant($"parameters.{index}");

    private static List<PlannedRange> Lifetimes(MappedProgram program, int parameterWords)
    {
        var live = program.Buffers.ToDictionary(b => b.Name, _ => (First: int.MaxValue, Last: -1), StringComparer.Ordinal);
        void Touch(string name, int step)
        {
            if (live.TryGetValue(name, out var range))
            {
                live[name] = (Math.Min(range.First, step), Math.Max(range.Last, step));
            }
        }

        for (var step = 0; step < program.Steps.Count; step++)
        {
            var names = program.Steps[step].Match(
                nest: n => n.Operands.Select(o => o.Target).Append(n.Output.Target),
                softmax: s => [s.Source, s.Destination]);
            foreach (var name in names)
            {
                Touch(name, step);
            }
        }

        // inputs are there before the first step, outputs are read after the last
        foreach (var input in program.Inputs)
        {
            Touch(input.Buffer, 0);
        }

        foreach (var output in program.Outputs)
        {
            Touch(output.Buffer, program.Steps.Count);
        }

        var ranges = program.Buffers.Where(b => live[b.Name].Last >= 0)
            .Select(b => new PlannedRange(b.Name, b.Words * (long)Kernels.NestView.WordBytes, live[b.Name].First, live[b.Name].Last)).ToList();
        ranges.AddRange(Enumerable.Range(0, parameterWords > 0 ? 2 : 0).Select(i =>
            new PlannedRange(SlotName(i), parameterWords * (long)Kernels.NestView.WordBytes, 0, program.Steps.Count)));
        return ranges;
    }
}
