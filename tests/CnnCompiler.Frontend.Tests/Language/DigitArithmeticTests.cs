using CnnCompiler.Samples.Digits;

namespace CnnCompiler.Frontend.Tests.Language;

/// <summary>What the sample's digits are made of.</summary>
public sealed class DigitArithmeticTests
{
    [Fact]
    public void Portable_functions_are_those_of_the_library_to_their_stated_error()
    {
        for (var x = -1000.0; x <= 1000; x += 0.37)
        {
            Assert.Equal(Math.Sin(x), PortableMath.Sin(x), 1e-9);
            Assert.Equal(Math.Cos(x), PortableMath.Cos(x), 1e-9);
        }

        for (var x = -700.0; x <= 700; x += 0.37)
        {
            Assert.Equal(1, PortableMath.Exp(x) / Math.Exp(x), 1e-13);
        }
    }

    [Fact]
    public void The_random_generator_is_SplitMix64()
    {
        // The first outputs for seed 1234567 that other implementations publish as their test.
        var random = new SplitMix64(1234567);
        Assert.Equal([6457827717110365317UL, 3203168211198807973UL, 9817491932198370423UL, 4593380528125082431UL], [random.Next(), random.Next(), random.Next(), random.Next()]);
    }
}
