namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>The offsets of a short form that are left.</summary>
/// <param name="Least">Smallest offset.</param>
/// <param name="Most">Largest offset.</param>
internal readonly record struct OffsetInterval(long Least, long Most)
{
    private const long Limit = 1L << 30;

    /// <summary>Everything that leaves room for a product below 2^30.</summary>
    public static OffsetInterval All => new(-Limit, Limit);

    /// <summary>All words.</summary>
    public static OffsetInterval Words => new(int.MinValue, int.MaxValue);

    /// <summary>True where there is none.</summary>
    public bool IsEmpty => Least > Most;

    /// <summary>One of them, or null where there is none.</summary>
    public int? Middle => IsEmpty ? null : (int)((Least + Most) >> 1);

    /// <summary>Those that are also in another one.</summary>
    public OffsetInterval And(long least, long most) => new(Math.Max(Least, least), Math.Min(Most, most));
}
