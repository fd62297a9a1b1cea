using System.Buffers.Binary;
using CnnCompiler.Image.Container;
using CnnCompiler.Image.Systolic;
using CnnCompiler.Interpreter.Execution;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Interpreter.Systolic;

/// <summary>Executes images of systolic machines: nothing but their bytes, bit-exact, with cycles and events counted (<c>docs/interpreter.md</c>).</summary>
internal static class SystolicInterpreter
{
    /// <summary>Runs an image on one set of inputs.</summary>
    public static RunResult Run(CnnImage image, IReadOnlyList<ReadOnlyMemory<byte>> inputs, RunOptions options, SourceSpan span, CancellationToken cancellation)
    {
        SystolicExecutor? executor = null;
        try
        {
            var memory = new byte[UsedBytes(image)];
            PutConstants(image, memory);
            PutInputs(image, inputs, memory, span);
            executor = new SystolicExecutor(image, memory, options, span, cancellation);
            executor.Run();
            return Result(image, executor, [], options.StopAfterLayer is null ? [.. image.Outputs.Select(o => (ReadOnlyMemory<byte>)memory.AsSpan(o.Address, TensorBytes(o)).ToArray())] : []);
        }
        catch (DiagnosticException problem)
        {
            return Result(image, executor, [problem.Diagnostic], []);
        }
    }

    private static RunResult Result(CnnImage image, SystolicExecutor? executor, IReadOnlyList<Diagnostic> diagnostics, IReadOnlyList<ReadOnlyMemory<byte>> outputs)
    {
        var runs = executor?.Layers ?? new SystolicLayerRun[image.Layers.Count + 1];
        var layers = image.Layers.Select((layer, i) => new LayerReport(layer, Cycles(runs[i + 1], layer.Macs))).ToList();
        var total = runs.Aggregate((sum, run) => sum + run);
        return new(diagnostics, outputs, Cycles(total, image.Layers.Sum(layer => layer.Macs)), layers, Cycles(runs[0], 0), [], ReadOnlyMemory<uint>.Empty)
        {
            Systolic = [.. runs.Skip(1)],
        };
    }

    /// <summary>The run in the terms of every machine: what is not the array's time is the host's.</summary>
    private static RunCycles Cycles(SystolicLayerRun run, long macs) =>
        new(run.ArrayCycles, run.HiddenTransferCycles, run.UnitCycles + run.StallCycles, (int)Math.Min(int.MaxValue, run.Tiles), run.DramReads, run.DramWrites, macs);

    private static int TensorBytes(TensorDescriptor tensor) =>
        checked((int)tensor.Shape.Aggregate((long)tensor.Type.Size(), (bytes, extent) => bytes * extent));

    /// <summary>The end of the last byte that anything refers to: memory is only taken for what is used.</summary>
    private static int UsedBytes(CnnImage image)
    {
        var end = 0L;
        foreach (var block in image.RamConstants)
        {
            end = Math.Max(end, (uint)block.Address + ((long)block.Words.Length * sizeof(uint)));
        }

        foreach (var tensor in image.Inputs.Concat(image.Outputs))
        {
            end = Math.Max(end, (uint)tensor.Address + (long)TensorBytes(tensor));
        }

        foreach (var step in image.Systolic!.Steps)
        {
            end = Math.Max(end, step.Match(
                End,
                softmax => Math.Max(softmax.Source, softmax.Destination) + ((long)softmax.Rows * softmax.Columns),
                host => Math.Max(
                    host.Destination + host.Function.ResultBytes,
                    Math.Max(host.First + host.Function.OperandBytes[0], host.Function.OperandBytes.Count > 1 ? host.Second + host.Function.OperandBytes[1] : 0)),
                transform => Math.Max(transform.Destination + transform.Window.Bytes, transform.Source + transform.Window.InputBytes),
                convolution => Math.Max(End(convolution.Operation), convolution.Corrections + convolution.CorrectionBytes),
                nest => End(nest.Operation)));
        }

        return checked((int)end);
    }

    private static long End(SystolicOperator operation) =>
        operation.Extras.Append(operation.Input).Append(operation.Output).Concat(operation.Kernel is { } kernel ? [kernel] : []).Max(End);

    private static long End(SystolicAccess access) =>
        access.Address + access.Dimensions.Aggregate((long)access.Element.Size(), (bytes, dimension) => bytes * dimension.Extent);

    private static void PutConstants(CnnImage image, byte[] memory)
    {
        foreach (var block in image.RamConstants)
        {
            var at = block.Address;
            foreach (var word in block.Words.Span)
            {
                BinaryPrimitives.WriteUInt32LittleEndian(memory.AsSpan(at), word);
                at += sizeof(uint);
            }
        }
    }

    private static void PutInputs(CnnImage image, IReadOnlyList<ReadOnlyMemory<byte>> inputs, byte[] memory, SourceSpan span)
    {
        if (inputs.Count != image.Inputs.Count)
        {
            throw new DiagnosticException(ExecutionDiagnostics.InputCount(span, image.Inputs.Count, inputs.Count));
        }

        for (var i = 0; i < inputs.Count; i++)
        {
            var tensor = image.Inputs[i];
            var expected = TensorBytes(tensor);
            if (inputs[i].Length != expected)
            {
                throw new DiagnosticException(ExecutionDiagnostics.InputSize(span, tensor.Name, $"[{string.Join(", ", tensor.Shape)}]", expected, inputs[i].Length));
            }

            inputs[i].Span.CopyTo(memory.AsSpan(tensor.Address));
        }
    }
}
