using CnnCompiler.Core;
using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using static CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayProgramBuilder;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>
/// Packs two halves of a tensor: a word becomes a + b * 2^16 of two codes that lie a constant distance apart (<c>openedge-idioms.md</c>, Packing).
/// The nest copies every element of the tensor's region into a buffer of two lanes; its loop <see cref="NestView.OuterLine"/> is the half. Columns
/// share the lines; in each, two cells load the halves, a third adds and stores.
/// <para>For <see cref="InputPairsKernel"/>, whose halves are of the inputs, the second one lies higher: a + b * 2^23.</para>
/// </summary>
public sealed class HalvesKernel : NestKernel
{
    /// <summary>Name of the strategy in mapped programs.</summary>
    public const string Strategy = "halves-columns-share-lines";

    /// <summary>Name of the strategy that packs words for <see cref="InputPairsKernel"/>.</summary>
    public const string InputsStrategy = "inputs-columns-share-lines";

    /// <summary>Halves of a word.</summary>
    public const int Halves = 2;

    /// <summary>Bits between the two lanes of a word.</summary>
    public const int LaneBits = 16;

    private const string Parameters = "parameters";
    private const string Input = "input";
    private const string Output = "output";

    private readonly PointLines _lines;
    private readonly int _laneBits;

    /// <summary>Compiles a nest.</summary>
    public HalvesKernel(MappedNest nest)
        : base(nest)
    {
        var (one, accesses) = Split(nest);
        _lines = PointLines.OfLines(one, accesses);
        _laneBits = nest.Kernel == InputsStrategy ? InputPairsKernel.LaneBits : LaneBits;
        Program = Build();
    }

    /// <inheritdoc/>
    public override ArrayProgram Program { get; }

    /// <inheritdoc/>
    public override int Launches => 1;

    /// <inheritdoc/>
    public override int ParameterWords => _lines.TableWords;

    /// <inheritdoc/>
    public override IEnumerable<(string Buffer, int Words)> Extents =>
    [
        (Nest.Operands[0].Target, Math.Max(_lines.Extent(0), _lines.Extent(1))),
        (Nest.Output.Target, _lines.Extent(2)),
    ];

    /// <summary>A nest over the words alone, and its accesses: first half, second half, words.</summary>
    public static (MappedNest Nest, MappedAccess[] Accesses) Split(MappedNest nest)
    {
        var half = new NestView(nest).Step(nest.Operands[0], NestView.OuterLine);
        var low = nest.Operands[0] with { Element = Without(nest, nest.Operands[0].Element, 1) };
        var high = low with { Element = low.Element with { Constant = low.Element.Constant + half } };
        return (
            nest with { Loops = [.. nest.Loops.Select(l => l.Name == NestView.OuterLine ? l with { Extent = 1 } : l)] },
            [low, high, nest.Output with { Element = Without(nest, nest.Output.Element, Halves) }]);
    }

    /// <summary>An affine function of a nest's loops in words: the half left out, everything else over the lanes of a word.</summary>
    /// <param name="nest">The nest.</param>
    /// <param name="element">Function that gives elements.</param>
    /// <param name="lanes">Elements of a word.</param>
    public static AffineExpression Without(MappedNest nest, AffineExpression element, int lanes) => new(
        nest.Loops.Select((l, i) => l.Name == NestView.OuterLine ? 0 : element.Coefficients[i] / lanes).ToEquatableArray(),
        element.Constant / lanes);

    /// <inheritdoc/>
    public override KernelLaunch Launch(int index, int parameters, IKernelData data)
    {
        var words = new List<uint>(ParameterWords);
        var read = new LaunchPointer?[Cell.Side];
        for (var column = 0; column < Cell.Side; column++)
        {
            read[column] = new(true, words.Count * NestView.WordBytes);
            for (var line = 0; line < _lines.LinesPerColumn; line++)
            {
                words.AddRange([_lines.Address(column, line, 0, data), _lines.Address(column, line, 1, data), _lines.Address(column, line, 2, data)]);
            }
        }

        return new([.. words], read, new LaunchPointer?[Cell.Side]);
    }

    private ArrayProgram Build()
    {
        var p = new ArrayProgramBuilder(Nest.Kernel);
        var columns = Enumerable.Range(0, Cell.Side).ToArray();
        var low = columns.Select(c => Register(new(0, c), "low")).ToArray();
        var high = columns.Select(c => Register(new(1, c), "high")).ToArray();
        var target = columns.Select(c => Register(new(2, c), "target")).ToArray();
        var pixel = Register(new(3, 0), "pixel");
        var line = Register(new(3, 1), "line");

        p.Block("start");
        p.Set(line, _lines.LinesPerColumn);

        var lineBlock = p.Block("line");
        p.Step(columns.SelectMany(c => new[]
        {
            LoadStream(new(0, c), NestView.WordBytes, low[c], Parameters),
            LoadStream(new(1, c), NestView.WordBytes, high[c], Parameters),
            LoadStream(new(2, c), NestView.WordBytes, target[c], Parameters),
        }));
        p.Set(pixel, _lines.Pixels);
        p.Count(line);

        var pixelBlock = p.Block("pixel");
        p.Count(pixel);
        var lows = columns.Select(c => Load(new(0, c), low[c], null, Input)).ToArray();
        var highs = columns.Select(c => Load(new(1, c), high[c], null, Input)).ToArray();
        p.Step([.. lows, .. highs]);
        var shifted = highs.Select(h => Binary(OpenEdgeOpcode.Sll, new(1, h.Cell.Column), h, ArrayOperand.Immediate, null, _laneBits)).ToArray();
        p.Step(shifted);

        // row 1 joins the halves; row 2 stores what its upper neighbour holds
        var joined = columns.Select(c => Binary(OpenEdgeOpcode.SAdd, new(1, c), shifted[c], lows[c])).ToArray();
        p.Step(joined);
        p.Step(columns.Select(c => Store(new(2, c), joined[c], target[c], Output)));
        foreach (var c in columns)
        {
            p.Advance(low[c], _lines.PixelBytes[0]);
            p.Advance(high[c], _lines.PixelBytes[1]);
            p.Advance(target[c], _lines.PixelBytes[2]);
        }

        p.LoopWhileNotZero(pixel, pixelBlock);

        p.Block("line end");
        p.LoopWhileNotZero(line, lineBlock);
        p.Exit(new(0, 0));
        return p.Build();
    }
}
