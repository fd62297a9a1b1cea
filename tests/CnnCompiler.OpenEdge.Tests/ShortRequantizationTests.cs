using CnnCompiler.Primitives.Arithmetic;
using CnnCompiler.Targets.OpenEdge.Kernels;

namespace CnnCompiler.OpenEdge.Tests;

/// <summary>Requantisation in one multiplication: every value of a channel gets the code that the two roundings give it.</summary>
public class ShortRequantizationTests
{
    /// <summary>Zero point, lowest and highest code: what RELU, RELU6 and no activation leave.</summary>
    public static TheoryData<int, int, int> Outputs() => new()
    {
        { -128, -128, 127 },
        { -128, -128, 20 },
        { 0, -128, 127 },
        { 17, -128, 127 },
        { -5, -5, 100 },
        { 127, -128, 127 },
    };

    [Theory]
    [MemberData(nameof(Outputs))]
    public void Every_value_of_a_channel_gets_its_code(int zeroPoint, int low, int high)
    {
        var found = 0;
        var seed = 1u;
        for (var turn = 0; turn < 60; turn++)
        {
            var channel = Next(ref seed, turn);
            if (ShortRequantization.Find([channel], zeroPoint, low, high) is not { } form)
            {
                continue;
            }

            found++;
            for (long value = channel.Lowest; value <= channel.Highest; value++)
            {
                var code = Math.Clamp(FixedPoint.MultiplyByQuantizedMultiplier((int)value, channel.Multiplier, channel.Shift) + zeroPoint, low, high);
                var actual = form.Code(0, (int)value - channel.Bias, high - low) + low;
                if (code != actual)
                {
                    Assert.Fail($"{channel}: {value} is {code}, not {actual}");
                }
            }
        }

        Assert.True(found > 30, $"only {found} channels have a short form");
    }

    [Fact]
    public void Below_zero_the_rounding_is_the_other_way_and_has_an_offset_of_its_own()
    {
        var channel = new RequantizedChannel(-300, 1 << 30, -2, -400_000, 400_000);
        var form = ShortRequantization.Find([channel], 0, -128, 127);
        Assert.NotNull(form);
        Assert.False(form.HasOneOffset);

        // above a zero point of the lowest code no value below zero matters
        Assert.True(ShortRequantization.Find([channel], -128, -128, 127)!.HasOneOffset);
    }

    [Theory]
    [MemberData(nameof(Outputs))]
    public void Every_value_of_a_channel_gets_its_code_around_zero(int zeroPoint, int low, int high)
    {
        var (found, asked) = (0, 0);
        var seed = 3u;
        for (var turn = 2; turn < 62; turn++)
        {
            // channels of a layer that shifts right: few have other multipliers
            var channel = Next(ref seed, turn);
            asked += channel.Shift is < -3 ? 1 : 0;
            if (CentredRequantization.Find([channel], zeroPoint, low, high) is not { } form)
            {
                continue;
            }

            found += channel.Shift is < -3 ? 1 : 0;
            for (long value = channel.Lowest; value <= channel.Highest; value++)
            {
                var code = Math.Clamp(FixedPoint.MultiplyByQuantizedMultiplier((int)value, channel.Multiplier, channel.Shift) + zeroPoint, low, high);
                var actual = form.Code(0, (int)value - channel.Bias, high - low) + low;
                if (code != actual)
                {
                    Assert.Fail($"{channel}: {value} is {code}, not {actual}");
                }
            }
        }

        Assert.True(found > asked * 3 / 4, $"only {found} of {asked} channels have a form around zero");
    }

    [Fact]
    public void Around_zero_a_correction_takes_the_place_of_a_second_offset()
    {
        var channel = new RequantizedChannel(-300, 1_500_000_001, -8, -400_000, 400_000);
        Assert.False(ShortRequantization.Find([channel], 0, -128, 127)!.HasOneOffset);
        var form = CentredRequantization.Find([channel], 0, -128, 127)!;
        foreach (var value in Enumerable.Range(-400_000, 800_001))
        {
            var code = Math.Clamp(FixedPoint.MultiplyByQuantizedMultiplier(value, channel.Multiplier, channel.Shift), -128, 127);
            if (form.Code(0, value - channel.Bias, 255) - 128 != code)
            {
                Assert.Fail($"{value} is {code}, not {form.Code(0, value - channel.Bias, 255) - 128}");
            }
        }

        Assert.Null(CentredRequantization.Find([channel with { Shift = 1, Lowest = -1000, Highest = 1000 }], 0, -128, 127));
    }

    [Fact]
    public void A_channel_of_one_value_keeps_its_code_beside_others()
    {
        RequantizedChannel[] channels = [new(4 * 55, 1 << 30, -1, 4 * 55, 4 * 55), new(1000, 1_500_000_000, -8, -90_000, 90_000)];
        var form = ShortRequantization.Find(channels, -128, -128, 127);
        Assert.NotNull(form);
        Assert.Equal(FixedPoint.MultiplyByQuantizedMultiplier(4 * 55, 1 << 30, -1), form.Code(0, 0, 255));
    }

    [Theory]
    [InlineData(0, 100, 50)]
    [InlineData(1_500_000_000, 0, -1)]
    [InlineData(1_500_000_000, -(1 << 29), 1 << 29)]
    public void What_leaves_32_bits_or_has_no_values_has_no_short_form(int multiplier, int lowest, int highest) =>
        Assert.Null(ShortRequantization.Find([new(0, multiplier, 0, lowest, highest)], -128, -128, 127));

    /// <summary>Multipliers, shifts, biases and ranges as trained layers have them, and their extremes, from a linear congruential generator.</summary>
    private static RequantizedChannel Next(ref uint seed, int turn)
    {
        var multiplier = turn % 7 == 0 ? 1 << 30 : turn % 7 == 1 ? int.MaxValue : (1 << 30) + Draw(ref seed, 1 << 30);
        var shift = turn % 11 == 0 ? 1 : -Draw(ref seed, 12);
        var reach = shift > 0 ? 1000 : 1 << (12 + Draw(ref seed, 7));
        var bias = Draw(ref seed, reach) - (reach / 2);
        return new(bias, multiplier, shift, bias - Draw(ref seed, reach), bias + Draw(ref seed, reach));
    }

    private static int Draw(ref uint seed, int below)
    {
        seed = (seed * 1_664_525) + 1_013_904_223;
        return (int)((ulong)seed * (ulong)below >> 32);
    }
}
