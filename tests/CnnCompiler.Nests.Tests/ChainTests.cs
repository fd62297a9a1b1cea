using System.Text;
using CnnCompiler.Fuzzing;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Nests.Tests;

/// <summary>Passes from chain to chain: what they join, what they leave, and that results keep their bits.</summary>
public class ChainTests
{
    private static readonly string[] Optional = ["write-in-place", "remove-dead-channels", "merge-siblings", "fuse-elementwise", "convolution-algorithms"];

    [Fact]
    public void Every_pass_that_stays_at_the_chain_can_be_left_out() =>
        Assert.Equal(Optional, CompilerPasses.All.Where(pass => pass.Targets.Contains("gconv") && pass.Description is { From: IrLevel.Gconv, To: IrLevel.Gconv }).Select(pass => pass.Description.Name).Order(StringComparer.Ordinal).Reverse());

    [Theory]
    [InlineData("n = batch_norm(c)\n a = activation(n, function=relu)\n output a", 1)]
    [InlineData("s = add(c, x)\n output s", 1)]
    [InlineData("n = lrn(c, size=3)\n output n", 2)]
    [InlineData("d = conv2d(x, filters=3, kernel=1)\n j = concat(c, d, axis=3)\n output j", 2)]
    [InlineData("t = transpose(c, permutation=(0, 3, 1, 2))\n output t", 1)]
    [InlineData("m = mul(c, c)\n output m", 2)] // both operands: a second reader
    [InlineData("n = batch_norm(c)\n output c, n", 2)] // the caller reads c
    [InlineData("n = batch_norm(c)\n s = add(c, n)\n output s", 2)] // batch_norm goes with add, not with the convolution
    [InlineData("p = pad(c, before=(0, 1, 1, 0), after=(0, 1, 1, 0))\n output p", 2)] // outside there is nothing to compute
    [InlineData("r = reshape(c, shape=1x80)\n a = activation(r, function=relu)\n output a", 2)] // a view reads c
    [InlineData("p = max_pool2d(c, kernel=2)\n output p", 2)] // a reduction
    [InlineData("h = strided_slice(c, begin=(0, 0, 0, 0), size=(1, 2, 5, 4))\n output h", 2)] // a part of c
    public void An_operator_is_joined_where_it_may_be(string layers, int operators)
    {
        var result = Compile($"network n {{ weights seed 1\n input x : f32[1, 4, 5, 4]\n c = conv2d(x, filters=4, kernel=3, padding=same)\n {layers} }}", []);
        Assert.Equal(operators, Operators(result));
        var plain = Compile($"network n {{ weights seed 1\n input x : f32[1, 4, 5, 4]\n c = conv2d(x, filters=4, kernel=3, padding=same)\n {layers} }}", Optional);
        Assert.InRange(Operators(plain), operators, 10);
        var module = (GconvModule)plain.Modules[IrLevel.Gconv];
        for (var seed = 0; seed < 3; seed++)
        {
            var diagnostics = new DiagnosticBag();
            var inputs = module.Inputs.Select(input => ZooTests.Image(input.Type, (ulong)seed)).ToList();
            var (before, after) = (module.Evaluate(inputs, diagnostics, default), result.Modules[IrLevel.Gconv].Evaluate(inputs, diagnostics, default));
            Assert.True(before is not null && after is not null, string.Join('\n', diagnostics.Diagnostics));
            Assert.Null(TranslationValidation.Difference(before, after));
        }
    }

    [Fact]
    public void What_a_pass_does_is_not_done_without_it()
    {
        const string text = "network n { weights seed 1\n input x : f32[1, 4, 5, 4]\n c = conv2d(x, filters=4, kernel=3, padding=same)\n s = add(c, x)\n d = conv2d(x, filters=3, kernel=1)\n j = concat(s, d, axis=3)\n output j }";
        Assert.Equal([2, 4, 3, 5], ((string[][])[[], ["write-in-place"], ["fuse-elementwise"], Optional]).Select(disabled => Operators(Compile(text, disabled))));
    }

    [Theory]
    [InlineData("p = max_pool2d(a, kernel=2)\n q = conv2d(b, filters=2, kernel=3, padding=same)\n output p, q", 1)] // read at an offset, at an offset with padding
    [InlineData("j = concat(a, b, axis=3)\n output j", 0)] // both are written in place
    [InlineData("output a, b", 0)] // the caller reads them
    [InlineData("r = reshape(a, shape=1x60)\n q = conv2d(b, filters=2, kernel=1)\n d = dense(r, units=2)\n output q, d", 0)] // a view reads a
    public void Operators_with_the_same_input_are_merged_where_they_may_be(string layers, int merged)
    {
        foreach (var type in (string[])["f32[1, 4, 5, 4]", "i8[1, 4, 5, 4] scale 0.5 zero 1"])
        {
            var text = $"network n {{ weights seed 1\n input x : {type}\n a = conv2d(x, filters=3, kernel=3, padding=same, activation=relu)\n b = conv2d(x, filters=5, kernel=3, padding=same, activation=relu)\n {layers} }}";
            if (type[0] == 'i' && layers.Contains("concat", StringComparison.Ordinal))
            {
                continue;
            }

            var (with, without) = (Compile(text, []), Compile(text, ["merge-siblings"]));
            Assert.Equal(merged, Operators(without) - Operators(with));
            var diagnostics = new DiagnosticBag();
            var inputs = with.Modules[IrLevel.Gconv].Inputs.Select(input => ZooTests.Image(input.Type)).ToList();
            var (before, after) = (without.Modules[IrLevel.Gconv].Evaluate(inputs, diagnostics, default), with.Modules[IrLevel.Gconv].Evaluate(inputs, diagnostics, default));
            Assert.True(before is not null && after is not null, string.Join('\n', diagnostics.Diagnostics));
            Assert.Null(TranslationValidation.Difference(before, after));
        }
    }

    [Fact]
    public void Networks_by_chance_keep_their_results()
    {
        var joined = 0;
        for (var seed = 0; seed < 40; seed++)
        {
            var machine = NestLevels.Machine("nlr");
            var network = RandomNetworks.Network(seed);
            var image = NestLevels.Check(network, NestLevels.Small("nlr", 3, 5, 256, 16) with { Name = machine.Name }, RandomNetworks.Inputs(network, seed));
            joined += NestTests.Map(network, machine).Program.Steps.Count - image.Mapped.Program.Steps.Count;
        }

        Assert.InRange(joined, 10, int.MaxValue);
    }

    private static int Operators(CompileResult result) => ((GconvModule)result.Modules[IrLevel.Gconv]).Program.Steps.OfType<GconvOperator>().Count();

    private static CompileResult Compile(string text, IReadOnlyList<string> disabled)
    {
        var result = Compiler.Compile(new CompileRequest("n.cnn", Encoding.UTF8.GetBytes(text), "gconv") { StopLevel = IrLevel.Gconv, Disabled = disabled, VerifyEach = true });
        Assert.True(result.Succeeded, string.Join('\n', result.Diagnostics));
        return result;
    }
}
