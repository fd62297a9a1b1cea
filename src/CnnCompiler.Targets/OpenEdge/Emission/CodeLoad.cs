using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Targets.OpenEdge.Emission;

/// <summary>Code in a form that the host puts into context memory: a kernel as a whole, or what of it context memory doesn't hold.</summary>
/// <param name="Data">The words in flash or RAM.</param>
/// <param name="IsPatch">True for <see cref="KernelChanges"/>.</param>
/// <param name="IsPacked">True where constants are packed four a word.</param>
/// <param name="Moved">Words that are moved one by one.</param>
/// <param name="Immediates">Constants that are put into words of context memory.</param>
internal sealed record CodeForm(uint[] Data, bool IsPatch, bool IsPacked, long Moved, long Immediates)
{
    /// <summary>Writes of context memory behind the code: the configuration word, and one more.</summary>
    private const int Configuration = 2;

    /// <summary>Words that the host moves: beside the array, each takes a cycle of a shared bus.</summary>
    public long BusWords => Moved + Immediates;

    /// <summary>A kernel as a whole.</summary>
    public static CodeForm Whole(uint[] words) => new(words, IsPatch: false, IsPacked: false, words.Length + Configuration, 0);

    /// <summary>Changes of context memory.</summary>
    public static CodeForm Patch(IReadOnlyList<ContextChange> changes, int steps, int columns, bool packed) => new(
        KernelChanges.Encode(changes, steps, columns, packed),
        IsPatch: true,
        packed,
        KernelChanges.MovedWords(changes, columns, packed) + Configuration,
        changes.Count(change => change.IsImmediate));

    /// <summary>Host cycles of loading it from RAM.</summary>
    public long CyclesFromRam(HostDescription host) => (Moved * host.RamToContext) + (Immediates * host.PatchImmediate);

    /// <summary>Host cycles of loading it from flash.</summary>
    public long CyclesFromFlash(HostDescription host) => Moved * host.FlashToContext;

    /// <summary>Words of context memory that are written.</summary>
    public long ContextWords(int columns) => Moved + Immediates - (IsPatch ? KernelChanges.MovedWords([], columns, IsPacked) : 0);
}

/// <summary>A kernel that is loaded while context memory holds a certain other one.</summary>
/// <param name="Kernel">Index of the kernel.</param>
/// <param name="Words">The form with whole words, which may come from flash.</param>
/// <param name="Packed">The form that takes the least room in RAM.</param>
internal sealed record CodeLoad(int Kernel, CodeForm Words, CodeForm Packed)
{
    /// <summary>The form that takes the host less time where it lies in RAM.</summary>
    public CodeForm FastestFromRam(HostDescription host) => Packed.CyclesFromRam(host) < Words.CyclesFromRam(host) ? Packed : Words;

    /// <summary>The shortest forms of a kernel.</summary>
    /// <param name="kernel">Index of the kernel.</param>
    /// <param name="rows">Its words by row.</param>
    /// <param name="steps">Steps a column.</param>
    /// <param name="columns">Columns.</param>
    /// <param name="held">What context memory holds: row, word of the kernel.</param>
    public static CodeLoad Of(int kernel, IReadOnlyList<IReadOnlyList<uint>> rows, int steps, int columns, Func<int, int, uint?> held)
    {
        var words = Shorter(CodeForm.Whole([.. rows.SelectMany(row => row)]), Form(packed: false));
        return new(kernel, words, Shorter(words, Form(packed: true)));

        CodeForm Form(bool packed) => CodeForm.Patch(KernelChanges.Between(held, rows, packed), steps, columns, packed);

        static CodeForm Shorter(CodeForm a, CodeForm b) => b.Data.Length < a.Data.Length ? b : a;
    }
}
