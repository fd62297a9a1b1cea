using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Cli.Tests;

/// <summary>The text of each level: written with its source, read back, gone on from.</summary>
public class LevelTextTests
{
    internal const string Snapshots = "tests/snapshots";
    private const string Tiny = "network n {\n    weights seed 7\n    input x : i8[1x4x4x1] scale 0.5 zero 0\n    y = conv2d(x, filters=40, kernel=3x3,\n        padding=same) : scale 0.5 zero 0\n    output y\n}\n";

    /// <summary>Levels and targets: those that all targets share with one of them, the mapped level with each.</summary>
    public static TheoryData<string, string> Levels
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (var level in ModuleText.Levels)
            {
                foreach (var target in CompilerTargets.All.Take(level == IrLevel.Mapped ? CompilerTargets.All.Count : 1))
                {
                    data.Add(level.Name(), target.Name);
                }
            }

            return data;
        }
    }

    public static TheoryData<string, string, string> SamplesAtLevels
    {
        get
        {
            var data = new TheoryData<string, string, string>();
            foreach (var sample in SampleFiles())
            {
                foreach (var level in Levels)
                {
                    data.Add(Path.GetFileNameWithoutExtension(sample), level.Data.Item1, level.Data.Item2);
                }
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(SamplesAtLevels))]
    public void A_sample_has_the_accepted_text_with_its_source_between_the_lines(string sample, string level, string target)
    {
        var result = Cnnc.Run("compile", SampleFiles().Single(file => Path.GetFileNameWithoutExtension(file) == sample), "-t", target, "--emit", level, "--interleave").Exits(0);
        Snapshot.Check($"{Snapshots}/{SnapshotName(sample, level, target)}", result.Out);
    }

    [Fact]
    public void No_accepted_text_is_without_its_sample()
    {
        var known = SampleFiles().SelectMany(sample => Levels.Select(level => SnapshotName(Path.GetFileNameWithoutExtension(sample), level.Data.Item1, level.Data.Item2)));
        Assert.Empty(Directory.EnumerateFiles(Path.Combine(SharedMaterial.Repository, Snapshots)).Select(file => Path.GetFileName(file)!).Except(known.Concat(ZooLevelTests.SnapshotNames)));
    }

    [Theory]
    [MemberData(nameof(Levels))]
    public void Going_on_from_the_text_of_a_level_gives_the_same_image(string level, string target)
    {
        using var scratch = new Scratch();
        Cnnc.Run("compile", Cnnc.Lenet5, "-t", target, "-o", scratch["direct.cnnb"]).Exits(0);
        Cnnc.Run("compile", Cnnc.Lenet5, "-t", target, "--emit", level, "--interleave", "-o", scratch["net.txt"]).Exits(0);
        Cnnc.Run("compile", scratch["net.txt"], "--from", level, "-t", target, "-o", scratch["resumed.cnnb"]).Exits(0);
        Assert.Equal(File.ReadAllBytes(scratch["direct.cnnb"]), File.ReadAllBytes(scratch["resumed.cnnb"]));
        File.Move(scratch["net.txt"], scratch["net.cnnir"]);
        File.Move(scratch["net.txt.npz"], scratch["net.cnnir.npz"]);
        Cnnc.Run("compile", scratch["net.cnnir"], "-t", target, "-o", scratch["named.cnnb"]).Exits(0);
        Assert.Equal(File.ReadAllBytes(scratch["direct.cnnb"]), File.ReadAllBytes(scratch["named.cnnb"]));
    }

    [Theory]
    [MemberData(nameof(Levels))]
    public void The_text_of_a_level_is_compared_and_run_from_there(string level, string target)
    {
        using var scratch = new Scratch();
        Cnnc.Run("compile", Cnnc.Lenet5, "-t", target, "--emit", level, "-o", scratch["net.cnnir"]).Exits(0);
        Assert.EndsWith("all levels are equal\n", Cnnc.Run("compare", scratch["net.cnnir"], "-t", target, "--input", Cnnc.Digit(7)).Exits(0).Out, StringComparison.Ordinal);
        Assert.Equal(
            Cnnc.Run("run", Cnnc.Lenet5, "-t", target, "--input", Cnnc.Digit(7)).Exits(0).LastLine,
            Cnnc.Run("run", scratch["net.cnnir"], "-t", target, "--input", Cnnc.Digit(7)).Exits(0).LastLine);
    }

    [Fact]
    public void A_statement_of_several_lines_is_interleaved_whole()
    {
        using var scratch = new Scratch();
        var text = Cnnc.Run("compile", scratch.Write("n.cnn", Tiny), "-t", "openedge", "--emit", "network", "--interleave").Exits(0).Out;
        Assert.Contains("  // 4: y = conv2d(x, filters=40, kernel=3x3,\n  // 5: padding=same) : scale 0.5 zero 0\n  %y = conv2d", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Text_of_another_level_than_was_said_is_refused_by_name()
    {
        using var scratch = new Scratch();
        Cnnc.Run("compile", Cnnc.Lenet5, "-t", "openedge", "--emit", "gconv", "-o", scratch["net.cnnir"]).Exits(0);
        Assert.Contains("error CNN0092: this is the text of the gconv level, not of the mapped level", Cnnc.Run("compile", scratch["net.cnnir"], "--from", "mapped", "-t", "openedge").Exits(1).Error, StringComparison.Ordinal);
        Assert.Contains("error CNN0092: this is not the text of a program", Cnnc.Run("compile", Cnnc.Lenet5, "--from", "gconv", "-t", "openedge").Exits(1).Error, StringComparison.Ordinal);
        Assert.Contains("error CNN0093", Cnnc.Run("compile", scratch["net.cnnir"], "--emit", "network", "-t", "openedge").Exits(1).Error, StringComparison.Ordinal);
        Assert.Contains("error CNN0093", Cnnc.Run("compare", scratch["net.cnnir"], "--levels", "network,image", "--input", Cnnc.Digit(7)).Exits(1).Error, StringComparison.Ordinal);
        Cnnc.Run("compile", scratch["net.cnnir"], "--from", "image", "-t", "openedge").Exits(2);
        Assert.DoesNotContain(scratch.Names, name => name.EndsWith(".cnnb", StringComparison.Ordinal));
    }

    [Fact]
    public void Constants_that_are_gone_and_programs_that_are_unsound_are_diagnosed()
    {
        using var scratch = new Scratch();
        Cnnc.Run("compile", Cnnc.Lenet5, "-t", "openedge", "--emit", "mapped", "-o", scratch["net.cnnir"]).Exits(0);
        var text = File.ReadAllText(scratch["net.cnnir"]);
        var constants = File.ReadAllBytes(scratch["net.cnnir.npz"]);
        File.Delete(scratch["net.cnnir.npz"]);
        Assert.Contains("net.cnnir(", Cnnc.Run("compile", scratch["net.cnnir"], "-t", "openedge").Exits(1).Error, StringComparison.Ordinal);

        // Input buffer one row short: the verifier finds the access outside it.
        scratch.Write("short.cnnir", text.Replace("buffer %image.bytes input [1, 28, 28, 1] lanes 4 pitch [784, 28, 1, 1] words 196", "buffer %image.bytes input [1, 27, 28, 1] lanes 4 pitch [756, 28, 1, 1] words 189", StringComparison.Ordinal));
        scratch.Write("short.cnnir.npz", constants);
        Assert.Contains("error CNN09", Cnnc.Run("compile", scratch["short.cnnir"], "-t", "openedge").Exits(1).Error, StringComparison.Ordinal);
        Assert.DoesNotContain(scratch.Names, name => name.EndsWith(".cnnb", StringComparison.Ordinal));
    }

    [Fact]
    public void Interleaving_needs_lines_to_interleave()
    {
        Cnnc.Run("compile", Cnnc.Lenet5, "-t", "openedge", "--interleave", "-o", "never-written.cnnb").Exits(2);
        Assert.False(File.Exists("never-written.cnnb"));
    }

    private static string SnapshotName(string sample, string level, string target) =>
        level == IrLevel.Mapped.Name() && target != CompilerTargets.All[0].Name ? $"{sample}.{target}-{level}.verified.txt" : $"{sample}.{level}.verified.txt";

    private static IEnumerable<string> SampleFiles() =>
        Directory.EnumerateFiles(Path.Combine(SharedMaterial.Repository, "samples"), "*.cnn", SearchOption.TopDirectoryOnly).Order(StringComparer.Ordinal);
}
