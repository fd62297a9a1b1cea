using System.Text;

namespace CnnCompiler;

/// <summary>The characters of a text file.</summary>
internal static class SourceText
{
    private static ReadOnlySpan<byte> ByteOrderMark => [0xEF, 0xBB, 0xBF];

    /// <summary>UTF-8, with or without its mark; other bytes become U+FFFD, which every language here refuses at its place.</summary>
    public static string Decode(ReadOnlySpan<byte> bytes) => Encoding.UTF8.GetString(bytes.StartsWith(ByteOrderMark) ? bytes[ByteOrderMark.Length..] : bytes);
}
