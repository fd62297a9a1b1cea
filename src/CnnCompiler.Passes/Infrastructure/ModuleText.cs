using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
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

    /// <summary>The text form of a program. That of an image is a listing, which can't be read back.</summary>
    /// <param name="module">The program.</param>
    /// <param name="notes">Comment lines before what a layer became, by the layer's name (see <see cref="InterleavedSource"/>); null for none.</param>
    public static ModuleText Of(IrModule module, Func<string, IEnumerable<string>>? notes = null)
    {
        switch (module)
        {
            case NetworkModule network:
                var graph = NetworkPrinter.Print(network.Graph, notes);
                return new(graph.Text, graph.Constants);
            case GconvModule gconv:
                var chain = GconvPrinter.Print(gconv.Program, notes);
                return new(chain.Text, chain.Constants);
            case MappedModule mapped:
                var program = MappedPrinter.Print(mapped.Program, notes);
                return new(program.Text, program.Constants);
            default:
                return new(module.Print(), ConstantStore.Empty);
        }
    }

    /// <summary>The program of a text, or null and diagnostics. It is not verified.</summary>
    /// <param name="level">One of <see cref="Levels"/>.</param>
    /// <param name="text">The text.</param>
    /// <param name="file">Its name in diagnostics.</param>
    /// <param name="constants">The companion it was written with.</param>
    /// <param name="diagnostics">Takes what is wrong.</param>
    /// <exception cref="ArgumentOutOfRangeException">A level without a text that can be read back.</exception>
    public static IrModule? Parse(IrLevel level, string text, string file, ConstantStore constants, DiagnosticBag diagnostics) => level switch
    {
        IrLevel.Network => NetworkParser.Parse(text, file, constants, diagnostics) is { } graph ? new NetworkModule(graph) : null,
        IrLevel.Gconv => GconvParser.Parse(text, file, constants, diagnostics) is { } chain ? new GconvModule(chain) : null,
        IrLevel.Mapped => MappedParser.Parse(text, file, constants, diagnostics) is { } program ? new MappedModule(program) : null,
        _ => throw new ArgumentOutOfRangeException(nameof(level), level, "this level has no text that can be read back"),
    };

    /// <summary>The level of a text, which is its first word before a name in quotation marks; null for other texts.</summary>
    public static IrLevel? LevelOf(ReadOnlySpan<char> text)
    {
        text = text.TrimStart();
        while (text.StartsWith("//", StringComparison.Ordinal))
        {
            var end = text.IndexOf('\n');
            text = end < 0 ? [] : text[end..].TrimStart();
        }

        // The quotation mark tells a program from a network description, which begins with a bare name.
        var length = text.IndexOfAnyExcept(Letters);
        return length > 0 && text[length..].TrimStart().StartsWith('"') && IrLevels.Parse(text[..length].ToString()) is { } level && Levels.Contains(level) ? level : null;
    }

    private static readonly System.Buffers.SearchValues<char> Letters = System.Buffers.SearchValues.Create("abcdefghijklmnopqrstuvwxyz");
}
