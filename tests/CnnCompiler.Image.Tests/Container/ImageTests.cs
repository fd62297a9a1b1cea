using System.Buffers.Binary;
using System.Text;
using CnnCompiler.Image.Container;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Image.Tests.Container;

public sealed class ImageTests
{
    private static readonly CnnImage Small = SampleImages.Small;

    [Fact]
    public void What_is_written_is_read_and_written_again_the_same()
    {
        for (ulong seed = 0; seed < 300; seed++)
        {
            var image = SampleImages.Random(seed);
            var bytes = ImageWriter.Write(image);
            var again = Read(bytes);
            SampleImages.AssertSame(image, again);
            Assert.Equal(bytes, ImageWriter.Write(again));
            Assert.Equal(bytes, ImageWriter.Write(SampleImages.Random(seed)));
        }

        SampleImages.AssertSame(Small, Read(ImageWriter.Write(Small)));
    }

    [Fact]
    public void The_file_has_the_documented_layout()
    {
        // Taken apart and put together without the code under test, checksums included.
        var bytes = ImageWriter.Write(Small);
        var file = ImageFile.Parse(bytes);
        Assert.Equal(bytes, file.Build());
        Assert.Equal(ImageFormat.Sections.Select(section => (section.Code, section.Required ? 1u : 0u)), file.Sections.Select(section => (section.Code, section.Flags)));
        Assert.Equal(MachineDescriptionJson.Write(Small.Machine), file.Sections[0].Payload);

        // The launches section, word by word.
        Assert.Equal(
            [1u, 0, 1, 1 | 4 | 1 << 19, 0x9000, 0xFFFFFFFC, 0x9100],
            Words(file.Sections.Single(section => section.Code == "LNCH").Payload));
        Assert.Equal(
            [6u, 1, 0, 0, 1, 122, 2, 0, 0, 0x8000, 4, 4, 0, 0, 5, uint.MaxValue, 3, 0, 0x9000, 0x9004, 1, 6, 1, 0x9000, 1, 0x9100, 4, 1, 10, 1476210432, 24, unchecked((uint)-124)],
            Words(file.Sections.Single(section => section.Code == "HOST").Payload));
        Assert.Equal(
            [1u, 4, BinaryPrimitives.ReadUInt32LittleEndian("copy"u8), 3, 3, 16],
            Words(file.Sections.Single(section => section.Code == "KERN").Payload));
        Assert.Equal(
            [2u, 6, BinaryPrimitives.ReadUInt32LittleEndian("conv"u8), BinaryPrimitives.ReadUInt32LittleEndian(" 1\0\0"u8), 6, BinaryPrimitives.ReadUInt32LittleEndian("conv"u8), BinaryPrimitives.ReadUInt32LittleEndian("2d\0\0"u8), 442368, 0],
            Words(file.Sections.Single(section => section.Code == "LAYR").Payload)[..9]);
        Assert.Equal([2u, 0x8000, 2, 5, 6, 0x8010, 1, 7], Words(file.Sections.Single(section => section.Code == "RAMC").Payload));
        Assert.Equal(
            [1u, 5, BinaryPrimitives.ReadUInt32LittleEndian("inpu"u8), 't', 1, 4, 1, 2, 2, 3, BitConverter.SingleToUInt32Bits(0.5f), unchecked((uint)-128), 0x9000],
            Words(file.Sections.Single(section => section.Code == "INPT").Payload));
        Assert.Equal([1u, 5, BinaryPrimitives.ReadUInt32LittleEndian("aren"u8), 'a', 0x9000, 513], Words(file.Sections.Single(section => section.Code == "SYMB").Payload));
    }

    [Fact]
    public void The_checksum_is_the_standard_one()
    {
        // RFC 3720 appendix B.4.
        Assert.Equal(0x8A9136AAu, Crc32C.Compute(new byte[32]));
        Assert.Equal(0xE3069283u, Crc32C.Compute("123456789"u8));
        Assert.Equal(0xE3069283u, Crc32C.Compute("56789"u8, Crc32C.Compute("1234"u8)));
        Assert.Equal(ImageFile.Crc("some other text"u8), Crc32C.Compute("some other text"u8));
    }

    [Fact]
    public void Unknown_optional_sections_are_skipped_and_unknown_required_ones_refused()
    {
        var file = ImageFile.Parse(ImageWriter.Write(Small));
        file.Sections.Insert(3, ("note", 0, "anything"u8.ToArray()));
        SampleImages.AssertSame(Small, Read(file.Build()));
        file.Sections[3] = ("note", 1, "anything"u8.ToArray());
        Refused(file.Build(), "CNN0608", "'note'");
    }

    [Fact]
    public void Sections_may_come_in_any_order_and_symbols_may_be_missing()
    {
        var file = ImageFile.Parse(ImageWriter.Write(Small));
        file.Sections.Reverse();
        SampleImages.AssertSame(Small, Read(file.Build()));
        file.Sections.RemoveAll(section => section.Code == "SYMB");
        SampleImages.AssertSame(Small with { Symbols = [] }, Read(file.Build()));
    }

    [Fact]
    public void Missing_and_double_sections_are_refused()
    {
        foreach (var section in ImageFormat.Sections)
        {
            var file = ImageFile.Parse(ImageWriter.Write(Small));
            var index = file.Sections.FindIndex(found => found.Code == section.Code);
            file.Sections.Add(file.Sections[index]);
            Refused(file.Build(), "CNN0609", section.Name);
            file.Sections.RemoveAll(found => found.Code == section.Code);
            if (section.Required)
            {
                Refused(file.Build(), "CNN0610", section.Name);
            }
        }
    }

    [Fact]
    public void Damage_of_the_container_is_named()
    {
        var bytes = ImageWriter.Write(Small);
        Refused([], "CNN0601", "not an image");
        Refused("PK\u0003\u0004 something else"u8.ToArray(), "CNN0601", "not an image");
        Refused(Encoding.Latin1.GetBytes(Encoding.Latin1.GetString(bytes).Replace("\r\n", "\n", StringComparison.Ordinal)), "CNN0602", "as text");
        Refused(Changed(file => file[8] = 2), "CNN0603", "version 2; this cnnc reads versions up to 1");
        Refused(Changed(file => file[8] = 0), "CNN0603", "never was");
        Refused(bytes[..^1], "CNN0604", $"{bytes.Length - 1} bytes and its header says {bytes.Length}");
        Refused([.. bytes, 0], "CNN0604", "header says");
        byte[] longer = [.. bytes[..^4], 0, 0, 0, 0, 0, 0, 0, 0];
        BinaryPrimitives.WriteInt32LittleEndian(longer.AsSpan(16), longer.Length);
        ImageFile.Seal(longer);
        Refused(longer, "CNN0604", $"{longer.Length} bytes and its header says {bytes.Length}");
        Refused(Sealed(file => file[12]--), "CNN0611", "start where");
        Refused(Changed(file => file[40] ^= 1), "CNN0605", "section table");
        Refused(Changed(file => file[12] = 60), "CNN0605", "header");
        Refused(Changed(file => file[12] = 65), "CNN0612", "65 sections");
        foreach (var (section, i) in ImageFormat.Sections.Select((section, i) => (section, i)))
        {
            var offset = BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(32 + 32 * i + 8));
            Refused(Changed(file => file[offset] ^= 0x10), "CNN0606", section.Name);
        }

        Refused(Changed(file => file[^1] ^= 1), "CNN0607", "damaged");
        Refused(Sealed(file => file[27] = 1), "CNN0630", "no meaning");
        Refused(Sealed(file => file[36] = 3), "CNN0611", "flags");
        Refused(Sealed(file => file[60] = 1), "CNN0611", "flags");
        Refused(Sealed(file => file[40] += 4), "CNN0611", "start where");
        Refused(Sealed(file => file[32 + 32 + 23] = 0x80), "CNN0611", "past the end");
        Refused(Sealed(file => file[32 + 32 + 19] = 0x7F), "CNN0611", "past the end");
        var machineEnd = BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(40)) + BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(48));
        Assert.NotEqual(0, machineEnd % 4);
        Refused(Sealed(file => file[machineEnd] = 1), "CNN0611", "padded");

        byte[] Changed(Action<byte[]> change)
        {
            var copy = (byte[])bytes.Clone();
            change(copy);
            return copy;
        }

        byte[] Sealed(Action<byte[]> change)
        {
            var copy = Changed(change);
            ImageFile.Seal(copy);
            return copy;
        }
    }

    [Fact]
    public void Every_rule_of_the_contents_is_checked()
    {
        var kernel = Small.Kernels[0];
        var (input, launch, ram) = (Small.Inputs[0], Small.Launches[0], Small.Machine.Ram.Bytes);
        (CnnImage Image, string Code, string Text)[] cases =
        [
            (Small with { Machine = Small.Machine with { IsaRevision = "openedge-next" } }, "CNN0617", "openedge-next"),
            (Small with { Machine = Small.Machine with { KernelSlots = 1 } }, "CNN0617", "kernelSlots"),
            (Small with { Machine = Small.Machine with { FlashBytes = 64 } }, "CNN0628", "112 bytes; the machine's flash has 64"),
            (Small with { Flash = new byte[Small.Flash.Length + 1].Select((_, i) => i < Small.Flash.Length ? Small.Flash.Span[i] : (byte)0).ToArray() }, "CNN0629", "flash"),
            (Small with { Layers = [Small.Layers[0], new("x", "y", -1)] }, "CNN0621", "layer 1: MACs is -1"),
            (WithKernel(kernel with { Steps = 2, Rows = [[], [], [], []] }), "CNN0621", "kernel 0: number of steps is 2, outside 3 to 32"),
            (WithKernel(kernel with { Steps = 33, Rows = [[], [], [], []] }), "CNN0621", "number of steps is 33"),
            (WithKernel(kernel with { ColumnMask = 0 }), "CNN0621", "column mask is 0, outside 1 to 15"),
            (WithKernel(kernel with { ColumnMask = 16 }), "CNN0621", "column mask is 16"),
            (WithKernel(kernel with { Flash = 14, Rows = [[], [], [], []] }), "CNN0618", "0xe is not a multiple of 4"),
            (WithKernel(kernel with { Flash = -4, Rows = [[], [], [], []] }), "CNN0621", "flash address is -4"),
            (WithKernel(kernel with { Flash = 20, Rows = [[], [], [], []] }), "CNN0619", "0x14 with 96 bytes is outside the 112 bytes of flash contents"),
            ((Small with { Machine = Small.Machine with { ContextWordsPerRow = 4 } }) with { HostProgram = [] }, "CNN0622", "kernel 0"),
            (WithSteps(new HostLoadKernel(0, 0, 1, 123)), "CNN0622", "step 0: 6 words a row from word 123"),
            (WithSteps(new HostLoadKernel(0, 1, 1, 0)), "CNN0620", "no kernel 1; the image has 1"),
            (WithSteps(new HostLoadKernel(0, 0, 0, 0)), "CNN0621", "kernel id is 0, outside 1 to 15"),
            (WithSteps(new HostLoadKernel(0, 0, 16, 0)), "CNN0621", "kernel id is 16"),
            (WithSteps(new HostLoadKernel(0, 0, 1, -1)), "CNN0621", "context word is -1"),
            (WithSteps(new HostPatchKernel(0, 1, 1, 0, PatchSource.Flash, 0, 1)), "CNN0620", "no kernel 1; the image has 1"),
            (WithSteps(new HostPatchKernel(0, 0, 1, 123, PatchSource.Flash, 0, 1)), "CNN0622", "step 0: 6 words a row from word 123"),
            (WithSteps(new HostPatchKernel(0, 0, 1, 0, 0, 0, 1)), "CNN0627", "source of the changes 0"),
            (WithSteps(new HostPatchKernel(0, 0, 1, 0, PatchSource.Flash, 108, 2)), "CNN0619", "source 0x6c"),
            (WithSteps(new HostPatchKernel(0, 0, 1, 0, PatchSource.Ram, ram, 1)), "CNN0619", "source"),
            (WithSteps(new HostPatchKernel(0, 0, 1, 0, PatchSource.PackedRam, 2, 1)), "CNN0618", "source 0x2"),
            (WithSteps(new HostPatchKernel(0, 0, 1, 0, PatchSource.Ram, 0, 0)), "CNN0621", "number of words is 0"),
            (WithSteps(new HostLaunch(0, 1)), "CNN0620", "no launch 1"),
            (WithSteps(new HostWait(0), new HostWait(2)), "CNN0620", "step 1: there is no layer 2"),
            (WithSteps(new HostWait(-2)), "CNN0620", "layer -2"),
            (WithSteps(new HostCopyFlash(0, 2, 0, 1)), "CNN0618", "source 0x2"),
            (WithSteps(new HostCopyFlash(0, 0, 2, 1)), "CNN0618", "destination 0x2"),
            (WithSteps(new HostCopyFlash(0, 108, 0, 2)), "CNN0619", "source 0x6c"),
            (WithSteps(new HostCopyFlash(0, 0, ram - 4, 2)), "CNN0619", "destination 0x7fffc"),
            (WithSteps(new HostCopyFlash(0, 0, -4, 1)), "CNN0619", "destination 0xfffffffc"),
            (WithSteps(new HostCopyFlash(0, 0, 0, 0)), "CNN0621", "number of words is 0"),
            (WithSteps(new HostCopyRam(0, 0, 1 << 30, 1)), "CNN0619", "destination"),
            (WithSteps(new HostCopyRam(0, ram, 0, 1)), "CNN0619", "source"),
            (WithSteps(new HostCopyRam(0, 0, 4, 2)), "CNN0626", "overlap"),
            (WithSteps(new HostCopyRam(0, 4, 0, int.MaxValue)), "CNN0619", "source"),
            (WithSteps(new HostSoftmax(0, 0, (HostElementLayout)2, 0, HostElementLayout.Word, 1, 1, 0, 0, 0)), "CNN0627", "element layout 2"),
            (WithSteps(new HostSoftmax(0, 0, HostElementLayout.Word, 0, HostElementLayout.Word, 0, 1, 0, 0, 0)), "CNN0621", "number of rows is 0"),
            (WithSteps(new HostSoftmax(0, 0, HostElementLayout.Word, 0, HostElementLayout.Word, 1, 0, 0, 0, 0)), "CNN0621", "row length is 0"),
            (WithSteps(new HostSoftmax(0, 0, HostElementLayout.Word, 0, HostElementLayout.Word, int.MaxValue, 3, 0, 0, 0)), "CNN0623", "step 0"),
            (WithSteps(new HostSoftmax(0, ram - 8, HostElementLayout.Word, 0, HostElementLayout.PackedByte, 1, 5, 0, 0, 0)), "CNN0619", "source"),
            (WithSteps(new HostSoftmax(0, 0, HostElementLayout.Word, ram - 4, HostElementLayout.PackedByte, 1, 5, 0, 0, 0)), "CNN0619", "destination"),
            (WithSteps(new HostSoftmax(0, 0, HostElementLayout.Word, 0, HostElementLayout.Word, 1, 1, -1, 0, 0)), "CNN0621", "multiplier"),
            (WithSteps(new HostSoftmax(0, 0, HostElementLayout.Word, 0, HostElementLayout.Word, 1, 1, 1, 32, 0)), "CNN0621", "left shift is 32"),
            (WithSteps(new HostSoftmax(0, 0, HostElementLayout.Word, 0, HostElementLayout.Word, 1, 1, 1, 24, -125)), "CNN0621", "least difference is -125, outside -124 to 0"),
            (Small with { Launches = [launch with { Kernel = 1 }] }, "CNN0620", "launch 0: there is no kernel 1"),
            (Small with { Launches = [launch with { KernelId = 16 }] }, "CNN0621", "kernel id"),
            (Small with { RamConstants = [new(2, new uint[1])] }, "CNN0618", "block 0"),
            (Small with { RamConstants = [new(ram, new uint[1])] }, "CNN0619", "block 0"),
            (Small with { RamConstants = [new(0, Array.Empty<uint>())] }, "CNN0621", "number of words is 0"),
            (Small with { RamConstants = [new(8, new uint[2]), new(12, new uint[1])] }, "CNN0625", "block 1: address 0xc"),
            (WithInput(input with { Type = 0 }), "CNN0627", "tensor 0: element type 0"),
            (WithInput(input with { Shape = [1, 0] }), "CNN0621", "extent is 0"),
            (WithInput(input with { Shape = [1, -1] }), "CNN0621", "extent is -1"),
            (WithInput(input with { Shape = [1, 1, 1, 1, 1, 1, 1, 1, 1] }), "CNN0621", "rank is 9"),
            (WithInput(input with { Shape = [65536, 65536] }), "CNN0623", "tensor 0"),
            (WithInput(input with { Shape = [ram + 1], Address = 0 }), "CNN0619", "tensor 0"),
            (WithInput(input with { Scale = 0 }), "CNN0624", "scale"),
            (WithInput(input with { Scale = float.NaN }), "CNN0624", "scale"),
            (WithInput(input with { Scale = float.PositiveInfinity }), "CNN0624", "scale"),
            (WithInput(input with { ZeroPoint = 128 }), "CNN0621", "zero point is 128"),
            (WithInput(input with { Address = 0x9001 }), "CNN0618", "0x9001"),
            (Small with { Outputs = [input with { Address = -4 }] }, "CNN0619", "section outputs, tensor 0"),
            (Small with { Symbols = [new("x", ram, 1)] }, "CNN0619", "symbol 0"),
            (Small with { Symbols = [new("x", 0, -1)] }, "CNN0621", "size is -1"),
        ];
        foreach (var (image, code, text) in cases)
        {
            Refused(ImageWriter.Write(image), code, text);
        }

        static CnnImage WithKernel(KernelImage kernel) => Small with { Kernels = [kernel] };
        static CnnImage WithSteps(params HostStep[] steps) => Small with { HostProgram = steps };
        static CnnImage WithInput(TensorDescriptor input) => Small with { Inputs = [input] };
    }

    [Fact]
    public void Damage_inside_sections_is_named()
    {
        (string Section, Func<byte[], byte[]> Change, string Code, string Text)[] cases =
        [
            ("HOST", bytes => bytes[..^4], "CNN0613", "section host program, step 5: the section ends inside least difference"),
            ("HOST", bytes => [.. bytes, 0, 0, 0, 0], "CNN0614", "4 bytes behind"),
            ("HOST", bytes => Set(bytes, 0, uint.MaxValue), "CNN0615", "4294967295 steps"),
            ("HOST", bytes => Set(bytes, 4, 9), "CNN0627", "host step 9"),
            ("LAYR", bytes => Set(bytes, 4, 4097), "CNN0616", "too long"),
            ("LAYR", bytes => Set(bytes, 4, 4096), "CNN0613", "a name"),
            ("LAYR", bytes => Set(bytes, 8, 0xFFFFFFFF), "CNN0616", "not valid UTF-8"),
            ("LAYR", bytes => Set(bytes, 12, 0x01003120), "CNN0616", "padded"),
            ("LNCH", bytes => Set(bytes, 12, 0x10), "CNN0627", "pointer mask 16"),
            ("RAMC", bytes => Set(bytes, 8, 0x7FFFFFFF), "CNN0615", "2147483647 words"),
            ("INPT", bytes => Set(bytes, 16, 0x101), "CNN0627", "element type 257"),
            ("INPT", bytes => Set(bytes, 20, 0x7FFFFFFF), "CNN0615", "extents"),
            ("MACH", bytes => bytes[..^3], "CNN0617", "not valid JSON"),
            ("MACH", bytes => [.. bytes[..^3], .. ", \"variants\": { \"second\": {} } }"u8], "CNN0611", "more than one machine"),
            ("FLSH", bytes => bytes[..^1], "CNN0629", "whole number of words"),
        ];
        foreach (var (section, change, code, text) in cases)
        {
            Refused(ImageFile.Parse(ImageWriter.Write(Small)).Replace(section, change).Build(), code, text);
        }

        static byte[] Set(byte[] bytes, int offset, uint value)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(offset), value);
            return bytes;
        }
    }

    [Fact]
    public void Only_what_can_be_read_again_is_written()
    {
        Assert.Throws<ArgumentException>(() => ImageWriter.Write(Small with { Symbols = [new(new string('x', 4097), 0, 0)] }));
        Assert.Throws<ArgumentException>(() => ImageWriter.Write(Small with { Symbols = [new("\ud800", 0, 0)] }));
        Assert.Throws<ArgumentException>(() => ImageWriter.Write(Small with { Kernels = [Small.Kernels[0] with { Flash = 0 }] }));
        Assert.Throws<ArgumentException>(() => ImageWriter.Write(Small with { Kernels = [Small.Kernels[0] with { Flash = 108 }] }));
        Assert.Throws<ArgumentException>(() => ImageWriter.Write(Small with { Launches = [new(0, 1, [], [])] }));
    }

    [Fact]
    public void Sparse_machines_take_every_address()
    {
        var machine = Small.Machine with { Ram = Small.Machine.Ram with { Sparse = true } };
        var image = Small with { Machine = machine, RamConstants = [new(0x7FFFFFFC, new uint[1]), new(int.MinValue, new uint[1]), new(-4, new uint[1])] };
        SampleImages.AssertSame(image, Read(ImageWriter.Write(image)));
        Refused(ImageWriter.Write(image with { RamConstants = [new(-4, new uint[2])] }), "CNN0619", "0xfffffffc");
    }

    [Fact]
    public void The_printed_form_shows_everything_once()
    {
        var text = ImagePrinter.Print(Small);
        string[] lines =
        [
            "machine openedge (openedge-4a179fc, 4x4, 524288 bytes of RAM, 8388608 bytes of flash)",
            "     0  0x009000 input int8 [1, 2, 2, 3] scale 0.5 zero point -128",
            "     0  \"conv 1\" conv2d 442368 MACs",
            "     0  0 (copy) id 1 read 0x009000 - 0xfffffffc - write - - - 0x009100",
            "     0  load-kernel 0 (copy) id 1 start 122  ; \"conv 1\"",
            "     1  copy-flash 0x000000 to 0x008000 4 words  ; \"conv 1\"",
            "     2  launch 0: 0 (copy) id 1 read 0x009000 - 0xfffffffc - write - - - 0x009100  ; \"conv 1\"",
            "     3  wait",
            "     4  copy-ram 0x009000 to 0x009004 1 words  ; \"conv 1\"",
            "     5  softmax 0x009000 words to 0x009100 bytes, 1 rows of 10, multiplier 1476210432 << 24, least difference -124  ; softmax",
            "     0  0x009000 arena 513 bytes",
            ".kernel copy",
            ".step 2  ; 1 cycle",
        ];
        Assert.All(lines, line => Assert.Single(text.Split('\n'), line));
        for (ulong seed = 0; seed < 50; seed++)
        {
            var image = SampleImages.Random(seed);
            var printed = ImagePrinter.Print(image);
            Assert.Equal(image.Kernels.Count, printed.Split("\n.kernel ").Length - 1);
            Assert.DoesNotContain(printed, character => char.IsControl(character) && character != '\n');
        }
    }

    private static uint[] Words(byte[] bytes) => [.. Enumerable.Range(0, bytes.Length / 4).Select(i => BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(4 * i)))];

    private static CnnImage Read(byte[] bytes)
    {
        var bag = new DiagnosticBag();
        var image = ImageReader.Read(bytes, "test.cnnb", bag);
        Assert.Empty(bag.Diagnostics);
        return image!;
    }

    private static void Refused(byte[] bytes, string code, string text)
    {
        var bag = new DiagnosticBag();
        Assert.Null(ImageReader.Read(bytes, "test.cnnb", bag));
        var diagnostic = Assert.Single(bag.Diagnostics);
        Assert.Contains(text, diagnostic.ToString(), StringComparison.Ordinal);
        Assert.Equal(code, diagnostic.Code);
        Assert.Equal("test.cnnb", diagnostic.Span.File);
        Assert.NotEmpty(diagnostic.Remedy);
    }
}
