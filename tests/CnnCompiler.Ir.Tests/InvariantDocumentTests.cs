using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Ir.Tests;

/// <summary>docs/network-invariants.md: what the verifier of the network level refuses, from the comments of its diagnostics, and the tests that do just that.</summary>
public sealed partial class InvariantDocumentTests
{
    private const string Page = "docs/network-invariants.md";

    private const string Header =
        """
        # Invariants of the network level

        What `NetworkVerifier` refuses before anything relies on it: the evaluator and the lowering take a network that passed as it is. CNN0100 to CNN0199 are what a user can get wrong, and name the layer, what
        came in and what was expected; CNN0920 to CNN0949 only a faulty front end or pass can. Each row lists the graphs of `NetworkVerifierTests` that break the invariant and get its code.
        A test writes this page (`CNNC_ACCEPT=1`) and fails where a code has no such graph.

        | code | refused | broken by |
        |---|---|---|

        """;

    [Fact]
    public void Every_invariant_is_on_its_page_with_the_graphs_that_violate_it()
    {
        var page = new StringBuilder(Header.ReplaceLineEndings("\n"));
        foreach (var (code, refused) in Invariants())
        {
            var names = NetworkVerifierTests.Violations.Where(violation => violation.Code == code).Select(violation => violation.Name).ToList();
            Assert.True(names.Count > 0, $"CNN{code:0000} has no graph that violates it");
            page.Append(CultureInfo.InvariantCulture, $"| CNN{code:0000} | {refused} | {string.Join("; ", names)} |\n");
        }

        // Every code that a graph violates is one that the comments gave.
        Assert.Equal(NetworkVerifierTests.Violations.Select(violation => violation.Code).Distinct().Order(), Invariants().Select(invariant => invariant.Code));
        Snapshot.Check(Page, page.ToString());
    }

    // What can only be wrong with inputs (CNN0133 to CNN0135, CNN0160, CNN0161) and with text (CNN0900 to CNN0919) has its tests at the evaluator and the parser.
    private static IEnumerable<(int Code, string Refused)> Invariants() =>
        new[] { "Network/NetworkDiagnostics.cs", "IrDiagnostics.cs" }
            .Select(file => File.ReadAllText(Path.Combine(SharedMaterial.Repository, "src", "CnnCompiler.Ir", file)).ReplaceLineEndings("\n"))
            .SelectMany(source => Declaration().Matches(source))
            .Select(match => (int.Parse(match.Groups["code"].Value, CultureInfo.InvariantCulture), Plain(match.Groups["summary"].Value)))
            .Where(invariant => invariant.Item1 is (>= 100 and < 133) or (> 135 and < 160) or (>= 920 and < 950))
            .OrderBy(invariant => invariant.Item1);

    private static string Plain(string summary) => Tag().Replace(summary, match => match.Groups["name"].Value.Split('.')[^1]).TrimEnd('.');

    [GeneratedRegex(@"/// <summary>(?<summary>[^\n]*)</summary>\n(?:[ ]*///[^\n]*\n)*[ ]*public static Diagnostic \w+\([^\n]*=>\s+(?:Error|Make)\(\s*(?<code>\d{3}),", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 10_000)]
    private static partial Regex Declaration();

    [GeneratedRegex(@"<[a-z]+ (cref|name|langword)=""(?<name>[^""]*)""/>", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 10_000)]
    private static partial Regex Tag();
}
