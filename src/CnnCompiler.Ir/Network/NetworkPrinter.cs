using System.Text;
using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network.Operators;
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

    /// <summary>A layer as a line of text, without the line's end.</summary>
    internal static string Print(Layer layer, ConstantStoreBuilder constants)
    {
        var attributes = string.Concat(OperatorTable.Of(layer).Attributes.Select(attribute => Print(layer, attribute, constants)));
        var inputs = string.Join(", ", layer.Inputs.Select(Value));
        return $"{Value(layer.Name)} = {layer.Keyword}{(inputs.Length > 0 ? " " : string.Empty)}{inputs}{attributes} : {Type(layer.Type)}";
    }

    private static string Print(Layer layer, OperatorAttribute attribute, ConstantStoreBuilder constants)
    {
        var value = attribute.Get(layer);
        if (value is null || (!attribute.IsAlwaysPrinted && value.Equals(attribute.Default)))
        {
            return string.Empty;
        }

        var name = attribute.TextName;
        return value switch
        {
            Tensor tensor => $" {name}={Constant(tensor, $"{layer.Name}.{attribute.Name}", constants)}",
            Quantization quantization => WeightQuantization(layer.Name, quantization, constants),
            int number => $" {name}={Integer(number)}",
            float real => $" {name}={Float(real)}",
            bool flag => $" {name}={(flag ? "yes" : "no")}",
            EquatableArray<int> list => $" {name}={List(list)}",
            EquatableArray<float> list => $" {name}={List(list)}",
            Spatial pair => $" {name}={Integer(pair.Height)}x{Integer(pair.Width)}",
            Volume volume => $" {name}={Integer(volume.Depth)}x{Integer(volume.Height)}x{Integer(volume.Width)}",
            Padding sides => $" {name}={Sides(sides)}",
            VolumePadding sides => $" {name}={Integer(sides.Front)},{Integer(sides.Back)},{Sides(sides.Plane)}",
            FusedActivation activation => $" {name}={NetworkNames.Of(activation)}",
            RoundingScheme rounding => $" {name}={NetworkNames.Of(rounding)}",
            ResizeMode mode => $" {name}={NetworkNames.Of(mode)}",
            ResizeCoordinates coordinates => $" {name}={NetworkNames.Of(coordinates)}",
            _ => throw new InvalidOperationException($"no text for {attribute.Kind}"),
        };
    }

    private static string WeightQuantization(string name, Quantization quantization, ConstantStoreBuilder constants)
    {
        if (quantization is { Axis: -1, Scales.Count: 1, ZeroPoints: [0] })
        {
            return $" scale={Float(quantization.Scale)}";
        }

        var scales = Tensor.From(ElementType.Float32, Shape.Of(quantization.Scales.Count), quantization.Scales.AsSpan());
        var text = $" scales={Constant(scales, name + ".scales", constants)} axis={Integer(quantization.Axis)}";
        return quantization.ZeroPoints.Count != quantization.Scales.Count || quantization.ZeroPoints.Any(zeroPoint => zeroPoint != 0)
            ? $"{text} zeros={List(quantization.ZeroPoints)}"
            : text;
    }

    private static string Sides(Padding padding) => $"{Integer(padding.Top)},{Integer(padding.Bottom)},{Integer(padding.Left)},{Integer(padding.Right)}";
}
