using System.Globalization;
using System.Text;
using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Image.Systolic;

namespace CnnCompiler.Image.Container;

/// <summary>Prints an image for people: its sections, launches, host program one line a step, and its kernels disassembled. What <c>cnnc disasm</c> shows.</summary>
public static class ImagePrinter
{
    /// <summary>Prints an image.</summary>
    public static string Print(CnnImage image)
    {
        var text = new StringBuilder();
        var machine = image.Machine;
        Line(text, $"machine {machine.Name} ({machine.IsaRevision}, {machine.Rows}x{machine.Columns}, {machine.Ram.Bytes} bytes of RAM{(machine.Ram.Sparse ? ", sparse" : string.Empty)}, {machine.FlashBytes} bytes of flash)");
        Line(text, $"flash {image.Flash.Length} bytes, RAM constants {image.RamConstants.Sum(block => (long)block.Words.Length) * sizeof(uint)} bytes in {image.RamConstants.Count} blocks");
        List(text, "RAM constants", image.RamConstants, block => $"{Hex(block.Address)} {block.Words.Length} words");
        List(text, "inputs", image.Inputs, Tensor);
        List(text, "outputs", image.Outputs, Tensor);
        List(text, "layers", image.Layers, layer => Invariant($"{OpenEdgeDisassembler.Quote(layer.Name)} {OpenEdgeDisassembler.Quote(layer.Kind)} {layer.Macs} MACs"));
        if (image.Systolic is { } systolic)
        {
            List(text, "symbols", image.Symbols, symbol => Invariant($"{Hex(symbol.Address)} {OpenEdgeDisassembler.Quote(symbol.Name)} {symbol.Bytes} bytes"));
            SystolicListing.Append(text, systolic, image.Layers);
            return text.ToString();
        }

        List(text, "launches", image.Launches, launch => Launch(image, launch));
        List(text, "host program", image.HostProgram, step => Step(image, step));
        List(text, "symbols", image.Symbols, symbol => Invariant($"{Hex(symbol.Address)} {OpenEdgeDisassembler.Quote(symbol.Name)} {symbol.Bytes} bytes"));
        for (var i = 0; i < image.Kernels.Count; i++)
        {
            Line(text, $"\n; kernel {i}");
            text.Append(OpenEdgeDisassembler.Print(image.Kernels[i], machine.Bus));
        }

        return text.ToString();
    }

    private static void List<T>(StringBuilder text, string title, IReadOnlyList<T> items, Func<T, string> print)
    {
        Line(text, $"\n{title}: {items.Count}");
        for (var i = 0; i < items.Count; i++)
        {
            Line(text, $"  {i,4}  {print(items[i])}");
        }
    }

    private static string Tensor(TensorDescriptor tensor) =>
        Invariant($"{Hex(tensor.Address)} {OpenEdgeDisassembler.Quote(tensor.Name)} {tensor.Type.ToString().ToLowerInvariant()} [{string.Join(", ", tensor.Shape)}] scale {tensor.Scale:R} zero point {tensor.ZeroPoint}");

    private static string Launch(CnnImage image, Launch launch)
    {
        return $"{Kernel(image, launch.Kernel)} id {Number(launch.KernelId)}{Pointers(" read", launch.ReadPointers)}{Pointers(" write", launch.WritePointers)}";

        static string Pointers(string title, IReadOnlyList<uint?> pointers) =>
            pointers.All(pointer => pointer is null) ? string.Empty : $"{title} {string.Join(' ', pointers.Select(pointer => pointer is { } value ? Hex((int)value) : "-"))}";
    }

    private static string Step(CnnImage image, HostStep step)
    {
        var what = step.Match(
            load => Invariant($"load-kernel {Kernel(image, load.Kernel)} id {load.KernelId} start {load.Start}") + (load.Ram is { } ram ? Invariant($" from 0x{ram:x}") : string.Empty),
            patch => Invariant($"patch-kernel {Kernel(image, patch.Kernel)} id {patch.KernelId} start {patch.Start} from {(patch.From == PatchSource.Flash ? "flash" : "RAM")} {Hex(patch.Source)} {patch.Words} words{(patch.From == PatchSource.PackedRam ? ", constants packed" : string.Empty)}"),
            copy => Invariant($"copy-flash {Hex(copy.Source)} to {Hex(copy.Destination)} {copy.Words} words"),
            copy => Invariant($"copy-ram {Hex(copy.Source)} to {Hex(copy.Destination)} {copy.Words} words"),
            launch => Invariant($"launch {launch.Launch}: {Launch(image, image.Launches[launch.Launch])}"),
            _ => "wait",
            softmax => Invariant($"softmax {Hex(softmax.Source)} {Layout(softmax.SourceLayout)} to {Hex(softmax.Destination)} {Layout(softmax.DestinationLayout)}, {softmax.Rows} rows of {softmax.Columns}, multiplier {softmax.Multiplier} << {softmax.LeftShift}, least difference {softmax.DiffMin}"));
        return step.Layer < 0 ? what : $"{what}  ; {OpenEdgeDisassembler.Quote(image.Layers[step.Layer].Name)}";
    }

    private static string Kernel(CnnImage image, int kernel) => $"{Number(kernel)} ({OpenEdgeDisassembler.Quote(image.Kernels[kernel].Name)})";

    private static string Layout(HostElementLayout layout) => layout == HostElementLayout.Word ? "words" : "bytes";

    private static string Hex(int address) => Invariant($"0x{address:x6}");

    private static string Number(int value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private static void Line(StringBuilder text, FormattableString line) => text.Append(Invariant(line)).Append('\n');
}
