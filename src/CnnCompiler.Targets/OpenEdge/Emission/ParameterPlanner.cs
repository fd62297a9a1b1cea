using CnnCompiler.Ir.Mapped;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using CnnCompiler.Targets.OpenEdge.Kernels;
using CnnCompiler.Targets.OpenEdge.Selection;
using Compiled = System.Collections.Generic.IReadOnlyDictionary<
    CnnCompiler.Ir.Mapped.MappedNest, (CnnCompiler.Targets.OpenEdge.Kernels.NestKernel Kernel, CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayAssembly Code)>;
using Expanding = System.Collections.Generic.Dictionary<
    CnnCompiler.Ir.Mapped.MappedNest, (CnnCompiler.Targets.OpenEdge.Kernels.ExpandKernel Kernel, CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayAssembly Code)>;

namespace CnnCompiler.Targets.OpenEdge.Emission;

/// <summary>A way to give a program its parameters and code.</summary>
/// <param name="Sequence">The launches.</param>
/// <param name="InRam">What stays in RAM.</param>
/// <param name="Plan">How the rest comes there; null where a block finds no room.</param>
/// <param name="Forms">The form of each code of the sequence in RAM.</param>
/// <param name="HasRoom">True where all parameters and code would find room there.</param>
internal sealed record ParameterWay(LaunchSequence Sequence, ResidentWords InRam, ParameterPlan? Plan, CodeForm[] Forms, bool HasRoom)
{
    /// <summary>From a launch on, how many launches are done in a row, as one: those whose parameters all lie in RAM from the beginning.</summary>
    public int InARow(int number)
    {
        var first = Sequence.Launches[number];
        var count = 1;
        while (first.Expand is null && InRam.HasParameters(number) && number + count < Sequence.Launches.Count && Sequence.Launches[number + count] is var next
            && next.Kernel == first.Kernel && next.Kernel.Continues(next.Index) && InRam.HasParameters(number + count))
        {
            count++;
        }

        return count;
    }

    /// <summary>Launches of a step, those in a row counted once.</summary>
    public int Starts(int step)
    {
        var (launch, end) = Sequence.Of(step);
        var starts = 0;
        for (; launch < end; launch += InARow(launch))
        {
            starts++;
        }

        return starts;
    }
}

/// <summary>
/// Looks for the way to give a program its parameters and code that loses the fewest cycles: how much of them stays in RAM, whether constants of code are packed, and of which launches narrow
/// parameters are packed and expanded.
/// </summary>
internal sealed class ParameterPlanner
{
    /// <summary>Shares of the room that are tried for what stays in RAM at first.</summary>
    private const int Shares = 8;

    /// <summary>The smallest share by which these are changed then.</summary>
    private const int Finest = 128;

    /// <summary>How often room that turns out to be missing is asked of more launches.</summary>
    private const int MostRounds = 6;

    private readonly MappedProgram _program;
    private readonly Compiled _compiled;
    private readonly MachineDescription _machine;
    private readonly IKernelData _data;
    private readonly KernelTimer _timer;
    private readonly Dictionary<(NestKernel Kernel, int Launch), int> _words = [];
    private readonly long[] _tops;

    /// <summary>First byte address that isn't free.</summary>
    private readonly long _limit;

    /// <summary>Words of RAM that no buffer uses.</summary>
    private readonly long _free;
    private readonly int[] _slots;

    /// <summary>Looks at a program.</summary>
    /// <param name="program">The program.</param>
    /// <param name="compiled">The kernel of each nest, and its code.</param>
    /// <param name="machine">The machine.</param>
    /// <param name="memory">Where its buffers lie.</param>
    /// <param name="data">Addresses and constants.</param>
    /// <param name="timer">What measures launches.</param>
    public ParameterPlanner(MappedProgram program, Compiled compiled, MachineDescription machine, MemoryLayout memory, IKernelData data, KernelTimer timer)
    {
        (_program, _compiled, _machine, _data, _timer) = (program, compiled, machine, data, timer);
        _tops = memory.Tops(program.Steps.Count, machine.Ram.ReservedBytes);
        _limit = (long)machine.Ram.Bytes / NestView.WordBytes * NestView.WordBytes;
        _free = (_limit - _tops.Max()) / NestView.WordBytes;
        _slots = memory.HasSlots ? [memory.Slot(0), memory.Slot(1)] : [];
    }

    /// <summary>The way that loses the fewest cycles.</summary>
    /// <param name="always">True where launches are measured even if everything finds room.</param>
    public ParameterWay Plan(bool always)
    {
        var best = Of([], always);
        if (best.Plan is null || best.InRam.IsAll || _slots.Length > 0)
        {
            return best;
        }

        // Narrow parameters take half the room, and time to be expanded: as many launches as it takes until all the rest finds room, and what is expanded at once. Short blocks come first.
        var narrow = _program.Steps.OfType<MappedNest>().Where(nest => _compiled[nest].Kernel.NarrowStreamWords(1) > 0)
            .OrderBy(nest => _compiled[nest].Kernel.ParameterWords).ThenByDescending(nest => _compiled[nest].Kernel.Launches).ToArray();
        var all = best.InRam.AllWords;
        foreach (var share in narrow.Length > 0 ? (ReadOnlySpan<int>)[16, 32, 64] : [])
        {
            var (missing, isEnough) = (all - _free, false);
            for (var round = 0; round < MostRounds && !isEnough; round++)
            {
                var (expanding, room, isAll) = Expand(narrow, _free / share, missing);
                var other = Of(expanding, always: true);
                isEnough = isAll || (other.Plan is not null && other.InRam.IsAll);
                missing += Math.Max(_free / Finest, other.InRam.AllWords + room - _free);
                if (other.Plan is not null && Cost(other) < Cost(best))
                {
                    best = other;
                }
            }
        }

        return best;
    }

    /// <summary>Launches whose parameters are expanded.</summary>
    /// <param name="narrow">Nests whose parameters can be.</param>
    /// <param name="together">Most words that are expanded at once, where a launch doesn't need more.</param>
    /// <param name="missing">By how many words the constants have to become fewer.</param>
    /// <returns>What expands them; the most words that it expands at once; true where these are all launches, and still not enough.</returns>
    private (Expanding Expanding, long Room, bool IsAll) Expand(MappedNest[] narrow, long together, long missing)
    {
        var expanding = new Expanding(ReferenceEqualityComparer.Instance);
        var room = 0L;
        foreach (var nest in narrow.TakeWhile(_ => missing > 0))
        {
            var (kernel, _) = _compiled[nest];
            var group = (int)Math.Clamp(together / kernel.ParameterWords, 1, kernel.Launches);
            var needed = Math.Max(room, group * (long)kernel.ParameterWords);
            (missing, room) = (missing + needed - room, needed);
            var expand = new ExpandKernel(kernel, group, (int)Math.Clamp((missing * 2 / kernel.ParameterWords) + 1, group, kernel.Launches));
            expanding.Add(nest, (expand, KernelCompiler.Assemble(expand, _machine)));
            missing -= expand.Expanded * (long)kernel.ParameterWords / 2;
        }

        return (expanding, room, missing > 0);
    }

    /// <summary>What stays in RAM takes room from what comes early: several shares are tried, then those between; packed code takes less room and more time: all, none, or what the array hides is packed.</summary>
    private ParameterWay Of(Expanding expanding, bool always)
    {
        var sequence = new LaunchSequence(_program, _compiled, _machine.Rows, expanding);
        var launches = sequence.Resident(_program, Words, null);
        CodeForm[] words = [.. sequence.Codes.Select(code => code.Words)];
        if (always || new ResidentWords(_machine.Host, _machine.Bus.Kind, launches, Codes(sequence, words)).AllWords > _free)
        {
            // where not all of it can stay it matters how long the array hides the host
            launches = sequence.Resident(_program, Words, _timer);
        }

        ParameterWay? best = null;
        var bestShare = 0;
        foreach (var forms in (CodeForm[][])[words, [.. sequence.Codes.Select(code => code.Packed)], PackedWhereHidden(sequence, launches)])
        {
            for (var share = Finest; share >= 0; share -= Finest / Shares)
            {
                if (Try(forms, share))
                {
                    return best!;
                }
            }
        }

        for (var step = Finest / Shares / 2; step > 0; step /= 2)
        {
            var middle = bestShare;
            foreach (var share in (ReadOnlySpan<int>)[middle + step, middle - step])
            {
                if (share is >= 0 and <= Finest)
                {
                    _ = Try(best!.Forms, share);
                }
            }
        }

        return best!;

        // true where nothing can be better: all is in RAM
        bool Try(CodeForm[] forms, int share)
        {
            var codes = Codes(sequence, forms);
            var inRam = new ResidentWords(_machine.Host, _machine.Bus.Kind, launches, codes);
            inRam.Choose(_free * share / Finest);
            var plan = ParameterPlan.Make(_machine.Host, launches, codes, inRam, _tops, _limit - (inRam.Words * NestView.WordBytes), _slots);
            if (best is null || (plan is not null && (best.Plan is null || Lost(plan) < Lost(best.Plan))))
            {
                (best, bestShare) = (new(sequence, inRam, plan, forms, inRam.AllWords <= _free), share);
            }

            return plan is not null && inRam.IsAll;
        }
    }

    /// <summary>Words of the parameter block of a launch.</summary>
    private int Words(NestKernel kernel, int index)
    {
        if (!_words.TryGetValue((kernel, index), out var words))
        {
            _words.Add((kernel, index), words = kernel is ExpandKernel expand ? expand.PackedWords(index) : kernel.Launch(index, 0, _data).Parameters.Length);
        }

        return words;
    }

    private ResidentCode[] Codes(LaunchSequence sequence, CodeForm[] forms) =>
        [.. sequence.Codes.Zip(forms, (code, form) => new ResidentCode(form.Data.Length, form.CyclesFromRam(_machine.Host), code.Words.CyclesFromFlash(_machine.Host), form.BusWords, code.Words.BusWords))];

    /// <summary>Code with its constants packed where each launch before it takes longer than loading it so.</summary>
    private CodeForm[] PackedWhereHidden(LaunchSequence sequence, IReadOnlyList<ResidentLaunch> launches)
    {
        var hides = Enumerable.Repeat(true, sequence.Codes.Count).ToArray();
        foreach (var launch in launches.Where(l => l.Code >= 0))
        {
            hides[launch.Code] &= sequence.Codes[launch.Code].Packed.CyclesFromRam(_machine.Host) <= launch.ArrayBefore;
        }

        return [.. sequence.Codes.Zip(hides, (code, isHidden) => isHidden ? code.Packed : code.FastestFromRam(_machine.Host))];
    }

    private long Lost(ParameterPlan plan) => plan.Exposed + (_machine.Bus.Kind == BusKind.Shared ? plan.BusWordsBefore.Sum() : 0);

    /// <summary>Cycles that ways which expand differ in.</summary>
    private long Cost(ParameterWay way) => Lost(way.Plan!)
        + way.Sequence.Expanded.Values.Sum(expand => _timer.ArrayCost(expand.Kernel, _program).Cycles)
        + (Enumerable.Range(0, _program.Steps.Count).Sum(way.Starts) * (long)_machine.Host.LaunchOverhead);
}
