using CnnCompiler.Fuzzing;
using CnnCompiler.Image.Container;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Lowering;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.OpenEdge;
using CnnCompiler.Targets.OpenEdge.Emission;
using CnnCompiler.Targets.OpenEdge.Selection;
using CnnCompiler.TestSupport;

namespace CnnCompiler.OpenEdge.Tests;

/// <summary>Parameters and code in RAM from the beginning, or copied early: less host time, the same integers.</summary>
public class ResidentWordsTests
{
    private const int Seeds = 12;

    [Fact]
    public void Where_there_is_room_the_host_copies_nothing_but_marks_and_loads_code_from_ram()
    {
        for (var seed = 0; seed < Seeds; seed++)
        {
            var image = Emit(RandomNetworks.Network(seed), BuiltInMachines.Default);
            Assert.All(image.HostProgram.OfType<HostCopyFlash>(), copy => Assert.Equal(1, copy.Words));
            Assert.All(image.HostProgram.OfType<HostLoadKernel>(), load => Assert.NotNull(load.Ram));
            Assert.All(image.HostProgram.OfType<HostPatchKernel>(), patch => Assert.NotEqual(PatchSource.Flash, patch.From));
            var read = ImageReader.Read(ImageWriter.Write(image), "image", new DiagnosticBag())!;
            Assert.Equal(image.HostProgram, read.HostProgram);
        }
    }

    [Fact]
    public void Whatever_room_there_is_the_integers_are_the_same_and_less_room_never_is_a_race()
    {
        var copied = 0;
        for (var seed = 0; seed < Seeds; seed++)
        {
            var network = RandomNetworks.Network(seed);
            var inputs = RandomNetworks.Inputs(network, seed);
            var diagnostics = new DiagnosticBag();
            var expected = NetworkEvaluator.Evaluate(network, inputs, diagnostics)!.Outputs;
            var gconv = LowerToGconv.Lower(network, diagnostics)!;
            for (var kibibytes = 4; kibibytes <= 64; kibibytes *= 2)
            {
                var machine = BuiltInMachines.Default;
                machine = machine with { Ram = machine.Ram with { Bytes = machine.Ram.ReservedBytes + (kibibytes * 1024) } };
                var tight = new DiagnosticBag();
                if (MappingSelector.Select(gconv, machine, [], tight, default) is { } selected && ImageEmitter.Emit(selected.Program, machine, tight, default) is { } image)
                {
                    copied += image.HostProgram.OfType<HostCopyFlash>().Count(c => c.Words > 1);
                    Assert.Null(AllLevels.ImageDifference(image, inputs, expected));
                }
            }
        }

        Assert.True(copied > 0, "no parameters had to be copied");
    }

    [Fact]
    public void Code_comes_from_where_there_is_room_for_it()
    {
        // passes of the direct kernel: much code, which differs in weights
        var network = StarTests.Layer(10, 10, 24, 24, 3, 3, 1, 1, "all");
        var inputs = RandomNetworks.Inputs(network, 1);
        var expected = NetworkEvaluator.Evaluate(network, inputs, new())!.Outputs;
        var sources = new HashSet<PatchSource>();
        var copied = 0;
        for (var kibibytes = 32; kibibytes <= 256 && (copied == 0 || sources.Count < Enum.GetValues<PatchSource>().Length); kibibytes += 32)
        {
            var machine = BuiltInMachines.Default;
            machine = machine with { Ram = machine.Ram with { Bytes = machine.Ram.ReservedBytes + (kibibytes * 1024) } };
            var diagnostics = new DiagnosticBag();
            if (MappingSelector.Select(LowerToGconv.Lower(network, diagnostics)!, machine, [new("y", "winograd-4x1")], diagnostics, default) is { } selected && ImageEmitter.Emit(selected.Program, machine, diagnostics, default) is { } image)
            {
                Assert.Null(AllLevels.ImageDifference(image, inputs, expected));
                var patches = image.HostProgram.OfType<HostPatchKernel>().ToArray();
                sources.UnionWith(patches.Select(patch => patch.From));
                copied += patches.Count(patch => image.HostProgram.OfType<HostCopyFlash>().Any(copy => copy.Destination == patch.Source));
            }
        }

        Assert.Equal(Enum.GetValues<PatchSource>(), sources.Order());
        Assert.True(copied > 0, "no code was copied ahead of its launch");
    }

    [Fact]
    public void Hardly_any_room_stays_empty_where_not_everything_finds_some()
    {
        // single products, whose parameters aren't narrow, in blocks that the array doesn't hide: two of them come and go, all the rest had better be there from the beginning
        var network = DensePairsTests.Layer(1, 61, 800, i => (i % 255) - 127);
        for (var kibibytes = 60; kibibytes <= 160; kibibytes += 20)
        {
            var machine = BuiltInMachines.Default;
            machine = machine with { Ram = machine.Ram with { Bytes = machine.Ram.ReservedBytes + (kibibytes * 1024) } };
            var image = Emit(network, machine);
            var buffers = image.Symbols.Max(s => s.Address + s.Bytes) - machine.Ram.ReservedBytes;
            var block = image.HostProgram.OfType<HostCopyFlash>().Max(c => c.Words);
            Assert.InRange((kibibytes * 1024L) - buffers - (4L * image.RamConstants.Sum(c => c.Words.Length)), 0, 4 * 3 * block);
        }
    }

    [Fact]
    public void Code_that_differs_in_few_words_is_patched_and_moves_fewer_words()
    {
        var image = Emit(RandomNetworks.Network(1), BuiltInMachines.Default);
        var patches = image.HostProgram.OfType<HostPatchKernel>().ToArray();
        Assert.NotEmpty(patches);
        Assert.All(patches, patch => Assert.True(patch.Words < image.Kernels[patch.Kernel].Rows.Sum(row => row.Count)));

        // the data of a patch are checked as code is
        var block = image.RamConstants.Single();
        var words = block.Words.ToArray();
        words[((patches[0].Source - block.Address) / 4) + patches[0].Words - 1] ^= 1;
        Assert.Contains(LaunchListChecker.Check(image with { RamConstants = [block with { Words = words }] }), d => d.Code == "CNN0877");
    }

    [Fact]
    public void Code_in_ram_that_is_another_is_found()
    {
        var image = Emit(RandomNetworks.Network(1), BuiltInMachines.Default);
        var load = image.HostProgram.OfType<HostLoadKernel>().First(l => l.Ram is not null);
        var block = image.RamConstants.Single();
        var words = block.Words.ToArray();
        words[(load.Ram!.Value - block.Address) / 4] ^= 1;
        Assert.Empty(LaunchListChecker.Check(image));
        Assert.Contains(LaunchListChecker.Check(image with { RamConstants = [block with { Words = words }] }), d => d.Code == "CNN0876");
        Assert.Contains(LaunchListChecker.Check(image with { RamConstants = [] }), d => d.Code == "CNN0876");
    }

    private static CnnImage Emit(NetworkGraph network, MachineDescription machine)
    {
        var diagnostics = new DiagnosticBag();
        var selected = MappingSelector.Select(LowerToGconv.Lower(network, diagnostics)!, machine, [], diagnostics, default)!;
        var image = ImageEmitter.Emit(selected.Program, machine, diagnostics, default);
        Assert.True(image is not null, string.Join('\n', diagnostics.Diagnostics));
        return image;
    }
}
