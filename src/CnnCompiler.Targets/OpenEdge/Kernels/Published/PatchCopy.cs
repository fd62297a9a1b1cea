using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using static CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayProgramBuilder;

namespace CnnCompiler.Targets.OpenEdge.Kernels.Published;

/// <summary>
/// im2col of one position: the inputs of its window one after the other in words behind the sums. In the original the host copies them; here it is the launch that needs them which does, before
/// it computes, because this host moves whole runs only. Columns 1 to 3 share the runs of neighbouring inputs.
/// </summary>
/// <param name="nest">The nest.</param>
internal sealed class PatchCopy(MappedNest nest)
{
    private const int FirstColumn = 1;
    private const int Columns = Cell.Side - FirstColumn;

    private readonly TapSchedule _taps = new(new(nest), nest.Operands[0]);

    /// <summary>Words that a column's stream holds for the copy.</summary>
    public int WordsOfColumn => 2 * RunsOfColumn;

    private int RunsOfColumn => (_taps.Starts.Count + Columns - 1) / Columns;

    /// <summary>The words of a column's stream: source and destination of its runs; none for column 0.</summary>
    /// <param name="column">Column.</param>
    /// <param name="input">Address of the position's first tap.</param>
    /// <param name="patch">Address of the copy.</param>
    public IEnumerable<uint> Words(int column, int input, int patch)
    {
        for (var i = 0; column >= FirstColumn && i < RunsOfColumn; i++)
        {
            // columns whose runs are used up copy the last one again
            var run = Math.Min(((column - FirstColumn) * RunsOfColumn) + i, _taps.Starts.Count - 1);
            yield return (uint)(input + (_taps.Starts[run] * NestView.WordBytes));
            yield return (uint)(patch + (run * _taps.Length * NestView.WordBytes));
        }
    }

    /// <summary>Writes the code: a block for runs and one for words.</summary>
    public void AddTo(ArrayProgramBuilder p)
    {
        int[] columns = [.. Enumerable.Range(FirstColumn, Columns)];
        var source = columns.ToDictionary(c => c, c => Register(new(0, c), "source"));
        var destination = columns.ToDictionary(c => c, c => Register(new(1, c), "destination"));
        var (word, run) = (Register(new(2, 1), "word"), Register(new(3, 1), "run"));
        p.Block("patch");
        p.Set(run, RunsOfColumn);
        var runBlock = p.Block("run of patch");
        p.Step(columns.Select(c => LoadStream(new(0, c), NestView.WordBytes, source[c], "parameters")));
        p.Step(columns.Select(c => LoadStream(new(1, c), NestView.WordBytes, destination[c], "parameters")));
        p.Set(word, _taps.Length);
        p.Count(run);
        var wordBlock = p.Block("word of patch");
        var loaded = columns.ToDictionary(c => c, c => Load(new(0, c), source[c], null, "input"));
        p.Step(loaded.Values);
        p.Count(word);
        p.Step(columns.Select(c => Store(new(1, c), loaded[c], destination[c], "patch")));
        p.Step(columns.Select(c => Add(source[c], source[c], _taps.Stride * NestView.WordBytes)));
        p.Step(columns.Select(c => Add(destination[c], destination[c], NestView.WordBytes)));
        p.LoopWhileNotZero(word, wordBlock);
        p.Block("end of run");
        p.LoopWhileNotZero(run, runBlock);
    }
}
