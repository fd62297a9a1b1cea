using System.Runtime.InteropServices;
using CnnCompiler.Core;
using CnnCompiler.Image.Nests;
using CnnCompiler.Image.Systolic;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Targets.Nests;

/// <summary>
/// The fastest mapping of an operator: unrollings in the order of their steps, for each the tiles that no loop can make larger without leaving a buffer, for each the orders of the outer loops. What can't
/// be below the best cycles is not looked at: the array's steps, the units' and the bytes that have to move anyway are bounds. Of equally fast mappings the one with the least energy among the first ones.
/// </summary>
internal sealed class NestSearch
{
    /// <summary>Unrollings that are as fast as the best one, of which the least energy is taken.</summary>
    private const int EquallyFast = 6;

    /// <summary>Loops over tiles whose orders are all tried; of more, each is tried as the innermost.</summary>
    private const int MostPermuted = 3;

    private readonly SystolicOperator _operation;
    private readonly MachineDescription _machine;
    private readonly bool _ordered;
    private readonly long _bound;
    private readonly bool _prunes;
    private readonly int _patience;
    private readonly long _taps;
    private readonly long _outputs;
    private readonly long _perTap;
    private readonly long _postCycles;
    private readonly int[] _extents;
    private readonly bool[] _isRow;
    private readonly long[] _reach;
    private readonly long _mostSums;
    private readonly long _inputBytes;
    private readonly long _kernelBytes;
    private readonly long _bytesPerCycle;
    private readonly NestPlacement _place;
    private readonly long _limit;
    private readonly NestOperand _input;
    private readonly NestOperand? _kernel;
    private readonly IReadOnlyList<NestExtra> _extras;
    private NestPlan? _best;
    private (long Cycles, Int128 Energy) _cost;

    private NestSearch(SystolicOperator operation, MachineDescription machine, bool prunes, int patience, NestPlacement place, long free, long limit)
    {
        (_operation, _machine, _prunes, _patience, _place, _limit) = (operation, machine, prunes, patience, place, limit);
        _ordered = operation.Accumulator.IsReal() && operation.Reduce == SystolicReduction.Add;
        (_input, _kernel, _extras) = (new(operation, operation.Input), operation.Kernel is { } kernel ? new(operation, kernel) : null, NestModel.Extras(operation));
        (_taps, _outputs, _perTap) = (NestModel.Taps(operation), NestModel.Outputs(operation), NestModel.CyclesPerTap(operation, machine));
        _postCycles = NestModel.PostCycles(operation, _outputs, machine);
        (_extents, _isRow) = ([.. operation.Loops.Select(loop => loop.Extent)], [.. operation.Loops.Select(loop => loop.Role == SystolicRole.Row)]);
        _reach = new long[_extents.Length];
        var description = machine.Systolic!;
        (_mostSums, _inputBytes, _kernelBytes) = (
            Math.Min(NestChecker.MostSums, description[SystolicKeys.AccumulatorRows] * machine.Columns), Math.Min(free, description[SystolicKeys.ActivationBytes]), description[SystolicKeys.WeightBytes]);
        _bytesPerCycle = description[SystolicKeys.OffChipBytes];
        _bound = Math.Max(_postCycles, Up(NestModel.LeastBytes(operation, place), _bytesPerCycle));
    }

    /// <summary>The best mapping, or null where not even an element at a time fits the buffers.</summary>
    /// <param name="operation">The operator.</param>
    /// <param name="machine">The machine.</param>
    /// <param name="prunes">False to look at the whole space: for tests.</param>
    /// <param name="patience">Unrollings in a row that gain no cycles after which the search ends.</param>
    /// <param name="place">What lies on the chip; nothing where null.</param>
    /// <param name="free">Bytes of the buffer of activations that its boxes may take.</param>
    /// <param name="limit">Cycles that it may take: where none takes as few there is none.</param>
    public static NestPlan? Best(
        SystolicOperator operation, MachineDescription machine, bool prunes = true, int patience = int.MaxValue, NestPlacement? place = null, long free = long.MaxValue, long limit = long.MaxValue)
    {
        var search = new NestSearch(operation, machine, prunes, patience, place ?? NestPlacement.Dram, free, limit);
        search.Run();
        return search._best;
    }

    /// <summary>Energy of what a nest does, in attojoules.</summary>
    public static Int128 Energy(SystolicOperator operation, NestCounts counts, MachineDescription machine)
    {
        var description = machine.Systolic!;
        var buffers = (counts.InputReads * operation.Input.Element.Size()) + (counts.KernelReads * (operation.Kernel?.Element.Size() ?? 0))
            + ((counts.SumReads + counts.SumWrites) * operation.Accumulator.Size()) + counts.DramBytes + counts.ChipBytes;
        long perTap = ScalarInstructionSet.Operations(operation.Pre) + ScalarInstructionSet.Operations(operation.Main);
        long post = ScalarInstructionSet.Operations(operation.Post);
        return ((Int128)counts.Taps * (description[SystolicKeys.Multiplication] + description[SystolicKeys.CarryPropagateAdd]))
            + (((Int128)counts.Taps * Math.Max(0, perTap - 1)) + ((Int128)counts.Outputs * post)) * description[SystolicKeys.VectorOperation]
            + ((Int128)Up(buffers, 4) * description[SystolicKeys.BufferWord])
            + ((Int128)(Up(counts.DramBytes - counts.OutputBytes, 4) + Up(counts.OutputBytes, 4)) * description[SystolicKeys.DramWord]);
    }

    /// <summary>Cycles that are of interest.</summary>
    private long MostCycles => _best is null ? _limit : _cost.Cycles;

    private void Run()
    {
        var (equal, inVain) = (0, 0);
        foreach (var unrolling in Unrolling.All(_operation, _machine))
        {
            var least = Math.Max(_bound, unrolling.Steps * _perTap);
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

    private void Tiles(Unrolling unrolling)
    {
        var choices = new int[_operation.Loops.Count][];
        var splitRow = Enumerable.Range(0, choices.Length).FirstOrDefault(i => _operation.Loops[i] is { Role: SystolicRole.Row, Extent: > 1 }, -1);
        for (var i = 0; i < choices.Length; i++)
        {
            var lanes = unrolling.Rows[i] * unrolling.Columns[i];
            var trips = Up(_operation.Loops[i].Extent, lanes);
            var isWhole = _ordered && _operation.Loops[i].Role == SystolicRole.Row && i != splitRow;
            choices[i] = isWhole ? [(int)(trips * lanes)] : [.. Halves(trips).Select(t => (int)(t * lanes))];
        }

        // from the largest tiles: where one fits, smaller ones of the loop chosen last need not be looked at
        var loops = new NestLoop[choices.Length];
        for (var i = 0; i < loops.Length; i++)
        {
            loops[i] = new(unrolling.Rows[i], unrolling.Columns[i], choices[i][^1]);
        }

        Choose(0);

        void Choose(int at)
        {
            if (at == loops.Length)
            {
                if (!Grows())
                {
                    Orders(loops, unrolling.Steps * _perTap);
                }

                return;
            }

            foreach (var tile in choices[at])
            {
                loops[at] = loops[at] with { Tile = tile };
                if (Fits(loops))
                {
                    Choose(at + 1);
                }
            }

            loops[at] = loops[at] with { Tile = choices[at][^1] };
        }

        bool Grows()
        {
            for (var i = 0; i < loops.Length; i++)
            {
                var place = Array.IndexOf(choices[i], loops[i].Tile);
                if (place > 0)
                {
                    var tile = loops[i].Tile;
                    loops[i] = loops[i] with { Tile = choices[i][place - 1] };
                    var fits = Fits(loops);
                    loops[i] = loops[i] with { Tile = tile };
                    if (fits)
                    {
                        return true;
                    }
                }
            }

            return false;
        }
    }

    private static IEnumerable<long> Halves(long trips)
    {
        for (; trips > 1; trips = Up(trips, trips > 8 ? 4 : 2))
        {
            yield return trips;
        }

        yield return 1;
    }

    /// <summary>True where the boxes of a tile fit the buffers twice, and its results the accumulators.</summary>
    private bool Fits(NestLoop[] loops)
    {
        var sums = 1L;
        for (var i = 0; i < loops.Length; i++)
        {
            var trips = Math.Min(loops[i].Tile, _extents[i]);
            (_reach[i], sums) = (trips - 1, _isRow[i] ? sums : sums * trips);
        }

        return sums <= _mostSums && (_place.Input || 2 * _input.BytesOfBox(_reach) <= _inputBytes) && (_kernel is null || 2 * _kernel.BytesOfBox(_reach) <= _kernelBytes);
    }

    /// <summary>Looks at the orders of loops: the outer ones say what DRAM moves, the inner ones, whatever the outer ones are, what the buffers do.</summary>
    private void Orders(NestLoop[] loops, long arrayCycles)
    {
        var (input, kernel, results) = (_place.Input ? 0 : _input.BytesOfTiles(loops), _kernel?.BytesOfTiles(loops) ?? 0, _outputs * _operation.Output.Element.Size());
        var written = _place.Stores ? results : 0;
        if (_prunes && Math.Max(arrayCycles, Up(input + (_place.Kernel ? 0 : kernel) + written, _bytesPerCycle)) > MostCycles)
        {
            return;
        }

        var cut = Enumerable.Range(0, loops.Length).Where(i => Up(_extents[i], loops[i].Tile) > 1).ToList();
        var rows = cut.Where(i => _isRow[i]).ToList();
        var parallel = cut.Except(rows).ToList();
        var (extras, chip) = _place.Split(_extras, loops, CollectionsMarshal.AsSpan(parallel));
        var tiles = cut.Aggregate(1L, (product, i) => product * Up(_extents[i], loops[i].Tile));
        var inner = default(List<(List<int> Order, NestCounts Counts)>);
        foreach (var order in Permutations(parallel))
        {
            int[] outer = [.. order, .. rows];
            var boxes = _kernel is null ? 0 : kernel * Times(_kernel, outer);
            var moved = new NestCounts(
                _taps, arrayCycles, _outputs, _postCycles, tiles, input * Times(_input, outer), _place.Kernel ? 0 : boxes, extras, written, 0, 0, 0, 0, chip + _place.Between(boxes, results));
            var cycles = moved.Cycles(_machine);
            if (_prunes && cycles > MostCycles)
            {
                continue;
            }

            foreach (var (kept, counts) in inner ??= [.. InnerOrders(loops).Select(kept => (kept, Reads(loops, [.. kept])))])
            {
                var cost = (cycles, Energy(_operation, moved with { InputReads = counts.InputReads, KernelReads = counts.KernelReads, SumReads = counts.SumReads, SumWrites = counts.SumWrites }, _machine));
                if (_best is null || cost.CompareTo(_cost) < 0)
                {
                    (_best, _cost) = (new(string.Empty, loops.ToEquatableArray(), outer.ToEquatableArray(), kept.ToEquatableArray()), cost);
                }
            }
        }

        long Times(NestOperand operand, int[] outer) => operand.Times(loops, outer.AsSpan(0, NestChecker.Needed(outer, operand.IsIndexed)));
    }

    /// <summary>What an order inside a tile has the buffers do.</summary>
    private NestCounts Reads(NestLoop[] loops, int[] inner)
    {
        var sums = Moves(IsResult, SystolicKeys.KeepsSum);
        return default(NestCounts) with { InputReads = Moves(_input.IsIndexed, SystolicKeys.KeepsInput), KernelReads = _kernel is null ? 0 : Moves(_kernel.IsIndexed, SystolicKeys.KeepsKernel), SumReads = sums - _outputs, SumWrites = sums };

        long Moves(Func<int, bool> isIndexed, SystolicKey keeps) =>
            NestModel.Moves(_operation, loops, inner.AsSpan(0, _machine.Systolic![keeps] == 1 ? NestChecker.Needed(inner, isIndexed) : inner.Length), isIndexed);
    }

    private bool IsResult(int loop) => _operation.Loops[loop].Role != SystolicRole.Row;

    /// <summary>The loops that do not index the input, the kernel or the result innermost, in this order of preference: each keeps one operand in the elements.</summary>
    private IEnumerable<List<int>> InnerOrders(NestLoop[] loops)
    {
        var inner = Enumerable.Range(0, loops.Length).Where(i => Up(Math.Min(_operation.Loops[i].Extent, loops[i].Tile), loops[i].Lanes) > 1).ToList();
        Func<int, bool>[] indexes = [IsResult, loop => _kernel is not null && _kernel.IsIndexed(loop), _input.IsIndexed];
        return indexes.Select(isOutside => inner.OrderBy(loop => isOutside(loop) ? 0 : 1).ToList()).Where(order =>
            !_ordered || order.Where(loop => _operation.Loops[loop].Role == SystolicRole.Row).ToList() is var rows && rows.SequenceEqual(rows.Order()));
    }

    private static IEnumerable<List<int>> Permutations(List<int> loops)
    {
        if (loops.Count <= 1)
        {
            yield return loops;
            yield break;
        }

        if (loops.Count > MostPermuted)
        {
            foreach (var last in loops)
            {
                yield return [.. loops.Where(loop => loop != last), last];
            }

            yield break;
        }

        foreach (var first in loops)
        {
            foreach (var rest in Permutations([.. loops.Where(loop => loop != first)]))
            {
                yield return [first, .. rest];
            }
        }
    }

    private static long Up(long value, long by) => (value + by - 1) / by;
}
