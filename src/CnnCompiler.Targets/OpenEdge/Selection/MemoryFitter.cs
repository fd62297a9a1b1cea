using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Passes.Memory;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.OpenEdge.Emission;
using CnnCompiler.Targets.OpenEdge.Kernels;
using CnnCompiler.Targets.OpenEdge.Mapping;

namespace CnnCompiler.Targets.OpenEdge.Selection;

/// <summary>
/// Makes given choices fit a memory, changing only what memory requires. In this order: accumulators in tiles of output channels; at the step that
/// needs most, what lies idle is packed, the largest first; then that step's operator is computed in bands of rows, with its tensors packed where that
/// is cheaper or needed. Each time the whole program is mapped again and the step that needs most is looked for; no decision is taken back. Where all
/// fits, the accumulators' tiles are made as large as they can be.
/// </summary>
/// <param name="program">The chain.</param>
/// <param name="machine">The machine.</param>
/// <param name="plans">Plans of passes made before.</param>
/// <param name="cancellation">Ends early.</param>
internal sealed class MemoryFitter(GconvProgram program, MachineDescription machine, StarPlans plans, CancellationToken cancellation)
{
    /// <summary>Words of accumulators below which tiles aren't made smaller.</summary>
    private const int SmallestTile = 256;

    /// <summary>Cycles of packing or unpacking an element, roughly: what matters is the order of the alternatives.</summary>
    private const int CyclesOfElement = 2;

    /// <summary>Cycles of one more band besides its weights, roughly.</summary>
    private const int CyclesOfBand = 5_000;

    /// <summary>The combinations of bands and packed tensors that were tried, by operator.</summary>
    private readonly Dictionary<string, HashSet<string>> _tried = new(StringComparer.Ordinal);

    private readonly Dictionary<string, GconvOperator> _operators = program.Steps.OfType<GconvOperator>().ToDictionary(o => o.Name, StringComparer.Ordinal);

    private long Capacity => machine.Ram.Bytes - machine.Ram.ReservedBytes;

    /// <summary>A mapping: one that fits, or where none was found the last one tried.</summary>
    /// <param name="Mapping">The mapping.</param>
    /// <param name="Choices">The choices that made it.</param>
    /// <param name="Fits">True where it fits.</param>
    public sealed record Fitted(OpenEdgeMapping Mapping, MappingChoices Choices, bool Fits)
    {
        /// <summary>True where nothing was packed or split into bands.</summary>
        public bool IsPlain => Choices.PackedBefore.Count == 0 && Choices.Bands.Values.All(b => b < 2);
    }

    /// <summary>The mapping of choices, whether it fits or not; null where there is none.</summary>
    public OpenEdgeMapping? Map(MappingChoices choices) => OpenEdgeMapper.Map(program, choices, new DiagnosticBag(), cancellation, plans);

    /// <summary>Fits choices into the memory by the tiles of accumulators alone; null where that doesn't do.</summary>
    public Fitted? FitPlain(MappingChoices choices) => Try(choices, int.MaxValue) ?? LargestTiles(choices) ?? Try(choices, SmallestTile);

    /// <summary>Choices that fitted, changed a little: with the tiles they have; null where they don't fit any more.</summary>
    public Fitted? FitAgain(MappingChoices choices) => Try(choices, choices.AccumulatorWords);

    /// <summary>Fits choices into the memory; null where they can't be mapped at all.</summary>
    public Fitted? Fit(MappingChoices choices)
    {
        if (Try(choices, int.MaxValue) is { } whole)
        {
            return whole;
        }

        _tried.Clear();
        while (true)
        {
            cancellation.ThrowIfCancellationRequested();
            var smallest = choices with { AccumulatorWords = SmallestTile };
            if (Map(smallest) is not { } mapping
                || ImageEmitter.ParameterWords(mapping.Program, machine) is not { } parameterWords)
            {
                return null;
            }

            if (MemoryLayout.Plan(mapping.Program, parameterWords, machine, new DiagnosticBag()) is not null)
            {
                return LargestTiles(choices) ?? new(mapping, smallest, Fits: true);
            }

            if (Improve(choices, mapping, parameterWords) is not { } improved)
            {
                return new(mapping, smallest, Fits: false);
            }

            choices = improved;
        }
    }

    private Fitted? LargestTiles(MappingChoices choices)
    {
        for (var words = machine.Ram.Bytes / (2 * NestView.WordBytes); words > SmallestTile; words /= 2)
        {
            if (Try(choices, words) is { } fitted)
            {
                return fitted;
            }
        }

        return null;
    }

    private Fitted? Try(MappingChoices choices, int accumulatorWords)
    {
        cancellation.ThrowIfCancellationRequested();
        var tiled = choices with { AccumulatorWords = accumulatorWords };
        return Map(tiled) is { } mapping && ImageEmitter.Fits(mapping.Program, machine)
            ? new(mapping, tiled, Fits: true)
            : null;
    }

    /// <summary>One more thing packed or split at the step that needs most; null where nothing is left to do there.</summary>
    private MappingChoices? Improve(MappingChoices choices, OpenEdgeMapping mapping, int parameterWords)
    {
        var (ranges, bytes, step) = MemoryLayout.Pressure(mapping.Program, parameterWords);
        var buffers = mapping.Program.Buffers.ToDictionary(b => b.Name, StringComparer.Ordinal);
        var values = mapping.Program.Values.Select(v => v.Buffer).ToHashSet(StringComparer.Ordinal);
        var owner = step < mapping.Owners.Count ? mapping.Owners[step] : string.Empty;
        var touched = Touched(mapping, owner);
        var live = ranges.Where(r => r.FirstStep <= step && step <= r.LastStep && buffers.ContainsKey(r.Name)).ToArray();
        bool IsWords(PlannedRange range) => buffers[range.Name] is { Role: BufferRole.Activation, Layout.Lanes: 1 } && values.Contains(range.Name);

        var idle = live.Where(r => IsWords(r) && !touched.Contains(r.Name) && owner.Length > 0)
            .OrderByDescending(r => r.Bytes).ThenBy(r => r.Name, StringComparer.Ordinal).FirstOrDefault();
        if (idle is not null)
        {
            return choices.Packed(idle.Name, owner);
        }

        if (!_operators.TryGetValue(owner, out var operation))
        {
            return null;
        }

        // its own: words of its tensors, and what only it uses
        var tensors = live.Where(r => IsWords(r) && touched.Contains(r.Name)).ToArray();
        var local = live.Where(r => !values.Contains(r.Name) && touched.Contains(r.Name)).Sum(r => r.Bytes);
        var others = bytes - local - tensors.Sum(r => r.Bytes);
        var now = choices.Bands.GetValueOrDefault(owner, 1);
        var alternatives = Alternatives(operation, now, tensors, local, others).OrderBy(a => a.Bytes > Capacity).ThenBy(a => a.Bytes > Capacity ? a.Bytes : a.Cycles)
            .ThenBy(a => a.Bands).ThenBy(a => a.Key, StringComparer.Ordinal);
        if (!_tried.TryGetValue(owner, out var tried))
        {
            _tried.Add(owner, tried = new(StringComparer.Ordinal) { Key(now, []) });
        }

        foreach (var alternative in alternatives)
        {
            if (tried.Add(alternative.Key))
            {
                choices = choices.Split(owner, alternative.Bands);
                return alternative.Packed.Aggregate(choices, (c, t) => c.Packed(t, MappingChoices.Always));
            }
        }

        return null;
    }

    private static HashSet<string> Touched(OpenEdgeMapping mapping, string owner)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < mapping.Owners.Count; i++)
        {
            if (mapping.Owners[i] == owner)
            {
                names.UnionWith(mapping.Program.Steps[i].Match(
                    nest: n => n.Operands.Select(o => o.Target).Append(n.Output.Target),
                    softmax: s => [s.Source, s.Destination]));
            }
        }

        return names;
    }

    private sealed record Alternative(int Bands, string[] Packed, string Key, long Bytes, long Cycles);

    private static string Key(int bands, IEnumerable<string> packed) => FormattableString.Invariant($"{bands}:{string.Join(',', packed)}");

    /// <summary>Ways to compute an operator in bands, with estimates of the bytes it then needs and the cycles it then costs more.</summary>
    private IEnumerable<Alternative> Alternatives(GconvOperator operation, int now, PlannedRange[] tensors, long local, long others)
    {
        var most = RowBands.MostBands(operation);
        var packable = tensors.Where(t => IsProduced(t.Name)).OrderBy(t => t.Name, StringComparer.Ordinal).ToArray();
        var weights = operation.Kernel is { } kernel && program.Constants.FirstOrDefault(c => c.Name == kernel.Tensor) is { } constant ? constant.Value.Shape.Elements : 0;
        for (var bands = now; bands <= most; bands = bands == most ? most + 1 : Math.Min(most, bands * 2))
        {
            for (var set = 0; set < 1 << Math.Min(packable.Length, 4); set++)
            {
                var packed = packable.Where((_, i) => (set & (1 << i)) != 0).ToArray();

                // neighbouring bands share rows of what they read: a quarter more
                long Share(long bytes) => bands == 1 ? bytes : bytes * 5 / (4 * bands);
                var bytes = others + (Share(local) * now) + tensors.Sum(t => packed.Contains(t) ? (t.Bytes / PackedRuns.Lanes) + Share(t.Bytes) : t.Bytes);
                var cycles = (bands * ((weights * machine.Host.FlashToRam / 2) + CyclesOfBand))
                    + packed.Sum(t => t.Bytes / NestView.WordBytes * CyclesOfElement * (1 + Readers(t.Name)));
                string[] names = [.. packed.Select(t => t.Name)];
                yield return new(bands, names, Key(bands, names), bytes, cycles);
            }
        }
    }

    private bool IsProduced(string buffer) => program.Inputs.Any(i => i.Name == buffer)
        || program.Steps.Any(s => s.Name == buffer && s is GconvOperator or GconvView { Kind: ViewKind.Join });

    private int Readers(string tensor) => program.Steps.OfType<GconvOperator>().Count(o => o.Input.Tensor == tensor || o.Kernel?.Tensor == tensor);

    /// <summary>What was packed and split, as a note; null where nothing was.</summary>
    public static Diagnostic? Note(string network, Fitted fitted, KernelTimer timer)
    {
        var choices = fitted.Choices;
        if (fitted.IsPlain)
        {
            return null;
        }

        var mapped = fitted.Mapping.Program;
        var cycles = mapped.Steps.OfType<MappedNest>().Where(n => n.Kernel is PackLinesKernel.Strategy or UnpackLinesKernel.Strategy).Sum(n => timer.Cost(n, mapped).InRam);
        var packed = choices.PackedBefore.OrderBy(p => p.Key, StringComparer.Ordinal)
            .Select(p => p.Value == MappingChoices.Always ? p.Key : FormattableString.Invariant($"{p.Key} from {p.Value} on"));
        var split = choices.Bands.Where(b => b.Value > 1).OrderBy(b => b.Key, StringComparer.Ordinal).Select(b => FormattableString.Invariant($"{b.Key} in {b.Value}"));
        return OpenEdgeDiagnostics.PackedToFit(network, [.. packed], [.. split], cycles);
    }
}
