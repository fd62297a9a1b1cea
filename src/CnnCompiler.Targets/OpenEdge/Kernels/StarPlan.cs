using System.Runtime.Intrinsics;
using CnnCompiler.Image.OpenEdge;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>
/// How the items of a few output channels (an item is an input channel in a row of the window) are shared out to the passes of a <see cref="StarKernel"/>:
/// [pass][stream][slot] gives an item, or -1 for none. Every cell of a pass can add up its products in two lanes of sixteen bits (<see cref="Bins"/>).
/// </summary>
/// <param name="Slots">Items by pass, stream and slot.</param>
public sealed record StarPlan(IReadOnlyList<IReadOnlyList<IReadOnlyList<int>>> Slots)
{
    /// <summary>Streams of a pass.</summary>
    public const int Streams = 2;

    /// <summary>Slots of a stream at most: what 32 steps hold.</summary>
    public const int MostSlots = 12;

    /// <summary>
    /// Magnitudes of weights that may be added up before the lanes are taken apart: with codes of at most 128 in magnitude a lane stays within 255 * 128 = 32,640.
    /// </summary>
    public const int Capacity = 255;

    /// <summary>Passes of a plan.</summary>
    public int Passes => Slots.Count;

    /// <summary>
    /// Splits the products of a cell into two sums, none of which may exceed the <see cref="Capacity"/>; both have at least one product. They take turns as
    /// far as that is possible: the less the code of passes differs, the less of it is loaded.
    /// </summary>
    /// <param name="weights">The cell's weights by slot.</param>
    /// <param name="first">The slot whose product the first sum begins with, those before it belong to the second; -1 where any may.</param>
    /// <returns>A bit for each slot whose product belongs to the first sum, or null where there is no such split.</returns>
    public static int? Bins(ReadOnlySpan<int> weights, int first)
    {
        if (!CanSplit(weights, first))
        {
            return null;
        }

        var all = (1 << weights.Length) - 1;
        Span<int> sums = stackalloc int[all + 1];
        sums[0] = 0;
        (int Turns, int Largest, int Mask)? best = null;
        var turns = 0;
        for (var slot = Math.Max(first, 0); slot < weights.Length; slot += 2)
        {
            turns |= 1 << slot;
        }

        var total = 0;
        foreach (var weight in weights)
        {
            total += Math.Abs(weight);
        }

        for (var mask = 1; mask < all; mask++)
        {
            sums[mask] = sums[mask & (mask - 1)] + Math.Abs(weights[System.Numerics.BitOperations.TrailingZeroCount(mask)]);
            var begins = first < 0 || System.Numerics.BitOperations.TrailingZeroCount(mask) == first;
            var largest = Math.Max(sums[mask], total - sums[mask]);
            var split = (System.Numerics.BitOperations.PopCount((uint)(mask ^ turns)), largest, mask);
            if (begins && largest <= Capacity && (best is not { } known || split.CompareTo(known) < 0))
            {
                best = split;
            }
        }

        return best?.Mask;
    }

    /// <summary>True where <see cref="Bins"/> finds a split; by the sums that can be reached, not by all splits.</summary>
    /// <param name="weights">The cell's weights by slot.</param>
    /// <param name="first">The slot with which the first sum begins, or -1.</param>
    public static bool CanSplit(ReadOnlySpan<int> weights, int first)
    {
        var total = 0;
        foreach (var weight in weights)
        {
            total += Math.Abs(weight);
        }

        if (weights.Length < 2 || total > 2 * Capacity)
        {
            return false;
        }

        if (total <= Capacity)
        {
            return true;
        }

        // bit n stands for a first sum of n; none is larger than the capacity
        var began = first < 0 ? 0 : Math.Abs(weights[first]);
        if (began > Capacity)
        {
            return false;
        }

        Span<ulong> reached = stackalloc ulong[Words];
        reached.Clear();
        reached[began / WordBits] |= 1UL << (began % WordBits);
        for (var slot = first + 1; slot < weights.Length; slot++)
        {
            var weight = Math.Abs(weights[slot]);
            for (var word = Words - 1; word >= weight / WordBits; word--)
            {
                var from = word - (weight / WordBits);
                reached[word] |= (reached[from] << (weight % WordBits)) | (weight % WordBits == 0 || from == 0 ? 0 : reached[from - 1] >> (WordBits - (weight % WordBits)));
            }
        }

        for (var sum = total - Capacity; sum <= Capacity; sum++)
        {
            if ((reached[sum / WordBits] >> (sum % WordBits) & 1) != 0)
            {
                return true;
            }
        }

        return false;
    }

    private const int WordBits = sizeof(ulong) * 8;

    /// <summary>Words with a bit for every sum up to the <see cref="Capacity"/>.</summary>
    private const int Words = (Capacity / WordBits) + 1;

    /// <summary>Plans the passes of a few channels; null where no plan of at most <paramref name="mostPasses"/> was found.</summary>
    /// <param name="walk">Where the items' inputs lie.</param>
    /// <param name="weights">Weights by cell and item.</param>
    /// <param name="firsts">For each cell the slot with which its first sum begins, or -1.</param>
    /// <param name="limits">Slots of a stream, at least and at most.</param>
    /// <param name="mostPasses">Passes at most.</param>
    public static StarPlan? Make(StarWalk walk, IReadOnlyList<int[]> weights, IReadOnlyList<int> firsts, (int Fewest, int Most) limits, int mostPasses)
    {
        var items = walk.Offsets.Count;
        var fewest = Math.Max((items + (Streams * limits.Most) - 1) / (Streams * limits.Most), weights.Max(FewestPasses));
        var magnitudes = Magnitudes(weights, items);
        for (var passes = fewest; passes <= mostPasses; passes++)
        {
            var groups = passes * Streams;
            // a region whose parts lie apart leaves few ways through it: where there is none, the parts are regions of their own
            foreach (var reach in (int[])[OpenEdgeInstruction.MaxImmediate, OpenEdgeInstruction.MaxImmediate / 2])
            {
                if (Regions(walk, reach, groups, limits.Most) is not { } regions)
                {
                    continue;
                }

                var slots = Math.Max(limits.Fewest, regions.Max(r => (r.Items.Length + r.Groups - 1) / r.Groups));
                for (var attempt = 0; attempt < Attempts; attempt++)
                {
                    if (Share(walk, weights, magnitudes, firsts, regions, slots, (uint)((passes * Attempts) + attempt + 1)) is { } shared)
                    {
                        return new([.. Enumerable.Range(0, passes).Select(p => shared[(p * Streams)..((p + 1) * Streams)])]);
                    }
                }
            }
        }

        return null;
    }

    /// <summary>Passes that a cell's weights need at least: for their sum, and because a sum holds n weights of more than capacity / (n + 1) at most.</summary>
    private static int FewestPasses(int[] weights)
    {
        const int Sums = 2 * Streams;
        var fewest = (weights.Sum(Math.Abs) + (Sums * Capacity) - 1) / (Sums * Capacity);
        for (var held = 1; held < MostSlots; held++)
        {
            var heavy = weights.Count(w => Math.Abs(w) > Capacity / (held + 1));
            fewest = Math.Max(fewest, (heavy + (Sums * held) - 1) / (Sums * held));
        }

        return fewest;
    }

    /// <summary>Magnitudes of the weights by item and cell, cells filled up to whole vectors; the last item is the one of an empty slot.</summary>
    private static Vector256<int>[] Magnitudes(IReadOnlyList<int[]> weights, int items)
    {
        var width = (weights.Count + Vector256<int>.Count - 1) / Vector256<int>.Count;
        var magnitudes = new Vector256<int>[(items + 1) * width];
        for (var cell = 0; cell < weights.Count; cell++)
        {
            for (var item = 0; item < items; item++)
            {
                ref var vector = ref magnitudes[(item * width) + (cell / Vector256<int>.Count)];
                vector = vector.WithElement(cell % Vector256<int>.Count, Math.Abs(weights[cell][item]));
            }
        }

        return magnitudes;
    }

    /// <summary>Different beginnings of the search that are tried.</summary>
    private const int Attempts = 4;

    /// <summary>Exchanges of the search, for each group.</summary>
    private const int Exchanges = 600;

    /// <summary>Room that is left in a cell, so that its weights can be split in two.</summary>
    private const int Slack = 10;

    /// <summary>Items that a stream can walk through, and the groups that have them.</summary>
    private readonly record struct Region(int[] Items, int FirstGroup, int Groups);

    /// <summary>The items by regions that lie further apart than <paramref name="reach"/> bytes, each with its share of the groups; null where those can't hold them.</summary>
    private static Region[]? Regions(StarWalk walk, int reach, int groups, int mostSlots)
    {
        var order = Enumerable.Range(0, walk.Offsets.Count).OrderBy(i => walk.Offsets[i]).ThenBy(i => i).ToArray();
        var parts = new List<List<int>>();
        for (var i = 0; i < order.Length; i++)
        {
            if (i == 0 || walk.Offsets[order[i]] - walk.Offsets[order[i - 1]] > reach)
            {
                parts.Add([]);
            }

            parts[^1].Add(order[i]);
        }

        // one group more at a time where groups are fullest
        var shares = parts.Select(_ => 1).ToArray();
        for (var left = groups - parts.Count; left > 0; left--)
        {
            shares[Enumerable.Range(0, shares.Length).MaxBy(p => (double)parts[p].Count / shares[p])]++;
        }

        return parts.Count > groups || parts.Where((part, p) => part.Count > shares[p] * mostSlots).Any()
            ? null
            : [.. parts.Select((part, p) => new Region([.. part], shares.Take(p).Sum(), shares[p]))];
    }

    private static IReadOnlyList<int>[]? Share(
        StarWalk walk, IReadOnlyList<int[]> weights, Vector256<int>[] magnitudes, IReadOnlyList<int> firsts, Region[] regions, int slots, uint seed)
    {
        // dealt in the order of addresses, so that every group has items all over its region
        var none = walk.Offsets.Count;
        var width = magnitudes.Length / (none + 1);
        var groups = regions.Sum(r => r.Groups);
        var group = new int[groups * slots];
        var regionOf = new Region[groups];
        Array.Fill(group, none);
        foreach (var region in regions)
        {
            Array.Fill(regionOf, region, region.FirstGroup, region.Groups);
            for (var i = 0; i < region.Items.Length; i++)
            {
                group[((region.FirstGroup + (i % region.Groups)) * slots) + (i / region.Groups)] = region.Items[i];
            }
        }

        // room for splits is left only where there is enough of it
        var limit = Vector256.Create(weights.All(cell => cell.Sum(Math.Abs) <= groups * (long)((2 * Capacity) - Slack)) ? (2 * Capacity) - Slack : 2 * Capacity);
        var sums = new Vector256<int>[groups * width];
        var excesses = new int[groups];
        var all = 0;
        for (var g = 0; g < groups; g++)
        {
            for (var w = 0; w < width; w++)
            {
                for (var s = 0; s < slots; s++)
                {
                    sums[(g * width) + w] += magnitudes[(group[(g * slots) + s] * width) + w];
                }

                excesses[g] += Excess(sums[(g * width) + w], limit);
            }

            all += excesses[g];
        }

        // items of neighbouring groups in the same place lie near each other: exchanging them keeps the distances between slots short
        var random = new Lfsr(seed);
        for (var exchange = 0; all > 0 && exchange < Exchanges * groups; exchange++)
        {
            var a = random.Next(groups);
            var b = regionOf[a].FirstGroup + random.Next(regionOf[a].Groups);
            var before = a == b ? 0 : excesses[a] + excesses[b];
            if (before == 0)
            {
                continue;
            }

            var place = random.Next(slots);
            ref var x = ref group[(a * slots) + place];
            ref var y = ref group[(b * slots) + place];
            ReadOnlySpan<Vector256<int>> ofX = magnitudes.AsSpan(x * width, width);
            ReadOnlySpan<Vector256<int>> ofY = magnitudes.AsSpan(y * width, width);
            var sumsA = sums.AsSpan(a * width, width);
            var sumsB = sums.AsSpan(b * width, width);
            var (left, right) = (0, 0);
            for (var w = 0; w < width; w++)
            {
                var change = ofY[w] - ofX[w];
                left += Excess(sumsA[w] + change, limit);
                right += Excess(sumsB[w] - change, limit);
            }

            if (left + right > before)
            {
                continue;
            }

            for (var w = 0; w < width; w++)
            {
                var change = ofY[w] - ofX[w];
                sumsA[w] += change;
                sumsB[w] -= change;
            }

            (x, y) = (y, x);
            (excesses[a], excesses[b]) = (left, right);
            all += left + right - before;
        }

        // within the slack a split may still be found, past the lanes' capacity never
        if (Array.Exists(sums, sum => Vector256.GreaterThanAny(sum, Vector256.Create(2 * Capacity))))
        {
            return null;
        }

        for (var i = 0; i < group.Length; i++)
        {
            group[i] = group[i] == none ? -1 : group[i];
        }

        var result = new IReadOnlyList<int>[groups];
        for (var g = 0; g < groups; g++)
        {
            if (Ordered(group[(g * slots)..((g + 1) * slots)], walk, weights, firsts, random) is not { } ordered)
            {
                return null;
            }

            result[g] = ordered;
        }

        return result;
    }

    /// <summary>By how much sums are above a limit, together.</summary>
    private static int Excess(Vector256<int> sums, Vector256<int> limit) => Vector256.Sum(Vector256.Max(sums - limit, Vector256<int>.Zero));

    /// <summary>The items in an order in which the pointer's moves fit and every cell can split its weights.</summary>
    private static int[]? Ordered(int[] items, StarWalk walk, IReadOnlyList<int[]> weights, IReadOnlyList<int> firsts, Lfsr random)
    {
        // up with every other item, down with the rest; slots without an item lie between them and stay where the pointer is
        const int Turns = 40;
        var sorted = items.Where(i => i >= 0).OrderBy(i => walk.Offsets[i]).ThenBy(i => i).ToArray();
        var empty = items.Length - sorted.Length;
        for (var turn = 0; turn < Turns; turn++)
        {
            var up = turn == 0 ? sorted.Where((_, i) => i % 2 == 0).ToArray() : [.. sorted.Where(_ => random.Next(2) == 0)];
            List<int> cycle = [.. up, .. sorted.Except(up).Reverse()];
            for (var e = 0; e < empty; e++)
            {
                cycle.Insert(turn == 0 ? (e + 1) * cycle.Count / (empty + 1) : random.Next(cycle.Count + 1), -1);
            }

            for (var rotation = 0; rotation < cycle.Count; rotation++)
            {
                int[] order = [.. cycle[rotation..], .. cycle[..rotation]];
                if (CanSplitAll(order, weights, firsts) && walk.Moves(order) is not null)
                {
                    return order;
                }
            }
        }

        return null;
    }

    private static bool CanSplitAll(ReadOnlySpan<int> order, IReadOnlyList<int[]> weights, IReadOnlyList<int> firsts)
    {
        Span<int> own = stackalloc int[MostSlots];
        own = own[..order.Length];
        for (var cell = 0; cell < weights.Count; cell++)
        {
            for (var slot = 0; slot < own.Length; slot++)
            {
                own[slot] = order[slot] < 0 ? 0 : weights[cell][order[slot]];
            }

            if (!CanSplit(own, firsts[cell]))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>A linear feedback shift register of 32 bits (taps 32, 22, 2, 1), sixteen steps a number: the same numbers everywhere.</summary>
    private sealed class Lfsr(uint seed)
    {
        private const int StepsOfTable = 8;
        private static readonly uint[] Steps = [.. Enumerable.Range(0, 1 << StepsOfTable).Select(low => Step((uint)low))];
        private uint _state = (seed * 2654435761u) | 1;

        public int Next(int below)
        {
            _state = (_state >> StepsOfTable) ^ Steps[(byte)_state];
            _state = (_state >> StepsOfTable) ^ Steps[(byte)_state];
            return (int)(_state % (uint)below);
        }

        private static uint Step(uint state)
        {
            for (var i = 0; i < StepsOfTable; i++)
            {
                state = (state >> 1) ^ ((state & 1) * 0x80200003u);
            }

            return state;
        }
    }
}
