using CnnCompiler.Fuzzing;
using CnnCompiler.Primitives.Arithmetic;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Primitives.Tests;

public sealed class FixedMathTests
{
    private static readonly Dictionary<string, (Func<long, int, int, long> Function, Func<double, double> Real, double Low, double High)> Functions = new(StringComparer.Ordinal)
    {
        ["exp"] = (FixedMath.Exp, Math.Exp, -40, 20),
        ["log"] = (FixedMath.Log, Math.Log, 1e-9, 2e9),
        ["sqrt"] = (FixedMath.Sqrt, Math.Sqrt, 0, 2e9),
        ["reciprocal sqrt"] = (FixedMath.ReciprocalSqrt, x => 1 / Math.Sqrt(x), 1e-6, 2e9),
        ["logistic"] = (FixedMath.Logistic, x => 1 / (1 + Math.Exp(-x)), -60, 60),
        ["tanh"] = (FixedMath.Tanh, Math.Tanh, -30, 30),
        ["erf"] = (FixedMath.Erf, ErrorFunction.Erf, -7, 7),
    };

    public static TheoryData<string> Names => [.. Functions.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void A_function_is_within_its_error_of_the_real_one(string name)
    {
        var (function, real, low, high) = Functions[name];
        var random = new SeededRandom(7);
        for (var i = 0; i < 20_000; i++)
        {
            var (from, to) = (random.Next(0, 30), random.Next(0, 30));
            var x = low + ((high - low) * Math.Pow(random.NextBits() / 4294967296.0, random.Next(1, 6)));
            var argument = (long)(x * (1L << from));
            if (argument > int.MaxValue || (argument <= 0 && low > 0))
            {
                continue;
            }

            var expected = real(argument / (double)(1L << from)) * (1L << to);
            if (Math.Abs(expected) < 1L << 50)
            {
                // The real function is itself as far off as some 2^-51 of its value.
                var error = Math.Abs(function(argument, from, to) - expected);
                Assert.True(error < 0.6 + (Math.Abs(expected) * 1e-15), $"{name}({argument} / 2^{from}) with {to} bits is {error} off");
            }
        }
    }

    [Fact]
    public void The_ends_of_the_ranges_are_defined()
    {
        Assert.Equal(FixedMath.Largest, FixedMath.Exp(int.MaxValue, 0, 30));
        Assert.Equal(0, FixedMath.Exp(int.MinValue, 0, 30));
        Assert.Equal(1L << 30, FixedMath.Exp(0, 30, 30));
        Assert.Equal(0, FixedMath.Log(1L << 16, 16, 30));
        Assert.Equal(0, FixedMath.Sqrt(0, 30, 30));
        Assert.Equal(1L << 30, FixedMath.Tanh(int.MaxValue, 0, 30));
        Assert.Equal(-(1L << 30), FixedMath.Tanh(int.MinValue, 0, 30));
        Assert.Equal(1L << 30, FixedMath.Logistic(int.MaxValue, 0, 30));
        Assert.Equal(0, FixedMath.Logistic(int.MinValue, 0, 30));
        Assert.Equal(-(1L << 30), FixedMath.Erf(int.MinValue, 0, 30));
        Assert.Equal(0, FixedMath.Erf(0, 0, 30));
    }

    [Theory]
    [InlineData(7, 2, 0, 4)]
    [InlineData(-7, 2, 0, -4)]
    [InlineData(7, -2, 0, -4)]
    [InlineData(1, 3, 2, 1)]
    [InlineData(1, 3, 30, 357913941)]
    [InlineData(long.MaxValue, 1, 30, FixedMath.Largest)]
    [InlineData(long.MinValue, 1, 30, -FixedMath.Largest)]
    [InlineData(0, -5, 30, 0)]
    public void A_quotient_is_the_nearest_half_away_from_zero(long a, long b, int to, long expected) => Assert.Equal(expected, FixedMath.Divide(a, b, to));

    [Theory]
    [InlineData(5, 1, 1, 3)]
    [InlineData(-5, 1, 1, -2)]
    [InlineData(3, 5, 0, 15)]
    [InlineData(3, 5, -4, 240)]
    [InlineData(long.MaxValue, long.MaxValue, 126, 1)]
    [InlineData(long.MaxValue, long.MinValue, 60, -FixedMath.Largest)]
    [InlineData(1L << 40, 1L << 40, -10, FixedMath.Largest)]
    [InlineData(-1L << 40, 1L << 40, -60, -FixedMath.Largest)]
    public void A_product_is_the_nearest_half_up(long a, long b, int bits, long expected) => Assert.Equal(expected, FixedMath.Multiply(a, b, bits));

    [Theory]
    [InlineData(0, 0)]
    [InlineData(0.5, 0.52049987781304653768)]
    [InlineData(1, 0.84270079294971486934)]
    [InlineData(2, 0.99532226501895273416)]
    [InlineData(2.6, 0.99976396558347065080)]
    [InlineData(3, 0.99997790950300141456)]
    [InlineData(4, 0.99999998458274209972)]
    [InlineData(10, 1)]
    [InlineData(1e-10, 1.1283791670955125739e-10)]
    [InlineData(double.PositiveInfinity, 1)]
    [InlineData(double.NaN, double.NaN)]
    public void The_error_function_is_that_of_the_tables(double x, double expected)
    {
        Assert.Equal(expected, ErrorFunction.Erf(x), Math.Abs(double.IsNaN(expected) ? 0 : expected) * 1e-15);
        Assert.Equal(-expected, ErrorFunction.Erf(-x), Math.Abs(double.IsNaN(expected) ? 0 : expected) * 1e-15);
    }
}
