using System.Buffers.Binary;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Interpreter.Execution;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Targets.OpenEdge;

namespace CnnCompiler;

/// <summary>
/// Tensors inside a running image: the image is run up to the end of each layer and the buffers that its layers completed are read from RAM. One run a
/// layer, so it is for finding a difference that is known to be there.
/// </summary>
public static class ImageTensors
{
    private const int WordBytes = 4;

    /// <summary>Values by name, in the order in which they are completed, as far as they can still be seen at the end of their layer.</summary>
    /// <param name="module">The image and the program it was made from, which knows where values are.</param>
    /// <param name="inputs">One tensor for each input.</param>
    /// <param name="diagnostics">Takes what ends a run early; values of the layers before are still given.</param>
    /// <param name="cancellation">Ends the runs.</param>
    public static IEnumerable<KeyValuePair<string, Tensor>> Read(
        ImageModule module, IReadOnlyList<Tensor> inputs, DiagnosticBag diagnostics, CancellationToken cancellation)
    {
        var program = module.Mapped;
        var data = inputs.Select(input => (ReadOnlyMemory<byte>)input.Bytes.ToArray()).ToList();
        var layers = module.Image.Layers.Select((layer, index) => (layer.Name, index)).ToDictionary(entry => entry.Name, entry => entry.index, StringComparer.Ordinal);
        var visible = program.Values
            .Where(value => value.CompletedBy >= 0 && IsVisible(module, value))
            .OrderBy(value => value.CompletedBy)
            .GroupBy(value => program.Steps[value.CompletedBy].Origin.Value.Layer, StringComparer.Ordinal);
        foreach (var layer in visible)
        {
            var result = ImageInterpreter.Run(module.Image, data, new RunOptions { StopAfterLayer = layers[layer.Key] }, cancellation);
            diagnostics.Report(result.Diagnostics);
            if (!result.Succeeded)
            {
                yield break;
            }

            foreach (var value in layer)
            {
                yield return new(value.Tensor, Read(module, value, result.Ram.Span));
            }
        }
    }

    /// <summary>True where nothing writes over the value's memory between its completion and the end of its layer.</summary>
    private static bool IsVisible(ImageModule module, MappedValue value)
    {
        var steps = module.Mapped.Steps;
        var layer = steps[value.CompletedBy].Origin.Value.Layer;
        var last = value.CompletedBy;
        for (var step = last; step < steps.Count; step++)
        {
            last = steps[step].Origin.Value.Layer == layer ? step : last;
        }

        var (start, end) = Range(module, value.Buffer);
        return Enumerable.Range(value.CompletedBy + 1, last - value.CompletedBy).All(step =>
        {
            var (otherStart, otherEnd) = Range(module, steps[step].Match(nest => nest.Output.Target, softmax => softmax.Destination));
            return otherEnd <= start || otherStart >= end;
        });
    }

    private static (int Start, int End) Range(ImageModule module, string buffer)
    {
        var symbol = module.Image.Symbols.First(symbol => symbol.Name == buffer);
        return (symbol.Address, symbol.Address + symbol.Bytes);
    }

    private static Tensor Read(ImageModule module, MappedValue value, ReadOnlySpan<uint> ram)
    {
        var layout = module.Mapped.Buffers.First(buffer => buffer.Name == value.Buffer).Layout;
        var words = ram[(Range(module, value.Buffer).Start / WordBytes)..];
        var elements = LayoutElements.Of(layout);
        if (layout.Lanes < WordBytes)
        {
            var bytes = new byte[elements.Length * WordBytes];
            for (var index = 0; index < elements.Length; index++)
            {
                // of two lanes the upper one is what is left without the lower one
                var word = (int)words[elements[index] / layout.Lanes];
                var element = layout.Lanes == 1 ? word : elements[index] % layout.Lanes == 0 ? (short)word : (word - (short)word) >> 16;
                BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(index * WordBytes), element);
            }

            return new(ElementType.Int32, new(value.Shape), bytes);
        }

        var codes = new byte[elements.Length];
        for (var index = 0; index < elements.Length; index++)
        {
            codes[index] = (byte)(words[elements[index] / WordBytes] >> (8 * (elements[index] % WordBytes)));
        }

        return new(ElementType.Int8, new(value.Shape), codes);
    }
}
