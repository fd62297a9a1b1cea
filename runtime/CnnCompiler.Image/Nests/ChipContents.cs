using System.Globalization;
using CnnCompiler.Image.Systolic;

namespace CnnCompiler.Image.Nests;

/// <summary>
/// Follows the buffer of activations through a program: what lies in it as a whole tensor after each step. A step reads there only what earlier ones have put there and nothing has been written over
/// since, boxes of inputs included; that is the proof that tensors and boxes fit the buffer together. Steps that hand tiles over run in turn: whatever one of them writes has to lie beside all that the
/// others read and write.
/// </summary>
public sealed class ChipContents
{
    /// <summary>Most steps that run in turn: each is compared with each.</summary>
    public const int MostInTurn = 64;

    private readonly List<(long Start, long End)> _tensors = [];
    private readonly IReadOnlyList<NestStep?> _steps;
    private readonly Func<int, int, bool> _touches;

    private ChipContents(IReadOnlyList<NestStep?> steps, Func<int, int, bool> touches) => (_steps, _touches) = (steps, touches);

    /// <summary>What is wrong, with the step.</summary>
    /// <param name="steps">The steps of a program; null for one that is no nest. Nests keep the rules of <see cref="NestChecker"/>.</param>
    /// <param name="touches">True where a step, the first argument, reads from DRAM or writes there what another one writes there.</param>
    public static IEnumerable<(int Step, string Problem)> Problems(IReadOnlyList<NestStep?> steps, Func<int, int, bool> touches)
    {
        var contents = new ChipContents(steps, touches);
        for (var (first, last) = (0, 0); first < steps.Count; first = last + 1)
        {
            last = LastInTurn(steps, first);
            foreach (var problem in contents.Next(first, last))
            {
                yield return problem;
            }
        }
    }

    /// <summary>The last step of those that run in turn with a step, which is the first of them: each hands tiles over to the next one.</summary>
    public static int LastInTurn(IReadOnlyList<SystolicStep?> steps, int first)
    {
        var last = first;
        while (last + 1 < steps.Count && steps[last] is NestStep { Chip.OutputWindow: not null } && steps[last + 1] is NestStep { Chip.Taken: not null })
        {
            last++;
        }

        return last;
    }

    /// <summary>Bytes of the tensor that an access reads or writes, or of a window on it.</summary>
    public static long Bytes(SystolicAccess access, NestWindow? window = null) => window is null
        ? access.Dimensions.Aggregate((long)access.Element.Size(), (bytes, dimension) => bytes * dimension.Extent)
        : window.Extents.Aggregate((long)access.Element.Size(), (bytes, extent) => bytes * extent);

    private IEnumerable<(int Step, string Problem)> Next(int first, int last)
    {
        if (_steps[first] is { Chip.Taken: not null })
        {
            yield return (first, "takes tiles from a step that does not hand any over");
        }

        if (_steps[last] is { Chip.OutputWindow: not null })
        {
            yield return (last, "hands tiles over to a step that does not take any");
        }

        if (last - first >= MostInTurn)
        {
            yield return (last, string.Create(CultureInfo.InvariantCulture, $"runs in turn with more than {MostInTurn - 1} steps"));
            yield break;
        }

        var (reads, writes) = (new List<(long Start, long End)>(), new List<(long Start, long End)>());
        for (var i = first; i <= last && _steps[i] is { } step; i++)
        {
            foreach (var (access, place, _) in step.Reads.Where(read => read.Place != NestChip.Dram && read.Window is null))
            {
                reads.Add((place, place + Bytes(access)));
                if (!_tensors.Contains(reads[^1]))
                {
                    yield return (i, "reads a tensor on the chip that is not there, or not any more");
                }
            }

            var boxes = step.Chip?.Boxes ?? 0;
            writes.Add((boxes, boxes + (long)step.BoxBytes));
            if (step.Chip is { Output: not NestChip.Dram } chip)
            {
                writes.Add((chip.Output, chip.Output + Bytes(step.Operation.Output, chip.OutputWindow)));
            }

            if (i > first && NestHandover.Of(_steps[i - 1]!, step).Problem is { } problem)
            {
                yield return (i, problem);
            }

            for (var other = first; last > first && other <= last; other++)
            {
                if (other != i && _touches(i, other))
                {
                    yield return (i, "runs in turn with a step that writes in DRAM what it reads or writes there");
                }
            }
        }

        writes.RemoveAll(range => range.Start >= range.End);
        if (last > first && (writes.Where((one, i) => writes.Skip(i + 1).Any(other => Meet(one, other))).Any() || reads.Exists(read => writes.Exists(write => Meet(read, write)))))
        {
            yield return (last, "runs in turn with steps that write over what it keeps on the chip");
        }

        // the pieces of a joined tensor are written one after the other
        var kept = _steps[last] is { Chip: { Output: not NestChip.Dram, OutputWindow: null } at } end ? ((long, long)?)(at.Output, at.Output + Bytes(end.Operation.Output)) : null;
        var isPiece = kept is { } tensor && _tensors.Contains(tensor);
        _tensors.RemoveAll(range => !(isPiece && range == kept) && writes.Exists(write => Meet(range, write)));
        if (kept is { } whole && !isPiece)
        {
            _tensors.Add(whole);
        }
    }

    private static bool Meet((long Start, long End) one, (long Start, long End) other) => one.Start < other.End && other.Start < one.End;
}
