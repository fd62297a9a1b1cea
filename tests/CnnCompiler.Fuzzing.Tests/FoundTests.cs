using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;
using CnnCompiler.Ir.Text;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Fuzzing.Tests;

/// <summary>What fuzzing found, each as small as it could be made, and the sums that are too long to be drawn often.</summary>
public class FoundTests
{
    public static TheoryData<string, string> Networks => new()
    {
        {
            "a table of a scalar, of which the table has more dimensions",
            """
            input %x : i8[5x3] scale 0.2 zero 3
            %m = mean %x axes=[0, 1] round=tflite-double : i8[] scale 0.1 zero 1
            %y = hard_swish %m round=tflite-double : i8[] scale 0.1 zero 0
            output %y
            """
        },
        {
            "a constant that stands for a value",
            """
            input %x : i8[1x2x2x3] scale 0.2 zero 3
            %c = constant value=i8[1x1x1x3]{-128, 0, 127} : i8[1x1x1x3] scale 0.1 zero 0
            %y = add %x, %c round=tflite-double : i8[1x2x2x3] scale 0.3 zero 0
            output %y
            """
        },
        {
            "a reshape of a value that was complete some steps before",
            """
            input %x : i8[9x11] scale 0.3 zero 0
            input %z : i8[11x9x1x1] scale 0.04 zero 0
            input %w : i8[1] scale 0.006 zero -128
            %r = reshape %x : i8[11x9x1x1] scale 0.3 zero 0
            %s = sub %r, %z round=tflite-double : i8[11x9x1x1] scale 0.16 zero -128
            %y = sub %s, %w round=tflite-double : i8[11x9x1x1] scale 0.12 zero 16
            output %y
            """
        },
        {
            "a clamp of a scalar",
            """
            input %x : i8[11] scale 0.7 zero 109
            %m = mean %x axes=[0] round=tflite-single : i8[] scale 0.7 zero 109
            %y = clip %m low=-inf high=0.75 : i8[] scale 0.7 zero 109
            output %y
            """
        },
        { "a bias that sums wrap with, tflite-double", Wrapping("tflite-double", "i8[1x2] scale 0.001 zero 4") },
        { "a bias that sums wrap with, tflite-single", Wrapping("tflite-single", "i8[1x2] scale 0.001 zero 4") },
        { "a bias that sums wrap with, onnx-half-even", Wrapping("onnx-half-even", "i8[1x2] scale 0.001 zero 4") },
        { "a bias that raw sums wrap with", Wrapping("tflite-double", "i32[1x2] scale 0.02 zero 0") },
    };

    [Theory]
    [MemberData(nameof(Networks))]
    public void It_is_the_same_at_every_level_now(string what, string statements)
    {
        var diagnostics = new DiagnosticBag();
        var network = NetworkParser.Parse($"network \"found\" {{\n{statements}\n}}\n", "found.cnnir", ConstantStore.Empty, diagnostics);
        Assert.True(network is not null, string.Join('\n', diagnostics.Diagnostics));
        for (var seed = 0; seed < 5; seed++)
        {
            var outcome = NetworkFuzzer.Check(network, seed, FuzzMachine.All, TestContext.Current.CancellationToken);
            Assert.True(outcome.Failure is null, $"{what}: {outcome.Failure}");
            Assert.True(outcome.Images > 0, what);
        }
    }

    [Theory]
    [InlineData(RoundingScheme.TfliteDouble)]
    [InlineData(RoundingScheme.TfliteSingle)]
    [InlineData(RoundingScheme.OnnxHalfEven)]
    public void Sums_of_so_many_products_that_they_leave_32_bits_wrap_at_every_level(RoundingScheme rounding)
    {
        const int terms = 66_000;
        var input = new TensorType(ElementType.Int8, Shape.Of(1, terms), Quantization.PerTensor(0.5f, 127));
        var result = new TensorType(ElementType.Int8, Shape.Of(1, 1), Quantization.PerTensor(1 << 20, 0));
        var weights = Tensor.From<sbyte>(ElementType.Int8, Shape.Of(1, terms), [.. Enumerable.Repeat(sbyte.MinValue, terms)]);
        var dense = new Dense("y", ["x"], result, weights, Quantization.PerTensor(0.25f, 0), null, FusedActivation.None, rounding);
        Wraps(new("dense", [new("x", input)], [dense], ["y"]));

        var matmul = new MatMul("y", ["x", "w"], result, false, true, FusedActivation.None, rounding);
        Wraps(new("matmul", [new("x", input), new("w", input)], [matmul], ["y"]));
    }

    // The smallest inputs, with which the sum is far beyond; random ones would rarely be.
    private static void Wraps(NetworkGraph network)
    {
        Tensor[] inputs = [.. network.Inputs.Select(input => Tensor.From<sbyte>(ElementType.Int8, input.Type.Shape, [.. Enumerable.Repeat(sbyte.MinValue, (int)input.Type.Shape.Elements)]))];
        var outcome = NetworkFuzzer.Check(network, inputs, FuzzMachine.All, TestContext.Current.CancellationToken);
        Assert.True(outcome is { Failure: null, Images: > 0 }, outcome.Failure);
    }

    private static string Wrapping(string rounding, string result) =>
        $$"""
        input %x : i8[1x4] scale 0.5 zero -7
        %y = dense %x weights=i8[2x4]{127, 127, -128, 127, -128, -128, 127, -128} scale=0.04 bias=i32[2]{2147483600, -2147483600} round={{rounding}} : {{result}}
        output %y
        """;
}
