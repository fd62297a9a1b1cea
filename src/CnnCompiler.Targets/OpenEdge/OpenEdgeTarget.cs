using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Passes.Lowering;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.OpenEdge.Emission;
using CnnCompiler.Targets.OpenEdge.Mapping;

namespace CnnCompiler.Targets.OpenEdge;

/// <summary>The road from a network to an image for OpenEdgeCGRA.</summary>
public static class OpenEdgeTarget
{
    /// <summary>The passes, in order.</summary>
    /// <param name="machine">The machine compiled for.</param>
    public static Pipeline Pipeline(MachineDescription machine) => new(
        new LowerToGconv(),
        new MapToOpenEdge(),
        new EmitImage(machine));
}

/// <summary>The pass from the GCONV chain to loop nests.</summary>
public sealed class MapToOpenEdge() : Pass<GconvModule, MappedModule>(
    new("map-to-openedge", "chooses layouts and kernels: loop nests over buffers in RAM", IrLevel.Gconv, IrLevel.Mapped))
{
    /// <inheritdoc/>
    protected override MappedModule? Transform(GconvModule module, PassContext context) =>
        OpenEdgeMapper.Map(module.Program, context.Diagnostics, context.Cancellation) is { } program ? new(program) : null;
}

/// <summary>The pass from loop nests to an image.</summary>
/// <param name="machine">The machine compiled for.</param>
public sealed class EmitImage(MachineDescription machine) : Pass<MappedModule, ImageModule>(
    new("emit-image", "schedules kernels, plans memory, writes launches and the host program", IrLevel.Mapped, IrLevel.Image))
{
    /// <inheritdoc/>
    protected override ImageModule? Transform(MappedModule module, PassContext context) =>
        ImageEmitter.Emit(module.Program, machine, context.Diagnostics, context.Cancellation) is { } image ? new(image, module.Inputs, module.Program) : null;
}
