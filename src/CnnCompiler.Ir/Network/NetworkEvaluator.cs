using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network.Evaluation;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Ir.Network;

/// <summary>Every value of one evaluation of a network.</summary>
/// <param name="Values">Network inputs and layer results by name.</param>
/// <param name="Outputs">The network's outputs in graph order.</param>
public sealed record NetworkEvaluation(IReadOnlyDictionary<string, Tensor> Values, EquatableArray<Tensor> Outputs);

/// <summary>
/// Runs a network over integers, one layer after the other, exactly as the rounding scheme of each layer defines
/// (<c>int8-arithmetic.md</c> section 3 for TFLite; <see cref="Primitives.Arithmetic.HalfEvenFactor"/> for ONNX). Accumulators are int32 and wrap. It is written to be
/// read, not to be fast: about a nanosecond a multiplication.
/// </summary>
public static class NetworkEvaluator
{
    /// <summary>
    /// Evaluates <paramref name="graph"/>, or reports why it can't be (a graph that <see cref="NetworkVerifier"/> refuses, inputs that don't fit, a softmax row
    /// without a defined result) and returns null.
    /// </summary>
    /// <param name="graph">The network.</param>
    /// <param name="inputs">One tensor for each network input, in graph order, of the input's element type and number of elements.</param>
    /// <param name="diagnostics">Takes what is wrong.</param>
    public static NetworkEvaluation? Evaluate(NetworkGraph graph, IReadOnlyList<Tensor> inputs, DiagnosticBag diagnostics)
    {
        var problems = NetworkVerifier.Check(graph);
        diagnostics.Report(problems);
        if (problems.Any(problem => problem.Severity == DiagnosticSeverity.Error) || !InputsFit(graph, inputs, diagnostics))
        {
            return null;
        }

        var values = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        var types = new Dictionary<string, TensorType>(StringComparer.Ordinal);
        for (var i = 0; i < inputs.Count; i++)
        {
            var input = graph.Inputs[i];
            values.Add(input.Name, inputs[i].Reshape(input.Type.Shape));
            types.Add(input.Name, input.Type);
        }

        foreach (var layer in graph.Layers)
        {
            var tensors = layer.Inputs.Select(name => values[name]).ToArray();
            if (EvaluateLayer(layer, layer.Inputs.Select(name => types[name]).ToArray(), tensors, diagnostics) is not { } result)
            {
                return null;
            }

            values.Add(layer.Name, result);
            types.Add(layer.Name, layer.Type);
        }

        return new(values, graph.Outputs.Select(name => values[name]).ToEquatableArray());
    }

    /// <summary>Evaluates one layer of a verified network; null, and a diagnostic, where its result is not defined.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="types">Types of its inputs.</param>
    /// <param name="inputs">Its inputs.</param>
    /// <param name="diagnostics">Takes what is wrong.</param>
    public static Tensor? EvaluateLayer(Layer layer, TensorType[] types, Tensor[] inputs, DiagnosticBag diagnostics)
    {
        var bytes = new byte[layer.Type.Shape.Elements];
        var defined = layer.Match(
            conv2D: l => Done(() => ConvolutionKernels.Conv2D(l, types[0], inputs[0], Codes(bytes))),
            depthwiseConv2D: l => Done(() => ConvolutionKernels.DepthwiseConv2D(l, types[0], inputs[0], Codes(bytes))),
            dense: l => Done(() => ConvolutionKernels.Dense(l, types[0], inputs[0], Codes(bytes))),
            maxPool2D: l => Done(() => PoolingKernels.MaxPool2D(l, types[0], inputs[0], Codes(bytes))),
            averagePool2D: l => Done(() => PoolingKernels.AveragePool2D(l, types[0], inputs[0], Codes(bytes))),
            add: l => Done(() => ElementwiseKernels.Add(l, types[0], inputs[0], types[1], inputs[1], Codes(bytes))),
            concat: l => Done(() => ElementwiseKernels.Concat(l, inputs, Codes(bytes))),
            pad: l => Done(() => ElementwiseKernels.Pad(l, inputs[0], Codes(bytes))),
            reshape: l => Done(() => inputs[0].Bytes.CopyTo(bytes)),
            activation: l => Done(() => ElementwiseKernels.Activation(l, inputs[0], Codes(bytes))),
            softmax: l =>
            {
                var row = ElementwiseKernels.Softmax(l, types[0], inputs[0], Codes(bytes));
                if (row >= 0)
                {
                    diagnostics.Report(NetworkDiagnostics.SoftmaxSumTooLarge(l, row, l.Type.Shape.Dimensions[^1]));
                }

                return row < 0;
            },
            conv3D: _ => throw new NotSupportedException(),
            conv2DTranspose: _ => throw new NotSupportedException(),
            matMul: _ => throw new NotSupportedException(),
            capsuleTransform: _ => throw new NotSupportedException(),
            maxPool3D: _ => throw new NotSupportedException(),
            averagePool3D: _ => throw new NotSupportedException(),
            mean: _ => throw new NotSupportedException(),
            constant: _ => throw new NotSupportedException(),
            sub: _ => throw new NotSupportedException(),
            mul: _ => throw new NotSupportedException(),
            unary: _ => throw new NotSupportedException(),
            clip: _ => throw new NotSupportedException(),
            batchNorm: _ => throw new NotSupportedException(),
            layerNorm: _ => throw new NotSupportedException(),
            lrn: _ => throw new NotSupportedException(),
            squash: _ => throw new NotSupportedException(),
            routing: _ => throw new NotSupportedException(),
            quantize: _ => throw new NotSupportedException(),
            dequantize: _ => throw new NotSupportedException(),
            transpose: _ => throw new NotSupportedException(),
            stridedSlice: _ => throw new NotSupportedException(),
            split: _ => throw new NotSupportedException(),
            resize: _ => throw new NotSupportedException(),
            proposal: _ => throw new NotSupportedException(),
            roiPool: _ => throw new NotSupportedException());
        return defined ? new Tensor(layer.Type.Element, layer.Type.Shape, bytes) : null;
    }

    private static bool Done(Action kernel)
    {
        kernel();
        return true;
    }

    private static Span<sbyte> Codes(byte[] bytes) => System.Runtime.InteropServices.MemoryMarshal.Cast<byte, sbyte>(bytes.AsSpan());

    private static bool InputsFit(NetworkGraph graph, IReadOnlyList<Tensor> inputs, DiagnosticBag diagnostics)
    {
        if (inputs.Count != graph.Inputs.Count)
        {
            diagnostics.Report(NetworkDiagnostics.WrongNumberOfInputTensors(graph.Name, inputs.Count, graph.Inputs.Count));
            return false;
        }

        var fit = true;
        for (var i = 0; i < inputs.Count; i++)
        {
            var expected = graph.Inputs[i];
            if (inputs[i].Element != expected.Type.Element || inputs[i].Shape.Elements != expected.Type.Shape.Elements)
            {
                diagnostics.Report(NetworkDiagnostics.WrongInputTensor(expected, inputs[i]));
                fit = false;
            }
        }

        return fit;
    }
}
