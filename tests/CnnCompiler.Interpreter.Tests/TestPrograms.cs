using System.Buffers.Binary;
using CnnCompiler.Image.Container;
using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Interpreter.Execution;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Interpreter.Tests;

/// <summary>Kernels and images small enough to work out by hand.</summary>
internal static class TestPrograms
{
    public const int DataIn = 0x10000;
    public const int DataOut = 0x20000;

    public static OpenEdgeInstruction Exit { get; } = OpenEdgeInstruction.Encode(OpenEdgeOpcode.Exit);

    public static OpenEdgeInstruction Load { get; } = OpenEdgeInstruction.Encode(OpenEdgeOpcode.Lwd, register: 0, immediate: 4);

    public static OpenEdgeInstruction Store { get; } = OpenEdgeInstruction.Encode(OpenEdgeOpcode.Swd, OpenEdgeSource.R0, immediate: 4);

    public static OpenEdgeInstruction Jump(int target) => OpenEdgeInstruction.Encode(OpenEdgeOpcode.Jump, b: OpenEdgeSource.Immediate, immediate: target);

    /// <summary>
    /// Copies one word in one column: LWD, SWD, EXIT in cell (0,0). It executes 1 + 2 + 2 + 1 = 6 cycles: fetch, two accesses of two
    /// cycles, EXIT. Loading takes 3 + 3 cycles, so that D is 6 + 6 + 6 = 18 the first time and 6 + 2 + 6 = 14 when resident.
    /// </summary>
    public static KernelImage CopyWord(string name = "copy") => Kernel(name, 1, [Load, Store, Exit]);

    public static HostDescription Host { get; } = new(
        RamToContext: 4, FlashToRam: 20, FlashToContext: 22, PatchImmediate: 8, RegisterWrite: 3, LaunchOverhead: 80, SoftmaxPerElement: 200, CopyPerWord: 3);

    public static MachineDescription Machine(BusKind bus = BusKind.Ideal) => new(
        "openedge", "openedge-4a179fc", 4, 4, 32, 3, 128, 16, new BusDescription(bus), new RamDescription(524288, 32768, 32768), 8388608, Host);

    /// <summary>A kernel that does <paramref name="steps"/> in row 0 of its first column and nothing elsewhere.</summary>
    public static KernelImage Kernel(string name, int mask, IReadOnlyList<OpenEdgeInstruction> steps)
    {
        var columns = int.PopCount(mask);
        var rows = Enumerable.Range(0, 4).Select(_ => new uint[steps.Count * columns]).ToArray();
        for (var step = 0; step < steps.Count; step++)
        {
            rows[0][step] = steps[step].Word;
        }

        return new KernelImage(name, steps.Count, mask, rows, 0);
    }

    /// <summary>An image of these parts; kernel code is put into flash behind <paramref name="flash"/>.</summary>
    public static CnnImage ImageOf(
        BusKind bus, IReadOnlyList<KernelImage> kernels, IReadOnlyList<Launch> launches, IReadOnlyList<HostStep> program, IReadOnlyList<uint>? flash = null)
    {
        var words = new List<uint>(flash ?? []);
        var placed = kernels.Select(kernel =>
        {
            var address = words.Count * 4;
            words.AddRange(kernel.Rows.SelectMany(row => row));
            return kernel with { Flash = address };
        }).ToList();
        var bytes = new byte[words.Count * 4];
        for (var i = 0; i < words.Count; i++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(4 * i), words[i]);
        }

        return new CnnImage(
            Machine(bus),
            placed,
            [],
            bytes,
            [new TensorDescriptor("in", [1, 2], ImageElementType.Int32, 1, 0, DataIn)],
            [new TensorDescriptor("out", [1, 2], ImageElementType.Int32, 1, 0, DataOut)],
            [new LayerInfo("first", "copy", 100), new LayerInfo("second", "copy", 1000)],
            program,
            launches,
            []);
    }

    public static Launch Launch(int kernel, int id, uint? read = null, uint? write = null) =>
        new(kernel, id, [read, null, null, null], [write, null, null, null]);

    public static RunResult Run(CnnImage image, RunOptions? options = null) =>
        ImageInterpreter.Run(image, [new byte[] { 1, 2, 3, 4, 0xFF, 0xFF, 0xFF, 0x7F }], options, TestContext.Current.CancellationToken);

    /// <summary>The only diagnostic of a run that must fail.</summary>
    public static string Failure(CnnImage image, RunOptions? options = null)
    {
        var result = Run(image, options);
        Assert.False(result.Succeeded);
        Assert.Empty(result.Outputs);
        return Assert.Single(result.Diagnostics).ToString();
    }
}
