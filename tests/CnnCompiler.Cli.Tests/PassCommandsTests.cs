using CnnCompiler.Passes.Infrastructure;

namespace CnnCompiler.Cli.Tests;

/// <summary>Passes as a user sees them: listed, run alone, dumped.</summary>
public class PassCommandsTests
{
    private static readonly string[] OpenEdgePasses = ["lower-to-gconv", "map-to-openedge", "emit-image"];

    [Fact]
    public void Passes_are_listed_from_their_own_declarations()
    {
        var lines = Cnnc.Run("passes").Exits(0).Out.Split('\n');
        Assert.NotEmpty(CompilerPasses.All);
        Assert.All(CompilerPasses.All, pass => Assert.Single(lines, line =>
            line.Contains($"| {pass.Description.Name} ", StringComparison.Ordinal)
            && line.Contains(pass.Description.Summary, StringComparison.Ordinal)
            && line.Contains($"| {pass.Description.From.Name()} ", StringComparison.Ordinal)));
        Assert.All(OpenEdgePasses, name => Assert.Contains(CompilerPasses.All, pass => pass.Description.Name == name));
    }

    public static TheoryData<string> Targets => [.. CompilerTargets.All.Select(target => target.Name)];

    [Theory]
    [MemberData(nameof(Targets))]
    public void Passes_run_one_by_one_give_what_compilation_gives(string target)
    {
        using var scratch = new Scratch();
        var known = CompilerTargets.Find(target)!;
        var (file, mapped) = (Cnnc.Lenet5, Cnnc.Run("compile", Cnnc.Lenet5, "-t", target, "--emit", "mapped").Exits(0).Out);
        foreach (var pass in known.Pipeline(known.DefaultMachine, []).Passes.Select(pass => pass.Description).Where(pass => ModuleText.Levels.Contains(pass.To)))
        {
            Cnnc.Run("opt", file, "-t", target, "--passes", pass.Name, "-o", scratch[$"{pass.Name}.cnnir"]).Exits(0);
            file = scratch[$"{pass.Name}.cnnir"];
        }

        Assert.NotEqual(Cnnc.Lenet5, file);
        Assert.Equal(mapped, File.ReadAllText(file));
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void A_chain_that_does_not_say_where_its_steps_come_from_has_a_layer_for_each(string target)
    {
        using var scratch = new Scratch();
        Cnnc.Run("compile", Cnnc.Lenet5, "-t", target, "--emit", "gconv", "-o", scratch["l.cnnir"]).Exits(0);
        File.WriteAllLines(scratch["l.cnnir"], File.ReadAllLines(scratch["l.cnnir"]).Where(line => !line.StartsWith("  origin ", StringComparison.Ordinal)));
        Cnnc.Run("compile", scratch["l.cnnir"], "-t", target, "-o", scratch["l.cnnb"]).Exits(0);
        Cnnc.Run("run", Cnnc.Lenet5, "-t", target, "--input", Cnnc.Digit(7), "-o", scratch["a.npy"]).Exits(0);
        Cnnc.Run("run", scratch["l.cnnb"], "--input", Cnnc.Digit(7), "-o", scratch["b.npy"]).Exits(0);
        Assert.Equal(File.ReadAllBytes(scratch["a.npy"]), File.ReadAllBytes(scratch["b.npy"]));
    }

    [Theory]
    [InlineData("openedge", "contract-w")]
    [InlineData("gconv", "kn2row")]
    [InlineData("arrayflex", "kn2row")]
    [InlineData("overlay", "kn2row-NS")]
    public void A_layer_is_forced_by_its_name_also_where_channels_of_it_are_left_out(string target, string candidate)
    {
        using var scratch = new Scratch();
        File.WriteAllText(scratch["n.cnnir"], """
            network "n" {
              input %x : i8[1x4x4x2] scale 0.05 zero -128
              %a = conv2d %x weights=i8[3x3x3x2]{1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6} scale=0.01 bias=i32[3]{7, 8, 9} stride=1x1 pad=1,1,1,1 act=relu round=tflite-double : i8[1x4x4x3] scale 0.05 zero -128
              %b = conv2d %a weights=i8[2x1x1x3]{1, 0, 2, 3, 0, 4} scale=0.01 bias=i32[2]{1, 2} stride=1x1 pad=0,0,0,0 act=relu round=tflite-double : i8[1x4x4x2] scale 0.05 zero -128
              output %b
            }
            """);
        var choices = Cnnc.Run("compile", scratch["n.cnnir"], "-t", target, "--force", $"a={candidate}", "--emit", "choices").Exits(0).Out;
        Assert.Contains("a.live", choices, StringComparison.Ordinal);
        Assert.Contains($"! {candidate} ", choices, StringComparison.Ordinal);
        Cnnc.Run("compile", scratch["n.cnnir"], "-t", target, "--force", "a=nothing", "-o", scratch["n.cnnb"]).Exits(1);
    }

    [Fact]
    public void Several_passes_run_one_behind_the_other() => Assert.Equal(
        Cnnc.Run("compile", Cnnc.Lenet5, "-t", "openedge", "--emit", "mapped").Exits(0).Out,
        Cnnc.Run("opt", Cnnc.Lenet5, "--passes", "lower-to-gconv,map-to-openedge").Exits(0).Out);

    [Fact]
    public void A_pass_out_of_place_or_of_no_name_is_refused()
    {
        Assert.Contains("error CNN0095: pass map-to-openedge reads a program of the gconv level", Cnnc.Run("opt", Cnnc.Lenet5, "--passes", "map-to-openedge").Exits(1).Error, StringComparison.Ordinal);
        Assert.Contains("did you mean 'lower-to-gconv'", Cnnc.Run("opt", Cnnc.Lenet5, "--passes", "lower-to-gkonv").Exits(2).Error, StringComparison.Ordinal);
        var request = new CompileRequest("lenet5.cnn", File.ReadAllBytes(Cnnc.Lenet5), "openedge")
        {
            Companion = _ => File.ReadAllBytes(Path.ChangeExtension(Cnnc.Lenet5, ".npz")),
            Passes = ["no-pass"],
        };
        Assert.Equal("CNN0094", Assert.Single(Compiler.Compile(request).Diagnostics).Code);
    }

    [Fact]
    public void A_dump_has_a_numbered_file_for_each_pass_and_what_it_changed_and_compilation_goes_on_from_any()
    {
        using var scratch = new Scratch();
        Cnnc.Run("compile", Cnnc.Lenet5, "-t", "openedge", "--dump-dir", scratch["dump"], "-o", scratch["direct.cnnb"]).Exits(0);
        var names = Directory.EnumerateFiles(scratch["dump"]).Select(path => Path.GetFileName(path)!).Where(name => !name.EndsWith(".npz", StringComparison.Ordinal)).Order(StringComparer.Ordinal);
        Assert.Equal(
            ["00-network.cnnir", "01-lower-to-gconv.cnnir", "01-lower-to-gconv.diff", "02-convolution-algorithms.cnnir", "02-convolution-algorithms.diff", "03-remove-dead-channels.cnnir", "03-remove-dead-channels.diff", "04-map-to-openedge.cnnir", "04-map-to-openedge.diff", "05-emit-image.diff", "05-emit-image.txt"], names);
        Assert.Contains("- network \"lenet5\" {\n+ gconv \"lenet5\" {\n", File.ReadAllText(Path.Combine(scratch["dump"], "01-lower-to-gconv.diff")), StringComparison.Ordinal);
        foreach (var file in Directory.EnumerateFiles(scratch["dump"], "*.cnnir"))
        {
            Cnnc.Run("compile", file, "-t", "openedge", "-o", scratch["resumed.cnnb"]).Exits(0);
            Assert.Equal(File.ReadAllBytes(scratch["direct.cnnb"]), File.ReadAllBytes(scratch["resumed.cnnb"]));
        }

        Cnnc.Run("compile", Cnnc.Lenet5, "-t", "openedge", "--dump-dir", scratch["direct.cnnb"], "-o", scratch["other.cnnb"]).Exits(1);
        Assert.False(File.Exists(scratch["other.cnnb"]));
    }

    [Fact]
    public void The_program_after_every_pass_is_printed_on_request()
    {
        using var scratch = new Scratch();
        var error = Cnnc.Run("compile", Cnnc.Lenet5, "-t", "openedge", "--print-after-all", "-o", scratch["x.cnnb"]).Exits(0).Error;
        Assert.All(OpenEdgePasses, name => Assert.Contains($"// after {name}\n", error, StringComparison.Ordinal));
        Cnnc.Run("run", scratch["x.cnnb"], "--input", Cnnc.Digit(1), "--dump-dir", scratch["no"]).Exits(2);
        Assert.False(Directory.Exists(scratch["no"]));
    }
}
