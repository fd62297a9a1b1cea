using System.Buffers.Binary;
using System.IO.Compression;
using CnnCompiler.Core.Numpy;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Fuzzing;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Core.Tests.Numpy;

public sealed class NpzFileTests
{
    /// <summary>What numpy.savez writes for w = int8 [[1,2,3],[-1,-2,-3]] and b = int32 [7,-8]: zip64 fields reserved in the local headers.</summary>
    private const string Saved =
        "UEsDBC0AAAAAAAAAIQD04U0g//////////8FABQAdy5ucHkBABAAhgAAAAAAAACGAAAAAAAAAJNOVU1QWQEAdgB7J2Rlc2NyJzogJ3xpMScsICdmb3J0cmFuX29yZGVyJzogRmFsc2UsICdzaGFwZSc6ICgyLCAzKSwg" +
        "fSAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAKAQID//79UEsDBC0AAAAAAAAAIQBdIKAC//////////8FABQAYi5ucHkBABAAiAAAAAAAAACIAAAAAAAAAJNOVU1Q" +
        "WQEAdgB7J2Rlc2NyJzogJzxpNCcsICdmb3J0cmFuX29yZGVyJzogRmFsc2UsICdzaGFwZSc6ICgyLCksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAKBwAA" +
        "APj///9QSwECLQMtAAAAAAAAACEA9OFNIIYAAACGAAAABQAAAAAAAAAAAAAAgAEAAAAAdy5ucHlQSwECLQMtAAAAAAAAACEAXSCgAogAAACIAAAABQAAAAAAAAAAAAAAgAG9AAAAYi5ucHlQSwUGAAAAAAIAAgBmAAAAfAEA" +
        "AAAA";

    /// <summary>The same from numpy.savez_compressed.</summary>
    private const string SavedCompressed =
        "UEsDBC0AAAAIAAAAIQD04U0g//////////8FABQAdy5ucHkBABAAhgAAAAAAAABNAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6loF6Taaiuo6Cell9UUpSYF59flJIKEndLzClOBYoXZyQWpAL5GkY6CsaaOgq1CmQDLkYm" +
        "5v///gIAUEsDBC0AAAAIAAAAIQBdIKAC//////////8FABQAYi5ucHkBABAAiAAAAAAAAABNAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6loG6TaaKuo6Cell9UUpSYF59flJIKEndLzClOBYoXZyQWpAL5GkY6mjoKtQoU" +
        "AC52BgaGH////wcAUEsBAi0DLQAAAAgAAAAhAPThTSBNAAAAhgAAAAUAAAAAAAAAAAAAAIABAAAAAHcubnB5UEsBAi0DLQAAAAgAAAAhAF0goAJNAAAAiAAAAAUAAAAAAAAAAAAAAIABhAAAAGIubnB5UEsFBgAAAAACAAIA" +
        "ZgAAAAgBAAAAAA==";

    private static readonly Tensor Weights = Tensor.From<sbyte>(ElementType.Int8, Shape.Of(2, 3), [1, 2, 3, -1, -2, -3]);
    private static readonly Tensor Bias = Tensor.From<int>(ElementType.Int32, Shape.Of(2), [7, -8]);

    [Theory]
    [InlineData(Saved)]
    [InlineData(SavedCompressed)]
    public void Archives_that_NumPy_wrote_are_read(string base64)
    {
        var arrays = Read(Convert.FromBase64String(base64));
        Assert.Equal(["w", "b"], arrays.Keys);
        Assert.Equal(Weights, arrays["w"]);
        Assert.Equal(Bias, arrays["b"]);
    }

    [Fact]
    public void Arrays_survive_a_round_trip_and_their_order_does_not_change_the_bytes()
    {
        var arrays = new Dictionary<string, Tensor>(StringComparer.Ordinal) { ["w"] = Weights, ["layer/bias"] = Bias, ["größe"] = Bias, ["B"] = Weights };
        var bytes = NpzFile.Write(arrays);
        var read = Read(bytes);
        Assert.Equal(["B", "größe", "layer/bias", "w"], read.Keys);
        Assert.All(arrays, a => Assert.Equal(a.Value, read[a.Key]));
        Assert.Equal(bytes, NpzFile.Write(arrays.Reverse()));
    }

    [Fact]
    public void An_independent_zip_reader_accepts_what_is_written()
    {
        using var archive = new ZipArchive(new MemoryStream(NpzFile.Write([new("w", Weights)])), ZipArchiveMode.Read);
        var entry = Assert.Single(archive.Entries);
        Assert.Equal("w.npy", entry.FullName);
        Assert.Equal(new DateTime(1980, 1, 1), entry.LastWriteTime.DateTime);
        using var contents = entry.Open();
        using var copy = new MemoryStream();
        contents.CopyTo(copy);
        Assert.Equal(NpyFile.Write(Weights), copy.ToArray());
    }

    [Fact]
    public void An_archive_of_nothing_is_read()
    {
        Assert.Empty(Read(NpzFile.Write([])));
    }

    [Fact]
    public void Two_arrays_of_one_name_are_refused()
    {
        Assert.Throws<ArgumentException>(() => NpzFile.Write([new("w", Weights), new("w", Bias)]));
        Assert.Equal("CNN0314", Refused(Zip(CompressionLevel.Optimal, ("w.npy", NpyFile.Write(Weights)), ("w.npy", NpyFile.Write(Bias)))).Code);
    }

    [Fact]
    public void Entries_that_are_no_arrays_are_refused_by_name()
    {
        var other = Refused(Zip(CompressionLevel.Optimal, ("readme.txt", "hello"u8.ToArray())));
        Assert.Equal("CNN0311", other.Code);
        Assert.Contains("'readme.txt'", other.Message, StringComparison.Ordinal);
        var inner = Refused(Zip(CompressionLevel.Optimal, ("x.npy", "hello"u8.ToArray())));
        Assert.Equal("CNN0300", inner.Code);
        Assert.Equal("a.npz:x.npy", inner.Span.File);
    }

    [Fact]
    public void A_bomb_is_refused_by_what_the_directory_says_before_it_is_unpacked()
    {
        // 300 MB of zeros in about 300 kB.
        var bomb = Zip(CompressionLevel.SmallestSize, ("x.npy", new byte[300_000_000]));
        Assert.InRange(bomb.Length, 1, 1_000_000);
        Assert.Equal("CNN0312", Allocating(2_000_000, () => Refused(bomb)).Code);
    }

    [Fact]
    public void Many_entries_are_limited_together()
    {
        var zeros = NpyFile.Write(new Tensor(ElementType.Int8, Shape.Of(40_000), new byte[40_000]));
        var archive = Zip(CompressionLevel.SmallestSize, [.. Enumerable.Range(0, 10).Select(i => ($"x{i}.npy", zeros))]);
        var diagnostics = new DiagnosticBag();
        Assert.Null(NpzFile.Read(archive, "a.npz", diagnostics, maximumUnpackedBytes: 10 * (zeros.Length - 1)));
        Assert.Equal("CNN0312", Assert.Single(diagnostics.Diagnostics).Code);
        Assert.NotNull(NpzFile.Read(archive, "a.npz", new DiagnosticBag(), maximumUnpackedBytes: 10 * zeros.Length));
    }

    [Fact]
    public void A_directory_that_lies_about_sizes_is_refused_without_taking_the_memory()
    {
        var honest = Zip(CompressionLevel.Optimal, ("x.npy", NpyFile.Write(Weights)));
        var entry = FindDirectory(honest);
        foreach (var claim in (uint[])[0, 1, 100, 10_000_000, 250_000_000, 0xFFFFFFFE, 0xFFFFFFFF])
        {
            var lying = honest.ToArray();
            BinaryPrimitives.WriteUInt32LittleEndian(lying.AsSpan(entry + 24), claim);
            Assert.Contains(Allocating(1_000_000, () => Refused(lying)).Code, (string[])["CNN0311", "CNN0312", "CNN0313"]);
        }

        // A claim within deflate's best ratio that the data doesn't keep.
        var noise = new byte[300_000];
        var random = new SeededRandom(2);
        foreach (ref var b in noise.AsSpan())
        {
            b = (byte)random.NextBits();
        }

        var exaggerated = Zip(CompressionLevel.Optimal, ("x.npy", noise));
        BinaryPrimitives.WriteUInt32LittleEndian(exaggerated.AsSpan(FindDirectory(exaggerated) + 24), 200_000_000);
        Assert.Equal("CNN0313", Allocating(8_000_000, () => Refused(exaggerated)).Code);
    }

    [Theory]
    [InlineData(8, 1, "CNN0311")] // encrypted
    [InlineData(10, 9, "CNN0311")] // method: deflate64
    [InlineData(16, 0, "CNN0313")] // checksum
    [InlineData(42, 200, "CNN0313")] // local header elsewhere
    public void Entries_that_can_not_be_unpacked_are_refused(int field, byte value, string code)
    {
        var bytes = NpzFile.Write([new("w", Weights)]);
        bytes[FindDirectory(bytes) + field] = value;
        Assert.Equal(code, Refused(bytes).Code);
    }

    [Fact]
    public void Every_truncation_and_many_changes_are_read_or_refused_with_bounded_memory()
    {
        var random = new SeededRandom(3);
        foreach (var whole in (byte[][])[Convert.FromBase64String(Saved), Convert.FromBase64String(SavedCompressed)])
        {
            for (var length = 0; length < whole.Length; length++)
            {
                Assert.NotEmpty(Refused(whole[..length]).Remedy);
            }

            for (var i = 0; i < 5000; i++)
            {
                var changed = whole.ToArray();
                for (var n = random.Below(4); n >= 0; n--)
                {
                    changed[random.Below(changed.Length)] = (byte)random.NextBits();
                }

                Allocating(4_000_000, () =>
                {
                    var diagnostics = new DiagnosticBag();
                    Assert.NotEqual(NpzFile.Read(changed, "a.npz", diagnostics) is null, diagnostics.Diagnostics.Count == 0);
                    return 0;
                });
            }
        }
    }

    private static T Allocating<T>(long atMost, Func<T> action)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        var result = action();
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, atMost);
        return result;
    }

    private static int FindDirectory(byte[] archive) => archive.AsSpan().IndexOf("PK\u0001\u0002"u8);

    private static byte[] Zip(CompressionLevel level, params ReadOnlySpan<(string Name, byte[] Contents)> files)
    {
        using var output = new MemoryStream();
        using (var archive = new ZipArchive(output, ZipArchiveMode.Create))
        {
            foreach (var (name, contents) in files)
            {
                using var stream = archive.CreateEntry(name, level).Open();
                stream.Write(contents);
            }
        }

        return output.ToArray();
    }

    private static IReadOnlyDictionary<string, Tensor> Read(byte[] bytes)
    {
        var diagnostics = new DiagnosticBag();
        var arrays = NpzFile.Read(bytes, "a.npz", diagnostics);
        Assert.Empty(diagnostics.Diagnostics);
        Assert.NotNull(arrays);
        return arrays;
    }

    private static Diagnostic Refused(byte[] bytes)
    {
        var diagnostics = new DiagnosticBag();
        Assert.Null(NpzFile.Read(bytes, "a.npz", diagnostics));
        return Assert.Single(diagnostics.Diagnostics);
    }
}
