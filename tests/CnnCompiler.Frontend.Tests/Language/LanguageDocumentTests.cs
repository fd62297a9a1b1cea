using System.Globalization;
using System.Text.RegularExpressions;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Frontend.Binding;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Frontend.Tests.Language;

/// <summary>docs/language.md says what is so: every example compiles, and its tables are those of the compiler.</summary>
public sealed partial class LanguageDocumentTests
{
    private static readonly string _document = File.ReadAllText(Path.Combine(SharedMaterial.Repository, "docs", "language.md")).ReplaceLineEndings("\n");

    public static TheoryData<string> Networks => [.. Blocks("cnn").Select(Examples.NetworkName)];

    [Theory]
    [MemberData(nameof(Networks))]
    public void Every_example_compiles_without_a_warning(string network) => Assert.NotEmpty(Parse(network).Layers);

    [Theory]
    [MemberData(nameof(Networks))]
    public void Every_example_can_be_evaluated(string network)
    {
        var graph = Parse(network);
        var diagnostics = new DiagnosticBag();
        var inputs = graph.Inputs.Select(input => new Tensor(input.Type.Element, input.Type.Shape, new byte[input.Type.Shape.Elements * input.Type.Element.Size()])).ToList();
        var evaluation = NetworkEvaluator.Evaluate(graph, inputs, diagnostics);
        Assert.Empty(diagnostics.Diagnostics);
        Assert.Equal(graph.Outputs.Count, evaluation!.Outputs.Count);
    }

    [Fact]
    public void The_example_with_mistakes_gives_the_diagnostics_that_follow_it()
    {
        var text = Assert.Single(Blocks("cnn-errors"));
        var diagnostics = Examples.Diagnose(text, Examples.Documented["mistakes"], "mistakes.cnn");
        Assert.Equal(Assert.Single(Blocks("text")).TrimEnd('\n'), string.Join('\n', diagnostics));
    }

    [Fact]
    public void The_examples_use_every_layer_and_every_attribute_of_the_compiler()
    {
        var text = string.Concat(Blocks("cnn"));
        foreach (var kind in LayerKinds.All)
        {
            var calls = Regex.Matches(text, $@"= {kind.Keyword}\((?:[^:\n]|\n {{20}})*", RegexOptions.CultureInvariant, TimeSpan.FromSeconds(10)).Select(match => match.Value).ToList();
            Assert.True(calls.Count > 0, $"{kind.Keyword} is missing");
            Assert.All(kind.Names, attribute => Assert.True(calls.Exists(call => call.Contains($"{attribute}=", StringComparison.Ordinal)), $"{kind.Keyword} {attribute}"));
        }
    }

    [Fact]
    public void The_table_of_layers_has_every_layer_with_its_attributes()
    {
        foreach (var kind in LayerKinds.All)
        {
            var row = _document.Split('\n').Single(line => line.StartsWith("| `", StringComparison.Ordinal) && line.Split('|')[1].Contains($"`{kind.Keyword}`", StringComparison.Ordinal) && line.Split('|').Length == 5);
            Assert.Equal(
                kind.Names.Order(StringComparer.Ordinal),
                Code().Matches(row.Split('|')[3]).Select(match => match.Value).Order(StringComparer.Ordinal));
            foreach (var attribute in kind.Attributes.Where(attribute => attribute.Default is not null and not "the kernel"))
            {
                var written = Regex.Match(row, $@"`{attribute.Name}`[^;`]*\((?<value>[^)]*)\)", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(10)).Groups["value"].Value;
                Assert.True(IsSame(attribute.Default!, written), $"{kind.Keyword} {attribute.Name}: {attribute.Default}, the table says {written}");
            }
        }

        static bool IsSame(string value, string written) =>
            value.StartsWith(written, StringComparison.Ordinal)
            || (float.TryParse(value, CultureInfo.InvariantCulture, out var first) && float.TryParse(written, CultureInfo.InvariantCulture, out var second) && first.Equals(second));
    }

    [Fact]
    public void The_table_of_diagnostics_has_every_code_of_the_language()
    {
        var table = _document[_document.IndexOf("## Diagnostics", StringComparison.Ordinal)..];
        Assert.All(DiagnosticPlaceTests.AllCodes(), code => Assert.Contains(code, table, StringComparison.Ordinal));
    }

    [Fact]
    public void The_limits_are_those_of_the_compiler()
    {
        Assert.Contains($"at most 262,144\ncharacters and {LanguageLimits.Nesting} nested brackets", _document, StringComparison.Ordinal);
        Assert.Equal(262_144, LanguageLimits.Characters);
        Assert.Contains(FormattableString.Invariant($"a network at most {LanguageLimits.Layers:N0} layers"), _document, StringComparison.Ordinal);
        Assert.Contains(FormattableString.Invariant($"Calls may be {LanguageLimits.Calls} deep. Unfolding stops with an error beyond {LanguageLimits.Layers:N0} layers or {LanguageLimits.Unfolded:N0} "), _document, StringComparison.Ordinal);
        Assert.Contains(FormattableString.Invariant($"at most {LanguageLimits.Name} characters"), _document, StringComparison.Ordinal);
        Assert.Contains("at most 2^28 seeded weights", _document, StringComparison.Ordinal);
        Assert.Equal(1L << 28, LanguageLimits.SeededWeights);
        Assert.Contains($"at most {NetworkLimits.Rank} dimensions and 2^28 elements", _document, StringComparison.Ordinal);
        Assert.Equal(1L << 28, NetworkLimits.Elements);
    }

    /// <summary>A network of the document.</summary>
    internal static NetworkGraph Parse(string network)
    {
        var diagnostics = new DiagnosticBag();
        var graph = CnnFrontend.Parse(Text(network), "language.md", Examples.Folder(Examples.Documented.GetValueOrDefault(network) ?? []), diagnostics);
        Assert.Empty(diagnostics.Diagnostics);
        return Assert.IsType<NetworkGraph>(graph);
    }

    /// <summary>The text of a network of the document.</summary>
    internal static string Text(string network) => Blocks("cnn").Single(block => Examples.NetworkName(block) == network);

    private static IEnumerable<string> Blocks(string language) =>
        _document.Split($"```{language}\n").Skip(1).Select(rest => rest[..rest.IndexOf("```", StringComparison.Ordinal)]);

    [GeneratedRegex("(?<=`)[a-z_]+(?=`)", RegexOptions.CultureInvariant, 10_000)]
    private static partial Regex Code();
}
