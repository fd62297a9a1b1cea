using CnnCompiler.Core.Tensors;

namespace CnnCompiler.Ir.Gconv.Verification;

/// <summary>The box of a joined tensor that a piece writes.</summary>
/// <param name="Name">Name of the piece.</param>
/// <param name="First">First index along each dimension.</param>
/// <param name="Shape">Extents.</param>
internal sealed record PieceBox(string Name, Int128[] First, Shape Shape)
{
    /// <summary>The box of an operator whose index and coverage are sound.</summary>
    public static PieceBox Of(GconvOperator piece) =>
        new(piece.Name, [.. piece.OutputIndex.Select(expression => expression.Range(piece.Loops).Min)], piece.Type.Shape);

    /// <summary>
    /// What keeps boxes from tiling a tensor, or null. Boxes that lie inside, don't overlap pairwise and have as many elements as the tensor
    /// cover it.
    /// </summary>
    public static string? Uncovered(IReadOnlyList<PieceBox> boxes, Shape whole)
    {
        var elements = 0L;
        for (var i = 0; i < boxes.Count; i++)
        {
            var box = boxes[i];
            for (var d = 0; d < whole.Rank; d++)
            {
                if (box.First[d] < 0 || box.First[d] + box.Shape[d] > whole[d])
                {
                    return $"piece '{box.Name}' writes outside along dimension {d}";
                }
            }

            for (var j = 0; j < i; j++)
            {
                if (Overlap(box, boxes[j]))
                {
                    return $"pieces '{boxes[j].Name}' and '{box.Name}' overlap";
                }
            }

            elements += box.Shape.Elements;
        }

        return elements == whole.Elements ? null : $"its pieces write {elements} of {whole.Elements} elements";
    }

    private static bool Overlap(PieceBox a, PieceBox b)
    {
        for (var d = 0; d < a.First.Length; d++)
        {
            if (a.First[d] + a.Shape[d] <= b.First[d] || b.First[d] + b.Shape[d] <= a.First[d])
            {
                return false;
            }
        }

        return true;
    }
}
