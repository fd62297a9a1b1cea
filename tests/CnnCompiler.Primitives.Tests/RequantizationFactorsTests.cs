using System.Numerics;
using CnnCompiler.Fuzzing;
using CnnCompiler.Primitives.Arithmetic;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Primitives.Tests;

public sealed class RequantizationFactorsTests
{
    // int8-arithmetic.md section 2.1 prints scales with eight digits, which a float32 survives, beside the reference's integers.
    [Theory]
    [InlineData(0.12706915f, 0.030554391f, 0.17185351f, 1552512742, -5)]
    [InlineData(0.080236159f, 0.0083857551f, 0.14469251f, 1278221461, -7)]
    public void Dense_layers_of_known_networks(float input, float weights, float output, int multiplier, int shift) =>
        Assert.Equal(new Requantization(multiplier, shift), RequantizationFactors.Quantize(RequantizationFactors.DensePerTensor(input, weights, output)));

    [Theory]
    [InlineData(0.039393552f, 0.10419496f, 0.050945673f, 1623821475, -2, 1073741824, 0, 1098017566, -17)]
    [InlineData(0.044761427f, 0.11311884f, 0.053236216f, 1699529983, -2, 1073741824, 0, 1140768826, -17)]
    [InlineData(0.083858304f, 0.21724364f, 0.12706915f, 1657902019, -2, 1073741824, 0, 1835721671, -18)]
    public void Additions_of_resnet8(float first, float second, float output, int m1, int s1, int m2, int s2, int m3, int s3) =>
        Assert.Equal(new AdditionFactors(new(m1, s1), new(m2, s2), new(m3, s3)), RequantizationFactors.Addition(first, second, output));

    [Fact]
    public void The_dense_product_is_rounded_to_binary32_and_the_convolution_s_is_not()
    {
        var random = new SeededRandom(4);
        var differ = 0;
        for (var i = 0; i < 10_000; i++)
        {
            var (a, b, c) = ((float)random.NextLogarithmic(1e-4, 10), (float)random.NextLogarithmic(1e-4, 10), (float)random.NextLogarithmic(1e-4, 10));
            var exact = (double)a * b;
            Assert.Equal(exact / c, RequantizationFactors.Convolution(a, b, c));
            Assert.Equal((double)(float)exact / c, RequantizationFactors.DensePerTensor(a, b, c));
            differ += (float)exact == exact ? 0 : 1;
        }

        Assert.True(differ > 9000);
    }

    [Fact]
    public void An_addition_is_three_requantisations()
    {
        var factors = RequantizationFactors.Addition(0.04f, 0.11f, 0.05f);
        for (var a = -255; a <= 255; a += 3)
        {
            for (var b = -255; b <= 255; b++)
            {
                var real = ((a * 0.04) + (b * 0.11)) / 0.05;
                Assert.True(Math.Abs(Int8Addition.Sum(a, b, factors) - real) <= 0.51);
                Assert.True(Math.Abs(Int8Addition.SumSingleRounding(a, b, factors) - real) <= 0.51);
            }
        }

        // A negative tie: -1 * 0.5 goes away from zero in the shift, up in one rounding.
        var halves = RequantizationFactors.Addition(0.5f, 0.5f, 1f);
        Assert.Equal(-1, Int8Addition.Sum(-1, 0, halves));
        Assert.Equal(0, Int8Addition.SumSingleRounding(-1, 0, halves));
        Assert.Equal(1, Int8Addition.Sum(1, 0, halves));
        Assert.Equal(1, Int8Addition.SumSingleRounding(1, 0, halves));
    }

    [Fact]
    public void Activation_ranges()
    {
        Assert.Equal(new ActivationRange(-128, 127), ActivationRange.Int8);
        Assert.Equal(new ActivationRange(-128, 127), ActivationRange.Relu(-128));
        Assert.Equal(new ActivationRange(5, 127), ActivationRange.Relu(5));
        Assert.Equal(new ActivationRange(-10, 110), ActivationRange.Relu6(0.05f, -10));
        Assert.Equal(new ActivationRange(-128, 127), ActivationRange.Relu6(6f / 255, -128));
        Assert.Equal(new ActivationRange(3, 3), ActivationRange.Relu6(100f, 3));
        Assert.Equal(new ActivationRange(-17, 23), ActivationRange.ReluN1To1(0.05f, 3));
        // 1 / 0.4 = 2.5 goes away from zero on both sides.
        Assert.Equal(new ActivationRange(-3, 3), ActivationRange.ReluN1To1(0.4f, 0));
        Assert.Equal(new ActivationRange(-128, 127), ActivationRange.Relu6(float.Epsilon, -128));
        Assert.Equal(-5, new ActivationRange(-5, 9).Clamp(-6));
        Assert.Equal(9, new ActivationRange(-5, 9).Clamp(10));
        Assert.Equal(4, new ActivationRange(-5, 9).Clamp(4));
    }

    [Fact]
    public void Half_even_factors_round_the_exact_rational_once()
    {
        var random = new SeededRandom(5);
        var ties = 0;
        for (var i = 0; i < 300_000; i++)
        {
            // Powers of two make ties frequent, random mantissas make them rare; every binade.
            var (a, b, c) = (Scale(random), Scale(random), Scale(random));
            var accumulator = random.NextInt32() >> random.Next(0, 31);
            var numerator = accumulator * Numerator(a) * Numerator(b) * Unit;
            var denominator = Numerator(c) * Unit * Unit;
            ties += BigInteger.Abs(2 * BigInteger.Remainder(numerator, denominator)) == denominator ? 1 : 0;
            Assert.Equal(RoundHalfEven(numerator, denominator), new HalfEvenFactor(a, b, c).Apply(accumulator));
        }

        Assert.True(ties > 1000, "too few ties");
    }

    [Fact]
    public void Half_even_additions_round_the_exact_rational_once()
    {
        var random = new SeededRandom(6);
        for (var i = 0; i < 50_000; i++)
        {
            var (a, b, c) = (Scale(random), Scale(random), Scale(random));
            var (x, y) = (random.Next(-255, 255), random.Next(-255, 255));
            Assert.Equal(RoundHalfEven((x * Numerator(a)) + (y * Numerator(b)), Numerator(c)), HalfEvenAddition.Sum(x, y, a, b, c));
        }
    }

    [Theory]
    [InlineData(1, 0)]
    [InlineData(3, 2)]
    [InlineData(5, 2)]
    [InlineData(-1, 0)]
    [InlineData(-3, -2)]
    [InlineData(-5, -2)]
    [InlineData(-7, -4)]
    public void Half_even_ties(int accumulator, int expected)
    {
        Assert.Equal(expected, new HalfEvenFactor(0.5f, 1f, 1f).Apply(accumulator));
        Assert.Equal(expected, HalfEvenAddition.Sum(accumulator, 0, 0.5f, 3f, 1f));
    }

    [Fact]
    public void Scales_out_of_range_are_refused()
    {
        foreach (var bad in (float[])[0f, -1f, float.NaN, float.PositiveInfinity])
        {
            Assert.Throws<ArgumentOutOfRangeException>(() => new HalfEvenFactor(bad, 1f, 1f));
        }
    }

    // Every finite float is a multiple of 2^-149.
    private static readonly BigInteger Unit = BigInteger.One << 149;

    private static BigInteger Numerator(float scale)
    {
        var bits = BitConverter.SingleToInt32Bits(scale);
        var exponent = bits >> 23;
        var mantissa = bits & ((1 << 23) - 1);
        return exponent == 0 ? mantissa : (BigInteger)(mantissa | (1 << 23)) << (exponent - 1);
    }

    private static float Scale(SeededRandom random) => random.Next(0, 9) switch
    {
        0 => BitConverter.Int32BitsToSingle(random.Next(1, 0x7F7FFFFF)),
        < 7 => MathF.ScaleB(1, random.Next(-14, 6)) * random.Choose(1f, 1f, 3f, 5f),
        _ => (float)random.NextLogarithmic(1e-5, 100),
    };

    private static int RoundHalfEven(BigInteger numerator, BigInteger denominator)
    {
        // floor(x + 1/2), less one where that was a tie and the result is odd.
        var doubled = (2 * numerator) + denominator;
        var floor = BigInteger.DivRem(doubled, 2 * denominator, out var remainder);
        if (remainder.Sign < 0)
        {
            floor--;
        }

        if (remainder.IsZero && !floor.IsEven)
        {
            floor--;
        }

        return (int)BigInteger.Clamp(floor, int.MinValue, int.MaxValue);
    }
}
