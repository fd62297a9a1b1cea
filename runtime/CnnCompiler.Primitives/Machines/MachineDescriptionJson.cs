using System.Text.Encodings.Web;
using System.Text.Json;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Primitives.Machines;

/// <summary>
/// Reads and writes machine descriptions (<c>*.machine.json</c>; the keys are in <see cref="MachineKeys"/>, for editors in <c>machine.schema.json</c>).
/// A file describes one machine and, under <c>variants</c>, machines that differ from it in whole top-level keys.
/// </summary>
public static class MachineDescriptionJson
{
    /// <summary>Longest description in bytes.</summary>
    public const int LongestFile = 1 << 16;

    /// <summary>Reads a description: the base machine first, then its variants in the order of the file.</summary>
    /// <param name="utf8">The text.</param>
    /// <param name="file">The file as the user named it.</param>
    /// <param name="diagnostics">Gets what is wrong (CNN0401 to CNN0499), with lines and columns.</param>
    /// <returns>The machines, or null where something is wrong.</returns>
    public static IReadOnlyList<MachineDescription>? Parse(ReadOnlySpan<byte> utf8, string file, DiagnosticBag diagnostics)
    {
        if (utf8.Length > LongestFile)
        {
            diagnostics.Report(MachineDiagnostics.TooLarge(file, utf8.Length, LongestFile));
            return null;
        }

        try
        {
            return new MachineReader(diagnostics).Read(JsonText.Read(utf8, file));
        }
        catch (DiagnosticException problem)
        {
            diagnostics.Report(problem.Diagnostic);
            return null;
        }
    }

    /// <summary>Writes one machine in the canonical form: every key in the order of <see cref="MachineKeys.All"/>, keys of test vectors only where they say something.</summary>
    public static byte[] Write(MachineDescription machine)
    {
        using var stream = new MemoryStream();
        var options = new JsonWriterOptions { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        using (var json = new Utf8JsonWriter(stream, options))
        {
            json.WriteStartObject();
            json.WriteString("name", machine.Name);
            json.WriteString("isaRevision", machine.IsaRevision);
            json.WriteNumber("rows", machine.Rows);
            json.WriteNumber("columns", machine.Columns);
            if (machine.Systolic is { } systolic)
            {
                WriteRam(json, machine.Ram);
                WriteSystolic(json, systolic);
            }
            else
            {
                WriteOpenEdge(json, machine);
            }

            json.WriteEndObject();
        }

        stream.WriteByte((byte)'\n');
        return stream.ToArray();
    }

    private static void WriteOpenEdge(Utf8JsonWriter json, MachineDescription machine)
    {
        json.WriteNumber("stepsPerKernel", machine.StepsPerKernel);
        json.WriteNumber("minStepsPerKernel", machine.MinStepsPerKernel);
        json.WriteNumber("contextWordsPerRow", machine.ContextWordsPerRow);
        json.WriteNumber("kernelSlots", machine.KernelSlots);
        WriteBus(json, machine.Bus);
        WriteRam(json, machine.Ram);
        json.WriteStartObject("flash");
        json.WriteNumber("bytes", machine.FlashBytes);
        json.WriteEndObject();
        WriteHost(json, machine.Host);
        WriteEnergy(json, machine.Energy);
    }

    /// <summary>The energies that are not the published ones.</summary>
    private static void WriteEnergy(Utf8JsonWriter json, EnergyDescription energy)
    {
        var own = EnergyKeys.All.Where(key => energy.Of(key) != key.Default).ToList();
        if (own.Count == 0)
        {
            return;
        }

        json.WriteStartObject(EnergyKeys.Section);
        foreach (var key in own)
        {
            json.WriteStartObject(key.Name);
            json.WriteNumber("value", energy.Of(key).Value);
            json.WriteString("source", energy.Of(key).Source);
            json.WriteEndObject();
        }

        json.WriteEndObject();
    }

    private static void WriteRam(Utf8JsonWriter json, RamDescription ram)
    {
        json.WriteStartObject("ram");
        json.WriteNumber("bytes", ram.Bytes);
        json.WriteNumber("bankBytes", ram.BankBytes);
        json.WriteNumber("reservedBytes", ram.ReservedBytes);
        if (ram.Sparse)
        {
            json.WriteBoolean("sparse", true);
        }

        json.WriteEndObject();
    }

    private static void WriteSystolic(Utf8JsonWriter json, SystolicDescription systolic)
    {
        foreach (var section in SystolicKeys.Sections.Where(section => SystolicKeys.All.Any(key => key.Section == section && systolic.Find(key) is not null)))
        {
            json.WriteStartObject(section);
            foreach (var key in SystolicKeys.All.Where(key => key.Section == section))
            {
                if (systolic.Find(key) is { } value)
                {
                    json.WriteStartObject(key.Name);
                    json.WriteNumber("value", value.Value);
                    json.WriteString("source", value.Source);
                    json.WriteEndObject();
                }
            }

            json.WriteEndObject();
        }
    }

    private static void WriteBus(Utf8JsonWriter json, BusDescription bus)
    {
        var plain = new BusDescription(bus.Kind);
        json.WriteStartObject("bus");
        json.WriteString("kind", MachineReader.Name(bus.Kind));
        if (bus.Kind == BusKind.Banked || bus.Banks != plain.Banks || bus.Shift != plain.Shift)
        {
            json.WriteNumber("banks", bus.Banks);
            json.WriteNumber("shift", bus.Shift);
        }

        if (bus.Kind == BusKind.Banked || bus.Arbitration != plain.Arbitration)
        {
            json.WriteString("arbitration", MachineReader.Name(bus.Arbitration));
        }

        if (bus.DenyProbability != plain.DenyProbability || bus.DenySeed != plain.DenySeed)
        {
            json.WriteNumber("denyProbability", bus.DenyProbability);
            json.WriteNumber("denySeed", bus.DenySeed);
        }

        if (bus.GrantDelay != plain.GrantDelay)
        {
            json.WriteNumber("grantDelay", bus.GrantDelay);
        }

        if (bus.ReadLatency != plain.ReadLatency)
        {
            json.WriteNumber("readLatency", bus.ReadLatency);
        }

        json.WriteEndObject();
    }

    private static void WriteHost(Utf8JsonWriter json, HostDescription host)
    {
        json.WriteStartObject("host");
        json.WriteNumber("ramToContext", host.RamToContext);
        json.WriteNumber("flashToRam", host.FlashToRam);
        json.WriteNumber("flashToContext", host.FlashToContext);
        json.WriteNumber("patchImmediate", host.PatchImmediate);
        json.WriteNumber("registerWrite", host.RegisterWrite);
        json.WriteNumber("launchOverhead", host.LaunchOverhead);
        json.WriteStartObject("steps");
        json.WriteNumber("softmaxPerElement", host.SoftmaxPerElement);
        json.WriteNumber("copyPerWord", host.CopyPerWord);
        json.WriteEndObject();
        json.WriteEndObject();
    }
}
