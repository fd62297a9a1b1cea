using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Frontend.Binding;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Frontend.Tflite;

/// <summary>An imported model.</summary>
/// <param name="Graph">The network; its values are named <c>t</c> and the tensor's index in the file.</param>
/// <param name="TensorNames">The model's own names of tensors, by value name, for reports.</param>
public sealed record TfliteModel(NetworkGraph Graph, IReadOnlyDictionary<string, string> TensorNames);

/// <summary>
/// Reads int8 and float32 TFLite models (schema version 3) from untrusted bytes; a float model becomes an f32 network. What is imported is what <see cref="TfliteOperators"/> lists; each operator
/// that is not supported gets a diagnostic of its own with its name, number and tensor (CNN0320 to CNN0331). Memory stays within a small multiple
/// of the file's size.
/// </summary>
public static class TfliteReader
{
    /// <summary>Reads a model; null where it is refused, which <paramref name="diagnostics"/> then explains.</summary>
    /// <param name="bytes">The whole file.</param>
    /// <param name="file">The file as the user named it.</param>
    /// <param name="diagnostics">Takes what is wrong.</param>
    public static NetworkGraph? Read(ReadOnlyMemory<byte> bytes, string file, DiagnosticBag diagnostics) => ReadModel(bytes, file, diagnostics)?.Graph;

    /// <summary>As <see cref="Read"/>, with the model's own tensor names.</summary>
    public static TfliteModel? ReadModel(ReadOnlyMemory<byte> bytes, string file, DiagnosticBag diagnostics)
    {
        try
        {
            return new TfliteImport(TfliteFile.Open(bytes, file), diagnostics).Run();
        }
        catch (DiagnosticException refusal)
        {
            diagnostics.Report(refusal.Diagnostic);
            return null;
        }
    }
}

/// <summary>One import: walks the operators in execution order, builds what it can and collects every refusal.</summary>
/// <param name="file">The file.</param>
/// <param name="diagnostics">Takes what is wrong.</param>
internal sealed class TfliteImport(TfliteFile file, DiagnosticBag diagnostics)
{
    /// <summary>Refusals that are listed one by one.</summary>
    private const int MaximumRefusals = 200;

    private readonly HashSet<int> _defined = [];
    private readonly HashSet<int> _unusable = [];
    private readonly Dictionary<byte, SortedSet<int>> _wrongTypes = [];
    private readonly List<Layer> _layers = [];
    private int _refusals;

    /// <summary>Reads everything; null where anything was refused.</summary>
    public TfliteModel? Run()
    {
        if (file.Subgraphs > 1)
        {
            diagnostics.Report(TfliteDiagnostics.OtherSubgraphs(file.File, file.Subgraphs));
        }

        var inputs = file.Inputs.Select(ReadInput).ToList();
        for (var i = 0; i < file.OperatorCount; i++)
        {
            ReadOperator(file.Operator(i));
        }

        var outputs = file.Outputs.Select(ReadOutput).ToList();
        ReportCollected();
        if (_refusals > 0)
        {
            return null;
        }

        // Whatever got past the checks above, callers get a network that can be evaluated.
        var graph = new NetworkGraph(Identifiers.OfFile(file.File), inputs.ToEquatableArray(), _layers.ToEquatableArray(), outputs.ToEquatableArray());
        var problems = NetworkVerifier.Check(graph);
        diagnostics.Report(problems);
        if (problems.Any(problem => problem.Severity == DiagnosticSeverity.Error))
        {
            return null;
        }

        var names = file.TensorsRead.Where(t => _defined.Contains(t.Index)).OrderBy(t => t.Index).ToDictionary(t => t.ValueName, t => t.Label, StringComparer.Ordinal);
        return new(graph, names);
    }

    private NetworkInput ReadInput(int index)
    {
        var tensor = file.Tensor(index);
        if (tensor.IsConstant || !_defined.Add(index))
        {
            throw BadGraph($"its input {tensor.Display} is a constant or is listed twice");
        }

        _ = IsUsable(tensor);
        return new(tensor.ValueName, tensor.Type) { Span = SourceSpan.WholeFile(file.File) };
    }

    private string ReadOutput(int index)
    {
        var tensor = file.Tensor(index);
        return _defined.Contains(index) ? tensor.ValueName : throw BadGraph($"nothing produces its output {tensor.Display}");
    }

    private void ReadOperator(TfliteOperator operation)
    {
        var row = TfliteOperators.Find(operation.Code);
        var name = row?.Name ?? TfliteOperatorNames.Of(operation.Code, operation.CustomCode);
        foreach (var output in operation.Outputs)
        {
            if (file.Tensor(output) is var tensor && (tensor.IsConstant || _defined.Contains(output)))
            {
                throw BadGraph(FormattableString.Invariant($"operator {operation.Index}, {name}, makes {tensor.Display}, which was there before"));
            }
        }

        if (row is null)
        {
            var made = operation.Outputs.Length > 0 ? file.Tensor(operation.Outputs[0]).Display : "nothing";
            var (why, remedy) = TfliteOperatorNames.Refusal(operation.Code);
            Refuse(TfliteDiagnostics.UnsupportedOperator(file.File, operation.Index, name, made, why, remedy));
        }
        else if (HasUsableTensors(operation, name))
        {
            try
            {
                _layers.AddRange(row.Build(new TfliteOperatorContext(file, operation, name)));
            }
            catch (DiagnosticException refusal) when (TfliteDiagnostics.ConcernsOneOperator(refusal.Diagnostic))
            {
                Refuse(refusal.Diagnostic);
            }
        }

        _defined.UnionWith(operation.Outputs);
    }

    /// <summary>True where all tensors at run time are int8 or float32 with known shapes and were made before; collects those that are not.</summary>
    private bool HasUsableTensors(TfliteOperator operation, string name)
    {
        var usable = true;
        foreach (var index in operation.Inputs)
        {
            if (index == -1)
            {
                continue;
            }

            var tensor = file.Tensor(index);
            if (!tensor.IsConstant && !_defined.Contains(index))
            {
                throw BadGraph(FormattableString.Invariant($"operator {operation.Index}, {name}, reads {tensor.Display} before anything has produced it"));
            }

            usable &= IsUsable(tensor);
        }

        foreach (var index in operation.Outputs)
        {
            usable &= IsUsable(file.Tensor(index));
        }

        return usable;
    }

    private bool IsUsable(TfliteTensor tensor)
    {
        if ((tensor.Unusable ?? FindUnusableScale(tensor)) is { } reason)
        {
            if (_unusable.Add(tensor.Index))
            {
                Refuse(TfliteDiagnostics.UnsupportedTensor(file.File, tensor.Display, reason.Why, reason.Remedy));
            }

            return false;
        }

        if (tensor.IsConstant || tensor.TypeCode is TfliteSchema.Int8Type or TfliteSchema.Float32Type)
        {
            return true;
        }

        if (!_wrongTypes.TryGetValue(tensor.TypeCode, out var tensors))
        {
            _wrongTypes.Add(tensor.TypeCode, tensors = []);
        }

        tensors.Add(tensor.Index);
        return false;
    }

    /// <summary>Why an int8 value at run time has no meaning, with a remedy, or null.</summary>
    private static (string Why, string Remedy)? FindUnusableScale(TfliteTensor tensor)
    {
        if (tensor.IsConstant || tensor.TypeCode != TfliteSchema.Int8Type)
        {
            return null;
        }

        const string Remedy = "convert the model with full integer (int8) quantisation";
        return tensor.Quantization switch
        {
            null => ("it is int8 but has no scale", Remedy),
            { IsPerAxis: true } => ("it has a scale for each channel, which only weights may have", Remedy),
            { Scale: <= 0 } => ("its scale is 0", Remedy),
            { ZeroPoint: < sbyte.MinValue or > sbyte.MaxValue } q => (FormattableString.Invariant($"its zero point, {q.ZeroPoint}, is not an int8"), Remedy),
            _ => null,
        };
    }

    private void ReportCollected()
    {
        foreach (var (type, tensors) in _wrongTypes.OrderBy(t => t.Value.Min))
        {
            var remedy = TfliteSchema.ElementTypeOf(type) switch
            {
                ElementType.UInt8 => "convert the model with TensorFlow 2: its int8 scheme is signed, also at inputs and outputs (inference_input_type, inference_output_type)",
                ElementType.Int16 => "convert the model with int8 activations instead of 16x8",
                ElementType.Int32 or ElementType.Int64 => "convert the model with fixed input shapes, so that no numbers but the network's values are computed at run time",
                _ => "convert the model with full integer (int8) quantisation: a representative dataset and TFLITE_BUILTINS_INT8",
            };
            Refuse(TfliteDiagnostics.UnsupportedType(file.File, TfliteSchema.NameOfType(type), file.Tensor(tensors.Min).Display, tensors.Count - 1, remedy));
        }
    }

    /// <summary>Reports a refusal; after very many the import ends, so that a hostile file can't make it write for ever.</summary>
    private void Refuse(Diagnostic diagnostic)
    {
        if (++_refusals > MaximumRefusals)
        {
            throw new DiagnosticException(TfliteDiagnostics.MoreRefusals(file.File, MaximumRefusals));
        }

        diagnostics.Report(diagnostic);
    }

    private DiagnosticException BadGraph(string why) => new(TfliteDiagnostics.BadGraph(file.File, why));
}
