using System.Buffers;
using System.Buffers.Binary;
using System.Collections;

namespace CnnCompiler.Image.Container;

/// <summary>Collects what goes into flash and says where it lies. Addresses count from 0 and are multiples of 4.</summary>
public sealed class FlashBuilder
{
    private readonly ArrayBufferWriter<byte> _bytes = new();

    /// <summary>Bytes so far: the address of what is added next.</summary>
    public int Length => _bytes.WrittenCount;

    /// <summary>Adds words and gives their flash byte address.</summary>
    public int Add(IEnumerable<uint> words)
    {
        var address = Length;
        foreach (var word in words)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(_bytes.GetSpan(sizeof(uint)), word);
            _bytes.Advance(sizeof(uint));
        }

        return address;
    }

    /// <summary>Adds a kernel's words, row bank 0 first, and gives the kernel with its address.</summary>
    public KernelImage Add(KernelImage kernel) => kernel with { Flash = Add(kernel.Rows.SelectMany(row => row)) };

    /// <summary>Everything that was added.</summary>
    public byte[] ToArray() => _bytes.WrittenSpan.ToArray();
}

/// <summary>Words of the flash as a list, without a copy: a hostile image can name the same bytes many times.</summary>
internal sealed class FlashWords(ReadOnlyMemory<byte> flash, int address, int count) : IReadOnlyList<uint>
{
    public int Count => count;

    public uint this[int index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegative(index);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, count);
            return BinaryPrimitives.ReadUInt32LittleEndian(flash.Span[(address + index * sizeof(uint))..]);
        }
    }

    public IEnumerator<uint> GetEnumerator()
    {
        for (var i = 0; i < count; i++)
        {
            yield return this[i];
        }
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
