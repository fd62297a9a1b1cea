using System.Globalization;
using CnnCompiler.Image.Container;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Interpreter.Execution;

/// <summary>
/// What must hold before an image is executed, so that executing it can't fail otherwise than by a diagnostic: every index names
/// something, every range lies inside its memory, every kernel fits. The image may come from anywhere.
/// </summary>
internal static class ImageCheck
{
    /// <summary>Throws a <see cref="DiagnosticException"/> for the first fault.</summary>
    public static void Run(CnnImage image, SourceSpan span)
    {
        foreach (var block in image.RamConstants)
        {
            CheckRam(image, span, "the image's constants", "a block", block.Address, 4L * block.Words.Length);
        }

        foreach (var tensor in image.Inputs.Concat(image.Outputs))
        {
            if (tensor.Shape.Any(extent => extent < 1) || tensor.Type is not (ImageElementType.Int8 or ImageElementType.Int32))
            {
                throw new DiagnosticException(ExecutionDiagnostics.BadHostStep(span, $"tensor '{tensor.Name}'", "its shape or element type is invalid"));
            }

            CheckRam(image, span, $"tensor '{tensor.Name}'", "it", tensor.Address, TensorBytes(tensor));
        }

        foreach (var kernel in image.Kernels)
        {
            CheckKernel(image, span, kernel);
        }

        for (var index = 0; index < image.Launches.Count; index++)
        {
            CheckLaunch(image, span, index);
        }

        for (var index = 0; index < image.HostProgram.Count; index++)
        {
            CheckStep(image, span, index);
        }
    }

    /// <summary>Size of a tensor at the edge of the image in bytes; saturates.</summary>
    public static long TensorBytes(TensorDescriptor tensor)
    {
        long bytes = tensor.Type == ImageElementType.Int32 ? 4 : 1;
        foreach (var extent in tensor.Shape)
        {
            bytes = Math.Min(bytes * extent, int.MaxValue);
        }

        return bytes;
    }

    /// <summary>Name of a host step in messages.</summary>
    public static string Name(int index, HostStep step)
    {
        var kind = step.Match(_ => "load kernel", _ => "patch kernel", _ => "copy from flash", _ => "copy in RAM", _ => "launch", _ => "wait", _ => "softmax");
        return string.Create(CultureInfo.InvariantCulture, $"host step {index} ({kind})");
    }

    private static void CheckKernel(CnnImage image, SourceSpan span, KernelImage kernel)
    {
        var columns = int.PopCount(kernel.ColumnMask);
        var reason = kernel switch
        {
            { Steps: < 1 or > 32 } => $"{kernel.Steps} steps are not between 1 and 32",
            _ when kernel.Steps < image.Machine.MinStepsPerKernel => $"with {kernel.Steps} steps it would not load correctly; {image.Machine.MinStepsPerKernel} are needed",
            { ColumnMask: < 0 or > 15 } => $"column mask {kernel.ColumnMask} is not between 0 and 15",
            { Rows.Count: not 4 } => $"it has code for {kernel.Rows.Count} rows instead of 4",
            _ when kernel.Rows.Any(row => row.Count != kernel.Steps * columns) => $"a row has not the {kernel.Steps} times {columns} words of its steps and columns",
            _ => null,
        };
        if (reason is not null)
        {
            throw new DiagnosticException(ExecutionDiagnostics.BadKernelImage(span, $"'{kernel.Name}'", reason));
        }

        CheckFlash(image, span, $"kernel '{kernel.Name}'", "its code", kernel.Flash, 16L * kernel.Steps * columns);
    }

    private static void CheckLaunch(CnnImage image, SourceSpan span, int index)
    {
        var launch = image.Launches[index];
        CheckIndex(span, $"launch {index}", "kernel", launch.Kernel, image.Kernels.Count);
        if (launch.ReadPointers.Count > 4 || launch.WritePointers.Count > 4)
        {
            throw new DiagnosticException(ExecutionDiagnostics.BadHostStep(span, $"launch {index}", "it has pointers for more than 4 columns"));
        }
    }

    private static void CheckStep(CnnImage image, SourceSpan span, int index)
    {
        var step = image.HostProgram[index];
        var who = Name(index, step);
        if (step.Layer != -1)
        {
            CheckIndex(span, who, "layer", step.Layer, image.Layers.Count);
        }

        step.Match<Action>(
            load => () =>
            {
                CheckIndex(span, who, "kernel", load.Kernel, image.Kernels.Count);
                if (load.Ram is { } ram)
                {
                    CheckRam(image, span, who, "its source", ram, 4L * image.Kernels[load.Kernel].Rows.Sum(row => row.Count));
                }
            },
            patch => () =>
            {
                CheckIndex(span, who, "kernel", patch.Kernel, image.Kernels.Count);
                if (patch.From == PatchSource.Flash)
                {
                    CheckFlash(image, span, who, "its source", patch.Source, 4L * patch.Words);
                }
                else
                {
                    CheckRam(image, span, who, "its source", patch.Source, 4L * patch.Words);
                }
            },
            copy => () =>
            {
                CheckFlash(image, span, who, "its source", copy.Source, 4L * copy.Words);
                CheckRam(image, span, who, "its destination", copy.Destination, 4L * copy.Words, written: true);
            },
            copy => () =>
            {
                CheckRam(image, span, who, "its source", copy.Source, 4L * copy.Words);
                CheckRam(image, span, who, "its destination", copy.Destination, 4L * copy.Words, written: true);
                if (Math.Abs((long)copy.Source - copy.Destination) < 4L * copy.Words)
                {
                    throw new DiagnosticException(ExecutionDiagnostics.BadHostStep(span, who, "its source and destination overlap"));
                }
            },
            launch => () => CheckIndex(span, who, "launch", launch.Launch, image.Launches.Count),
            _ => () => { },
            softmax => () => CheckSoftmax(image, span, who, softmax))();
    }

    private static void CheckSoftmax(CnnImage image, SourceSpan span, string who, HostSoftmax step)
    {
        var valid = step.Rows >= 1 && step.Columns >= 1
            && step.LeftShift is >= 0 and <= 31
            && step.SourceLayout is HostElementLayout.Word or HostElementLayout.PackedByte
            && step.DestinationLayout is HostElementLayout.Word or HostElementLayout.PackedByte;
        if (!valid)
        {
            throw new DiagnosticException(ExecutionDiagnostics.BadHostStep(span, who, "its rows, columns, layouts or shift are outside their ranges"));
        }

        var elements = Math.Min((long)step.Rows * step.Columns, int.MaxValue);
        CheckRam(image, span, who, "its source", step.Source, elements * (step.SourceLayout == HostElementLayout.Word ? 4 : 1));
        CheckRam(image, span, who, "its destination", step.Destination, elements * (step.DestinationLayout == HostElementLayout.Word ? 4 : 1), written: true);
    }

    private static void CheckIndex(SourceSpan span, string who, string what, int index, int count)
    {
        if ((uint)index >= (uint)count)
        {
            throw new DiagnosticException(ExecutionDiagnostics.BadReference(span, who, what, index, count));
        }
    }

    private static void CheckRam(CnnImage image, SourceSpan span, string who, string what, int address, long bytes, bool written = false) =>
        CheckRange(span, who, what, address, bytes, "RAM", written ? image.Machine.Ram.ReservedBytes : 0, image.Machine.Ram.Bytes & ~3);

    private static void CheckFlash(CnnImage image, SourceSpan span, string who, string what, int address, long bytes) =>
        CheckRange(span, who, what, address, bytes, "flash", 0, image.Flash.Length);

    private static void CheckRange(SourceSpan span, string who, string what, long address, long bytes, string memory, long lowest, long end)
    {
        if (bytes < 0 || address < lowest || address + bytes > end || (address & 3) != 0)
        {
            throw new DiagnosticException(ExecutionDiagnostics.OutsideMemory(span, who, what, address, bytes, memory, lowest, end));
        }
    }
}
