using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>
/// The taps of a reduction as the array walks them: segments of equally spaced elements. Between segments an address moves by a delta read from a
/// table, so that any kernel size, dilation and group is the same code. Taps are in row-major order of the reduced loops.
/// </summary>
public sealed class TapSchedule
{
    /// <summary>Splits the reduced loops of an access.</summary>
    /// <param name="view">The nest.</param>
    /// <param name="access">The streamed operand (one element a word).</param>
    public TapSchedule(NestView view, MappedAccess access)
    {
        var loops = view.Reduced.Select(l => (l.Extent, Step: view.Step(access, l.Name))).Where(l => l.Extent > 1).ToList();
        (Length, Stride) = (1, 0);
        while (loops.Count > 0)
        {
            var (extent, step) = loops[^1];
            var joins = Length == 1
                ? ArrayProgramBuilder.FitsImmediate((long)step * NestView.WordBytes)
                : step == Stride * Length;
            if (!joins)
            {
                break;
            }

            Stride = Length == 1 ? step : Stride;
            Length *= extent;
            loops.RemoveAt(loops.Count - 1);
        }

        var starts = new List<int> { 0 };
        foreach (var (extent, step) in loops)
        {
            starts = [.. starts.SelectMany(s => Enumerable.Range(0, extent).Select(i => s + (i * step)))];
        }

        Starts = starts;
    }

    /// <summary>First element of each segment, relative to the first tap.</summary>
    public IReadOnlyList<int> Starts { get; }

    /// <summary>Taps of a segment.</summary>
    public int Length { get; }

    /// <summary>Elements between neighbouring taps of a segment.</summary>
    public int Stride { get; }

    /// <summary>Number of taps.</summary>
    public int Taps => Starts.Count * Length;

    /// <summary>
    /// Moves of the address before each segment, in bytes: the address stands behind the last tap of the segment before; entry 0 moves from behind
    /// the last segment of one position to the first of the next.
    /// </summary>
    /// <param name="positionStep">Elements between neighbouring positions.</param>
    public IEnumerable<int> Deltas(int positionStep)
    {
        var behind = Starts[^1] + (Length * Stride) - positionStep;
        foreach (var start in Starts)
        {
            yield return (start - behind) * NestView.WordBytes;
            behind = start + (Length * Stride);
        }
    }
}
