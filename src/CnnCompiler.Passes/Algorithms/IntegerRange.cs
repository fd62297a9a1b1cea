using CnnCompiler.Core.Tensors;

namespace CnnCompiler.Passes.Algorithms;

/// <summary>The integers from one to another, both included: what a value is proved to be within.</summary>
/// <param name="Low">The smallest.</param>
/// <param name="High">The largest.</param>
internal readonly record struct IntegerRange(Int128 Low, Int128 High)
{
    private static readonly ElementType[] Elements = [ElementType.Int16, ElementType.Int32, ElementType.Int64];

    /// <summary>0 alone.</summary>
    public static IntegerRange Zero => default;

    /// <summary>Values of an element type.</summary>
    public static IntegerRange Of(ElementType type) => new(type.Range().Min, type.Range().Max);

    /// <summary>Sums of a value of each.</summary>
    public static IntegerRange operator +(IntegerRange a, IntegerRange b) => new(a.Low + b.Low, a.High + b.High);

    /// <summary>Products of a value and a factor.</summary>
    public static IntegerRange operator *(IntegerRange a, Int128 factor) => factor < 0 ? new(a.High * factor, a.Low * factor) : new(a.Low * factor, a.High * factor);

    /// <summary>What holds both.</summary>
    public IntegerRange Union(IntegerRange other) => new(Int128.Min(Low, other.Low), Int128.Max(High, other.High));

    /// <summary>The narrowest type from i16 on that holds all values, or null where 64 bits do not.</summary>
    public ElementType? Narrowest(ElementType from = ElementType.Int16)
    {
        foreach (var type in Elements)
        {
            if (type >= from && Low >= type.Range().Min && High <= type.Range().Max)
            {
                return type;
            }
        }

        return null;
    }
}
