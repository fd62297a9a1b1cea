using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using static CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayProgramBuilder;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>
/// Multiply-accumulate with two products a multiplication, for any kernel, stride, dilation and groups: rows of the array are four output channels,
/// columns four lines of output positions, a word of the input holds two codes whose outputs lie half a tensor apart (<see cref="HalvesKernel"/>).
/// One launch computes four channels of one group at all positions; its sums are plain 32-bit words [quad][line][pixel][half][lane].
/// <para>
/// The cells are a chess board. Cells with even row + column take the activation of their column, the others the weight of their row; each
/// multiplies what its own ROUT holds with what a neighbour's holds, so that nothing is kept in registers and one step spreads both operands. An
/// activation is loaded by one of its column's odd cells (they take turns), two weights at a time by the row's cell on the diagonal.
/// </para>
/// <para>
/// Two taps at a time are added inside a lane: with weights of at most 127 and codes of at most 128 the low lane stays within 2 * 127 * 128 = 32,512,
/// inside sixteen bits (<see cref="LanesHold"/>). Then T takes the whole word, modulo 2^32, and H the high lane, the low lane's borrow repaired; at the
/// end the low sum is T - H * 2^16.
/// </para>
/// </summary>
public sealed class HalvesContractKernel : NestKernel
{
    /// <summary>Name of the strategy in mapped programs.</summary>
    public const string Strategy = "halves-rows-are-channels";

    /// <summary>Taps that are added before the lanes are taken apart.</summary>
    public const int TapsOfGroup = 2;

    private const string Parameters = "parameters";
    private const string Input = "input";
    private const string Sums = "sums";
    private const int LaneBits = 16;

    private readonly NestView _view;
    private readonly MappedAccess _input;
    private readonly TapSchedule _taps;
    private readonly int _groups;

    /// <summary>Lines and positions of a line, over all columns: lines that follow each other without a gap are one.</summary>
    private readonly (int Lines, int Pixels) _positions;

    /// <summary>Lines that a column works on, and positions of each.</summary>
    private readonly (int Lines, int Pixels) _share;

    /// <summary>Compiles a nest.</summary>
    public HalvesContractKernel(MappedNest nest)
        : base(nest)
    {
        _view = new(nest);
        _input = nest.Operands[0] with { Element = HalvesKernel.Without(nest, nest.Operands[0].Element, HalvesKernel.Halves) };
        _taps = new(_view, _input);
        var (lines, pixels) = (_view.Extent(NestView.Line), _view.Extent(NestView.Pixel));
        var joins = _view.Step(_input, NestView.Line) == pixels * _view.Step(_input, NestView.Pixel);
        _positions = joins ? (1, lines * pixels) : (lines, pixels);
        _share = joins ? (1, Share(lines * pixels)) : (Share(lines), pixels);
        _groups = (_taps.Length + TapsOfGroup - 1) / TapsOfGroup;
        Program = Build();
    }

    /// <inheritdoc/>
    public override ArrayProgram Program { get; }

    /// <inheritdoc/>
    public override int Launches => _view.Extent(NestView.Group) * _view.Extent(NestView.Quad);

    /// <inheritdoc/>
    public override int ParameterWords => (Cell.Side * (AddressWords + StreamWords)) + 1;

    /// <inheritdoc/>
    public override IEnumerable<(string Buffer, int Words)> Extents => [(_input.Target, InputExtent())];

    /// <summary>True where lanes can't overflow before they are taken apart, whatever the codes.</summary>
    /// <param name="largestWeight">Largest magnitude of a weight.</param>
    public static bool LanesHold(long largestWeight) => TapsOfGroup * largestWeight * -sbyte.MinValue <= short.MaxValue;

    /// <summary>Words at the head of a column's stream: the first addresses of its two loaders.</summary>
    private const int AddressWords = 2;

    /// <summary>Words a column reads for each position: for each segment two moves of the addresses and a word for two weights each.</summary>
    private int StreamWords => _taps.Starts.Count * (AddressWords + _groups);

    /// <summary>What each of four columns does of something.</summary>
    private static int Share(int count) => (count + Cell.Side - 1) / Cell.Side;

    private static bool IsEven(Cell cell) => (cell.Row + cell.Column) % 2 == 0;

    /// <summary>The cells of a column that load activations, in turn.</summary>
    private static Cell Loader(int column, int turn) => new(((column + 1) % 2) + (2 * turn), column);

    private static Cell WeightLoader(int row) => new(row, row);

    private static Cell Counter(int row) => new(row, (row + 2) % Cell.Side);

    private static Cell Left(Cell cell) => cell with { Column = (cell.Column + Cell.Side - 1) % Cell.Side };

    private static Cell Above(Cell cell) => cell with { Row = (cell.Row + Cell.Side - 1) % Cell.Side };

    /// <summary>Words of the packed input that are touched: taps that fill up the last group of a segment read on.</summary>
    private int InputExtent()
    {
        var last = NestView.Base(_input) + ((_view.Extent(NestView.Group) - 1) * _view.Step(_input, NestView.Group))
            + ((_view.Extent(NestView.Line) - 1) * _view.Step(_input, NestView.Line)) + ((_view.Extent(NestView.Pixel) - 1) * _view.Step(_input, NestView.Pixel))
            + _taps.Starts.Max();
        return last + (((_groups * TapsOfGroup) - 1) * Math.Max(0, _taps.Stride)) + 1;
    }

    /// <inheritdoc/>
    public override KernelLaunch Launch(int index, int parameters, IKernelData data)
    {
        var (group, quad) = (index / _view.Extent(NestView.Quad), index % _view.Extent(NestView.Quad));
        var words = new List<uint>(ParameterWords);
        var stride = _taps.Stride * NestView.WordBytes;
        var deltas = Deltas().ToArray();
        var first = data.AddressOf(_input.Target) + ((NestView.Base(_input) + (group * _view.Step(_input, NestView.Group))) * NestView.WordBytes) - deltas[0];
        var output = Nest.Output;
        var sums = data.AddressOf(output.Target)
            + ((NestView.Base(output) + (group * _view.Step(output, NestView.Group)) + (quad * _view.Step(output, NestView.Quad))) * NestView.WordBytes);
        var (read, write) = (new LaunchPointer?[Cell.Side], new LaunchPointer?[Cell.Side]);
        for (var column = 0; column < Cell.Side; column++)
        {
            // where the columns aren't filled, neighbours do some lines or positions twice
            int Start(int count, int share) => Math.Min(column * share, count - share);
            var (line, pixel) = (Start(_positions.Lines, _share.Lines), Start(_positions.Pixels, _share.Pixels));
            int Bytes(MappedAccess access) => ((line * _view.Step(access, NestView.Line)) + (pixel * _view.Step(access, NestView.Pixel))) * NestView.WordBytes;
            read[column] = new(true, words.Count * NestView.WordBytes);
            write[column] = new(false, sums + Bytes(output));
            var address = first + Bytes(_input);

            // the second loader steps forward by a group before it loads, the first one afterwards
            words.AddRange([(uint)address, (uint)(address + stride - (TapsOfGroup * stride))]);
            var weights = WeightsOf(group, quad, column, data);
            for (var segment = 0; segment < deltas.Length; segment++)
            {
                words.AddRange([(uint)deltas[segment], (uint)deltas[segment]]);
                for (var tap = 0; tap < _groups * TapsOfGroup; tap += TapsOfGroup)
                {
                    int Weight(int i) => i < _taps.Length ? (int)weights[(segment * _taps.Length) + i] : 0;
                    words.Add((uint)((Weight(tap) << LaneBits) | (Weight(tap + 1) & 0xFFFF)));
                }
            }
        }

        // going back to the start of a stream is a load, of the word behind it
        words.Add(0);
        return new([.. words], read, write);
    }

    private uint[] WeightsOf(int group, int quad, int row, IKernelData data)
    {
        if ((quad * Cell.Side) + row >= Nest.Guards[0].Bound)
        {
            return new uint[_taps.Taps];
        }

        var access = Nest.Operands[1];
        var start = NestView.Base(access) + (group * _view.Step(access, NestView.Group)) + (quad * _view.Step(access, NestView.Quad))
            + (row * _view.Step(access, NestView.Lane));
        return [.. _view.Taps(access, start, data.Constant(access.Target))];
    }

    /// <summary>Moves of a loader's address before each segment, in bytes, from behind the groups of the one before.</summary>
    private IEnumerable<int> Deltas()
    {
        var length = _groups * TapsOfGroup * _taps.Stride;
        var behind = _taps.Starts[^1] + length - _view.Step(_input, NestView.Pixel);
        foreach (var start in _taps.Starts)
        {
            yield return (start - behind) * NestView.WordBytes;
            behind = start + length;
        }
    }

    private ArrayProgram Build()
    {
        var p = new ArrayProgramBuilder(Strategy);
        var side = Enumerable.Range(0, Cell.Side).ToArray();
        var cells = Cell.All.ToArray();
        var loaders = Enumerable.Range(0, TapsOfGroup).Select(turn => side.Select(c => Loader(c, turn)).ToArray()).ToArray();
        var address = loaders.SelectMany(l => l).ToDictionary(c => c, c => Register(c, "address"));
        var weights = side.Select(r => Register(WeightLoader(r), "weights")).ToArray();
        var pair = cells.ToDictionary(c => c, c => Register(c, "pair"));
        var whole = cells.ToDictionary(c => c, c => Register(c, "whole"));
        var high = cells.ToDictionary(c => c, c => Register(c, "high"));
        var (tap, segment) = (Register(Counter(0), "tap"), Register(Counter(1), "segment"));
        var (pixel, line) = (Register(Counter(2), "pixel"), Register(Counter(3), "line"));

        ArrayOperation[] Each(Func<Cell, ArrayOperation> make)
        {
            var operations = cells.Select(make).ToArray();
            p.Step(operations);
            return operations;
        }

        p.Block("start");
        p.Step(loaders.SelectMany(l => l).Select(c => LoadStream(c, NestView.WordBytes, address[c], Parameters)));
        p.Set(line, _share.Lines);

        var lineBlock = p.Block("line");
        p.Set(pixel, _share.Pixels);
        p.Count(line);

        var pixelBlock = p.Block("pixel");
        foreach (var c in cells)
        {
            p.Do(Clear(whole[c]));
            p.Do(Clear(high[c]));
        }

        p.Set(segment, _taps.Starts.Count);
        p.Count(pixel);

        var segmentBlock = p.Block("segment");
        var moves = loaders.SelectMany(l => l).Select(c => LoadStream(c, NestView.WordBytes, null, Parameters)).ToArray();
        p.Step(moves);
        p.Step(moves.Select(m => Binary(OpenEdgeOpcode.SAdd, m.Cell, address[m.Cell], m, address[m.Cell])));
        p.Set(tap, _groups);
        p.Count(segment);

        var tapBlock = p.Block("tap");
        var stride = TapsOfGroup * _taps.Stride * NestView.WordBytes;
        ArrayOperation[] Multiply(ArrayOperation[] activations, ArrayOperation[] words, bool first)
        {
            p.Step(loaders[first ? 1 : 0].Select(c => Add(address[c], address[c], stride)));
            var spread = cells.Select(c => IsEven(c)
                ? Move(c, activations[c.Column])
                : Binary(OpenEdgeOpcode.Sra, c, words[c.Row], ArrayOperand.Immediate, null, LaneBits)).ToArray();
            p.Step(spread);
            return Each(c => Binary(OpenEdgeOpcode.SMul, c, spread[c.Index], spread[(IsEven(c) ? Left(c) : Above(c)).Index], first ? pair[c] : null));
        }

        var loaded = side.Select(c => Load(loaders[0][c], address[loaders[0][c]], null, Input)).ToArray();
        var both = side.Select(r => LoadStream(WeightLoader(r), NestView.WordBytes, weights[r], Parameters)).ToArray();
        p.Step([.. loaded, .. both]);
        p.Count(tap);
        Multiply(loaded, both, first: true);
        loaded = [.. side.Select(c => Load(loaders[1][c], address[loaders[1][c]], null, Input))];
        var lower = side.Select(r => Binary(OpenEdgeOpcode.Sll, WeightLoader(r), weights[r], ArrayOperand.Immediate, null, LaneBits)).ToArray();
        p.Step([.. loaded, .. lower]);
        var products = Multiply(loaded, lower, first: false);
        var sums = Each(c => Binary(OpenEdgeOpcode.SAdd, c, pair[c], products[c.Index], pair[c]));
        Each(c => Binary(OpenEdgeOpcode.SAdd, c, whole[c], sums[c.Index], whole[c]));

        // the high lane of a + b * 2^16 with a in sixteen bits: floor((word + 2^15) / 2^16), where 2^15 doesn't fit a constant
        var halves = Each(c => Binary(OpenEdgeOpcode.Sra, c, pair[c], ArrayOperand.Immediate, null, LaneBits - 1));
        var rounded = Each(c => Binary(OpenEdgeOpcode.SAdd, c, halves[c.Index], ArrayOperand.Immediate, null, 1));
        var lanes = Each(c => Binary(OpenEdgeOpcode.Sra, c, rounded[c.Index], ArrayOperand.Immediate, null, 1));
        Each(c => Binary(OpenEdgeOpcode.SAdd, c, high[c], lanes[c.Index], high[c]));
        p.LoopWhileNotZero(tap, tapBlock);

        p.Block("segment end");
        p.LoopWhileNotZero(segment, segmentBlock);

        p.Block("pixel end");
        for (var rewind = StreamWords * NestView.WordBytes; rewind > 0;)
        {
            var part = Math.Min(rewind, -OpenEdgeInstruction.MinImmediate);
            p.Step(side.Select(r => LoadStream(WeightLoader(r), -part, null, Parameters)));
            rewind -= part;
        }

        var up = Each(c => Binary(OpenEdgeOpcode.Sll, c, high[c], ArrayOperand.Immediate, null, LaneBits));
        Each(c => Binary(OpenEdgeOpcode.SSub, c, whole[c], up[c.Index], whole[c]));
        Each(c => StoreStream(c, whole[c], NestView.WordBytes, Sums));
        Each(c => StoreStream(c, high[c], NestView.WordBytes, Sums));
        p.LoopWhileNotZero(pixel, pixelBlock);

        p.Block("line end");
        var next = (_view.Step(_input, NestView.Line) - (_view.Extent(NestView.Pixel) * _view.Step(_input, NestView.Pixel))) * NestView.WordBytes;
        for (var turn = 0; turn < TapsOfGroup && _share.Lines > 1; turn++)
        {
            foreach (var c in loaders[turn])
            {
                p.Advance(address[c], next);
            }
        }

        p.LoopWhileNotZero(line, lineBlock);
        p.Exit(new(0, 0));
        return p.Build();
    }
}
