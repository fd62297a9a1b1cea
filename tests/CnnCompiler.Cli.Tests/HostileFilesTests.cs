using System.IO.Compression;
using System.Text;
using CnnCompiler.Core.Numpy;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Frontend;

namespace CnnCompiler.Cli.Tests;

/// <summary>What a stranger may hand to <c>cnnc check</c>: each file gets a diagnostic in it, before the time or memory it asks for is spent.</summary>
public class HostileFilesTests
{
    private const int Hundred = 100 << 20;

    // Name, what is in net.cnn, what is in net.npz, the code that is told.
    private static readonly (string Name, Func<byte[]> Network, Func<byte[]>? Weights, string Code)[] Files =
    [
        ("100 MB of brackets", () => Filled(Hundred, "("), null, "CNN0200"),
        ("100 MB of brackets in lines", () => Filled(Hundred, "(\n"), null, "CNN0200"),
        ("as many brackets as are read", () => Filled(LanguageLimits.Characters, "("), null, "CNN0204"),
        ("100 MB of NUL bytes", () => new byte[Hundred], null, "CNN0200"),
        ("NUL bytes", () => new byte[1000], null, "CNN0201"),
        ("a NUL byte in a network", () => Text("network n {\n input x : i8[1x4x4x1] scale 0.5\0\n output x }"), null, "CNN0201"),
        ("bytes that are no text", () => [.. Enumerable.Range(128, 128).Select(i => (byte)i)], null, "CNN0201"),
        ("nothing", () => [], null, "CNN0205"),
        ("missing weights", () => Text(Weighted("conv2d(x, filters=2, kernel=3)")), null, "CNN0230"),
        ("an array that is missing", () => Text(Weighted("conv2d(x, filters=2, kernel=3)")), () => NpzFile.Write([]), "CNN0233"),
        ("a wrong rank", () => Text(Weighted("conv2d(x, filters=2, kernel=3)")), () => Arrays([2, 3, 3]), "CNN0234"),
        ("an input of a wrong rank", () => Text("network n { weights seed 1 input x : i8[4x4] scale 0.5 y = conv2d(x, filters=2, kernel=3) output y }"), null, "CNN0101"),
        ("an unknown layer", () => Text(Weighted("conv2e(x, filters=2, kernel=3)")), () => NpzFile.Write([]), "CNN0213"),
        ("a recursive block", () => Text("network n { weights seed 1 input x : i8[1x4x4x1] scale 0.5 block b(v) { w = b(v) output w } y = b(x) output y }"), null, "CNN0246"),
        ("blocks that call each other", () => Text("network n { weights seed 1 input x : i8[1x4x4x1] scale 0.5 block a(v) { w = b(v) output w } block b(v) { w = a(v) output w } y = a(x) output y }"), null, "CNN0246"),
        ("a tensor of 2^60 elements", () => Text("network n { input x : i8[1048576x1048576x1048576] scale 0.5 output x }"), null, "CNN0222"),
        ("a .npz that unpacks to 256 TiB", () => Text(Weighted("dense(x, units=2)")), Bomb, "CNN03"),
        ("a .npz with more in it than is taken", () => Text(Weighted("dense(x, units=2)")), Zeros, "CNN03"),
        ("a .npz that is none", () => Text(Weighted("dense(x, units=2)")), () => Filled(1000, "PK"), "CNN03"),
    ];

    public static TheoryData<string> Names() => new(Files.Select(file => file.Name));

    [Theory]
    [MemberData(nameof(Names))]
    public void A_strangers_file_gets_a_diagnostic_in_it_and_exit_code_1(string name)
    {
        var (_, network, weights, code) = Files.Single(file => file.Name == name);
        using var scratch = new Scratch();
        scratch.Write("net.cnn", network());
        if (weights is not null)
        {
            scratch.Write("net.npz", weights());
        }

        var result = Cnnc.Run("check", scratch["net.cnn"]).Exits(1);
        var lines = result.Error.TrimEnd('\n').Split('\n');
        Assert.InRange(lines.Length, 1, LanguageLimits.Diagnostics + 1);
        Assert.Contains(lines, line => line.Contains($"error {code}", StringComparison.Ordinal));
        Assert.All(lines, line => Assert.True(line.StartsWith(scratch["net.cnn"], StringComparison.Ordinal) || line.StartsWith("net.npz", StringComparison.Ordinal), line));
        Assert.DoesNotContain(result.Error, c => char.IsControl(c) && c != '\n');
    }

    [Fact]
    public void A_file_beyond_the_limit_is_refused_before_it_is_decoded()
    {
        using var scratch = new Scratch();
        var file = scratch.Write("net.cnn", Filled(Hundred, "("));
        foreach (var verb in (string[])["check", "fmt"])
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            Assert.Contains($"the file has {Hundred} bytes", Cnnc.Run(verb, file).Exits(1).Error, StringComparison.Ordinal);

            // The file itself, read into a buffer of its size and given out as an array; a text of it would be twice as large.
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, Hundred, 3L * Hundred);
        }
    }

    [Fact]
    public void The_last_length_that_is_decoded_is_that_of_a_text_that_may_be_right()
    {
        // Three bytes a character, with the mark: as many bytes as a text within the limit can have.
        using var scratch = new Scratch();
        var comment = "// " + new string('\u20AC', LanguageLimits.Characters - 3);
        scratch.Write("net.cnn", [0xEF, 0xBB, 0xBF, .. Encoding.UTF8.GetBytes(comment)]);
        Assert.DoesNotContain("CNN0200", Cnnc.Run("check", scratch["net.cnn"]).Exits(1).Error, StringComparison.Ordinal);
        Assert.True(new FileInfo(scratch["net.cnn"]).Length <= LanguageLimits.Bytes);
        scratch.Write("net.cnn", [0xEF, 0xBB, 0xBF, .. Encoding.UTF8.GetBytes(comment + "\u20AC\u20AC\u20AC")]);
        Assert.Contains("CNN0200", Cnnc.Run("check", scratch["net.cnn"]).Exits(1).Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("network \"n\" {\n", "(", 10 << 20, "CNN0910")]
    [InlineData("network \"n\" {\n", "(\n", 4 << 20, "CNN0911")]
    [InlineData("network \"n\" {\n", "\0", 10 << 20, "CNN0911")]
    [InlineData("gconv \"n\" {\n", "]\n", 4 << 20, "CNN0911")]
    public void A_hostile_text_of_a_level_gets_few_diagnostics(string header, string part, int length, string code)
    {
        using var scratch = new Scratch();
        scratch.Write("net.cnnir", [.. Encoding.UTF8.GetBytes(header), .. Filled(length, part)]);
        var result = Cnnc.Run("opt", "--passes", "lower-to-gconv", scratch["net.cnnir"]).Exits(1);
        Assert.Contains(code, result.Error, StringComparison.Ordinal);
        Assert.InRange(result.Error.TrimEnd('\n').Split('\n').Length, 1, 210);
    }

    private static byte[] Text(string text) => Encoding.UTF8.GetBytes(text);

    private static byte[] Filled(int length, string part)
    {
        var bytes = new byte[length];
        var pattern = Encoding.UTF8.GetBytes(part);
        for (var i = 0; i < length; i++)
        {
            bytes[i] = pattern[i % pattern.Length];
        }

        return bytes;
    }

    private static string Weighted(string layer) => $"network n {{\n weights \"net.npz\"\n input x : i8[1x4x4x1] scale 0.5\n y = {layer} : scale 1\n output y\n}}\n";

    private static byte[] Arrays(int[] shape)
    {
        var extents = Shape.Of(shape);
        return NpzFile.Write(
        [
            new("y.weights", new Tensor(ElementType.Int8, extents, new byte[extents.Elements])),
            new("y.weights_scale", Tensor.From<float>(ElementType.Float32, Shape.Of(), [1f])),
            new("y.bias", Tensor.From<int>(ElementType.Int32, Shape.Of(2), [0, 0])),
        ]);
    }

    /// <summary>A directory of 65,534 entries of nearly 4 GiB each, all with the same contents.</summary>
    private static byte[] Bomb()
    {
        const int entries = 65_534;
        using var stream = new MemoryStream();
        using (var writer = new BinaryWriter(stream, Encoding.UTF8, leaveOpen: true))
        {
            for (var i = 0; i < entries; i++)
            {
                var name = Encoding.UTF8.GetBytes(FormattableString.Invariant($"{i}.npy"));
                writer.Write(0x02014B50u);
                writer.Write([20, 0, 20, 0, 0, 0, 8, 0, 0, 0, 0, 0]);
                writer.Write([0, 0, 0, 0]);
                writer.Write(4_000_000u);
                writer.Write(uint.MaxValue - 1);
                writer.Write((ushort)name.Length);
                writer.Write(new byte[16]);
                writer.Write(name);
            }

            var size = (uint)stream.Position;
            writer.Write(0x06054B50u);
            writer.Write([0, 0, 0, 0]);
            writer.Write((ushort)entries);
            writer.Write((ushort)entries);
            writer.Write(size);
            writer.Write(0u);
            writer.Write((ushort)0);
        }

        return stream.ToArray();
    }

    /// <summary>An honest archive of half a gigabyte of zeros.</summary>
    private static byte[] Zeros()
    {
        using var stream = new MemoryStream();
        using (var archive = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true))
        {
            using var entry = archive.CreateEntry("y.weights.npy").Open();
            var zeros = new byte[1 << 20];
            for (var i = 0; i < 512; i++)
            {
                entry.Write(zeros);
            }
        }

        return stream.ToArray();
    }
}
