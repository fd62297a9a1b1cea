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
