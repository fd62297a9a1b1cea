using CnnCompiler.Fuzzing;
using CnnCompiler.Image.Overlay;
using CnnCompiler.Interpreter.Execution;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Selection.Explanation;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Targets.Systolic;

namespace CnnCompiler.Overlay.Tests;

/// <summary>Steps of the overlay that take longer than allowed end with a diagnostic.</summary>
public class LimitTests
{
    [Fact]
    public void A_convolution_ends_where_it_exceeds_the_cycles_allowed()
    {
        var (network, image, at) = Find(step => step is OverlayConvolution, null, isLongest: true);
        var cost = CostOf(network, image, at);
        Assert.True(Run(network, image, cost).Succeeded);
        Assert.Contains(Run(network, image, cost - 1).Diagnostics, diagnostic => diagnostic.Code == "CNN0724" && diagnostic.Message.Contains("cycles", StringComparison.Ordinal));
        Assert.False(Run(network, image, 1).Succeeded);
    }

    [Fact]
    public void Making_a_form_ends_where_it_exceeds_the_cycles_allowed()
    {
        var (network, image, at) = Find(step => step is OverlayTransform, "form of ", isLongest: false);
        Assert.Equal("CNN0724", Assert.Single(Run(network, image, 0).Diagnostics).Code);
        Assert.True(CostOf(network, image, at) > 0);
    }

    private static (NetworkGraph Network, SystolicImageModule Image, int Step) Find(Func<object, bool> isWanted, string? forced, bool isLongest)
    {
        const int seeds = 200;
        for (var seed = 0; seed < seeds; seed++)
        {
            var network = RandomNetworks.Layer(LayerKind.Conv2D, seed);
            var free = OverlayLevels.Compile(network, OverlayLevels.Machine(5, 7), new DiagnosticBag());
            var vertex = free?.Mapped.Selection?.Vertices.FirstOrDefault(vertex => forced is not null && vertex.Vertex.StartsWith(forced, StringComparison.Ordinal) && vertex.Rejected.Count > 0);
            var image = vertex is null ? free : OverlayLevels.Compile(network, OverlayLevels.Machine(5, 7), new DiagnosticBag(), forced: [new ForcedChoice(vertex.Vertex, vertex.Rejected[0].Candidate)]);
            var at = image is null ? -1 : image.Image.Systolic!.Steps.ToList().FindIndex(step => isWanted(step));
            if (at >= 0 && (!isLongest || CostOf(network, image!, at) == Enumerable.Range(0, image!.Image.Systolic!.Steps.Count).Max(step => CostOf(network, image, step))))
            {
                return (network, image!, at);
            }
        }

        throw new InvalidOperationException("no network has such a step");
    }

    private static long CostOf(NetworkGraph network, SystolicImageModule image, int step)
    {
        var cycles = 0L;
        var options = new RunOptions { AfterSystolicStepCost = (index, cost) => cycles = index == step ? cost.Cycles : cycles };
        Assert.True(Run(network, image, options).Succeeded);
        return cycles;
    }

    private static RunResult Run(NetworkGraph network, SystolicImageModule image, long most) => Run(network, image, new RunOptions { MaxCycles = most });

    private static RunResult Run(NetworkGraph network, SystolicImageModule image, RunOptions options) =>
        ImageInterpreter.Run(image.Image, [.. RandomNetworks.Inputs(network, 1).Select(t => (ReadOnlyMemory<byte>)t.Bytes.ToArray())], options);
}
