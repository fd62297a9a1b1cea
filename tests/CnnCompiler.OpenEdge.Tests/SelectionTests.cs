using CnnCompiler.Fuzzing;
using CnnCompiler.Image.Container;
using CnnCompiler.Interpreter.Execution;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Lowering;
using CnnCompiler.Passes.Selection;
using CnnCompiler.Passes.Selection.Explanation;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.OpenEdge.Emission;
using CnnCompiler.Targets.OpenEdge.Mapping;
using CnnCompiler.Targets.OpenEdge.Selection;
using CnnCompiler.TestSupport;

namespace CnnCompiler.OpenEdge.Tests;

/// <summary>The selector in use: every legal choice gives the same integers, costs are the interpreter's, what is chosen is never worse.</summary>
public class SelectionTests
{
    private const int Seeds = 12;

    public static TheoryData<LayerKind> Deciding() => [LayerKind.Conv2D, LayerKind.DepthwiseConv2D, LayerKind.Dense, LayerKind.MaxPool2D, LayerKind.AveragePool2D];

    [Theory]
    [MemberData(nameof(Deciding))]
    public void Every_legal_alternative_of_a_layer_gives_the_same_integers(LayerKind kind)
    {
        var forced = Enumerable.Range(0, Seeds).Sum(seed => ForceAll(RandomNetworks.Layer(kind, 500 + seed), seed));
        Assert.True(forced >= Seeds / 2, $"only {forced} alternatives");
    }

    [Fact]
    public void Every_legal_alternative_of_a_network_gives_the_same_integers()
    {
        var forced = Enumerable.Range(0, Seeds).Sum(seed => ForceAll(RandomNetworks.Network(500 + seed), seed));
        Assert.True(forced >= Seeds / 2, $"only {forced} alternatives");
    }

    [Fact]
    public void Layouts_are_among_the_alternatives() =>
        Assert.Contains(
            Enumerable.Range(0, 40).SelectMany(seed => Decisions(RandomNetworks.Network(seed))),
            d => d.IsLayout && d.Candidates.Select(c => c.Name).SequenceEqual(["halo", "dense"]));

    [Theory]
    [InlineData("openedge")]
    [InlineData("openedge-ideal")]
    public void Measured_costs_are_the_cycles_of_the_image(string machineName)
    {
        var machine = BuiltInMachines.Find(machineName)!;
        for (var seed = 0; seed < Seeds; seed++)
        {
            var network = RandomNetworks.Network(seed);
            var diagnostics = new DiagnosticBag();
            var mapped = OpenEdgeMapper.Map(LowerToGconv.Lower(network, diagnostics)!, diagnostics, default)!;
            var image = ImageEmitter.Emit(mapped, machine, diagnostics, default)!;
            var result = ImageInterpreter.Run(
                image,
                [.. RandomNetworks.Inputs(network, seed).Select(t => (ReadOnlyMemory<byte>)t.Bytes.ToArray())],
                null,
                TestContext.Current.CancellationToken);
            var timer = new KernelTimer(machine);
            var nests = mapped.Steps.OfType<MappedNest>().ToArray();
            var predicted = nests.Sum(n => timer.ArrayCycles(n, mapped));

            // two nests of the same code in a row: the second finds it resident
            var resident = ResidentNests(image);
            Assert.InRange(result.Launches.Sum(l => l.Outcome.Done), predicted - resident, predicted);
            Assert.True(resident > 0 || predicted == result.Launches.Sum(l => l.Outcome.Done));
        }
    }

    /// <summary>The most cycles that loading code saves where a nest begins with the code of the one before.</summary>
    private static long ResidentNests(CnnImage image)
    {
        var loads = image.HostProgram.Count(step => step is HostLoadKernel or HostPatchKernel);
        var changes = 1 + Enumerable.Range(1, image.Launches.Count - 1).Count(i => image.Launches[i].Kernel != image.Launches[i - 1].Kernel);
        Assert.Equal(changes, loads);
        return image.Launches.Count == changes ? 0 : image.Launches.Count * 4L * (image.Machine.StepsPerKernel + 1);
    }

    [Fact]
    public void What_is_chosen_costs_no_more_than_the_default_or_any_forced_choice()
    {
        var machine = BuiltInMachines.Default;
        var compared = 0;
        for (var seed = 0; seed < Seeds; seed++)
        {
            var diagnostics = new DiagnosticBag();
            var gconv = LowerToGconv.Lower(RandomNetworks.Network(seed), diagnostics)!;
            var selected = MappingSelector.Select(gconv, machine, [], diagnostics, default)!;
            Assert.Empty(diagnostics.Diagnostics);
            var timer = new KernelTimer(machine);
            long Total(MappedProgram program) => program.Steps.OfType<MappedNest>().Sum(n => timer.Cost(n, program).At(selected.Place, CostWeights.OfCycles));
            Assert.True(Total(selected.Program) <= Total(OpenEdgeMapper.Map(gconv, diagnostics, default)!));
            foreach (var vertex in selected.Explanation?.Vertices ?? [])
            {
                foreach (var rejected in vertex.Rejected)
                {
                    Assert.True(rejected.ForcedCost >= selected.Explanation!.Cost);
                    if (rejected.ForcedCost >= SelectionCost.Illegal)
                    {
                        // a layout that no candidate of its producer can store
                        Assert.Null(MappingSelector.Select(gconv, machine, [new(vertex.Vertex, rejected.Candidate)], new(), default));
                        continue;
                    }

                    var forced = MappingSelector.Select(gconv, machine, [new(vertex.Vertex, rejected.Candidate)], diagnostics, default)!;

                    // with more code or parameters than RAM has room for it is priced with their copies
                    if (forced.Place == selected.Place)
                    {
                        Assert.Equal(rejected.ForcedCost, forced.Explanation!.Cost);
                        compared++;
                    }
                }
            }
        }

        Assert.True(compared > Seeds);
    }

    [Fact]
    public void A_forced_choice_is_taken_and_a_wrong_one_is_refused_with_the_names_there_are()
    {
        var gconv = LowerToGconv.Lower(RandomNetworks.Layer(LayerKind.Dense, 3), new())!;
        var layer = gconv.Outputs[0];
        var diagnostics = new DiagnosticBag();
        var taken = MappingSelector.Select(gconv, BuiltInMachines.Default, [new(layer, "contract-point")], diagnostics, default);
        if (taken is null)
        {
            // with a batch its lines run along n
            diagnostics = new();
            taken = MappingSelector.Select(gconv, BuiltInMachines.Default, [new(layer, "contract-n")], diagnostics, default);
        }

        Assert.NotNull(taken);
        Assert.Contains(taken.Program.Steps.OfType<MappedNest>(), n => n.Kernel == "contract-rows-are-channels");

        foreach (var wrong in new ForcedChoice[] { new(layer, "systolic"), new("nowhere", "dense-point") })
        {
            diagnostics = new();
            Assert.Null(MappingSelector.Select(gconv, BuiltInMachines.Default, [wrong], diagnostics, default));
            Assert.Contains(diagnostics.Diagnostics, d => d.Severity == DiagnosticSeverity.Error);
        }
    }

    [Fact]
    public void Tiles_of_channels_give_the_same_integers()
    {
        var tiled = 0;
        for (var seed = 0; seed < 3 * Seeds; seed++)
        {
            var network = RandomNetworks.Network(700 + seed, new(MaximumChannels: 20));
            var diagnostics = new DiagnosticBag();
            var gconv = LowerToGconv.Lower(network, diagnostics)!;
            var whole = OpenEdgeMapper.Map(gconv, diagnostics, default)!;
            var tiles = OpenEdgeMapper.Map(gconv, MappingChoices.Defaults with { AccumulatorWords = 40 }, diagnostics, default)!.Program;
            tiled += tiles.Steps.Count > whole.Steps.Count ? 1 : 0;
            Assert.Empty(MappedVerifier.Check(tiles));
            var image = ImageEmitter.Emit(tiles, BuiltInMachines.Default, diagnostics, default);
            Assert.True(image is not null, string.Join('\n', diagnostics.Diagnostics));
            Assert.Equal(ImageEmitter.Emit(whole, BuiltInMachines.Default, diagnostics, default)!.Layers, image.Layers);
            var inputs = RandomNetworks.Inputs(network, seed);
            Assert.Null(AllLevels.ImageDifference(image, inputs, NetworkEvaluator.Evaluate(network, inputs, diagnostics)!.Outputs));
        }

        Assert.True(tiled > Seeds, $"only {tiled} networks were tiled");
    }

    [Fact]
    public void A_layer_whose_accumulators_do_not_fit_is_cut_into_tiles()
    {
        // 16x16x32 results in words are 32 KiB; as much again for the sums does not fit beside them
        const int Channels = 32;
        var weights = Enumerable.Range(0, Channels * 4).Select(i => (sbyte)((i % 7) - 3)).ToArray();
        var network = new NetworkGraph(
            "tight",
            [new("x", new(Core.Tensors.ElementType.Int8, Core.Tensors.Shape.Of(1, 16, 16, 4), Core.Tensors.Quantization.PerTensor(0.5f, 3)))],
            [
                new Conv2D(
                    "y",
                    ["x"],
                    new(Core.Tensors.ElementType.Int8, Core.Tensors.Shape.Of(1, 16, 16, Channels), Core.Tensors.Quantization.PerTensor(0.5f, -4)),
                    Core.Tensors.Tensor.From<sbyte>(Core.Tensors.ElementType.Int8, Core.Tensors.Shape.Of(Channels, 1, 1, 4), weights),
                    Core.Tensors.Quantization.PerTensor(0.1f, 0),
                    null,
                    new(1, 1),
                    new(1, 1),
                    default,
                    1,
                    FusedActivation.None,
                    RoundingScheme.TfliteDouble),
            ],
            ["y"]);
        var machine = BuiltInMachines.Default with { Ram = BuiltInMachines.Default.Ram with { Bytes = BuiltInMachines.Default.Ram.ReservedBytes + 56 * 1024 } };
        var diagnostics = new DiagnosticBag();
        var gconv = LowerToGconv.Lower(network, diagnostics)!;
        Assert.False(ImageEmitter.Fits(OpenEdgeMapper.Map(gconv, diagnostics, default)!, machine));
        var selected = MappingSelector.Select(gconv, machine, [], diagnostics, default)!;
        Assert.True(selected.Program.Steps.OfType<MappedNest>().Count(n => n.Name.StartsWith("y.sums", StringComparison.Ordinal)) > 1);
        var image = ImageEmitter.Emit(selected.Program, machine, diagnostics, default);
        Assert.True(image is not null, string.Join('\n', diagnostics.Diagnostics));
        var inputs = RandomNetworks.Inputs(network, 1);
        Assert.Null(AllLevels.ImageDifference(image, inputs, NetworkEvaluator.Evaluate(network, inputs, diagnostics)!.Outputs));
    }

    private static IReadOnlyList<MappingDecision> Decisions(NetworkGraph network) =>
        OpenEdgeMapper.Map(LowerToGconv.Lower(network, new())!, MappingChoices.Defaults, new(), default)!.Decisions;

    /// <summary>Maps a network with each candidate of each decision and runs it; how many alternatives there were.</summary>
    private static int ForceAll(NetworkGraph network, int seed)
    {
        var diagnostics = new DiagnosticBag();
        var gconv = LowerToGconv.Lower(network, diagnostics)!;
        var inputs = RandomNetworks.Inputs(network, seed);
        var expected = NetworkEvaluator.Evaluate(network, inputs, diagnostics)!.Outputs;
        var forced = 0;
        foreach (var decision in Decisions(network))
        {
            // published mappings have tests of their own; here they meet some random layers
            foreach (var candidate in decision.Candidates.Skip(1).Where(c => seed % 4 == 0 || !PublishedMappings.IsPublished(c.Name)))
            {
                var mapping = OpenEdgeMapper.Map(gconv, MappingChoices.Defaults.With(decision.Key, candidate.Name), diagnostics, default);
                Assert.True(mapping is not null, string.Join('\n', diagnostics.Diagnostics));
                diagnostics.Report(MappedVerifier.Check(mapping.Program));
                var image = ImageEmitter.Emit(mapping.Program, BuiltInMachines.Default, diagnostics, default);
                Assert.True(image is not null && !diagnostics.HasErrors, $"{network.Name}, {decision.Key}={candidate.Name}: {string.Join('\n', diagnostics.Diagnostics)}");
                var difference = AllLevels.ImageDifference(image, inputs, expected);
                Assert.True(difference is null, $"{network.Name}, {decision.Key}={candidate.Name}: {difference}");
                forced++;
            }
        }

        return forced;
    }
}
