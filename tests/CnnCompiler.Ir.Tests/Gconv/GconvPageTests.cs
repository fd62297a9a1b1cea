using System.Text.RegularExpressions;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Text;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Ir.Tests.Gconv;

/// <summary>docs/gconv.md says what there is: every invariant, every function, examples that are sound.</summary>
public sealed partial class GconvPageTests
{
    private static readonly string Page = File.ReadAllText(Path.Combine(SharedMaterial.Repository, "docs", "gconv.md")).ReplaceLineEndings("\n");

    [Fact]
    public void Every_invariant_is_listed_once_in_the_order_of_the_code() => Assert.Equal(
        Enum.GetValues<GconvInvariant>().Select(GconvDiagnostics.Name),
        InvariantRow().Matches(Page).Select(match => match.Groups["name"].Value));

    [Fact]
    public void Every_function_is_listed_as_the_code_defines_it()
    {
        var rows = ScalarFunctions.All.Select(function =>
            $"| `{function.Name}({string.Join(", ", function.Parameters.Select(parameter => $"{Name(parameter.Type)} {parameter.Name}"))})` | {Name(function.Result)} | {function.Summary} |");

        Assert.Equal(string.Join('\n', rows), string.Join('\n', Page.Split('\n').Where(line => line.StartsWith("| `", StringComparison.Ordinal) && !InvariantRow().IsMatch(line))));

        static string Name(ScalarType? type) => type switch { ScalarType.Integer => "int", ScalarType.Real => "real", _ => "any" };
    }

    [Fact]
    public void The_example_is_a_sound_chain()
    {
        var diagnostics = new DiagnosticBag();
        var example = Page.Split("```gconv\n")[1].Split("```")[0];

        var program = GconvParser.Parse(example, "gconv.md", ConstantStore.Empty, diagnostics);

        Assert.Empty(diagnostics.Diagnostics);
        Assert.Empty(GconvVerifier.Check(program!));
        Assert.Equal(example, GconvPrinter.Print(program!).Text);
    }

    [GeneratedRegex(@"^\| `(?<name>[a-z0-9-]+)` \|", RegexOptions.Multiline | RegexOptions.ExplicitCapture)]
    private static partial Regex InvariantRow();
}
