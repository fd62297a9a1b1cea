using CnnCompiler.Targets.OpenEdge.ArrayPrograms;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>How the read pointer of a <see cref="StarKernel"/>'s stream may move: each move is a constant of 13 bits.</summary>
/// <param name="Offsets">Bytes from the first item's input to each.</param>
/// <param name="Step">Bytes from a position to the next.</param>
/// <param name="Back">Bytes from the position behind a line to the next line, where lines are loops of their own; else null.</param>
public sealed record StarWalk(IReadOnlyList<int> Offsets, int Step, int? Back)
{
    /// <summary>Bytes by which the pointer moves behind each slot's load, or null where a move doesn't fit an instruction.</summary>
    /// <param name="order">Items by slot, -1 for none.</param>
    public int[]? Moves(IReadOnlyList<int> order)
    {
        var at = Places(order);
        var moves = Enumerable.Range(0, at.Length).Select(i => i + 1 < at.Length ? at[i + 1] - at[i] : at[0] + Step - at[i]).ToArray();
        return moves.All(m => ArrayProgramBuilder.FitsImmediate(m)) && (Back is not { } back || ArrayProgramBuilder.FitsImmediate(back - moves[0])) ? moves : null;
    }

    /// <summary>Where each slot loads; one without an item loads what the one before loaded, or the first item.</summary>
    /// <param name="order">Items by slot, -1 for none.</param>
    public int[] Places(IReadOnlyList<int> order)
    {
        var last = order.Where(i => i >= 0).Select(i => Offsets[i]).FirstOrDefault();
        return [.. order.Select(i => last = i < 0 ? last : Offsets[i])];
    }
}
