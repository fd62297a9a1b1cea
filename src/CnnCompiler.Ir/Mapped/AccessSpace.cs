using CnnCompiler.Ir.Gconv;

namespace CnnCompiler.Ir.Mapped;

/// <summary>
/// The elements that an access of a nest touches, one by one. Loops that neither the index nor a guard depends on are left out, and so are loops that
/// only guards depend on and can only make fail (their index 0 admits whatever any index admits), unless every iteration is asked for.
/// </summary>
internal sealed class AccessSpace
{
    private readonly int[] _extents;
    private readonly int[] _index;

    // One row for the element and one for each guard: the coefficients of the loops kept.
    private readonly long[][] _coefficients;
    private readonly long[] _values;
    private readonly int[] _bounds;

    /// <summary>Starts at the first iteration.</summary>
    /// <param name="nest">The nest, its affine functions all of its loops.</param>
    /// <param name="element">The index.</param>
    /// <param name="everyIteration">True to visit every iteration of the parallel loops, so that elements accessed twice are seen twice.</param>
    public AccessSpace(MappedNest nest, AffineExpression element, bool everyIteration)
    {
        AffineExpression[] rows = [element, .. nest.Guards.Select(guard => guard.Value)];
        var kept = Enumerable.Range(0, nest.Loops.Count).Where(l => nest.Loops[l].Extent > 1 && Keep(l)).ToArray();
        _extents = [.. kept.Select(l => nest.Loops[l].Extent)];
        _index = new int[kept.Length];
        _coefficients = [.. rows.Select(row => kept.Select(l => row.Coefficients[l]).ToArray())];
        _values = [.. rows.Select(row => row.Constant)];
        _bounds = [.. nest.Guards.Select(guard => guard.Bound)];
        Points = 1;
        (Int128 low, Int128 high) = (element.Constant, element.Constant);
        for (var k = 0; k < kept.Length; k++)
        {
            Points = Points > long.MaxValue / _extents[k] ? long.MaxValue : Points * _extents[k];
            var span = (Int128)_coefficients[0][k] * (_extents[k] - 1);
            (low, high) = (low + Int128.Min(span, 0), high + Int128.Max(span, 0));
        }

        (Low, High) = ((long)Int128.Max(low, long.MinValue), (long)Int128.Min(high, long.MaxValue));

        bool Keep(int l) => everyIteration
            ? !nest.Loops[l].Reduced
            : rows[0].Coefficients[l] != 0 || rows.Skip(1).Any(row => row.Coefficients[l] < 0);
    }

    /// <summary>Iterations that are visited, admitted or not.</summary>
    public long Points { get; }

    /// <summary>True where a guard can refuse iterations.</summary>
    public bool HasGuards => _bounds.Length > 0;

    /// <summary>Smallest element by interval arithmetic, guards left out.</summary>
    public long Low { get; }

    /// <summary>Largest element by interval arithmetic, guards left out.</summary>
    public long High { get; }

    /// <summary>The element accessed at this iteration.</summary>
    public long Element => _values[0];

    /// <summary>True where all guards admit this iteration.</summary>
    public bool Admitted
    {
        get
        {
            for (var g = 0; g < _bounds.Length; g++)
            {
                if (_values[g + 1] >= _bounds[g])
                {
                    return false;
                }
            }

            return true;
        }
    }

    /// <summary>Goes to the next iteration; false after the last.</summary>
    public bool Next()
    {
        for (var k = _index.Length - 1; k >= 0; k--)
        {
            var wraps = ++_index[k] == _extents[k];
            for (var row = 0; row < _values.Length; row++)
            {
                _values[row] += wraps ? -_coefficients[row][k] * (_extents[k] - 1) : _coefficients[row][k];
            }

            if (!wraps)
            {
                return true;
            }

            _index[k] = 0;
        }

        return false;
    }
}
