namespace CnnCompiler.Ir.Gconv.Evaluation;

/// <summary>
/// The taps of a sum of products as a regular walk through two flat tensors: each reduced loop has one range of valid trips (every m-th where the input's index is divided), so that only the
/// first element, the counts and constant steps are needed.
/// </summary>
internal sealed class TapWalk
{
    private readonly AccessPlan _input;
    private readonly AccessPlan _kernel;
    private readonly bool _skips;
    private readonly Loop[] _loops;
    private readonly int[] _first;

    private TapWalk(AccessPlan input, AccessPlan kernel, bool skips, Loop[] loops)
    {
        (_input, _kernel, _skips, _loops) = (input, kernel, skips, loops);
        _first = new int[loops.Length];
        Counts = new int[loops.Length];
    }

    /// <summary>Number of loops of more than one trip, outermost first.</summary>
    public int Depth => _loops.Length;

    /// <summary>Valid trips of each loop at the current output element.</summary>
    public int[] Counts { get; }

    /// <summary>Flat index of the first valid tap in the input.</summary>
    public long InputStart { get; private set; }

    /// <summary>Flat index of the first valid tap in the kernel.</summary>
    public long KernelStart { get; private set; }

    /// <summary>Trips of all loops, valid or not.</summary>
    public Int128 Trips => _loops.Aggregate((Int128)1, (product, loop) => product * loop.Extent);

    /// <summary>The walk of two operands, or null where a range a loop does not describe the valid taps.</summary>
    /// <param name="nest">The operator's loops.</param>
    /// <param name="input">The input; where taps outside are filled, the walk has those inside.</param>
    /// <param name="kernel">The kernel, never outside.</param>
    /// <param name="inOrder">Keep the order of the loops; else the loop with the shortest steps goes innermost.</param>
    public static TapWalk? TryCreate(LoopNest nest, Operand input, Operand kernel, bool inOrder)
    {
        if (kernel.Access.OutOfRange != OutOfRange.Never)
        {
            return null;
        }

        var skips = input.Access.OutOfRange != OutOfRange.Never;
        for (var d = 0; d < input.Plan.Rank && skips; d++)
        {
            // One range a loop describes the valid taps only where no dimension depends on two loops.
            if (nest.Reduced.Count(loop => input.Plan.Coefficient(d, loop) != 0 && nest.Extents[loop] > 1) > 1)
            {
                return null;
            }
        }

        var loops = new List<Loop>();
        foreach (var loop in nest.Reduced.Where(loop => nest.Extents[loop] > 1))
        {
            var every = 1L;
            for (var d = 0; d < input.Plan.Rank; d++)
            {
                if (input.Plan.Coefficient(d, loop) is var step and not 0)
                {
                    // A second dimension with a divisor would make it two congruences.
                    var own = input.Plan.Divisor(d) / GreatestCommonDivisor(Math.Abs(step), input.Plan.Divisor(d));
                    if (every > 1 && own > 1)
                    {
                        return null;
                    }

                    every = Math.Max(every, own);
                }
            }

            loops.Add(new(loop, nest.Extents[loop], (int)every, input.Plan.FlatStep(loop, every), kernel.Plan.FlatStep(loop, every)));
        }

        IEnumerable<Loop> ordered = inOrder ? loops : loops.OrderByDescending(loop => Math.Abs(loop.InputStep) + Math.Abs(loop.KernelStep));
        return new(input.Plan, kernel.Plan, skips, [.. ordered]);
    }

    /// <summary>Finds the taps of the current output element; their number.</summary>
    public long Locate()
    {
        var taps = 1L;
        for (var i = 0; i < _loops.Length; i++)
        {
            (_first[i], Counts[i]) = _skips ? ValidRange(_loops[i]) : (0, _loops[i].Extent);
            taps *= Counts[i];
        }

        if (taps == 0 || (_skips && !FixedDimensionsAreInside()))
        {
            return 0;
        }

        InputStart = 0;
        for (var d = 0; d < _input.Rank; d++)
        {
            var at = _input.Base(d);
            for (var i = 0; i < _loops.Length; i++)
            {
                at += _input.Coefficient(d, _loops[i].Index) * _first[i];
            }

            InputStart += at / _input.Divisor(d) * _input.Stride(d);
        }

        KernelStart = _kernel.FlatBase();
        for (var i = 0; i < _loops.Length; i++)
        {
            KernelStart += _kernel.FlatStep(_loops[i].Index, 1) * _first[i];
        }

        return taps;
    }

    /// <summary>Where the kernel begins for the current output element, at its first tap, valid or not.</summary>
    public long KernelBase => _kernel.FlatBase();

    /// <summary>Sum of the kernel's values at all taps of the current output element, valid or not.</summary>
    public long SumOfKernel(ReadOnlySpan<int> kernel)
    {
        var sum = 0L;
        var at = KernelBase;
        var trips = new int[_loops.Length];
        var loop = 0;
        while (loop >= 0)
        {
            sum += kernel[(int)at];
            for (loop = _loops.Length - 1; loop >= 0; loop--)
            {
                var step = _kernel.FlatStep(_loops[loop].Index, 1);
                at += step;
                if (++trips[loop] < _loops[loop].Extent)
                {
                    break;
                }

                at -= step * trips[loop];
                trips[loop] = 0;
            }
        }

        return sum;
    }

    /// <summary>How far a trip of a loop moves in the input.</summary>
    public long InputStep(int loop) => _loops[loop].InputStep;

    /// <summary>How far a trip of a loop moves in the kernel.</summary>
    public long KernelStep(int loop) => _loops[loop].KernelStep;

    // Dimensions that no reduced loop moves through are inside for all taps or for none.
    private bool FixedDimensionsAreInside()
    {
        for (var d = 0; d < _input.Rank; d++)
        {
            var moves = false;
            foreach (var loop in _loops)
            {
                moves |= _input.Coefficient(d, loop.Index) != 0;
            }

            if (!moves && (_input.Base(d) % _input.Divisor(d) != 0 || _input.Base(d) < 0 || _input.Base(d) / _input.Divisor(d) >= _input.Extent(d)))
            {
                return false;
            }
        }

        return true;
    }

    private (int First, int Count) ValidRange(in Loop loop)
    {
        var (first, last) = (0L, loop.Extent - 1L);
        var residue = 0L;
        for (var d = 0; d < _input.Rank; d++)
        {
            var step = _input.Coefficient(d, loop.Index);
            if (step == 0)
            {
                continue;
            }

            // 0 <= start + step * k <= end
            var (start, end) = (_input.Base(d), ((long)_input.Extent(d) * _input.Divisor(d)) - _input.Divisor(d));
            if (_input.Divisor(d) > 1)
            {
                residue = Residue(start, step, _input.Divisor(d), loop.Every);
                if (residue < 0)
                {
                    return (0, 0);
                }
            }

            var (low, high) = step > 0 ? (-start, end - start) : (start - end, start);
            step = Math.Abs(step);
            first = Math.Max(first, CeilingDivide(low, step));
            last = Math.Min(last, FloorDivide(high, step));
        }

        // The first trip of the residue class of the loop that is not before the range.
        first += Modulo(residue - first, loop.Every);
        return last < first ? (0, 0) : ((int)first, (int)((last - first) / loop.Every) + 1);
    }

    // The smallest k from 0 with start + step * k divisible, or -1; the next ones are `every` apart.
    private static long Residue(long start, long step, long divisor, long every)
    {
        for (var k = 0L; k < every; k++)
        {
            if (Modulo(start + (step * k), divisor) == 0)
            {
                return k;
            }
        }

        return -1;
    }

    private static long Modulo(long value, long divisor) => ((value % divisor) + divisor) % divisor;

    private static long GreatestCommonDivisor(long a, long b)
    {
        while (b != 0)
        {
            (a, b) = (b, a % b);
        }

        return a;
    }

    private static long FloorDivide(long value, long divisor) => value >= 0 ? value / divisor : -((-value + divisor - 1) / divisor);

    private static long CeilingDivide(long value, long divisor) => -FloorDivide(-value, divisor);

    private readonly record struct Loop(int Index, int Extent, int Every, long InputStep, long KernelStep);
}
