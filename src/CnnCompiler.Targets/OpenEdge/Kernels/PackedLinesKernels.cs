using CnnCompiler.Core;
using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using static CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayProgramBuilder;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>
/// A copy between packed bytes and words, as lines of packed words for the four columns: innermost loops over which both sides are contiguous make
/// runs, a run is a number of packed words, the loops outside make lines.
/// </summary>
public static class PackedRuns
{
    /// <summary>Elements of a packed word.</summary>
    public const int Lanes = 4;

    /// <summary>
    /// The runs as a nest over packed words, or null where they don't begin and end with packed words. A single run may end inside a word: then whole
    /// words are copied, and what lies behind its end is written too.
    /// </summary>
    /// <param name="nest">Copies element by element.</param>
    /// <param name="packed">Its access to packed bytes.</param>
    /// <param name="words">Its access to words.</param>
    public static (MappedNest Nest, MappedAccess Packed, MappedAccess Words, int Run)? Of(MappedNest nest, MappedAccess packed, MappedAccess words)
    {
        var loops = Enumerable.Range(0, nest.Loops.Count).Where(i => nest.Loops[i].Extent > 1).ToList();
        var run = 1;
        while (loops.Count > 0 && packed.Element.Coefficients[loops[^1]] == run && words.Element.Coefficients[loops[^1]] == run)
        {
            run *= nest.Loops[loops[^1]].Extent;
            loops.RemoveAt(loops.Count - 1);
        }

        if (packed.Element.Constant % Lanes != 0 || (loops.Count > 0 && (run % Lanes != 0 || loops.Any(i => packed.Element.Coefficients[i] % Lanes != 0))))
        {
            return null;
        }

        MappedAccess Access(MappedAccess access, int divisor, int step) => access with
        {
            Element = new([.. loops.Select(i => access.Element.Coefficients[i] / divisor), step], access.Element.Constant / divisor),
        };
        var derived = nest with { Loops = [.. loops.Select(i => nest.Loops[i]), new("word", (run + Lanes - 1) / Lanes, Reduced: false)] };
        return (derived, Access(packed, Lanes, 1), Access(words, 1, Lanes), run);
    }
}

/// <summary>
/// Packed bytes to one element a word, sign-extended, line by line, from anywhere in a buffer to anywhere in another. Columns share the lines; row 0
/// loads a word, the four rows store its four bytes.
/// </summary>
public sealed class UnpackLinesKernel : NestKernel
{
    /// <summary>Name of the strategy in mapped programs.</summary>
    public const string Strategy = "unpack-lines";

    private const string Parameters = "parameters";
    private readonly PointLines _lines;

    /// <summary>Compiles a nest.</summary>
    public UnpackLinesKernel(MappedNest nest)
        : base(nest)
    {
        var (derived, packed, words, _) = PackedRuns.Of(nest, nest.Operands[0], nest.Output)
            ?? throw new InvalidOperationException($"{nest.Name} is not made of packed words");
        _lines = PointLines.OfLines(derived, [packed, words]);
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
        [(Nest.Operands[0].Target, _lines.Extent(0)), (Nest.Output.Target, _lines.Extent(1) + PackedRuns.Lanes - 1)];

    /// <inheritdoc/>
    public override KernelLaunch Launch(int index, int parameters, IKernelData data) => LineTables.Launch(_lines, [0, 1], ParameterWords, data);

    private ArrayProgram Build()
    {
        var p = new ArrayProgramBuilder(Strategy);
        var columns = Enumerable.Range(0, Cell.Side).ToArray();
        var source = columns.Select(c => Register(new(0, c), "source")).ToArray();
        var target = Cell.All.ToDictionary(c => c, c => Register(c, "target"));
        var (pixel, line) = (Register(new(2, 0), "pixel"), Register(new(2, 1), "line"));
        p.Block("start");
        p.Set(line, _lines.LinesPerColumn);

        var lineBlock = p.Block("line");
        var starts = LineTables.LoadPair(p, columns, source, Parameters);
        LineTables.SpreadAddresses(p, starts, target);
        p.Set(pixel, _lines.Pixels);
        p.Count(line);

        var pixelBlock = p.Block("pixel");
        p.Count(pixel);
        var word = columns.Select(c => Load(new(0, c), source[c], null, "input")).ToArray();
        p.Step(word);

        // row r takes byte r: shifted to the top, then back with its sign; row 3 is a neighbour of row 0 on the torus
        var copy = columns.Select(c => Move(new(1, c), word[c])).ToArray();
        var third = columns.Select(c => Shift(OpenEdgeOpcode.Sra, new(3, c), word[c], 24)).ToArray();
        var top = columns.Select(c => Shift(OpenEdgeOpcode.Sll, new(0, c), word[c], 24)).ToArray();
        p.Step([.. copy, .. third, .. top]);
        var upper = columns.Select(c => Shift(OpenEdgeOpcode.Sll, new(1, c), copy[c], 16)).ToArray();
        var middle = columns.Select(c => Shift(OpenEdgeOpcode.Sll, new(2, c), copy[c], 8)).ToArray();
        p.Step([.. upper, .. middle]);
        ArrayOperation[] lanes = [.. top.Concat(upper).Concat(middle).Select(o => Shift(OpenEdgeOpcode.Sra, o.Cell, o, 24))];
        p.Step(lanes);
        p.Step(lanes.Concat(third).Select(o => Store(o.Cell, o, target[o.Cell], "output")));
        foreach (var register in source)
        {
            p.Advance(register, _lines.PixelBytes[0]);
        }

        foreach (var register in target.Values)
        {
            p.Advance(register, _lines.PixelBytes[1]);
        }

        p.LoopWhileNotZero(pixel, pixelBlock);

        p.Block("line end");
        p.LoopWhileNotZero(line, lineBlock);
        p.Exit(new(0, 0));
        return p.Build();
    }

    private static ArrayOperation Shift(OpenEdgeOpcode opcode, Cell cell, ArrayOperand a, int bits) =>
        Binary(opcode, cell, a, ArrayOperand.Immediate, null, bits);
}

/// <summary>
/// One element a word to packed bytes, line by line, from anywhere in a buffer to anywhere in another. Columns share the lines; the four rows load
/// four elements, row 0 stores their word.
/// </summary>
public sealed class PackLinesKernel : NestKernel
{
    /// <summary>Name of the strategy in mapped programs.</summary>
    public const string Strategy = "pack-lines";

    private const string Parameters = "parameters";
    private readonly PointLines _lines;

    /// <summary>Compiles a nest.</summary>
    public PackLinesKernel(MappedNest nest)
        : base(nest)
    {
        var (derived, packed, words, _) = PackedRuns.Of(nest, nest.Output, nest.Operands[0])
            ?? throw new InvalidOperationException($"{nest.Name} is not made of packed words");
        _lines = PointLines.OfLines(derived, [words, packed]);
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
        [(Nest.Operands[0].Target, _lines.Extent(0) + PackedRuns.Lanes - 1), (Nest.Output.Target, _lines.Extent(1))];

    /// <inheritdoc/>
    public override KernelLaunch Launch(int index, int parameters, IKernelData data) => LineTables.Launch(_lines, [1, 0], ParameterWords, data);

    private ArrayProgram Build()
    {
        var p = new ArrayProgramBuilder(Strategy);
        var columns = Enumerable.Range(0, Cell.Side).ToArray();
        var source = Cell.All.ToDictionary(c => c, c => Register(c, "source"));
        var target = columns.Select(c => Register(new(0, c), "target")).ToArray();
        var (pixel, line) = (Register(new(2, 0), "pixel"), Register(new(2, 1), "line"));
        p.Block("start");
        p.Set(line, _lines.LinesPerColumn);

        var lineBlock = p.Block("line");
        var starts = LineTables.LoadPair(p, columns, target, Parameters);
        LineTables.SpreadAddresses(p, starts, source);
        p.Set(pixel, _lines.Pixels);
        p.Count(line);

        var pixelBlock = p.Block("pixel");
        p.Count(pixel);
        var words = Cell.All.Select(c => Load(c, source[c], null, "input")).ToArray();
        p.Step(words);
        var bytes = words.Select(w => Binary(OpenEdgeOpcode.LAnd, w.Cell, w, ArrayOperand.Immediate, null, byte.MaxValue)).ToArray();
        p.Step(bytes);
        var placed = bytes.Select(b => b.Cell.Row == 0 ? b : Binary(OpenEdgeOpcode.Sll, b.Cell, b, ArrayOperand.Immediate, null, 8 * b.Cell.Row)).ToArray();
        p.Step(placed.Where(o => o.Cell.Row > 0));
        ArrayOperation At(int row, int column) => placed[new Cell(row, column).Index];
        var low = columns.Select(c => Binary(OpenEdgeOpcode.LOr, new(1, c), At(1, c), At(0, c))).ToArray();
        var high = columns.Select(c => Binary(OpenEdgeOpcode.LOr, new(3, c), At(3, c), At(2, c))).ToArray();
        p.Step([.. low, .. high]);
        var packed = columns.Select(c => Binary(OpenEdgeOpcode.LOr, new(0, c), low[c], high[c])).ToArray();
        p.Step(packed);
        p.Step(packed.Select(w => Store(w.Cell, w, target[w.Cell.Column], "output")));
        foreach (var register in source.Values)
        {
            p.Advance(register, _lines.PixelBytes[0]);
        }

        foreach (var register in target)
        {
            p.Advance(register, _lines.PixelBytes[1]);
        }

        p.LoopWhileNotZero(pixel, pixelBlock);

        p.Block("line end");
        p.LoopWhileNotZero(line, lineBlock);
        p.Exit(new(0, 0));
        return p.Build();
    }
}

/// <summary>Tables of two addresses a line: that of the packed word, which row 0 takes, and that of the four words, which the rows share.</summary>
internal static class LineTables
{
    /// <summary>One launch: for each column its lines' addresses.</summary>
    /// <param name="lines">The lines.</param>
    /// <param name="order">The access of packed words, that of words.</param>
    /// <param name="parameterWords">Words of the table.</param>
    /// <param name="data">Addresses.</param>
    public static KernelLaunch Launch(PointLines lines, int[] order, int parameterWords, IKernelData data)
    {
        var words = new List<uint>(parameterWords);
        var read = new LaunchPointer?[Cell.Side];
        for (var column = 0; column < Cell.Side; column++)
        {
            read[column] = new(true, words.Count * NestView.WordBytes);
            for (var line = 0; line < lines.LinesPerColumn; line++)
            {
                words.AddRange(order.Select(access => lines.Address(column, line, access, data)));
            }
        }

        return new([.. words], read, new LaunchPointer?[Cell.Side]);
    }

    /// <summary>Row 0 loads the packed word's address into its register, row 1 the first of the words' addresses.</summary>
    public static ArrayOperation[] LoadPair(ArrayProgramBuilder p, int[] columns, VirtualRegister[] packed, string buffer)
    {
        var starts = columns.Select(c => LoadStream(new(1, c), NestView.WordBytes, null, buffer)).ToArray();
        p.Step(columns.Select(c => LoadStream(new(0, c), NestView.WordBytes, packed[c], buffer)).Concat(starts));
        return starts;
    }

    /// <summary>Row r gets the address of word r.</summary>
    public static void SpreadAddresses(ArrayProgramBuilder p, ArrayOperation[] starts, Dictionary<Cell, VirtualRegister> registers)
    {
        ArrayOperation Behind(ArrayOperation from, int row, int words)
        {
            var register = registers[new(row, from.Cell.Column)];
            return Add(register, from, words * NestView.WordBytes);
        }

        var third = starts.Select(s => Behind(s, 2, 2)).ToArray();
        p.Step([.. starts.Select(s => Behind(s, 0, 0)), .. starts.Select(s => Behind(s, 1, 1)), .. third]);
        p.Step(third.Select(t => Behind(t, 3, 1)));
    }
}
