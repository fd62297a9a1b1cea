using CnnCompiler.Image.Nests;

namespace CnnCompiler.Interpreter.Nests;

/// <summary>The processing elements that a nest uses: which trip of each loop, from the first one of a step, each does.</summary>
internal sealed class LaneSet
{
    private readonly int[][] _offsets;
    private readonly int[] _sides;

    public LaneSet(NestStep nest)
    {
        int[] sides = _sides = [.. nest.Loops.Select(loop => (int)loop.Lanes)];
        _offsets = new int[sides.Aggregate(1, (product, side) => checked(product * side))][];
        var offset = new int[sides.Length];
        for (var lane = 0; lane < _offsets.Length; lane++)
        {
            _offsets[lane] = [.. offset];
            for (var i = offset.Length - 1; i >= 0 && ++offset[i] == sides[i]; i--)
            {
                offset[i] = 0;
            }
        }
    }

    public int Count => _offsets.Length;

    public ReadOnlySpan<int> Offsets(int lane) => _offsets[lane];

    /// <summary>For each element the number of the value it gets: elements that differ only in loops that do not index an operand get the same one.</summary>
    public int[] Share(Func<int, bool> indexes)
    {
        var share = new int[_offsets.Length];
        for (var lane = 0; lane < share.Length; lane++)
        {
            for (var loop = 0; loop < _sides.Length; loop++)
            {
                share[lane] = indexes(loop) ? (share[lane] * _sides[loop]) + _offsets[lane][loop] : share[lane];
            }
        }

        return share;
    }
}

/// <summary>Steps loops in an order, as a counter steps its digits.</summary>
/// <param name="order">The loops, the outermost first.</param>
internal sealed class Odometer(IReadOnlyList<int> order)
{
    private readonly long[] _trips = new long[order.Count];
    private readonly long[] _at = new long[order.Count];

    /// <summary>Place in the order of the loop that stepped last, -1 at the beginning: all loops behind it begin again.</summary>
    public int Stepped { get; private set; }

    public void Reset(Func<int, long> trips)
    {
        for (var i = 0; i < _trips.Length; i++)
        {
            (_trips[i], _at[i]) = (trips(order[i]), 0);
        }

        Stepped = -1;
    }

    /// <summary>Writes where each loop is.</summary>
    public void Store(Span<long> at)
    {
        for (var i = 0; i < _at.Length; i++)
        {
            at[order[i]] = _at[i];
        }
    }

    public bool Next()
    {
        for (var i = _at.Length - 1; i >= 0; i--)
        {
            if (++_at[i] < _trips[i])
            {
                Stepped = i;
                return true;
            }

            _at[i] = 0;
        }

        return false;
    }
}
