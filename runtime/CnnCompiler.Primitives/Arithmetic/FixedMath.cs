namespace CnnCompiler.Primitives.Arithmetic;

/// <summary>
/// Functions of fixed-point numbers in integers alone: a number x with f bits after the binary point is the integer x * 2^f. Each function says how many bits its argument (0 to 60) and its result (0 to 60; of a root 0 to
/// 30) have. Where it says exact, the result is the real one to the nearest; elsewhere it differs from the real one by less than 0.6 units in the last place of the result. Results beyond
/// 2^62 saturate there.
/// </summary>
public static class FixedMath
{
    /// <summary>Most bits after the binary point.</summary>
    public const int MaximumFraction = 60;

    /// <summary>Most bits after the binary point of a root.</summary>
    public const int MaximumRootFraction = 30;

    /// <summary>Largest magnitude of a result.</summary>
    public const long Largest = 1L << 62;

    // Numbers inside have 62 bits after the binary point.
    private const int Inner = 62;
    private const long One = 1L << Inner;

    // round(log2(e) * 2^62), round(ln(2) * 2^62)
    private const long Log2E = 6653256548922161246;
    private const long Ln2 = 3196577161300663915;

    // Beyond it 1 - erf is below 2^-33.
    private const int ErfBits = 40;
    private const long ErfLimit = (long)(4.7 * (1L << 20)) << (ErfBits - 20);

    // round(2 / sqrt(pi) * 2^40)
    private const long TwoOverRootPi = 1240666014762;

    /// <summary>a * b / 2^bits, to the nearest, half up; exact.</summary>
    /// <param name="a">A factor.</param>
    /// <param name="b">A factor.</param>
    /// <param name="bits">-60 to 126.</param>
    public static long Multiply(long a, long b, int bits) => Scale((Int128)a * b, bits);

    /// <summary>a / b, to the nearest, half away from zero; exact.</summary>
    /// <param name="a">Dividend.</param>
    /// <param name="b">Divisor, not 0, with as many bits after the binary point as the dividend.</param>
    /// <param name="to">Bits of the result.</param>
    public static long Divide(long a, long b, int to)
    {
        var (dividend, divisor) = (Int128.Abs(a) << to, Int128.Abs(b));
        var quotient = (dividend + (divisor / 2)) / divisor;
        return Saturate((a < 0) == (b < 0) ? quotient : -quotient);
    }

    /// <summary>e^x.</summary>
    /// <param name="x">Argument.</param>
    /// <param name="from">Its bits.</param>
    /// <param name="to">Bits of the result.</param>
    public static long Exp(long x, int from, int to)
    {
        var (mantissa, exponent) = Power(x, from);
        return Scale(mantissa, Inner - exponent - to);
    }

    /// <summary>Natural logarithm of a number above 0.</summary>
    /// <param name="x">Argument.</param>
    /// <param name="from">Its bits.</param>
    /// <param name="to">Bits of the result.</param>
    public static long Log(long x, int from, int to)
    {
        // x = m * 2^exponent with m in [1, 2); ln m = 2 atanh((m - 1) / (m + 1)).
        var exponent = 63 - (int)long.LeadingZeroCount(x);
        var m = exponent <= Inner ? (Int128)x << (Inner - exponent) : (Int128)x >> (exponent - Inner);
        var z = ((m - One) << Inner) / (m + One);
        var square = (z * z) >> Inner;
        Int128 sum = 0;
        var power = z;
        for (var n = 1; power != 0; n += 2)
        {
            sum += power / n;
            power = (power * square) >> Inner;
        }

        return Scale((2 * sum) + ((Int128)(exponent - from) * Ln2), Inner - to);
    }

    /// <summary>Square root of a number from 0 on; exact.</summary>
    /// <param name="x">Argument, below 2^62.</param>
    /// <param name="from">Its bits.</param>
    /// <param name="to">Bits of the result.</param>
    public static long Sqrt(long x, int from, int to)
    {
        // Twice the root, floored, then halved to the nearest: floor(sqrt(4 x 2^(2 to - from))).
        var bits = (2 * to) + 2 - from;
        var radicand = bits >= 0 ? (UInt128)x << bits : (UInt128)x >> -bits;
        return (long)((Root(radicand) + 1) >> 1);
    }

    /// <summary>1 / sqrt(x) of a number above 0; exact.</summary>
    /// <param name="x">Argument.</param>
    /// <param name="from">Its bits.</param>
    /// <param name="to">Bits of the result.</param>
    public static long ReciprocalSqrt(long x, int from, int to) => (long)((Root((UInt128.One << ((2 * to) + 2 + from)) / (UInt128)x) + 1) >> 1);

    /// <summary>1 / (1 + e^-x).</summary>
    /// <param name="x">Argument.</param>
    /// <param name="from">Its bits.</param>
    /// <param name="to">Bits of the result.</param>
    public static long Logistic(long x, int from, int to)
    {
        var e = NegativeExponential(Int128.Abs(x), from);
        return Scale(((x < 0 ? (Int128)e : One) << Inner) / (One + (Int128)e), Inner - to);
    }

    /// <summary>Hyperbolic tangent.</summary>
    /// <param name="x">Argument.</param>
    /// <param name="from">Its bits.</param>
    /// <param name="to">Bits of the result.</param>
    public static long Tanh(long x, int from, int to)
    {
        var e = (Int128)NegativeExponential(2 * Int128.Abs(x), from);
        var value = Scale(((One - e) << Inner) / (One + e), Inner - to);
        return x < 0 ? -value : value;
    }

    /// <summary>The error function.</summary>
    /// <param name="x">Argument.</param>
    /// <param name="from">Its bits.</param>
    /// <param name="to">Bits of the result.</param>
    public static long Erf(long x, int from, int to)
    {
        var magnitude = from <= ErfBits ? Int128.Abs(x) << (ErfBits - from) : Int128.Abs(x) >> (from - ErfBits);
        if (magnitude >= ErfLimit)
        {
            return x < 0 ? -(1L << to) : 1L << to;
        }

        // The series of ErrorFunction, whose sum stays below 2^33 here.
        var square = (magnitude * magnitude) >> ErfBits;
        var (term, sum) = (magnitude, magnitude);
        for (var n = 1; term != 0; n++)
        {
            term = ((term * square) >> (ErfBits - 1)) / ((2 * n) + 1);
            sum += term;
        }

        // e^(-x^2) with all its digits: the sum is as large as the exponential is small. 62 bits of each are kept.
        var (mantissa, exponent) = Power((long)-square, ErfBits);
        var scaled = (sum * TwoOverRootPi) >> ErfBits;
        var excess = Math.Max(0, 128 - (int)Int128.LeadingZeroCount(scaled) - Inner);
        var value = Scale((scaled >> excess) * mantissa, Inner + ErfBits - excess - exponent - to);
        return x < 0 ? -value : value;
    }

    // e^-x of x from 0 on, with 62 bits.
    private static long NegativeExponential(Int128 x, int from)
    {
        // e^-45 is below 2^-64.
        if (x >> from >= 45)
        {
            return 0;
        }

        var (mantissa, exponent) = Power((long)-x, from);
        return Scale(mantissa, -exponent);
    }

    // e^x = mantissa * 2^exponent with mantissa in [1, 2), 62 bits.
    private static (Int128 Mantissa, int Exponent) Power(long x, int from)
    {
        var product = (Int128)x * Log2E;
        var exponent = (int)Int128.Clamp(product >> (from + Inner), -200, 200);
        var rest = (product >> from) & (One - 1);
        var y = (rest * Ln2) >> Inner;
        var (term, sum) = ((Int128)One, (Int128)One);
        for (var n = 1; term != 0; n++)
        {
            term = ((term * y) >> Inner) / n;
            sum += term;
        }

        return (sum, exponent);
    }

    // value / 2^bits to the nearest, half up.
    private static long Scale(Int128 value, int bits)
    {
        if (bits > 126)
        {
            return 0;
        }

        if (bits > 0)
        {
            return Saturate((value + (Int128.One << (bits - 1))) >> bits);
        }

        var limit = bits < -Inner ? 0 : (Int128)Largest >> -bits;
        return Int128.Abs(value) > limit ? Math.Sign((double)value) * Largest : (long)(value << -bits);
    }

    private static long Saturate(Int128 value) => (long)Int128.Clamp(value, -Largest, Largest);

    // floor(sqrt(n)), bit by bit.
    private static UInt128 Root(UInt128 n)
    {
        UInt128 root = 0;
        for (var bit = UInt128.One << ((127 - (int)UInt128.LeadingZeroCount(n | 1)) & ~1); bit != 0; bit >>= 2)
        {
            if (n >= root + bit)
            {
                n -= root + bit;
                root = (root >> 1) + bit;
            }
            else
            {
                root >>= 1;
            }
        }

        return root;
    }
}
