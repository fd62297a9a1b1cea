using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using static CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayProgramBuilder;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>
/// Any function of one code: looked up in a table of 256 words. A nest says the function as the sum of its differences at the codes that are reached: operand 0 is the code, operand 1 the codes
/// above the lowest, operand 2 the differences (constants, a reduced loop over them). One cell a column loads, its neighbour below stores; columns share the lines.
/// </summary>
public sealed class TableKernel : NestKernel
{
    /// <summary>Name of the strategy in mapped programs.</summary>
    public const string Strategy = "table-columns-share-lines";

    private const string Parameters = "parameters";
    private const string Tables = "tables";
    private const string Input = "input";
    private const string Output = "output";

    private readonly PointLines _lines;

    /// <summary>Compiles a nest.</summary>
    public TableKernel(MappedNest nest)
        : base(nest)
    {
        var parallel = StepsKernel.Parallel(nest);
        _lines = PointLines.OfLines(parallel, [parallel.Operands[0], parallel.Output]);
        Program = Build();
    }

    /// <inheritdoc/>
    public override ArrayProgram Program { get; }

    /// <inheritdoc/>
    public override int Launches => 1;

    /// <inheritdoc/>
    public override int ParameterWords => Cell.Side + _lines.TableWords + CodeTables.Codes;

    /// <inheritdoc/>
    public override IEnumerable<(string Buffer, int Words)> Extents =>
        [(Nest.Operands[0].Target, _lines.Extent(0)), (Nest.Output.Target, _lines.Extent(1))];

    /// <inheritdoc/>
    public override KernelLaunch Launch(int index, int parameters, IKernelData data)
    {
        var words = new List<uint>(ParameterWords);
        var table = parameters + ((Cell.Side + _lines.TableWords) * NestView.WordBytes) + CodeTables.Zero;
        var read = new LaunchPointer?[Cell.Side];
        for (var column = 0; column < Cell.Side; column++)
        {
            read[column] = new(true, words.Count * NestView.WordBytes);
            words.Add((uint)table);
            for (var line = 0; line < _lines.LinesPerColumn; line++)
            {
                words.Add(_lines.Address(column, line, 0, data));
                words.Add((uint)(_lines.Address(column, line, 1, data) - _lines.PixelBytes[1]));
            }
        }

        words.AddRange(CodeTables.Read(Nest, data));
        return new([.. words], read, new LaunchPointer?[Cell.Side]);
    }

    private ArrayProgram Build()
    {
        var p = new ArrayProgramBuilder(Strategy);
        var columns = Enumerable.Range(0, Cell.Side).ToArray();
        var source = columns.Select(c => Register(new(0, c), "source")).ToArray();
        var table = columns.Select(c => Register(new(0, c), "table")).ToArray();
        var target = columns.Select(c => Register(new(1, c), "target")).ToArray();
        var pixel = Register(new(2, 0), "pixel");
        var line = Register(new(2, 1), "line");

        ArrayOperation[] Each(Func<int, ArrayOperation> make)
        {
            var operations = columns.Select(make).ToArray();
            p.Step(operations);
            return operations;
        }

        p.Block("start");
        Each(c => LoadStream(new(0, c), NestView.WordBytes, table[c], Parameters));
        p.Set(line, _lines.LinesPerColumn);

        var lineBlock = p.Block("line");
        p.Step(columns.SelectMany(c => new[]
        {
            LoadStream(new(0, c), NestView.WordBytes, source[c], Parameters),
            LoadStream(new(1, c), NestView.WordBytes, target[c], Parameters),
        }));
        p.Set(pixel, _lines.Pixels);
        p.Count(line);

        var pixelBlock = p.Block("pixel");
        foreach (var register in target)
        {
            p.Advance(register, _lines.PixelBytes[1]);
        }

        p.Count(pixel);
        var codes = Each(c => Load(new(0, c), source[c], null, Input));
        var offsets = Each(c => Binary(OpenEdgeOpcode.Sll, new(0, c), codes[c], ArrayOperand.Immediate, null, 2));
        var addresses = Each(c => Binary(OpenEdgeOpcode.SAdd, new(0, c), offsets[c], table[c]));
        var values = Each(c => Load(new(0, c), addresses[c], null, Tables));
        p.Step(values.Select((v, c) => Store(new(1, c), v, target[c], Output)));
        foreach (var register in source)
        {
            p.Advance(register, _lines.PixelBytes[0]);
        }

        p.LoopWhileNotZero(pixel, pixelBlock);

        p.Block("line end");
        p.LoopWhileNotZero(line, lineBlock);
        p.Exit(new(0, 0));
        return p.Build();
    }
}
