using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using CnnCompiler.Image.Systolic;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Image.Container;

/// <summary>Writes images. The same image gives the same bytes.</summary>
public static class ImageWriter
{
    /// <summary>Writes an image in the newest version of the format.</summary>
    /// <exception cref="ArgumentException">The image can't be written: a name is too long or not valid Unicode, a kernel's words are not in flash where it says.</exception>
    public static byte[] Write(CnnImage image)
    {
        CheckKernels(image);
        var file = new ByteWriter();
        file.Section(ImageFormat.Machine).Raw(MachineDescriptionJson.Write(image.Machine));
        file.List(ImageFormat.Layers, image.Layers, (bytes, layer) => bytes.Text(layer.Name).Text(layer.Kind).Long(layer.Macs));
        file.List(ImageFormat.Kernels, image.Kernels, (bytes, kernel) => bytes.Text(kernel.Name).Int(kernel.Steps).Int(kernel.ColumnMask).Int(kernel.Flash));
        file.List(ImageFormat.Launches, image.Launches, Write);
        file.List(ImageFormat.HostProgram, image.HostProgram, (bytes, step) => Write(bytes, step));
        file.List(ImageFormat.Inputs, image.Inputs, Write);
        file.List(ImageFormat.Outputs, image.Outputs, Write);
        file.List(ImageFormat.RamConstants, image.RamConstants, (bytes, block) => bytes.Int(block.Address).Int(block.Words.Length).Words(block.Words.Span));
        file.Section(ImageFormat.Flash).Raw(image.Flash.Span);
        file.List(ImageFormat.Symbols, image.Symbols, (bytes, symbol) => bytes.Text(symbol.Name).Int(symbol.Address).Int(symbol.Bytes));
        if (image.Systolic is { } systolic)
        {
            new SystolicFields(new FieldWriter(file.Section(ImageFormat.Systolic))).Program(systolic);
        }

        return file.Finish();
    }

    private static void Write(ByteWriter.Payload bytes, TensorDescriptor tensor)
    {
        bytes.Text(tensor.Name).Int((int)tensor.Type);
        bytes.List(tensor.Shape, (extents, extent) => extents.Int(extent));
        bytes.Int(BitConverter.SingleToInt32Bits(tensor.Scale)).Int(tensor.ZeroPoint).Int(tensor.Address);
    }

    private static void Write(ByteWriter.Payload bytes, Launch launch)
    {
        // Bit c: PTR_IN_COL_c is written; bit 16 + c: PTR_OUT_COL_c is. The values follow in this order.
        var pointers = launch.ReadPointers.Select((value, column) => (value, bit: column)).Concat(launch.WritePointers.Select((value, column) => (value, bit: 16 + column))).Where(pointer => pointer.value is not null).ToArray();
        bytes.Int(launch.Kernel).Int(launch.KernelId).Int(pointers.Aggregate(0, (mask, pointer) => mask | 1 << pointer.bit));
        foreach (var (value, _) in pointers)
        {
            bytes.Int((int)value!.Value);
        }
    }

    private static ByteWriter.Payload Write(ByteWriter.Payload bytes, HostStep step)
    {
        return step.Match(
            load => load.Ram is { } ram
                ? Start(HostStepCode.LoadKernelFromRam).Int(load.Kernel).Int(load.KernelId).Int(load.Start).Int(ram)
                : Start(HostStepCode.LoadKernel).Int(load.Kernel).Int(load.KernelId).Int(load.Start),
            patch => Start(HostStepCode.PatchKernel).Int(patch.Kernel).Int(patch.KernelId).Int(patch.Start).Int((int)patch.From).Int(patch.Source).Int(patch.Words),
            copy => Start(HostStepCode.CopyFlash).Int(copy.Source).Int(copy.Destination).Int(copy.Words),
            copy => Start(HostStepCode.CopyRam).Int(copy.Source).Int(copy.Destination).Int(copy.Words),
            launch => Start(HostStepCode.Launch).Int(launch.Launch),
            _ => Start(HostStepCode.Wait),
            softmax => Start(HostStepCode.Softmax)
                .Int(softmax.Source).Int((int)softmax.SourceLayout).Int(softmax.Destination).Int((int)softmax.DestinationLayout)
                .Int(softmax.Rows).Int(softmax.Columns).Int(softmax.Multiplier).Int(softmax.LeftShift).Int(softmax.DiffMin));

        ByteWriter.Payload Start(HostStepCode code) => bytes.Int((int)code).Int(step.Layer);
    }

    /// <summary>The file holds a kernel's words once, in flash: they must be there.</summary>
    private static void CheckKernels(CnnImage image)
    {
        foreach (var kernel in image.Kernels)
        {
            long address = kernel.Flash;
            foreach (var word in kernel.Rows.SelectMany(row => row))
            {
                if (address < 0 || address + sizeof(uint) > image.Flash.Length || BinaryPrimitives.ReadUInt32LittleEndian(image.Flash.Span[(int)address..]) != word)
                {
                    throw new ArgumentException($"kernel '{kernel.Name}': its words are not in flash at its address {kernel.Flash}", nameof(image));
                }

                address += sizeof(uint);
            }
        }

        if (image.Launches.Any(launch => launch.ReadPointers.Count != image.Machine.Columns || launch.WritePointers.Count != image.Machine.Columns))
        {
            throw new ArgumentException("a launch has a pointer (or null) for each column", nameof(image));
        }
    }
}

/// <summary>Puts sections, their table and the checksums together, little-endian.</summary>
internal sealed class ByteWriter
{
    private readonly List<(ImageSection Section, MemoryStream Bytes)> _sections = [];

    public Payload Section(ImageSection section)
    {
        var bytes = new MemoryStream();
        _sections.Add((section, bytes));
        return new(bytes);
    }

    public void List<T>(ImageSection section, IReadOnlyList<T> items, Action<Payload, T> write) => Section(section).List(items, write);

    public byte[] Finish()
    {
        var tableEnd = ImageFormat.HeaderBytes + ImageFormat.EntryBytes * _sections.Count;
        var file = new byte[tableEnd + _sections.Sum(section => ImageFormat.Align(section.Bytes.Length)) + ImageFormat.TrailerBytes];
        ImageFormat.Magic.CopyTo(file);
        var header = file.AsSpan(0, ImageFormat.HeaderBytes);
        BinaryPrimitives.WriteUInt32LittleEndian(header[8..], ImageFormat.Version);
        BinaryPrimitives.WriteUInt32LittleEndian(header[12..], (uint)_sections.Count);
        BinaryPrimitives.WriteUInt64LittleEndian(header[16..], (ulong)file.Length);
        long offset = tableEnd;
        var entry = file.AsSpan(ImageFormat.HeaderBytes);
        foreach (var (section, bytes) in _sections)
        {
            var payload = file.AsSpan((int)offset, (int)bytes.Length);
            bytes.Position = 0;
            bytes.ReadExactly(payload);
            BinaryPrimitives.WriteUInt32LittleEndian(entry, section.Id);
            BinaryPrimitives.WriteUInt32LittleEndian(entry[4..], section.Required ? ImageFormat.RequiredFlag : 0);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[8..], (ulong)offset);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[16..], (ulong)payload.Length);
            BinaryPrimitives.WriteUInt32LittleEndian(entry[24..], Crc32C.Compute(payload));
            entry = entry[ImageFormat.EntryBytes..];
            offset += ImageFormat.Align(payload.Length);
        }

        ImageChecksums.WriteHeader(file);
        ImageChecksums.WriteFile(file);
        return file;
    }

    /// <summary>The bytes of one section.</summary>
    public sealed class Payload(MemoryStream bytes)
    {
        public Payload Int(int value)
        {
            Span<byte> buffer = stackalloc byte[sizeof(int)];
            BinaryPrimitives.WriteInt32LittleEndian(buffer, value);
            bytes.Write(buffer);
            return this;
        }

        public Payload Long(long value) => Int((int)value).Int((int)(value >> 32));

        public Payload Raw(ReadOnlySpan<byte> value)
        {
            bytes.Write(value);
            return this;
        }

        public Payload Words(ReadOnlySpan<uint> words)
        {
            if (BitConverter.IsLittleEndian)
            {
                return Raw(MemoryMarshal.AsBytes(words));
            }

            foreach (var word in words)
            {
                Int((int)word);
            }

            return this;
        }

        /// <summary>Length, UTF-8 bytes, zeros to the next word.</summary>
        public Payload Text(string text)
        {
            var utf8 = Encode(text);
            Int(utf8.Length).Raw(utf8);
            for (long rest = utf8.Length; rest < ImageFormat.Align(utf8.Length); rest++)
            {
                bytes.WriteByte(0);
            }

            return this;
        }

        /// <summary>Number of items, then the items.</summary>
        public void List<T>(IReadOnlyList<T> items, Action<Payload, T> write)
        {
            Int(items.Count);
            foreach (var item in items)
            {
                write(this, item);
            }
        }

        private static byte[] Encode(string text)
        {
            try
            {
                var utf8 = ImageFormat.StrictUtf8.GetBytes(text);
                return utf8.Length <= ImageFormat.LongestName ? utf8 : throw new ArgumentException($"a name has {utf8.Length} bytes, more than {ImageFormat.LongestName}", nameof(text));
            }
            catch (EncoderFallbackException problem)
            {
                throw new ArgumentException("a name is not valid Unicode", nameof(text), problem);
            }
        }
    }
}

/// <summary>Where an image's own checksums are and what they cover.</summary>
internal static class ImageChecksums
{
    /// <summary>Checksum of the header without its checksum field, then of the section table.</summary>
    public static uint Header(ReadOnlySpan<byte> file, int sections) =>
        Crc32C.Compute(
            file.Slice(ImageFormat.HeaderBytes, ImageFormat.EntryBytes * sections),
            Crc32C.Compute(file[..ImageFormat.HeaderChecksumOffset]));

    /// <summary>Checksum of everything but the last four bytes, which hold it.</summary>
    public static uint File(ReadOnlySpan<byte> file) => Crc32C.Compute(file[..^ImageFormat.TrailerBytes]);

    public static void WriteHeader(Span<byte> file) =>
        BinaryPrimitives.WriteUInt32LittleEndian(file[ImageFormat.HeaderChecksumOffset..], Header(file, BinaryPrimitives.ReadInt32LittleEndian(file[12..])));

    public static void WriteFile(Span<byte> file) => BinaryPrimitives.WriteUInt32LittleEndian(file[^ImageFormat.TrailerBytes..], File(file));
}
