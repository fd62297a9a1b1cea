using CnnCompiler.Core.Tensors;
using CnnCompiler.Image.Systolic;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Passes.Algorithms;
using CnnCompiler.Passes.Chain;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Passes.Training;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.Nests.Chip;
using CnnCompiler.Targets.Systolic;

namespace CnnCompiler.Targets.Nests.Reproduction;

/// <summary>Who executes a step where a machine can't do general convolutions.</summary>
public enum ComparedKind
{
    /// <summary>A sum of products with weights: the accelerator itself.</summary>
    Convolution,

    /// <summary>Pooling or normalisation: what dedicated units are built for.</summary>
    PoolOrNorm,

    /// <summary>Anything else that is a general convolution.</summary>
    Other,

    /// <summary>What no general convolution says: a step of the host everywhere.</summary>
    Host,
}

/// <summary>A step of a network, as far as it is compared.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Descriptor">Its descriptor; null for a step of the host.</param>
/// <param name="Reads">Tensors that it reads and that are no constants, with their bytes.</param>
/// <param name="Writes">The tensor that it writes.</param>
/// <param name="WrittenBytes">Bytes that it writes.</param>
/// <param name="ConstantBytes">Bytes of its constants.</param>
/// <param name="Operations">Scalar operations.</param>
internal sealed record ComparedStep(
    ComparedKind Kind, SystolicOperator? Descriptor, IReadOnlyList<(string Name, long Bytes)> Reads, string Writes, long WrittenBytes, long ConstantBytes, long Operations)
{
    /// <summary>All bytes that it reads and writes, each tensor once.</summary>
    public long Bytes => Reads.Sum(read => read.Bytes) + ConstantBytes + WrittenBytes;
}

/// <summary>What a network is compared as.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Chain">The chain as the target optimises it.</param>
/// <param name="Layers">Its layers, which the baselines execute one after the other; concatenations are written in place there too.</param>
/// <param name="Without">The chain without one of the passes that can be left out each, by the pass's name.</param>
/// <param name="LayerCode">Bytes of instructions of a layer each.</param>
public sealed record GconvNetwork(string Name, ComparedNetwork Chain, ComparedNetwork Layers, IReadOnlyList<(string Pass, ComparedNetwork Chain)> Without, long LayerCode)
{
    /// <summary>The variants of a chain that no pass has changed yet.</summary>
    /// <param name="name">Name in tables.</param>
    /// <param name="program">The chain.</param>
    /// <param name="layerCode">Bytes of layer-granular code.</param>
    /// <param name="otherwise">The chain as it would have been made without a step of its making, and that step's name.</param>
    public static GconvNetwork Of(string name, GconvProgram program, long layerCode = 0, (string Step, GconvProgram Program)? otherwise = null)
    {
        // algorithms are rewrites that a user asks for: unasked the pass changes nothing
        // weights are drawn, or none: no channel of them is dead
        var passes = GconvTarget.Pipeline(BuiltInMachines.Gconv[0], []).Passes.Where(pass => pass.Description is { From: IrLevel.Gconv, To: IrLevel.Gconv } && pass is not (ConvolutionAlgorithms or RemoveDeadChannels)).ToList();
        var variants = passes.Select(left => (left.Description.Name, After(program, [.. passes.Where(pass => pass != left)]))).ToList();
        var chain = After(program, passes);
        variants.Add((new KeepOnChip().Description.Name, chain with { Keeps = false }));
        variants.Add((new ExchangeLoops().Description.Name, chain with { Exchanges = false }));
        if (otherwise is (var step, var other))
        {
            variants.Add((step, After(other, passes)));
        }

        return new(
            name,
            chain,
            After(program, [.. passes.Where(pass => pass is WriteInPlace)]),
            variants,
            layerCode);

        ComparedNetwork After(GconvProgram from, IReadOnlyList<Pass> chosen)
        {
            var context = new PassContext();
            return ComparedNetwork.Of(name, PassRunner.Run(new Pipeline([.. chosen]), new GconvModule(from), context) is GconvModule module
                ? module.Program
                : throw new InvalidOperationException(string.Join('\n', context.Diagnostics.Diagnostics)));
        }
    }
}

/// <summary>A network as a list of steps.</summary>
public sealed record ComparedNetwork
{
    private ComparedNetwork(string name, IReadOnlyList<ComparedStep> steps, ChipProgram chip) => (Name, Steps, Chip) = (name, steps, chip);

    /// <summary>Its name.</summary>
    public string Name { get; }

    /// <summary>True where tensors may stay on the chip between steps.</summary>
    public bool Keeps { get; init; } = true;

    /// <summary>True where steps that follow each other may go through tiles together.</summary>
    public bool Exchanges { get; init; } = true;

    internal IReadOnlyList<ComparedStep> Steps { get; }

    /// <summary>The steps as far as tensors on the chip are concerned.</summary>
    internal ChipProgram Chip { get; }

    /// <summary>The steps of a chain.</summary>
    /// <param name="name">Name in tables.</param>
    /// <param name="program">The chain.</param>
    public static ComparedNetwork Of(string name, GconvProgram program)
    {
        var tensors = new ChainTensors(program);
        var descriptors = NestMapper.Descriptors(program).ToDictionary(entry => entry.Step.Name, entry => entry.Descriptor, StringComparer.Ordinal);
        var storage = new Dictionary<string, string>(StringComparer.Ordinal);
        var steps = new List<ComparedStep>();
        foreach (var step in program.Steps)
        {
            if (step is GconvView view)
            {
                storage[view.Name] = view.Kind == ViewKind.Reshape ? Storage(view.Sources[0]) : view.Name;
                continue;
            }

            var read = step.Match(
                operation => operation.Extra.Append(operation.Input).Concat(operation.Kernel is { } kernel ? [kernel] : []).Select(access => access.Tensor).ToList(),
                _ => [],
                softmax => [softmax.Source],
                host => [.. host.Layer.Inputs]);
            var written = step is GconvOperator { Destination: { } destination } ? destination : step.Name;
            var descriptor = descriptors.GetValueOrDefault(step.Name);
            steps.Add(new(
                KindOf(step, tensors),
                descriptor,
                [.. read.Where(tensor => !tensors.Constants.ContainsKey(tensor)).Distinct(StringComparer.Ordinal).Select(tensor => (Storage(tensor), Bytes(tensor)))],
                written,
                step.Type.Shape.Elements * step.Type.Element.Size(),
                read.Where(tensors.Constants.ContainsKey).Distinct(StringComparer.Ordinal).Sum(Bytes),
                descriptor is null ? step.Type.Shape.Elements * OperationsOfHost : Operations(descriptor)));
        }

        return new(name, steps, ChipProgram.Of(program));

        string Storage(string tensor) => storage.GetValueOrDefault(tensor, tensor);

        long Bytes(string tensor) => tensors.Shape(tensor).Elements * tensors.Element(tensor).Size();
    }

    /// <summary>Operations an element of a result of the host, assumed: exponential, sum and quotient of a softmax, comparisons of regions.</summary>
    private const long OperationsOfHost = 32;

    private static ComparedKind KindOf(GconvStep step, ChainTensors tensors) => step switch
    {
        GconvOperator { Reduce: GconvReduction.Add, Kernel: { } kernel } when tensors.Constants.ContainsKey(kernel.Tensor) || step.Origin.Value.Keyword == ConvolutionWeightGradient.Keyword => ComparedKind.Convolution,
        GconvOperator => step.Origin.Value.Keyword is var word && (word.Contains("pool", StringComparison.Ordinal) || word.Contains("norm", StringComparison.Ordinal) || word.Contains("lrn", StringComparison.Ordinal))
            ? ComparedKind.PoolOrNorm
            : ComparedKind.Other,
        _ => ComparedKind.Host,
    };

    private static long Operations(SystolicOperator operation)
    {
        var (taps, outputs) = (1L, 1L);
        foreach (var loop in operation.Loops)
        {
            taps *= loop.Extent;
            outputs *= loop.Role == SystolicRole.Row ? 1 : loop.Extent;
        }

        var perTap = ScalarInstructionSet.Operations(operation.Pre) + ScalarInstructionSet.Operations(operation.Main) + (operation.Reduce == SystolicReduction.None ? 0 : 1);
        return (taps * perTap) + (outputs * ScalarInstructionSet.Operations(operation.Post));
    }
}
