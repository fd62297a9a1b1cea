using CnnCompiler.Image.Nests;
using CnnCompiler.Image.Overlay;
using CnnCompiler.Primitives.HostFunctions;

namespace CnnCompiler.Image.Systolic;

/// <summary>What a systolic machine does, in order.</summary>
/// <param name="Configurations">Settings of the array's bypass bits, by index.</param>
/// <param name="Steps">The steps.</param>
public sealed record SystolicProgram(IReadOnlyList<SystolicConfiguration> Configurations, IReadOnlyList<SystolicStep> Steps);

/// <summary>A step.</summary>
/// <param name="Layer">Index into the image's layers, -1 for none.</param>
public abstract record SystolicStep(int Layer);

/// <summary>The one dispatch over steps.</summary>
public static class SystolicStepMatch
{
    /// <summary>Calls the case of the step's kind.</summary>
    public static T Match<T>(
        this SystolicStep step,
        Func<SystolicOperator, T> operation,
        Func<SystolicSoftmax, T> softmax,
        Func<SystolicHostStep, T> host,
        Func<OverlayTransform, T> transform,
        Func<OverlayConvolution, T> convolution,
        Func<NestStep, T> nest) => step switch
    {
        SystolicOperator it => operation(it),
        SystolicSoftmax it => softmax(it),
        SystolicHostStep it => host(it),
        OverlayTransform it => transform(it),
        OverlayConvolution it => convolution(it),
        NestStep it => nest(it),
        _ => throw new System.Diagnostics.UnreachableException(),
    };
}

/// <summary>What a loop is in the matrix product: the assignment of the loops of a general convolution (g, op, opc, ks) to N, M and K.</summary>
public enum SystolicRole : byte
{
    /// <summary>g: independent products.</summary>
    Group = 1,

    /// <summary>op: columns N of the array.</summary>
    Column = 2,

    /// <summary>opc: positions M, streamed.</summary>
    Position = 3,

    /// <summary>ks: rows K of the array, reduced.</summary>
    Row = 4,
}

/// <summary>A loop of an operator.</summary>
/// <param name="Role">What it is.</param>
/// <param name="Extent">Trips, 1 or more.</param>
public readonly record struct SystolicLoop(SystolicRole Role, int Extent);

/// <summary>Element types in memory and of accumulators.</summary>
public enum SystolicElement : byte
{
    /// <summary>8-bit two's complement.</summary>
    Int8 = 1,

    /// <summary>32-bit two's complement.</summary>
    Int32 = 2,

    /// <summary>8-bit unsigned.</summary>
    UInt8 = 3,

    /// <summary>16-bit two's complement.</summary>
    Int16 = 4,

    /// <summary>64-bit two's complement.</summary>
    Int64 = 5,

    /// <summary>IEEE binary32; computed with in binary64.</summary>
    Float32 = 6,

    /// <summary>IEEE binary64.</summary>
    Float64 = 7,
}

/// <summary>Facts about <see cref="SystolicElement"/>.</summary>
public static class SystolicElements
{
    /// <summary>Bytes of an element.</summary>
    public static int Size(this SystolicElement element) => element switch
    {
        SystolicElement.Int8 or SystolicElement.UInt8 => 1,
        SystolicElement.Int16 => 2,
        SystolicElement.Int32 or SystolicElement.Float32 => 4,
        _ => 8,
    };

    /// <summary>True for f32 and f64.</summary>
    public static bool IsReal(this SystolicElement element) => element is SystolicElement.Float32 or SystolicElement.Float64;

    /// <summary>Name in listings: i8, u8, i16, i32, i64, f32, f64.</summary>
    public static string Name(this SystolicElement element) => element switch
    {
        SystolicElement.Int8 => "i8",
        SystolicElement.UInt8 => "u8",
        SystolicElement.Int16 => "i16",
        SystolicElement.Int32 => "i32",
        SystolicElement.Float32 => "f32",
        SystolicElement.Float64 => "f64",
        _ => "i64",
    };

    /// <summary>Smallest and largest value of an integer type.</summary>
    public static (long Min, long Max) Range(this SystolicElement element) => element switch
    {
        SystolicElement.Int8 => (sbyte.MinValue, sbyte.MaxValue),
        SystolicElement.UInt8 => (byte.MinValue, byte.MaxValue),
        SystolicElement.Int16 => (short.MinValue, short.MaxValue),
        SystolicElement.Int32 => (int.MinValue, int.MaxValue),
        _ => (long.MinValue, long.MaxValue),
    };
}

/// <summary>What an access yields where its index is outside the tensor: the validity predicate of im2col.</summary>
public enum SystolicOutside : byte
{
    /// <summary>It never is.</summary>
    Never = 1,

    /// <summary>The tap is skipped.</summary>
    Skip = 2,

    /// <summary>The access yields its fill value.</summary>
    Fill = 3,
}

/// <summary>One dimension of the tensor an access reads or writes: index = (constant + sum of coefficient times loop) / divisor.</summary>
/// <param name="Extent">Extent of the tensor.</param>
/// <param name="Constant">Constant.</param>
/// <param name="Coefficients">One for each loop of the operator.</param>
public sealed record SystolicDimension(int Extent, long Constant, IReadOnlyList<long> Coefficients)
{
    /// <summary>1, or what the index is divided by; where it does not divide evenly there is no element, as outside the tensor.</summary>
    public int Divisor { get; init; } = 1;
}

/// <summary>An affine access to a dense row-major tensor.</summary>
/// <param name="Address">RAM byte address.</param>
/// <param name="Element">Element type.</param>
/// <param name="Outside">What happens outside.</param>
/// <param name="FillValue">Value outside with <see cref="SystolicOutside.Fill"/>.</param>
/// <param name="Dimensions">Dimensions, outermost first.</param>
public sealed record SystolicAccess(int Address, SystolicElement Element, SystolicOutside Outside, int FillValue, IReadOnlyList<SystolicDimension> Dimensions);

/// <summary>Reductions over the row loops.</summary>
public enum SystolicReduction : byte
{
    /// <summary>None: every row loop has one trip.</summary>
    None = 1,

    /// <summary>Sum from 0.</summary>
    Add = 2,

    /// <summary>Maximum from the smallest value of the accumulator's type.</summary>
    Maximum = 3,
}

/// <summary>
/// An affine loop operator: output = post(reduce over row loops of main(pre(input), kernel)). Without <see cref="Array"/> the vector unit executes it. With it the
/// array computes the sums of products of int8 input and kernel (pre and main are then those of a product and not executed), and the output unit executes post.
/// </summary>
/// <param name="Layer">Layer.</param>
/// <param name="Loops">Loops.</param>
/// <param name="Input">Input.</param>
/// <param name="Kernel">Kernel, or null.</param>
/// <param name="Extras">Further operands.</param>
/// <param name="Accumulator">Type of the reduced value.</param>
/// <param name="Pre">Program on the input element.</param>
/// <param name="Main">Program that joins input and kernel.</param>
/// <param name="Reduce">Reduction.</param>
/// <param name="Post">Program on the reduced value.</param>
/// <param name="Output">Where the results go.</param>
/// <param name="Array">How the array executes it, or null.</param>
public sealed record SystolicOperator(
    int Layer,
    IReadOnlyList<SystolicLoop> Loops,
    SystolicAccess Input,
    SystolicAccess? Kernel,
    IReadOnlyList<SystolicAccess> Extras,
    SystolicElement Accumulator,
    IReadOnlyList<ScalarInstruction> Pre,
    IReadOnlyList<ScalarInstruction> Main,
    SystolicReduction Reduce,
    IReadOnlyList<ScalarInstruction> Post,
    SystolicAccess Output,
    SystolicMatrix? Array) : SystolicStep(Layer)
{
    /// <summary>Product of the extents of the loops of a role.</summary>
    public long Extent(SystolicRole role) => Loops.Where(loop => loop.Role == role).Aggregate(1L, (product, loop) => product * loop.Extent);

    /// <summary>True where a further operand is a table that values are looked up in.</summary>
    /// <param name="extra">Number of the further operand.</param>
    public bool IsTable(int extra) => Pre.Concat(Main).Concat(Post).Any(instruction => instruction.Opcode == ScalarOpcode.Lookup && instruction.Value == extra);
}

/// <summary>Which loop over tiles is the outer one.</summary>
public enum SystolicOrder : byte
{
    /// <summary>Column tiles, then vector tiles, then row tiles: weights come from DRAM once.</summary>
    ColumnsOuter = 1,

    /// <summary>Vector tiles, then column tiles, then row tiles: activations come from DRAM once.</summary>
    VectorsOuter = 2,
}

/// <summary>How the array executes an operator: the product [M, K] x [K, N] of every group, cut into tiles of at most R rows and C columns.</summary>
/// <param name="GroupsPacked">
/// Groups that lie in the array together, as blocks on its diagonal; above 1 only where their rows and columns fit it together. 1: a group at a time.
/// </param>
/// <param name="VectorsPerTile">Vectors streamed for one load of weights, 1 to M.</param>
/// <param name="Order">Order of tiles.</param>
/// <param name="DoubleBuffered">Weights of the next tile are loaded beside a tile.</param>
/// <param name="Trimmed">Tiles load and wait for the rows and columns they use only.</param>
/// <param name="Inner">Configuration of tiles that are last in neither direction.</param>
/// <param name="LastColumns">Configuration of the last tile of columns (or the last pack of groups).</param>
/// <param name="LastRows">Configuration of the last tile of rows.</param>
/// <param name="LastBoth">Configuration of the tile that is last in both.</param>
public sealed record SystolicMatrix(
    int GroupsPacked, int VectorsPerTile, SystolicOrder Order, bool DoubleBuffered, bool Trimmed, int Inner, int LastColumns, int LastRows, int LastBoth);

/// <summary>Softmax of int8 rows by the exact arithmetic of <c>int8-arithmetic.md</c> section 3.8, in the vector unit: a row a lane.</summary>
/// <param name="Layer">Layer.</param>
/// <param name="Source">RAM byte address of the input.</param>
/// <param name="Destination">RAM byte address of the output.</param>
/// <param name="Rows">Rows.</param>
/// <param name="Columns">Elements a row.</param>
/// <param name="Multiplier">q31 multiplier.</param>
/// <param name="LeftShift">Left shift.</param>
/// <param name="DiffMin">Differences below are excluded.</param>
public sealed record SystolicSoftmax(int Layer, int Source, int Destination, int Rows, int Columns, int Multiplier, int LeftShift, int DiffMin) : SystolicStep(Layer);

/// <summary>A function that the host processor computes on tensors in DRAM.</summary>
/// <param name="Layer">Layer.</param>
/// <param name="Function">The function.</param>
/// <param name="First">RAM byte address of the first operand.</param>
/// <param name="Second">RAM byte address of the second operand; 0 where there is none.</param>
/// <param name="Destination">RAM byte address of the result.</param>
public sealed record SystolicHostStep(int Layer, HostFunction Function, int First, int Second, int Destination) : SystolicStep(Layer);
