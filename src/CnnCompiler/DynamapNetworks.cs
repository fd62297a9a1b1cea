using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Infrastructure;

namespace CnnCompiler;

/// <summary>The networks of the DYNAMAP paper, from the descriptions in <c>samples/zoo</c>.</summary>
public static partial class DynamapNetworks
{
    private const string Suffix = ".cnn";

    /// <summary>Names of the networks.</summary>
    public static IReadOnlyList<string> Names { get; } = ["googlenet", "inception_v4"];

    /// <summary>A network on int8, compiled for the overlay up to a level.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <param name="level">The level.</param>
    public static IrModule Compile(string name, IrLevel level)
    {
        var result = Compiler.Compile(new CompileRequest(name + Suffix, Encoding.UTF8.GetBytes(OnInt8(Source(name))), "overlay") { StopLevel = level });
        return result.Modules.GetValueOrDefault(level) ?? throw new InvalidOperationException(string.Join('\n', result.Diagnostics));
    }

    /// <summary>A network as its description has it.</summary>
    public static NetworkGraph Definition(string name) =>
        ((NetworkModule)Compiler.Compile(new CompileRequest(name + Suffix, Encoding.UTF8.GetBytes(Source(name)), "overlay") { StopLevel = IrLevel.Network }).Modules[IrLevel.Network]).Graph;

    /// <summary>
    /// A description of the zoo with an input on int8: without response normalisation, which has no int8 form, and with a softmax steep enough for the even logits of weights that were never trained.
    /// </summary>
    /// <param name="text">Text of the description.</param>
    /// <param name="size">Another input size, or null.</param>
    public static string OnInt8(string text, int? size = null)
    {
        foreach (Match normalisation in Normalisation().Matches(text))
        {
            var (result, operand) = (normalisation.Groups["result"].Value, normalisation.Groups["operand"].Value);
            text = text.Replace(normalisation.Value, string.Empty, StringComparison.Ordinal);
            text = Regex.Replace(text, $@"\b{result}\b", operand, RegexOptions.None, TimeSpan.FromSeconds(1));
        }

        text = text.Replace(": f32[1, size, size, 3]", ": i8[1, size, size, 3] scale 0.02 zero -3", StringComparison.Ordinal).Replace("softmax(logits)", "softmax(logits, beta=64)", StringComparison.Ordinal);
        return size is { } other ? Size().Replace(text, string.Create(CultureInfo.InvariantCulture, $"const size = {other}")) : text;
    }

    private static string Source(string name)
    {
        using var stream = typeof(DynamapNetworks).Assembly.GetManifestResourceStream(name + Suffix)!;
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd();
    }

    [GeneratedRegex(@"^ *(?<result>\w+) = lrn\((?<operand>\w+),.*\n", RegexOptions.Multiline, 1000)]
    private static partial Regex Normalisation();

    [GeneratedRegex(@"const size = \d+", RegexOptions.None, 1000)]
    private static partial Regex Size();
}
