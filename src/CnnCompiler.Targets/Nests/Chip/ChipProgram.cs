using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Targets.Systolic;

namespace CnnCompiler.Targets.Nests.Chip;

/// <summary>A step, as far as tensors on the chip are concerned. Tensors are numbers in <see cref="ChipProgram.Tensors"/>, -1 for none and for what is never kept: inputs of the network and constants.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Reads">Of an operator its input, kernel and further operands; of a step of the host its operands.</param>
/// <param name="Written">What it writes, or a piece of it.</param>
internal sealed record ChipStep(string Name, int[] Reads, int Written)
{
    /// <summary>Place of the input in <see cref="Reads"/>.</summary>
    public const int Input = 0;

    /// <summary>Place of the kernel.</summary>
    public const int Kernel = 1;

    /// <summary>Place of the first further operand.</summary>
    public const int Extras = 2;
}

/// <summary>A tensor that steps write.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Bytes">Its bytes, up to a multiple of <see cref="ChipProgram.Alignment"/>.</param>
/// <param name="IsOutput">The network's user reads it.</param>
internal readonly record struct ChipTensor(string Name, long Bytes, bool IsOutput);

/// <summary>Steps and tensors of a chain; views are the tensors that they show.</summary>
/// <param name="Steps">All steps but views.</param>
/// <param name="Tensors">The tensors.</param>
internal sealed record ChipProgram(IReadOnlyList<ChipStep> Steps, IReadOnlyList<ChipTensor> Tensors)
{
    /// <summary>Addresses on the chip are multiples of so many bytes, enough for each type of elements.</summary>
    public const int Alignment = 8;

    /// <summary>True where a step reads from DRAM or writes there what another one writes there.</summary>
    /// <param name="reader">The step.</param>
    /// <param name="read">Where its operands are.</param>
    /// <param name="writer">The other one.</param>
    /// <param name="written">Where its operands are.</param>
    public bool Touches(int reader, NestPlacement read, int writer, NestPlacement written)
    {
        if (!written.Stores)
        {
            return false;
        }

        var (tensor, step) = (Steps[writer].Written, Steps[reader]);
        for (var i = 0; i < step.Reads.Length; i++)
        {
            if (step.Reads[i] == tensor && !read.Has(i))
            {
                return true;
            }
        }

        return read.Stores && step.Written == tensor;
    }

    /// <summary>Takes a chain.</summary>
    public static ChipProgram Of(GconvProgram program)
    {
        var tensors = new ChainTensors(program);
        var storage = new Dictionary<string, string>(StringComparer.Ordinal);
        var numbers = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var step in program.Steps)
        {
            storage[step.Name] = step.Match(
                operation => operation.Destination ?? operation.Name,
                view => view.Kind == ViewKind.Reshape ? storage.GetValueOrDefault(view.Sources[0], view.Sources[0]) : view.Name,
                softmax => softmax.Name,
                host => host.Name);
            if (step is not GconvView)
            {
                _ = numbers.TryAdd(storage[step.Name], numbers.Count);
            }
        }

        var outputs = program.Outputs.Select(name => storage.GetValueOrDefault(name, name)).ToHashSet(StringComparer.Ordinal);
        return new(
            [.. program.Steps.Where(step => step is not GconvView).Select(step => new ChipStep(
                step.Name,
                [.. step.Match<IEnumerable<string?>>(
                    operation => [operation.Input.Tensor, operation.Kernel?.Tensor, .. operation.Extra.Select(extra => extra.Tensor)],
                    _ => [],
                    softmax => [softmax.Source],
                    host => host.Layer.Inputs).Select(Number)],
                Number(step.Name)))],
            [.. numbers.OrderBy(entry => entry.Value).Select(entry => new ChipTensor(entry.Key, Aligned(tensors.Shape(entry.Key).Elements * tensors.Element(entry.Key).Size()), outputs.Contains(entry.Key)))]);

        int Number(string? name) => name is not null && storage.TryGetValue(name, out var stored) ? numbers.GetValueOrDefault(stored, -1) : -1;
    }

    /// <summary>Bytes as they count in a plan of addresses.</summary>
    public static long Aligned(long bytes) => (bytes + Alignment - 1) / Alignment * Alignment;
}
