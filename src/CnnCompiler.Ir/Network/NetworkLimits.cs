using CnnCompiler.Core.Tensors;

namespace CnnCompiler.Ir.Network;

/// <summary>Sizes beyond which a network is refused before anything is allocated for it.</summary>
public static class NetworkLimits
{
    /// <summary>Most elements of one value.</summary>
    public const long Elements = 1L << 28;

    /// <summary>Largest stride, dilation, kernel extent and padding.</summary>
    public const int Attribute = 1 << 20;

    /// <summary>Most multiplications (window taps in pools) of a whole network.</summary>
    public const long Operations = 1L << 38;

    /// <summary>Most dimensions of a value.</summary>
    public const int Rank = 8;

    /// <summary>True where every extent is 1 or more and their product at most <see cref="Elements"/>.</summary>
    public static bool Allows(Shape shape)
    {
        var product = 1L;
        foreach (var extent in shape.Dimensions.AsSpan())
        {
            if (extent < 1 || extent > Elements || (product *= extent) > Elements)
            {
                return false;
            }
        }

        return shape.Rank <= Rank;
    }
}
