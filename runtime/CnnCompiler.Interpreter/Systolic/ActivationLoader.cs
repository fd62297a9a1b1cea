using System.Runtime.InteropServices;
using CnnCompiler.Image.Systolic;

namespace CnnCompiler.Interpreter.Systolic;

/// <summary>
/// Reads vectors of activations as the loader at the array's left edge does: affine addresses with the validity predicate of each tap; no im2col matrix
/// exists anywhere.
/// </summary>
internal sealed class ActivationLoader
{
    private readonly AffineAccess _input;
    private readonly byte[] _memory;
    private readonly int[] _flat;
    private readonly int[] _runs;
    private readonly (int Dimension, int[] Offsets, int Low, int High)[] _predicates;

    public ActivationLoader(AffineAccess input, IReadOnlyList<SystolicLoop> loops, byte[] memory)
    {
        (_input, _memory) = (input, memory);
        var rows = new LoopSet(loops, SystolicRole.Row);
        var values = new int[loops.Count];
        var origin = new int[loops.Count];
        _flat = new int[rows.Trips];
        var offsets = Enumerable.Range(0, input.Rank).Select(_ => new int[rows.Trips]).ToArray();
        for (var k = 0; k < _flat.Length; k++)
        {
            _flat[k] = (int)(input.Flat(values) - input.Flat(origin));
            for (var d = 0; d < offsets.Length; d++)
            {
                offsets[d][k] = (int)(input.At(d, values) - input.At(d, origin));
            }

            rows.Next(values);
        }

        // Fill: every dimension can be outside, also one that no row loop moves.
        _predicates = input.Access.Outside == SystolicOutside.Never ? [] : [.. offsets.Select((offset, d) => (d, offset, offset.Min(), offset.Max()))];
        var runs = new List<int>();
        for (var k = 0; k < _flat.Length; k++)
        {
            if (k == 0 || _flat[k] != _flat[k - 1] + 1)
            {
                runs.Add(k);
            }
        }

        runs.Add(_flat.Length);
        _runs = [.. runs];
    }

    /// <summary>Elements of a vector: K.</summary>
    public int Rows => _flat.Length;

    /// <summary>The vector of the group and position that the loops say; the row loops are 0.</summary>
    public void Load(ReadOnlySpan<int> loops, Span<sbyte> vector)
    {
        var start = _input.Access.Address + _input.Flat(loops);
        if (IsInside(loops))
        {
            var memory = MemoryMarshal.Cast<byte, sbyte>(_memory.AsSpan());
            for (var run = 0; run + 1 < _runs.Length; run++)
            {
                var (first, length) = (_runs[run], _runs[run + 1] - _runs[run]);
                memory.Slice((int)(start + _flat[first]), length).CopyTo(vector[first..]);
            }

            return;
        }

        vector.Fill((sbyte)_input.Access.FillValue);
        for (var k = 0; k < vector.Length; k++)
        {
            if (IsInside(loops, k))
            {
                vector[k] = (sbyte)_memory[start + _flat[k]];
            }
        }
    }

    private bool IsInside(ReadOnlySpan<int> loops)
    {
        foreach (var (dimension, _, low, high) in _predicates)
        {
            var at = _input.At(dimension, loops);
            if (at + low < 0 || at + high >= _input.Extent(dimension))
            {
                return false;
            }
        }

        return true;
    }

    private bool IsInside(ReadOnlySpan<int> loops, int k)
    {
        foreach (var (dimension, offsets, _, _) in _predicates)
        {
            if ((ulong)(_input.At(dimension, loops) + offsets[k]) >= (ulong)_input.Extent(dimension))
            {
                return false;
            }
        }

        return true;
    }
}
