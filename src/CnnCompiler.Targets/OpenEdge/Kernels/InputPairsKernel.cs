using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using static CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayProgramBuilder;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>
/// Multiply-accumulate with two products of one output a multiplication, for any kernel, stride and dilation: rows of the array are two output channels each, columns share
/// the positions, wherever these lie. A word of the input holds two inputs, x + x' * 2^23, a weight word their weights the other way round, w' + w * 2^23. Of the 64 bits of
/// their product FXPMUL gives those from 15 on, modulo 2^32: 2^8 (w x + w' x') + 2^31 w x' + floor(w' x / 2^15).
/// <para>
/// The first term is what is wanted, the second only touches the top bit, the third is 0 or -1. So products are added as they are: a sum that began at 255 has in its bits 8 to 30 what the wanted
/// terms add up to, as long as that stays below 2^22 in magnitude, and may go on behind at most 255 products once its low bits are set again. The obligation is on the weights of a channel alone
/// (<see cref="LargestSum"/>); each of them, and every code, may take any value.
/// </para>
/// <para>
/// The cells are a chess board as in <see cref="HalvesContractKernel"/>: cells with even row + column take the input of their column, the others the weights of their row; each
/// multiplies what its own ROUT holds with what a neighbour's holds. An input is loaded once for eight channels, a weight word for four positions. One launch computes eight channels at all positions.
/// Where each position begins stands in a table of addresses behind the weights.
/// </para>
/// Operand 0 is the packed input, whose loop <see cref="DensePairsKernel.Half"/> is the lane, operand 1 the weights, the output sums whose positions follow each other at equal steps.
/// </summary>
public sealed class InputPairsKernel : NestKernel
{
    /// <summary>Name of the strategy in mapped programs.</summary>
    public const string Strategy = "pairs-rows-are-channels";

    /// <summary>Bits between the two inputs of a word.</summary>
    public const int LaneBits = 23;

    /// <summary>Most that the magnitudes of a channel's weights may sum up to: times 128, the largest code, it stays below 2^22.</summary>
    public const int LargestSum = 32767;

    /// <summary>Quads of output channels of a launch.</summary>
    public const int Quads = 2;

    /// <summary>What sums begin at, and how many products may each take 1 from it.</summary>
    private const int LowOnes = 255;

    /// <summary>Bits of a sum below the wanted ones, and those above them.</summary>
    private const int LowBits = 8;
    private const int HighBits = 1;

    /// <summary>Words after which ways through the banks repeat, where there are up to two for each column.</summary>
    private const int Span = 2 * Cell.Side;

    private const string Parameters = "parameters";
    private const string Input = "input";
    private const string Sums = "sums";

    private readonly NestView _view;
    private readonly MappedAccess _input;
    private readonly TapSchedule _taps;
    private readonly int _positions;

    /// <summary>Positions of each column.</summary>
    private readonly int _share;

    /// <summary>Runs of a segment of the taps, and words of each.</summary>
    private readonly (int Parts, int Words) _run;

    /// <summary>Compiles a nest.</summary>
    public InputPairsKernel(MappedNest nest)
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
        var parts = (_taps.Length + LowOnes - 1) / LowOnes;
        _run = (parts, (_taps.Length + parts - 1) / parts);
        Program = Build();
    }

    /// <inheritdoc/>
    public override ArrayProgram Program { get; }

    /// <inheritdoc/>
    public override int Launches => (_view.Extent(NestView.Quad) + Quads - 1) / Quads;

    /// <inheritdoc/>
    public override int ParameterWords => BlockWords(1);

    /// <inheritdoc/>
    public override IEnumerable<(string Buffer, int Words)> Extents =>
    [
        (_input.Target, InputWord(_positions - 1) + Starts.Max() + (_run.Words * Math.Max(0, _taps.Stride)) + 1),
        (Nest.Output.Target, NestView.Base(Nest.Output) + (((Launches * Quads) - 1) * _view.Step(Nest.Output, NestView.Quad)) + ((_positions - 1) * SumStep) + Cell.Side),
    ];

    /// <summary>Runs of all taps.</summary>
    private int Runs => _taps.Starts.Count * _run.Parts;

    /// <summary>First word of each run, from the position's first one.</summary>
    private IEnumerable<int> Starts => _taps.Starts.SelectMany(s => Enumerable.Range(0, _run.Parts).Select(part => s + (part * _run.Words * _taps.Stride)));

    /// <summary>Words that a column reads for each position: for each run a move of addresses, where there are several, its weights, and one behind them.</summary>
    private int StreamWords => Runs * ((Runs > 1 ? 1 : 0) + (Quads * _run.Words) + 1);

    /// <summary>True where the stream says after each launch's channels whether others follow; so it does in all columns, so that they stay at different banks.</summary>
    private bool HasRows => Launches > 1;

    /// <summary>Words of a column's parameters for the channels of some launches.</summary>
    private int ColumnWords(int count) => count * (1 + StreamWords + (HasRows ? 1 : 0));

    /// <summary>
    /// Words from a column's parameters to the next one's: an odd number, so that columns are at different banks. For launches in a row, and where inputs of columns are an odd number of words apart, too,
    /// as many in the other direction up to whole <see cref="Span"/>s, so that few inputs and weights meet at a bank, if the tables that such launches share leave the words for it.
    /// </summary>
    private int ColumnStep(int count)
    {
        var words = ColumnWords(count);
        var apart = InputWord(First(1)) - InputWord(0);
        var opposite = words + ((((-apart - words) % Span) + Span) % Span);
        return apart % 2 != 0 && (Cell.Side - 1) * (opposite - words) <= (count - 1) * Cell.Side * _share ? opposite : words | 1;
    }

    /// <summary>Words of the parameters for some launches, of which the tables are the last.</summary>
    private int BlockWords(int count) => TableWord(count, 0) + (Cell.Side * _share);

    private int TableWord(int count, int column) => ((Cell.Side - 1) * ColumnStep(count)) + ColumnWords(count) + (column * _share);

    /// <summary>First position of a column: where the columns aren't filled, neighbours do some positions twice.</summary>
    private int First(int column) => Math.Min(column * _share, _positions - _share);

    /// <summary>Words from the sums of a position to those of the next one.</summary>
    private int SumStep => SumStepOf(Nest);

    /// <summary>True where constants of the code lead from the sums of four channels to those of the next four, and back.</summary>
    /// <param name="positions">Positions.</param>
    /// <param name="step">Words from the sums of four channels at a position to those of the next one.</param>
    public static bool Reaches(long positions, long step) => FitsImmediate(positions * step * NestView.WordBytes);

    /// <inheritdoc/>
    public override KernelLaunch Launch(int index, int parameters, IKernelData data) => InARow(index, 1, parameters, data);

    /// <inheritdoc/>
    public override bool Continues(int index) => HasRows;

    /// <inheritdoc/>
    public override KernelLaunch InARow(int index, int count, int parameters, IKernelData data)
    {
        var columnStep = ColumnStep(count);
        var words = new uint[BlockWords(count)];
        var (read, write) = (new LaunchPointer?[Cell.Side], new LaunchPointer?[Cell.Side]);
        var weights = data.Constant(Nest.Operands[1].Target);
        var input = data.AddressOf(_input.Target);
        var output = data.AddressOf(Nest.Output.Target) + ((NestView.Base(Nest.Output) + (index * Quads * _view.Step(Nest.Output, NestView.Quad))) * NestView.WordBytes);
        for (var column = 0; column < Cell.Side; column++)
        {
            var first = First(column);
            var table = TableWord(count, column);
            read[column] = new(true, column * columnStep * NestView.WordBytes);
            write[column] = new(false, output + (first * SumStep * NestView.WordBytes));
            var stream = words.AsSpan(column * columnStep, ColumnWords(count));
            for (var launch = index; launch < index + count; launch++)
            {
                stream[0] = (uint)(parameters + (table * NestView.WordBytes));
                Fill(stream[1..], launch, column, weights);
                stream = stream[(1 + StreamWords)..];
                if (HasRows)
                {
                    stream[0] = launch + 1 < index + count ? 1u : 0;
                    stream = stream[1..];
                }
            }

            for (var i = 0; i < _share; i++)
            {
                words[table + i] = (uint)(input + (InputWord(first + i) * NestView.WordBytes));
            }
        }

        return new(words, read, write);
    }

    /// <summary>The stream of a column for the channels of a launch, with the weights of a row.</summary>
    private void Fill(Span<uint> stream, int index, int row, Tensor weights)
    {
        var (next, behind, segment) = (0, 0, 0);
        foreach (var start in _taps.Starts)
        {
            for (var part = 0; part < _run.Parts; part++)
            {
                if (Runs > 1)
                {
                    var first = start + (part * _run.Words * _taps.Stride);
                    stream[next++] = (uint)((first - behind) * NestView.WordBytes);
                    behind = first + (_run.Words * _taps.Stride);
                }

                for (var tap = part * _run.Words; tap < (part + 1) * _run.Words; tap++)
                {
                    for (var quad = index * Quads; quad < (index + 1) * Quads; quad++)
                    {
                        stream[next++] = tap < _taps.Length ? Word(weights, quad, row, (segment * _taps.Length) + tap) : 0;
                    }
                }

                next++;
            }

            segment++;
        }
    }

    /// <summary>Word of the input at the first tap of a position.</summary>
    private int InputWord(int position)
    {
        var pixels = _view.Extent(NestView.Pixel);
        return NestView.Base(_input) + _view.LineOffset(_input, position / pixels) + (position % pixels * _view.Step(_input, NestView.Pixel));
    }

    /// <summary>The weight word of an output channel at a tap, in row-major order of the reduced loops but the half; 0 for channels beyond the last.</summary>
    private uint Word(Tensor weights, int quad, int row, int tap)
    {
        if ((quad * Cell.Side) + row >= Nest.Guards[0].Bound)
        {
            return 0;
        }

        var access = Nest.Operands[1];
        var element = NestView.Base(access) + (quad * _view.Step(access, NestView.Quad)) + (row * _view.Step(access, NestView.Lane));
        for (var loop = Nest.Loops.Count - 1; loop >= 0; loop--)
        {
            if (Nest.Loops[loop] is { Reduced: true, Name: not DensePairsKernel.Half } reduced)
            {
                element += tap % reduced.Extent * (int)access.Element.Coefficients[loop];
                tap /= reduced.Extent;
            }
        }

        return (uint)(weights.GetInteger(element + _view.Step(access, DensePairsKernel.Half)) + (weights.GetInteger(element) << LaneBits));
    }

    private static int SumStepOf(MappedNest nest)
    {
        var view = new NestView(nest);
        var (lines, pixels) = (view.Lines, view.Extent(NestView.Pixel));
        var step = pixels > 1 ? view.Step(nest.Output, NestView.Pixel) : lines > 1 ? view.LineOffset(nest.Output, 1) : Cell.Side;
        return Enumerable.Range(0, lines).All(line => view.LineOffset(nest.Output, line) == line * pixels * step)
            ? step : throw new InvalidOperationException($"the sums of {nest.Name} don't follow each other at equal steps");
    }

    private static bool IsEven(Cell cell) => (cell.Row + cell.Column) % 2 == 0;

    /// <summary>The cell that loads the inputs of a column: both even cells of the column are its neighbours.</summary>
    private static Cell Loader(int column) => new((column + 1) % Cell.Side, column);

    /// <summary>The cell that loads the weights of a row, and the addresses of a column: both odd cells of its row are its neighbours.</summary>
    private static Cell Diagonal(int index) => new(index, index);

    private static Cell Counter(int row) => new(row, (row + 2) % Cell.Side);

    private static Cell Left(Cell cell) => cell with { Column = (cell.Column + Cell.Side - 1) % Cell.Side };

    private static Cell Above(Cell cell) => cell with { Row = (cell.Row + Cell.Side - 1) % Cell.Side };

    private ArrayProgram Build()
    {
        var p = new ArrayProgramBuilder(Strategy);
        var side = Enumerable.Range(0, Cell.Side).ToArray();
        var cells = Cell.All.ToArray();
        var address = side.Select(c => Register(Loader(c), "address")).ToArray();
        var next = side.Select(c => Register(Diagonal(c), "next")).ToArray();
        var x = cells.Select(c => Register(c, "x")).ToArray();
        VirtualRegister[][] sum = [.. Enumerable.Range(0, Quads).Select(quad => cells.Select(c => Register(c, FormattableString.Invariant($"sum {quad}"))).ToArray())];
        var (word, run, position) = (Register(Counter(0), "word"), Register(Counter(1), "run"), Register(Counter(2), "position"));
        var hasRuns = Runs > 1;

        var start = p.Block("start");
        p.Step(side.Select(c => LoadStream(Diagonal(c), NestView.WordBytes, next[c], Parameters)));
        p.Set(position, _share);

        var positionBlock = p.Block("position");
        var starts = side.Select(c => Load(Diagonal(c), next[c], null, Parameters)).ToArray();
        p.Step(starts);
        p.Step(side.Select(c => Move(Loader(c), starts[c], address[c])));
        p.Step(side.Select(c => Add(next[c], next[c], NestView.WordBytes)));
        p.Count(position);
        foreach (var register in sum.SelectMany(s => s))
        {
            p.Set(register, LowOnes);
        }

        p.Set(hasRuns ? run : word, hasRuns ? Runs : _run.Words);
        var runBlock = positionBlock;
        if (hasRuns)
        {
            // bits that products may have taken are set again
            runBlock = p.Block("run");
            var moves = side.Select(c => LoadStream(Loader(c), NestView.WordBytes, null, Parameters)).ToArray();
            p.Step(moves);
            p.Step(moves.Select((m, c) => Binary(OpenEdgeOpcode.SAdd, m.Cell, address[c], m, address[c])));
            p.Set(word, _run.Words);
            p.Count(run);
            foreach (var register in sum.SelectMany(s => s))
            {
                p.Do(Binary(OpenEdgeOpcode.LOr, register.Cell, register, ArrayOperand.Immediate, register, LowOnes));
            }
        }

        // a word is loaded before the round that multiplies it: what is loaded behind the last one isn't used
        p.Block("first word");
        LoadNext();

        var wordBlock = p.Block("word");
        MultiplyAdd(0, [.. cells.Select(c => IsEven(c) ? Move(c, ArrayOperand.Carried(Loader(c.Column)), x[c.Index]) : Move(c, ArrayOperand.Carried(Diagonal(c.Row))))]);
        var weights = LoadParameter();
        p.Step(weights);
        p.Step(address.Select(a => Add(a, a, _taps.Stride * NestView.WordBytes)));
        p.Count(word);
        MultiplyAdd(1, [.. cells.Select(c => Move(c, IsEven(c) ? x[c.Index] : weights[c.Row]))]);
        LoadNext();
        p.LoopWhileNotZero(word, wordBlock);

        if (hasRuns)
        {
            p.Block("run end");
            p.LoopWhileNotZero(run, runBlock);
        }

        p.Block("position end");
        var hop = _view.Step(Nest.Output, NestView.Quad);
        for (var quad = 0; quad < Quads; quad++)
        {
            var of = sum[quad];
            var shifted = Each(c => Binary(OpenEdgeOpcode.Sll, c, of[c.Index], ArrayOperand.Immediate, null, HighBits));
            Each(c => Binary(OpenEdgeOpcode.Sra, c, shifted[c.Index], ArrayOperand.Immediate, of[c.Index], HighBits + LowBits));
            if (quad + 1 < Quads)
            {
                StoreSums(quad, hop);
            }
        }

        var last = Later("last position");
        if (HasRows)
        {
            p.Do(new() { Cell = position.Cell, Opcode = OpenEdgeOpcode.Beq, A = position, B = ArrayOperand.Zero, Target = last });
            p.Block("next position");
        }

        StoreSums(Quads - 1, SumStep - ((Quads - 1) * hop));
        for (var rewind = StreamWords * NestView.WordBytes; rewind > 0;)
        {
            var part = Math.Min(rewind, -OpenEdgeInstruction.MinImmediate);
            p.Step(side.Select(r => LoadStream(Diagonal(r), -part, null, Parameters)));
            rewind -= part;
        }

        p.LoopWhileNotZero(position, positionBlock);
        if (HasRows)
        {
            // from the last position of these channels to the first one of the next
            p.Begin(last);
            StoreSums(Quads - 1, hop - ((_share - 1) * SumStep));
            var more = LoadParameter();
            p.Step(more);
            p.Do(new() { Cell = more[0].Cell, Opcode = OpenEdgeOpcode.Bne, A = more[0], B = ArrayOperand.Zero, Target = start });
        }

        p.Exit(new(0, 0));
        return p.Build();

        // the words of a column's four channels, then by so many words on
        void StoreSums(int quad, int step) => Each(c =>
            StoreStream(c, sum[quad][c.Index], (c.Row < Cell.Side - 1 ? 1 : step - (Cell.Side - 1)) * NestView.WordBytes, Sums));

        ArrayOperation[] Each(Func<Cell, ArrayOperation> make)
        {
            var operations = cells.Select(make).ToArray();
            p.Step(operations);
            return operations;
        }

        ArrayOperation[] LoadParameter() => [.. side.Select(r => LoadStream(Diagonal(r), NestView.WordBytes, null, Parameters))];

        void LoadNext() => p.Step([.. side.Select(c => Load(Loader(c), address[c], null, Input)), .. LoadParameter()]);

        void MultiplyAdd(int quad, ArrayOperation[] spread)
        {
            p.Step(spread);
            var products = Each(c => Binary(OpenEdgeOpcode.FxpMul, c, spread[c.Index], spread[(IsEven(c) ? Left(c) : Above(c)).Index]));
            Each(c => Binary(OpenEdgeOpcode.SAdd, c, sum[quad][c.Index], products[c.Index], sum[quad][c.Index]));
        }
    }
}
