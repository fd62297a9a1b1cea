using System.Buffers.Binary;
using System.Text;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Core.Numpy;

/// <summary>
/// Reads and writes NumPy's <c>.npy</c> arrays (format versions 1.0 to 3.0; <c>numpy.lib.format</c>): i8, u8, i16, i32, i64, f32,
/// little-endian, C order. float64, big-endian and Fortran order are refused with what to do.
/// </summary>
public static class NpyFile
{
    private static ReadOnlySpan<byte> Magic => [0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y'];

    /// <summary>Reads an array; null where the file is refused, which <paramref name="diagnostics"/> then explains (CNN0300 to CNN0306).</summary>
    /// <param name="bytes">The whole file.</param>
    /// <param name="file">The file as the user named it.</param>
    /// <param name="diagnostics">Takes what is wrong.</param>
    public static Tensor? Read(ReadOnlySpan<byte> bytes, string file, DiagnosticBag diagnostics)
    {
        try
        {
            return ReadCore(bytes, file);
        }
        catch (DiagnosticException refusal)
        {
            diagnostics.Report(refusal.Diagnostic);
            return null;
        }
    }

    /// <summary>The bytes that <c>numpy.save</c> would accept: version 1.0, elements from a multiple of 64 bytes on.</summary>
    public static byte[] Write(Tensor tensor)
    {
        const int Prefix = 10;
        const int Alignment = 64;
        var header = NpyHeader.Format(tensor.Element, tensor.Shape);
        var start = (Prefix + header.Length + 1 + Alignment - 1) / Alignment * Alignment;
        if (start - Prefix > ushort.MaxValue)
        {
            throw new ArgumentException($"a header of {header.Length} bytes", nameof(tensor));
        }

        var bytes = new byte[start + tensor.Bytes.Length];
        Magic.CopyTo(bytes);
        bytes[6] = 1;
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(8), (ushort)(start - Prefix));
        bytes.AsSpan(Prefix, start - Prefix).Fill((byte)' ');
        Encoding.ASCII.GetBytes(header, bytes.AsSpan(Prefix));
        bytes[start - 1] = (byte)'\n';
        tensor.Bytes.CopyTo(bytes.AsSpan(start));
        return bytes;
    }

    /// <summary>As <see cref="Read"/>, for a caller that catches at its own boundary.</summary>
    /// <exception cref="DiagnosticException">The file is refused.</exception>
    internal static Tensor ReadCore(ReadOnlySpan<byte> bytes, string file)
    {
        if (!bytes.StartsWith(Magic))
        {
            throw new DiagnosticException(NumpyDiagnostics.NotAnArray(file, "it doesn't begin with \\x93NUMPY"));
        }

        if (bytes.Length < 10)
        {
            throw new DiagnosticException(NumpyDiagnostics.NotAnArray(file, "it ends within the first 10 bytes"));
        }

        var (major, minor) = (bytes[6], bytes[7]);
        if (major is < 1 or > 3 || minor != 0)
        {
            throw new DiagnosticException(NumpyDiagnostics.UnknownVersion(file, major, minor));
        }

        // Version 1 has a 16-bit header length, 2 and 3 a 32-bit one.
        var prefix = major == 1 ? 10 : 12;
        if (bytes.Length < prefix)
        {
            throw new DiagnosticException(NumpyDiagnostics.NotAnArray(file, "it ends before the header"));
        }

        var length = major == 1 ? BinaryPrimitives.ReadUInt16LittleEndian(bytes[8..]) : (long)BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]);
        if (length > bytes.Length - prefix)
        {
            throw new DiagnosticException(NumpyDiagnostics.BadHeader(file, FormattableString.Invariant($"it is {length} bytes long, but only {bytes.Length - prefix} follow")));
        }

        // A header that we accept is short: 32 extents and three keys.
        const int LongestHeader = 16 * 1024;
        if (length > LongestHeader)
        {
            throw new DiagnosticException(NumpyDiagnostics.BadHeader(file, FormattableString.Invariant($"it is {length} bytes long; at most {LongestHeader} are read")));
        }

        // Version 3 is UTF-8, which differs from Latin-1 only in field names of structured types; those are refused.
        var text = Encoding.Latin1.GetString(bytes.Slice(prefix, (int)length));
        var data = bytes[(prefix + (int)length)..];
        var header = NpyHeader.Parse(text, file, int.MaxValue);
        var expected = header.Shape.Elements * header.Element.Size();
        return expected == data.Length
            ? new Tensor(header.Element, header.Shape, data.ToArray())
            : throw new DiagnosticException(NumpyDiagnostics.WrongLength(file, $"{header.Element.Name()}[{header.Shape}]", expected, data.Length));
    }
}
