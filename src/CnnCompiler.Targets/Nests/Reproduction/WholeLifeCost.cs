using System.Text.Json;

namespace CnnCompiler.Targets.Nests.Reproduction;

/// <summary>Lines of code for a kind of layer.</summary>
/// <param name="Layer">Its record.</param>
/// <param name="Node">The record.</param>
/// <param name="Row">Its row in the table of operators: language, text, verifier and documents read that.</param>
/// <param name="Evaluation">What it computes.</param>
/// <param name="Lowering">Its rule for general convolutions; the whole class where several layers share one.</param>
public sealed record LayerLine(string Layer, int Node, int Row, int Evaluation, int Lowering)
{
    /// <summary>Cases that name the layer: two in the dispatch, one each in evaluator and lowering.</summary>
    public const int Cases = 4;

    /// <summary>All.</summary>
    public int Total => Node + Row + Evaluation + Lowering + Cases;
}

/// <summary>Lines of all kinds of layer, and of the target, which knows none of them.</summary>
/// <param name="Layers">By name.</param>
/// <param name="Target">Lines of the target: mapper, model, descriptors, interpreter.</param>
/// <param name="Mentions">Lines among these that make or ask for a layer by its kind.</param>
public sealed record LayerLines(IReadOnlyList<LayerLine> Layers, int Target, int Mentions)
{
    /// <summary>The middle one of all layers.</summary>
    public double Median => Layers.Select(layer => layer.Total).Order().ElementAt(Layers.Count / 2);
}

/// <summary>
/// The cost of a design over its life, in the shape that the paper's abstract names: developers' effort and what owners pay. Dollars a device, for a number of devices:
/// <code>
///   purchase   device * (1 + share of what is added to it)
///   energy     joules an inference * inferences a day * 365 * years / 3.6e6 * facility * price of a kilowatt hour
///   layers     new layers a year * years * hours a layer * price of an hour / devices
/// </code>
/// Hours a layer are the compiler's lines for it by the lines an hour, for every design; on a host or a vector unit a kernel besides, with dedicated units a unit besides.
/// </summary>
public sealed class WholeLifeCost
{
    private const int Most = 1 << 16;

    private static readonly string[] Names =
    [
        "devices", "years", "inferencesPerDay", "kilowattHour", "facility", "device", "gconvArea", "vectorArea", "unitsArea", "newLayers", "hour", "linesPerHour", "kernelHours", "unitHours",
    ];

    private readonly Dictionary<string, double> _values;

    private WholeLifeCost(Dictionary<string, double> values) => _values = values;

    /// <summary>The inputs that are shipped.</summary>
    public static WholeLifeCost Shipped { get; } = Read();

    /// <summary>The inputs with their sources, in order.</summary>
    public IReadOnlyList<(string Name, double Value)> Inputs => [.. Names.Select(name => (name, _values[name]))];

    /// <summary>Inputs of a file: a JSON object with each name and, in an object, its value, 0 or more, and its source.</summary>
    /// <param name="bytes">The file.</param>
    /// <param name="problem">What is wrong with it, or null.</param>
    public static WholeLifeCost? Parse(ReadOnlySpan<byte> bytes, out string? problem)
    {
        if (bytes.Length > Most)
        {
            problem = FormattableString.Invariant($"it has {bytes.Length} bytes, more than {Most}");
            return null;
        }

        var values = new Dictionary<string, double>(StringComparer.Ordinal);
        try
        {
            using var document = JsonDocument.Parse(bytes.ToArray());
            if (document.RootElement.ValueKind != JsonValueKind.Object)
            {
                problem = "it is no JSON object";
                return null;
            }

            foreach (var entry in document.RootElement.EnumerateObject())
            {
                if (!Names.Contains(entry.Name, StringComparer.Ordinal) || entry.Value.ValueKind != JsonValueKind.Object || !entry.Value.TryGetProperty("value", out var number)
                    || number.ValueKind != JsonValueKind.Number || !number.TryGetDouble(out var value) || !double.IsFinite(value) || value < 0
                    || !entry.Value.TryGetProperty("source", out var source) || source.ValueKind != JsonValueKind.String || !values.TryAdd(entry.Name, value))
                {
                    problem = $"'{entry.Name}' is no input, is there twice, or has no value of 0 or more and source";
                    return null;
                }
            }
        }
        catch (JsonException exception)
        {
            problem = $"it is no JSON: {exception.Message}";
            return null;
        }

        var missing = Names.Where(name => !values.ContainsKey(name)).ToList();
        problem = missing.Count > 0 ? $"it lacks {string.Join(", ", missing)}" : values["devices"] == 0 || values["linesPerHour"] == 0 ? "devices and linesPerHour have to be above 0" : null;
        return problem is null ? new(values) : null;
    }

    /// <summary>Dollars a device.</summary>
    /// <param name="baseline">The design; null for the chain of general convolutions.</param>
    /// <param name="joules">Energy of an inference.</param>
    /// <param name="linesPerLayer">Lines of the compiler for a layer.</param>
    public (double Purchase, double Energy, double Layers) Of(Baseline? baseline, double joules, double linesPerLayer)
    {
        var (share, hours) = baseline switch
        {
            null => (this["gconvArea"], 0.0),
            Baseline.HostOffload => (0.0, this["kernelHours"]),
            Baseline.VectorUnit => (this["vectorArea"], this["kernelHours"]),
            _ => (this["unitsArea"], this["unitHours"]),
        };
        return (
            this["device"] * (1 + share),
            joules * this["inferencesPerDay"] * 365 * this["years"] / 3.6e6 * this["facility"] * this["kilowattHour"],
            this["newLayers"] * this["years"] * ((linesPerLayer / this["linesPerHour"]) + hours) * this["hour"] / this["devices"]);
    }

    private double this[string name] => _values[name];

    private static WholeLifeCost Read()
    {
        using var stream = typeof(WholeLifeCost).Assembly.GetManifestResourceStream("gconv.cost.json") ?? throw new InvalidOperationException("the assembly lacks its resource gconv.cost.json");
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return Parse(bytes, out var problem) ?? throw new InvalidOperationException(problem);
    }
}
