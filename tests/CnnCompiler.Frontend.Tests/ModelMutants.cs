using System.Buffers.Binary;
using CnnCompiler.Fuzzing;
using CnnCompiler.Primitives.Diagnostics;
using Xunit;

namespace CnnCompiler.Frontend.Tests;

/// <summary>Seeded damage to real model files of any format, and what is asked of an importer that reads them.</summary>
internal static class ModelMutants
{
    /// <summary>Mutants of each format that every test run imports.</summary>
    public const int Count = 20_000;

    private static readonly uint[] Extremes = [0, 1, 2, 4, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFC, 0xFFFFFFFF];

    /// <summary>The number of mutants that were still models. Every mutant is read or refused, by a diagnostic and within <paramref name="limit"/> bytes of memory.</summary>
    /// <param name="models">Real models.</param>
    /// <param name="seed">Seed.</param>
    /// <param name="change">One damage to a file.</param>
    /// <param name="read">The importer: true where it read the file.</param>
    /// <param name="limit">Bytes that an import of a file may allocate.</param>
    public static int Check(IReadOnlyList<byte[]> models, ulong seed, Action<byte[], SeededRandom> change, Func<byte[], DiagnosticBag, bool> read, Func<byte[], long> limit)
    {
        var random = new SeededRandom(seed);
        var still = 0;
        for (var i = 0; i < Count; i++)
        {
            var bytes = models[i % models.Count].ToArray();
            for (var n = random.Below(4); n >= 0; n--)
            {
                change(bytes, random);
            }

            still += ReadOrRefuse(random.Below(8) == 0 ? bytes[..random.Below(bytes.Length)] : bytes, read, limit) ? 1 : 0;
        }

        return still;
    }

    /// <summary>One file.</summary>
    public static bool ReadOrRefuse(byte[] bytes, Func<byte[], DiagnosticBag, bool> read, Func<byte[], long> limit)
    {
        var diagnostics = new DiagnosticBag();
        var before = GC.GetAllocatedBytesForCurrentThread();
        var isRead = read(bytes, diagnostics);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, limit(bytes));
        Assert.NotEqual(isRead, diagnostics.HasErrors);
        Assert.All(diagnostics.Diagnostics, d => Assert.StartsWith("CNN0", d.Code, StringComparison.Ordinal));
        return isRead;
    }

    /// <summary>A byte or an aligned word of a FlatBuffer: words reach offsets (among them those that go round in circles), lengths, extents and types.</summary>
    public static void ChangeFlatBuffer(byte[] bytes, SeededRandom random)
    {
        if (random.Below(2) == 0)
        {
            bytes[random.Below(bytes.Length)] = (byte)random.NextBits();
            return;
        }

        var at = random.Below((bytes.Length - 4) / 4) * 4;
        var value = random.Below(4) switch
        {
            0 => (uint)random.Below(bytes.Length),
            1 => (uint)-random.Below(at + 1),
            _ => Extremes[random.Below(Extremes.Length)],
        };
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(at), value);
    }

    /// <summary>A bit, a byte or a varint near 2^31 of a Protocol Buffers file.</summary>
    public static void ChangeProtocolBuffer(byte[] bytes, SeededRandom random)
    {
        var at = random.Below(bytes.Length);
        switch (random.Below(4))
        {
            case 0 when at + 5 <= bytes.Length:
                BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(at), 0xFFFF_FFFF);
                bytes[at + 4] = 0x07;
                break;
            case 1:
                bytes[at] ^= (byte)(1 << random.Below(8));
                break;
            default:
                bytes[at] = (byte)random.NextBits();
                break;
        }
    }
}
