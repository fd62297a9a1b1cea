using System.Text;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Text;
using static CnnCompiler.Ir.Text.IrTextFormat;

namespace CnnCompiler.Ir.Network;

/// <summary>
/// Writes a network as text, a layer a line, which <see cref="NetworkParser"/> reads back as an equal network:
/// <code>
/// network "resnet8" {
///   input %t0 : i8[1x32x32x3] scale 1 zero -128
///   %t22 = conv2d %t0 weights=@t22.weights#0123456789abcdef:i8[16x3x3x3] scales=... stride=1x1 pad=1,1,1,1 act=relu round=tflite-double : i8[1x32x32x16] scale 0.03939355 zero -128
///   output %t22
/// }
/// </code>
/// Attributes with their usual value (dilation 1x1, 1 group, no activation) are left out.
/// </summary>
public static class NetworkPrinter
{
    /// <summary>Text and companion of a network.</summary>
    /// <param name="graph">The network.</param>
    /// <param name="notes">Comment lines before a layer, by its name; null for none.</param>
    public static NetworkText Print(NetworkGraph graph, Func<string, IEnumerable<string>>? notes = null)
    {
        var constants = new ConstantStoreBuilder();
        var text = new StringBuilder();
        text.Append("network ").Append(IrTextFormat.String(graph.Name)).Append(" {\n");
        foreach (var input in graph.Inputs)
        {
            text.Append("  input ").Append(Value(input.Name)).Append(" : ").Append(Type(input.Type)).Append('\n');
        }

        foreach (var layer in graph.Layers)
        {
            text.AppendNotes(notes?.Invoke(layer.Name)).Append("  ").Append(Print(layer, constants)).Append('\n');
        }

        foreach (var output in graph.Outputs)
        {
            text.Append("  output ").Append(Value(output)).Append('\n');
        }

        text.Append("}\n");
        return new(text.ToString(), constants.Build());
    }

    private static string Print(Layer layer, ConstantStoreBuilder constants)
    {
        var attributes = layer.Match(
            conv2D: l => Weights(l.Name, l.Weights, l.WeightQuantization, l.Bias, constants) + Window(l.Stride, l.Dilation, l.Padding)
                + Unless(l.Groups == 1, $" groups={Integer(l.Groups)}") + Activation(l.Activation) + Rounding(l.Rounding),
            depthwiseConv2D: l => Weights(l.Name, l.Weights, l.WeightQuantization, l.Bias, constants) + Window(l.Stride, l.Dilation, l.Padding)
                + Unless(l.Multiplier == 1, $" multiplier={Integer(l.Multiplier)}") + Activation(l.Activation) + Rounding(l.Rounding),
            dense: l => Weights(l.Name, l.Weights, l.WeightQuantization, l.Bias, constants) + Activation(l.Activation) + Rounding(l.Rounding),
            maxPool2D: l => Pool(l.Kernel, l.Stride, l.Padding) + Activation(l.Activation),
            averagePool2D: l => Pool(l.Kernel, l.Stride, l.Padding) + Activation(l.Activation),
            add: l => Activation(l.Activation) + Rounding(l.Rounding),
            concat: l => $" axis={Integer(l.Axis)}",
            pad: l => $" before={List(l.Before)} after={List(l.After)} value={Integer(l.Value)}",
            reshape: _ => string.Empty,
            activation: l => Activation(l.Function),
            softmax: l => $" beta={Float(l.Beta)}");
        var inputs = string.Join(", ", layer.Inputs.Select(Value));
        return $"{Value(layer.Name)} = {layer.Keyword} {inputs}{attributes} : {Type(layer.Type)}";
    }

    private static string Weights(string name, Tensor weights, Quantization? quantization, Tensor? bias, ConstantStoreBuilder constants)
    {
        var text = $" weights={Constant(weights, name + ".weights", constants)}";
        if (quantization is { Axis: -1, Scales.Count: 1, ZeroPoints: [0] })
        {
            text += $" scale={Float(quantization.Scale)}";
        }
        else if (quantization is not null)
        {
            var scales = Tensor.From(ElementType.Float32, Shape.Of(quantization.Scales.Count), quantization.Scales.AsSpan());
            text += $" scales={Constant(scales, name + ".scales", constants)} axis={Integer(quantization.Axis)}";
            if (quantization.ZeroPoints.Count != quantization.Scales.Count || quantization.ZeroPoints.Any(zeroPoint => zeroPoint != 0))
            {
                text += $" zeros={List(quantization.ZeroPoints)}";
            }
        }

        return bias is null ? text : $"{text} bias={Constant(bias, name + ".bias", constants)}";
    }

    private static string Window(Spatial stride, Spatial dilation, Padding padding) =>
        $" stride={Pair(stride)}{Unless(dilation == new Spatial(1, 1), $" dilation={Pair(dilation)}")} pad={Sides(padding)}";

    private static string Pool(Spatial kernel, Spatial stride, Padding padding) => $" kernel={Pair(kernel)} stride={Pair(stride)} pad={Sides(padding)}";

    private static string Activation(FusedActivation activation) => Unless(activation == FusedActivation.None, $" act={NetworkNames.Of(activation)}");

    private static string Rounding(RoundingScheme rounding) => $" round={NetworkNames.Of(rounding)}";

    private static string Pair(Spatial pair) => $"{Integer(pair.Height)}x{Integer(pair.Width)}";

    private static string Sides(Padding padding) => $"{Integer(padding.Top)},{Integer(padding.Bottom)},{Integer(padding.Left)},{Integer(padding.Right)}";

    private static string Unless(bool usual, string text) => usual ? string.Empty : text;
}
