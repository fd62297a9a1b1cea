using CnnCompiler.Core.Tensors;
using CnnCompiler.Image.Container;
using CnnCompiler.Image.Overlay;
using CnnCompiler.Interpreter.Execution;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Passes.Selection.Explanation;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.Overlay;
using CnnCompiler.Targets.Systolic;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Overlay.Tests;

/// <summary>A network at every level of the target, what the levels compute and what the image costs.</summary>
public static class OverlayLevels
{
    public static IReadOnlyDictionary<string, string> NoOptions { get; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>A small overlay, so that layers have several passes, many tiles and partial ones.</summary>
    public static MachineDescription Machine(int rows, int columns, long activations = 4096, long weights = 65536, long sums = 512)
    {
        var machine = BuiltInMachines.Overlay[1];
        var systolic = machine.Systolic!
            .With(SystolicKeys.ActivationBytes, new(activations, "test"))
            .With(SystolicKeys.WeightBytes, new(weights, "test"))
            .With(SystolicKeys.AccumulatorRows, new(sums, "test"))
            .With(SystolicKeys.TransformLanes, new(7, "test"));
        return machine with { Name = $"overlay-{rows}x{columns}", Rows = rows, Columns = columns, Systolic = systolic };
    }

    /// <summary>The image module, or null with the diagnostics that refuse the network.</summary>
    public static SystolicImageModule? Compile(
        NetworkGraph network, MachineDescription machine, DiagnosticBag diagnostics, IReadOnlyDictionary<string, string>? options = null, IReadOnlyList<ForcedChoice>? forced = null) =>
        (SystolicImageModule?)PassRunner.Run(
            OverlayTarget.Pipeline(machine, forced ?? []),
            new NetworkModule(network),
            new PassContext { Diagnostics = diagnostics, VerifyEach = true, Options = options ?? NoOptions });

    /// <summary>Runs network and image on one input; the first difference of a value in words, or null.</summary>
    public static string? FirstDifference(NetworkGraph network, SystolicImageModule image, IReadOnlyList<Tensor> inputs)
    {
        var diagnostics = new DiagnosticBag();
        var expected = new NetworkModule(network).Evaluate(inputs, diagnostics, default);
        var actual = image.Evaluate(inputs, diagnostics, default);
        if (expected is null || actual is null)
        {
            return string.Join('\n', diagnostics.Diagnostics);
        }

        foreach (var (name, value) in expected.Values)
        {
            if (LiveTensors.Difference(name, value, actual.Values) is { } difference)
            {
                return difference;
            }
        }

        return expected.Outputs.Zip(actual.Outputs).All(pair => pair.First.Bytes.SequenceEqual(pair.Second.Bytes)) ? null : "outputs differ";
    }

    /// <summary>Convolutions whose predicted cycles are not those that the interpreter counts, in words.</summary>
    public static IReadOnlyList<string> WrongPredictions(SystolicImageModule image, IReadOnlyList<Tensor> inputs)
    {
        var diagnostics = new DiagnosticBag();
        var read = ImageReader.Read(image.Bytes(), "test.cnnb", diagnostics) ?? throw new InvalidOperationException(string.Join('\n', diagnostics.Diagnostics));
        var counted = new Dictionary<int, long>();
        var result = ImageInterpreter.Run(read, [.. inputs.Select(t => (ReadOnlyMemory<byte>)t.Bytes.ToArray())], new RunOptions { AfterSystolicStepCost = (step, cost) => counted[step] = cost.Cycles });
        Assert.True(result.Succeeded, string.Join('\n', result.Diagnostics));
        var wrong = new List<string>();
        var steps = read.Systolic!.Steps;
        var predicted = image.Mapped.Predictions;
        var at = 0;
        for (var i = 0; i < steps.Count; i++)
        {
            if (steps[i] is OverlayConvolution)
            {
                var cycles = counted[i] + (i > 0 && steps[i - 1] is OverlayTransform ? counted[i - 1] : 0);
                if (cycles != predicted[at].Cycles)
                {
                    wrong.Add($"{predicted[at].Operator}: predicted {predicted[at].Cycles}, counted {cycles}; {steps[i]}");
                }

                at++;
            }
        }

        Assert.Equal(predicted.Count, at);
        return wrong;
    }
}
