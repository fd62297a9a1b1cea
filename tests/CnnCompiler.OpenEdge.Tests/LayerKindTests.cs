using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.TestSupport;

namespace CnnCompiler.OpenEdge.Tests;

/// <summary>Every kind of layer in every element type is compiled to what the network computes, or refused by its name.</summary>
public class LayerKindTests
{
    private const int Seeds = 4;

    // Kinds without a definition in i8.
    private static readonly string[] NotInCodes = ["capsule_transform", "batch_norm", "layer_norm", "lrn", "squash", "routing", "exp", "sqrt", "softmax"];

    public static TheoryData<string, Elements> Layers =>
        [.. from kind in RandomLayers.Kinds from elements in Enum.GetValues<Elements>() where elements != Elements.Code || !NotInCodes.Contains(kind) select (kind, elements)];

    [Theory]
    [MemberData(nameof(Layers))]
    public void A_layer_is_compiled_exactly_or_refused_by_name(string kind, Elements elements)
    {
        for (var seed = 0; seed < Seeds; seed++)
        {
            var random = RandomLayers.Make(kind, elements, seed);
            var diagnostics = new DiagnosticBag();
            if (AllLevels.Compile(random.Graph, diagnostics, [BuiltInMachines.Default]) is { } levels)
            {
                Assert.Null(levels.FirstDifference(random.Inputs));
                continue;
            }

            var problem = diagnostics.Diagnostics.First(diagnostic => diagnostic.Severity == DiagnosticSeverity.Error);
            Assert.True(
                problem.Message.Contains($"layer y ({kind})", StringComparison.Ordinal) || problem.Code == "CNN0803",
                $"{random.Graph.Name} is refused without its name: {problem}");
        }
    }
}
