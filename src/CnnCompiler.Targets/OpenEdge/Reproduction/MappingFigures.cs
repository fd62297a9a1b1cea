using CnnCompiler.Interpreter.Execution;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Passes.Lowering;
using CnnCompiler.Passes.Selection;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using CnnCompiler.Targets.OpenEdge.Emission;
using CnnCompiler.Targets.OpenEdge.Kernels;
using CnnCompiler.Targets.OpenEdge.Mapping;
using CnnCompiler.Targets.OpenEdge.Selection;

namespace CnnCompiler.Targets.OpenEdge.Reproduction;

/// <summary>What a mapping of a convolution costs on one machine: from inputs of one element a word to 32-bit sums in RAM.</summary>
/// <param name="Mapping">Name of the candidate.</param>
/// <param name="Cycles">Cycles, host included (<c>openedge-system.md</c>).</param>
/// <param name="ArrayCycles">Cycles of the array among them.</param>
/// <param name="Launches">Launches.</param>
/// <param name="Femtojoules">Energy.</param>
/// <param name="Bytes">Buffers, parameters and code in RAM.</param>
public sealed record MappingFigures(string Mapping, long Cycles, long ArrayCycles, long Launches, long Femtojoules, long Bytes);

/// <summary>All mappings of one convolution on all buses.</summary>
public sealed class MappingComparison
{
    private const string Lines = "-w";
    private readonly ConvolutionPoint _point;
    private readonly GconvProgram _program;
    private readonly Dictionary<string, MappedProgram> _mapped = new(StringComparer.Ordinal);

    /// <summary>Maps a convolution in every way that there is.</summary>
    /// <param name="point">The convolution.</param>
    /// <param name="star">True to plan the passes of stars, too, which takes longest.</param>
    public MappingComparison(ConvolutionPoint point, bool star = true)
    {
        _point = point;
        _program = LowerToGconv.Lower(point.Network(), new())!;
        var decision = OpenEdgeMapper.Map(_program, MappingChoices.Defaults, new(), default)!.Decisions.Single(d => d is { IsLayout: false, Name: "y" });
        foreach (var name in decision.Candidates.Select(c => c.Name).Where(name =>
            PublishedMappings.IsPublished(name) || IsTransformed(name) || (name.EndsWith(Lines, StringComparison.Ordinal) && (star || !name.StartsWith("star", StringComparison.Ordinal)))))
        {
            if (OpenEdgeMapper.Map(_program, MappingChoices.Defaults.With(decision.Key, name), new(), default) is { } mapping)
            {
                _mapped.Add(name, mapping.Program);
            }
        }
    }

    /// <summary>True where a mapping takes fewer multiplications than the convolution has.</summary>
    public static bool IsTransformed(string mapping) => mapping.StartsWith("winograd", StringComparison.Ordinal);

    /// <summary>Every mapping on a machine, the published ones first; without those that exceed the array.</summary>
    public IReadOnlyList<MappingFigures> On(MachineDescription machine)
    {
        var timer = new KernelTimer(machine);
        return [.. _mapped.Select(mapped => Figures(mapped.Key, mapped.Value, machine, timer)).OfType<MappingFigures>()
            .OrderBy(figures => PublishedMappings.Names.Contains(figures.Mapping, StringComparer.Ordinal) ? 0 : 1)];
    }

    /// <summary>
    /// Runs a mapping's image as a whole and compares: the codes with those of the network, the array's cycles in its kernel with those of one launch times their number.
    /// </summary>
    /// <returns>Array cycles expected and counted, and whether all codes are right.</returns>
    public (long Expected, long Counted, bool IsExact) Check(string mapping, MachineDescription machine)
    {
        var program = _mapped[mapping];
        var strategy = PublishedMappings.StrategyOf(mapping);
        var timer = new KernelTimer(machine);
        var expected = program.Steps.OfType<MappedNest>().Where(nest => nest.Kernel == strategy).Sum(nest => timer.ArrayCycles(nest, program));
        var diagnostics = new DiagnosticBag();
        if (ImageEmitter.Emit(program, machine, diagnostics, default) is not { } image)
        {
            return (expected, 0, false);
        }

        var network = _point.Network();
        var shape = network.Inputs[0].Type.Shape;
        var input = Core.Tensors.Tensor.From<sbyte>(Core.Tensors.ElementType.Int8, shape, [.. Enumerable.Range(0, (int)shape.Elements).Select(i => (sbyte)((i * 41 % 256) - 128))]);
        var run = ImageInterpreter.Run(image, [input.Bytes.ToArray()]);
        var wanted = Ir.Network.NetworkEvaluator.Evaluate(network, [input], diagnostics)!.Outputs[0];
        return (
            expected,
            run.Launches.Where(launch => image.Kernels[image.Launches[launch.Launch].Kernel].Name == strategy).Sum(launch => launch.Outcome.Done),
            run.Succeeded && run.Outputs[0].Span.SequenceEqual(wanted.Bytes));
    }

    private static MappingFigures? Figures(string name, MappedProgram program, MachineDescription machine, KernelTimer timer)
    {
        var (cycles, array, launches, femtojoules, words) = (0L, 0L, 0L, 0L, 0L);
        var buffers = new HashSet<string>(StringComparer.Ordinal);
        var nests = program.Steps.OfType<MappedNest>().ToArray();
        foreach (var (nest, index) in nests.Select((n, i) => (n, i)).Where(n => IsCounted(n.n)))
        {
            var cost = timer.Cost(nest, program, withEnergy: true, index == 0 ? null : nests[index - 1]);
            if (cost.InRam == SelectionCost.Illegal)
            {
                return null;
            }

            var data = new Places(program);
            var kernel = KernelCompiler.Compile(nest, data);
            cycles += cost.InRam;
            array += timer.ArrayCycles(nest, program);
            launches += kernel.Launches;
            femtojoules += cost.EnergyInRam;
            words += (kernel.Launches * (long)kernel.ParameterWords) + (kernel.HasCodeOfItsOwn ? KernelCompiler.Assemble(kernel, machine).Rows.Sum(r => (long)r.Count) : 0);
            buffers.UnionWith(nest.Operands.Select(o => o.Target).Append(nest.Output.Target));
        }

        return new(name, cycles, array, launches, femtojoules, (words + program.Buffers.Where(b => buffers.Contains(b.Name)).Sum(b => (long)b.Words)) * NestView.WordBytes);
    }

    /// <summary>All that the convolution takes; not what unpacks bytes before it, or makes codes of its sums behind it.</summary>
    private static bool IsCounted(MappedNest nest) =>
        nest.Origin.Value.Layer == "y" && !nest.Kernel.StartsWith("requantize", StringComparison.Ordinal) && nest.Kernel is not (PackKernel.Strategy or PackLinesKernel.Strategy or StepsKernel.Strategy);

    /// <summary>Constants; nobody asks for addresses before a launch.</summary>
    private sealed class Places(MappedProgram program) : IKernelData
    {
        public int AddressOf(string buffer) => 0;

        public Core.Tensors.Tensor Constant(string name) => program.Constants.First(c => c.Name == name).Value;
    }
}
