using CnnCompiler.Image.Systolic;
using CnnCompiler.Interpreter.Systolic;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Targets.Systolic.Reproduction;

/// <summary>A network on an array, beside the array of the same size with a fixed pipeline.</summary>
/// <param name="Network">Name of the network.</param>
/// <param name="Machine">The array.</param>
/// <param name="FixedFemtoseconds">Time of the fixed array.</param>
/// <param name="Femtoseconds">Time of the configurable one.</param>
/// <param name="FixedAttojoules">Energy inside the fixed array.</param>
/// <param name="Attojoules">Energy inside the configurable one.</param>
/// <param name="LayersPerDepth">Layers by their depth (that of inner tiles).</param>
public sealed record ArrayFlexFigure(
    string Network,
    string Machine,
    long FixedFemtoseconds,
    long Femtoseconds,
    Int128 FixedAttojoules,
    Int128 Attojoules,
    IReadOnlyDictionary<CollapseDepth, int> LayersPerDepth)
{
    /// <summary>Part of the time that is saved.</summary>
    public double Saving => 1 - ((double)Femtoseconds / FixedFemtoseconds);

    /// <summary>Part of the power that is saved: energy over time.</summary>
    public double PowerSaving => 1 - ((double)Attojoules / Femtoseconds / ((double)FixedAttojoules / FixedFemtoseconds));

    /// <summary>How many times better the product of energy and time is.</summary>
    public double EnergyDelayGain => (double)FixedAttojoules * FixedFemtoseconds / ((double)Attojoules * Femtoseconds);
}

/// <summary>
/// The comparison of the ArrayFlex paper (<c>research/arrayflex.md</c>): layers one after the other, neither DRAM nor units counted, cycles and events of both
/// arrays by the same code.
/// </summary>
public static class ArrayFlexReproduction
{
    /// <summary>Arrays of the paper.</summary>
    public static IReadOnlyList<MachineDescription> Machines { get; } = [.. BuiltInMachines.ArrayFlex.Where(machine => machine.Rows >= 128).Select(WithoutDram)];

    /// <summary>
    /// The same arrays with the paper's widths, 32-bit operands and 64-bit sums: a 32-bit multiplication of 3.1 pJ (45 nm, Horowitz, ISSCC 2014; remembered), additions of twice the
    /// 32-bit ones.
    /// </summary>
    public static IReadOnlyList<MachineDescription> WideMachines { get; } = [.. Machines.Select(Widen)];

    /// <summary>One network on one array.</summary>
    /// <param name="network">The layers.</param>
    /// <param name="machine">The array.</param>
    /// <param name="options">What the configurable array may use.</param>
    /// <param name="depthwise">False to leave depthwise layers out.</param>
    /// <param name="fixedToo">True where the fixed array has the same extensions (packing, double buffering, trimmed tiles); false for the paper's plain one, packed as the other.</param>
    public static ArrayFlexFigure Measure(LayerList network, MachineDescription machine, SystolicOptions options, bool depthwise, bool fixedToo)
    {
        var chooser = new PlanChooser(machine, options);
        var systolic = machine.Systolic!;
        var (fixedTime, time, fixedEnergy, energy) = (0L, 0L, (Int128)0, (Int128)0);
        var depths = new SortedDictionary<CollapseDepth, int>(Comparer<CollapseDepth>.Create((a, b) => (a.Horizontal, a.Vertical).CompareTo((b.Horizontal, b.Vertical))));
        foreach (var layer in network.Layers.Where(layer => depthwise || !layer.IsDepthwise))
        {
            var operation = layer.Operator();
            var best = PlanChooser.Best(chooser.Candidates(operation, layer.Name, null));
            var plan = best.Plan!.With(new(1, 1));
            var plain = chooser.CostOf(operation, fixedToo ? plan : plan with { DoubleBuffered = false, Trimmed = false });
            fixedTime += plain.ArrayCycles * systolic.FixedPeriodFemtoseconds;
            fixedEnergy += SystolicEnergy.Array(plain.Events, systolic, isFixed: true);
            time += best.Cost.Femtoseconds;
            energy += SystolicEnergy.Array(best.Cost.Events, systolic, isFixed: false);
            depths[best.Plan.Inner] = depths.GetValueOrDefault(best.Plan.Inner) + 1;
        }

        return new(network.Name, machine.Name, fixedTime, time, fixedEnergy, energy, depths);
    }

    /// <summary>Every network on every array.</summary>
    public static IReadOnlyList<ArrayFlexFigure> All(SystolicOptions options, bool depthwise, bool fixedToo, IReadOnlyList<MachineDescription>? machines = null) =>
        [.. (machines ?? Machines).SelectMany(machine => LayerList.ArrayFlex.Select(network => Measure(network, machine, options, depthwise, fixedToo)))];

    private static MachineDescription Widen(MachineDescription machine) => machine with
    {
        Systolic = machine.Systolic!
            .With(SystolicKeys.OperandBits, new(32, "ArrayFlex"))
            .With(SystolicKeys.SumBits, new(64, "ArrayFlex"))
            .With(SystolicKeys.Multiplication, new(3_100_000, "32-bit multiplication, 45 nm: Horowitz, ISSCC 2014; remembered"))
            .With(SystolicKeys.CarrySaveAdd, new(2 * machine.Systolic[SystolicKeys.CarrySaveAdd], "assumed: twice that of 32 bits"))
            .With(SystolicKeys.CarryPropagateAdd, new(2 * machine.Systolic[SystolicKeys.CarryPropagateAdd], "assumed: twice that of 32 bits")),
    };

    private static MachineDescription WithoutDram(MachineDescription machine) => machine with
    {
        Systolic = machine.Systolic!.With(SystolicKeys.OffChipBytes, new(SystolicKeys.OffChipBytes.Maximum, "assumed: the paper counts no DRAM")),
    };
}
