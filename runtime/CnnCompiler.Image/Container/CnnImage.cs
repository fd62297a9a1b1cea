using CnnCompiler.Image.Systolic;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Image.Container;

/// <summary>
/// The contents of an image (<c>.cnnb</c>): everything that is needed to run a network on its machine, and nothing of the compiler's memory.
/// All addresses are byte addresses and multiples of 4. The bytes are documented in <c>docs/image-format.md</c>.
/// </summary>
/// <param name="Machine">The machine the image was built for.</param>
/// <param name="Kernels">Array code, by index.</param>
/// <param name="RamConstants">Words that are in RAM before the first host step, ascending and disjoint.</param>
/// <param name="Flash">Contents of the flash from address 0, a multiple of 4 bytes.</param>
/// <param name="Inputs">Network inputs in graph order.</param>
/// <param name="Outputs">Network outputs in graph order.</param>
/// <param name="Layers">Names and nominal MACs for reports, by index.</param>
/// <param name="HostProgram">What the host does, in order.</param>
/// <param name="Launches">Kernel launches, referred to by <see cref="HostLaunch"/>.</param>
/// <param name="Symbols">Names of addresses, for people.</param>
public sealed record CnnImage(
    MachineDescription Machine,
    IReadOnlyList<KernelImage> Kernels,
    IReadOnlyList<RamBlock> RamConstants,
    ReadOnlyMemory<byte> Flash,
    IReadOnlyList<TensorDescriptor> Inputs,
    IReadOnlyList<TensorDescriptor> Outputs,
    IReadOnlyList<LayerInfo> Layers,
    IReadOnlyList<HostStep> HostProgram,
    IReadOnlyList<Launch> Launches,
    IReadOnlyList<Symbol> Symbols)
{
    /// <summary>What a systolic machine does; null for OpenEdgeCGRA. Kernels, host program, launches and flash are empty where it is there.</summary>
    public SystolicProgram? Systolic { get; init; }
}

/// <summary>The code of one kernel, as it is put into context memory.</summary>
/// <param name="Name">Name for people.</param>
/// <param name="Steps">Steps n a column, 3 to 32.</param>
/// <param name="ColumnMask">Bit mask of columns, 1 to 15; the project uses prefix masks only.</param>
/// <param name="Rows">For each row bank, n times K words: step i of the j-th column at j*n + i.</param>
/// <param name="Flash">Flash byte address of the same words (row bank 0 first), from where the host copies them.</param>
public sealed record KernelImage(string Name, int Steps, int ColumnMask, IReadOnlyList<IReadOnlyList<uint>> Rows, int Flash);

/// <summary>Initial RAM contents.</summary>
/// <param name="Address">RAM byte address.</param>
/// <param name="Words">The words.</param>
public sealed record RamBlock(int Address, ReadOnlyMemory<uint> Words);

/// <summary>Element types at the edges of an image.</summary>
public enum ImageElementType : byte
{
    /// <summary>8-bit two's complement.</summary>
    Int8 = 1,

    /// <summary>32-bit two's complement.</summary>
    Int32 = 2,

    /// <summary>8-bit unsigned; systolic machines only, as all that follow.</summary>
    UInt8 = 3,

    /// <summary>16-bit two's complement.</summary>
    Int16 = 4,

    /// <summary>64-bit two's complement.</summary>
    Int64 = 5,

    /// <summary>IEEE binary32.</summary>
    Float32 = 6,
}

/// <summary>Facts about <see cref="ImageElementType"/>.</summary>
public static class ImageElementTypes
{
    /// <summary>Bytes of an element.</summary>
    public static int Size(this ImageElementType type) => type switch
    {
        ImageElementType.Int8 or ImageElementType.UInt8 => 1,
        ImageElementType.Int16 => 2,
        ImageElementType.Int64 => 8,
        _ => 4,
    };
}

/// <summary>An input or output: dense, row-major, in the model's own layout, starting at a word boundary; int8 elements are packed four to a word, low byte first.</summary>
/// <param name="Name">Name in the model.</param>
/// <param name="Shape">Extents, outermost first.</param>
/// <param name="Type">Element type.</param>
/// <param name="Scale">Real value of one step of the code.</param>
/// <param name="ZeroPoint">Code of the real value 0.</param>
/// <param name="Address">RAM byte address.</param>
public sealed record TensorDescriptor(string Name, IReadOnlyList<int> Shape, ImageElementType Type, float Scale, int ZeroPoint, int Address);

/// <summary>A layer, for reports.</summary>
/// <param name="Name">Name in the network.</param>
/// <param name="Kind">Kind of layer, for example <c>conv2d</c>.</param>
/// <param name="Macs">Nominal MACs, padding taps included.</param>
public sealed record LayerInfo(string Name, string Kind, long Macs);

/// <summary>One launch of a kernel on the array.</summary>
/// <param name="Kernel">Index into the kernels: what the compiler means to run. The interpreter runs what is resident and refuses where it isn't this.</param>
/// <param name="KernelId">Value written to KERNEL_ID, 1 to 15.</param>
/// <param name="ReadPointers">For each column the value written to PTR_IN_COL, or null where the register is not written.</param>
/// <param name="WritePointers">For each column the value written to PTR_OUT_COL, or null where the register is not written.</param>
public sealed record Launch(int Kernel, int KernelId, IReadOnlyList<uint?> ReadPointers, IReadOnlyList<uint?> WritePointers);

/// <summary>A name for an address range.</summary>
/// <param name="Name">Name.</param>
/// <param name="Address">RAM byte address.</param>
/// <param name="Bytes">Size in bytes.</param>
public sealed record Symbol(string Name, int Address, int Bytes);

/// <summary>
/// A step of the host program. Steps run in order. A launch is started and not waited for: the steps behind it run beside it until
/// a <see cref="HostWait"/>, another launch or a softmax, each of which waits for the array first.
/// </summary>
/// <param name="Layer">Index into the layers, for reports; -1 for none.</param>
public abstract record HostStep(int Layer);

/// <summary>Writes a kernel's code from flash or RAM into context memory, then its configuration word, then one more context word (the hazard of <c>openedge.md</c> section 7).</summary>
/// <param name="Layer">Layer.</param>
/// <param name="Kernel">Index into the kernels; the words come from <see cref="KernelImage.Flash"/>.</param>
/// <param name="KernelId">Configuration word to write, 1 to 15.</param>
/// <param name="Start">First context word S of every row bank.</param>
public sealed record HostLoadKernel(int Layer, int Kernel, int KernelId, int Start) : HostStep(Layer)
{
    /// <summary>RAM byte address of the same words, from where the host copies them instead; null for flash.</summary>
    public int? Ram { get; init; }
}

/// <summary>Where the data of a <see cref="HostPatchKernel"/> come from.</summary>
public enum PatchSource : byte
{
    /// <summary>Flash.</summary>
    Flash = 1,

    /// <summary>RAM.</summary>
    Ram = 2,

    /// <summary>RAM, constants of int8 packed four a word.</summary>
    PackedRam = 3,
}

/// <summary>
/// Turns what context memory holds into a kernel's code: writes the words that differ (<see cref="OpenEdge.KernelChanges"/>), then its configuration word, then
/// one more context word.
/// </summary>
/// <param name="Layer">Layer.</param>
/// <param name="Kernel">Index into the kernels: what context memory holds afterwards, from the start on.</param>
/// <param name="KernelId">Configuration word to write, 1 to 15.</param>
/// <param name="Start">First context word S of every row bank.</param>
/// <param name="From">Where the data are.</param>
/// <param name="Source">Flash or RAM byte address of the data.</param>
/// <param name="Words">Words of the data.</param>
public sealed record HostPatchKernel(int Layer, int Kernel, int KernelId, int Start, PatchSource From, int Source, int Words) : HostStep(Layer);

/// <summary>Copies words from flash to RAM.</summary>
/// <param name="Layer">Layer.</param>
/// <param name="Source">Flash byte address.</param>
/// <param name="Destination">RAM byte address.</param>
/// <param name="Words">Number of words.</param>
public sealed record HostCopyFlash(int Layer, int Source, int Destination, int Words) : HostStep(Layer);

/// <summary>Copies words from RAM to RAM.</summary>
/// <param name="Layer">Layer.</param>
/// <param name="Source">RAM byte address.</param>
/// <param name="Destination">RAM byte address.</param>
/// <param name="Words">Number of words; the ranges do not overlap.</param>
public sealed record HostCopyRam(int Layer, int Source, int Destination, int Words) : HostStep(Layer);

/// <summary>Starts a launch: waits for the array, writes its pointer registers and KERNEL_ID, goes on.</summary>
/// <param name="Layer">Layer.</param>
/// <param name="Launch">Index into the launches.</param>
public sealed record HostLaunch(int Layer, int Launch) : HostStep(Layer);

/// <summary>Waits until the array is idle.</summary>
/// <param name="Layer">Layer.</param>
public sealed record HostWait(int Layer) : HostStep(Layer);

/// <summary>How the elements of a host step's tensor lie in RAM.</summary>
public enum HostElementLayout : byte
{
    /// <summary>One element a word, sign-extended.</summary>
    Word = 1,

    /// <summary>Four elements a word, low byte first.</summary>
    PackedByte = 4,
}

/// <summary>
/// Softmax of int8 rows with the exact fixed-point arithmetic of <c>int8-arithmetic.md</c> section 3.8. Waits for the array first.
/// </summary>
/// <param name="Layer">Layer.</param>
/// <param name="Source">RAM byte address of the input, rows one after the other.</param>
/// <param name="SourceLayout">Layout of the input.</param>
/// <param name="Destination">RAM byte address of the output.</param>
/// <param name="DestinationLayout">Layout of the output; with packed bytes the row length need not be a multiple of 4, rows are dense.</param>
/// <param name="Rows">Number of rows.</param>
/// <param name="Columns">Elements a row.</param>
/// <param name="Multiplier">q31 multiplier of beta * scale * 2^26.</param>
/// <param name="LeftShift">Its left shift.</param>
/// <param name="DiffMin">Differences to the row maximum below this are excluded.</param>
public sealed record HostSoftmax(
    int Layer,
    int Source,
    HostElementLayout SourceLayout,
    int Destination,
    HostElementLayout DestinationLayout,
    int Rows,
    int Columns,
    int Multiplier,
    int LeftShift,
    int DiffMin) : HostStep(Layer);
