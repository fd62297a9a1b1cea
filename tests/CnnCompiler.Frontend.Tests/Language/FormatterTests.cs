using System.Text;
using Antlr4.Runtime;
using CnnCompiler.Frontend.Syntax.Generated;
using CnnCompiler.Fuzzing;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Frontend.Tests.Language;

/// <summary>The formatter changes layout only, keeps comments, and leaves what it has made alone.</summary>
public sealed class FormatterTests
{
    private const string Ugly = """
        // head


        /* a */ network   n{const w=-3+2*(4-1)
          input x:i8[1,4 , 4,w+w] scale 1e-1 zero- 3 // trailing
           // own
        block b(v,n:int=- -1,p:word=same){r=max_pool2d(v,kernel=(n,n),padding=p,stride=1) output r}


        repeat i in 1 .. 2{x=b(x,n=i /* in */ ) /* after */ }
        a=conv2d(x,filters=16,kernel=3x3,stride=1x1,padding=(1,1,1,1),dilation=1,groups=1,bias=none,activation=relu,rounding="tflite-double"):scale 0.5
        // in front of
        c, // of c
        d=halves(a,
        // before size
          size=2)
        output a,c
        // end
        }
        /* last
            words */
        """;

    private const string Pretty = """
        // head

        /* a */
        network n {
            const w = -3 + 2 * (4 - 1)
            input x : i8[1, 4, 4, w + w] scale 1e-1 zero -3 // trailing
            // own
            block b(v, n: int = --1, p: word = same) {
                r = max_pool2d(v, kernel=(n, n), padding=p, stride=1)
                output r
            }

            repeat i in 1..2 {
                x = b(x, n=i /* in */) /* after */
            }
            a = conv2d(x, filters=16, kernel=3x3, stride=1x1, padding=(1, 1, 1, 1), dilation=1, groups=1, bias=none,
                activation=relu, rounding="tflite-double") : scale 0.5
            // in front of
            c, // of c
                d = halves(a,
                // before size
                size=2)
            output a, c
            // end
        }
        /* last
            words */

        """;

    public static TheoryData<string> Texts =>
    [
        File.ReadAllText(Path.Combine(Samples.Folder, "lenet5.cnn")),
        .. new[] { "tiny", "two_inputs", "every_layer", "arithmetic", "blocks", "layout" }.Select(LanguageDocumentTests.Text),
        Ugly,
        Ugly.ReplaceLineEndings("\r\n"),
    ];

    [Fact]
    public void The_layout_is_the_documented_one() => Assert.Equal(Pretty.ReplaceLineEndings("\n"), Format(Ugly));

    [Fact]
    public void The_documents_example_of_the_layout_is_formatted() =>
        Assert.Equal(LanguageDocumentTests.Text("layout"), Format(LanguageDocumentTests.Text("layout")));

    [Theory]
    [MemberData(nameof(Texts))]
    public void Formatting_keeps_tokens_and_comments_and_is_idempotent(string text) => Check(text);

    [Theory]
    [MemberData(nameof(Texts))]
    public void Comments_and_line_breaks_anywhere_survive(string text)
    {
        string[] insertions = [" ", "\n", "\n\n\n", " // c\n", "\n// own\n", " /* i */ ", "\n/* two\n   lines */\n", " /**/ /* x */ // y\n", "\t"];
        var random = new SeededRandom(11);
        for (var round = 0; round < 60; round++)
        {
            var mixed = new StringBuilder();
            foreach (var token in Tokens(text, spaces: true))
            {
                mixed.Append(token.Text);
                if (random.Below(4) == 0)
                {
                    // A comment needs its line end, and two words a space, wherever they are.
                    mixed.Append(token.Type == CnnLexer.LINE_COMMENT ? "\n" : insertions[random.Below(insertions.Length)]);
                }
            }

            Check(mixed.ToString());
        }
    }

    [Fact]
    public void A_network_is_the_same_after_formatting()
    {
        var (text, arrays) = (LanguageDocumentTests.Text("every_layer"), Examples.Folder(Examples.Documented["every_layer"]));
        var diagnostics = new DiagnosticBag();
        Assert.Equal(LanguageDocumentTests.Parse("every_layer"), CnnFrontend.Parse(Format(text)!, "test.cnn", arrays, diagnostics));
    }

    [Fact]
    public void A_text_with_wrong_syntax_is_not_formatted()
    {
        var diagnostics = new DiagnosticBag();
        Assert.Null(CnnFormatter.Format("network n {\n a = f(x\n}", "test.cnn", diagnostics));
        Assert.Equal("test.cnn(2,9)", Assert.Single(diagnostics.Diagnostics).Span.ToString());
        Assert.Null(CnnFormatter.Format(new string(' ', LanguageLimits.Characters + 1), "test.cnn", diagnostics));
        Assert.Equal("CNN0200", diagnostics.Diagnostics[^1].Code);
    }

    private static void Check(string text)
    {
        var formatted = Format(text);
        Assert.Equal(Tokens(text).Select(Text), Tokens(formatted).Select(Text));
        Assert.Equal(formatted, Format(formatted));
        Assert.DoesNotContain("\n\n\n", formatted, StringComparison.Ordinal);

        static string Text(IToken token) => token.Text.ReplaceLineEndings("\n").TrimEnd();
    }

    private static string Format(string text)
    {
        var diagnostics = new DiagnosticBag();
        var formatted = CnnFormatter.Format(text, "test.cnn", diagnostics);
        Assert.Empty(diagnostics.Diagnostics);
        return Assert.IsType<string>(formatted);
    }

    private static List<IToken> Tokens(string text, bool spaces = false) =>
        [.. new CnnLexer(new AntlrInputStream(text), TextWriter.Null, TextWriter.Null).GetAllTokens().Where(token => spaces || token.Type != CnnLexer.SPACE)];
}
