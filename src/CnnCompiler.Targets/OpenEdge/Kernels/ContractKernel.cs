using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using static CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayProgramBuilder;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>
/// Multiply-accumulate for convolutions whose output channels share their inputs: rows of the array are four output channels, columns four lines
/// of output positions. For each tap, row 0 loads one activation a column and the diagonal one weight a row; each spreads over its column or row
/// in two moves. One launch computes four channels of one group at all positions and writes raw 32-bit sums:
/// operand 0 is the activation (one element a word), operand 1 the weights, the output the accumulators [quad][line][pixel][lane].
/// </summary>
public sealed class ContractKernel : NestKernel
{
    /// <summary>Name of the strategy in mapped programs.</summary>
    public const string Strategy = "contract-rows-are-channels";

    private const string Parameters = "parameters";
    private const string Weights = "weights";
    private const string Input = "input";
    private const string Sums = "sums";

    private readonly NestView _view;
    private readonly TapSchedule _taps;
    private readonly int _linesPerColumn;

    /// <summary>Compiles a nest.</summary>
    public ContractKernel(MappedNest nest)
        : base(nest)
    {
        _view = new(nest);
        _taps = new(_view, nest.Operands[0]);
        _linesPerColumn = LinesPerColumn(_view.Lines);
        Program = Build();
    }

    /// <inheritdoc/>
    public override ArrayProgram Program { get; }

    /// <inheritdoc/>
    public override int Launches => _view.Extent(NestView.Group) * _view.Extent(NestView.Quad);

    /// <inheritdoc/>
    public override int ParameterWords => ColumnWords.Sum() + _taps.Starts.Count + (Cell.Side * _taps.Taps);

    /// <inheritdoc/>
    public override IEnumerable<(string Buffer, int Words)> Extents =>
        [(Nest.Output.Target, Launches * Cell.Side * _linesPerColumn * _view.Extent(NestView.Pixel) * Cell.Side)];

    /// <summary>Lines that each of the four columns works on.</summary>
    public static int LinesPerColumn(int lines) => (lines + Cell.Side - 1) / Cell.Side;

    /// <summary>A column's own words: the base of its row's weights, the table of deltas, the first address of each line.</summary>
    private int[] ColumnWords => [.. Enumerable.Repeat(2 + _linesPerColumn, Cell.Side)];

    private static Cell WeightLoader(int row) => new(row, row);

    private static Cell WeightBaseHolder(int row) => new(row, (row + 1) % Cell.Side);

    /// <inheritdoc/>
    public override KernelLaunch Launch(int index, int parameters, IKernelData data)
    {
        var (group, quad) = (index / _view.Extent(NestView.Quad), index % _view.Extent(NestView.Quad));
        var words = new List<uint>();
        var table = parameters + (ColumnWords.Sum() * NestView.WordBytes);
        var weights = table + (_taps.Starts.Count * NestView.WordBytes);
        var input = Nest.Operands[0];
        var deltas = _taps.Deltas(_view.Step(input, NestView.Pixel)).ToArray();
        var first = data.AddressOf(input.Target) + ((NestView.Base(input) + (group * _view.Step(input, NestView.Group))) * NestView.WordBytes);
        var read = new LaunchPointer?[Cell.Side];
        for (var column = 0; column < Cell.Side; column++)
        {
            read[column] = new(true, words.Count * NestView.WordBytes);
            var row = (column + Cell.Side - 1) % Cell.Side;
            words.Add((uint)(weights + (row * _taps.Taps * NestView.WordBytes) - NestView.WordBytes));
            words.Add((uint)table);
            for (var i = 0; i < _linesPerColumn; i++)
            {
                // columns whose lines are used up repeat the last one into rows of sums that nobody reads
                var line = Math.Min((column * _linesPerColumn) + i, _view.Lines - 1);
                words.Add((uint)(first + (_view.LineOffset(input, line) * NestView.WordBytes) - deltas[0]));
            }
        }

        words.AddRange(deltas.Select(d => (uint)d));
        for (var row = 0; row < Cell.Side; row++)
        {
            words.AddRange(WeightRow(group, quad, row, data));
        }

        var sums = data.AddressOf(Nest.Output.Target)
            + ((NestView.Base(Nest.Output) + (group * _view.Step(Nest.Output, NestView.Group)) + (quad * _view.Step(Nest.Output, NestView.Quad))) * NestView.WordBytes);
        var columnBytes = _linesPerColumn * _view.Extent(NestView.Pixel) * Cell.Side * NestView.WordBytes;
        return new(
            [.. words],
            read,
            [.. Enumerable.Range(0, Cell.Side).Select(c => (LaunchPointer?)new LaunchPointer(false, sums + (c * columnBytes)))]);
    }

    private IEnumerable<uint> WeightRow(int group, int quad, int row, IKernelData data)
    {
        var access = Nest.Operands[1];
        if ((quad * Cell.Side) + row >= Nest.Guards[0].Bound)
        {
            return Enumerable.Repeat(0u, _taps.Taps);
        }

        var start = NestView.Base(access) + (group * _view.Step(access, NestView.Group)) + (quad * _view.Step(access, NestView.Quad))
            + (row * _view.Step(access, NestView.Lane));
        return _view.Taps(access, start, data.Constant(access.Target));
    }

    private ArrayProgram Build()
    {
        var p = new ArrayProgramBuilder(Strategy);
        var rows = Enumerable.Range(0, Cell.Side).ToArray();
        var address = rows.Select(c => Register(new(0, c), "address")).ToArray();
        var table = rows.Select(c => Register(new(1, c), "table")).ToArray();
        var weight = rows.Select(r => Register(WeightLoader(r), "weight")).ToArray();
        var weightBase = rows.Select(r => Register(WeightBaseHolder(r), "weightBase")).ToArray();
        var x = Cell.All.ToDictionary(c => c, c => Register(c, "x"));
        var sum = Cell.All.ToDictionary(c => c, c => Register(c, "sum"));
        var tap = Register(new(2, 0), "tap");
        var segment = Register(new(3, 1), "segment");
        var pixel = Register(new(3, 2), "pixel");
        var line = Register(new(2, 1), "line");

        p.Block("start");
        p.Step(rows.Select(r => LoadStream(WeightBaseHolder(r), NestView.WordBytes, weightBase[r], Parameters)));
        p.Step(rows.Select(c => LoadStream(new(1, c), NestView.WordBytes, table[c], Parameters)));
        p.Set(line, _linesPerColumn);

        var lineBlock = p.Block("line");
        p.Step(rows.Select(c => LoadStream(new(0, c), NestView.WordBytes, address[c], Parameters)));
        p.Set(pixel, _view.Extent(NestView.Pixel));
        p.Count(line);

        var pixelBlock = p.Block("pixel");
        var bases = rows.Select(r => Move(WeightBaseHolder(r), weightBase[r])).ToArray();
        p.Step(bases);
        p.Step(rows.Select(r => Move(WeightLoader(r), bases[r], weight[r])));
        foreach (var c in Cell.All)
        {
            p.Do(Clear(sum[c]));
        }

        p.Set(segment, _taps.Starts.Count);
        p.Count(pixel);

        var segmentBlock = p.Block("segment");
        var delta = rows.Select(c => Load(new(1, c), table[c], null, Parameters)).ToArray();
        p.Step(delta);
        p.Step(rows.Select(c => Binary(OpenEdgeOpcode.SAdd, new(0, c), address[c], delta[c], address[c])));
        p.Step(rows.Select(c => Add(table[c], table[c], NestView.WordBytes)));
        p.Set(tap, _taps.Length);
        p.Count(segment);

        var tapBlock = p.Block("tap");
        var loaded = rows.Select(c => Load(new(0, c), address[c], x[new(0, c)], Input)).ToArray();
        p.Step(loaded);
        p.Step(rows.Skip(1).Select(r => Add(weight[r], weight[r], NestView.WordBytes)));
        p.SpreadDownColumns(loaded, c => x[c]);
        p.Do(Add(weight[0], weight[0], NestView.WordBytes));
        p.Step(rows.Select(c => Add(address[c], address[c], _taps.Stride * NestView.WordBytes)));
        p.Count(tap);
        var own = rows.Select(r => Load(WeightLoader(r), weight[r], null, Weights)).ToArray();
        p.Step(own);
        var right = rows.Select(r => Move(new(r, (r + 1) % Cell.Side), own[r])).ToArray();
        var left = rows.Select(r => Move(new(r, (r + 3) % Cell.Side), own[r])).ToArray();
        p.Step([.. right, .. left]);
        var opposite = rows.Select(r => Move(new(r, (r + 2) % Cell.Side), right[r])).ToArray();
        p.Step(opposite);
        var products = own.Concat(right).Concat(left).Concat(opposite)
            .Select(w => Binary(OpenEdgeOpcode.SMul, w.Cell, x[w.Cell], w)).ToArray();
        p.Step(products);
        p.Step(products.Select(m => Binary(OpenEdgeOpcode.SAdd, m.Cell, sum[m.Cell], m, sum[m.Cell])));
        p.LoopWhileNotZero(tap, tapBlock);

        p.Block("segment end");
        p.LoopWhileNotZero(segment, segmentBlock);

        p.Block("pixel end");
        p.Step(Cell.All.Select(c => StoreStream(c, sum[c], NestView.WordBytes, Sums)));
        foreach (var c in rows)
        {
            p.Advance(table[c], -_taps.Starts.Count * NestView.WordBytes);
        }

        p.LoopWhileNotZero(pixel, pixelBlock);

        p.Block("line end");
        p.LoopWhileNotZero(line, lineBlock);
        p.Exit(new(0, 0));
        return p.Build();
    }
}
