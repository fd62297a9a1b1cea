using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Network;
using CnnCompiler.Ir.Text;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Passes.Infrastructure;

/// <summary>The text form of a program at any level but the image, with the constants that it names but does not hold: what <c>--emit</c> writes and <c>--from</c> reads.</summary>
/// <param name="Text">The text; lines end in \n.</param>
/// <param name="Constants">The companion.</param>
public sealed record ModuleText(string Text, ConstantStore Constants)
{
    /// <summary>Levels that have a text which can be read back, in order.</summary>
    public static IReadOnlyList<IrLevel> Levels { get; } = [IrLevel.Network, IrLevel.Gconv, IrLevel.Mapped];

    /// <summary>The program of a text, or null and diagnostics. It is not verified. The mapped level is each target's own.</summary>
    /// <param name="level">One of <see cref="Levels"/> before the mapped one.</param>
    /// <param name="text">The text.</param>
    /// <param name="file">Its name in diagnostics.</param>
    /// <param name="constants">The companion it was written with.</param>
    /// <param name="diagnostics">Takes what is wrong.</param>
    /// <exception cref="ArgumentOutOfRangeException">A level without a text that can be read back.</exception>
    public static IrModule? Parse(IrLevel level, string text, string file, ConstantStore constants, DiagnosticBag diagnostics) => level switch
    {
        IrLevel.Network => NetworkParser.Parse(text, file, constants, diagnostics) is { } graph ? new NetworkModule(graph) : null,
        IrLevel.Gconv => GconvParser.Parse(text, file, constants, diagnostics) is { } chain ? new GconvModule(chain) : null,
        _ => throw new ArgumentOutOfRangeException(nameof(level), level, "this level has no text that all targets share"),
    };

    /// <summary>
    /// The level of a text, which is its first word before a name in quotation marks, and the word between them, which says whose mapped level it is where a target has one of its own; null for other texts.
    /// </summary>
    public static (IrLevel Level, string Dialect)? LevelOf(ReadOnlySpan<char> text)
    {
        text = text.TrimStart();
        while (text.StartsWith("//", StringComparison.Ordinal))
        {
            var end = text.IndexOf('\n');
            text = end < 0 ? [] : text[end..].TrimStart();
        }

        // The quotation mark tells a program from a network description, which begins with a bare name.
        var (name, dialect) = (Word(ref text), Word(ref text));
        return text.StartsWith('"') && IrLevels.Parse(name) is { } level && Levels.Contains(level) ? (level, dialect) : null;
    }

    private static string Word(ref ReadOnlySpan<char> text)
    {
        var length = Math.Max(0, text.IndexOfAnyExcept(Letters));
        var word = text[..length].ToString();
        text = text[length..].TrimStart();
        return word;
    }

    private static readonly System.Buffers.SearchValues<char> Letters = System.Buffers.SearchValues.Create("abcdefghijklmnopqrstuvwxyz");
}
