using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;

namespace CnnCompiler.Frontend.Onnx;

/// <summary>Numbers of a layer that sums products.</summary>
/// <param name="Weights">Weights in the file's order; i8 or f32.</param>
/// <param name="Codes">What i8 weights mean; the axis counts the file's dimensions.</param>
/// <param name="Bias">Bias, or null.</param>
/// <param name="Element">Element type of the result.</param>
/// <param name="Result">Scale of the result.</param>
/// <param name="Activation">What follows.</param>
internal sealed record OnnxProduct(Tensor Weights, Quantization? Codes, Tensor? Bias, ElementType Element, Quantization? Result, FusedActivation Activation);

/// <summary>Conv, ConvInteger, QLinearConv, ConvTranspose.</summary>
internal static class OnnxConvolutions
{
    private const RoundingScheme HalfEven = RoundingScheme.OnnxHalfEven;

    public static IReadOnlyList<OnnxValue> BuildConv(OnnxNode node)
    {
        var (data, weights) = (node.Input(0), node.Input(1));
        if (OnnxProducts.Integer(node, data, weights, 0, node.HasInput(2) ? node.Input(2) : null) is { } integer)
        {
            return integer.Finish(node, node.MadeLast(Convolve(node, data, node.Last(data), integer.Product), integer.Element));
        }

        var bias = node.HasInput(2) ? node.RealConstant(2, "its bias") : null;
        return [node.MadeLast(Convolve(node, data, node.RealLast(data), new(node.RealConstant(1, "its weights"), null, bias, ElementType.Float32, null, FusedActivation.None)))];
    }

    public static IReadOnlyList<OnnxValue> BuildQLinearConv(OnnxNode node)
    {
        var data = OnnxQuantization.Codes(node, 0, OnnxQuantization.Read(node, 1, 2, -1));
        var weights = node.Constant(3, "its weights");
        var codes = OnnxQuantization.Read(node, 4, 5, 0);
        var result = OnnxQuantization.Read(node, 6, 7, -1);
        var element = node.Constant(7, "its zero point").Element;
        var bias = node.HasInput(8) ? node.Constant(8, "its bias") : null;
        var product = new OnnxProduct(OnnxQuantization.Signed(weights), OnnxQuantization.Signed(codes, weights.Element), bias, ElementType.Int8, OnnxQuantization.Signed(result, element), FusedActivation.None);
        return [node.MadeLast(Convolve(node, data, node.Last(data), product), element)];
    }

    public static IReadOnlyList<OnnxValue> BuildConvInteger(OnnxNode node)
    {
        var data = OnnxQuantization.Codes(node, 0, OnnxQuantization.ReadZero(node, 2, -1));
        var weights = node.Constant(1, "its weights");
        var codes = OnnxQuantization.Signed(OnnxQuantization.ReadZero(node, 3, 0), weights.Element);
        var product = new OnnxProduct(OnnxQuantization.Signed(weights), codes, null, ElementType.Int32, Quantization.PerTensor(1, 0), FusedActivation.None);
        return [node.MadeLast(Convolve(node, data, node.Last(data), product))];
    }

    public static IReadOnlyList<OnnxValue> BuildConvTranspose(OnnxNode node)
    {
        var data = node.Input(0);
        var weights = node.RealConstant(1, "its weights");
        var spatial = data.Shape.Rank - 2;
        node.Require(spatial is 1 or 2, "it has three spatial dimensions, and there is no transposed 3-D convolution", "use Resize and a 3-D convolution");
        var groups = node.Small(node.Int("group", 1), "group", 1);
        if (weights.Shape.Rank != data.Shape.Rank || weights.Shape[0] != data.Shape[1] || weights.Shape[0] % groups != 0)
        {
            throw node.Inconsistent($"weights {weights.Shape} for an input {data.Shape}");
        }

        var each = weights.Shape[1];
        var kernel = weights.Shape.Dimensions.Skip(2).ToArray();
        var (strides, dilations, extra, before, after) = TransposedWindow(node, data, kernel);

        // [groups * (C / groups), K / groups, kernel...] to [groups * (K / groups), kernel..., C / groups].
        var split = weights.Reshape(new([groups, weights.Shape[0] / groups, each, .. kernel]));
        int[] order = [0, 2, .. Enumerable.Range(3, spatial), 1];
        var arranged = OnnxTensors.Transpose(split, order).Reshape(Shape.Of(
            groups * each, spatial == 1 ? 1 : kernel[0], kernel[^1], weights.Shape[0] / groups));
        var bias = node.HasInput(2) ? node.RealConstant(2, "its bias") : null;
        var input = Plane(node, node.RealLast(data), spatial);
        var made = node.Net.Add(
            new Conv2DTranspose(
                string.Empty, [input], OnnxNetworkBuilder.Open(), arranged, null, bias, OnnxWindows.Pair(strides, 1), OnnxWindows.Pair(dilations, 1),
                new(spatial == 1 ? 0 : before[0], spatial == 1 ? 0 : after[0], before[^1], after[^1]), OnnxWindows.Pair(extra, 0), groups, FusedActivation.None, HalfEven),
            ElementType.Float32);
        return [node.MadeLast(Line(node, made, spatial))];
    }

    /// <summary>An image of one spatial dimension as one of height 1.</summary>
    public static string Plane(OnnxNode node, string name, int spatial)
    {
        var shape = node.Net.TypeOf(name).Shape;
        return spatial == 1 ? node.Net.Reshape(name, shape[0], 1, shape[1], shape[2]) : name;
    }

    /// <summary>The other way round.</summary>
    public static string Line(OnnxNode node, string name, int spatial)
    {
        var shape = node.Net.TypeOf(name).Shape;
        return spatial == 1 ? node.Net.Reshape(name, shape[0], shape[2], shape[3]) : name;
    }

    private static (int[] Strides, int[] Dilations, int[] Extra, int[] Before, int[] After) TransposedWindow(OnnxNode node, OnnxValue data, int[] kernel)
    {
        var count = kernel.Length;
        int[] Numbers(string attribute, int length, int otherwise, int least) => node.Ints(attribute) is { } given
            ? given.Length == length ? given.Select(value => node.Small(value, attribute, least)).ToArray() : throw node.Inconsistent($"its {attribute} have another length")
            : Enumerable.Repeat(otherwise, length).ToArray();
        var (strides, dilations, extra) = (Numbers("strides", count, 1, 1), Numbers("dilations", count, 1, 1), Numbers("output_padding", count, 0, 0));
        var pads = Numbers("pads", 2 * count, 0, 0);
        var (before, after) = (pads[..count], pads[count..]);
        var automatic = node.Text("auto_pad", "NOTSET");
        var wanted = node.Ints("output_shape");
        if (wanted is not null && wanted.Length == count + 2)
        {
            wanted = wanted[2..];
        }

        for (var d = 0; d < count && (wanted is not null || automatic is "SAME_UPPER" or "SAME_LOWER"); d++)
        {
            if (wanted is not null && wanted.Length != count)
            {
                throw node.Inconsistent("its output_shape has another length");
            }

            var output = wanted?[d] ?? (long)data.Shape[d + 2] * strides[d];
            var total = ((data.Shape[d + 2] - 1L) * strides[d]) + extra[d] + NetworkShapes.EffectiveKernel(kernel[d], dilations[d]) - output;
            if (total < 0)
            {
                // Fewer rows than asked for: what lacks is added at the end.
                extra[d] = node.Small(extra[d] - total, "output padding");
                total = 0;
            }

            var half = node.Small(total, "padding") / 2;
            (before[d], after[d]) = automatic == "SAME_UPPER" ? (half, (int)total - half) : ((int)total - half, half);
        }

        return (strides, dilations, extra, before, after);
    }

    private static string Convolve(OnnxNode node, OnnxValue data, string input, OnnxProduct product)
    {
        var (rank, weights) = (data.Shape.Rank, product.Weights);
        node.Require(rank is 3 or 4 or 5, FormattableString.Invariant($"its input has {rank} dimensions"), "use convolutions over one, two or three spatial dimensions");
        if (weights.Shape.Rank != rank || weights.Shape.Elements == 0)
        {
            throw node.Inconsistent($"weights {weights.Shape} for an input {data.Shape}");
        }

        var spatial = rank - 2;
        var windows = OnnxWindows.Read(node, data.Shape.Dimensions.AsSpan()[2..], [.. weights.Shape.Dimensions.Skip(2)]);
        var groups = node.Small(node.Int("group", 1), "group", 1);
        var (outputs, channels) = (weights.Shape[0], data.Shape[1]);
        var bias = product.Bias is { } given && given.Shape.Elements == outputs ? given.Reshape(Shape.Of(outputs)) : product.Bias is null ? null : throw node.Inconsistent("its bias doesn't fit its output channels");
        var name = Plane(node, input, spatial);
        var (strides, dilations) = (windows.Strides, windows.Dilations);
        Layer layer;
        if (spatial == 3)
        {
            layer = new Conv3D(
                string.Empty, [name], OnnxNetworkBuilder.Open(), OnnxTensors.Transpose(weights, OnnxValue.ToLast(5)), product.Codes, bias, OnnxWindows.Triple(strides), OnnxWindows.Triple(dilations),
                windows.Volume(), groups, product.Activation, HalfEven);
        }
        else if (groups == channels && weights.Shape[1] == 1 && outputs % groups == 0 && groups > 1)
        {
            int[] order = [1, .. Enumerable.Range(2, spatial), 0];
            var arranged = OnnxTensors.Transpose(weights, order).Reshape(Shape.Of(1, spatial == 1 ? 1 : weights.Shape[2], weights.Shape.Dimensions[^1], outputs));
            var codes = product.Codes is { IsPerAxis: true } perChannel ? perChannel with { Axis = 3 } : product.Codes;
            layer = new DepthwiseConv2D(
                string.Empty, [name], OnnxNetworkBuilder.Open(), arranged, codes, bias, OnnxWindows.Pair(strides, 1), OnnxWindows.Pair(dilations, 1), windows.Plane(), outputs / groups, product.Activation, HalfEven);
        }
        else
        {
            var arranged = OnnxTensors.Transpose(weights, OnnxValue.ToLast(rank)).Reshape(Shape.Of(outputs, spatial == 1 ? 1 : weights.Shape[2], weights.Shape.Dimensions[^1], weights.Shape[1]));
            layer = new Conv2D(
                string.Empty, [name], OnnxNetworkBuilder.Open(), arranged, product.Codes, bias, OnnxWindows.Pair(strides, 1), OnnxWindows.Pair(dilations, 1), windows.Plane(), groups, product.Activation, HalfEven);
        }

        return Line(node, node.Net.Add(layer, product.Element, product.Result), spatial);
    }
}
