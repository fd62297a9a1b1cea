using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;

namespace CnnCompiler.Ir.Gconv.Evaluation;

/// <summary>
/// An index prepared for walking the loops: the part of the parallel loops is worked out once for each output element
/// (<see cref="MoveTo"/>), the part of the reduced loops once for each tap (<see cref="TryLocate"/>).
/// </summary>
internal sealed class AccessPlan
{
    private readonly int _loops;
    private readonly int[] _extents;
    private readonly int[] _divisors;
    private readonly long[] _strides;
    private readonly long[] _constants;
    private readonly long[] _coefficients;
    private readonly Term[] _parallel;
    private readonly Term[] _reduced;
    private readonly int[] _reducedEnds;
    private readonly long[] _base;

    public AccessPlan(EquatableArray<AffineExpression> index, Shape shape, LoopNest nest)
    {
        _loops = nest.Extents.Length;
        _extents = [.. shape.Dimensions];
        _divisors = [.. index.Select(expression => expression.Divisor)];
        _constants = [.. index.Select(expression => expression.Constant)];
        _coefficients = [.. index.SelectMany(expression => expression.Coefficients)];
        _parallel = Terms(index, nest.Parallel);
        _reduced = Terms(index, nest.Reduced);
        _reducedEnds = [.. Enumerable.Range(0, index.Count).Select(d => _reduced.Count(term => term.Dimension <= d))];
        _base = new long[index.Count];
        _strides = new long[index.Count];
        var stride = 1L;
        for (var d = _strides.Length - 1; d >= 0; d--)
        {
            _strides[d] = stride;
            stride *= _extents[d];
        }
    }

    public int Rank => _base.Length;

    /// <summary>Index along a dimension at the first tap of the current output element.</summary>
    public long Base(int dimension) => _base[dimension];

    public int Extent(int dimension) => _extents[dimension];

    public long Coefficient(int dimension, int loop) => _coefficients[(dimension * _loops) + loop];

    public int Divisor(int dimension) => _divisors[dimension];

    public long Stride(int dimension) => _strides[dimension];

    /// <summary>How far so many steps of a loop move in the flat tensor; they divide evenly.</summary>
    public long FlatStep(int loop, long steps)
    {
        var sum = 0L;
        for (var d = 0; d < _base.Length; d++)
        {
            sum += Coefficient(d, loop) * steps / _divisors[d] * _strides[d];
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
        _constants.CopyTo(_base, 0);
        foreach (ref readonly var term in _parallel.AsSpan())
        {
            _base[term.Dimension] += term.Coefficient * loops[term.Loop];
        }
    }

    /// <summary>The flat index for the values of the reduced loops; false where it is outside the tensor or between two elements.</summary>
    public bool TryLocate(ReadOnlySpan<int> loops, out long flat)
    {
        flat = 0;
        var next = 0;
        for (var d = 0; d < _base.Length; d++)
        {
            var value = _base[d];
            for (; next < _reducedEnds[d]; next++)
            {
                value += _reduced[next].Coefficient * loops[_reduced[next].Loop];
            }

            if (_divisors[d] != 1)
            {
                (value, var remainder) = Math.DivRem(value, _divisors[d]);
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

    /// <summary>What the loops listed add to the index, by dimension.</summary>
    private static Term[] Terms(EquatableArray<AffineExpression> index, int[] loops) =>
        [.. Enumerable.Range(0, index.Count).SelectMany(d => loops.Where(loop => index[d].Coefficients[loop] != 0).Select(loop => new Term(d, loop, index[d].Coefficients[loop])))];

    private readonly record struct Term(int Dimension, int Loop, long Coefficient);
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
