using CnnCompiler.Core.Tensors;
using CnnCompiler.Frontend.Onnx;
using CnnCompiler.Frontend.Onnx.Wire;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.TestSupport;
using Google.Protobuf;

namespace CnnCompiler.Frontend.Tests.Onnx;

/// <summary>A case of the ONNX backend tests: a model of one operator, its inputs and the outputs that are expected.</summary>
internal sealed class OnnxCase(string folder)
{
    private const double Relative = 1e-5;
    private const double Absolute = 1e-7;

    // Expected outputs that are stored rounded to four decimals (golden/onnx/README.md calls them close).
    private const string RoundedCase = "test_averagepool_2d_ceil_last_window_starts_on_pad";
    private const double RoundedRelative = 1e-3;

    // Operands that are values at run time; all further inputs are made constants, as they are in models.
    private static readonly Dictionary<string, int[]> Values = new(StringComparer.Ordinal)
    {
        ["Add"] = [0, 1],
        ["QLinearMatMul"] = [0, 3],
        ["MatMulInteger"] = [0, 1],
    };

    public string Name { get; } = Path.GetFileName(folder);

    public static IEnumerable<string> Folders => SharedMaterial.Find("golden", "onnx") is { } root
        ? Directory.GetDirectories(root, "test_*").Order(StringComparer.Ordinal)
        : [];

    /// <summary>Null where the case passes, else the refusal or the difference.</summary>
    public string? Run()
    {
        var bytes = File.ReadAllBytes(Path.Combine(folder, "model.onnx"));
        var model = ModelProto.Parser.ParseFrom(bytes);
        var inputs = Tensors("input_*.pb", model.Graph.Input.Select(input => input.Name).ToList(), out var unreadable);
        var runtime = Runtime(model, inputs.Count);
        var constants = inputs.Where(input => !runtime.Contains(input.Key)).ToDictionary(StringComparer.Ordinal);
        var diagnostics = new DiagnosticBag();
        if (OnnxReader.Read(bytes, $"{Name}.onnx", diagnostics, constants) is not { } imported)
        {
            return $"refused: {diagnostics.Diagnostics[0].Message}";
        }

        if (unreadable is not null)
        {
            return unreadable;
        }

        var evaluated = NetworkEvaluator.Evaluate(imported.Graph, imported.Graph.Inputs.Select(input => inputs[imported.TensorNames[input.Name]]).ToList(), diagnostics);
        if (evaluated is null)
        {
            return $"not evaluated: {diagnostics.Diagnostics[0].Message}";
        }

        var expected = Tensors("output_*.pb", model.Graph.Output.Select(output => output.Name).ToList(), out _);
        return model.Graph.Output.Select((output, at) => Difference(evaluated.Outputs[at], expected[output.Name])).FirstOrDefault(difference => difference is not null);
    }

    /// <summary>The model with those inputs as initializers that are constants in real models.</summary>
    public byte[] Baked()
    {
        var model = ModelProto.Parser.ParseFrom(File.ReadAllBytes(Path.Combine(folder, "model.onnx")));
        var runtime = Runtime(model, model.Graph.Input.Count);
        for (var i = 0; i < model.Graph.Input.Count; i++)
        {
            var file = Path.Combine(folder, "test_data_set_0", string.Create(System.Globalization.CultureInfo.InvariantCulture, $"input_{i}.pb"));
            if (!runtime.Contains(model.Graph.Input[i].Name) && File.Exists(file))
            {
                var tensor = TensorProto.Parser.ParseFrom(File.ReadAllBytes(file));
                tensor.Name = model.Graph.Input[i].Name;
                model.Graph.Initializer.Add(tensor);
            }
        }

        return model.ToByteArray();
    }

    private static HashSet<string> Runtime(ModelProto model, int inputs)
    {
        var values = model.Graph.Node[0].OpType == "Concat" ? Enumerable.Range(0, inputs) : Values.GetValueOrDefault(model.Graph.Node[0].OpType, [0]);
        return values.Select(at => model.Graph.Node[0].Input[at]).ToHashSet(StringComparer.Ordinal);
    }

    private Dictionary<string, Tensor> Tensors(string pattern, List<string> names, out string? unreadable)
    {
        unreadable = null;
        var found = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        for (var i = 0; i < names.Count; i++)
        {
            var file = Path.Combine(folder, "test_data_set_0", pattern.Replace("*", i.ToString(System.Globalization.CultureInfo.InvariantCulture), StringComparison.Ordinal));
            if (!File.Exists(file))
            {
                continue;
            }

            try
            {
                found.Add(names[i], OnnxTensors.Read(TensorProto.Parser.ParseFrom(File.ReadAllBytes(file)), names[i], file));
            }
            catch (DiagnosticException refusal)
            {
                unreadable = $"refused: {refusal.Diagnostic.Message}";
            }
        }

        return found;
    }

    private string? Difference(Tensor actual, Tensor expected)
    {
        if (actual.Shape != expected.Shape || actual.Element != expected.Element)
        {
            return $"{actual} instead of {expected}";
        }

        for (var i = 0; i < expected.Shape.Elements; i++)
        {
            var (a, e) = actual.Element.IsReal() ? (actual.GetReal(i), expected.GetReal(i)) : (actual.GetInteger(i), expected.GetInteger(i));
            var allowed = actual.Element.IsReal() ? Absolute + ((Name == RoundedCase ? RoundedRelative : Relative) * Math.Abs(e)) : 0;
            if (a != e && !(Math.Abs(a - e) <= allowed))
            {
                return FormattableString.Invariant($"element {i} is {a:R} instead of {e:R}");
            }
        }

        return null;
    }
}
