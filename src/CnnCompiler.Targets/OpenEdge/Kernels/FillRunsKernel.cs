using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using static CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayProgramBuilder;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>
/// Writes one code into runs of words that lie at equal distances: the halo between the lines of a tensor, and what lies before and behind them. All cells store,
/// sixteen words at a time: a run is rounded up, so that what lies behind it is to be written later. Everything is a parameter, all such nests share one code.
/// Where words are four codes, these are the loop <see cref="NestView.Lane"/>.
/// </summary>
public sealed class FillRunsKernel : NestKernel
{
    /// <summary>Name of the strategy in mapped programs.</summary>
    public const string Strategy = "fill-runs";

    /// <summary>The loop over runs.</summary>
    public const string Run = "run";

    /// <summary>The loop over the words of a run.</summary>
    public const string Word = "word";

    /// <summary>Runs that a nest has fewer than.</summary>
    public const int MostRuns = 1 << 14;

    /// <summary>Sixteen words at a time that a run has at most.</summary>
    public const int MostGroups = (1 << 15) - 1;

    private const int Cells = Cell.Side * Cell.Side;
    private const string Parameters = "parameters";
    private const string Output = "output";

    /// <summary>Words that every column reads: code, address, distance; and one of them two counts.</summary>
    private const int ColumnWords = 3;

    private readonly NestView _view;

    /// <summary>Compiles a nest.</summary>
    public FillRunsKernel(MappedNest nest)
        : base(nest)
    {
        _view = new(nest);
        Program = Build();
    }

    /// <inheritdoc/>
    public override ArrayProgram Program { get; }

    /// <inheritdoc/>
    public override int Launches => 1;

    /// <inheritdoc/>
    public override int Trips => (Runs << 15) + Groups;

    /// <inheritdoc/>
    public override int ParameterWords => (Cell.Side * ColumnWords) + 2;

    /// <inheritdoc/>
    public override IEnumerable<(string Buffer, int Words)> Extents =>
        [(Nest.Output.Target, First + ((Runs - 1) * Distance) + (Groups * Cells))];

    private int Runs => _view.Extent(Run);

    private int Lanes => _view.Extent(NestView.Lane);

    /// <summary>Word of the first run.</summary>
    private int First => NestView.Base(Nest.Output) / Lanes;

    /// <summary>Words from run to run.</summary>
    private int Distance => _view.Step(Nest.Output, Run) / Lanes;

    private int Groups => GroupsOf(_view.Extent(Word));

    /// <summary>Sixteen words at a time that fill a run.</summary>
    public static int GroupsOf(int words) => (words + Cells - 1) / Cells;

    /// <inheritdoc/>
    public override KernelLaunch Launch(int index, int parameters, IKernelData data)
    {
        // a code in all lanes of a word
        const uint Ones = 0x01010101;
        var code = (int)((ScalarLiteral)Nest.Term).Value;
        var value = Lanes == 1 ? (uint)code : (byte)code * Ones;
        var words = new List<uint>(ParameterWords);
        var read = new LaunchPointer?[Cell.Side];
        for (var column = 0; column < Cell.Side; column++)
        {
            read[column] = new(true, words.Count * NestView.WordBytes);
            words.Add(value);
            words.Add((uint)(data.AddressOf(Nest.Output.Target) + ((First + (column * Cell.Side)) * NestView.WordBytes)));
            words.Add((uint)((Distance - (Groups * Cells)) * NestView.WordBytes));
            if (column == 0)
            {
                words.AddRange([(uint)Groups, (uint)Runs]);
            }
        }

        return new([.. words], read, new LaunchPointer?[Cell.Side]);
    }

    private static ArrayProgram Build()
    {
        var p = new ArrayProgramBuilder(Strategy);
        var value = Cell.All.Select(c => Register(c, "value")).ToArray();
        var address = Cell.All.Select(c => Register(c, "address")).ToArray();
        var distance = Cell.All.Select(c => Register(c, "distance")).ToArray();
        var (groups, run, group) = (Register(new(0, 0), "groups"), Register(new(2, 0), "run"), Register(new(1, 0), "group"));
        void Parameter(VirtualRegister[] registers)
        {
            ArrayOperation[] top = [.. Cell.All.Where(c => c.Row == 0).Select(c => LoadStream(c, NestView.WordBytes, registers[c.Index], Parameters))];
            p.Step(top);
            p.SpreadDownColumns(top, c => registers[c.Index]);
        }

        p.Block("start");
        Parameter(value);
        Parameter(address);
        Parameter(distance);
        p.Do(LoadStream(groups.Cell, NestView.WordBytes, groups, Parameters));
        p.Do(LoadStream(run.Cell, NestView.WordBytes, run, Parameters));
        p.Step(address.Select(a => Add(a, a, a.Cell.Row * NestView.WordBytes)));

        var runBlock = p.Block("run");
        p.Count(run);
        p.Do(Move(group.Cell, p.Do(Move(groups.Cell, groups)), group));

        var words = p.Block("words");
        p.Count(group);
        p.Step(Cell.All.Select(c => Store(c, value[c.Index], address[c.Index], Output)));
        p.Step(address.Select(a => Add(a, a, Cells * NestView.WordBytes)));
        p.LoopWhileNotZero(group, words);

        p.Block("end");
        p.Step(Cell.All.Select(c => Binary(OpenEdgeOpcode.SAdd, c, address[c.Index], distance[c.Index], address[c.Index])));
        p.LoopWhileNotZero(run, runBlock);
        p.Exit(new(1, 1));
        return p.Build();
    }
}
