using CnnCompiler.Image.Nests;

namespace CnnCompiler.Targets.Nests.Chip;

/// <summary>A way to run a step in turn with others.</summary>
/// <param name="Cost">What it costs.</param>
/// <param name="Bytes">Bytes of the buffer for its boxes and for the tensors that are there as a whole from this step on, or, at the first one in turn, are there.</param>
/// <param name="Plan">Its mapping.</param>
internal readonly record struct TurnWay(ChipCost Cost, long Bytes, NestPlan? Plan);

/// <summary>The steps of a program, with the ways in which they may run.</summary>
internal interface ITurnSteps
{
    /// <summary>Number of steps.</summary>
    int Count { get; }

    /// <summary>What a step costs alone.</summary>
    ChipCost Now(int step);

    /// <summary>True where a step can hand tiles over to the next one.</summary>
    bool Hands(int step);

    /// <summary>Number of a step's variants, each with outermost loops of its own.</summary>
    int Variants(int step);

    /// <summary>The window between variants of a step and the next one; null where they do not fit each other.</summary>
    TileWindow? Window(int step, int from, int to);

    /// <summary>How a variant runs as the first one in turn.</summary>
    IEnumerable<TurnWay> First(int step, int variant);

    /// <summary>How a variant runs between others, or as the last one, which hands nothing over.</summary>
    IEnumerable<TurnWay> Behind(int step, int variant, bool hands);

    /// <summary>True where a step can run in turn with those before it, from the first one on: none reads from DRAM, or writes there, what another one writes there.</summary>
    bool IsApart(int first, int step, bool hands);
}

/// <summary>A way to have come to a step.</summary>
/// <param name="Before">The way to the step before.</param>
/// <param name="Step">The step; -1 before the first one.</param>
/// <param name="Variant">Its variant; -1 where it runs alone.</param>
/// <param name="Plan">Its mapping in turn with others; null where it runs alone.</param>
/// <param name="Window">The window that it takes tiles from.</param>
/// <param name="Cycles">Cycles up to the step.</param>
/// <param name="Energy">Energy up to it, attojoules.</param>
internal sealed record TurnPath(TurnPath? Before, int Step, int Variant, NestPlan? Plan, TileWindow? Window, long Cycles, Int128 Energy)
{
    /// <summary>Bytes of the boxes of its input.</summary>
    public long Boxes { get; private init; }

    /// <summary>Cycles, then energy.</summary>
    private (long, Int128) Cost => (Cycles, Energy);

    /// <summary>Bytes of the buffer that the steps in turn use up to it, where it hands tiles over.</summary>
    private long Used { get; init; }

    /// <summary>Number of these steps.</summary>
    private int InTurn { get; init; }

    /// <summary>Energy of these steps beyond what they need one after the other, attojoules.</summary>
    private Int128 Excess { get; init; }

    /// <summary>
    /// The cheapest way through all steps, cycles first, in which steps in turn use so many bytes of the buffer and need no more energy than one after the other. It is exact: what is left out at a step is
    /// a way to the same variant that nothing speaks for, now or later.
    /// </summary>
    /// <param name="steps">The steps.</param>
    /// <param name="room">Bytes of the buffer.</param>
    /// <param name="cancellation">Ends early.</param>
    /// <returns>For each step how it runs.</returns>
    public static IReadOnlyList<TurnPath> Cheapest(ITurnSteps steps, long room, CancellationToken cancellation)
    {
        var closed = new TurnPath(null, -1, -1, null, null, 0, 0);
        var open = new List<TurnPath>();
        for (var i = 0; i < steps.Count; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            var (now, next) = (steps.Now(i), new List<TurnPath>());
            var end = closed.Then(i, -1, null, new(now, 0, null), now);
            for (var variant = 0; steps.Hands(i) && variant < steps.Variants(i); variant++)
            {
                foreach (var way in steps.First(i, variant))
                {
                    Add(closed.Then(i, variant, null, way, now));
                }
            }

            foreach (var before in open)
            {
                var (mayHand, mayEnd) = (steps.Hands(i) && before.InTurn + 1 < ChipContents.MostInTurn && steps.IsApart(i - before.InTurn, i, true), steps.IsApart(i - before.InTurn, i, false));
                for (var variant = 0; variant < steps.Variants(i); variant++)
                {
                    if (steps.Window(i - 1, before.Variant, variant) is not { } window)
                    {
                        continue;
                    }

                    foreach (var way in mayHand ? steps.Behind(i, variant, true) : [])
                    {
                        Add(before.Then(i, variant, window, way, now));
                    }

                    foreach (var way in mayEnd ? steps.Behind(i, variant, false) : [])
                    {
                        var last = before.Then(i, variant, window, way, now);
                        if (last.Used <= room && last.Excess <= 0 && last.Cost.CompareTo(end.Cost) < 0)
                        {
                            end = last with { Used = 0, InTurn = 0, Excess = 0 };
                        }
                    }
                }
            }

            (closed, open) = (end, next);

            void Add(TurnPath path)
            {
                if (path.Used <= room && !next.Exists(other => other.IsNoWorse(path)))
                {
                    next.RemoveAll(path.IsNoWorse);
                    next.Add(path);
                }
            }
        }

        var all = new List<TurnPath>();
        for (var path = closed; path is { Step: >= 0 }; path = path.Before!)
        {
            all.Add(path);
        }

        all.Reverse();
        return all;
    }

    /// <summary>True where another way to the same variant is of no use.</summary>
    private bool IsNoWorse(TurnPath other) =>
        Variant == other.Variant && Used <= other.Used && Cost.CompareTo(other.Cost) <= 0 && Excess <= other.Excess && InTurn <= other.InTurn;

    private TurnPath Then(int step, int variant, TileWindow? window, TurnWay way, ChipCost now) =>
        new(this, step, variant, way.Plan, window, Cycles + way.Cost.Cycles, Energy + way.Cost.Energy)
        {
            Boxes = way.Cost.Boxes,
            Used = variant < 0 ? 0 : Used + (window is null ? 0 : ChipProgram.Aligned(window.Bytes)) + way.Bytes,
            InTurn = variant < 0 ? 0 : InTurn + 1,
            Excess = variant < 0 ? 0 : Excess + way.Cost.Energy - now.Energy,
        };
}
