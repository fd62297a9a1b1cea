using System.Numerics;
using CnnCompiler.Image.Systolic;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Image.Container;

/// <summary>Turns checked sections into an image, validating every item. Throws <see cref="DiagnosticException"/>.</summary>
internal sealed class ImageParser(string file, Dictionary<uint, ReadOnlyMemory<byte>> sections)
{
    private delegate T ItemReader<out T>(ref SectionReader reader);

    private MachineDescription _machine = null!;
    private ReadOnlyMemory<byte> _flash;
    private List<LayerInfo> _layers = [];
    private List<KernelImage> _kernels = [];
    private List<Launch> _launches = [];

    /// <summary>Reads the sections in the order in which they refer to each other.</summary>
    public CnnImage Parse()
    {
        var missing = ImageFormat.Sections.FirstOrDefault(section => section.Required && !sections.ContainsKey(section.Id));
        if (missing is not null)
        {
            throw new DiagnosticException(ImageDiagnostics.SectionMissing(file, missing.Name));
        }

        _machine = ReadMachine();
        _flash = ReadFlash();
        _layers = List(ImageFormat.Layers, "layer", 16, ReadLayer);
        _kernels = List(ImageFormat.Kernels, "kernel", 16, ReadKernel);
        _launches = List(ImageFormat.Launches, "launch", 12, ReadLaunch);
        var image = new CnnImage(
            _machine,
            _kernels,
            List(ImageFormat.RamConstants, "block", 8, RamBlockReader()),
            _flash,
            List(ImageFormat.Inputs, "tensor", 24, ReadTensor),
            List(ImageFormat.Outputs, "tensor", 24, ReadTensor),
            _layers,
            List(ImageFormat.HostProgram, "step", 8, ReadHostStep),
            _launches,
            sections.ContainsKey(ImageFormat.Symbols.Id) ? List(ImageFormat.Symbols, "symbol", 12, ReadSymbol) : []);
        return ReadSystolic(image);
    }

    /// <summary>A machine has a systolic program or a host program with kernels, never both.</summary>
    private CnnImage ReadSystolic(CnnImage image)
    {
        if (sections.ContainsKey(ImageFormat.Systolic.Id) != _machine.Systolic is not null)
        {
            throw new DiagnosticException(ImageDiagnostics.OtherMachine(file, _machine.Name));
        }

        if (_machine.Systolic is null)
        {
            return image;
        }

        if (image.Kernels.Count + image.HostProgram.Count + image.Launches.Count > 0)
        {
            throw new DiagnosticException(ImageDiagnostics.OtherMachine(file, _machine.Name));
        }

        var reader = new FieldReader(sections[ImageFormat.Systolic.Id], file, ImageFormat.Systolic.Name);
        var program = new SystolicFields(reader).Program(null);
        reader.End();
        SystolicChecker.Check(program, _machine, _layers.Count, file);
        return image with { Systolic = program };
    }

    private List<T> List<T>(ImageSection section, string item, int leastBytes, ItemReader<T> read)
    {
        var reader = new SectionReader(sections[section.Id].Span, file, section.Name);
        var items = new List<T>(reader.Count($"{item}s", leastBytes));
        for (var i = 0; i < items.Capacity; i++)
        {
            reader.Item(item, i);
            items.Add(read(ref reader));
        }

        reader.End();
        return items;
    }

    private MachineDescription ReadMachine()
    {
        var problems = new DiagnosticBag();
        var machines = MachineDescriptionJson.Parse(sections[ImageFormat.Machine.Id].Span, file, problems);
        if (machines is null)
        {
            throw new DiagnosticException(ImageDiagnostics.BadMachine(file, problems.Diagnostics[0]));
        }

        return machines.Count == 1 ? machines[0] : throw new DiagnosticException(ImageDiagnostics.BadLayout(file, ImageFormat.Machine.Name, "describes more than one machine"));
    }

    private ReadOnlyMemory<byte> ReadFlash()
    {
        var flash = sections[ImageFormat.Flash.Id];
        if (flash.Length % sizeof(uint) != 0)
        {
            throw new DiagnosticException(ImageDiagnostics.NotWords(file, ImageFormat.Flash.Name, flash.Length));
        }

        return flash.Length <= _machine.FlashBytes ? flash : throw new DiagnosticException(ImageDiagnostics.FlashTooLarge(file, flash.Length, _machine.FlashBytes));
    }

    private static LayerInfo ReadLayer(ref SectionReader reader)
    {
        var (name, kind, macs) = (reader.Text(), reader.Text(), reader.Long("MACs"));
        return macs >= 0 ? new(name, kind, macs) : throw new DiagnosticException(ImageDiagnostics.OutOfRange(reader.File, reader.Place, "MACs", macs, 0, long.MaxValue));
    }

    private KernelImage ReadKernel(ref SectionReader reader)
    {
        var name = reader.Text();
        var steps = reader.Int("number of steps", _machine.MinStepsPerKernel, _machine.StepsPerKernel);
        var mask = reader.Int("column mask", 1, (1 << _machine.Columns) - 1);
        var words = steps * BitOperations.PopCount((uint)mask);
        if (words > _machine.ContextWordsPerRow)
        {
            throw new DiagnosticException(ImageDiagnostics.ContextExceeded(file, reader.Place, 0, words, _machine.ContextWordsPerRow));
        }

        var address = FlashAddress(ref reader, "flash address");
        CheckFlash(ref reader, "flash address", address, (long)words * _machine.Rows);
        var rows = new IReadOnlyList<uint>[_machine.Rows];
        for (var row = 0; row < rows.Length; row++)
        {
            rows[row] = new FlashWords(_flash, address + row * words * sizeof(uint), words);
        }

        return new(name, steps, mask, rows, address);
    }

    private Launch ReadLaunch(ref SectionReader reader)
    {
        var kernel = reader.Index("kernel", _kernels.Count);
        var id = KernelId(ref reader);
        var written = reader.Word("pointer mask");
        if ((written & ~(0x10001u * ((1u << _machine.Columns) - 1))) != 0)
        {
            throw new DiagnosticException(ImageDiagnostics.UnknownCode(file, reader.Place, "pointer mask", written));
        }

        return new(kernel, id, Pointers(ref reader, written, _machine.Columns), Pointers(ref reader, written >> 16, _machine.Columns));
    }

    private static uint?[] Pointers(ref SectionReader reader, uint written, int columns)
    {
        var pointers = new uint?[columns];
        for (var column = 0; column < columns; column++)
        {
            if ((written >> column & 1) != 0)
            {
                pointers[column] = reader.Word("a pointer");
            }
        }

        return pointers;
    }

    private ItemReader<RamBlock> RamBlockReader()
    {
        long end = 0;
        return (ref SectionReader reader) =>
        {
            var address = reader.Int("address");
            var words = reader.Count("words", sizeof(uint));
            if (words == 0)
            {
                throw new DiagnosticException(ImageDiagnostics.OutOfRange(file, reader.Place, "number of words", 0, 1, int.MaxValue));
            }

            CheckRam(ref reader, "address", address, words);
            if ((uint)address < end)
            {
                throw new DiagnosticException(ImageDiagnostics.NotAscending(file, reader.Place, (uint)address));
            }

            end = (uint)address + (long)words * sizeof(uint);
            return new(address, reader.Words(words));
        };
    }

    private TensorDescriptor ReadTensor(ref SectionReader reader)
    {
        var name = reader.Text();
        var type = ElementType(ref reader);

        var rank = reader.Count("extents", sizeof(int));
        if (rank > ImageFormat.HighestRank)
        {
            throw new DiagnosticException(ImageDiagnostics.OutOfRange(file, reader.Place, "rank", rank, 0, ImageFormat.HighestRank));
        }

        var shape = new int[rank];
        long bytes = type.Size();
        for (var i = 0; i < rank; i++)
        {
            shape[i] = reader.Int("extent", 1, int.MaxValue);
            bytes *= shape[i];
            if (bytes > uint.MaxValue)
            {
                throw new DiagnosticException(ImageDiagnostics.TensorTooLarge(file, reader.Place));
            }
        }

        var scale = BitConverter.Int32BitsToSingle(reader.Int("scale"));
        if (!(scale > 0 && float.IsFinite(scale)))
        {
            throw new DiagnosticException(ImageDiagnostics.BadScale(file, reader.Place));
        }

        var zeroPoint = type == ImageElementType.Int8 ? reader.Int("zero point", sbyte.MinValue, sbyte.MaxValue) : reader.Int("zero point");
        var address = reader.Int("address");
        CheckRam(ref reader, "address", address, ImageFormat.Align(bytes) / sizeof(uint));
        return new(name, shape, type, scale, zeroPoint, address);
    }

    private Symbol ReadSymbol(ref SectionReader reader)
    {
        var (name, address, bytes) = (reader.Text(), reader.Int("address"), reader.Int("size", 0, int.MaxValue));
        // A symbol may name a part of a word.
        CheckRamBytes(ref reader, "address", address, bytes);
        return new(name, address, bytes);
    }

    private HostStep ReadHostStep(ref SectionReader reader)
    {
        var code = reader.Word("kind");
        var layer = reader.Index("layer", _layers.Count, orNone: true);
        return (HostStepCode)code switch
        {
            HostStepCode.LoadKernel => ReadLoad(ref reader, layer),
            HostStepCode.LoadKernelFromRam => ReadLoadFromRam(ref reader, layer),
            HostStepCode.PatchKernel => ReadPatch(ref reader, layer),
            HostStepCode.CopyFlash => ReadFlashCopy(ref reader, layer),
            HostStepCode.CopyRam => ReadRamCopy(ref reader, layer),
            HostStepCode.Launch => new HostLaunch(layer, reader.Index("launch", _launches.Count)),
            HostStepCode.Wait => new HostWait(layer),
            HostStepCode.Softmax => ReadSoftmax(ref reader, layer),
            _ => throw new DiagnosticException(ImageDiagnostics.UnknownCode(file, reader.Place, "host step", code)),
        };
    }

    private HostLoadKernel ReadLoad(ref SectionReader reader, int layer)
    {
        var kernel = reader.Index("kernel", _kernels.Count);
        var id = KernelId(ref reader);
        var start = reader.Int("context word", 0, _machine.ContextWordsPerRow - 1);
        var words = _kernels[kernel].Rows[0].Count;
        return start + words <= _machine.ContextWordsPerRow
            ? new(layer, kernel, id, start)
            : throw new DiagnosticException(ImageDiagnostics.ContextExceeded(file, reader.Place, start, words, _machine.ContextWordsPerRow));
    }

    private HostLoadKernel ReadLoadFromRam(ref SectionReader reader, int layer)
    {
        var load = ReadLoad(ref reader, layer) with { Ram = reader.Int("source") };
        CheckRam(ref reader, "source", load.Ram.Value, _kernels[load.Kernel].Rows.Sum(row => (long)row.Count));
        return load;
    }

    private HostPatchKernel ReadPatch(ref SectionReader reader, int layer)
    {
        var load = ReadLoad(ref reader, layer);
        var code = reader.Word("source of the changes");
        if (code > byte.MaxValue || !Enum.IsDefined((PatchSource)code))
        {
            throw new DiagnosticException(ImageDiagnostics.UnknownCode(file, reader.Place, "source of the changes", code));
        }

        var (source, words) = (reader.Int("source"), reader.Int("number of words", 1, int.MaxValue));
        if ((PatchSource)code == PatchSource.Flash)
        {
            CheckFlash(ref reader, "source", source, words);
        }
        else
        {
            CheckRam(ref reader, "source", source, words);
        }

        return new(layer, load.Kernel, load.KernelId, load.Start, (PatchSource)code, source, words);
    }

    private HostCopyFlash ReadFlashCopy(ref SectionReader reader, int layer)
    {
        var source = FlashAddress(ref reader, "source");
        var (destination, words) = (reader.Int("destination"), reader.Int("number of words", 1, int.MaxValue));
        CheckFlash(ref reader, "source", source, words);
        CheckRam(ref reader, "destination", destination, words);
        return new(layer, source, destination, words);
    }

    private HostCopyRam ReadRamCopy(ref SectionReader reader, int layer)
    {
        var (source, destination, words) = (reader.Int("source"), reader.Int("destination"), reader.Int("number of words", 1, int.MaxValue));
        CheckRam(ref reader, "source", source, words);
        CheckRam(ref reader, "destination", destination, words);
        return Math.Abs((long)(uint)source - (uint)destination) >= (long)words * sizeof(uint)
            ? new(layer, source, destination, words)
            : throw new DiagnosticException(ImageDiagnostics.CopyOverlaps(file, reader.Place));
    }

    private HostSoftmax ReadSoftmax(ref SectionReader reader, int layer)
    {
        var (source, sourceLayout) = (reader.Int("source"), Layout(ref reader));
        var (destination, destinationLayout) = (reader.Int("destination"), Layout(ref reader));
        var (rows, columns) = (reader.Int("number of rows", 1, int.MaxValue), reader.Int("row length", 1, int.MaxValue));
        var multiplier = reader.Int("multiplier", 0, int.MaxValue);
        var leftShift = reader.Int("left shift", 0, 31);
        // int8-arithmetic.md section 3.8: smaller differences would leave the range of the fixed-point exponent.
        var diffMin = reader.Int("least difference", -((31L << 26) >> leftShift), 0);
        if ((long)rows * columns > uint.MaxValue)
        {
            throw new DiagnosticException(ImageDiagnostics.TensorTooLarge(file, reader.Place));
        }

        CheckRam(ref reader, "source", source, Words(sourceLayout));
        CheckRam(ref reader, "destination", destination, Words(destinationLayout));
        return new(layer, source, sourceLayout, destination, destinationLayout, rows, columns, multiplier, leftShift, diffMin);

        long Words(HostElementLayout layout) => layout == HostElementLayout.Word ? (long)rows * columns : ImageFormat.Align((long)rows * columns) / sizeof(uint);
    }

    private ImageElementType ElementType(ref SectionReader reader)
    {
        var code = reader.Word("element type");
        return code <= byte.MaxValue && Enum.IsDefined((ImageElementType)code) && (_machine.Systolic is not null || code <= (uint)ImageElementType.Int32)
            ? (ImageElementType)code
            : throw new DiagnosticException(ImageDiagnostics.UnknownCode(file, reader.Place, "element type", code));
    }

    private HostElementLayout Layout(ref SectionReader reader)
    {
        var code = reader.Word("element layout");
        return code <= byte.MaxValue && Enum.IsDefined((HostElementLayout)code)
            ? (HostElementLayout)code
            : throw new DiagnosticException(ImageDiagnostics.UnknownCode(file, reader.Place, "element layout", code));
    }

    private int KernelId(ref SectionReader reader) => reader.Int("kernel id", 1, _machine.KernelSlots - 1);

    private int FlashAddress(ref SectionReader reader, string what) => reader.Int(what, 0, _machine.FlashBytes);

    private void CheckFlash(ref SectionReader reader, string what, int address, long words)
    {
        if (address % sizeof(uint) != 0)
        {
            throw new DiagnosticException(ImageDiagnostics.Misaligned(file, reader.Place, what, address));
        }

        if (address + words * sizeof(uint) > _flash.Length)
        {
            throw new DiagnosticException(ImageDiagnostics.OutsideMemory(file, reader.Place, what, address, words * sizeof(uint), "flash contents", _flash.Length));
        }
    }

    private void CheckRam(ref SectionReader reader, string what, int address, long words)
    {
        if (address % sizeof(uint) != 0)
        {
            throw new DiagnosticException(ImageDiagnostics.Misaligned(file, reader.Place, what, (uint)address));
        }

        CheckRamBytes(ref reader, what, address, words * sizeof(uint));
    }

    private void CheckRamBytes(ref SectionReader reader, string what, int address, long bytes)
    {
        var size = _machine.Ram.Sparse ? 1L << 32 : _machine.Ram.Bytes;
        if ((uint)address + bytes > size)
        {
            throw new DiagnosticException(ImageDiagnostics.OutsideMemory(file, reader.Place, what, (uint)address, bytes, "RAM", size));
        }
    }
}
