using CnnCompiler.Core;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Passes.Memory;

/// <summary>A range of memory that something needs for a while.</summary>
/// <param name="Name">Name; unique in a plan.</param>
/// <param name="Bytes">Size in bytes, 0 or more.</param>
/// <param name="FirstStep">First step at which it is live.</param>
/// <param name="LastStep">Last step at which it is live, inclusive.</param>
/// <param name="Alignment">Its address is a multiple of this many bytes, at least 1.</param>
public sealed record PlannedRange(string Name, long Bytes, int FirstStep, int LastStep, int Alignment = 4)
{
    /// <summary>True where both are live at some step.</summary>
    public bool IsLiveWith(PlannedRange other) => FirstStep <= other.LastStep && other.FirstStep <= LastStep;
}

/// <summary>Where a range lies.</summary>
/// <param name="Name">Name of the range.</param>
/// <param name="Address">Byte address.</param>
public readonly record struct MemoryPlacement(string Name, long Address);

/// <summary>A memory plan.</summary>
/// <param name="Placements">One for each range, in the order of the ranges.</param>
/// <param name="PeakBytes">Bytes from the base address to just past the highest range: what the plan uses.</param>
/// <param name="LowerBoundBytes">The largest sum of ranges that are live at one step: no plan uses fewer bytes.</param>
/// <param name="PeakStep">The first step with that sum; 0 where there are no ranges.</param>
public sealed record MemoryPlan(EquatableArray<MemoryPlacement> Placements, long PeakBytes, long LowerBoundBytes, int PeakStep)
{
    /// <summary>Byte address of a range.</summary>
    /// <exception cref="KeyNotFoundException">There is no such range.</exception>
    public long AddressOf(string name)
    {
        foreach (var placement in Placements.AsSpan())
        {
            if (placement.Name == name)
            {
                return placement.Address;
            }
        }

        throw new KeyNotFoundException(name);
    }
}

/// <summary>A plan, or why there is none.</summary>
/// <param name="Plan">The plan, or null.</param>
/// <param name="Diagnostics">Errors where there is none.</param>
public sealed record MemoryPlanResult(MemoryPlan? Plan, EquatableArray<Diagnostic> Diagnostics);
