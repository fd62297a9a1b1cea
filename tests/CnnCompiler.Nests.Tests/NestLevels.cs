using CnnCompiler.Core.Tensors;
using CnnCompiler.Image.Container;
using CnnCompiler.Image.Nests;
using CnnCompiler.Interpreter.Execution;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Passes.Selection.Explanation;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.Nests;
using CnnCompiler.Targets.Systolic;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Nests.Tests;

/// <summary>A network at every level of the target, what the levels compute and what the image does.</summary>
internal static class NestLevels
{
    public static TheoryData<string> Machines => [.. BuiltInMachines.Gconv.Select(machine => machine.Name)];

    /// <summary>A shipped machine.</summary>
    public static MachineDescription Machine(string name) => BuiltInMachines.Gconv.Single(machine => machine.Name == name);

    /// <summary>A shipped machine with so small an array and buffers that layers have many tiles and partial ones.</summary>
    public static MachineDescription Small(string name, int rows, int columns, long bytes, long sums)
    {
        var machine = Machine(name);
        var systolic = machine.Systolic!
            .With(SystolicKeys.ActivationBytes, new(bytes, "test"))
            .With(SystolicKeys.WeightBytes, new(bytes, "test"))
            .With(SystolicKeys.AccumulatorRows, new(sums, "test"));
        return machine with { Rows = rows, Columns = columns, Systolic = systolic };
    }

    /// <summary>The image module; a refusal fails the test.</summary>
    public static SystolicImageModule Compile(NetworkGraph network, MachineDescription machine, IReadOnlyDictionary<string, string>? options = null, IReadOnlyList<ForcedChoice>? forced = null)
    {
        var diagnostics = new DiagnosticBag();
        var context = new PassContext { Diagnostics = diagnostics, VerifyEach = true, Options = options ?? new Dictionary<string, string>(StringComparer.Ordinal) };
        var module = PassRunner.Run(GconvTarget.Pipeline(machine, forced ?? []), new NetworkModule(network), context);
        Assert.True(module is SystolicImageModule, $"{network.Name} on {machine.Name}: {string.Join('\n', diagnostics.Diagnostics)}");
        return (SystolicImageModule)module;
    }

    /// <summary>Which kinds of places on the chip an image has.</summary>
    public static IEnumerable<string> Kinds(SystolicImageModule image, IReadOnlyDictionary<string, Func<NestChip, bool>> kinds) =>
        kinds.Where(kind => image.Mapped.Nests.Any(nest => nest.Chip is { } chip && kind.Value(chip))).Select(kind => kind.Key);

    /// <summary>The text of the mapped level gives the same steps again.</summary>
    public static void CheckText(SystolicImageModule image)
    {
        var text = image.Mapped.Text();
        var diagnostics = new DiagnosticBag();
        Assert.Equal(image.Mapped.Nests, NestText.Parse(text.Text, "test.cnnir", text.Constants, image.Mapped.Machine, diagnostics)?.Nests);
        Assert.Empty(diagnostics.Diagnostics);
    }

    /// <summary>Runs network and image: equal values, and the counts that the model predicts.</summary>
    public static SystolicImageModule Check(NetworkGraph network, MachineDescription machine, IReadOnlyList<Tensor> inputs, IReadOnlyDictionary<string, string>? options = null, IReadOnlyList<ForcedChoice>? forced = null)
    {
        var image = Compile(network, machine, options, forced);
        var diagnostics = new DiagnosticBag();
        var counted = new List<NestCounts>();
        var running = new RunOptions { MaxCycles = long.MaxValue, AfterNest = (_, counts) => counted.Add(counts) };
        var (expected, actual) = (new NetworkModule(network).Evaluate(inputs, diagnostics, default), image.Evaluate(inputs, running, diagnostics, default));
        Assert.True(expected is not null && actual is not null, $"{network.Name} on {machine.Name}: {string.Join('\n', diagnostics.Diagnostics)}");
        Assert.True(TranslationValidation.Difference(expected, actual) is var difference && difference is null, $"{network.Name} on {machine.Name}: {difference}");
        var predicted = image.Mapped.NestPredictions;
        Assert.Equal(predicted.Count, counted.Count);
        for (var i = 0; i < counted.Count; i++)
        {
            Assert.True(predicted[i].Counts == counted[i], $"{network.Name} on {machine.Name}, {predicted[i].Operator}:\npredicted {predicted[i].Counts}\ncounted   {counted[i]}");
        }

        return image;
    }

    /// <summary>What each nest of the image's bytes did.</summary>
    public static IReadOnlyList<NestCounts> Count(SystolicImageModule image, IReadOnlyList<Tensor> inputs)
    {
        var diagnostics = new DiagnosticBag();
        var read = ImageReader.Read(image.Bytes(), "test.cnnb", diagnostics) ?? throw new InvalidOperationException(string.Join('\n', diagnostics.Diagnostics));
        var counted = new List<NestCounts>();
        var result = ImageInterpreter.Run(read, [.. inputs.Select(t => (ReadOnlyMemory<byte>)t.Bytes.ToArray())], new RunOptions { AfterNest = (_, counts) => counted.Add(counts) });
        Assert.True(result.Succeeded, string.Join('\n', result.Diagnostics));
        return counted;
    }
}
