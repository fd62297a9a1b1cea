using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Image.Nests;

/// <summary>What a loop nest does: the model predicts it, the interpreter counts it.</summary>
/// <param name="Taps">Trips of all loops.</param>
/// <param name="ArrayCycles">Cycles of the array.</param>
/// <param name="Outputs">Results.</param>
/// <param name="PostCycles">Cycles of the units behind the array, beside it.</param>
/// <param name="Tiles">Tiles.</param>
/// <param name="InputBytes">Bytes of the input from DRAM.</param>
/// <param name="KernelBytes">Bytes of the kernel from DRAM.</param>
/// <param name="ExtraBytes">Bytes of further operands from DRAM.</param>
/// <param name="OutputBytes">Bytes to DRAM.</param>
/// <param name="InputReads">Elements that the array takes from the input's buffer, each once a cycle however many elements get it; padding takes its turn.</param>
/// <param name="KernelReads">Elements that it takes from the kernel's buffer.</param>
/// <param name="SumReads">Partial results taken from the accumulators.</param>
/// <param name="SumWrites">Partial results put there.</param>
/// <param name="ChipBytes">Bytes to and from tensors that stay on the chip, but for what the array takes: results put there, further operands taken from there, and boxes of a kernel, once out and once into its buffer.</param>
public readonly record struct NestCounts(
    long Taps,
    long ArrayCycles,
    long Outputs,
    long PostCycles,
    long Tiles,
    long InputBytes,
    long KernelBytes,
    long ExtraBytes,
    long OutputBytes,
    long InputReads,
    long KernelReads,
    long SumReads,
    long SumWrites,
    long ChipBytes)
{
    /// <summary>Bytes to and from DRAM.</summary>
    public long DramBytes => InputBytes + KernelBytes + ExtraBytes + OutputBytes;

    /// <summary>Cycles of DRAM.</summary>
    public long TransferCycles(MachineDescription machine) => (DramBytes + machine.Systolic![SystolicKeys.OffChipBytes] - 1) / machine.Systolic[SystolicKeys.OffChipBytes];

    /// <summary>Cycles in all: buffers are double, so that array, units and DRAM work beside each other and the slowest says how long it takes.</summary>
    public long Cycles(MachineDescription machine) => Math.Max(Math.Max(ArrayCycles, PostCycles), TransferCycles(machine));
}
