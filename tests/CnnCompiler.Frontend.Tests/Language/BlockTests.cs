using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Frontend.Tests.Language;

/// <summary>Constants, blocks and repeats unfold into the layers that one would write.</summary>
public sealed class BlockTests
{
    private const string Relu = "activation(x, function=relu)";

    [Fact]
    public void Layers_of_the_documents_blocks_have_the_documented_names()
    {
        var graph = LanguageDocumentTests.Parse("blocks");
        Assert.Equal(
            [
                "y.wide",
                "y.1.first.wide", "y.1.second.wide", "y.1.sum",
                "y.2.first.wide", "y.2.second.wide", "y.2.sum",
                "y.3.wide", "y.4.wide",
                "largest.left", "largest.right",
            ],
            graph.Layers.Select(layer => layer.Name));
        Assert.Equal(["largest.left", "largest.right"], graph.Outputs);
        Assert.Equal(["y.2.second.wide", "y.1.sum"], graph.Layers[6].Inputs);
        Assert.Equal([16, 24], graph.Layers.Skip(7).Take(2).Select(layer => layer.Type.Shape[3]));
        Assert.Equal(FusedActivation.None, ((Conv2D)graph.Layers[2]).Activation);
        Assert.Equal(FusedActivation.Relu, ((Conv2D)graph.Layers[1]).Activation);
        Assert.Equal(5, ((Conv2D)graph.Layers[0]).Weights.Shape[1]);
    }

    [Fact]
    public void Names_of_unfolded_layers_survive_the_ir_text()
    {
        var graph = LanguageDocumentTests.Parse("blocks");
        var (text, constants) = NetworkPrinter.Print(graph);
        Assert.Equal(graph, NetworkParser.Parse(text, "ir", constants, new DiagnosticBag()));
    }

    [Theory]
    [InlineData("2 + 3 * 4", 14)]
    [InlineData("(2 + 3) * 4", 20)]
    [InlineData("20 - 3 - 4", 13)]
    [InlineData("40 / 4 / 2", 5)]
    [InlineData("7 / 2 + -7 / 2", 0)]
    [InlineData("-7 % 4 + 7 % -4", 0)]
    [InlineData("- -(3)", 3)]
    [InlineData("---3 + 9", 6)]
    [InlineData("three * three - 2 *(three)", 3)]
    [InlineData("9223372036854775807 % 1000", 807)]
    public void Arithmetic_is_that_of_integers(string expression, int expected)
    {
        var graph = Parse($"const three = 3 const result = {expression} a = pad(x, before=(0, 0, 0, 0), after=(0, 0, 0, {expression})) b = pad(x, before=(0, 0, 0, result), after=0x0x0x0) output a, b");
        Assert.Equal(expected, ((Pad)graph.Layers[0]).After[3]);
        Assert.Equal(expected, ((Pad)graph.Layers[1]).Before[3]);
    }

    [Fact]
    public void A_repeat_is_its_body_written_as_often()
    {
        var repeated = Parse($"repeat 3 {{ a = {Relu} x = add(a, x) : scale 1 }} output x");
        var written = Parse(
            """
            a1 = activation(x, function=relu) x1 = add(a1, x) : scale 1
            a2 = activation(x1, function=relu) x2 = add(a2, x1) : scale 1
            a3 = activation(x2, function=relu) x3 = add(a3, x2) : scale 1
            output x3
            """);
        Assert.Equal(["a.1", "x.1", "a.2", "x.2", "a.3", "x.3"], repeated.Layers.Select(layer => layer.Name));
        Assert.Equal(written.Layers.Select(layer => string.Join(',', layer.Inputs)), repeated.Layers.Select(layer => string.Join(',', layer.Inputs).Replace(".", string.Empty, StringComparison.Ordinal)));
        Assert.Equal(["x.3"], repeated.Outputs);
    }

    [Fact]
    public void Repeats_inside_repeats_and_blocks_carry_values_out()
    {
        var graph = Parse(
            """
            block chain(v, n: int) {
                repeat i in 1..n {
                    repeat i - 1 { v = activation(v, function=relu) }
                    v = pad(v, before=0x0x0x0, after=(0, 0, 0, i))
                }
                output v
            }
            a = chain(x, n=3)
            b = chain(a, n=0)
            output b
            """);
        Assert.Equal(["a.v.1", "a.v.2", "a.v.3", "a.v.4", "a.v.5", "a.v.6"], graph.Layers.Select(layer => layer.Name));
        Assert.Equal(["pad", "activation", "pad", "activation", "activation", "pad"], graph.Layers.Select(layer => layer.Keyword));
        Assert.Equal(["x", "a.v.1", "a.v.2", "a.v.3", "a.v.4", "a.v.5"], graph.Layers.Select(layer => Assert.Single(layer.Inputs)));
        Assert.Equal(["a.v.6"], graph.Outputs);
    }

    [Fact]
    public void Blocks_see_only_their_parameters_and_constants_above()
    {
        var diagnostics = Diagnose(
            """
            const above = 1
            block b(v, above: int = above * 2) { w = pad(v, before=0x0x0x0, after=(0, 0, 0, above)) z = add(w, outer) : scale 1 output z }
            block c(v) { w = pad(v, before=0x0x0x0, after=(0, 0, 0, below * 1)) output w }
            const below = 2
            outer = activation(x, function=relu)
            a = b(x)
            e = c(x)
            output a, e, outer
            """);
        Assert.Equal(["CNN0211 3,100", "CNN0249 7,1", "CNN0243 4,57", "CNN0249 8,1"], diagnostics.Select(Place));
    }

    [Fact]
    public void A_mistake_in_a_block_is_reported_once_with_the_calls_that_lead_to_it()
    {
        var diagnostics = Diagnose(
            """
            block inner(v) {
                w = max_pool2d(v, kernel=9)
                output w
            }
            block outer(v) {
                repeat 3 { u = inner(v) v = add(u, v) : scale 1 }
                output v
            }
            a = outer(x)
            b = outer(a)
            output b, missing
            """);
        Assert.Equal(["CNN0117 3,5", "CNN0249 7,16", "CNN0249 10,1", "CNN0211 12,11"], diagnostics.Select(Place));
        Assert.Contains("'a.u.1.w'", diagnostics[0].Message, StringComparison.Ordinal);
        Assert.Contains("'inner' that gives 'a.u.1'", diagnostics[1].Message, StringComparison.Ordinal);
        Assert.Contains("'outer' that gives 'a'", diagnostics[2].Message, StringComparison.Ordinal);
        Assert.All(diagnostics.Skip(1).Take(2), note => Assert.Equal(DiagnosticSeverity.Note, note.Severity));
    }

    [Fact]
    public void What_the_verifier_finds_in_a_block_names_the_call_too()
    {
        var diagnostics = Diagnose("block b(v) { w = softmax(v) : scale 0.5 output w }\na = b(x) output a");
        Assert.Equal(["CNN0122 2,14", "CNN0249 3,1"], diagnostics.Select(Place));
    }

    [Fact]
    public void Calls_are_nested_only_so_deep()
    {
        var blocks = string.Concat(Enumerable.Range(1, LanguageLimits.Calls).Select(i => FormattableString.Invariant($"block b{i}(v) {{ w = b{i - 1}(v) output w }}\n")));
        string Text(int first) => FormattableString.Invariant($"block b0(v) {{ output v }}\n{blocks}a = b{first}(x) output a");
        Assert.DoesNotContain(Diagnose(Text(LanguageLimits.Calls - 1) + ", y"), diagnostic => diagnostic.Code == "CNN0247");
        var diagnostics = Diagnose(Text(LanguageLimits.Calls));
        Assert.Equal("CNN0247 3,19", Place(diagnostics[0]));
        Assert.Equal(LanguageLimits.Calls, diagnostics.Count(diagnostic => diagnostic.Code == "CNN0249"));
    }

    [Theory]
    [InlineData(0, "CNN0250")]
    [InlineData(1, "CNN0250")]
    public void Blocks_that_double_one_another_are_refused(int layers, string code)
    {
        var body = layers == 0 ? "output v" : "w = activation(v, function=relu) output w";
        var blocks = string.Concat(Enumerable.Range(1, 30).Select(i => FormattableString.Invariant($"block b{i}(v) {{ w = b{i - 1}(v) u = b{i - 1}(w) output u }}\n")));
        var diagnostics = Diagnose($"block b0(v) {{ {body} }}\n{blocks}a = b30(x) output a");
        Assert.Equal(code, diagnostics[0].Code);
        Assert.Single(diagnostics, diagnostic => diagnostic.Severity == DiagnosticSeverity.Error);
    }

    [Theory]
    [InlineData("repeat 200000 { repeat 200000 { repeat 200000 { } } }")]
    [InlineData("repeat 200000 { const a = 1 }")]
    [InlineData("repeat 200000 { const a = 1 / 0 }")]
    [InlineData("repeat 20000 { y = missing(z) }")]
    public void Hostile_repeats_are_refused(string statements) =>
        Assert.InRange(Diagnose(statements + " output x").Count(diagnostic => diagnostic.Severity == DiagnosticSeverity.Error), 1, 3);

    [Fact]
    public void Expressions_in_repeats_count_as_work()
    {
        var sum = string.Join('+', Enumerable.Repeat("1", 100_000));
        var diagnostics = Diagnose($"repeat 100000 {{ const a = {sum} }} output x");
        Assert.Equal("CNN0250", Assert.Single(diagnostics).Code);
    }

    [Fact]
    public void Several_inputs_outputs_and_a_batch_are_computed_element_by_element_as_alone()
    {
        static string Text(int batch) => FormattableString.Invariant(
            $$"""
            network n {
                weights seed 5
                const batch = {{batch}}
                input left : i8[batch, 5, 5, 3] scale 0.02 zero -128
                input right : i8[batch, 5, 5, 3] scale 0.02 zero 3
                a = conv2d(left, filters=4, kernel=3, padding=same, activation=relu)
                b = depthwise_conv2d(right, kernel=3, padding=same)
                c = conv2d(b, filters=4, kernel=1, activation=relu)
                s = add(a, c)
                d = dense(s, units=6)
                output d, s, c
            }
            """);
        var (one, three) = (Full(Text(1)), Full(Text(3)));
        Assert.Equal((2, 3), (three.Inputs.Count, three.Outputs.Count));
        var inputs = three.Inputs.Select((input, which) => Enumerable.Range(0, 225).Select(i => (sbyte)((i * (31 + which) % 251) - 125)).ToArray()).ToList();
        var all = Evaluate(three, inputs.Select(codes => Tensor.From<sbyte>(ElementType.Int8, Shape.Of(3, 5, 5, 3), codes)));
        for (var n = 0; n < 3; n++)
        {
            var alone = Evaluate(one, inputs.Select(codes => Tensor.From<sbyte>(ElementType.Int8, Shape.Of(1, 5, 5, 3), codes.AsSpan(75 * n, 75))));
            for (var output = 0; output < 3; output++)
            {
                var size = alone[output].Bytes.Length;
                Assert.Equal(alone[output].Bytes, all[output].Bytes.Slice(n * size, size));
                Assert.True(alone[output].Bytes.ToArray().Distinct().Count() > 3, "a constant result shows nothing");
            }
        }
    }

    private static IReadOnlyList<Tensor> Evaluate(NetworkGraph graph, IEnumerable<Tensor> inputs)
    {
        var diagnostics = new DiagnosticBag();
        var evaluation = NetworkEvaluator.Evaluate(graph, [.. inputs], diagnostics);
        Assert.Empty(diagnostics.Diagnostics);
        return [.. evaluation!.Outputs];
    }

    private static string Place(Diagnostic diagnostic) => FormattableString.Invariant($"{diagnostic.Code} {diagnostic.Span.Line},{diagnostic.Span.Column}");

    private static string Frame(string statements) => $"network n {{ input x : i8[1x4x4x2] scale 1\n{statements}\n}}";

    private static NetworkGraph Parse(string statements) => Full(Frame(statements));

    private static NetworkGraph Full(string text)
    {
        var diagnostics = new DiagnosticBag();
        var graph = CnnFrontend.Parse(text, "test.cnn", _ => null, diagnostics);
        Assert.Empty(diagnostics.Diagnostics);
        return graph!;
    }

    private static IReadOnlyList<Diagnostic> Diagnose(string statements)
    {
        var diagnostics = new DiagnosticBag();
        Assert.Null(CnnFrontend.Parse(Frame(statements), "test.cnn", _ => null, diagnostics));
        return diagnostics.Diagnostics;
    }
}
