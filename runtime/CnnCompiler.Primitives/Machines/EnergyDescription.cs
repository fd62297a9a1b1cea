namespace CnnCompiler.Primitives.Machines;

/// <summary>What events cost on an OpenEdgeCGRA, in femtojoules, by the keys of <see cref="EnergyKeys"/>.</summary>
public sealed class EnergyDescription : IEquatable<EnergyDescription>
{
    private readonly SourcedValue[] _values;

    private EnergyDescription(SourcedValue[] values) => _values = values;

    /// <summary>The published table, and what is assumed beside it.</summary>
    public static EnergyDescription Published { get; } = new([.. EnergyKeys.All.Select(key => key.Default)]);

    /// <summary>All energies with their sources, by name.</summary>
    public IReadOnlyDictionary<string, SourcedValue> Values => EnergyKeys.All.ToDictionary(key => key.Name, key => _values[key.Index], StringComparer.Ordinal);

    /// <summary>Femtojoules of an event.</summary>
    public long this[EnergyKey key] => _values[key.Index].Value;

    /// <summary>Femtojoules of an event with their source.</summary>
    public SourcedValue Of(EnergyKey key) => _values[key.Index];

    /// <summary>The same with another energy.</summary>
    public EnergyDescription With(EnergyKey key, SourcedValue value)
    {
        var values = _values.ToArray();
        values[key.Index] = value;
        return new(values);
    }

    /// <inheritdoc/>
    public bool Equals(EnergyDescription? other) => other is not null && _values.AsSpan().SequenceEqual(other._values);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as EnergyDescription);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = default(HashCode);
        foreach (var value in _values)
        {
            hash.Add(value);
        }

        return hash.ToHashCode();
    }
}
