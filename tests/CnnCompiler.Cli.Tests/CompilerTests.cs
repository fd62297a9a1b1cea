using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Cli.Tests;

/// <summary>The facade that the command line and embedders call.</summary>
public class CompilerTests
{
    private static readonly byte[] Source = File.ReadAllBytes(Cnnc.Lenet5);
    private static readonly byte[] Weights = File.ReadAllBytes(Path.ChangeExtension(Cnnc.Lenet5, ".npz"));

    public static TheoryData<IrLevel> Levels => [.. Enum.GetValues<IrLevel>()];

    private static CompileRequest Request => new("lenet5.cnn", Source, "openedge") { Companion = name => name == "lenet5.npz" ? Weights : null };

    [Theory]
    [MemberData(nameof(Levels))]
    public void A_compilation_stops_at_the_level_asked_for(IrLevel level)
    {
        var result = Compiler.Compile(Request with { StopLevel = level });
        Assert.Empty(result.Diagnostics);
        Assert.Equal(Enum.GetValues<IrLevel>().Where(reached => reached <= level), result.Modules.Keys.Order());
        Assert.All(result.Modules, entry => Assert.Equal(entry.Key, entry.Value.Level));
        Assert.Equal(level == IrLevel.Image, result.Image is not null);
    }

    [Fact]
    public void Every_pass_is_shown_in_the_order_of_the_pipeline()
    {
        var shown = new List<string>();
        Compiler.Compile(Request with { AfterPass = snapshot => shown.Add(snapshot.Pass.Description.Name), VerifyEach = true });
        Assert.Equal(CompilerTargets.All[0].Pipeline(BuiltInMachines.Default, []).Passes.Select(pass => pass.Description.Name), shown);
    }

    [Fact]
    public async Task Compilations_at_the_same_time_give_the_same_bytes()
    {
        var expected = Compiler.Compile(Request).Image!.Value.ToArray();
        var images = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() => Compiler.Compile(Request).Image!.Value.ToArray())));
        Assert.All(images, image => Assert.Equal(expected, image));
    }

    [Fact]
    public void The_same_bytes_come_out_whatever_the_culture()
    {
        var expected = Compiler.Compile(Request).Image!.Value.ToArray();
        var before = Thread.CurrentThread.CurrentCulture;
        try
        {
            var culture = (System.Globalization.CultureInfo)System.Globalization.CultureInfo.InvariantCulture.Clone();
            culture.NumberFormat.NegativeSign = "minus ";
            culture.NumberFormat.NumberDecimalSeparator = ",";
            Thread.CurrentThread.CurrentCulture = culture;
            Assert.Equal(expected, Compiler.Compile(Request).Image!.Value.ToArray());
        }
        finally
        {
            Thread.CurrentThread.CurrentCulture = before;
        }
    }

    [Theory]
    [InlineData("lenet5.cnn", "quantum", "CNN0091")]
    [InlineData("lenet5.txt", "openedge", "CNN0090")]
    public void What_the_facade_does_not_know_is_a_diagnostic(string file, string target, string code)
    {
        var result = Compiler.Compile(Request with { FileName = file, Target = target });
        Assert.Equal(code, Assert.Single(result.Diagnostics).Code);
        Assert.False(result.Succeeded);
        Assert.Null(result.Image);
        Assert.Empty(result.Modules);
    }

    [Fact]
    public void Weights_that_are_not_there_are_a_diagnostic_at_the_place_that_names_them()
    {
        var result = Compiler.Compile(Request with { Companion = _ => null });
        Assert.Contains(result.Diagnostics, diagnostic => diagnostic.Span.File == "lenet5.cnn" && diagnostic.Span.Line > 0 && diagnostic.Message.Contains("lenet5.npz", StringComparison.Ordinal));
        Assert.Null(result.Image);
    }

    [Fact]
    public void A_cancelled_compilation_ends_with_the_usual_exception()
    {
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.Throws<OperationCanceledException>(() => Compiler.Compile(Request with { Cancellation = cancelled.Token }));
    }
}
