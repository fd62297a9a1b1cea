using System.Numerics;
using CnnCompiler.Fuzzing;
using CnnCompiler.Primitives.Arithmetic;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Primitives.Tests;

public sealed class FixedPointTests
{
    private static readonly int[] Corners =
        [int.MinValue, int.MinValue + 1, -(1 << 30) - 1, -(1 << 30), -65537, -3, -2, -1, 0, 1, 2, 3, 65535, (1 << 30) - 1, 1 << 30, (1 << 30) + 1, int.MaxValue - 1, int.MaxValue];

    [Fact]
    public void Rounding_division_is_half_away_from_zero_for_all_16_bit_values_and_all_shifts()
    {
        for (var exponent = 0; exponent <= 31; exponent++)
        {
            for (var value = (int)short.MinValue; value <= short.MaxValue; value++)
            {
                Check(value, exponent);
                // The same patterns around the tie of this exponent.
                Check((int)Math.Clamp(((long)value << Math.Max(0, exponent - 4)) + (value & 3) - 2, int.MinValue, int.MaxValue), exponent);
            }

            foreach (var corner in Corners)
            {
                Check(corner, exponent);
            }
        }

        static void Check(int value, int exponent)
        {
            var expected = Math.Sign((long)value) * (Math.Abs((long)value) + ((1L << exponent) / 2) >> exponent);
            if (FixedPoint.RoundingDivideByPowerOfTwo(value, exponent) != expected)
            {
                Assert.Fail($"{value} / 2^{exponent}: {FixedPoint.RoundingDivideByPowerOfTwo(value, exponent)}, expected {expected}");
            }
        }
    }

    [Fact]
    public void High_multiplication_is_the_floor_of_the_exact_product_plus_a_half()
    {
        foreach (var a in Corners)
        {
            foreach (var b in Corners)
            {
                Check(a, b);
            }
        }

        var random = new SeededRandom(1);
        for (var i = 0; i < 2_000_000; i++)
        {
            // Every magnitude, and products that end in exactly a half.
            var a = random.NextInt32() >> random.Next(0, 31);
            var b = random.OneIn(4) ? 1 << random.Next(0, 30) : random.NextInt32() >> random.Next(0, 31);
            Check(a, b);
        }

        static void Check(int a, int b)
        {
            var floor = (((Int128)a * b * 2) + ((Int128)1 << 31)) >> 32;
            var expected = floor > int.MaxValue ? int.MaxValue : (int)floor;
            if (FixedPoint.SaturatingRoundingDoublingHighMultiply(a, b) != expected)
            {
                Assert.Fail($"{a} * {b}: {FixedPoint.SaturatingRoundingDoublingHighMultiply(a, b)}, expected {expected}");
            }
        }
    }

    [Theory]
    [InlineData(3, 1 << 30, 2)] // 1.5 goes up
    [InlineData(-3, 1 << 30, -1)] // -1.5 goes up
    [InlineData(1, 1 << 30, 1)]
    [InlineData(-1, 1 << 30, 0)]
    [InlineData(int.MinValue, int.MinValue, int.MaxValue)]
    [InlineData(int.MinValue, int.MaxValue, -int.MaxValue)]
    public void High_multiplication_rounds_ties_toward_plus_infinity(int a, int b, int expected) =>
        Assert.Equal(expected, FixedPoint.SaturatingRoundingDoublingHighMultiply(a, b));

    [Fact]
    public void Average_rounding_is_half_away_from_zero_for_every_sum_of_up_to_263_codes()
    {
        for (var count = 1; count <= 263; count++)
        {
            for (var sum = -128 * count; sum <= 127 * count; sum++)
            {
                var magnitude = ((2 * Math.Abs(sum)) + count) / (2 * count);
                // C's sum +- count / 2 with a truncated half: the same as half away from zero, for odd counts too.
                if (FixedPoint.DivideRoundHalfAway(sum, count) != Math.Sign(sum) * magnitude)
                {
                    Assert.Fail($"{sum} / {count}: {FixedPoint.DivideRoundHalfAway(sum, count)}, expected {Math.Sign(sum) * magnitude}");
                }
            }
        }
    }

    [Fact]
    public void Requantisation_rounds_twice_and_the_single_rounding_once()
    {
        var random = new SeededRandom(2);
        var differ = 0;
        for (var i = 0; i < 1_000_000; i++)
        {
            var shift = random.Next(-31, 8);
            var bits = random.Next(shift > 0 ? 1 + shift : 1, 31);
            var x = random.NextInt32() >> bits;
            var multiplier = random.OneIn(8) ? 1 << 30 : random.Next(1 << 30, int.MaxValue);

            // Two roundings of exact rationals, written without the shifts of the implementation.
            var high = FloorOf(((BigInteger)x << Math.Max(shift, 0)) * multiplier, BigInteger.One << 31);
            var power = BigInteger.One << Math.Max(-shift, 0);
            var twice = high.Sign * BigInteger.Divide((2 * BigInteger.Abs(high)) + power, 2 * power);
            Assert.Equal((int)twice, FixedPoint.MultiplyByQuantizedMultiplier(x, multiplier, shift));

            var once = FloorOf((BigInteger)x * multiplier, BigInteger.One << (31 - shift));
            Assert.Equal((int)once, FixedPoint.MultiplyByQuantizedMultiplierSingleRounding(x, multiplier, shift));
            differ += twice == once ? 0 : 1;
        }

        Assert.True(differ > 1000, "the sample doesn't separate the two schemes");

        static BigInteger FloorOf(BigInteger numerator, BigInteger denominator)
        {
            // floor(numerator / denominator + 1/2)
            var doubled = (2 * numerator) + denominator;
            var quotient = BigInteger.DivRem(doubled, 2 * denominator, out var remainder);
            return remainder.Sign < 0 ? quotient - 1 : quotient;
        }
    }

    [Theory]
    [InlineData(3, 1 << 30, 0, 2, 2)] // 1.5
    [InlineData(-3, 1 << 30, 0, -1, -1)] // -1.5: high multiplication goes up
    [InlineData(6, 1 << 30, -1, 2, 2)] // 3 / 2: the shift goes away from zero
    [InlineData(-6, 1 << 30, -1, -2, -1)] // -3 / 2: away from zero, the single rounding up
    [InlineData(5, 1 << 30, -1, 2, 1)] // 1.25: 2.5 becomes 3, 3 / 2 becomes 2; one rounding gives 1
    [InlineData(-5, 1 << 30, -1, -1, -1)]
    [InlineData(7, 1 << 30, 4, 56, 56)] // left shifts
    [InlineData(-7, 1 << 30, 1, -7, -7)]
    [InlineData(1073741952, 1 << 30, -31, 0, 0)] // a dead channel of vww_96
    [InlineData(int.MaxValue, int.MaxValue, -31, 1, 1)]
    [InlineData(int.MinValue, int.MaxValue, -31, -1, -1)]
    public void Known_requantisations(int x, int multiplier, int shift, int twice, int once)
    {
        Assert.Equal(twice, FixedPoint.MultiplyByQuantizedMultiplier(x, multiplier, shift));
        Assert.Equal(once, FixedPoint.MultiplyByQuantizedMultiplierSingleRounding(x, multiplier, shift));
    }

    [Fact]
    public void A_left_shift_beyond_32_bits_wraps() =>
        Assert.Equal(
            FixedPoint.SaturatingRoundingDoublingHighMultiply(unchecked(0x12345678 << 8), 1 << 30),
            FixedPoint.MultiplyByQuantizedMultiplier(0x12345678, 1 << 30, 8));

    [Fact]
    public void Quantised_multipliers_are_the_exact_factor_to_31_bits_half_away_from_zero()
    {
        var random = new SeededRandom(3);
        for (var i = 0; i < 200_000; i++)
        {
            var factor = BitConverter.Int64BitsToDouble(((long)random.NextBits() << 20) ^ random.NextBits() ^ ((long)random.Next(1023 - 40, 1023 + 29) << 52));
            Check(factor);
        }

        foreach (var factor in (ReadOnlySpan<double>)[1, 0.5, Math.BitDecrement(1.0), Math.BitIncrement(1.0), 1 - Math.Pow(2, -32), 1 - Math.Pow(2, -33), 0.75 + Math.Pow(2, -32), 1 << 29])
        {
            Check(factor);
        }

        static void Check(double factor)
        {
            // From the bits of the binary64: factor = significand * 2^power.
            var bits = BitConverter.DoubleToInt64Bits(factor);
            var significand = (bits & ((1L << 52) - 1)) | (1L << 52);
            var power = (int)(bits >> 52) - 1023 - 52;

            // 53 bits to 31: drop 22, a half goes up.
            var multiplier = (significand + (1L << 21)) >> 22;
            var shift = power + 53;
            if (multiplier == 1L << 31)
            {
                (multiplier, shift) = (1L << 30, shift + 1);
            }

            Assert.Equal(shift < -31 ? (0, 0) : ((int)multiplier, shift), FixedPoint.QuantizeMultiplier(factor));
        }
    }

    [Fact]
    public void Factors_at_the_ends_of_the_range()
    {
        Assert.Equal((0, 0), FixedPoint.QuantizeMultiplier(0));
        Assert.Equal((1 << 30, -31), FixedPoint.QuantizeMultiplier(Math.Pow(2, -32)));
        Assert.Equal((0, 0), FixedPoint.QuantizeMultiplier(Math.Pow(2, -33)));
        // Rounds up to 2^-32 and so stays in range.
        Assert.Equal((1 << 30, -31), FixedPoint.QuantizeMultiplier(Math.BitDecrement(Math.Pow(2, -32))));
        Assert.Equal((0, 0), FixedPoint.QuantizeMultiplier(double.Epsilon));
        Assert.Throws<ArgumentOutOfRangeException>(() => FixedPoint.QuantizeMultiplier(-1));
        Assert.Throws<ArgumentOutOfRangeException>(() => FixedPoint.QuantizeMultiplier(double.NaN));
        Assert.Throws<ArgumentOutOfRangeException>(() => FixedPoint.QuantizeMultiplier(double.PositiveInfinity));
    }
}
