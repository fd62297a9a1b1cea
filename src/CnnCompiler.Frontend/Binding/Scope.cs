using System.Globalization;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Frontend.Syntax;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Frontend.Binding;

/// <summary>What a name stands for: a value of the network, or a constant.</summary>
internal abstract class Entry(SourceSpan span)
{
    /// <summary>Where it is defined.</summary>
    public SourceSpan Span { get; } = span;
}

/// <summary>A number or a word.</summary>
internal sealed class ConstantEntry(SourceSpan span, ValueSyntax value) : Entry(span)
{
    /// <summary>A <see cref="NumberValue"/>, a <see cref="WordValue"/>, or a <see cref="Syntax.WrongValue"/>.</summary>
    public ValueSyntax Value { get; } = value;
}

/// <summary>A value of the network under one of its names.</summary>
/// <param name="span">Where the name is written.</param>
/// <param name="name">Its name in the network.</param>
/// <param name="type">Its type, or null where its definition is wrong.</param>
internal sealed class ValueEntry(SourceSpan span, string name, TensorType? type) : Entry(span)
{
    public string Name { get; } = name;

    public TensorType? Type { get; } = type;

    public bool IsUsed { get; set; }
}

/// <summary>
/// Names of the network, of one call of a block, or of one round of a repeat. A round sees what is around it; what it defines anew of that is carried to the next
/// round and out of the repeat. A block sees its own names and the network's constants above it.
/// </summary>
internal sealed class Scope
{
    private readonly Scope? _around;
    private readonly bool _isRound;
    private readonly SourceSpan _written;
    private readonly Dictionary<string, Entry> _entries = new(StringComparer.Ordinal);
    private readonly HashSet<string> _defined = new(StringComparer.Ordinal);
    private readonly HashSet<string> _carried = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _numbers;
    private readonly BodySyntax _body;
    private readonly string _path;

    private Scope(Scope? around, bool isRound, string path, BodySyntax body, SourceSpan written, Dictionary<string, int> numbers) =>
        (_around, _isRound, _path, _body, _written, _numbers) = (around, isRound, path, body, written, numbers);

    /// <summary>Names of the network itself.</summary>
    public static Scope OfNetwork(BodySyntax body) => new(null, false, string.Empty, body, default, new(StringComparer.Ordinal));

    /// <summary>True for the network's own scope.</summary>
    public bool IsNetwork => _around is null;

    /// <summary>Names of a call: <paramref name="instance"/> is the name of what it gives.</summary>
    public static Scope OfCall(Scope network, string instance, BlockStatement block) =>
        new(network, false, instance + '.', block.Body, block.Span, new(StringComparer.Ordinal));

    /// <summary>Names of one round.</summary>
    public Scope Round(BodySyntax body) => new(this, true, _path, body, default, _numbers);

    /// <summary>
    /// The name in the network of what is defined here as <paramref name="name"/>: after the path of the call, and in a repeat with the count of such definitions in
    /// the call. Names hold no dots and begin with no digit, so these differ from all others. Null where it is too long.
    /// </summary>
    public string? NetworkName(string name)
    {
        if (_path.Length == 0 && !_isRound)
        {
            return name;
        }

        const int digits = 8;
        if (_path.Length + name.Length + digits > LanguageLimits.Name)
        {
            return null;
        }

        if (!_isRound)
        {
            return _path + name;
        }

        var number = _numbers[name] = _numbers.GetValueOrDefault(name) + 1;
        return string.Create(CultureInfo.InvariantCulture, $"{_path}{name}.{number}");
    }

    /// <summary>What a name stands for here, or null.</summary>
    public Entry? Find(string name)
    {
        for (var scope = this; ; scope = scope._around!)
        {
            if (scope._entries.TryGetValue(name, out var entry))
            {
                return entry;
            }

            if (!scope._isRound)
            {
                return scope._around is { } network && network._entries.GetValueOrDefault(name) is ConstantEntry constant && IsBefore(constant.Span, scope._written) ? constant : null;
            }
        }
    }

    /// <summary>Where the name is defined further down, or null.</summary>
    public SourceSpan? FindLater(string name)
    {
        for (var scope = this; ; scope = scope._around!)
        {
            if (scope._body.Definitions.TryGetValue(name, out var span))
            {
                return span;
            }

            if (!scope._isRound)
            {
                return null;
            }
        }
    }

    /// <summary>Names that may be read here.</summary>
    public IEnumerable<string> Names<T>()
        where T : Entry
    {
        for (var scope = this; ; scope = scope._around!)
        {
            foreach (var (name, entry) in scope._entries)
            {
                if (entry is T)
                {
                    yield return name;
                }
            }

            if (!scope._isRound)
            {
                yield break;
            }
        }
    }

    /// <summary>True where <see cref="Define"/> would refuse the name for a value.</summary>
    public bool Refuses(string name) => _defined.Contains(name) || (_isRound && FindInCall(name) is ConstantEntry);

    /// <summary>Defines a name; gives what it is already the name of, or null where all is well.</summary>
    public Entry? Define(string name, Entry entry)
    {
        if (_defined.Contains(name))
        {
            return _entries[name];
        }

        if (_isRound && FindInCall(name) is { } outer)
        {
            if (entry is ConstantEntry || outer is ConstantEntry)
            {
                return outer;
            }

            _carried.Add(name);
        }

        _defined.Add(name);
        _entries[name] = entry;
        return null;
    }

    /// <summary>The end of a round: what it gives to those after it.</summary>
    public void Carry()
    {
        foreach (var name in _carried)
        {
            if (_around!._isRound && !_around._entries.ContainsKey(name))
            {
                _around._carried.Add(name);
            }

            _around._entries[name] = _entries[name];
        }
    }

    private Entry? FindInCall(string name)
    {
        for (var scope = this; ; scope = scope._around!)
        {
            if (scope._entries.TryGetValue(name, out var entry))
            {
                return entry;
            }

            if (!scope._isRound)
            {
                return null;
            }
        }
    }

    private static bool IsBefore(SourceSpan first, SourceSpan second) =>
        first.Line < second.Line || (first.Line == second.Line && first.Column < second.Column);
}
