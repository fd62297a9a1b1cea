using System.Numerics;
using CnnCompiler.Fuzzing;
using CnnCompiler.Image.Container;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Image.Tests.Container;

/// <summary>Images of every kind of content, and how two are the same.</summary>
internal static class SampleImages
{
    /// <summary>A small image with every section and every host step.</summary>
    public static CnnImage Small { get; } = MakeSmall();

    /// <summary>A valid image from a seed.</summary>
    public static CnnImage Random(ulong seed)
    {
        var g = new SeededRandom(seed);
        var machine = BuiltInMachines.All[g.Below(BuiltInMachines.All.Count)];
        if (g.Below(4) == 0)
        {
            machine = machine with { Name = "vector", Ram = machine.Ram with { Sparse = true }, Bus = new(BusKind.Banked, 4, 10, BusArbitration.Fixed, 20, g.NextBits(), 1, 2), MinStepsPerKernel = 1 };
        }

        var flash = new FlashBuilder();
        flash.Add(Words(g, g.Below(50)));
        var kernels = List(g, 6, i =>
        {
            var (steps, mask) = (g.Next(machine.MinStepsPerKernel, 32), g.Next(1, 15));
            var rows = Enumerable.Range(0, 4).Select(_ => Words(g, steps * BitOperations.PopCount((uint)mask))).ToArray();
            return flash.Add(new KernelImage(Name(g, i), steps, mask, rows, 0));
        });
        flash.Add(Words(g, 16));
        var layers = List(g, 5, i => new LayerInfo(Name(g, i), g.Choose("conv2d", "softmax"), (long)(g.NextBits64() >> 1)));
        var launches = kernels.Count == 0 ? [] : List(g, 8, _ => new Launch(g.Below(kernels.Count), g.Next(1, 15), Pointers(), Pointers()));
        var bytes = flash.ToArray();
        var end = 0;
        return new(
            machine,
            kernels,
            List(g, 4, _ =>
            {
                var block = new RamBlock(end + 4 * g.Below(10), Words(g, g.Next(1, 40)));
                end = block.Address + 4 * block.Words.Length;
                return block;
            }),
            bytes,
            List(g, 3, i => Tensor(i)),
            List(g, 3, i => Tensor(i)),
            layers,
            List(g, 20, _ => Step()),
            launches,
            List(g, 4, i => new Symbol(Name(g, i), g.Below(1000), g.Below(1000))));

        IReadOnlyList<uint?> Pointers() => [.. Enumerable.Range(0, 4).Select(_ => g.OneIn(2) ? g.NextBits() : (uint?)null)];

        int Address() => machine.Ram.Sparse && g.OneIn(2) ? (int)(g.NextBits() & 0xFFF0_0000) : 4 * g.Below(10_000);

        int Layer() => g.Below(layers.Count + 1) - 1;

        HostElementLayout Layout() => g.Choose(HostElementLayout.Word, HostElementLayout.PackedByte);

        TensorDescriptor Tensor(int i) =>
            g.OneIn(2)
                ? new(Name(g, i), List(g, 4, _ => g.Next(1, 20)), ImageElementType.Int8, (float)g.Next(1, 1000) / 777, g.Next(-128, 127), Address())
                : new(Name(g, i), List(g, 2, _ => g.Next(1, 50)), ImageElementType.Int32, float.Epsilon, (int)g.NextBits(), Address());

        HostStep Step() => g.Below(7) switch
        {
            0 when kernels.Count > 0 && g.Below(kernels.Count) is var k => new HostLoadKernel(Layer(), k, g.Next(1, 15), g.Below(129 - kernels[k].Rows[0].Count) is var s && s == 128 ? 127 : s) { Ram = g.OneIn(2) ? Address() : null },
            6 when kernels.Count > 0 && g.Below(kernels.Count) is var k && g.Choose(PatchSource.Flash, PatchSource.Ram, PatchSource.PackedRam) is var from =>
                new HostPatchKernel(Layer(), k, g.Next(1, 15), g.Below(128 - kernels[k].Rows[0].Count), from, from == PatchSource.Flash ? 4 * g.Below(bytes.Length / 4 - 10) : Address(), g.Next(1, 10)),
            1 when launches.Count > 0 => new HostLaunch(Layer(), g.Below(launches.Count)),
            2 => new HostCopyFlash(Layer(), 4 * g.Below(bytes.Length / 4 - 10), Address(), g.Next(1, 10)),
            3 => new HostCopyRam(Layer(), 50_000 + 4 * g.Below(100), 60_000 + 4 * g.Below(100), g.Next(1, 100)),
            4 => new HostSoftmax(Layer(), Address(), Layout(), Address(), Layout(), g.Next(1, 5), g.Next(1, 9), (int)(g.NextBits() >> 1), g.Next(20, 25), -g.Below(60)),
            _ => new HostWait(Layer()),
        };
    }

    public static void AssertSame(CnnImage expected, CnnImage actual)
    {
        Assert.Equal(expected.Machine, actual.Machine);
        Assert.Equal(expected.Flash.Span, actual.Flash.Span);
        Assert.Equal(expected.Layers, actual.Layers);
        Assert.Equal(expected.HostProgram, actual.HostProgram);
        Assert.Equal(expected.Symbols, actual.Symbols);
        Each(expected.Kernels, actual.Kernels, (a, b) =>
        {
            Assert.Equal(a with { Rows = b.Rows }, b);
            Each(a.Rows, b.Rows, (x, y) => Assert.Equal(x, y));
        });
        Each(expected.RamConstants, actual.RamConstants, (a, b) =>
        {
            Assert.Equal(a.Address, b.Address);
            Assert.Equal(a.Words.ToArray(), b.Words.ToArray());
        });
        Each(expected.Inputs, actual.Inputs, SameTensor);
        Each(expected.Outputs, actual.Outputs, SameTensor);
        Each(expected.Launches, actual.Launches, (a, b) =>
        {
            Assert.Equal(a with { ReadPointers = b.ReadPointers, WritePointers = b.WritePointers }, b);
            Assert.Equal(a.ReadPointers, b.ReadPointers);
            Assert.Equal(a.WritePointers, b.WritePointers);
        });

        static void SameTensor(TensorDescriptor a, TensorDescriptor b)
        {
            Assert.Equal(a with { Shape = b.Shape }, b);
            Assert.Equal(a.Shape, b.Shape);
        }

        static void Each<T>(IReadOnlyList<T> a, IReadOnlyList<T> b, Action<T, T> same)
        {
            Assert.Equal(a.Count, b.Count);
            for (var i = 0; i < a.Count; i++)
            {
                same(a[i], b[i]);
            }
        }
    }

    private static CnnImage MakeSmall()
    {
        var flash = new FlashBuilder();
        var weights = flash.Add([1, 2, 3, 4]);
        var rows = Enumerable.Range(0, 4).Select(row => (uint[])[(uint)row << 28, 25u << 19, 0, 0, 0, 7]).ToArray();
        var kernel = flash.Add(new KernelImage("copy", 3, 3, rows, 0));
        return new(
            BuiltInMachines.Default,
            [kernel],
            [new(0x8000, new uint[] { 5, 6 }), new(0x8010, new uint[] { 7 })],
            flash.ToArray(),
            [new("input", [1, 2, 2, 3], ImageElementType.Int8, 0.5f, -128, 0x9000)],
            [new("scores", [1, 10], ImageElementType.Int8, 0.00390625f, -128, 0x9100), new("raw", [3], ImageElementType.Int32, 1f, 0, 0x9200)],
            [new("conv 1", "conv2d", 442368), new("softmax", "softmax", 0)],
            [
                new HostLoadKernel(0, 0, 1, 122),
                new HostCopyFlash(0, weights, 0x8000, 4),
                new HostLaunch(0, 0),
                new HostWait(-1),
                new HostCopyRam(0, 0x9000, 0x9004, 1),
                new HostSoftmax(1, 0x9000, HostElementLayout.Word, 0x9100, HostElementLayout.PackedByte, 1, 10, 1476210432, 24, -124),
            ],
            [new(0, 1, [0x9000, null, 0xFFFFFFFC, null], [null, null, null, 0x9100])],
            [new("arena", 0x9000, 513)]);
    }

    private static uint[] Words(SeededRandom g, int count) => [.. Enumerable.Range(0, count).Select(_ => g.NextBits())];

    private static string Name(SeededRandom g, int i) => g.Choose("conv", "a/b:0", "größe 😀", string.Empty, "x\ny") + (g.OneIn(2) ? i.ToString(System.Globalization.CultureInfo.InvariantCulture) : string.Empty);

    private static List<T> List<T>(SeededRandom g, int most, Func<int, T> make) => [.. Enumerable.Range(0, g.Below(most + 1)).Select(make)];
}
