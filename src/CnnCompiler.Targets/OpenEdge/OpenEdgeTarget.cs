using CnnCompiler.Passes.Algorithms;
using CnnCompiler.Passes.Chain;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Passes.Lowering;
using CnnCompiler.Passes.Selection.Explanation;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.OpenEdge.Emission;
using CnnCompiler.Targets.OpenEdge.Selection;

namespace CnnCompiler.Targets.OpenEdge;

/// <summary>The road from a network to an image for OpenEdgeCGRA.</summary>
public static class OpenEdgeTarget
{
    /// <summary>The passes, in order.</summary>
    /// <param name="machine">The machine compiled for.</param>
    /// <param name="forced">Choices of kernels and layouts that the user made himself.</param>
    public static Pipeline Pipeline(MachineDescription machine, IReadOnlyList<ForcedChoice> forced) => new(
        new LowerToGconv(),
        new ConvolutionAlgorithms(),
        new RemoveDeadChannels(),
        new MapToOpenEdge(machine, forced),
        new EmitImage(machine));
}

/// <summary>The pass from the GCONV chain to loop nests.</summary>
/// <param name="machine">The machine whose cycles are minimised.</param>
/// <param name="forced">Choices that the user made himself.</param>
public sealed class MapToOpenEdge(MachineDescription machine, IReadOnlyList<ForcedChoice> forced) : Pass<GconvModule, MappedModule>(
    new("map-to-openedge", "chooses kernels and layouts at measured cycles: loop nests over buffers in RAM", IrLevel.Gconv, IrLevel.Mapped))
{
    /// <inheritdoc/>
    protected override MappedModule? Transform(GconvModule module, PassContext context) =>
        MappingSelector.Select(module.Program, machine, ChainLayers.Of(module.Program, forced), context.Diagnostics, context.Cancellation, context.Search) is { } selected
            ? new(selected.Program) { Selection = selected.Explanation, Predicted = selected.Predicted, Schedule = selected.Schedule }
            : null;
}

/// <summary>The pass from loop nests to an image.</summary>
/// <param name="machine">The machine compiled for.</param>
public sealed class EmitImage(MachineDescription machine) : Pass<MappedModule, ImageModule>(
    new("emit-image", "schedules kernels, plans memory, writes launches and the host program", IrLevel.Mapped, IrLevel.Image))
{
    /// <inheritdoc/>
    protected override ImageModule? Transform(MappedModule module, PassContext context)
    {
        var memory = new List<MemoryRange>();
        return ImageEmitter.Emit(module.Program, machine, context.Diagnostics, context.Cancellation, memory) is { } image ? new(image, module.Inputs, module.Program) { Memory = memory } : null;
    }
}
