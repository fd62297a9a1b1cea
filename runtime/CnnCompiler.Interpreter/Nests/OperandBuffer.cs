using CnnCompiler.Image.Nests;
using CnnCompiler.Image.Systolic;
using CnnCompiler.Interpreter.Systolic;

namespace CnnCompiler.Interpreter.Nests;

/// <summary>An on-chip buffer that holds a box of a tensor: the elements between the smallest and the largest index of a tile in each dimension, as far as the tensor goes.</summary>
internal sealed class OperandBuffer
{
    private readonly SystolicAccess _access;
    private readonly AffineAccess _memory;
    private readonly (int Loop, long Coefficient)[][] _terms;
    private readonly long[] _strides;
    private readonly int[] _window;
    private readonly long[] _low;
    private readonly long[] _extent;
    private readonly long _fill;
    private long[] _data = [];

    /// <summary>Prepares a buffer.</summary>
    /// <param name="access">What it holds boxes of.</param>
    /// <param name="loops">Loops of the operator.</param>
    /// <param name="memory">Where the tensor lies.</param>
    /// <param name="window">What of the tensor lies there; null where all of it does.</param>
    public OperandBuffer(SystolicAccess access, int loops, byte[] memory, NestWindow? window = null)
    {
        (_access, _memory, _window) = (access, new(access, loops, memory, window?.Extents), [.. window?.Extents ?? access.Dimensions.Select(dimension => dimension.Extent)]);
        _terms = [.. access.Dimensions.Select(dimension => dimension.Coefficients.Select((coefficient, loop) => (loop, coefficient)).Where(term => term.coefficient != 0).ToArray())];
        var rank = access.Dimensions.Count;
        (_strides, _low, _extent) = (new long[rank], new long[rank], new long[rank]);
        var stride = 1L;
        for (var d = rank - 1; d >= 0; d--)
        {
            _strides[d] = stride;
            stride *= _window[d];
        }

        _fill = access.Element.IsReal() ? BitConverter.DoubleToInt64Bits(access.FillValue) : access.FillValue;
    }

    /// <summary>Takes the box of a tile; the bytes that come.</summary>
    /// <param name="start">First trip of each loop.</param>
    /// <param name="length">Trips of each loop.</param>
    /// <param name="copies">False to count the bytes only: what streams past the units is not kept.</param>
    public long Load(ReadOnlySpan<int> start, ReadOnlySpan<int> length, bool copies)
    {
        var elements = 1L;
        for (var d = 0; d < _low.Length; d++)
        {
            var dimension = _access.Dimensions[d];
            var (low, high) = (dimension.Constant, dimension.Constant);
            foreach (var (loop, coefficient) in _terms[d])
            {
                var (first, last) = (coefficient * start[loop], coefficient * (start[loop] + length[loop] - 1));
                (low, high) = (low + Math.Min(first, last), high + Math.Max(first, last));
            }

            // the first and the last position at which a divided index is an element
            low = Math.Max(0, low <= 0 ? 0 : ((low - 1) / dimension.Divisor) + 1);
            high = high < 0 ? -1 : Math.Min(dimension.Extent - 1, high / dimension.Divisor);
            (_low[d], _extent[d]) = (low, Math.Max(0, high - low + 1));
            elements *= _extent[d];
        }

        if (copies)
        {
            Copy(elements);
        }

        return elements * _access.Element.Size();
    }

    /// <summary>Takes the whole tensor.</summary>
    public void LoadAll()
    {
        var elements = 1L;
        for (var d = 0; d < _low.Length; d++)
        {
            (_low[d], _extent[d]) = (0, _access.Dimensions[d].Extent);
            elements *= _extent[d];
        }

        Copy(elements);
    }

    /// <summary>The element for values of the loops, or the fill value; <paramref name="skipped"/> where the tap is to be skipped.</summary>
    public long Read(ReadOnlySpan<int> loops, out bool skipped)
    {
        skipped = false;
        var at = 0L;
        for (var d = 0; d < _terms.Length; d++)
        {
            var dimension = _access.Dimensions[d];
            var index = dimension.Constant;
            foreach (var (loop, coefficient) in _terms[d])
            {
                index += coefficient * loops[loop];
            }

            if (dimension.Divisor > 1)
            {
                (index, var rest) = Math.DivRem(index, dimension.Divisor);
                index = rest == 0 ? index : -1;
            }

            if ((ulong)index >= (ulong)dimension.Extent)
            {
                skipped = _access.Outside == SystolicOutside.Skip;
                return _fill;
            }

            at = (at * _extent[d]) + index - _low[d];
        }

        return _data[at];
    }

    private void Copy(long elements)
    {
        if (_data.LongLength < elements)
        {
            _data = new long[elements];
        }

        var index = new long[_low.Length];
        for (var i = 0L; i < elements; i++)
        {
            var flat = 0L;
            for (var d = 0; d < index.Length; d++)
            {
                flat += (_low[d] + index[d]) % _window[d] * _strides[d];
            }

            _data[i] = _memory.Load(flat);
            for (var d = index.Length - 1; d >= 0 && ++index[d] == _extent[d]; d--)
            {
                index[d] = 0;
            }
        }
    }
}
