using CnnCompiler.Core.Tensors;

namespace CnnCompiler.Ir.Network.Evaluation;

/// <summary>Walks two operands, whose dimensions aligned at the last are equal or 1, in the order of the result's elements.</summary>
internal sealed class BroadcastWalk(Shape result, Shape first, Shape second)
{
    private readonly int[] _firstSteps = Steps(first, result.Rank);
    private readonly int[] _secondSteps = Steps(second, result.Rank);
    private readonly int[] _index = new int[result.Rank];

    /// <summary>Flat index in the first operand.</summary>
    public int First { get; private set; }

    /// <summary>Flat index in the second operand.</summary>
    public int Second { get; private set; }

    /// <summary>Goes to the next element of the result.</summary>
    public void Next()
    {
        for (var dimension = result.Rank - 1; dimension >= 0; dimension--)
        {
            First += _firstSteps[dimension];
            Second += _secondSteps[dimension];
            if (++_index[dimension] < result[dimension])
            {
                return;
            }

            First -= _firstSteps[dimension] * result[dimension];
            Second -= _secondSteps[dimension] * result[dimension];
            _index[dimension] = 0;
        }
    }

    // 0 where it is broadcast.
    private static int[] Steps(Shape shape, int rank)
    {
        var steps = new int[rank];
        var step = 1;
        for (var dimension = 1; dimension <= shape.Rank; dimension++)
        {
            steps[^dimension] = shape.Dimensions[^dimension] == 1 ? 0 : step;
            step *= shape.Dimensions[^dimension];
        }

        return steps;
    }
}
