using CnnCompiler.Core.Tensors;
using CnnCompiler.Core;
using CnnCompiler.Ir.Network;
using CnnCompiler.Ir.Text;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Passes.Tests.Infrastructure;

public sealed class PassRunnerTests
{
    [Fact]
    public void Passes_run_in_order_and_each_reads_what_the_one_before_made()
    {
        var result = PassRunner.Run(new(new Append("a"), new Append("b"), new Lower()), new Upper("x"), new());

        Assert.Equal(new Lowered("xab"), result);
    }

    [Fact]
    public void The_hook_sees_every_pass_with_what_it_read_and_made()
    {
        var seen = new List<string>();
        var context = new PassContext { AfterPass = snapshot => seen.Add($"{snapshot.Index} {snapshot.Pass.Description.Name}: {snapshot.Before.Print()} -> {snapshot.After.Print()}") };

        PassRunner.Run(new(new Append("a"), new Lower()), new Upper("x"), context);

        Assert.Equal(["0 append-a: upper x -> upper xa", "1 lower: upper xa -> lowered xa"], seen);
    }

    [Fact]
    public void An_unsound_result_stops_the_pipeline_and_names_the_pass_when_verifying_each()
    {
        var context = new PassContext { VerifyEach = true };

        Assert.Null(PassRunner.Run(new(new Append("!"), new Lower()), new Upper("x"), context));

        Assert.Equal(["CNN9999", "CNN0982"], context.Diagnostics.Diagnostics.Select(d => d.Code));
        Assert.Contains("append-!", context.Diagnostics.Diagnostics[1].Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_unsound_result_goes_unseen_without_verifying_each()
    {
        Assert.Equal(new Lowered("x!"), PassRunner.Run(new(new Append("!"), new Lower()), new Upper("x"), new()));
    }

    [Fact]
    public void What_the_pipeline_is_given_is_always_verified()
    {
        var context = new PassContext();

        Assert.Null(PassRunner.Run(new(new Append("a")), new Upper("!"), context));
        Assert.True(context.Diagnostics.HasErrors);
    }

    [Fact]
    public void A_reported_error_stops_the_pipeline()
    {
        var context = new PassContext();
        var seen = 0;

        Assert.Null(PassRunner.Run(new(new Refuse(throws: false), new Lower()), new Upper("x"), context with { AfterPass = _ => seen++ }));

        Assert.Equal(0, seen);
        Assert.Single(context.Diagnostics.Diagnostics);
    }

    [Fact]
    public void A_diagnostic_thrown_from_deep_code_is_reported()
    {
        var context = new PassContext();

        Assert.Null(PassRunner.Run(new(new Refuse(throws: true)), new Upper("x"), context));
        Assert.Equal("CNN9998", Assert.Single(context.Diagnostics.Diagnostics).Code);
    }

    [Fact]
    public void A_program_of_the_right_level_that_is_another_targets_is_refused()
    {
        var context = new PassContext();

        Assert.Null(PassRunner.Run(new(new Append("a")), new OtherUpper(), context));
        var diagnostic = Assert.Single(context.Diagnostics.Diagnostics);
        Assert.Equal("CNN0984", diagnostic.Code);
        Assert.Contains("append-a", diagnostic.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_cancelled_run_throws()
    {
        using var source = new CancellationTokenSource();
        var context = new PassContext { Cancellation = source.Token, AfterPass = _ => source.Cancel() };

        Assert.Throws<OperationCanceledException>(() => PassRunner.Run(new(new Append("a"), new Append("b")), new Upper("x"), context));
    }

    [Fact]
    public void A_pass_reads_its_options_with_their_defaults()
    {
        var options = new Dictionary<string, string>(StringComparer.Ordinal) { ["append-b.case"] = "upper" };
        var context = new PassContext { Options = options };

        Assert.Equal(new Upper("xaB"), PassRunner.Run(new(new Append("a"), new Append("b")), new Upper("x"), context));
    }

    [Theory]
    [InlineData("append-a.color", "red", "CNN0980")]
    [InlineData("case", "upper", "CNN0980")]
    [InlineData("append-a.case", "title", "CNN0981")]
    public void An_option_that_no_pass_declares_or_admits_is_refused(string key, string value, string code)
    {
        var context = new PassContext { Options = new Dictionary<string, string>(StringComparer.Ordinal) { [key] = value } };

        Assert.Null(PassRunner.Run(new(new Append("a")), new Upper("x"), context));
        Assert.Equal(code, Assert.Single(context.Diagnostics.Diagnostics).Code);
    }

    [Fact]
    public void A_pipeline_whose_levels_do_not_meet_is_refused()
    {
        Assert.Throws<ArgumentException>(() => new Pipeline(new Lower(), new Append("a")));
        Assert.Throws<ArgumentException>(() => new Pipeline(new Lower(), new Lower()));
        Assert.Throws<ArgumentException>(() => new Pipeline(new Append("a"), new Append("a")));
    }

    [Fact]
    public void A_pipeline_can_be_cut_at_a_level()
    {
        var pipeline = new Pipeline(new Append("a"), new Lower());

        Assert.Equal(["append-a"], pipeline.Until(IrLevel.Network).Passes.Select(pass => pass.Description.Name));
        Assert.Equal(["append-a", "lower"], pipeline.Until(IrLevel.Mapped).Passes.Select(pass => pass.Description.Name));
    }

    [Fact]
    public void Every_level_has_a_name_that_parses_back()
    {
        Assert.All(Enum.GetValues<IrLevel>(), level => Assert.Equal(level, IrLevels.Parse(level.Name())));
        Assert.Null(IrLevels.Parse("assembly"));
    }

    private static Diagnostic Error(string code) => new(code, DiagnosticSeverity.Error, SourceSpan.None, "made up", string.Empty);

    private abstract record Word(string Letters) : IrModule
    {
        public override EquatableArray<NetworkInput> Inputs => [];

        public override IEnumerable<(string Name, TensorType Type)> Tensors => [];

        public override IEnumerable<string> Outputs => [];

        public override IReadOnlyList<Diagnostic> Verify() => Letters.Contains('!', StringComparison.Ordinal) ? [Error("CNN9999")] : [];

        public override ModuleText Text(Func<string, IEnumerable<string>>? notes = null) => new($"{(Level == IrLevel.Network ? "upper" : "lowered")} {Letters}", ConstantStore.Empty);

        public override ModuleEvaluation? Evaluate(IReadOnlyList<Tensor> inputs, DiagnosticBag diagnostics, CancellationToken cancellation) => null;
    }

    private sealed record Upper(string Letters) : Word(Letters)
    {
        public override IrLevel Level => IrLevel.Network;
    }

    private sealed record OtherUpper() : Word("x")
    {
        public override IrLevel Level => IrLevel.Network;
    }

    private sealed record Lowered(string Letters) : Word(Letters)
    {
        public override IrLevel Level => IrLevel.Gconv;
    }

    private sealed class Append(string letter) : Pass<Upper, Upper>(new($"append-{letter}", "appends a letter", IrLevel.Network, IrLevel.Network, [Case]))
    {
        private static readonly PassOption Case = new("case", "case of the letter", "lower", ["lower", "upper"]);

        protected override Upper Transform(Upper module, PassContext context) =>
            new(module.Letters + (context.Value(this, Case) == "upper" ? letter.ToUpperInvariant() : letter));
    }

    private sealed class Lower() : Pass<Upper, Lowered>(new("lower", "lowers", IrLevel.Network, IrLevel.Gconv))
    {
        protected override Lowered Transform(Upper module, PassContext context) => new(module.Letters);
    }

    private sealed class Refuse(bool throws) : Pass<Upper, Upper>(new("refuse", "reports an error", IrLevel.Network, IrLevel.Network))
    {
        protected override Upper? Transform(Upper module, PassContext context)
        {
            if (throws)
            {
                throw new DiagnosticException(Error("CNN9998"));
            }

            context.Diagnostics.Report(Error("CNN9998"));
            return null;
        }
    }
}
