using System.Runtime.CompilerServices;
using CnnCompiler.Core;
using CnnCompiler.Image.Nests;
using CnnCompiler.Image.Systolic;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Targets.Nests;

/// <summary>A mapping that a search has found.</summary>
/// <param name="Plan">The mapping.</param>
/// <param name="Cycles">Its cycles.</param>
/// <param name="Energy">Its energy, attojoules.</param>
/// <param name="Boxes">Bytes of the buffer of activations that its boxes take.</param>
internal readonly record struct NestFound(NestPlan Plan, long Cycles, Int128 Energy, long Boxes);

/// <summary>
/// The fastest mapping of an operator: unrollings in the order of their steps, for each the tiles that no loop can make larger without leaving a buffer, for each the orders of the outer loops. What can't
/// be below the best cycles is not looked at: the array's steps, the units' and the bytes that have to move anyway are bounds. Of equally fast mappings the one with the least energy among the first ones.
/// </summary>
internal sealed class NestSearch
{
    /// <summary>Unrollings that are as fast as the best one, of which the least energy is taken.</summary>
    private const int EquallyFast = 6;

    /// <summary>Orders inside a tile: each keeps one operand in the elements.</summary>
    private const int InnerOrders = 3;

    private readonly NestSpace _space;
    private readonly NestPlacement _place;
    private readonly bool _prunes;
    private readonly int _patience;
    private readonly long _limit;
    private readonly long _bound;
    private readonly int[] _extents;
    private readonly ulong _rows;
    private readonly NestOperand _input;
    private readonly NestOperand? _kernel;
    private readonly ulong[] _outside;
    private readonly long _mostSums;
    private readonly long _inputBytes;
    private readonly long _kernelBytes;
    private readonly long _bytesPerCycle;
    private readonly EquatableArray<NestLead> _leads;
    private readonly int[]?[] _leadTiles;
    private readonly bool _keepsInput;
    private readonly bool _keepsKernel;
    private readonly bool _keepsSum;

    // the unrolling and tiles looked at: tiles that a loop may have, how loops are cut, the last trip in a tile, the boxes and sums of a tile, tiles, steps in all
    private readonly int[][] _choices;
    private readonly NestLoop[] _loops;
    private readonly long[] _reach;
    private readonly NestBox _inputBox;
    private readonly NestBox? _kernelBox;
    private long _sums = 1;
    private readonly long[] _tiles;
    private readonly long[] _steps;
    private readonly int[] _order;
    private NestPlan? _best;
    private (long Cycles, Int128 Energy) _cost;
    private long _boxes;

    private NestSearch(NestSpace space, bool prunes, int patience, NestPlacement place, long free, long limit, EquatableArray<NestLead> leads)
    {
        (_space, _prunes, _patience, _place, _limit, _leads) = (space, prunes, patience, place, limit, leads);
        (_input, _kernel, _extents, _rows) = (space.Input, space.Kernel, space.Extents, space.Rows);
        _outside = [~_rows, _kernel?.Indexed ?? 0, _input.Indexed];
        var (description, loops) = (space.Machine.Systolic!, _extents.Length);
        (_mostSums, _inputBytes, _kernelBytes) = (
            Math.Min(NestChecker.MostSums, description[SystolicKeys.AccumulatorRows] * space.Machine.Columns), Math.Min(free, description[SystolicKeys.ActivationBytes]), description[SystolicKeys.WeightBytes]);
        (_keepsInput, _keepsKernel, _keepsSum) = (description[SystolicKeys.KeepsInput] == 1, description[SystolicKeys.KeepsKernel] == 1, description[SystolicKeys.KeepsSum] == 1);
        _bytesPerCycle = description[SystolicKeys.OffChipBytes];
        (_inputBox, _kernelBox) = (_input.Box(), _kernel?.Box());
        _bound = Math.Max(space.PostCycles, Up(space.LeastBytes(place, free, []), _bytesPerCycle));
        (_choices, _loops, _reach, _tiles, _steps, _order, _leadTiles) = (new int[loops][], new NestLoop[loops], new long[loops], new long[loops], new long[loops], new int[loops], new int[]?[loops]);
        foreach (var (loop, tile) in leads.AsSpan())
        {
            _leadTiles[loop] = [tile];
        }
    }

    /// <summary>The best mapping, or null where not even an element at a time fits the buffers or each takes more cycles than the limit.</summary>
    /// <param name="space">The operator on the machine.</param>
    /// <param name="prunes">False to look at the whole space: for tests.</param>
    /// <param name="patience">Unrollings in a row that gain no cycles after which the search ends.</param>
    /// <param name="place">What lies on the chip; nothing where null.</param>
    /// <param name="free">Bytes of the buffer of activations that its boxes may take.</param>
    /// <param name="limit">Cycles that it may take: where none takes as few there is none.</param>
    /// <param name="leads">The outermost loops with their tiles, where another operator goes through these with it; none for any order.</param>
    public static NestFound? Best(
        NestSpace space, bool prunes = true, int patience = int.MaxValue, NestPlacement? place = null, long free = long.MaxValue, long limit = long.MaxValue, EquatableArray<NestLead> leads = default)
    {
        var search = new NestSearch(space, prunes, patience, place ?? NestPlacement.Dram, free, limit, leads);
        search.Run();
        return search._best is { } best ? new(best, search._cost.Cycles, search._cost.Energy, search._boxes) : null;
    }

    /// <summary>Cycles that are of interest.</summary>
    private long MostCycles => _best is null ? _limit : _cost.Cycles;

    private void Run()
    {
        var (equal, inVain) = (0, 0);
        foreach (var unrolling in _space.Unrollings)
        {
            var least = Math.Max(_bound, unrolling.Steps * _space.CyclesPerTap);
            if (_prunes && (least > MostCycles || (_best is not null && least == _cost.Cycles && ++equal > EquallyFast)))
            {
                return;
            }

            var before = _best is null ? long.MaxValue : _cost.Cycles;
            Tiles(unrolling);
            inVain = _best is not null && _cost.Cycles == before ? inVain + 1 : 0;
            if (inVain >= _patience)
            {
                return;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Tiles(Unrolling unrolling)
    {
        foreach (var (loop, tile) in _leads.AsSpan())
        {
            if (tile % (unrolling.Rows[loop] * unrolling.Columns[loop]) != 0)
            {
                return;
            }
        }

        _space.Tiles(unrolling).CopyTo(_choices, 0);
        foreach (var (loop, _) in _leads.AsSpan())
        {
            _choices[loop] = _leadTiles[loop]!;
        }

        for (var i = 0; i < _loops.Length; i++)
        {
            _loops[i] = new(unrolling.Rows[i], unrolling.Columns[i], _loops[i].Tile);
            _steps[i] = Up(_extents[i], _loops[i].Lanes);
            Cut(i, _choices[i][^1]);
        }

        Choose(0, unrolling.Steps * _space.CyclesPerTap);
    }

    /// <summary>Chooses tiles, the largest first, for a loop and those after it, which have the smallest.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Choose(int at, long arrayCycles)
    {
        if (at == _loops.Length)
        {
            if (!Grows())
            {
                Order(arrayCycles);
            }

            return;
        }

        foreach (var tile in _choices[at])
        {
            Cut(at, tile);
            if (Fits())
            {
                Choose(at + 1, arrayCycles);
                if (at == _loops.Length - 1)
                {
                    // smaller tiles of the last loop could grow to this one
                    break;
                }
            }
        }

        Cut(at, _choices[at][^1]);
    }

    /// <summary>True where a loop but the last could have larger tiles.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private bool Grows()
    {
        for (var i = 0; i < _loops.Length - 1; i++)
        {
            var (tile, choices) = (_loops[i].Tile, _choices[i]);
            if (tile == choices[0])
            {
                continue;
            }

            Cut(i, choices[Array.IndexOf(choices, tile) - 1]);
            var fits = Fits();
            Cut(i, tile);
            if (fits)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Gives a loop a tile.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Cut(int loop, int tile)
    {
        _loops[loop] = _loops[loop] with { Tile = tile };
        var reach = Math.Min(tile, _extents[loop]) - 1;
        var more = reach - _reach[loop];
        if (more == 0)
        {
            return;
        }

        _inputBox.Grow(loop, more);
        _kernelBox?.Grow(loop, more);
        if (!IsRow(loop))
        {
            _sums = _sums / (_reach[loop] + 1) * (reach + 1);
        }

        _reach[loop] = reach;
    }

    /// <summary>True where the boxes of a tile fit the buffers twice, and its results the accumulators.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private bool Fits() => _sums <= _mostSums && (_place.Input || 2 * _inputBox.Bytes() <= _inputBytes) && (_kernelBox is null || 2 * _kernelBox.Bytes() <= _kernelBytes);

    /// <summary>Looks at the orders of loops: the outer ones say what DRAM moves, the inner ones, whatever the outer ones are, what the buffers do.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Order(long arrayCycles)
    {
        var (input, kernel, results) = (_place.Input ? 0 : _input.BytesOfTiles(_loops), _kernel?.BytesOfTiles(_loops) ?? 0, _space.Outputs * _space.Operation.Output.Element.Size());
        var written = _place.Stores ? results : 0;
        if (_prunes && Math.Max(arrayCycles, Up(input + (_place.Kernel ? 0 : kernel) + written, _bytesPerCycle)) > MostCycles)
        {
            return;
        }

        Span<int> parallel = stackalloc int[_loops.Length];
        Span<int> outer = stackalloc int[_loops.Length];
        var (count, end) = (0, _loops.Length);
        for (var i = _loops.Length - 1; i >= 0; i--)
        {
            _tiles[i] = Up(_extents[i], _loops[i].Tile);
            if (_tiles[i] > 1 && IsRow(i))
            {
                outer[--end] = i;
            }
        }

        foreach (var lead in _leads.AsSpan())
        {
            parallel[count++] = lead.Loop;
        }

        var leads = count;
        for (var i = 0; i < _loops.Length; i++)
        {
            if (_tiles[i] > 1 && !IsRow(i) && !parallel[..leads].Contains(i))
            {
                parallel[count++] = i;
            }
        }

        // those that reduce are the innermost ones
        var rows = outer[end..];
        rows.CopyTo(outer[count..]);
        outer = outer[..(count + rows.Length)];
        var (extras, chip) = _place.Split(_space.Extras, _loops, parallel[..count]);
        parallel[..leads].CopyTo(outer);
        Span<long> reads = stackalloc long[InnerOrders];
        var isRead = false;
        foreach (var order in _space.Orders(count - leads))
        {
            for (var i = 0; i < order.Length; i++)
            {
                outer[leads + i] = parallel[leads + order[i]];
            }

            var boxes = _kernel is null ? 0 : kernel * Times(_kernel.Indexed, outer);
            var dram = (input * Times(_input.Indexed, outer)) + (_place.Kernel ? 0 : boxes) + extras + written;
            var cycles = Math.Max(Math.Max(arrayCycles, _space.PostCycles), Up(dram, _bytesPerCycle));
            if (_prunes && cycles > MostCycles)
            {
                continue;
            }

            if (!isRead)
            {
                for (var i = 0; i < InnerOrders; i++)
                {
                    reads[i] = Reads(Inner(_outside[i]));
                }

                isRead = true;
            }

            for (var i = 0; i < InnerOrders; i++)
            {
                if (reads[i] < 0)
                {
                    continue;
                }

                var cost = (cycles, _space.Energy.Of(reads[i], dram, written, chip + _place.Between(boxes, results)));
                if (_best is null || cost.CompareTo(_cost) < 0)
                {
                    (_best, _cost, _boxes) = (new(string.Empty, _loops.ToEquatableArray(), [.. outer], [.. Inner(_outside[i])]), cost, _place.Input ? 0 : 2 * (long)_inputBox.Bytes());
                }
            }
        }
    }

    /// <summary>How often each box comes: again for each tile of a loop that does not index the operand, outside one that does.</summary>
    private long Times(ulong indexed, ReadOnlySpan<int> outer)
    {
        var (times, again) = (1L, 1L);
        foreach (var loop in outer)
        {
            if ((indexed >> loop & 1) == 1)
            {
                (times, again) = (times * again, 1);
            }
            else
            {
                again *= _tiles[loop];
            }
        }

        return times;
    }

    /// <summary>The loops inside a tile, some of them outside all others.</summary>
    private ReadOnlySpan<int> Inner(ulong outside)
    {
        var count = 0;
        foreach (var isOutside in (ReadOnlySpan<ulong>)[1, 0])
        {
            for (var i = 0; i < _loops.Length; i++)
            {
                if ((outside >> i & 1) == isOutside && Up(Math.Min(_extents[i], _loops[i].Tile), _loops[i].Lanes) > 1)
                {
                    _order[count++] = i;
                }
            }
        }

        return _order.AsSpan(0, count);
    }

    /// <summary>Bytes between the buffers and the array where loops inside a tile have an order; -1 where sums of reals can't be added up so.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private long Reads(ReadOnlySpan<int> inner)
    {
        var last = -1;
        var (all, inputs, kernels, results) = (0UL, 0UL, 0UL, 0UL);
        foreach (var loop in inner)
        {
            var isRow = IsRow(loop);
            if (_space.IsOrdered && isRow && loop < last)
            {
                return -1;
            }

            // up to the last loop that indexes an operand all loops move it
            last = isRow ? loop : last;
            all |= 1UL << loop;
            inputs = _input.IsIndexed(loop) ? all : inputs;
            kernels = _kernel is not null && _kernel.IsIndexed(loop) ? all : kernels;
            results = isRow ? results : all;
        }

        var sums = Moves(~_rows, _keepsSum ? results : all);
        return _space.Energy.Reads(Moves(_input.Indexed, _keepsInput ? inputs : all), _kernel is null ? 0 : Moves(_kernel.Indexed, _keepsKernel ? kernels : all), (2 * sums) - _space.Outputs);
    }

    /// <summary>What <see cref="NestModel.Moves"/> says.</summary>
    private long Moves(ulong indexed, ulong causes)
    {
        var moves = 1L;
        for (var i = 0; i < _loops.Length; i++)
        {
            moves *= (indexed >> i & 1) == 1 ? _extents[i] : (causes >> i & 1) == 1 ? _steps[i] : _tiles[i];
        }

        return moves;
    }

    private bool IsRow(int loop) => (_rows >> loop & 1) == 1;

    private static long Up(long value, long by) => (value + by - 1) / by;
}
