using System.Globalization;
using System.Text.Json;
using CnnCompiler.Image.Container;
using CnnCompiler.Interpreter.Execution;
using CnnCompiler.Interpreter.OpenEdge;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Interpreter.Vectors;

/// <summary>What became of one vector.</summary>
/// <param name="Name">Its name, or its place in the file where it has none.</param>
/// <param name="Difference">The first difference from what the hardware did, in words; null where there is none.</param>
/// <param name="Diagnostic">Why it could not be read or run to its end; null where it could.</param>
/// <param name="FromBytes">True where it ran from the bytes of an image; false where an image can't say what it says.</param>
public sealed record VectorResult(string Name, string? Difference, Diagnostic? Diagnostic, bool FromBytes = false)
{
    /// <summary>True where every expected field and the memory agree.</summary>
    public bool Passed => Difference is null && Diagnostic is null;
}

/// <summary>Runs golden vectors (<c>golden/openedge/README.md</c>) and compares every field they expect.</summary>
public static class VectorVerifier
{
    /// <summary>Default cycle limit of a launch; the longest golden one takes 13,993.</summary>
    public const long DefaultMaxCycles = 10_000_000;

    /// <summary>
    /// Verifies a file: an array of vectors. Each becomes an image (<see cref="VectorImage"/>), is written to bytes and read back, and runs
    /// on sparse memory with the code that runs compiled images; residency and addresses are not checked, because vectors are about the
    /// hazards too. What an image can't say (<see cref="VectorImage"/>) runs without the way through bytes.
    /// </summary>
    /// <param name="fileName">Name for messages.</param>
    /// <param name="json">Contents of the file.</param>
    /// <param name="maxCycles">Cycles after which a launch counts as one that never ends.</param>
    /// <param name="alwaysWalkCycles">True to take the array's loop over cycles everywhere.</param>
    /// <param name="engine">How steps are executed.</param>
    /// <param name="cancellation">Stops with an <see cref="OperationCanceledException"/>.</param>
    /// <returns>One result a vector; a single failed one, named like the file, where the file can't be read.</returns>
    public static IReadOnlyList<VectorResult> Verify(
        string fileName, ReadOnlyMemory<byte> json, long maxCycles = DefaultMaxCycles, bool alwaysWalkCycles = false, OpenEdge.KernelEngine engine = OpenEdge.KernelEngine.Automatic, CancellationToken cancellation = default)
    {
        var span = SourceSpan.WholeFile(fileName);
        try
        {
            using var document = JsonDocument.Parse(WithoutByteOrderMark(json));
            if (document.RootElement.ValueKind != JsonValueKind.Array)
            {
                return [new VectorResult(fileName, null, ExecutionDiagnostics.VectorSyntax(span, "its outermost value is not an array"))];
            }

            if (document.RootElement.GetArrayLength() == 0)
            {
                return [new VectorResult(fileName, null, ExecutionDiagnostics.VectorSyntax(span, "it has no vector"))];
            }

            var options = new RunOptions { MaxCycles = maxCycles, AlwaysWalkCycles = alwaysWalkCycles, Engine = engine, FileName = fileName };
            return [.. document.RootElement.EnumerateArray().Select((element, index) => Verify(element, index, options, span, cancellation))];
        }
        catch (JsonException e)
        {
            var place = e is { LineNumber: { } line, BytePositionInLine: { } column }
                ? SourceSpan.At(fileName, (int)Math.Min(line + 1, int.MaxValue), (int)Math.Min(column + 1, int.MaxValue))
                : span;
            return [new VectorResult(fileName, null, ExecutionDiagnostics.VectorSyntax(place, "it is not valid JSON"))];
        }
    }

    /// <summary>Runs a vector; null where it does what the hardware did, else the first difference in words.</summary>
    /// <exception cref="DiagnosticException">It does not run to its end.</exception>
    private static string? Compare(GoldenVector vector, CnnImage image, RunOptions options, SourceSpan span, CancellationToken cancellation)
    {
        var memory = new SparseWords();
        Put(memory, image.RamConstants.SelectMany(Words), vector, span);
        var before = memory.Clone();
        Put(before, vector.Launches.SelectMany(l => l.Memory), vector, span);

        var executor = new ImageExecutor<SparseMemory>(image, new SparseMemory(memory), options, span, cancellation)
        {
            RunsHazards = true,
            StoresGetResponses = vector.StoresGetResponses,
        };
        executor.Run();
        var result = executor.Result([], [], default);
        for (var index = 0; index < vector.Launches.Count; index++)
        {
            if (Compare(vector.Launches[index], result.Launches[index].Outcome) is { } difference)
            {
                return string.Create(CultureInfo.InvariantCulture, $"launch {index}: {difference}");
            }
        }

        return Differs("expect_reads", vector.Reads, result.Cycles.Reads)
            ?? Differs("expect_writes", vector.Writes, result.Cycles.Writes)
            ?? CompareMemory(vector.FinalMemory, [.. memory.ChangesFrom(before)], memory);
    }

    private static string? Compare(GoldenLaunch expected, LaunchOutcome actual) =>
        Differs("exec_first", expected.ExecFirst, actual.ExecFirst)
        ?? Differs("done", expected.Done, actual.Done)
        ?? Differs("exec", expected.Exec, actual.Exec)
        ?? Differs("conf", expected.Conf, actual.Conf)
        ?? Differs("active", expected.Counters.Active, actual.Counters.Active)
        ?? Differs("stall", expected.Counters.Stall, actual.Counters.Stall)
        ?? Differs("kernels", expected.Counters.Kernels, actual.Counters.Kernels);

    private static string? CompareMemory(
        IReadOnlyList<(uint Address, uint Word)> expected, IReadOnlyList<(uint Address, uint Word)> changed, SparseWords memory)
    {
        foreach (var (address, word) in expected)
        {
            if (memory[address] != word)
            {
                return string.Create(CultureInfo.InvariantCulture, $"memory at byte address {address} is {memory[address]}, expected {word}");
            }
        }

        var known = expected.Select(e => e.Address).ToHashSet();
        foreach (var (address, word) in changed)
        {
            if (!known.Remove(address))
            {
                return string.Create(CultureInfo.InvariantCulture, $"memory at byte address {address} changed to {word}, expected unchanged");
            }
        }

        return known.Count == 0
            ? null
            : string.Create(CultureInfo.InvariantCulture, $"memory at byte address {known.Min()} did not change, but expect_mem lists it");
    }

    private static VectorResult Verify(JsonElement element, int index, RunOptions options, SourceSpan span, CancellationToken cancellation)
    {
        var place = string.Create(CultureInfo.InvariantCulture, $"vector {index}");
        var fromBytes = false;
        try
        {
            if (GoldenVectorReader.Name(element) is { Length: > 0 } name)
            {
                place = name;
            }

            var vector = new GoldenVectorReader(span).Read(element, place);
            var image = VectorImage.Build(vector);
            var read = ImageReader.Read(ImageWriter.Write(image), options.FileName, new DiagnosticBag());
            fromBytes = read is not null;
            return new VectorResult(place, Compare(vector, read ?? image, options, span, cancellation), null, fromBytes);
        }
        catch (DiagnosticException e)
        {
            return new VectorResult(place, null, e.Diagnostic, fromBytes);
        }
    }

    private static string? Differs<T>(string field, T expected, T actual)
        where T : IEquatable<T> =>
        expected.Equals(actual) ? null : string.Create(CultureInfo.InvariantCulture, $"{field} is {actual}, expected {expected}");

    private static IEnumerable<(uint Address, uint Word)> Words(RamBlock block)
    {
        for (var index = 0; index < block.Words.Length; index++)
        {
            yield return ((uint)block.Address + (4 * (uint)index), block.Words.Span[index]);
        }
    }

    private static void Put(SparseWords memory, IEnumerable<(uint Address, uint Word)> words, GoldenVector vector, SourceSpan span)
    {
        foreach (var (address, word) in words)
        {
            if (!memory.TrySet(address, word))
            {
                throw new DiagnosticException(ExecutionDiagnostics.VectorField(span, $"{vector.Name}.mem", $"it uses more than {SparseWords.MaxPages} pages of {SparseWords.PageBytes} bytes"));
            }
        }
    }

    private static ReadOnlyMemory<byte> WithoutByteOrderMark(ReadOnlyMemory<byte> json) =>
        json.Span.StartsWith((ReadOnlySpan<byte>)[0xEF, 0xBB, 0xBF]) ? json[3..] : json;
}
