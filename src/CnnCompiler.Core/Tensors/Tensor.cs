using System.Security.Cryptography;

namespace CnnCompiler.Core.Tensors;

/// <summary>Extents of a tensor, outermost first.</summary>
/// <param name="Dimensions">The extents; none for a scalar.</param>
public readonly record struct Shape(EquatableArray<int> Dimensions)
{
    /// <summary>Makes a shape.</summary>
    public static Shape Of(params ReadOnlySpan<int> dimensions) => new(EquatableArray.Create(dimensions));

    /// <summary>Number of dimensions.</summary>
    public int Rank => Dimensions.Count;

    /// <summary>Number of elements.</summary>
    /// <exception cref="OverflowException">More than 2^63 - 1 elements.</exception>
    public long Elements
    {
        get
        {
            long product = 1;
            foreach (var extent in Dimensions.AsSpan())
            {
                product = checked(product * extent);
            }

            return product;
        }
    }

    /// <summary>One extent.</summary>
    public int this[int dimension] => Dimensions[dimension];

    /// <inheritdoc/>
    public override string ToString() => string.Join('x', Dimensions);
}

/// <summary>How the codes of a quantised tensor stand for real values: real = scale * (code - zero point).</summary>
/// <param name="Scales">One scale for the tensor, or one for each index of <paramref name="Axis"/>.</param>
/// <param name="ZeroPoints">As many zero points.</param>
/// <param name="Axis">The dimension the scales belong to, or -1 for one scale for the whole tensor.</param>
public sealed record Quantization(EquatableArray<float> Scales, EquatableArray<int> ZeroPoints, int Axis)
{
    /// <summary>One scale and zero point for the whole tensor.</summary>
    public static Quantization PerTensor(float scale, int zeroPoint) => new([scale], [zeroPoint], -1);

    /// <summary>True where each index of an axis has its own scale.</summary>
    public bool IsPerAxis => Axis >= 0;

    /// <summary>The scale of a per-tensor quantisation, or of index 0.</summary>
    public float Scale => Scales[0];

    /// <summary>The zero point of a per-tensor quantisation, or of index 0.</summary>
    public int ZeroPoint => ZeroPoints[0];
}

/// <summary>Type of a value: element type, shape and, where quantised, what its codes mean.</summary>
/// <param name="Element">Element type.</param>
/// <param name="Shape">Extents, outermost first; activations are NHWC.</param>
/// <param name="Quantization">What the codes mean, or null.</param>
public sealed record TensorType(ElementType Element, Shape Shape, Quantization? Quantization = null)
{
    /// <inheritdoc/>
    public override string ToString() => Quantization switch
    {
        null => $"{Element.Name()}[{Shape}]",
        { IsPerAxis: true } q => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{Element.Name()}[{Shape}] per axis {q.Axis}"),
        var q => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{Element.Name()}[{Shape}] scale {q.Scale:R} zero {q.ZeroPoint}"),
    };
}

/// <summary>
/// Elements of a tensor, dense and row-major, stored as their little-endian bytes. Compared by contents. Never changed after it was given away.
/// </summary>
public sealed class Tensor : IEquatable<Tensor>
{
    private byte[]? _bytes;

    /// <summary>Takes over <paramref name="bytes"/> (no copy; the caller gives it up).</summary>
    /// <exception cref="ArgumentException">The number of bytes is not that of the shape.</exception>
    public Tensor(ElementType element, Shape shape, byte[] bytes)
    {
        if (shape.Elements * element.Size() != bytes.LongLength)
        {
            throw new ArgumentException($"{bytes.LongLength} bytes for {element.Name()}[{shape}]", nameof(bytes));
        }

        (Element, Shape, _bytes) = (element, shape, bytes);
    }

    private Tensor(ElementType element, Shape shape) => (Element, Shape) = (element, shape);

    /// <summary>Element type.</summary>
    public ElementType Element { get; }

    /// <summary>Extents.</summary>
    public Shape Shape { get; }

    /// <summary>The raw bytes.</summary>
    public ReadOnlySpan<byte> Bytes => Data;

    /// <summary>The elements as a span of their .NET type (sbyte, byte, short, int, long, float, double).</summary>
    public ReadOnlySpan<T> AsSpan<T>()
        where T : unmanaged => System.Runtime.InteropServices.MemoryMarshal.Cast<byte, T>(Data);

    /// <summary>True where every byte is 0; of <see cref="Zeros"/> without taking memory.</summary>
    public bool IsZero => !_bytes.AsSpan().ContainsAnyExcept((byte)0);

    private byte[] Data => _bytes ?? (_bytes = new byte[Shape.Elements * Element.Size()]);

    /// <summary>A tensor of zeros, which takes memory where its elements are looked at.</summary>
    public static Tensor Zeros(ElementType element, Shape shape) => new(element, shape);

    /// <summary>Makes a tensor from elements.</summary>
    public static Tensor From<T>(ElementType element, Shape shape, ReadOnlySpan<T> elements)
        where T : unmanaged => new(element, shape, System.Runtime.InteropServices.MemoryMarshal.AsBytes(elements).ToArray());

    /// <summary>Element at a flat index as a 64-bit integer (integer types only).</summary>
    public long GetInteger(long index) => Element switch
    {
        ElementType.Int8 => AsSpan<sbyte>()[(int)index],
        ElementType.UInt8 => Data[index],
        ElementType.Int16 => AsSpan<short>()[(int)index],
        ElementType.Int32 => AsSpan<int>()[(int)index],
        ElementType.Int64 => AsSpan<long>()[(int)index],
        _ => throw new InvalidOperationException($"{Element.Name()} is not an integer type"),
    };

    /// <summary>Element at a flat index as binary64 (f32 and f64 only; exact).</summary>
    public double GetReal(long index) => Element switch
    {
        ElementType.Float32 => AsSpan<float>()[(int)index],
        ElementType.Float64 => AsSpan<double>()[(int)index],
        _ => throw new InvalidOperationException($"{Element.Name()} is not a real type"),
    };

    /// <summary>The same elements under another shape.</summary>
    public Tensor Reshape(Shape shape) => new(Element, shape, Data);

    /// <summary>Hex SHA-256 of the bytes: how constants are named in IR text.</summary>
    public string Hash() => Convert.ToHexStringLower(SHA256.HashData(Data));

    /// <inheritdoc/>
    public bool Equals(Tensor? other) =>
        other is not null && Element == other.Element && Shape == other.Shape && Data.AsSpan().SequenceEqual(other.Data);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as Tensor);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = default(HashCode);
        hash.Add(Element);
        hash.Add(Shape);
        hash.AddBytes(Data.AsSpan(0, Math.Min(Data.Length, 64)));
        return hash.ToHashCode();
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Element.Name()}[{Shape}]";
}
