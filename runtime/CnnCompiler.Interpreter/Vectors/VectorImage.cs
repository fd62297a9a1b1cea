using System.Buffers.Binary;
using System.Globalization;
using CnnCompiler.Image.Container;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Interpreter.Vectors;

/// <summary>
/// Turns a golden vector into an image: each kernel that is launched becomes a <see cref="KernelImage"/> whose words lie in flash, the
/// memory becomes constants, and the host program loads the kernels, copies the words the vector's host writes before a launch from
/// flash, launches and waits.
/// </summary>
/// <remarks>
/// The image's machine has sparse memory over all 32 address bits and kernels from one step; its host costs nothing. Images can't say
/// everything that a vector can: a launch of id 0, column mask 0, a kernel whose context addresses wrap and a bus that refuses everything
/// are left to whoever runs the image as it is built here.
/// </remarks>
public static class VectorImage
{
    /// <summary>Builds the image.</summary>
    public static CnnImage Build(GoldenVector vector)
    {
        var flash = new List<uint>();
        var ids = vector.Launches.Select(l => l.Kernel & 15).Distinct().Order().ToList();
        var kernels = ids.Select(id => BuildKernel(vector, id, flash)).ToList();
        var program = new List<HostStep>();
        for (var kernel = 0; kernel < kernels.Count; kernel++)
        {
            program.Add(new HostLoadKernel(-1, kernel, ids[kernel], Start(vector, ids[kernel])));
        }

        var launches = new List<Launch>();
        foreach (var launch in vector.Launches)
        {
            foreach (var block in Blocks(launch.Memory))
            {
                program.Add(new HostCopyFlash(-1, flash.Count * 4, block.Address, block.Words.Length));
                flash.AddRange(block.Words.Span);
            }

            program.Add(new HostLaunch(-1, launches.Count));
            program.Add(new HostWait(-1));
            launches.Add(new Launch(
                ids.IndexOf(launch.Kernel & 15),
                (launch.Kernel & 15) == 0 ? launch.Kernel : launch.Kernel & 15,
                Pointers(launch.ReadPointers),
                Pointers(launch.WritePointers)));
        }

        var bytes = new byte[flash.Count * 4];
        for (var word = 0; word < flash.Count; word++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(word * 4), flash[word]);
        }

        return new CnnImage(Machine(vector, bytes.Length), kernels, Blocks(vector.Memory), bytes, [], [], [], program, launches, []);
    }

    private static MachineDescription Machine(GoldenVector vector, int flashBytes) => new(
        "vector",
        "openedge-4a179fc",
        Rows: 4,
        Columns: 4,
        StepsPerKernel: 32,
        MinStepsPerKernel: 1,
        ContextWordsPerRow: 128,
        KernelSlots: 16,
        vector.Bus,
        new RamDescription(4, 4, 0, Sparse: true),
        flashBytes,
        new HostDescription(0, 0, 0, 0, 0, 0, 0, 0));

    private static uint?[] Pointers(IReadOnlyList<uint> pointers) => [.. Enumerable.Range(0, 4).Select(c => c < pointers.Count ? pointers[c] : (uint?)null)];

    private static int Start(GoldenVector vector, int id) => (vector.Configuration[id] >> 5) & 127;

    private static KernelImage BuildKernel(GoldenVector vector, int id, List<uint> flash)
    {
        int word = vector.Configuration[id];
        var steps = (word & 31) + 1;
        var mask = word >> 12;
        var length = steps * int.PopCount(mask);
        var address = flash.Count * 4;
        uint[][] rows = [new uint[length], new uint[length], new uint[length], new uint[length]];
        for (var row = 0; row < 4; row++)
        {
            for (var index = 0; index < length; index++)
            {
                rows[row][index] = vector.Context[row][(Start(vector, id) + index) & 127];
            }

            flash.AddRange(rows[row]);
        }

        return new KernelImage(string.Create(CultureInfo.InvariantCulture, $"id {id}"), steps, mask, rows, address);
    }

    /// <summary>Runs of neighbouring words, ascending; of a word given twice the last value counts.</summary>
    private static List<RamBlock> Blocks(IReadOnlyList<(uint Address, uint Word)> words)
    {
        var sorted = new SortedDictionary<uint, uint>();
        foreach (var (address, word) in words)
        {
            sorted[address] = word;
        }

        var blocks = new List<RamBlock>();
        var run = new List<uint>();
        var first = 0u;
        foreach (var (address, word) in sorted)
        {
            if (run.Count > 0 && address != first + (4 * (uint)run.Count))
            {
                blocks.Add(new RamBlock((int)first, run.ToArray()));
                run.Clear();
            }

            first = run.Count == 0 ? address : first;
            run.Add(word);
        }

        if (run.Count > 0)
        {
            blocks.Add(new RamBlock((int)first, run.ToArray()));
        }

        return blocks;
    }
}
