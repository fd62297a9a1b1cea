using CnnCompiler.Fuzzing;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Frontend.Tests.Language;

/// <summary>Whatever the text: no exception, and a diagnostic inside the file where there is no network.</summary>
public sealed class RobustnessTests
{
    private const int Mutants = 2_000;

    [Fact]
    public void Three_mistakes_are_three_diagnostics_and_nothing_follows_from_them()
    {
        var diagnostics = Diagnose(
            """
            network lenet5 {
                weights "lenet5.npz"
                input image : i8[1x28x28x1] scale 0.003921569 zero -128
                conv1 = conv2d(image, filters=6 kernel=5x5, padding=same, activation=relu)
                pool1 = max_pool2d(conv1, kernel=2x2)
                conv2 = conv2d(pool1, filters=16, kernal=5x5, kernel=5x5, activation=relu)
                pool2 = max_pool2d(conv2, kernel=2x2)
                dense1 = dense(pool3, units=120, activation=relu)
                dense2 = dense(dense1, units=84, activation=relu)
                logits = dense(dense2, units=10)
                probabilities = softmax(logits)
                output probabilities
            }
            """);
        Assert.Equal(["CNN0205 4,37", "CNN0214 6,39", "CNN0211 8,20"], diagnostics);
    }

    [Theory]
    [InlineData("{ input x : i8[1] scale 1 a = relu(x) output a, b }", "CNN0205 1,1", "CNN0213 1,31", "CNN0211 1,49")]
    [InlineData("network { input x : i8[1] scale 1\n a = relu(x) output a, b }", "CNN0205 1,9", "CNN0213 2,6", "CNN0211 2,24")]
    [InlineData("network n input x : i8[1] scale 1\n a = relu(x) output a, b }", "CNN0205 1,11", "CNN0213 2,6", "CNN0211 2,24")]
    [InlineData("network n { input x : i8[1] scale 1\n 5\n a = relu(x)\n ? output a, b }", "CNN0205 2,2", "CNN0213 3,6", "CNN0201 4,2", "CNN0211 4,14")]
    [InlineData("network n { input x i8[1] scale 1\n a = activation(x, function=relu)\n b = add(a a)\n c = add(b, a, activation=rely) : scale 1\n output c }", "CNN0205 1,21", "CNN0205 3,12", "CNN0219 4,27")]
    [InlineData("network n { input x : i8[1] scale 1\n a = activation(x,\n  funktion=relu,\n  function=)\n b = add(a, y) : scale 1 output b }", "CNN0205 4,12", "CNN0211 5,13")]
    [InlineData("network n { weights input x : i8[1] scale 1 a = dense(x, units=1) : scale 0\n output a }", "CNN0205 1,21", "CNN0223 1,75")]
    public void Recovery_goes_on_with_the_next_statement(string text, params string[] expected) => Assert.Equal(expected, Diagnose(text));

    [Fact]
    public void Mutated_networks_are_compiled_or_refused_inside_the_file()
    {
        string[] texts =
        [
            File.ReadAllText(Path.Combine(Samples.Folder, "lenet5.cnn")),
            LanguageDocumentTests.Text("every_layer"),
            LanguageDocumentTests.Text("blocks"),
        ];
        Func<string, byte[]?>[] folders =
        [
            CachedSamples(),
            Examples.Folder(Examples.Documented["every_layer"]),
            _ => null,
        ];
        var random = new SeededRandom(7);
        var refused = 0;
        for (var i = 0; i < Mutants; i++)
        {
            var which = i % texts.Length;
            var text = texts[which];
            for (var edits = 1 + random.Below(3); edits > 0; edits--)
            {
                text = Mutate(text, random);
            }

            refused += IsRefusedInside(text, folders[which]) ? 1 : 0;
        }

        Assert.InRange(refused, Mutants / 2, Mutants - 1);
    }

    [Theory]
    [InlineData("")]
    [InlineData("\u0000")]
    [InlineData("network")]
    [InlineData("network n {")]
    [InlineData("/*")]
    [InlineData("\"")]
    [InlineData("}")]
    [InlineData("\ud83d")]
    [InlineData("network n { input x : i8[1] scale 1e999999999 output x }")]
    [InlineData("network n { input x : i8[1] scale 0 zero 99999999999999999999999 output x }")]
    public void Odd_texts_are_refused(string text) => Assert.True(IsRefusedInside(text, _ => null));

    [Theory]
    [InlineData("(", "CNN0204")]
    [InlineData("a = pad(", "CNN0204")]
    [InlineData("\u0000", "CNN0201")]
    [InlineData("\"\n", "CNN0202")]
    [InlineData("network ", "CNN0205")]
    [InlineData("a = (b) ", "CNN0205")]
    [InlineData("1x", "CNN0205")]
    [InlineData("9", "CNN0205")]
    [InlineData("/*/", "CNN0203")]
    [InlineData("x\n", "CNN0205")]
    [InlineData("-", "CNN0205")]
    [InlineData("repeat 9 {", "CNN0204")]
    [InlineData("block b(v) ", "CNN0205")]
    [InlineData("a, b = ", "CNN0205")]
    public void A_text_as_long_as_may_be_is_refused_with_few_diagnostics(string part, string code)
    {
        var text = string.Concat(Enumerable.Repeat(part, LanguageLimits.Characters / part.Length));
        var diagnostics = new DiagnosticBag();
        Assert.Null(CnnFrontend.Parse(text, "test.cnn", _ => null, diagnostics));
        Assert.InRange(diagnostics.Diagnostics.Count, 1, LanguageLimits.Diagnostics + 1);
        Assert.Contains(diagnostics.Diagnostics, diagnostic => diagnostic.Code == code);
    }

    [Fact]
    public void More_mistakes_than_are_shown_end_with_a_note()
    {
        var text = "network n { input x : i8[1] scale 1 " + string.Concat(Enumerable.Range(0, 500).Select(i => FormattableString.Invariant($"v{i} = relu(x)\n"))) + "output x }";
        var diagnostics = Diagnose(text);
        Assert.Equal(LanguageLimits.Diagnostics + 1, diagnostics.Count);
        Assert.Equal("CNN0207 0,0", diagnostics[^1]);
        Assert.All(diagnostics.SkipLast(1), diagnostic => Assert.StartsWith("CNN0213", diagnostic, StringComparison.Ordinal));
    }

    [Fact]
    public void A_text_that_is_too_long_is_refused_unread()
    {
        var diagnostics = new DiagnosticBag();
        Assert.Null(CnnFrontend.Parse(new string(' ', LanguageLimits.Characters + 1), "test.cnn", _ => null, diagnostics));
        Assert.Equal("CNN0200", Assert.Single(diagnostics.Diagnostics).Code);
        Assert.Equal("test.cnn", diagnostics.Diagnostics[0].Span.ToString());
    }

    [Fact]
    public void A_weight_file_that_is_none_is_one_diagnostic_and_not_one_for_each_layer()
    {
        var diagnostics = new DiagnosticBag();
        var text = File.ReadAllText(Path.Combine(Samples.Folder, "lenet5.cnn"));
        Assert.Null(CnnFrontend.Parse(text, "lenet5.cnn", _ => new byte[100], diagnostics));
        Assert.StartsWith("CNN03", Assert.Single(diagnostics.Diagnostics).Code, StringComparison.Ordinal);
    }

    private static Func<string, byte[]?> CachedSamples()
    {
        var bytes = Samples.Companion("lenet5.npz");
        return path => path == "lenet5.npz" ? bytes : null;
    }

    private static List<string> Diagnose(string text)
    {
        var diagnostics = new DiagnosticBag();
        Assert.Null(CnnFrontend.Parse(text, "test.cnn", Samples.Companion, diagnostics));
        return [.. diagnostics.Diagnostics.Select(diagnostic => FormattableString.Invariant($"{diagnostic.Code} {diagnostic.Span.Line},{diagnostic.Span.Column}"))];
    }

    private static bool IsRefusedInside(string text, Func<string, byte[]?> companions)
    {
        var diagnostics = new DiagnosticBag();
        var graph = CnnFrontend.Parse(text, "test.cnn", companions, diagnostics);
        Assert.Equal(diagnostics.HasErrors, graph is null);
        var lines = text.Split('\n');
        var formatted = CnnFormatter.Format(text, "test.cnn", new DiagnosticBag());
        Assert.True(graph is null || formatted is not null);
        foreach (var diagnostic in diagnostics.Diagnostics)
        {
            Assert.Equal("test.cnn", diagnostic.Span.File);
            Assert.InRange(diagnostic.Span.Line, 1, lines.Length);
            Assert.InRange(diagnostic.Span.Column, 1, lines[diagnostic.Span.Line - 1].Length + 1);
            Assert.DoesNotContain(diagnostic.Message, char.IsControl);
        }

        return graph is null;
    }

    private static string Mutate(string text, SeededRandom random)
    {
        const string alphabet = "(){}[]=:,-+%\"/*.xe0159 \n@#\u0000\u00e9aelmnopst_";
        if (text.Length < 2)
        {
            return text + "x";
        }

        var at = random.Below(text.Length - 1);
        var other = random.Below(text.Length - 1);
        var length = 1 + random.Below(Math.Min(12, text.Length - at - 1));
        var character = alphabet[random.Below(alphabet.Length)];
        return random.Below(7) switch
        {
            0 => text.Remove(at, 1),
            1 => text.Remove(at, length),
            2 => text.Insert(at, character.ToString()),
            3 => text.Remove(at, 1).Insert(at, character.ToString()),
            4 => text.Insert(other, text.Substring(at, length)),
            5 => text[..at],
            _ => text.Remove(at, 2).Insert(at, $"{text[at + 1]}{text[at]}"),
        };
    }
}
