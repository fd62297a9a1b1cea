using System.Globalization;

namespace CnnCompiler.Primitives.Machines;

/// <summary>A number in the description of a systolic array: <c>"name": { "value": 2000, "source": "..." }</c> in its section.</summary>
/// <param name="Index">Place in <see cref="SystolicKeys.All"/>.</param>
/// <param name="Section">Section it stands in.</param>
/// <param name="Name">The key.</param>
/// <param name="Unit">Unit of the value.</param>
/// <param name="Minimum">Smallest value.</param>
/// <param name="Maximum">Largest value.</param>
/// <param name="Summary">What it is.</param>
/// <param name="Required">True where a machine must have it.</param>
public sealed record SystolicKey(int Index, string Section, string Name, string Unit, long Minimum, long Maximum, string Summary, bool Required = true)
{
    /// <summary>The key with its section, for messages.</summary>
    public string Path => $"{Section}.{Name}";
}

/// <summary>Every number of a systolic array's description, one row each: reader, writer, <c>cnnc targets</c> and the schema's test come from here.</summary>
public static class SystolicKeys
{
    /// <summary>Revision of the configuration words that the keys belong to.</summary>
    public const string Revision = "arrayflex-1";

    /// <summary>Revision of the control words of DYNAMAP's overlay; its machines have <see cref="OverlaySection"/> besides.</summary>
    public const string OverlayRevision = "dynamap-1";

    /// <summary>The section that overlays have and systolic arrays have not.</summary>
    public const string OverlaySection = "overlay";

    /// <summary>Revision of the descriptors of convolution accelerators that execute general convolutions; their machines have <see cref="NestSection"/> besides.</summary>
    public const string NestRevision = "gconv-1";

    /// <summary>The section that accelerators of general convolutions have and the other machines have not.</summary>
    public const string NestSection = "gconv";

    /// <summary>Deepest collapse that a machine may have.</summary>
    public const int DeepestCollapse = 8;

    private const long LargestEnergy = 1_000_000_000_000;
    private const int FirstClock = 3;
    private static readonly string[] LoopKinds = ["Group", "Kernels", "Positions", "Taps"];
    private static readonly string[] Axes = ["rows", "columns"];
    private static readonly int FirstUnroll = Rows().FindIndex(key => key.Path == "gconv.rowsGroup");

    /// <summary>All keys, in the canonical order.</summary>
    public static IReadOnlyList<SystolicKey> All { get; } = Rows();

    /// <summary>Bits of an operand.</summary>
    public static SystolicKey OperandBits { get; } = Find("array.operandBits");

    /// <summary>Bits of a sum in the array.</summary>
    public static SystolicKey SumBits { get; } = Find("array.sumBits");

    /// <summary>Clock of the array with a fixed pipeline.</summary>
    public static SystolicKey FixedClock { get; } = Find("clock.fixed");

    /// <summary>Share of a collapse's delay that lies on the horizontal path.</summary>
    public static SystolicKey HorizontalShare { get; } = Find("clock.horizontalShare");

    /// <summary>Bytes of the activation buffer.</summary>
    public static SystolicKey ActivationBytes { get; } = Find("buffers.activationBytes");

    /// <summary>Bytes of the weight buffer.</summary>
    public static SystolicKey WeightBytes { get; } = Find("buffers.weightBytes");

    /// <summary>Accumulators below a column.</summary>
    public static SystolicKey AccumulatorRows { get; } = Find("buffers.accumulatorRows");

    /// <summary>Bytes a cycle to and from DRAM.</summary>
    public static SystolicKey OffChipBytes { get; } = Find("offChip.bytesPerCycle");

    /// <summary>Stages of the output unit.</summary>
    public static SystolicKey OutputStages { get; } = Find("vectorUnit.outputStages");

    /// <summary>Scalar operations a lane and cycle.</summary>
    public static SystolicKey LaneOperations { get; } = Find("vectorUnit.operationsPerCycle");

    /// <summary>Cycles of an element of softmax in one lane.</summary>
    public static SystolicKey SoftmaxCycles { get; } = Find("vectorUnit.softmaxPerElement");

    /// <summary>Cycles of a scalar operation of the host.</summary>
    public static SystolicKey HostCycles { get; } = Find("host.cyclesPerOperation");

    /// <summary>Energy of a multiplication.</summary>
    public static SystolicKey Multiplication { get; } = Find("energy.multiplication");

    /// <summary>Energy of a 3:2 carry-save addition.</summary>
    public static SystolicKey CarrySaveAdd { get; } = Find("energy.carrySaveAdd");

    /// <summary>Energy of a carry-propagate addition.</summary>
    public static SystolicKey CarryPropagateAdd { get; } = Find("energy.carryPropagateAdd");

    /// <summary>Energy of a clocked register bit and cycle.</summary>
    public static SystolicKey RegisterBit { get; } = Find("energy.registerBit");

    /// <summary>Energy of a clock-gated register bit and cycle.</summary>
    public static SystolicKey GatedBit { get; } = Find("energy.gatedRegisterBit");

    /// <summary>Energy of a word of a buffer.</summary>
    public static SystolicKey BufferWord { get; } = Find("energy.bufferWord");

    /// <summary>Energy of a word of DRAM.</summary>
    public static SystolicKey DramWord { get; } = Find("energy.dramWord");

    /// <summary>Energy of a scalar operation.</summary>
    public static SystolicKey VectorOperation { get; } = Find("energy.vectorOperation");

    /// <summary>Bits of the unit's right operand; the left one has <see cref="OperandBits"/>.</summary>
    public static SystolicKey WeightBits { get; } = Find("overlay.weightBits");

    /// <summary>Elements that the layout and linear transform units make in a cycle.</summary>
    public static SystolicKey TransformLanes { get; } = Find("overlay.transformLanes");

    /// <summary>Bytes of a burst: transfers are whole bursts.</summary>
    public static SystolicKey BurstBytes { get; } = Find("overlay.burstBytes");

    /// <summary>Bytes a cycle to DRAM; <see cref="OffChipBytes"/> are those from it.</summary>
    public static SystolicKey WriteBytes { get; } = Find("overlay.writeBytesPerCycle");

    /// <summary>1 where the processing elements keep an operand of the input while the loops that do not index it step.</summary>
    public static SystolicKey KeepsInput { get; } = Find("gconv.keepsInput");

    /// <summary>1 where they keep an operand of the kernel so.</summary>
    public static SystolicKey KeepsKernel { get; } = Find("gconv.keepsKernel");

    /// <summary>1 where they keep a partial result so.</summary>
    public static SystolicKey KeepsSum { get; } = Find("gconv.keepsSum");

    /// <summary>Scalar operations of pre and main that an element does in a cycle.</summary>
    public static SystolicKey CellOperations { get; } = Find("gconv.cellOperations");

    /// <summary>The sections that only some revisions have, with the revision that needs each.</summary>
    public static IReadOnlyList<(string Section, string Revision)> OwnSections { get; } = [(OverlaySection, OverlayRevision), (NestSection, NestRevision)];

    /// <summary>1 where loops of a kind may be unrolled along an axis.</summary>
    /// <param name="rows">True for the axis of rows, false for that of columns.</param>
    /// <param name="kind">0 for g, 1 for op, 2 for opc, 3 for ks.</param>
    public static SystolicKey Unrolls(bool rows, int kind) => All[FirstUnroll + (rows ? 0 : LoopKinds.Length) + kind];

    /// <summary>Sections in their order.</summary>
    public static IEnumerable<string> Sections => All.Select(key => key.Section).Distinct(StringComparer.Ordinal);

    /// <summary>Clock at a collapse depth, 1 to <see cref="DeepestCollapse"/>.</summary>
    public static SystolicKey Clock(int depth) => All[FirstClock + depth - 1];

    /// <summary>The keys as the reader checks them: <see cref="MachineKeys"/>'s name, revision, rows, columns, RAM and variants, then a section for each value.</summary>
    internal static IEnumerable<MachineKey> Of(string section)
    {
        if (section.Length == 0)
        {
            string[] own = ["$schema", "name", "rows", "columns", "variants", "ram"];
            return MachineKeys.Of(section).Where(key => own.Contains(key.Name, StringComparer.Ordinal))
                .Append(new("", "isaRevision", MachineValueKind.Text, Values: [Revision, OverlayRevision, NestRevision]))
                .Concat(Sections.Select(name => new MachineKey(string.Empty, name, MachineValueKind.Section, OwnSections.All(own => own.Section != name))));
        }

        if (All.FirstOrDefault(key => key.Path == section) is { } value)
        {
            return [new(section, "value", MachineValueKind.Integer, Minimum: value.Minimum, Maximum: value.Maximum), new(section, "source", MachineValueKind.Text)];
        }

        var values = All.Where(key => key.Section == section).Select(key => new MachineKey(section, key.Name, MachineValueKind.Section, key.Required)).ToList();
        return values.Count > 0 ? values : MachineKeys.Of(section);
    }

    private static SystolicKey Find(string path) => All.First(key => key.Path == path);

    private static List<SystolicKey> Rows()
    {
        var rows = new List<SystolicKey>();
        Add("array", "operandBits", "bits", 8, 32, "width of activations and weights; data are int8");
        Add("array", "sumBits", "bits", 32, 64, "width of the sums that move down");
        Add("clock", "fixed", "MHz", 1, 100_000, "clock of an array of the same size whose pipeline can't be changed");
        for (var depth = 1; depth <= DeepestCollapse; depth++)
        {
            Add("clock", string.Create(CultureInfo.InvariantCulture, $"k{depth}"), "MHz", 1, 100_000, string.Create(CultureInfo.InvariantCulture, $"clock with groups of {depth}"), depth == 1);
        }

        Add("clock", "horizontalShare", "percent", 0, 100, "share of a collapse's delay on the horizontal path, where kh and kv differ");
        Add("buffers", "activationBytes", "bytes", 1, 1 << 30, "on-chip memory for activations");
        Add("buffers", "weightBytes", "bytes", 1, 1 << 30, "on-chip memory for weights");
        Add("buffers", "accumulatorRows", "words a column", 1, 1 << 24, "32-bit accumulators below each column, for sums over several tiles");
        Add("offChip", "bytesPerCycle", "bytes a cycle", 1, 1 << 16, "bandwidth of DRAM");
        Add("vectorUnit", "outputStages", "operations", 1, 1 << 16, "scalar operations that the output unit does on a row of sums in the array's pace");
        Add("vectorUnit", "operationsPerCycle", "operations", 1, 1024, "scalar operations a lane and cycle; there is a lane a column");
        Add("vectorUnit", "softmaxPerElement", "cycles", 1, 1_000_000, "cycles of an element of softmax in one lane");
        Add("host", "cyclesPerOperation", "cycles", 1, 1_000_000, "cycles of the array's clock that a scalar operation of a host step takes");
        Add("energy", "multiplication", "aJ", 0, LargestEnergy, "product of two operands");
        Add("energy", "carrySaveAdd", "aJ", 0, LargestEnergy, "3:2 addition of a product to a carry-save pair");
        Add("energy", "carryPropagateAdd", "aJ", 0, LargestEnergy, "addition of a carry-save pair, or of a product and a sum in the fixed array");
        Add("energy", "registerBit", "aJ", 0, LargestEnergy, "a clocked register bit, a cycle");
        Add("energy", "gatedRegisterBit", "aJ", 0, LargestEnergy, "a clock-gated register bit, a cycle");
        Add("energy", "bufferWord", "aJ", 0, LargestEnergy, "32 bits from or to a buffer");
        Add("energy", "dramWord", "aJ", 0, LargestEnergy, "32 bits from or to DRAM");
        Add("energy", "vectorOperation", "aJ", 0, LargestEnergy, "a scalar operation of the output or vector unit");
        Add(OverlaySection, "weightBits", "bits", 8, 32, "width of the unit's right operand, transformed weights included");
        Add(OverlaySection, "transformLanes", "elements a cycle", 1, 1 << 16, "elements that layout and linear transform units make");
        Add(OverlaySection, "burstBytes", "bytes", 1, 1 << 16, "smallest transfer: each run of addresses takes whole bursts");
        Add(OverlaySection, "writeBytesPerCycle", "bytes a cycle", 1, 1 << 16, "bandwidth to DRAM, beside the one from it");
        foreach (var (axis, kind) in Axes.SelectMany(_ => LoopKinds, (axis, kind) => (axis, kind)))
        {
            Add(NestSection, $"{axis}{kind}", "0 or 1", 0, 1, $"1 where loops {kind switch { "Group" => "g", "Kernels" => "op", "Positions" => "opc", _ => "ks" }} may be unrolled along the {axis}");
        }

        Add(NestSection, "keepsInput", "0 or 1", 0, 1, "1 where elements keep an input while loops step that do not index it");
        Add(NestSection, "keepsKernel", "0 or 1", 0, 1, "1 where elements keep a kernel's value so");
        Add(NestSection, "keepsSum", "0 or 1", 0, 1, "1 where elements keep a partial result so");
        Add(NestSection, "cellOperations", "operations", 1, 1024, "scalar operations of pre and main that an element does in a cycle");
        return rows;

        void Add(string section, string name, string unit, long minimum, long maximum, string summary, bool required = true) =>
            rows.Add(new(rows.Count, section, name, unit, minimum, maximum, summary, required));
    }
}
