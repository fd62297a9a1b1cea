using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Fuzzing;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Algorithms;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Passes.Lowering;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Passes.Tests.Algorithms;

/// <summary>Convolutions rewritten as algorithms compute the same integers as before, or are refused with a reason.</summary>
public sealed class ConvolutionRewriteTests
{
    private const int LayersPerNetwork = 16;

    public static TheoryData<string> Names => [.. ConvolutionAlgorithm.All.Select(algorithm => algorithm.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Small_convolutions_keep_their_integers(string name)
    {
        var rewritten = 0;
        foreach (var (network, _) in SmallConvolutions.Pack(SmallConvolutions.Spread(1200), LayersPerNetwork))
        {
            var program = Lowered(network);
            rewritten += Check(program, name, Random(network.Inputs, 1)) + Check(Raw(program), name, Random(network.Inputs, 2));
        }

        Assert.InRange(rewritten, 100, 2400);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Larger_kernels_and_strides_are_cut_into_rounds(string name)
    {
        var random = new SeededRandom(7);
        var rewritten = 0;
        for (var seed = 0; seed < 60; seed++)
        {
            var (kernel, stride, groups) = (new Spatial(random.Next(1, 7), random.Next(1, 7)), new Spatial(random.Next(1, 3), random.Next(1, 3)), random.Next(1, 2));
            var padding = new Padding(random.Below(kernel.Height), random.Below(kernel.Height), random.Below(kernel.Width), random.Below(kernel.Width));
            var network = Network(random, new(random.Next(7, 12), random.Next(7, 12)), kernel, stride, padding, (groups * (seed % 10 == 0 ? 21 : random.Next(1, 3)), groups * random.Next(1, 3), groups), random.NextCode);
            rewritten += Check(Raw(Lowered(network)), name, Random(network.Inputs, seed));
        }

        Assert.InRange(rewritten, 30, 60);
    }

    /// <summary>Largest inputs and weights, signs such that a transform's terms all add up: nothing leaves its type.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void Extremes_of_codes_stay_within_their_types(string name)
    {
        var algorithm = ConvolutionAlgorithm.Find(name)!;
        foreach (var (channels, zero) in ((int, int)[])[(1, 0), (3, 127), (64, -128)])
        {
            for (var row = 0; row < Math.Max(algorithm.Rows.Points, algorithm.Columns.Points); row++)
            {
                var (rows, columns) = (Math.Min(row, algorithm.Rows.Points - 1), Math.Min(row, algorithm.Columns.Points - 1));
                int at = 0, element = 0;
                sbyte Weight()
                {
                    var (tap, depth) = (at++ / channels % 9, channels);
                    return Factor(algorithm.Rows.Kernel, algorithm.Rows.Taps, rows, tap / 3) * Factor(algorithm.Columns.Kernel, algorithm.Columns.Taps, columns, tap % 3) < 0 ? sbyte.MinValue : depth > 1 ? sbyte.MaxValue : (sbyte)-127;
                }

                var network = Network(new(3), new(6, 6), new(3, 3), new(1, 1), default, (channels, 2, 1), Weight, zero);
                var shape = network.Inputs[0].Type.Shape;
                var codes = new sbyte[shape.Elements];
                for (; element < codes.Length; element++)
                {
                    var (h, w) = (element / channels / 6 % 6, element / channels % 6);
                    codes[element] = Factor(algorithm.Rows.Input, algorithm.Rows.Window, rows, h) * Factor(algorithm.Columns.Input, algorithm.Columns.Window, columns, w) < 0 ? sbyte.MinValue : sbyte.MaxValue;
                }

                var lowered = Raw(Lowered(network));
                foreach (var inputs in (sbyte[][])[codes, [.. codes.Select(code => (sbyte)~code)], [.. codes.Select(_ => sbyte.MinValue)], [.. codes.Select(_ => sbyte.MaxValue)]])
                {
                    Assert.Equal(1, Check(lowered, name, [Tensor.From<sbyte>(ElementType.Int8, shape, inputs)]));
                }
            }
        }
    }

    /// <summary>Runs of weights that are longer than vectors and no multiple of them, whose transforms i8 or i16 hold.</summary>
    [Theory]
    [InlineData("winograd-1x2", 9, ElementType.Int8)]
    [InlineData("winograd-2x1", sbyte.MaxValue, ElementType.Int16)]
    [InlineData("winograd-4x4", 1, ElementType.Int16)]
    public void Long_runs_of_weights_keep_their_integers(string name, int largest, ElementType element)
    {
        var random = new SeededRandom(11);
        var network = Network(new(1), new(6, 6), new(3, 3), new(1, 1), default, (150, 2, 1), () => (sbyte)(random.Next(0, 2 * largest) - largest), 3);
        var program = Raw(Lowered(network));
        Assert.Equal(1, Check(program, name, Random(network.Inputs, 3)));
        Assert.Equal(element, Rewritten(program, name, out _)!.Constants.MaxBy(constant => constant.Value.Shape.Elements)!.Value.Element);
    }

    /// <summary>Three by three of two tiles and a rest: what operators there are, and the types that the ranges prove.</summary>
    [Theory]
    [InlineData("im2col", "patches i8[7x9x3x3x4]", "c i8[1x7x9x5]")]
    [InlineData("kn2row", "products i32[7x9x5x3x3]", "c i8[1x7x9x5]")]
    [InlineData("winograd-1x4", "w.windows i16[1x7x3x1x6x4]", "products i32[1x7x3x6x5]", "tiles i8[1x7x8x5]", "rest i8[1x7x1x5]")]
    [InlineData("winograd-2x2", "h.windows i16[1x4x1x4x9x4]", "w.windows i16[1x4x1x4x5x1x4x4]", "products i32[1x4x4x5x4x5]", "w.results i32[1x4x4x10x5]", "tiles i8[1x6x9x5]", "rest i8[1x1x9x5]")]
    public void An_algorithm_is_a_chain(string name, params string[] expected)
    {
        var network = Network(new(1), new(7, 9), new(3, 3), new(1, 1), new(1, 1, 1, 1), (4, 5, 1), new SeededRandom(5).NextCode);
        var program = Rewritten(Lowered(network), name, out _)!;
        Assert.Equal(expected, program.Steps.OfType<GconvOperator>().Select(step => $"{step.Name.Replace("c.", string.Empty, StringComparison.Ordinal)} {step.Type.Element.Name()}[{step.Type.Shape}]"));
        Assert.Equal(7 * 9 * 5 * 36, program.Steps.Sum(step => step.Origin.Value.Macs));
    }

    [Theory]
    [InlineData("conv2d(x, filters=2, kernel=1)", "im2col", "no window slides over its input")]
    [InlineData("conv2d(x, filters=2, kernel=1x3)", "winograd-2x2", "no window of several taps slides along h")]
    [InlineData("conv2d(x, filters=2, kernel=3, dilation=2)", "winograd-1x2", "its taps along w lie 2 apart")]
    [InlineData("max_pool2d(x, kernel=2)", "kn2row", "it is no sum of products of an input less its zero point and a weight")]
    public void What_is_no_such_convolution_is_refused(string layer, string name, string why)
    {
        var program = Lowered(Parsed($"network n {{ weights seed 1\n input x : i8[1, 8, 8, 2] scale 0.5 zero 1\n c = {layer}\n output c }}"));
        Assert.Null(Rewritten(program, name, out var refusal));
        Assert.Equal(why, refusal);
    }

    [Fact]
    public void Reals_other_fills_and_counted_taps_are_refused()
    {
        var program = Lowered(Network(new(1), new(5, 5), new(3, 3), new(1, 1), new(1, 1, 1, 1), (2, 2, 1), new SeededRandom(5).NextCode, 3));
        var operation = (GconvOperator)program.Steps[^1];
        Assert.Equal(3, ((ScalarLiteral)((ScalarBinary)operation.Pre).Right).Value);
        Assert.Equal("outside its input it reads 0, which is not its zero point 3", Refusal(operation with { Input = operation.Input with { OutOfRange = OutOfRange.Fill } }, program));
        Assert.Equal("its result depends on the number of taps inside the input", Refusal(operation with { Post = Scalar.Add(operation.Post, Scalar.TapCount) }, program));
        Assert.Equal("its weights are no constant", Refusal(operation with { Kernel = operation.Kernel! with { Tensor = "x" } }, program));
        var real = Lowered(Parsed("network n { weights seed 1\n input x : f32[1, 8, 8, 2]\n c = conv2d(x, filters=2, kernel=3)\n output c }"));
        Assert.Equal("it adds reals, which round otherwise in another order", Refusal((GconvOperator)real.Steps[^1], real));
    }

    /// <summary>Fixed-point values have 32 bits: what a transform makes of them needs 64, what the products add up to more.</summary>
    [Fact]
    public void Values_beyond_64_bits_are_refused()
    {
        var program = Lowered(Network(new(1), new(6, 6), new(3, 3), new(1, 1), default, (2, 2, 1), () => 127));
        var wide = new NetworkInput("x", new(ElementType.Int32, program.Inputs[0].Type.Shape, program.Inputs[0].Type.Quantization));
        var operation = (GconvOperator)program.Steps[^1] with { Accumulator = ElementType.Int64 };
        Tensor Weights(int value) => Tensor.From<int>(ElementType.Int32, Shape.Of(2, 3, 3, 2), Enumerable.Repeat(value, 36).ToArray());
        GconvProgram With(int value) => program with
        {
            Inputs = [wide],
            Constants = program.Constants.Select(constant => constant.Name == operation.Kernel!.Tensor ? constant with { Value = Weights(value) } : constant).ToEquatableArray(),
            Steps = [operation],
        };
        Assert.NotNull(Rewritten(With(1000), "winograd-1x4", out _));
        Assert.Null(Rewritten(With(int.MaxValue), "winograd-1x4", out var weight));
        Assert.Equal("a transformed weight exceeds 32 bits, or there are too many of them", weight);
        Assert.Null(Rewritten(With(int.MaxValue / 24), "winograd-1x4", out var sum));
        Assert.Equal("its products or what they add up to could exceed 64 bits", sum);
        Assert.Null(Rewritten(With(int.MaxValue), "kn2row", out var product));
        Assert.Equal("the products of a tap could exceed 64 bits", product);
    }

    /// <summary>A convolution that writes a piece of a concatenation has pieces that write it.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void A_piece_of_a_tensor_becomes_pieces(string name)
    {
        var program = Lowered(Network(new(1), new(7, 7), new(3, 3), new(1, 1), new(1, 1, 1, 1), (2, 3, 1), new SeededRandom(5).NextCode));
        var operation = (GconvOperator)program.Steps[^1];
        var other = new GconvOperator(
            "other", operation.Type with { Shape = Shape.Of(1, 7, 7, 2) }, [new("h", LoopKind.OutputPosition, 7), new("w", LoopKind.OutputPosition, 7), new("c", LoopKind.OutputPosition, 2)],
            new("x", [At(3, -1), At(3, 0), At(3, 1), At(3, 2)]), null, [], ElementType.Int32, Scalar.Input, Scalar.Input, GconvReduction.None, Scalar.Accumulator, [At(3, -1), At(3, 0), At(3, 1), At(3, 2)], "j");
        var piece = operation with
        {
            Destination = "j",
            OutputIndex = operation.OutputIndex.Select((index, d) => d == 3 ? index with { Constant = 2 } : index).ToEquatableArray(),
        };
        var joined = program with { Steps = [other, piece, new GconvView("j", operation.Type with { Shape = Shape.Of(1, 7, 7, 5) }, ViewKind.Join, ["other", operation.Name])], Outputs = ["j"] };
        Assert.Equal(1, Check(joined, name, Random(program.Inputs, 3)));

        static AffineExpression At(int loops, int loop) => new(Enumerable.Range(0, loops).Select(i => i == loop ? 1L : 0).ToEquatableArray(), 0);
    }

    [Fact]
    public void The_pass_takes_layers_and_their_algorithms()
    {
        var network = Parsed("network n { weights seed 1\n input x : i8[1, 8, 8, 2] scale 0.5 zero 1\n a = conv2d(x, filters=2, kernel=3)\n b = conv2d(a, filters=2, kernel=3)\n d = dense(b, units=2)\n output d }");
        Assert.Equal("a b d", Names("none"));
        Assert.Equal("a.products a b d", Names("a=kn2row"));
        Assert.Equal("a.products a b.patches b d", Names("*=im2col,a=kn2row"));
        Assert.Equal("CNN0990", Names("d=kn2row"));
        Assert.Equal("CNN0991", Names("a"));
        Assert.Equal("CNN0845", Names("c=kn2row"));
        Assert.Equal("CNN0846", Names("a=fft"));

        string Names(string choose)
        {
            var context = new PassContext { VerifyEach = true, Options = new Dictionary<string, string>(StringComparer.Ordinal) { ["convolution-algorithms.choose"] = choose } };
            var result = PassRunner.Run(new(new LowerToGconv(), new ConvolutionAlgorithms()), new NetworkModule(network), context);
            return result is GconvModule module
                ? string.Join(' ', module.Program.Steps.OfType<GconvOperator>().Select(step => step.Name))
                : string.Join(' ', context.Diagnostics.Diagnostics.Select(diagnostic => diagnostic.Code));
        }
    }

    private static int Factor(EquatableArray<int> matrix, int columns, int row, int column) => matrix[(row * columns) + (column % columns)] is var value && value < 0 ? -1 : 1;

    private static string Refusal(GconvOperator operation, GconvProgram program)
    {
        Assert.Null(new ConvolutionRewrite(program).Try(operation, ConvolutionAlgorithm.Find("winograd-2x2")!, out var refusal));
        return refusal;
    }

    private static GconvProgram Lowered(NetworkGraph network)
    {
        var context = new PassContext { VerifyEach = true };
        var result = PassRunner.Run(new(new LowerToGconv()), new NetworkModule(network), context);
        return Assert.IsType<GconvModule>(result).Program;
    }

    /// <summary>The chain with the sums themselves as results.</summary>
    private static GconvProgram Raw(GconvProgram program) => program with
    {
        Steps = program.Steps.Select(step => (GconvStep)((GconvOperator)step with { Type = new(ElementType.Int32, step.Type.Shape), Extra = [], Post = Scalar.Accumulator })).ToEquatableArray(),
    };

    private static GconvProgram? Rewritten(GconvProgram program, string name, out string refusal)
    {
        var rewrite = new ConvolutionRewrite(program);
        refusal = string.Empty;
        var chains = new Dictionary<string, AlgorithmChain>(StringComparer.Ordinal);
        foreach (var operation in program.Steps.OfType<GconvOperator>())
        {
            if (rewrite.Try(operation, ConvolutionAlgorithm.Find(name)!, out var why) is { } chain)
            {
                chains.Add(operation.Name, chain);
            }
            else
            {
                refusal = why;
            }
        }

        return chains.Count == 0 ? null : rewrite.Replace(chains);
    }

    /// <summary>Evaluates a chain before and after; the number of convolutions rewritten.</summary>
    private static int Check(GconvProgram program, string name, IReadOnlyList<Tensor> inputs)
    {
        if (Rewritten(program, name, out _) is not { } rewritten)
        {
            return 0;
        }

        var diagnostics = new DiagnosticBag();
        var (before, after) = (new GconvModule(program).Evaluate(inputs, diagnostics, default), new GconvModule(rewritten).Evaluate(inputs, diagnostics, default));
        Assert.True(before is not null && after is not null, $"{program.Name}: {string.Join('\n', diagnostics.Diagnostics)}");
        Assert.True(TranslationValidation.Difference(before, after) is var difference && difference is null, $"{program.Name}: {difference}");
        return program.Steps.OfType<GconvOperator>().Count(operation => !rewritten.Steps.Contains(operation));
    }

    private static Tensor[] Random(EquatableArray<NetworkInput> inputs, int seed) => RandomNetworks.Inputs(new NetworkGraph("inputs", inputs, [], []), seed);

    private static NetworkGraph Network(
        SeededRandom random, Spatial input, Spatial kernel, Spatial stride, Padding padding, (int Inputs, int Outputs, int Groups) channels, Func<sbyte> weight, int? zero = null)
    {
        var type = new TensorType(ElementType.Int8, Shape.Of(1, input.Height, input.Width, channels.Inputs), Quantization.PerTensor(0.5f, zero ?? random.NextCode()));
        var weights = new sbyte[channels.Outputs * kernel.Height * kernel.Width * (channels.Inputs / channels.Groups)];
        for (var i = 0; i < weights.Length; i++)
        {
            weights[i] = weight();
        }

        var shape = Shape.Of(
            1,
            (int)NetworkShapes.WindowPositions(input.Height, kernel.Height, stride.Height, 1, padding.Top, padding.Bottom),
            (int)NetworkShapes.WindowPositions(input.Width, kernel.Width, stride.Width, 1, padding.Left, padding.Right),
            channels.Outputs);
        return new("n", [new("x", type)], [new Conv2D(
            "c", ["x"], new(ElementType.Int8, shape, Quantization.PerTensor(40f, 3)), Tensor.From<sbyte>(ElementType.Int8, Shape.Of(channels.Outputs, kernel.Height, kernel.Width, channels.Inputs / channels.Groups), weights),
            Quantization.PerTensor(0.25f, 0), null, stride, new(1, 1), padding, channels.Groups, FusedActivation.None, RoundingScheme.TfliteDouble)], ["c"]);
    }

    private static NetworkGraph Parsed(string text)
    {
        var diagnostics = new DiagnosticBag();
        var graph = CnnCompiler.Frontend.CnnFrontend.Parse(text, "n.cnn", _ => null, diagnostics);
        Assert.True(graph is not null, string.Join('\n', diagnostics.Diagnostics));
        return graph;
    }
}
