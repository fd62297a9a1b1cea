using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network.Operators;

namespace CnnCompiler.Fuzzing;

/// <summary>Draws types and contents of values.</summary>
internal sealed class ValueDraw(SeededRandom random)
{
    private const int LeastFraction = 10;
    private const int MostFraction = 20;

    /// <summary>A type of some form, with a quantisation of its own.</summary>
    public TensorType Type(ValueForms form, Shape shape) => form switch
    {
        ValueForms.Real => new(ElementType.Float32, shape),
        ValueForms.Fixed => new(ElementType.Int32, shape, Quantization.PerTensor(Power(-random.Next(LeastFraction, MostFraction)), 0)),
        ValueForms.Unsigned => new(ElementType.UInt8, shape, Quantization.PerTensor((float)random.NextLogarithmic(0.004, 1), random.OneIn(3) ? 128 : random.Next(0, 255))),
        ValueForms.Sums => new(ElementType.Int32, shape, Quantization.PerTensor((float)random.NextLogarithmic(1e-4, 0.1), 0)),
        _ => new(ElementType.Int8, shape, Quantization.PerTensor((float)random.NextLogarithmic(0.004, 1), ZeroPoint())),
    };

    /// <summary>A zero point of codes, often at the ends.</summary>
    public int ZeroPoint() => random.Next(0, 4) switch { 0 => sbyte.MinValue, 1 => sbyte.MaxValue, 2 => 0, _ => random.NextCode() };

    /// <summary>2 to a power.</summary>
    public static float Power(int exponent) => (float)Math.ScaleB(1, exponent);

    /// <summary>A shape of some rank whose extents are small; the larger the rank the smaller.</summary>
    public Shape Shape(int rank)
    {
        var extents = new int[rank];
        for (var d = 0; d < rank; d++)
        {
            var most = rank switch { <= 2 => 12, 3 => 7, 4 => d == 0 ? 2 : 7, _ => d == 0 ? 2 : 4 };
            extents[d] = random.Next(1, most);
        }

        return Core.Tensors.Shape.Of(extents);
    }

    /// <summary>Contents for a value: spread out, extremes only, all the same, ramps, next to zero.</summary>
    /// <param name="type">Its type.</param>
    /// <param name="magnitude">Size of most real values.</param>
    public Tensor Contents(TensorType type, double magnitude = 4)
    {
        var count = (int)type.Shape.Elements;
        var mode = random.Next(0, 7);
        switch (type.Element)
        {
            case ElementType.Float32:
                var reals = new float[count];
                for (var i = 0; i < count; i++)
                {
                    reals[i] = (float)Real(mode, i, magnitude);
                }

                return Tensor.From<float>(type.Element, type.Shape, reals);
            case ElementType.Int32:
                var scale = type.Quantization?.Scale ?? 1;
                var fractions = new int[count];
                for (var i = 0; i < count; i++)
                {
                    fractions[i] = (int)Math.Clamp(Math.Round(Real(mode, i, magnitude) / scale), int.MinValue, int.MaxValue);
                }

                return Tensor.From<int>(type.Element, type.Shape, fractions);
            default:
                var zero = type.Quantization?.ZeroPoint ?? 0;
                var (low, high) = type.Element == ElementType.UInt8 ? ((int)byte.MinValue, (int)byte.MaxValue) : (sbyte.MinValue, sbyte.MaxValue);
                var constant = random.Choose(low, high, random.Next(low, high));
                var bytes = new byte[count];
                for (var i = 0; i < count; i++)
                {
                    bytes[i] = (byte)(mode switch
                    {
                        0 => random.Choose(low, high),
                        1 => constant,
                        2 => i + constant,
                        3 => Math.Clamp(zero + random.Next(-2, 2), low, high),
                        _ => random.Next(low, high),
                    });
                }

                return new(type.Element, type.Shape, bytes);
        }
    }

    /// <summary>f32 numbers between two bounds, of some shape.</summary>
    public Tensor Reals(Shape shape, double low, double high)
    {
        var values = new float[shape.Elements];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = (float)(low + ((high - low) * Fraction()));
        }

        return Tensor.From<float>(ElementType.Float32, shape, values);
    }

    private double Fraction() => random.NextBits() / 4294967296.0;

    private double Real(int mode, int index, double magnitude) => mode switch
    {
        0 => random.Choose(-magnitude, magnitude, 0.0, -0.0),
        1 => magnitude / 2,
        2 => ((index % 32) - 16) * magnitude / 16,
        3 => (Fraction() - 0.5) * magnitude / 1024,
        4 when random.OneIn(8) => random.Choose(-1, 1) * random.NextLogarithmic(magnitude, magnitude * 32),
        _ => ((2 * Fraction()) - 1) * magnitude,
    };
}
