using CnnCompiler.Image.Container;

namespace CnnCompiler.Targets;

/// <summary>A module at the image level, of whichever target.</summary>
public interface IImageModule
{
    /// <summary>The image.</summary>
    CnnImage Image { get; }

    /// <summary>What lies where in memory and when; empty where the module was not made by the compiler's own emission.</summary>
    IReadOnlyList<MemoryRange> Memory { get; }

    /// <summary>The bytes of the image file.</summary>
    byte[] Bytes();
}
