using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using static CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayProgramBuilder;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>Writes one code into all words of a buffer: halo, channel padding and what will be overwritten. All cells store.</summary>
public sealed class FillKernel : NestKernel
{
    /// <summary>Name of the strategy in mapped programs.</summary>
    public const string Strategy = "fill";

    private readonly int _groups;

    /// <summary>Compiles a nest.</summary>
    public FillKernel(MappedNest nest)
        : base(nest)
    {
        const int Cells = Cell.Side * Cell.Side;
        _groups = (nest.Loops.Aggregate(1, (n, l) => n * l.Extent) + Cells - 1) / Cells;
        var p = new ArrayProgramBuilder(Strategy);
        var value = Cell.All.ToDictionary(c => c, c => Register(c, "value"));
        var counter = Register(new(0, 0), "counter");
        p.Block("start");
        foreach (var register in value.Values)
        {
            p.Set(register, checked((int)((ScalarLiteral)nest.Term).Value));
        }

        p.Set(counter, _groups);
        var loop = p.Block("words");
        p.Count(counter);
        p.Step(Cell.All.Select(c => StoreStream(c, value[c], NestView.WordBytes, "output")));
        p.LoopWhileNotZero(counter, loop);
        p.Exit(new(1, 1));
        Program = p.Build();
    }

    /// <inheritdoc/>
    public override ArrayProgram Program { get; }

    /// <inheritdoc/>
    public override int Launches => 1;

    /// <inheritdoc/>
    public override int ParameterWords => 0;

    /// <inheritdoc/>
    public override IEnumerable<(string Buffer, int Words)> Extents => [(Nest.Output.Target, _groups * Cell.Side * Cell.Side)];

    /// <inheritdoc/>
    public override KernelLaunch Launch(int index, int parameters, IKernelData data)
    {
        var start = data.AddressOf(Nest.Output.Target);
        var column = _groups * Cell.Side * NestView.WordBytes;
        return new([], new LaunchPointer?[Cell.Side], [.. Enumerable.Range(0, Cell.Side).Select(c => (LaunchPointer?)new LaunchPointer(false, start + (c * column)))]);
    }
}

/// <summary>Packed bytes to one element a word, sign-extended, in the same order. Each column takes a quarter of the words.</summary>
public sealed class UnpackKernel : NestKernel
{
    /// <summary>Name of the strategy in mapped programs.</summary>
    public const string Strategy = "unpack-bytes";

    private readonly int _words;

    /// <summary>Compiles a nest.</summary>
    public UnpackKernel(MappedNest nest)
        : base(nest)
    {
        _words = LinearSplit.WordsPerColumn(nest);
        var p = new ArrayProgramBuilder(Strategy);
        var columns = Enumerable.Range(0, Cell.Side).ToArray();
        var counter = Register(new(3, 0), "counter");
        p.Block("start");
        p.Set(counter, _words);
        var loop = p.Block("word");
        p.Count(counter);
        var word = columns.Select(c => LoadStream(new(0, c), NestView.WordBytes, null, "input")).ToArray();
        p.Step(word);

        // row r takes byte r: shifted to the top, then back with its sign
        var copy = columns.Select(c => Move(new(1, c), word[c])).ToArray();
        var third = columns.Select(c => Shift(OpenEdgeOpcode.Sra, new(3, c), word[c], 24)).ToArray();
        var top = columns.Select(c => Shift(OpenEdgeOpcode.Sll, new(0, c), word[c], 24)).ToArray();
        p.Step([.. copy, .. third, .. top]);
        var upper = columns.Select(c => Shift(OpenEdgeOpcode.Sll, new(1, c), copy[c], 16)).ToArray();
        var middle = columns.Select(c => Shift(OpenEdgeOpcode.Sll, new(2, c), copy[c], 8)).ToArray();
        p.Step([.. upper, .. middle]);
        ArrayOperation[] lanes = [.. top.Concat(upper).Concat(middle).Select(o => Shift(OpenEdgeOpcode.Sra, o.Cell, o, 24))];
        p.Step(lanes);
        p.Step(lanes.Concat(third).Select(o => StoreStream(o.Cell, o, NestView.WordBytes, "output")));
        p.LoopWhileNotZero(counter, loop);
        p.Exit(new(1, 1));
        Program = p.Build();
    }

    /// <inheritdoc/>
    public override ArrayProgram Program { get; }

    /// <inheritdoc/>
    public override int Launches => 1;

    /// <inheritdoc/>
    public override int ParameterWords => 0;

    /// <inheritdoc/>
    public override IEnumerable<(string Buffer, int Words)> Extents =>
        [(Nest.Operands[0].Target, Cell.Side * _words), (Nest.Output.Target, Cell.Side * _words * Cell.Side)];

    /// <inheritdoc/>
    public override KernelLaunch Launch(int index, int parameters, IKernelData data) => new(
        [],
        LinearSplit.Pointers(data.AddressOf(Nest.Operands[0].Target), _words),
        LinearSplit.Pointers(data.AddressOf(Nest.Output.Target), _words * Cell.Side));

    private static ArrayOperation Shift(OpenEdgeOpcode opcode, Cell cell, ArrayOperand a, int bits) =>
        Binary(opcode, cell, a, ArrayOperand.Immediate, null, bits);
}

/// <summary>One element a word to packed bytes, in the same order. Each column takes a quarter of the words.</summary>
public sealed class PackKernel : NestKernel
{
    /// <summary>Name of the strategy in mapped programs.</summary>
    public const string Strategy = "pack-bytes";

    private readonly int _words;

    /// <summary>Compiles a nest.</summary>
    public PackKernel(MappedNest nest)
        : base(nest)
    {
        _words = LinearSplit.WordsPerColumn(nest);
        var p = new ArrayProgramBuilder(Strategy);
        var columns = Enumerable.Range(0, Cell.Side).ToArray();
        var counter = Register(new(2, 0), "counter");
        p.Block("start");
        p.Set(counter, _words);
        var loop = p.Block("word");
        p.Count(counter);
        var words = Cell.All.Select(c => LoadStream(c, NestView.WordBytes, null, "input")).ToArray();
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
        p.Step(packed.Select(w => StoreStream(w.Cell, w, NestView.WordBytes, "output")));
        p.LoopWhileNotZero(counter, loop);
        p.Exit(new(1, 1));
        Program = p.Build();
    }

    /// <inheritdoc/>
    public override ArrayProgram Program { get; }

    /// <inheritdoc/>
    public override int Launches => 1;

    /// <inheritdoc/>
    public override int ParameterWords => 0;

    /// <inheritdoc/>
    public override IEnumerable<(string Buffer, int Words)> Extents =>
        [(Nest.Operands[0].Target, Cell.Side * _words * Cell.Side), (Nest.Output.Target, Cell.Side * _words)];

    /// <inheritdoc/>
    public override KernelLaunch Launch(int index, int parameters, IKernelData data) => new(
        [],
        LinearSplit.Pointers(data.AddressOf(Nest.Operands[0].Target), _words * Cell.Side),
        LinearSplit.Pointers(data.AddressOf(Nest.Output.Target), _words));
}

/// <summary>A flat run of packed words, cut into four.</summary>
internal static class LinearSplit
{
    /// <summary>Packed words that each column handles; the run is rounded up to four columns.</summary>
    public static int WordsPerColumn(MappedNest nest)
    {
        const int LanesPerWord = 4;
        var elements = nest.Loops.Aggregate(1, (n, l) => n * l.Extent);
        return (elements + (LanesPerWord * Cell.Side) - 1) / (LanesPerWord * Cell.Side);
    }

    /// <summary>Pointers of the four columns.</summary>
    public static LaunchPointer?[] Pointers(int start, int wordsPerColumn) =>
        [.. Enumerable.Range(0, Cell.Side).Select(c => (LaunchPointer?)new LaunchPointer(false, start + (c * wordsPerColumn * NestView.WordBytes)))];
}
