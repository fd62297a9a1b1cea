using System.Globalization;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Fuzzing;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Network;
using CnnCompiler.Ir.Text;
using CnnCompiler.Passes.Chain;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Passes.Lowering;
using CnnCompiler.Passes.Selection.Explanation;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Passes.Tests.Chain;

/// <summary>Which channels are left out, which stay, and that results keep their bits.</summary>
public class RemoveDeadChannelsTests
{
    private const string Codes = "scale 0.05 zero -128";
    private static readonly Pipeline Pass = new(new RemoveDeadChannels());

    // Weights of 3 output channels and 2 input channels; bias 0 with weights 0 gives the zero point, 400 something above it.
    private const string Dead1 = "1, 2, 0, 0, 5, 6";
    private const string All = "1, 2, 3, 4, 5, 6";

    [Theory]

    // a channel of zero points that a padded convolution reads: its products are 0
    [InlineData("a:2", "a = conv2d %x {3x1x1x2:" + Dead1 + "} bias 7, 0, 9", "b = conv2d %a {2x3x3x3:} bias 1, 2")]

    // above the zero point it makes a difference to taps inside
    [InlineData("", "a = conv2d %x {3x1x1x2:" + Dead1 + "} bias 7, 400, 9", "b = conv2d %a {2x3x3x3:} bias 1, 2")]

    // where all taps are inside it is a number, which the bias takes
    [InlineData("a:2", "a = conv2d %x {3x1x1x2:" + Dead1 + "} bias 7, 400, 9", "b = conv2d %a {2x1x1x3:} bias 1, 2")]
    [InlineData("a:2 d:2", "a = conv2d %x {3x1x1x2:" + Dead1 + "} bias 7, 0, 9", "d = depthwise_conv2d %a {1x3x3x3:} bias 1, 400, 3", "c = conv2d %d {2x1x1x3:} bias 1, 2")]

    // but not one that has no room for it
    [InlineData("", "a = conv2d %x {3x1x1x2:" + Dead1 + "} bias 7, 400, 9", "b = conv2d %a {2x1x1x3:} bias 2147483647, 2")]

    // a channel that nobody multiplies with anything but 0
    [InlineData("a:2", "a = conv2d %x {3x1x1x2:" + All + "} bias 7, 8, 9", "b = conv2d %a {2x1x1x3:1, 0, 2, 3, 0, 4} bias 1, 2")]

    // it takes along what is before it, channel by channel: depthwise convolutions and pools
    [InlineData("a:2 d:2 p:2", "a = conv2d %x {3x1x1x2:" + All + "} bias 7, 8, 9", "d = depthwise_conv2d %a {1x3x3x3:} bias 1, 2, 3", "p = max_pool2d %d", "c = conv2d %p {2x1x1x3:1, 0, 2, 3, 0, 4} bias 1, 2")]

    // and what is behind: zero points stay zero points
    [InlineData("a:2 d:2 p:2", "a = conv2d %x {3x1x1x2:" + Dead1 + "} bias 7, 0, 9", "d = depthwise_conv2d %a {1x3x3x3:} bias 1, 0, 3", "p = avg_pool2d %d", "c = conv2d %p {2x1x1x3:} bias 1, 2")]

    // a bias makes something else of them, the same everywhere, which the next layer reads inside its padding only
    [InlineData("", "a = conv2d %x {3x1x1x2:" + Dead1 + "} bias 7, 0, 9", "d = depthwise_conv2d %a {1x3x3x3:} bias 1, 400, 3", "c = conv2d %d {2x3x3x3:} bias 1, 2")]

    // channels of a sum belong together: one reader of the whole keeps them all
    [InlineData("a:2 b:2 s:2", "a = conv2d %x {3x1x1x2:" + All + "} bias 7, 8, 9", "b = conv2d %x {3x1x1x2:" + All + "} bias 1, 2, 3", "s = add %a, %b", "c = conv2d %s {2x1x1x3:1, 0, 2, 3, 0, 4} bias 1, 2")]
    [InlineData("", "a = conv2d %x {3x1x1x2:" + All + "} bias 7, 8, 9", "b = conv2d %x {3x1x1x2:" + All + "} bias 1, 2, 3", "s = add %a, %b", "c = conv2d %s {2x1x1x3:1, 0, 2, 3, 0, 4} bias 1, 2", "output %a")]

    // a chain of layers that only the last makes dead
    [InlineData("a:2 b:1", "a = conv2d %x {3x1x1x2:" + All + "} bias 7, 8, 9", "b = conv2d %a {2x1x1x3:1, 0, 2, 3, 7, 4} bias 1, 2", "c = conv2d %b {2x1x1x2:1, 0, 2, 0} bias 1, 2")]

    // where nothing is needed one channel stays
    [InlineData("a:1 b:1", "a = conv2d %x {3x1x1x2:" + All + "} bias 7, 8, 9", "b = conv2d %a {3x1x1x3:0, 0, 0, 0, 0, 0, 1, 0, 0} bias 1, 2, 0", "c = conv2d %b {2x1x1x3:1, 0, 0, 2, 0, 0} bias 1, 2")]

    // a concatenation has what its pieces have left, and they lie behind each other
    [InlineData("a:2 j.0:2 j:4", "a = conv2d %x {3x1x1x2:" + Dead1 + "} bias 7, 0, 9", "j = concat %a, %x", "c = conv2d %j {2x3x3x5:} bias 1, 2")]

    // results keep all their channels
    [InlineData("", "a = conv2d %x {3x1x1x2:" + Dead1 + "} bias 7, 0, 9", "output %a")]

    // weights that are all 0 stand for weights that aren't known
    [InlineData("", "a = conv2d %x {3x1x1x2:0, 0, 0, 0, 0, 0} bias 7, 0, 9", "b = conv2d %a {2x3x3x3:} bias 1, 2")]
    public void Channels_are_left_out_where_no_result_depends_on_them(string expected, params string[] layers)
    {
        var module = Module(Text(layers));
        var after = (GconvModule)PassRunner.Run(Pass, module, new() { VerifyEach = true })!;
        var before = module.Program.Steps.ToDictionary(step => step.Name, step => step.Type.Shape, StringComparer.Ordinal);
        var live = after.Program.Steps.Where(step => step.Name.EndsWith(LiveTensors.Suffix, StringComparison.Ordinal)).Select(step => $"{step.Name[..^LiveTensors.Suffix.Length]}:{step.Type.Shape.Dimensions[^1]}");
        Assert.Equal(expected, string.Join(' ', live));
        Assert.Equal(module.Program.Steps.Select(step => step.Origin.Value), after.Program.Steps.Select(step => step.Origin.Value));
        Assert.Null(TranslationValidation.Difference(Pass, module, 4));
        if (expected.Length == 0)
        {
            Assert.Same(module, after);
            return;
        }

        // what is left of a tensor holds what it held, in order
        foreach (var inputs in Enumerable.Range(0, 2).Select(seed => RandomNetworks.Inputs(new NetworkGraph("inputs", module.Inputs, [], []), seed)))
        {
            var (whole, part) = (module.Evaluate(inputs, new(), default)!, after.Evaluate(inputs, new(), default)!);
            foreach (var (name, value) in part.Values.Where(value => value.Key.EndsWith(LiveTensors.Suffix, StringComparison.Ordinal)))
            {
                Assert.True(LiveTensors.IsPart(whole.Values[name[..^LiveTensors.Suffix.Length]], value), $"{name} has a channel that is not one of what it is part of");
            }
        }
    }

    [Fact]
    public void A_view_that_keeps_channels_is_gone_through()
    {
        var module = Module(Text(
            "a = conv2d %x {3x1x1x2:" + All + "} bias 7, 8, 9", "p = avg_pool2d %a whole", "r = reshape %p", "f = dense %r {2x3:1, 0, 2, 3, 0, 4} bias 1, 2"));
        var after = (GconvModule)PassRunner.Run(Pass, module, new() { VerifyEach = true })!;
        Assert.Equal(["a.live", "p.live", "r.live", "f"], after.Program.Steps.Select(step => step.Name));
        Assert.Equal("1x2", after.Program.Steps[2].Type.Shape.ToString());
        Assert.Null(TranslationValidation.Difference(Pass, module, 4));
    }

    [Fact]
    public void A_choice_for_a_layer_is_one_for_what_is_left_of_its_tensor()
    {
        var module = Module(Text("a = conv2d %x {3x1x1x2:" + All + "} bias 7, 8, 9", "b = conv2d %a {2x1x1x3:1, 0, 2, 3, 0, 4} bias 1, 2"));
        var after = (GconvModule)PassRunner.Run(Pass, module, new())!;
        ForcedChoice[] forced = [new("a", "one"), new("a:layout", "two"), new("a.live", "three"), new("b", "four"), new("c", "five")];
        Assert.Equal(["a.live", "a.live:layout", "a.live", "b", "c"], ChainLayers.Of(after.Program, forced).Select(choice => choice.Vertex));
        Assert.Equal(forced.Select(choice => choice.Candidate), ChainLayers.Of(after.Program, forced).Select(choice => choice.Candidate));
        Assert.Equal(forced, ChainLayers.Of(module.Program, forced));
    }

    [Fact]
    public void Random_networks_with_dead_channels_keep_their_results()
    {
        var changed = 0;
        const int networks = 120;
        for (var seed = 0; seed < networks; seed++)
        {
            var network = RandomNetworks.Network(seed);
            var module = new GconvModule(WithZeros(LowerToGconv.Lower(network, new DiagnosticBag())!, seed));
            Assert.Null(TranslationValidation.Difference(Pass, module, 2) is { } difference ? $"seed {seed}: {difference}" : null);
            changed += PassRunner.Run(Pass, module, new()) == module ? 0 : 1;
        }

        Assert.InRange(changed, networks / 10, networks);
    }

    /// <summary>The chain with some slices of kernels, along their first or last dimension, made 0.</summary>
    private static GconvProgram WithZeros(GconvProgram program, int seed)
    {
        var random = new SeededRandom((ulong)seed);
        var kernels = program.Steps.OfType<GconvOperator>().Select(step => step.Kernel?.Tensor).ToHashSet(StringComparer.Ordinal);
        return program with { Constants = [.. program.Constants.Select(constant => kernels.Contains(constant.Name) && constant.Value.Element == ElementType.Int8 ? constant with { Value = Zeroed(constant.Value) } : constant)] };

        Tensor Zeroed(Tensor weights)
        {
            var bytes = weights.Bytes.ToArray();
            var (first, last) = (weights.Shape.Dimensions[0], weights.Shape.Dimensions[^1]);
            var (dead, unread) = (Some(first), Some(last));
            for (var i = 0; i < bytes.Length; i++)
            {
                bytes[i] = dead[i / (bytes.Length / first)] || unread[i % last] ? (byte)0 : bytes[i];
            }

            return new(weights.Element, weights.Shape, bytes);
        }

        bool[] Some(int count) => [.. Enumerable.Range(0, count).Select(_ => random.OneIn(3))];
    }

    private static GconvModule Module(string text)
    {
        var diagnostics = new DiagnosticBag();
        var network = NetworkParser.Parse(text, "test.cnnir", ConstantStore.Empty, diagnostics);
        Assert.True(network is not null, string.Join('\n', diagnostics.Diagnostics) + text);
        var program = LowerToGconv.Lower(network, diagnostics);
        Assert.True(program is not null, string.Join('\n', diagnostics.Diagnostics));
        return new(program);
    }

    /// <summary>A network of some layers on 4 x 4 places; its output is the last layer and what a line <c>output</c> names. Weights that aren't given count 1, 2, 3, ....</summary>
    private static string Text(params string[] layers)
    {
        var (lines, outputs, channels, last) = (new List<string>(), new List<string>(), new Dictionary<string, int>(StringComparer.Ordinal) { ["%x"] = 2 }, string.Empty);
        foreach (var layer in layers)
        {
            if (layer.StartsWith("output ", StringComparison.Ordinal))
            {
                outputs.Add(layer["output ".Length..]);
                continue;
            }

            var (name, kind, rest) = (layer.Split(' ')[0], layer.Split(' ')[2], string.Join(' ', layer.Split(' ')[3..]));
            var inputs = string.Join(' ', rest.Split(' ').TakeWhile(word => word[0] == '%'));
            var first = inputs.Split(',')[0];
            last = $"%{name}";
            if (rest.Contains('{', StringComparison.Ordinal))
            {
                var (shape, values) = (rest.Split('{')[1].Split(':')[0], rest.Split(':')[1].Split('}')[0]);
                var extents = shape.Split('x').Select(extent => int.Parse(extent, CultureInfo.InvariantCulture)).ToArray();
                var elements = extents.Aggregate(1, (product, extent) => product * extent);
                values = values.Length > 0 ? values : string.Join(", ", Enumerable.Range(0, elements).Select(i => (i % 9) + 1));
                var isDepthwise = kind.StartsWith("depthwise", StringComparison.Ordinal);
                var window = kind == "dense" ? string.Empty : extents[1] == 3 ? "stride=1x1 pad=1,1,1,1 " : "stride=1x1 pad=0,0,0,0 ";
                channels[last] = isDepthwise ? extents[^1] : extents[0];
                var type = kind == "dense" ? $"i8[1x{extents[0]}]" : $"i8[1x4x4x{channels[last]}]";
                lines.Add($"{last} = {kind} {inputs} weights=i8[{shape}]{{{values}}} scale=0.01 bias=i32[{channels[last]}]{{{rest.Split("bias ")[1]}}} {window}act=relu round=tflite-double : {type} {Codes}");
            }
            else
            {
                channels[last] = kind == "concat" ? 5 : channels[first];
                var whole = rest.EndsWith("whole", StringComparison.Ordinal);
                lines.Add(kind switch
                {
                    "add" => $"{last} = add {inputs} act=relu round=tflite-double : i8[1x4x4x{channels[last]}] {Codes}",
                    "concat" => $"{last} = concat {inputs} axis=3 : i8[1x4x4x5] {Codes}",
                    "reshape" => $"{last} = reshape {inputs} : i8[1x{channels[last]}] {Codes}",
                    _ when whole => $"{last} = {kind} {inputs} kernel=4x4 stride=4x4 pad=0,0,0,0 : i8[1x1x1x{channels[last]}] {Codes}",
                    _ => $"{last} = {kind} {inputs} kernel=1x1 stride=1x1 pad=0,0,0,0 : i8[1x4x4x{channels[last]}] {Codes}",
                });
            }
        }

        return $"network \"test\" {{\n  input %x : i8[1x4x4x2] {Codes}\n  {string.Join("\n  ", lines)}\n  {string.Join("\n  ", outputs.Append(last).Distinct(StringComparer.Ordinal).Select(output => $"output {output}"))}\n}}\n";
    }
}
