namespace CnnCompiler.Core.Tensors;

/// <summary>Element types of tensors.</summary>
public enum ElementType
{
    /// <summary>8-bit two's complement.</summary>
    Int8,

    /// <summary>8-bit unsigned.</summary>
    UInt8,

    /// <summary>16-bit two's complement.</summary>
    Int16,

    /// <summary>32-bit two's complement.</summary>
    Int32,

    /// <summary>64-bit two's complement.</summary>
    Int64,

    /// <summary>IEEE binary32.</summary>
    Float32,

    /// <summary>IEEE binary64: values inside a layer, at the GCONV level only.</summary>
    Float64,
}

/// <summary>Facts about element types.</summary>
public static class ElementTypes
{
    /// <summary>Size of one element in bytes.</summary>
    public static int Size(this ElementType type) => type switch
    {
        ElementType.Int8 or ElementType.UInt8 => 1,
        ElementType.Int16 => 2,
        ElementType.Int32 or ElementType.Float32 => 4,
        ElementType.Int64 or ElementType.Float64 => 8,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "unknown element type"),
    };

    /// <summary>True for f32 and f64.</summary>
    public static bool IsReal(this ElementType type) => type is ElementType.Float32 or ElementType.Float64;

    /// <summary>The name in IR text and the language: i8, u8, i16, i32, i64, f32, f64.</summary>
    public static string Name(this ElementType type) => type switch
    {
        ElementType.Int8 => "i8",
        ElementType.UInt8 => "u8",
        ElementType.Int16 => "i16",
        ElementType.Int32 => "i32",
        ElementType.Int64 => "i64",
        ElementType.Float32 => "f32",
        ElementType.Float64 => "f64",
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "unknown element type"),
    };

    /// <summary>The type of a name, or null.</summary>
    public static ElementType? Parse(string name) => name switch
    {
        "i8" => ElementType.Int8,
        "u8" => ElementType.UInt8,
        "i16" => ElementType.Int16,
        "i32" => ElementType.Int32,
        "i64" => ElementType.Int64,
        "f32" => ElementType.Float32,
        "f64" => ElementType.Float64,
        _ => null,
    };

    /// <summary>Smallest and largest value of an integer type.</summary>
    public static (long Min, long Max) Range(this ElementType type) => type switch
    {
        ElementType.Int8 => (sbyte.MinValue, sbyte.MaxValue),
        ElementType.UInt8 => (byte.MinValue, byte.MaxValue),
        ElementType.Int16 => (short.MinValue, short.MaxValue),
        ElementType.Int32 => (int.MinValue, int.MaxValue),
        ElementType.Int64 => (long.MinValue, long.MaxValue),
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "not an integer type"),
    };
}
