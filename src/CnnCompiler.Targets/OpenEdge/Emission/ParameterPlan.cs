using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Targets.OpenEdge.Emission;

/// <summary>A part of a launch's parameter block that the host copies from flash.</summary>
/// <param name="Launch">Whose block.</param>
/// <param name="Offset">First word.</param>
/// <param name="Words">Number of words.</param>
internal readonly record struct ParameterCopy(int Launch, int Offset, int Words);

/// <summary>
/// Where the parameter blocks that don't stay in RAM lie and when the host copies them: as early as RAM has room, beside launches that leave the host
/// idle, in the order of their use. A block takes room above all buffers of the steps from the launch beside which its copy begins to its own.
/// </summary>
internal sealed class ParameterPlan
{
    /// <summary>Host cycles beside a launch that aren't for copies: serving the interrupt of the launch before, registers.</summary>
    private const int Reserve = 30;
    private const int WordBytes = 4;

    private readonly List<(int Launch, long Address, long End)> _blocks = [];

    private ParameterPlan(int launches) => (Addresses, ExposedBefore, Copies) = (new int[launches], new long[launches], [.. Enumerable.Range(0, launches).Select(_ => new List<ParameterCopy>())]);

    /// <summary>RAM byte address of every launch's block; of no meaning where the launch has none, or has it in RAM.</summary>
    public int[] Addresses { get; }

    /// <summary>What the host copies beside the launch before each launch.</summary>
    public IReadOnlyList<List<ParameterCopy>> Copies { get; }

    /// <summary>Host cycles before each launch that the launch before it doesn't hide, about.</summary>
    public long[] ExposedBefore { get; }

    /// <summary>Host cycles that no launch hides, about.</summary>
    public long Exposed => ExposedBefore.Sum();

    /// <summary>Plans; null where a block finds no room.</summary>
    /// <param name="host">Costs of the host's steps.</param>
    /// <param name="launches">The launches in order.</param>
    /// <param name="stays">True for launches whose parameters stay in RAM.</param>
    /// <param name="loadCycles">Host cycles of loading code before a launch.</param>
    /// <param name="top">For each step the first byte address above its buffers.</param>
    /// <param name="limit">First byte address that isn't free.</param>
    /// <param name="slots">Two addresses for blocks that find no room elsewhere, or none.</param>
    public static ParameterPlan? Make(
        HostDescription host, IReadOnlyList<ResidentLaunch> launches, Func<int, bool> stays, Func<int, long> loadCycles, long[] top, long limit, IReadOnlyList<int> slots)
    {
        var plan = new ParameterPlan(launches.Count);
        int[] jobs = [.. Enumerable.Range(0, launches.Count).Where(i => launches[i].ParameterWords > 0 && !stays(i))];
        var (next, copied, slot) = (0, 0, 0);
        for (var launch = 0; launch < launches.Count; launch++)
        {
            var room = launches[launch].ArrayBefore - host.LaunchOverhead - Reserve - loadCycles(launch);
            while (next < jobs.Length && (jobs[next] == launch || room >= host.FlashToRam))
            {
                var job = jobs[next];
                if (copied == 0 && !plan.Place(launches, job, Math.Max(0, launch - 1), top, limit))
                {
                    if (job != launch)
                    {
                        break;
                    }

                    if (slots.Count == 0)
                    {
                        return null;
                    }

                    plan.Addresses[job] = slots[slot];
                    slot = 1 - slot;
                }

                var left = launches[job].ParameterWords - copied;
                var words = job == launch ? left : (int)Math.Min(left, room / host.FlashToRam);
                plan.Copies[launch].Add(new(job, copied, words));
                room -= (long)words * host.FlashToRam;
                copied += words;
                if (copied == launches[job].ParameterWords)
                {
                    (next, copied) = (next + 1, 0);
                }
            }

            plan.ExposedBefore[launch] = Math.Max(0, -room);
        }

        return plan;
    }

    /// <summary>Gives a block the lowest room that is free from the launch beside which its copy begins to its own.</summary>
    private bool Place(IReadOnlyList<ResidentLaunch> launches, int job, int beside, long[] top, long limit)
    {
        // a block that the launch beside reads is still needed
        _blocks.RemoveAll(b => b.Launch < beside);
        long address = 0;
        for (var step = launches[beside].Step; step <= launches[job].Step; step++)
        {
            address = Math.Max(address, top[step]);
        }

        var bytes = (long)launches[job].ParameterWords * WordBytes;
        foreach (var block in _blocks.OrderBy(b => b.Address))
        {
            if (block.Address < address + bytes && address < block.End)
            {
                address = block.End;
            }
        }

        if (address + bytes > limit)
        {
            return false;
        }

        _blocks.Add((job, address, address + bytes));
        Addresses[job] = (int)address;
        return true;
    }
}
