using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using CnnCompiler.Image.Systolic;

namespace CnnCompiler.Interpreter.Systolic;

/// <summary>An access prepared for walking loops: positions as sums of products, the validity predicate a dimension.</summary>
internal sealed class AffineAccess
{
    private readonly (int Loop, long Coefficient)[] _terms;
    private readonly (int Loop, long Coefficient)[][] _termsOfDimension;
    private readonly long[][] _coefficients;
    private readonly long[] _constants;
    private readonly int[] _extents;
    private readonly long[] _strides;
    private readonly int[]? _window;
    private readonly int[] _divisors;
    private readonly long _constant;
    private readonly byte[] _memory;
    private readonly int _address;
    private readonly SystolicElement _element;

    /// <summary>Prepares an access.</summary>
    /// <param name="access">The access.</param>
    /// <param name="loops">Loops of its operator.</param>
    /// <param name="memory">Where the tensor lies.</param>
    /// <param name="window">Extents of the window of the tensor that lies there; null where all of it does.</param>
    public AffineAccess(SystolicAccess access, int loops, byte[] memory, IReadOnlyList<int>? window = null)
    {
        Access = access;
        (_memory, _address, _element) = (memory, access.Address, access.Element);
        _extents = [.. access.Dimensions.Select(dimension => dimension.Extent)];
        _constants = [.. access.Dimensions.Select(dimension => dimension.Constant)];
        _coefficients = [.. access.Dimensions.Select(dimension => dimension.Coefficients.ToArray())];
        _termsOfDimension = [.. _coefficients.Select(row => row.Select((coefficient, loop) => (loop, coefficient)).Where(term => term.coefficient != 0).ToArray())];
        _window = window is null ? null : [.. window];
        _divisors = [.. access.Dimensions.Select(dimension => dimension.Divisor)];
        Divides = _divisors.Any(divisor => divisor > 1);
        _strides = new long[_extents.Length];
        Elements = 1;
        for (var d = _strides.Length - 1; d >= 0; d--)
        {
            _strides[d] = Elements;
            Elements *= (_window ?? _extents)[d];
            _constant += _constants[d] * _strides[d];
        }

        _terms = [.. Enumerable.Range(0, loops).Select(loop => (loop, FlatCoefficient(loop))).Where(term => term.Item2 != 0)];
    }

    public SystolicAccess Access { get; }

    public long Elements { get; }

    /// <summary>True where a dimension's index is divided: its position is found a dimension at a time.</summary>
    public bool Divides { get; }

    /// <summary>Extent of the last dimension; 1 for a scalar.</summary>
    public int Row => _extents.Length == 0 ? 1 : _extents[^1];

    public long Bytes => Elements * _element.Size();

    public int Rank => _extents.Length;

    public int Extent(int dimension) => _extents[dimension];

    public long Coefficient(int dimension, int loop) => _coefficients[dimension][loop];

    public long FlatCoefficient(int loop)
    {
        var sum = 0L;
        for (var d = 0; d < _strides.Length; d++)
        {
            sum += _coefficients[d][loop] * _strides[d];
        }

        return sum;
    }

    /// <summary>Element index for values of the loops, wherever it lies.</summary>
    public long Flat(ReadOnlySpan<int> loops)
    {
        if (_window is not null)
        {
            return FlatInWindow(loops);
        }

        var flat = _constant;
        foreach (var (loop, coefficient) in _terms)
        {
            flat += coefficient * loops[loop];
        }

        return flat;
    }

    /// <summary>Index along a dimension for values of the loops.</summary>
    public long At(int dimension, ReadOnlySpan<int> loops)
    {
        var index = _constants[dimension];
        foreach (var (loop, coefficient) in _termsOfDimension[dimension])
        {
            index += coefficient * loops[loop];
        }

        return index;
    }

    /// <summary>What the access meets along a loop that stands at 0, the others standing still; not where it <see cref="Divides"/>.</summary>
    /// <param name="loops">Values of the loops.</param>
    /// <param name="loop">The loop, or -1 for none: the one element.</param>
    /// <param name="extent">Its extent.</param>
    public AffineRun Along(ReadOnlySpan<int> loops, int loop, int extent)
    {
        var (first, end) = (0L, (long)extent);
        for (var d = 0; d < _extents.Length && Access.Outside != SystolicOutside.Never; d++)
        {
            var (index, coefficient) = (At(d, loops), loop < 0 ? 0 : _coefficients[d][loop]);
            if (coefficient < 0)
            {
                // seen from the other end of the dimension
                (index, coefficient) = (_extents[d] - 1 - index, -coefficient);
            }

            if (coefficient == 0)
            {
                end = (ulong)index < (ulong)_extents[d] ? end : 0;
                continue;
            }

            first = Math.Max(first, index >= 0 ? 0 : (-index + coefficient - 1) / coefficient);
            end = Math.Min(end, index >= _extents[d] ? 0 : ((_extents[d] - 1 - index) / coefficient) + 1);
        }

        return new((int)Math.Min(first, end), (int)end, Flat(loops), loop < 0 ? 0 : FlatCoefficient(loop));
    }

    /// <summary>The element, or the fill value; <paramref name="skipped"/> where the tap is to be skipped.</summary>
    public long Read(ReadOnlySpan<int> loops, out bool skipped)
    {
        skipped = false;
        if (Divides)
        {
            if (TryDivide(loops, out var flat))
            {
                return Load(flat);
            }

            skipped = Access.Outside == SystolicOutside.Skip;
            return Fill;
        }

        if (Access.Outside == SystolicOutside.Never || IsInside(loops))
        {
            return Load(Flat(loops));
        }

        skipped = Access.Outside == SystolicOutside.Skip;
        return Fill;
    }

    /// <summary>Value of a tap outside the tensor.</summary>
    public long Fill => _element.IsReal() ? BitConverter.DoubleToInt64Bits(Access.FillValue) : Access.FillValue;

    /// <summary>The element at an index inside the tensor.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public long Load(long index)
    {
        switch (_element)
        {
            case SystolicElement.Int8:
                return (sbyte)_memory[_address + index];
            case SystolicElement.UInt8:
                return _memory[_address + index];
            case SystolicElement.Int16:
                return BinaryPrimitives.ReadInt16LittleEndian(_memory.AsSpan((int)(_address + (2 * index))));
            case SystolicElement.Float32:
                return BitConverter.DoubleToInt64Bits(BinaryPrimitives.ReadSingleLittleEndian(_memory.AsSpan((int)(_address + (4 * index)))));
            case SystolicElement.Int32:
                return BinaryPrimitives.ReadInt32LittleEndian(_memory.AsSpan((int)(_address + (4 * index))));
            default:
                return BinaryPrimitives.ReadInt64LittleEndian(_memory.AsSpan((int)(_address + (8 * index))));
        }
    }

    /// <summary>Writes the element at an index inside the tensor.</summary>
    public void Store(long index, long value)
    {
        switch (_element)
        {
            case SystolicElement.Int8 or SystolicElement.UInt8:
                _memory[_address + index] = (byte)value;
                break;
            case SystolicElement.Int16:
                BinaryPrimitives.WriteInt16LittleEndian(_memory.AsSpan((int)(_address + (2 * index))), (short)value);
                break;
            case SystolicElement.Float32:
                BinaryPrimitives.WriteSingleLittleEndian(_memory.AsSpan((int)(_address + (4 * index))), (float)BitConverter.Int64BitsToDouble(value));
                break;
            case SystolicElement.Int32:
                BinaryPrimitives.WriteInt32LittleEndian(_memory.AsSpan((int)(_address + (4 * index))), (int)value);
                break;
            default:
                BinaryPrimitives.WriteInt64LittleEndian(_memory.AsSpan((int)(_address + (8 * index))), value);
                break;
        }
    }

    private long FlatInWindow(ReadOnlySpan<int> loops)
    {
        var flat = 0L;
        for (var d = 0; d < _strides.Length; d++)
        {
            flat += At(d, loops) % _window![d] * _strides[d];
        }

        return flat;
    }

    private bool TryDivide(ReadOnlySpan<int> loops, out long flat)
    {
        flat = 0;
        for (var d = 0; d < _extents.Length; d++)
        {
            var (index, rest) = Math.DivRem(At(d, loops), _divisors[d]);
            if (rest != 0 || (ulong)index >= (ulong)_extents[d])
            {
                return false;
            }

            flat += index * _strides[d];
        }

        return true;
    }

    private bool IsInside(ReadOnlySpan<int> loops)
    {
        for (var d = 0; d < _extents.Length; d++)
        {
            if ((ulong)At(d, loops) >= (ulong)_extents[d])
            {
                return false;
            }
        }

        return true;
    }
}

/// <summary>Elements along a loop.</summary>
/// <param name="First">Value of the loop at the first one inside the tensor.</param>
/// <param name="End">Value behind the last one inside; not above <paramref name="First"/> where none is.</param>
/// <param name="Flat">Element index at value 0, wherever it lies.</param>
/// <param name="Step">Elements from a value to the next.</param>
internal readonly record struct AffineRun(int First, int End, long Flat, long Step);

/// <summary>Some of an operator's loops, stepped as one.</summary>
internal sealed class LoopSet
{
    private readonly int[] _loops;
    private readonly int[] _extents;

    public LoopSet(IReadOnlyList<SystolicLoop> loops, params ReadOnlySpan<SystolicRole> roles)
    {
        var chosen = roles.ToArray();
        _loops = [.. Enumerable.Range(0, loops.Count).Where(i => chosen.Contains(loops[i].Role))];
        _extents = [.. _loops.Select(i => loops[i].Extent)];
        Trips = _extents.Aggregate(1L, (product, extent) => product * extent);
    }

    /// <summary>Product of the extents.</summary>
    public long Trips { get; }

    /// <summary>The loop that runs fastest, or -1, and its extent, 1 where there is none.</summary>
    public (int Loop, int Extent) Fastest => _loops.Length == 0 ? (-1, 1) : (_loops[^1], _extents[^1]);

    /// <summary>Steps to the next trip of all loops but the fastest.</summary>
    public bool NextOfOthers(Span<int> values) => Next(values, _loops.Length - 2);

    /// <summary>Sets the loops to the values of a trip, the last loop fastest.</summary>
    public void Set(long trip, Span<int> values)
    {
        for (var i = _loops.Length - 1; i >= 0; i--)
        {
            values[_loops[i]] = (int)(trip % _extents[i]);
            trip /= _extents[i];
        }
    }

    /// <summary>Steps to the next trip; false, and the first one, after the last.</summary>
    public bool Next(Span<int> values) => Next(values, _loops.Length - 1);

    private bool Next(Span<int> values, int last)
    {
        for (var i = last; i >= 0; i--)
        {
            if (++values[_loops[i]] < _extents[i])
            {
                return true;
            }

            values[_loops[i]] = 0;
        }

        return false;
    }
}
