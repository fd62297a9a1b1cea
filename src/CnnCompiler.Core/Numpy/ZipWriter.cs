using System.Text;

namespace CnnCompiler.Core.Numpy;

/// <summary>Writes zip archives whose bytes depend on names and contents only: stored entries, 1980-01-01 00:00, no platform fields.</summary>
internal static class ZipWriter
{
    private const ushort Version = 20;
    private const ushort Utf8Names = 0x0800;

    /// <summary>1980-01-01, the first day zip can say: month 1, day 1.</summary>
    private const ushort Date = (1 << 5) | 1;

    /// <summary>Writes files in the order given.</summary>
    /// <exception cref="ArgumentException">The archive would need zip64.</exception>
    public static byte[] Write(IReadOnlyList<KeyValuePair<string, byte[]>> files)
    {
        var size = files.Sum(f => (long)f.Value.Length + (2L * Encoding.UTF8.GetByteCount(f.Key)) + 76) + 22;
        if (files.Count >= ushort.MaxValue || size > Array.MaxLength)
        {
            throw new ArgumentException($"{files.Count} files of {size} bytes together need zip64", nameof(files));
        }

        using var output = new MemoryStream((int)size);
        using var writer = new BinaryWriter(output, Encoding.UTF8);
        var directory = new List<Action>();
        foreach (var (name, contents) in files)
        {
            var encoded = Encoding.UTF8.GetBytes(name);
            var crc = Crc32.Of(contents);
            var offset = (uint)output.Position;
            writer.Write(0x04034B50u);
            WriteCommon(encoded, crc, contents.Length);
            writer.Write(encoded);
            writer.Write(contents);
            directory.Add(() =>
            {
                writer.Write(0x02014B50u);
                writer.Write(Version); // made by: MS-DOS, the neutral choice
                WriteCommon(encoded, crc, contents.Length);
                writer.Write((ushort)0); // comment
                writer.Write((ushort)0); // part
                writer.Write((ushort)0); // internal attributes
                writer.Write(0u); // external attributes
                writer.Write(offset);
                writer.Write(encoded);
            });
        }

        var start = (uint)output.Position;
        directory.ForEach(write => write());
        var end = (uint)output.Position;
        writer.Write(0x06054B50u);
        writer.Write(0u); // parts
        writer.Write((ushort)files.Count);
        writer.Write((ushort)files.Count);
        writer.Write(end - start);
        writer.Write(start);
        writer.Write((ushort)0); // comment
        writer.Flush();
        return output.ToArray();

        void WriteCommon(byte[] name, uint crc, int length)
        {
            writer.Write(Version);
            writer.Write(Utf8Names);
            writer.Write((ushort)0); // stored
            writer.Write((ushort)0); // 00:00
            writer.Write(Date);
            writer.Write(crc);
            writer.Write((uint)length);
            writer.Write((uint)length);
            writer.Write((ushort)name.Length);
            writer.Write((ushort)0); // extra
        }
    }
}
