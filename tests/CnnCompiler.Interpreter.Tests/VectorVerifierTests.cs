using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using CnnCompiler.Fuzzing;
using CnnCompiler.Interpreter.Vectors;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Interpreter.Tests;

/// <summary>That the verifier notices: it is worth as much as what it refuses.</summary>
public sealed class VectorVerifierTests
{
    private static readonly JsonArray Directed = JsonNode.Parse(File.ReadAllBytes(SharedMaterial.Vectors("openedge", "directed.json")))!.AsArray();

    [Fact]
    public void Every_number_that_is_expected_counts()
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var name in (string[])["many_kernels_resident_and_reload", "stalls_model2_shared", "mask_10"])
        {
            var vector = Vector(name);
            for (var launch = 0; launch < vector["launches"]!.AsArray().Count; launch++)
            {
                foreach (var (field, value) in vector["launches"]![launch]!["expect"]!.AsObject().ToList())
                {
                    for (var column = 0; column < (value is JsonArray ? 4 : 1); column++)
                    {
                        var changed = vector.DeepClone();
                        Increment(changed["launches"]![launch]!["expect"]!, field, value is JsonArray ? column : null);
                        var difference = Assert.Single(Verify(changed)).Difference;
                        Assert.StartsWith(string.Create(CultureInfo.InvariantCulture, $"launch {launch}: {field} is "), difference, StringComparison.Ordinal);
                        names.Add(field);
                    }
                }
            }

            foreach (var field in (string[])["expect_reads", "expect_writes"])
            {
                var changed = vector.DeepClone();
                Increment(changed, field, null);
                Assert.StartsWith($"{field} is ", Assert.Single(Verify(changed)).Difference, StringComparison.Ordinal);
            }
        }

        Assert.Superset(new HashSet<string>(["exec_first", "done", "exec", "conf", "active", "stall", "kernels"], StringComparer.Ordinal), names);
    }

    [Fact]
    public void Memory_must_change_exactly_where_it_is_expected_to()
    {
        var vector = Vector("nested_loops");
        var words = vector["expect_mem"]!.AsArray().Count;
        Assert.NotEqual(0, words);
        for (var index = 0; index < words; index++)
        {
            var wrong = vector.DeepClone();
            Increment(wrong["expect_mem"]![index]!, null, 1);
            Assert.Contains("memory at byte address", Assert.Single(Verify(wrong)).Difference, StringComparison.Ordinal);

            var missing = vector.DeepClone();
            missing["expect_mem"]!.AsArray().RemoveAt(index);
            Assert.Contains("expected unchanged", Assert.Single(Verify(missing)).Difference, StringComparison.Ordinal);
        }

        var additional = vector.DeepClone();
        additional["expect_mem"]!.AsArray().Add(new JsonArray(1 << 20, 0));
        Assert.Contains("did not change", Assert.Single(Verify(additional)).Difference, StringComparison.Ordinal);
    }

    [Fact]
    public void A_changed_instruction_a_changed_constant_and_a_changed_memory_model_are_noticed()
    {
        // SSUB (opcode 2) becomes SADD (1): bits 23:19 of every SSUB.
        Assert.False(Assert.Single(Verify(WithInstructions("op2_SSUB", w => (w >> 19 & 31) == 2 ? w ^ (3u << 19) : w))).Passed);
        Assert.False(Assert.Single(Verify(WithInstructions("op4_FXPMUL", w => (w >> 19 & 31) == 4 ? w ^ (7u << 19) : w))).Passed);
        Assert.False(Assert.Single(Verify(WithInstructions("nested_loops", w => (w >> 19 & 31) is >= 16 and < 20 ? w ^ 1u : w))).Passed);
        Assert.True(Assert.Single(Verify(WithInstructions("op2_SSUB", w => w))).Passed);

        var shared = Vector("stalls_model0_ideal");
        shared["memory_model"]!["mode"] = "shared";
        Assert.False(Assert.Single(Verify(shared)).Passed);
    }

    [Fact]
    public void A_vector_is_named_and_a_kernel_that_never_ends_is_a_diagnostic_with_launch_and_step()
    {
        var vector = WithInstructions("op2_SSUB", w => (w >> 19 & 31) == 25 ? 0 : w);
        var result = Assert.Single(VerifyBytes(Bytes(vector), maxCycles: 5000));
        Assert.Equal("op2_SSUB", result.Name);
        Assert.StartsWith("x.json: error CNN0701: launch 0 (kernel 'id 1') has not ended after 5,000 cycles; it is at step ", result.Diagnostic!.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(16)]
    public void An_id_that_requests_nothing_is_a_diagnostic(int id)
    {
        var vector = Vector("op2_SSUB");
        vector["launches"]![0]!["kernel"] = id;
        Assert.Equal("CNN0703", Assert.Single(Verify(vector)).Diagnostic!.Code);
    }

    [Fact]
    public void Mask_0_is_a_diagnostic()
    {
        var vector = Vector("op2_SSUB");
        vector["kmem"]![1] = 7;
        Assert.Equal("CNN0702", Assert.Single(Verify(vector)).Diagnostic!.Code);
    }

    [Fact]
    public void A_bus_that_grants_nothing_is_a_diagnostic()
    {
        var vector = Vector("stalls_model0_ideal");
        vector["memory_model"]!["deny"] = 256;
        Assert.Equal("CNN0719", Assert.Single(Verify(vector)).Diagnostic!.Code);
    }

    [Fact]
    public void Late_store_responses_are_refused_only_where_a_load_takes_one_for_its_data()
    {
        // A store in row 0 and a load in row 1 of one column and step; then the same the other way round.
        var hazard = Column("0,swd,lwd");
        hazard["memory_model"] = JsonNode.Parse("""{"mode":"ideal","rvalid_lat":2}""");
        Assert.Equal("CNN0718", Assert.Single(Verify(hazard)).Diagnostic!.Code);
        hazard["memory_model"]!["write_rvalid"] = false;
        Assert.Null(Assert.Single(Verify(hazard)).Diagnostic);

        var safe = Column("0,lwd,swd");
        safe["memory_model"] = JsonNode.Parse("""{"mode":"ideal","rvalid_lat":2}""");
        Assert.Null(Assert.Single(Verify(safe)).Diagnostic);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("3")]
    [InlineData("[{\"name\":")]
    [InlineData("[\u0001]")]
    public void A_file_that_is_no_list_of_vectors_is_one_failure_with_a_diagnostic(string json)
    {
        var result = Assert.Single(VerifyBytes(Encoding.UTF8.GetBytes(json)));
        Assert.False(result.Passed);
        Assert.Equal("CNN0720", result.Diagnostic!.Code);
        Assert.Equal("x.json", result.Diagnostic.Span.File);
    }

    [Fact]
    public void Broken_JSON_is_shown_with_line_and_column()
    {
        var result = Assert.Single(VerifyBytes("[\n  {\n    oops"u8.ToArray()));
        Assert.StartsWith("x.json(3,5): error CNN0720", result.Diagnostic!.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_byte_order_mark_is_skipped()
    {
        byte[] file = [0xEF, 0xBB, 0xBF, .. Bytes(Vector("op2_SSUB"))];
        Assert.True(Assert.Single(VerifyBytes(file)).Passed);
    }

    [Fact]
    public void Every_field_that_is_missing_or_of_another_kind_is_a_diagnostic_with_its_path()
    {
        string[] defaults = ["name", "memory_model", "mem", "rd_ptr", "wr_ptr"];
        var vector = Vector("mask_10");
        foreach (var path in (string[][])[[], ["memory_model"], ["launches", "0"], ["launches", "0", "expect"]])
        {
            foreach (var key in Walk(vector, path).AsObject().Select(p => p.Key).ToList())
            {
                if (!defaults.Contains(key) && path is not ["memory_model"])
                {
                    var missing = vector.DeepClone();
                    Walk(missing, path).AsObject().Remove(key);
                    AssertField(missing, key);
                }

                foreach (var value in (string[])["null", "{}", "\"x\"", "-1.5", "1e99", "[[]]"])
                {
                    var wrong = vector.DeepClone();
                    Walk(wrong, path)[key] = JsonNode.Parse(value);
                    if (key is not "name" && (key, value) is not ("memory_model", "{}"))
                    {
                        AssertField(wrong, key);
                    }
                }
            }
        }
    }

    [Theory]
    [InlineData("no_wait", true)]
    [InlineData("overlap", 3)]
    public void Overlapping_launches_are_refused_by_name(string key, object value)
    {
        var vector = Vector("op2_SSUB");
        vector["launches"]![0]![key] = JsonValue.Create(value);
        var diagnostic = Assert.Single(Verify(vector)).Diagnostic!;
        Assert.Equal("CNN0722", diagnostic.Code);
        Assert.Contains(key, diagnostic.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void One_bad_vector_does_not_hide_the_others()
    {
        var results = Verify(Vector("op2_SSUB"), JsonNode.Parse("7")!, Vector("op6_SRL"));
        Assert.Equal(["op2_SSUB", "vector 1", "op6_SRL"], results.Select(r => r.Name));
        Assert.Equal([true, false, true], results.Select(r => r.Passed));
    }

    [Fact]
    public void Damaged_files_give_results_and_never_an_exception()
    {
        var file = Bytes(Vector("many_kernels_resident_and_reload"), Vector("stalls_model2_shared"));
        var generator = new SeededRandom(7);
        for (var round = 0; round < 1500; round++)
        {
            var damaged = (byte[])file.Clone();
            for (var flips = 1 + generator.Below(4); flips > 0; flips--)
            {
                damaged[generator.Below(damaged.Length)] = (generator.Below(3)) switch
                {
                    0 => (byte)generator.NextBits(),
                    1 => (byte)('0' + generator.Below(10)),
                    _ => (byte)"[]{},:\"-e\\"[generator.Below(10)],
                };
            }

            var length = generator.Below(4) == 0 ? generator.Below(damaged.Length) : damaged.Length;
            Assert.NotEmpty(VerifyBytes(damaged.AsMemory(0, length), maxCycles: 3000));
        }
    }

    [Fact]
    public void A_name_that_is_no_text_is_replaced_by_the_vectors_place()
    {
        var json = Encoding.UTF8.GetString(Bytes(Vector("op2_SSUB"))).Replace("\"op2_SSUB\"", "\"\\ud800\"", StringComparison.Ordinal);
        Assert.Equal("vector 0", Assert.Single(VerifyBytes(Encoding.UTF8.GetBytes(json))).Name);
    }

    private static void AssertField(JsonNode vector, string key)
    {
        var result = Assert.Single(Verify(vector));
        Assert.NotNull(result.Diagnostic);
        Assert.Equal("CNN0721", result.Diagnostic.Code);
        Assert.Contains(key, result.Diagnostic.Message, StringComparison.Ordinal);
    }

    private static JsonNode Walk(JsonNode node, IEnumerable<string> path) =>
        path.Aggregate(node, (n, key) => n is JsonArray ? n[int.Parse(key, CultureInfo.InvariantCulture)]! : n[key]!);

    private static void Increment(JsonNode parent, string? field, int? index)
    {
        var holder = field is null ? parent : index is null ? parent : parent[field]!;
        if (index is { } i)
        {
            holder[i] = holder[i]!.GetValue<long>() ^ 1;
        }
        else
        {
            holder[field!] = holder[field!]!.GetValue<long>() + 1;
        }
    }

    /// <summary>A vector of one column whose step 0 has a memory access in rows 1 and 2; its expectations are not met.</summary>
    private static JsonNode Column(string rows)
    {
        var vector = Vector("op2_SSUB");
        vector["kmem"]![1] = 2 | (1 << 12);
        vector["imem"] = new JsonArray([.. rows.Split(',').Select(op => (JsonNode)(op switch
        {
            "lwd" => "00a80004",
            "swd" => "00b00004",
            _ => "000000000000000000c80000",
        }))]);
        return vector;
    }

    private static JsonNode WithInstructions(string name, Func<uint, uint> change)
    {
        var vector = Vector(name);
        var banks = vector["imem"]!.AsArray();
        for (var row = 0; row < banks.Count; row++)
        {
            var text = banks[row]!.GetValue<string>();
            banks[row] = string.Concat(Enumerable.Range(0, text.Length / 8).Select(i =>
                change(Convert.ToUInt32(text.Substring(8 * i, 8), 16)).ToString("x8", CultureInfo.InvariantCulture)));
        }

        return vector;
    }

    private static JsonNode Vector(string name) => Directed.Single(v => v!["name"]!.GetValue<string>() == name)!.DeepClone();

    private static byte[] Bytes(params JsonNode[] vectors) => Encoding.UTF8.GetBytes(new JsonArray([.. vectors.Select(v => v.DeepClone())]).ToJsonString());

    private static IReadOnlyList<VectorResult> Verify(params JsonNode[] vectors) => VerifyBytes(Bytes(vectors), maxCycles: 100_000);

    private static IReadOnlyList<VectorResult> VerifyBytes(ReadOnlyMemory<byte> json, long maxCycles = VectorVerifier.DefaultMaxCycles) =>
        VectorVerifier.Verify("x.json", json, maxCycles, cancellation: TestContext.Current.CancellationToken);
}
