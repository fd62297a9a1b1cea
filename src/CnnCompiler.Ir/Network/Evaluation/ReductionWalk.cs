using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;

namespace CnnCompiler.Ir.Network.Evaluation;

/// <summary>For each element of a value in its order, the flat index of the element of the result that it is reduced to.</summary>
internal sealed class ReductionWalk
{
    private readonly Shape _shape;
    private readonly int[] _steps;
    private readonly int[] _index;
    private int _flat;

    public ReductionWalk(Shape shape, EquatableArray<int> axes)
    {
        (_shape, _steps, _index) = (shape, new int[shape.Rank], new int[shape.Rank]);
        var step = 1;
        for (var dimension = shape.Rank - 1; dimension >= 0; dimension--)
        {
            if (!axes.Contains(dimension))
            {
                _steps[dimension] = step;
                step *= shape[dimension];
            }
        }
    }

    /// <summary>The index for the next element.</summary>
    public int Next()
    {
        var current = _flat;
        for (var dimension = _shape.Rank - 1; dimension >= 0; dimension--)
        {
            _flat += _steps[dimension];
            if (++_index[dimension] < _shape[dimension])
            {
                break;
            }

            _flat -= _steps[dimension] * _shape[dimension];
            _index[dimension] = 0;
        }

        return current;
    }
}
