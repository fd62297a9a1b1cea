using CnnCompiler.Core;

namespace CnnCompiler.Ir.Gconv.Verification;

/// <summary>
/// Whether an affine index over the parallel loops takes each value of a box exactly once. Two ways to decide it that share nothing: by the strides (a theorem, any
/// size), and by counting (any index, small boxes).
/// </summary>
public static class OutputCoverage
{
    /// <summary>Largest box that <see cref="ByCounting"/> takes, in elements.</summary>
    public const int CountingLimit = 1 << 16;

    /// <summary>
    /// By strides. Where each loop moves through one dimension only, the index covers a dimension of extent E exactly once if and only if
    /// its loops, sorted by step, have the steps 1, e1, e1*e2, ... with extents e1, e2, ... whose product is E: the digits of a number in mixed radix. (Sets of multiples whose
    /// sums are 0 to E - 1 once each are always of this kind: the smallest step is 1, and the next must be the first sum still missing.) Null where a loop
    /// moves through several dimensions: the theorem doesn't apply.
    /// </summary>
    /// <param name="loops">All loops; those of kind ks take no part.</param>
    /// <param name="index">Index, one expression a dimension.</param>
    /// <param name="extents">Extents of the box. Where it begins doesn't matter here.</param>
    public static bool? ByStrides(EquatableArray<GconvLoop> loops, EquatableArray<AffineExpression> index, EquatableArray<int> extents)
    {
        var digits = new List<(Int128 Step, int Extent)>[extents.Count];
        for (var d = 0; d < digits.Length; d++)
        {
            digits[d] = [];
        }

        for (var loop = 0; loop < loops.Count; loop++)
        {
            if (!loops[loop].Kind.IsParallel() || loops[loop].Extent == 1)
            {
                continue;
            }

            var owners = Enumerable.Range(0, index.Count).Where(d => index[d].Coefficients[loop] != 0).ToArray();
            switch (owners)
            {
                case []:
                    return false;
                case [var owner]:
                    digits[owner].Add((Int128.Abs(index[owner].Coefficients[loop]), loops[loop].Extent));
                    break;
                default:
                    return null;
            }
        }

        for (var d = 0; d < digits.Length; d++)
        {
            Int128 next = 1;
            foreach (var (step, extent) in digits[d].OrderBy(digit => digit.Step))
            {
                if (step != next || next > extents[d])
                {
                    return false;
                }

                next *= extent;
            }

            if (next != extents[d])
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>By counting: runs the loops and marks what they reach. Null where the box has more than <see cref="CountingLimit"/> elements.</summary>
    /// <param name="loops">All loops; those of kind ks take no part.</param>
    /// <param name="index">Index, one expression a dimension.</param>
    /// <param name="origin">First index of the box along each dimension.</param>
    /// <param name="extents">Its extents.</param>
    public static bool? ByCounting(
        EquatableArray<GconvLoop> loops, EquatableArray<AffineExpression> index, ReadOnlySpan<Int128> origin, EquatableArray<int> extents)
    {
        var elements = AffineExpressions.Product(extents);
        var trips = AffineExpressions.Product(loops.Where(loop => loop.Kind.IsParallel()).Select(loop => loop.Extent));
        if (elements > CountingLimit)
        {
            return null;
        }

        if (trips != elements)
        {
            return false;
        }

        var reached = new bool[(int)elements];
        var values = new int[loops.Count];
        for (var trip = 0; trip < reached.Length; trip++)
        {
            var rest = trip;
            for (var loop = loops.Count - 1; loop >= 0; loop--)
            {
                if (loops[loop].Kind.IsParallel())
                {
                    (rest, values[loop]) = int.DivRem(rest, loops[loop].Extent);
                }
            }

            Int128 flat = 0;
            for (var d = 0; d < index.Count; d++)
            {
                Int128 at = index[d].Constant - origin[d];
                for (var loop = 0; loop < values.Length; loop++)
                {
                    at += (Int128)index[d].Coefficients[loop] * values[loop];
                }

                if (at < 0 || at >= extents[d])
                {
                    return false;
                }

                flat = (flat * extents[d]) + at;
            }

            if (reached[(int)flat])
            {
                return false;
            }

            reached[(int)flat] = true;
        }

        return true;
    }
}
