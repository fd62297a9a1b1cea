using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Core.Numpy;

/// <summary>One file in a zip archive, as the archive's central directory states it.</summary>
/// <param name="Name">Name.</param>
/// <param name="Deflated">Deflated, or stored as it is.</param>
/// <param name="Crc">CRC-32 of the contents.</param>
/// <param name="PackedSize">Bytes in the archive.</param>
/// <param name="UnpackedSize">Bytes of the contents.</param>
/// <param name="HeaderOffset">Where the local header is, in bytes from the start of the file.</param>
internal sealed record ZipEntry(string Name, bool Deflated, uint Crc, long PackedSize, long UnpackedSize, long HeaderOffset);

/// <summary>
/// Reads zip archives from untrusted bytes (PKWARE's APPNOTE): the central directory decides, every offset and size is checked against the
/// file before memory is taken. Encryption, zip64, archives of several parts and other methods than stored and deflated are refused.
/// <c>System.IO.Compression</c> inflates; its archive reader is not used because sizes are wanted before anything is unpacked.
/// </summary>
internal sealed class ZipReader
{
    private const uint EndSignature = 0x06054B50;
    private const uint DirectorySignature = 0x02014B50;
    private const uint LocalSignature = 0x04034B50;
    private const int EndSize = 22;
    private const int DirectorySize = 46;
    private const int LocalSize = 30;

    /// <summary>Deflate can't do better: 258 bytes for 2 bits.</summary>
    private const long BestDeflateRatio = 1032;

    private readonly ReadOnlyMemory<byte> _bytes;
    private readonly string _file;

    private ZipReader(ReadOnlyMemory<byte> bytes, string file, IReadOnlyList<ZipEntry> entries) => (_bytes, _file, Entries) = (bytes, file, entries);

    /// <summary>The files in the archive, in the order of its directory.</summary>
    public IReadOnlyList<ZipEntry> Entries { get; }

    /// <summary>Reads the directory.</summary>
    /// <exception cref="DiagnosticException">The archive is damaged or needs what is not supported.</exception>
    public static ZipReader Open(ReadOnlyMemory<byte> bytes, string file)
    {
        var span = bytes.Span;
        var end = FindEnd(span);
        if (end < 0)
        {
            throw Bad(file, "it has no zip end record; it is not a zip file or is truncated");
        }

        var record = span.Slice(end, EndSize);
        var count = U16(record, 10);
        var size = U32(record, 12);
        var offset = U32(record, 16);
        if (U16(record, 4) != 0 || U16(record, 6) != 0 || U16(record, 8) != count)
        {
            throw Bad(file, "it is one part of several");
        }

        if (count == ushort.MaxValue || offset == uint.MaxValue)
        {
            throw Bad(file, "it is a zip64 archive");
        }

        if ((long)offset + size > end || (long)count * DirectorySize > size)
        {
            throw Bad(file, "its directory lies outside the file");
        }

        var directory = span.Slice((int)offset, (int)size);
        var entries = new List<ZipEntry>();
        for (var i = 0; i < count; i++)
        {
            directory = directory[ReadEntry(directory, file, entries)..];
        }

        return new(bytes, file, entries);
    }

    /// <summary>The contents of an entry, checked against its size and CRC-32; stored ones are a view into the file.</summary>
    /// <exception cref="DiagnosticException">The entry is damaged.</exception>
    public ReadOnlyMemory<byte> Unpack(ZipEntry entry)
    {
        var packed = FindContents(entry);
        var contents = entry.Deflated ? Inflate(entry, packed) : packed;
        return Crc32.Of(contents.Span) == entry.Crc ? contents : throw Damaged(entry, "its checksum (CRC-32) is wrong");
    }

    private static int FindEnd(ReadOnlySpan<byte> bytes)
    {
        // The record is last but for a comment of at most 65,535 bytes whose length it states.
        var first = Math.Max(0, bytes.Length - EndSize - ushort.MaxValue);
        for (var at = bytes.Length - EndSize; at >= first; at--)
        {
            if (U32(bytes, at) == EndSignature && at + EndSize + U16(bytes, at + 20) == bytes.Length)
            {
                return at;
            }
        }

        return -1;
    }

    private static int ReadEntry(ReadOnlySpan<byte> directory, string file, List<ZipEntry> entries)
    {
        if (directory.Length < DirectorySize || U32(directory, 0) != DirectorySignature)
        {
            throw Bad(file, "its directory is damaged");
        }

        var nameLength = U16(directory, 28);
        var length = DirectorySize + nameLength + U16(directory, 30) + U16(directory, 32);
        if (length > directory.Length)
        {
            throw Bad(file, "its directory is damaged");
        }

        var flags = U16(directory, 8);
        var method = U16(directory, 10);
        var (packed, unpacked, offset) = (U32(directory, 20), U32(directory, 24), U32(directory, 42));
        var name = ((flags & 0x0800) != 0 ? Encoding.UTF8 : Encoding.Latin1).GetString(directory.Slice(DirectorySize, nameLength));
        if ((flags & 0x2041) != 0)
        {
            throw new DiagnosticException(NumpyDiagnostics.UnsupportedEntry(file, name, "is encrypted"));
        }

        if (method is not (0 or 8))
        {
            throw new DiagnosticException(NumpyDiagnostics.UnsupportedEntry(file, name, FormattableString.Invariant($"is compressed by method {method}; stored and deflated can be read")));
        }

        if (packed == uint.MaxValue || unpacked == uint.MaxValue || offset == uint.MaxValue)
        {
            throw new DiagnosticException(NumpyDiagnostics.UnsupportedEntry(file, name, "is 4 GiB or larger (zip64)"));
        }

        entries.Add(new(name, method == 8, U32(directory, 16), packed, unpacked, offset));
        return length;
    }

    private ReadOnlyMemory<byte> FindContents(ZipEntry entry)
    {
        // The local header's own sizes may be zero or 2^32-1 (numpy.savez reserves zip64 fields there): only its variable lengths count.
        var span = _bytes.Span;
        if (entry.HeaderOffset + LocalSize > span.Length || U32(span, (int)entry.HeaderOffset) != LocalSignature)
        {
            throw Damaged(entry, "it has no local header");
        }

        var header = span[(int)entry.HeaderOffset..];
        var start = entry.HeaderOffset + LocalSize + U16(header, 26) + U16(header, 28);
        return start + entry.PackedSize <= span.Length
            ? _bytes.Slice((int)start, (int)entry.PackedSize)
            : throw Damaged(entry, "it ends outside the file");
    }

    private byte[] Inflate(ZipEntry entry, ReadOnlyMemory<byte> packed)
    {
        if (entry.UnpackedSize > packed.Length * BestDeflateRatio)
        {
            throw Damaged(entry, FormattableString.Invariant($"{packed.Length} bytes can't unpack to the {entry.UnpackedSize} that the archive's directory states"));
        }

        // The stated size is only a claim: memory grows with what was really unpacked.
        const int FirstStep = 64 * 1024;
        var contents = new byte[Math.Min(entry.UnpackedSize, Math.Max(FirstStep, 4L * packed.Length))];
        try
        {
            using var inflater = new DeflateStream(new MemoryStream(packed.ToArray(), writable: false), CompressionMode.Decompress);
            inflater.ReadExactly(contents);
            while (contents.Length < entry.UnpackedSize)
            {
                var filled = contents.Length;
                Array.Resize(ref contents, (int)Math.Min(entry.UnpackedSize, 2L * filled));
                inflater.ReadExactly(contents.AsSpan(filled));
            }

            return inflater.ReadByte() < 0 ? contents : throw Damaged(entry, "it unpacks to more than the archive's directory states");
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException)
        {
            throw Damaged(entry, "its compressed data can't be unpacked to the size that the archive's directory states");
        }
    }

    private DiagnosticException Damaged(ZipEntry entry, string why) => new(NumpyDiagnostics.DamagedEntry(_file, entry.Name, why));

    private static DiagnosticException Bad(string file, string why) => new(NumpyDiagnostics.BadArchive(file, why));

    private static ushort U16(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..]);

    private static uint U32(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]);
}
