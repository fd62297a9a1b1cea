using System.Globalization;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

namespace CnnCompiler.Cli.Tests;

/// <summary>The whole circle: an internal error leaves a report, and <c>cnnc replay</c> shows it again without any of the files.</summary>
public partial class ReplayCommandTests
{
    // Command lines that have every option of compile between them; DIR is the folder of the test.
    private static readonly string[] Lines =
    [
        "compile DIR/lenet5.cnn -t openedge --machine DIR/m.json#openedge-ideal --force conv1=contract-h --force conv2=contract-w --effort 2 --optimize energy --set map-to-openedge.a=b --print-after lower-to-gconv --verify-each --elements i8 --cost-cache DIR/costs --schedule-out DIR/s.json -o DIR/out.cnnb --depfile DIR/out.d --nowarn CNN0226 --warnaserror --sarif DIR/log.sarif",
        "compile DIR/lenet5.cnn --target openedge --schedule DIR/schedule.json --print-after-all --dump-dir DIR/dump --emit mapped --interleave --output DIR/out.txt",
        "compile DIR/level.txt -t overlay --from gconv --disable fuse-elementwise --emit asm",
        "run DIR/lenet5.cnn -t arrayflex --input DIR/7.npy --output DIR/out.npy",
        "compare DIR/lenet5.cnn -t gconv --input DIR/7.npy --levels network,gconv",
        "report DIR/lenet5.cnn -t openedge --json",
        "opt DIR/level.txt --passes map-to-openedge -t openedge --print-after-all",
    ];

    public static TheoryData<string> CommandLines => [.. Lines];

    [Theory]
    [MemberData(nameof(CommandLines))]
    public void A_report_shows_its_defect_again_after_all_files_are_gone_and_changes_nothing_on_the_disk(string line)
    {
        using var scratch = new Scratch();
        Prepare(scratch);
        var args = line.Replace("DIR", scratch.Folder, StringComparison.Ordinal).Split(' ');
        var told = Cnnc.Run(environment => Break(environment) with { CrashFolder = scratch.Folder }, args).Exits(3).Error;
        var report = Path.Combine(scratch.Folder, ReportName().Match(told).Value);
        Assert.Contains($"cnnc replay {report} shows it again", told, StringComparison.Ordinal);
        var bytes = File.ReadAllBytes(report);
        Directory.Delete(scratch.Folder, recursive: true);
        Directory.CreateDirectory(scratch.Folder);
        File.WriteAllBytes(report, bytes);

        var again = Cnnc.Run(environment => Break(environment) with { CrashFolder = scratch.Folder }, "replay", report).Exits(3);
        var defect = Defect().Match(told).Groups["text"].Value;
        Assert.Equal($"the defect is seen again: System.InvalidOperationException: {defect}", again.LastLine);
        Assert.Contains($"internal error: {defect};", again.Error, StringComparison.Ordinal);
        Assert.Equal([Path.GetFileName(report)], scratch.Names);
    }

    [Fact]
    public void The_command_lines_here_have_every_option_that_compile_has()
    {
        var options = Option().Matches(Cnnc.Run("compile", "--help").Exits(0).Out).Select(match => match.Groups["name"].Value).Except(["--help"]).ToList();
        Assert.Contains("--force", options);
        Assert.All(options, option => Assert.Contains(Lines, line => line.Split(' ').Contains(option)));
    }

    [Fact]
    public void A_defect_that_is_another_or_gone_is_told_as_such()
    {
        using var scratch = new Scratch();
        Prepare(scratch);
        Cnnc.Run(environment => Break(environment) with { CrashFolder = scratch.Folder }, "compile", scratch["lenet5.cnn"], "-t", "openedge", "-o", scratch["never.cnnb"]).Exits(3);
        var report = scratch.Names.Single(name => name.StartsWith("cnnc-crash-", StringComparison.Ordinal));
        var other = Cnnc.Run(environment => environment with { Compile = _ => throw new NotSupportedException("something else") }, "replay", scratch[report]).Exits(3);
        Assert.StartsWith("another defect is seen: System.NotSupportedException: something else (it was System.InvalidOperationException: ", other.LastLine, StringComparison.Ordinal);
        var gone = Cnnc.Run("replay", scratch[report]).Exits(0);
        Assert.Matches(@"^the defect is not seen any more \(it was System\.InvalidOperationException: .*\); exit code 0$", gone.LastLine);
        Assert.DoesNotContain("never.cnnb", scratch.Names);
    }

    [Fact]
    public void The_last_sound_program_in_a_report_is_one_that_compilation_goes_on_from()
    {
        using var scratch = new Scratch();
        Prepare(scratch);
        CliEnvironment BreakLate(CliEnvironment environment) => environment with
        {
            CrashFolder = scratch.Folder,
            Compile = request => Compiler.Compile(request with
            {
                AfterPass = snapshot =>
                {
                    if (snapshot.Pass.Description.Name == "map-to-openedge")
                    {
                        throw new InvalidOperationException("the second pass went wrong");
                    }

                    request.AfterPass!(snapshot);
                },
            }),
        };
        Cnnc.Run(BreakLate, "compile", scratch["lenet5.cnn"], "-t", "openedge", "-o", scratch["never.cnnb"]).Exits(3);
        ZipFile.ExtractToDirectory(scratch[scratch.Names.Single(name => name.StartsWith("cnnc-crash-", StringComparison.Ordinal))], scratch["report"]);
        Cnnc.Run("compile", Path.Combine(scratch["report"], "last-gconv.cnnir"), "-t", "openedge", "-o", scratch["resumed.cnnb"]).Exits(0);
        Cnnc.Run("compile", scratch["lenet5.cnn"], "-t", "openedge", "-o", scratch["direct.cnnb"]).Exits(0);
        Assert.Equal(File.ReadAllBytes(scratch["direct.cnnb"]), File.ReadAllBytes(scratch["resumed.cnnb"]));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void What_the_terminal_saw_is_seen_again(bool redirected)
    {
        using var scratch = new Scratch();
        Prepare(scratch);
        CliEnvironment AtTerminal(CliEnvironment environment) => environment with
        {
            CrashFolder = scratch.Folder,
            ErrorRedirected = redirected,
            Compile = request => throw new InvalidOperationException($"progress is {(request.Search.Progress is null ? "not " : string.Empty)}shown"),
        };
        Cnnc.Run(AtTerminal, "compile", scratch["lenet5.cnn"], "-t", "openedge").Exits(3);
        var report = scratch.Names.Single(name => name.StartsWith("cnnc-crash-", StringComparison.Ordinal));
        var again = Cnnc.Run(environment => AtTerminal(environment) with { ErrorRedirected = !redirected }, "replay", scratch[report]).Exits(3);
        Assert.Equal($"the defect is seen again: System.InvalidOperationException: progress is {(redirected ? "not " : string.Empty)}shown", again.LastLine);
    }

    [Fact]
    public void Folders_that_a_command_read_are_folders_of_the_report()
    {
        using var scratch = new Scratch();
        Prepare(scratch);
        Cnnc.Run("run", scratch["lenet5.cnn"], "-t", "openedge", "--input", scratch["7.npy"], "--output", scratch["scores.npy"]).Exits(0);
        var scores = Assert.Single(TensorNames(scratch));
        var report = new CrashReport();
        foreach (var (path, file) in new[] { ("a/net.cnn", "lenet5.cnn"), ("a/lenet5.npz", "lenet5.npz"), ("in.npy", "7.npy"), ($"ref/{scores}.npy", "scores.npy") })
        {
            report.AddInput(path, File.ReadAllBytes(scratch[file]));
        }

        string[] args = ["compare", "a/net.cnn", "-t", "openedge", "--input", "in.npy", "--reference", "ref"];
        var written = report.Write(new(TextWriter.Null, TextWriter.Null) { CrashFolder = scratch.Folder }, args, "cnnc 0.0.0", new InvalidOperationException("gone"));
        var result = Cnnc.Run("replay", written).Exits(0);
        Assert.EndsWith("(it was System.InvalidOperationException: gone); exit code 0", result.LastLine, StringComparison.Ordinal);
        Assert.Contains("note CNN0023: the report was made by cnnc 0.0.0, this is ", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_is_no_report_or_a_damaged_one_is_refused()
    {
        using var scratch = new Scratch();
        Prepare(scratch);
        Cnnc.Run(environment => Break(environment) with { CrashFolder = scratch.Folder }, "compile", scratch["lenet5.cnn"], "-t", "openedge").Exits(3);
        var name = scratch.Names.Single(file => file.StartsWith("cnnc-crash-", StringComparison.Ordinal));
        var good = File.ReadAllBytes(scratch[name]);
        Assert.Contains("error CNN0022: ", Cnnc.Run("replay", scratch["lenet5.cnn"]).Exits(1).Error, StringComparison.Ordinal);
        Assert.Contains("error CNN0022: ", Cnnc.Run("replay", scratch["lenet5.npz"]).Exits(1).Error, StringComparison.Ordinal);
        foreach (var (part, text) in new[] { ("bundle.json", "{}"), ("bundle.json", "[]"), ("bundle.json", "{\"format\":2}"), ("bundle.json", "{\"format\":1,\"files\":[{\"path\":\"a\",\"entry\":null}]}"), ("bundle.json", "{\"format\":1,\"files\":[{\"path\":\"a\",\"entry\":\"b\"}]}"), ("bundle.json", "{\"format\":1,\"files\":[],\"version\":\"v\",\"arguments\":[\"replay\",\"x\"]}") })
        {
            scratch.Write("changed.zip", good);
            using (var archive = ZipFile.Open(scratch["changed.zip"], ZipArchiveMode.Update))
            {
                archive.GetEntry(part)!.Delete();
                using var writer = new StreamWriter(archive.CreateEntry(part).Open());
                writer.Write(text);
            }

            Assert.Contains("changed.zip: error CNN0022: this is no report of a defect that can be replayed: ", Cnnc.Run("replay", scratch["changed.zip"]).Exits(1).Error, StringComparison.Ordinal);
        }

        for (var end = 0; end < good.Length; end += (good.Length / 50) + 1)
        {
            Cnnc.Run("replay", scratch.Write("cut.zip", good[..end])).Exits(1);
            var flipped = good.ToArray();
            flipped[end] ^= 0x55;
            var code = Cnnc.Run(Break, "replay", scratch.Write("flipped.zip", flipped)).ExitCode;
            Assert.True(code is 1 or 3 or 0, string.Create(CultureInfo.InvariantCulture, $"exit code {code} with byte {end} changed"));
        }
    }

    // A compiler that fails with a digest of all that it was asked: the same defect is the same question.
    private static CliEnvironment Break(CliEnvironment environment) => environment with
    {
        Compile = request => throw new InvalidOperationException(Digest(string.Join('|', [
            request.FileName, Digest(Convert.ToHexString(request.Source.Span)), request.Target, $"{request.Machine}", string.Join(' ', request.Forced), $"{request.From}", $"{request.Elements}",
            string.Join(' ', request.Passes ?? []), $"{request.StopLevel}", $"{request.VerifyEach}", string.Join(' ', request.Options), $"{request.Search.Effort}", request.Search.Schedule ?? string.Empty,
            $"{request.Search.Costs is null}", Digest(Convert.ToHexString((request.Companion("lenet5.npz") ?? default).Span))]))),
    };

    private static string Digest(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    private static IEnumerable<string> TensorNames(Scratch scratch) =>
        OutputValue().Matches(File.ReadAllText(scratch["lenet5.cnn"])).Select(match => match.Groups["name"].Value);

    private static void Prepare(Scratch scratch)
    {
        File.Copy(Cnnc.Lenet5, scratch["lenet5.cnn"]);
        File.Copy(Path.ChangeExtension(Cnnc.Lenet5, ".npz"), scratch["lenet5.npz"]);
        File.Copy(Cnnc.Digit(7), scratch["7.npy"]);
        File.Copy(Path.Combine(TestSupport.SharedMaterial.Repository, "runtime", "CnnCompiler.Primitives", "Machines", "openedge.machine.json"), scratch["m.json"]);
        scratch.Write("schedule.json", "any text");
        scratch.Write("level.txt", "gconv \"n\" {\n}\n");
    }

    [GeneratedRegex(@"cnnc-crash-[0-9a-f]{12}\.zip")]
    private static partial Regex ReportName();

    [GeneratedRegex(@"internal error: (?<text>[^;\n]*);")]
    private static partial Regex Defect();

    [GeneratedRegex(@"^  (?:-\w, )?(?<name>--[a-z-]+)", RegexOptions.Multiline)]
    private static partial Regex Option();

    [GeneratedRegex(@"^    output (?<name>\w+)", RegexOptions.Multiline)]
    private static partial Regex OutputValue();
}
