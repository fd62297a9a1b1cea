namespace CnnCompiler.Cli.Tests;

/// <summary><c>cnnc fmt</c> and <c>cnnc check</c>.</summary>
public class SourceCommandsTests
{
    [Fact]
    public void Fmt_rewrites_a_file_once_and_check_says_whether_it_would()
    {
        using var scratch = new Scratch();
        var text = File.ReadAllText(Cnnc.Lenet5);
        File.WriteAllText(scratch["net.cnn"], text.Replace(" = ", "   =  ", StringComparison.Ordinal));
        Cnnc.Run("fmt", "--check", scratch["net.cnn"]).Exits(1);
        Assert.Contains("rewritten", Cnnc.Run("fmt", scratch["net.cnn"]).Exits(0).Out, StringComparison.Ordinal);
        Cnnc.Run("fmt", "--check", scratch["net.cnn"]).Exits(0);
        Assert.Empty(Cnnc.Run("fmt", scratch["net.cnn"]).Exits(0).Out);
    }

    [Fact]
    public void The_samples_are_in_canonical_form() => Cnnc.Run("fmt", "--check", Cnnc.Lenet5).Exits(0);

    [Fact]
    public void Fmt_leaves_a_file_with_mistakes_as_it_is()
    {
        using var scratch = new Scratch();
        const string Wrong = "network n {\n  input x i8\n}\n";
        File.WriteAllText(scratch["net.cnn"], Wrong);
        Assert.Contains("error CNN02", Cnnc.Run("fmt", scratch["net.cnn"]).Exits(1).Error, StringComparison.Ordinal);
        Assert.Equal(Wrong, File.ReadAllText(scratch["net.cnn"]));
    }

    [Fact]
    public void Fmt_leaves_bytes_that_are_no_text_as_they_are()
    {
        using var scratch = new Scratch();
        byte[] latin = [.. "// caf"u8, 0xE9, .. "\nnetwork n { }\n"u8];
        File.WriteAllBytes(scratch["net.cnn"], latin);
        Assert.Contains("CNN0019", Cnnc.Run("fmt", scratch["net.cnn"]).Exits(1).Error, StringComparison.Ordinal);
        Assert.Equal(latin, File.ReadAllBytes(scratch["net.cnn"]));
    }

    [Fact]
    public void What_only_follows_from_a_mistake_is_not_told()
    {
        using var scratch = new Scratch();
        var file = scratch.Write("net.cnn", """
            network n {
                input x : i8[1x8x8x4] scale 0.5 zero 0
                a = conv4d(x)
                b = max_pool2d(a, kernel=2x2)
                c = add(b, x) : scale 0.5 zero 0
                d = max_pool2d(x, kernel=99)
                e, f = split(d, axis=3)
                output c, e, f
            }

            """);
        var told = Cnnc.Run("check", file).Exits(1).Error.TrimEnd('\n').Split('\n');
        Assert.Equal(2, told.Length);
        Assert.StartsWith($"{file}(3,9): error CNN02", told[0], StringComparison.Ordinal);
        Assert.StartsWith($"{file}(6,5): error CNN0117: ", told[1], StringComparison.Ordinal);
    }

    [Fact]
    public void Check_reports_mistakes_and_makes_nothing()
    {
        using var scratch = new Scratch();
        File.WriteAllText(scratch["net.cnn"], "network n {\n    input x : i8[1x4x4x1] scale 0.5 zero 0\n    y = conv4d(x)\n    output y\n}\n");
        var result = Cnnc.Run("check", scratch["net.cnn"]).Exits(1);
        Assert.Contains("net.cnn(3,9): error CNN02", result.Error, StringComparison.Ordinal);
        Assert.Equal(["net.cnn"], scratch.Names);
        Cnnc.Run("check", Cnnc.Lenet5).Exits(0);
    }
}
