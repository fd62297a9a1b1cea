using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Ir.Network;

/// <summary>
/// The shape rule of each layer, stated once: shape of the result from shapes of the inputs, weights and attributes. Front ends call it to type a layer
/// they build (with any placeholder as its type), the verifier to check one that is typed.
/// </summary>
public static class NetworkShapes
{
    private const string Nhwc = "[N, H, W, C]";

    /// <summary>
    /// Shape of the result of <paramref name="layer"/>, or null and diagnostics where inputs and attributes don't fit together. The layer's own type is not
    /// read, except by reshape, whose attribute it is.
    /// </summary>
    /// <param name="layer">The layer; it has as many inputs as its kind wants.</param>
    /// <param name="inputs">Types of its inputs.</param>
    /// <param name="diagnostics">Takes what is wrong.</param>
    public static Shape? Infer(Layer layer, IReadOnlyList<TensorType> inputs, DiagnosticBag diagnostics)
    {
        for (var i = 0; i < inputs.Count; i++)
        {
            // The rules multiply extents.
            if (!NetworkLimits.Allows(inputs[i].Shape))
            {
                diagnostics.Report(NetworkDiagnostics.TooManyElements(layer.Span.Value, layer.Inputs[i], inputs[i].Shape));
                return null;
            }
        }

        var rules = new Rules(layer, diagnostics);
        return layer.Match<Shape?>(
            conv2D: l => rules.Conv2D(l, inputs[0].Shape),
            depthwiseConv2D: l => rules.DepthwiseConv2D(l, inputs[0].Shape),
            dense: l => rules.Dense(l, inputs[0].Shape),
            maxPool2D: l => rules.Pool(inputs[0].Shape, l.Kernel, l.Stride, l.Padding),
            averagePool2D: l => rules.Pool(inputs[0].Shape, l.Kernel, l.Stride, l.Padding),
            add: _ => rules.Broadcast(inputs[0].Shape, inputs[1].Shape),
            concat: l => rules.Concat(inputs, l.Axis),
            pad: l => rules.Pad(inputs[0].Shape, l.Before, l.After),
            reshape: l => rules.Reshape(inputs[0].Shape, l.Type.Shape),
            activation: _ => inputs[0].Shape,
            softmax: _ => rules.Softmax(inputs[0].Shape),
            conv3D: _ => throw new NotSupportedException(),
            conv2DTranspose: _ => throw new NotSupportedException(),
            matMul: _ => throw new NotSupportedException(),
            capsuleTransform: _ => throw new NotSupportedException(),
            maxPool3D: _ => throw new NotSupportedException(),
            averagePool3D: _ => throw new NotSupportedException(),
            mean: _ => throw new NotSupportedException(),
            constant: _ => throw new NotSupportedException(),
            sub: _ => throw new NotSupportedException(),
            mul: _ => throw new NotSupportedException(),
            unary: _ => throw new NotSupportedException(),
            clip: _ => throw new NotSupportedException(),
            batchNorm: _ => throw new NotSupportedException(),
            layerNorm: _ => throw new NotSupportedException(),
            lrn: _ => throw new NotSupportedException(),
            squash: _ => throw new NotSupportedException(),
            routing: _ => throw new NotSupportedException(),
            quantize: _ => throw new NotSupportedException(),
            dequantize: _ => throw new NotSupportedException(),
            transpose: _ => throw new NotSupportedException(),
            stridedSlice: _ => throw new NotSupportedException(),
            split: _ => throw new NotSupportedException(),
            resize: _ => throw new NotSupportedException(),
            proposal: _ => throw new NotSupportedException(),
            roiPool: _ => throw new NotSupportedException());
    }

    /// <summary>
    /// Positions of a window along one dimension: floor((input + before + after - effective kernel) / stride) + 1, with an effective kernel of
    /// (kernel - 1) * dilation + 1. Zero or less where the kernel doesn't fit.
    /// </summary>
    public static long WindowPositions(int input, int kernel, int stride, int dilation, int before, int after)
    {
        var room = (long)input + before + after - EffectiveKernel(kernel, dilation);
        return room < 0 ? 0 : (room / stride) + 1;
    }

    /// <summary>Extent that a dilated kernel spans.</summary>
    public static long EffectiveKernel(int kernel, int dilation) => ((long)(kernel - 1) * dilation) + 1;

    private sealed class Rules(Layer layer, DiagnosticBag diagnostics)
    {
        public Shape? Conv2D(Conv2D conv, Shape input)
        {
            var weights = conv.Weights.Shape;
            if (!HasRank("input", input, 4, Nhwc) || !HasWeights(conv.Weights, 4, "[K, KH, KW, C / groups]") || !InRange("groups", conv.Groups, 1, NetworkLimits.Attribute))
            {
                return null;
            }

            if (input[3] % conv.Groups != 0)
            {
                return Refuse(NetworkDiagnostics.GroupsDoNotDivide(layer, conv.Groups, "input", input[3]));
            }

            if (weights[0] % conv.Groups != 0)
            {
                return Refuse(NetworkDiagnostics.GroupsDoNotDivide(layer, conv.Groups, "output", weights[0]));
            }

            if (weights[3] != input[3] / conv.Groups)
            {
                return Refuse(NetworkDiagnostics.WeightsForOtherChannels(layer, weights, input[3] / conv.Groups, input));
            }

            return HasBias(conv.Bias, weights[0])
                ? Window(input, new(weights[1], weights[2]), conv.Stride, conv.Dilation, conv.Padding, weights[0])
                : null;
        }

        public Shape? DepthwiseConv2D(DepthwiseConv2D conv, Shape input)
        {
            var weights = conv.Weights.Shape;
            if (!HasRank("input", input, 4, Nhwc) || !HasWeights(conv.Weights, 4, "[1, KH, KW, C * multiplier]") || !InRange("multiplier", conv.Multiplier, 1, NetworkLimits.Attribute))
            {
                return null;
            }

            if (weights[0] != 1 || weights[3] != (long)input[3] * conv.Multiplier)
            {
                var expected = (int)Math.Min((long)input[3] * conv.Multiplier, int.MaxValue);
                return Refuse(NetworkDiagnostics.WeightsForOtherChannels(layer, weights, expected, input));
            }

            return HasBias(conv.Bias, weights[3])
                ? Window(input, new(weights[1], weights[2]), conv.Stride, conv.Dilation, conv.Padding, weights[3])
                : null;
        }

        public Shape? Dense(Dense dense, Shape input)
        {
            var weights = dense.Weights.Shape;
            if (!HasWeights(dense.Weights, 2, "[out, in]"))
            {
                return null;
            }

            if (input.Elements % weights[1] != 0)
            {
                return Refuse(NetworkDiagnostics.DenseInputDoesNotFit(layer, weights, input));
            }

            return HasBias(dense.Bias, weights[0]) ? Fits([input.Elements / weights[1], weights[0]]) : null;
        }

        public Shape? Pool(Shape input, Spatial kernel, Spatial stride, Padding padding)
        {
            if (!HasRank("input", input, 4, Nhwc) || !InRange("kernel height", kernel.Height, 1, NetworkLimits.Attribute) || !InRange("kernel width", kernel.Width, 1, NetworkLimits.Attribute))
            {
                return null;
            }

            if (Window(input, kernel, stride, new(1, 1), padding, input[3]) is not { } shape)
            {
                return null;
            }

            if (Math.Max(padding.Top, padding.Bottom) >= kernel.Height)
            {
                return Refuse(NetworkDiagnostics.PoolPaddingTooLarge(layer, "height", kernel.Height, padding.Top, padding.Bottom));
            }

            return Math.Max(padding.Left, padding.Right) >= kernel.Width
                ? Refuse(NetworkDiagnostics.PoolPaddingTooLarge(layer, "width", kernel.Width, padding.Left, padding.Right))
                : shape;
        }

        public Shape? Broadcast(Shape first, Shape second)
        {
            var rank = Math.Max(first.Rank, second.Rank);
            var result = new long[rank];
            for (var fromLast = 1; fromLast <= rank; fromLast++)
            {
                var a = fromLast <= first.Rank ? first.Dimensions[^fromLast] : 1;
                var b = fromLast <= second.Rank ? second.Dimensions[^fromLast] : 1;
                if (a != b && a != 1 && b != 1)
                {
                    return Refuse(NetworkDiagnostics.ShapesDoNotBroadcast(layer, first, second));
                }

                result[^fromLast] = Math.Max(a, b);
            }

            return Fits(result);
        }

        public Shape? Concat(IReadOnlyList<TensorType> inputs, int axis)
        {
            var first = inputs[0].Shape;
            if (!InRange("axis", axis, 0, first.Rank - 1))
            {
                return null;
            }

            var result = first.Dimensions.Select(extent => (long)extent).ToArray();
            foreach (var other in inputs.Skip(1).Select(type => type.Shape))
            {
                for (var dimension = 0; dimension < Math.Max(first.Rank, other.Rank); dimension++)
                {
                    if (other.Rank != first.Rank || (dimension != axis && other[dimension] != first[dimension]))
                    {
                        return Refuse(NetworkDiagnostics.ShapesDoNotConcatenate(layer, first, other, axis));
                    }
                }

                result[axis] += other[axis];
            }

            return Fits(result);
        }

        public Shape? Pad(Shape input, EquatableArray<int> before, EquatableArray<int> after)
        {
            foreach (var (list, name) in ((EquatableArray<int>, string)[])[(before, "before"), (after, "after")])
            {
                if (list.Count != input.Rank)
                {
                    return Refuse(NetworkDiagnostics.PadListLength(layer, name, list.Count, input.Rank));
                }

                foreach (var amount in list)
                {
                    if (!InRange(name, amount, 0, NetworkLimits.Attribute))
                    {
                        return null;
                    }
                }
            }

            return Fits([.. input.Dimensions.Select((extent, dimension) => (long)extent + before[dimension] + after[dimension])]);
        }

        public Shape? Reshape(Shape from, Shape to) =>
            NetworkLimits.Allows(to) && from.Elements == to.Elements ? to : Refuse(NetworkDiagnostics.ReshapeChangesElements(layer, from, to));

        public Shape? Softmax(Shape input) =>
            input.Rank >= 1 ? input : Refuse(NetworkDiagnostics.WrongRank(layer, "input", input, 1, "or more, the last of which is the classes"));

        private Shape? Window(Shape input, Spatial kernel, Spatial stride, Spatial dilation, Padding padding, int channels)
        {
            if (!InRange("stride", stride.Height, 1, NetworkLimits.Attribute) || !InRange("stride", stride.Width, 1, NetworkLimits.Attribute)
                || !InRange("dilation", dilation.Height, 1, NetworkLimits.Attribute) || !InRange("dilation", dilation.Width, 1, NetworkLimits.Attribute)
                || !InRange("padding", padding.Top, 0, NetworkLimits.Attribute) || !InRange("padding", padding.Bottom, 0, NetworkLimits.Attribute)
                || !InRange("padding", padding.Left, 0, NetworkLimits.Attribute) || !InRange("padding", padding.Right, 0, NetworkLimits.Attribute))
            {
                return null;
            }

            var height = WindowPositions(input[1], kernel.Height, stride.Height, dilation.Height, padding.Top, padding.Bottom);
            if (height < 1)
            {
                return Refuse(NetworkDiagnostics.KernelLargerThanInput(
                    layer, "height", kernel.Height, EffectiveKernel(kernel.Height, dilation.Height), input[1], padding.Top, padding.Bottom));
            }

            var width = WindowPositions(input[2], kernel.Width, stride.Width, dilation.Width, padding.Left, padding.Right);
            return width < 1
                ? Refuse(NetworkDiagnostics.KernelLargerThanInput(
                    layer, "width", kernel.Width, EffectiveKernel(kernel.Width, dilation.Width), input[2], padding.Left, padding.Right))
                : Fits([input[0], height, width, channels]);
        }

        private Shape? Fits(ReadOnlySpan<long> extents)
        {
            var clipped = new int[extents.Length];
            for (var i = 0; i < extents.Length; i++)
            {
                clipped[i] = (int)Math.Min(extents[i], int.MaxValue);
            }

            var shape = Shape.Of(clipped);
            return NetworkLimits.Allows(shape) ? shape : Refuse(NetworkDiagnostics.TooManyElements(layer.Span.Value, layer.Name, shape));
        }

        private bool HasRank(string what, Shape shape, int rank, string meaning) =>
            shape.Rank == rank || Report(NetworkDiagnostics.WrongRank(layer, what, shape, rank, meaning));

        private bool HasWeights(Tensor weights, int rank, string order) =>
            (weights.Element == ElementType.Int8 && weights.Shape.Rank == rank && NetworkLimits.Allows(weights.Shape))
            || Report(NetworkDiagnostics.WrongWeights(layer, weights, rank, order));

        private bool HasBias(Tensor? bias, int channels) =>
            bias is null
            || (bias.Element == ElementType.Int32 && bias.Shape.Rank == 1 && bias.Shape[0] == channels)
            || Report(NetworkDiagnostics.WrongBias(layer, bias, channels));

        private bool InRange(string attribute, int value, int low, int high) =>
            (value >= low && value <= high) || Report(NetworkDiagnostics.AttributeOutOfRange(layer, attribute, value, low, high));

        private bool Report(Diagnostic diagnostic)
        {
            diagnostics.Report(diagnostic);
            return false;
        }

        private Shape? Refuse(Diagnostic diagnostic)
        {
            diagnostics.Report(diagnostic);
            return null;
        }
    }
}
