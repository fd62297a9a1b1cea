using CnnCompiler.Image.Nests;
using CnnCompiler.Image.Systolic;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Targets.Nests;

/// <summary>Energy of what nests of an operator do on a machine: operations, which all of them do, words of the buffers and of DRAM.</summary>
internal readonly struct NestEnergy
{
    private const int WordBytes = 4;

    private readonly Int128 _operations;
    private readonly long _bufferWord;
    private readonly long _dramWord;
    private readonly int _input;
    private readonly int _kernel;
    private readonly int _sum;

    /// <summary>Prepares an operator.</summary>
    public NestEnergy(SystolicOperator operation, MachineDescription machine)
    {
        var description = machine.Systolic!;
        (_bufferWord, _dramWord) = (description[SystolicKeys.BufferWord], description[SystolicKeys.DramWord]);
        (_input, _kernel, _sum) = (operation.Input.Element.Size(), operation.Kernel?.Element.Size() ?? 0, operation.Accumulator.Size());
        var (taps, outputs) = (NestModel.Taps(operation), NestModel.Outputs(operation));
        long perTap = ScalarInstructionSet.Operations(operation.Pre) + ScalarInstructionSet.Operations(operation.Main);
        long post = ScalarInstructionSet.Operations(operation.Post);
        _operations = ((Int128)taps * (description[SystolicKeys.Multiplication] + description[SystolicKeys.CarryPropagateAdd]))
            + ((((Int128)taps * Math.Max(0, perTap - 1)) + ((Int128)outputs * post)) * description[SystolicKeys.VectorOperation]);
    }

    /// <summary>Energy of a nest, in attojoules.</summary>
    public Int128 Of(NestCounts counts) => Of(Reads(counts.InputReads, counts.KernelReads, counts.SumReads + counts.SumWrites), counts.DramBytes, counts.OutputBytes, counts.ChipBytes);

    /// <summary>Energy of a nest, in attojoules.</summary>
    /// <param name="reads">Bytes between the array and the buffers.</param>
    /// <param name="dram">Bytes to and from DRAM.</param>
    /// <param name="output">Those of them that are results.</param>
    /// <param name="chip">Bytes to and from tensors on the chip.</param>
    public Int128 Of(long reads, long dram, long output, long chip) => _operations + ((Int128)Words(reads + dram + chip) * _bufferWord) + ((Int128)(Words(dram - output) + Words(output)) * _dramWord);

    /// <summary>Bytes between the array and the buffers.</summary>
    /// <param name="inputs">Elements of the input.</param>
    /// <param name="kernels">Elements of the kernel.</param>
    /// <param name="sums">Partial results, to and from the accumulators.</param>
    public long Reads(long inputs, long kernels, long sums) => (inputs * _input) + (kernels * _kernel) + (sums * _sum);

    private static long Words(long bytes) => (bytes + WordBytes - 1) / WordBytes;
}
