using CnnCompiler.Core.Tensors;
using CnnCompiler.Fuzzing;
using CnnCompiler.Image.Overlay;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Selection.Explanation;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.Systolic;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Overlay.Tests;

/// <summary>GoogLeNet and Inception-v4 at reduced resolution: bit-exact at every value, in the cycles predicted, with every algorithm and dataflow.</summary>
public class ZooTests
{
    private const string Stored = "stored form";
    private const string Form = "form of ";

    // The sizes are the smallest, or nearly so, for which every layer has an output.
    private static readonly Dictionary<string, int> Sizes = new(StringComparer.Ordinal) { ["googlenet"] = 64, ["inception_v4"] = 75 };

    public static TheoryData<string> Names => [.. DynamapNetworks.Names];

    [Theory]
    [MemberData(nameof(Names))]
    public void A_network_gives_the_bits_of_its_definition_in_the_cycles_predicted_with_every_algorithm_and_dataflow(string name)
    {
        var network = Networks.Zoo(name, Sizes[name]);
        var free = Compile(network, []);
        var byChoice = Occurring(free);
        TestContext.Current.TestOutputHelper?.WriteLine($"by choice: {string.Join(", ", byChoice)}");
        Check(network, free);

        // what no layer chose is forced on a layer that has it, all at once
        var offered = free.Mapped.Selection!.Vertices.Select(vertex => (vertex.Vertex, Ways: vertex.Rejected.Select(rejected => rejected.Candidate).Append(vertex.Chosen).ToList())).ToList();
        List<ForcedChoice> forced = [];
        var forms = offered.Where(vertex => vertex.Vertex.StartsWith(Form, StringComparison.Ordinal)).ToList();
        offered.RemoveAll(forms.Contains);
        var tensor = forms.First(vertex => vertex.Ways.Count > 1);
        var layout = tensor.Ways.First(way => way.Contains(' ', StringComparison.Ordinal));
        var reader = network.Layers.First(layer => layer.Inputs.Contains(tensor.Vertex[Form.Length..], StringComparer.Ordinal) && offered.Exists(vertex => vertex.Vertex == layer.Name));
        forced.Add(new(tensor.Vertex, layout));
        forced.Add(new(reader.Name, offered.Find(vertex => vertex.Vertex == reader.Name).Ways.First(way => way.StartsWith($"{layout.Split(' ')[0]}-", StringComparison.Ordinal))));
        foreach (var way in offered.SelectMany(vertex => vertex.Ways).Where(way => way.Contains('-', StringComparison.Ordinal) && !byChoice.Contains(way)).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal))
        {
            var vertex = offered.FirstOrDefault(vertex => vertex.Ways.Contains(way, StringComparer.Ordinal) && !forced.Exists(choice => choice.Vertex == vertex.Vertex)).Vertex;
            if (vertex is not null)
            {
                forced.Add(new(vertex, way));
            }
        }

        var all = Compile(network, forced);
        Check(network, all);
        var seen = Occurring(all).Union(byChoice, StringComparer.Ordinal).ToList();
        foreach (var part in (IEnumerable<string>)[Stored, "im2col-", "kn2row-", "winograd-2x2-", "winograd-4x4-", .. name == "inception_v4" ? (string[])["winograd-1x4-", "winograd-4x1-"] : [], "-NS", "-WS", "-IS"])
        {
            Assert.Contains(seen, way => way.Contains(part, StringComparison.Ordinal));
        }

        // by choice: the optimum needs more than one algorithm and more than one dataflow
        Assert.True(byChoice.Select(way => way.Split('-')[0]).Distinct(StringComparer.Ordinal).Count() > 1 && byChoice.Select(way => way.Split('-')[^1]).Distinct(StringComparer.Ordinal).Count() > 1);
    }

    private static SystolicImageModule Compile(NetworkGraph network, IReadOnlyList<ForcedChoice> forced)
    {
        var diagnostics = new DiagnosticBag();
        var image = OverlayLevels.Compile(network, BuiltInMachines.Overlay[0], diagnostics, forced: forced);
        Assert.True(image is not null, string.Join('\n', diagnostics.Diagnostics));
        return image;
    }

    private static SortedSet<string> Occurring(SystolicImageModule image)
    {
        var seen = new SortedSet<string>(image.Mapped.Predictions.Select(plan => $"{plan.Algorithm}-{plan.Dataflow}"), StringComparer.Ordinal);
        if (image.Image.Systolic!.Steps.OfType<OverlayConvolution>().Any(step => step.IsStored))
        {
            seen.Add(Stored);
        }

        return seen;
    }

    private static void Check(NetworkGraph network, SystolicImageModule image)
    {
        var random = new SeededRandom(1);
        var codes = new sbyte[network.Inputs[0].Type.Shape.Elements];
        for (var i = 0; i < codes.Length; i++)
        {
            codes[i] = random.NextCode();
        }

        Tensor[] inputs = [Tensor.From<sbyte>(ElementType.Int8, network.Inputs[0].Type.Shape, codes)];
        Assert.Null(OverlayLevels.FirstDifference(network, image, inputs));
        Assert.Empty(OverlayLevels.WrongPredictions(image, inputs));
    }
}
