using System.Buffers.Binary;

namespace CnnCompiler.Image.Tests.Container;

/// <summary>The bytes of an image file, taken apart and put together a second time from <c>docs/image-format.md</c>, without the code under test.</summary>
internal sealed class ImageFile
{
    private static readonly uint[] Table = [.. Enumerable.Range(0, 256).Select(value => Divide((uint)value))];

    public List<(string Code, uint Flags, byte[] Payload)> Sections { get; } = [];

    public static ImageFile Parse(byte[] file)
    {
        var result = new ImageFile();
        var count = BinaryPrimitives.ReadInt32LittleEndian(file.AsSpan(12));
        for (var i = 0; i < count; i++)
        {
            var entry = file.AsSpan(32 + 32 * i, 32);
            var offset = (int)BinaryPrimitives.ReadUInt64LittleEndian(entry[8..]);
            var length = (int)BinaryPrimitives.ReadUInt64LittleEndian(entry[16..]);
            result.Sections.Add((System.Text.Encoding.Latin1.GetString(entry[..4]), BinaryPrimitives.ReadUInt32LittleEndian(entry[4..]), file[offset..(offset + length)]));
        }

        return result;
    }

    public ImageFile Replace(string code, Func<byte[], byte[]> change)
    {
        var i = Sections.FindIndex(section => section.Code == code);
        Sections[i] = (code, Sections[i].Flags, change((byte[])Sections[i].Payload.Clone()));
        return this;
    }

    public byte[] Build()
    {
        var file = new List<byte>();
        file.AddRange("CNNB\r\n\u001a\n"u8);
        var offset = 32 + 32 * Sections.Count;
        var total = offset + Sections.Sum(section => (section.Payload.Length + 3) / 4 * 4) + 4;
        Add(1, 4);
        Add((ulong)Sections.Count, 4);
        Add((ulong)total, 8);
        Add(0, 4);
        Add(0, 4);
        foreach (var (code, flags, payload) in Sections)
        {
            file.AddRange(System.Text.Encoding.Latin1.GetBytes(code));
            Add(flags, 4);
            Add((ulong)offset, 8);
            Add((ulong)payload.Length, 8);
            Add(Crc(payload), 4);
            Add(0, 4);
            offset += (payload.Length + 3) / 4 * 4;
        }

        foreach (var (_, _, payload) in Sections)
        {
            file.AddRange(payload);
            file.AddRange(new byte[(4 - payload.Length % 4) % 4]);
        }

        Add(0, 4);
        var bytes = file.ToArray();
        Seal(bytes);
        return bytes;

        void Add(ulong value, int count)
        {
            for (var i = 0; i < count; i++)
            {
                file.Add((byte)(value >> (8 * i)));
            }
        }
    }

    /// <summary>Sets the checksums of header, table and file to what they must be, so that only what was changed besides is wrong.</summary>
    public static void Seal(Span<byte> file)
    {
        var count = BinaryPrimitives.ReadUInt32LittleEndian(file[12..]);
        if (32 + 32L * count <= file.Length - 4)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(file[28..], Crc([.. file[..28], .. file[32..(32 + 32 * (int)count)]]));
        }

        BinaryPrimitives.WriteUInt32LittleEndian(file[^4..], Crc(file[..^4]));
    }

    /// <summary>CRC-32C by a table that is made bit by bit.</summary>
    public static uint Crc(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        foreach (var value in bytes)
        {
            crc = crc >> 8 ^ Table[(byte)(crc ^ value)];
        }

        return ~crc;
    }

    private static uint Divide(uint value)
    {
        for (var bit = 0; bit < 8; bit++)
        {
            value = (value & 1) != 0 ? value >> 1 ^ 0x82F63B78 : value >> 1;
        }

        return value;
    }
}
