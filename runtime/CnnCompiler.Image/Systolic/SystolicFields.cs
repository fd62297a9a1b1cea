using CnnCompiler.Image.Nests;
using CnnCompiler.Image.Overlay;
using CnnCompiler.Primitives.HostFunctions;

namespace CnnCompiler.Image.Systolic;

/// <summary>
/// The descriptors' fields in the order in which they lie in the image, each declared once: a method a record, run by an encoder, a decoder or a printer
/// (<see cref="FieldCodec"/>).
/// </summary>
internal sealed class SystolicFields(FieldCodec codec)
{
    /// <summary>Most loops of an operator.</summary>
    public const int MostLoops = 32;

    /// <summary>Most steps of a program.</summary>
    public const int MostSteps = 1 << 20;

    private const int MostExtras = 64;
    private const int MostDimensions = 16;
    private const int MostConfigurations = 1024;
    private const int MostAnchors = 256;
    private const int MostRounds = 1 << 16;
    private const int MostOffset = 1 << 20;
    private const int MostPoints = 16;
    private const int MostCoefficient = 1 << 10;

    private enum StepKind : byte
    {
        Operator = 1,
        Softmax = 2,
        Host = 3,
        Transform = 4,
        Convolution = 5,
        Nest = 6,
    }

    private enum FunctionKind : byte
    {
        Proposals = 1,
        Pooling = 2,
        Resizing = 3,
    }

    public SystolicProgram Program(SystolicProgram? program) => new(
        codec.List("configuration", program?.Configurations, 16, MostConfigurations, Configuration),
        codec.List("step", program?.Steps, 16, MostSteps, Step));

    public SystolicConfiguration Configuration(SystolicConfiguration? configuration)
    {
        var horizontal = Bits("horizontal bypass", configuration?.Columns ?? 0, column => configuration!.BypassesColumn(column));
        var vertical = Bits("vertical bypass", configuration?.Rows ?? 0, row => configuration!.BypassesRow(row));
        if (configuration is null && (horizontal[^1] || vertical[^1]))
        {
            (codec as FieldReader)?.Refuse("bypasses the registers of the last row or column");
        }

        return configuration ?? new(horizontal, vertical);
    }

    public SystolicStep Step(SystolicStep? step)
    {
        var kind = codec.Code("kind", step switch
        {
            SystolicSoftmax => StepKind.Softmax,
            SystolicHostStep => StepKind.Host,
            OverlayTransform => StepKind.Transform,
            OverlayConvolution => StepKind.Convolution,
            NestStep => StepKind.Nest,
            _ => StepKind.Operator,
        });
        return kind switch
        {
            StepKind.Operator => Operator((SystolicOperator?)step),
            StepKind.Softmax => Softmax((SystolicSoftmax?)step),
            StepKind.Transform => Transform((OverlayTransform?)step),
            StepKind.Convolution => Convolution((OverlayConvolution?)step),
            StepKind.Nest => Nest((NestStep?)step),
            _ => Host((SystolicHostStep?)step),
        };
    }

    private SystolicOperator Operator(SystolicOperator? step) => new(
        codec.Int("layer", step?.Layer ?? 0, -1, int.MaxValue),
        codec.List("loop", step?.Loops, 8, MostLoops, Loop),
        codec.Group("input", () => Access(step?.Input)),
        codec.Optional("kernel", step?.Kernel, Access),
        codec.List("extra", step?.Extras, 20, MostExtras, Access),
        codec.Group("reduction", () => codec.Code("accumulator", step?.Accumulator ?? default)),
        Program("pre", step?.Pre),
        Program("main", step?.Main),
        codec.Code("reduce", step?.Reduce ?? default),
        Program("post", step?.Post),
        codec.Group("output", () => Access(step?.Output)),
        codec.Optional("array", step?.Array, Matrix));

    private SystolicLoop Loop(SystolicLoop loop) => new(codec.Code("role", loop.Role), codec.Int("extent", loop.Extent, 1, int.MaxValue));

    private SystolicAccess Access(SystolicAccess? access) => new(
        codec.Int("address", access?.Address ?? 0, 0, int.MaxValue),
        codec.Code("element", access?.Element ?? default),
        codec.Code("outside", access?.Outside ?? default),
        codec.Int("fill", access?.FillValue ?? 0, int.MinValue, int.MaxValue),
        codec.List("dimension", access?.Dimensions, 20, MostDimensions, Dimension));

    private SystolicDimension Dimension(SystolicDimension? dimension)
    {
        var (extent, constant) = (codec.Int("extent", dimension?.Extent ?? 0, 1, int.MaxValue), codec.Long("constant", dimension?.Constant ?? 0));
        var divisor = codec.Int("divisor", dimension?.Divisor ?? 1, 1, int.MaxValue);
        return new(extent, constant, codec.List("coefficient", dimension?.Coefficients, 8, MostLoops, value => codec.Long("coefficient", value))) { Divisor = divisor };
    }

    private IReadOnlyList<ScalarInstruction> Program(string name, IReadOnlyList<ScalarInstruction>? program) =>
        codec.Group(name, () => codec.List("code", program, 4, ScalarInstructionSet.LongestProgram, Instruction));

    private ScalarInstruction Instruction(ScalarInstruction instruction)
    {
        var opcode = codec.Code("op", instruction.Opcode);
        return new(opcode, ScalarInstructionSet.Row(opcode).Immediate switch
        {
            ScalarImmediate.None => 0,
            ScalarImmediate.Index => codec.Int("index", (int)instruction.Value, 0, MostExtras - 1),
            _ => codec.Long("constant", instruction.Value),
        });
    }

    private SystolicMatrix Matrix(SystolicMatrix? matrix) => new(
        codec.Int("groups-packed", matrix?.GroupsPacked ?? 0, 1, SystolicConfiguration.LargestSide),
        codec.Int("vectors-per-tile", matrix?.VectorsPerTile ?? 0, 1, int.MaxValue),
        codec.Code("order", matrix?.Order ?? default),
        codec.Flag("double-buffered", matrix?.DoubleBuffered ?? false),
        codec.Flag("trimmed", matrix?.Trimmed ?? false),
        Index("inner", matrix?.Inner),
        Index("last-columns", matrix?.LastColumns),
        Index("last-rows", matrix?.LastRows),
        Index("last-both", matrix?.LastBoth));

    private int Index(string name, int? index) => codec.Int(name, index ?? 0, 0, MostConfigurations - 1);

    private SystolicSoftmax Softmax(SystolicSoftmax? step) => new(
        codec.Int("layer", step?.Layer ?? 0, -1, int.MaxValue),
        codec.Int("source", step?.Source ?? 0, 0, int.MaxValue),
        codec.Int("destination", step?.Destination ?? 0, 0, int.MaxValue),
        codec.Int("rows", step?.Rows ?? 0, 1, int.MaxValue),
        codec.Int("columns", step?.Columns ?? 0, 1, int.MaxValue),
        codec.Int("multiplier", step?.Multiplier ?? 0, 0, int.MaxValue),
        codec.Int("left-shift", step?.LeftShift ?? 0, 0, 31),
        codec.Int("least-difference", step?.DiffMin ?? 0, int.MinValue, 0));

    private SystolicHostStep Host(SystolicHostStep? step) => new(
        codec.Int("layer", step?.Layer ?? 0, -1, int.MaxValue),
        codec.Group("function", () => Function(step?.Function)),
        codec.Int("first", step?.First ?? 0, 0, int.MaxValue),
        codec.Int("second", step?.Second ?? 0, 0, int.MaxValue),
        codec.Int("destination", step?.Destination ?? 0, 0, int.MaxValue));

    private OverlayTransform Transform(OverlayTransform? step) => new(
        codec.Int("layer", step?.Layer ?? 0, -1, int.MaxValue),
        codec.Int("source", step?.Source ?? 0, 0, int.MaxValue),
        codec.Int("destination", step?.Destination ?? 0, 0, int.MaxValue),
        codec.Group("window", () => Window(step?.Window)));

    private OverlayConvolution Convolution(OverlayConvolution? step) => new(
        Operator(step?.Operation),
        codec.Group("window", () => Window(step?.Window)),
        codec.Flag("separate", step?.IsSeparate ?? false),
        codec.Flag("stored", step?.IsStored ?? false),
        codec.Code("dataflow", step?.Dataflow ?? default),
        codec.Int("rows-per-pass", step?.RowsPerPass ?? 0, 1, int.MaxValue),
        codec.Int("columns-per-pass", step?.ColumnsPerPass ?? 0, 1, int.MaxValue),
        codec.Flag("columns-outer", step?.ColumnsOuter ?? false),
        codec.Int("corrections", step?.Corrections ?? 0, 0, int.MaxValue),
        codec.Group("loops", () => new OverlayLoops(
            LoopIndex("batch", step?.Loops.Batch),
            LoopIndex("row", step?.Loops.Row),
            LoopIndex("column", step?.Loops.Column),
            LoopIndex("group", step?.Loops.Group),
            LoopIndex("channel", step?.Loops.Channel))));

    private NestStep Nest(NestStep? step) => new(
        Operator(step?.Operation),
        codec.Group("nest", () => codec.List("cut", step?.Loops, 12, MostLoops, Cut)),
        codec.List("outer", step?.Outer, 4, MostLoops, loop => codec.Int("loop", loop, 0, MostLoops - 1)),
        codec.List("inner", step?.Inner, 4, MostLoops, loop => codec.Int("loop", loop, 0, MostLoops - 1)),
        codec.Group("moves", () => new NestDepths(
            Depth("load-input", step?.Depths.LoadInput),
            Depth("load-kernel", step?.Depths.LoadKernel),
            Depth("fetch-input", step?.Depths.FetchInput),
            Depth("fetch-kernel", step?.Depths.FetchKernel),
            Depth("switch-sums", step?.Depths.SwitchSums))))
    {
        Chip = codec.Optional("chip", step?.Chip, Chip),
    };

    private NestChip Chip(NestChip? chip) => new(
        codec.Int("boxes", chip?.Boxes ?? 0, 0, int.MaxValue),
        Place("input", chip?.Input),
        Place("kernel", chip?.Kernel),
        codec.List("extra", chip?.Extras, 4, MostExtras, place => Place("place", place)),
        Place("output", chip?.Output),
        codec.Flag("stores", chip?.Stores ?? false))
    {
        Taken = codec.Optional("taken", chip?.Taken, Taken),
        OutputWindow = codec.Optional("output-window", chip?.OutputWindow, Window),
    };

    private NestTaken Taken(NestTaken? taken) => new(
        codec.Group("window", () => Window(taken?.Window)),
        codec.Flag("input", taken?.Input ?? false),
        codec.List("extra", taken?.Extras, 4, MostExtras, extra => codec.Int("operand", extra, 0, MostExtras - 1)));

    private NestWindow Window(NestWindow? window) => new(
        codec.Int("loops", window?.Loops ?? 0, 1, MostLoops),
        codec.List("extent", window?.Extents, 4, MostDimensions, extent => codec.Int("extent", extent, 1, int.MaxValue)));

    private int Place(string name, int? place) => codec.Int(name, place ?? 0, NestChip.Dram, int.MaxValue);

    private NestLoop Cut(NestLoop loop) => new(
        codec.Int("rows", loop.Rows, 1, SystolicConfiguration.LargestSide), codec.Int("columns", loop.Columns, 1, SystolicConfiguration.LargestSide), codec.Int("tile", loop.Tile, 1, int.MaxValue));

    private int Depth(string name, int? depth) => codec.Int(name, depth ?? 0, 0, MostLoops);

    private int LoopIndex(string name, int? index) => codec.Int(name, index ?? 0, -1, MostLoops - 1);

    private OverlayWindow Window(OverlayWindow? window) => new(
        codec.Int("batch", window?.Batch ?? 0, 1, int.MaxValue),
        codec.Group("rows", () => Axis(window?.Rows)),
        codec.Group("columns", () => Axis(window?.Columns)),
        codec.Int("channels", window?.Channels ?? 0, 1, int.MaxValue),
        codec.Int("groups", window?.Groups ?? 0, 1, int.MaxValue),
        codec.List("round", window?.Rounds, 8, MostRounds, round => new OverlayRound(codec.Int("row", round.Row, -MostOffset, MostOffset), codec.Int("column", round.Column, -MostOffset, MostOffset))),
        codec.Int("fill", window?.Fill ?? 0, sbyte.MinValue, sbyte.MaxValue));

    private OverlayAxis Axis(OverlayAxis? axis) => new(
        codec.Int("input", axis?.Input ?? 0, 1, MostOffset),
        codec.Int("output", axis?.Output ?? 0, 1, MostOffset),
        codec.Int("step", axis?.Step ?? 0, 1, MostOffset),
        codec.Int("tile", axis?.Tile ?? 0, 1, MostPoints),
        codec.List("b", axis?.InputMatrix, 4, MostPoints * MostPoints, value => codec.Int("b", value, -MostCoefficient, MostCoefficient)),
        codec.List("a", axis?.OutputMatrix, 4, MostPoints * MostPoints, value => codec.Int("a", value, -MostCoefficient, MostCoefficient)),
        codec.Int("divisor", axis?.Divisor ?? 0, 1, 1 << 16));

    private HostFunction Function(HostFunction? function)
    {
        var kind = codec.Code("kind", function is RegionPooling ? FunctionKind.Pooling : function is Resizing ? FunctionKind.Resizing : FunctionKind.Proposals);
        return kind switch
        {
            FunctionKind.Proposals => Proposals((RegionProposals?)function),
            FunctionKind.Pooling => Pooling((RegionPooling?)function),
            _ => Resizing((Resizing?)function),
        };
    }

    private RegionProposals Proposals(RegionProposals? function) => new(
        Extent("height", function?.Height),
        Extent("width", function?.Width),
        Extent("image-height", function?.ImageHeight),
        Extent("image-width", function?.ImageWidth),
        Extent("feature-stride", function?.FeatureStride),
        codec.List("scale", function?.Scales, 4, MostAnchors, scale => Real("scale", scale)),
        codec.List("ratio", function?.Ratios, 4, MostAnchors, ratio => Real("ratio", ratio)),
        Extent("before", function?.Before),
        Extent("count", function?.Count),
        Real("overlap", function?.Overlap ?? 0),
        Real("least-size", function?.MinimumSize ?? 0));

    private RegionPooling Pooling(RegionPooling? function) => new(
        Extent("height", function?.Height),
        Extent("width", function?.Width),
        Extent("channels", function?.Channels),
        Extent("regions", function?.Regions),
        Extent("pooled-height", function?.PooledHeight),
        Extent("pooled-width", function?.PooledWidth),
        Real("spatial-scale", function?.SpatialScale ?? 0));

    private Resizing Resizing(Resizing? function) => new(
        codec.Code("element", function?.Element ?? default),
        Extent("batch", function?.Batch),
        Extent("height", function?.Height),
        Extent("width", function?.Width),
        Extent("channels", function?.Channels),
        Extent("result-height", function?.ResultHeight),
        Extent("result-width", function?.ResultWidth),
        codec.Flag("bilinear", function?.Bilinear ?? false),
        codec.Flag("align-corners", function?.AlignCorners ?? false),
        codec.Flag("half-pixel", function?.HalfPixel ?? false));

    private int Extent(string name, int? extent) => codec.Int(name, extent ?? 0, 1, int.MaxValue);

    /// <summary>The bits of a binary32 number.</summary>
    private float Real(string name, float value) => BitConverter.Int32BitsToSingle(codec.Int(name, BitConverter.SingleToInt32Bits(value), int.MinValue, int.MaxValue));

    /// <summary>A count and the bits, 32 a word, bit 0 first.</summary>
    private bool[] Bits(string name, int count, Func<int, bool> bit)
    {
        count = codec.Int($"{name} bits", count, 1, SystolicConfiguration.LargestSide);
        var bits = new bool[count];
        for (var start = 0; start < count; start += 32)
        {
            var word = 0;
            for (var i = start; i < Math.Min(count, start + 32) && codec is not FieldReader; i++)
            {
                word |= bit(i) ? 1 << (i - start) : 0;
            }

            word = codec.Int("word", word, int.MinValue, int.MaxValue);
            for (var i = start; i < Math.Min(count, start + 32); i++)
            {
                bits[i] = (word >> (i - start) & 1) != 0;
            }
        }

        return bits;
    }
}
