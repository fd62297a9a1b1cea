using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Frontend.Tflite;

/// <summary>A field of a FlatBuffers table: its number in declaration order (a union takes two: type, then value) and its name for messages.</summary>
/// <param name="Id">Number from 0.</param>
/// <param name="Name">Name in the schema.</param>
internal readonly record struct FlatField(int Id, string Name);

/// <summary>Where in a FlatBuffers file something is, for messages; written out only when one is made.</summary>
/// <param name="Parent">What it is part of, or null for the root.</param>
/// <param name="Name">Name of the field.</param>
/// <param name="Index">Index in a vector, or -1.</param>
internal sealed record FlatPart(FlatPart? Parent, string Name, int Index = -1)
{
    /// <inheritdoc/>
    public override string ToString()
    {
        var own = Index < 0 ? Name : string.Create(CultureInfo.InvariantCulture, $"{Name}[{Index}]");
        return Parent is null ? own : $"{Parent}.{own}";
    }
}

/// <summary>
/// Reads the FlatBuffers wire format (flatbuffers.dev, "FlatBuffer Internals") from untrusted bytes: tables with vtables, vectors, strings, unions
/// and scalars with defaults. Every offset and length is checked against the file before it is followed; whatever is wrong is a
/// <see cref="DiagnosticException"/> that names the part. Nothing recurses: callers walk as deep as their schema does. Because parts may share
/// bytes, a small file can describe a huge object; a budget proportional to the file bounds all that is made from it, and so time as well.
/// </summary>
internal sealed class FlatBufferReader
{
    /// <summary>What may be made from a file, in bytes for each of its bytes: a table can't be stored in fewer than 8.</summary>
    private const int BudgetFactor = 16;

    private const int BudgetBase = 64 * 1024;

    /// <summary>What an opened table costs the caller, in bytes, objects made for it included.</summary>
    private const int TableCost = 128;

    private readonly ReadOnlyMemory<byte> _bytes;
    private readonly long _allowance;
    private long _budget;

    /// <summary>Prepares to read; nothing is looked at yet.</summary>
    public FlatBufferReader(ReadOnlyMemory<byte> bytes, string file)
    {
        (_bytes, File) = (bytes, file);
        _budget = _allowance = ((long)bytes.Length * BudgetFactor) + BudgetBase;
    }

    /// <summary>The file as the user named it.</summary>
    public string File { get; }

    /// <summary>Length of the file in bytes.</summary>
    public int Length => _bytes.Length;

    /// <summary>True where the four bytes after the root offset are <paramref name="identifier"/>.</summary>
    public bool HasIdentifier(ReadOnlySpan<byte> identifier) => _bytes.Length >= 8 && _bytes.Span.Slice(4, 4).SequenceEqual(identifier);

    /// <summary>The root table.</summary>
    public FlatTable Root(string name)
    {
        var part = new FlatPart(null, name);
        return OpenTable(Follow(0, part), part);
    }

    /// <summary>A view of bytes of the file.</summary>
    public ReadOnlyMemory<byte> Slice(long start, long length, FlatPart part)
    {
        Check(start, length, part);
        return _bytes.Slice((int)start, (int)length);
    }

    /// <summary>Takes <paramref name="bytes"/> from the budget before memory of that size is used.</summary>
    public void Charge(long bytes, FlatPart part)
    {
        _budget -= bytes;
        if (_budget < 0)
        {
            throw new DiagnosticException(TfliteDiagnostics.TooMuch(File, part.ToString(), Length, _allowance));
        }
    }

    /// <summary>The exception for a part that is damaged.</summary>
    public DiagnosticException Malformed(FlatPart part, string why) => new(TfliteDiagnostics.Malformed(File, part.ToString(), why));

    /// <summary>Opens the table at a position, having checked its vtable and its extent.</summary>
    internal FlatTable OpenTable(int position, FlatPart part)
    {
        Charge(TableCost, part);
        Check(position, 4, part);
        var vtable = (long)position - ReadInt32(position);
        Check(vtable, 4, part);
        var vtableSize = ReadUInt16((int)vtable);
        var tableSize = ReadUInt16((int)vtable + 2);
        if (vtableSize < 4 || tableSize < 4)
        {
            throw Malformed(part, $"its vtable at byte {Number(vtable)} states a size below 4");
        }

        Check(vtable, vtableSize, part);
        Check(position, tableSize, part);
        return new(this, position, (int)vtable, vtableSize, tableSize, part);
    }

    /// <summary>The position that the unsigned offset at <paramref name="position"/> leads to.</summary>
    internal int Follow(int position, FlatPart part)
    {
        Check(position, 4, part);
        var target = position + (long)ReadUInt32(position);
        Check(target, 4, part);
        return (int)target;
    }

    /// <summary>Start and count of the vector that the offset at <paramref name="position"/> leads to.</summary>
    internal (int Start, int Count) FollowVector(int position, int elementSize, FlatPart part)
    {
        var vector = Follow(position, part);
        var count = ReadUInt32(vector);
        Check(vector + 4L, (long)count * elementSize, part);
        return (vector + 4, (int)count);
    }

    internal byte ReadByte(int position) => _bytes.Span[position];

    internal ushort ReadUInt16(int position) => BinaryPrimitives.ReadUInt16LittleEndian(_bytes.Span[position..]);

    internal int ReadInt32(int position) => BinaryPrimitives.ReadInt32LittleEndian(_bytes.Span[position..]);

    internal uint ReadUInt32(int position) => BinaryPrimitives.ReadUInt32LittleEndian(_bytes.Span[position..]);

    internal ulong ReadUInt64(int position) => BinaryPrimitives.ReadUInt64LittleEndian(_bytes.Span[position..]);

    internal float ReadSingle(int position) => BinaryPrimitives.ReadSingleLittleEndian(_bytes.Span[position..]);

    private void Check(long start, long length, FlatPart part)
    {
        if (start < 0 || length < 0 || start > _bytes.Length || length > _bytes.Length - start)
        {
            throw Malformed(part, $"it should have {Number(length)} bytes from byte {Number(start)} on, but the file has {Number(_bytes.Length)}");
        }
    }

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);
}

/// <summary>A table in a FlatBuffers file. Absent fields have their default; absent vectors are empty.</summary>
internal readonly struct FlatTable
{
    private readonly FlatBufferReader _reader;
    private readonly int _position;
    private readonly int _vtable;
    private readonly int _vtableSize;
    private readonly int _tableSize;

    internal FlatTable(FlatBufferReader reader, int position, int vtable, int vtableSize, int tableSize, FlatPart part) =>
        (_reader, _position, _vtable, _vtableSize, _tableSize, Part) = (reader, position, vtable, vtableSize, tableSize, part);

    /// <summary>Where the table is.</summary>
    public FlatPart Part { get; }

    /// <summary>The file that it is in.</summary>
    public FlatBufferReader Reader => _reader;

    /// <summary>True where the field is stored.</summary>
    public bool Has(FlatField field) => Locate(field, 1) is not null;

    /// <summary>An 8-bit field, also an enumeration or a boolean.</summary>
    public byte GetByte(FlatField field) => Locate(field, 1) is { } at ? _reader.ReadByte(at) : (byte)0;

    /// <summary>A boolean field.</summary>
    public bool GetBoolean(FlatField field) => GetByte(field) != 0;

    /// <summary>A 32-bit field.</summary>
    public int GetInt32(FlatField field, int absent = 0) => Locate(field, 4) is { } at ? _reader.ReadInt32(at) : absent;

    /// <summary>An unsigned 32-bit field.</summary>
    public uint GetUInt32(FlatField field) => Locate(field, 4) is { } at ? _reader.ReadUInt32(at) : 0;

    /// <summary>An unsigned 64-bit field.</summary>
    public ulong GetUInt64(FlatField field) => Locate(field, 8) is { } at ? _reader.ReadUInt64(at) : 0;

    /// <summary>A 32-bit floating-point field.</summary>
    public float GetSingle(FlatField field) => Locate(field, 4) is { } at ? _reader.ReadSingle(at) : 0;

    /// <summary>A string field; bytes that are not UTF-8 become replacement characters; empty where absent.</summary>
    public string GetString(FlatField field)
    {
        if (Locate(field, 4) is not { } at)
        {
            return string.Empty;
        }

        var part = PartOf(field);
        var (start, count) = _reader.FollowVector(at, 1, part);
        _reader.Charge(2L * count, part);
        return Encoding.UTF8.GetString(_reader.Slice(start, count, part).Span);
    }

    /// <summary>A vector of bytes, as a view; empty where absent.</summary>
    public ReadOnlyMemory<byte> GetBytes(FlatField field)
    {
        if (Locate(field, 4) is not { } at)
        {
            return default;
        }

        var part = PartOf(field);
        var (start, count) = _reader.FollowVector(at, 1, part);
        return _reader.Slice(start, count, part);
    }

    /// <summary>A vector of 32-bit integers.</summary>
    public int[] GetInt32s(FlatField field) => GetScalars<int>(field);

    /// <summary>A vector of 64-bit integers.</summary>
    public long[] GetInt64s(FlatField field) => GetScalars<long>(field);

    /// <summary>A vector of 32-bit floating-point numbers.</summary>
    public float[] GetSingles(FlatField field) => GetScalars<float>(field);

    /// <summary>A table field (also the value of a union), or null where absent.</summary>
    public FlatTable? GetTable(FlatField field)
    {
        if (Locate(field, 4) is not { } at)
        {
            return null;
        }

        var part = PartOf(field);
        return _reader.OpenTable(_reader.Follow(at, part), part);
    }

    /// <summary>A vector of tables, none of which is opened yet.</summary>
    public FlatTables GetTables(FlatField field)
    {
        if (Locate(field, 4) is not { } at)
        {
            return default;
        }

        var (start, count) = _reader.FollowVector(at, 4, PartOf(field));
        return new(_reader, start, count, Part, field.Name);
    }

    /// <summary>The exception for a field that is damaged.</summary>
    public DiagnosticException Malformed(FlatField field, string why) => _reader.Malformed(PartOf(field), why);

    private FlatPart PartOf(FlatField field) => new(Part, field.Name);

    private T[] GetScalars<T>(FlatField field)
        where T : unmanaged
    {
        if (Locate(field, 4) is not { } at)
        {
            return [];
        }

        var part = PartOf(field);
        var size = Unsafe.SizeOf<T>();
        var (start, count) = _reader.FollowVector(at, size, part);
        _reader.Charge((long)count * size, part);
        var values = new T[count];
        var bytes = _reader.Slice(start, (long)count * size, part).Span;
        bytes.CopyTo(System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan()));
        return values;
    }

    private int? Locate(FlatField field, int size)
    {
        var entry = 4 + (2 * field.Id);
        if (entry + 2 > _vtableSize)
        {
            return null;
        }

        var offset = _reader.ReadUInt16(_vtable + entry);
        if (offset == 0)
        {
            return null;
        }

        return offset >= 4 && offset + size <= _tableSize
            ? _position + offset
            : throw Malformed(field, string.Create(CultureInfo.InvariantCulture, $"it should be at byte {offset} of a table of {_tableSize} bytes"));
    }
}

/// <summary>A vector of tables.</summary>
internal readonly struct FlatTables
{
    private readonly FlatBufferReader? _reader;
    private readonly int _start;
    private readonly FlatPart? _parent;
    private readonly string? _name;

    internal FlatTables(FlatBufferReader reader, int start, int count, FlatPart parent, string name) =>
        (_reader, _start, Count, _parent, _name) = (reader, start, count, parent, name);

    /// <summary>Number of tables.</summary>
    public int Count { get; }

    /// <summary>Opens a table; <paramref name="index"/> is below <see cref="Count"/>.</summary>
    public FlatTable this[int index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegative(index);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Count);
            var part = new FlatPart(_parent, _name!, index);
            return _reader!.OpenTable(_reader.Follow(_start + (4 * index), part), part);
        }
    }
}
