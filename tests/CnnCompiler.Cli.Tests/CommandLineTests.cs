namespace CnnCompiler.Cli.Tests;

public class CommandLineTests
{
    private static readonly string[] Verbs = ["compile", "run", "compare", "fuzz", "disasm", "verify-vectors", "targets"];

    public static TheoryData<string> VerbData => [.. Verbs];

    [Fact]
    public void Version_prints_name_and_number() => Assert.Matches(@"^cnnc \d+\.\d+\.\d+\n$", Cnnc.Run("--version").Exits(0).Out);

    [Fact]
    public void Help_names_every_verb_and_gives_examples()
    {
        var help = Cnnc.Run("--help").Exits(0).Out;
        Assert.All(Verbs, verb => Assert.Contains(verb, help, StringComparison.Ordinal));
        Assert.Contains("cnnc run samples/lenet5.cnn -t openedge --input samples/digits/7.npy", help, StringComparison.Ordinal);
    }

    [Fact]
    public void A_verb_is_found_alone_as_among_all()
    {
        var listed = Cnnc.Run("--help").Exits(0).Out.Split("Commands:")[1].Split("\n\n")[0].Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(line => line.StartsWith("  ", StringComparison.Ordinal) && line[2] != ' ').Select(line => line.Trim().Split(' ')[0]).ToList();
        Assert.Superset(Verbs.ToHashSet(), listed.ToHashSet());

        // alone where it comes first, among all where an option does
        Assert.All(listed, verb => Assert.Equal(Cnnc.Run("--nowarn", "CNN0226", verb, "--help").Exits(0).Out, Cnnc.Run(verb, "--help").Exits(0).Out));
        Assert.All(listed, verb => Assert.Contains($"cnnc {verb}", Cnnc.Run(verb, "--help").Out, StringComparison.Ordinal));
    }

    [Theory]
    [MemberData(nameof(VerbData))]
    public void Help_of_every_verb_has_an_example(string verb)
    {
        var help = Cnnc.Run(verb, "--help").Exits(0).Out;
        Assert.Matches($@"Examples?:\s+cnnc {verb}", help);
    }

    [Fact]
    public void No_verb_is_a_usage_error_that_names_the_verbs()
    {
        var result = Cnnc.Run().Exits(2);
        Assert.Empty(result.Out);
        Assert.All(Verbs, verb => Assert.Contains(verb, result.Error, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("did you mean 'compile'?", "complie", "x.cnn")]
    [InlineData("did you mean '--machine'?", "run", "x.cnnb", "--machin", "openedge")]
    [InlineData("did you mean 'openedge'?", "compile", "x.cnn", "-t", "opendge")]
    [InlineData("did you mean 'openedge-banked8'?", "compile", "x.cnn", "-t", "openedge", "--machine", "openedge-banked")]
    [InlineData("did you mean 'gconv'?", "compile", "x.cnn", "-t", "openedge", "--emit", "gcnov")]
    [InlineData("did you mean 'mapped'?", "compare", "x.cnn", "--levels", "network,maped")]
    public void A_misspelt_word_is_a_usage_error_that_suggests_the_right_one(string expected, params string[] args)
    {
        using var scratch = new Scratch();
        args[1] = scratch.Write(args[1], "network n {}");
        var result = Cnnc.Run(args).Exits(2);
        Assert.Contains(expected, result.Error, StringComparison.Ordinal);
        Assert.StartsWith("cnnc: error CNN0002: ", result.Error, StringComparison.Ordinal);
        Assert.Empty(result.Out);
    }

    [Fact]
    public void A_pass_that_does_not_exist_is_a_usage_error_that_names_those_that_do()
    {
        var result = Cnnc.Run("compile", Cnnc.Lenet5, "-t", "openedge", "--print-after", "lower-to-gcnov").Exits(2);
        Assert.Contains("did you mean 'lower-to-gconv'?", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("compile", "x.cnn")]
    [InlineData("compile")]
    [InlineData("compile", "x.cnn", "-t")]
    [InlineData("run")]
    [InlineData("run", "x.cnnb", "--max-cycles", "many")]
    [InlineData("run", "x.cnnb", "--max-cycles", "0")]
    [InlineData("run", "x.cnnb", "y.cnnb")]
    [InlineData("disasm")]
    [InlineData("verify-vectors")]
    [InlineData("verify-vectors", "x", "--max-cycles", "-1")]
    [InlineData("targets", "--frobnicate")]
    [InlineData("")]
    public void A_command_line_that_does_not_fit_is_a_usage_error_without_results(params string[] args)
    {
        var result = Cnnc.Run(args).Exits(2);
        Assert.Empty(result.Out);
        Assert.Matches(@"^(cnnc: error CNN000[12]: .*\n)+$", result.Error);
    }

    [Fact]
    public void Targets_lists_machines_and_their_values()
    {
        var text = Cnnc.Run("targets").Exits(0).Out;
        Assert.All(["openedge", "openedge-banked8", "openedge-ideal", "524,288", "openedge-4a179fc", "8 banks"], word => Assert.Contains(word, text, StringComparison.Ordinal));
        Assert.DoesNotContain('\u001b', text);
    }

    [Fact]
    public void A_name_that_begins_with_an_at_sign_is_a_file_and_no_response_file()
    {
        using var scratch = new Scratch();
        var name = scratch.Write("@args.cnn", "targets");
        Assert.Contains("CNN02", Cnnc.Run("compile", name, "-t", "openedge").Exits(1).Error, StringComparison.Ordinal);
        Assert.Contains("CNN0003", Cnnc.Run("disasm", "@no-such-file").Exits(1).Error, StringComparison.Ordinal);
    }
}
