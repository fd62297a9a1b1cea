namespace CnnCompiler.Primitives.Machines;

/// <summary>A number of a machine with where it comes from.</summary>
/// <param name="Value">The number, in the unit of its key.</param>
/// <param name="Source">Paper, measurement, or a text that begins with <c>assumed</c>.</param>
public sealed record SourcedValue(long Value, string Source);

/// <summary>
/// What a systolic array (<c>isaRevision</c> arrayflex-1) has besides rows, columns and RAM: widths, clocks, buffers, vector unit and energies, by the keys of
/// <see cref="SystolicKeys"/>.
/// </summary>
public sealed class SystolicDescription : IEquatable<SystolicDescription>
{
    private readonly SourcedValue?[] _values;

    /// <summary>Takes the values, one for each of <see cref="SystolicKeys.All"/>, null where a key that is not required is absent.</summary>
    public SystolicDescription(IReadOnlyList<SourcedValue?> values) => _values = [.. values];

    /// <summary>The value of a key.</summary>
    /// <exception cref="InvalidOperationException">It is absent.</exception>
    public long this[SystolicKey key] => Find(key)?.Value ?? throw new InvalidOperationException($"the machine has no {key.Path}");

    /// <summary>Value and source of a key, or null where it is absent.</summary>
    public SourcedValue? Find(SystolicKey key) => _values[key.Index];

    /// <summary>True where events have energies; false where all are 0: energy is not modelled then, and no figure of it is shown.</summary>
    public bool HasEnergies => SystolicKeys.All.Any(key => key.Section == SystolicKeys.Multiplication.Section && Find(key) is { Value: > 0 });

    /// <summary>Collapse depths k that the machine has a clock for, ascending; 1 is always there.</summary>
    public IReadOnlyList<int> Depths => [.. Enumerable.Range(1, SystolicKeys.DeepestCollapse).Where(depth => Find(SystolicKeys.Clock(depth)) is not null)];

    /// <summary>
    /// Clock period in femtoseconds for groups of kh columns and kv rows. With kh = kv that of the depth; otherwise the horizontal depth's share
    /// (<see cref="SystolicKeys.HorizontalShare"/>) of one and the rest of the other: multiplexers lie on both paths, carry-save adders on the vertical one only.
    /// </summary>
    /// <param name="horizontalDepth">kh, one of <see cref="Depths"/>.</param>
    /// <param name="verticalDepth">kv, one of <see cref="Depths"/>.</param>
    public long PeriodFemtoseconds(int horizontalDepth, int verticalDepth)
    {
        var share = this[SystolicKeys.HorizontalShare];
        return ((share * Period(SystolicKeys.Clock(horizontalDepth))) + ((100 - share) * Period(SystolicKeys.Clock(verticalDepth))) + 50) / 100;
    }

    /// <summary>Clock period in femtoseconds of the array without configurable pipeline that everything is compared with.</summary>
    public long FixedPeriodFemtoseconds => Period(SystolicKeys.FixedClock);

    /// <summary>The same with another value of a key.</summary>
    public SystolicDescription With(SystolicKey key, SourcedValue value)
    {
        var values = _values.ToArray();
        values[key.Index] = value;
        return new(values);
    }

    /// <inheritdoc/>
    public bool Equals(SystolicDescription? other) => other is not null && _values.AsSpan().SequenceEqual(other._values);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as SystolicDescription);

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

    private long Period(SystolicKey clock) => ((1_000_000_000 + (this[clock] / 2)) / this[clock]);
}
