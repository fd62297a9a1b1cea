using System.Globalization;
using CnnCompiler.Core;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Passes.Memory;

/// <summary>
/// Gives ranges of known lifetime addresses (dynamic storage allocation). Every range is put at the lowest address that is free during its life;
/// only the order in which ranges are put matters, and some order gives the optimum. Several orders by size and lifetime are tried, then orders
/// that move the range at the peak forward, then an exhaustive search with a node budget, until the lower bound is met. Deterministic.
/// </summary>
public static class MemoryPlanner
{
    /// <summary>The most ranges a plan may have: placement takes time in the square of them.</summary>
    public const int MaxRanges = 20_000;

    // Placements that the two searches may try in all; a placement looks at every range already put.
    private const long PromotionBudget = 4_000_000;
    private const int ExhaustiveBudget = 20_000;
    private const int ExhaustiveRanges = 14;

    /// <summary>Plans a memory.</summary>
    /// <param name="ranges">The ranges.</param>
    /// <param name="capacityBytes">Bytes available from <paramref name="baseAddress"/> on.</param>
    /// <param name="baseAddress">First byte address available, 0 or more.</param>
    /// <param name="resource">What the memory is called in messages.</param>
    /// <param name="stepName">What a step is called in messages; its number where null.</param>
    public static MemoryPlanResult Plan(
        IReadOnlyList<PlannedRange> ranges,
        long capacityBytes,
        long baseAddress,
        string resource = "RAM",
        Func<int, string>? stepName = null)
    {
        var errors = Malformed(ranges);
        if (errors.Count > 0)
        {
            return new(null, errors.ToEquatableArray());
        }

        var (lowerBound, peakStep) = LowerBound(ranges);
        stepName ??= step => string.Create(CultureInfo.InvariantCulture, $"step {step}");
        if (lowerBound > capacityBytes)
        {
            return new(null, [MemoryDiagnostics.TooLittleMemory(resource, lowerBound, capacityBytes, stepName(peakStep), Biggest(ranges, peakStep))]);
        }

        var search = new Search([.. ranges], baseAddress, lowerBound);
        search.Run();
        if (search.BestPeak > capacityBytes)
        {
            return new(null, [MemoryDiagnostics.NoArrangement(resource, search.BestPeak, capacityBytes, lowerBound, stepName(peakStep), Biggest(ranges, peakStep))]);
        }

        var placements = ranges.Select((range, i) => new MemoryPlacement(range.Name, search.Best[i])).ToEquatableArray();
        return new(new(placements, search.BestPeak, lowerBound, peakStep), []);
    }

    /// <summary>The largest sum of bytes live at one step, and the first such step (0 where there are no ranges).</summary>
    public static (long Bytes, int Step) LowerBound(IReadOnlyList<PlannedRange> ranges)
    {
        // Only where a range begins can the sum reach a new maximum.
        var events = ranges
            .SelectMany(range => ((long Step, long Change)[])[(range.FirstStep, range.Bytes), (range.LastStep + 1L, -range.Bytes)])
            .OrderBy(e => e.Step)
            .ThenBy(e => e.Change);
        long live = 0;
        long most = 0;
        var at = ranges.Count == 0 ? 0 : ranges.Min(range => range.FirstStep);
        foreach (var (step, change) in events)
        {
            live += change;
            if (live > most)
            {
                (most, at) = (live, (int)step);
            }
        }

        return (most, at);
    }

    private static List<Diagnostic> Malformed(IReadOnlyList<PlannedRange> ranges)
    {
        var errors = new List<Diagnostic>();
        if (ranges.Count > MaxRanges)
        {
            errors.Add(MemoryDiagnostics.TooManyRanges(ranges.Count, MaxRanges));
            return errors;
        }

        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var range in ranges)
        {
            // 2^40 bytes and a million times that many ranges stay far from 64 bits
            if (range.Bytes is < 0 or > 1L << 40 || range.LastStep < range.FirstStep || range.Alignment is < 1 or > 1 << 20)
            {
                errors.Add(MemoryDiagnostics.BadRange(range.Name, range.Bytes, range.FirstStep, range.LastStep, range.Alignment));
            }

            if (!names.Add(range.Name))
            {
                errors.Add(MemoryDiagnostics.DuplicateRange(range.Name));
            }
        }

        return errors;
    }

    private static string Biggest(IReadOnlyList<PlannedRange> ranges, int step)
    {
        const int shown = 4;
        var live = ranges.Where(range => range.FirstStep <= step && step <= range.LastStep).OrderByDescending(range => range.Bytes).ThenBy(range => range.Name, StringComparer.Ordinal).ToArray();
        var text = string.Join(", ", live.Take(shown).Select(range => string.Create(CultureInfo.InvariantCulture, $"{range.Name} ({range.Bytes} bytes)")));
        return live.Length > shown ? string.Create(CultureInfo.InvariantCulture, $"{text} and {live.Length - shown} more") : text;
    }

    // The orders tried and the best addresses so far.
    private sealed class Search(PlannedRange[] ranges, long baseAddress, long lowerBound)
    {
        private readonly long[] _address = new long[ranges.Length];

        // Indices of the ranges put so far, by ascending address.
        private readonly List<int> _put = new(ranges.Length);

        public long[] Best { get; } = new long[ranges.Length];

        public long BestPeak { get; private set; } = long.MaxValue;

        private bool Done => BestPeak <= lowerBound;

        public void Run()
        {
            var bestOrder = Enumerable.Range(0, ranges.Length).ToArray();
            foreach (var order in Orders())
            {
                var before = BestPeak;
                Try(order);
                bestOrder = BestPeak < before ? order : bestOrder;
                if (Done)
                {
                    return;
                }
            }

            Promote(bestOrder);
            if (!Done && ranges.Length <= ExhaustiveRanges)
            {
                _put.Clear();
                var budget = ExhaustiveBudget;
                Exhaust(new bool[ranges.Length], 0, ref budget);
            }
        }

        // Ties are broken by the index, so every order is total.
        private IEnumerable<int[]> Orders()
        {
            var all = Enumerable.Range(0, ranges.Length).ToArray();
            long Life(int i) => (long)ranges[i].LastStep - ranges[i].FirstStep + 1;
            yield return [.. all.OrderByDescending(i => ranges[i].Bytes).ThenByDescending(Life)];
            yield return [.. all.OrderByDescending(i => (double)ranges[i].Bytes * Life(i))];
            yield return [.. all.OrderByDescending(Life).ThenByDescending(i => ranges[i].Bytes)];
            yield return [.. all.OrderBy(i => ranges[i].FirstStep).ThenByDescending(i => ranges[i].Bytes)];
            yield return [.. all.OrderByDescending(i => ranges[i].LastStep).ThenByDescending(i => ranges[i].Bytes)];

            // what is live at the fullest step first: it has to share the memory anyway
            var (_, step) = LowerBound(ranges);
            bool AtPeak(int i) => ranges[i].FirstStep <= step && step <= ranges[i].LastStep;
            yield return [.. all.OrderByDescending(AtPeak).ThenByDescending(i => ranges[i].Bytes)];
            yield return [.. all.OrderByDescending(AtPeak).ThenByDescending(Life).ThenByDescending(i => ranges[i].Bytes)];
        }

        // The range that ends highest was put too late: put it first and see.
        private void Promote(int[] start)
        {
            var order = start.ToArray();
            var rounds = PromotionBudget / Math.Max(1, (long)ranges.Length * ranges.Length);
            for (var round = 0; round < Math.Min(rounds, 400) && !Done; round++)
            {
                Try(order);
                var highest = 0;
                for (var k = 1; k < order.Length; k++)
                {
                    highest = End(order[k]) > End(order[highest]) ? k : highest;
                }

                var range = order[highest];
                Array.Copy(order, 0, order, 1, highest);
                order[0] = range;
            }
        }

        private long End(int i) => _address[i] + ranges[i].Bytes;

        private void Try(int[] order)
        {
            _put.Clear();
            long peak = 0;
            foreach (var i in order)
            {
                Put(i);
                peak = Math.Max(peak, End(i) - baseAddress);
                if (peak >= BestPeak && order.Length > ExhaustiveRanges * 8)
                {
                    // the remaining ranges keep the addresses of the last order, which only steers the next one
                    return;
                }
            }

            Keep(peak);
        }

        private void Keep(long peak)
        {
            if (peak < BestPeak)
            {
                BestPeak = peak;
                _address.CopyTo(Best, 0);
            }
        }

        // Lowest address that is free during the range's life.
        private void Put(int i)
        {
            var range = ranges[i];
            var address = Align(baseAddress, range.Alignment);
            foreach (var other in _put)
            {
                if (ranges[other].IsLiveWith(range) && _address[other] < address + range.Bytes && End(other) > address)
                {
                    address = Align(End(other), range.Alignment);
                }
            }

            _address[i] = address;
            var at = _put.Count;
            while (at > 0 && _address[_put[at - 1]] > address)
            {
                at--;
            }

            _put.Insert(at, i);
        }

        private static long Align(long address, int alignment) => (address + alignment - 1) / alignment * alignment;

        private void Exhaust(bool[] used, long peak, ref int budget)
        {
            if (_put.Count == ranges.Length)
            {
                Keep(peak);
                return;
            }

            for (var i = 0; i < ranges.Length && budget > 0 && !Done; i++)
            {
                if (used[i])
                {
                    continue;
                }

                budget--;
                Put(i);
                var with = Math.Max(peak, End(i) - baseAddress);
                if (with < BestPeak)
                {
                    used[i] = true;
                    Exhaust(used, with, ref budget);
                    used[i] = false;
                }

                _put.Remove(i);
            }
        }
    }
}
