using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using CnnCompiler.Image.Container;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Image.Systolic;

/// <summary>
/// Takes a descriptor's fields one after the other: the encoder, the decoder and the listing are three of these, so that a field is declared once
/// (<see cref="SystolicFields"/>).
/// </summary>
internal abstract class FieldCodec
{
    /// <summary>A 32-bit number inside bounds.</summary>
    public abstract int Int(string name, int value, long low, long high);

    /// <summary>A 64-bit number, low word first.</summary>
    public abstract long Long(string name, long value);

    /// <summary>A code of an enumeration.</summary>
    public abstract T Code<T>(string name, T value)
        where T : struct, Enum;

    /// <summary>A count, then the items.</summary>
    /// <param name="name">Name of the list.</param>
    /// <param name="items">The items; null where they are read.</param>
    /// <param name="leastBytes">Fewest bytes of an item: memory is only taken for what can be there.</param>
    /// <param name="most">Most items.</param>
    /// <param name="item">Takes the fields of one.</param>
    public abstract IReadOnlyList<T> List<T>(string name, IReadOnlyList<T>? items, int leastBytes, int most, Func<T?, T> item);

    /// <summary>Something that need not be there: a word 0 or 1, then its fields.</summary>
    public abstract T? Optional<T>(string name, T? value, Func<T?, T> fields)
        where T : class;

    /// <summary>Fields that belong together.</summary>
    public abstract T Group<T>(string name, Func<T> fields);

    /// <summary>True or false, as 1 or 0.</summary>
    public bool Flag(string name, bool value) => Int(name, value ? 1 : 0, 0, 1) == 1;
}

/// <summary>Writes fields.</summary>
internal sealed class FieldWriter(ByteWriter.Payload bytes) : FieldCodec
{
    public override int Int(string name, int value, long low, long high)
    {
        if (value < low || value > high)
        {
            throw new ArgumentException($"{name} is {value}, outside {low} to {high}", nameof(value));
        }

        bytes.Int(value);
        return value;
    }

    public override long Long(string name, long value)
    {
        bytes.Long(value);
        return value;
    }

    public override T Code<T>(string name, T value)
    {
        bytes.Int(Convert.ToInt32(value, CultureInfo.InvariantCulture));
        return value;
    }

    public override IReadOnlyList<T> List<T>(string name, IReadOnlyList<T>? items, int leastBytes, int most, Func<T?, T> item)
        where T : default
    {
        bytes.Int(items!.Count);
        foreach (var element in items)
        {
            item(element);
        }

        return items;
    }

    public override T? Optional<T>(string name, T? value, Func<T?, T> fields)
        where T : class
    {
        bytes.Int(value is null ? 0 : 1);
        return value is null ? null : fields(value);
    }

    public override T Group<T>(string name, Func<T> fields) => fields();
}

/// <summary>Reads fields and never past the end. Throws <see cref="DiagnosticException"/>.</summary>
internal sealed class FieldReader(ReadOnlyMemory<byte> bytes, string file, string section) : FieldCodec
{
    private readonly List<string> _path = [];
    private int _at;

    public string Place => _path.Count == 0 ? $"section {section}" : $"section {section}, {string.Join(", ", _path)}";

    private int Left => bytes.Length - _at;

    public override int Int(string name, int value, long low, long high)
    {
        var read = (int)Word(name);
        return read >= low && read <= high ? read : throw new DiagnosticException(ImageDiagnostics.OutOfRange(file, Place, name, read, low, high));
    }

    public override long Long(string name, long value) => Word(name) | ((long)Word(name) << 32);

    public override T Code<T>(string name, T value)
    {
        var code = Word(name);
        return code <= byte.MaxValue && Enum.IsDefined(typeof(T), (byte)code)
            ? (T)Enum.ToObject(typeof(T), (byte)code)
            : throw new DiagnosticException(ImageDiagnostics.UnknownCode(file, Place, name, code));
    }

    public override IReadOnlyList<T> List<T>(string name, IReadOnlyList<T>? items, int leastBytes, int most, Func<T?, T> item)
        where T : default
    {
        var count = Word(name);
        if (count * (long)leastBytes > Left)
        {
            throw new DiagnosticException(ImageDiagnostics.CountTooLarge(file, Place, name, count, Left));
        }

        if (count > most)
        {
            throw new DiagnosticException(ImageDiagnostics.OutOfRange(file, Place, $"number of {name}", count, 0, most));
        }

        var read = new List<T>((int)count);
        for (var i = 0; i < (int)count; i++)
        {
            var index = i;
            read.Add(Group(string.Create(CultureInfo.InvariantCulture, $"{name} {index}"), () => item(default)));
        }

        return read;
    }

    public override T? Optional<T>(string name, T? value, Func<T?, T> fields)
        where T : class => Flag(name, false) ? Group(name, () => fields(null)) : null;

    public override T Group<T>(string name, Func<T> fields)
    {
        _path.Add(name);
        var value = fields();
        _path.RemoveAt(_path.Count - 1);
        return value;
    }

    /// <summary>Ends with a rule that the bytes read last break.</summary>
    public void Refuse(string what) => throw new DiagnosticException(ImageDiagnostics.SystolicRule(file, Place, what));

    public void End()
    {
        if (Left > 0)
        {
            throw new DiagnosticException(ImageDiagnostics.SectionHasRest(file, section, Left));
        }
    }

    private uint Word(string what)
    {
        if (Left < sizeof(uint))
        {
            throw new DiagnosticException(ImageDiagnostics.SectionEnds(file, Place, what));
        }

        var word = BinaryPrimitives.ReadUInt32LittleEndian(bytes.Span[_at..]);
        _at += sizeof(uint);
        return word;
    }
}

/// <summary>Lists fields for people: a line a step, indented lines for what belongs to it.</summary>
internal sealed class FieldPrinter(StringBuilder text) : FieldCodec
{
    private int _indent = 1;

    public override int Int(string name, int value, long low, long high)
    {
        text.Append(CultureInfo.InvariantCulture, $" {name} {value}");
        return value;
    }

    public override long Long(string name, long value)
    {
        text.Append(CultureInfo.InvariantCulture, $" {value}");
        return value;
    }

    public override T Code<T>(string name, T value)
    {
        text.Append(CultureInfo.InvariantCulture, $" {name} {value.ToString().ToLowerInvariant()}");
        return value;
    }

    public override IReadOnlyList<T> List<T>(string name, IReadOnlyList<T>? items, int leastBytes, int most, Func<T?, T> item)
        where T : default
    {
        if (items!.Count > 0)
        {
            text.Append(CultureInfo.InvariantCulture, $" {name} (");
            for (var i = 0; i < items.Count; i++)
            {
                text.Append(i == 0 ? string.Empty : ";");
                item(items[i]);
            }

            text.Append(" )");
        }

        return items;
    }

    public override T? Optional<T>(string name, T? value, Func<T?, T> fields)
        where T : class => value is null ? null : Group(name, () => fields(value));

    public override T Group<T>(string name, Func<T> fields)
    {
        text.Append('\n').Append(' ', 8 * _indent).Append(name);
        _indent++;
        var value = fields();
        _indent--;
        return value;
    }
}
