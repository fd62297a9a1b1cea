using System.Buffers.Binary;
using System.Text;

namespace CnnCompiler.Frontend.Tests.Tflite;

/// <summary>A table to be written: fields by number. Values are byte, int, long, float, bool, string, arrays of these, tables and arrays of tables.</summary>
internal sealed class FlatObject
{
    public SortedDictionary<int, object> Fields { get; } = [];

    public object this[int field]
    {
        set => Fields[field] = value;
    }
}

/// <summary>Writes FlatBuffers so that tests can make models that no converter writes. Parents come before children, as the format demands.</summary>
internal static class FlatBufferWriter
{
    /// <summary>The file of a root table.</summary>
    public static byte[] Write(FlatObject root, string identifier)
    {
        var output = new List<byte>([0, 0, 0, 0, .. Encoding.ASCII.GetBytes(identifier)]);
        var known = new Dictionary<object, int>(ReferenceEqualityComparer.Instance);
        WriteReference(output, known, 0, root);
        return [.. output];
    }

    /// <summary>Writes what an offset at <paramref name="at"/> leads to; what was written after it is shared instead of repeated.</summary>
    private static void WriteReference(List<byte> output, Dictionary<object, int> known, int at, object value)
    {
        while (output.Count % 8 != 0)
        {
            output.Add(0);
        }

        if (known.TryGetValue(value, out var written) && written > at)
        {
            Patch(output, at, written - at);
            return;
        }

        if (value is FlatObject table)
        {
            WriteTable(output, known, at, table);
            return;
        }

        known[value] = output.Count;
        Patch(output, at, output.Count - at);
        switch (value)
        {
            case string text:
                WriteVector(output, Encoding.UTF8.GetBytes(text), sizeof(byte));
                output.Add(0);
                break;
            case byte[] bytes:
                WriteVector(output, bytes, sizeof(byte));
                break;
            case int[] numbers:
                WriteVector(output, System.Runtime.InteropServices.MemoryMarshal.AsBytes<int>(numbers), sizeof(int));
                break;
            case long[] numbers:
                WriteVector(output, System.Runtime.InteropServices.MemoryMarshal.AsBytes<long>(numbers), sizeof(long));
                break;
            case float[] numbers:
                WriteVector(output, System.Runtime.InteropServices.MemoryMarshal.AsBytes<float>(numbers), sizeof(float));
                break;
            case FlatObject[] tables:
                var start = output.Count + 4;
                WriteVector(output, new byte[4 * tables.Length], 4);
                for (var i = 0; i < tables.Length; i++)
                {
                    WriteReference(output, known, start + (4 * i), tables[i]);
                }

                break;
            default:
                throw new ArgumentException($"no way to write {value.GetType().Name}", nameof(value));
        }
    }

    private static void WriteTable(List<byte> output, Dictionary<object, int> known, int at, FlatObject table)
    {
        var fields = table.Fields.Count == 0 ? 0 : table.Fields.Keys.Max() + 1;
        var vtable = output.Count;
        output.AddRange(new byte[4 + (2 * fields)]);
        while (output.Count % 8 != 0)
        {
            output.Add(0);
        }

        var position = output.Count;
        known[table] = position;
        Patch(output, at, position - at);
        output.AddRange(new byte[4]);
        Patch(output, position, position - vtable);
        var references = new List<(int At, object Value)>();
        foreach (var (field, value) in table.Fields)
        {
            Patch16(output, vtable + 4 + (2 * field), output.Count - position);
            byte[] scalar = value switch
            {
                bool flag => [flag ? (byte)1 : (byte)0],
                byte number => [number],
                int number => BitConverter.GetBytes(number),
                long number => BitConverter.GetBytes(number),
                float number => BitConverter.GetBytes(number),
                _ => [],
            };
            if (scalar.Length == 0)
            {
                references.Add((output.Count, value));
                scalar = new byte[4];
            }

            output.AddRange(scalar);
        }

        Patch16(output, vtable, 4 + (2 * fields));
        Patch16(output, vtable + 2, output.Count - position);
        foreach (var (reference, value) in references)
        {
            WriteReference(output, known, reference, value);
        }
    }

    private static void WriteVector(List<byte> output, ReadOnlySpan<byte> bytes, int elementSize)
    {
        output.AddRange(BitConverter.GetBytes(bytes.Length / elementSize));
        output.AddRange(bytes);
    }

    private static void Patch(List<byte> output, int at, int value) =>
        BinaryPrimitives.WriteInt32LittleEndian(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(output)[at..], value);

    private static void Patch16(List<byte> output, int at, int value) =>
        BinaryPrimitives.WriteUInt16LittleEndian(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(output)[at..], (ushort)value);
}
