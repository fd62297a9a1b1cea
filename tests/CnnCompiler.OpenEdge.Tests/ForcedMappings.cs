using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Lowering;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.OpenEdge.Emission;
using CnnCompiler.Targets.OpenEdge.Mapping;

namespace CnnCompiler.OpenEdge.Tests;

/// <summary>Networks mapped with one candidate wherever there is one.</summary>
internal static class ForcedMappings
{
    /// <summary>Maps with a candidate, compares mapped program and image with the network; the layers whose sums a kernel computes.</summary>
    public static IReadOnlyList<MappedNest> Check(NetworkGraph network, string candidate, string kernel, IReadOnlyList<Tensor> inputs)
    {
        var gconv = LowerToGconv.Lower(network, new())!;
        return [.. Check(network, Choices(gconv, candidate), inputs).Steps.OfType<MappedNest>().Where(n => n.Kernel == kernel)];
    }

    /// <summary>Maps with given choices, compares mapped program and image with the network; the program.</summary>
    public static MappedProgram Check(NetworkGraph network, MappingChoices choices, IReadOnlyList<Tensor> inputs)
    {
        var diagnostics = new DiagnosticBag();
        var gconv = LowerToGconv.Lower(network, diagnostics)!;
        var mapping = OpenEdgeMapper.Map(gconv, choices, diagnostics, default);
        Assert.True(mapping is not null, string.Join('\n', diagnostics.Diagnostics));
        diagnostics.Report(MappedVerifier.Check(mapping.Program));
        var image = ImageEmitter.Emit(mapping.Program, BuiltInMachines.Default, diagnostics, default);
        Assert.True(image is not null && !diagnostics.HasErrors, $"{network.Name}: {string.Join('\n', diagnostics.Diagnostics)}");
        var expected = NetworkEvaluator.Evaluate(network, inputs, diagnostics)!.Outputs;
        var mapped = MappedEvaluator.Run(mapping.Program, inputs, diagnostics, keepValues: false)!.Outputs;
        Assert.All(expected.Zip(mapped), pair => Assert.Equal(pair.First.Bytes.ToArray(), pair.Second.Bytes.ToArray()));
        Assert.Null(AllLevels.ImageDifference(image, inputs, expected));
        return mapping.Program;
    }

    /// <summary>A candidate wherever there is one.</summary>
    public static MappingChoices Choices(GconvProgram gconv, string candidate)
    {
        var diagnostics = new DiagnosticBag();
        var defaults = OpenEdgeMapper.Map(gconv, MappingChoices.Defaults, diagnostics, default);
        Assert.True(defaults is not null, string.Join('\n', diagnostics.Diagnostics));
        return defaults.Decisions.Where(d => d.Candidates.Any(c => c.Name == candidate)).Aggregate(MappingChoices.Defaults, (all, d) => all.With(d.Key, candidate));
    }
}
