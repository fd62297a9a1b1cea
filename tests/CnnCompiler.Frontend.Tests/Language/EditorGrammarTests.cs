using System.Text.Json;
using System.Text.RegularExpressions;
using CnnCompiler.Frontend.Binding;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Frontend.Tests.Language;

/// <summary>The grammar and snippets for editors say what the ANTLR grammar and the compiler say.</summary>
public sealed partial class EditorGrammarTests
{
    private static readonly string[] Scopes = ["comments", "strings", "declarations", "keywords", "types", "numbers", "attributes", "layers", "operators", "names"];

    private static readonly JsonElement Grammar = Json("cnn.tmLanguage.json");

    public static TheoryData<string> Keywords => [.. Keyword().Matches(File.ReadAllText(PathOf("CnnLexer.g4"))).Select(match => match.Groups["word"].Value)];

    public static TheoryData<string> Layers => [.. LayerKinds.All.Select(kind => kind.Keyword)];

    public static TheoryData<string> Snippets => [.. Json("cnn.snippets.json").EnumerateObject().Select(snippet => snippet.Name)];

    [Theory]
    [MemberData(nameof(Keywords))]
    public void Every_keyword_of_the_parser_is_one_in_the_editor(string word)
    {
        var (scope, text) = Tokens($"{word} ").First();
        Assert.StartsWith("keyword.", scope, StringComparison.Ordinal);
        Assert.Equal(word, text);
    }

    [Theory]
    [MemberData(nameof(Layers))]
    public void Every_layer_is_shown_as_one(string layer) =>
        Assert.Contains(("support.function.layer.cnn", layer), Tokens($"    y = {layer}(x, kernel=3)"));

    [Fact]
    public void The_parts_of_a_network_have_their_scopes()
    {
        Assert.Equal(
            [
                ("keyword.other.declaration.cnn", "input"), ("variable.other.cnn", "image"), ("keyword.operator.cnn", ":"), ("storage.type.cnn", "i8"), ("constant.numeric.extents.cnn", "1x28x28x1"),
                ("keyword.other.modifier.cnn", "scale"), ("constant.numeric.float.cnn", "0.5"), ("keyword.other.modifier.cnn", "zero"), ("keyword.operator.cnn", "-"), ("constant.numeric.integer.cnn", "128"),
                ("comment.line.double-slash.cnn", "// pixels"),
            ],
            Tokens("input image : i8[1x28x28x1] scale 0.5 zero -128 // pixels"));
        Assert.Equal(
            [
                ("variable.other.cnn", "a"), ("variable.other.cnn", "b"), ("keyword.operator.cnn", "="), ("support.function.layer.cnn", "split"), ("variable.other.cnn", "x"), ("variable.parameter.cnn", "axis"),
                ("keyword.operator.cnn", "="), ("constant.numeric.integer.cnn", "3"),
            ],
            Tokens("a, b = split(x, axis=3)"));
        Assert.Equal(("string.quoted.double.cnn", "\"lenet5.npz\""), Tokens("weights \"lenet5.npz\"").Last());
    }

    [Fact]
    public void Every_word_of_every_sample_has_a_scope()
    {
        foreach (var file in Directory.EnumerateFiles(Path.Combine(SharedMaterial.Repository, "samples"), "*.cnn", SearchOption.AllDirectories))
        {
            foreach (var line in File.ReadLines(file))
            {
                var rest = Tokens(line).Aggregate(line, (text, token) => text.IndexOf(token.Text, StringComparison.Ordinal) is var at and >= 0 ? text.Remove(at, token.Text.Length) : text);
                Assert.True(rest.All(c => char.IsWhiteSpace(c) || "{}()[],".Contains(c, StringComparison.Ordinal)), $"{file}: {line}: {rest}");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Snippets))]
    public void A_snippet_is_a_network_or_a_part_of_one_without_mistakes(string name)
    {
        var body = Json("cnn.snippets.json").GetProperty(name).GetProperty("body");
        var text = body.ValueKind == JsonValueKind.Array ? string.Join('\n', body.EnumerateArray().Select(line => line.GetString())) : body.GetString()!;
        text = Placeholder().Replace(text, match => match.Groups["default"].Value);
        if (!text.StartsWith("network", StringComparison.Ordinal))
        {
            var input = text.StartsWith("input", StringComparison.Ordinal) ? string.Empty : "input start : i8[1x16x16x4] scale 0.1 zero 0\n";
            var value = input.Length > 0 ? "x = max_pool2d(start, kernel=1)\n" : string.Empty;
            text = $"network n {{\nweights seed 1\n{(input.Length > 0 ? input + value + text : text)}\nlast = max_pool2d({(input.Length > 0 ? "x" : "image")}, kernel=1)\noutput last\n}}\n";
        }

        var diagnostics = new DiagnosticBag();
        Assert.True(CnnFrontend.Parse(text, name, _ => null, diagnostics) is not null, $"{text}\n{string.Join('\n', diagnostics.Diagnostics)}");
        Assert.DoesNotContain(diagnostics.Diagnostics, diagnostic => diagnostic.Severity == DiagnosticSeverity.Error);
    }

    // As an editor does it: at each place the pattern that matches first, of those the first in order.
    private static IEnumerable<(string Scope, string Text)> Tokens(string line)
    {
        var patterns = Scopes.SelectMany(scope => Grammar.GetProperty("repository").GetProperty(scope).GetProperty("patterns").EnumerateArray()).Where(pattern => pattern.TryGetProperty("match", out _))
            .Select(pattern => (Pattern: pattern, Regex: new Regex(pattern.GetProperty("match").GetString()!, RegexOptions.CultureInvariant, TimeSpan.FromSeconds(10)))).ToList();
        Assert.Equal(Scopes, Grammar.GetProperty("patterns").EnumerateArray().Select(include => include.GetProperty("include").GetString()![1..]));
        for (var at = 0; at < line.Length;)
        {
            var (pattern, match) = patterns.Select(entry => (entry.Pattern, Match: entry.Regex.Match(line, at))).Where(entry => entry.Match.Success).OrderBy(entry => entry.Match.Index).FirstOrDefault();
            if (match is null)
            {
                yield break;
            }

            at = match.Index + Math.Max(1, match.Length);
            if (pattern.TryGetProperty("name", out var name))
            {
                yield return (name.GetString()!, match.Value.Trim());
            }
            else
            {
                foreach (var capture in pattern.GetProperty("captures").EnumerateObject())
                {
                    yield return (capture.Value.GetProperty("name").GetString()!, match.Groups[int.Parse(capture.Name, System.Globalization.CultureInfo.InvariantCulture)].Value);
                }
            }
        }
    }

    private static string PathOf(string name) => Path.Combine(SharedMaterial.Repository, "grammar", name);

    private static JsonElement Json(string name) => JsonDocument.Parse(File.ReadAllText(PathOf(name))).RootElement;

    [GeneratedRegex(@"^[A-Z]+\s*:\s*'(?<word>[a-z]+)'", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 10_000)]
    private static partial Regex Keyword();

    [GeneratedRegex(@"\$\{\d+:(?<default>[^}]*)\}", RegexOptions.ExplicitCapture, 10_000)]
    private static partial Regex Placeholder();
}
