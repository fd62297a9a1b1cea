using CnnCompiler.Core.Tensors;
using CnnCompiler.Image.Container;

namespace CnnCompiler.Targets;

/// <summary>Element types of an image's edges as those of tensors.</summary>
public static class ImageElements
{
    /// <summary>The tensor's element type.</summary>
    public static ElementType Element(this ImageElementType type) => type switch
    {
        ImageElementType.Int8 => ElementType.Int8,
        ImageElementType.UInt8 => ElementType.UInt8,
        ImageElementType.Int16 => ElementType.Int16,
        ImageElementType.Int64 => ElementType.Int64,
        ImageElementType.Float32 => ElementType.Float32,
        _ => ElementType.Int32,
    };
}
