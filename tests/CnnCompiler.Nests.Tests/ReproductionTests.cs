using CnnCompiler.Fuzzing;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.Nests;
using CnnCompiler.Targets.Nests.Reproduction;
using CnnCompiler.Targets.Systolic.Reproduction;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Nests.Tests;

/// <summary><c>cnnc reproduce gconv</c>: the page of figures, and what has to hold of any figure.</summary>
public class ReproductionTests
{
    [Fact]
    public void The_page_of_figures_is_what_is_computed() => Snapshot.Check("docs/figures-gconv.md", Page(
        "# GCONV Chain: figures\n\nWritten by a test from what reproduction `gconv` of `cnnc reproduce NAME` computes ([targets/gconv.md](targets/gconv.md) says what is compared); [figures-gconv-training.md](figures-gconv-training.md) has a step of training.",
        Sections("gconv")));

    [Fact]
    public void The_page_of_training_has_every_section_and_is_what_is_computed_where_all_is()
    {
        const string path = "docs/figures-gconv-training.md";
        var sections = Sections("gconv-training");
        if (SharedMaterial.EveryInput)
        {
            Snapshot.Check(path, Page(
                "# GCONV Chain: figures of training\n\nWritten by a test (with `.ci/run --all`) from what reproduction `gconv-training` of `cnnc reproduce NAME` computes ([targets/gconv.md](targets/gconv.md) says what is compared). Batches of 8 images, of 2 clips for C3D, of 1 image for Faster R-CNN.",
                sections));
        }

        var page = File.ReadAllText(Path.Combine(SharedMaterial.Repository, path));
        Assert.Equal(sections.Select(section => $"## {section.Title}"), page.Split('\n').Where(line => line.StartsWith("## ", StringComparison.Ordinal)));
    }

    [Fact]
    public void A_step_of_training_is_compared_like_inference()
    {
        var chain = TrainingStepTests.Chain();
        var network = GconvNetwork.Of("small", chain, otherwise: ("other", chain));
        var machine = new GconvComparison(NestLevels.Machine("nlr"));
        var (run, host) = (machine.Chain(network.Chain, new()), machine.Without(network.Layers, Baseline.HostOffload, new()));
        Assert.True(run.Seconds < host.Seconds);
        Assert.InRange(host.OtherSeconds, 0.1 * host.Seconds, host.Seconds);
        Assert.True(network.Chain.Steps.Count < network.Layers.Steps.Count);
        Assert.Contains(network.Layers.Steps, step => step is { Kind: ComparedKind.Convolution, ConstantBytes: 0 }); // gradients of weights run on the accelerator
        Assert.Contains(network.Layers.Steps, step => step.Kind == ComparedKind.PoolOrNorm);
        Assert.Equal(["write-in-place", "fuse-elementwise", "merge-siblings", "keep-on-chip", "exchange-loops", "other"], network.Without.Select(variant => variant.Pass));
        Assert.Equal(run, machine.Chain(network.Without[^1].Chain, new()));
        Assert.All(network.Without, variant => Assert.True(machine.Chain(variant.Chain, new()).Seconds >= run.Seconds));
        Assert.True(machine.Chain(network.Chain with { Keeps = false, Exchanges = false }, new()).Seconds > run.Seconds);
        Assert.True(machine.Without(network.Layers with { Keeps = false, Exchanges = false }, Baseline.VectorUnit, new()).Seconds > machine.Without(network.Layers, Baseline.VectorUnit, new()).Seconds);
        var roof = machine.Roof(network.Chain);
        Assert.True(roof.Both <= roof.Reached && roof.Both >= Math.Max(roof.Array, roof.Dram));
        Assert.True(host.FastestTimes > 1 && host.LeastTimes > 1);
    }

    [Fact]
    public void A_mapping_is_never_worse_than_one_without_additions()
    {
        var machine = NestLevels.Machine("tpu");
        var plain = GconvComparison.WithoutAdditions(machine);
        foreach (var (_, operation) in NestMapper.Descriptors(TrainingStepTests.Chain()))
        {
            var (all, less) = (NestMapper.Best(operation, machine)!, NestMapper.Best(operation, plain)!);
            (long, Int128) Cost(NestPlan plan) => NestModel.Count(plan.Encode(operation, machine), machine) is var counts ? (counts.Cycles(machine), new NestEnergy(operation, machine).Of(counts)) : default;
            Assert.True(Cost(all).CompareTo(Cost(less)) <= 0);
        }
    }

    private static IReadOnlyList<ReproductionSection> Sections(string name) => Reproductions.Find(name)!.Sections(new Dictionary<string, ReadOnlyMemory<byte>>(StringComparer.Ordinal), new DiagnosticBag())!;

    private static string Page(string head, IReadOnlyList<ReproductionSection> sections) => $"{head}\n\n{string.Join('\n', sections.Select(section => $"## {section.Title}\n\n```\n{section.Text().TrimEnd()}\n```\n"))}";

    [Fact]
    public void A_chain_of_convolutions_alone_costs_a_machine_without_additions_no_transfer()
    {
        var eyeriss = new GconvComparison(NestLevels.Machine("eyeriss"));
        for (var seed = 0; seed < 10; seed++)
        {
            var mapped = NestTests.Map(RandomNetworks.Layer(LayerKind.Conv2D, seed), eyeriss.Machine);
            Assert.Contains(mapped.Program.Steps, step => step is GconvOperator { Kernel: not null });
            var network = ComparedNetwork.Of("convolution", mapped.Program);
            var (chain, host) = (eyeriss.Chain(network, new()), eyeriss.Without(network, Baseline.HostOffload, new()));
            Assert.Equal(chain.Seconds, host.Seconds);
            Assert.Equal(0, host.OtherSeconds);
        }
    }

    [Fact]
    public void A_slower_link_makes_only_what_uses_it_slower()
    {
        var machine = new GconvComparison(NestLevels.Machine("nlr"));
        var network = ComparedNetwork.Of("pool", NestTests.Map(RandomNetworks.Layer(LayerKind.MaxPool2D, 1), machine.Machine).Program);
        var slow = new BaselineParameters(LinkBytesPerSecond: 1e6);
        Assert.True(machine.Without(network, Baseline.HostOffload, slow).Seconds > machine.Without(network, Baseline.HostOffload, new()).Seconds);
        Assert.Equal(machine.Chain(network, new()), machine.Chain(network, slow));
        Assert.Equal(machine.Without(network, Baseline.VectorUnit, new()), machine.Without(network, Baseline.VectorUnit, slow));
    }

    [Fact]
    public void What_GCONV_adds_is_taken_from_machines_that_lack_it()
    {
        Assert.Equal(0, GconvComparison.WithoutAdditions(NestLevels.Machine("tpu")).Systolic![SystolicKeys.Unrolls(rows: false, 2)]);
        Assert.Equal(NestLevels.Machine("eyeriss"), GconvComparison.WithoutAdditions(NestLevels.Machine("eyeriss")));
    }
}
