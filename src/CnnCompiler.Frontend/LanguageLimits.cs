namespace CnnCompiler.Frontend;

/// <summary>Sizes of a <c>.cnn</c> file that are checked before anything is parsed. Those of tensors are <see cref="Ir.Network.NetworkLimits"/>.</summary>
public static class LanguageLimits
{
    /// <summary>Most characters (UTF-16 units) of a file: some 2,500 layers.</summary>
    public const int Characters = 1 << 18;

    /// <summary>Most brackets open at once.</summary>
    public const int Nesting = 32;

    /// <summary>Most diagnostics of one file; a note says that there are more.</summary>
    public const int Diagnostics = 100;
}
