using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Fuzzing;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Cli.Tests;

/// <summary>The networks of samples/zoo at the levels that hold every layer: their text at full size, their numbers at a reduced one.</summary>
public class ZooLevelTests
{
    private const int LongestText = 200_000;
    private const string Digest = "SHA-256 ";
    private const int LinesOfLongText = 200;

    // Constants of the samples that make them small enough to be evaluated in a test.
    private static readonly Dictionary<string, (string Constant, int Value)[]> Reduced = new(StringComparer.Ordinal)
    {
        ["alexnet"] = [("size", 67)],
        ["c3d"] = [("size", 16)],
        ["capsnet"] = [],
        ["convnext_t"] = [("size", 32)],
        ["densenet121"] = [("size", 32)],
        ["ds_cnn"] = [],
        ["googlenet"] = [("size", 48)],
        ["inception_v4"] = [("size", 75)],
        ["mobilenet_v1"] = [("size", 48)],
        ["mobilenet_v2"] = [("size", 48)],
        ["resnet18"] = [("size", 48)],
        ["resnet34"] = [("size", 32)],
        ["resnet50"] = [("size", 48)],
        ["resnet8"] = [],
        ["vgg16"] = [("size", 32)],
        ["zf_faster_rcnn"] = [("height", 48), ("width", 64), ("regions", 4)],
        ["zfnet"] = [("size", 79)],
    };

    // Networks whose many large layers openedge maps in 10 to 45 seconds.
    private static readonly string[] Long = ["inception_v4", "resnet34", "resnet50", "vgg16"];

    public static TheoryData<string> Networks => [.. Reduced.Keys];

    /// <summary>Files with the accepted texts.</summary>
    internal static IEnumerable<string> SnapshotNames =>
        from name in Reduced.Keys
        from text in Enumerable.Concat([IrLevel.Network.Name(), IrLevel.Gconv.Name()], CompilerTargets.All.Select(target => $"{target.Name}-{IrLevel.Mapped.Name()}"))
        select $"{name}.{text}.verified.txt";

    // Targets that take every layer of every network at full size.
    private static IEnumerable<string> AllLayerTargets => ["arrayflex", "overlay"];

    // Targets that look for each layer's mapping, which takes long at full size, or that refuse some networks.
    private static IEnumerable<string> OtherTargets => CompilerTargets.All.Select(target => target.Name).Except(AllLayerTargets);

    private static IEnumerable<string> Files => Directory.EnumerateFiles(Path.Combine(SharedMaterial.Repository, "samples", "zoo"), "*.cnn");

    [Fact]
    public void Every_network_of_the_zoo_is_evaluated() =>
        Assert.Equal(Files.Select(file => Path.GetFileNameWithoutExtension(file)).Order(StringComparer.Ordinal), Reduced.Keys.Order(StringComparer.Ordinal));

    [Theory]
    [MemberData(nameof(Networks))]
    public void A_network_gives_the_same_bits_at_every_level_of_the_systolic_targets(string name)
    {
        var targets = AllLayerTargets.Select(target => (Target: target, Modules: Lower(name, Reduced[name], steep: true, target, IrLevel.Image))).ToList();
        var modules = targets[0].Modules;
        var graph = ((NetworkModule)modules[IrLevel.Network]).Graph;
        var inputs = graph.Inputs.Select(input => Image(input.Type)).ToList();
        var problems = new DiagnosticBag();
        var network = modules[IrLevel.Network].Evaluate(inputs, problems, TestContext.Current.CancellationToken);
        foreach (var (target, module) in targets.SelectMany(target => target.Modules.Where(module => target.Target == targets[0].Target ? module.Key > IrLevel.Network : module.Key == IrLevel.Image).Select(module => (target.Target, module.Value))))
        {
            var values = module.Evaluate(inputs, problems, TestContext.Current.CancellationToken);
            Assert.Empty(problems.Diagnostics);
            Assert.True(TranslationValidation.Difference(network!, values!) is var difference && difference is null, $"{name}, {target} {module.Level.Name()}: {difference}");
        }
    }

    [Theory]
    [MemberData(nameof(Networks))]
    public void A_network_has_the_accepted_texts_with_its_source_between_the_lines(string name)
    {
        var source = File.ReadAllText(FileOf(name));
        foreach (var target in AllLayerTargets)
        {
            var modules = Lower(name, [], steep: false, target, IrLevel.Mapped);
            var notes = new InterleavedSource(source, ((NetworkModule)modules[IrLevel.Network]).Graph);
            foreach (var level in (IrLevel[])[IrLevel.Network, IrLevel.Gconv])
            {
                Accept($"{name}.{level.Name()}", modules[level].Text(notes.Of).Text);
            }

            Accept($"{name}.{target}-{IrLevel.Mapped.Name()}", modules[IrLevel.Mapped].Text(notes.Of).Text);
        }
    }

    [Theory]
    [MemberData(nameof(Networks))]
    public void A_reduced_network_has_the_accepted_text_on_the_other_targets_or_is_refused_in_the_accepted_words(string name)
    {
        foreach (var target in OtherTargets.Where(target => target != "openedge" || !Long.Contains(name) || SharedMaterial.EveryInput || Snapshot.Accepts))
        {
            var result = Compile(name, Reduced[name], steep: false, target, IrLevel.Mapped);
            var told = string.Concat(result.Diagnostics.Select(diagnostic => $"{diagnostic}\n"));
            Accept($"{name}.{target}-{IrLevel.Mapped.Name()}", result.Modules.TryGetValue(IrLevel.Mapped, out var module) ? module.Text().Text + told : told);
        }
    }

    // A text too long for a repository is held to by its beginning and its digest.
    private static void Accept(string name, string text)
    {
        if (text.Length > LongestText)
        {
            var digest = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
            text = string.Create(CultureInfo.InvariantCulture, $"{string.Join('\n', text.Split('\n').Take(LinesOfLongText))}\n... {text.Length:N0} characters, {Digest}{digest}\n");
        }

        Snapshot.Check($"{LevelTextTests.Snapshots}/{name}.verified.txt", text);
    }

    // Pixels of every value; f32 from -2 to 2.
    private static Tensor Image(TensorType type)
    {
        var random = new SeededRandom(1);
        var codes = new sbyte[type.Shape.Elements];
        for (var i = 0; i < codes.Length; i++)
        {
            codes[i] = random.NextCode();
        }

        return type.Element == ElementType.Float32
            ? Tensor.From<float>(type.Element, type.Shape, Array.ConvertAll(codes, code => code / 64f))
            : Tensor.From<sbyte>(type.Element, type.Shape, codes);
    }

    private static string FileOf(string name) => Files.Single(file => Path.GetFileNameWithoutExtension(file) == name);

    private static IReadOnlyDictionary<IrLevel, IrModule> Lower(string name, (string Constant, int Value)[] constants, bool steep, string target, IrLevel last)
    {
        var result = Compile(name, constants, steep, target, last);
        Assert.Empty(result.Diagnostics);
        return result.Modules;
    }

    private static CompileResult Compile(string name, (string Constant, int Value)[] constants, bool steep, string target, IrLevel last)
    {
        var text = File.ReadAllText(FileOf(name));
        foreach (var (constant, value) in constants)
        {
            var changed = Regex.Replace(text, $@"(?m)^    const {constant} = \d+$", $"    const {constant} = {value}", RegexOptions.None, TimeSpan.FromSeconds(1));
            Assert.NotEqual(text, changed);
            text = changed;
        }

        // Untrained logits are so even that an int8 softmax of 1,000 classes has no result (CNN0133): a steeper one has.
        text = steep ? text.Replace("softmax(logits)", "softmax(logits, beta=64)", StringComparison.Ordinal) : text;
        return Compiler.Compile(new CompileRequest(name + ".cnn", Encoding.UTF8.GetBytes(text), target) { StopLevel = last, Search = new() { Effort = 0 } });
    }
}
