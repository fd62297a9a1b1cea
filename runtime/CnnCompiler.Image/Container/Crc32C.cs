using System.Buffers.Binary;
using System.Numerics;

namespace CnnCompiler.Image.Container;

/// <summary>CRC-32C (Castagnoli; RFC 3720 appendix B.4): reflected polynomial 0x82F63B78, start and final inversion. It finds every single-bit and every burst error of up to 32 bits.</summary>
public static class Crc32C
{
    /// <summary>Checksum of some bytes; of the bytes of two calls together where <paramref name="before"/> is the checksum of the first.</summary>
    public static uint Compute(ReadOnlySpan<byte> bytes, uint before = 0)
    {
        var crc = ~before;
        for (; bytes.Length >= sizeof(ulong); bytes = bytes[sizeof(ulong)..])
        {
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        }

        foreach (var value in bytes)
        {
            crc = BitOperations.Crc32C(crc, value);
        }

        return ~crc;
    }
}
