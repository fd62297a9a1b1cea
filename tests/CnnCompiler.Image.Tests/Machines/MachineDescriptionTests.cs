using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Image.Tests.Machines;

public sealed class MachineDescriptionTests
{
    private static readonly string Shipped = File.ReadAllText(Path.Combine(SharedMaterial.Repository, "runtime", "CnnCompiler.Primitives", "Machines", "openedge.machine.json"));

    [Fact]
    public void The_shipped_machines_are_the_three_variants_and_the_shared_bus_is_the_default()
    {
        Assert.Equal(["openedge", "openedge-banked8", "openedge-ideal"], BuiltInMachines.All.Select(machine => machine.Name));
        Assert.Equal(new BusDescription(BusKind.Shared), BuiltInMachines.Default.Bus);
        Assert.Equal(new BusDescription(BusKind.Banked, 8, 2, BusArbitration.RoundRobin), BuiltInMachines.Find("openedge-banked8")!.Bus);
        Assert.Equal(new BusDescription(BusKind.Ideal), BuiltInMachines.Find("openedge-ideal")!.Bus);
        Assert.Null(BuiltInMachines.Find("openedge-16x16"));
        Assert.All(BuiltInMachines.All, machine => Assert.Equal(BuiltInMachines.Default with { Name = machine.Name, Bus = machine.Bus }, machine));
    }

    [Fact]
    public void The_shipped_machines_have_the_values_of_the_specification()
    {
        var path = SharedMaterial.Find("specs", "openedge.machine.json");
        Assert.SkipUnless(path is not null, SharedMaterial.Reason);
        var bag = new DiagnosticBag();
        Assert.Equal(MachineDescriptionJson.Parse(File.ReadAllBytes(path), path, bag), BuiltInMachines.All);
        Assert.Empty(bag.Diagnostics);
        Assert.Equal(JsonSerializer.Serialize(JsonNode.Parse(File.ReadAllText(path))), JsonSerializer.Serialize(JsonNode.Parse(Shipped)));
    }

    [Fact]
    public void A_file_that_is_too_long_is_refused_unread()
    {
        var bag = new DiagnosticBag();
        Assert.Null(MachineDescriptionJson.Parse(new byte[MachineDescriptionJson.LongestFile + 1], "m.json", bag));
        Assert.Equal("CNN0402", Assert.Single(bag.Diagnostics).Code);
        Assert.NotNull(MachineDescriptionJson.Parse(Encoding.UTF8.GetBytes(Shipped.PadRight(MachineDescriptionJson.LongestFile)), "m.json", bag));
    }

    [Fact]
    public void Every_number_of_the_file_reaches_its_member()
    {
        // Each integer of the file is replaced by itself plus its multiple: exactly one member of the record may change.
        var members = new HashSet<string>();
        var root = JsonNode.Parse(Shipped)!.AsObject();
        root.Remove("variants");
        root["bus"] = JsonNode.Parse("""{ "kind": "banked", "banks": 8, "shift": 3, "arbitration": "fixed", "denyProbability": 7, "denySeed": 9, "grantDelay": 2, "readLatency": 3 }""");
        root["energy"] = new JsonObject(EnergyKeys.All.Select(key => KeyValuePair.Create(key.Name, (JsonNode?)new JsonObject { ["value"] = 1_000_000 + key.Index, ["source"] = "test" })));
        var plain = ParseOne(root.ToJsonString());
        foreach (var key in MachineKeys.All.Where(key => key.Kind == MachineValueKind.Integer && key.Name is not ("rows" or "columns")))
        {
            var changed = JsonNode.Parse(root.ToJsonString())!;
            var section = key.Section.Split('.', StringSplitOptions.RemoveEmptyEntries).Aggregate(changed, (node, name) => node[name]!);
            var value = (long)section[key.Name]!;
            var other = value + key.MultipleOf <= key.Maximum ? value + key.MultipleOf : value - key.MultipleOf;
            if (key.Path is "ram.bankBytes")
            {
                other = value / 2;
            }
            else if (key.Path is "ram.bytes")
            {
                other = value * 2;
            }

            section[key.Name] = other;
            var difference = Assert.Single(Flatten(ParseOne(changed.ToJsonString())).Except(Flatten(plain)));
            Assert.EndsWith("=" + other.ToString(System.Globalization.CultureInfo.InvariantCulture), difference, StringComparison.Ordinal);
            Assert.True(members.Add(difference.Split('=')[0]), difference);
        }
    }

    [Fact]
    public void Writing_and_reading_gives_the_same_machine_and_the_same_bytes()
    {
        var plain = BuiltInMachines.Default;
        MachineDescription[] machines =
        [
            .. BuiltInMachines.All,
            plain with { Name = "v", Bus = new(BusKind.Banked, 4, 10, BusArbitration.Fixed, 128, uint.MaxValue, 3, 4), Ram = plain.Ram with { Sparse = true } },
            plain with { Name = "w", Bus = new(BusKind.Shared, 8, 3, BusArbitration.Fixed) },
            plain with { Name = "x", Bus = new(BusKind.Ideal, DenyProbability: 20), MinStepsPerKernel = 1, FlashBytes = 0 },
            plain with { Name = "y", Energy = EnergyDescription.Published.With(EnergyKeys.RamRead, new(7, "measured")).With(EnergyKeys.Nop, new(0, "")) },
        ];
        foreach (var machine in machines)
        {
            var bytes = MachineDescriptionJson.Write(machine);
            var again = ParseOne(Encoding.UTF8.GetString(bytes));
            Assert.Equal(machine, again);
            Assert.Equal(bytes, MachineDescriptionJson.Write(again));
        }
    }

    [Theory]
    [InlineData("\"rows\": 4", "\"rows\": 8", "CNN0408", 4, 11, "8 rows")]
    [InlineData("openedge-4a179fc", "openedge-12345", "CNN0409", 3, 18, "openedge-4a179fc")]
    [InlineData("\"kernelSlots\"", "\"kernelSlot\"", "CNN0403", 5, 76, "did you mean 'kernelSlots'?")]
    [InlineData("\"bankBytes\": 32768, ", "", "CNN0404", 11, 10, "'ram' lacks the key 'bankBytes'")]
    [InlineData("524288", "\"524288\"", "CNN0405", 11, 21, "a whole number, not a string")]
    [InlineData("524288", "5.5", "CNN0405", 11, 21, "a fraction")]
    [InlineData("524288", "[1]", "CNN0405", 11, 21, "an array")]
    [InlineData("524288", "null", "CNN0405", 11, 21, "null")]
    [InlineData("524288", "99999999999999999999", "CNN0406", 11, 21, "outside 4 to")]
    [InlineData("524288", "-4", "CNN0406", 11, 21, "outside 4 to")]
    [InlineData("524288", "524290", "CNN0407", 11, 21, "multiple of 4")]
    [InlineData("\"kind\": \"ideal\"", "\"kind\": \"ideel\"", "CNN0410", 9, 42, "did you mean 'ideal'?")]
    [InlineData("\"columns\": 4", "\"columns\": 4, \"rows\": 4", "CNN0411", 4, 28, "'rows' twice")]
    [InlineData("\"openedge\"", "\"8 bits\"", "CNN0412", 2, 11, "not a machine name")]
    [InlineData("\"openedge-ideal\"", "\"openedge\"", "CNN0413", 9, 5, "two machines")]
    [InlineData("\"openedge-ideal\": {", "\"openedge-ideal\": { \"name\": \"x\",", "CNN0414", 9, 25, "variant")]
    [InlineData("\"minStepsPerKernel\": 3", "\"minStepsPerKernel\": 32, \"x\": 1", "CNN0403", 5, 50, "no key 'x'")]
    [InlineData("\"stepsPerKernel\": 32", "\"stepsPerKernel\": 2", "CNN0415", 1, 1, "minStepsPerKernel 3")]
    [InlineData("\"contextWordsPerRow\": 128", "\"contextWordsPerRow\": 2", "CNN0416", 1, 1, "2 context words")]
    [InlineData("\"bankBytes\": 32768", "\"bankBytes\": 524284", "CNN0417", 1, 1, "whole number of banks")]
    [InlineData("\"reservedBytes\": 32768", "\"reservedBytes\": 524288", "CNN0418", 1, 1, "nothing is left")]
    [InlineData("{ \"bus\": { \"kind\": \"ideal\" } }", "7", "CNN0419", 9, 23, "object")]
    [InlineData("\"banks\": 8, ", "", "CNN0420", 8, 34, "banks")]
    [InlineData("\"rows\": 4,", "\"rows\": 4", "CNN0401", 4, 13, "not valid JSON")]
    public void A_mistake_is_reported_with_its_place(string old, string with, string code, int line, int column, string text)
    {
        Assert.Contains(old, Shipped, StringComparison.Ordinal);
        var at = Shipped.IndexOf(old, StringComparison.Ordinal);
        var bag = new DiagnosticBag();
        Assert.Null(MachineDescriptionJson.Parse(Encoding.UTF8.GetBytes(Shipped[..at] + with + Shipped[(at + old.Length)..]), "my.json", bag));
        var diagnostic = bag.Diagnostics.First(diagnostic => diagnostic.Code == code);
        Assert.Contains(text, diagnostic.ToString(), StringComparison.Ordinal);
        Assert.Equal(("my.json", line, column), (diagnostic.Span.File, diagnostic.Span.Line, diagnostic.Span.Column));
        Assert.NotEmpty(diagnostic.Remedy);
    }

    [Fact]
    public void All_mistakes_of_a_file_are_reported_together()
    {
        var bag = new DiagnosticBag();
        var text = Shipped.Replace("\"rows\": 4", "\"rows\": 5", StringComparison.Ordinal).Replace("copyPerWord", "copyPerWorld", StringComparison.Ordinal).Replace("80,", "true,", StringComparison.Ordinal);
        Assert.Null(MachineDescriptionJson.Parse(Encoding.UTF8.GetBytes(text), "m", bag));
        Assert.Superset(new HashSet<string> { "CNN0403", "CNN0404", "CNN0405", "CNN0408" }, bag.Diagnostics.Select(diagnostic => diagnostic.Code).ToHashSet());
    }

    [Fact]
    public void Columns_count_characters_and_a_byte_order_mark_is_skipped()
    {
        var bag = new DiagnosticBag();
        Assert.Null(MachineDescriptionJson.Parse("\uFEFF{ \"größe\": 1, \"😀\": 2, \"z\": 3 }"u8, "m", bag));
        Assert.Equal([3, 15, 24], bag.Diagnostics.Where(diagnostic => diagnostic.Code == "CNN0403").Select(diagnostic => diagnostic.Span.Column));
    }

    [Fact]
    public void Damaged_text_of_any_kind_is_a_diagnostic()
    {
        var bytes = Encoding.UTF8.GetBytes(Shipped);
        for (var length = 0; length < bytes.Length - 1; length++)
        {
            Refused(bytes.AsSpan(0, length));
        }

        var copy = (byte[])bytes.Clone();
        for (var i = 0; i < bytes.Length; i++)
        {
            foreach (byte value in (ReadOnlySpan<byte>)[0, (byte)'"', (byte)'{', (byte)'\\', 0xFF, 0xC3])
            {
                copy[i] = value;
                var bag = new DiagnosticBag();
                var machines = MachineDescriptionJson.Parse(copy, "m", bag);
                Assert.Equal(machines is null, bag.HasErrors);
            }

            copy[i] = bytes[i];
        }

        Refused([]);
        Refused("[]"u8);
        Refused("{}x"u8);
        Refused("{ \"\\ud800\": 1 }"u8);
        Refused(new byte[MachineDescriptionJson.LongestFile + 1]);
        Refused(Encoding.UTF8.GetBytes(new string('[', MachineDescriptionJson.LongestFile)));

        static void Refused(ReadOnlySpan<byte> text)
        {
            var bag = new DiagnosticBag();
            Assert.Null(MachineDescriptionJson.Parse(text, "m", bag));
            Assert.True(bag.HasErrors);
        }
    }

    [Fact]
    public void The_schema_says_the_same_as_the_reader()
    {
        var schema = JsonNode.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "machine.schema.json")))!.AsObject();
        var found = new List<string>();
        Walk(schema, string.Empty);
        Assert.Equal(MachineKeys.All.Select(key => key.Path).Order(StringComparer.Ordinal), found.Order(StringComparer.Ordinal));

        // A variant may have every top-level key but its name and variants.
        var variant = schema["properties"]!["variants"]!["additionalProperties"]!["properties"]!.AsObject();
        Assert.Equal(
            MachineKeys.Of(string.Empty).Select(key => key.Name).Except(["$schema", "name", "variants"]),
            variant.Select(member => member.Key));

        void Walk(JsonObject section, string path)
        {
            Assert.False((bool)section["additionalProperties"]!);
            var required = section["required"]!.AsArray().Select(name => (string)name!).ToHashSet();
            foreach (var (name, value) in section["properties"]!.AsObject())
            {
                var key = MachineKeys.All.Single(key => key.Section == path && key.Name == name);
                found.Add(key.Path);
                var type = key.Kind switch { MachineValueKind.Integer => "integer", MachineValueKind.Text => "string", MachineValueKind.Boolean => "boolean", _ => "object" };
                Assert.Equal(type, (string)value!["type"]!);
                Assert.Equal(key.Required, required.Contains(name));
                Assert.NotEmpty((string)value["description"]!);
                if (key.Kind == MachineValueKind.Integer)
                {
                    Assert.Equal((key.Minimum, key.Maximum, key.MultipleOf), ((long)value["minimum"]!, (long)value["maximum"]!, (int)(value["multipleOf"] ?? 1)));
                }

                if (key.Values is { } values)
                {
                    Assert.Equal(values, value["enum"]!.AsArray().Select(item => (string)item!));
                }

                if (key is { Kind: MachineValueKind.Section, Name: not "variants" })
                {
                    Walk(value.AsObject(), key.Path);
                }
            }
        }
    }

    private static MachineDescription ParseOne(string text)
    {
        var bag = new DiagnosticBag();
        var machines = MachineDescriptionJson.Parse(Encoding.UTF8.GetBytes(text), "m", bag);
        Assert.Empty(bag.Diagnostics);
        return Assert.Single(machines!);
    }

    private static IEnumerable<string> Flatten(MachineDescription machine)
    {
        return Members(JsonSerializer.SerializeToNode(machine)!, string.Empty);

        static IEnumerable<string> Members(JsonNode? node, string path) => node is JsonObject section
            ? section.SelectMany(member => Members(member.Value, $"{path}.{member.Key}"))
            : [$"{path}={node?.ToJsonString()}"];
    }
}
