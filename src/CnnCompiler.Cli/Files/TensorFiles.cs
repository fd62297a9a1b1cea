using System.Globalization;
using CnnCompiler.Core;
using CnnCompiler.Core.Numpy;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Cli.Files;

/// <summary>An input or output at the edge of a network, as files see it.</summary>
/// <param name="Name">Name.</param>
/// <param name="Type">Element type, shape and quantisation.</param>
internal sealed record TensorPort(string Name, TensorType Type)
{
    /// <summary>For messages: <c>'image' i8[1x28x28x1] scale 0.0039 zero -128</c>.</summary>
    public string Display => $"'{Name}' {Type}";
}

/// <summary>Reads inputs and writes outputs: <c>.npy</c>, and raw little-endian row-major bytes under any other name.</summary>
internal static class TensorFiles
{
    private const string NpyExtension = ".npy";

    /// <summary>One tensor for each input, in graph order, from the files named on the command line.</summary>
    /// <exception cref="DiagnosticException">A file is missing, can't be read, or holds something else.</exception>
    public static IReadOnlyList<Tensor> ReadInputs(CliSession session, string network, IReadOnlyList<string> files, IReadOnlyList<TensorPort> inputs)
    {
        if (files.Count != inputs.Count)
        {
            throw new DiagnosticException(FileDiagnostics.InputsMissing(network, files.Count, inputs.Select(input => input.Display).ToList()));
        }

        return files.Select((file, index) => Read(session, file, inputs[index])).ToList();
    }

    /// <summary>Writes a tensor: <c>.npy</c> by its extension, else raw bytes.</summary>
    /// <exception cref="DiagnosticException">The file can't be written.</exception>
    public static void Write(CliSession session, string file, Tensor tensor) =>
        session.Write(file, file.EndsWith(NpyExtension, StringComparison.OrdinalIgnoreCase) ? NpyFile.Write(tensor) : tensor.Bytes);

    /// <summary>One tensor of a known type.</summary>
    /// <exception cref="DiagnosticException">The file is missing, can't be read, or holds something else.</exception>
    public static Tensor Read(CliSession session, string file, TensorPort input)
    {
        var bytes = session.Read(file, "an input", InputFiles.LargestTensor);
        return file.EndsWith(NpyExtension, StringComparison.OrdinalIgnoreCase) ? ReadNpy(file, bytes, input) : ReadRaw(file, bytes, input);
    }

    private static Tensor ReadRaw(string file, byte[] bytes, TensorPort input)
    {
        var expected = input.Type.Shape.Elements * input.Type.Element.Size();
        return bytes.LongLength == expected
            ? new(input.Type.Element, input.Type.Shape, bytes)
            : throw new DiagnosticException(FileDiagnostics.InputSize(file, input.Name, input.Type.ToString(), expected, bytes.LongLength));
    }

    private static Tensor ReadNpy(string file, byte[] bytes, TensorPort input)
    {
        var problems = new DiagnosticBag();
        return Fit(file, NpyFile.Read(bytes, file, problems) ?? throw new DiagnosticException(problems.Diagnostics[0]), input);
    }

    /// <summary>The tensor under the shape of the input that it is for.</summary>
    /// <exception cref="DiagnosticException">Its type or shape is another.</exception>
    public static Tensor Fit(string file, Tensor tensor, TensorPort input)
    {
        if (tensor.Element != input.Type.Element)
        {
            var remedy = tensor.Element.IsReal() && input.Type.Quantization is { } q
                ? string.Create(CultureInfo.InvariantCulture, $"quantise it first: numpy.clip(numpy.round(x / {q.Scale:R}) + {q.ZeroPoint}, -128, 127).astype(numpy.int8)")
                : $"convert it to {input.Type.Element.Name()} first";
            throw new DiagnosticException(FileDiagnostics.InputMismatch(file, input.Name, input.Type.ToString(), tensor.ToString(), remedy));
        }

        // dimensions of extent 1 do not change the order of elements: [28, 28] is as good as [1, 28, 28, 1]
        return Squeeze(tensor.Shape) == Squeeze(input.Type.Shape)
            ? tensor.Reshape(input.Type.Shape)
            : throw new DiagnosticException(FileDiagnostics.InputMismatch(file, input.Name, input.Type.ToString(), tensor.ToString(), $"give an array of shape ({string.Join(", ", input.Type.Shape.Dimensions)})"));
    }

    private static EquatableArray<int> Squeeze(Shape shape) => shape.Dimensions.Where(extent => extent != 1).ToEquatableArray();
}
