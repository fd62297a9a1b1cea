using System.Globalization;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Interpreter.Execution;

/// <summary>CNN0700 to CNN0799: what can go wrong when an image or a vector is executed.</summary>
public static class ExecutionDiagnostics
{
    /// <summary>A kernel exceeded the cycle limit.</summary>
    public static Diagnostic KernelNeverEnds(SourceSpan span, LaunchPlace launch, int step, long limit) => Error(
        "CNN0701", span, $"{launch} has not ended after {limit:N0} cycles; it is at step {step}", "check its loop and EXIT, or raise --max-cycles");

    /// <summary>A configuration word has column mask 0.</summary>
    public static Diagnostic KernelHasNoColumns(SourceSpan span, LaunchPlace launch) => Error(
        "CNN0702", span, $"{launch} asks for a kernel whose configuration word has column mask 0: the array's controller would hang for ever", "give the kernel at least one column, or load it before it is launched");

    /// <summary>A kernel id that requests nothing.</summary>
    public static Diagnostic BadKernelId(SourceSpan span, string who, int id, int highest) => Error(
        "CNN0703", span, $"{who} uses kernel id {id}", string.Create(CultureInfo.InvariantCulture, $"use an id from 1 to {highest}; 0 requests nothing"));

    /// <summary>The array accessed an address where there is no RAM.</summary>
    public static Diagnostic UnmappedAccess(SourceSpan span, LaunchPlace launch, int step, int row, int column, bool isWrite, uint address, long ramBytes) => Error(
        "CNN0704", span, $"{launch}, step {step}, cell ({row},{column}) {(isWrite ? "writes to" : "reads from")} byte address 0x{address:x8}, but RAM has {ramBytes:N0} bytes", "check the pointers of the launch and the increments of the kernel");

    /// <summary>The array accessed an address that is not a multiple of 4.</summary>
    public static Diagnostic MisalignedAccess(SourceSpan span, LaunchPlace launch, int step, int row, int column, bool isWrite, uint address) => Error(
        "CNN0705", span, $"{launch}, step {step}, cell ({row},{column}) {(isWrite ? "writes to" : "reads from")} byte address 0x{address:x8}, which is not a multiple of 4", "all accesses are whole words; check the pointers of the launch and the increments of the kernel");

    /// <summary>The array wrote into the host's part of RAM.</summary>
    public static Diagnostic ReservedWrite(SourceSpan span, LaunchPlace launch, int step, int row, int column, uint address, int reservedBytes) => Error(
        "CNN0706", span, $"{launch}, step {step}, cell ({row},{column}) writes to byte address 0x{address:x8}, inside the {reservedBytes:N0} bytes at the bottom of RAM that hold the host's code and stack", "check the pointers of the launch and the increments of the kernel");

    /// <summary>What would run is not what the launch means.</summary>
    public static Diagnostic OtherCodeResident(SourceSpan span, LaunchPlace launch, string difference) => Error(
        "CNN0707", span, $"{launch} would not run the kernel it means: {difference}", "load the kernel under an id that is not resident on its columns before the launch, and use one column mask for all kernels (openedge.md section 8.3)");

    /// <summary>A host step and the launch beside it touch the same word.</summary>
    public static Diagnostic Race(SourceSpan span, string hostStep, string hostDoes, uint address, string arrayDoes, LaunchPlace launch) => Error(
        "CNN0708", span, $"{hostStep} {hostDoes} the word at byte address 0x{address:x8} while {launch} {arrayDoes} it", "put a wait between them, or another buffer");

    /// <summary>The caller gave another number of inputs than the image has.</summary>
    public static Diagnostic InputCount(SourceSpan span, int expected, int actual) => Error(
        "CNN0709", span, $"the image has {expected} input(s), but {actual} were given", "give one input per network input, in graph order");

    /// <summary>An input has the wrong size.</summary>
    public static Diagnostic InputSize(SourceSpan span, string name, string shape, long expected, long actual) => Error(
        "CNN0710", span, $"input '{name}' {shape} takes {expected:N0} bytes, but {actual:N0} were given", "give the input dense and row-major in the model's own layout and element type");

    /// <summary>The machine is not one the interpreter knows.</summary>
    public static Diagnostic UnknownMachine(SourceSpan span, string name, string reason) => Error(
        "CNN0711", span, $"the image is for machine '{name}', which cannot be interpreted: {reason}", "compile it for a machine of the openedge family (isa revision openedge-4a179fc, 4 rows, 4 columns)");

    /// <summary>The image refers to something that it does not have.</summary>
    public static Diagnostic BadReference(SourceSpan span, string who, string what, long index, long count) => Error(
        "CNN0712", span, $"{who} refers to {what} {index}, but the image has {count}", "the image is damaged or was made by another version; compile it again");

    /// <summary>A host step, a constant or a tensor lies outside its memory.</summary>
    public static Diagnostic OutsideMemory(SourceSpan span, string who, string what, long address, long bytes, string memory, long lowest, long end) => Error(
        "CNN0713", span, $"{who}: {what} at byte address {address:N0} with {bytes:N0} bytes is not inside {memory}, bytes {lowest:N0} to {end:N0}, at a multiple of 4", "the image is damaged or was made by another version; compile it again");

    /// <summary>A kernel image that context memory cannot hold or that contradicts itself.</summary>
    public static Diagnostic BadKernelImage(SourceSpan span, string kernel, string reason) => Error(
        "CNN0714", span, $"kernel {kernel}: {reason}", "the image is damaged or was made by another version; compile it again");

    /// <summary>A host step that the interpreter cannot execute.</summary>
    public static Diagnostic BadHostStep(SourceSpan span, string who, string reason) => Error(
        "CNN0715", span, $"{who}: {reason}", "the image is damaged or was made by another version; compile it again");

    /// <summary>A softmax reads a word that is no int8.</summary>
    public static Diagnostic NotInt8(SourceSpan span, string who, uint address, int value) => Error(
        "CNN0716", span, $"{who} reads {value} at byte address 0x{address:x8}, which is no int8 value", "the step before it left something else there; this is a fault of the compiler");

    /// <summary>A vector's program touches too much memory.</summary>
    public static Diagnostic SparseMemoryFull(SourceSpan span, string who, uint address, long limit) => Error(
        "CNN0717", span, $"{who} writes to byte address 0x{address:x8} after {limit:N0} bytes of sparse memory are in use", "let the program write to fewer places");

    /// <summary>The hardware would return a store's response as a load's data.</summary>
    public static Diagnostic StoreResponseTakenAsData(SourceSpan span, LaunchPlace launch, int step, int row, int column) => Error(
        "CNN0718", span, $"{launch}, step {step}, cell ({row},{column}) loads while a store of its column still waits for its response: the array takes that response as the load's data (openedge.md section 6.6)", "use a memory that answers in one cycle or does not answer stores");

    /// <summary>A request that is never granted.</summary>
    public static Diagnostic NeverGranted(SourceSpan span, LaunchPlace launch, int step) => Error(
        "CNN0719", span, $"{launch}, step {step} waits for memory for ever", "lower the memory model's refusals or delay");

    /// <summary>A vector file that is not JSON.</summary>
    public static Diagnostic VectorSyntax(SourceSpan span, string reason) => Error(
        "CNN0720", span, $"this is not a file of vectors: {reason}", "the format is described in golden/openedge/README.md");

    /// <summary>A field of a vector that is missing or has a value it cannot have.</summary>
    public static Diagnostic VectorField(SourceSpan span, string path, string reason) => Error(
        "CNN0721", span, $"{path}: {reason}", "the format is described in golden/openedge/README.md");

    /// <summary>A vector that asks for something the interpreter does not model.</summary>
    public static Diagnostic VectorNotModelled(SourceSpan span, string path, string reason) => Error(
        "CNN0722", span, $"{path}: {reason}", "the interpreter runs one kernel at a time");

    /// <summary>A softmax row for which the reference kernel has no result.</summary>
    public static Diagnostic SoftmaxUndefined(SourceSpan span, string who, int row) => Error(
        "CNN0723", span, $"{who}: the exponentials of row {row} sum to 512 or more, where the reference kernel gives no result", "split the row, or feed logits that differ more (int8-arithmetic.md section 3.8)");

    /// <summary>A step of a systolic program beyond the cycle limit.</summary>
    public static Diagnostic SystolicStepTooLong(SourceSpan span, string who, long cycles, long limit) => Error(
        "CNN0724", span, $"{who} takes {cycles:N0} cycles, more than {limit:N0}", "raise --max-cycles, or compile for a larger array");

    /// <summary>A scalar program without a result.</summary>
    public static Diagnostic ScalarUndefined(SourceSpan span, string who, string why) => Error(
        "CNN0725", span, $"{who}: {why}", "no result is defined for such weights and inputs; check scales and weights of this layer");

    private static Diagnostic Error(string code, SourceSpan span, FormattableString message, string remedy) =>
        new(code, DiagnosticSeverity.Error, span, message.ToString(CultureInfo.InvariantCulture), remedy);
}

/// <summary>A launch, as messages name it.</summary>
/// <param name="Launch">Index into the launch list.</param>
/// <param name="Kernel">Name of the kernel it means.</param>
/// <param name="Layer">Name of the layer, or an empty string.</param>
public readonly record struct LaunchPlace(int Launch, string Kernel, string Layer)
{
    /// <inheritdoc/>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture, $"launch {Launch} (kernel '{Kernel}'{(Layer.Length == 0 ? string.Empty : $", layer '{Layer}'")})");
}
