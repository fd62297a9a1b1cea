using System.Globalization;

namespace CnnCompiler.Passes.Selection;

/// <summary>
/// Costs are whole numbers of a unit that the graph names (cycles, picoseconds), so that an optimum is exact and a certificate is compared without tolerance.
/// </summary>
public static class SelectionCost
{
    /// <summary>The cost of what is not allowed. Three of them still add without overflow, so that hot loops clamp once a sum.</summary>
    public const long Illegal = 1L << 61;

    /// <summary>The most that all legal costs of a graph together may come to: sums of legal costs never reach <see cref="Illegal"/>.</summary>
    public const long Limit = 1L << 60;

    /// <summary>The sum; illegal where one of the two is.</summary>
    public static long Add(long left, long right) => Math.Min(left + right, Illegal);

    /// <summary>The number in the invariant culture, or <c>illegal</c>.</summary>
    public static string Format(long cost) => cost >= Illegal ? "illegal" : cost.ToString(CultureInfo.InvariantCulture);
}
