using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Network;
using CnnCompiler.Ir.Network.Operators;
using CnnCompiler.Passes.Infrastructure;

namespace CnnCompiler.Fuzzing.Tests;

/// <summary>Random networks of all operators compute the same at every level and on every machine; what they reach is counted, or they would prove little.</summary>
public class NetworkFuzzerTests
{
    private const int Networks = 300;
    private const int Part = 30;

    private static readonly NetworkGraph[] Drawn = [.. Enumerable.Range(0, Networks).Select(NetworkFuzzer.Network)];

    public static TheoryData<int> Parts() => [.. Enumerable.Range(0, Networks / Part)];

    [Theory]
    [MemberData(nameof(Parts))]
    public void Networks_compute_the_same_at_every_level_and_on_every_machine(int part)
    {
        var summary = new FuzzSummary();
        for (var seed = part * Part; seed < (part + 1) * Part; seed++)
        {
            var outcome = NetworkFuzzer.Check(Drawn[seed], seed, FuzzMachine.All, TestContext.Current.CancellationToken);
            Assert.True(outcome.Failure is null, $"seed {seed}, {Drawn[seed].Name}: {outcome.Failure}");
            summary.Add(Drawn[seed], outcome);
        }

        // Every target takes some of them, and of those it does not take it says why.
        Assert.True(summary.Images > Part, summary.ToString());
        Assert.All(summary.Refusals, refusal => Assert.StartsWith("CNN08", refusal.Key.Code, StringComparison.Ordinal));
    }

    [Fact]
    public void Every_machine_of_every_target_is_tried() => Assert.Equal(CompilerTargets.All.Sum(target => target.Machines.Count), FuzzMachine.All.Count);

    public static TheoryData<string> Operators() => [.. OperatorTable.All.Select(definition => definition.Keyword)];

    [Theory]
    [MemberData(nameof(Operators))]
    public void Every_operator_is_drawn_in_every_form_that_it_is_defined_on(string keyword)
    {
        var definition = OperatorTable.Find(keyword)!;
        foreach (var form in AnyNetworks.Forms.Where(form => definition.Forms.HasFlag(form)))
        {
            var forms = new HashSet<ValueForms>();
            for (var seed = 0; seed < 20; seed++)
            {
                var network = AnyNetworks.Layer(definition, form, seed);
                Assert.True(network is not null, $"{keyword} of {form}, seed {seed}: no attempt fits");
                Assert.Empty(NetworkVerifier.Check(network));
                Assert.Equal(keyword, Assert.Single(network.Layers).Keyword);
                forms.UnionWith(FormsOf(network, network.Layers[0]));
            }

            Assert.Contains(form, forms);

            Assert.True(Drawn.Any(network => network.Layers.Any(layer => layer.Keyword == keyword && FormsOf(network, layer).Contains(form))), $"none of the {Networks} networks has {keyword} of {form}");
        }
    }

    public static TheoryData<string> Features() => [.. Reached.Keys];

    [Theory]
    [MemberData(nameof(Features))]
    public void Features_are_reached(string feature)
    {
        var count = Drawn.Count(Reached[feature]);
        Assert.True(count >= 5, $"only {count} of {Networks} networks have {feature}");
    }

    [Fact]
    public void Equal_seeds_give_equal_networks_and_inputs()
    {
        foreach (var seed in (int[])[0, 1, 2, 97, int.MaxValue])
        {
            Assert.Equal(NetworkFuzzer.Network(seed), NetworkFuzzer.Network(seed));
            Assert.Equal(NetworkFuzzer.Inputs(NetworkFuzzer.Network(seed), seed), NetworkFuzzer.Inputs(NetworkFuzzer.Network(seed), seed));
        }

        Assert.Equal(Networks, Drawn.Select(network => network.Name).Distinct().Count());
    }

    [Fact]
    public void A_network_that_the_verifier_refuses_is_a_failure()
    {
        var network = Drawn[0] with { Outputs = ["nothing"] };
        Assert.Contains("CNN0926", NetworkFuzzer.Check(network, 0, FuzzMachine.All, TestContext.Current.CancellationToken).Failure, StringComparison.Ordinal);
    }

    [Fact]
    public void A_level_that_can_not_be_reached_for_another_reason_than_the_target_is_a_failure_with_the_machine_named()
    {
        // A network of what every target takes, so that the fault is reached.
        var target = new CompilerTarget("broken", "a target whose first pass throws", CompilerTargets.All[0].Machines, (_, _) => new(new LowerNothing()), CompilerTargets.All[0].Mapped);
        var failure = NetworkFuzzer.Check(Drawn[2], 2, [new(CompilerTargets.All[0], CompilerTargets.All[0].DefaultMachine), .. FuzzMachine.Of(target)], TestContext.Current.CancellationToken).Failure;
        Assert.StartsWith($"broken, {target.DefaultMachine.Name}: InvalidOperationException: out of order", failure, StringComparison.Ordinal);
    }

    [Fact]
    public void A_level_that_computes_something_else_is_a_failure_that_names_level_tensor_and_element()
    {
        var target = new CompilerTarget("wrong", "a target that adds 1 to every result", CompilerTargets.All[0].Machines, (_, _) => new(new AddOne()), CompilerTargets.All[0].Mapped);
        var failure = NetworkFuzzer.Check(Drawn[2], 2, [new(CompilerTargets.All[0], CompilerTargets.All[0].DefaultMachine), .. FuzzMachine.Of(target)], TestContext.Current.CancellationToken).Failure;
        Assert.StartsWith($"wrong, {target.DefaultMachine.Name}: gconv: output 0", failure, StringComparison.Ordinal);
        Assert.Contains(" instead of ", failure, StringComparison.Ordinal);
    }

    private static IEnumerable<ValueForms> FormsOf(NetworkGraph network, Layer layer) => layer.Inputs.Count == 0
        ? [Operator.FormOf(layer.Type)]
        : layer.Inputs.Select(name => Operator.FormOf(TypeOf(network, name)));

    private static TensorType TypeOf(NetworkGraph network, string name) =>
        network.Inputs.FirstOrDefault(input => input.Name == name)?.Type ?? network.Layers.First(layer => layer.Name == name).Type;

    private static readonly Dictionary<string, Func<NetworkGraph, bool>> Reached = new()
    {
        ["several inputs"] = g => g.Inputs.Count > 1,
        ["several outputs"] = g => g.Outputs.Count > 1,
        ["a batch"] = g => g.Inputs.Any(input => input.Type.Shape.Rank == 4 && input.Type.Shape[0] > 1),
        ["odd extents"] = g => g.Inputs.Any(input => input.Type.Shape.Rank == 4 && input.Type.Shape[1] % 2 == 1 && input.Type.Shape[2] % 2 == 1 && input.Type.Shape[1] > 1),
        ["channels that aren't multiples of 4"] = g => g.Layers.OfType<Conv2D>().Any(l => l.Weights.Shape[0] % 4 != 0 && l.Weights.Shape[3] % 4 != 0),
        ["a concatenation at an offset that isn't a multiple of 4"] = g => g.Layers.OfType<Concat>().Any(l => l.Inputs.Count > 1 && TypeOf(g, l.Inputs[0]).Shape.Dimensions.Skip(l.Axis).Aggregate(1, (a, b) => a * b) % 4 != 0),
        ["scalars"] = g => g.Inputs.Select(input => input.Type).Concat(g.Layers.Select(layer => layer.Type)).Any(type => type.Shape.Rank == 0),
        ["int8 sums that may leave 32 bits"] = g => g.Layers.Any(layer => OperatorTable.Of(layer).Attributes.FirstOrDefault(a => a.Name == "bias")?.Get(layer) is Tensor { Element: ElementType.Int32 } bias && TypeOf(g, layer.Inputs[0]).Element == ElementType.Int8 && bias.AsSpan<int>().ToArray().Any(value => Math.Abs((long)value) > int.MaxValue - 1000)),
        ["sums as results"] = g => g.Layers.Any(layer => layer.Inputs.Count > 0 && layer.Type.Element == ElementType.Int32 && TypeOf(g, layer.Inputs[0]).Element == ElementType.Int8),
        ["weights with zero points"] = g => g.Layers.Any(layer => OperatorTable.Of(layer).Attributes.FirstOrDefault(a => a.Kind == AttributeKind.WeightQuantization)?.Get(layer) is Quantization scales && scales.ZeroPoints.Any(zero => zero != 0)),
        ["u8 at the edge"] = g => g.Inputs.Any(input => input.Type.Element == ElementType.UInt8),
        ["tflite-double"] = g => Rounds(g, RoundingScheme.TfliteDouble),
        ["tflite-single"] = g => Rounds(g, RoundingScheme.TfliteSingle),
        ["onnx-half-even"] = g => Rounds(g, RoundingScheme.OnnxHalfEven),
        ["a value read twice"] = g => g.Layers.SelectMany(layer => layer.Inputs).GroupBy(name => name).Any(group => group.Count() > 1),
        ["one layer behind another"] = g => g.Layers.Any(layer => layer.Inputs.Any(name => g.Layers.Any(other => other.Name == name))),
    };

    private static bool Rounds(NetworkGraph network, RoundingScheme scheme) =>
        network.Layers.Any(layer => OperatorTable.Of(layer).Attributes.FirstOrDefault(a => a.Kind == AttributeKind.Rounding)?.Get(layer) is RoundingScheme used && used == scheme);

    private sealed class LowerNothing() : Pass<GconvModule, GconvModule>(new("lower-nothing", "throws", IrLevel.Gconv, IrLevel.Gconv))
    {
        protected override GconvModule Transform(GconvModule module, PassContext context) => throw new InvalidOperationException("out of order");
    }

    private sealed class AddOne() : Pass<GconvModule, GconvModule>(new("add-one", "adds 1 to every result", IrLevel.Gconv, IrLevel.Gconv))
    {
        protected override GconvModule Transform(GconvModule module, PassContext context) =>
            new(module.Program with { Steps = module.Program.Steps.Select(step => step is GconvOperator { Type.Element: ElementType.Int8 } o ? o with { Post = Scalar.Clamp(Scalar.Add(o.Post, Scalar.Literal(1)), -128, 127) } : step).ToEquatableArray() });
    }
}
