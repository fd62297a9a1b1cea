using System.Text;
using System.Text.RegularExpressions;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Overlay.Tests;

/// <summary>Networks of the samples folder on int8.</summary>
internal static class Networks
{
    private static string Samples => Path.Combine(SharedMaterial.Repository, "samples");

    /// <summary>LeNet-5 at the gconv level.</summary>
    public static GconvProgram Lenet5() => ((GconvModule)Compile("lenet5.cnn", File.ReadAllText(Path.Combine(Samples, "lenet5.cnn")), IrLevel.Gconv)[IrLevel.Gconv]).Program;

    /// <summary>
    /// A network of the zoo on int8 with another input size. GoogLeNet is f32 there, for its response normalisation, which has no int8 form: here it is left out and the input is int8, so that
    /// all convolutions are.
    /// </summary>
    public static NetworkGraph Zoo(string name, int size)
    {
        var text = File.ReadAllText(Path.Combine(Samples, "zoo", $"{name}.cnn"));
        var seconds = TimeSpan.FromSeconds(1);
        text = Regex.Replace(text, @"(?m)^    const size = \d+$", $"    const size = {size}", RegexOptions.None, seconds);
        text = text.Replace("f32[1, size, size, 3]", "i8[1, size, size, 3] scale 0.02 zero -3", StringComparison.Ordinal);
        text = Regex.Replace(text, @"(?m)^.*lrn\(.*\n", string.Empty, RegexOptions.None, seconds).Replace("(norm1,", "(pool1,", StringComparison.Ordinal).Replace("(norm2,", "(conv2,", StringComparison.Ordinal);
        text = text.Replace("softmax(logits)", "softmax(logits, beta=64)", StringComparison.Ordinal);
        return ((NetworkModule)Compile($"{name}.cnn", text, IrLevel.Network)[IrLevel.Network]).Graph;
    }

    private static IReadOnlyDictionary<IrLevel, IrModule> Compile(string file, string text, IrLevel level)
    {
        var result = Compiler.Compile(new CompileRequest(file, Encoding.UTF8.GetBytes(text), "overlay")
        {
            StopLevel = level,
            Companion = name => File.Exists(Path.Combine(Samples, name)) ? File.ReadAllBytes(Path.Combine(Samples, name)) : null,
        });
        Assert.Empty(result.Diagnostics);
        return result.Modules;
    }
}
