using CnnCompiler.Core;
using CnnCompiler.Image.Overlay;
using CnnCompiler.Passes.Chain;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Passes.Lowering;
using CnnCompiler.Passes.Selection.Explanation;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.Systolic;

namespace CnnCompiler.Targets.Overlay;

/// <summary>The road from a network to an image for DYNAMAP's overlay (Meng et al., FPGA 2021, arXiv 2012.00912).</summary>
public static class OverlayTarget
{
    /// <summary>The passes, in order.</summary>
    /// <param name="machine">The machine compiled for.</param>
    /// <param name="forced">Choices that the user made himself.</param>
    public static Pipeline Pipeline(MachineDescription machine, IReadOnlyList<ForcedChoice> forced) => new(
        new LowerToGconv(),
        new RemoveDeadChannels(),
        new MapToOverlay(machine, forced),
        new EmitSystolicImage());
}

/// <summary>The pass from the GCONV chain to convolutions with algorithms, dataflows and forms.</summary>
/// <param name="machine">The machine compiled for.</param>
/// <param name="forced">Choices that the user made himself.</param>
public sealed class MapToOverlay(MachineDescription machine, IReadOnlyList<ForcedChoice> forced) : Pass<GconvModule, SystolicModule>(
    new("map-to-overlay", "chooses for each convolution im2col, kn2row or Winograd, the dataflow and the form of its input", IrLevel.Gconv, IrLevel.Mapped, Options))
{
    private const string Auto = "auto";
    private static readonly PassOption Algorithm = new("algorithm", "algorithm of all layers that have it", Auto, [Auto, "im2col", "kn2row", "winograd"]);
    private static readonly PassOption Dataflow = new("dataflow", "dataflow of all layers", Auto, [Auto, "ns", "ws", "is"]);
    private static readonly PassOption Layouts = new("stored-forms", "inputs may be stored in their form", Auto, [Auto, "off"]);

    private static EquatableArray<PassOption> Options => [Algorithm, Dataflow, Layouts];

    /// <inheritdoc/>
    protected override SystolicModule? Transform(GconvModule module, PassContext context) =>
        OverlayMapper.Map(module.Program, machine, Read(context), ChainLayers.Of(module.Program, forced), context.Diagnostics, context.Cancellation);

    private OverlayOptions Read(PassContext context) => new(
        context.Value(this, Algorithm) is var algorithm && algorithm == Auto ? null : algorithm,
        context.Value(this, Dataflow) switch
        {
            "ns" => OverlayDataflow.NonStationary,
            "ws" => OverlayDataflow.WeightStationary,
            "is" => OverlayDataflow.InputStationary,
            _ => null,
        },
        context.Value(this, Layouts) == Auto);
}
