using System.Globalization;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Targets.Overlay.Exploration;

/// <summary>How a budget of on-chip memory and one of bandwidth are divided on an overlay. 0 is what the machine has.</summary>
/// <param name="ActivationBytes">Bytes for left operands.</param>
/// <param name="WeightBytes">Bytes for weights.</param>
/// <param name="SumBytes">Bytes for accumulators, all columns together.</param>
/// <param name="ReadBytes">Bytes a cycle from DRAM.</param>
/// <param name="WriteBytes">Bytes a cycle to DRAM.</param>
public sealed record OverlayDivision(long ActivationBytes, long WeightBytes, long SumBytes, long ReadBytes, long WriteBytes)
{
    private const int Parts = 8;
    private const int BitsOfByte = 8;

    /// <summary>Smallest budget of memory or bandwidth: a byte or more for each use.</summary>
    public const long SmallestBudget = 64;

    /// <summary>The machine as it is.</summary>
    public static OverlayDivision Given { get; } = new(0, 0, 0, 0, 0);

    /// <summary>Every division of budgets in eighths; 0 for no budget: what the machine has.</summary>
    /// <param name="buffers">Bytes of all three buffers together.</param>
    /// <param name="bandwidth">Bytes a cycle to and from DRAM together.</param>
    public static IReadOnlyList<OverlayDivision> Of(long buffers, long bandwidth)
    {
        var divisions = new List<OverlayDivision>();
        for (var read = 1; read < Parts; read++)
        {
            for (var activations = 1; activations < Parts - 1; activations++)
            {
                for (var weights = 1; activations + weights < Parts; weights++)
                {
                    divisions.Add(new(
                        buffers / Parts * activations,
                        buffers / Parts * weights,
                        buffers / Parts * (Parts - activations - weights),
                        bandwidth / Parts * read,
                        bandwidth / Parts * (Parts - read)));
                }
            }
        }

        return [.. divisions.Distinct()];
    }

    /// <summary>A machine so divided. Accumulators have the unit's width of sums in whole bytes.</summary>
    public MachineDescription On(MachineDescription machine)
    {
        const string source = "assumed: a division of the budget";
        var systolic = machine.Systolic!;
        if (ActivationBytes > 0)
        {
            var width = (systolic[SystolicKeys.SumBits] + BitsOfByte - 1) / BitsOfByte;
            systolic = systolic
                .With(SystolicKeys.ActivationBytes, new(ActivationBytes, source))
                .With(SystolicKeys.WeightBytes, new(WeightBytes, source))
                .With(SystolicKeys.AccumulatorRows, new(SumBytes / width / machine.Columns, source));
        }

        if (ReadBytes > 0)
        {
            systolic = systolic.With(SystolicKeys.OffChipBytes, new(ReadBytes, source)).With(SystolicKeys.WriteBytes, new(WriteBytes, source));
        }

        return machine with { Systolic = systolic };
    }

    /// <summary>Names of what <see cref="Describe"/> gives.</summary>
    public const string Columns = "activationBytes,weightBytes,accumulatorRows,readBytes,writeBytes";

    /// <summary>The buffers and bandwidths of a machine, comma separated as <see cref="Columns"/>.</summary>
    public static string Describe(MachineDescription machine)
    {
        SystolicKey[] keys = [SystolicKeys.ActivationBytes, SystolicKeys.WeightBytes, SystolicKeys.AccumulatorRows, SystolicKeys.OffChipBytes, SystolicKeys.WriteBytes];
        return string.Join(',', keys.Select(key => machine.Systolic![key].ToString(CultureInfo.InvariantCulture)));
    }
}
