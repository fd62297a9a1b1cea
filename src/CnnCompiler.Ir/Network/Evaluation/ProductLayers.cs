using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Primitives.Arithmetic;

namespace CnnCompiler.Ir.Network.Evaluation;

/// <summary>
/// Layers that sum products: convolutions, dense, matmul, capsule_transform. Codes lose their zero points first; sums of theirs are i32 and wrap (<c>int8-arithmetic.md</c> sections 3.3 and 3.4).
/// Fixed-point sums are i64 and exact, reals binary64.
/// </summary>
internal static class ProductLayers
{
    public static void Conv2D(Conv2D l, TensorType input, Tensor tensor, byte[] output)
    {
        var (from, to, kernel) = (input.Shape, l.Type.Shape, l.Weights.Shape);
        var windows = new Windows(
            WindowAxis.None,
            new(from[1], to[1], kernel[1], l.Stride.Height, l.Dilation.Height, l.Padding.Top),
            new(from[2], to[2], kernel[2], l.Stride.Width, l.Dilation.Width, l.Padding.Left));
        Convolve(new(l, input, l.Weights, l.WeightQuantization, l.Bias, l.Activation, l.Rounding), () => LayerArithmetic.Factors(l, input), windows, tensor, l.Groups, output);
    }

    public static void Conv3D(Conv3D l, TensorType input, Tensor tensor, byte[] output)
    {
        var (from, to, kernel) = (input.Shape, l.Type.Shape, l.Weights.Shape);
        var windows = new Windows(
            new(from[1], to[1], kernel[1], l.Stride.Depth, l.Dilation.Depth, l.Padding.Front),
            new(from[2], to[2], kernel[2], l.Stride.Height, l.Dilation.Height, l.Padding.Plane.Top),
            new(from[3], to[3], kernel[3], l.Stride.Width, l.Dilation.Width, l.Padding.Plane.Left));
        Convolve(new(l, input, l.Weights, l.WeightQuantization, l.Bias, l.Activation, l.Rounding), () => LayerArithmetic.Factors(l, input), windows, tensor, l.Groups, output);
    }

    public static void Conv2DTranspose(Conv2DTranspose l, TensorType input, Tensor tensor, byte[] output)
    {
        var (from, to, kernel) = (input.Shape, l.Type.Shape, l.Weights.Shape);
        var windows = new Windows(
            WindowAxis.None,
            new(from[1], to[1], kernel[1], l.Stride.Height, l.Dilation.Height, l.Padding.Top, Transposed: true),
            new(from[2], to[2], kernel[2], l.Stride.Width, l.Dilation.Width, l.Padding.Left, Transposed: true));
        Convolve(new(l, input, l.Weights, l.WeightQuantization, l.Bias, l.Activation, l.Rounding), () => LayerArithmetic.Factors(l, input), windows, tensor, l.Groups, output);
    }

    public static void Dense(Dense l, TensorType input, Tensor tensor, byte[] output) => Convolve(
        new(l, input, l.Weights, l.WeightQuantization, l.Bias, l.Activation, l.Rounding), () => LayerArithmetic.Factors(l, input), Windows.OfPixels(l.Type.Shape[0]), tensor, 1, output);

    public static void DepthwiseConv2D(DepthwiseConv2D l, TensorType input, Tensor tensor, byte[] output)
    {
        var (from, to, kernel) = (input.Shape, l.Type.Shape, l.Weights.Shape);
        var windows = new Windows(
            WindowAxis.None,
            new(from[1], to[1], kernel[1], l.Stride.Height, l.Dilation.Height, l.Padding.Top),
            new(from[2], to[2], kernel[2], l.Stride.Width, l.Dilation.Width, l.Padding.Left));
        var product = new StoredProduct(l, input, l.Weights, l.WeightQuantization, l.Bias, l.Activation, l.Rounding);
        switch (input.Form())
        {
            case NumberForm.Real:
                ProductKernels<float, double, RealNumbers>.ConvolveDepthwise(windows, tensor.AsSpan<float>(), l.Weights.AsSpan<float>(), l.Multiplier, product.Reals(output));
                break;
            case NumberForm.Fixed:
                ProductKernels<int, long, FixedNumbers>.ConvolveDepthwise(windows, tensor.AsSpan<int>(), l.Weights.AsSpan<int>(), l.Multiplier, product.Fixed(output));
                break;
            default:
                ProductKernels<short, int, CodeNumbers>.ConvolveDepthwise(
                    windows, Centred(tensor, input.ZeroPoint()), product.CentredWeights(), l.Multiplier, product.Codes(() => LayerArithmetic.Factors(l, input), output));
                break;
        }
    }

    public static void CapsuleTransform(CapsuleTransform l, TensorType input, Tensor tensor, byte[] output)
    {
        var extents = (l.Weights.Shape[0], l.Weights.Shape[1], l.Weights.Shape[2], l.Weights.Shape[3]);
        var product = new StoredProduct(l, input, l.Weights, l.WeightQuantization, null, FusedActivation.None, l.Rounding);
        if (input.Form() == NumberForm.Real)
        {
            ProductKernels<float, double, RealNumbers>.Capsules(tensor.AsSpan<float>(), l.Weights.AsSpan<float>(), extents, product.Reals(output));
        }
        else
        {
            ProductKernels<int, long, FixedNumbers>.Capsules(tensor.AsSpan<int>(), l.Weights.AsSpan<int>(), extents, product.Fixed(output));
        }
    }

    public static void MatMul(MatMul l, TensorType first, Tensor a, TensorType second, Tensor b, byte[] output)
    {
        switch (first.Form())
        {
            case NumberForm.Real:
                Multiply<float, double, RealNumbers>(l, first.Shape, a.AsSpan<float>(), second.Shape, b.AsSpan<float>(), new RealWriter(null, l.Activation, output));
                break;
            case NumberForm.Fixed:
                var from = LayerArithmetic.Fraction(first) + LayerArithmetic.Fraction(second);
                Multiply<int, long, FixedNumbers>(l, first.Shape, a.AsSpan<int>(), second.Shape, b.AsSpan<int>(), new FixedWriter(from, null, l.Type, l.Activation, output));
                break;
            default:
                Multiply<short, int, CodeNumbers>(
                    l, first.Shape, Centred(a, first.ZeroPoint()), second.Shape, Centred(b, second.ZeroPoint()), CodesOf(l, first, second, output));
                break;
        }
    }

    /// <summary>Codes less their zero point.</summary>
    private static short[] Centred(Tensor tensor, int zeroPoint)
    {
        var codes = tensor.AsSpan<sbyte>();
        var values = new short[codes.Length];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = (short)(codes[i] - zeroPoint);
        }

        return values;
    }

    private static ResultWriter<int> CodesOf(MatMul l, TensorType first, TensorType second, byte[] output)
    {
        if (l.Type.Form() == NumberForm.Fixed)
        {
            return new SumWriter(null, output);
        }

        var factors = new Requantization[l.Type.Shape.Dimensions[^1]];
        Array.Fill(factors, LayerArithmetic.Factor(l, first, second));
        return new CodeWriter(l.Rounding, factors, (LayerArithmetic.Required(first).Scale, LayerArithmetic.Required(second)), null, l.Type, l.Activation, output);
    }

    private static void Convolve(StoredProduct product, Func<Requantization[]> factors, Windows windows, Tensor tensor, int groups, byte[] output)
    {
        var outputs = product.Weights.Shape[0];
        switch (product.Input.Form())
        {
            case NumberForm.Real:
                RealConvolution.Convolve(windows, tensor.AsSpan<float>(), product.Weights.AsSpan<float>(), outputs, groups, product.Reals(output));
                break;
            case NumberForm.Fixed:
                ProductKernels<int, long, FixedNumbers>.Convolve(windows, tensor.AsSpan<int>(), product.Weights.AsSpan<int>(), outputs, groups, product.Fixed(output));
                break;
            default:
                ProductKernels<short, int, CodeNumbers>.Convolve(
                    windows, Centred(tensor, product.Input.ZeroPoint()), product.CentredWeights(), outputs, groups, product.Codes(factors, output));
                break;
        }
    }

    private static void Multiply<T, TSum, TNumbers>(MatMul l, Shape first, ReadOnlySpan<T> a, Shape second, ReadOnlySpan<T> b, ResultWriter<TSum> writer)
        where T : unmanaged
        where TSum : unmanaged
        where TNumbers : struct, INumbers<T, TSum>
    {
        var result = l.Type.Shape;
        var (m, n) = (result.Dimensions[^2], result.Dimensions[^1]);
        var k = first.Dimensions[l.TransposeFirst ? ^2 : ^1];
        var firstSteps = l.TransposeFirst ? (1, m) : (k, 1);
        var secondSteps = l.TransposeSecond ? (1, k) : (n, 1);
        var walk = new BroadcastWalk(Leading(result), Leading(first), Leading(second));
        for (var position = 0; position < result.Elements; position += m * n)
        {
            ProductKernels<T, TSum, TNumbers>.MatMul(
                a.Slice(walk.First * m * k, m * k), firstSteps, b.Slice(walk.Second * k * n, k * n), secondSteps, (m, k, n), writer, position);
            walk.Next();
        }
    }

    private static Shape Leading(Shape shape) => new(shape.Dimensions.Take(shape.Rank - 2).ToEquatableArray());

    // A product with stored weights, whatever its numbers are.
    private sealed record StoredProduct(
        Layer Layer, TensorType Input, Tensor Weights, Quantization? Quantization, Tensor? Bias, FusedActivation Activation, RoundingScheme Rounding)
    {
        public RealWriter Reals(byte[] output) => new(Bias, Activation, output);

        public FixedWriter Fixed(byte[] output) =>
            new(LayerArithmetic.Fraction(Input) + LayerArithmetic.Fraction(LayerArithmetic.Required(Quantization).Scale), Bias, Layer.Type, Activation, output);

        public ResultWriter<int> Codes(Func<Requantization[]> factors, byte[] output) => Layer.Type.Form() == NumberForm.Fixed
            ? new SumWriter(Bias, output)
            : new CodeWriter(Rounding, factors(), (LayerArithmetic.Required(Input).Scale, LayerArithmetic.Required(Quantization)), Bias, Layer.Type, Activation, output);

        public short[] CentredWeights()
        {
            var quantization = LayerArithmetic.Required(Quantization);
            var values = Centred(Weights, quantization.IsPerAxis ? 0 : quantization.ZeroPoint);
            if (quantization.IsPerAxis && quantization.ZeroPoints.Any(zero => zero != 0))
            {
                var (extent, inner) = (Weights.Shape[quantization.Axis], Weights.Shape.Extent(quantization.Axis + 1, Weights.Shape.Rank));
                for (var i = 0; i < values.Length; i++)
                {
                    values[i] -= (short)quantization.ZeroPoints[i / inner % extent];
                }
            }

            return values;
        }
    }
}
