namespace CnnCompiler.Interpreter.Systolic;

/// <summary>
/// Counts of what costs energy inside the array. A processing element is active in a cycle where it holds a valid activation, in a row and column that
/// the tile uses.
/// </summary>
/// <param name="Multiplications">Products of active elements.</param>
/// <param name="CarrySaveAdds">3:2 additions of active elements.</param>
/// <param name="CarryPropagateAdds">Carry-propagate additions at the ends of vertical groups, in columns used.</param>
/// <param name="HorizontalClocks">Register cycles of horizontal registers whose clock runs: in all cycles but those that only load weights.</param>
/// <param name="HorizontalGated">Register cycles of horizontal registers whose clock is gated: bypassed, or only weights are loaded.</param>
/// <param name="VerticalClocks">The same for vertical registers.</param>
/// <param name="VerticalGated">The same for vertical registers.</param>
/// <param name="WeightShifts">Register cycles of weight registers while weights are loaded: all R * C of them shift.</param>
/// <param name="ActivationReads">Activations taken from the buffer at the left edge.</param>
/// <param name="WeightReads">Weights taken from the buffer at the top edge: rows loaded times columns used.</param>
/// <param name="SumsOut">Sums that left at the bottom, in columns used.</param>
public readonly record struct SystolicEvents(
    long Multiplications,
    long CarrySaveAdds,
    long CarryPropagateAdds,
    long HorizontalClocks,
    long HorizontalGated,
    long VerticalClocks,
    long VerticalGated,
    long WeightShifts,
    long ActivationReads,
    long WeightReads,
    long SumsOut)
{
    /// <summary>Sum of counts.</summary>
    public static SystolicEvents operator +(SystolicEvents left, SystolicEvents right) => new(
        left.Multiplications + right.Multiplications,
        left.CarrySaveAdds + right.CarrySaveAdds,
        left.CarryPropagateAdds + right.CarryPropagateAdds,
        left.HorizontalClocks + right.HorizontalClocks,
        left.HorizontalGated + right.HorizontalGated,
        left.VerticalClocks + right.VerticalClocks,
        left.VerticalGated + right.VerticalGated,
        left.WeightShifts + right.WeightShifts,
        left.ActivationReads + right.ActivationReads,
        left.WeightReads + right.WeightReads,
        left.SumsOut + right.SumsOut);

    /// <summary>Counts of the same tile as often as said.</summary>
    public static SystolicEvents operator *(SystolicEvents events, long times) => new(
        events.Multiplications * times,
        events.CarrySaveAdds * times,
        events.CarryPropagateAdds * times,
        events.HorizontalClocks * times,
        events.HorizontalGated * times,
        events.VerticalClocks * times,
        events.VerticalGated * times,
        events.WeightShifts * times,
        events.ActivationReads * times,
        events.WeightReads * times,
        events.SumsOut * times);
}
