using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using static CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayProgramBuilder;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>
/// Multiply-accumulate with two products of one output a multiplication, for any kernel, stride and dilation: rows of the array are four output channels, columns share
/// the output positions, which follow each other in any number of loops. A word of the input holds two inputs, x + x' * 2^23, a weight word their weights
/// the other way round, w' + w * 2^23. Of the 64 bits of their product FXPMUL gives those from 15 on, modulo 2^32: 2^8 (w x + w' x') + 2^31 w x' + floor(w' x / 2^15).
/// <para>
/// The first term is what is wanted, the second only touches the top bit, the third is 0 or -1. So products are added as they are: in a run of at most 254 words, whose weights' magnitudes sum up to
/// at most 32,767 (<see cref="LargestSum"/>), a sum that began at 255 has in its bits 8 to 30 what all wanted terms add up to. Runs are cut where the weights ask for it; every weight and code may take any value.
/// </para>
/// <para>
/// The cells are a chess board as in <see cref="HalvesContractKernel"/>: cells with even row + column take the input of their column, the others the weight of their row; each
/// multiplies what its own ROUT holds with what a neighbour's holds. One launch computes four channels at all positions; the weights stream once for every four positions. Where a column's positions
/// begin stands in a table of addresses.
/// </para>
/// Operand 0 is the packed input, whose loop <see cref="DensePairsKernel.Half"/> is the lane, operand 1 the weights, the output the accumulators [quad][position][lane].
/// </summary>
public sealed class InputPairsKernel : NestKernel
{
    /// <summary>Name of the strategy in mapped programs.</summary>
    public const string Strategy = "pairs-rows-are-channels";

    /// <summary>Bits between the two inputs of a word.</summary>
    public const int LaneBits = 23;

    /// <summary>Most words of a run: each may take 1 from the sum, which begins at 255.</summary>
    public const int MostWords = 254;

    /// <summary>Most that the magnitudes of the weights of a run may sum up to: times 128, the largest code, it stays below 2^22.</summary>
    public const int LargestSum = 32767;

    private const string Parameters = "parameters";
    private const string Input = "input";
    private const string Sums = "sums";

    /// <summary>Words that are done in a round of the innermost loop: a column has two cells that load, in turn.</summary>
    private const int Turns = 2;

    /// <summary>What sums begin at.</summary>
    private const int FirstSum = 255;

    /// <summary>Bits of a sum below the wanted ones, and those above them.</summary>
    private const int LowBits = 8;
    private const int HighBits = 1;

    private readonly NestView _view;
    private readonly MappedAccess _input;
    private readonly TapSchedule _taps;
    private readonly int _positions;

    /// <summary>Positions of each column.</summary>
    private readonly int _share;

    /// <summary>Runs of a segment of the taps, and words of each.</summary>
    private readonly (int Parts, int Words) _run;

    /// <summary>Compiles a nest.</summary>
    public InputPairsKernel(MappedNest nest, IKernelData data)
        : base(nest)
    {
        var half = nest.Loops.Select(l => l.Name == DensePairsKernel.Half).ToArray();
        _view = new(nest with { Loops = [.. nest.Loops.Select((l, i) => half[i] ? l with { Extent = 1 } : l)] });
        var element = nest.Operands[0].Element;
        _input = nest.Operands[0] with
        {
            Element = new(element.Coefficients.Select((c, i) => half[i] ? 0 : c / HalvesKernel.Halves).ToEquatableArray(), element.Constant / HalvesKernel.Halves),
        };
        _taps = new(_view, _input);
        _positions = _view.Lines * _view.Extent(NestView.Pixel);
        _share = (_positions + Cell.Side - 1) / Cell.Side;
        _run = Cut(data.Constant(nest.Operands[1].Target));
        Program = Build();
    }

    /// <inheritdoc/>
    public override ArrayProgram Program { get; }

    /// <inheritdoc/>
    public override int Launches => _view.Extent(NestView.Quad);

    /// <inheritdoc/>
    public override int ParameterWords => Cell.Side * (1 + StreamWords + _share);

    /// <inheritdoc/>
    public override IEnumerable<(string Buffer, int Words)> Extents =>
        [(_input.Target, InputWord(_positions - 1) + Starts.Max() + ((_run.Words - 1) * Math.Max(0, _taps.Stride)) + 1)];

    /// <summary>Runs of all taps.</summary>
    public int Runs => _taps.Starts.Count * _run.Parts;

    /// <summary>Words that a column reads for each position: for each run two moves of addresses, where there are several, and its weights.</summary>
    private int StreamWords => Runs * (_run.Words + (Runs > 1 ? Turns : 0));

    /// <summary>First word of each run, from the position's first one.</summary>
    private IEnumerable<int> Starts => _taps.Starts.SelectMany(s => Enumerable.Range(0, _run.Parts).Select(part => s + (part * _run.Words * _taps.Stride)));

    /// <inheritdoc/>
    public override KernelLaunch Launch(int index, int parameters, IKernelData data)
    {
        var words = new List<uint>(ParameterWords);
        var (read, write) = (new LaunchPointer?[Cell.Side], new LaunchPointer?[Cell.Side]);
        var weights = data.Constant(Nest.Operands[1].Target);
        var (input, output) = (data.AddressOf(_input.Target), data.AddressOf(Nest.Output.Target) + ((NestView.Base(Nest.Output) + (index * _view.Step(Nest.Output, NestView.Quad))) * NestView.WordBytes));
        var tables = parameters + (Cell.Side * (1 + StreamWords) * NestView.WordBytes);
        for (var column = 0; column < Cell.Side; column++)
        {
            read[column] = new(true, words.Count * NestView.WordBytes);
            write[column] = new(false, output + (First(column) * Cell.Side * NestView.WordBytes));
            words.Add((uint)(tables + (column * _share * NestView.WordBytes)));
            AddStream(column);
        }

        for (var column = 0; column < Cell.Side; column++)
        {
            words.AddRange(Enumerable.Range(First(column), _share).Select(p => (uint)(input + (InputWord(p) * NestView.WordBytes))));
        }

        return new([.. words], read, write);

        void AddStream(int row)
        {
            var behind = 0;
            var segment = 0;
            foreach (var start in _taps.Starts)
            {
                for (var part = 0; part < _run.Parts; part++)
                {
                    var first = start + (part * _run.Words * _taps.Stride);
                    if (Runs > 1)
                    {
                        words.AddRange(Enumerable.Repeat((uint)((first - behind) * NestView.WordBytes), Turns));
                    }

                    behind = first + (_run.Words * _taps.Stride);
                    for (var tap = part * _run.Words; tap < (part + 1) * _run.Words; tap++)
                    {
                        words.Add(tap < _taps.Length ? Word((segment * _taps.Length) + tap) : 0);
                    }
                }

                segment++;
            }

            uint Word(int tap) => (uint)(Weight(weights, index, row, tap, 1) + (Weight(weights, index, row, tap, 0) << LaneBits));
        }
    }

    /// <summary>First position of a column: where the columns aren't filled, neighbours do some positions twice.</summary>
    private int First(int column) => Math.Min(column * _share, _positions - _share);

    /// <summary>Word of the input at the first tap of a position.</summary>
    private int InputWord(int position)
    {
        var pixels = _view.Extent(NestView.Pixel);
        return NestView.Base(_input) + _view.LineOffset(_input, position / pixels) + (position % pixels * _view.Step(_input, NestView.Pixel));
    }

    /// <summary>Weight of an output channel at a tap, in row-major order of the reduced loops but the half; 0 for channels beyond the last.</summary>
    private int Weight(Tensor weights, int quad, int row, int tap, int half)
    {
        var access = Nest.Operands[1];
        if ((quad * Cell.Side) + row >= Nest.Guards[0].Bound)
        {
            return 0;
        }

        var element = NestView.Base(access) + (quad * _view.Step(access, NestView.Quad)) + (row * _view.Step(access, NestView.Lane)) + (half * _view.Step(access, DensePairsKernel.Half));
        for (var loop = Nest.Loops.Count - 1; loop >= 0; loop--)
        {
            if (Nest.Loops[loop] is { Reduced: true, Name: not DensePairsKernel.Half } reduced)
            {
                element += tap % reduced.Extent * (int)access.Element.Coefficients[loop];
                tap /= reduced.Extent;
            }
        }

        return (int)weights.GetInteger(element);
    }

    /// <summary>The fewest runs of a segment, all of the same length, that the weights allow.</summary>
    private (int Parts, int Words) Cut(Tensor weights)
    {
        for (var parts = 1; ; parts++)
        {
            var words = ((_taps.Length + (parts * Turns) - 1) / (parts * Turns)) * Turns;
            if (words <= MostWords && Holds(weights, words))
            {
                return ((_taps.Length + words - 1) / words, words);
            }
        }
    }

    private bool Holds(Tensor weights, int words)
    {
        for (var channel = 0; channel < Nest.Guards[0].Bound; channel++)
        {
            var sum = 0;
            for (var tap = 0; tap < _taps.Taps; tap++)
            {
                sum = tap % _taps.Length % words == 0 ? 0 : sum;
                for (var half = 0; half < HalvesKernel.Halves; half++)
                {
                    sum += Math.Abs(Weight(weights, channel / Cell.Side, channel % Cell.Side, tap, half));
                }

                if (sum > LargestSum)
                {
                    return false;
                }
            }
        }

        return true;
    }

    private static bool IsEven(Cell cell) => (cell.Row + cell.Column) % 2 == 0;

    /// <summary>The cells of a column that load inputs, in turn.</summary>
    private static Cell Loader(int column, int turn) => new(((column + 1) % 2) + (2 * turn), column);

    /// <summary>The cell that loads the weights of a row, and the addresses of a column: a neighbour of those that take them.</summary>
    private static Cell Diagonal(int index) => new(index, index);

    private static Cell Counter(int row) => new(row, (row + 2) % Cell.Side);

    private static Cell Left(Cell cell) => cell with { Column = (cell.Column + Cell.Side - 1) % Cell.Side };

    private static Cell Above(Cell cell) => cell with { Row = (cell.Row + Cell.Side - 1) % Cell.Side };

    private ArrayProgram Build()
    {
        var p = new ArrayProgramBuilder(Strategy);
        var side = Enumerable.Range(0, Cell.Side).ToArray();
        var cells = Cell.All.ToArray();
        var loaders = Enumerable.Range(0, Turns).Select(turn => side.Select(c => Loader(c, turn)).ToArray()).ToArray();
        var address = loaders.SelectMany(l => l).ToDictionary(c => c, c => Register(c, "address"));
        var next = side.Select(c => Register(Diagonal(c), "next")).ToArray();
        var sum = cells.ToDictionary(c => c, c => Register(c, "sum"));
        var total = cells.ToDictionary(c => c, c => Register(c, "total"));
        var (word, run, position) = (Register(Counter(0), "word"), Register(Counter(1), "run"), Register(Counter(2), "position"));
        var stride = _taps.Stride * NestView.WordBytes;
        var hasRuns = Runs > 1;

        p.Block("start");
        p.Step(side.Select(c => LoadStream(Diagonal(c), NestView.WordBytes, next[c], Parameters)));
        p.Set(position, _share);

        var positionBlock = p.Block("position");
        var starts = side.Select(c => Load(Diagonal(c), next[c], null, Parameters)).ToArray();
        p.Step(starts);

        // the second loader steps forward by a round before it loads, the first one afterwards
        p.Step(loaders.SelectMany((of, turn) => of.Select(c => Add(address[c], starts[c.Column], turn == 0 ? 0 : stride - (Turns * stride)))));
        p.Count(position);
        foreach (var c in side)
        {
            p.Do(Add(next[c], next[c], NestView.WordBytes));
        }

        foreach (var c in cells)
        {
            if (hasRuns)
            {
                p.Do(Clear(total[c]));
            }

            p.Set(sum[c], FirstSum);
        }

        if (hasRuns)
        {
            p.Set(run, Runs);
        }
        else
        {
            p.Set(word, _run.Words / Turns);
        }

        var runBlock = hasRuns ? p.Block("run") : positionBlock;
        if (hasRuns)
        {
            var moves = loaders.SelectMany(l => l).Select(c => LoadStream(c, NestView.WordBytes, null, Parameters)).ToArray();
            p.Step(moves);
            p.Set(word, _run.Words / Turns);
            p.Count(run);
            p.Step(moves.Select(m => Binary(OpenEdgeOpcode.SAdd, m.Cell, address[m.Cell], m, address[m.Cell])));
        }

        var wordBlock = p.Block("word");
        for (var turn = 0; turn < Turns; turn++)
        {
            var inputs = side.Select(c => Load(loaders[turn][c], address[loaders[turn][c]], null, Input)).ToArray();
            var weights = side.Select(r => LoadStream(Diagonal(r), NestView.WordBytes, null, Parameters)).ToArray();
            p.Step([.. inputs, .. weights]);
            if (turn == 0)
            {
                p.Count(word);
            }

            p.Step(loaders[1 - turn].Select(c => Add(address[c], address[c], Turns * stride)));
            var spread = cells.Select(c => Move(c, IsEven(c) ? inputs[c.Column] : weights[c.Row])).ToArray();
            p.Step(spread);
            var products = Each(c => Binary(OpenEdgeOpcode.FxpMul, c, spread[c.Index], spread[(IsEven(c) ? Left(c) : Above(c)).Index]));
            Each(c => Binary(OpenEdgeOpcode.SAdd, c, sum[c], products[c.Index], sum[c]));
        }

        p.LoopWhileNotZero(word, wordBlock);

        p.Block("run end");
        var shifted = Each(c => Binary(OpenEdgeOpcode.Sll, c, sum[c], ArrayOperand.Immediate, null, HighBits));
        var wanted = Each(c => Binary(OpenEdgeOpcode.Sra, c, shifted[c.Index], ArrayOperand.Immediate, hasRuns ? null : total[c], HighBits + LowBits));
        if (hasRuns)
        {
            Each(c => Binary(OpenEdgeOpcode.SAdd, c, total[c], wanted[c.Index], total[c]));
            foreach (var c in cells)
            {
                p.Set(sum[c], FirstSum);
            }

            p.LoopWhileNotZero(run, runBlock);
            p.Block("position end");
        }

        for (var rewind = StreamWords * NestView.WordBytes; rewind > 0;)
        {
            var part = Math.Min(rewind, -OpenEdgeInstruction.MinImmediate);
            p.Step(side.Select(r => LoadStream(Diagonal(r), -part, null, Parameters)));
            rewind -= part;
        }

        Each(c => StoreStream(c, total[c], NestView.WordBytes, Sums));
        p.LoopWhileNotZero(position, positionBlock);
        p.Exit(new(0, 0));
        return p.Build();

        ArrayOperation[] Each(Func<Cell, ArrayOperation> make)
        {
            var operations = cells.Select(make).ToArray();
            p.Step(operations);
            return operations;
        }
    }
}
