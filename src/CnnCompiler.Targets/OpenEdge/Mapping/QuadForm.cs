using CnnCompiler.Core;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.Kernels;

namespace CnnCompiler.Targets.OpenEdge.Mapping;

/// <summary>Four neighbouring channels are the bytes of a word, inside the halo that the depthwise convolution that reads them needs (<see cref="SlidingKernel.PackedStrategy"/>).</summary>
/// <param name="Words">The layout.</param>
public sealed record QuadForm(BufferLayout Words) : StoredForm(MappingCandidates.Quads)
{
    /// <inheritdoc/>
    public override bool IsWhole => true;

    /// <summary>The form in which a convolution can read its input: where each of its channels reads one channel of the input, the innermost dimension; else null. Behind the last channel a word holds anything.</summary>
    /// <param name="reader">The convolution.</param>
    /// <param name="shape">Its shape.</param>
    /// <param name="input">The input's shape.</param>
    public static QuadForm? ReadBy(GconvOperator reader, OperatorShape shape, EquatableArray<int> input) =>
        input.Count > 1 && shape.Single(LoopKind.Group) is (>= 0 and var group, var channels) && channels == input[^1] && shape.Single(LoopKind.OutputParallel) is (_, 1)
        && HalvedForm.DimensionOf(reader, reader.Input.Index, group) == input.Count - 1 && reader.Input.Index[^1] is { Divisor: 1, Constant: 0 }
            ? new(ValueLayouts.Around(input, reader, reader.Input.OutOfRange == OutOfRange.Fill ? reader.Input.FillValue : shape.InputZeroPoint!.Value, wholeQuads: true) with { Lanes = PackedRuns.Lanes })
            : null;

    /// <inheritdoc/>
    public override BufferLayout Layout(EquatableArray<int> shape) => Words;
}
