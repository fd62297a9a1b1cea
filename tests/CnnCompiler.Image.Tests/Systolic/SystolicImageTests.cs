using CnnCompiler.Fuzzing;
using CnnCompiler.Image.Container;
using CnnCompiler.Image.Systolic;
using CnnCompiler.Image.Tests.Container;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.HostFunctions;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Image.Tests.Systolic;

/// <summary>Images of systolic machines: bytes, rules, listing.</summary>
public sealed partial class SystolicImageTests
{
    private static readonly SystolicOperator Product = new(
        0,
        [new(SystolicRole.Group, 2), new(SystolicRole.Position, 5), new(SystolicRole.Column, 3), new(SystolicRole.Row, 4)],
        new(0, SystolicElement.Int8, SystolicOutside.Fill, -7, [new(5, -1, [0, 1, 0, 1]), new(2, 0, [1, 0, 0, 0])]),
        new(64, SystolicElement.Int8, SystolicOutside.Never, 0, [new(6, 0, [3, 0, 1, 0]), new(4, 0, [0, 0, 0, 1])]),
        [new(128, SystolicElement.Int32, SystolicOutside.Never, 0, [new(6, 0, [3, 0, 1, 0])])],
        SystolicElement.Int32,
        [new(ScalarOpcode.Input)],
        [new(ScalarOpcode.Input), new(ScalarOpcode.Kernel), new(ScalarOpcode.Multiply)],
        SystolicReduction.Add,
        [new(ScalarOpcode.Accumulator), new(ScalarOpcode.Extra, 0), new(ScalarOpcode.Add), new(ScalarOpcode.Literal, long.MinValue + 1), new(ScalarOpcode.Maximum)],
        new(192, SystolicElement.Int64, SystolicOutside.Never, 0, [new(5, 0, [0, 1, 0, 0]), new(6, 0, [3, 0, 1, 0])]),
        new(2, 5, SystolicOrder.VectorsOuter, true, false, 0, 1, 0, 1));

    private static readonly SystolicHostStep Resized = new(0, new Resizing(ResizedElement.Int8, 1, 4, 4, 2, 3, 5, true, false, true), 0, 0, 512);

    private static readonly SystolicHostStep Pooled = new(-1, new RegionPooling(6, 7, 3, 2, 2, 2, 0.0625f), 0, 1024, 2048);

    private static readonly CnnImage Whole = ImageOf(
    [
        Product,
        new SystolicSoftmax(-1, 0, 512, 2, 10, 1 << 30, 20, -31),
        Resized,
        Pooled,
        new SystolicHostStep(0, new RegionProposals(3, 4, 48, 64, 16, [8, 16], [0.5f, 1, 2], 60, 5, 0.7f, 16), 0, 4096, 16384),
    ]);

    [Fact]
    public void An_image_is_written_and_read_back_and_the_bytes_are_the_same()
    {
        var bytes = ImageWriter.Write(Whole);
        var read = Read(bytes)!;
        Assert.Equal(bytes, ImageWriter.Write(read));
        Assert.Equal(Whole.Machine, read.Machine);
        var step = Assert.IsType<SystolicOperator>(read.Systolic!.Steps[0]);
        Assert.Equal(Product.Array, step.Array);
        Assert.Equal(Product.Post, step.Post);
        Assert.All([1, 2, 3], i => Assert.Equal(Whole.Systolic!.Steps[i], read.Systolic.Steps[i]));
        Assert.Equal((4, 4), (read.Systolic.Configurations[1].RowGroups, read.Systolic.Configurations[1].ColumnGroups));
    }

    [Fact]
    public void The_listing_shows_products_depths_bypass_bits_and_programs()
    {
        var text = ImagePrinter.Print(Whole);
        Assert.All(
            ["2 products, M 5, N 3, K 4", "kh 4 kv 4", "horizontal bypass bits 16", "word 30583", "op multiply", "softmax", "groups-packed 2", "order vectorsouter"],
            part => Assert.Contains(part, text, StringComparison.Ordinal));
    }

    public static TheoryData<string> Violations() => [.. Broken.Keys];

    /// <summary>A step that breaks each rule, by words of the message.</summary>
    private static readonly Dictionary<string, SystolicStep> Broken = new(StringComparer.Ordinal)
    {
        ["a layer that is not there"] = Product with { Layer = 1 },
        ["more trips than 2^48"] = Product with { Loops = [.. Enumerable.Range(0, 4).Select(_ => new SystolicLoop(SystolicRole.Position, 1 << 13))] },
        ["skips a tap where nothing is reduced"] = Product with { Array = null, Reduce = SystolicReduction.None, Loops = [.. Product.Loops.Take(3), new(SystolicRole.Row, 1)], Input = Product.Input with { Outside = SystolicOutside.Skip } },
        ["skips taps of its kernel"] = Product with { Array = null, Kernel = Product.Kernel! with { Outside = SystolicOutside.Skip } },
        ["skips a further operand"] = Product with { Extras = [Product.Extras[0] with { Outside = SystolicOutside.Skip }] },
        ["writes outside its output"] = Product with { Output = Product.Output with { Outside = SystolicOutside.Fill } },
        ["has rows to reduce and no reduction"] = Product with { Array = null, Reduce = SystolicReduction.None },
        ["operands that are not int8"] = Product with { Kernel = Product.Kernel! with { Element = SystolicElement.UInt8 } },
        ["taps that it can't take"] = Product with { Input = Product.Input with { FillValue = 128 } },
        ["something other than int32 sums"] = Product with { Accumulator = SystolicElement.Int64 },
        ["is not a product of matrices"] = Product with { Input = Product.Input with { Dimensions = [Product.Input.Dimensions[0], new(2, 0, [0, 0, 1, 0])] } },
        ["counts taps behind the array"] = Product with { Post = [new(ScalarOpcode.TapCount)] },
        ["uses a configuration that is not there"] = Product with { Array = Product.Array! with { LastRows = 2 } },
        ["streams more vectors than there are"] = Product with { Array = Product.Array! with { VectorsPerTile = 6 } },
        ["packs more groups than the array holds"] = Product with { Array = Product.Array! with { GroupsPacked = 3 } },
        ["whose index has another number of loops"] = Product with { Extras = [Product.Extras[0] with { Dimensions = [new(6, 0, [0])] }] },
        ["that changes while it reduces"] = Product with { Extras = [Product.Extras[0] with { Dimensions = [new(6, 0, [0, 0, 0, 1])] }] },
        ["that leaves its tensor"] = Product with { Kernel = Product.Kernel! with { Dimensions = [new(5, 0, [3, 0, 1, 0]), new(4, 0, [0, 0, 0, 1])] } },
        ["whose index is too large"] = Product with { Input = Product.Input with { Dimensions = [new(5, 0, [0, long.MaxValue, 0, 0])] } },
        ["that is too large"] = Product with { Input = Product.Input with { Dimensions = [new(1 << 20, 0, [0, 0, 0, 0]), new(1 << 20, 0, [0, 0, 0, 0])] } },
        ["whose index divides although it is never outside"] = Product with { Kernel = Product.Kernel! with { Dimensions = [Product.Kernel!.Dimensions[0] with { Divisor = 2 }, Product.Kernel.Dimensions[1]] } },
        ["an input whose index divides"] = Product with { Input = Product.Input with { Dimensions = [Product.Input.Dimensions[0] with { Divisor = 2 }, Product.Input.Dimensions[1]] } },
        ["a multiple of its element's size"] = Product with { Output = Product.Output with { Address = 196 } },
        ["outside the 1048576 bytes of RAM"] = Product with { Output = Product.Output with { Address = 1048568 } },
        ["a value that pre does not have"] = Product with { Pre = [new(ScalarOpcode.Accumulator)] },
        ["a further operand in post that is not there"] = Product with { Post = [new(ScalarOpcode.Extra, 1)] },
        ["does not leave one value"] = Product with { Main = [new(ScalarOpcode.Add)] },
        ["asks the host for aligned corners and elements in the middle"] = Resized with { Function = (Resizing)Resized.Function with { AlignCorners = true } },
        ["asks the host for a spatial scale that is no number"] = Pooled with { Function = (RegionPooling)Pooled.Function with { SpatialScale = float.NaN } },
        ["asks the host for anchors with a scale or ratio"] = Pooled with { Function = new RegionProposals(3, 4, 48, 64, 16, [8, 0], [1], 60, 5, 0.7f, 16) },
        ["asks the host for an overlap or least size"] = Pooled with { Function = new RegionProposals(3, 4, 48, 64, 16, [8], [1], 60, 5, 0.7f, float.PositiveInfinity) },
        ["a tensor of the host that is too large"] = Resized with { Function = (Resizing)Resized.Function with { ResultHeight = int.MaxValue } },
        ["more operations than 2^48"] = Resized with { Function = new RegionProposals(3, 4, 48, 64, 16, [8], [1], 60, 5, 0.7f, 16) { Before = int.MaxValue, Height = 1 << 14, Width = 1 << 12, Count = 100_000_000 } },
        ["writes over what it reads"] = Pooled with { Destination = 1040 },
        ["more accumulators than a column has"] = Product with
        {
            Loops = [new(SystolicRole.Group, 1), new(SystolicRole.Position, 2000), new(SystolicRole.Column, 1), new(SystolicRole.Row, 17)],
            Input = new(0, SystolicElement.Int8, SystolicOutside.Never, 0, [new(17, 0, [0, 0, 0, 1])]),
            Kernel = new(0, SystolicElement.Int8, SystolicOutside.Never, 0, [new(17, 0, [0, 0, 0, 1])]),
            Output = new(0, SystolicElement.Int32, SystolicOutside.Never, 0, [new(2000, 0, [0, 1, 0, 0])]),
            Array = Product.Array! with { GroupsPacked = 1, VectorsPerTile = 2000 },
        },
    };

    [Theory]
    [MemberData(nameof(Violations))]
    public void Every_rule_is_checked(string rule)
    {
        var bag = new DiagnosticBag();
        Assert.Null(ImageReader.Read(ImageWriter.Write(ImageOf([Broken[rule]])), "test.cnnb", bag));
        Assert.Contains(rule, bag.Diagnostics[0].Message, StringComparison.Ordinal);
        Assert.Equal(rule.StartsWith("outside the ", StringComparison.Ordinal) ? "CNN0619" : "CNN0631", bag.Diagnostics[0].Code);
    }

    [Fact]
    public void Every_rule_of_the_checker_has_a_violation_here()
    {
        var source = File.ReadAllText(Path.Combine(TestSupport.SharedMaterial.Repository, "runtime", "CnnCompiler.Image", "Systolic", "SystolicChecker.cs"));
        var rules = RuleText().Matches(source).Select(match => match.Groups["rule"].Value).ToList();
        Assert.True(rules.Count >= 25, $"{rules.Count} rules found");

        // the two about configurations have a test of their own
        string[] known = [.. Broken.Keys, "is for an array of", "has groups that the machine has no clock for"];
        Assert.All(rules, rule => Assert.Contains(known, violation => Parts(rule).Any(part => part.Contains(violation, StringComparison.Ordinal) || violation.Contains(part, StringComparison.Ordinal))));

        static IEnumerable<string> Parts(string rule) => rule.Split('{', '}').Where((_, i) => i % 2 == 0).Select(part => part.Trim()).Where(part => part.Length > 8);
    }

    [System.Text.RegularExpressions.GeneratedRegex("Require\\((?:(?!Require).)*?\\$?\"(?<rule>[^\"]+)\"\\)?\\);", System.Text.RegularExpressions.RegexOptions.Singleline | System.Text.RegularExpressions.RegexOptions.ExplicitCapture)]
    private static partial System.Text.RegularExpressions.Regex RuleText();

    [Fact]
    public void Configurations_are_of_the_array_and_have_a_clock()
    {
        Assert.Contains("5x7", Refusal(Whole with { Systolic = Whole.Systolic! with { Configurations = [SystolicConfiguration.Of(5, 7, 1, 1), SystolicConfiguration.Of(16, 16, 4, 4)] } }).Message, StringComparison.Ordinal);
        Assert.Contains("no clock", Refusal(Whole with { Systolic = Whole.Systolic! with { Configurations = [SystolicConfiguration.Of(16, 16, 3, 1), SystolicConfiguration.Of(16, 16, 4, 4)] } }).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_machine_and_a_program_of_different_kinds_are_refused()
    {
        Assert.Equal("CNN0632", Refusal(Whole with { Systolic = null }).Code);
        Assert.Equal("CNN0632", Refusal(Whole with { Machine = BuiltInMachines.Default }).Code);
    }

    [Fact]
    public void Mutants_with_right_checksums_are_read_safely()
    {
        var generator = new SeededRandom(5);
        var bytes = ImageWriter.Write(Whole);
        var accepted = 0;
        var codes = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < 20_000; i++)
        {
            var file = ImageFile.Parse(bytes);
            var index = file.Sections.Count - 1;
            var section = file.Sections[index];
            var payload = (byte[])section.Payload.Clone();
            var at = 4 * generator.Below(payload.Length / 4);
            BitConverter.TryWriteBytes(payload.AsSpan(at), generator.Choose<uint>(0, 1, 2, 3, 4, 8, 16, 255, 0x7FFFFFFF, 0x80000000, uint.MaxValue, BitConverter.ToUInt32(payload, at) + 1, generator.NextBits()));
            file.Sections[index] = section with { Payload = generator.Below(10) == 0 ? payload[..(4 * generator.Below(payload.Length / 4))] : payload };
            var bag = new DiagnosticBag();
            var before = GC.GetAllocatedBytesForCurrentThread();
            var image = ImageReader.Read(file.Build(), "mutant.cnnb", bag);
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
            if (image is null)
            {
                codes.Add(Assert.Single(bag.Diagnostics).Code);
                continue;
            }

            accepted++;
            Assert.Equal(ImageWriter.Write(image), ImageWriter.Write(Read(ImageWriter.Write(image))!));
            Assert.NotEmpty(ImagePrinter.Print(image));
        }

        Assert.InRange(accepted, 200, 15_000);
        Assert.True(codes.Count >= 6, string.Join(' ', codes));
    }

    [Fact]
    public void Every_scalar_operation_has_a_row_and_numbers_are_given_once()
    {
        Assert.Equal(Enum.GetValues<ScalarOpcode>(), ScalarInstructionSet.Rows.Select(row => row.Opcode));
        Assert.Equal(ScalarInstructionSet.Rows.Count, ScalarInstructionSet.Rows.Select(row => row.Mnemonic).Distinct(StringComparer.Ordinal).Count());
        Assert.All(ScalarInstructionSet.Rows, row => Assert.Same(row, ScalarInstructionSet.Find((int)row.Opcode)));
    }

    private static CnnImage ImageOf(IReadOnlyList<SystolicStep> steps)
    {
        var machine = BuiltInMachines.ArrayFlex[3] with { Ram = new(1 << 20, 1 << 20, 0) };
        return new(
            machine,
            [],
            [new(64, new uint[] { 1, 2, 3 })],
            default,
            [new("in", [5, 2], ImageElementType.Int8, 1, 0, 0)],
            [new("out", [2, 10], ImageElementType.Int8, 1, 0, 512)],
            [new("layer", "conv2d", 120)],
            [],
            [],
            [])
        {
            Systolic = new([SystolicConfiguration.Of(16, 16, 1, 1), SystolicConfiguration.Of(16, 16, 4, 4)], steps),
        };
    }

    private static CnnImage? Read(byte[] bytes) => ImageReader.Read(bytes, "test.cnnb", new DiagnosticBag());

    private static Diagnostic Refusal(CnnImage image)
    {
        var bag = new DiagnosticBag();
        Assert.Null(ImageReader.Read(ImageWriter.Write(image), "test.cnnb", bag));
        return bag.Diagnostics[0];
    }
}
