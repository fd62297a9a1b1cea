using System.Globalization;
using System.Text.Json;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Primitives.Machines;

/// <summary>Turns JSON values into machines, checking every key against <see cref="MachineKeys"/>.</summary>
internal sealed class MachineReader(DiagnosticBag diagnostics)
{
    private bool _failed;
    private bool _systolic;

    public static string Name(BusKind kind) => kind switch { BusKind.Ideal => "ideal", BusKind.Shared => "shared", _ => "banked" };

    public static string Name(BusArbitration arbitration) => arbitration == BusArbitration.Fixed ? "fixed" : "round-robin";

    public IReadOnlyList<MachineDescription>? Read(JsonValue root)
    {
        if (root.Type != JsonTokenType.StartObject)
        {
            throw new DiagnosticException(MachineDiagnostics.NotAnObject(root.Span));
        }

        _systolic = root.Members!.Any(member => member is { Name: "isaRevision", Value.Text: SystolicKeys.Revision or SystolicKeys.OverlayRevision or SystolicKeys.NestRevision });
        var top = Section(root, string.Empty, requireAll: true);
        var name = MachineName(top.Text("name", string.Empty), top.Place("name") ?? root.Span);
        var baseMachine = Machine(top, name, root.Span, inherited: null);
        var machines = new List<MachineDescription> { baseMachine };
        foreach (var variant in top.Section("variants")?.Members ?? [])
        {
            if (variant.Value.Type != JsonTokenType.StartObject)
            {
                Report(MachineDiagnostics.NotAnObject(variant.Value.Span));
                continue;
            }

            foreach (var member in variant.Value.Members!.Where(member => member.Name is "name" or "variants" or "$schema"))
            {
                Report(MachineDiagnostics.KeyNotInVariant(member.Span, member.Name));
            }

            if (machines.Exists(machine => machine.Name == variant.Name))
            {
                Report(MachineDiagnostics.DuplicateMachine(variant.Span, variant.Name));
            }

            var overrides = Section(variant.Value, string.Empty, requireAll: false);
            machines.Add(Machine(overrides, MachineName(variant.Name, variant.Span), variant.Span, baseMachine));
        }

        return _failed ? null : machines;
    }

    private MachineDescription Machine(Keys keys, string name, SourceSpan span, MachineDescription? inherited)
    {
        if (_systolic)
        {
            return SystolicMachine(keys, name, span, inherited);
        }

        var machine = new MachineDescription(
            name,
            keys.Text("isaRevision", inherited?.IsaRevision ?? string.Empty),
            keys.Integer("rows", inherited?.Rows ?? MachineKeys.SpecifiedRows),
            keys.Integer("columns", inherited?.Columns ?? MachineKeys.SpecifiedColumns),
            keys.Integer("stepsPerKernel", inherited?.StepsPerKernel ?? 0),
            keys.Integer("minStepsPerKernel", inherited?.MinStepsPerKernel ?? 0),
            keys.Integer("contextWordsPerRow", inherited?.ContextWordsPerRow ?? 0),
            keys.Integer("kernelSlots", inherited?.KernelSlots ?? 0),
            keys.Section("bus") is { } bus ? Bus(bus) : inherited?.Bus ?? new(BusKind.Ideal),
            keys.Section("ram") is { } ram ? Ram(ram) : inherited?.Ram ?? new(0, 0, 0),
            keys.Section("flash") is { } flash ? Section(flash, "flash", requireAll: true).Integer("bytes", 0) : inherited?.FlashBytes ?? 0,
            keys.Section("host") is { } host ? Host(host) : inherited?.Host ?? new(0, 0, 0, 0, 0, 0, 0, 0))
        {
            Energy = keys.Section(EnergyKeys.Section) is { } energy ? Energy(energy) : inherited?.Energy ?? EnergyDescription.Published,
        };
        if (machine is not { Rows: MachineKeys.SpecifiedRows, Columns: MachineKeys.SpecifiedColumns })
        {
            Report(MachineDiagnostics.UnsupportedGeometry(keys.Place("rows") ?? keys.Place("columns") ?? span, machine.Rows, machine.Columns));
        }

        if (!_failed)
        {
            CheckTogether(machine, span);
        }

        return machine;
    }

    private MachineDescription SystolicMachine(Keys keys, string name, SourceSpan span, MachineDescription? inherited)
    {
        var values = SystolicKeys.All.Select(key => inherited?.Systolic!.Find(key)).ToArray();
        foreach (var section in SystolicKeys.Sections)
        {
            if (keys.Section(section) is { } written)
            {
                var members = Section(written, section, requireAll: true);
                foreach (var key in SystolicKeys.All.Where(key => key.Section == section))
                {
                    values[key.Index] = members.Section(key.Name) is { } value ? Sourced(Section(value, key.Path, requireAll: true)) : null;
                }
            }
        }

        var machine = new MachineDescription(
            name,
            keys.Text("isaRevision", inherited?.IsaRevision ?? string.Empty),
            keys.Integer("rows", inherited?.Rows ?? 0),
            keys.Integer("columns", inherited?.Columns ?? 0),
            0,
            0,
            0,
            0,
            new(BusKind.Ideal),
            keys.Section("ram") is { } ram ? Ram(ram) : inherited?.Ram ?? new(0, 0, 0),
            0,
            new(0, 0, 0, 0, 0, 0, 0, 0))
        {
            Systolic = new(values),
        };
        foreach (var (section, revision) in SystolicKeys.OwnSections)
        {
            var needed = machine.IsaRevision == revision;
            foreach (var key in SystolicKeys.All.Where(key => key.Section == section && values[key.Index] is null == needed))
            {
                Report(needed
                    ? MachineDiagnostics.MissingKey(span, new(key.Section, key.Name, MachineValueKind.Section))
                    : MachineDiagnostics.UnknownKey(span, key.Section, key.Name, []));
            }
        }

        if (!_failed)
        {
            CheckRam(machine, span);
        }

        return machine;
    }

    private static SourcedValue Sourced(Keys keys) => new(keys.Number("value", 0), keys.Text("source", string.Empty));

    private void CheckTogether(MachineDescription machine, SourceSpan span)
    {
        if (machine.MinStepsPerKernel > machine.StepsPerKernel)
        {
            Report(MachineDiagnostics.StepsContradict(span, machine.Name, machine.MinStepsPerKernel, machine.StepsPerKernel));
        }

        if (machine.ContextWordsPerRow < machine.MinStepsPerKernel)
        {
            Report(MachineDiagnostics.ContextTooSmall(span, machine.Name, machine.ContextWordsPerRow, machine.MinStepsPerKernel));
        }

        CheckRam(machine, span);
    }

    private void CheckRam(MachineDescription machine, SourceSpan span)
    {
        if (machine.Ram.Bytes % machine.Ram.BankBytes != 0)
        {
            Report(MachineDiagnostics.BanksDoNotDivide(span, machine.Name, machine.Ram.Bytes, machine.Ram.BankBytes));
        }

        if (machine.Ram.ReservedBytes >= machine.Ram.Bytes)
        {
            Report(MachineDiagnostics.ReserveTooLarge(span, machine.Name, machine.Ram.Bytes, machine.Ram.ReservedBytes));
        }
    }

    private BusDescription Bus(JsonValue value)
    {
        var keys = Section(value, "bus", requireAll: true);
        var kind = keys.Text("kind", string.Empty) switch { "shared" => BusKind.Shared, "banked" => BusKind.Banked, _ => BusKind.Ideal };
        if (kind == BusKind.Banked && keys.Place("banks") is null)
        {
            Report(MachineDiagnostics.BanksMissing(value.Span));
        }

        var plain = new BusDescription(kind);
        return new(
            kind,
            keys.Integer("banks", plain.Banks),
            keys.Integer("shift", plain.Shift),
            keys.Text("arbitration", Name(plain.Arbitration)) == Name(BusArbitration.Fixed) ? BusArbitration.Fixed : BusArbitration.RoundRobin,
            keys.Integer("denyProbability", plain.DenyProbability),
            (uint)keys.Number("denySeed", plain.DenySeed),
            keys.Integer("grantDelay", plain.GrantDelay),
            keys.Integer("readLatency", plain.ReadLatency));
    }

    private RamDescription Ram(JsonValue value)
    {
        var keys = Section(value, "ram", requireAll: true);
        return new(keys.Integer("bytes", 0), keys.Integer("bankBytes", 0), keys.Integer("reservedBytes", 0), keys.Boolean("sparse"));
    }

    private HostDescription Host(JsonValue value)
    {
        var keys = Section(value, "host", requireAll: true);
        var steps = keys.Section("steps") is { } section ? Section(section, "host.steps", requireAll: true) : new Keys();
        return new(
            keys.Integer("ramToContext", 0),
            keys.Integer("flashToRam", 0),
            keys.Integer("flashToContext", 0),
            keys.Integer("patchImmediate", 0),
            keys.Integer("registerWrite", 0),
            keys.Integer("launchOverhead", 0),
            steps.Integer("softmaxPerElement", 0),
            steps.Integer("copyPerWord", 0));
    }

    /// <summary>What the section says; the rest is the published table.</summary>
    private EnergyDescription Energy(JsonValue value)
    {
        var keys = Section(value, EnergyKeys.Section, requireAll: true);
        return EnergyKeys.All.Aggregate(EnergyDescription.Published, (energy, key) => keys.Section(key.Name) is { } written
            ? energy.With(key, Sourced(Section(written, $"{EnergyKeys.Section}.{key.Name}", requireAll: true)))
            : energy);
    }

    private string MachineName(string name, SourceSpan span)
    {
        if (name.Length is < 1 or > 64 || !char.IsAsciiLetter(name[0]) || name.Any(c => !char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_' or '.')))
        {
            Report(MachineDiagnostics.BadName(span, name));
        }

        return name;
    }

    /// <summary>The valid members of an object; what is not valid is reported and left out.</summary>
    private Keys Section(JsonValue value, string section, bool requireAll)
    {
        var keys = new Keys();
        var known = (_systolic ? SystolicKeys.Of(section) : MachineKeys.Of(section)).ToDictionary(key => key.Name, StringComparer.Ordinal);
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var member in value.Members!)
        {
            if (!known.TryGetValue(member.Name, out var key))
            {
                Report(MachineDiagnostics.UnknownKey(member.Span, section, member.Name, known.Keys));
            }
            else if (!seen.Add(member.Name))
            {
                Report(MachineDiagnostics.DuplicateKey(member.Span, section, member.Name));
            }
            else if (Check(key, member.Value, out var number))
            {
                keys.Add(member.Name, member.Value, number);
            }
        }

        foreach (var key in known.Values.Where(key => requireAll && key.Required && !seen.Contains(key.Name)))
        {
            Report(MachineDiagnostics.MissingKey(value.Span, key));
        }

        return keys;
    }

    private bool Check(MachineKey key, JsonValue value, out long number)
    {
        number = 0;
        var problem = (key.Kind, value.Type) switch
        {
            (MachineValueKind.Section, JsonTokenType.StartObject) or (MachineValueKind.Boolean, JsonTokenType.True or JsonTokenType.False) => null,
            (MachineValueKind.Text, JsonTokenType.String) => CheckText(key, value),
            (MachineValueKind.Integer, JsonTokenType.Number) => CheckInteger(key, value, out number),
            _ => MachineDiagnostics.WrongType(value.Span, key, Describe(value.Type)),
        };
        if (problem is not null)
        {
            Report(problem);
        }

        return problem is null;
    }

    private static Diagnostic? CheckText(MachineKey key, JsonValue value) => (key.Values is null || key.Values.Contains(value.Text, StringComparer.Ordinal), key.Path) switch
    {
        (true, _) => null,
        (_, "isaRevision") => MachineDiagnostics.UnknownIsaRevision(value.Span, value.Text),
        _ => MachineDiagnostics.UnknownValue(value.Span, key, value.Text),
    };

    private static Diagnostic? CheckInteger(MachineKey key, JsonValue value, out long number)
    {
        if (!long.TryParse(value.Text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out number))
        {
            return value.Text.All(c => char.IsAsciiDigit(c) || c == '-')
                ? MachineDiagnostics.OutOfRange(value.Span, key, value.Text)
                : MachineDiagnostics.WrongType(value.Span, key, "a fraction or power of ten");
        }

        if (number < key.Minimum || number > key.Maximum)
        {
            return MachineDiagnostics.OutOfRange(value.Span, key, value.Text);
        }

        return number % key.MultipleOf == 0 ? null : MachineDiagnostics.NotAMultiple(value.Span, key, number);
    }

    private static string Describe(JsonTokenType type) => type switch
    {
        JsonTokenType.StartObject => "an object",
        JsonTokenType.StartArray => "an array",
        JsonTokenType.String => "a string",
        JsonTokenType.Number => "a number",
        JsonTokenType.Null => "null",
        _ => "true or false",
    };

    private void Report(Diagnostic diagnostic)
    {
        _failed = true;
        diagnostics.Report(diagnostic);
    }

    /// <summary>Checked members of one object.</summary>
    private sealed class Keys
    {
        private readonly Dictionary<string, (JsonValue Value, long Number)> _members = new(StringComparer.Ordinal);

        public void Add(string name, JsonValue value, long number) => _members.Add(name, (value, number));

        public SourceSpan? Place(string name) => _members.TryGetValue(name, out var member) ? member.Value.Span : null;

        public string Text(string name, string otherwise) => _members.TryGetValue(name, out var member) ? member.Value.Text : otherwise;

        public long Number(string name, long otherwise) => _members.TryGetValue(name, out var member) ? member.Number : otherwise;

        public int Integer(string name, int otherwise) => (int)Number(name, otherwise);

        public bool Boolean(string name) => _members.TryGetValue(name, out var member) && member.Value.Type == JsonTokenType.True;

        public JsonValue? Section(string name) => _members.TryGetValue(name, out var member) ? member.Value : null;
    }
}
