using CnnCompiler.Image.Container;

namespace CnnCompiler.Targets;

/// <summary>A module at the image level, of whichever target.</summary>
public interface IImageModule
{
    /// <summary>The image.</summary>
    CnnImage Image { get; }

    /// <summary>The bytes of the image file.</summary>
    byte[] Bytes();
}
