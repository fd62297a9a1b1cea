using System.Text.RegularExpressions;
using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Ir.Tests;

public sealed class NetworkVerifierTests
{
    private static readonly Quantization Quantized = Quantization.PerTensor(0.5f, -3);
    private static readonly TensorType Image = Type(1, 6, 5, 4);
    private static readonly SourceSpan Place = SourceSpan.At("net.cnn", 7, 3);

    private static readonly Conv2D Convolution = new(
        "y", ["x"], Type(1, 4, 3, 6), Weights(6, 3, 3, 2), new([1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 0], 0), Bias(6), new(1, 1), new(1, 1), default, 2, FusedActivation.Relu, RoundingScheme.TfliteDouble);

    private static readonly DepthwiseConv2D Depthwise = new(
        "y", ["x"], Type(1, 6, 5, 8), Weights(1, 3, 3, 8), Quantization.PerTensor(1, 0), null, new(1, 1), new(1, 1), new(1, 1, 1, 1), 2, FusedActivation.None, RoundingScheme.TfliteDouble);

    private static readonly Dense Dense = new("y", ["x"], Type(1, 7), Weights(7, 120), Quantization.PerTensor(1, 0), Bias(7), FusedActivation.None, RoundingScheme.TfliteDouble);

    private static readonly MaxPool2D Pool = new("y", ["x"], Type(1, 3, 2, 4), new(2, 2), new(2, 2), default, FusedActivation.None);

    private static readonly Add Sum = new("y", ["x", "x"], Image, FusedActivation.None, RoundingScheme.TfliteDouble);

    private static readonly Concat Joined = new("y", ["x", "x"], Type(1, 6, 5, 8), 3);

    private static readonly Pad Padded = new("y", ["x"], Type(1, 8, 7, 4), [0, 1, 1, 0], [0, 1, 1, 0], -3);

    private static readonly Reshape Reshaped = new("y", ["x"], Type(1, 120));

    private static readonly Softmax Probabilities = new("y", ["x"], Image with { Quantization = Quantization.PerTensor(1f / 256, -128) }, 1);

    private static readonly BatchNorm Normal = new("y", ["x"], Real(1, 6, 5, 4), Reals(4), Reals(4), Reals(4), Reals(4), 1e-5f);

    private static readonly CapsuleTransform Capsules = new("y", ["x"], Real(1, 6, 3, 4), Reals(6, 3, 8, 4), null, RoundingScheme.TfliteDouble);

    private static readonly Conv2DTranspose Grown = new(
        "y", ["x"], Type(1, 13, 11, 6), Weights(6, 3, 3, 4), Quantization.PerTensor(1, 0), Bias(6), new(2, 2), new(1, 1), default, default, 1, FusedActivation.None, RoundingScheme.TfliteDouble);

    private static readonly Proposal Proposals = new("y", ["x", "z"], Real(4, 5), new(32, 32), 16, [2], [1], 8, 4, 0.5f, 1);

    private static readonly Dense FixedDense = new(
        "y", ["x"], Fixed(8, 1, 2), Bias(8).Reshape(Shape.Of(2, 4)), Quantization.PerTensor(1f / 256, 0), Bias(2), FusedActivation.None, RoundingScheme.TfliteDouble);

    [Fact]
    public void The_graphs_that_the_violations_start_from_are_right()
    {
        foreach (var layer in (Layer[])[
            Convolution,
            Depthwise,
            Dense,
            Pool,
            new AveragePool2D("y", ["x"], Type(1, 3, 2, 4), new(2, 2), new(2, 2), default, FusedActivation.None),
            Sum,
            Joined,
            Padded,
            Reshaped,
            new Activation("y", ["x"], Image, FusedActivation.Relu6),
            Probabilities])
        {
            Assert.Empty(NetworkVerifier.Check(One(layer)));
        }

        Assert.Empty(NetworkVerifier.Check(One(Normal, Real(1, 6, 5, 4))));
        Assert.Empty(NetworkVerifier.Check(One(Capsules, Real(1, 6, 8))));
        Assert.Empty(NetworkVerifier.Check(One(Grown)));
        Assert.Empty(NetworkVerifier.Check(One(FixedDense, Fixed(8, 1, 4))));
        Assert.Empty(NetworkVerifier.Check(new("n", [new("x", Real(1, 2, 2, 2)), new("z", Real(1, 2, 2, 4))], [Proposals], ["y"])));
        Assert.Empty(NetworkVerifier.Check(One(Convolution with { Type = Sums(0.5f, 1, 4, 3, 6), WeightQuantization = Quantization.PerTensor(1, 0), Activation = FusedActivation.None })));
    }

    // Each violation: its code, and the graph.
    internal static readonly (string Name, int Code, NetworkGraph Graph)[] Violations =
    [
        // What a user can get wrong.
        ("conv2d of a matrix", 101, One(Convolution, Type(6, 5))),
        ("pool of a vector", 101, One(Pool, Type(6))),
        ("depthwise of a volume", 101, One(Depthwise, Type(1, 2, 3, 4, 5))),
        ("softmax of a scalar", 101, One(Probabilities with { Type = Probabilities.Type with { Shape = default } }, Type())),
        ("no stride", 102, One(Convolution with { Stride = new(0, 1) })),
        ("negative stride", 102, One(Pool with { Stride = new(1, -1) })),
        ("huge stride", 102, One(Pool with { Stride = new(1 << 21, 1) })),
        ("no dilation", 102, One(Depthwise with { Dilation = new(1, 0) })),
        ("no kernel", 102, One(Pool with { Kernel = new(0, 2) })),
        ("no kernel width", 102, One(Pool with { Kernel = new(2, 0) })),
        ("no groups", 102, One(Convolution with { Groups = 0 })),
        ("no multiplier", 102, One(Depthwise with { Multiplier = 0 })),
        ("negative padding", 102, One(Convolution with { Padding = new(0, -1, 0, 0) })),
        ("axis beyond the rank", 102, One(Joined with { Axis = 4 })),
        ("negative axis", 102, One(Joined with { Axis = -1 })),
        ("negative pad", 102, One(Padded with { After = [0, -1, 1, 0] })),
        ("pad value beyond int8", 102, One(Padded with { Value = 128 })),
        ("groups that don't divide the input", 103, One(Convolution with { Groups = 3 })),
        ("groups that don't divide the output", 103, One(Convolution with { Groups = 4, Weights = Weights(6, 3, 3, 1) })),
        ("weights of another depth", 104, One(Convolution with { Groups = 1 })),
        ("depthwise weights of another multiplier", 104, One(Depthwise with { Multiplier = 1 })),
        ("depthwise weights in another order", 104, One(Depthwise with { Weights = Weights(2, 3, 3, 8) })),
        ("dense weights of another length", 106, One(Dense with { Weights = Weights(7, 50) })),
        ("weights of another type", 107, One(Convolution with { Weights = new Tensor(ElementType.UInt8, Convolution.Weights.Shape, new byte[108]) })),
        ("weights of another rank", 107, One(Convolution with { Weights = Weights(6, 18) })),
        ("dense weights of another rank", 107, One(Dense with { Weights = Weights(7, 120, 1) })),
        ("no weights", 107, One(Convolution with { Weights = Weights(0, 3, 3, 2) })),
        ("short bias", 109, One(Convolution with { Bias = Bias(5) })),
        ("bias of another type", 109, One(Dense with { Bias = new Tensor(ElementType.Int8, Shape.Of(7), new byte[7]) })),
        ("bias of another rank", 109, One(Dense with { Bias = Bias(7).Reshape(Shape.Of(1, 7)) })),
        ("shapes that don't broadcast", 110, Two(Sum, Image, Type(1, 6, 5, 3))),
        ("shapes that don't concatenate", 111, Two(Joined, Image, Type(1, 6, 4, 4))),
        ("ranks that don't concatenate", 111, Two(Joined, Image, Type(6, 5, 4))),
        ("a short pad list", 113, One(Padded with { Before = [0, 1, 1] })),
        ("a long pad list", 113, One(Padded with { After = [0, 1, 1, 0, 0] })),
        ("a reshape to another number of elements", 114, One(Reshaped with { Type = Type(1, 121) })),
        ("a reshape to a hostile shape", 114, One(Reshaped with { Type = Type(int.MaxValue, int.MaxValue, int.MaxValue, int.MaxValue) })),
        ("an input without elements", 115, One(Reshaped, Type(1, 0))),
        ("a negative extent", 115, One(Reshaped, Type(-1, -120))),
        ("too many elements", 115, One(Reshaped, Type(1 << 15, 1 << 15))),
        ("too many dimensions", 115, One(Reshaped, Type(1, 1, 1, 1, 1, 1, 1, 1, 120))),
        ("a pad to too many elements", 115, One(Padded with { Before = [1 << 20, 1 << 20, 1 << 20, 0] })),
        ("a kernel higher than the input", 117, One(Convolution, Type(1, 2, 5, 4))),
        ("a kernel wider than the input", 117, One(Convolution with { Dilation = new(1, 3) })),
        ("a pool larger than the input", 117, One(Pool with { Kernel = new(7, 2) })),
        ("a pool padded by more than its kernel", 118, One(Pool with { Padding = new(2, 0, 0, 0) })),
        ("a pool padded by more than its kernel on the right", 118, One(Pool with { Padding = new(0, 0, 0, 2) })),
        ("an input of another type", 119, One(Reshaped, Image with { Element = ElementType.Int64 })),
        ("a result of another type", 119, One(Sum with { Type = Image with { Element = ElementType.Int16 } })),
        ("an input without quantisation", 120, One(Reshaped, Image with { Quantization = null })),
        ("a result without quantisation", 120, One(Sum with { Type = Image with { Quantization = null } })),
        ("an input with a scale an axis", 120, One(Reshaped, Image with { Quantization = new([1, 1, 1, 1], [0, 0, 0, 0], 3) })),
        ("an input without zero points", 120, One(Reshaped, Image with { Quantization = new([1], [], -1) })),
        ("a pool that changes the scale", 121, One(Pool with { Type = Other(Pool.Type) })),
        ("an average pool that changes the scale", 121, One(new AveragePool2D("y", ["x"], Other(Pool.Type), new(2, 2), new(2, 2), default, FusedActivation.None))),
        ("a reshape that changes the scale", 121, One(Reshaped with { Type = Other(Reshaped.Type) })),
        ("a pad that changes the zero point", 121, One(Padded with { Type = Padded.Type with { Quantization = Quantization.PerTensor(0.5f, 0) } })),
        ("a concatenation of several scales", 121, Two(Joined, Image, Other(Image))),
        ("an activation that changes the scale", 121, One(new Activation("y", ["x"], Other(Image), FusedActivation.Relu))),
        ("a softmax with another scale", 122, One(Probabilities with { Type = Image })),
        ("weights with a zero point", 123, One(Convolution with { WeightQuantization = new([1, 1, 1, 1, 1, 1], [0, 0, 0, 1, 0, 0], 0) })),
        ("weights without scales", 124, One(Convolution with { WeightQuantization = null })),
        ("weights with too few scales", 124, One(Convolution with { WeightQuantization = new([1, 1], [0, 0], 0) })),
        ("weights with scales along another dimension", 124, One(Depthwise with { WeightQuantization = new([1, 1, 1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 0, 0, 0], 0) })),
        ("weights with several scales and no dimension", 124, One(Dense with { WeightQuantization = new([1, 1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 0, 0], -1) })),
        ("a factor beyond the arithmetic", 125, One(Convolution with { WeightQuantization = Quantization.PerTensor(1e12f, 0) })),
        ("a sum beyond the arithmetic", 125, One(Sum with { Type = Image with { Quantization = Quantization.PerTensor(1e-20f, 0) } })),
        ("a scale of 0", 126, One(Reshaped, Image with { Quantization = Quantization.PerTensor(0, 0) })),
        ("a negative scale", 126, One(Sum with { Type = Image with { Quantization = Quantization.PerTensor(-1, 0) } })),
        ("a scale that isn't a number", 126, One(Reshaped, Image with { Quantization = Quantization.PerTensor(float.NaN, 0) })),
        ("a zero point beyond int8", 126, One(Reshaped, Image with { Quantization = Quantization.PerTensor(1, 128) })),
        ("an infinite weight scale", 126, One(Dense with { WeightQuantization = Quantization.PerTensor(float.PositiveInfinity, 0) })),
        ("too many operations", 131, Huge()),
        ("a softmax without beta", 132, One(Probabilities with { Beta = 0 })),
        ("a softmax with an endless beta", 132, One(Probabilities with { Beta = float.PositiveInfinity })),
        ("a softmax of a tiny scale", 132, One(Probabilities, Image with { Quantization = Quantization.PerTensor(1e-9f, 0) })),

        // The layers beyond int8 networks.
        ("a batch norm of int8", 136, One(Normal with { Type = Image }, Image)),
        ("a convolution of u8", 136, One(Convolution, Image with { Element = ElementType.UInt8, Quantization = Quantization.PerTensor(1, 3) })),
        ("capsules of int8", 136, One(Capsules, Type(1, 6, 8))),
        ("operands of different kinds", 137, Two(Sum, Image, Real(1, 6, 5, 4))),
        ("a sum of int8 in f32", 137, One(Sum with { Type = Real(1, 6, 5, 4) })),
        ("a pool of f32 in int8", 137, One(Pool, Real(1, 6, 5, 4))),
        ("sums with a scale of their own", 138, One(Convolution with { Type = Sums(1f, 1, 4, 3, 6), WeightQuantization = Quantization.PerTensor(1, 0), Activation = FusedActivation.None })),
        ("sums with an activation", 138, One(Convolution with { Type = Sums(0.5f, 1, 4, 3, 6), WeightQuantization = Quantization.PerTensor(1, 0) })),
        ("sums of several scales", 138, One(Convolution with { WeightQuantization = new([1, 2, 1, 1, 1, 1], [0, 0, 0, 0, 0, 0], 0), Type = Sums(0.5f, 1, 4, 3, 6), Activation = FusedActivation.None })),
        ("fixed point finer than its products", 139, One(new Mul("y", ["x", "x"], Fixed(20, 1, 4), FusedActivation.None, default), Fixed(8, 1, 4))),
        ("a transposed convolution that is cut off", 140, One(Grown with { Padding = new(9, 9, 0, 0) })),
        ("matrices that can't be multiplied", 141, One(new MatMul("y", ["x", "x"], Type(5, 5), false, false, FusedActivation.None, default), Type(5, 4))),
        ("capsule weights for other capsules", 142, One(Capsules, Real(1, 5, 8))),
        ("parameters of another length", 143, One(Normal with { Mean = Reals(3) })),
        ("parameters of another type", 143, One(Normal with { Scale = Bias(4) })),
        ("layer norm parameters of other extents", 143, One(new LayerNorm("y", ["x"], Real(1, 6, 5, 4), 2, Reals(4), null, 1e-5f), Real(1, 6, 5, 4))),
        ("a dimension twice", 144, One(new Transpose("y", ["x"], Image, [0, 1, 1, 3]))),
        ("too few dimensions", 144, One(new Transpose("y", ["x"], Image, [0, 1, 2]))),
        ("a slice beyond its input", 145, One(new StridedSlice("y", ["x"], Type(1, 2, 1, 1), [0, 5, 0, 0], [1, 1, 1, 1], [1, 2, 1, 1]))),
        ("a slice that goes nowhere", 145, One(new StridedSlice("y", ["x"], Type(1, 2, 1, 1), [0, 0, 0, 0], [1, 0, 1, 1], [1, 2, 1, 1]))),
        ("a slice before its input", 145, One(new StridedSlice("y", ["x"], Type(1, 3, 1, 1), [0, 1, 0, 0], [1, -1, 1, 1], [1, 3, 1, 1]))),
        ("parts that differ", 146, One(new Split("y", ["x"], Type(1, 6, 2, 4), 2, 2, 0))),
        ("scores for other anchors", 147, new("n", [new("x", Real(1, 2, 2, 4)), new("z", Real(1, 2, 2, 8))], [Proposals with { Span = Place }], ["y"])),
        ("regions of four numbers", 148, new("n", [new("x", Real(1, 6, 5, 4)), new("z", Real(3, 4))], [new RoiPool("y", ["x", "z"], Real(3, 2, 2, 4), new(2, 2), 1) { Span = Place }], ["y"])),
        ("a negative epsilon", 149, One(Normal with { Epsilon = -1 })),
        ("an endless slope", 149, One(new Unary("y", ["x"], Image, UnaryFunction.LeakyRelu, float.PositiveInfinity, default))),
        ("a slope where there is none", 149, One(new Unary("y", ["x"], Image, UnaryFunction.HardSwish, 1, default))),
        ("a clip between nothing", 149, One(new Clip("y", ["x"], Image, 2, 1))),
        ("a clip to NaN", 149, One(new Clip("y", ["x"], Image, float.NaN, 1))),
        ("an lrn without bias", 149, One(new Lrn("y", ["x"], Real(1, 6, 5, 4), 5, 1, 1, 0), Real(1, 6, 5, 4))),
        ("an overlap above 1", 149, new("n", [new("x", Real(1, 2, 2, 2)), new("z", Real(1, 2, 2, 4))], [Proposals with { Overlap = 2, Span = Place }], ["y"])),
        ("a logistic with another scale", 150, One(new Unary("y", ["x"], Image, UnaryFunction.Logistic, 0, default))),
        ("a tanh with another zero point", 150, One(new Unary("y", ["x"], Image with { Quantization = Quantization.PerTensor(1f / 128, 1) }, UnaryFunction.Tanh, 0, default))),
        ("a quantize to f32", 151, One(new Quantize("y", ["x"], Real(1, 6, 5, 4), default))),
        ("a dequantize of f32", 136, One(new Dequantize("y", ["x"], Real(1, 6, 5, 4)), Real(1, 6, 5, 4))),
        ("a dequantize to int8", 151, One(new Dequantize("y", ["x"], Image))),
        ("a constant of another type", 152, One(new Constant("y", [], Type(4), Reals(4)))),
        ("fixed-point sums beyond 63 bits", 153, One(FixedDense with { Weights = Tensor.From<int>(ElementType.Int32, Shape.Of(2, 4), [0, 0, 0, 0, int.MaxValue, int.MinValue, int.MaxValue, 1]) }, Fixed(8, 1, 4))),
        ("an anchor without size", 149, new("n", [new("x", Real(1, 2, 2, 2)), new("z", Real(1, 2, 2, 4))], [Proposals with { Scales = [0], Span = Place }], ["y"])),
        ("weights with scales in f32", 124, One(new Dense("y", ["x"], Real(1, 2), Reals(2, 120), Quantization.PerTensor(1, 0), null, FusedActivation.None, default), Real(1, 120))),
        ("fixed-point weights with a scale that is no power of two", 124, One(FixedDense with { WeightQuantization = Quantization.PerTensor(0.3f, 0) }, Fixed(8, 1, 4))),
        ("an input of sums", 119, One(Reshaped, Image with { Element = ElementType.Int32, Quantization = Quantization.PerTensor(0.3f, 0) })),
        ("f32 with a scale", 119, One(Reshaped, Image with { Element = ElementType.Float32 })),
        ("fixed point with a zero point", 119, One(Reshaped, Image with { Element = ElementType.Int32, Quantization = Quantization.PerTensor(0.5f, 1) })),
        ("a volume of four dimensions", 101, One(new MaxPool3D("y", ["x"], Image, new(1, 1, 1), new(1, 1, 1), default, FusedActivation.None))),
        ("a routing of three dimensions", 101, One(new Routing("y", ["x"], Real(1, 3, 4), 3), Real(6, 3, 4))),
        ("a kernel deeper than the volume", 117, One(new MaxPool3D("y", ["x"], Type(1, 1, 1, 1, 2), new(3, 1, 1), new(1, 1, 1), default, FusedActivation.None), Type(1, 2, 1, 1, 2))),
        ("a mean over a dimension twice", 102, One(new Mean("y", ["x"], Type(1, 4), [1, 1], false, default))),
        ("a mean over a dimension that isn't there", 102, One(new Mean("y", ["x"], Type(1, 4), [1, 4], false, default))),
        ("a part that isn't there", 102, One(new Split("y", ["x"], Type(1, 6, 5, 2), 3, 2, 2))),
        ("no routing", 102, One(new Routing("y", ["x"], Real(1, 3, 4), 0), Real(1, 6, 3, 4))),
        ("an undefined resize mode", 929, One(new Resize("y", ["x"], Type(1, 8, 8, 4), new(8, 8), (ResizeMode)9, ResizeCoordinates.Asymmetric, default))),
        ("a constant that reads", 923, One(new Constant("y", ["x"], Type(1), Weights(1)))),

        // What only a faulty front end or pass can get wrong.
        ("two inputs of one name", 920, new("n", [new("x", Image), new("x", Image)], [Reshaped], ["y"])),
        ("a layer with an input's name", 920, One(Reshaped with { Name = "x" })),
        ("an unknown value", 921, One(Reshaped with { Inputs = ["z"] })),
        ("a value read before it is defined", 922, new("n", [new("x", Image)], [Reshaped with { Inputs = ["z"], Span = Place }, Reshaped with { Name = "z" }], ["y"])),
        ("a layer that reads itself", 922, One(Reshaped with { Inputs = ["y"] })),
        ("a layer without inputs", 923, One(Convolution with { Inputs = [] })),
        ("an addition of one", 923, One(Sum with { Inputs = ["x"] })),
        ("a concatenation of nothing", 923, One(Joined with { Inputs = [] })),
        ("a pool of two", 923, One(Pool with { Inputs = ["x", "x"] })),
        ("a convolution typed otherwise", 924, One(Convolution with { Type = Type(1, 4, 3, 7) })),
        ("a sum typed otherwise", 924, One(Sum with { Type = Type(6, 5, 4) })),
        ("an unknown output", 926, One(Reshaped) with { Outputs = ["y", "z"] }),
        ("no inputs", 927, new("n", [], [], ["y"])),
        ("no outputs", 927, One(Reshaped) with { Outputs = [] }),
        ("an empty name", 928, One(Reshaped with { Name = string.Empty })),
        ("an undefined activation", 929, One(Pool with { Activation = (FusedActivation)9 })),
        ("an undefined rounding scheme", 929, One(Dense with { Rounding = (RoundingScheme)9 })),
    ];

    public static TheoryData<string> Names() => new(Violations.Select(violation => violation.Name));

    [Theory]
    [MemberData(nameof(Names))]
    public void A_violation_is_named_at_its_place_with_a_remedy(string name)
    {
        var (_, code, graph) = Violations.Single(violation => violation.Name == name);
        var diagnostic = NetworkVerifier.Check(graph)[0];
        Assert.Equal($"CNN{code:0000}", diagnostic.Code);
        Assert.Equal(DiagnosticSeverity.Error, diagnostic.Severity);
        Assert.NotEmpty(diagnostic.Remedy);
        if (diagnostic.Message.Contains("'y'", StringComparison.Ordinal))
        {
            Assert.Equal(Place, diagnostic.Span);
        }
    }

    [Fact]
    public void Every_code_of_the_verifier_has_a_violation()
    {
        // 133 to 135, 160 and 161 are about inputs and have their tests at the evaluator, 901 to 919 at the parser.
        var source = SharedMaterial.Repository + "/src/CnnCompiler.Ir/";
        var codes = new[] { "Network/NetworkDiagnostics.cs", "IrDiagnostics.cs" }
            .SelectMany(file => Regex.Matches(File.ReadAllText(source + file), @"\b(?:Error|Make)\(\s*(?<code>\d{3}),", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(5)))
            .Select(match => int.Parse(match.Groups["code"].Value, System.Globalization.CultureInfo.InvariantCulture))
            .Where(code => code is (>= 100 and < 133) or (> 135 and < 160) or (>= 920 and < 950));
        Assert.Equal(codes.Order(), Violations.Select(violation => violation.Code).Distinct().Order());
    }

    [Fact]
    public void One_fault_is_reported_once_and_not_again_by_its_readers()
    {
        var graph = new NetworkGraph(
            "n", [new("x", Image)], [Convolution with { Groups = 3 }, Reshaped with { Name = "a", Inputs = ["y"] }, Sum with { Name = "b", Inputs = ["y", "a"] }], ["b"]);
        Assert.Equal("CNN0103", Assert.Single(NetworkVerifier.Check(graph)).Code);
    }

    [Fact]
    public void A_message_says_what_came_what_was_expected_and_what_to_do()
    {
        var diagnostic = NetworkVerifier.Check(One(Convolution, Type(1, 2, 5, 4)))[0];
        Assert.Equal(
            "net.cnn(7,3): error CNN0117: conv2d 'y': in height the kernel of 3 spans 3 elements, more than the input's 2 and the padding's 0+0; use a smaller kernel or dilation, or more padding",
            diagnostic.ToString());
    }

    [Fact]
    public void The_shape_rules_refuse_hostile_input_shapes_by_themselves()
    {
        var diagnostics = new DiagnosticBag();
        Assert.Null(NetworkShapes.Infer(Dense, [Type(int.MaxValue, int.MaxValue, int.MaxValue)], diagnostics));
        Assert.Equal("CNN0115", Assert.Single(diagnostics.Diagnostics).Code);
    }

    [Theory]
    [InlineData(32, 3, 1, 1, 1, 1, 32)]
    [InlineData(32, 3, 2, 1, 0, 1, 16)]
    [InlineData(49, 10, 2, 1, 4, 5, 25)]
    [InlineData(5, 3, 1, 2, 0, 0, 1)]
    [InlineData(5, 3, 1, 3, 0, 0, 0)]
    [InlineData(5, 3, 4, 1, 0, 0, 1)]
    [InlineData(int.MaxValue, 1, 1, int.MaxValue, int.MaxValue, 1, 4294967295)]
    public void Window_positions(int input, int kernel, int stride, int dilation, int before, int after, long expected) =>
        Assert.Equal(expected, NetworkShapes.WindowPositions(input, kernel, stride, dilation, before, after));

    [Fact]
    public void Same_padding_gives_the_input_over_the_stride_rounded_up()
    {
        for (var input = 1; input <= 20; input++)
        {
            for (var kernel = 1; kernel <= 6; kernel++)
            {
                for (var stride = 1; stride <= 4; stride++)
                {
                    for (var dilation = 1; dilation <= 3; dilation++)
                    {
                        var padding = Padding.Same(input, input, new(kernel, kernel), new(stride, stride), new(dilation, dilation));
                        Assert.Equal((input + stride - 1) / stride, NetworkShapes.WindowPositions(input, kernel, stride, dilation, padding.Top, padding.Bottom));
                        Assert.True(padding.Bottom - padding.Top is 0 or 1);
                    }
                }
            }
        }
    }

    private static NetworkGraph One(Layer layer, TensorType? input = null) =>
        new("n", [new("x", input ?? (layer is BatchNorm ? Real(1, 6, 5, 4) : Image)) { Span = Place }], [layer with { Span = Place }], [layer.Name]);

    private static NetworkGraph Two(Layer layer, TensorType first, TensorType second) =>
        new("n", [new("x", first), new("z", second)], [layer with { Inputs = ["x", "z"], Span = Place }], [layer.Name]);

    // 2^28 results of 2^12 multiplications each.
    private static NetworkGraph Huge() => new(
        "n",
        [new("x", Type(1, 1 << 9, 1 << 9, 1 << 10))],
        [
            new DepthwiseConv2D(
                "y", ["x"], Type(1, 1 << 9, 1 << 9, 1 << 10), Weights(1, 64, 64, 1 << 10), Quantization.PerTensor(1, 0), null, new(1, 1), new(1, 1), new(32, 31, 32, 31), 1, FusedActivation.None, RoundingScheme.TfliteDouble) { Span = Place },
        ],
        ["y"]);

    private static TensorType Type(params ReadOnlySpan<int> extents) => new(ElementType.Int8, Shape.Of(extents), Quantized);

    private static TensorType Real(params ReadOnlySpan<int> extents) => new(ElementType.Float32, Shape.Of(extents));

    private static TensorType Fixed(int fractionBits, params ReadOnlySpan<int> extents) => Sums((float)Math.ScaleB(1, -fractionBits), extents);

    private static TensorType Sums(float scale, params ReadOnlySpan<int> extents) => new(ElementType.Int32, Shape.Of(extents), Quantization.PerTensor(scale, 0));

    private static Tensor Reals(params ReadOnlySpan<int> extents)
    {
        var shape = Shape.Of(extents);
        return new(ElementType.Float32, shape, new byte[4 * shape.Elements]);
    }

    private static TensorType Other(TensorType type) => type with { Quantization = Quantization.PerTensor(0.25f, -3) };

    private static Tensor Weights(params ReadOnlySpan<int> extents)
    {
        var shape = Shape.Of(extents);
        return new(ElementType.Int8, shape, new byte[shape.Elements]);
    }

    private static Tensor Bias(int channels) => new(ElementType.Int32, Shape.Of(channels), new byte[4 * channels]);
}
