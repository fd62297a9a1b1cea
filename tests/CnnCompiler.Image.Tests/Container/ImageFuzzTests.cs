using System.Buffers.Binary;
using CnnCompiler.Fuzzing;
using CnnCompiler.Image.Container;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Image.Tests.Container;

/// <summary>Whatever the bytes are: an image or a diagnostic, never an exception, and memory in proportion to the file.</summary>
public sealed class ImageFuzzTests
{
    private static readonly byte[] Small = ImageWriter.Write(SampleImages.Small);

    [Fact]
    public void Every_truncation_is_refused()
    {
        for (var length = 0; length < Small.Length; length++)
        {
            Assert.Null(Read(Small[..length]));
        }
    }

    [Fact]
    public void Every_flipped_bit_is_found()
    {
        var copy = (byte[])Small.Clone();
        for (var bit = 0; bit < 8 * copy.Length; bit++)
        {
            copy[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.Null(Read(copy));
            copy[bit / 8] ^= (byte)(1 << (bit % 8));
        }

        Assert.NotNull(Read(copy));
    }

    [Fact]
    public void Mutants_with_right_checksums_are_read_safely()
    {
        var generator = new SeededRandom(20261121);
        var seeds = Enumerable.Range(0, 40).Select(seed => ImageWriter.Write(SampleImages.Random((ulong)seed))).Append(Small).ToArray();
        var codes = new Dictionary<string, int>();
        var accepted = 0;
        for (var i = 0; i < 25_000; i++)
        {
            var file = ImageFile.Parse(seeds[generator.Below(seeds.Length)]);
            for (var n = generator.Next(1, 3); n > 0; n--)
            {
                Mutate(file, generator);
            }

            var bytes = file.Build();
            if (generator.Below(8) == 0)
            {
                // The table too: offsets, lengths, flags, ids and number of sections.
                bytes[generator.Next(12, Math.Min(bytes.Length - 5, 32 + 32 * file.Sections.Count - 1))] = (byte)generator.Choose(0, 1, 0x7F, 0xFF, generator.Below(256));
                ImageFile.Seal(bytes);
            }

            var bag = new DiagnosticBag();
            if (Read(bytes, bag) is { } image)
            {
                accepted++;
                // What was accepted keeps the rules: it can be written, read and printed.
                SampleImages.AssertSame(image, Read(ImageWriter.Write(image))!);
                Assert.NotEmpty(ImagePrinter.Print(image));
            }
            else
            {
                codes[bag.Diagnostics[0].Code] = codes.GetValueOrDefault(bag.Diagnostics[0].Code) + 1;
            }
        }

        // The mutants reach the rules behind the checksums, and some are harmless.
        Assert.InRange(accepted, 1_000, 20_000);
        Assert.True(codes.Count >= 15, string.Join(", ", codes));
    }

    [Fact]
    public void Counts_that_promise_more_than_the_file_holds_take_no_memory()
    {
        // Every word of every section in turn becomes a huge count, length or index.
        foreach (var huge in (ReadOnlySpan<uint>)[0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x10000000])
        {
            var file = ImageFile.Parse(Small);
            for (var s = 0; s < file.Sections.Count; s++)
            {
                var original = file.Sections[s];
                for (var at = 0; at + 4 <= original.Payload.Length; at += 4)
                {
                    var payload = (byte[])original.Payload.Clone();
                    BinaryPrimitives.WriteUInt32LittleEndian(payload.AsSpan(at), huge);
                    file.Sections[s] = original with { Payload = payload };
                    Read(file.Build());
                }

                file.Sections[s] = original;
            }
        }
    }

    private static void Mutate(ImageFile file, SeededRandom generator)
    {
        var index = generator.Below(file.Sections.Count);
        var (code, flags, payload) = file.Sections[index];
        payload = (byte[])payload.Clone();
        if (payload.Length < 4)
        {
            payload = [.. payload, 0, 0, 0, 0];
        }

        switch (generator.Below(6))
        {
            case 0:
                payload[generator.Below(payload.Length)] ^= (byte)(1 << generator.Below(8));
                break;
            case 1 or 2:
                var word = payload.AsSpan(4 * generator.Below(payload.Length / 4), 4);
                var old = BinaryPrimitives.ReadUInt32LittleEndian(word);
                BinaryPrimitives.WriteUInt32LittleEndian(word, generator.Choose<uint>(0, 1, 2, 3, 4, 8, 15, 16, 32, 128, 0x7FFFFFFF, 0x80000000, uint.MaxValue, old + 1, old - 1, old + 4, old << 1, old >> 1, generator.NextBits()));
                break;
            case 3:
                payload = payload[..generator.Below(payload.Length + 1)];
                break;
            case 4:
                payload = [.. payload, .. payload[^4..]];
                break;
            default:
                var from = generator.Below(payload.Length);
                payload = [.. payload[..from], .. payload[(generator.Below(payload.Length - from) + from)..]];
                break;
        }

        file.Sections[index] = (code, flags, payload);
    }

    private static CnnImage? Read(byte[] bytes, DiagnosticBag? bag = null)
    {
        bag ??= new DiagnosticBag();
        var before = GC.GetAllocatedBytesForCurrentThread();
        var image = ImageReader.Read(bytes, "mutant.cnnb", bag);
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.InRange(allocated, 0, 24L * bytes.Length + 64 * 1024);
        Assert.Equal(image is null, bag.HasErrors);
        Assert.InRange(bag.Diagnostics.Count, image is null ? 1 : 0, 1);
        return image;
    }
}
