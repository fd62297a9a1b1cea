using CnnCompiler.Fuzzing;
using CnnCompiler.Image.Container;
using CnnCompiler.Image.Overlay;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Selection.Explanation;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Overlay.Tests;

/// <summary>Every algorithm and dataflow against the network's own arithmetic over random shapes: strides, dilation, padding, groups, zero points; and its cycles against the interpreter's.</summary>
public class ConvolutionTests
{
    private const int Seeds = 60;

    private static readonly MachineDescription[] Machines = [OverlayLevels.Machine(5, 7), OverlayLevels.Machine(4, 3, 1024, 8192, 1024), OverlayLevels.Machine(16, 16, 65536, 262144, 4096)];

    public static TheoryData<LayerKind> Kinds() => [LayerKind.Conv2D, LayerKind.DepthwiseConv2D, LayerKind.Dense];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Every_candidate_of_a_layer_gives_its_codes_in_the_cycles_predicted(LayerKind kind)
    {
        var seen = new SortedSet<string>(StringComparer.Ordinal);
        for (var seed = 0; seed < Seeds; seed++)
        {
            Check(RandomNetworks.Layer(kind, seed), Machines[seed % Machines.Length], seed, seen);
        }

        string[] algorithms = kind == LayerKind.Dense ? ["im2col"] : ["im2col", "kn2row", "winograd-2x2", "winograd-4x4"];
        foreach (var name in algorithms.SelectMany(_ => (string[])["NS", "WS", "IS"], (algorithm, dataflow) => $"{algorithm}-{dataflow}"))
        {
            Assert.Contains(name, seen);
        }
    }

    [Fact]
    public void Networks_compute_the_same_in_the_cycles_predicted()
    {
        for (var seed = 0; seed < Seeds; seed++)
        {
            var network = RandomNetworks.Network(seed);
            var (diagnostics, inputs) = (new DiagnosticBag(), RandomNetworks.Inputs(network, seed));
            var image = OverlayLevels.Compile(network, Machines[seed % Machines.Length], diagnostics);
            Assert.True(image is not null, $"{network.Name}: {string.Join('\n', diagnostics.Diagnostics)}");
            Verify(network.Name, OverlayLevels.FirstDifference(network, image, inputs), OverlayLevels.WrongPredictions(image, inputs));
        }
    }

    private static void Check(NetworkGraph network, MachineDescription machine, int seed, SortedSet<string> seen)
    {
        var diagnostics = new DiagnosticBag();
        var free = OverlayLevels.Compile(network, machine, diagnostics);
        Assert.True(free is not null, $"{network.Name}: {string.Join('\n', diagnostics.Diagnostics)}");
        var inputs = RandomNetworks.Inputs(network, seed);
        if (free.Mapped.Selection is not { } selection)
        {
            return;
        }

        foreach (var vertex in selection.Vertices)
        {
            foreach (var candidate in vertex.Rejected.Select(rejected => rejected.Candidate).Append(vertex.Chosen))
            {
                // a form that lies in DRAM is read by the convolution whose form it is
                List<ForcedChoice> forced = [new(vertex.Vertex, candidate)];
                var image = OverlayLevels.Compile(network, machine, diagnostics, forced: forced);
                Assert.True(image is not null, $"{network.Name}, {candidate}: {string.Join('\n', diagnostics.Diagnostics)}");
                Verify($"{network.Name}, {vertex.Vertex} = {candidate}", OverlayLevels.FirstDifference(network, image, inputs), OverlayLevels.WrongPredictions(image, inputs));
                seen.Add(candidate);
                if (image.Image.Systolic!.Steps.OfType<OverlayConvolution>().Any(step => step.IsStored))
                {
                    seen.Add("stored");
                }
            }
        }
    }

    private static void Verify(string what, string? difference, IReadOnlyList<string> predictions)
    {
        Assert.True(difference is null, $"{what}: {difference}");
        Assert.True(predictions.Count == 0, $"{what}: {string.Join('\n', predictions)}");
    }
}
