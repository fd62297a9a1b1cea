using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Targets.OpenEdge.Emission;

/// <summary>A part of what a launch needs that the host copies from flash.</summary>
/// <param name="Launch">Which launch.</param>
/// <param name="IsCode">True for its code, false for its parameter block.</param>
/// <param name="Offset">First word.</param>
/// <param name="Words">Number of words.</param>
internal readonly record struct ParameterCopy(int Launch, bool IsCode, int Offset, int Words);

/// <summary>
/// Where the parameter blocks and the code that don't stay in RAM lie and when the host copies them: as early as RAM has room, beside launches that leave the host
/// idle, in the order of their use. A block takes room above all buffers of the steps from the launch beside which its copy begins to its own. Code is copied
/// only where loading it from flash would keep the array waiting, and comes from flash where there is no room in time.
/// </summary>
internal sealed class ParameterPlan
{
    /// <summary>Host cycles beside a launch that aren't for copies: serving the interrupt of the launch before, registers.</summary>
    private const int Reserve = 30;
    private const int WordBytes = 4;

    /// <summary>Blocks that are needed now or later, by address.</summary>
    private readonly List<(int Launch, long Address, long End)> _blocks = [];

    private ParameterPlan(int launches)
    {
        (Addresses, CodeAddresses, ExposedBefore, BusWordsBefore) = (new int[launches], new int?[launches], new long[launches], new long[launches]);
        Copies = [.. Enumerable.Range(0, launches).Select(_ => new List<ParameterCopy>())];
    }

    /// <summary>RAM byte address of every launch's block; of no meaning where the launch has none, or has it in RAM.</summary>
    public int[] Addresses { get; }

    /// <summary>RAM byte address to which each launch's code is copied; null where it isn't.</summary>
    public int?[] CodeAddresses { get; }

    /// <summary>What the host copies beside the launch before each launch.</summary>
    public IReadOnlyList<List<ParameterCopy>> Copies { get; }

    /// <summary>Host cycles before each launch that the launch before it doesn't hide, about.</summary>
    public long[] ExposedBefore { get; }

    /// <summary>Words that the host moves before each launch beside the launch before it, about: on a shared bus each takes a cycle from the array.</summary>
    public long[] BusWordsBefore { get; }

    /// <summary>Host cycles that no launch hides, about.</summary>
    public long Exposed => ExposedBefore.Sum();

    /// <summary>Plans; null where a block finds no room.</summary>
    /// <param name="host">Costs of the host's steps.</param>
    /// <param name="launches">The launches in order.</param>
    /// <param name="codes">The code that they load.</param>
    /// <param name="inRam">What stays in RAM.</param>
    /// <param name="top">For each step the first byte address above its buffers.</param>
    /// <param name="limit">First byte address that isn't free.</param>
    /// <param name="slots">Two addresses for parameter blocks that find no room elsewhere, or none.</param>
    public static ParameterPlan? Make(
        HostDescription host, IReadOnlyList<ResidentLaunch> launches, IReadOnlyList<ResidentCode> codes, ResidentWords inRam, long[] top, long limit, IReadOnlyList<int> slots)
    {
        var plan = new ParameterPlan(launches.Count);
        (int Launch, bool IsCode, int Words)[] jobs =
        [
            .. Enumerable.Range(0, launches.Count).SelectMany(i => new[] { (i, true, IsCopied(i) ? codes[launches[i].Code].Words : 0), (i, false, inRam.HasParameters(i) ? 0 : launches[i].ParameterWords) })
                .Where(job => job.Item3 > 0),
        ];
        var (next, copied, begun, slot) = (0, 0, 0, 0);
        for (var launch = 0; launch < launches.Count; launch++)
        {
            // what the launch beside reads is still needed
            plan._blocks.RemoveAll(b => b.Launch < launch - 1);
            var code = launches[launch].Code < 0 ? default : codes[launches[launch].Code];
            if (next < jobs.Length && jobs[next].Launch == launch && jobs[next].IsCode
                && ((code.Words - copied) * (long)host.FlashToRam) + code.CyclesFromRam >= code.CyclesFromFlash)
            {
                // too little of it is there by now
                for (var beside = begun; copied > 0 && beside < launch; beside++)
                {
                    plan.Copies[beside].RemoveAll(copy => copy.Launch == launch && copy.IsCode);
                }

                plan.CodeAddresses[launch] = null;
                (next, copied) = (next + 1, 0);
            }

            if (launches[launch].ExpandedWords > 0)
            {
                // the array writes it: launches before are through with their blocks
                if (plan.Place(launches, (launch + 1, false, launches[launch].ExpandedWords), launch, top, limit) is not { } address)
                {
                    return null;
                }

                plan.Addresses[launch + 1] = address;
            }

            var isInRam = launches[launch].Code >= 0 && (inRam.HasCode(launches[launch].Code) || plan.CodeAddresses[launch] is not null);
            var available = Room(launch);
            var room = available - (isInRam ? code.CyclesFromRam : code.CyclesFromFlash);
            var moved = isInRam ? code.BusWordsFromRam : code.BusWordsFromFlash;
            while (next < jobs.Length && (jobs[next].Launch == launch || room >= host.FlashToRam))
            {
                var job = jobs[next];
                if (copied == 0)
                {
                    begun = launch;
                    if (plan.Place(launches, job, Math.Max(0, launch - 1), top, limit) is { } place)
                    {
                        plan.Take(job, place);
                    }
                    else if (job.Launch != launch)
                    {
                        break;
                    }
                    else if (slots.Count == 0)
                    {
                        return null;
                    }
                    else
                    {
                        plan.Take(job, slots[slot]);
                        slot = 1 - slot;
                    }
                }

                var left = job.Words - copied;
                var words = job.Launch == launch ? left : (int)Math.Min(left, room / host.FlashToRam);
                plan.Copies[launch].Add(new(job.Launch, job.IsCode, copied, words));
                room -= (long)words * host.FlashToRam;
                moved += words;
                copied += words;
                if (copied == job.Words)
                {
                    (next, copied) = (next + 1, 0);
                }
            }

            plan.ExposedBefore[launch] = Math.Max(0, -room);
            plan.BusWordsBefore[launch] = available <= 0 ? 0 : room >= 0 ? moved : moved * available / (available - room);
        }

        return plan;

        long Room(int launch) => launches[launch].ArrayBefore - host.LaunchOverhead - Reserve;

        bool IsCopied(int launch) => launches[launch].Code is >= 0 and var code && !inRam.HasCode(code) && codes[code].CyclesFromFlash > Room(launch);
    }

    private void Take((int Launch, bool IsCode, int Words) job, int address)
    {
        if (job.IsCode)
        {
            CodeAddresses[job.Launch] = address;
        }
        else
        {
            Addresses[job.Launch] = address;
        }
    }

    /// <summary>Gives a block the lowest room that is free from the launch beside which its copy begins to its own; null where there is none.</summary>
    private int? Place(IReadOnlyList<ResidentLaunch> launches, (int Launch, bool IsCode, int Words) job, int beside, long[] top, long limit)
    {
        long address = 0;
        for (var step = launches[beside].Step; step <= launches[job.Launch].Step; step++)
        {
            address = Math.Max(address, top[step]);
        }

        var end = address + ((long)job.Words * WordBytes);
        for (var i = 0; i < _blocks.Count && _blocks[i].Address < end; i++)
        {
            if (_blocks[i].Launch >= beside && address < _blocks[i].End)
            {
                (address, end) = (_blocks[i].End, _blocks[i].End + end - address);
            }
        }

        if (end > limit)
        {
            return null;
        }

        var behind = _blocks.FindIndex(b => b.Address > address);
        _blocks.Insert(behind < 0 ? _blocks.Count : behind, (job.Launch, address, end));
        return (int)address;
    }
}
