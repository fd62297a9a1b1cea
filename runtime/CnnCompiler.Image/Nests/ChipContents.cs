using CnnCompiler.Image.Systolic;

namespace CnnCompiler.Image.Nests;

/// <summary>
/// Follows the buffer of activations through a program: what lies in it as a whole tensor after each step. A step reads there only what earlier ones have put there and nothing has been written over
/// since, boxes of inputs included; that is the proof that tensors and boxes fit the buffer together.
/// </summary>
public sealed class ChipContents
{
    private readonly List<(long Start, long End)> _tensors = [];

    /// <summary>Takes the next step of the program; what is wrong, or null.</summary>
    /// <param name="step">The nest; it keeps the rules of <see cref="NestChecker"/>.</param>
    public string? Next(NestStep step)
    {
        foreach (var (access, place) in step.Reads)
        {
            if (place != NestChip.Dram && !_tensors.Contains((place, place + Bytes(access))))
            {
                return "reads a tensor on the chip that is not there, or not any more";
            }
        }

        var boxes = step.Chip?.Boxes ?? 0;
        Overwrite(boxes, boxes + (long)step.BoxBytes);
        if (step.Chip is { Output: not NestChip.Dram } chip)
        {
            // the pieces of a joined tensor are written one after the other
            var tensor = ((long)chip.Output, chip.Output + Bytes(step.Operation.Output));
            if (!_tensors.Contains(tensor))
            {
                Overwrite(tensor.Item1, tensor.Item2);
                _tensors.Add(tensor);
            }
        }

        return null;
    }

    /// <summary>Bytes of the tensor that an access reads or writes.</summary>
    public static long Bytes(SystolicAccess access) => access.Dimensions.Aggregate((long)access.Element.Size(), (bytes, dimension) => bytes * dimension.Extent);

    private void Overwrite(long start, long end) => _tensors.RemoveAll(tensor => start < end && start < tensor.End && tensor.Start < end);
}
