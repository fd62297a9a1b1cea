using CnnCompiler.Core.Numpy;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Frontend.Tests.Language;

/// <summary>Weight files for the networks of docs/language.md and of these tests.</summary>
internal static class Examples
{
    /// <summary>Arrays of the networks in docs/language.md, by the network's name.</summary>
    public static readonly Dictionary<string, Dictionary<string, Tensor>> Documented = new(StringComparer.Ordinal)
    {
        ["tiny"] = Join(Layer("features", 0, 8, 3, 3, 4), Layer("logits", 0, 10, 8), Result("logits", 0.2f, 5)),
        ["two_inputs"] = Join(Layer("logits", 0, 10, 256), Result("logits", 0.2f, 5)),
        ["every_layer"] = Join(
            Layer("grouped", 0, 8, 3, 3, 2), Layer("explicit", 0, 8, 3, 3, 4, bias: false), Layer("depthwise", 3, 1, 5, 3, 8), Layer("logits", 0, 10, 384), Result("logits", 0.2f, 5)),
        ["arithmetic"] = [],
        ["blocks"] = [],
        ["layout"] = [],
        ["mistakes"] = Join(Layer("logits", 0, 10, 8), Result("logits", 0.2f, 5)),
    };

    /// <summary>Weights, scales (one for each channel; one for a dense layer) and bias of a layer.</summary>
    public static Dictionary<string, Tensor> Layer(string name, int channelAxis, int k, int height, int width, int c, bool bias = true) =>
        Layer(name, channelAxis, [k, height, width, c], bias);

    public static Dictionary<string, Tensor> Layer(string name, int channelAxis, int outputs, int inputs) => Layer(name, channelAxis, [outputs, inputs], bias: true);

    /// <summary>Stored scale and zero point of a layer's result.</summary>
    public static Dictionary<string, Tensor> Result(string name, float scale, int zeroPoint) => new(StringComparer.Ordinal)
    {
        [$"{name}.scale"] = Tensor.From(ElementType.Float32, Shape.Of(), [scale]),
        [$"{name}.zero_point"] = Tensor.From(ElementType.Int64, Shape.Of(), [(long)zeroPoint]),
    };

    public static Dictionary<string, Tensor> Join(params Dictionary<string, Tensor>[] parts) =>
        parts.SelectMany(part => part).ToDictionary(StringComparer.Ordinal);

    /// <summary>A folder with one weight file, example.npz.</summary>
    public static Func<string, byte[]?> Folder(Dictionary<string, Tensor> arrays)
    {
        var bytes = NpzFile.Write(arrays);
        return path => path == "example.npz" ? bytes : null;
    }

    /// <summary>The name of a text's network.</summary>
    public static string NetworkName(string text) => text[(text.IndexOf("network ", StringComparison.Ordinal) + 8)..].Split(' ', '{')[0];

    /// <summary>What is wrong with a text, one line each.</summary>
    public static IReadOnlyList<Diagnostic> Diagnose(string text, Dictionary<string, Tensor> arrays, string file = "test.cnn")
    {
        var diagnostics = new DiagnosticBag();
        var graph = CnnFrontend.Parse(text, file, Folder(arrays), diagnostics);
        Assert.Equal(diagnostics.HasErrors, graph is null);
        return diagnostics.Diagnostics;
    }

    private static Dictionary<string, Tensor> Layer(string name, int channelAxis, int[] shape, bool bias)
    {
        var channels = shape[channelAxis];
        var count = shape.Aggregate((product, extent) => product * extent);
        var codes = Enumerable.Range(0, count).Select(i => (sbyte)((i * 37 % 255) - 127)).ToArray();
        var scales = Enumerable.Range(0, shape.Length == 2 ? 1 : channels).Select(i => 0.01f + (i / 256f)).ToArray();
        var arrays = new Dictionary<string, Tensor>(StringComparer.Ordinal)
        {
            [$"{name}.weights"] = Tensor.From<sbyte>(ElementType.Int8, Shape.Of(shape), codes),
            [$"{name}.weights_scale"] = Tensor.From<float>(ElementType.Float32, Shape.Of(scales.Length), scales),
        };
        if (bias)
        {
            arrays[$"{name}.bias"] = Tensor.From<int>(ElementType.Int32, Shape.Of(channels), Enumerable.Range(-3, channels).ToArray());
        }

        return arrays;
    }
}
