using CnnCompiler.Ir.Gconv;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Passes.Selection.Published;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.Overlay.Reproduction;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Overlay.Tests;

/// <summary><c>cnnc reproduce dynamap</c>.</summary>
public class ReproductionTests
{
    public static TheoryData<string> Names => [.. DynamapNetworks.Names];

    [Theory]
    [MemberData(nameof(Names))]
    public void No_mapping_beats_the_one_that_is_chosen_from_all_and_it_has_every_dataflow(string name)
    {
        var (machine, program) = (BuiltInMachines.Overlay[0], ((GconvModule)DynamapNetworks.Compile(name, IrLevel.Gconv)).Program);
        var figures = DynamapReproduction.Mappings.Select(mapping => DynamapReproduction.Measure(program, machine, mapping.Name, mapping.Options)).ToList();
        Assert.All(figures, figure => Assert.True(figure.Cycles >= figures[0].Cycles, figure.Mapping));
        Assert.True(DynamapReproduction.Greedy(program, machine) >= figures[0].Cycles);
        Assert.Equal(["IS", "NS", "WS"], figures[0].Dataflows.Keys);
        Assert.All(figures, figure => Assert.InRange(figure.Executed, 1, figure.Cycles * machine.Rows * machine.Columns));
        Assert.Equal(figures[1].Multiplications, figures[1].Executed);
        Assert.Equal(Convolutions(program), figures.ConvertAll(figure => figure.Algorithms.Values.Sum()).Distinct());
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void No_menu_beats_all_algorithms_under_the_published_costs(string name)
    {
        var chains = PublishedChains.Of(DynamapNetworks.Definition(name));
        var costs = new PublishedDynamapCosts(new(92, 66, 286, [DynamapDataflow.NS, DynamapDataflow.WS, DynamapDataflow.IS]));
        var best = chains.Picoseconds(costs);
        Assert.All(DynamapReproduction.PublishedMenus, menu => Assert.True(chains.Picoseconds(costs, layer => [.. menu.Menu(costs, layer)]) >= best, menu.Name));
        Assert.Equal(name == "googlenet" ? 57 : 149, chains.Convolutions);
    }

    [Fact]
    public void The_page_of_figures_is_what_is_computed()
    {
        var sections = Reproductions.Find("dynamap")!.Sections(new Dictionary<string, ReadOnlyMemory<byte>>(StringComparer.Ordinal), new DiagnosticBag())!
            .Select(section => $"## {section.Title}\n\n```\n{section.Text().TrimEnd()}\n```\n");
        Snapshot.Check("docs/figures-dynamap.md", $"# DYNAMAP: figures\n\nWritten by a test from what `cnnc reproduce dynamap` computes ([targets/overlay.md](targets/overlay.md) says what the costs are).\n\n{string.Join('\n', sections)}");
    }

    // a convolution or dense layer multiplies by constant weights
    private static int[] Convolutions(GconvProgram program) => [program.Steps.OfType<GconvOperator>().Count(operation => operation is { Kernel: not null, Reduce: GconvReduction.Add })];
}
