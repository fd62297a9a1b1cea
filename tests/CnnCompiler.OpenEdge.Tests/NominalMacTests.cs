using CnnCompiler.Fuzzing;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Passes.Lowering;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Targets.OpenEdge.Mapping;

namespace CnnCompiler.OpenEdge.Tests;

/// <summary>However a layer is cut into nests, their nominal MACs are the layer's.</summary>
public class NominalMacTests
{
    // divisible by nothing that a layer is cut into
    private const long Macs = 1_000_003;

    [Theory]
    [InlineData(LayerKind.Conv2D)]
    [InlineData(LayerKind.DepthwiseConv2D)]
    [InlineData(LayerKind.Dense)]
    public void All_MACs_of_a_layer_are_in_its_nests(LayerKind kind)
    {
        var candidates = new HashSet<string>(StringComparer.Ordinal);
        for (var seed = 0; seed < 24; seed++)
        {
            var lowered = LowerToGconv.Lower(RandomNetworks.Layer(kind, seed), new DiagnosticBag())!;
            var program = lowered with { Steps = [.. lowered.Steps.Select(step => step with { Origin = step.Origin.Value with { Macs = step.Origin.Value.Macs > 0 ? Macs : 0 } })] };
            var layers = program.Steps.Count(step => step.Origin.Value.Macs > 0);
            var choices = MappingChoices.Defaults with { AccumulatorWords = 400 };
            if (OpenEdgeMapper.Map(program, choices, new(), default) is not { } mapping)
            {
                continue;
            }

            foreach (var candidate in mapping.Decisions.Where(decision => !decision.IsLayout).SelectMany(decision => decision.Candidates.Select(candidate => (decision.Key, candidate.Name))))
            {
                if (OpenEdgeMapper.Map(program, choices.With(candidate.Key, candidate.Name), new(), default) is { } mapped)
                {
                    candidates.Add(candidate.Name.Split('-')[0]);
                    Assert.Equal(layers * Macs, mapped.Program.Steps.OfType<MappedNest>().Sum(nest => nest.Origin.Value.Macs));
                }
            }
        }

        Assert.True(candidates.Count > 1, string.Join(' ', candidates));
    }
}
