using System.Text.RegularExpressions;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Frontend.Tests.Language;

/// <summary>Each diagnostic of the language, alone, at the very line and column (marked by §) and with a remedy.</summary>
public sealed partial class DiagnosticPlaceTests
{
    private const string Input = "input x : i8[1x4x4x2] scale 1";

    private static readonly Dictionary<string, Tensor> _arrays = Examples.Join(
        Examples.Layer("c", 0, 2, 3, 3, 2), Examples.Result("c", 0.5f, 3), Examples.Layer("d", 0, 10, 32), Examples.Layer("w", 3, 1, 3, 3, 4));

    /// <summary>Code, and a network; statements alone get a frame with an input x, the arrays of c, d and w, and an output of x.</summary>
    public static TheoryData<string, string> Mistakes => new()
    {
        { "CNN0201", "a§@ = activation(x, function=relu) output a" },
        { "CNN0201", "a = activation(x, §\u0000function=relu) output a" },
        { "CNN0201", "a = activation(x, §\ud83d\u200bfunction=relu) output a" },
        { "CNN0202", "weights §\"example.npz\n c = conv2d(x, filters=2, kernel=3) output c" },
        { "CNN0203", "network n { " + Input + " output x } §/* and so on\n **" },
        { "CNN0204", "a = pad(x, before=" + new string('(', 30) + "§((1)), after=1)" },
        { "CNN0205", "§netwrk n { " + Input + " output x }" },
        { "CNN0205", "network n { " + Input + " output x } §}" },
        { "CNN0205", "network §{ " + Input + " output x }" },
        { "CNN0205", "network n §" + Input + " output x }" },
        { "CNN0205", "a = conv2d(x §filters=2, kernel=3)\n output a" },
        { "CNN0205", "a = conv2d(x, filters=§= 2, kernel=3)\n output a" },
        { "CNN0205", "a = conv2d(x, filters=2, §) output a" },
        { "CNN0205", "a §conv2d(x, filters=2, kernel=3) output a" },
        { "CNN0205", "a = §(x) output a" },
        { "CNN0205", "input §input : i8[1x2] scale 1" },
        { "CNN0205", "input y : i8§(1x2) scale 1" },
        { "CNN0205", "input y : i8[§] scale 1" },
        { "CNN0205", "input y : §[1x2] scale 1" },
        { "CNN0205", "input y : i8[1x2] scale §zero 1" },
        { "CNN0205", "weights §example.npz" },
        { "CNN0205", "a = softmax(x) §5 output a" },
        { "CNN0206", "a = max_pool2d(x, kernel=2x2§\n b = activation(a, function=relu)\n output b" },
        { "CNN0206", "network n { " + Input + " output x§\n" },
        { "CNN0206", "network n {" + Input + "\n weights§\n output x }" },
        { "CNN0206", "network n§" },
        { "CNN0206", "a = conv2d(x,\n filters=2,\n kernel=§\n output a" },
        { "CNN0210", "a = activation(x, function=relu)\n §a = activation(x, function=relu6) output a" },
        { "CNN0210", "§x = activation(x, function=relu)" },
        { "CNN0210", "input §x : i8[1x2] scale 1" },
        { "CNN0211", "a = activation(§y, function=relu) output a" },
        { "CNN0211", "output §y" },
        { "CNN0212", "a = activation(§b, function=relu)\n b = activation(x, function=relu) output a, b" },
        { "CNN0212", "a = add(x, §a) : scale 1 output a" },
        { "CNN0213", "a = §relu(x) output a" },
        { "CNN0214", "a = activation(x, §funktion=relu, function=relu) output a" },
        { "CNN0215", "a = activation(x, function=relu, §function=relu) output a" },
        { "CNN0216", "a = §activation(x) output a" },
        { "CNN0216", "weights \"example.npz\" c = §conv2d(x, kernel=3x3) output c" },
        { "CNN0217", "a = max_pool2d(x, kernel=§same) output a" },
        { "CNN0217", "a = max_pool2d(x, kernel=§2x2x2) output a" },
        { "CNN0217", "a = max_pool2d(x, kernel=2, padding=§1x1) output a" },
        { "CNN0217", "a = pad(x, before=§none, after=0x0x0x0) output a" },
        { "CNN0217", "a = pad(x, before=0x0x0x0, after=§(1, (2, 3), 4)) output a" },
        { "CNN0217", "a = activation(x, function=§1) output a" },
        { "CNN0217", "a = softmax(x, beta=§1e99) output a" },
        { "CNN0217", "a = concat(x, x, axis=§\"3\") output a" },
        { "CNN0218", "a = max_pool2d(x, kernel=2x§0) output a" },
        { "CNN0218", "a = max_pool2d(x, kernel=§99999999999999999999) output a" },
        { "CNN0218", "a = max_pool2d(x, kernel=§1.5) output a" },
        { "CNN0218", "a = max_pool2d(x, kernel=2, padding=(1, 1, §-1, 1)) output a" },
        { "CNN0218", "a = pad(x, before=0x0x0x0, after=0x0x0x0, value=§128) output a" },
        { "CNN0218", "input y : i8[1x2] scale 1 zero §-129 output y" },
        { "CNN0218", "input y : i8[1x§0] scale 1 output y" },
        { "CNN0219", "a = activation(x, function=§rely) output a" },
        { "CNN0219", "a = max_pool2d(x, kernel=2, padding=§sam) output a" },
        { "CNN0219", "a = add(x, x, rounding=§\"half-even\") : scale 1 output a" },
        { "CNN0220", "a = §add(x) : scale 1 output a" },
        { "CNN0220", "a = §concat(axis=0) output a" },
        { "CNN0220", "a = §softmax(x, x) output a" },
        { "CNN0221", "input y : §int8[1x2] scale 1 output y" },
        { "CNN0222", "input y : i8[§65536x65536] scale 1 output y" },
        { "CNN0222", "input y : i8[§1x1x1x1x1x1x1x1x1] scale 1 output y" },
        { "CNN0223", "input y : i8[1x2] scale §0 output y" },
        { "CNN0223", "input y : i8[1x2] scale §-1 output y" },
        { "CNN0223", "input y : i8[1x2] scale §1e-60 output y" },
        { "CNN0223", "input y : i8[1x2] scale §1e60 output y" },
        { "CNN0224", "network n { " + Input + "\n§}" },
        { "CNN0225", "output x, §x" },
        { "CNN0225", "output x output §x" },
        { "CNN0226", "§a = activation(x, function=relu)" },
        { "CNN0226", "input §a : i8[1x2] scale 1" },
        { "CNN0230", "weights §\"missing.npz\"" },
        { "CNN0231", "weights \"example.npz\" §weights \"example.npz\" c = conv2d(x, filters=2, kernel=3) output c" },
        { "CNN0232", "c = §conv2d(x, filters=2, kernel=3) : scale 1 output c" },
        { "CNN0233", "weights \"example.npz\" d = dense(x, units=10) : scale 1 b = §conv2d(x, filters=2, kernel=3, bias=none) : scale 1 output b, d" },
        { "CNN0234", "weights \"example.npz\" c = §conv2d(x, filters=2, kernel=3x1) output c" },
        { "CNN0234", "weights \"example.npz\" w = §depthwise_conv2d(x, kernel=3x3) : scale 1 output w" },
        { "CNN0234", "weights \"example.npz\" d = §dense(x, units=5, bias=none) : scale 1 output d" },
        { "CNN0235", "§a = add(x, x) output a" },
        { "CNN0235", "weights \"example.npz\" §d = dense(x, units=10) output d" },
        { "CNN0235", "input §y : i8[1x2] output y" },
        { "CNN0205", "const §= 3" },
        { "CNN0205", "block b §{ output v }\n a = activation(x, function=relu) output a" },
        { "CNN0205", "block b(v: §) { output v }\n a = b(x) output a" },
        { "CNN0205", "repeat 2 §x = activation(x, function=relu) } output x" },
        { "CNN0205", "repeat i in 1§, 2 { x = activation(x, function=relu) } output x" },
        { "CNN0205", "repeat 2 { a = activation(x §function=relu) x = activation(x, function=relu) } output x" },
        { "CNN0205", "a = max_pool2d(x, kernel=2 +§) output a" },
        { "CNN0206", "network n { " + Input + " block b(v) { output v" + " output x }§" },
        { "CNN0210", "const §x = 1" },
        { "CNN0210", "block b(v) { y = activation(v, function=relu) output y } a = b(x) §a = b(a) output a" },
        { "CNN0210", "block b(v) { y = activation(v, function=relu) output y } §x = b(x)" },
        { "CNN0210", "block b(v) { y = activation(v, function=relu) z = activation(y, function=relu) output y, z } a, c = b(x) d, §c = b(a) output a, c, d" },
        { "CNN0210", "block b(v) { y = activation(v, function=relu) z = activation(y, function=relu) output y, z } a, §a = b(x) output a" },
        { "CNN0210", "const n = 3 block b(v) { y = activation(v, function=relu) output y } §n = b(x) output x" },
        { "CNN0210", "block b(v) { y = activation(v, function=relu) output y } repeat n in 1..1 { §n = b(x) }" },
        { "CNN0210", "repeat §x in 1..2 { }" },
        { "CNN0210", "repeat i in 1..2 { repeat §i in 1..2 { } }" },
        { "CNN0210", "repeat 2 { a = activation(x, function=relu) §a = activation(x, function=relu) x = activation(a, function=relu) }" },
        { "CNN0210", "block b(v) { output v } block §b(v) { output v }" },
        { "CNN0211", "repeat 2 { a = activation(x, function=relu) x = activation(a, function=relu) } b = add(x, §a) : scale 1 output b" },
        { "CNN0212", "const a = §b const b = 1" },
        { "CNN0212", "a = §b(x) block b(v) { output v } output a" },
        { "CNN0212", "block b(v) { w = §c(v) output w } block c(v) { output v } a = b(x) output a" },
        { "CNN0214", "block b(v) { output v } a = b(x, §size=1) output a" },
        { "CNN0215", "block b(v, n: int) { output v } a = b(x, n=1, §n=1) output a" },
        { "CNN0216", "block b(v, n: int) { output v } a = §b(x) output a" },
        { "CNN0217", "block b(v, n: int) { output v } a = b(x, n=§same) output a" },
        { "CNN0217", "block b(v, n: word) { output v } a = b(x, n=§1) output a" },
        { "CNN0217", "repeat §1 in 1..2 { }" },
        { "CNN0217", "input y : i8[§big] scale 1 output y" },
        { "CNN0217", "input y : i8[1] scale 1 zero §low output y" },
        { "CNN0218", "repeat §1000000000 { }" },
        { "CNN0218", "repeat §1 - 2 { }" },
        { "CNN0218", "weights seed §-1" },
        { "CNN0218", "const k = 3 a = max_pool2d(x, kernel=§k - 3) output a" },
        { "CNN0220", "block b(v) { output v } a = §b(x, x) output a" },
        { "CNN0224", "block §b(v) { }" },
        { "CNN0226", "block b(v, §w) { r = activation(v, function=relu) output r } a = b(x, x) output a" },
        { "CNN0226", "repeat 3 { §a = activation(x, function=relu) }" },
        { "CNN0231", "weights seed 1 §weights seed 2" },
        { "CNN0240", "const a = 9223372036854775807 §+ 1" },
        { "CNN0240", "const a = §9223372036854775808" },
        { "CNN0240", "const a = -9223372036854775808 const b = §-a" },
        { "CNN0240", "a = max_pool2d(x, kernel=1 + 4611686018427387904 §* 2 * 0) output a" },
        { "CNN0241", "const a = 1 §/ 0" },
        { "CNN0241", "repeat 5 §% (2 - 2) { }" },
        { "CNN0242", "const a = §1.5" },
        { "CNN0242", "const a = 2 * §2x2" },
        { "CNN0242", "const a = 1 + §x" },
        { "CNN0243", "const a = §relu" },
        { "CNN0243", "a = max_pool2d(x, kernel=2 * §k) output a" },
        { "CNN0244", "const k = 3 a = activation(§k, function=relu) output a" },
        { "CNN0245", "repeat 2 { §input y : i8[1] scale 1 }" },
        { "CNN0245", "repeat 1 { §output y }" },
        { "CNN0245", "block b(v) { §block c(w) { output w } r = activation(v, function=relu) output r } a = b(x) output a" },
        { "CNN0245", "block b(v) { repeat 1 { §weights seed 1 } r = activation(v, function=relu) output r } a = b(x) output a" },
        { "CNN0246", "block b(v) { w = §b(v) output w }" },
        { "CNN0246", "block b(v) { repeat 2 { w = §c(v) } r = activation(v, function=relu) output r } block c(v) { w = b(v) output w } a = c(x) output a" },
        { "CNN0248", "block §b(v) { output v }" },
        { "CNN0250", "repeat i in §1..1000000000 { }" },
        { "CNN0250", "repeat i in §-9223372036854775808..9223372036854775807 { }" },
        { "CNN0250", "repeat 20000 { §x = activation(x, function=none) }" },
        { "CNN0251", "a, §b = activation(x, function=relu) output a, b" },
        { "CNN0251", "block b(v) { output v } §a, c = b(x) output a, c" },
        { "CNN0252", "repeat 1 { §" + new string('n', 250) + " = activation(x, function=relu) }" },
        { "CNN0253", "weights seed 1 input y : i8[1x1024] scale 1 d = §dense(y, units=1048576) output d" },
        { "CNN0254", "block b(v) { output v } a = b(x) : scale §1 output a" },
        { "CNN0255", "block b(u, v: §real) { output u }" },
        { "CNN0256", "block §add(v) { output v }" },
        { "CNN0257", "input y : f32[1x4] scale §1 output y" },
        { "CNN0257", "input y : fixed8[1x4] scale §1 output y" },
        { "CNN0257", "input y : f32[1x4] z = activation(y, function=relu) : scale §1 output z" },
        { "CNN0257", "z = dequantize(x) : scale §1 output z" },
        { "CNN0221", "z = quantize(x, element=§f16) : scale 1 output z" },
        { "CNN0215", "§a, b = split(x, axis=3, parts=2) output a, b" },
    };

    [Theory]
    [MemberData(nameof(Mistakes))]
    public void A_mistake_is_one_diagnostic_at_its_place(string code, string marked)
    {
        var text = Frame(marked);
        var places = Places(text);
        var plain = text.Replace("§", string.Empty, StringComparison.Ordinal);
        var diagnostics = Examples.Diagnose(plain, _arrays).Where(diagnostic => diagnostic.Code != "CNN0236").ToList();
        Assert.Equal(
            places.Select(place => $"{code} {place.Line},{place.Column}"),
            diagnostics.Select(diagnostic => FormattableString.Invariant($"{diagnostic.Code} {diagnostic.Span.Line},{diagnostic.Span.Column}")));
        Assert.All(diagnostics, diagnostic => Assert.NotEmpty(diagnostic.Remedy));
    }

    [Fact]
    public void Every_code_of_the_language_has_a_test_of_its_place()
    {
        string[] elsewhere = ["CNN0200", "CNN0207", "CNN0236", "CNN0247", "CNN0249"]; // RobustnessTests; below; BlockTests
        Assert.Equal(AllCodes(), Mistakes.Select(row => row.Data.Item1).Concat(elsewhere).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Arrays_that_no_layer_reads_are_warnings_at_the_file_name()
    {
        var arrays = Examples.Join(Examples.Layer("c", 0, 2, 3, 3, 2), Examples.Layer("conv", 0, 1, 1, 1, 1, bias: false));
        var diagnostics = Examples.Diagnose($"network n {{ {Input}\n  weights \"example.npz\"\n c = conv2d(x, filters=2, kernel=3) : scale 1 output c }}", arrays);
        Assert.Equal(["conv.weights", "conv.weights_scale"], diagnostics.Select(diagnostic => diagnostic.Message.Split('\'')[1]).Order(StringComparer.Ordinal));
        Assert.All(diagnostics, diagnostic => Assert.Equal(("CNN0236", DiagnosticSeverity.Warning, 2, 11), (diagnostic.Code, diagnostic.Severity, diagnostic.Span.Line, diagnostic.Span.Column)));
    }

    [Theory]
    [InlineData("a = max_pool(x, kernel=2) output a", "max_pool2d")]
    [InlineData("a = Conv2D(x, filters=2, kernel=3) output a", "conv2d")]
    [InlineData("a = avg_pool2d(x, kernle=2, kernel=2) output a", "kernel")]
    [InlineData("a = relu6(x) output a", "activation(x, function=relu6)")]
    [InlineData("a = Linear(x, units=3) : scale 1 output a", "dense")]
    [InlineData("image = activation(x, function=relu) b = activation(imgae, function=relu) output b, image", "image")]
    [InlineData("a = activation(x, function=rleu) output a", "relu")]
    [InlineData("input y : s8[1x2] scale 1 output y", "i8")]
    [InlineData("weights \"example.npz\" cc = conv2d(x, filters=2, kernel=3, bias=none) : scale 1 output cc", "c.weights")]
    public void A_near_name_is_suggested(string statements, string suggestion)
    {
        var diagnostics = Examples.Diagnose(Frame(statements), _arrays);
        Assert.Contains(diagnostics, diagnostic => diagnostic.Remedy == $"did you mean '{suggestion}'?");
    }

    [Fact]
    public void An_attribute_that_is_spelt_wrongly_is_not_missing_as_well() =>
        Assert.Equal("CNN0214", Assert.Single(Examples.Diagnose(Frame("a = max_pool2d(x, kernle=2) output a"), _arrays)).Code);

    [Theory]
    [InlineData("§a = max_pool2d(x, kernel=9) output a", "CNN0117")]
    [InlineData("a = activation(x, function=relu)\n §b = reshape(a, shape=1x31) output b", "CNN0114")]
    [InlineData("§a = pad(x, before=(1, 1), after=(1, 1)) output a", "CNN0113")]
    [InlineData("a = reshape(x, shape=32)\n §b = add(x, a) : scale 1 output b", "CNN0110")]
    [InlineData("a = add(x, x) : scale 2\n §b = concat(x, a, axis=3) output b", "CNN0121")]
    [InlineData("§a = softmax(x) : scale 0.5 output a", "CNN0122")]
    [InlineData("§a = activation(x, function=relu) : scale 2 output a", "CNN0121")]
    [InlineData("§input y : i16[1x4x4x2] scale 1 a = activation(y, function=relu) output a", "CNN0119")]
    [InlineData("input y : u8[1x4x4x2] scale 1\n §a = activation(y, function=relu) output a", "CNN0136")]
    [InlineData("§a = lrn(x, size=5) output a", "CNN0136")]
    [InlineData("input y : f32[1x4x4x2]\n §a = add(x, y) : scale 1 output a", "CNN0137")]
    [InlineData("input y : f32[1x4x4x2]\n §a = quantize(y, element=i32) : scale 0.3 output a", "CNN0151")]
    [InlineData("§a = logistic(x) : scale 0.5 output a", "CNN0150")]
    [InlineData("§a = transpose(x, permutation=(0, 1, 2, 2)) output a", "CNN0144")]
    [InlineData("§a = strided_slice(x, begin=(0, 0, 0, 0), size=(1, 5, 1, 1)) output a", "CNN0145")]
    [InlineData("§a, b, c = split(x, axis=3) output a, b, c", "CNN0146")]
    [InlineData("input y : fixed8[1x4x4x2]\n §a = mul(y, y) : scale 0.000000059604644775390625 output a", "CNN0139")]
    public void Shapes_and_types_are_checked_at_the_layer(string marked, string code)
    {
        var text = Frame(marked);
        var place = Assert.Single(Places(text));
        var diagnostic = Assert.Single(Examples.Diagnose(text.Replace("§", string.Empty, StringComparison.Ordinal), _arrays));
        Assert.Equal((code, place.Line, place.Column), (diagnostic.Code, diagnostic.Span.Line, diagnostic.Span.Column));
    }

    /// <summary>Every code that LanguageDiagnostics documents.</summary>
    internal static IEnumerable<string> AllCodes()
    {
        var source = File.ReadAllText(Path.Combine(SharedMaterial.Repository, "src", "CnnCompiler.Frontend", "LanguageDiagnostics.cs"));
        return Summary().Matches(source).Select(match => match.Value).Order(StringComparer.Ordinal);
    }

    private static string Frame(string text) =>
        text.Contains("n {", StringComparison.Ordinal) || text.Contains("netw", StringComparison.Ordinal) ? text : $"network n {{\n  {Input}\n  {text}\n  output {(OutputsX().IsMatch(text) ? "_" : "x")}\n}}".Replace("  output _\n", string.Empty, StringComparison.Ordinal);

    private static List<(int Line, int Column)> Places(string marked)
    {
        var places = new List<(int, int)>();
        var (line, column) = (1, 1);
        foreach (var c in marked)
        {
            switch (c)
            {
                case '§':
                    places.Add((line, column));
                    break;
                case '\n':
                    (line, column) = (line + 1, 1);
                    break;
                default:
                    column++;
                    break;
            }
        }

        return places;
    }

    [GeneratedRegex("(?<=<summary>)CNN02[0-9]{2}(?=:)", RegexOptions.CultureInvariant, 10_000)]
    private static partial Regex Summary();

    [GeneratedRegex("output §?x", RegexOptions.CultureInvariant, 10_000)]
    private static partial Regex OutputsX();
}
