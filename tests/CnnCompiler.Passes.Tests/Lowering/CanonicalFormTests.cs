using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Passes.Lowering;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Passes.Tests.Lowering;

/// <summary>The forms that mapping and code generation recognise, word for word.</summary>
public sealed class CanonicalFormTests
{
    private static readonly NetworkInput Image = new("x", Int8(Shape.Of(2, 7, 5, 4), 0.5f, 3));

    [Fact]
    public void Conv2D()
    {
        var layer = new Conv2D(
            "y",
            ["x"],
            Int8(Shape.Of(2, 4, 2, 6), 2f, -7),
            Zeros(ElementType.Int8, 6, 3, 2, 2),
            new([1, 2, 3, 4, 5, 6], [0, 0, 0, 0, 0, 0], 0),
            Zeros(ElementType.Int32, 6),
            new(2, 2),
            new(1, 2),
            new(1, 1, 1, 0),
            2,
            FusedActivation.Relu,
            RoundingScheme.TfliteSingle);

        Check(
            layer,
            """
              constant %y.bias = i32[6]{0, 0, 0, 0, 0, 0}
              constant %y.multiplier = i32[6]{1073741824, 1073741824, 1610612736, 1073741824, 1342177280, 1610612736}
              constant %y.shift = i32[6]{-1, 0, 0, 1, 1, 1}
              constant %y.weights = @y.weights#HASH:i8[6x3x2x2]
              origin conv2d %y macs 1152
              %y = gconv [n.opc 2, h.opc 4, w.opc 2, c.g 2, c.op 3, h.ks 3, w.ks 2, c.ks 2] : i8[2x4x2x6] scale 2 zero -7 {
                | dim  Ng  Nop  Nopc  Nks  s  ps  dil
                | n     1    1     2    1  1   0    1
                | h     1    1     4    3  2   1    1
                | w     1    1     2    2  2   1    2
                | c     2    3     1    2  1   0    1
                read %x[n.opc, 2*h.opc + h.ks - 1, 2*w.opc + 2*w.ks - 1, 2*c.g + c.ks] skip
                kernel %y.weights[3*c.g + c.op, h.ks, w.ks, c.ks]
                extra %y.bias[3*c.g + c.op]
                extra %y.multiplier[3*c.g + c.op]
                extra %y.shift[3*c.g + c.op]
                pre input - 3
                main input * kernel
                reduce add i32
                post clamp(requantize(tflite-single, acc + extra0, extra1, extra2) + -7, -7, 127)
                write [n.opc, h.opc, w.opc, 3*c.g + c.op]
              }
            """);
    }

    [Fact]
    public void DepthwiseConv2D_without_bias_and_padding()
    {
        var layer = new DepthwiseConv2D(
            "y",
            ["x"],
            Int8(Shape.Of(2, 5, 5, 8), 2f, 0),
            Zeros(ElementType.Int8, 1, 3, 1, 8),
            Quantization.PerTensor(1f, 0),
            null,
            new(1, 1),
            new(1, 1),
            default,
            2,
            FusedActivation.None,
            RoundingScheme.TfliteDouble);

        Check(
            layer,
            """
              constant %y.multiplier = i32[8]{1073741824, 1073741824, 1073741824, 1073741824, 1073741824, 1073741824, 1073741824, 1073741824}
              constant %y.shift = i32[8]{-1, -1, -1, -1, -1, -1, -1, -1}
              constant %y.weights = @y.weights#HASH:i8[1x3x1x8]
              origin depthwise_conv2d %y macs 1200
              %y = gconv [n.opc 2, h.opc 5, w.opc 5, c.g 4, c.op 2, h.ks 3, w.ks 1, c.ks 1] : i8[2x5x5x8] scale 2 zero 0 {
                | dim  Ng  Nop  Nopc  Nks  s  ps  dil
                | n     1    1     2    1  1   0    1
                | h     1    1     5    3  1   0    1
                | w     1    1     5    1  1   0    1
                | c     4    2     1    1  1   0    1
                read %x[n.opc, h.opc + h.ks, w.opc + w.ks, c.g]
                kernel %y.weights[0, h.ks, w.ks, 2*c.g + c.op]
                extra %y.multiplier[2*c.g + c.op]
                extra %y.shift[2*c.g + c.op]
                pre input - 3
                main input * kernel
                reduce add i32
                post clamp(requantize(tflite-double, acc, extra0, extra1) + 0, -128, 127)
                write [n.opc, h.opc, w.opc, 2*c.g + c.op]
              }
            """);
    }

    [Fact]
    public void Dense_of_an_image_goes_through_a_view()
    {
        var layer = new Dense(
            "y",
            ["x"],
            Int8(Shape.Of(2, 3), 2f, 5),
            Zeros(ElementType.Int8, 3, 140),
            Quantization.PerTensor(1f, 0),
            Zeros(ElementType.Int32, 3),
            FusedActivation.None,
            RoundingScheme.TfliteDouble);

        Check(
            layer,
            """
              constant %y.bias = i32[3]{0, 0, 0}
              constant %y.multiplier = i32[3]{1073741824, 1073741824, 1073741824}
              constant %y.shift = i32[3]{-1, -1, -1}
              constant %y.weights = @y.weights#HASH:i8[3x140]
              origin dense %y
              %y.flat = reshape %x : i8[2x140] scale 0.5 zero 3
              origin dense %y macs 840
              %y = gconv [n.opc 2, c.op 3, c.ks 140] : i8[2x3] scale 2 zero 5 {
                | dim  Ng  Nop  Nopc  Nks  s  ps  dil
                | n     1    1     2    1  1   0    1
                | c     1    3     1  140  1   0    1
                read %y.flat[n.opc, c.ks]
                kernel %y.weights[c.op, c.ks]
                extra %y.bias[c.op]
                extra %y.multiplier[c.op]
                extra %y.shift[c.op]
                pre input - 3
                main input * kernel
                reduce add i32
                post clamp(requantize(tflite-double, acc + extra0, extra1, extra2) + 5, -128, 127)
                write [n.opc, c.op]
              }
            """);
    }

    [Fact]
    public void MaxPool2D() => Check(
        new MaxPool2D("y", ["x"], Int8(Shape.Of(2, 4, 3, 4), 0.5f, 3), new(3, 3), new(2, 2), new(1, 1, 1, 1), FusedActivation.Relu6),
        """
          origin max_pool2d %y
          %y = gconv [n.opc 2, h.opc 4, w.opc 3, c.opc 4, h.ks 3, w.ks 3] : i8[2x4x3x4] scale 0.5 zero 3 {
            | dim  Ng  Nop  Nopc  Nks  s  ps  dil
            | n     1    1     2    1  1   0    1
            | h     1    1     4    3  2   1    1
            | w     1    1     3    3  2   1    1
            | c     1    1     4    1  1   0    1
            read %x[n.opc, 2*h.opc + h.ks - 1, 2*w.opc + w.ks - 1, c.opc] skip
            pre input
            main input
            reduce max i8
            post clamp(acc, 3, 15)
            write [n.opc, h.opc, w.opc, c.opc]
          }
        """);

    [Fact]
    public void AveragePool2D() => Check(
        new AveragePool2D("y", ["x"], Int8(Shape.Of(2, 1, 1, 4), 0.5f, 3), new(7, 5), new(7, 5), default, FusedActivation.None),
        """
          origin avg_pool2d %y
          %y = gconv [n.opc 2, h.opc 1, w.opc 1, c.opc 4, h.ks 7, w.ks 5] : i8[2x1x1x4] scale 0.5 zero 3 {
            | dim  Ng  Nop  Nopc  Nks  s  ps  dil
            | n     1    1     2    1  1   0    1
            | h     1    1     1    7  7   0    1
            | w     1    1     1    5  5   0    1
            | c     1    1     4    1  1   0    1
            read %x[n.opc, 7*h.opc + h.ks, 5*w.opc + w.ks, c.opc]
            pre input
            main input
            reduce add i32
            post clamp(divide(acc, taps), -128, 127)
            write [n.opc, h.opc, w.opc, c.opc]
          }
        """);

    [Fact]
    public void Add_that_broadcasts_both_ways() => Check(
        new Add("y", ["x", "v"], Int8(Shape.Of(2, 7, 5, 4), 1f, 9), FusedActivation.None, RoundingScheme.TfliteDouble),
        """
          origin add %y
          %y = gconv [n.g 2, h.opc 7, w.op 5, c.g 4] : i8[2x7x5x4] scale 1 zero 9 {
            | dim  Ng  Nop  Nopc  Nks  s  ps  dil
            | n     2    1     1    1  1   0    1
            | h     1    1     7    1  1   0    1
            | w     1    5     1    1  1   0    1
            | c     4    1     1    1  1   0    1
            read %x[n.g, h.opc, 0, c.g]
            kernel %v[n.g, 0, w.op, c.g]
            pre requantize(tflite-double, input - 3 << 20, 1073741824, 0)
            main input + requantize(tflite-double, kernel - 0 << 20, 1073741824, -1)
            reduce none i32
            post clamp(requantize(tflite-double, acc, 1073741824, -19) + 9, -128, 127)
            write [n.g, h.opc, w.op, c.g]
          }
        """,
        new("x", Int8(Shape.Of(2, 7, 1, 4), 0.5f, 3)),
        new("v", Int8(Shape.Of(2, 1, 5, 4), 0.25f, 0)));

    [Fact]
    public void Pad() => Check(
        new Pad("y", ["x"], Int8(Shape.Of(2, 10, 6, 4), 0.5f, 3), [0, 1, 0, 0], [0, 2, 1, 0], -4),
        """
          origin pad %y
          %y = gconv [n.opc 2, h.opc 10, w.opc 6, c.opc 4] : i8[2x10x6x4] scale 0.5 zero 3 {
            | dim  Ng  Nop  Nopc  Nks  s  ps  dil
            | n     1    1     2    1  1   0    1
            | h     1    1    10    1  1   1    1
            | w     1    1     6    1  1   0    1
            | c     1    1     4    1  1   0    1
            read %x[n.opc, h.opc - 1, w.opc, c.opc] fill -4
            pre input
            main input
            reduce none i32
            post acc
            write [n.opc, h.opc, w.opc, c.opc]
          }
        """);

    [Fact]
    public void Concat() => Check(
        new Concat("y", ["x", "v"], Int8(Shape.Of(2, 6), 0.5f, 3), 1),
        """
          origin concat %y
          %y.0 = gconv [n.opc 2, c.opc 1] : i8[2x1] scale 0.5 zero 3 into %y {
            | dim  Ng  Nop  Nopc  Nks  s  ps  dil
            | n     1    1     2    1  1   0    1
            | c     1    1     1    1  1   0    1
            read %x[n.opc, c.opc]
            pre input
            main input
            reduce none i32
            post acc
            write [n.opc, c.opc]
          }
          origin concat %y
          %y.1 = gconv [n.opc 2, c.opc 5] : i8[2x5] scale 0.5 zero 3 into %y {
            | dim  Ng  Nop  Nopc  Nks  s  ps  dil
            | n     1    1     2    1  1   0    1
            | c     1    1     5    1  1   0    1
            read %v[n.opc, c.opc]
            pre input
            main input
            reduce none i32
            post acc
            write [n.opc, c.opc + 1]
          }
          origin concat %y
          %y = join %y.0, %y.1 : i8[2x6] scale 0.5 zero 3
        """,
        new("x", Int8(Shape.Of(2, 1), 0.5f, 3)),
        new("v", Int8(Shape.Of(2, 5), 0.5f, 3)));

    [Fact]
    public void Activation() => Check(
        new Activation("y", ["x"], Int8(Shape.Of(2, 3, 4), 0.5f, 3), FusedActivation.Relu),
        """
          origin activation %y
          %y = gconv [d0.opc 2, d1.opc 3, d2.opc 4] : i8[2x3x4] scale 0.5 zero 3 {
            | dim  Ng  Nop  Nopc  Nks  s  ps  dil
            | d0    1    1     2    1  1   0    1
            | d1    1    1     3    1  1   0    1
            | d2    1    1     4    1  1   0    1
            read %x[d0.opc, d1.opc, d2.opc]
            pre input
            main input
            reduce none i32
            post clamp(acc, 3, 127)
            write [d0.opc, d1.opc, d2.opc]
          }
        """,
        new NetworkInput("x", Int8(Shape.Of(2, 3, 4), 0.5f, 3)));

    [Fact]
    public void Reshape() => Check(
        new Reshape("y", ["x"], Int8(Shape.Of(10, 28), 0.5f, 3)),
        """
          origin reshape %y
          %y = reshape %x : i8[10x28] scale 0.5 zero 3
        """);

    [Fact]
    public void Softmax() => Check(
        new Softmax("y", ["x"], Int8(Shape.Of(2, 7, 5, 4), 1f / 256, -128), 1f),
        """
          origin softmax %y
          %y = softmax %x multiplier=1073741824 shift=26 diff=-31 : i8[2x7x5x4] scale 0.00390625 zero -128
        """);

    [Fact]
    public void Names_that_the_network_uses_itself_are_avoided()
    {
        var dense = new Dense(
            "y", ["y.flat"], Int8(Shape.Of(2, 3), 2f, 5), Zeros(ElementType.Int8, 3, 140), Quantization.PerTensor(1f, 0), null, FusedActivation.None, RoundingScheme.TfliteDouble);
        var graph = new NetworkGraph("n", [Image with { Name = "y.flat" }], [dense, new Reshape("y.weights", ["y"], dense.Type)], ["y.weights"]);
        var diagnostics = new DiagnosticBag();

        var program = LowerToGconv.Lower(graph, diagnostics)!;

        Assert.Empty(GconvVerifier.Check(program));
        Assert.Equal(["y.flat.2", "y", "y.weights"], program.Steps.Select(step => step.Name));
        Assert.Contains("y.weights.2", program.Constants.Select(constant => constant.Name));
    }

    private static void Check(Layer layer, string expected, params NetworkInput[] inputs)
    {
        var graph = new NetworkGraph("n", inputs.Length == 0 ? [Image] : EquatableArray.Create<NetworkInput>(inputs), [layer], ["y"]);
        var context = new PassContext { VerifyEach = true };
        var module = Assert.IsType<GconvModule>(PassRunner.Run(new(new LowerToGconv()), new NetworkModule(graph), context));

        // What is between the inputs and the output; constants in the order of their names, hashes left out.
        var lines = module.Print().Split('\n').Skip(1 + graph.Inputs.Count).TakeWhile(line => !line.StartsWith("  output", StringComparison.Ordinal)).ToArray();
        var constants = lines.TakeWhile(line => line.StartsWith("  constant", StringComparison.Ordinal)).Order(StringComparer.Ordinal);
        var actual = constants.Concat(lines.Skip(module.Program.Constants.Count)).Select(line => System.Text.RegularExpressions.Regex.Replace(line, "#[0-9a-f]{16}", "#HASH", System.Text.RegularExpressions.RegexOptions.None, TimeSpan.FromSeconds(1)));
        Assert.Equal(expected.ReplaceLineEndings("\n"), string.Join('\n', actual));
    }

    private static TensorType Int8(Shape shape, float scale, int zeroPoint) => new(ElementType.Int8, shape, Quantization.PerTensor(scale, zeroPoint));

    private static Tensor Zeros(ElementType element, params int[] extents)
    {
        var shape = Shape.Of(extents);
        return new(element, shape, new byte[shape.Elements * element.Size()]);
    }
}
