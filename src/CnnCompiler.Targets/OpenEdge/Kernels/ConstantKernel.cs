using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using static CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayProgramBuilder;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>Writes a constant to consecutive words: it comes as the parameters of launches. Operand 0 is the constant, element by element.</summary>
public sealed class ConstantKernel : NestKernel
{
    /// <summary>Name of the strategy in mapped programs.</summary>
    public const string Strategy = "constant-columns-share-words";

    /// <summary>Words that a column writes in a launch, at most.</summary>
    private const int LargestRun = 256;

    private readonly int _elements;
    private readonly int _run;

    /// <summary>Compiles a nest.</summary>
    public ConstantKernel(MappedNest nest)
        : base(nest)
    {
        _elements = nest.Loops.Aggregate(1, (n, l) => n * l.Extent);
        _run = Math.Min(LargestRun, (_elements + Cell.Side - 1) / Cell.Side);
        var p = new ArrayProgramBuilder(Strategy);
        var columns = Enumerable.Range(0, Cell.Side).ToArray();
        var word = columns.Select(c => Register(new(0, c), "word")).ToArray();
        var counter = Register(new(2, 0), "counter");
        p.Block("start");
        p.Set(counter, _run);
        var loop = p.Block("word");
        p.Count(counter);
        p.Step(columns.Select(c => LoadStream(new(0, c), NestView.WordBytes, word[c], "parameters")));
        p.Step(columns.Select(c => StoreStream(new(0, c), word[c], NestView.WordBytes, "output")));
        p.LoopWhileNotZero(counter, loop);
        p.Exit(new(1, 1));
        Program = p.Build();
    }

    /// <inheritdoc/>
    public override ArrayProgram Program { get; }

    /// <inheritdoc/>
    public override int Launches => (_elements + ParameterWords - 1) / ParameterWords;

    /// <inheritdoc/>
    public override int ParameterWords => Cell.Side * _run;

    /// <inheritdoc/>
    public override IEnumerable<(string Buffer, int Words)> Extents => [(Nest.Output.Target, NestView.Base(Nest.Output) + (Launches * ParameterWords))];

    /// <inheritdoc/>
    public override KernelLaunch Launch(int index, int parameters, IKernelData data)
    {
        var constant = data.Constant(Nest.Operands[0].Target);
        var first = index * ParameterWords;
        var words = Enumerable.Range(first, ParameterWords).Select(e => e < _elements ? (uint)constant.GetInteger(NestView.Base(Nest.Operands[0]) + e) : 0).ToArray();
        var start = data.AddressOf(Nest.Output.Target) + ((NestView.Base(Nest.Output) + first) * NestView.WordBytes);
        LaunchPointer?[] Pointers(bool inParameters, int address) =>
            [.. Enumerable.Range(0, Cell.Side).Select(c => (LaunchPointer?)new LaunchPointer(inParameters, address + (c * _run * NestView.WordBytes)))];
        return new(words, Pointers(true, 0), Pointers(false, start));
    }
}
