using System.Numerics;

namespace CnnCompiler.Interpreter.OpenEdge;

/// <summary>
/// The memory behind the array's four ports. Implementations are structs and the engine is generic over them, so that the hot loop has
/// no virtual call. A false result stops the launch with <see cref="ArrayStop.BadAddress"/>.
/// </summary>
public interface IWordMemory
{
    /// <summary>Reads the word at a byte address.</summary>
    bool TryRead(uint address, out uint word);

    /// <summary>Writes the word at a byte address.</summary>
    bool TryWrite(uint address, uint word);
}

/// <summary>
/// RAM of a shipped machine: a flat range from address 0. An access outside it or not at a multiple of 4, and a write into the part that
/// belongs to the host's own code and stack, is refused.
/// </summary>
/// <param name="words">The words, from byte address 0.</param>
/// <param name="reservedWords">Words at the bottom that may not be written (<c>ramReserved</c> of <c>openedge-system.md</c>).</param>
public readonly struct FlatMemory(uint[] words, int reservedWords) : IWordMemory
{
    internal uint[] Words => words;

    internal int ReservedWords => reservedWords;

    /// <inheritdoc/>
    public bool TryRead(uint address, out uint word)
    {
        // The rotation moves the two low bits to the top: a misaligned address becomes a huge index.
        var index = BitOperations.RotateRight(address, 2);
        if (index < (uint)words.Length)
        {
            word = words[index];
            return true;
        }

        word = 0;
        return false;
    }

    /// <inheritdoc/>
    public bool TryWrite(uint address, uint word)
    {
        var index = BitOperations.RotateRight(address, 2);
        if (index < (uint)words.Length && index >= (uint)reservedWords)
        {
            words[index] = word;
            return true;
        }

        return false;
    }
}

/// <summary>Words that launches touched, one bit a word, for the race check between the array and the host steps beside it.</summary>
/// <param name="words">Words of RAM.</param>
public sealed class TouchedWords(int words)
{
    private readonly ulong[] _read = new ulong[(words + 63) / 64];
    private readonly ulong[] _written = new ulong[(words + 63) / 64];

    /// <summary>Forgets everything.</summary>
    public void Clear()
    {
        Array.Clear(_read);
        Array.Clear(_written);
    }

    /// <summary>True where the array read the word.</summary>
    public bool WasRead(int word) => (_read[word >> 6] >> word & 1) != 0;

    /// <summary>True where the array wrote the word.</summary>
    public bool WasWritten(int word) => (_written[word >> 6] >> word & 1) != 0;

    internal ulong[] ReadBits => _read;

    internal ulong[] WrittenBits => _written;

    internal void Read(uint word) => _read[word >> 6] |= 1UL << (int)word;

    internal void Write(uint word) => _written[word >> 6] |= 1UL << (int)word;
}

/// <summary>A memory that also notes which words were touched.</summary>
/// <param name="inner">The memory.</param>
/// <param name="touched">Where to note.</param>
public struct TrackedMemory<TMemory>(TMemory inner, TouchedWords touched) : IWordMemory
    where TMemory : struct, IWordMemory
{
    private TMemory _inner = inner;

    internal readonly TMemory Inner => _inner;

    internal readonly TouchedWords Touched => touched;

    /// <inheritdoc/>
    public bool TryRead(uint address, out uint word)
    {
        if (!_inner.TryRead(address, out word))
        {
            return false;
        }

        touched.Read(address >> 2);
        return true;
    }

    /// <inheritdoc/>
    public bool TryWrite(uint address, uint word)
    {
        if (!_inner.TryWrite(address, word))
        {
            return false;
        }

        touched.Write(address >> 2);
        return true;
    }
}

/// <summary>
/// The memory of a golden vector: all 2^32 bytes, 0 where nothing was written, the two low address bits ignored (<c>openedge.md</c>
/// section 6.1). Writes are refused once <see cref="SparseWords.MaxPages"/> pages are in use.
/// </summary>
/// <param name="words">The contents.</param>
public readonly struct SparseMemory(SparseWords words) : IWordMemory
{
    /// <inheritdoc/>
    public bool TryRead(uint address, out uint word)
    {
        word = words[address];
        return true;
    }

    /// <inheritdoc/>
    public bool TryWrite(uint address, uint word) => words.TrySet(address, word);
}

/// <summary>Words of a sparse 32-bit address space, in pages.</summary>
public sealed class SparseWords
{
    /// <summary>Most pages: 64 MiB.</summary>
    public const int MaxPages = 65536;

    /// <summary>Size of a page in bytes.</summary>
    public const int PageBytes = 1 << PageShift;

    private const int PageWords = PageBytes / 4;
    private const int PageShift = 10;

    private readonly Dictionary<uint, uint[]> _pages = [];

    /// <summary>The word at a byte address.</summary>
    public uint this[uint address] => _pages.TryGetValue(address >> PageShift, out var page) ? page[(address >> 2) % PageWords] : 0;

    /// <summary>Writes a word; false where there is no page left.</summary>
    public bool TrySet(uint address, uint word)
    {
        var key = address >> PageShift;
        if (!_pages.TryGetValue(key, out var page))
        {
            if (_pages.Count == MaxPages)
            {
                return false;
            }

            page = new uint[PageWords];
            _pages.Add(key, page);
        }

        page[(address >> 2) % PageWords] = word;
        return true;
    }

    /// <summary>A copy.</summary>
    public SparseWords Clone()
    {
        var copy = new SparseWords();
        foreach (var (key, page) in _pages)
        {
            copy._pages.Add(key, (uint[])page.Clone());
        }

        return copy;
    }

    /// <summary>The words that differ from <paramref name="before"/>, ascending by byte address.</summary>
    public IEnumerable<(uint Address, uint Word)> ChangesFrom(SparseWords before)
    {
        foreach (var key in _pages.Keys.Union(before._pages.Keys).Order())
        {
            for (uint index = 0; index < PageWords; index++)
            {
                var address = (key << PageShift) | (index << 2);
                if (this[address] != before[address])
                {
                    yield return (address, this[address]);
                }
            }
        }
    }
}
