using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Image.Tests.Machines;

/// <summary>Descriptions of systolic arrays.</summary>
public sealed class SystolicMachineTests
{
    private const string Folder = "runtime/CnnCompiler.Primitives/Machines";
    private static readonly string Shipped = File.ReadAllText(Path.Combine(SharedMaterial.Repository, Folder, "arrayflex.machine.json"));

    [Fact]
    public void The_shipped_arrays_are_those_of_the_paper_and_two_small_ones()
    {
        Assert.Equal([(128, 128), (256, 256), (32, 32), (16, 16)], BuiltInMachines.ArrayFlex.Select(machine => (machine.Rows, machine.Columns)));
        Assert.All(BuiltInMachines.ArrayFlex, machine =>
        {
            Assert.Equal($"arrayflex-{machine.Rows}x{machine.Columns}", machine.Name);
            Assert.Same(machine, BuiltInMachines.Find(machine.Name));
            Assert.Equal([1, 2, 4], machine.Systolic!.Depths);
            Assert.Equal([2000, 1800, 1700, 1400], new[] { SystolicKeys.FixedClock, SystolicKeys.Clock(1), SystolicKeys.Clock(2), SystolicKeys.Clock(4) }.Select(key => machine.Systolic[key]));
        });
    }

    [Fact]
    public void Every_value_has_a_source_and_those_that_are_not_published_say_that_they_are_assumed() => Assert.All(
        BuiltInMachines.ArrayFlex.SelectMany(machine => SystolicKeys.All.Select(key => machine.Systolic!.Find(key)).OfType<SourcedValue>()),
        value => Assert.True(value.Source.StartsWith("assumed", StringComparison.Ordinal) || value.Source.Contains("ArrayFlex", StringComparison.Ordinal) || value.Source.Contains("ISSCC", StringComparison.Ordinal), value.Source));

    [Fact]
    public void Writing_and_reading_gives_the_same_machine_and_the_same_bytes() => Assert.All(BuiltInMachines.ArrayFlex.Concat(BuiltInMachines.Overlay).Concat(BuiltInMachines.Gconv), machine =>
    {
        var bytes = MachineDescriptionJson.Write(machine);
        var again = ParseOne(Encoding.UTF8.GetString(bytes));
        Assert.Equal(machine, again);
        Assert.Equal(machine.GetHashCode(), again.GetHashCode());
        Assert.Equal(bytes, MachineDescriptionJson.Write(again));
    });

    [Fact]
    public void Every_number_of_the_file_reaches_its_key_and_no_other()
    {
        foreach (var key in SystolicKeys.All)
        {
            var plain = ParseOne(RootWith(key).ToJsonString()).Systolic!;
            if (plain.Find(key) is null)
            {
                Assert.False(key.Required);
                continue;
            }

            var changed = RootWith(key);
            var value = plain[key] < key.Maximum ? plain[key] + 1 : plain[key] - 1;
            changed[key.Section]![key.Name] = JsonNode.Parse($$"""{ "value": {{value}}, "source": "test" }""");
            var other = ParseOne(changed.ToJsonString()).Systolic!;
            Assert.Equal(new(value, "test"), other.Find(key));
            Assert.Equal(plain.With(key, new(value, "test")), other);
            Assert.NotEqual(plain, other);
        }
    }

    [Fact]
    public void Every_required_key_is_missed_and_every_range_is_checked() => Assert.All(SystolicKeys.All, key =>
    {
        var root = RootWith(key);
        root[key.Section]!.AsObject().Remove(key.Name);
        if (key.Required)
        {
            Assert.Equal("CNN0404", Refusal(root).Code);
        }

        root[key.Section]![key.Name] = JsonNode.Parse($$"""{ "value": {{key.Maximum + 1}}, "source": "test" }""");
        Assert.Equal("CNN0406", Refusal(root).Code);
        root[key.Section]![key.Name] = JsonNode.Parse($$"""{ "value": {{key.Maximum}} }""");
        Assert.Contains("source", Refusal(root).Message, StringComparison.Ordinal);
        root[key.Section]![key.Name] = 1;
        Assert.Equal("CNN0405", Refusal(root).Code);
    });

    [Theory]
    [InlineData("rows", "0", "CNN0406")]
    [InlineData("bus", "{}", "CNN0403")]
    [InlineData("isaRevision", "\"arrayflex-2\"", "CNN0409")]
    public void What_is_no_systolic_array_is_refused(string key, string value, string code)
    {
        var root = Root();
        root[key] = JsonNode.Parse(value);
        Assert.Equal(code, Refusal(root).Code);
    }

    [Fact]
    public void Depths_have_the_clocks_of_the_file_and_mixed_ones_lie_between()
    {
        var machine = BuiltInMachines.ArrayFlex[0].Systolic!;
        Assert.Equal([555_556, 588_235, 714_286, 500_000], [machine.PeriodFemtoseconds(1, 1), machine.PeriodFemtoseconds(2, 2), machine.PeriodFemtoseconds(4, 4), machine.FixedPeriodFemtoseconds]);
        Assert.InRange(machine.PeriodFemtoseconds(4, 2), machine.PeriodFemtoseconds(2, 2) + 1, machine.PeriodFemtoseconds(2, 4) - 1);
        Assert.InRange(machine.PeriodFemtoseconds(2, 4), machine.PeriodFemtoseconds(4, 2) + 1, machine.PeriodFemtoseconds(4, 4) - 1);
    }

    [Fact]
    public void The_schemas_for_editors_are_what_the_keys_say()
    {
        Snapshot.Check($"{Folder}/arrayflex.schema.json", Schema(SystolicKeys.Revision, "cnnc systolic array description", [.. SystolicKeys.Sections.Where(section => SystolicKeys.OwnSections.All(own => own.Section != section))]));
        Snapshot.Check($"{Folder}/overlay.schema.json", Schema(SystolicKeys.OverlayRevision, "cnnc overlay description", [.. SystolicKeys.Sections.Where(section => section != SystolicKeys.NestSection)]));
        Snapshot.Check($"{Folder}/gconv.schema.json", Schema(SystolicKeys.NestRevision, "cnnc description of an accelerator of general convolutions", [.. SystolicKeys.Sections.Where(section => section != SystolicKeys.OverlaySection)]));
    }

    [Fact]
    public void Overlays_need_their_section_and_systolic_arrays_have_none()
    {
        Assert.All(SystolicKeys.All.Where(key => key.Section == SystolicKeys.OverlaySection), key =>
        {
            var array = Root();
            array[SystolicKeys.OverlaySection] = OverlayRoot()[SystolicKeys.OverlaySection]!.DeepClone();
            Assert.Equal("CNN0403", Refusal(array).Code);
            var overlay = OverlayRoot();
            overlay.Remove(SystolicKeys.OverlaySection);
            Assert.Equal("CNN0404", Refusal(overlay).Code);
        });
        Assert.All(BuiltInMachines.Overlay, machine => Assert.Same(machine, BuiltInMachines.Find(machine.Name)));
    }

    [Fact]
    public void Every_value_of_an_overlay_has_a_source_or_says_that_it_is_assumed() => Assert.All(
        BuiltInMachines.Overlay.SelectMany(machine => SystolicKeys.All.Select(key => machine.Systolic!.Find(key)).OfType<SourcedValue>()),
        value => Assert.True(value.Source.StartsWith("assumed", StringComparison.Ordinal) || value.Source.Contains("DYNAMAP", StringComparison.Ordinal) || value.Source.Contains("UG579", StringComparison.Ordinal), value.Source));

    [Fact]
    public void Accelerators_of_general_convolutions_are_five_and_none_of_another_revision_has_their_section()
    {
        Assert.Equal(["eyeriss", "tpu", "dnnweaver", "nlr", "eager-pruning"], BuiltInMachines.Gconv.Select(machine => machine.Name));
        Assert.All(BuiltInMachines.Gconv, machine => Assert.Same(machine, BuiltInMachines.Find(machine.Name)));
        Assert.All(BuiltInMachines.Gconv.SelectMany(machine => SystolicKeys.All.Select(key => machine.Systolic!.Find(key)).OfType<SourcedValue>()), value => Assert.True(
            value.Source.StartsWith("assumed", StringComparison.Ordinal) || value.Source.Contains("remembered", StringComparison.Ordinal),
            value.Source));
    }

    // A machine of the kind that has a key.
    private static JsonObject RootWith(SystolicKey key) => key.Section == SystolicKeys.NestSection ? RootOf("gconv.machine.json") : OverlayRoot();

    private static JsonObject OverlayRoot() => RootOf("overlay.machine.json");

    private static JsonObject RootOf(string file)
    {
        var root = JsonNode.Parse(File.ReadAllText(Path.Combine(SharedMaterial.Repository, Folder, file)))!.AsObject();
        root.Remove("variants");
        return root;
    }

    private static JsonObject Root()
    {
        var root = JsonNode.Parse(Shipped)!.AsObject();
        root.Remove("variants");
        return root;
    }

    private static MachineDescription ParseOne(string text)
    {
        var bag = new DiagnosticBag();
        var machines = MachineDescriptionJson.Parse(Encoding.UTF8.GetBytes(text), "m", bag);
        Assert.Empty(bag.Diagnostics);
        return Assert.Single(machines!);
    }

    private static Diagnostic Refusal(JsonObject root)
    {
        var bag = new DiagnosticBag();
        Assert.Null(MachineDescriptionJson.Parse(Encoding.UTF8.GetBytes(root.ToJsonString()), "m", bag));
        return bag.Diagnostics[0];
    }

    private static string Schema(string revision, string title, IReadOnlyList<string> required)
    {
        var sections = new JsonObject();
        foreach (var section in required)
        {
            var keys = SystolicKeys.All.Where(key => key.Section == section).ToList();
            sections[section] = Object(
                [.. keys.Where(key => key.Required).Select(key => key.Name)],
                keys.Select(key => (key.Name, (JsonNode)Value(key))));
        }

        var top = new List<(string, JsonNode)>
        {
            ("$schema", Text()),
            ("name", Text()),
            ("isaRevision", new JsonObject { ["const"] = revision }),
            ("rows", Integer(1, 1024)),
            ("columns", Integer(1, 1024)),
            ("ram", Object(["bytes", "bankBytes", "reservedBytes"], new[] { "bytes", "bankBytes", "reservedBytes" }.Select(name => (name, (JsonNode)Integer(0, 1 << 28))))),
            ("variants", new JsonObject { ["type"] = "object", ["description"] = "Machines that differ in whole top-level keys, by name." }),
        };
        var root = Object(["name", "isaRevision", "rows", "columns", "ram", .. required], top.Concat(sections.Select(section => (section.Key, section.Value!.DeepClone()))));
        root.Insert(0, "$schema", "https://json-schema.org/draft/2020-12/schema");
        root.Insert(1, "title", title);
        return root.ToJsonString(new JsonSerializerOptions { WriteIndented = true, NewLine = "\n" }) + "\n";

        static JsonObject Value(SystolicKey key)
        {
            var value = Object(["value", "source"], [("value", Integer(key.Minimum, key.Maximum)), ("source", Text())]);
            value["description"] = $"{key.Summary}; {key.Unit}";
            return value;
        }

        static JsonObject Text() => new() { ["type"] = "string" };

        static JsonObject Integer(long low, long high) => new() { ["type"] = "integer", ["minimum"] = low, ["maximum"] = high };

        static JsonObject Object(IReadOnlyList<string> required, IEnumerable<(string Name, JsonNode Value)> members)
        {
            var properties = new JsonObject();
            foreach (var (name, value) in members)
            {
                properties[name] = value;
            }

            return new() { ["type"] = "object", ["additionalProperties"] = false, ["required"] = new JsonArray([.. required.Select(name => JsonValue.Create(name))]), ["properties"] = properties };
        }
    }
}
