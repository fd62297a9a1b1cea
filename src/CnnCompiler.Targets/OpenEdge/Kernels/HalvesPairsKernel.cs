using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using static CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayProgramBuilder;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>
/// What <see cref="HalvesKernel"/> does, all sixteen cells at work: both halves and the words being <see cref="PairStreams"/>, left columns load the first half,
/// right ones the second.
/// </summary>
public sealed class HalvesPairsKernel : NestKernel
{
    /// <summary>Name of the strategy in mapped programs.</summary>
    public const string Strategy = "halves-columns-in-pairs";

    /// <summary>Name of the strategy that packs words for <see cref="InputPairsKernel"/>.</summary>
    public const string InputsStrategy = "inputs-columns-in-pairs";

    /// <summary>Fewer words save less than the longer code may take from flash beside a short launch before.</summary>
    private const int FewestWords = 1500;

    private readonly PairStreams _streams;
    private readonly int _laneBits;

    /// <summary>Compiles a nest.</summary>
    public HalvesPairsKernel(MappedNest nest)
        : base(nest)
    {
        _streams = StreamsOf(nest) ?? throw new InvalidOperationException($"{nest.Name} has no lines that its code can follow");
        _laneBits = nest.Kernel == InputsStrategy ? InputPairsKernel.LaneBits : HalvesKernel.LaneBits;
        Program = Build();
    }

    /// <inheritdoc/>
    public override ArrayProgram Program { get; }

    /// <inheritdoc/>
    public override int Launches => 1;

    /// <inheritdoc/>
    public override int ParameterWords => 0;

    /// <inheritdoc/>
    public override IEnumerable<(string Buffer, int Words)> Extents => _streams.Extents;

    /// <summary>True where a nest has lines that the kernel can follow, and enough words for its longer code and eight pointers.</summary>
    public static bool Fits(MappedNest nest) => nest.Loops.Aggregate(1L, (n, l) => n * l.Extent) >= FewestWords * HalvesKernel.Halves && StreamsOf(nest) is not null;

    /// <inheritdoc/>
    public override KernelLaunch Launch(int index, int parameters, IKernelData data) => _streams.Launch(data);

    private static PairStreams? StreamsOf(MappedNest nest)
    {
        var (one, accesses) = HalvesKernel.Split(nest);
        return PairStreams.Of(one, accesses);
    }

    private ArrayProgram Build()
    {
        var p = new ArrayProgramBuilder(Nest.Kernel);
        var cells = Cell.All.ToArray();
        var (left, right) = (cells.Where(c => c.Column % 2 == 0).ToArray(), cells.Where(c => c.Column % 2 != 0).ToArray());
        VirtualRegister[] Of(string name) => [.. cells.Select(c => Register(c, name))];
        var (kept, word) = (Of("kept"), Of("word"));
        return _streams.Build(p, () => { }, Words, word);

        void Words()
        {
            var first = _streams.Load(p, 0, kept);
            p.Step(right.Select(c => Binary(OpenEdgeOpcode.Sll, c, first[c.Index], ArrayOperand.Immediate, kept[c.Index], _laneBits)));
            _streams.Count(p);
            var second = _streams.Load(p, 1);
            var shifted = right.ToDictionary(c => c, c => Binary(OpenEdgeOpcode.Sll, c, second[c.Index], ArrayOperand.Immediate, null, _laneBits));
            p.Step(shifted.Values);
            p.Step(
            [
                .. left.Select(c => Binary(OpenEdgeOpcode.SAdd, c, kept[c.Index], shifted[PairStreams.Partner(c)], word[c.Index])),
                .. right.Select(c => Binary(OpenEdgeOpcode.SAdd, c, kept[c.Index], second[PairStreams.Partner(c).Index], word[c.Index])),
            ]);
        }
    }
}
