using System.Globalization;
using CnnCompiler.Core;
using CnnCompiler.Passes.Algorithms;
using CnnCompiler.Passes.Chain;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Passes.Lowering;
using CnnCompiler.Passes.Selection.Explanation;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Targets.Systolic;

/// <summary>The road from a network to an image for systolic arrays with ArrayFlex's configurable pipeline.</summary>
public static class ArrayFlexTarget
{
    /// <summary>The passes, in order.</summary>
    /// <param name="machine">The machine compiled for.</param>
    /// <param name="forced">Choices that the user made himself.</param>
    public static Pipeline Pipeline(MachineDescription machine, IReadOnlyList<ForcedChoice> forced) => new(
        new LowerToGconv(),
        new ConvolutionAlgorithms(),
        new RemoveDeadChannels(),
        new MapToSystolic(machine, forced),
        new EmitSystolicImage());
}

/// <summary>The pass from the GCONV chain to matrix products with plans.</summary>
/// <param name="machine">The machine compiled for.</param>
/// <param name="forced">Choices that the user made himself.</param>
public sealed class MapToSystolic(MachineDescription machine, IReadOnlyList<ForcedChoice> forced) : Pass<GconvModule, SystolicModule>(
    new("map-to-systolic", "chooses algorithms of convolutions, sees sums of products as matrix products, tiles them, chooses the pipeline's depth for each", IrLevel.Gconv, IrLevel.Mapped, Options))
{
    private const string On = "on";
    private const string Off = "off";
    private const string Auto = "auto";
    private static readonly PassOption Objective = new("objective", "what is minimised", "latency", ["latency", "energy", "edp"]);
    private static readonly PassOption Depth = new("depth", "collapse depth of all layers", Auto, ["auto", "1", "2", "3", "4", "5", "6", "7", "8"]);
    private static readonly PassOption Packing = new("pack-groups", "groups side by side on the array's diagonal", Auto, [Auto, Off]);
    private static readonly PassOption VectorProducts = new("vector-products", "products in the vector unit where that is better", Auto, [Auto, Off]);
    private static readonly PassOption Algorithms = new("algorithms", "convolutions become several operators where that is better, or none does", Auto, [Auto, "direct"]);
    private static readonly PassOption Asymmetric = new("asymmetric", "depths of the two directions may differ", Off, [Off, On]);
    private static readonly PassOption PerTile = new("depth-per-tile", "the last tiles of a layer have depths of their own", Off, [Off, On]);
    private static readonly PassOption DoubleBuffered = new("double-buffered", "weights of the next tile are loaded beside a tile", Off, [Off, On]);
    private static readonly PassOption Trimmed = new("trimmed", "tiles load and wait for the rows and columns they use only", Off, [Off, On]);

    private static EquatableArray<PassOption> Options => [Objective, Depth, Packing, VectorProducts, Algorithms, Asymmetric, PerTile, DoubleBuffered, Trimmed];

    /// <inheritdoc/>
    protected override SystolicModule? Transform(GconvModule module, PassContext context) =>
        SystolicMapper.Map(module.Program, machine, Read(context), ChainLayers.Of(module.Program, forced), context.Diagnostics, context.Cancellation);

    private SystolicOptions Read(PassContext context)
    {
        var objective = context.Value(this, Objective) switch { "energy" => SystolicObjective.Energy, "edp" => SystolicObjective.EnergyDelay, _ => SystolicObjective.Latency };
        return new(objective)
        {
            ForcedDepth = context.Value(this, Depth) is var depth && depth == Auto ? null : int.Parse(depth, CultureInfo.InvariantCulture),
            PackGroups = context.Value(this, Packing) == Auto,
            VectorProducts = context.Value(this, VectorProducts) == Auto,
            Algorithms = context.Value(this, Algorithms) == Auto && context.Search.Effort > 0,
            Asymmetric = context.Value(this, Asymmetric) == On,
            DepthPerTile = context.Value(this, PerTile) == On,
            DoubleBuffered = context.Value(this, DoubleBuffered) == On,
            Trimmed = context.Value(this, Trimmed) == On,
        };
    }
}

/// <summary>The pass from plans to an image.</summary>
public sealed class EmitSystolicImage() : Pass<SystolicModule, SystolicImageModule>(
    new("emit-systolic-image", "plans memory, writes descriptors and constants", IrLevel.Mapped, IrLevel.Image))
{
    /// <inheritdoc/>
    protected override SystolicImageModule? Transform(SystolicModule module, PassContext context) =>
        SystolicEmitter.Emit(module, context.Diagnostics);
}
