using System.Numerics;

namespace CnnCompiler.Primitives.Arithmetic;

/// <summary>
/// The factor of ONNX's quantised operators: <c>s_in * s_w / s_out</c> as an exact ratio of integers, so that
/// <see cref="Apply"/> rounds once, half to even, whatever the scales. A run time that multiplies in binary32 or binary64 may differ where the exact
/// value is within its own rounding error of a tie.
/// </summary>
public readonly record struct HalfEvenFactor
{
    private readonly long _numerator;
    private readonly int _denominator;
    private readonly int _exponent;

    /// <summary>Makes the factor of three scales, each finite and above 0.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A scale is not finite or not above 0.</exception>
    public HalfEvenFactor(float inputScale, float weightScale, float outputScale)
    {
        var input = BinaryScale.Of(inputScale);
        var weight = BinaryScale.Of(weightScale);
        var output = BinaryScale.Of(outputScale);
        _numerator = (long)input.Mantissa * weight.Mantissa;
        _denominator = output.Mantissa;
        _exponent = input.Exponent + weight.Exponent - output.Exponent;
    }

    /// <summary>round(accumulator * s_in * s_w / s_out), half to even, of the exact rational; saturates to 32 bits.</summary>
    public int Apply(int accumulator)
    {
        // Mantissas have 24 bits, so the numerator is in [2^46, 2^48) and the denominator in [2^23, 2^24): beyond these exponents the
        // result saturates or is 0, and within them nothing exceeds 127 bits.
        if (accumulator == 0 || _exponent < -60)
        {
            return 0;
        }

        if (_exponent > 10)
        {
            return accumulator > 0 ? int.MaxValue : int.MinValue;
        }

        var numerator = (Int128)accumulator * _numerator;
        Int128 denominator = _denominator;
        if (_exponent >= 0)
        {
            numerator <<= _exponent;
        }
        else
        {
            denominator <<= -_exponent;
        }

        var (quotient, remainder) = Int128.DivRem(numerator, denominator);
        var twice = Int128.Abs(remainder) * 2;
        if (twice > denominator || (twice == denominator && Int128.IsOddInteger(quotient)))
        {
            quotient += Int128.Sign(numerator);
        }

        return (int)Int128.Clamp(quotient, int.MinValue, int.MaxValue);
    }
}

/// <summary>The addition of ONNX's quantised operators: one rounding, half to even, of the exact rational.</summary>
public static class HalfEvenAddition
{
    /// <summary>round((first * s_1 + second * s_2) / s_out), half to even, of the exact rational; saturates to 32 bits.</summary>
    /// <param name="first">x1 - z1.</param>
    /// <param name="second">x2 - z2.</param>
    /// <param name="firstScale">s_1.</param>
    /// <param name="secondScale">s_2.</param>
    /// <param name="outputScale">s_out.</param>
    public static int Sum(int first, int second, float firstScale, float secondScale, float outputScale)
    {
        var a = BinaryScale.Of(firstScale);
        var b = BinaryScale.Of(secondScale);
        var output = BinaryScale.Of(outputScale);
        var exponent = Math.Min(Math.Min(a.Exponent, b.Exponent), output.Exponent);
        var numerator = ((BigInteger)first * a.Mantissa << (a.Exponent - exponent)) + ((BigInteger)second * b.Mantissa << (b.Exponent - exponent));
        var denominator = (BigInteger)output.Mantissa << (output.Exponent - exponent);
        var quotient = BigInteger.DivRem(numerator, denominator, out var remainder);
        var comparison = (BigInteger.Abs(remainder) * 2).CompareTo(denominator);
        if (comparison > 0 || (comparison == 0 && !quotient.IsEven))
        {
            quotient += numerator.Sign;
        }

        return (int)BigInteger.Clamp(quotient, int.MinValue, int.MaxValue);
    }
}

/// <summary>A positive binary32 number as mantissa * 2^exponent with a mantissa of exactly 24 bits.</summary>
internal readonly record struct BinaryScale(int Mantissa, int Exponent)
{
    /// <summary>Splits a scale.</summary>
    public static BinaryScale Of(float scale)
    {
        if (!float.IsFinite(scale) || scale <= 0)
        {
            throw new ArgumentOutOfRangeException(nameof(scale), scale, "a scale is finite and above 0");
        }

        var exponent = MathF.ILogB(scale) - 23;
        return new((int)Math.ScaleB((double)scale, -exponent), exponent);
    }
}
