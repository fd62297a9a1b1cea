using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Interpreter.Systolic;

/// <summary>What a layer cost on a systolic machine. Parts add up with <c>+</c>.</summary>
/// <param name="ArrayCycles">Cycles in which the array loads weights or streams.</param>
/// <param name="UnitCycles">Cycles of the output and vector unit that do not run beside the array.</param>
/// <param name="StallCycles">Cycles waited for DRAM.</param>
/// <param name="HiddenTransferCycles">Cycles of DRAM transfers beside array and units.</param>
/// <param name="Tiles">Tiles.</param>
/// <param name="Events">What happened inside the array.</param>
/// <param name="VectorOperations">Scalar operations of output and vector unit.</param>
/// <param name="BufferWords">32-bit words from and to buffers.</param>
/// <param name="DramReads">32-bit words from DRAM.</param>
/// <param name="DramWrites">32-bit words to DRAM.</param>
/// <param name="Femtoseconds">Time, each cycle at the clock of its configuration.</param>
public readonly record struct SystolicLayerRun(
    long ArrayCycles,
    long UnitCycles,
    long StallCycles,
    long HiddenTransferCycles,
    long Tiles,
    SystolicEvents Events,
    long VectorOperations,
    long BufferWords,
    long DramReads,
    long DramWrites,
    long Femtoseconds)
{
    /// <summary>All cycles.</summary>
    public long Cycles => ArrayCycles + UnitCycles + StallCycles;

    /// <summary>Both together.</summary>
    public static SystolicLayerRun operator +(SystolicLayerRun left, SystolicLayerRun right) => new(
        left.ArrayCycles + right.ArrayCycles,
        left.UnitCycles + right.UnitCycles,
        left.StallCycles + right.StallCycles,
        left.HiddenTransferCycles + right.HiddenTransferCycles,
        left.Tiles + right.Tiles,
        left.Events + right.Events,
        left.VectorOperations + right.VectorOperations,
        left.BufferWords + right.BufferWords,
        left.DramReads + right.DramReads,
        left.DramWrites + right.DramWrites,
        left.Femtoseconds + right.Femtoseconds);

    /// <summary>Energy in attojoules: array, units, buffers and DRAM.</summary>
    public Int128 EnergyAttojoules(SystolicDescription machine) =>
        SystolicEnergy.Array(Events, machine, isFixed: false)
        + ((Int128)VectorOperations * machine[SystolicKeys.VectorOperation])
        + ((Int128)BufferWords * machine[SystolicKeys.BufferWord])
        + ((Int128)(DramReads + DramWrites) * machine[SystolicKeys.DramWord]);
}

/// <summary>Energy from counted events and a machine's energy for each.</summary>
public static class SystolicEnergy
{
    /// <summary>
    /// Energy inside the array in attojoules. The fixed array has no carry-save adders: each element's carry-propagate adder takes the product; its idle
    /// registers are gated as the configurable one's.
    /// </summary>
    /// <param name="events">Counts.</param>
    /// <param name="machine">Widths and energies.</param>
    /// <param name="isFixed">True for the array with a fixed pipeline.</param>
    public static Int128 Array(SystolicEvents events, SystolicDescription machine, bool isFixed)
    {
        var (operand, sum) = (machine[SystolicKeys.OperandBits], machine[SystolicKeys.SumBits]);
        return ((Int128)events.Multiplications * machine[SystolicKeys.Multiplication])
            + (isFixed ? 0 : (Int128)events.CarrySaveAdds * machine[SystolicKeys.CarrySaveAdd])
            + ((Int128)events.CarryPropagateAdds * machine[SystolicKeys.CarryPropagateAdd])
            + (((Int128)(events.HorizontalClocks + events.WeightShifts) * operand * machine[SystolicKeys.RegisterBit])
                + ((Int128)events.VerticalClocks * sum * machine[SystolicKeys.RegisterBit]))
            + (((Int128)events.HorizontalGated * operand) + ((Int128)events.VerticalGated * sum)) * machine[SystolicKeys.GatedBit];
    }
}
