using CnnCompiler.Core.Tensors;
using CnnCompiler.Core;
using CnnCompiler.Image.Container;
using CnnCompiler.Image.Nests;
using CnnCompiler.Interpreter.Execution;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Network;
using CnnCompiler.Ir.Text;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Targets.Systolic;

/// <summary>A program for a systolic machine as an image. It is executed from its bytes; every value is seen when it is complete.</summary>
/// <param name="Image">The image.</param>
/// <param name="Mapped">What it was made from: names and types of the values.</param>
public sealed record SystolicImageModule(CnnImage Image, SystolicModule Mapped) : IrModule, IImageModule
{
    /// <inheritdoc/>
    public IReadOnlyList<MemoryRange> Memory { get; init; } = [];

    /// <inheritdoc/>
    public override IrLevel Level => IrLevel.Image;

    /// <inheritdoc/>
    public override EquatableArray<NetworkInput> Inputs => Mapped.Inputs;

    /// <inheritdoc/>
    public byte[] Bytes() => ImageWriter.Write(Image);

    /// <inheritdoc/>
    public override IEnumerable<(string Name, TensorType Type)> Tensors => Mapped.Tensors;

    /// <inheritdoc/>
    public override IEnumerable<string> Outputs => Mapped.Outputs;

    /// <inheritdoc/>
    public override IReadOnlyList<Diagnostic> Verify()
    {
        var diagnostics = new DiagnosticBag();
        ImageReader.Read(Bytes(), Mapped.Program.Name, diagnostics);
        return diagnostics.Diagnostics;
    }

    /// <inheritdoc/>
    public override ModuleText Text(Func<string, IEnumerable<string>>? notes = null) => new(ImagePrinter.Print(Image), ConstantStore.Empty);

    /// <inheritdoc/>
    public override ModuleEvaluation? Evaluate(IReadOnlyList<Tensor> inputs, DiagnosticBag diagnostics, CancellationToken cancellation) => Evaluate(inputs, new(), diagnostics, cancellation);

    /// <summary>The same, with options of the run besides.</summary>
    internal ModuleEvaluation? Evaluate(IReadOnlyList<Tensor> inputs, RunOptions given, DiagnosticBag diagnostics, CancellationToken cancellation)
    {
        if (ImageReader.Read(Bytes(), Mapped.Program.Name, diagnostics) is not { } read)
        {
            return null;
        }

        var values = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        for (var i = 0; i < inputs.Count; i++)
        {
            values[Mapped.Inputs[i].Name] = inputs[i].Reshape(Mapped.Inputs[i].Type.Shape);
        }

        var complete = Complete();
        var options = given with
        {
            AfterHandover = (step, written) =>
            {
                foreach (var (value, _) in complete[step])
                {
                    values[value.Name] = new(value.Type.Element, value.Type.Shape, written.ToArray());
                }
            },
            AfterSystolicStep = (step, memory, chip) =>
            {
                // what a step did not store is on the chip, the pieces written before included
                var place = (Image.Systolic!.Steps[step] as NestStep)?.Chip;
                if (place is { Stores: false, OutputWindow: not null })
                {
                    // a tensor that is nowhere as a whole, and has been collected
                    return;
                }

                var kept = place is { Stores: false } ? place.Output : NestChip.Dram;
                foreach (var (value, address) in complete[step])
                {
                    var bytes = (int)value.Type.Shape.Elements * value.Type.Element.Size();
                    values[value.Name] = new(value.Type.Element, value.Type.Shape, (kept == NestChip.Dram ? memory.Slice(address, bytes) : chip.Slice(kept, bytes)).ToArray());
                }
            },
        };
        var result = ImageInterpreter.Run(read, [.. inputs.Select(t => (ReadOnlyMemory<byte>)t.Bytes.ToArray())], options, cancellation);
        diagnostics.Report(result.Diagnostics);
        if (!result.Succeeded)
        {
            return null;
        }

        var outputs = Mapped.Program.Outputs.Select((name, i) => new Tensor(Image.Outputs[i].Type.Element(), Shape.Of([.. Image.Outputs[i].Shape]), result.Outputs[i].ToArray())).ToEquatableArray();
        for (var i = 0; i < outputs.Count; i++)
        {
            values[Mapped.Program.Outputs[i]] = outputs[i];
        }

        foreach (var view in Mapped.Program.Steps.OfType<GconvView>().Where(view => view.Kind == ViewKind.Reshape && values.ContainsKey(view.Sources[0])))
        {
            values[view.Name] = values[view.Sources[0]].Reshape(view.Type.Shape);
        }

        return new(values, outputs);
    }

    /// <summary>For each step of the image the values that are complete behind it, with their addresses; reshapes are not among them.</summary>
    private List<List<(GconvStep Value, int Address)>> Complete()
    {
        var addresses = Image.Symbols.ToDictionary(symbol => symbol.Name, symbol => symbol.Address, StringComparer.Ordinal);
        var complete = new List<List<(GconvStep, int)>>();
        var transformed = Mapped.Conversions.Where(plan => plan.Transforms).Select(plan => plan.Operator).ToHashSet(StringComparer.Ordinal);
        foreach (var step in Mapped.Program.Steps)
        {
            if (step is not GconvView)
            {
                complete.Add([]);
            }

            if (transformed.Contains(step.Name))
            {
                // a step that brings the input into form stands before the convolution
                complete.Add([]);
            }

            if (step is not (GconvOperator { Destination: not null } or GconvView { Kind: ViewKind.Reshape }))
            {
                complete[^1].Add((step, addresses[step.Name]));
            }
        }

        return complete;
    }
}
