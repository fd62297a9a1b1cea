using CnnCompiler.Image.Nests;

namespace CnnCompiler.Targets.Nests;

/// <summary>Which operands of a nest lie on the chip, as whole tensors or a window of them at a time, whatever their addresses are.</summary>
/// <param name="Input">The input: the array takes it from there, and no boxes of it come.</param>
/// <param name="Kernel">The kernel: its boxes come from there.</param>
/// <param name="Extras">A bit for each further operand.</param>
/// <param name="Keeps">The result is put there.</param>
/// <param name="Stores">The result goes to DRAM.</param>
internal readonly record struct NestPlacement(bool Input, bool Kernel, ulong Extras, bool Keeps, bool Stores)
{
    /// <summary>Everything in DRAM.</summary>
    public static NestPlacement Dram { get; } = new(false, false, 0, false, true);

    /// <summary>The placement of a descriptor.</summary>
    public static NestPlacement Of(NestStep step) => Of(step.Chip);

    /// <summary>The placement that addresses say.</summary>
    public static NestPlacement Of(NestChip? chip)
    {
        if (chip is null)
        {
            return Dram;
        }

        var extras = 0UL;
        for (var i = 0; i < chip.Extras.Count; i++)
        {
            extras |= chip.Extras[i] == NestChip.Dram ? 0 : 1UL << i;
        }

        return new(chip.Input != NestChip.Dram, chip.Kernel != NestChip.Dram, extras, chip.Output != NestChip.Dram, chip.Stores);
    }

    /// <summary>True where an operand is on the chip.</summary>
    /// <param name="operand">0 for the input, 1 for the kernel, then further operands.</param>
    public bool Has(int operand) => operand == 0 ? Input : operand == 1 ? Kernel : (Extras >> (operand - 2) & 1) == 1;

    /// <summary>Such places, all at address 0: enough for what depends on addresses nowhere, counts and costs.</summary>
    /// <param name="extras">Number of further operands.</param>
    public NestChip At0(int extras)
    {
        var places = new int[extras];
        for (var i = 0; i < extras; i++)
        {
            places[i] = (Extras >> i & 1) == 0 ? NestChip.Dram : 0;
        }

        return new(0, Input ? 0 : NestChip.Dram, Kernel ? 0 : NestChip.Dram, places, Keeps ? 0 : NestChip.Dram, Stores);
    }

    /// <summary>Bytes of further operands from DRAM and from the chip.</summary>
    /// <param name="extras">The operands.</param>
    /// <param name="loops">How loops are cut.</param>
    /// <param name="outer">The outer loops that do not reduce.</param>
    public (long FromDram, long FromChip) Split(IReadOnlyList<NestExtra> extras, ReadOnlySpan<NestLoop> loops, ReadOnlySpan<int> outer)
    {
        var (dram, chip) = (0L, 0L);
        for (var i = 0; i < extras.Count; i++)
        {
            var bytes = extras[i].Bytes(loops, outer);
            (dram, chip) = (Extras >> i & 1) == 0 ? (dram + bytes, chip) : (dram, chip + bytes);
        }

        return (dram, chip);
    }

    /// <summary>Bytes between tensors on the chip and other buffers: a kernel's boxes go out of one and into another, results go into one.</summary>
    /// <param name="boxes">Bytes of the kernel's boxes.</param>
    /// <param name="written">Bytes of the results.</param>
    public long Between(long boxes, long written) => (Kernel ? 2 * boxes : 0) + (Keeps ? written : 0);
}
