using System.IO.Compression;
using System.Text;
using CnnCompiler.Core.Numpy;
using CnnCompiler.Image.Container;
using CnnCompiler.Ir.Network;
using CnnCompiler.Ir.Text;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Cli.Tests;

public class CompileCommandTests
{
    private const string Broken = "network n {\n    input x : i8[1x4x4x1] scale 0.5 zero 0\n    y = conv4d(x)\n    output y\n}\n";

    public static TheoryData<string> TextLevels => ["network", "gconv", "mapped", "asm"];

    [Theory]
    [InlineData("i8", "i8[1x4x4x2] scale 0.5 zero 3")]
    [InlineData("f32", "f32[1x4x4x2]")]
    [InlineData("fixed12", "i32[1x4x4x2] scale 0.00024414062 zero 0")]
    public void Values_are_of_the_elements_that_the_command_line_names(string elements, string type)
    {
        using var scratch = new Scratch();
        var source = scratch.Write("n.cnn", "network n {\n    weights seed 1\n    input x : value[1x4x4x2] scale 0.5 zero 3\n    y = max_pool2d(x, kernel=2, stride=2)\n    output y\n}\n");
        Assert.Contains($"input %x : {type}\n", Cnnc.Run("compile", source, "-t", "arrayflex", "--elements", elements, "--emit", "network").Exits(0).Out, StringComparison.Ordinal);
        Cnnc.Run("compile", source, "-t", "arrayflex", "--elements", elements, "-o", scratch["n.cnnb"]).Exits(0);
        Cnnc.Run("check", source, "--elements", elements).Exits(0);
    }

    [Fact]
    public void Elements_that_do_not_exist_or_have_no_effect_are_refused()
    {
        using var scratch = new Scratch();
        Assert.Contains("f32 or fixed0 to fixed30, not 'fixed31'", Cnnc.Run("compile", Cnnc.Lenet5, "-t", "openedge", "--elements", "fixed31", "-o", scratch["n.cnnb"]).Exits(2).Error, StringComparison.Ordinal);
        Cnnc.Run("compile", Cnnc.Lenet5, "-t", "openedge", "-o", scratch["n.cnnb"]).Exits(0);
        Assert.Contains("--elements", Cnnc.Run("run", scratch["n.cnnb"], "--elements", "f32", "--input", Cnnc.Digit(1)).Exits(2).Error, StringComparison.Ordinal);
    }

    [Fact]
    public void The_image_is_written_under_the_given_name_and_the_same_bytes_come_out_again()
    {
        using var scratch = new Scratch();
        Cnnc.Run("compile", Cnnc.Lenet5, "-t", "openedge", "-o", scratch["a.cnnb"]).Exits(0);
        Cnnc.Run("compile", Cnnc.Lenet5, "-t", "openedge", "-o", scratch["b.cnnb"], "--verify-each").Exits(0);
        var bytes = File.ReadAllBytes(scratch["a.cnnb"]);
        Assert.True(bytes.AsSpan().StartsWith(ImageFormat.Magic));
        Assert.Equal(bytes, File.ReadAllBytes(scratch["b.cnnb"]));
        Assert.Equal(["a.cnnb", "b.cnnb"], scratch.Names);
    }

    [Fact]
    public void Without_a_name_the_image_lies_beside_the_source_with_its_weights_found_there()
    {
        using var scratch = new Scratch();
        File.Copy(Cnnc.Lenet5, scratch["net.cnn"]);
        File.Copy(Path.ChangeExtension(Cnnc.Lenet5, ".npz"), scratch["lenet5.npz"]);
        var result = Cnnc.Run("compile", scratch["net.cnn"], "-t", "openedge").Exits(0);
        Assert.StartsWith(scratch["net.cnnb"], result.Out, StringComparison.Ordinal);
        Assert.Equal(["lenet5.npz", "net.cnn", "net.cnnb"], scratch.Names);
    }

    [Theory]
    [MemberData(nameof(TextLevels))]
    public void Every_level_is_emitted_as_text_to_standard_output_or_a_file(string level)
    {
        using var scratch = new Scratch();
        var text = Cnnc.Run("compile", Cnnc.Lenet5, "-t", "openedge", "--emit", level).Exits(0).Out;
        Assert.True(text.Split('\n').Length > 10, text);
        var quiet = Cnnc.Run("compile", Cnnc.Lenet5, "-t", "openedge", "--emit", level, "-o", scratch["out.txt"]).Exits(0);
        Assert.Empty(quiet.Out);
        Assert.Equal(text, File.ReadAllText(scratch["out.txt"]));
    }

    [Fact]
    public void The_text_of_a_network_and_the_constants_beside_it_are_read_back_as_the_same_network()
    {
        using var scratch = new Scratch();
        Cnnc.Run("compile", Cnnc.Lenet5, "-t", "openedge", "--emit", "network", "-o", scratch["net"]).Exits(0);
        Assert.Equal(["net", "net.npz"], scratch.Names);
        var problems = new DiagnosticBag();
        var constants = NpzFile.Read(File.ReadAllBytes(scratch["net.npz"]), "net.npz", problems)!.Select(entry => new NamedConstant(entry.Key, entry.Value));
        var graph = NetworkParser.Parse(File.ReadAllText(scratch["net"]), "net", new(constants), problems);
        Assert.Empty(problems.Diagnostics);
        Assert.Equal(File.ReadAllText(scratch["net"]), NetworkPrinter.Print(graph!).Text);
    }

    [Fact]
    public void Print_after_shows_the_program_of_the_pass_on_standard_error()
    {
        using var scratch = new Scratch();
        var result = Cnnc.Run("compile", Cnnc.Lenet5, "-t", "openedge", "-o", scratch["a.cnnb"], "--print-after", "lower-to-gconv").Exits(0);
        Assert.StartsWith("// after lower-to-gconv\n", result.Error, StringComparison.Ordinal);
        Assert.Contains(Cnnc.Run("compile", Cnnc.Lenet5, "-t", "openedge", "--emit", "gconv").Out, result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_dash_stands_for_standard_output_which_takes_text()
    {
        Assert.Equal(Cnnc.Run("compile", Cnnc.Lenet5, "-t", "openedge", "--emit", "gconv").Exits(0).Out, Cnnc.Run("compile", Cnnc.Lenet5, "-t", "openedge", "--emit", "gconv", "-o", "-").Exits(0).Out);
        Assert.Contains("can't be written to standard output", Cnnc.Run("compile", Cnnc.Lenet5, "-t", "openedge", "-o", "-").Exits(2).Error, StringComparison.Ordinal);
        Assert.False(File.Exists("-"));
    }

    [Fact]
    public void The_machine_can_be_shipped_or_come_from_a_file_or_be_a_variant_of_one()
    {
        using var scratch = new Scratch();
        var machine = scratch.Write("m.json", File.ReadAllText(Path.Combine(TestSupport.SharedMaterial.Repository, "runtime", "CnnCompiler.Primitives", "Machines", "openedge.machine.json")));
        string[] names = ["openedge", "openedge-ideal", machine, $"{machine}#openedge-ideal"];
        var images = names.Select((name, index) =>
        {
            Cnnc.Run("compile", Cnnc.Lenet5, "-t", "openedge", "--machine", name, "-o", scratch[$"{index}.cnnb"]).Exits(0);
            return File.ReadAllBytes(scratch[$"{index}.cnnb"]);
        }).ToList();
        Assert.Equal(images[0], images[2]);
        Assert.Equal(images[1], images[3]);
        Assert.NotEqual(images[0], images[1]);
        Assert.Contains("CNN0014", Cnnc.Run("compile", Cnnc.Lenet5, "-t", "openedge", "--machine", $"{machine}#other").Exits(1).Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_dependency_file_names_all_that_was_read_as_make_writes_it_and_only_behind_a_success()
    {
        using var scratch = new Scratch();
        File.Copy(Cnnc.Lenet5, scratch["my $net#1.cnn"]);
        File.Copy(Path.ChangeExtension(Cnnc.Lenet5, ".npz"), scratch["lenet5.npz"]);
        File.Copy(Path.Combine(TestSupport.SharedMaterial.Repository, "runtime", "CnnCompiler.Primitives", "Machines", "openedge.machine.json"), scratch["m.json"]);
        Cnnc.Run("compile", scratch["my $net#1.cnn"], "-t", "openedge", "--effort", "0", "--machine", scratch["m.json"], "-o", scratch["a.cnnb"], "--depfile", scratch["a.d"]).Exits(0);
        var rule = File.ReadAllText(scratch["a.d"]).Replace(scratch.Folder + Path.DirectorySeparatorChar, string.Empty, StringComparison.Ordinal).Split('\n');
        Assert.Equal("a.cnnb: \\", rule[0]);
        string[] inputs = ["my\\ $$net\\#1.cnn", "lenet5.npz", "m.json"];
        Assert.Equal(inputs.Order(StringComparer.Ordinal), rule.Skip(1).Take(3).Select(line => line.Trim(' ', '\\').Replace("\\ \\", "\\ ", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
        Assert.All(inputs, input => Assert.Contains(input + ":", rule));

        Cnnc.Run("compile", scratch.Write("wrong.cnn", Broken), "-t", "openedge", "-o", scratch["b.cnnb"], "--depfile", scratch["b.d"]).Exits(1);
        Assert.False(File.Exists(scratch["b.d"]));
        Cnnc.Run("compile", Cnnc.Lenet5, "-t", "openedge", "--emit", "network", "--depfile", scratch["c.d"]).Exits(2);
    }

    [Fact]
    public void A_wrong_machine_file_is_told_with_its_place()
    {
        using var scratch = new Scratch();
        var machine = scratch.Write("m.json", "{\n  \"name\": 7\n}\n");
        var result = Cnnc.Run("compile", Cnnc.Lenet5, "-t", "openedge", "--machine", machine, "--emit", "network").Exits(1);
        Assert.Contains($"{machine}(2,", result.Error, StringComparison.Ordinal);
        Assert.Contains(": error CNN04", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_mistake_in_the_source_is_one_canonical_line_and_leaves_no_file()
    {
        using var scratch = new Scratch();
        var source = scratch.Write("net.cnn", Broken);
        var result = Cnnc.Run("compile", source, "-t", "openedge").Exits(1);
        Assert.Matches($@"^{System.Text.RegularExpressions.Regex.Escape(source)}\(3,\d+\): error CNN02\d\d: .+\n", result.Error);
        Assert.Empty(result.Out);
        Assert.Equal(["net.cnn"], scratch.Names);
    }

    [Fact]
    public void At_a_terminal_a_mistake_shows_the_line_with_a_caret_under_the_place()
    {
        using var scratch = new Scratch();
        var source = scratch.Write("net.cnn", Broken);
        var result = Cnnc.Run(environment => environment with { ErrorRedirected = false }, "compile", source, "-t", "openedge").Exits(1);
        // colours depend on the terminal that the tests run in
        var lines = System.Text.RegularExpressions.Regex.Replace(result.Error, "\u001b\\[[0-9;?]*[a-zA-Z]", string.Empty).Split('\n');
        var excerpt = Array.FindIndex(lines, line => line.Contains("y = conv4d(x)", StringComparison.Ordinal));
        Assert.True(excerpt > 0, result.Error);
        Assert.Equal(lines[excerpt].IndexOf("conv4d", StringComparison.Ordinal), lines[excerpt + 1].IndexOf('^', StringComparison.Ordinal));
        Assert.Contains(lines, line => line.StartsWith("  help: ", StringComparison.Ordinal));
    }

    [Fact]
    public void A_file_that_is_not_there_is_told_with_the_name_that_was_probably_meant()
    {
        using var scratch = new Scratch();
        scratch.Write("network.cnn", Broken);
        var result = Cnnc.Run("compile", scratch["netwrok.cnn"], "-t", "openedge").Exits(1);
        Assert.StartsWith($"{scratch["netwrok.cnn"]}: error CNN0003: ", result.Error, StringComparison.Ordinal);
        Assert.Contains($"did you mean '{scratch["network.cnn"]}'?", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Files_that_can_not_be_what_is_wanted_are_told_with_their_code()
    {
        using var scratch = new Scratch();
        Directory.CreateDirectory(scratch["folder.cnn"]);
        Assert.Contains("CNN0004", Cnnc.Run("compile", scratch["folder.cnn"], "-t", "openedge").Exits(1).Error, StringComparison.Ordinal);
        Assert.Contains("CNN0005: the file can't be read: its name is not valid", Cnnc.Run("disasm", scratch["a\0.cnnb"]).Exits(1).Error, StringComparison.Ordinal);
        Assert.Contains("CNN0090", Cnnc.Run("compile", scratch.Write("a.txt", "hello"), "-t", "openedge").Exits(1).Error, StringComparison.Ordinal);
        Assert.Contains("CNN03", Cnnc.Run("compile", scratch.Write("a.tflite", "hello"), "-t", "openedge").Exits(1).Error, StringComparison.Ordinal);
        Assert.Contains("CNN0018", Cnnc.Run("compile", scratch.Write("b.cnn", Broken), "-t", "openedge", "-o", scratch["b.cnn"]).Exits(1).Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_device_without_an_end_is_too_large_instead_of_filling_the_memory()
    {
        Assert.SkipUnless(File.Exists("/dev/zero"), "needs /dev/zero");
        Assert.Contains("CNN0006", Cnnc.Run("disasm", "/dev/zero").Exits(1).Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_result_that_can_not_be_written_is_told_and_nothing_is_left_behind()
    {
        using var scratch = new Scratch();
        Assert.Contains("CNN0007", Cnnc.Run("compile", Cnnc.Lenet5, "-t", "openedge", "-o", scratch["no/such/folder.cnnb"]).Exits(1).Error, StringComparison.Ordinal);
        Directory.CreateDirectory(scratch["folder"]);
        Assert.Contains("CNN0004", Cnnc.Run("compile", Cnnc.Lenet5, "-t", "openedge", "-o", scratch["folder"]).Exits(1).Error, StringComparison.Ordinal);
        Assert.Equal(["folder"], scratch.Names);
    }

    [Fact]
    public void A_cancelled_compilation_exits_with_130_and_writes_nothing()
    {
        using var scratch = new Scratch();
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        var result = Cnnc.Run(environment => environment with { Cancellation = cancelled.Token }, "compile", Cnnc.Lenet5, "-t", "openedge", "-o", scratch["a.cnnb"]).Exits(130);
        Assert.Equal("cnnc: cancelled\n", result.Error);
        Assert.Empty(scratch.Names);
    }

    [Fact]
    public void A_defect_exits_with_3_and_writes_a_report_under_a_name_that_depends_on_the_input_only()
    {
        using var scratch = new Scratch();
        var reports = Enumerable.Range(0, 2).Select(_ => Crash(scratch)).ToList();
        Assert.Equal(reports[0], reports[1]);
        using var archive = ZipFile.OpenRead(reports[0]);
        var names = archive.Entries.Select(entry => entry.FullName).ToList();
        Assert.Equal(["bundle.json", "exception.txt", "inputs/0-lenet5.cnn", "inputs/1-lenet5.npz", "last-network.cnnir", "last-network.cnnir.npz"], names);
        Assert.Contains("the scheduler lost a word", Text(archive, "exception.txt"), StringComparison.Ordinal);
        Assert.Equal(File.ReadAllText(Cnnc.Lenet5), Text(archive, "inputs/0-lenet5.cnn"));
        Assert.Contains("conv1", Text(archive, "last-network.cnnir"), StringComparison.Ordinal);
    }

    private static string Crash(Scratch scratch)
    {
        CliEnvironment Break(CliEnvironment environment) => environment with
        {
            CrashFolder = scratch.Folder,
            Compile = request =>
            {
                Compiler.Compile(request with { StopLevel = Passes.Infrastructure.IrLevel.Network });
                throw new InvalidOperationException("the scheduler lost a word");
            },
        };
        var result = Cnnc.Run(Break, "compile", Cnnc.Lenet5, "-t", "openedge", "-o", scratch["a.cnnb"]).Exits(3);
        Assert.StartsWith("cnnc: error CNN0017: internal error: the scheduler lost a word; ", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", result.Error, StringComparison.Ordinal);
        var report = Assert.Single(scratch.Names);
        Assert.Contains(scratch[report], result.Error, StringComparison.Ordinal);
        Assert.Matches("^cnnc-crash-[0-9a-f]{12}\\.zip$", report);
        return scratch[report];
    }

    private static string Text(ZipArchive archive, string name)
    {
        using var reader = new StreamReader(archive.GetEntry(name)!.Open(), Encoding.UTF8);
        return reader.ReadToEnd();
    }
}
