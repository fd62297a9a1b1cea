using System.Globalization;
using System.Runtime.CompilerServices;
using CnnCompiler.Core;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Ir.Mapped;

/// <summary>Executes one nest. Offsets of all accesses advance incrementally; the reduced loops are unrolled into tables of offsets.</summary>
internal sealed class NestExecution
{
    private const int MaxReduced = 1 << 22;
    private const long MaxIterations = 1L << 36;

    private readonly MappedNest _nest;
    private readonly MappedLoop[] _loops;
    private readonly int _stamp;
    private readonly MappedStore[] _stores;
    private readonly int[] _parallel;
    private readonly int[] _reduced;
    private readonly int _points;

    // Offset of each operand, of the output, and value of each guard, at the current parallel iteration and reduced index 0.
    private readonly int[] _offsets;
    private readonly int[][] _advance;
    private readonly int[] _index;

    // For each operand that the term uses: its offset at each point of the reduced loops.
    private readonly int[]?[] _tables;

    private readonly ScalarProgram _term;
    private readonly ScalarProgram _post;
    private readonly long[] _extras;
    private readonly long[] _stack;

    private NestExecution(MappedNest nest, int step, MappedMemory memory)
    {
        _nest = nest;
        _stamp = MappedStore.StampOf(step);
        _loops = [.. nest.Loops];
        _parallel = [.. Enumerable.Range(0, _loops.Length).Where(l => !_loops[l].Reduced)];
        _reduced = [.. Enumerable.Range(0, _loops.Length).Where(l => _loops[l].Reduced)];
        _points = CheckLoops();
        var accesses = nest.Operands.Append(nest.Output).ToArray();
        _stores = [.. accesses.Select(access => memory.Find(access.Target) ?? throw new DiagnosticException(MappedDiagnostics.UnknownName(Where, access.Target)))];
        if (_stores[^1].Stamps is null)
        {
            throw Malformed($"writes the constant {nest.Output.Target}");
        }

        AffineExpression[] affine = [.. accesses.Select(access => access.Element), .. nest.Guards.Select(guard => guard.Value)];
        Array.ForEach(affine, CheckAffine);
        _term = Compile(nest.Term, "term");
        _post = Compile(nest.Post, "post");
        CheckScalars();
        _offsets = [.. affine.Select(a => (int)a.Constant)];
        _index = new int[_parallel.Length];
        _advance = Advances(affine);
        _tables = new int[]?[nest.Operands.Count];
        foreach (var operand in _term.Extras)
        {
            _tables[operand] = Table(affine[operand]);
        }

        _extras = new long[nest.Operands.Count];
        _stack = new long[Math.Max(_term.StackDepth, _post.StackDepth)];
    }

    private string Where => $"step {_nest.Name}";

    public static void Run(MappedNest nest, int step, MappedMemory memory)
    {
        var execution = new NestExecution(nest, step, memory);
        var contraction = Contraction.Of(nest);
        if (contraction is { } c && execution.IsSafe(c))
        {
            execution.Iterate(new ContractionReducer(execution, c));
        }
        else
        {
            execution.Iterate(new GeneralReducer(execution));
        }
    }

    private int CheckLoops()
    {
        long iterations = 1;
        long points = 1;
        foreach (var loop in _loops)
        {
            if (loop.Extent < 1)
            {
                throw Malformed($"loop {loop.Name} has extent {loop.Extent}");
            }

            iterations *= loop.Extent;
            points *= loop.Reduced ? loop.Extent : 1;
            if (iterations > MaxIterations || points > MaxReduced)
            {
                throw new DiagnosticException(iterations > MaxIterations
                    ? MappedDiagnostics.TooLarge(Where, "its iterations", MaxIterations)
                    : MappedDiagnostics.TooLarge(Where, "its reduced iterations", MaxReduced));
            }
        }

        if (points > 1 && _nest.Reduce == GconvReduction.None)
        {
            throw Malformed($"has reduced loops and no reduction");
        }

        return (int)points;
    }

    // Every index has to fit 31 bits, wherever the guards let it go: offsets are calculated in 32.
    private void CheckAffine(AffineExpression affine)
    {
        if (affine.Coefficients.Count != _loops.Length)
        {
            throw Malformed($"an affine function of {affine.Coefficients.Count} loops, there are {_loops.Length}");
        }

        Int128 low = affine.Constant;
        Int128 high = affine.Constant;
        for (var l = 0; l < _loops.Length; l++)
        {
            var span = (Int128)affine.Coefficients[l] * (_loops[l].Extent - 1);
            low += Int128.Min(span, 0);
            high += Int128.Max(span, 0);
            if (_loops[l].Extent == 1 && affine.Coefficients[l] is < int.MinValue or > int.MaxValue)
            {
                throw Malformed($"coefficient {affine.Coefficients[l]}");
            }
        }

        if (low < int.MinValue / 2 || high > int.MaxValue / 2)
        {
            throw Malformed($"an affine function with values up to {Int128.Max(high, -low)}");
        }
    }

    private void CheckScalars()
    {
        var operands = _nest.Operands.Count;
        if (_term.UsesInput || _term.UsesKernel || _term.UsesAccumulator || _term.UsesTapCount || _post.UsesInput || _post.UsesKernel || _post.UsesTapCount)
        {
            throw Malformed($"term uses operands and literals only, post also the accumulator");
        }

        foreach (var operand in _term.Extras.Concat(_post.Extras))
        {
            if (operand < 0 || operand >= operands)
            {
                throw Malformed($"operand {operand} of {operands}");
            }
        }

        foreach (var operand in _post.Extras)
        {
            foreach (var l in _reduced)
            {
                if (_nest.Operands[operand].Element.Coefficients[l] != 0 && _loops[l].Extent > 1)
                {
                    throw new DiagnosticException(MappedDiagnostics.PostDependsOnReducedLoop(Where, operand, _loops[l].Name));
                }
            }
        }

        for (var g = 0; g < _nest.Guards.Count; g++)
        {
            foreach (var l in _reduced)
            {
                if (_nest.Guards[g].Value.Coefficients[l] != 0 && _loops[l].Extent > 1)
                {
                    throw new DiagnosticException(MappedDiagnostics.GuardOnReducedLoop(Where, g, _loops[l].Name));
                }
            }
        }
    }

    private ScalarProgram Compile(ScalarExpression expression, string slot) =>
        ScalarProgram.Compile(expression) ?? throw Malformed($"{slot} asks for a rounding without an exact integer definition");

    // What changes when parallel loop k goes up by one and all inside it go back to 0.
    private int[][] Advances(AffineExpression[] affine)
    {
        var advance = new int[_parallel.Length][];
        for (var k = 0; k < _parallel.Length; k++)
        {
            advance[k] = new int[affine.Length];
            for (var a = 0; a < affine.Length; a++)
            {
                var step = affine[a].Coefficients[_parallel[k]];
                for (var inner = k + 1; inner < _parallel.Length; inner++)
                {
                    step -= affine[a].Coefficients[_parallel[inner]] * (_loops[_parallel[inner]].Extent - 1);
                }

                advance[k][a] = (int)step;
            }
        }

        return advance;
    }

    private int[] Table(AffineExpression affine)
    {
        var table = new int[_points];
        for (var p = 0; p < _points; p++)
        {
            var rest = p;
            for (var k = _reduced.Length - 1; k >= 0; k--)
            {
                var extent = _loops[_reduced[k]].Extent;
                table[p] += (int)affine.Coefficients[_reduced[k]] * (rest % extent);
                rest /= extent;
            }
        }

        return table;
    }

    private void Iterate<TReducer>(TReducer reducer)
        where TReducer : struct, IReducer
    {
        var firstGuard = _stores.Length;
        while (true)
        {
            var admitted = true;
            for (var g = 0; g < _nest.Guards.Count; g++)
            {
                admitted &= _offsets[firstGuard + g] < _nest.Guards[g].Bound;
            }

            if (admitted)
            {
                Store(Post(reducer.Reduce()));
            }

            var k = _parallel.Length - 1;
            while (k >= 0 && ++_index[k] == _loops[_parallel[k]].Extent)
            {
                _index[k--] = 0;
            }

            if (k < 0)
            {
                return;
            }

            var advance = _advance[k];
            for (var a = 0; a < advance.Length; a++)
            {
                _offsets[a] += advance[a];
            }
        }
    }

    private long Post(long accumulator)
    {
        foreach (var operand in _post.Extras)
        {
            _extras[operand] = Load(operand, 0);
        }

        var fault = ScalarFault.None;
        var value = _post.Run(new(0, 0, accumulator, 0), _extras, _stack, ref fault);
        return fault == ScalarFault.None ? value : throw Fault("post", fault, 0);
    }

    private void Store(long value)
    {
        var store = _stores[^1];
        var element = _offsets[_stores.Length - 1];
        if ((uint)element >= (uint)store.Values.Length)
        {
            throw new DiagnosticException(MappedDiagnostics.OutOfBounds(At(null), true, store.Name, element, store.Values.Length));
        }

        if (store.Stamps![element] == _stamp)
        {
            throw new DiagnosticException(MappedDiagnostics.WrittenTwice(At(null), store.Name, element));
        }

        if (store.Bits == 8 ? value != (sbyte)value : value != (int)value)
        {
            throw new DiagnosticException(MappedDiagnostics.DoesNotFit(At(null), store.Name, element, value, store.Bits));
        }

        store.Values[element] = (int)value;
        store.Stamps[element] = _stamp;
    }

    // The element of an operand at a point of the reduced loops.
    private int Load(int operand, int point)
    {
        var store = _stores[operand];
        var element = _offsets[operand] + (_tables[operand] is { } table ? table[point] : 0);
        if ((uint)element >= (uint)store.Values.Length)
        {
            throw new DiagnosticException(MappedDiagnostics.OutOfBounds(At(point), false, store.Name, element, store.Values.Length));
        }

        if (store.Stamps is { } stamps && (stamps[element] == 0 || stamps[element] == _stamp))
        {
            throw new DiagnosticException(stamps[element] == 0
                ? MappedDiagnostics.Uninitialised(At(point), store.Name, element)
                : MappedDiagnostics.ReadsOwnWrite(At(point), store.Name, element));
        }

        return store.Values[element];
    }

    // True where no load of a contraction can fail and no sum can overflow, so that it needs no checks.
    private bool IsSafe(Contraction c)
    {
        var largest = (Int128)(_stores[c.Left].Magnitude + Math.Abs(c.LeftOffset)) * (_stores[c.Right].Magnitude + Math.Abs(c.RightOffset)) * _points;
        return largest < long.MaxValue && AllReadable(c.Left) && AllReadable(c.Right);
    }

    private bool AllReadable(int operand)
    {
        var store = _stores[operand];
        if (ReferenceEquals(store, _stores[^1]))
        {
            return false;
        }

        var element = _nest.Operands[operand].Element;
        var low = element.Constant;
        var high = element.Constant;
        for (var l = 0; l < _loops.Length; l++)
        {
            var span = element.Coefficients[l] * (_loops[l].Extent - 1);
            (low, high) = (low + Math.Min(span, 0), high + Math.Max(span, 0));
        }

        return low >= 0 && high < store.Values.Length && (store.Stamps is not { } stamps || AllWritten(stamps, element, 0, (int)element.Constant));
    }

    // Loops that the index does not depend on are left out, which makes this far smaller than the nest.
    private bool AllWritten(int[] stamps, AffineExpression element, int loop, int offset)
    {
        while (loop < _loops.Length && (element.Coefficients[loop] == 0 || _loops[loop].Extent == 1))
        {
            loop++;
        }

        if (loop == _loops.Length)
        {
            return stamps[offset] != 0;
        }

        for (var i = 0; i < _loops[loop].Extent; i++)
        {
            if (!AllWritten(stamps, element, loop + 1, offset + (int)(element.Coefficients[loop] * i)))
            {
                return false;
            }
        }

        return true;
    }

    private string At(int? point)
    {
        var values = new int?[_loops.Length];
        for (var k = 0; k < _parallel.Length; k++)
        {
            values[_parallel[k]] = _index[k];
        }

        var rest = point ?? 0;
        for (var k = _reduced.Length - 1; k >= 0 && point is not null; k--)
        {
            values[_reduced[k]] = rest % _loops[_reduced[k]].Extent;
            rest /= _loops[_reduced[k]].Extent;
        }

        var text = string.Join(", ", Enumerable.Range(0, _loops.Length)
            .Where(l => values[l] is not null)
            .Select(l => string.Create(CultureInfo.InvariantCulture, $"{_loops[l].Name}={values[l]}")));
        return text.Length == 0 ? Where : $"{Where} at {text}";
    }

    private DiagnosticException Malformed(FormattableString what) =>
        new(MappedDiagnostics.Malformed(Where, what.ToString(CultureInfo.InvariantCulture)));

    private DiagnosticException Fault(string slot, ScalarFault fault, int point) => new(MappedDiagnostics.Arithmetic(At(point), $"{slot}: " + fault switch
    {
        ScalarFault.Overflow => "a value does not fit 64 bits",
        ScalarFault.NotInt32 => "an operand of a requantisation does not fit 32 bits",
        ScalarFault.Shift => "a shift is out of its range",
        ScalarFault.Divisor => "a divisor is not positive",
        _ => "a clamp's low bound is above its high one",
    }));

    private interface IReducer
    {
        long Reduce();
    }

    /// <summary>A term of the form (operand + literal) * (operand + literal), summed.</summary>
    private readonly record struct Contraction(int Left, long LeftOffset, int Right, long RightOffset)
    {
        // Beyond this an offset can't come from a zero point, and products could leave 64 bits.
        private const long MaxOffset = 1L << 32;

        public static Contraction? Of(MappedNest nest)
        {
            return nest.Reduce == GconvReduction.Add
                && nest.Term is ScalarBinary { Operator: ScalarBinaryOperator.Multiply } product
                && Factor(product.Left) is { } left
                && Factor(product.Right) is { } right
                ? new(left.Operand, left.Offset, right.Operand, right.Offset)
                : null;
        }

        private static (int Operand, long Offset)? Factor(ScalarExpression expression) => expression switch
        {
            ScalarExtra extra => (extra.Index, 0),
            ScalarBinary { Operator: ScalarBinaryOperator.Add, Left: ScalarExtra extra, Right: ScalarLiteral { Value: >= -MaxOffset and <= MaxOffset } literal } => (extra.Index, literal.Value),
            ScalarBinary { Operator: ScalarBinaryOperator.Subtract, Left: ScalarExtra extra, Right: ScalarLiteral { Value: >= -MaxOffset and <= MaxOffset } literal } => (extra.Index, -literal.Value),
            _ => null,
        };
    }

    private readonly struct ContractionReducer(NestExecution nest, Contraction contraction) : IReducer
    {
        private readonly int[] _left = nest._stores[contraction.Left].Values;
        private readonly int[] _right = nest._stores[contraction.Right].Values;
        private readonly int[] _leftTable = nest._tables[contraction.Left]!;
        private readonly int[] _rightTable = nest._tables[contraction.Right]!;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public long Reduce()
        {
            var left = _left;
            var right = _right;
            var leftTable = _leftTable;
            var rightTable = _rightTable;
            var leftBase = nest._offsets[contraction.Left];
            var rightBase = nest._offsets[contraction.Right];
            var leftOffset = contraction.LeftOffset;
            var rightOffset = contraction.RightOffset;
            var sum = 0L;
            for (var p = 0; p < leftTable.Length && p < rightTable.Length; p++)
            {
                sum += (left[leftBase + leftTable[p]] + leftOffset) * (right[rightBase + rightTable[p]] + rightOffset);
            }

            return sum;
        }
    }

    private readonly struct GeneralReducer(NestExecution nest) : IReducer
    {
        private readonly int[] _operands = [.. nest._term.Extras];

        public long Reduce()
        {
            var sum = nest._nest.Reduce == GconvReduction.Maximum ? long.MinValue : 0L;
            var fault = ScalarFault.None;
            for (var p = 0; p < nest._points; p++)
            {
                foreach (var operand in _operands)
                {
                    nest._extras[operand] = nest.Load(operand, p);
                }

                var term = nest._term.Run(default, nest._extras, nest._stack, ref fault);
                sum = nest._nest.Reduce == GconvReduction.Maximum ? Math.Max(sum, term) : ScalarProgram.Add(sum, term, ref fault);
                if (fault != ScalarFault.None)
                {
                    throw nest.Fault("term", fault, p);
                }
            }

            return sum;
        }
    }
}
