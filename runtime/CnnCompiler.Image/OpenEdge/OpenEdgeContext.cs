namespace CnnCompiler.Image.OpenEdge;

/// <summary>A 16-bit kernel configuration word: 4:0 n-1, 11:5 start address S, 15:12 column mask (<c>specs/openedge.md</c> section 8.1).</summary>
/// <param name="Steps">Steps n a column, 1 to 32; kernels of 1 or 2 steps do not load correctly.</param>
/// <param name="Start">First word S in every row bank, 0 to 127.</param>
/// <param name="ColumnMask">Bit mask of columns, 0 to 15; 0 hangs the controller.</param>
public readonly record struct OpenEdgeKernelConfiguration(int Steps, int Start, int ColumnMask)
{
    /// <summary>Most steps that the word can say.</summary>
    public const int MaxSteps = 32;

    /// <summary>Largest start address that the word can say.</summary>
    public const int MaxStart = 127;

    /// <summary>Largest column mask.</summary>
    public const int MaxMask = 15;

    /// <summary>Columns of the kernel.</summary>
    public int Columns => System.Numerics.BitOperations.PopCount((uint)ColumnMask);

    /// <summary>The configuration word.</summary>
    /// <exception cref="InvalidOperationException">A value does not fit its field.</exception>
    public ushort Encode()
    {
        if (Steps is < 1 or > MaxSteps || Start is < 0 or > MaxStart || ColumnMask is < 0 or > MaxMask)
        {
            throw new InvalidOperationException($"{this} does not fit a kernel configuration word");
        }

        return (ushort)((Steps - 1) | (Start << 5) | (ColumnMask << 12));
    }

    /// <summary>Takes a configuration word apart; every word is one.</summary>
    public static OpenEdgeKernelConfiguration Decode(ushort word) => new((word & 31) + 1, (word >> 5) & MaxStart, word >> 12);
}

/// <summary>Addresses in the context memory's slave port (<c>specs/openedge.md</c> section 7): byte offset = bank * 512 + word * 4; banks 0 to 3 hold the rows' instructions, bank 4 the kernel configurations.</summary>
public static class OpenEdgeContextMemory
{
    /// <summary>Words of a bank.</summary>
    public const int BankWords = 128;

    /// <summary>Bank of the kernel configuration words.</summary>
    public const int ConfigurationBank = 4;

    /// <summary>Kernel configuration words; id 0 means no request.</summary>
    public const int KernelIds = 16;

    /// <summary>Byte offset of an instruction word.</summary>
    /// <param name="row">Row of the array, 0 to 3.</param>
    /// <param name="word">Word in the row's bank, 0 to 127.</param>
    public static int InstructionOffset(int row, int word) => (row * BankWords + word) * sizeof(uint);

    /// <summary>Byte offset of a kernel configuration word.</summary>
    public static int ConfigurationOffset(int kernelId) => (ConfigurationBank * BankWords + kernelId) * sizeof(uint);

    /// <summary>Word of the row bank that holds a step of a kernel's column, modulo the bank as the address counter is.</summary>
    /// <param name="configuration">The kernel.</param>
    /// <param name="columnRank">Rank j of the column among the kernel's columns, ascending.</param>
    /// <param name="step">Step i.</param>
    public static int WordOf(OpenEdgeKernelConfiguration configuration, int columnRank, int step) =>
        (configuration.Start + columnRank * configuration.Steps + step) % BankWords;
}

/// <summary>Byte offsets of the peripheral registers (<c>specs/openedge.md</c> section 10), 32 bits each.</summary>
public static class OpenEdgeRegisters
{
    /// <summary>Read only: bit c is set while column c is busy.</summary>
    public const int ColumnStatus = 0x00;

    /// <summary>Kernel to start; hardware clears it when the kernel starts executing.</summary>
    public const int KernelId = 0x04;

    /// <summary>Bit 0 enables the performance counters.</summary>
    public const int CounterEnable = 0x28;

    /// <summary>Bit 0 clears the performance counters; self clearing.</summary>
    public const int CounterReset = 0x2C;

    /// <summary>Counts starts of kernels.</summary>
    public const int TotalKernels = 0x30;

    /// <summary>Read pointer of the kernel's column of this rank.</summary>
    public static int PointerIn(int rank) => 0x08 + 8 * rank;

    /// <summary>Write pointer of the kernel's column of this rank.</summary>
    public static int PointerOut(int rank) => 0x0C + 8 * rank;

    /// <summary>Cycles in which column c was part of a kernel.</summary>
    public static int ActiveCycles(int column) => 0x34 + 8 * column;

    /// <summary>Cycles in which column c waited for data.</summary>
    public static int StallCycles(int column) => 0x38 + 8 * column;
}
