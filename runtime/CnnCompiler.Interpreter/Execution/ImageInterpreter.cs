using CnnCompiler.Image.Container;
using CnnCompiler.Interpreter.OpenEdge;
using CnnCompiler.Interpreter.Systolic;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Interpreter.Execution;

/// <summary>Executes images: the host program with the time model of <see cref="HostClock"/>, kernels on <see cref="OpenEdgeArray"/>; or the program of a systolic array.</summary>
public static class ImageInterpreter
{
    private const string IsaRevision = "openedge-4a179fc";
    private const int MaxRamBytes = 1 << 28;
    private const int MaxBusNumber = 1_000_000;

    /// <summary>Runs an image on one set of inputs.</summary>
    /// <param name="image">The image.</param>
    /// <param name="inputs">One per network input, in graph order: dense, row-major, in the model's own layout and element type.</param>
    /// <param name="options">Options; null for the defaults.</param>
    /// <param name="cancellation">Stops the run with an <see cref="OperationCanceledException"/>.</param>
    public static RunResult Run(
        CnnImage image, IReadOnlyList<ReadOnlyMemory<byte>> inputs, RunOptions? options = null, CancellationToken cancellation = default)
    {
        options ??= new RunOptions();
        var span = options.FileName.Length == 0 ? SourceSpan.None : SourceSpan.WholeFile(options.FileName);
        if (image.Systolic is not null)
        {
            return SystolicInterpreter.Run(image, inputs, options, span, cancellation);
        }

        uint[] ram = [];
        ImageExecutor<FlatMemory>? executor = null;
        try
        {
            CheckMachine(image.Machine, span);
            ram = new uint[image.Machine.Ram.Bytes / 4];
            ImageCheck.Run(image, span);
            PutConstants(image, ram);
            PutInputs(image, inputs, ram, span);
            executor = new ImageExecutor<FlatMemory>(image, new FlatMemory(ram, image.Machine.Ram.ReservedBytes / 4), options, span, cancellation)
            {
                Touched = new TouchedWords(ram.Length),
            };
            executor.Run();
            return executor.Result([], options.StopAfterLayer is null ? [.. image.Outputs.Select(o => ReadTensor(o, ram))] : [], ram);
        }
        catch (DiagnosticException e)
        {
            return executor?.Result([e.Diagnostic], [], ram)
                ?? new RunResult([e.Diagnostic], [], ImageExecutor.NoCycles, [], ImageExecutor.NoCycles, [], ram);
        }
    }

    private static void CheckMachine(MachineDescription machine, SourceSpan span)
    {
        var reason = machine switch
        {
            { IsaRevision: not IsaRevision } => $"its instruction set revision is '{machine.IsaRevision}'",
            { Rows: not 4 } or { Columns: not 4 } => $"its array has {machine.Rows} rows and {machine.Columns} columns, and only 4x4 has a validated specification",
            { ContextWordsPerRow: < 1 or > 128 } or { KernelSlots: < 2 or > 16 } =>
                $"it has {machine.ContextWordsPerRow} context words a row and {machine.KernelSlots} kernel slots; the instruction set addresses 128 and 16",
            { Ram.Sparse: true } => "its memory is sparse, as only that of golden vectors is, which cnnc verify-vectors runs",
            { Ram.Bytes: <= 0 or > MaxRamBytes } => $"its RAM of {machine.Ram.Bytes} bytes is not between 1 byte and 256 MiB",
            { Ram.ReservedBytes: < 0 } => "the reserved part of its RAM is negative",
            { Bus: { Banks: < 1 or > MaxBusNumber } or { Shift: < 0 or > 31 } or { ReadLatency: < 1 or > MaxBusNumber } or { GrantDelay: < 0 or > MaxBusNumber } } =>
                "its bus has numbers outside the range of the specification",
            { Host: { RamToContext: < 0 } or { FlashToRam: < 0 } or { FlashToContext: < 0 } or { PatchImmediate: < 0 } or { RegisterWrite: < 0 } or { LaunchOverhead: < 0 } or { SoftmaxPerElement: < 0 } or { CopyPerWord: < 0 } } =>
                "a host cost is negative",
            _ => null,
        };
        if (reason is not null)
        {
            throw new DiagnosticException(ExecutionDiagnostics.UnknownMachine(span, machine.Name, reason));
        }
    }

    private static void PutConstants(CnnImage image, uint[] ram)
    {
        foreach (var block in image.RamConstants)
        {
            block.Words.Span.CopyTo(ram.AsSpan(block.Address / 4));
        }
    }

    private static void PutInputs(CnnImage image, IReadOnlyList<ReadOnlyMemory<byte>> inputs, uint[] ram, SourceSpan span)
    {
        if (inputs.Count != image.Inputs.Count)
        {
            throw new DiagnosticException(ExecutionDiagnostics.InputCount(span, image.Inputs.Count, inputs.Count));
        }

        for (var index = 0; index < inputs.Count; index++)
        {
            var tensor = image.Inputs[index];
            var bytes = inputs[index].Span;
            var expected = ImageCheck.TensorBytes(tensor);
            if (bytes.Length != expected)
            {
                throw new DiagnosticException(ExecutionDiagnostics.InputSize(span, tensor.Name, $"[{string.Join(", ", tensor.Shape)}]", expected, bytes.Length));
            }

            for (var i = 0; i < bytes.Length; i++)
            {
                ref var word = ref ram[(tensor.Address + i) >> 2];
                var shift = 8 * (i & 3);
                word = (word & ~(255u << shift)) | ((uint)bytes[i] << shift);
            }
        }
    }

    private static ReadOnlyMemory<byte> ReadTensor(TensorDescriptor tensor, uint[] ram)
    {
        var bytes = new byte[ImageCheck.TensorBytes(tensor)];
        for (var i = 0; i < bytes.Length; i++)
        {
            bytes[i] = (byte)(ram[(tensor.Address + i) >> 2] >> (8 * (i & 3)));
        }

        return bytes;
    }
}
