using CnnCompiler.Core.Tensors;
using CnnCompiler.Primitives.Arithmetic;

namespace CnnCompiler.Ir.Network.Evaluation;

/// <summary>Add, Concat, Pad, Activation and Softmax (<c>int8-arithmetic.md</c> sections 3.5, 3.8 and 3.9).</summary>
internal static class ElementwiseKernels
{
    /// <summary>Two inputs whose dimensions, aligned at the last, are equal or 1.</summary>
    public static void Add(Add layer, TensorType firstType, Tensor firstTensor, TensorType secondType, Tensor secondTensor, Span<sbyte> output)
    {
        // int8 + int8 has 2^16 different pairs at most: each sum is worked out once.
        var sums = new sbyte[1 << 16];
        var known = new bool[1 << 16];
        var adder = new Adder(layer, firstType, secondType);
        var first = firstTensor.AsSpan<sbyte>();
        var second = secondTensor.AsSpan<sbyte>();
        var shape = layer.Type.Shape;
        var firstStrides = BroadcastStrides(firstType.Shape, shape.Rank);
        var secondStrides = BroadcastStrides(secondType.Shape, shape.Rank);
        var index = new int[shape.Rank];
        var (i, j) = (0, 0);
        for (var position = 0; position < output.Length; position++)
        {
            var pair = ((byte)first[i] << 8) | (byte)second[j];
            if (!known[pair])
            {
                sums[pair] = adder.Sum(first[i], second[j]);
                known[pair] = true;
            }

            output[position] = sums[pair];
            for (var dimension = shape.Rank - 1; dimension >= 0; dimension--)
            {
                i += firstStrides[dimension];
                j += secondStrides[dimension];
                if (++index[dimension] < shape[dimension])
                {
                    break;
                }

                i -= firstStrides[dimension] * shape[dimension];
                j -= secondStrides[dimension] * shape[dimension];
                index[dimension] = 0;
            }
        }
    }

    /// <summary>Concatenation along the layer's axis.</summary>
    public static void Concat(Concat layer, ReadOnlySpan<Tensor> inputs, Span<sbyte> output)
    {
        var position = 0;
        var outer = Product(layer.Type.Shape, 0, layer.Axis);
        for (var row = 0; row < outer; row++)
        {
            foreach (var input in inputs)
            {
                var length = Product(input.Shape, layer.Axis, input.Shape.Rank);
                input.AsSpan<sbyte>().Slice(row * length, length).CopyTo(output[position..]);
                position += length;
            }
        }
    }

    /// <summary>The input in a frame of the layer's value.</summary>
    public static void Pad(Pad layer, Tensor tensor, Span<sbyte> output)
    {
        output.Fill((sbyte)layer.Value);
        var input = tensor.AsSpan<sbyte>();
        var (from, to) = (tensor.Shape, layer.Type.Shape);
        var rank = from.Rank;
        if (rank == 0)
        {
            input.CopyTo(output);
            return;
        }

        var rowLength = from[rank - 1];
        var index = new int[rank - 1];
        for (var start = 0; start < input.Length; start += rowLength)
        {
            var target = 0;
            for (var dimension = 0; dimension < rank - 1; dimension++)
            {
                target = (target * to[dimension]) + index[dimension] + layer.Before[dimension];
            }

            input.Slice(start, rowLength).CopyTo(output[((target * to[rank - 1]) + layer.Before[rank - 1])..]);
            for (var dimension = rank - 2; dimension >= 0 && ++index[dimension] == from[dimension]; dimension--)
            {
                index[dimension] = 0;
            }
        }
    }

    /// <summary>Codes clamped.</summary>
    public static void Activation(Activation layer, Tensor tensor, Span<sbyte> output)
    {
        var range = LayerArithmetic.Range(layer.Function, layer.Type);
        var input = tensor.AsSpan<sbyte>();
        for (var i = 0; i < output.Length && i < input.Length; i++)
        {
            output[i] = (sbyte)range.Clamp(input[i]);
        }
    }

    /// <summary>Rows of the last axis. Returns the first row that has no defined result, or -1.</summary>
    public static int Softmax(Softmax layer, TensorType inputType, Tensor tensor, Span<sbyte> output)
    {
        var (multiplier, leftShift, diffMin) = LayerArithmetic.Prepare(layer, inputType);
        var length = layer.Type.Shape.Dimensions[^1];
        var input = tensor.AsSpan<sbyte>();
        for (var start = 0; start < input.Length; start += length)
        {
            if (!Int8Softmax.Row(input.Slice(start, length), output.Slice(start, length), multiplier, leftShift, diffMin))
            {
                return start / length;
            }
        }

        return -1;
    }

    // Strides of an operand in elements, aligned at the last dimension; 0 where it is broadcast.
    private static int[] BroadcastStrides(Shape shape, int rank)
    {
        var strides = new int[rank];
        var stride = 1;
        for (var dimension = 1; dimension <= shape.Rank; dimension++)
        {
            strides[^dimension] = shape.Dimensions[^dimension] == 1 ? 0 : stride;
            stride *= shape.Dimensions[^dimension];
        }

        return strides;
    }

    private static int Product(Shape shape, int from, int to)
    {
        var product = 1;
        for (var dimension = from; dimension < to; dimension++)
        {
            product *= shape[dimension];
        }

        return product;
    }

    private sealed class Adder(Add layer, TensorType first, TensorType second)
    {
        private readonly AdditionFactors _factors = LayerArithmetic.Factors(layer, first, second);
        private readonly ActivationRange _range = LayerArithmetic.Range(layer.Activation, layer.Type);
        private readonly Quantization _first = LayerArithmetic.Required(first);
        private readonly Quantization _second = LayerArithmetic.Required(second);
        private readonly Quantization _output = LayerArithmetic.Required(layer.Type);

        public sbyte Sum(sbyte first, sbyte second)
        {
            var (a, b) = (first - _first.ZeroPoint, second - _second.ZeroPoint);
            var sum = layer.Rounding switch
            {
                RoundingScheme.TfliteDouble => Int8Addition.Sum(a, b, _factors),
                RoundingScheme.TfliteSingle => Int8Addition.SumSingleRounding(a, b, _factors),
                _ => HalfEvenAddition.Sum(a, b, _first.Scale, _second.Scale, _output.Scale),
            };
            return (sbyte)Math.Clamp((long)sum + _output.ZeroPoint, _range.Low, _range.High);
        }
    }
}
