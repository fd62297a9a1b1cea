using System.Globalization;
using CnnCompiler.Core.Tensors;

namespace CnnCompiler.Frontend;

/// <summary>What the values of the language's type <c>value</c> are in one reading of a file, so that a network is written once for i8, f32 and fixed point.</summary>
/// <param name="Element">i8, f32, or i32 for fixed point.</param>
/// <param name="FractionBits">Fixed point: the scale is 2^-FractionBits, 0 to 30.</param>
public readonly record struct NetworkElements(ElementType Element, int FractionBits)
{
    private const string FixedName = "fixed";
    private const int MostFractionBits = 30;

    /// <summary>Quantised, with the scales and zero points that are written.</summary>
    public static NetworkElements Int8 => new(ElementType.Int8, 0);

    /// <summary>binary32; scales and zero points that are written are left aside.</summary>
    public static NetworkElements Float32 => new(ElementType.Float32, 0);

    /// <summary>The quantisation that every value has, or null where none or its own.</summary>
    public Quantization? Quantization => Element == ElementType.Int32 ? Core.Tensors.Quantization.PerTensor((float)Math.ScaleB(1, -FractionBits), 0) : null;

    /// <summary>Fixed point with a scale of 2^-<paramref name="fractionBits"/>.</summary>
    public static NetworkElements Fixed(int fractionBits) => new(ElementType.Int32, fractionBits);

    /// <summary>The elements of a name (<c>i8</c>, <c>f32</c>, <c>fixed0</c> to <c>fixed30</c>), or null.</summary>
    public static NetworkElements? Parse(string name) => name switch
    {
        "i8" => Int8,
        "f32" => Float32,
        _ when name.StartsWith(FixedName, StringComparison.Ordinal) && int.TryParse(name.AsSpan(FixedName.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var bits)
            && bits <= MostFractionBits && name.Length == FixedName.Length + (bits > 9 ? 2 : 1) => Fixed(bits),
        _ => null,
    };

    /// <summary>The name that <see cref="Parse"/> reads.</summary>
    public override string ToString() => Element == ElementType.Int32 ? FixedName + FractionBits.ToString(CultureInfo.InvariantCulture) : Element.Name();
}
