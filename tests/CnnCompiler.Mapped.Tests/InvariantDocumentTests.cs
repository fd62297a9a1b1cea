using System.Text;
using System.Text.RegularExpressions;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Mapped.Tests;

/// <summary>docs/mapped-invariants.md: what verifier and evaluator of the mapped level refuse, from the comments of their diagnostics, and the tests that break just that.</summary>
public sealed partial class InvariantDocumentTests
{
    private const string Page = "docs/mapped-invariants.md";

    private const string Header =
        """
        # Invariants of the mapped level

        What `MappedVerifier` refuses before anything relies on it, and what `MappedEvaluator` refuses while it runs. All but CNN0968 and CNN0969 only a faulty pass, or a text changed by hand, can break. Each row names the tests of
        `MappedVerifierTests` and `MappedEvaluatorTests` that break the invariant and get its code. A test writes this page (`CNNC_ACCEPT=1`) and fails where a code has no such test. The plans that the mapped level of systolic machines adds
        to a chain are CNN0895, broken by `TargetTests.BrokenTexts`; the chain keeps the invariants of [gconv.md](gconv.md).

        | code | refused | broken by |
        |---|---|---|

        """;

    [Fact]
    public void Every_invariant_is_on_its_page_with_the_tests_that_violate_it()
    {
        var tests = new[] { "MappedVerifierTests", "MappedEvaluatorTests" }
            .SelectMany(name => Method().Matches(Source("tests", "CnnCompiler.Mapped.Tests", name + ".cs")).Select(match => (Name: match.Groups["name"].Value.Replace('_', ' '), Text: match.Value)))
            .ToList();
        var page = new StringBuilder(Header.ReplaceLineEndings("\n"));
        var declared = Declaration().Matches(Source("src", "CnnCompiler.Ir", "Mapped", "MappedDiagnostics.cs")).ToList();
        Assert.True(declared.Count >= 20, $"{declared.Count} diagnostics found");
        foreach (var match in declared)
        {
            var code = match.Groups["code"].Value;
            var breaking = tests.Where(test => test.Text.Contains($"\"{code}\"", StringComparison.Ordinal)).Select(test => test.Name).ToList();
            Assert.True(breaking.Count > 0, $"{code} has no test that violates it");
            page.Append($"| {code} | {char.ToUpperInvariant(match.Groups["refused"].Value[0])}{match.Groups["refused"].Value[1..].TrimEnd('.')} | {string.Join("; ", breaking)} |\n");
        }

        Snapshot.Check(Page, page.ToString());
    }

    private static string Source(params ReadOnlySpan<string> path) => File.ReadAllText(Path.Combine([SharedMaterial.Repository, .. path])).ReplaceLineEndings("\n");

    [GeneratedRegex(@"/// <summary>(?<code>CNN\d{4}): (?<refused>[^\n]*)</summary>", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 10_000)]
    private static partial Regex Declaration();

    [GeneratedRegex(@"    public void (?<name>\w+)\([^\n]*\n    \{.*?\n    \}\n", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture | RegexOptions.Singleline, 10_000)]
    private static partial Regex Method();
}
