using CnnCompiler.Core.Tensors;
using CnnCompiler.Image.Container;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Targets;

namespace CnnCompiler.Cli.Files;

/// <summary>Images on disk, and their edges as tensors.</summary>
internal static class ImageSource
{
    /// <summary>True for bytes that are an image, or a file that is named as one.</summary>
    public static bool IsImage(string file, ReadOnlySpan<byte> bytes) =>
        bytes.StartsWith(ImageFormat.Magic) || file.EndsWith(".cnnb", StringComparison.OrdinalIgnoreCase);

    /// <summary>The image in the bytes; prints its warnings.</summary>
    /// <exception cref="DiagnosticException">It is refused.</exception>
    public static CnnImage Read(CliSession session, string file, ReadOnlyMemory<byte> bytes)
    {
        var problems = new DiagnosticBag();
        if (ImageReader.Read(bytes, file, problems) is { } image)
        {
            session.Printer.Print(problems.Diagnostics);
            return image;
        }

        session.Printer.Print(problems.Diagnostics.SkipLast(1));
        throw new DiagnosticException(problems.Diagnostics[^1]);
    }

    /// <summary>Inputs or outputs as files see them.</summary>
    public static IReadOnlyList<TensorPort> Ports(IReadOnlyList<TensorDescriptor> descriptors) => descriptors.Select(descriptor => new TensorPort(descriptor.Name, TypeOf(descriptor))).ToList();

    /// <summary>The type of an input or output.</summary>
    public static TensorType TypeOf(TensorDescriptor descriptor) => new(
        descriptor.Type.Element(),
        Shape.Of([.. descriptor.Shape]),
        Quantization.PerTensor(descriptor.Scale, descriptor.ZeroPoint));
}
