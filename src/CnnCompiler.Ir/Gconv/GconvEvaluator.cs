using System.Runtime.InteropServices;
using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv.Evaluation;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Arithmetic;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Ir.Gconv;

/// <summary>Every tensor of one evaluation of a chain.</summary>
/// <param name="Values">Inputs and results of steps by name; the pieces of a join are seen through the join only.</param>
/// <param name="Outputs">The chain's outputs in graph order.</param>
public sealed record GconvEvaluation(IReadOnlyDictionary<string, Tensor> Values, EquatableArray<Tensor> Outputs);

/// <summary>Executes chains.</summary>
public static class GconvEvaluator
{
    /// <summary>
    /// Executes any chain, or reports why it can't be (a chain that <see cref="GconvVerifier"/> refuses, inputs that don't fit, a value outside the range
    /// of the operation that makes it) and returns null.
    /// </summary>
    /// <param name="program">The chain.</param>
    /// <param name="inputs">One tensor for each input, in graph order, of the input's element type and number of elements.</param>
    /// <param name="diagnostics">Takes what is wrong.</param>
    /// <param name="contractions">Sums of products take a fast way with the same results; false executes every operator as it is written.</param>
    /// <param name="cancellation">Ends a long evaluation early.</param>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static GconvEvaluation? Evaluate(
        GconvProgram program, IReadOnlyList<Tensor> inputs, DiagnosticBag diagnostics, bool contractions = true, CancellationToken cancellation = default)
    {
        var problems = GconvVerifier.Check(program);
        diagnostics.Report(problems);
        if (problems.Any(problem => problem.Severity == DiagnosticSeverity.Error) || !InputsFit(program, inputs, diagnostics))
        {
            return null;
        }

        try
        {
            return new Run(program, inputs, contractions, cancellation).Execute();
        }
        catch (DiagnosticException exception)
        {
            diagnostics.Report(exception.Diagnostic);
            return null;
        }
    }

    private static bool InputsFit(GconvProgram program, IReadOnlyList<Tensor> inputs, DiagnosticBag diagnostics)
    {
        if (inputs.Count != program.Inputs.Count)
        {
            diagnostics.Report(NetworkDiagnostics.WrongNumberOfInputTensors(program.Name, inputs.Count, program.Inputs.Count));
            return false;
        }

        var fit = true;
        for (var i = 0; i < inputs.Count; i++)
        {
            var expected = program.Inputs[i];
            if (inputs[i].Element != expected.Type.Element || inputs[i].Shape.Elements != expected.Type.Shape.Elements)
            {
                diagnostics.Report(NetworkDiagnostics.WrongInputTensor(expected, inputs[i]));
                fit = false;
            }
        }

        return fit;
    }

    private sealed class Run
    {
        private readonly GconvProgram _program;
        private readonly bool _contractions;
        private readonly CancellationToken _cancellation;
        private readonly Dictionary<string, Tensor> _constants;
        private readonly Dictionary<string, Tensor> _values = new(StringComparer.Ordinal);
        private readonly Dictionary<string, TensorType> _types;
        private readonly Dictionary<string, TensorType> _joins = new(StringComparer.Ordinal);
        private readonly Dictionary<string, byte[]> _joined = new(StringComparer.Ordinal);

        public Run(GconvProgram program, IReadOnlyList<Tensor> inputs, bool contractions, CancellationToken cancellation)
        {
            (_program, _contractions, _cancellation) = (program, contractions, cancellation);
            _constants = program.Constants.ToDictionary(constant => constant.Name, constant => constant.Value, StringComparer.Ordinal);
            _types = program.Inputs.Select(input => (input.Name, input.Type))
                .Concat(program.Constants.Select(constant => (constant.Name, Type: new TensorType(constant.Value.Element, constant.Value.Shape))))
                .Concat(program.Steps.Select(step => (step.Name, step.Type)))
                .ToDictionary(tensor => tensor.Name, tensor => tensor.Type, StringComparer.Ordinal);
            for (var i = 0; i < inputs.Count; i++)
            {
                _values.Add(program.Inputs[i].Name, inputs[i].Reshape(program.Inputs[i].Type.Shape));
            }

            foreach (var join in program.Steps.OfType<GconvView>().Where(view => view.Kind == ViewKind.Join))
            {
                _joins.Add(join.Name, join.Type);
            }
        }

        public GconvEvaluation Execute()
        {
            foreach (var step in _program.Steps)
            {
                if (step.Match(Operator, View, Softmax, Host) is { } value)
                {
                    _values.Add(step.Name, value);
                }
            }

            return new(_values, _program.Outputs.Select(Tensor).ToEquatableArray());
        }

        private Tensor Tensor(string name) => _values.TryGetValue(name, out var value) ? value : _constants[name];

        private Tensor? Operator(GconvOperator operation)
        {
            var whole = operation.Destination is { } destination ? _joins[destination] : operation.Type;
            var bytes = operation.Destination is null ? Bytes(whole) : JoinedBytes(operation.Destination, whole);
            new OperatorEvaluation(operation, Tensor, whole.Shape, _contractions).Run(bytes, _cancellation);
            return operation.Destination is null ? new Tensor(whole.Element, whole.Shape, bytes) : null;
        }

        private Tensor View(GconvView view) => view.Kind == ViewKind.Reshape
            ? Tensor(view.Sources[0]).Reshape(view.Type.Shape)
            : new Tensor(view.Type.Element, view.Type.Shape, JoinedBytes(view.Name, view.Type));

        private Tensor Softmax(GconvHostSoftmax softmax)
        {
            var input = Tensor(softmax.Source).AsSpan<sbyte>();
            var bytes = Bytes(softmax.Type);
            var output = MemoryMarshal.Cast<byte, sbyte>(bytes.AsSpan());
            var length = softmax.Type.Shape.Dimensions[^1];
            for (var start = 0; start < input.Length; start += length)
            {
                _cancellation.ThrowIfCancellationRequested();
                if (!Int8Softmax.Row(input.Slice(start, length), output.Slice(start, length), softmax.Multiplier, softmax.LeftShift, softmax.DiffMin))
                {
                    throw new DiagnosticException(GconvDiagnostics.SoftmaxUndefined(softmax, start / length));
                }
            }

            return new(softmax.Type.Element, softmax.Type.Shape, bytes);
        }

        private Tensor Host(GconvHostLayer host)
        {
            var diagnostics = new DiagnosticBag();
            var inputs = host.Layer.Inputs;
            return NetworkEvaluator.EvaluateLayer(host.Layer, [.. inputs.Select(name => _types[name])], [.. inputs.Select(Tensor)], diagnostics)
                ?? throw new DiagnosticException(diagnostics.Diagnostics[0]);
        }

        private byte[] JoinedBytes(string join, TensorType type)
        {
            if (!_joined.TryGetValue(join, out var bytes))
            {
                _joined.Add(join, bytes = Bytes(type));
            }

            return bytes;
        }

        private static byte[] Bytes(TensorType type) => new byte[type.Shape.Elements * type.Element.Size()];
    }
}
