using System.Buffers.Binary;
using System.Globalization;
using System.Text.Unicode;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Image.Container;

/// <summary>Reads one section and never past its end. Throws <see cref="DiagnosticException"/>, with section and item.</summary>
internal ref struct SectionReader(ReadOnlySpan<byte> bytes, string file, string section)
{
    private ReadOnlySpan<byte> _rest = bytes;
    private string _item = string.Empty;
    private int _index;

    /// <summary>Where the reader is, for messages; only built when there is something to say.</summary>
    public readonly string Place => _item.Length == 0
        ? $"section {section}"
        : string.Create(CultureInfo.InvariantCulture, $"section {section}, {_item} {_index}");

    /// <summary>The file as the user named it.</summary>
    public readonly string File => file;

    /// <summary>Notes which item is read, for messages.</summary>
    public void Item(string name, int index)
    {
        _item = name;
        _index = index;
    }

    public uint Word(string what)
    {
        if (_rest.Length < sizeof(uint))
        {
            throw new DiagnosticException(ImageDiagnostics.SectionEnds(file, Place, what));
        }

        var value = BinaryPrimitives.ReadUInt32LittleEndian(_rest);
        _rest = _rest[sizeof(uint)..];
        return value;
    }

    public int Int(string what) => (int)Word(what);

    public long Long(string what) => Word(what) | (long)Word(what) << 32;

    /// <summary>A number of items, each of at least so many bytes: memory for them is only taken where they can be there.</summary>
    public int Count(string what, int leastBytes)
    {
        var count = Word(what);
        return (long)count * leastBytes <= _rest.Length
            ? (int)count
            : throw new DiagnosticException(ImageDiagnostics.CountTooLarge(file, Place, what, count, _rest.Length));
    }

    /// <summary>A number inside bounds.</summary>
    public int Int(string what, long low, long high)
    {
        var value = Int(what);
        return value >= low && value <= high ? value : throw new DiagnosticException(ImageDiagnostics.OutOfRange(file, Place, what, value, low, high));
    }

    /// <summary>An index below a count, or -1 where that is allowed.</summary>
    public int Index(string what, int count, bool orNone = false)
    {
        var index = Int(what);
        return (index >= 0 && index < count) || (orNone && index == -1) ? index : throw new DiagnosticException(ImageDiagnostics.BadIndex(file, Place, what, index, count));
    }

    public string Text()
    {
        var length = Word("a name");
        var padded = ImageFormat.Align(length);
        if (length > ImageFormat.LongestName)
        {
            throw new DiagnosticException(ImageDiagnostics.BadText(file, Place, "is too long"));
        }

        if (padded > _rest.Length)
        {
            throw new DiagnosticException(ImageDiagnostics.SectionEnds(file, Place, "a name"));
        }

        var utf8 = _rest[..(int)length];
        if (!Utf8.IsValid(utf8))
        {
            throw new DiagnosticException(ImageDiagnostics.BadText(file, Place, "is not valid UTF-8"));
        }

        if (_rest[(int)length..(int)padded].ContainsAnyExcept((byte)0))
        {
            throw new DiagnosticException(ImageDiagnostics.BadText(file, Place, "is not padded with zeros"));
        }

        _rest = _rest[(int)padded..];
        return ImageFormat.StrictUtf8.GetString(utf8);
    }

    public uint[] Words(int count)
    {
        var words = new uint[count];
        for (var i = 0; i < count; i++)
        {
            words[i] = BinaryPrimitives.ReadUInt32LittleEndian(_rest[(i * sizeof(uint))..]);
        }

        _rest = _rest[(count * sizeof(uint))..];
        return words;
    }

    public readonly void End()
    {
        if (!_rest.IsEmpty)
        {
            throw new DiagnosticException(ImageDiagnostics.SectionHasRest(file, section, _rest.Length));
        }
    }
}
