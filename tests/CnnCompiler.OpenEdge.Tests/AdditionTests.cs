using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Arithmetic;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Targets.OpenEdge.Kernels;

namespace CnnCompiler.OpenEdge.Tests;

/// <summary>Sums of two values in one multiplication an operand: every pair of codes gets the code that the roundings of TFLite give it, whatever the shapes.</summary>
public class AdditionTests
{
    /// <summary>Zero point, lowest and highest code.</summary>
    public static TheoryData<int, int, int> Outputs() => new()
    {
        { -128, -128, 127 },
        { -128, -128, 20 },
        { 0, -128, 127 },
        { 17, 17, 127 },
        { -5, -5, 100 },
        { 127, -128, 127 },
    };

    [Theory]
    [MemberData(nameof(Outputs))]
    public void Every_pair_of_codes_gets_its_code(int zeroPoint, int low, int high)
    {
        const int Turns = 24;
        var found = 0;
        for (var turn = 1; turn <= Turns; turn++)
        {
            // the operand of the larger scale is halved, as TFLite's preparation has it
            int[] first = [.. Codes().Select(c => FixedPoint.MultiplyByQuantizedMultiplier((c + (turn * 5)) << 20, 1 << 30, 0))];
            int[] second = [.. Codes().Select(c => FixedPoint.MultiplyByQuantizedMultiplier((c - (turn * 3)) << 20, (1 << 30) + (turn * 37_000_001), -turn % 4))];
            var (multiplier, shift) = ((1 << 30) + (turn * 41_000_003), -17 - (turn % 3));
            if (ShortAddition.Find(first, second, multiplier, shift, zeroPoint, low, high) is not { } form)
            {
                continue;
            }

            found++;
            foreach (var x in Codes())
            {
                foreach (var y in Codes())
                {
                    var code = Math.Clamp(FixedPoint.MultiplyByQuantizedMultiplier(first[x + 128] + second[y + 128], multiplier, shift) + zeroPoint, low, high);
                    if (code != form.Code(x, y, high - low) + low)
                    {
                        Assert.Fail($"turn {turn}: {x} and {y} are {code}, not {form.Code(x, y, high - low) + low}");
                    }
                }
            }
        }

        Assert.True(found > Turns * 3 / 4, $"only {found} sums have a short form");
    }

    [Fact]
    public void Halves_that_are_rounded_away_from_zero_on_both_sides_are_reached_by_larger_weights()
    {
        int[] codes = [.. Codes().Select(c => c << 19)];
        var form = ShortAddition.Find(codes, codes, 1 << 30, -19, 0, -128, 127)!;
        Assert.Equal([-2, -1, -1, 0, 1, 1, 2], Enumerable.Range(-3, 7).Select(y => form.Code(0, y, 255) - 128));
        Assert.True(form.First > 1 << (form.Shift - 1));
    }

    [Fact]
    public void A_function_that_is_no_line_has_no_short_form()
    {
        int[] codes = [.. Codes().Select(c => c << 19)];
        int[] curve = [.. Codes().Select(c => c * c << 12)];
        Assert.Null(ShortAddition.Find(codes, curve, 1 << 30, -18, -128, -128, 127));
    }

    /// <summary>Scales of the operands and of the sum, its zero point and activation, and whether the sum has the short form.</summary>
    public static TheoryData<float, float, float, int, FusedActivation, bool> Scales() => new()
    {
        { 0.1f, 0.3f, 0.7f, 5, FusedActivation.None, true },
        { 0.3f, 0.1f, 0.25f, -128, FusedActivation.Relu, true },
        { 0.5f, 0.5f, 1f, 0, FusedActivation.None, true },
        { 0.02f, 0.05f, 0.03f, -100, FusedActivation.Relu6, true },
        { 3e-5f, 2.5f, 0.9f, 0, FusedActivation.None, true },
        
        // halves that the first rounding of the second operand decides, one way and the other
        { 0.3f, 0.1f, 0.2f, 0, FusedActivation.None, false },
    };

    [Theory]
    [MemberData(nameof(Scales))]
    public void Every_pair_of_codes_is_added_exactly_on_every_machine(float first, float second, float sum, int zeroPoint, FusedActivation activation, bool isShort)
    {
        var levels = Compile(new(
            "pairs",
            [new("a", Type(first, 11, 256, 1)), new("b", Type(second, -30, 1, 256))],
            [new Add("y", ["a", "b"], Type(sum, zeroPoint, 256, 256), activation, RoundingScheme.TfliteDouble)],
            ["y"]));
        Assert.Equal(isShort ? AddShortKernel.Strategy : AddKernel.Strategy, Sum(levels).Kernel);
        var codes = Codes().Select(c => (sbyte)c).ToArray();
        Assert.Null(levels.FirstDifference([Tensor.From<sbyte>(ElementType.Int8, Shape.Of(256, 1), codes), Tensor.From<sbyte>(ElementType.Int8, Shape.Of(1, 256), codes)]));
    }

    /// <summary>Height, width and channels, whether the operands and the sum have halos, and whether pairs of columns can follow the lines.</summary>
    public static TheoryData<int, int, int, bool, bool, bool> Shapes() => new()
    {
        { 1, 1, 16, false, false, true },
        { 5, 7, 3, false, false, true },
        { 1, 1, 7, false, false, false },
        { 6, 4, 4, true, false, true },
        { 6, 4, 4, false, true, true },
        { 7, 5, 3, true, true, true },
        { 3, 1, 8, true, true, true },
        { 4, 3, 2, true, true, false },
        { 9, 33, 8, true, true, true },
        { 5, 40, 24, true, true, true },
        { 2, 210, 11, false, true, false },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Sums_of_every_shape_are_exact(int height, int width, int channels, bool operandsHaveHalos, bool sumHasHalo, bool isFollowed)
    {
        var (a, b) = (Type(0.11f, 4, 1, height, width, channels), Type(0.07f, -9, 1, height, width, channels));
        var y = Type(0.13f, -20, 1, height, width, channels);
        var levels = Compile(new(
            "shape",
            [new("a", a), new("b", b)],
            [
                new Add("y", ["a", "b"], y, FusedActivation.Relu, RoundingScheme.TfliteDouble),
                .. operandsHaveHalos ? [Window("fromA", "a", a), Window("fromB", "b", b)] : (Layer[])[],
                .. sumHasHalo ? [Window("fromY", "y", y)] : (Layer[])[],
            ],
            ["y", .. operandsHaveHalos ? ["fromA", "fromB"] : (string[])[], .. sumHasHalo ? ["fromY"] : (string[])[]]));
        Assert.Equal(isFollowed ? AddShortKernel.Strategy : AddKernel.Strategy, Sum(levels).Kernel);
        foreach (var seed in (ReadOnlySpan<int>)[1, 7, 11])
        {
            Assert.Null(levels.FirstDifference([Values(a, seed), Values(b, seed * 3)]));
        }
    }

    [Theory]
    [InlineData(6, 5, 16, true)]
    [InlineData(6, 5, 16, false)]
    [InlineData(3, 9, 8, true)]
    public void A_value_of_every_channel_or_of_all_is_added_to_every_position(int height, int width, int channels, bool isOfChannels)
    {
        var (a, b) = (Type(0.11f, 4, 1, height, width, channels), Type(0.07f, -9, 1, 1, 1, isOfChannels ? channels : 1));
        var levels = Compile(new(
            "broadcast", [new("a", a), new("b", b)], [new Add("y", ["a", "b"], Type(0.13f, -20, 1, height, width, channels), FusedActivation.None, RoundingScheme.TfliteDouble)], ["y"]));
        Assert.Equal(AddShortKernel.Strategy, Sum(levels).Kernel);
        Assert.Null(levels.FirstDifference([Values(a, 5), Values(b, 3)]));
    }

    private static AllLevels Compile(NetworkGraph network)
    {
        var diagnostics = new DiagnosticBag();
        var levels = AllLevels.Compile(network, diagnostics);
        Assert.True(levels is not null, string.Join('\n', diagnostics.Diagnostics));
        return levels;
    }

    private static MappedNest Sum(AllLevels levels) => levels.Mapped.Steps.OfType<MappedNest>().Single(n => n.Name == "y");

    /// <summary>A convolution that reads beyond the border, so that its input lies in a halo.</summary>
    private static Conv2D Window(string name, string input, TensorType type) => new(
        name,
        [input],
        Type(4f, 3, 1, type.Shape[1], type.Shape[2], 1),
        Tensor.From<sbyte>(ElementType.Int8, Shape.Of(1, 3, 3, type.Shape[3]), [.. Enumerable.Range(0, 9 * type.Shape[3]).Select(i => (sbyte)((i * 37 % 255) - 127))]),
        Quantization.PerTensor(0.1f, 0),
        null,
        new(1, 1),
        new(1, 1),
        new(1, 1, 1, 1),
        1,
        FusedActivation.None,
        RoundingScheme.TfliteDouble);

    private static TensorType Type(float scale, int zeroPoint, params int[] shape) => new(ElementType.Int8, Shape.Of(shape), Quantization.PerTensor(scale, zeroPoint));

    private static Tensor Values(TensorType type, int seed) =>
        Tensor.From<sbyte>(ElementType.Int8, type.Shape, [.. Enumerable.Range(0, (int)type.Shape.Elements).Select(i => (sbyte)(((i * 41 * seed) + (i / 7)) % 256))]);

    private static IEnumerable<int> Codes() => Enumerable.Range(sbyte.MinValue, 256);
}
