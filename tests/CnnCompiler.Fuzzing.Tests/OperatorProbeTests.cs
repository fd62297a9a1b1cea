using CnnCompiler.Ir.Network.Operators;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Fuzzing.Tests;

/// <summary>What <c>cnnc operators</c> and docs/targets say about a target is what the target does.</summary>
public sealed class OperatorProbeTests
{
    private const int OtherSeed = 1000;

    public static TheoryData<string> Targets => [.. CompilerTargets.All.Select(target => target.Name)];

    [Theory]
    [MemberData(nameof(Targets))]
    public void The_page_of_a_target_says_what_it_does(string name)
    {
        var file = Path.Combine(SharedMaterial.Repository, "docs", "targets", $"{name}-operators.md");
        var page = TargetOperatorsPage.Write(CompilerTargets.Find(name)!, TestContext.Current.CancellationToken);
        if (Environment.GetEnvironmentVariable("CNNC_ACCEPT") == "1")
        {
            File.WriteAllText(file, page);
        }

        Assert.Equal(File.ReadAllText(file), page);
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void Other_layers_of_each_row_compile_where_it_says_so_and_are_refused_with_its_codes(string name)
    {
        var target = CompilerTargets.Find(name)!;
        var wrong = new List<string>();
        foreach (var definition in OperatorTable.All)
        {
            var said = OperatorProbe.Ask(target, definition, cancellation: TestContext.Current.CancellationToken).ToDictionary(row => row.Form);
            foreach (var row in OperatorProbe.Ask(target, definition, 4, OtherSeed, TestContext.Current.CancellationToken))
            {
                var known = said[row.Form];
                var codes = known.Refusals.Select(refusal => refusal.Code).ToList();
                var fits = (known.Compiled < known.Tried || row.Compiled == row.Tried) && (known.Compiled > 0 || row.Compiled == 0)
                    && row.Refusals.All(refusal => codes.Contains(refusal.Code, StringComparer.Ordinal));
                if (!fits)
                {
                    wrong.Add($"{definition.Keyword} on {ValueFormNames.Of(row.Form)}: {row.Compiled} of {row.Tried}, {string.Join("; ", row.Refusals)}; the table says {known.Compiled} of {known.Tried}, {string.Join(", ", codes)}");
                }
            }
        }

        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    [Fact]
    public void Every_operator_has_a_row_for_each_kind_of_numbers_it_is_defined_on()
    {
        var target = CompilerTargets.Find("arrayflex")!;
        Assert.All(OperatorTable.All, definition => Assert.Equal(
            AnyNetworks.Forms.Where(form => definition.Forms.HasFlag(form)), OperatorProbe.Ask(target, definition, 1, cancellation: TestContext.Current.CancellationToken).Select(row => row.Form)));
    }
}
