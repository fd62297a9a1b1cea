using System.Runtime.InteropServices;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Primitives.Arithmetic;

namespace CnnCompiler.Ir.Network.Evaluation;

/// <summary>Layers that move elements, whatever their type (<c>int8-arithmetic.md</c> section 3.9), and resize.</summary>
internal static class SelectionLayers
{
    /// <summary>Concatenation along the layer's axis.</summary>
    public static void Concat(Concat l, ReadOnlySpan<Tensor> inputs, Span<byte> output)
    {
        var size = l.Type.Element.Size();
        var position = 0;
        var outer = l.Type.Shape.Extent(0, l.Axis);
        for (var row = 0; row < outer; row++)
        {
            foreach (var input in inputs)
            {
                var length = input.Shape.Extent(l.Axis, input.Shape.Rank) * size;
                input.Bytes.Slice(row * length, length).CopyTo(output[position..]);
                position += length;
            }
        }
    }

    /// <summary>The input in a frame of the layer's value: a code or fixed-point number as it is, or a real number.</summary>
    public static void Pad(Pad l, Tensor tensor, Span<byte> output)
    {
        switch (l.Type.Form())
        {
            case NumberForm.Real:
                MemoryMarshal.Cast<byte, float>(output).Fill(l.Value);
                break;
            case NumberForm.Fixed:
                MemoryMarshal.Cast<byte, int>(output).Fill(l.Value);
                break;
            default:
                output.Fill((byte)l.Value);
                break;
        }

        var (from, to, size) = (tensor.Shape, l.Type.Shape, l.Type.Element.Size());
        var rank = from.Rank;
        if (rank == 0)
        {
            tensor.Bytes.CopyTo(output);
            return;
        }

        var rowLength = from[rank - 1] * size;
        var index = new int[rank - 1];
        for (var start = 0; start < tensor.Bytes.Length; start += rowLength)
        {
            var target = 0;
            for (var dimension = 0; dimension < rank - 1; dimension++)
            {
                target = (target * to[dimension]) + index[dimension] + l.Before[dimension];
            }

            tensor.Bytes.Slice(start, rowLength).CopyTo(output[(((target * to[rank - 1]) + l.Before[rank - 1]) * size)..]);
            for (var dimension = rank - 2; dimension >= 0 && ++index[dimension] == from[dimension]; dimension--)
            {
                index[dimension] = 0;
            }
        }
    }

    /// <summary>Dimension d of the result is dimension permutation[d] of the input.</summary>
    public static void Transpose(Transpose l, Tensor tensor, Span<byte> output)
    {
        var steps = Steps(tensor.Shape);
        Gather(tensor, l.Type, 0, [.. l.Permutation.Select(dimension => steps[dimension])], output);
    }

    /// <summary>Every stride-th element from begin on.</summary>
    public static void StridedSlice(StridedSlice l, Tensor tensor, Span<byte> output)
    {
        var steps = Steps(tensor.Shape);
        Gather(tensor, l.Type, steps.Select((step, d) => step * l.Begin[d]).Sum(), [.. steps.Select((step, d) => step * l.Stride[d])], output);
    }

    /// <summary>One part of an even split.</summary>
    public static void Split(Split l, Tensor tensor, Span<byte> output)
    {
        var steps = Steps(tensor.Shape);
        Gather(tensor, l.Type, steps[l.Axis] * l.Index * l.Type.Shape[l.Axis], steps, output);
    }

    /// <summary>
    /// The nearest element as TensorFlow Lite chooses it; between four, integers by its weights of 10 bits (<see cref="Resampling"/>), reals in binary64: (a * (1 - x) + b * x) * (1 - y) + (c * (1 - x) +
    /// d * x) * y, of places clamped to the input.
    /// </summary>
    public static void Resize(Resize l, TensorType input, Tensor tensor, byte[] output)
    {
        if (l.Mode == ResizeMode.Nearest)
        {
            Nearest(l, tensor, output);
        }
        else if (input.Form() == NumberForm.Real)
        {
            Bilinear(l, input.Shape, tensor.AsSpan<float>(), MemoryMarshal.Cast<byte, float>(output.AsSpan()));
        }
        else
        {
            BilinearIntegers(l, tensor, output);
        }
    }

    private static void Nearest(Resize l, Tensor tensor, Span<byte> output)
    {
        var (from, to) = (tensor.Shape, l.Type.Shape);
        var size = from[3] * l.Type.Element.Size();
        var position = 0;
        for (var n = 0; n < to[0]; n++)
        {
            for (var y = 0; y < to[1]; y++)
            {
                var row = ((n * from[1]) + LayerArithmetic.NearestSource(l, y, from[1], to[1])) * from[2];
                for (var x = 0; x < to[2]; x++)
                {
                    tensor.Bytes.Slice((row + LayerArithmetic.NearestSource(l, x, from[2], to[2])) * size, size).CopyTo(output[position..]);
                    position += size;
                }
            }
        }
    }

    private static void BilinearIntegers(Resize l, Tensor tensor, byte[] output)
    {
        var (from, to) = (tensor.Shape, l.Type.Shape);
        var (align, half) = (l.Coordinates == ResizeCoordinates.AlignCorners, l.Coordinates == ResizeCoordinates.HalfPixel);
        var position = 0;
        for (var n = 0; n < to[0]; n++)
        {
            for (var y = 0; y < to[1]; y++)
            {
                var row = Resampling.Position(y, from[1], to[1], align, half);
                for (var x = 0; x < to[2]; x++)
                {
                    var column = Resampling.Position(x, from[2], to[2], align, half);
                    for (var c = 0; c < to[3]; c++)
                    {
                        var value = Resampling.Interpolate(
                            At(row.Lower, column.Lower, c), At(row.Lower, column.Upper, c), At(row.Upper, column.Lower, c), At(row.Upper, column.Upper, c), row, column);
                        if (l.Type.Form() == NumberForm.Fixed)
                        {
                            MemoryMarshal.Cast<byte, int>(output.AsSpan())[position++] = NumberForms.Saturate(value);
                        }
                        else
                        {
                            output[position++] = (byte)value;
                        }
                    }
                }
            }

            long At(int y, int x, int c) => tensor.GetInteger((((((long)n * from[1]) + y) * from[2]) + x) * from[3] + c);
        }
    }

    private static void Bilinear(Resize l, Shape from, ReadOnlySpan<float> input, Span<float> output)
    {
        var to = l.Type.Shape;
        var position = 0;
        for (var n = 0; n < to[0]; n++)
        {
            for (var y = 0; y < to[1]; y++)
            {
                var (top, bottom, down) = Place(l.Coordinates, y, from[1], to[1]);
                for (var x = 0; x < to[2]; x++)
                {
                    var (left, right, across) = Place(l.Coordinates, x, from[2], to[2]);
                    var (upper, lower) = (((n * from[1]) + top) * from[2], ((n * from[1]) + bottom) * from[2]);
                    for (var c = 0; c < to[3]; c++)
                    {
                        var above = (input[((upper + left) * from[3]) + c] * (1 - across)) + (input[((upper + right) * from[3]) + c] * across);
                        var below = (input[((lower + left) * from[3]) + c] * (1 - across)) + (input[((lower + right) * from[3]) + c] * across);
                        output[position++] = (float)((above * (1 - down)) + (below * down));
                    }
                }
            }
        }
    }

    // The elements around a place, and how far it is from the first.
    private static (int Lower, int Upper, double Fraction) Place(ResizeCoordinates coordinates, int index, int input, int output)
    {
        var place = coordinates switch
        {
            ResizeCoordinates.AlignCorners when output > 1 => (double)index * (input - 1) / (output - 1),
            ResizeCoordinates.HalfPixel => ((index + 0.5) * input / output) - 0.5,
            _ => (double)index * input / output,
        };
        var clamped = Math.Clamp(place, 0, input - 1);
        var lower = (int)clamped;
        return (lower, Math.Min(lower + 1, input - 1), clamped - lower);
    }

    // Elements at first + sum of index * step, in the order of the result.
    private static void Gather(Tensor tensor, TensorType type, int first, int[] steps, Span<byte> output)
    {
        var (shape, size) = (type.Shape, type.Element.Size());
        var index = new int[shape.Rank];
        var source = first;
        for (var position = 0; position < output.Length; position += size)
        {
            tensor.Bytes.Slice(source * size, size).CopyTo(output[position..]);
            for (var dimension = shape.Rank - 1; dimension >= 0; dimension--)
            {
                source += steps[dimension];
                if (++index[dimension] < shape[dimension])
                {
                    break;
                }

                source -= steps[dimension] * shape[dimension];
                index[dimension] = 0;
            }
        }
    }

    private static int[] Steps(Shape shape)
    {
        var steps = new int[shape.Rank];
        for (var dimension = 0; dimension < steps.Length; dimension++)
        {
            steps[dimension] = shape.Extent(dimension + 1, shape.Rank);
        }

        return steps;
    }
}
