using CnnCompiler.Image.Container;
using CnnCompiler.Image.Overlay;
using CnnCompiler.Image.Systolic;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Image.Tests.Systolic;

/// <summary>Words of an overlay: bytes, rules, listing.</summary>
public sealed partial class OverlayImageTests
{
    private static readonly OverlayAxis Plain = new(5, 5, 1, 1, [1], [1], 1);
    private static readonly OverlayAxis Two = new(5, 5, 1, 2, [1, 0, -1, 0, 0, 1, 1, 0, 0, -1, 1, 0, 0, 1, 0, -1], [1, 1, 1, 0, 0, 1, -1, -1], 2);
    private static readonly OverlayWindow Window = new(1, Two, Two, 4, 2, [new(-1, -1)], -3);
    private static readonly OverlayTransform Transform = new(0, 0, 1024, Window);

    private static readonly SystolicOperator Operation = new(
        0,
        [new(SystolicRole.Position, 5), new(SystolicRole.Position, 5), new(SystolicRole.Group, 2), new(SystolicRole.Column, 3)],
        Flat(0, SystolicElement.Int8, 100),
        Flat(4096, SystolicElement.Int16, 2 * 3 * 16 * 2),
        [],
        SystolicElement.Int32,
        [new(ScalarOpcode.Input)],
        [new(ScalarOpcode.Input)],
        SystolicReduction.None,
        [new(ScalarOpcode.Accumulator)],
        new(8192, SystolicElement.Int32, SystolicOutside.Never, 0, [new(5, 0, [1, 0, 0, 0]), new(5, 0, [0, 1, 0, 0]), new(6, 0, [0, 0, 3, 1])]),
        null);

    private static readonly OverlayConvolution Convolution = new(Operation, Window, false, false, OverlayDataflow.WeightStationary, 2, 3, true, 16384, new(-1, 0, 1, 2, 3));

    /// <summary>A step that breaks each rule, by words of the message.</summary>
    private static readonly Dictionary<string, SystolicStep> Broken = new(StringComparer.Ordinal)
    {
        ["has a destination that is not a multiple of its element's size"] = Transform with { Destination = 1025 },
        ["writes over what it reads"] = Transform with { Destination = 64 },
        ["is no operation of the overlay's unit"] = Convolution with { Operation = Operation with { Reduce = SystolicReduction.Add } },
        ["counts taps behind the unit"] = Convolution with { Operation = Operation with { Post = [new(ScalarOpcode.TapCount)] } },
        ["names a loop that is not there"] = Convolution with { Loops = new(-1, 0, 1, 2, 4) },
        ["has loops that are not its window's"] = Convolution with { Window = Window with { Batch = 2 } },
        ["names a loop twice"] = Convolution with { Loops = new(-1, 0, 0, 2, 3) },
        ["has a loop that its window does not have"] = Convolution with { Loops = new(-1, 0, 1, 2, -1) },
        ["adds up rounds that are transformed or stored"] = Convolution with { IsSeparate = true },
        ["has passes larger than the convolution"] = Convolution with { RowsPerPass = 4 },
        ["has a pass that is too large"] = Convolution with { Window = Window with { Rounds = [.. Enumerable.Repeat(default(OverlayRound), 60_000)], Channels = 1 << 10, Groups = 2 } },
        ["has weights of another size"] = Convolution with { Operation = Operation with { Kernel = Flat(4096, SystolicElement.Int16, 7) } },
        ["has an input of another size"] = Convolution with { IsStored = true },
        ["has corrections at an address that is not a multiple of 4"] = Convolution with { Corrections = 3 },
        ["needs a larger buffer for activations"] = Convolution with { Window = Window with { Channels = 1 << 13 }, Operation = Operation with { Input = Flat(0, SystolicElement.Int8, 25 << 13), Kernel = Flat(4096, SystolicElement.Int16, 3 << 17) } },
        ["needs a larger buffer for weights"] = Convolution with
        {
            Operation = Operation with { Loops = [.. Operation.Loops.Take(3), new(SystolicRole.Column, 1 << 13)], Kernel = Flat(4096, SystolicElement.Int16, 2 << 18), Output = Flat(0, SystolicElement.Int32, 1) },
            ColumnsPerPass = 1 << 13,
            RowsPerPass = 1,
        },
        ["needs more accumulators than there are"] = Convolution with
        {
            Operation = Operation with { Loops = [.. Operation.Loops.Take(3), new(SystolicRole.Column, 1 << 11)], Kernel = Flat(4096, SystolicElement.Int16, 2 << 16), Output = Flat(0, SystolicElement.Int32, 1) },
            ColumnsPerPass = 1 << 11,
        },
        ["is for an overlay, which the machine is not"] = Transform,
        ["has matrices that do not fit each other"] = Transform with { Window = Window with { Rows = Two with { Tile = 3 } } },
        ["has groups that do not divide its channels, or no rounds"] = Transform with { Window = Window with { Groups = 3 } },
        ["has a window that is too large"] = Transform with { Window = Window with { Channels = 1 << 30 } },
        ["has more products than 2^48"] = Convolution with
        {
            Window = new(1, Plain with { Output = 1 << 17 }, Plain with { Output = 1 << 17 }, 4, 2, [.. Enumerable.Repeat(default(OverlayRound), 1 << 11)], 0),
            Operation = Operation with { Loops = [new(SystolicRole.Position, 1 << 17), new(SystolicRole.Position, 1 << 17), .. Operation.Loops.Skip(2)], Kernel = Flat(4096, SystolicElement.Int16, 24576), Output = Flat(0, SystolicElement.Int32, 1) },
            RowsPerPass = 1,
        },
        ["has a transform whose result does not fit 16 bits"] = Transform with { Window = Window with { Rows = Two with { InputMatrix = [.. Enumerable.Repeat(100, 16)] } } },
    };

    public static TheoryData<string> Violations() => [.. Broken.Keys];

    [Fact]
    public void Words_are_written_and_read_back_and_the_bytes_are_the_same()
    {
        var bytes = ImageWriter.Write(ImageOf([Transform, Convolution]));
        var bag = new DiagnosticBag();
        var read = ImageReader.Read(bytes, "test.cnnb", bag);
        Assert.Empty(bag.Diagnostics);
        Assert.Equal(bytes, ImageWriter.Write(read!));
        var convolution = Assert.IsType<OverlayConvolution>(read!.Systolic!.Steps[1]);
        Assert.Equal((Convolution.Loops, Convolution.Dataflow, Convolution.Corrections), (convolution.Loops, convolution.Dataflow, convolution.Corrections));
        Assert.Equal(Window.Rounds, convolution.Window.Rounds);
    }

    [Fact]
    public void The_listing_shows_every_word()
    {
        var text = ImagePrinter.Print(ImageOf([Transform, Convolution]));
        Assert.All(["kind transform", "dataflow weightstationary", "rows-per-pass 2", "columns-per-pass 3", "row -1 column -1", "divisor 2", "corrections 16384"], part => Assert.Contains(part, text, StringComparison.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Violations))]
    public void Every_rule_is_checked(string rule)
    {
        var bag = new DiagnosticBag();
        var image = ImageOf([Broken[rule]]);
        image = rule.StartsWith("is for an overlay", StringComparison.Ordinal) ? image with { Machine = BuiltInMachines.ArrayFlex[3] } : image;
        Assert.Null(ImageReader.Read(ImageWriter.Write(image), "test.cnnb", bag));
        Assert.Contains(rule, bag.Diagnostics[0].Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_rule_of_the_checker_has_a_violation_here()
    {
        var source = File.ReadAllText(Path.Combine(TestSupport.SharedMaterial.Repository, "runtime", "CnnCompiler.Image", "Overlay", "OverlayChecker.cs"));
        var rules = RuleText().Matches(source).Select(match => match.Groups["rule"].Value).ToList();
        Assert.True(rules.Count >= 20, $"{rules.Count} rules found");
        Assert.All(rules, rule => Assert.Contains(rule, Broken.Keys));
    }

    [System.Text.RegularExpressions.GeneratedRegex("require\\((?:(?!require).)*?, \"(?<rule>[^\"]+)\"\\);", System.Text.RegularExpressions.RegexOptions.Singleline | System.Text.RegularExpressions.RegexOptions.ExplicitCapture)]
    private static partial System.Text.RegularExpressions.Regex RuleText();

    private static SystolicAccess Flat(int address, SystolicElement element, int elements) => new(address, element, SystolicOutside.Never, 0, [new(elements, 0, [0, 0, 0, 0])]);

    private static CnnImage ImageOf(IReadOnlyList<SystolicStep> steps)
    {
        var machine = BuiltInMachines.Overlay[1];
        steps = [.. steps.Select(step => step is OverlayConvolution convolution ? convolution with { Operation = Fit(convolution.Operation) } : step)];
        return new(
            machine,
            [],
            [],
            default,
            [new("in", [5, 2], ImageElementType.Int8, 1, 0, 0)],
            [new("out", [2, 10], ImageElementType.Int8, 1, 0, 512)],
            [new("layer", "conv2d", 120)],
            [],
            [],
            [])
        {
            Systolic = new([], steps),
        };
    }

    /// <summary>Coefficients for as many loops as there are.</summary>
    private static SystolicOperator Fit(SystolicOperator operation)
    {
        return operation with { Input = With(operation.Input), Kernel = With(operation.Kernel!), Output = With(operation.Output) };

        SystolicAccess With(SystolicAccess access) => access with
        {
            Dimensions = [.. access.Dimensions.Select(dimension => dimension with { Coefficients = [.. Enumerable.Range(0, operation.Loops.Count).Select(i => i < dimension.Coefficients.Count ? dimension.Coefficients[i] : 0)] })],
        };
    }
}
