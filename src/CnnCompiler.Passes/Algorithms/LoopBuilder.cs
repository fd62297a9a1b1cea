using System.Runtime.InteropServices;
using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;

namespace CnnCompiler.Passes.Algorithms;

/// <summary>
/// Loops of an operator that takes the place of another, and the other's indexes said over them. All loops are added before an index is asked for; one of a single trip is left out, and stands for 0.
/// </summary>
/// <param name="old">Loops of the other operator.</param>
internal sealed class LoopBuilder(int old)
{
    private const int SingleTrip = -1;

    private readonly List<GconvLoop> _loops = [];
    private readonly List<(int Loop, long Factor)>[] _terms = [.. Enumerable.Range(0, old).Select(_ => new List<(int Loop, long Factor)>())];
    private readonly long[] _constants = new long[old];

    /// <summary>The loops.</summary>
    public EquatableArray<GconvLoop> Loops => _loops.ToEquatableArray();

    /// <summary>Adds a loop and returns its place, or no place for a single trip; the dimension gets a number where it has a loop of the kind.</summary>
    public int Add(string dimension, LoopKind kind, int extent)
    {
        if (extent == 1)
        {
            return SingleTrip;
        }

        var name = dimension;
        for (var number = 2; _loops.Exists(loop => loop.Dimension == name && loop.Kind == kind); number++)
        {
            name = FormattableString.Invariant($"{dimension}{number}");
        }

        _loops.Add(new(name, kind, extent));
        return _loops.Count - 1;
    }

    /// <summary>Says a loop of the other operator: a constant and a sum of factor times loop.</summary>
    public void Put(int other, long constant, params ReadOnlySpan<(int Loop, long Factor)> terms)
    {
        _constants[other] = constant;
        _terms[other].AddRange(terms);
    }

    /// <summary>Adds a loop that takes the place of one of the other operator.</summary>
    public int Take(int other, string dimension, LoopKind kind, int extent)
    {
        var loop = Add(dimension, kind, extent);
        Put(other, 0, (loop, 1));
        return loop;
    }

    /// <summary>The constant plus the sum of factor times loop.</summary>
    public AffineExpression At(long constant, params ReadOnlySpan<(int Loop, long Factor)> terms)
    {
        var coefficients = new long[_loops.Count];
        Sum(coefficients, 1, terms);
        return new(coefficients.ToEquatableArray(), constant);
    }

    /// <summary>One loop alone.</summary>
    public AffineExpression At(int loop) => At(0, (loop, 1));

    /// <summary>An index of the other operator.</summary>
    public AffineExpression Over(AffineExpression index)
    {
        var (coefficients, constant) = (new long[_loops.Count], index.Constant);
        for (var other = 0; other < _terms.Length; other++)
        {
            var factor = index.Coefficients[other];
            constant += factor * _constants[other];
            Sum(coefficients, factor, CollectionsMarshal.AsSpan(_terms[other]));
        }

        return new(coefficients.ToEquatableArray(), constant);
    }

    /// <summary>Indexes of the other operator.</summary>
    public EquatableArray<AffineExpression> Over(EquatableArray<AffineExpression> index) => index.Select(Over).ToEquatableArray();

    /// <summary>An access of the other operator.</summary>
    public OperandAccess Over(OperandAccess access) => access with { Index = Over(access.Index) };

    /// <summary>A read that skips taps outside the tensor, where there are any.</summary>
    public OperandAccess Skipping(string tensor, Shape shape, EquatableArray<AffineExpression> index)
    {
        for (var d = 0; d < shape.Rank; d++)
        {
            var (min, max) = index[d].Range(Loops);
            if (min < 0 || max >= shape[d])
            {
                return new(tensor, index, OutOfRange.SkipTap);
            }
        }

        return new(tensor, index);
    }

    private static void Sum(long[] coefficients, long times, ReadOnlySpan<(int Loop, long Factor)> terms)
    {
        foreach (var (loop, factor) in terms)
        {
            if (loop != SingleTrip)
            {
                coefficients[loop] += factor * times;
            }
        }
    }
}
