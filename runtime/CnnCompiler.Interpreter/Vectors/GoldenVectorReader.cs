using System.Globalization;
using System.Text.Json;
using CnnCompiler.Interpreter.Execution;
using CnnCompiler.Interpreter.OpenEdge;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Interpreter.Vectors;

/// <summary>
/// Reads one vector from JSON. Every field the format has is required, but for those with a default; unknown fields are ignored, except
/// those known to mean something that is not modelled. Faults are thrown as <see cref="DiagnosticException"/> with the field's path.
/// </summary>
/// <param name="span">The file.</param>
internal sealed class GoldenVectorReader(SourceSpan span)
{
    private const int MaxDelay = 65536;
    private const int MaxBanks = 4096;
    private const long MaxNumber = long.MaxValue / 2;

    /// <summary>The name of a vector, null where it has none.</summary>
    public static string? Name(JsonElement vector) =>
        vector.ValueKind == JsonValueKind.Object && vector.TryGetProperty("name", out var name) && name.ValueKind == JsonValueKind.String
            ? TextOrNull(name)
            : null;

    /// <summary>Reads a vector.</summary>
    /// <param name="vector">Its JSON.</param>
    /// <param name="path">Its name, or its place where it has none.</param>
    public GoldenVector Read(JsonElement vector, string path)
    {
        Expect(vector, JsonValueKind.Object, path);
        Refuse(vector, path, "imem_sparse", "instruction words by address are not in the format");
        var model = ReadBus(vector, path);
        return new GoldenVector(
            path,
            model.Bus,
            model.StoresGetResponses,
            ReadConfiguration(Field(vector, path, "kmem"), $"{path}.kmem"),
            ReadContext(Field(vector, path, "imem"), $"{path}.imem"),
            vector.TryGetProperty("mem", out var memory) ? ReadWords(memory, $"{path}.mem") : [],
            [.. Items(Field(vector, path, "launches"), $"{path}.launches").Select(i => ReadLaunch(i.Item, i.Path))],
            ReadWords(Field(vector, path, "expect_mem"), $"{path}.expect_mem"),
            Number(Field(vector, path, "expect_reads"), $"{path}.expect_reads", 0, MaxNumber),
            Number(Field(vector, path, "expect_writes"), $"{path}.expect_writes", 0, MaxNumber));
    }

    private (BusDescription Bus, bool StoresGetResponses) ReadBus(JsonElement vector, string path)
    {
        path += ".memory_model";
        if (!vector.TryGetProperty("memory_model", out var model))
        {
            return (new BusDescription(BusKind.Ideal), true);
        }

        Expect(model, JsonValueKind.Object, path);
        var kind = Word("mode", "ideal") switch
        {
            "ideal" => BusKind.Ideal,
            "shared" => BusKind.Shared,
            "banked" => BusKind.Banked,
            var other => throw Bad($"{path}.mode", $"'{other}' is not ideal, shared or banked"),
        };
        var arbitration = Word("arb", "rr") switch
        {
            "rr" => BusArbitration.RoundRobin,
            "fixed" => BusArbitration.Fixed,
            var other => throw Bad($"{path}.arb", $"'{other}' is not rr or fixed"),
        };
        var banks = (int)Optional("banks", 1, 1, MaxBanks);
        var bus = new BusDescription(
            kind,
            kind == BusKind.Banked ? banks : 1,
            (int)Optional("shift", 2, 0, 31),
            arbitration,
            (int)Optional("deny", 0, 0, 256),
            unchecked((uint)Optional("seed", 0, int.MinValue, uint.MaxValue)),
            (int)Optional("gnt_delay", 0, 0, MaxDelay),
            (int)Optional("rvalid_lat", 1, 1, MaxDelay));
        var responses = true;
        if (model.TryGetProperty("write_rvalid", out var value))
        {
            responses = value.ValueKind switch
            {
                JsonValueKind.True => true,
                JsonValueKind.False => false,
                _ => throw Bad($"{path}.write_rvalid", "it is not true or false"),
            };
        }

        return (bus, responses);

        string Word(string key, string missing)
        {
            if (!model.TryGetProperty(key, out var text))
            {
                return missing;
            }

            return Text(text, $"{path}.{key}");
        }

        long Optional(string key, long missing, long low, long high) =>
            model.TryGetProperty(key, out var number) ? Number(number, $"{path}.{key}", low, high) : missing;
    }

    private ushort[] ReadConfiguration(JsonElement words, string path)
    {
        var result = new ushort[16];
        foreach (var (item, itemPath, index) in Items(words, path, 16))
        {
            result[index] = (ushort)Number(item, itemPath, 0, ushort.MaxValue);
        }

        return result;
    }

    private uint[][] ReadContext(JsonElement banks, string path)
    {
        uint[][] result = [new uint[128], new uint[128], new uint[128], new uint[128]];
        foreach (var (item, itemPath, row) in Items(banks, path, 4))
        {
            var text = Text(item, itemPath);
            if (text.Length % 8 != 0 || text.Length > 128 * 8)
            {
                throw Bad(itemPath, $"{text.Length} hex digits are not a multiple of 8 up to {128 * 8}");
            }

            for (var word = 0; word < text.Length / 8; word++)
            {
                if (!uint.TryParse(text.AsSpan(word * 8, 8), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out result[row][word]))
                {
                    throw Bad(itemPath, $"'{text.Substring(word * 8, 8)}' is not a word of 8 hex digits");
                }
            }
        }

        return result;
    }

    private GoldenLaunch ReadLaunch(JsonElement launch, string path)
    {
        Expect(launch, JsonValueKind.Object, path);
        Refuse(launch, path, "no_wait", "launches that overlap are not modelled");
        Refuse(launch, path, "overlap", "launches that overlap are not modelled");
        var expect = Field(launch, path, "expect");
        var expectPath = $"{path}.expect";
        Expect(expect, JsonValueKind.Object, expectPath);
        return new GoldenLaunch(
            unchecked((int)Number(Field(launch, path, "kernel"), $"{path}.kernel", int.MinValue, uint.MaxValue)),
            Pointers("rd_ptr"),
            Pointers("wr_ptr"),
            launch.TryGetProperty("mem", out var memory) ? ReadWords(memory, $"{path}.mem") : [],
            Scalar("exec_first"),
            Scalar("done"),
            Columns("exec"),
            Columns("conf"),
            new PerformanceCounters(Scalar("kernels"), Columns("active"), Columns("stall")));

        uint[] Pointers(string key) => launch.TryGetProperty(key, out var pointers)
            ? [.. Items(pointers, $"{path}.{key}", 4).Select(i => Word32(i.Item, i.Path))]
            : [];

        long Scalar(string key) => Number(Field(expect, expectPath, key), $"{expectPath}.{key}", 0, MaxNumber);

        PerColumn Columns(string key)
        {
            var items = Items(Field(expect, expectPath, key), $"{expectPath}.{key}", 4)
                .Select(i => Number(i.Item, i.Path, 0, MaxNumber)).ToArray();
            return items.Length == 4 ? PerColumn.From(items) : throw Bad($"{expectPath}.{key}", "it has not one number for each of 4 columns");
        }
    }

    private (uint Address, uint Word)[] ReadWords(JsonElement words, string path)
    {
        var result = new (uint, uint)[Items(words, path).Count];
        foreach (var (item, itemPath, index) in Items(words, path))
        {
            if (item.ValueKind != JsonValueKind.Array || item.GetArrayLength() != 2)
            {
                throw Bad(itemPath, "it is not a pair [byte address, word]");
            }

            result[index] = (Word32(item[0], itemPath) & ~3u, Word32(item[1], itemPath));
        }

        return result;
    }

    private List<(JsonElement Item, string Path, int Index)> Items(JsonElement array, string path, int most = int.MaxValue)
    {
        Expect(array, JsonValueKind.Array, path);
        if (array.GetArrayLength() > most)
        {
            throw Bad(path, $"it has {array.GetArrayLength()} items, at most {most} are possible");
        }

        return [.. array.EnumerateArray().Select((item, index) => (item, $"{path}[{index}]", index))];
    }

    private JsonElement Field(JsonElement parent, string path, string key) =>
        parent.TryGetProperty(key, out var value) ? value : throw Bad($"{path}.{key}", "it is missing");

    private void Expect(JsonElement value, JsonValueKind kind, string path)
    {
        if (value.ValueKind != kind)
        {
            throw Bad(path, $"it is {Describe(value.ValueKind)} instead of {Describe(kind)}");
        }
    }

    private string Text(JsonElement value, string path)
    {
        Expect(value, JsonValueKind.String, path);
        return TextOrNull(value) ?? throw Bad(path, "it is not valid text");
    }

    private static string? TextOrNull(JsonElement value)
    {
        try
        {
            return value.GetString();
        }
        catch (InvalidOperationException)
        {
            return null; // half a surrogate pair, or bytes that are not UTF-8
        }
    }

    private uint Word32(JsonElement value, string path) => unchecked((uint)Number(value, path, int.MinValue, uint.MaxValue));

    private long Number(JsonElement value, string path, long low, long high)
    {
        Expect(value, JsonValueKind.Number, path);
        return value.TryGetInt64(out var number) && number >= low && number <= high
            ? number
            : throw Bad(path, $"{value.GetRawText()} is not an integer from {low.ToString(CultureInfo.InvariantCulture)} to {high.ToString(CultureInfo.InvariantCulture)}");
    }

    private void Refuse(JsonElement parent, string path, string key, string reason)
    {
        if (parent.TryGetProperty(key, out var value) && value.ValueKind is not (JsonValueKind.False or JsonValueKind.Null))
        {
            throw new DiagnosticException(ExecutionDiagnostics.VectorNotModelled(span, $"{path}.{key}", reason));
        }
    }

    private DiagnosticException Bad(string path, string reason) => new(ExecutionDiagnostics.VectorField(span, path, reason));

    private static string Describe(JsonValueKind kind) => kind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "an array",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => "a number",
        JsonValueKind.True or JsonValueKind.False => "true or false",
        _ => "null",
    };
}
