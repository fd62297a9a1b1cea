using CnnCompiler.Fuzzing;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.Nests.Reproduction;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Nests.Tests;

/// <summary><c>cnnc reproduce gconv</c>: the page of figures, and what has to hold of any figure.</summary>
public class ReproductionTests
{
    [Fact]
    public void The_page_of_figures_is_what_is_computed()
    {
        var sections = Reproductions.Find("gconv")!.Sections(new Dictionary<string, ReadOnlyMemory<byte>>(StringComparer.Ordinal), new DiagnosticBag())!
            .Select(section => $"## {section.Title}\n\n```\n{section.Text().TrimEnd()}\n```\n");
        Snapshot.Check("docs/figures-gconv.md", $"# GCONV Chain: figures\n\nWritten by a test from what `cnnc reproduce gconv` computes ([targets/gconv.md](targets/gconv.md) says what is compared).\n\n{string.Join('\n', sections)}");
    }

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
