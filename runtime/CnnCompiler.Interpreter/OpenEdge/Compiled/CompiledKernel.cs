namespace CnnCompiler.Interpreter.OpenEdge;

/// <summary>Translated blocks of a kernel.</summary>
/// <param name="array">The array, for what is not worth translating.</param>
/// <param name="values">First of the array's values (<see cref="Slots"/>).</param>
/// <param name="memory">The memory, where it is not flat.</param>
/// <param name="flat">The memory, where it is.</param>
/// <param name="banks">First of the banks' round-robin pointers.</param>
/// <param name="state">First of the numbers of <see cref="CompiledState"/>.</param>
/// <param name="until">No block is begun that could have a step that begins at this cycle or later.</param>
/// <returns>One of <see cref="CompiledStop"/>.</returns>
internal delegate int CompiledBlocks<TMemory>(
    OpenEdgeArray array, ref int values, ref TMemory memory, ref FlatView flat, ref int banks, ref long state, long until)
    where TMemory : struct, IWordMemory;

/// <summary>What translated blocks take and leave, besides the values: places in an array of numbers.</summary>
internal static class CompiledState
{
    /// <summary>Index of the state (pc * 4 + pointer of the shared bus) to begin with; where the blocks were left, that of the next step or of the one that failed.</summary>
    public const int Next = 0;
    public const int Cycle = 1;
    public const int Reads = 2;
    public const int Writes = 3;
    public const int Stall = 4;

    /// <summary>Flags of a clear, of ROUT and of TMP; only those that a step of the kernel reads are kept.</summary>
    public const int Cleared = 5;
    public const int TemporaryCleared = 6;
    public const int Count = 7;

    /// <summary>How often each block ran, by its first state; they stand behind the others.</summary>
    public const int Blocks = Slots.Steps * 4;
}

/// <summary>Why translated blocks were left.</summary>
internal static class CompiledStop
{
    /// <summary>The next block might not end before the given cycle.</summary>
    public const int NearLimit = 0;

    /// <summary>The next step is not in this method.</summary>
    public const int Left = 1;

    /// <summary>The kernel ended.</summary>
    public const int Done = 2;

    /// <summary>The memory refused an access.</summary>
    public const int BadAddress = 3;
}

/// <summary>A memory as its words, for code that reaches them without a call.</summary>
internal readonly ref struct FlatView
{
    /// <summary>First word, from byte address 0.</summary>
    public readonly ref uint Words;

    /// <summary>Where words read are noted, one bit a word; null where they are not.</summary>
    public readonly ref ulong Read;

    /// <summary>The same of words written.</summary>
    public readonly ref ulong Written;

    /// <summary>Number of words.</summary>
    public readonly uint Length;

    /// <summary>Words at the bottom that may not be written.</summary>
    public readonly uint Reserved;

    public FlatView(ref uint words, ref ulong read, ref ulong written, uint length, uint reserved)
    {
        Words = ref words;
        Read = ref read;
        Written = ref written;
        Length = length;
        Reserved = reserved;
    }
}

/// <summary>A kernel in IL for one kind of memory.</summary>
internal sealed class CompiledKernel<TMemory>
    where TMemory : struct, IWordMemory
{
    /// <summary>The method that has a block for the state, by state; null where none has.</summary>
    public CompiledBlocks<TMemory>?[] Entries { get; } = new CompiledBlocks<TMemory>?[Slots.Steps * 4];

    /// <summary>All blocks.</summary>
    public required IReadOnlyList<KernelBlock> Blocks { get; init; }
}
