using CnnCompiler.Core.Tensors;
using CnnCompiler.Image.Container;
using CnnCompiler.Interpreter.Execution;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Lowering;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.OpenEdge.Emission;
using CnnCompiler.Targets.OpenEdge.Mapping;
using CnnCompiler.Targets.OpenEdge.Selection;

namespace CnnCompiler.OpenEdge.Tests;

/// <summary>A network at every level, and the comparison of what the levels compute.</summary>
public sealed class AllLevels
{
    private AllLevels(NetworkGraph network, GconvProgram gconv, MappedProgram mapped, IReadOnlyList<CnnImage> images) =>
        (Network, Gconv, Mapped, Images) = (network, gconv, mapped, images);

    public static IReadOnlyList<MachineDescription> Machines { get; } = BuiltInMachines.All;

    public NetworkGraph Network { get; }

    public GconvProgram Gconv { get; }

    public MappedProgram Mapped { get; }

    public IReadOnlyList<CnnImage> Images { get; }

    /// <summary>Compiles to every level with default candidates that fit the first machine, or gives the diagnostics that refuse the network.</summary>
    public static AllLevels? Compile(NetworkGraph network, DiagnosticBag diagnostics, IReadOnlyList<MachineDescription>? machines = null) =>
        Compile(network, MappingChoices.Defaults, diagnostics, machines);

    /// <summary>Compiles to every level with given choices, changed as far as the first machine's memory requires.</summary>
    public static AllLevels? Compile(
        NetworkGraph network, MappingChoices choices, DiagnosticBag diagnostics, IReadOnlyList<MachineDescription>? machines = null) =>
        LowerToGconv.Lower(network, diagnostics) is { } gconv ? Compile(network, gconv, choices, diagnostics, machines) : null;

    /// <summary>Compiles a chain of the network to the levels after it.</summary>
    public static AllLevels? Compile(
        NetworkGraph network, GconvProgram gconv, MappingChoices choices, DiagnosticBag diagnostics, IReadOnlyList<MachineDescription>? machines = null)
    {
        if (MappingSelector.Fit(gconv, choices, (machines ?? Machines)[0], diagnostics, default)?.Program is not { } mapped)
        {
            return null;
        }

        diagnostics.Report(GconvVerifier.Check(gconv));
        diagnostics.Report(MappedVerifier.Check(mapped));
        var images = (machines ?? Machines).Select(m => ImageEmitter.Emit(mapped, m, diagnostics, default)).ToList();
        if (diagnostics.HasErrors)
        {
            return null;
        }

        // through the bytes: the interpreter reads nothing else
        var read = images.Select(i => ImageReader.Read(ImageWriter.Write(i!), "test.cnnb", diagnostics)!).ToList();
        return diagnostics.HasErrors ? null : new(network, gconv, mapped, read);
    }

    /// <summary>Runs all levels on one input; the first difference in words, or null.</summary>
    public string? FirstDifference(IReadOnlyList<Tensor> inputs, bool intermediates = true)
    {
        var diagnostics = new DiagnosticBag();
        if (NetworkEvaluator.Evaluate(Network, inputs, diagnostics) is not { } network)
        {
            return $"network: {string.Join('\n', diagnostics.Diagnostics)}";
        }

        if (GconvEvaluator.Evaluate(Gconv, inputs, diagnostics) is not { } gconv)
        {
            return $"gconv: {string.Join('\n', diagnostics.Diagnostics)}";
        }

        if (MappedEvaluator.Run(Mapped, inputs, diagnostics, keepValues: intermediates) is not { } mapped)
        {
            return $"mapped: {string.Join('\n', diagnostics.Diagnostics)}";
        }

        foreach (var (name, value) in network.Values)
        {
            if (gconv.Values.TryGetValue(name, out var same) && Difference("gconv", name, value, same) is { } wrong)
            {
                return wrong;
            }
        }

        foreach (var (name, value) in mapped.Values)
        {
            if (network.Values.TryGetValue(name, out var same) && Difference("mapped", name, same, value) is { } wrong)
            {
                return wrong;
            }
        }

        for (var i = 0; i < network.Outputs.Count; i++)
        {
            if (Difference("mapped", $"output {i}", network.Outputs[i], mapped.Outputs[i]) is { } wrong)
            {
                return wrong;
            }
        }

        return Images.Select(image => ImageDifference(image, inputs, network.Outputs)).FirstOrDefault(d => d is not null);
    }

    /// <summary>Runs one image; the first difference of its outputs to the expected ones, or null.</summary>
    public static string? ImageDifference(CnnImage image, IReadOnlyList<Tensor> inputs, IEnumerable<Tensor> expected)
    {
        var result = ImageInterpreter.Run(image, [.. inputs.Select(t => (ReadOnlyMemory<byte>)t.Bytes.ToArray())]);
        if (!result.Succeeded)
        {
            return $"image on {image.Machine.Name}: {string.Join('\n', result.Diagnostics)}";
        }

        return expected.Select((e, i) => Difference($"image on {image.Machine.Name}", $"output {i}", e, new(e.Element, e.Shape, result.Outputs[i].ToArray())))
            .FirstOrDefault(d => d is not null);
    }

    private static string? Difference(string level, string name, Tensor expected, Tensor actual)
    {
        for (var i = 0; i < expected.Shape.Elements; i++)
        {
            if (expected.GetInteger(i) != actual.GetInteger(i))
            {
                return $"{level}: {name} {expected}, element {i}: expected {expected.GetInteger(i)}, got {actual.GetInteger(i)}";
            }
        }

        return null;
    }
}
