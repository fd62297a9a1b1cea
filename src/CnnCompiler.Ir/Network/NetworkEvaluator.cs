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
/// Runs a network, one layer after the other. Codes: exactly as the rounding scheme of each layer defines (<c>int8-arithmetic.md</c> section 3 and the classes of
/// <see cref="Primitives.Arithmetic"/> for TFLite; <see cref="Primitives.Arithmetic.HalfEvenFactor"/> for ONNX), accumulators being int32 that wrap. Reals: elements widened to binary64, products and sums
/// in binary64 in the order of the loops, one rounding to binary32 at the end of a layer. Fixed point: exact int64 sums and one rounding at the end; functions by
/// <see cref="Primitives.Arithmetic.FixedMath"/>. It is written to be read, not to be fast: below a nanosecond a multiplication.
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
        var output = new byte[layer.Type.Shape.Elements * layer.Type.Element.Size()];
        try
        {
            return Run(layer, types, inputs, output, diagnostics) ? new Tensor(layer.Type.Element, layer.Type.Shape, output) : null;
        }
        catch (OverflowException)
        {
            diagnostics.Report(NetworkDiagnostics.FixedPointOverflow(layer));
        }
        catch (DiagnosticException exception)
        {
            diagnostics.Report(exception.Diagnostic);
        }

        return null;
    }

    // False, and reported, where the result is not defined.
    private static bool Run(Layer layer, TensorType[] types, Tensor[] inputs, byte[] output, DiagnosticBag diagnostics) => layer.Match(
        conv2D: l => Done(() => ProductLayers.Conv2D(l, types[0], inputs[0], output)),
        depthwiseConv2D: l => Done(() => ProductLayers.DepthwiseConv2D(l, types[0], inputs[0], output)),
        dense: l => Done(() => ProductLayers.Dense(l, types[0], inputs[0], output)),
        maxPool2D: l => Done(() => PoolLayers.MaxPool2D(l, types[0], inputs[0], output)),
        averagePool2D: l => Done(() => PoolLayers.AveragePool2D(l, types[0], inputs[0], output)),
        add: l => Done(() => ArithmeticLayers.Add(l, types[0], inputs[0], types[1], inputs[1], output)),
        concat: l => Done(() => SelectionLayers.Concat(l, inputs, output)),
        pad: l => Done(() => SelectionLayers.Pad(l, inputs[0], output)),
        reshape: l => Done(() => inputs[0].Bytes.CopyTo(output)),
        activation: l => Done(() => ElementLayers.Activation(l, inputs[0], output)),
        softmax: l =>
        {
            var row = NormalizationLayers.Softmax(l, types[0], inputs[0], output);
            if (row >= 0)
            {
                diagnostics.Report(NetworkDiagnostics.SoftmaxSumTooLarge(l, row, l.Type.Shape.Dimensions[^1]));
            }

            return row < 0;
        },
        conv3D: l => Done(() => ProductLayers.Conv3D(l, types[0], inputs[0], output)),
        conv2DTranspose: l => Done(() => ProductLayers.Conv2DTranspose(l, types[0], inputs[0], output)),
        matMul: l => Done(() => ProductLayers.MatMul(l, types[0], inputs[0], types[1], inputs[1], output)),
        capsuleTransform: l => Done(() => ProductLayers.CapsuleTransform(l, types[0], inputs[0], output)),
        maxPool3D: l => Done(() => PoolLayers.MaxPool3D(l, types[0], inputs[0], output)),
        averagePool3D: l => Done(() => PoolLayers.AveragePool3D(l, types[0], inputs[0], output)),
        mean: l => Done(() => PoolLayers.Mean(l, types[0], inputs[0], output)),
        constant: l => Done(() => l.Value.Bytes.CopyTo(output)),
        sub: l => Done(() => ArithmeticLayers.Sub(l, types[0], inputs[0], types[1], inputs[1], output)),
        mul: l => Done(() => ArithmeticLayers.Mul(l, types[0], inputs[0], types[1], inputs[1], output)),
        unary: l => Done(() => ElementLayers.Unary(l, types[0], inputs[0], output)),
        clip: l => Done(() => ElementLayers.Clip(l, inputs[0], output)),
        batchNorm: l => Done(() => ElementLayers.BatchNorm(l, types[0], inputs[0], output)),
        layerNorm: l => Done(() => NormalizationLayers.LayerNorm(l, types[0], inputs[0], output)),
        lrn: l => Done(() => NormalizationLayers.Lrn(l, types[0], inputs[0], output)),
        squash: l => Done(() => CapsuleLayers.Squash(l, types[0], inputs[0], output)),
        routing: l => Done(() => CapsuleLayers.Routing(l, types[0], inputs[0], output)),
        quantize: l => Done(() => ElementLayers.Quantize(l, types[0], inputs[0], output)),
        dequantize: l => Done(() => ElementLayers.Dequantize(types[0], inputs[0], output)),
        transpose: l => Done(() => SelectionLayers.Transpose(l, inputs[0], output)),
        stridedSlice: l => Done(() => SelectionLayers.StridedSlice(l, inputs[0], output)),
        split: l => Done(() => SelectionLayers.Split(l, inputs[0], output)),
        resize: l => Done(() => HostLayers.FunctionOf(l, types).Run(inputs[0].Bytes, [], output)),
        proposal: l => Done(() => HostLayers.FunctionOf(l, types).Run(inputs[0].Bytes, inputs[1].Bytes, output)),
        roiPool: l => Done(() => HostLayers.FunctionOf(l, types).Run(inputs[0].Bytes, inputs[1].Bytes, output)));

    private static bool Done(Action kernel)
    {
        kernel();
        return true;
    }

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
