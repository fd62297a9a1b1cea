namespace CnnCompiler.Primitives.Machines;

/// <summary>Type of a value in a machine description.</summary>
public enum MachineValueKind
{
    /// <summary>A whole number.</summary>
    Integer,

    /// <summary>A string.</summary>
    Text,

    /// <summary>True or false.</summary>
    Boolean,

    /// <summary>An object with keys of its own.</summary>
    Section,
}

/// <summary>One key of a machine description file.</summary>
/// <param name="Section">Path of the object it stands in, empty for the top level, for example <c>host.steps</c>.</param>
/// <param name="Name">The key.</param>
/// <param name="Kind">Type of its value.</param>
/// <param name="Required">True where the base machine must have it.</param>
/// <param name="Minimum">Smallest value of a number.</param>
/// <param name="Maximum">Largest value of a number.</param>
/// <param name="MultipleOf">What a number must be a multiple of.</param>
/// <param name="Values">The values a string may have, or null for any.</param>
public sealed record MachineKey(
    string Section,
    string Name,
    MachineValueKind Kind,
    bool Required = true,
    long Minimum = 0,
    long Maximum = 0,
    int MultipleOf = 1,
    IReadOnlyList<string>? Values = null)
{
    /// <summary>The key with its section, for messages: <c>host.steps.copyPerWord</c>.</summary>
    public string Path => Section.Length == 0 ? Name : $"{Section}.{Name}";
}

/// <summary>
/// Every key a machine description may have, one row each: the reader's checks, its messages and the test of <c>machine.schema.json</c> come from here.
/// Limits are what the instruction set can encode (5-bit PC, 7-bit context address, 4-bit kernel id: <c>specs/openedge.md</c> sections 3, 7 and 8.1)
/// or keep a hostile description from asking for memory.
/// </summary>
public static class MachineKeys
{
    private const int LargestMemory = 1 << 28;
    private const int LargestCost = 1_000_000;

    /// <summary>Revisions of the instruction set that have a validated specification.</summary>
    public static IReadOnlyList<string> IsaRevisions { get; } = ["openedge-4a179fc"];

    /// <summary>Rows of the only geometry with a validated specification.</summary>
    public const int SpecifiedRows = 4;

    /// <summary>Columns of the only geometry with a validated specification.</summary>
    public const int SpecifiedColumns = 4;

    /// <summary>All keys, in the canonical order.</summary>
    public static IReadOnlyList<MachineKey> All { get; } =
    [
        new("", "$schema", MachineValueKind.Text, Required: false),
        new("", "name", MachineValueKind.Text),
        new("", "isaRevision", MachineValueKind.Text, Values: IsaRevisions),
        new("", "rows", MachineValueKind.Integer, Minimum: 1, Maximum: 1024),
        new("", "columns", MachineValueKind.Integer, Minimum: 1, Maximum: 1024),
        new("", "stepsPerKernel", MachineValueKind.Integer, Minimum: 1, Maximum: 32),
        new("", "minStepsPerKernel", MachineValueKind.Integer, Minimum: 1, Maximum: 32),
        new("", "contextWordsPerRow", MachineValueKind.Integer, Minimum: 1, Maximum: 128),
        new("", "kernelSlots", MachineValueKind.Integer, Minimum: 2, Maximum: 16),
        new("", "bus", MachineValueKind.Section),
        new("", "variants", MachineValueKind.Section, Required: false),
        new("", "ram", MachineValueKind.Section),
        new("", "flash", MachineValueKind.Section),
        new("", "host", MachineValueKind.Section),
        new("", EnergyKeys.Section, MachineValueKind.Section, Required: false),
        new("bus", "kind", MachineValueKind.Text, Values: ["ideal", "shared", "banked"]),
        new("bus", "banks", MachineValueKind.Integer, Required: false, Minimum: 1, Maximum: 4096),
        new("bus", "shift", MachineValueKind.Integer, Required: false, Minimum: 0, Maximum: 31),
        new("bus", "arbitration", MachineValueKind.Text, Required: false, Values: ["round-robin", "fixed"]),
        new("bus", "denyProbability", MachineValueKind.Integer, Required: false, Minimum: 0, Maximum: 255),
        new("bus", "denySeed", MachineValueKind.Integer, Required: false, Minimum: 0, Maximum: uint.MaxValue),
        new("bus", "grantDelay", MachineValueKind.Integer, Required: false, Minimum: 0, Maximum: LargestCost),
        new("bus", "readLatency", MachineValueKind.Integer, Required: false, Minimum: 1, Maximum: LargestCost),
        new("ram", "bytes", MachineValueKind.Integer, Minimum: 4, Maximum: LargestMemory, MultipleOf: 4),
        new("ram", "bankBytes", MachineValueKind.Integer, Minimum: 4, Maximum: LargestMemory, MultipleOf: 4),
        new("ram", "reservedBytes", MachineValueKind.Integer, Minimum: 0, Maximum: LargestMemory, MultipleOf: 4),
        new("ram", "sparse", MachineValueKind.Boolean, Required: false),
        new("flash", "bytes", MachineValueKind.Integer, Minimum: 0, Maximum: LargestMemory, MultipleOf: 4),
        new("host", "ramToContext", MachineValueKind.Integer, Minimum: 0, Maximum: LargestCost),
        new("host", "flashToRam", MachineValueKind.Integer, Minimum: 0, Maximum: LargestCost),
        new("host", "flashToContext", MachineValueKind.Integer, Minimum: 0, Maximum: LargestCost),
        new("host", "patchImmediate", MachineValueKind.Integer, Minimum: 0, Maximum: LargestCost),
        new("host", "registerWrite", MachineValueKind.Integer, Minimum: 0, Maximum: LargestCost),
        new("host", "launchOverhead", MachineValueKind.Integer, Minimum: 0, Maximum: LargestCost),
        new("host", "steps", MachineValueKind.Section),
        new("host.steps", "softmaxPerElement", MachineValueKind.Integer, Minimum: 0, Maximum: LargestCost),
        new("host.steps", "copyPerWord", MachineValueKind.Integer, Minimum: 0, Maximum: LargestCost),
        .. EnergyKeys.MachineRows(),
    ];

    /// <summary>The keys of one section.</summary>
    public static IEnumerable<MachineKey> Of(string section) => All.Where(key => key.Section == section);
}
