using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Interpreter.Execution;
using CnnCompiler.Interpreter.OpenEdge;
using CnnCompiler.Interpreter.Systolic;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Cli.Reporting;

/// <summary>The report of a run for programs: <c>cnnc run --json</c>.</summary>
internal static class RunJson
{
    /// <summary>Raised when a member changes its meaning or goes away; members may be added.</summary>
    public const int Version = 1;

    /// <summary>The report as one JSON object.</summary>
    public static string Print(string file, MachineDescription machine, RunResult result, IReadOnlyList<NetworkOutput> outputs)
    {
        using var stream = new MemoryStream();
        var options = new JsonWriterOptions { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.Default };
        using (var json = new Utf8JsonWriter(stream, options))
        {
            json.WriteStartObject();
            json.WriteNumber("version", Version);
            json.WriteString("file", file);
            json.WriteString("machine", machine.Name);
            json.WriteString("measuredBy", "interpreter");
            json.WriteStartObject("cycles");
            WriteCycles(json, result.Cycles);
            json.WriteEndObject();
            json.WriteStartArray("layers");
            for (var index = 0; index < result.Layers.Count; index++)
            {
                var layer = result.Layers[index];
                json.WriteStartObject();
                json.WriteString("name", layer.Layer.Name);
                json.WriteString("kind", layer.Layer.Kind);
                WriteCycles(json, layer.Cycles);
                if (machine.Systolic is { } systolic)
                {
                    WriteSystolic(json, systolic, result.Systolic[index]);
                }
                else if (index < result.Activities.Count)
                {
                    WriteEnergy(json, machine, result.Activities[index]);
                }

                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteStartObject("noLayer");
            WriteCycles(json, result.Outside);
            json.WriteEndObject();
            if (machine.Systolic is null)
            {
                WriteEnergy(json, machine, result.Activities.Aggregate(result.OutsideActivity, (sum, layer) => sum + layer));
                json.WriteString("energyAccuracy", EnergyKeys.Accuracy);
            }

            json.WriteStartArray("outputs");
            foreach (var output in outputs)
            {
                WriteOutput(json, output);
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(stream.ToArray()) + "\n";
    }

    private static void WriteSystolic(Utf8JsonWriter json, SystolicDescription machine, SystolicLayerRun run)
    {
        json.WriteStartObject("systolic");
        json.WriteNumber("unitCycles", run.UnitCycles);
        json.WriteNumber("stallCycles", run.StallCycles);
        json.WriteNumber("tiles", run.Tiles);
        json.WriteNumber("femtoseconds", run.Femtoseconds);
        if (machine.HasEnergies)
        {
            json.WriteNumber("energyFemtojoules", (long)(run.EnergyAttojoules(machine) / 1000));
        }

        json.WriteNumber("multiplications", run.Events.Multiplications);
        json.WriteNumber("carrySaveAdds", run.Events.CarrySaveAdds);
        json.WriteNumber("carryPropagateAdds", run.Events.CarryPropagateAdds);
        json.WriteNumber("vectorOperations", run.VectorOperations);
        json.WriteNumber("bufferWords", run.BufferWords);
        json.WriteEndObject();
    }

    private static void WriteEnergy(Utf8JsonWriter json, MachineDescription machine, ArrayActivity activity)
    {
        var energy = activity.Energy(machine.Energy);
        json.WriteStartObject("energyFemtojoules");
        json.WriteNumber("total", energy.Total);
        json.WriteNumber("operations", energy.Operations);
        json.WriteNumber("waiting", energy.Waiting);
        json.WriteNumber("ram", energy.Ram);
        json.WriteNumber("loading", energy.Loading);
        json.WriteNumber("host", energy.Host);
        json.WriteEndObject();
        json.WriteStartObject("activity");
        json.WriteStartObject("operations");
        foreach (var opcode in Enum.GetValues<OpenEdgeOpcode>())
        {
            json.WriteNumber(OpenEdgeInstructionSet.Get(opcode).Mnemonic, activity.Operations[(int)opcode]);
        }

        json.WriteEndObject();
        json.WriteNumber("executingCellCycles", activity.ExecutingCellCycles);
        json.WriteNumber("waitingCellCycles", activity.WaitCellCycles);
        json.WriteNumber("idleCellCycles", activity.IdleCellCycles);
        json.WriteNumber("ramReads", activity.RamReads);
        json.WriteNumber("ramWrites", activity.RamWrites);
        json.WriteNumber("flashWords", activity.FlashWords);
        json.WriteNumber("contextWords", activity.ContextWords);
        json.WriteNumber("hostCycles", activity.HostCycles);
        json.WriteNumber("hostWaitCycles", activity.HostWaitCycles);
        json.WriteEndObject();
    }

    private static void WriteCycles(Utf8JsonWriter json, RunCycles cycles)
    {
        json.WriteNumber("total", cycles.Total);
        json.WriteNumber("array", cycles.Array);
        json.WriteNumber("exposedHost", cycles.ExposedHost);
        json.WriteNumber("hiddenHost", cycles.HiddenHost);
        json.WriteNumber("launches", cycles.Launches);
        json.WriteNumber("arrayReads", cycles.Reads);
        json.WriteNumber("arrayWrites", cycles.Writes);
        json.WriteNumber("macs", cycles.Macs);
        json.WriteNumber("macsPerCycle", Math.Round(cycles.MacsPerCycle, 6));
    }

    private static void WriteOutput(Utf8JsonWriter json, NetworkOutput output)
    {
        json.WriteStartObject();
        json.WriteString("name", output.Port.Name);
        json.WriteString("type", output.Port.Type.Element.Name());
        json.WriteStartArray("shape");
        foreach (var extent in output.Value.Shape.Dimensions)
        {
            json.WriteNumberValue(extent);
        }

        json.WriteEndArray();
        if (output.Port.Type.Quantization is { } quantization)
        {
            json.WriteNumber("scale", quantization.Scale);
            json.WriteNumber("zeroPoint", quantization.ZeroPoint);
        }

        if (output.Classes > 0)
        {
            json.WriteStartArray("recognised");
            for (var row = 0; row < output.Rows; row++)
            {
                json.WriteNumberValue(output.Top(row));
            }

            json.WriteEndArray();
        }

        json.WriteStartArray("codes");
        for (long index = 0; index < output.Value.Shape.Elements; index++)
        {
            json.WriteNumberValue(output.Value.GetInteger(index));
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }
}
