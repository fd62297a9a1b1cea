using System.Text.Json.Nodes;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Cli.Tests;

/// <summary>Energy on OpenEdgeCGRA and <c>--optimize</c> on the command line.</summary>
public class EnergyCommandTests
{
    private const string Network = "network n {\n    weights seed 1\n    input x : i8[1x6x6x4] scale 0.5 zero 3\n    y = conv2d(x, filters=8, kernel=3x3, padding=same) : scale 0.5 zero 0\n    output y\n}\n";

    [Fact]
    public void A_run_and_a_report_tell_the_same_energy_and_where_it_goes()
    {
        using var scratch = new Scratch();
        var source = scratch.Write("n.cnn", Network);
        var input = Input(scratch);
        var run = JsonNode.Parse(Cnnc.Run("run", source, "-t", "openedge", "--input", input, "--json").Exits(0).Out)!;
        var total = run["energyFemtojoules"]!;
        Assert.Equal(((string[])["operations", "waiting", "ram", "loading", "host"]).Sum(part => (long)total[part]!), (long)total["total"]!);
        Assert.Equal(EnergyKeys.Accuracy, (string)run["energyAccuracy"]!);
        Assert.True(((string[])["SMUL", "FXPMUL"]).Sum(opcode => (long?)run["activity"]!["operations"]![opcode] ?? 0) > 0);

        var report = JsonNode.Parse(Cnnc.Run("report", source, "-t", "openedge", "--json").Exits(0).Out)!;
        Assert.Equal((long)total["total"]! / 1e9, (double)report["total"]!["energyMicrojoules"]!, 6);
        Assert.Equal(EnergyKeys.Accuracy, (string)report["energyAccuracy"]!);
        foreach (var (layer, counted) in report["layers"]!.AsArray().Zip(run["layers"]!.AsArray()))
        {
            Assert.Equal((long)counted!["energyFemtojoules"]!["total"]! / 1e9, (double)layer!["energyMicrojoules"]!, 6);
            Assert.InRange((double)layer["predictedMicrojoules"]! / (double)layer["energyMicrojoules"]!, 0.8, 1.25);
        }

        var table = Cnnc.Run("report", source, "-t", "openedge").Exits(0).Out;
        Assert.Contains("uJ", table, StringComparison.Ordinal);
        Assert.Contains($"energy: {EnergyKeys.Accuracy}", table, StringComparison.Ordinal);
        Assert.Contains("uJ = ", Cnnc.Run("run", source, "-t", "openedge", "--input", input).Exits(0).Out, StringComparison.Ordinal);
    }

    [Fact]
    public void A_machines_own_energies_take_the_place_of_the_published_ones_in_its_images_too()
    {
        using var scratch = new Scratch();
        var source = scratch.Write("n.cnn", Network);
        var shipped = File.ReadAllText(Path.Combine(TestSupport.SharedMaterial.Repository, "runtime", "CnnCompiler.Primitives", "Machines", "openedge.machine.json"));
        var machine = scratch.Write("m.json", shipped.Replace("\"flash\":", "\"energy\": { \"ramRead\": { \"value\": 0, \"source\": \"test\" }, \"ramWrite\": { \"value\": 0, \"source\": \"test\" } },\n  \"flash\":", StringComparison.Ordinal));
        var image = Path.Combine(scratch.Folder, "n.cnnb");
        Cnnc.Run("compile", source, "-t", "openedge", "--machine", machine, "-o", image).Exits(0);
        var run = JsonNode.Parse(Cnnc.Run("run", image, "--input", Input(scratch), "--json").Exits(0).Out)!;
        Assert.Equal(0, (long)run["energyFemtojoules"]!["ram"]!);
        Assert.True((long)run["energyFemtojoules"]!["host"]! > 0);
    }

    [Fact]
    public void The_goal_of_the_choice_is_its_unit_and_what_can_not_be_a_goal_is_said()
    {
        using var scratch = new Scratch();
        var source = scratch.Write("n.cnn", Network);
        var energy = JsonNode.Parse(Cnnc.Run("report", source, "-t", "openedge", "--optimize", "energy", "--json").Exits(0).Out)!;
        var cycles = JsonNode.Parse(Cnnc.Run("report", source, "-t", "openedge", "--optimize", "cycles", "--json").Exits(0).Out)!;
        var product = JsonNode.Parse(Cnnc.Run("report", source, "-t", "openedge", "--optimize", "edp", "--json").Exits(0).Out)!;
        Assert.Equal("fJ", (string)energy["predictedUnit"]!);
        Assert.Equal("cycles", (string)cycles["predictedUnit"]!);
        Assert.StartsWith("cycles", (string)product["predictedUnit"]!, StringComparison.Ordinal);
        Assert.All(energy["layers"]!.AsArray(), layer => Assert.Equal((double)layer!["predictedMicrojoules"]!, (long)layer["predicted"]! / 1e9, 6));
        Assert.Contains("'energy'", Cnnc.Run("compile", source, "-t", "openedge", "--optimize", "enrgy").Exits(2).Error, StringComparison.Ordinal);
        Assert.Contains("--optimize", Cnnc.Run("compile", source, "-t", "arrayflex", "--optimize", "energy").Exits(2).Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_reproduction_without_figures_in_json_says_so() =>
        Assert.Contains("has no --json", Cnnc.Run("reproduce", "arrayflex", "--json").Exits(2).Error, StringComparison.Ordinal);

    private static string Input(Scratch scratch)
    {
        File.WriteAllBytes(scratch["x.bin"], new byte[6 * 6 * 4]);
        return scratch["x.bin"];
    }
}
