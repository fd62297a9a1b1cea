using System.Numerics;
using System.Text.Json;
using CnnCompiler.Fuzzing;
using CnnCompiler.Primitives.Arithmetic;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Primitives.Tests;

public sealed class Int8SoftmaxTests
{
    private static readonly float[] Scales = [1f / 256, 0.02f, 0.11f, 0.14469251f, 0.17185351f, 0.5f, 1f, 3.7f, 1e-6f];

    [Theory]
    [InlineData(0.17185351f, 1476210432, 24, -124)]
    [InlineData(0.14469251f, 1242899200, 24, -124)]
    public void Preparation_of_known_networks(float scale, int multiplier, int leftShift, int diffMin) =>
        Assert.Equal((multiplier, leftShift, diffMin), Int8Softmax.Prepare(1f, scale));

    [Fact]
    public void Vectors_of_the_reference_kernel()
    {
        var cases = 0;
        using var index = JsonDocument.Parse(File.ReadAllBytes(SharedMaterial.Vectors("kernels", "index.json")));
        foreach (var kernel in index.RootElement.EnumerateArray().Where(kernel => kernel.GetProperty("op").GetString() == "SOFTMAX"))
        {
            var tensor = kernel.GetProperty("tensors")[0];
            var length = tensor.GetProperty("shape").EnumerateArray().Last().GetInt32();
            var (multiplier, leftShift, diffMin) = Int8Softmax.Prepare(1f, tensor.GetProperty("scale")[0].GetSingle());
            var folder = SharedMaterial.Vectors("kernels", kernel.GetProperty("name").GetString()!, "golden");
            foreach (var file in Directory.GetFiles(folder, "*.input.bin"))
            {
                var input = Array.ConvertAll(File.ReadAllBytes(file), value => (sbyte)value);
                var expected = Array.ConvertAll(File.ReadAllBytes(file.Replace("input.bin", "output.bin", StringComparison.Ordinal)), value => (sbyte)value);
                var output = new sbyte[input.Length];
                for (var start = 0; start < input.Length; start += length)
                {
                    Assert.True(Int8Softmax.Row(input.AsSpan(start, length), output.AsSpan(start, length), multiplier, leftShift, diffMin));
                }

                Assert.Equal(expected, output);
                cases++;
            }
        }

        Assert.True(cases > 0, "no vector found");
    }

    [Fact]
    public void All_rows_of_two_codes_equal_a_definition_over_exact_rationals_and_are_near_the_real_softmax()
    {
        foreach (var scale in Scales)
        {
            var (multiplier, leftShift, diffMin) = Int8Softmax.Prepare(1f, scale);
            var output = new sbyte[2];
            for (var difference = 0; difference <= 255; difference++)
            {
                var expected = Slow([0, -difference], multiplier, leftShift, diffMin);
                var real = 1 / (1 + Math.Exp(-difference * (double)scale));
                Assert.True(Math.Abs(expected[0] - Math.Min(127, (256 * real) - 128)) <= 1, $"scale {scale}, difference {difference}");
                Assert.True(Math.Abs(expected[1] - ((256 * (1 - real)) - 128)) <= 1, $"scale {scale}, difference {difference}");

                // Every pair of codes with this difference, in both orders.
                for (var high = sbyte.MinValue + difference; high <= sbyte.MaxValue; high++)
                {
                    Assert.True(Int8Softmax.Row([(sbyte)high, (sbyte)(high - difference)], output, multiplier, leftShift, diffMin));
                    Assert.True(output[0] == expected[0] && output[1] == expected[1], $"scale {scale}, {high}, {high - difference}");
                    Assert.True(Int8Softmax.Row([(sbyte)(high - difference), (sbyte)high], output, multiplier, leftShift, diffMin));
                    Assert.True(output[1] == expected[0] && output[0] == expected[1], $"scale {scale}, {high - difference}, {high}");
                }
            }
        }
    }

    [Fact]
    public void Random_rows_equal_a_definition_over_exact_rationals()
    {
        var random = new SeededRandom(7);
        for (var i = 0; i < 400; i++)
        {
            var (multiplier, leftShift, diffMin) = Int8Softmax.Prepare((float)random.NextLogarithmic(0.5, 2), (float)random.NextLogarithmic(1e-3, 4));
            var input = new sbyte[random.Next(1, 500)];
            for (var j = 0; j < input.Length; j++)
            {
                input[j] = random.NextCode();
            }

            var output = new sbyte[input.Length];
            Assert.True(Int8Softmax.Row(input, output, multiplier, leftShift, diffMin));
            Assert.Equal(Slow(Array.ConvertAll(input, value => (int)value), multiplier, leftShift, diffMin), Array.ConvertAll(output, value => (int)value));
        }
    }

    [Fact]
    public void A_row_whose_exponentials_reach_512_has_no_result()
    {
        var (multiplier, leftShift, diffMin) = Int8Softmax.Prepare(1f, 0.1f);
        foreach (var (length, defined) in ((int, bool)[])[(1, true), (511, true), (512, false), (1000, false), (100_000, false)])
        {
            var input = new sbyte[length];
            Assert.Equal(defined, Int8Softmax.Row(input, new sbyte[length], multiplier, leftShift, diffMin));
        }

        // 1000 logits far below one are fine.
        var peaked = new sbyte[1000];
        Array.Fill(peaked, (sbyte)-128);
        peaked[17] = 127;
        Assert.True(Int8Softmax.Row(peaked, new sbyte[1000], multiplier, leftShift, diffMin));
    }

    [Fact]
    public void Factors_beyond_31_bits_saturate() => Assert.Equal((int.MaxValue, 31, 0), Int8Softmax.Prepare(1f, 1e6f));

    // Section 3.8 over rationals: every step is round(exact value) with a named tie rule, and no value is held in 32 bits.
    private static int[] Slow(int[] codes, int multiplier, int leftShift, int diffMin)
    {
        var maximum = codes.Max();
        var exponentials = codes
            .Select(code => code - maximum)
            .Select(difference => difference < diffMin ? (BigInteger?)null : Exponential(Up(difference * BigInteger.Pow(2, leftShift) * multiplier, 31)))
            .ToArray();
        var sum = BigInteger.Zero;
        foreach (var exponential in exponentials)
        {
            sum += exponential is { } e ? Away(e, 12) : 0;
        }

        // sum = (1 + u) * 2^integerBits with u in [0, 1).
        var integerBits = (int)sum.GetBitLength() - 20;
        var u = (sum << (31 - 19 - integerBits)) - (BigInteger.One << 31);
        var half = (u + (BigInteger.One << 31)) / 2;
        BigInteger y = 1515870810 - Down(half * 1010580540, 31);
        for (var step = 0; step < 3; step++)
        {
            y += 4 * Up(y * ((BigInteger.One << 29) - Up(half * y, 31)), 31);
        }

        var reciprocal = BigInteger.Min(2 * y, int.MaxValue);
        return [.. exponentials.Select(e => e is { } value ? (int)BigInteger.Clamp(Away(Up(reciprocal * value, 31), integerBits + 23) - 128, -128, 127) : -128)];
    }

    private static BigInteger Exponential(BigInteger a)
    {
        if (a.IsZero)
        {
            return int.MaxValue;
        }

        // a = -(quarters + rest) with rest in (0, 1/4]: exp(a) = exp(-rest) * product of exp(-2^k).
        var quarter = BigInteger.One << 24;
        var quarters = BigInteger.Divide(-a - 1, quarter);
        var rest = -a - (quarters * quarter);
        var x = (BigInteger.One << 28) - (rest << 5);
        var x2 = Up(x * x, 31);
        var x3 = Up(x2 * x, 31);
        var x4 = Up(x2 * x2, 31);
        var polynomial = Away(Up((Away(x4, 2) + x3) * 715827883, 31) + x2, 1);
        var result = 1895147668 + Up(1895147668 * (x + polynomial), 31);
        int[] powers = [1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242];
        for (var k = 0; k < powers.Length; k++)
        {
            if (!((quarters >> k) & 1).IsZero)
            {
                result = Up(result * powers[k], 31);
            }
        }

        return result;
    }

    // round(value / 2^bits), ties up.
    private static BigInteger Up(BigInteger value, int bits) => Floor(value + (BigInteger.One << (bits - 1)), bits);

    // round(value / 2^bits), ties down.
    private static BigInteger Down(BigInteger value, int bits) => -Up(-value, bits);

    // round(value / 2^bits), ties away from zero.
    private static BigInteger Away(BigInteger value, int bits) => value.Sign * Floor(BigInteger.Abs(value) + (bits == 0 ? 0 : BigInteger.One << (bits - 1)), bits);

    private static BigInteger Floor(BigInteger value, int bits)
    {
        var quotient = BigInteger.DivRem(value, BigInteger.One << bits, out var remainder);
        return remainder.Sign < 0 ? quotient - 1 : quotient;
    }
}
