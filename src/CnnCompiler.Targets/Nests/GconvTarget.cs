using CnnCompiler.Ir.Gconv;
using CnnCompiler.Passes.Algorithms;
using CnnCompiler.Passes.Chain;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Passes.Lowering;
using CnnCompiler.Passes.Selection.Explanation;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.Nests.Chip;
using CnnCompiler.Targets.Systolic;

namespace CnnCompiler.Targets.Nests;

/// <summary>The road from a network to an image for convolution accelerators that execute every layer as general convolutions (GCONV Chain, arXiv 2104.05541).</summary>
public static class GconvTarget
{
    /// <summary>The passes, in order.</summary>
    /// <param name="machine">The machine compiled for.</param>
    /// <param name="forced">Choices of algorithms that the user made himself.</param>
    public static Pipeline Pipeline(MachineDescription machine, IReadOnlyList<ForcedChoice> forced) => new(
        new LowerToGconv(),
        new ConvolutionAlgorithms(),
        new RemoveDeadChannels(),
        new WriteInPlace(Accepts),
        new FuseElementwise(Accepts),
        new MergeSiblings(Accepts),
        new MapToNests(machine, forced),
        new KeepOnChip(),
        new ExchangeLoops(),
        new EmitSystolicImage());

    /// <summary>What tells whether the units can execute an operator on a chain's tensors.</summary>
    internal static Func<GconvOperator, bool> Accepts(GconvProgram program)
    {
        var tensors = new ChainTensors(program);
        var builder = new DescriptorBuilder(tensors.Shape, tensors.Element, _ => 0);
        return operation => builder.Fits(operation);
    }
}

/// <summary>The pass from the GCONV chain to loop nests on an accelerator.</summary>
/// <param name="machine">The machine compiled for.</param>
/// <param name="forced">Choices of algorithms that the user made himself.</param>
public sealed class MapToNests(MachineDescription machine, IReadOnlyList<ForcedChoice> forced) : Pass<GconvModule, SystolicModule>(
    new("map-to-nests", "chooses algorithms of convolutions, unrolls each general convolution on the array, tiles it for the buffers and orders its loops", IrLevel.Gconv, IrLevel.Mapped, [Algorithms]))
{
    private const string Auto = "auto";
    private static readonly PassOption Algorithms = new("algorithms", "convolutions become several operators where that is faster, or none does", Auto, [Auto, "direct"]);

    /// <inheritdoc/>
    protected override SystolicModule? Transform(GconvModule module, PassContext context)
    {
        var plans = new NestPlans(machine);
        return AlgorithmSelection.Choose(module.Program, plans, ChainLayers.Of(module.Program, forced), context.Value(this, Algorithms) == Auto && context.Search.Effort > 0, context) is var (program, explanation)
            ? NestMapper.Map(program, plans, context.Cancellation) with { Selection = explanation }
            : null;
    }
}
