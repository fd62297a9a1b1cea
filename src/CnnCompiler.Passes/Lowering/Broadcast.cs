using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;

namespace CnnCompiler.Passes.Lowering;

/// <summary>
/// Loops and indexes of two operands whose dimensions, aligned at the last, are equal or 1:
/// <code>
///   dimension             kind   input   kernel   output
///   both values have it   g      i       i        i
///   the first alone       opc    i       0        i
///   the second alone      op     0       i        i
/// </code>
/// </summary>
internal static class Broadcast
{
    /// <summary>A loop for each dimension of the result.</summary>
    public static LoopNest Nest(Shape first, Shape second, Shape result) => new(
        [.. Enumerable.Range(0, result.Rank).Select(d => new GconvLoop(LoopNest.DimensionName(d, result.Rank), Kind(first, second, d, result), result[d]))]);

    /// <summary>Kind of the loop of a dimension of the result.</summary>
    public static LoopKind Kind(Shape first, Shape second, int dimension, Shape result) => (Has(first, dimension, result), Has(second, dimension, result)) switch
    {
        (true, false) => LoopKind.OutputPosition,
        (false, true) => LoopKind.OutputParallel,
        _ => LoopKind.Group,
    };

    /// <summary>Index of an operand, whose loops are the first ones of the nest.</summary>
    public static EquatableArray<AffineExpression> Index(Shape operand, Shape result, LoopNest nest)
    {
        var missing = result.Rank - operand.Rank;
        return Enumerable.Range(0, operand.Rank).Select(d => Has(operand, d + missing, result) ? nest.At(d + missing) : nest.At(0, [])).ToEquatableArray();
    }

    // Whether an operand varies along a dimension of the result; one of extent 1 is had by both. A table has a dimension even where the result is a scalar.
    private static bool Has(Shape operand, int dimension, Shape result)
    {
        if (dimension < 0)
        {
            return false;
        }

        var own = dimension - (result.Rank - operand.Rank);
        return result[dimension] == 1 || (own >= 0 && operand[own] != 1);
    }
}
