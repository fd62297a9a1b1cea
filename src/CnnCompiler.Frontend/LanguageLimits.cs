namespace CnnCompiler.Frontend;

/// <summary>Sizes of a <c>.cnn</c> file that are checked before anything is made of it. Those of tensors are <see cref="Ir.Network.NetworkLimits"/>.</summary>
public static class LanguageLimits
{
    /// <summary>Most characters (UTF-16 units) of a file: some 2,500 layers.</summary>
    public const int Characters = 1 << 18;

    /// <summary>Bytes of UTF-8 that are more than <see cref="Characters"/> in any case: at most three for each, and those of the byte order mark. A longer file is refused before it is decoded.</summary>
    public const int Bytes = (3 * Characters) + 3;

    /// <summary>Most brackets open at once.</summary>
    public const int Nesting = 32;

    /// <summary>Most diagnostics of one file; a note says that there are more.</summary>
    public const int Diagnostics = 100;

    /// <summary>Most layers of a network, blocks and repeats unfolded.</summary>
    public const int Layers = 1 << 14;

    /// <summary>Most statements, operands and attributes that are looked at, blocks and repeats unfolded. A file without any has fewer.</summary>
    public const int Unfolded = 1 << 18;

    /// <summary>Most calls of blocks inside one another.</summary>
    public const int Calls = 32;

    /// <summary>Most characters of a name that blocks and repeats give.</summary>
    public const int Name = 256;

    /// <summary>Most weights that are made from a seed, in all layers together.</summary>
    public const long SeededWeights = 1L << 28;
}
