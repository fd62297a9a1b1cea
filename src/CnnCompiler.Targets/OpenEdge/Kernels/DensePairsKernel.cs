using CnnCompiler.Core.Tensors;
using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using static CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayProgramBuilder;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>
/// Fully connected layers with two products a multiplication. An input word holds two inputs, x + x' * 2^16 (<see cref="HalvesKernel"/>), a weight word
/// their weights the other way round, w' + w * 2^16: the product's bits 16 to 31 are w x + w' x', its low lane w' x is in the way and is cut off.
/// The sixteen cells are sixteen output channels. Operand 0 is the packed input over the reduced loops <see cref="Half"/> and <see cref="Pair"/>,
/// operand 1 the weights, the output the accumulators [quad][line][lane].
/// </summary>
/// <remarks>
/// <para>Inputs don't travel: cell (r, c) keeps the pair of colour (2r + c) mod 4 of four, so that it and three of its neighbours see all four. It multiplies
/// for itself and for them in turn, and each takes the products that are its own from its neighbour's ROUT. Weights stream in that order.</para>
/// <para>Sums collect in the high lane for a group of four, two or one products (<see cref="GroupSize"/>), as many as the weights allow, then the lane is
/// added to a 32-bit sum. The stream says after every set whether another one follows, and after the last whether another sixteen channels do: the code is the same for all
/// layers of a group size, and blocks in a row are one launch.</para>
/// </remarks>
public sealed class DensePairsKernel : NestKernel
{
    /// <summary>Name of the strategy in mapped programs.</summary>
    public const string Strategy = "dense-pairs-cells-are-channels";

    /// <summary>Loop over the two inputs of a word.</summary>
    public const string Half = "half";

    /// <summary>Loop over the words.</summary>
    public const string Pair = "pair";

    /// <summary>Most that the magnitudes of the weights of a group may sum up to: times 128, the largest code, it stays inside a lane and its offset.</summary>
    public const int LargestSum = 255;

    private const string Parameters = "parameters";
    private const string Input = "input";
    private const string Sums = "sums";

    /// <summary>Bits of a lane.</summary>
    private const int LaneBits = 16;

    /// <summary>Shifted left by its own low five bits it is 32,832: what keeps the low lane, at most 255 * 128 in magnitude, from being negative.</summary>
    private const int OffsetSeed = 2052;

    private readonly NestView _view;
    private readonly int _pairs;
    private readonly int _group;

    /// <summary>Words between the pairs of neighbouring colours, and between the sets of four.</summary>
    private readonly (int Colour, int Set) _step;

    /// <summary>Compiles a nest.</summary>
    public DensePairsKernel(MappedNest nest, IKernelData data)
        : base(nest)
    {
        _view = new(nest);
        _pairs = _view.Extent(Pair);
        (_group, _step) = Arrange(data.Constant(nest.Operands[1].Target));
        Program = Build();
    }

    /// <inheritdoc/>
    public override ArrayProgram Program { get; }

    /// <inheritdoc/>
    public override int Launches => _view.Lines * Blocks;

    /// <inheritdoc/>
    public override int ParameterWords => (Cell.Side * Cell.Side) + BlockWords;

    /// <inheritdoc/>
    public override int Trips => Sets;

    /// <summary>Products that are added in a lane before it is taken out.</summary>
    public int GroupSize => _group;

    /// <inheritdoc/>
    public override IEnumerable<(string Buffer, int Words)> Extents =>
    [
        (Nest.Operands[0].Target, InputWord(_view.Lines - 1) + (Sets * Cell.Side)),
        (Nest.Output.Target, Blocks * Cell.Side * _view.Lines * Cell.Side),
    ];

    /// <summary>True where there are more blocks than one, and constants lead from the sums of one to those of the next, and back to the first inputs.</summary>
    private bool HasRows => Blocks > 1 && FitsImmediate(BlockHop) && FitsImmediate((long)SetBytes * Sets);

    /// <summary>Bytes from a set's inputs to the next one's.</summary>
    private int SetBytes => _step.Set * NestView.WordBytes;

    /// <summary>Words of a block in the stream.</summary>
    private int BlockWords => (Cell.Side * Cell.Side * Cell.Side * Sets) + Sets + (HasRows ? 1 : 0);

    /// <summary>Bytes from the last sum that a column stores to the first one of the next block.</summary>
    private long BlockHop => ((Cell.Side * (long)_view.Step(Nest.Output, NestView.Quad)) - (Cell.Side - 1)) * NestView.WordBytes;

    /// <summary>Blocks of sixteen channels.</summary>
    private int Blocks => (_view.Extent(NestView.Quad) + Cell.Side - 1) / Cell.Side;

    /// <summary>Sets of four pairs.</summary>
    private int Sets => (_pairs + Cell.Side - 1) / Cell.Side;

    /// <summary>True where lanes hold at least one product whatever the inputs: two weights of any pair.</summary>
    /// <param name="largestWeight">Largest magnitude of a weight.</param>
    public static bool LanesHold(long largestWeight) => HalvesKernel.Halves * largestWeight <= LargestSum;

    /// <inheritdoc/>
    public override KernelLaunch Launch(int index, int parameters, IKernelData data) => InARow(index, 1, parameters, data);

    /// <inheritdoc/>
    public override bool Continues(int index) => HasRows && index % Blocks > 0;

    /// <inheritdoc/>
    public override int NarrowStreamWords(int count) => Cell.Side + (count * ((Cell.Side * Cell.Side * Sets) + Sets + (HasRows ? 1 : 0)));

    /// <inheritdoc/>
    public override KernelLaunch InARow(int index, int count, int parameters, IKernelData data)
    {
        var (line, first) = (index / Blocks, index % Blocks);
        var weights = data.Constant(Nest.Operands[1].Target);
        var input = data.AddressOf(Nest.Operands[0].Target) + (InputWord(line) * NestView.WordBytes);
        var words = new List<uint>((Cell.Side * Cell.Side) + (count * BlockWords));
        var read = new LaunchPointer?[Cell.Side];
        var write = new LaunchPointer?[Cell.Side];
        for (var column = 0; column < Cell.Side; column++)
        {
            read[column] = new(true, words.Count * NestView.WordBytes);
            write[column] = new(
                false,
                data.AddressOf(Nest.Output.Target)
                    + ((NestView.Base(Nest.Output) + (((first * Cell.Side) + column) * _view.Step(Nest.Output, NestView.Quad)) + _view.LineOffset(Nest.Output, line)) * NestView.WordBytes));
            words.AddRange(Enumerable.Range(0, Cell.Side).Select(row => (uint)(input + (Index(Colour(new(row, column)), 0) * NestView.WordBytes))));
            for (var block = first; block < first + count; block++)
            {
                AddColumn(block, column, block + 1 < first + count);
            }
        }

        return new([.. words], read, write);

        void AddColumn(int block, int column, bool isContinued)
        {
            for (var set = 0; set < Sets; set++)
            {
                for (var turn = 0; turn < Cell.Side; turn++)
                {
                    for (var row = 0; row < Cell.Side; row++)
                    {
                        var cell = new Cell(row, column);
                        words.Add(Word(weights, block, Reader(cell, turn), Index(Colour(cell), set)));
                    }
                }

                if (column == 0)
                {
                    words.Add(set + 1 < Sets ? 1u : 0);
                }
            }

            if (column == 0 && HasRows)
            {
                words.Add(isContinued ? 1u : 0);
            }
        }
    }

    private int InputWord(int line) => (NestView.Base(Nest.Operands[0]) + _view.LineOffset(Nest.Operands[0], line)) / HalvesKernel.Halves;

    private int Index(int colour, int set) => (colour * _step.Colour) + (set * _step.Set);

    /// <summary>Which pair of a set a cell keeps: its left, right and vertical neighbours keep the other three.</summary>
    private static int Colour(Cell cell) => ((2 * cell.Row) + cell.Column) % Cell.Side;

    /// <summary>Whose product a cell takes in a turn: its own, its right, lower and left neighbour's.</summary>
    private static Cell Source(Cell cell, int turn) => turn switch
    {
        0 => cell,
        1 => new(cell.Row, (cell.Column + 1) % Cell.Side),
        2 => new((cell.Row + 1) % Cell.Side, cell.Column),
        _ => new(cell.Row, (cell.Column + Cell.Side - 1) % Cell.Side),
    };

    /// <summary>Who takes a cell's product in a turn.</summary>
    private static Cell Reader(Cell cell, int turn) => Cell.All.First(reader => Source(reader, turn) == cell);

    /// <summary>The weight word of an output channel and a pair; 0 beyond the last.</summary>
    private uint Word(Tensor weights, int block, Cell output, int pair) =>
        (uint)(Weight(weights, block, output, pair, 1) + (Weight(weights, block, output, pair, 0) << LaneBits));

    private int Weight(Tensor weights, int block, Cell output, int pair, int half)
    {
        var access = Nest.Operands[1];
        var quad = (block * Cell.Side) + output.Column;
        return pair >= _pairs || (quad * Cell.Side) + output.Row >= Nest.Guards[0].Bound
            ? 0
            : (int)weights.GetInteger(
                NestView.Base(access) + (quad * _view.Step(access, NestView.Quad)) + (output.Row * _view.Step(access, NestView.Lane))
                + (pair * _view.Step(access, Pair)) + (half * _view.Step(access, Half)));
    }

    /// <summary>The order of the pairs, of two, that allows the larger groups; then the group size.</summary>
    private (int Group, (int Colour, int Set) Step) Arrange(Tensor weights)
    {
        (int, int)[] steps = [(1, Cell.Side), (Sets, 1)];
        for (var group = Cell.Side; group > 1; group /= 2)
        {
            foreach (var step in steps)
            {
                if (Holds(weights, group, step))
                {
                    return (group, step);
                }
            }
        }

        return (1, steps[0]);
    }

    private bool Holds(Tensor weights, int group, (int Colour, int Set) step)
    {
        for (var block = 0; block < Blocks; block++)
        {
            foreach (var output in Cell.All)
            {
                for (var set = 0; set < Sets; set++)
                {
                    var sum = 0;
                    for (var turn = 0; turn < Cell.Side; turn++)
                    {
                        var pair = (Colour(Source(output, turn)) * step.Colour) + (set * step.Set);
                        sum = turn % group == 0 ? 0 : sum;
                        sum += Math.Abs(Weight(weights, block, output, pair, 0)) + Math.Abs(Weight(weights, block, output, pair, 1));
                        if (sum > LargestSum)
                        {
                            return false;
                        }
                    }
                }
            }
        }

        return true;
    }

    private ArrayProgram Build()
    {
        var p = new ArrayProgramBuilder(Strategy);
        var address = Cell.All.ToDictionary(c => c, c => Register(c, "address"));
        var x = Cell.All.ToDictionary(c => c, c => Register(c, "x"));
        var lane = Cell.All.ToDictionary(c => c, c => Register(c, "lane"));
        var sum = Cell.All.ToDictionary(c => c, c => Register(c, "sum"));
        var control = new Cell(0, 0);

        p.Block("start");
        p.Step(Cell.All.Select(c => LoadStream(c, NestView.WordBytes, address[c], Parameters)));
        Reset();

        var loop = p.Block("set");
        p.Step(Cell.All.Select(c => Load(c, address[c], x[c], Input)));
        for (var turn = 0; turn < Cell.Side; turn++)
        {
            var weight = Cell.All.Select(c => LoadStream(c, NestView.WordBytes, null, Parameters)).ToArray();
            p.Step(weight);
            var products = weight.Select(w => Binary(OpenEdgeOpcode.SMul, w.Cell, w, x[w.Cell])).ToDictionary(m => m.Cell);
            p.Step(products.Values);
            var last = (turn + 1) % _group == 0;
            var added = Cell.All
                .Select(c => Binary(OpenEdgeOpcode.SAdd, c, lane[c], products[Source(c, turn)], last ? null : lane[c])).ToArray();
            p.Step(added);
            if (last)
            {
                var high = added.Select(a => Binary(OpenEdgeOpcode.Sra, a.Cell, a, ArrayOperand.Immediate, null, LaneBits)).ToArray();
                p.Step(high);
                p.Step(high.Select(h => Binary(OpenEdgeOpcode.SAdd, h.Cell, sum[h.Cell], h, sum[h.Cell])));
                if (_group > 1)
                {
                    Reset();
                }
            }
        }

        // one cell asks whether there is more; its neighbour goes on while it does what the others did meanwhile
        var more = LoadStream(control, NestView.WordBytes, null, Parameters);
        p.Step([more, .. Cell.All.Where(c => c != control).Select(c => Add(address[c], address[c], SetBytes))]);
        p.Step([Add(address[control], address[control], SetBytes), Continue(more, loop)]);

        p.Block("end");
        var hop = HasRows ? (int)BlockHop : NestView.WordBytes;
        p.Step(Cell.All.Select(c => StoreStream(c, sum[c], c.Row < Cell.Side - 1 ? NestView.WordBytes : hop, Sums)));
        if (HasRows)
        {
            var next = LoadStream(control, NestView.WordBytes, null, Parameters);
            p.Step([next, .. Cell.All.Where(c => c != control).Select(c => Clear(sum[c]))]);
            p.Step([Clear(sum[control]), .. Cell.All.Where(c => c != control).Select(c => Add(address[c], address[c], -SetBytes * Sets))]);
            p.Step([Add(address[control], address[control], -SetBytes * Sets), Continue(next, loop)]);
        }

        p.Exit(control);
        return p.Build();

        static ArrayOperation Continue(ArrayOperation isMore, ArrayBlock target) =>
            new() { Cell = isMore.Cell with { Column = isMore.Cell.Column + 1 }, Opcode = OpenEdgeOpcode.Bne, A = isMore, B = ArrayOperand.Zero, Target = target };
        void Reset() => p.Step(Cell.All.Select(c => Binary(OpenEdgeOpcode.Sll, c, ArrayOperand.Immediate, ArrayOperand.Immediate, lane[c], OffsetSeed)));
    }
}
