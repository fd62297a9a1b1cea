using CnnCompiler.Core.Tensors;

namespace CnnCompiler.Passes.Chain;

/// <summary>A tensor of weights by output channel and input channel: where it is not 0, and sums.</summary>
internal sealed class ChannelWeights
{
    private readonly Tensor _weights;
    private readonly int _output;
    private readonly int _input;
    private readonly bool[] _nonzero;
    private readonly int _inputs;
    private long[]? _sums;

    private ChannelWeights(Tensor weights, int output, int input, bool[] nonzero, int inputs) =>
        (_weights, _output, _input, _nonzero, _inputs) = (weights, output, input, nonzero, inputs);

    private bool HasOutputs => _nonzero.Length > _inputs;

    /// <summary>The places of a tensor.</summary>
    /// <param name="weights">Integer weights.</param>
    /// <param name="output">The dimension of output channels, or -1: then there is one.</param>
    /// <param name="input">The dimension of input channels, or -1.</param>
    /// <returns>Null where all weights are 0: such a tensor stands for weights that are not known, in a network that is given by its shapes.</returns>
    public static ChannelWeights? Of(Tensor weights, int output, int input)
    {
        if (weights.IsZero)
        {
            return null;
        }

        var shape = weights.Shape;
        var (outputs, inputs) = (output < 0 ? 1 : shape[output], input < 0 ? 1 : shape[input]);
        var nonzero = new bool[outputs * inputs];
        var index = new int[shape.Rank];
        var row = shape.Rank == 0 ? 1 : shape.Dimensions[^1] * weights.Element.Size();
        var size = weights.Element.Size();
        for (var start = 0; start < weights.Bytes.Length; start += row)
        {
            var bytes = weights.Bytes.Slice(start, row);
            var (o, i) = (output < 0 ? 0 : index[output], input < 0 ? 0 : index[input]);
            if (output != shape.Rank - 1 && input != shape.Rank - 1)
            {
                nonzero[(o * inputs) + i] |= bytes.ContainsAnyExcept((byte)0);
            }
            else
            {
                var (first, step) = output == shape.Rank - 1 ? (i, inputs) : (o * inputs, 1);
                for (int at = 0, place = first; at < row; at += size, place += step)
                {
                    nonzero[place] |= size == 1 ? bytes[at] != 0 : bytes.Slice(at, size).ContainsAnyExcept((byte)0);
                }
            }

            for (var d = shape.Rank - 2; d >= 0 && ++index[d] == shape[d]; d--)
            {
                index[d] = 0;
            }
        }

        return new(weights, output, input, nonzero, inputs);
    }

    /// <summary>True where some weight between two channels is not 0; weights without a dimension of output channels are those of each.</summary>
    public bool IsNonzero(int output, int input) => _nonzero[(HasOutputs ? output * _inputs : 0) + input];

    /// <summary>The sum of all weights between two channels.</summary>
    public long Sum(int output, int input) => (_sums ??= Sums())[(HasOutputs ? output * _inputs : 0) + input];

    /// <summary>True where a weight of an input channel is not 0 for one of the output channels; <paramref name="outputs"/> tells which count.</summary>
    public bool Reads(ReadOnlySpan<bool> outputs, int input)
    {
        for (var output = 0; output < outputs.Length; output++)
        {
            if (outputs[output] && IsNonzero(output, input))
            {
                return true;
            }
        }

        return false;
    }

    private long[] Sums()
    {
        var (sums, index, shape) = (new long[_nonzero.Length], new int[_weights.Shape.Rank], _weights.Shape);
        for (long flat = 0, all = shape.Elements; flat < all; flat++)
        {
            sums[(HasOutputs ? index[_output] * _inputs : 0) + (_input < 0 ? 0 : index[_input])] += _weights.GetInteger(flat);
            for (var d = shape.Rank - 1; d >= 0 && ++index[d] == shape[d]; d--)
            {
                index[d] = 0;
            }
        }

        return sums;
    }
}
