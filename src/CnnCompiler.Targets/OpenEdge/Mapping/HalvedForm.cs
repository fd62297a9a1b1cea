using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.Kernels;

namespace CnnCompiler.Targets.OpenEdge.Mapping;

/// <summary>A way to store a tensor as the one convolution that reads it takes it, several elements a word.</summary>
/// <param name="Candidate">The layout among a tensor's candidates.</param>
public abstract record StoredForm(MappingCandidate Candidate)
{
    /// <summary>True where a buffer of this form holds every element of its tensor in its order.</summary>
    public abstract bool IsWhole { get; }

    /// <summary>How the tensor's buffer lies.</summary>
    /// <param name="shape">The tensor's shape.</param>
    public abstract BufferLayout Layout(EquatableArray<int> shape);
}

/// <summary>
/// A word holds an element and the one a constant distance behind it along a dimension, in two lanes
/// (<see cref="HalvesKernel"/>). With an odd extent both halves have the middle.
/// </summary>
/// <param name="Candidate">The layout among a tensor's candidates.</param>
/// <param name="Dimension">The dimension of the tensor that is cut in two.</param>
/// <param name="Extent">Its extent.</param>
public sealed record HalvedForm(MappingCandidate Candidate, int Dimension, int Extent) : StoredForm(Candidate)
{
    /// <summary>Indices of a half.</summary>
    public int Lines => (Extent + HalvesKernel.Halves - 1) / HalvesKernel.Halves;

    /// <summary>Indices from a half to the other.</summary>
    public int Distance => Extent - Lines;

    /// <summary>
    /// The forms that a convolution reads just so: its taps read every element of the tensor at its place, none beyond, and the halved dimension moves with one
    /// loop of its positions.
    /// </summary>
    /// <param name="reader">The convolution.</param>
    /// <param name="shape">The tensor's shape.</param>
    public static IEnumerable<HalvedForm> ReadBy(GconvOperator reader, Shape shape)
    {
        var index = reader.Input.Index;
        var isWhole = index.Select((e, d) => e.Divisor == 1 && OperatorShape.Range(reader, e) == (0, shape[d] - 1) && (shape[d] == 1 || e.Coefficients.Contains(1))).All(whole => whole);
        foreach (var loop in Enumerable.Range(0, reader.Loops.Count).Where(l => isWhole && reader.Loops[l] is { Kind: LoopKind.OutputPosition, Extent: > 1 }))
        {
            if (DimensionOf(reader, index, loop) is >= 0 and var d && reader.Loops[loop].Extent == shape[d])
            {
                yield return new(MappingCandidates.Packed(reader.Loops[loop].Dimension), d, shape[d]);
            }
        }
    }

    /// <summary>The only dimension of an access that moves with a loop, one at a time, and with no other loop; -1 where there is none.</summary>
    /// <param name="operation">The operator whose loops these are.</param>
    /// <param name="index">The access's index.</param>
    /// <param name="loop">The loop.</param>
    public static int DimensionOf(GconvOperator operation, EquatableArray<AffineExpression> index, int loop)
    {
        int[] moved = [.. Enumerable.Range(0, index.Count).Where(d => index[d].Coefficients[loop] != 0)];
        return moved is [var d] && index[d].Coefficients.Select((c, l) => l == loop ? c == 1 : c == 0 || operation.Loops[l].Extent == 1).All(alone => alone) ? d : -1;
    }

    /// <summary>Elements between neighbours along each dimension of the tensor, of which an element of the second half is the one behind that of the first.</summary>
    /// <param name="shape">The tensor's shape.</param>
    public IReadOnlyList<long> Pitch(EquatableArray<int> shape) => [.. Words(shape).Pitch.SkipLast(1).Select(p => (long)p)];

    /// <summary>How the tensor's buffer lies: where halves are whole, with every element of the tensor in its order; else a half beside the other.</summary>
    /// <param name="shape">The tensor's shape.</param>
    public override BufferLayout Layout(EquatableArray<int> shape)
    {
        var words = Words(shape);
        if (!IsWhole)
        {
            return words;
        }

        var none = new int[shape.Count + 1].ToEquatableArray();
        return new(
            [.. shape.Take(Dimension), HalvesKernel.Halves, Lines, .. shape.Skip(Dimension + 1)],
            HalvesKernel.Halves,
            none,
            none,
            [.. words.Pitch.Take(Dimension), 1, .. words.Pitch.Skip(Dimension).SkipLast(1)],
            null);
    }

    /// <inheritdoc/>
    public override bool IsWhole => Distance == Lines;

    private BufferLayout Words(EquatableArray<int> shape) =>
        BufferLayout.Dense([.. shape.Select((e, d) => d == Dimension ? Lines : e), HalvesKernel.Halves], HalvesKernel.Halves);
}
