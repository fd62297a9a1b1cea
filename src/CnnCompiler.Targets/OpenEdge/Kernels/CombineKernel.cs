using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using static CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayProgramBuilder;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>
/// The sum or the product of a function of one code and a function of another, in 32 bits: f(x) + g(y) or f(x) * g(y). f and g are tables of 256 words in the parameter block. In a column
/// row 1 looks up the first, row 3 the second, row 0 combines and stores; columns share the lines.
/// </summary>
public sealed class CombineKernel : NestKernel
{
    /// <summary>Name of the strategy in mapped programs.</summary>
    public const string Strategy = "combine-columns-share-lines";

    private const string Parameters = "parameters";
    private const string Tables = "tables";
    private const string Input = "input";
    private const string Output = "output";

    private readonly OpenEdgeOpcode _combine;
    private readonly int[] _first;
    private readonly int[] _second;
    private readonly PointLines _lines;

    /// <summary>Compiles a nest.</summary>
    public CombineKernel(MappedNest nest)
        : base(nest)
    {
        (_first, _second, var multiplies) = Of(nest.Term) ?? throw new InvalidOperationException($"{nest.Name} combines no functions of codes");
        _combine = multiplies ? OpenEdgeOpcode.SMul : OpenEdgeOpcode.SAdd;
        _lines = PointLines.OfLines(nest, [nest.Operands[0], nest.Output, nest.Operands[1]]);
        Program = Build();
    }

    /// <inheritdoc/>
    public override ArrayProgram Program { get; }

    /// <inheritdoc/>
    public override int Launches => 1;

    /// <inheritdoc/>
    public override int ParameterWords => (2 * Cell.Side) + _lines.TableWords + (2 * CodeTables.Codes);

    /// <inheritdoc/>
    public override IEnumerable<(string Buffer, int Words)> Extents =>
        [(Nest.Operands[0].Target, _lines.Extent(0)), (Nest.Output.Target, _lines.Extent(1)), (Nest.Operands[1].Target, _lines.Extent(2))];

    /// <summary>The tables of f(operand 0) and g(operand 1), and whether they are multiplied; null where a term is neither their sum nor their product.</summary>
    internal static (int[] First, int[] Second, bool Multiplies)? Of(ScalarExpression term) =>
        term is ScalarBinary { Operator: ScalarBinaryOperator.Add or ScalarBinaryOperator.Multiply } e && CodeTables.Of(e.Left, 0) is { } first && CodeTables.Of(e.Right, 1) is { } second
            ? (first, second, e.Operator == ScalarBinaryOperator.Multiply)
            : null;

    /// <inheritdoc/>
    public override KernelLaunch Launch(int index, int parameters, IKernelData data)
    {
        var words = new List<uint>(ParameterWords);
        var tables = parameters + (((2 * Cell.Side) + _lines.TableWords) * NestView.WordBytes) + CodeTables.Zero;
        var read = new LaunchPointer?[Cell.Side];
        for (var column = 0; column < Cell.Side; column++)
        {
            read[column] = new(true, words.Count * NestView.WordBytes);
            words.AddRange([(uint)tables, (uint)(tables + (CodeTables.Codes * NestView.WordBytes))]);
            for (var line = 0; line < _lines.LinesPerColumn; line++)
            {
                words.Add((uint)(_lines.Address(column, line, 1, data) - _lines.PixelBytes[1]));
                words.Add(_lines.Address(column, line, 0, data));
                words.Add(_lines.Address(column, line, 2, data));
            }
        }

        words.AddRange(_first.Concat(_second).Select(w => (uint)w));
        return new([.. words], read, new LaunchPointer?[Cell.Side]);
    }

    private ArrayProgram Build()
    {
        var p = new ArrayProgramBuilder(Strategy);
        var columns = Enumerable.Range(0, Cell.Side).ToArray();
        var target = columns.Select(c => Register(new(0, c), "target")).ToArray();
        int[] rows = [1, 3];
        var operands = rows.SelectMany(r => columns.Select(c => (Cell: new Cell(r, c), Source: Register(new(r, c), "source"), Table: Register(new(r, c), "table")))).ToArray();
        var pixel = Register(new(2, 0), "pixel");
        var line = Register(new(2, 1), "line");

        ArrayOperation[] Each(Func<int, ArrayOperation> make)
        {
            var operations = Enumerable.Range(0, operands.Length).Select(make).ToArray();
            p.Step(operations);
            return operations;
        }

        p.Block("start");
        p.Step(operands.Select(o => LoadStream(o.Cell, NestView.WordBytes, o.Table, Parameters)));
        p.Set(line, _lines.LinesPerColumn);

        var lineBlock = p.Block("line");
        p.Step(columns.Select(c => LoadStream(new(0, c), NestView.WordBytes, target[c], Parameters))
            .Concat(operands.Select(o => LoadStream(o.Cell, NestView.WordBytes, o.Source, Parameters))));
        p.Set(pixel, _lines.Pixels);
        p.Count(line);

        var pixelBlock = p.Block("pixel");
        foreach (var register in target)
        {
            p.Advance(register, _lines.PixelBytes[1]);
        }

        p.Count(pixel);
        var codes = Each(i => Load(operands[i].Cell, operands[i].Source, null, Input));
        var offsets = Each(i => Binary(OpenEdgeOpcode.Sll, operands[i].Cell, codes[i], ArrayOperand.Immediate, null, 2));
        var addresses = Each(i => Binary(OpenEdgeOpcode.SAdd, operands[i].Cell, offsets[i], operands[i].Table));
        var terms = Each(i => Load(operands[i].Cell, addresses[i], null, Tables));
        var results = columns.Select(c => Binary(_combine, new(0, c), terms[c], terms[c + Cell.Side])).ToArray();
        p.Step(results);
        p.Step(results.Select((r, c) => Store(new(0, c), r, target[c], Output)));
        for (var i = 0; i < operands.Length; i++)
        {
            p.Advance(operands[i].Source, _lines.PixelBytes[i < Cell.Side ? 0 : 2]);
        }

        p.LoopWhileNotZero(pixel, pixelBlock);

        p.Block("line end");
        p.LoopWhileNotZero(line, lineBlock);
        p.Exit(new(0, 0));
        return p.Build();
    }
}
