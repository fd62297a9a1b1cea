using System.Buffers.Binary;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Image.Container;

/// <summary>Reads images. Whatever the bytes are, the answer is an image that keeps every rule of <c>docs/image-format.md</c> or a diagnostic; memory taken is proportional to the file.</summary>
public static class ImageReader
{
    /// <summary>Reads an image.</summary>
    /// <param name="bytes">The file. Its flash and kernels stay views of these bytes: do not change them while the image is used.</param>
    /// <param name="file">The file as the user named it.</param>
    /// <param name="diagnostics">Gets what is wrong (CNN0601 to CNN0699), with section and item.</param>
    /// <returns>The image, or null where something is wrong.</returns>
    public static CnnImage? Read(ReadOnlyMemory<byte> bytes, string file, DiagnosticBag diagnostics)
    {
        try
        {
            return new ImageParser(file, Sections(bytes, file)).Parse();
        }
        catch (DiagnosticException problem)
        {
            diagnostics.Report(problem.Diagnostic);
            return null;
        }
    }

    /// <summary>Checks version, lengths, layout and checksums, and gives the known sections by id.</summary>
    private static Dictionary<uint, ReadOnlyMemory<byte>> Sections(ReadOnlyMemory<byte> memory, string file)
    {
        var bytes = memory.Span;
        if (!bytes.StartsWith(ImageFormat.Magic))
        {
            throw new DiagnosticException(bytes.StartsWith(ImageFormat.Magic[..4]) && bytes.Length >= ImageFormat.HeaderBytes ? ImageDiagnostics.ChangedAsText(file) : ImageDiagnostics.NotAnImage(file));
        }

        if (bytes.Length < ImageFormat.HeaderBytes + ImageFormat.TrailerBytes)
        {
            throw new DiagnosticException(ImageDiagnostics.WrongLength(file, bytes.Length, ImageFormat.HeaderBytes + ImageFormat.TrailerBytes));
        }

        // The version comes first: nothing behind it can be trusted to mean the same in another one.
        if (BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]) is var version && version != ImageFormat.Version)
        {
            throw new DiagnosticException(ImageDiagnostics.UnknownVersion(file, version));
        }

        if (BinaryPrimitives.ReadUInt64LittleEndian(bytes[16..]) is var length && length != (ulong)bytes.Length)
        {
            throw new DiagnosticException(ImageDiagnostics.WrongLength(file, bytes.Length, length));
        }

        var count = BinaryPrimitives.ReadUInt32LittleEndian(bytes[12..]);
        if (count > ImageFormat.MostSections)
        {
            throw new DiagnosticException(ImageDiagnostics.TooManySections(file, count));
        }

        long end = ImageFormat.HeaderBytes + ImageFormat.EntryBytes * count;
        if (end > bytes.Length - ImageFormat.TrailerBytes
            || ImageChecksums.Header(bytes, (int)count) != BinaryPrimitives.ReadUInt32LittleEndian(bytes[ImageFormat.HeaderChecksumOffset..]))
        {
            throw new DiagnosticException(ImageDiagnostics.HeaderDamaged(file));
        }

        if (BinaryPrimitives.ReadUInt32LittleEndian(bytes[ImageFormat.ReservedOffset..]) != 0)
        {
            throw new DiagnosticException(ImageDiagnostics.HeaderReserved(file));
        }

        var sections = new Dictionary<uint, ReadOnlyMemory<byte>>();
        for (var i = 0; i < (int)count; i++)
        {
            Section(bytes.Slice(ImageFormat.HeaderBytes + ImageFormat.EntryBytes * i, ImageFormat.EntryBytes), memory, file, sections, ref end);
        }

        if (end != bytes.Length - ImageFormat.TrailerBytes)
        {
            throw new DiagnosticException(ImageDiagnostics.WrongLength(file, bytes.Length, (ulong)(end + ImageFormat.TrailerBytes)));
        }

        if (ImageChecksums.File(bytes) != BinaryPrimitives.ReadUInt32LittleEndian(bytes[^ImageFormat.TrailerBytes..]))
        {
            throw new DiagnosticException(ImageDiagnostics.FileDamaged(file));
        }

        return sections;
    }

    /// <summary>Checks one entry of the table: sections follow each other without a gap, which rules out overlaps and hidden bytes.</summary>
    private static void Section(ReadOnlySpan<byte> entry, ReadOnlyMemory<byte> memory, string file, Dictionary<uint, ReadOnlyMemory<byte>> sections, ref long end)
    {
        var id = BinaryPrimitives.ReadUInt32LittleEndian(entry);
        var flags = BinaryPrimitives.ReadUInt32LittleEndian(entry[4..]);
        var offset = BinaryPrimitives.ReadUInt64LittleEndian(entry[8..]);
        var length = BinaryPrimitives.ReadUInt64LittleEndian(entry[16..]);
        var known = ImageFormat.Known.FirstOrDefault(section => section.Id == id);
        var name = known?.Name ?? Code(id);
        if (flags > ImageFormat.RequiredFlag || BinaryPrimitives.ReadUInt32LittleEndian(entry[28..]) != 0)
        {
            throw new DiagnosticException(ImageDiagnostics.BadLayout(file, name, "has flags that mean nothing"));
        }

        if (offset != (ulong)end)
        {
            throw new DiagnosticException(ImageDiagnostics.BadLayout(file, name, "does not start where the one before it ends"));
        }

        var left = memory.Length - ImageFormat.TrailerBytes - end;
        if (length > (ulong)left || ImageFormat.Align((long)length) > left)
        {
            throw new DiagnosticException(ImageDiagnostics.BadLayout(file, name, "reaches past the end of the file"));
        }

        var payload = memory.Slice((int)end, (int)length);
        var padded = ImageFormat.Align((long)length);
        if (memory.Span[(int)(end + (long)length)..(int)(end + padded)].ContainsAnyExcept((byte)0))
        {
            throw new DiagnosticException(ImageDiagnostics.BadLayout(file, name, "is not padded with zeros"));
        }

        if (Crc32C.Compute(payload.Span) != BinaryPrimitives.ReadUInt32LittleEndian(entry[24..]))
        {
            throw new DiagnosticException(ImageDiagnostics.SectionDamaged(file, name));
        }

        end += padded;
        if (known is null && flags == ImageFormat.RequiredFlag)
        {
            throw new DiagnosticException(ImageDiagnostics.UnknownRequiredSection(file, name));
        }

        if (!sections.TryAdd(id, payload))
        {
            throw new DiagnosticException(ImageDiagnostics.SectionTwice(file, name));
        }
    }

    /// <summary>The letters of an unknown section's id.</summary>
    private static string Code(uint id) =>
        string.Create(6, id, (text, id) =>
        {
            text.Fill('\'');
            for (var i = 0; i < 4; i++)
            {
                var c = (char)(id >> (8 * i) & 0xFF);
                text[i + 1] = char.IsAsciiLetterOrDigit(c) ? c : '?';
            }
        });
}
