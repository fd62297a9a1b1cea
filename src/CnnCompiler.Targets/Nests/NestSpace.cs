using CnnCompiler.Image.Systolic;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.Nests.Reproduction;

namespace CnnCompiler.Targets.Nests;

/// <summary>What all searches for mappings of an operator on a machine have in common, wherever its operands lie.</summary>
internal sealed class NestSpace
{
    /// <summary>Loops over tiles whose orders are all tried; of more, each is tried as the innermost.</summary>
    private const int MostPermuted = 3;

    private readonly Lazy<NestSpace?>? _withoutAdditions;
    private readonly Dictionary<Unrolling, int[][]> _tiles = new(ReferenceEqualityComparer.Instance);
    private readonly int[][]?[] _orders;
    private readonly long _written;
    private IReadOnlyList<Unrolling>? _unrollings;
    private (long Input, long Kernel)? _least;

    /// <summary>Prepares an operator.</summary>
    public NestSpace(SystolicOperator operation, MachineDescription machine)
        : this(operation, machine, null) => _withoutAdditions = new(() => GconvComparison.WithoutAdditions(machine) is var plain && plain != machine ? new(operation, plain, this) : null);

    private NestSpace(SystolicOperator operation, MachineDescription machine, NestSpace? same)
    {
        (Operation, Machine) = (operation, machine);
        IsOrdered = operation.Accumulator.IsReal() && operation.Reduce == SystolicReduction.Add;
        (Input, Kernel, Extras) = same is not null ? (same.Input, same.Kernel, same.Extras)
            : (new(operation, operation.Input), operation.Kernel is { } kernel ? new(operation, kernel) : null, NestModel.Extras(operation));
        (Outputs, CyclesPerTap, Energy) = (NestModel.Outputs(operation), NestModel.CyclesPerTap(operation, machine), new(operation, machine));
        PostCycles = NestModel.PostCycles(operation, Outputs, machine);
        _written = Outputs * operation.Output.Element.Size();
        Extents = [.. operation.Loops.Select(loop => loop.Extent)];
        _orders = new int[Extents.Length + 1][][];
        for (var i = 0; i < Extents.Length; i++)
        {
            Rows |= operation.Loops[i].Role == SystolicRole.Row ? 1UL << i : 0;
        }
    }

    /// <summary>The operator.</summary>
    public SystolicOperator Operation { get; }

    /// <summary>The machine.</summary>
    public MachineDescription Machine { get; }

    /// <summary>Its sums keep the order of the loops.</summary>
    public bool IsOrdered { get; }

    /// <summary>Its input.</summary>
    public NestOperand Input { get; }

    /// <summary>Its kernel, or null.</summary>
    public NestOperand? Kernel { get; }

    /// <summary>Its further operands.</summary>
    public IReadOnlyList<NestExtra> Extras { get; }

    /// <summary>Results.</summary>
    public long Outputs { get; }

    /// <summary>Cycles of an element of the array for a tap.</summary>
    public long CyclesPerTap { get; }

    /// <summary>Cycles of the units behind the array.</summary>
    public long PostCycles { get; }

    /// <summary>What its mappings draw.</summary>
    public NestEnergy Energy { get; }

    /// <summary>Trips of each loop.</summary>
    public int[] Extents { get; }

    /// <summary>A bit for each loop that reduces.</summary>
    public ulong Rows { get; }

    /// <summary>The same on the machine without the unrollings that GCONV adds; null where it adds none.</summary>
    public NestSpace? WithoutAdditions => _withoutAdditions?.Value;

    /// <summary>What may lie side by side on the array.</summary>
    public IReadOnlyList<Unrolling> Unrollings => _unrollings ??= Unrolling.All(Operation, Machine);

    /// <summary>The trips that a tile may have along each loop, the most first.</summary>
    /// <param name="unrolling">One of <see cref="Unrollings"/>.</param>
    public int[][] Tiles(Unrolling unrolling)
    {
        if (_tiles.TryGetValue(unrolling, out var tiles))
        {
            return tiles;
        }

        var (all, split) = (new int[Extents.Length][], -1);
        for (var i = 0; i < all.Length; i++)
        {
            var lanes = unrolling.Rows[i] * unrolling.Columns[i];
            var trips = Up(Extents[i], lanes);

            // sums of reals keep the order of the loops: only the first loop that reduces is cut
            split = split < 0 && IsRow(i) && Extents[i] > 1 ? i : split;
            all[i] = IsOrdered && IsRow(i) && i != split ? [(int)(trips * lanes)] : Halves(trips, lanes);
        }

        _tiles.Add(unrolling, all);
        return all;
    }

    /// <summary>No mapping moves fewer bytes from DRAM and to it: each result once, each element of input and kernel that a loop's trips tell apart, again for outermost loops where the buffer does not hold what they use.</summary>
    /// <param name="place">What lies on the chip.</param>
    /// <param name="free">Bytes of the buffer of activations that boxes may take.</param>
    /// <param name="leads">The outermost loops with their tiles; none for any order.</param>
    public long LeastBytes(NestPlacement place, long free, ReadOnlySpan<NestLead> leads)
    {
        var (input, kernel) = _least ??= (NestModel.LeastBytes(Operation, Operation.Input), Operation.Kernel is { } access ? NestModel.LeastBytes(Operation, access) : 0);
        return (place.Input ? 0 : input * Times(Input, Math.Min(free, Machine.Systolic![SystolicKeys.ActivationBytes]), leads))
            + (place.Kernel || Kernel is null ? 0 : kernel * Times(Kernel, Machine.Systolic![SystolicKeys.WeightBytes], leads))
            + (place.Stores ? _written : 0);
    }

    /// <summary>No mapping takes fewer cycles; <see cref="long.MaxValue"/> where there is none.</summary>
    /// <param name="place">What lies on the chip.</param>
    /// <param name="free">Bytes of the buffer of activations that boxes may take.</param>
    /// <param name="leads">The outermost loops with their tiles; none for any order.</param>
    public long LeastCycles(NestPlacement place, long free, ReadOnlySpan<NestLead> leads)
    {
        foreach (var unrolling in Unrollings)
        {
            var fits = true;
            foreach (var (loop, tile) in leads)
            {
                fits &= tile % (unrolling.Rows[loop] * unrolling.Columns[loop]) == 0;
            }

            if (fits)
            {
                return Math.Max(Math.Max(unrolling.Steps * CyclesPerTap, PostCycles), Up(LeastBytes(place, free, leads), Machine.Systolic![SystolicKeys.OffChipBytes]));
            }
        }

        return long.MaxValue;
    }

    /// <summary>How often each element of an operand comes at least: a loop inside the leads has tiles where the buffer does not hold twice what a tile along the leads uses.</summary>
    private long Times(NestOperand operand, long buffer, ReadOnlySpan<NestLead> leads)
    {
        if (leads.IsEmpty)
        {
            return 1;
        }

        var (box, times, again) = (operand.Box(), 1L, 1L);
        for (var i = 0; i < Extents.Length; i++)
        {
            box.Grow(i, Extents[i] - 1);
        }

        foreach (var (loop, tile) in leads)
        {
            box.Grow(loop, Math.Min(tile, Extents[loop]) - Extents[loop]);
            (times, again) = operand.IsIndexed(loop) ? (times * again, 1) : (times, again * Up(Extents[loop], tile));
        }

        return 2 * box.Bytes() <= buffer ? times : times * again;
    }

    /// <summary>Orders of so many loops that are looked at.</summary>
    public int[][] Orders(int count) => _orders[count] ??= Permutations(count);

    private bool IsRow(int loop) => (Rows >> loop & 1) == 1;

    /// <summary>Orders of so many loops; of more than <see cref="MostPermuted"/> those in which each is the innermost.</summary>
    private static int[][] Permutations(int count)
    {
        var loops = Enumerable.Range(0, count).ToArray();
        return count > MostPermuted ? [.. loops.Select(last => (int[])[.. loops.Where(loop => loop != last), last])] : [.. Of(loops)];

        static IEnumerable<int[]> Of(int[] loops) => loops.Length <= 1 ? [loops] : loops.SelectMany(first => Of([.. loops.Where(loop => loop != first)]).Select(rest => (int[])[first, .. rest]));
    }

    private static int[] Halves(long trips, int lanes)
    {
        var count = 1;
        for (var left = trips; left > 1; left = Half(left))
        {
            count++;
        }

        var tiles = new int[count];
        for (var i = 0; i < count; i++, trips = Half(trips))
        {
            tiles[i] = (int)(trips * lanes);
        }

        return tiles;

        static long Half(long trips) => Up(trips, trips > 8 ? 4 : 2);
    }

    private static long Up(long value, long by) => (value + by - 1) / by;
}
