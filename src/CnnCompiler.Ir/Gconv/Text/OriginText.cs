using CnnCompiler.Ir.Text;
using static CnnCompiler.Ir.Text.IrTextFormat;

namespace CnnCompiler.Ir.Gconv;

/// <summary>
/// Where a step comes from, as a line before it in the text of the levels below the network: <c>origin conv2d %t22 macs 442368 settled</c>. Reports and the layer table of an image come from it, so that
/// a program read back goes on as the one that was printed.
/// </summary>
internal static class OriginText
{
    private const string Keyword = "origin";
    private const string Macs = "macs";
    private const string Settled = "settled";

    /// <summary>Keyword of the layer that a step without origin is.</summary>
    private const string Unsaid = "step";

    /// <summary>The line, or null for a step without origin.</summary>
    public static string? Print(GconvOrigin origin) => origin.Layer is not { Length: > 0 }
        ? null
        : $"{Keyword} {origin.Keyword} {Value(origin.Layer)}{(origin.Macs == 0 ? string.Empty : $" {Macs} {Integer(origin.Macs)}")}{(origin.IsSettled ? $" {Settled}" : string.Empty)}";

    /// <summary>The origin that was read; a step without one is a layer of its own.</summary>
    public static GconvOrigin Of(GconvOrigin read, string step) => read.Layer is null ? new(step, Unsaid, 0) : read;

    /// <summary>Reads the line where there is one; no origin else (<see cref="Of"/>).</summary>
    public static GconvOrigin Read(IrTextReader reader)
    {
        if (!reader.TryWord(Keyword))
        {
            return default;
        }

        var keyword = reader.Take(IrTokenKind.Word, "the keyword of a layer");
        var layer = reader.Value();
        return new(layer, keyword, reader.TryWord(Macs) ? reader.Integer(low: 0) : 0, reader.TryWord(Settled));
    }
}
