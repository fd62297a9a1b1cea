using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;

namespace CnnCompiler.Ir.Gconv.Evaluation;

/// <summary>
/// An index prepared for walking the loops: the part of the parallel loops is worked out once for each output element
/// (<see cref="MoveTo"/>), the part of the reduced loops once for each tap (<see cref="TryLocate"/>).
/// </summary>
internal sealed class AccessPlan
{
    private readonly AffineExpression[] _index;
    private readonly int[] _extents;
    private readonly long[] _strides;
    private readonly int[] _parallel;
    private readonly int[] _reduced;
    private readonly long[] _base;

    public AccessPlan(EquatableArray<AffineExpression> index, Shape shape, LoopNest nest)
    {
        _index = [.. index];
        _extents = [.. shape.Dimensions];
        (_parallel, _reduced) = (nest.Parallel, nest.Reduced);
        _base = new long[_index.Length];
        _strides = new long[_index.Length];
        var stride = 1L;
        for (var d = _strides.Length - 1; d >= 0; d--)
        {
            _strides[d] = stride;
            stride *= _extents[d];
        }
    }

    public int Rank => _index.Length;

    /// <summary>Index along a dimension at the first tap of the current output element.</summary>
    public long Base(int dimension) => _base[dimension];

    public int Extent(int dimension) => _extents[dimension];

    public long Coefficient(int dimension, int loop) => _index[dimension].Coefficients[loop];

    public int Divisor(int dimension) => _index[dimension].Divisor;

    public long Stride(int dimension) => _strides[dimension];

    /// <summary>How far so many steps of a loop move in the flat tensor; they divide evenly.</summary>
    public long FlatStep(int loop, long steps)
    {
        var sum = 0L;
        for (var d = 0; d < _index.Length; d++)
        {
            sum += _index[d].Coefficients[loop] * steps / _index[d].Divisor * _strides[d];
        }

        return sum;
    }

    /// <summary>Flat index of the first tap of the current output element, of an index that is not divided; may lie outside.</summary>
    public long FlatBase()
    {
        var sum = 0L;
        for (var d = 0; d < _base.Length; d++)
        {
            sum += _base[d] * _strides[d];
        }

        return sum;
    }

    /// <summary>Takes the values of the parallel loops.</summary>
    public void MoveTo(ReadOnlySpan<int> loops)
    {
        for (var d = 0; d < _index.Length; d++)
        {
            var expression = _index[d];
            var value = expression.Constant;
            foreach (var loop in _parallel)
            {
                value += expression.Coefficients[loop] * loops[loop];
            }

            _base[d] = value;
        }
    }

    /// <summary>The flat index for the values of the reduced loops; false where it is outside the tensor or between two elements.</summary>
    public bool TryLocate(ReadOnlySpan<int> loops, out long flat)
    {
        flat = 0;
        for (var d = 0; d < _index.Length; d++)
        {
            var expression = _index[d];
            var value = _base[d];
            foreach (var loop in _reduced)
            {
                value += expression.Coefficients[loop] * loops[loop];
            }

            if (expression.Divisor != 1)
            {
                (value, var remainder) = Math.DivRem(value, expression.Divisor);
                if (remainder != 0)
                {
                    return false;
                }
            }

            if (value < 0 || value >= _extents[d])
            {
                return false;
            }

            flat += value * _strides[d];
        }

        return true;
    }
}

/// <summary>The loops of an operator, told apart.</summary>
internal sealed class LoopNest
{
    public LoopNest(EquatableArray<GconvLoop> loops)
    {
        Extents = [.. loops.Select(loop => loop.Extent)];
        Parallel = [.. Enumerable.Range(0, loops.Count).Where(i => loops[i].Kind.IsParallel())];
        Reduced = [.. Enumerable.Range(0, loops.Count).Where(i => !loops[i].Kind.IsParallel())];
    }

    public int[] Extents { get; }

    public int[] Parallel { get; }

    public int[] Reduced { get; }

    /// <summary>Steps <paramref name="values"/> to the next value of the loops listed, the last fastest; false after the last.</summary>
    public bool Next(int[] listed, Span<int> values)
    {
        for (var i = listed.Length - 1; i >= 0; i--)
        {
            var loop = listed[i];
            if (++values[loop] < Extents[loop])
            {
                return true;
            }

            values[loop] = 0;
        }

        return false;
    }
}
