using CnnCompiler.Core.Tensors;
using CnnCompiler.Core;
using CnnCompiler.Image.Container;
using CnnCompiler.Interpreter.Execution;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Ir.Network;
using CnnCompiler.Ir.Text;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Targets.OpenEdge;

/// <summary>A program as an image. It is executed from its bytes, by the interpreter.</summary>
/// <param name="Image">The image.</param>
/// <param name="Ports">The network's inputs in graph order.</param>
/// <param name="Mapped">What it was made from: names and types of the outputs.</param>
public sealed record ImageModule(CnnImage Image, EquatableArray<NetworkInput> Ports, MappedProgram Mapped) : IrModule, IImageModule
{
    /// <inheritdoc/>
    public IReadOnlyList<MemoryRange> Memory { get; init; } = [];

    /// <inheritdoc/>
    public override IrLevel Level => IrLevel.Image;

    /// <inheritdoc/>
    public override EquatableArray<NetworkInput> Inputs => Ports;

    /// <summary>The bytes of the image file.</summary>
    public byte[] Bytes() => ImageWriter.Write(Image);

    /// <inheritdoc/>
    public override IEnumerable<(string Name, TensorType Type)> Tensors => Mapped.Outputs.Select(port => (port.Name, port.Type));

    /// <inheritdoc/>
    public override IEnumerable<string> Outputs => Mapped.Outputs.Select(port => port.Name);

    /// <inheritdoc/>
    public override IReadOnlyList<Diagnostic> Verify()
    {
        var diagnostics = new DiagnosticBag();
        return ImageReader.Read(Bytes(), Mapped.Name, diagnostics) is { } read ? [.. diagnostics.Diagnostics, .. LaunchListChecker.Check(read)] : diagnostics.Diagnostics;
    }

    /// <inheritdoc/>
    public override ModuleText Text(Func<string, IEnumerable<string>>? notes = null) => new(ImagePrinter.Print(Image), ConstantStore.Empty);

    /// <inheritdoc/>
    public override ModuleEvaluation? Evaluate(IReadOnlyList<Tensor> inputs, DiagnosticBag diagnostics, CancellationToken cancellation)
    {
        if (ImageReader.Read(Bytes(), Mapped.Name, diagnostics) is not { } read)
        {
            return null;
        }

        var result = ImageInterpreter.Run(read, [.. inputs.Select(t => (ReadOnlyMemory<byte>)t.Bytes.ToArray())], null, cancellation);
        diagnostics.Report(result.Diagnostics);
        if (!result.Succeeded)
        {
            return null;
        }

        var outputs = Mapped.Outputs.Select((port, i) => new Tensor(port.Type.Element, port.Type.Shape, result.Outputs[i].ToArray())).ToEquatableArray();
        var values = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        for (var i = 0; i < outputs.Count; i++)
        {
            values[Mapped.Outputs[i].Name] = outputs[i];
        }

        return new(values, outputs);
    }
}
