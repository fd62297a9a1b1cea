using CnnCompiler.Core;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.Kernels;

namespace CnnCompiler.Targets.OpenEdge.Mapping;

/// <content>Fully connected layers that read their input packed, two elements a word.</content>
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
        AddHalves(map, new(source, map.Map(element)), new(target.Name, new(layout.Pitch.Select(p => (long)p).ToEquatableArray(), 0)), operation.Origin.Value);
        return target;
    }

    /// <summary>The loops that a packed fully connected layer reduces over.</summary>
    private static void AddPairs(LoopMap map, GconvOperator operation, int tapLoop)
    {
        var pairs = operation.Loops[tapLoop].Extent / HalvesKernel.Halves;
        map.Add(DensePairsKernel.Half, HalvesKernel.Halves, reduced: true, tapLoop, pairs);
        map.Add(DensePairsKernel.Pair, pairs, reduced: true, tapLoop);
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
