using CnnCompiler.Core;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.Kernels;

namespace CnnCompiler.Targets.OpenEdge.Mapping;

/// <content>Contractions that read their input packed, two elements a word that one output adds up.</content>
public sealed partial class OpenEdgeMapper
{
    /// <summary>Name of the buffer in which the pairs of an operator's input lie.</summary>
    private static string PairsOf(string operation) => $"{operation}.pairs";

    /// <summary>Packs the input of a fully connected layer, [outer, line, pair, 2]: element i with element i + n / 2 of the same position.</summary>
    /// <returns>The buffer.</returns>
    private MappedBuffer PairUp(GconvOperator operation, Positions positions, int tapLoop, string source, AffineExpression element)
    {
        var pairs = operation.Loops[tapLoop].Extent / HalvesKernel.Halves;
        var layout = BufferLayout.Dense([positions.Outer, positions.Lines, pairs, HalvesKernel.Halves], HalvesKernel.Halves);
        var target = AddBuffer(PairsOf(operation.Name), BufferRole.Activation, layout);
        var map = new LoopMap(operation.Loops.Count);
        map.Add("outer", positions.Outer, reduced: false, positions.OuterLoop);
        map.Add("inner", positions.Lines, reduced: false, positions.LineLoop);
        map.Add("element", pairs, reduced: false, tapLoop);
        map.Add(NestView.OuterLine, HalvesKernel.Halves, reduced: false, tapLoop, pairs);
        AddHalves(
            map, new(source, map.Map(element)), new(target.Name, new(layout.Pitch.Select(p => (long)p).ToEquatableArray(), 0)), operation.Origin.Value, HalvesPairsKernel.Strategy, HalvesKernel.Strategy);
        return target;
    }

    /// <summary>
    /// The reduced loop whose halves <see cref="InputPairsKernel"/> multiplies at once, of those that alone move along a dimension of the input and have an even number of trips the last one:
    /// the input channels. -1 where there is none.
    /// </summary>
    private static int PairedLoop(GconvOperator operation, OperatorShape shape) => operation.Input.Index.All(i => i.Coefficients.All(c => c >= 0))
        ? shape.Loops(LoopKind.KernelSize)
            .LastOrDefault(loop => operation.Loops[loop].Extent % HalvesKernel.Halves == 0 && HalvedForm.DimensionOf(operation, operation.Input.Index, loop) >= 0, -1)
        : -1;

    /// <summary>Packs the part of an input that a contraction reads: word [i0, i1, ...] holds the input there and half of the paired loop behind it. Lines of positions lie an odd number of words apart.</summary>
    /// <returns>The buffer, and the element of the first half that the operator reads, over its loops.</returns>
    private (string Buffer, AffineExpression Element) PairUp(GconvOperator operation, OperatorShape shape, Positions positions, string source, BufferLayout layout)
    {
        var loop = PairedLoop(operation, shape);
        var half = operation.Loops[loop].Extent / HalvesKernel.Halves;
        var halves = positions with { LineLoop = loop, Lines = half, Distance = half };
        var line = Enumerable.Range(0, operation.Input.Index.Count).FirstOrDefault(d => positions.LineLoop >= 0 && operation.Input.Index[d].Coefficients[positions.LineLoop] != 0, -1);
        var packed = PackedInput(operation, halves, line);
        var target = AddBuffer(PairsOf(operation.Name), BufferRole.Activation, packed.Layout);
        Pack(operation, halves, packed, source, layout, target, HalvesPairsKernel.InputsStrategy, HalvesKernel.InputsStrategy);
        return (target.Name, packed.Element);
    }

    /// <summary>The loops that a contraction reduces over whose input is packed, two of its elements a word.</summary>
    private static void AddPairs(LoopMap map, GconvOperator operation, OperatorShape shape, int paired)
    {
        foreach (var loop in shape.Loops(LoopKind.KernelSize))
        {
            var extent = operation.Loops[loop].Extent;
            if (loop == paired)
            {
                map.Add(DensePairsKernel.Half, HalvesKernel.Halves, reduced: true, loop, extent / HalvesKernel.Halves);
                map.Add(DensePairsKernel.Pair, extent / HalvesKernel.Halves, reduced: true, loop);
            }
            else
            {
                map.Add(operation.Loops[loop].Name, extent, reduced: true, loop);
            }
        }
    }

    /// <summary>The packed input's element over the loops of a nest.</summary>
    private AffineExpression PairElement(LoopMap map, string buffer)
    {
        var pitch = _buffers[buffer].Layout.Pitch;
        return map.Over(loop => loop switch
        {
            NestView.OuterLine => pitch[0],
            NestView.Line => pitch[1],
            DensePairsKernel.Pair => pitch[2],
            DensePairsKernel.Half => pitch[3],
            _ => 0,
        });
    }
}
