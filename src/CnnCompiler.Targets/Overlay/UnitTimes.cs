using CnnCompiler.Image.Overlay;

namespace CnnCompiler.Targets.Overlay;

/// <summary>
/// Cycles of the P1 x P2 unit in closed form: a tile takes its stream, or what has to leave (NS) or enter (WS, IS) beside it where that is longer; the first or last
/// of these stands alone; once, the skew of P1 + P2 - 2.
/// </summary>
internal static class UnitTimes
{
    /// <summary>Products [vectors, terms] x [terms, outputs] one after the other; vectors may differ, 0 is no product.</summary>
    public static long Cycles(int rows, int columns, OverlayDataflow dataflow, ReadOnlySpan<int> vectors, int terms, int outputs)
    {
        var skew = rows + columns - 2L;
        if (dataflow == OverlayDataflow.NonStationary)
        {
            var (sum, left) = (0L, 0L);
            foreach (var extent in vectors)
            {
                if (extent > 0)
                {
                    var (full, rest, across) = (extent / rows, extent % rows, Tiles(outputs, columns));
                    sum += across * ((full * Math.Max((long)terms, rows)) + (rest > 0 ? Math.Max(terms, rest) : 0));
                    left = rest > 0 ? rest : rows;
                }
            }

            return left == 0 ? 0 : terms + sum - Math.Max(terms, left) + left + skew;
        }

        var (wholeTiles, restRows) = (terms / rows, terms % rows);
        long first = wholeTiles > 0 ? rows : restRows;
        var (start, streamed) = (-1L, 0L);
        foreach (var extent in vectors)
        {
            if (extent == 0)
            {
                continue;
            }

            var (stream, across) = dataflow == OverlayDataflow.WeightStationary ? (extent, Tiles(outputs, columns)) : (outputs, Tiles(extent, columns));
            start = start < 0 ? first : start + Math.Max(streamed, first);
            start += (across * ((wholeTiles * Math.Max((long)stream, rows)) + (restRows > 0 ? Math.Max(stream, restRows) : 0))) - Math.Max(stream, first);
            streamed = stream;
        }

        return start < 0 ? 0 : start + streamed + skew;
    }

    /// <summary>The same of products with as many vectors each.</summary>
    public static long Cycles(int rows, int columns, OverlayDataflow dataflow, int products, int vectors, int terms, int outputs)
    {
        var one = Cycles(rows, columns, dataflow, [vectors], terms, outputs);
        return products == 1 ? one : one + ((products - 1L) * (Cycles(rows, columns, dataflow, [vectors, vectors], terms, outputs) - one));
    }

    /// <summary>ceil(extent / side).</summary>
    public static long Tiles(long extent, long side) => (extent + side - 1) / side;
}
