using System.Numerics;
using CnnCompiler.Primitives.Arithmetic;
using CnnCompiler.Primitives.HostFunctions;

namespace CnnCompiler.Primitives.Tests;

/// <summary>Functions of codes against real functions, or against the same integers with every rounding that of an exact rational.</summary>
public sealed class Int8FunctionsTests
{
    private static readonly float[] Scales = [1e-6f, 0.001f, 0.0125f, 1f / 32, 0.04f, 0.0469f, 1f / 16, 0.1f, 0.23f, 0.5f, 1, 3.7f];

    [Fact]
    public void Logistic_is_within_rounding_of_the_function()
    {
        foreach (var scale in Scales)
        {
            for (var x = -255; x <= 255; x++)
            {
                var exact = Math.Clamp((256 / (1 + Math.Exp(-x * (double)scale))) - 128, -128, 127);
                Assert.True(Math.Abs(Int8Functions.Logistic(x, scale) - exact) <= 0.501, $"{x} * {scale}: {Int8Functions.Logistic(x, scale)}, not {exact}");
                Assert.True(Math.Abs(Int8Functions.Logistic(x, scale, singleRounding: true) - exact) <= 0.501);
            }
        }
    }

    [Fact]
    public void Tanh_is_within_rounding_of_the_function()
    {
        foreach (var scale in Scales)
        {
            for (var x = -255; x <= 255; x++)
            {
                var exact = Math.Clamp(128 * Math.Tanh(x * (double)scale), -128, 127);
                Assert.True(Math.Abs(Int8Functions.Tanh(x, scale) - exact) <= 0.501, $"{x} * {scale}: {Int8Functions.Tanh(x, scale)}, not {exact}");
            }
        }
    }

    // Where a scale is 16 and more, the reference's radius is 0 and every code saturates: 0 does too, downwards.
    [Theory]
    [InlineData(20f, 0, -128)]
    [InlineData(20f, 1, 127)]
    [InlineData(20f, -1, -128)]
    [InlineData(1e30f, 5, 127)]
    [InlineData(1f, 0, 0)]
    public void Logistic_and_tanh_saturate_beyond_the_radius(float scale, int x, int expected)
    {
        Assert.Equal(expected, Int8Functions.Logistic(x, scale));
        Assert.Equal(expected, Int8Functions.Tanh(x, scale));
    }

    [Fact]
    public void Hard_swish_is_the_reference_kernel_over_rationals_and_near_the_function()
    {
        foreach (var (input, output, zero) in ((float, float, int)[])[(0.04f, 0.03f, -128), (0.1f, 0.1f, 5), (1f / 32, 1f / 64, -100), (0.5f, 0.4f, 0), (0.002f, 0.001f, 3), (0.9f, 0.01f, 0)])
        {
            for (var x = -255; x <= 255; x++)
            {
                var actual = Int8Functions.HardSwish(x, input, output, zero);
                Assert.Equal(HardSwish(x, input, output, zero), actual);
                var real = x * (double)input;
                var exact = Math.Clamp((real * Math.Clamp(real + 3, 0, 6) / 6 / output) + zero, -128, 127);
                Assert.True(Math.Abs(actual - exact) <= 1.6 + (0.0005 * Math.Abs(x) * input / output), $"{x} of {input} to {output}: {actual}, not {exact}");
            }
        }
    }

    [Fact]
    public void Leaky_relu_is_within_rounding_of_the_function()
    {
        foreach (var alpha in (float[])[0.1f, 0.25f, -0.5f, 2, 0])
        {
            foreach (var (input, output, zero) in ((float, float, int)[])[(0.04f, 0.03f, -128), (0.1f, 0.2f, 5), (0.5f, 0.01f, 0)])
            {
                for (var x = -255; x <= 255; x++)
                {
                    var exact = Math.Clamp((x * (double)input * (x < 0 ? alpha : 1) / output) + zero, -128, 127);
                    Assert.InRange(Int8Functions.LeakyRelu(x, alpha, input, output, zero) - exact, -1.001, 1.001);
                    Assert.InRange(Int8Functions.LeakyRelu(x, alpha, input, output, zero, singleRounding: true) - exact, -0.501, 0.501);
                }
            }
        }
    }

    [Theory]
    [InlineData(1f, 0.5f, 10, 12)]
    [InlineData(-0.25f, 0.5f, 10, 9)]
    [InlineData(0.25f, 0.5f, 10, 11)]
    [InlineData(float.PositiveInfinity, 0.5f, 10, 127)]
    [InlineData(float.NegativeInfinity, 0.5f, 10, -128)]
    [InlineData(float.NaN, 0.5f, 10, 10)]
    public void A_real_becomes_a_code_half_away_from_zero(float value, float scale, int zeroPoint, int expected) => Assert.Equal(expected, Int8Functions.FromReal(value, scale, zeroPoint));

    // Expectations that Samsung's ONE publishes for RESIZE_BILINEAR of u8 and i8 (its ResizeBilinearVariation): 2 x 2 to 3 x 3.
    [Theory]
    [InlineData(new long[] { 3, 6, 9, 12 }, new long[] { 3, 5, 6, 7, 9, 10, 9, 11, 12 })]
    [InlineData(new long[] { -6, -3, 9, 12 }, new long[] { -6, -4, -3, 4, 6, 7, 9, 11, 12 })]
    public void Bilinear_codes_are_those_of_published_tests(long[] image, long[] expected)
    {
        var results = new List<long>();
        for (var y = 0; y < 3; y++)
        {
            for (var x = 0; x < 3; x++)
            {
                var (row, column) = (Resampling.Position(y, 2, 3, false, false), Resampling.Position(x, 2, 3, false, false));
                results.Add(Resampling.Interpolate(
                    image[(row.Lower * 2) + column.Lower], image[(row.Lower * 2) + column.Upper], image[(row.Upper * 2) + column.Lower], image[(row.Upper * 2) + column.Upper], row, column));
            }
        }

        Assert.Equal(expected, results);
    }

    [Fact]
    public void Resampled_places_are_inside_and_ascend()
    {
        foreach (var (align, half) in ((bool, bool)[])[(false, false), (true, false), (false, true)])
        {
            for (var input = 1; input <= 12; input++)
            {
                for (var output = 1; output <= 30; output++)
                {
                    var (last, lastNearest) = (0, 0);
                    for (var i = 0; i < output; i++)
                    {
                        var place = Resampling.Position(i, input, output, align, half);
                        var nearest = Resampling.Nearest(i, input, output, align, half);
                        Assert.InRange(place.Lower, last, input - 1);
                        Assert.InRange(place.Upper, place.Lower, Math.Min(place.Lower + 1, input - 1));
                        Assert.InRange(nearest, lastNearest, input - 1);
                        (last, lastNearest) = (place.Lower, nearest);
                    }

                    Assert.Equal(align && output > 1 ? input - 1 : lastNearest, lastNearest);
                }
            }
        }
    }

    [Theory]
    [InlineData(0.5f, 1f, 0, 1, 0)]
    [InlineData(1.5f, 1f, 0, 2, 2)]
    [InlineData(-0.5f, 1f, 0, -1, 0)]
    [InlineData(3f, 2f, 4, 6, 6)]
    [InlineData(1e30f, 1f, 4, 127, 127)]
    [InlineData(float.NegativeInfinity, 1f, 4, -128, -128)]
    public void Reals_are_quantised_by_the_rounding(float value, float scale, int zeroPoint, int away, int even)
    {
        Assert.Equal(away, NumberConversion.Quantize(value, scale, zeroPoint, MidpointRounding.AwayFromZero, -128, 127));
        Assert.Equal(even, NumberConversion.Quantize(value, scale, zeroPoint, MidpointRounding.ToEven, -128, 127));
    }

    [Fact]
    public void Rescaling_rounds_half_up_and_refuses_what_exceeds_64_bits()
    {
        Assert.Equal([2, 1, -1, 0, 6], new[] { NumberConversion.Rescale(6, 3, 1), NumberConversion.Rescale(5, 3, 1), NumberConversion.Rescale(-6, 3, 1), NumberConversion.Rescale(-2, 3, 1), NumberConversion.Rescale(3, 1, 2) });
        Assert.Equal(6, NumberConversion.Rescale(6, 3, 3));
        Assert.Throws<OverflowException>(() => NumberConversion.Rescale(long.MaxValue, 1, 0));
        Assert.Throws<OverflowException>(() => NumberConversion.Rescale(1L << 40, 0, 30));
    }

    [Theory]
    [InlineData(1.0, 29)]
    [InlineData(0.75, 30)]
    [InlineData(1e-30, 46)]
    [InlineData(1e30, 0)]
    [InlineData(0.0, 0)]
    public void Parameters_have_the_bits_that_leave_them_below_2_to_the_30(double largest, int bits)
    {
        Assert.Equal(bits, NumberConversion.ParameterBits([-largest, largest / 2]));
        Assert.True(bits == 0 || Math.Abs(NumberConversion.ToFixed(largest, bits)) <= 1L << 30);
    }

    [Fact]
    public void A_difference_is_the_sum_with_the_second_negated_but_for_ties()
    {
        var factors = RequantizationFactors.Addition(0.05f, 0.031f, 0.08f);
        var differing = 0;
        for (var a = -255; a <= 255; a += 5)
        {
            for (var b = -255; b <= 255; b += 3)
            {
                Assert.InRange(Int8Addition.Difference(a, b, factors) - Int8Addition.Sum(a, -b, factors), -1, 1);
                Assert.InRange(Int8Addition.DifferenceSingleRounding(a, b, factors) - (((a * 0.05) - (b * 0.031)) / 0.08), -0.501, 0.501);
                differing += Int8Addition.Difference(a, b, factors) == Int8Addition.Sum(a, -b, factors) ? 0 : 1;
            }
        }

        Assert.InRange(differing, 0, 50);
    }

    // reference/hard_swish.h over integers of any size: a value of 16 bits is saturated where the reference's type would be.
    private static BigInteger HardSwish(int x, float inputScale, float outputScale, int zero)
    {
        var hires = inputScale / 128;
        var (m1, e1) = Multiplier(hires / outputScale);
        var (m2, e2) = Multiplier(hires / (3f / 32768));
        var value = (BigInteger)x * 128;
        var preshift = HalfUp(value * m1, 1 << 15);
        var reluish = e2 > 0 ? Saturate(value << (e2 - 1)) : value;
        reluish = HalfUp(reluish * m2, 1 << 15);
        reluish = e2 > 0 ? Saturate(reluish << 1) : HalfAway(reluish, BigInteger.One << -e2);
        reluish = (reluish + 32768 - ((reluish + 32768) % 2)) / 2;
        var product = reluish * preshift / (1 << 15);
        return BigInteger.Clamp((e1 > 0 ? Saturate(product << e1) : HalfAway(product, BigInteger.One << -e1)) + zero, -128, 127);

        static BigInteger Saturate(BigInteger v) => BigInteger.Clamp(v, short.MinValue, short.MaxValue);

        // 1 - 2^14 is added to negative products before a division that truncates: ties go up.
        static BigInteger HalfUp(BigInteger n, BigInteger d)
        {
            var (quotient, remainder) = BigInteger.DivRem((2 * n) + d, 2 * d);
            return remainder.Sign < 0 ? quotient - 1 : quotient;
        }

        static BigInteger HalfAway(BigInteger n, BigInteger d) => n.Sign * ((2 * BigInteger.Abs(n)) + d) / (2 * d);

        static (BigInteger, int) Multiplier(float factor)
        {
            var exponent = 0;
            double f = factor;
            for (; f >= 1; f /= 2)
            {
                exponent++;
            }

            for (; f < 0.5; f *= 2)
            {
                exponent--;
            }

            return (BigInteger.Min((BigInteger)Math.Floor((Math.Floor((f * 2147483648.0) + 0.5) + 32768) / 65536), short.MaxValue), exponent);
        }
    }
}
