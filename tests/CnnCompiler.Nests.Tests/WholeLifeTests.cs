using System.Text;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Targets.Nests.Reproduction;

namespace CnnCompiler.Nests.Tests;

/// <summary>The whole-life cost: its formula, its inputs, and what the compiler's lines are counted from.</summary>
public class WholeLifeTests
{
    private const string Inputs = """
        {"devices":{"value":10,"source":"t"},"years":{"value":2,"source":"t"},"inferencesPerDay":{"value":1000,"source":"t"},"kilowattHour":{"value":0.5,"source":"t"},"facility":{"value":2,"source":"t"},
         "device":{"value":100,"source":"t"},"gconvArea":{"value":0.1,"source":"t"},"vectorArea":{"value":0.2,"source":"t"},"unitsArea":{"value":0.3,"source":"t"},"newLayers":{"value":3,"source":"t"},
         "hour":{"value":50,"source":"t"},"linesPerHour":{"value":4,"source":"t"},"kernelHours":{"value":5,"source":"t"},"unitHours":{"value":100,"source":"t"}}
        """;

    [Fact]
    public void Costs_follow_the_formula()
    {
        var cost = WholeLifeCost.Parse(Encoding.UTF8.GetBytes(Inputs), out var problem)!;
        Assert.Null(problem);
        var energy = 3.6 * 1000 * 365 * 2 / 3.6e6 * 2 * 0.5;
        Assert.Equal((110, energy, 6 * (80 / 4.0) * 50 / 10), Rounded(cost.Of(null, 3.6, 80)));
        Assert.Equal((100, energy, 6 * ((80 / 4.0) + 5) * 50 / 10), Rounded(cost.Of(Baseline.HostOffload, 3.6, 80)));
        Assert.Equal((120, energy, 6 * ((80 / 4.0) + 5) * 50 / 10), Rounded(cost.Of(Baseline.VectorUnit, 3.6, 80)));
        Assert.Equal((130, energy, 6 * ((80 / 4.0) + 100) * 50 / 10), Rounded(cost.Of(Baseline.DedicatedUnits, 3.6, 80)));

        static (double, double, double) Rounded((double A, double B, double C) costs) => (Math.Round(costs.A, 9), Math.Round(costs.B, 9), Math.Round(costs.C, 9));
    }

    [Theory]
    [InlineData("[]", "no JSON object")]
    [InlineData("{", "no JSON:")]
    [InlineData("{}", "it lacks devices, years")]
    [InlineData("{\"price\":{\"value\":1,\"source\":\"t\"}}", "'price' is no input")]
    [InlineData("{\"years\":{\"value\":-1,\"source\":\"t\"}}", "'years' is no input")]
    [InlineData("{\"years\":{\"value\":1}}", "'years' is no input")]
    [InlineData("{\"years\":3}", "'years' is no input")]
    public void Inputs_that_say_nothing_are_refused(string text, string problem)
    {
        Assert.Null(WholeLifeCost.Parse(Encoding.UTF8.GetBytes(text), out var said));
        Assert.Contains(problem, said, StringComparison.Ordinal);
        var diagnostics = new DiagnosticBag();
        Assert.Null(Reproductions.Find("gconv")!.Sections(new Dictionary<string, ReadOnlyMemory<byte>>(StringComparer.Ordinal) { ["cost"] = Encoding.UTF8.GetBytes(text) }, diagnostics));
        Assert.Equal("CNN0089", Assert.Single(diagnostics.Diagnostics).Code);
    }

    [Fact]
    public void Inputs_need_each_name_once_and_no_zero_to_divide_by()
    {
        Assert.Null(WholeLifeCost.Parse(Encoding.UTF8.GetBytes(Inputs.Replace("\"devices\":{\"value\":10", "\"devices\":{\"value\":0", StringComparison.Ordinal)), out var zero));
        Assert.Contains("above 0", zero, StringComparison.Ordinal);
        Assert.Null(WholeLifeCost.Parse(Encoding.UTF8.GetBytes(Inputs.Replace("\"hour\":", "\"years\":", StringComparison.Ordinal)), out var twice));
        Assert.Contains("twice", twice, StringComparison.Ordinal);
        Assert.NotNull(WholeLifeCost.Shipped);
    }

    [Fact]
    public void Every_layer_has_lines_and_the_target_knows_none()
    {
        var lines = LayerSources.Count();
        Assert.InRange(lines.Layers.Count, 30, 100);
        Assert.All(lines.Layers, layer => Assert.True(layer is { Node: > 0, Row: > 1 }, layer.ToString()));
        Assert.Contains(lines.Layers, layer => layer is { Layer: "BatchNorm", Row: > 8, Lowering: > 30 and < 80, Evaluation: > 5 });
        Assert.Equal(0, lines.Mentions);
        Assert.InRange(lines.Target, 500, 5000);
    }
}
