using CnnCompiler.Core;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Passes.Memory;

/// <summary>Checks a memory plan from its definition alone: every pair of ranges is looked at, nothing is shared with the planner.</summary>
public static class MemoryPlanChecker
{
    /// <summary>The faults of a plan; none where it is right.</summary>
    /// <param name="ranges">What was to be planned.</param>
    /// <param name="plan">The plan.</param>
    /// <param name="capacityBytes">Bytes available from <paramref name="baseAddress"/> on.</param>
    /// <param name="baseAddress">First byte address available.</param>
    public static EquatableArray<Diagnostic> Check(IReadOnlyList<PlannedRange> ranges, MemoryPlan plan, long capacityBytes, long baseAddress)
    {
        var faults = new List<Diagnostic>();
        var placed = new List<(PlannedRange Range, long Address)>();
        foreach (var range in ranges)
        {
            var places = plan.Placements.Where(placement => placement.Name == range.Name).ToArray();
            if (places.Length != 1)
            {
                faults.Add(MemoryDiagnostics.NotPlacedOnce(range.Name, places.Length));
                continue;
            }

            placed.Add((range, places[0].Address));
        }

        foreach (var stranger in plan.Placements.Select(placement => placement.Name).Except(ranges.Select(range => range.Name), StringComparer.Ordinal))
        {
            faults.Add(MemoryDiagnostics.NotPlacedOnce(stranger, 0));
        }

        long peak = 0;
        long live = 0;
        for (var i = 0; i < placed.Count; i++)
        {
            var (range, address) = placed[i];
            if (address % range.Alignment != 0)
            {
                faults.Add(MemoryDiagnostics.Unaligned(range, address));
            }

            if (address < baseAddress || address + range.Bytes > baseAddress + capacityBytes)
            {
                faults.Add(MemoryDiagnostics.Outside(range, address, baseAddress, baseAddress + capacityBytes));
            }

            for (var j = 0; j < i; j++)
            {
                var (other, otherAddress) = placed[j];
                var together = range.FirstStep <= other.LastStep && other.FirstStep <= range.LastStep;
                if (together && address < otherAddress + other.Bytes && otherAddress < address + range.Bytes)
                {
                    faults.Add(MemoryDiagnostics.Overlap(other, otherAddress, range, address));
                }
            }

            peak = Math.Max(peak, address + range.Bytes - baseAddress);
            live = Math.Max(live, placed.Where(p => p.Range.FirstStep <= range.FirstStep && range.FirstStep <= p.Range.LastStep).Sum(p => p.Range.Bytes));
        }

        if (peak != plan.PeakBytes)
        {
            faults.Add(MemoryDiagnostics.WrongFigure("peak", plan.PeakBytes, peak));
        }

        if (live != plan.LowerBoundBytes)
        {
            faults.Add(MemoryDiagnostics.WrongFigure("lower bound", plan.LowerBoundBytes, live));
        }

        return faults.ToEquatableArray();
    }
}
