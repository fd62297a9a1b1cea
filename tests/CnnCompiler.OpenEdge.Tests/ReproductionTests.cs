using System.Text.Json.Nodes;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.OpenEdge.Mapping;
using CnnCompiler.Targets.OpenEdge.Reproduction;
using CnnCompiler.TestSupport;

namespace CnnCompiler.OpenEdge.Tests;

/// <summary><c>cnnc reproduce openedge</c>: the page of figures, of which a test can work out some points only.</summary>
public class ReproductionTests
{
    private const string Page = "docs/figures-openedge.md";

    [Fact]
    public void The_page_of_figures_has_the_lines_that_are_computed()
    {
        var report = new OpenEdgeReport();
        if (Environment.GetEnvironmentVariable("CNNC_ACCEPT") == "1")
        {
            // all of it, which takes minutes
            var sections = report.Sections().Select(section => $"## {section.Title}\n\n```\n{section.Text().TrimEnd()}\n```\n");
            Snapshot.Check(Page, $"# Convolution on OpenEdgeCGRA: figures\n\nWritten by a test from what `cnnc reproduce openedge ...` computes, if asked to accept it; it holds the comparison whenever it runs ([targets/openedge.md](targets/openedge.md) says what is compared).\n\n{string.Join('\n', sections)}");
        }

        var page = File.ReadAllText(Path.Combine(SharedMaterial.Repository, Page)).ReplaceLineEndings("\n");
        foreach (var machine in BuiltInMachines.All)
        {
            var section = page[page.IndexOf($"## The sweep on {machine.Name}: MAC", StringComparison.Ordinal)..];
            Assert.Contains(OpenEdgeReport.Line(report.Of(ConvolutionPoint.Baseline, machine)), section[..section.IndexOf("geometric mean", StringComparison.Ordinal)], StringComparison.Ordinal);
        }

        var comparison = report.Sections()[0];
        Assert.Contains($"## {comparison.Title}\n\n```\n{comparison.Text().TrimEnd()}\n```\n", page, StringComparison.Ordinal);

        // every point of the sweep has its line in every table, and whole runs agree
        Assert.Equal(51, ConvolutionPoint.Sweep.Count);
        Assert.All(ConvolutionPoint.Sweep, point => Assert.Equal(4, page.Split($"\n{FormattableString.Invariant($"{point.Size,3}{point.Inputs,5}{point.Outputs,5}")} |").Length - 1));
        Assert.DoesNotContain("WRONG", page, StringComparison.Ordinal);
    }

    [Fact]
    public void Whole_runs_of_published_mappings_take_as_long_as_one_launch_of_each_shape_says()
    {
        var comparison = new MappingComparison(new(8, 5, 18), star: false);
        foreach (var machine in BuiltInMachines.All)
        {
            foreach (var name in PublishedMappings.Names)
            {
                var (expected, counted, exact) = comparison.Check(name, machine);
                Assert.True(exact, $"{machine.Name} {name}");

                // on banks conflicts depend on addresses, which differ from launch to launch
                Assert.InRange(counted, expected * (machine.Bus.Kind == BusKind.Banked ? 0.9 : 1), expected * (machine.Bus.Kind == BusKind.Banked ? 1.1 : 1));
            }
        }
    }

    [Fact]
    public void What_is_compared_stands_in_the_json_too()
    {
        var point = new OpenEdgeReport().Of(ConvolutionPoint.Baseline, BuiltInMachines.Default);
        var json = JsonNode.Parse(OpenEdgeReport.Json([point]))!["points"]![0]!;
        Assert.Equal(point.Ratio, (double)json["timesFaster"]!, 0.001);
        Assert.Equal(PublishedMappings.Names, json["mappings"]!.AsArray().Select(m => (string)m!["mapping"]!).Where(PublishedMappings.IsPublished));
        Assert.Equal(point.Mappings.Select(m => (m.Cycles, m.Femtojoules, m.Launches)), json["mappings"]!.AsArray().Select(m => ((long)m!["cycles"]!, (long)m["femtojoules"]!, (long)m["launches"]!)));
    }
}
