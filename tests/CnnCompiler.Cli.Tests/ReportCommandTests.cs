using System.Text.Json;
using System.Text.Json.Nodes;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Cli.Tests;

/// <summary><c>cnnc report</c>: its JSON is what the schema says, its numbers are those of a run.</summary>
public sealed class ReportCommandTests
{
    // Its parameters don't all stay in RAM on openedge: copies are part of the schedule.
    private const string Wide = "network wide {\n    weights seed 5\n    input x : i8[1x4x4x64] scale 0.5 zero 3\n    a = conv2d(x, filters=200, kernel=3x3, padding=same) : scale 9 zero 0\n    b = dense(a, units=200) : scale 90 zero 0\n    output b\n}\n";

    public static TheoryData<string> Targets => [.. CompilerTargets.All.Select(target => target.Name)];

    [Theory]
    [MemberData(nameof(Targets))]
    public void The_json_is_what_its_schema_says(string target)
    {
        var report = JsonNode.Parse(Cnnc.Run("report", Cnnc.Lenet5, "-t", target, "--json").Exits(0).Out)!;
        var schema = JsonNode.Parse(File.ReadAllText(Path.Combine(SharedMaterial.Repository, "docs", "report.schema.json")))!;
        var problems = new List<string>();
        Check(report, schema, "report", problems);
        Assert.Empty(problems);
        Assert.Equal(8, report["layers"]!.AsArray().Count(layer => (string)layer!["kind"]! != "input"));

        // the checker finds what is wrong
        ((JsonObject)report["layers"]![0]!).Remove("macs");
        report["total"]!["cycles"] = "many";
        report["more"] = 1;
        Check(report, schema, "report", problems);
        Assert.Equal(["report has no member 'more'", "report.layers[0] lacks 'macs'", "report.total.cycles is String, not integer"], problems.Order(StringComparer.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void Cycles_and_macs_are_those_of_a_run(string target)
    {
        using var scratch = new Scratch();
        var result = Cnnc.Run("report", Cnnc.Lenet5, "-t", target, "--input", Cnnc.Digit(7), "-o", scratch["report.json"]).Exits(0).Out;
        var report = JsonNode.Parse(File.ReadAllText(scratch["report.json"]))!;
        var run = JsonNode.Parse(Cnnc.Run("run", Cnnc.Lenet5, "-t", target, "--input", Cnnc.Digit(7), "--json").Exits(0).Out)!;
        Assert.Equal((long)run["cycles"]!["macs"]!, (long)report["total"]!["macs"]!);
        Assert.Equal((long)run["cycles"]!["total"]!, (long)report["total"]!["cycles"]!);
        Assert.Equal(report["layers"]!.AsArray().Sum(layer => (long)layer!["cycles"]!["total"]!) + (long)report["total"]!["cyclesOfNoLayer"]!, (long)report["total"]!["cycles"]!);
        Assert.Contains("measured by the interpreter", result, StringComparison.Ordinal);
        Assert.All(report["layers"]!.AsArray(), layer => Assert.Contains($"| {(string)layer!["name"]!} ", result, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("openedge", 0.1)]
    [InlineData("overlay", 0)]
    [InlineData("arrayflex", 0)]
    public void What_is_predicted_comes_near_to_what_is_measured(string target, double share)
    {
        foreach (var layer in Report(Cnnc.Lenet5, target)["layers"]!.AsArray().Where(layer => layer!["predicted"] is not null && (long)layer["macs"]! > 100_000))
        {
            var measured = target == "arrayflex" ? (double)layer!["cycles"]!["microseconds"]! * 1e9 : (long)layer!["cycles"]!["total"]!;
            Assert.InRange((long)layer["predicted"]!, measured * (1 - share) - 1, measured * (1 + share) + 1);
        }
    }

    // gconv's search leaves no alternatives behind
    [Theory]
    [InlineData("openedge")]
    [InlineData("arrayflex")]
    [InlineData("overlay")]
    public void Every_alternative_costs_at_least_what_was_chosen_and_a_forced_one_is_taken(string target)
    {
        var report = Report(Cnnc.Lenet5, target);
        var decision = report["layers"]!.AsArray().SelectMany(layer => layer!["decisions"]!.AsArray()).First(decision => decision!["rejected"]!.AsArray().Any(rejected => rejected!["forcedCost"] is not null))!;
        var rejected = decision["rejected"]!.AsArray().First(rejected => rejected!["forcedCost"] is not null)!;
        var forced = JsonNode.Parse(Cnnc.Run("report", Cnnc.Lenet5, "-t", target, "--json", "--force", $"{decision["name"]}={rejected["candidate"]}").Exits(0).Out)!;
        Assert.Contains(forced["layers"]!.AsArray().SelectMany(layer => layer!["decisions"]!.AsArray()), other =>
            (string)other!["name"]! == (string)decision["name"]! && (string)other["chosen"]! == (string)rejected["candidate"]! && (bool)other["forced"]!);
        Assert.All(report["layers"]!.AsArray().SelectMany(layer => layer!["decisions"]!.AsArray()), other =>
            Assert.All(other!["rejected"]!.AsArray(), alternative => Assert.True(alternative!["forcedCost"] is null || (long)alternative["forcedCost"]! >= (long)other["ownCost"]!)));
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void What_lies_in_memory_lies_inside_it_and_tensors_that_live_together_lie_apart(string target)
    {
        using var scratch = new Scratch();
        foreach (var network in (string[])[Cnnc.Lenet5, scratch.Write("wide.cnn", Wide)])
        {
            var report = Report(network, target);
            var memory = report["memory"]!;
            var layers = report["layers"]!.AsArray().Select(layer => (string)layer!["name"]!).ToList();
            var ranges = memory["ranges"]!.AsArray().Select(range => (Name: (string)range!["name"]!, First: (long)range["address"]!, Bytes: (long)range["bytes"]!, From: (int)range["firstLayer"]!, To: (int)range["lastLayer"]!)).ToList();
            Assert.NotEmpty(ranges);
            Assert.All(ranges, range => Assert.True(
                range.First >= (long)memory["reservedBytes"]! && range.First + range.Bytes <= (long)memory["capacityBytes"]! && range.From >= 0 && range.From <= range.To && range.To < layers.Count, range.ToString()));
            var tensors = ranges.Where(range => layers.Contains(range.Name)).ToList();
            Assert.True(tensors.Count >= 2);

            // a tensor is there in the layer that makes it; one that lives into a later layer lies apart from what is made before that
            foreach (var tensor in tensors)
            {
                Assert.InRange(layers.IndexOf(tensor.Name), tensor.From, tensor.To);
                Assert.All(tensors.Where(other => other != tensor && other.From < tensor.To && tensor.From < other.To), other =>
                    Assert.True(other.First >= tensor.First + tensor.Bytes || tensor.First >= other.First + other.Bytes, $"{tensor} {other}"));
            }

            Assert.Equal(report["layers"]!.AsArray().Max(layer => (long)layer!["memoryBytes"]!), (long)memory["peakBytes"]!);
        }
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void The_trace_holds_the_schedule(string target)
    {
        using var scratch = new Scratch();
        foreach (var network in (string[])[Cnnc.Lenet5, scratch.Write("wide.cnn", Wide)])
        {
            Cnnc.Run("report", network, "-t", target, "-o", scratch["report.json"], "--trace", scratch["trace.json"]).Exits(0);
            var report = JsonNode.Parse(File.ReadAllText(scratch["report.json"]))!;
            var events = JsonNode.Parse(File.ReadAllText(scratch["trace.json"]))!["traceEvents"]!.AsArray();
            Assert.Equal(["layers", "array", "host"], events.Where(e => (string)e!["ph"]! == "M").Select(e => (string)e!["args"]!["name"]!));
            foreach (var thread in (int[])[1, 2])
            {
                var work = events.Where(e => (string)e!["ph"]! == "X" && (int)e["tid"]! == thread).ToList();
                Assert.All(work.Zip(work.Skip(1)), pair => Assert.True((double)pair.First!["ts"]! + (double)pair.First["dur"]! <= (double)pair.Second!["ts"]! + 1e-6));
                var expected = (thread, target) switch
                {
                    (1, "openedge") => Sum("array"),
                    (1, _) => Sum("total"),
                    (_, "openedge") => Sum("exposedHost") + Sum("hiddenHost"),
                    _ => 0,
                };
                Assert.Equal(expected, work.Sum(e => (long)e!["args"]!["cycles"]!));
            }

            Assert.Contains(events, e => (string)e!["ph"]! == "C" && (long)e["args"]!["bytes"]! == (long)report["memory"]!["peakBytes"]!);

            long Sum(string part) => report["layers"]!.AsArray().Sum(layer => (long)layer!["cycles"]![part]!);
        }
    }

    [Fact]
    public void Results_never_overwrite_the_source_and_wrong_inputs_are_diagnosed()
    {
        using var scratch = new Scratch();
        var network = scratch.Write("wide.cnn", Wide);
        Assert.Contains("CNN0018", Cnnc.Run("report", network, "-t", "openedge", "-o", network).Exits(1).Error, StringComparison.Ordinal);
        Assert.Contains("CNN0018", Cnnc.Run("report", network, "-t", "openedge", "--trace", network).Exits(1).Error, StringComparison.Ordinal);
        Assert.Contains("error CNN", Cnnc.Run("report", network, "-t", "openedge", "--input", network).Exits(1).Error, StringComparison.Ordinal);
        Assert.Contains("error CNN", Cnnc.Run("report", scratch.Write("none.cnn", "network"), "-t", "openedge", "-o", scratch["r.json"]).Exits(1).Error, StringComparison.Ordinal);
        Assert.Equal(["none.cnn", "wide.cnn"], scratch.Names);
    }

    private static JsonNode Report(string network, string target) => JsonNode.Parse(Cnnc.Run("report", network, "-t", target, "--json").Exits(0).Out)!;

    // The part of JSON Schema that the schema is written in.
    private static void Check(JsonNode? value, JsonNode schema, string path, List<string> problems)
    {
        var kind = value?.GetValueKind() ?? JsonValueKind.Null;
        if (schema["const"] is { } constant && !JsonNode.DeepEquals(constant, value))
        {
            problems.Add($"{path} is not {constant}");
        }

        if (schema["enum"] is { } names && !names.AsArray().Any(name => JsonNode.DeepEquals(name, value)))
        {
            problems.Add($"{path} is none of {names}");
        }

        if (schema["type"] is { } types)
        {
            var allowed = types is JsonArray several ? several.Select(type => (string)type!).ToList() : [(string)types!];
            if (!allowed.Any(type => type switch
            {
                "object" => kind == JsonValueKind.Object,
                "array" => kind == JsonValueKind.Array,
                "string" => kind == JsonValueKind.String,
                "boolean" => kind is JsonValueKind.True or JsonValueKind.False,
                "null" => kind == JsonValueKind.Null,
                "integer" => kind == JsonValueKind.Number && ((JsonValue)value!).TryGetValue<long>(out _),
                "number" => kind == JsonValueKind.Number,
                _ => throw new InvalidOperationException($"the schema has a type {type}"),
            }))
            {
                problems.Add($"{path} is {kind}, not {string.Join(" or ", allowed)}");
            }
        }

        if (value is JsonObject members && schema["properties"] is JsonObject properties)
        {
            problems.AddRange(schema["required"]!.AsArray().Where(name => !members.ContainsKey((string)name!)).Select(name => $"{path} lacks '{name}'"));
            foreach (var (name, member) in members)
            {
                if (properties[name] is { } property)
                {
                    Check(member, property, $"{path}.{name}", problems);
                }
                else
                {
                    problems.Add($"{path} has no member '{name}'");
                }
            }
        }

        if (value is JsonArray items && schema["items"] is { } item)
        {
            for (var i = 0; i < items.Count; i++)
            {
                Check(items[i], item, $"{path}[{i}]", problems);
            }
        }
    }
}
