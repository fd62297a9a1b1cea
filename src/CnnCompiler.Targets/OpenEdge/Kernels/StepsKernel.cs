using CnnCompiler.Core;
using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using static CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayProgramBuilder;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>
/// Codes of sums by any function that never falls: the number of thresholds that a sum reaches, found by halving. Operands: 0 the sums, 1 the bias (a constant), 2 the thresholds
/// (a constant, a power of two less one of them, ascending). A column works on one sum at a time: row 0 searches, row 1 keeps where the table begins and stores, row 3 keeps the bias.
/// Where a nest has lanes and bias or thresholds differ between them, columns are the channels of a quad and a launch handles one quad; else columns share all lines of one launch.
/// </summary>
public sealed class StepsKernel : NestKernel
{
    /// <summary>Name of the strategy in mapped programs.</summary>
    public const string Strategy = "steps-columns-share-lines";

    private const string Parameters = "parameters";
    private const string Tables = "tables";
    private const string Sums = "sums";
    private const string Output = "output";

    // address of the thresholds and bias
    private const int ColumnWords = 2;

    private readonly NestView _view;
    private readonly PointLines[] _lines;
    private readonly bool _columnsAreLanes;
    private readonly bool _ownTables;
    private readonly int _thresholds;
    private readonly int _lowest;

    /// <summary>Compiles a nest.</summary>
    public StepsKernel(MappedNest nest)
        : base(nest)
    {
        _view = new(nest);
        _lowest = nest.Post is ScalarBinary { Operator: ScalarBinaryOperator.Add, Left: ScalarAccumulator, Right: ScalarLiteral literal }
            ? (int)literal.Value
            : throw new InvalidOperationException($"{nest.Name} counts no thresholds");
        _thresholds = nest.Loops.Single(l => l.Reduced).Extent;
        var parallel = Parallel(nest);
        MappedAccess[] accesses = [parallel.Operands[0], parallel.Output];
        _ownTables = Varies(nest, nest.Operands[2]);
        _columnsAreLanes = nest.Loops.Any(l => l.Name == NestView.Lane) && (_ownTables || Varies(nest, nest.Operands[1]));
        _lines = _columnsAreLanes
            ? [.. RequantizeKernel.Quads(parallel, accesses).Select(q => PointLines.OfLanes(parallel, q.Accesses, [NestView.OuterLine, NestView.Line], NestView.Pixel, q.Lanes))]
            : nest.Loops.Any(l => l.Name == NestView.Lane)
                ? [PointLines.OfLanes(parallel, accesses, [NestView.Group, NestView.Quad, NestView.OuterLine, NestView.Line], NestView.Pixel, PointKernel.Lanes(nest))]
                : [PointLines.OfLines(parallel, accesses)];
        Program = Build();
    }

    /// <inheritdoc/>
    public override ArrayProgram Program { get; }

    /// <inheritdoc/>
    public override int Launches => _lines.Length;

    /// <inheritdoc/>
    public override int ParameterWords => (Cell.Side * ColumnWords) + _lines[0].TableWords + (_thresholds * (_ownTables ? Cell.Side : 1));

    /// <inheritdoc/>
    public override IEnumerable<(string Buffer, int Words)> Extents =>
        [(Nest.Operands[0].Target, _lines.Max(l => l.Extent(0))), (Nest.Output.Target, _lines.Max(l => l.Extent(1)))];

    /// <inheritdoc/>
    public override KernelLaunch Launch(int index, int parameters, IKernelData data)
    {
        var lines = _lines[index];
        var (group, quad) = _columnsAreLanes ? (index / _view.Extent(NestView.Quad), index % _view.Extent(NestView.Quad)) : (0, 0);
        var words = new List<uint>(ParameterWords);
        var read = new LaunchPointer?[Cell.Side];
        var tables = parameters + (((Cell.Side * ColumnWords) + lines.TableWords) * NestView.WordBytes);
        for (var column = 0; column < Cell.Side; column++)
        {
            read[column] = new(true, words.Count * NestView.WordBytes);

            // the search looks at the first threshold as the one behind the address
            words.Add((uint)(tables + ((_ownTables ? column * _thresholds : 0) * NestView.WordBytes) - NestView.WordBytes));
            words.Add((uint)Element(Nest.Operands[1], lines.Lane(column), 0));
            for (var line = 0; line < lines.LinesPerColumn; line++)
            {
                words.Add(lines.Address(column, line, 0, data));
                words.Add((uint)(lines.Address(column, line, 1, data) - lines.PixelBytes[1]));
            }
        }

        for (var column = 0; column < (_ownTables ? Cell.Side : 1); column++)
        {
            words.AddRange(Enumerable.Range(0, _thresholds).Select(t => (uint)Element(Nest.Operands[2], lines.Lane(column), t)));
        }

        return new([.. words], read, new LaunchPointer?[Cell.Side]);

        int Element(MappedAccess access, int lane, int threshold)
        {
            var element = NestView.Base(access) + (threshold * _view.Step(access, Mapping.StepTable.Loop));
            if (_columnsAreLanes)
            {
                element += (group * _view.Step(access, NestView.Group)) + (quad * _view.Step(access, NestView.Quad)) + (lane * _view.Step(access, NestView.Lane));
            }

            return (int)data.Constant(access.Target).GetInteger(element);
        }
    }

    private static bool Varies(MappedNest nest, MappedAccess access) =>
        nest.Loops.Select((l, i) => (l, i)).Any(p => !p.l.Reduced && p.l.Extent > 1 && access.Element.Coefficients[p.i] != 0);

    /// <summary>A nest without its loop over thresholds, or codes.</summary>
    public static MappedNest Parallel(MappedNest nest)
    {
        var kept = Enumerable.Range(0, nest.Loops.Count).Where(i => !nest.Loops[i].Reduced).ToArray();
        AffineExpression Kept(AffineExpression e) => e with { Coefficients = kept.Select(i => e.Coefficients[i]).ToEquatableArray() };
        return nest with
        {
            Loops = kept.Select(i => nest.Loops[i]).ToEquatableArray(),
            Operands = nest.Operands.Select(o => o with { Element = Kept(o.Element) }).ToEquatableArray(),
            Output = nest.Output with { Element = Kept(nest.Output.Element) },
            Guards = nest.Guards.Select(g => g with { Value = Kept(g.Value) }).ToEquatableArray(),
        };
    }

    private ArrayProgram Build()
    {
        var p = new ArrayProgramBuilder(Strategy);
        var columns = Enumerable.Range(0, Cell.Side).ToArray();
        var source = columns.Select(c => Register(new(0, c), "source")).ToArray();
        var value = columns.Select(c => Register(new(0, c), "value")).ToArray();
        var place = columns.Select(c => Register(new(0, c), "place")).ToArray();
        var stride = columns.Select(c => Register(new(0, c), "stride")).ToArray();
        var target = columns.Select(c => Register(new(1, c), "target")).ToArray();
        var table = columns.Select(c => Register(new(1, c), "table")).ToArray();
        var bias = columns.Select(c => Register(new(3, c), "bias")).ToArray();
        var pixel = Register(new(2, 0), "pixel");
        var line = Register(new(2, 1), "line");
        var halving = Register(new(2, 2), "halving");
        var lines = _lines[0];

        ArrayOperation[] Each(Func<int, ArrayOperation> make)
        {
            var operations = columns.Select(make).ToArray();
            p.Step(operations);
            return operations;
        }

        p.Block("start");
        p.Step(columns.SelectMany(c => new[]
        {
            LoadStream(new(1, c), NestView.WordBytes, table[c], Parameters),
            LoadStream(new(3, c), NestView.WordBytes, bias[c], Parameters),
        }));
        p.Set(line, lines.LinesPerColumn);

        var lineBlock = p.Block("line");
        p.Step(columns.SelectMany(c => new[]
        {
            LoadStream(new(0, c), NestView.WordBytes, source[c], Parameters),
            LoadStream(new(1, c), NestView.WordBytes, target[c], Parameters),
        }));
        p.Set(pixel, lines.Pixels);
        p.Count(line);

        var pixelBlock = p.Block("pixel");
        p.Count(pixel);
        p.Set(halving, System.Numerics.BitOperations.Log2((uint)_thresholds + 1));
        foreach (var register in stride)
        {
            p.Set(register, (_thresholds + 1) / 2 * NestView.WordBytes);
        }

        var begin = Each(c => Move(new(1, c), table[c]));
        Each(c => Move(new(0, c), begin[c], place[c]));
        var biases = Each(c => Move(new(3, c), bias[c]));
        var sums = Each(c => Load(new(0, c), source[c], null, Sums));
        Each(c => Binary(OpenEdgeOpcode.SAdd, new(0, c), sums[c], biases[c], value[c]));
        foreach (var register in source)
        {
            p.Advance(register, lines.PixelBytes[0]);
        }

        foreach (var register in target)
        {
            p.Advance(register, lines.PixelBytes[1]);
        }

        // each time: is the value as large as the threshold half way? then on by that much
        var searchBlock = p.Block("search");
        p.Count(halving);
        var half = Each(c => Binary(OpenEdgeOpcode.SAdd, new(0, c), place[c], stride[c]));
        var threshold = Each(c => Load(new(0, c), half[c], null, Tables));
        var difference = Each(c => Binary(OpenEdgeOpcode.SSub, new(0, c), value[c], threshold[c]));
        var on = Each(c => SelectOnSign(new(0, c), difference[c], ArrayOperand.Zero, stride[c]));
        Each(c => Binary(OpenEdgeOpcode.SAdd, new(0, c), place[c], on[c], place[c]));
        Each(c => Binary(OpenEdgeOpcode.Sra, new(0, c), stride[c], ArrayOperand.Immediate, stride[c], 1));
        p.LoopWhileNotZero(halving, searchBlock);

        p.Block("found");
        var found = Each(c => Move(new(0, c), place[c]));
        var bytes = Each(c => Binary(OpenEdgeOpcode.SSub, new(1, c), found[c], table[c]));
        var steps = Each(c => Binary(OpenEdgeOpcode.Sra, new(1, c), bytes[c], ArrayOperand.Immediate, null, 2));
        var codes = Each(c => Binary(OpenEdgeOpcode.SAdd, new(1, c), steps[c], ArrayOperand.Immediate, null, _lowest));
        p.Step(codes.Select((code, c) => Store(new(1, c), code, target[c], Output)));
        p.LoopWhileNotZero(pixel, pixelBlock);

        p.Block("line end");
        p.LoopWhileNotZero(line, lineBlock);
        p.Exit(new(0, 0));
        return p.Build();
    }
}
