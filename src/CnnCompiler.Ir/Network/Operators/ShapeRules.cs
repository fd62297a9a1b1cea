using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Ir.Network.Operators;

/// <summary>The shape rules that operators are declared with. A rule reports what doesn't fit and gives null.</summary>
/// <param name="layer">The layer whose result is asked for.</param>
/// <param name="diagnostics">Takes what is wrong.</param>
internal sealed partial class ShapeRules(Layer layer, DiagnosticBag diagnostics)
{
    private const string Nhwc = "[N, H, W, C]";
    private const string Ndhwc = "[N, D, H, W, C]";

    public Shape? Conv2D(Conv2D conv, TensorType type)
    {
        var input = type.Shape;
        var weights = conv.Weights.Shape;
        if (!HasRank("input", input, 4, Nhwc) || !HasWeights(conv.Weights, type, 4, "[K, KH, KW, C / groups]") || !GroupsFit(conv.Groups, input[3], weights[0]))
        {
            return null;
        }

        if (weights[3] != input[3] / conv.Groups)
        {
            return Refuse(NetworkDiagnostics.WeightsForOtherChannels(layer, weights, input[3] / conv.Groups, input));
        }

        return HasBias(conv.Bias, type, weights[0])
            ? Window(input, new(weights[1], weights[2]), conv.Stride, conv.Dilation, conv.Padding, weights[0])
            : null;
    }

    public Shape? DepthwiseConv2D(DepthwiseConv2D conv, TensorType type)
    {
        var input = type.Shape;
        var weights = conv.Weights.Shape;
        if (!HasRank("input", input, 4, Nhwc) || !HasWeights(conv.Weights, type, 4, "[1, KH, KW, C * multiplier]") || !InRange("multiplier", conv.Multiplier, 1, NetworkLimits.Attribute))
        {
            return null;
        }

        if (weights[0] != 1 || weights[3] != (long)input[3] * conv.Multiplier)
        {
            var expected = (int)Math.Min((long)input[3] * conv.Multiplier, int.MaxValue);
            return Refuse(NetworkDiagnostics.WeightsForOtherChannels(layer, weights, expected, input));
        }

        return HasBias(conv.Bias, type, weights[3])
            ? Window(input, new(weights[1], weights[2]), conv.Stride, conv.Dilation, conv.Padding, weights[3])
            : null;
    }

    public Shape? Dense(Dense dense, TensorType type)
    {
        var input = type.Shape;
        var weights = dense.Weights.Shape;
        if (!HasWeights(dense.Weights, type, 2, "[out, in]"))
        {
            return null;
        }

        if (input.Elements % weights[1] != 0)
        {
            return Refuse(NetworkDiagnostics.DenseInputDoesNotFit(layer, weights, input));
        }

        return HasBias(dense.Bias, type, weights[0]) ? Fits([input.Elements / weights[1], weights[0]]) : null;
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

        return WindowsMeetInput("height", kernel.Height, padding.Top, padding.Bottom) && WindowsMeetInput("width", kernel.Width, padding.Left, padding.Right) ? shape : null;
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

    private Shape? Window(Shape input, Spatial kernel, Spatial stride, Spatial dilation, Padding padding, int channels)
    {
        if (!StepsAreRight(stride, dilation, padding))
        {
            return null;
        }

        var height = NetworkShapes.WindowPositions(input[1], kernel.Height, stride.Height, dilation.Height, padding.Top, padding.Bottom);
        if (height < 1)
        {
            return Refuse(NetworkDiagnostics.KernelLargerThanInput(
                layer, "height", kernel.Height, NetworkShapes.EffectiveKernel(kernel.Height, dilation.Height), input[1], padding.Top, padding.Bottom));
        }

        var width = NetworkShapes.WindowPositions(input[2], kernel.Width, stride.Width, dilation.Width, padding.Left, padding.Right);
        return width < 1
            ? Refuse(NetworkDiagnostics.KernelLargerThanInput(
                layer, "width", kernel.Width, NetworkShapes.EffectiveKernel(kernel.Width, dilation.Width), input[2], padding.Left, padding.Right))
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

    private bool HasWeights(Tensor weights, TensorType input, int rank, string order) =>
        (weights.Element == input.Element && weights.Shape.Rank == rank && NetworkLimits.Allows(weights.Shape))
        || Report(NetworkDiagnostics.WrongWeights(layer, weights, input.Element, rank, order));

    private bool HasBias(Tensor? bias, TensorType input, int channels) =>
        bias is null
        || (bias.Element == BiasOf(input.Element) && bias.Shape.Rank == 1 && bias.Shape[0] == channels)
        || Report(NetworkDiagnostics.WrongBias(layer, bias, BiasOf(input.Element), channels));

    // Sums of i8 products and fixed-point sums take an i32 bias.
    private static ElementType BiasOf(ElementType input) => input == ElementType.Float32 ? ElementType.Float32 : ElementType.Int32;

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
