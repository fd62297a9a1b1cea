using System.Numerics;
using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Fuzzing;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Ir.Tests;

/// <summary>Every layer in every element type against its naive definition, and what has no result.</summary>
public sealed class LayerEvaluationTests
{
    private const int Seeds = 150;

    private static readonly string[] NotInCodes = ["capsule_transform"];

    public static TheoryData<string, Elements> Layers =>
        [.. from kind in NaiveLayers.Kinds from elements in Enum.GetValues<Elements>() where elements != Elements.Code || !NotInCodes.Contains(kind) select (kind, elements)];

    [Theory]
    [MemberData(nameof(Layers))]
    public void Results_are_those_of_the_naive_definition(string kind, Elements elements)
    {
        for (var seed = 0; seed < Seeds; seed++)
        {
            var random = RandomLayers.Make(kind, elements, seed);
            if (NetworkVerifier.Check(random.Graph).Count == 0)
            {
                AreEqual(random);
            }
        }
    }

    [Theory]
    [InlineData(Elements.Real)]
    [InlineData(Elements.Fixed)]
    [InlineData(Elements.Code)]
    public void Resizes_of_any_size_are_those_of_the_naive_definition(Elements elements)
    {
        for (var seed = 0; seed < Seeds; seed++)
        {
            AreEqual(RandomLayers.MakeResize(elements, seed));
        }
    }

    // Channels that fill vectors of 16, do not, or are groups of their own; 30 pixels are more than one tile of them.
    [Theory]
    [InlineData(4, 1)]
    [InlineData(16, 1)]
    [InlineData(35, 1)]
    [InlineData(38, 2)]
    public void Wide_convolutions_of_reals_are_those_of_the_naive_definition(int outputs, int groups)
    {
        var random = new SeededRandom((ulong)outputs);
        var (input, output) = (new TensorType(ElementType.Float32, Shape.Of(2, 5, 6, 3 * groups)), new TensorType(ElementType.Float32, Shape.Of(2, 5, 6, outputs)));
        var layer = new Conv2D(
            "y", ["x"], output, Reals(Shape.Of(outputs, 3, 3, 3)), null, Reals(Shape.Of(outputs)), new(1, 1), new(1, 1), new(1, 1, 1, 1), groups, FusedActivation.Relu, RoundingScheme.TfliteDouble);

        AreEqual(new(new("wide", [new("x", input)], [layer], ["y"]), [Reals(input.Shape)]));

        Tensor Reals(Shape shape) =>
            Tensor.From<float>(ElementType.Float32, shape, [.. Enumerable.Range(0, (int)shape.Elements).Select(_ => random.NextInt32() * MathF.Pow(2, -random.Next(20, 40)))]);
    }

    [Fact]
    public void A_fixed_point_sum_beyond_64_bits_is_reported()
    {
        var fixedPoint = new TensorType(ElementType.Int32, Shape.Of(1, 4), Quantization.PerTensor(1f / 1024, 0));
        var layer = new Squash("y", ["x"], fixedPoint);
        var diagnostics = new DiagnosticBag();

        Assert.Null(NetworkEvaluator.Evaluate(
            new("big", [new("x", fixedPoint)], [layer], ["y"]), [Tensor.From<int>(ElementType.Int32, fixedPoint.Shape, [int.MinValue, int.MinValue, int.MinValue, int.MinValue])], diagnostics));

        Assert.Equal("CNN0160", Assert.Single(diagnostics.Diagnostics).Code);
        Assert.Contains("squash 'y'", diagnostics.Diagnostics[0].Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_not_a_number_has_no_code()
    {
        var real = new TensorType(ElementType.Float32, Shape.Of(3));
        var layer = new Quantize("y", ["x"], new(ElementType.Int8, Shape.Of(3), Quantization.PerTensor(1, 0)), RoundingScheme.TfliteDouble);
        var diagnostics = new DiagnosticBag();

        Assert.Null(NetworkEvaluator.Evaluate(new("nan", [new("x", real)], [layer], ["y"]), [Tensor.From<float>(ElementType.Float32, real.Shape, [1, float.NaN, 2])], diagnostics));

        Assert.Equal("CNN0161", Assert.Single(diagnostics.Diagnostics).Code);
    }

    [Theory]
    [InlineData(1 << 30, 3, true)]
    [InlineData(1 << 30, 4, false)]
    [InlineData(int.MinValue, 2, false)]
    [InlineData(int.MaxValue, 2, true)]
    public void Fixed_point_weights_whose_sums_may_exceed_63_bits_are_refused(int weight, int depth, bool fits)
    {
        var (input, output) = (Fixed(Shape.Of(1, depth), 0), Fixed(Shape.Of(1, 1), 0));
        var weights = Tensor.From<int>(ElementType.Int32, Shape.Of(1, depth), [.. Enumerable.Repeat(weight, depth)]);
        var layer = new Dense("y", ["x"], output, weights, Quantization.PerTensor(1, 0), null, FusedActivation.None, RoundingScheme.TfliteDouble);

        var problems = NetworkVerifier.Check(new("weights", [new("x", input)], [layer], ["y"]));

        Assert.Equal(fits ? [] : ["CNN0153"], problems.Select(problem => problem.Code));
    }

    [Fact]
    public void The_bound_of_depthwise_and_capsule_weights_is_that_of_an_output()
    {
        // 2^31 in each of many channels, none of which adds them up.
        var channels = 8;
        var input = Fixed(Shape.Of(1, 1, 1, channels), 0);
        var weights = Tensor.From<int>(ElementType.Int32, Shape.Of(1, 1, 1, channels), [.. Enumerable.Repeat(int.MinValue, channels)]);
        var depthwise = new DepthwiseConv2D(
            "y", ["x"], input, weights, Quantization.PerTensor(1, 0), null, new(1, 1), new(1, 1), default, 1, FusedActivation.None, RoundingScheme.TfliteDouble);
        Assert.Empty(NetworkVerifier.Check(new("depthwise", [new("x", input)], [depthwise], ["y"])));

        var vectors = Fixed(Shape.Of(1, 2, 1), 0);
        var capsules = new CapsuleTransform("y", ["x"], Fixed(Shape.Of(1, 2, 2, 2), 0), weights.Reshape(Shape.Of(2, 2, 1, 2)), Quantization.PerTensor(1, 0), RoundingScheme.TfliteDouble);
        Assert.Empty(NetworkVerifier.Check(new("capsules", [new("x", vectors)], [capsules], ["y"])));
    }

    [Fact]
    public void Proposals_are_the_best_boxes_that_do_not_overlap()
    {
        // Two cells of one anchor, 16 x 16 pixels at (0, 0) and (16, 0); the second box is moved onto the first, or stays.
        Proposal layer = new("y", ["s", "d"], new(ElementType.Float32, Shape.Of(3, 5)), new(16, 32), 16, [1], [1], 10, 3, 0.5f, 4);

        float[] scores = [0.5f, 0.5f, 0.1f, 0.9f];
        Assert.Equal([0, 16, 0, 31, 15, 0, 0, 0, 16, 15, 0, 0, 0, 0, 0], Propose(layer, scores, [0, 0, 0, 0, 0, 0, 0, 0]));
        Assert.Equal([0, 0, 0, 16, 15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], Propose(layer, scores, [0, 0, 0, 0, -1, 0, 0, 0]));
        Assert.Equal([0, 0, 0, 16, 15, 0, 0, 0, 16, 15, 0, 0, 0, 0, 0], Propose(layer with { Overlap = 1 }, scores, [0, 0, 0, 0, -1, 0, 0, 0]));
        Assert.Equal(new float[15], Propose(layer with { MinimumSize = 40 }, scores, [0, 0, 0, 0, 0, 0, 0, 0]));

        // The sides of the first times e: from 8 - 8 e, which is clipped, to 8 + 8 e.
        Assert.Equal((float)(8 + (8 * Math.E)), Propose(layer, scores, [0, 0, 1, 0, 0, 0, 0, 0])[8]);
    }

    [Fact]
    public void Regions_are_pooled_by_bins()
    {
        float[] features = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
        Assert.Equal([6, 8, 14, 16], Pool(features, [0, 0, 0, 3, 3], 1));
        Assert.Equal([1, 2, 5, 6], Pool(features, [0, 0, 0, 1, 1], 1));

        // At half the resolution corner 3 is 1.5, which is 2: bins of one and a half overlap.
        Assert.Equal([6, 7, 10, 11], Pool(features, [0, 0, 0, 3, 3], 0.5f));

        // Outside, nothing is found.
        Assert.Equal([0, 0, 0, 0], Pool(features, [0, 40, 40, 50, 50], 1));

        static float[] Pool(float[] features, float[] region, float scale)
        {
            var (image, boxes) = (new TensorType(ElementType.Float32, Shape.Of(1, 4, 4, 1)), new TensorType(ElementType.Float32, Shape.Of(1, 5)));
            var layer = new RoiPool("y", ["x", "r"], new(ElementType.Float32, Shape.Of(1, 2, 2, 1)), new(2, 2), scale);
            return Run(new("roi", [new("x", image), new("r", boxes)], [layer], ["y"]), Tensor.From<float>(ElementType.Float32, image.Shape, features), Tensor.From<float>(ElementType.Float32, boxes.Shape, region));
        }
    }

    private static float[] Propose(Proposal layer, float[] scores, float[] deltas)
    {
        var (s, d) = (new TensorType(ElementType.Float32, Shape.Of(1, 1, 2, 2)), new TensorType(ElementType.Float32, Shape.Of(1, 1, 2, 4)));
        return Run(new("rpn", [new("s", s), new("d", d)], [layer], ["y"]), Tensor.From<float>(ElementType.Float32, s.Shape, scores), Tensor.From<float>(ElementType.Float32, d.Shape, deltas));
    }

    private static float[] Run(NetworkGraph graph, params Tensor[] inputs)
    {
        var diagnostics = new DiagnosticBag();
        var result = NetworkEvaluator.Evaluate(graph, inputs, diagnostics);
        Assert.Empty(diagnostics.Diagnostics);
        return result!.Outputs[0].AsSpan<float>().ToArray();
    }

    private static TensorType Fixed(Shape shape, int bits) => new(ElementType.Int32, shape, Quantization.PerTensor(MathF.Pow(2, -bits), 0));

    private static void AreEqual(RandomLayer random)
    {
        var diagnostics = new DiagnosticBag();
        var types = random.Graph.Inputs.Select(input => input.Type).ToArray();
        var result = NetworkEvaluator.Evaluate(random.Graph, random.Inputs, diagnostics)?.Outputs[0];
        Assert.Empty(diagnostics.Diagnostics);
        var expected = NaiveLayers.Evaluate(random.Layer, types, random.Inputs);
        for (var i = 0; i < expected.Length; i++)
        {
            if (result!.Element.IsReal())
            {
                Assert.True((float)expected[i].Real == (float)result.GetReal(i), $"{random.Graph.Name}: element {i} is {result.GetReal(i):R}, not {(float)expected[i].Real:R}");
            }
            else
            {
                Assert.True(expected[i].Integer == result.GetInteger(i), $"{random.Graph.Name}: element {i} is {result.GetInteger(i)}, not {expected[i].Integer}");
            }
        }
    }
}
