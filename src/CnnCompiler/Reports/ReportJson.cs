using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using CnnCompiler.Interpreter.OpenEdge;
using CnnCompiler.Passes.Selection;
using CnnCompiler.Passes.Selection.Explanation;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Reports;

/// <summary>A report as JSON (docs/report.schema.json), and its schedule as a trace that Perfetto and chrome://tracing open.</summary>
public static class ReportJson
{
    /// <summary>Version of the schema: raised when a member changes its meaning or goes away; members may be added.</summary>
    public const int SchemaVersion = 1;

    private const double FemtosecondsOfMicrosecond = 1e9;
    private const double FemtojoulesOfMicrojoule = 1e9;

    /// <summary>UTF-8 JSON. What a target doesn't say is null.</summary>
    public static byte[] Write(NetworkReport report) => Write(json =>
    {
        json.WriteStartObject();
        json.WriteNumber("schemaVersion", SchemaVersion);
        json.WriteString("file", report.File);
        json.WriteString("target", report.Target);
        json.WriteString("machine", report.Image.Machine.Name);
        json.WriteString("measuredBy", "interpreter");
        json.WriteString("predictedUnit", report.Unit);
        json.WriteStartObject("total");
        json.WriteNumber("cycles", report.TotalCycles);
        json.WriteNumber("macs", report.Macs);
        json.WriteNumber("macsPerCycle", report.TotalCycles == 0 ? 0 : (double)report.Macs / report.TotalCycles);
        json.WriteNumber("launches", report.Layers.Sum(layer => layer.Cycles.Launches) + report.Outside.Launches);
        WriteNumber(json, "energyMicrojoules", Energy(report));
        WriteNumber(json, "predicted", report.Predicted);
        json.WriteNumber("cyclesOfNoLayer", report.Outside.Total);
        json.WriteEndObject();
        json.WriteString("energyAccuracy", report.Image.Machine.Systolic is null ? EnergyKeys.Accuracy : null);
        json.WriteStartArray("layers");
        foreach (var layer in report.Layers)
        {
            Write(json, report, layer);
        }

        json.WriteEndArray();
        json.WriteStartArray("layouts");
        foreach (var layout in report.Layouts)
        {
            Write(json, layout);
        }

        json.WriteEndArray();
        SelectionReport.WriteNotes(json, report.Selection?.Notes ?? []);
        json.WriteStartObject("memory");
        json.WriteNumber("capacityBytes", report.Image.Machine.Ram.Bytes);
        json.WriteNumber("reservedBytes", report.Image.Machine.Ram.ReservedBytes);
        json.WriteNumber("peakBytes", report.PeakBytes);
        json.WriteNumber("flashBytes", report.Image.Flash.Length);
        json.WriteStartArray("ranges");
        foreach (var range in report.Memory)
        {
            json.WriteStartObject();
            json.WriteString("name", range.Name);
            json.WriteNumber("address", range.Address);
            json.WriteNumber("bytes", range.Bytes);
            json.WriteNumber("firstLayer", range.FirstLayer);
            json.WriteNumber("lastLayer", range.LastLayer);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteEndObject();
    });

    /// <summary>
    /// UTF-8 JSON in Chrome's trace event format: a thread each for layers, array and host, and a counter of the memory in use. A microsecond of the trace is
    /// a cycle; on a systolic machine, whose clock changes from layer to layer, it is a microsecond.
    /// </summary>
    public static byte[] Trace(NetworkReport report) => Write(json =>
    {
        var scale = report.Image.Machine.Systolic is null ? 1 : FemtosecondsOfMicrosecond;
        json.WriteStartObject();
        json.WriteString("displayTimeUnit", "ns");
        json.WriteStartObject("otherData");
        json.WriteString("file", report.File);
        json.WriteString("machine", report.Image.Machine.Name);
        json.WriteString("microsecond", scale > 1 ? "a microsecond" : "a cycle");
        json.WriteEndObject();
        json.WriteStartArray("traceEvents");
        foreach (var (thread, name) in (ReadOnlySpan<(int, string)>)[(0, "layers"), (1, "array"), (2, "host")])
        {
            Begin(json, "M", "thread_name", thread);
            json.WriteStartObject("args");
            json.WriteString("name", name);
            json.WriteEndObject();
            json.WriteEndObject();
        }

        foreach (var layer in report.Schedule.Where(work => work.Track == ScheduleTrack.Array && work.Layer >= 0).GroupBy(work => work.Layer))
        {
            var (start, end) = (layer.Min(work => work.Start), layer.Max(work => work.Start + work.Duration));
            var info = report.Layers[layer.Key];
            Begin(json, "X", info.Layer.Name, 0);
            Time(json, start / scale, (end - start) / scale);
            json.WriteStartObject("args");
            json.WriteString("kind", info.Layer.Kind);
            json.WriteString("algorithm", info.Algorithm);
            json.WriteNumber("macs", info.Layer.Macs);
            json.WriteNumber("cycles", info.TotalCycles);
            json.WriteEndObject();
            json.WriteEndObject();
            Begin(json, "C", "memory", 0);
            json.WriteNumber("ts", start / scale);
            json.WriteStartObject("args");
            json.WriteNumber("bytes", info.MemoryBytes);
            json.WriteEndObject();
            json.WriteEndObject();
        }

        foreach (var work in report.Schedule)
        {
            Begin(json, "X", work.Name, work.Track == ScheduleTrack.Array ? 1 : 2);
            Time(json, work.Start / scale, work.Duration / scale);
            json.WriteStartObject("args");
            json.WriteNumber("cycles", work.Cycles);
            if (work.Layer >= 0)
            {
                json.WriteString("layer", report.Layers[work.Layer].Layer.Name);
            }

            json.WriteEndObject();
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    });

    /// <summary>Energy of a layer in microjoules; null on machines that don't model it.</summary>
    public static double? Energy(NetworkReport report, ReportedLayer layer) =>
        layer.Activity?.Energy(report.Image.Machine.Energy).Total / FemtojoulesOfMicrojoule
            ?? (report.Image.Machine.Systolic is { HasEnergies: true } machine && layer.Systolic is { } run ? (double)run.EnergyAttojoules(machine) / 1e12 : null);

    /// <summary>Energy of the network in microjoules; null on machines that don't model it.</summary>
    public static double? Energy(NetworkReport report) => report.Layers.Select(layer => Energy(report, layer)).ToList() is var energies && energies.Any(energy => energy is null)
        ? null
        : energies.Sum() + (report.Image.Machine.Systolic is null ? report.OutsideActivity.Energy(report.Image.Machine.Energy).Total / FemtojoulesOfMicrojoule : 0);

    private static byte[] Write(Action<Utf8JsonWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, new() { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            write(json);
        }

        return [.. buffer.WrittenSpan, (byte)'\n'];
    }

    private static void Begin(Utf8JsonWriter json, string phase, string name, int thread)
    {
        json.WriteStartObject();
        json.WriteString("ph", phase);
        json.WriteString("name", name);
        json.WriteNumber("pid", 0);
        json.WriteNumber("tid", thread);
    }

    private static void Time(Utf8JsonWriter json, double start, double duration)
    {
        json.WriteNumber("ts", start);
        json.WriteNumber("dur", duration);
    }

    private static void Write(Utf8JsonWriter json, NetworkReport report, ReportedLayer layer)
    {
        json.WriteStartObject();
        json.WriteString("name", layer.Layer.Name);
        json.WriteString("kind", layer.Layer.Kind);
        json.WriteString("algorithm", layer.Algorithm);
        WriteNumber(json, "predicted", layer.Predicted);
        json.WriteStartObject("cycles");
        json.WriteNumber("total", layer.TotalCycles);
        if (layer.Systolic is { } systolic)
        {
            json.WriteNumber("array", systolic.ArrayCycles);
            json.WriteNumber("units", systolic.UnitCycles);
            json.WriteNumber("stalls", systolic.StallCycles);
            json.WriteNumber("microseconds", systolic.Femtoseconds / FemtosecondsOfMicrosecond);
        }
        else
        {
            json.WriteNumber("array", layer.Cycles.Array);
            json.WriteNumber("exposedHost", layer.Cycles.ExposedHost);
            json.WriteNumber("hiddenHost", layer.Cycles.HiddenHost);
        }

        json.WriteEndObject();
        json.WriteNumber("macs", layer.Layer.Macs);
        json.WriteNumber("macsPerCycle", layer.MacsPerCycle);
        json.WriteNumber("launches", layer.Cycles.Launches);
        WriteNumber(json, "energyMicrojoules", Energy(report, layer));
        WriteEnergyParts(json, layer.Activity?.Energy(report.Image.Machine.Energy));
        WriteNumber(json, "predictedMicrojoules", layer.PredictedFemtojoules / FemtojoulesOfMicrojoule);
        json.WriteNumber("memoryBytes", layer.MemoryBytes);
        json.WriteStartArray("decisions");
        foreach (var decision in layer.Decisions)
        {
            Write(json, decision);
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteEnergyParts(Utf8JsonWriter json, ArrayEnergy? parts)
    {
        if (parts is not { } energy)
        {
            json.WriteNull("energyParts");
            return;
        }

        json.WriteStartObject("energyParts");
        json.WriteNumber("operations", energy.Operations / FemtojoulesOfMicrojoule);
        json.WriteNumber("waiting", energy.Waiting / FemtojoulesOfMicrojoule);
        json.WriteNumber("ram", energy.Ram / FemtojoulesOfMicrojoule);
        json.WriteNumber("loading", energy.Loading / FemtojoulesOfMicrojoule);
        json.WriteNumber("host", energy.Host / FemtojoulesOfMicrojoule);
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, VertexExplanation decision)
    {
        json.WriteStartObject();
        SelectionReport.Write(json, decision);
        json.WriteEndObject();
    }

    private static void WriteNumber(Utf8JsonWriter json, string name, double? value)
    {
        if (value is { } number)
        {
            json.WriteNumber(name, number);
        }
        else
        {
            json.WriteNull(name);
        }
    }

    private static void WriteNumber(Utf8JsonWriter json, string name, long? value)
    {
        if (value is { } number && number < SelectionCost.Illegal)
        {
            json.WriteNumber(name, number);
        }
        else
        {
            json.WriteNull(name);
        }
    }
}
