using CnnCompiler.Core.Tensors;
using CnnCompiler.Image.Container;
using CnnCompiler.Interpreter.Execution;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Passes.Selection.Explanation;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.Systolic;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Systolic.Tests;

/// <summary>A network at every level of the target, and the comparison of what the levels compute.</summary>
public static class AllLevels
{
    public static IReadOnlyDictionary<string, string> NoOptions { get; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>Small arrays, so that layers have many tiles and partial ones; 5x7 is divided by no depth.</summary>
    public static MachineDescription Machine(int rows, int columns) => BuiltInMachines.ArrayFlex[3] with { Name = $"array-{rows}x{columns}", Rows = rows, Columns = columns };

    /// <summary>The image module, or null with the diagnostics that refuse the network.</summary>
    public static SystolicImageModule? Compile(
        NetworkGraph network, MachineDescription machine, DiagnosticBag diagnostics, IReadOnlyDictionary<string, string>? options = null, IReadOnlyList<ForcedChoice>? forced = null) =>
        (SystolicImageModule?)PassRunner.Run(
            ArrayFlexTarget.Pipeline(machine, forced ?? []),
            new NetworkModule(network),
            new PassContext { Diagnostics = diagnostics, VerifyEach = true, Options = options ?? NoOptions });

    /// <summary>Runs network, mapped and image levels on one input; the first difference in words, or null. Values of all layers are compared.</summary>
    public static string? FirstDifference(NetworkGraph network, SystolicImageModule image, IReadOnlyList<Tensor> inputs)
    {
        var diagnostics = new DiagnosticBag();
        var expected = new NetworkModule(network).Evaluate(inputs, diagnostics, default);
        var mapped = image.Mapped.Evaluate(inputs, diagnostics, default);
        var actual = image.Evaluate(inputs, diagnostics, default);
        if (expected is null || mapped is null || actual is null)
        {
            return string.Join('\n', diagnostics.Diagnostics);
        }

        foreach (var (level, values) in new[] { ("mapped", mapped.Values), ("image", actual.Values) })
        {
            foreach (var (name, value) in expected.Values)
            {
                if (LiveTensors.Difference(name, value, values) is { } difference)
                {
                    return $"{level}: {difference}";
                }
            }
        }

        return expected.Outputs.Zip(actual.Outputs).All(pair => pair.First.Bytes.SequenceEqual(pair.Second.Bytes)) ? null : "outputs differ";
    }

    /// <summary>Runs an image from its bytes.</summary>
    public static RunResult Run(SystolicImageModule image, IReadOnlyList<Tensor> inputs, bool stepped = false)
    {
        var diagnostics = new DiagnosticBag();
        var read = ImageReader.Read(image.Bytes(), "test.cnnb", diagnostics) ?? throw new InvalidOperationException(string.Join('\n', diagnostics.Diagnostics));
        var result = ImageInterpreter.Run(read, [.. inputs.Select(t => (ReadOnlyMemory<byte>)t.Bytes.ToArray())], new RunOptions { AlwaysWalkCycles = stepped });
        Assert.True(result.Succeeded, string.Join('\n', result.Diagnostics));
        return result;
    }
}
