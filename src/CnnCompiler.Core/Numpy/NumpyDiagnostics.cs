using System.Globalization;
using System.Text;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Core.Numpy;

/// <summary>What can be wrong with a <c>.npy</c> or <c>.npz</c> file: CNN0300 to CNN0319 of the import area.</summary>
public static class NumpyDiagnostics
{
    /// <summary>CNN0300: no NumPy array at all.</summary>
    public static Diagnostic NotAnArray(string file, string why) => Error(
        "CNN0300", file, $"this is not a NumPy array file: {why}", "write it with numpy.save, or give raw bytes as .bin");

    /// <summary>CNN0301: a format version that is unknown.</summary>
    public static Diagnostic UnknownVersion(string file, int major, int minor) => Error(
        "CNN0301", file, Text($"format version {major}.{minor} is unknown; versions 1.0, 2.0 and 3.0 can be read"), "write it again with numpy.save");

    /// <summary>CNN0302: the header does not say what it must.</summary>
    public static Diagnostic BadHeader(string file, string why) => Error(
        "CNN0302", file, $"the header can't be read: {why}", "write it again with numpy.save");

    /// <summary>CNN0303: an element type that is not one of ours.</summary>
    public static Diagnostic UnsupportedElementType(string file, string description, string remedy) => Error(
        "CNN0303", file, $"element type {Quote(description)} can't be used; int8, uint8, int16, int32, int64, float32 and float64, little-endian, can", remedy);

    /// <summary>CNN0304: column-major order.</summary>
    public static Diagnostic FortranOrder(string file) => Error(
        "CNN0304", file, "the array is stored in Fortran (column-major) order; only C (row-major) order can be read", "save numpy.ascontiguousarray(a) instead");

    /// <summary>CNN0305: more or less data than the shape says.</summary>
    public static Diagnostic WrongLength(string file, string type, long expected, long actual) => Error(
        "CNN0305", file, Text($"{type} needs {expected} bytes of elements; {actual} bytes follow the header"), "the file is truncated or holds more than one array: write it again");

    /// <summary>CNN0306: a shape that is out of reach.</summary>
    public static Diagnostic ShapeTooLarge(string file, string shape, long limit) => Error(
        "CNN0306", file, Text($"the shape ({shape}) is too large: at most {limit} bytes and 32 dimensions can be read"), "save a smaller array");

    /// <summary>CNN0310: no zip archive, or one that is damaged.</summary>
    public static Diagnostic BadArchive(string file, string why) => Error(
        "CNN0310", file, $"the .npz archive can't be read: {why}", "write it again with numpy.savez");

    /// <summary>CNN0311: a feature of zip that no .npz needs.</summary>
    public static Diagnostic UnsupportedEntry(string file, string entry, string what) => Error(
        "CNN0311", file, $"entry {Quote(entry)} of the .npz archive {what}", "write the archive with numpy.savez or numpy.savez_compressed");

    /// <summary>CNN0312: what the archive says it unpacks to is more than may be.</summary>
    public static Diagnostic TooLarge(string file, long bytes, long limit) => Error(
        "CNN0312", file, Text($"the .npz archive says that it unpacks to {bytes} bytes; at most {limit} are read"), "split the archive or store smaller arrays");

    /// <summary>CNN0313: contents that differ from what the archive's directory says of them.</summary>
    public static Diagnostic DamagedEntry(string file, string entry, string why) => Error(
        "CNN0313", file, $"entry {Quote(entry)} of the .npz archive is damaged: {why}", "write the archive again");

    /// <summary>CNN0314: two arrays of one name.</summary>
    public static Diagnostic DuplicateEntry(string file, string entry) => Error(
        "CNN0314", file, $"the .npz archive holds two arrays named {Quote(entry)}", "give each array its own name");

    /// <summary>Text of a file as a message may show it: short, quoted, printable ASCII.</summary>
    internal static string Quote(string text)
    {
        const int Longest = 60;
        var shown = new StringBuilder("'");
        foreach (var c in text.AsSpan(0, Math.Min(text.Length, Longest)))
        {
            shown.Append(c is >= ' ' and <= '~' ? c : '?');
        }

        return shown.Append(text.Length > Longest ? "...'" : "'").ToString();
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private static Diagnostic Error(string code, string file, string message, string remedy) =>
        new(code, DiagnosticSeverity.Error, SourceSpan.WholeFile(file), message, remedy);
}
