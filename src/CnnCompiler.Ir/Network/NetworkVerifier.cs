using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Primitives.Arithmetic;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Ir.Network;

/// <summary>
/// Checks everything that the evaluator and the lowering rely on. What a user can get wrong is CNN0100 to CNN0199, what only a faulty
/// front end or pass can is CNN0920 to CNN0949. A network without errors here can be evaluated on any inputs (a softmax of 512 classes and more
/// may still have rows without a defined result).
/// </summary>
public static class NetworkVerifier
{
    /// <summary>All that is wrong with a network, in its order; nothing where it is right.</summary>
    public static IReadOnlyList<Diagnostic> Check(NetworkGraph graph)
    {
        var diagnostics = new DiagnosticBag();
        new Checker(graph, diagnostics).Check();
        return diagnostics.Diagnostics;
    }

    private sealed class Checker(NetworkGraph graph, DiagnosticBag diagnostics)
    {
        // Beyond it the left shift before the multiplication exceeds 30 (FixedPoint.MultiplyByQuantizedMultiplier).
        private const double MaximumFactor = 1 << 29;

        // What the layers so far define; null for a value whose type is unusable, so that one fault isn't reported again by each reader.
        private readonly Dictionary<string, TensorType?> _values = new(StringComparer.Ordinal);
        private long _operations;

        public void Check()
        {
            if (graph.Inputs.Count == 0)
            {
                diagnostics.Report(IrDiagnostics.NoInputsOrOutputs(graph.Name, "inputs"));
            }

            if (graph.Outputs.Count == 0)
            {
                diagnostics.Report(IrDiagnostics.NoInputsOrOutputs(graph.Name, "outputs"));
            }

            foreach (var input in graph.Inputs)
            {
                Define(input.Span.Value, input.Name, "an input", input.Type, input.Type);
            }

            var all = graph.Layers.Select(layer => layer.Name).ToHashSet(StringComparer.Ordinal);
            foreach (var layer in graph.Layers)
            {
                Define(layer.Span.Value, layer.Name, $"a {layer.Keyword}", layer.Type, CheckLayer(layer, all) ? layer.Type : null);
            }

            foreach (var output in graph.Outputs)
            {
                if (!_values.ContainsKey(output))
                {
                    diagnostics.Report(IrDiagnostics.UnknownOutput(graph.Name, output));
                }
            }
        }

        private void Define(SourceSpan span, string name, string what, TensorType type, TensorType? usable)
        {
            if (name.Length == 0)
            {
                diagnostics.Report(IrDiagnostics.EmptyName(span, what));
            }

            if (usable is not null && !IsActivation(span, name, type))
            {
                usable = null;
            }

            if (!_values.TryAdd(name, usable))
            {
                diagnostics.Report(IrDiagnostics.DuplicateName(span, name));
            }
        }

        private bool IsActivation(SourceSpan span, string name, TensorType type)
        {
            if (!NetworkLimits.Allows(type.Shape))
            {
                return Report(NetworkDiagnostics.TooManyElements(span, name, type.Shape));
            }

            if (type.Element != ElementType.Int8)
            {
                return Report(NetworkDiagnostics.NotInt8(span, name, type));
            }

            if (type.Quantization is not { Axis: -1, Scales.Count: 1, ZeroPoints.Count: 1 } quantization)
            {
                return Report(NetworkDiagnostics.NotQuantized(span, name));
            }

            return IsScale(quantization.Scale) && quantization.ZeroPoint is >= sbyte.MinValue and <= sbyte.MaxValue
                ? true
                : Report(NetworkDiagnostics.ScaleOrZeroPointOutOfRange(span, $"'{name}'", quantization.Scale, quantization.ZeroPoint));
        }

        private bool CheckLayer(Layer layer, HashSet<string> all)
        {
            if (Inputs(layer, all) is not { } inputs || !HasDefinedEnumerations(layer))
            {
                return false;
            }

            if (NetworkShapes.Infer(layer, inputs, diagnostics) is not { } shape)
            {
                return false;
            }

            if (shape != layer.Type.Shape)
            {
                return Report(IrDiagnostics.WrongResultShape(layer, shape));
            }

            // The rules below read quantisations, so the result has to have one; Define reports it where not.
            if (layer.Type is not { Element: ElementType.Int8, Quantization: { Axis: -1, Scales.Count: 1, ZeroPoints.Count: 1 } quantization } || !IsScale(quantization.Scale))
            {
                return true;
            }

            return layer.Match(
                conv2D: l => WeightsAreRight(l.WeightQuantization, l, l.Weights.Shape[0], 0) && FactorsFit(l, l.WeightQuantization, inputs[0])
                    && Costs(l, (long)l.Weights.Shape[1] * l.Weights.Shape[2] * l.Weights.Shape[3]),
                depthwiseConv2D: l => WeightsAreRight(l.WeightQuantization, l, l.Weights.Shape[3], 3) && FactorsFit(l, l.WeightQuantization, inputs[0])
                    && Costs(l, (long)l.Weights.Shape[1] * l.Weights.Shape[2]),
                dense: l => WeightsAreRight(l.WeightQuantization, l, l.Weights.Shape[0], 0) && FactorsFit(l, l.WeightQuantization, inputs[0])
                    && Costs(l, l.Weights.Shape[1]),
                maxPool2D: l => KeepsQuantization(l, inputs) && Costs(l, (long)l.Kernel.Height * l.Kernel.Width),
                averagePool2D: l => KeepsQuantization(l, inputs) && Costs(l, (long)l.Kernel.Height * l.Kernel.Width),
                add: l => FactorsFit(l, inputs[0], inputs[1]),
                concat: l => KeepsQuantization(l, inputs),
                pad: l => KeepsQuantization(l, inputs)
                    && (l.Value is >= sbyte.MinValue and <= sbyte.MaxValue || Report(NetworkDiagnostics.AttributeOutOfRange(l, "value", l.Value, sbyte.MinValue, sbyte.MaxValue))),
                reshape: l => KeepsQuantization(l, inputs),
                activation: l => KeepsQuantization(l, inputs),
                softmax: l => SoftmaxIsRight(l, inputs[0]),
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
        }

        private TensorType[]? Inputs(Layer layer, HashSet<string> all)
        {
            var (least, most, text) = layer switch
            {
                Add => (2, 2, "it takes 2"),
                Concat => (1, int.MaxValue, "it takes 1 or more"),
                _ => (1, 1, "it takes 1"),
            };
            if (layer.Inputs.Count < least || layer.Inputs.Count > most)
            {
                diagnostics.Report(IrDiagnostics.WrongInputCount(layer, text));
                return null;
            }

            var types = new TensorType[layer.Inputs.Count];
            var usable = true;
            for (var i = 0; i < types.Length; i++)
            {
                var name = layer.Inputs[i];
                if (!_values.TryGetValue(name, out var type))
                {
                    usable = Report(all.Contains(name) ? IrDiagnostics.ReadBeforeDefined(layer, name) : IrDiagnostics.UnknownValue(layer, name));
                }
                else if (type is null)
                {
                    usable = false;
                }
                else
                {
                    types[i] = type;
                }
            }

            return usable ? types : null;
        }

        private bool HasDefinedEnumerations(Layer layer)
        {
            var (activation, rounding) = layer switch
            {
                Conv2D l => (l.Activation, l.Rounding),
                DepthwiseConv2D l => (l.Activation, l.Rounding),
                Dense l => (l.Activation, l.Rounding),
                Add l => (l.Activation, l.Rounding),
                MaxPool2D l => (l.Activation, default),
                AveragePool2D l => (l.Activation, default),
                Activation l => (l.Function, default),
                _ => (FusedActivation.None, default(RoundingScheme)),
            };
            return (Enum.IsDefined(activation) || Report(IrDiagnostics.UndefinedEnumeration(layer, "activation")))
                && (Enum.IsDefined(rounding) || Report(IrDiagnostics.UndefinedEnumeration(layer, "rounding scheme")));
        }

        private bool WeightsAreRight(Quantization? quantization, Layer layer, int channels, int axis)
        {
            var count = quantization?.Scales.Count ?? 0;
            if (quantization is null || quantization.ZeroPoints.Count != count || (quantization.IsPerAxis ? count != channels || quantization.Axis != axis : count != 1))
            {
                return Report(NetworkDiagnostics.WeightScales(layer, quantization, channels, axis));
            }

            for (var channel = 0; channel < count; channel++)
            {
                if (quantization.ZeroPoints[channel] != 0)
                {
                    return Report(NetworkDiagnostics.WeightZeroPoint(layer, channel, quantization.ZeroPoints[channel]));
                }

                if (!IsScale(quantization.Scales[channel]))
                {
                    return Report(NetworkDiagnostics.ScaleOrZeroPointOutOfRange(
                        layer.Span.Value, $"{layer.Keyword} '{layer.Name}': weight channel {channel.ToString(System.Globalization.CultureInfo.InvariantCulture)}", quantization.Scales[channel], 0));
                }
            }

            return true;
        }

        private bool FactorsFit(Layer layer, Quantization? weights, TensorType input)
        {
            var largest = LayerArithmetic.Required(weights).Scales.Max();
            var factor = RequantizationFactors.Convolution(
                LayerArithmetic.Required(input).Scale, largest, LayerArithmetic.Required(layer.Type).Scale);
            return factor <= MaximumFactor || Report(NetworkDiagnostics.FactorTooLarge(layer, "the accumulator", factor));
        }

        private bool FactorsFit(Layer layer, TensorType first, TensorType second)
        {
            var twiceLarger = 2.0 * Math.Max(LayerArithmetic.Required(first).Scale, LayerArithmetic.Required(second).Scale);
            var factor = twiceLarger / LayerArithmetic.Required(layer.Type).Scale / (1 << Int8Addition.LeftShift);
            return factor <= MaximumFactor || Report(NetworkDiagnostics.FactorTooLarge(layer, "the sum", factor));
        }

        private bool KeepsQuantization(Layer layer, TensorType[] inputs)
        {
            for (var i = 0; i < inputs.Length; i++)
            {
                if (inputs[i].Quantization != layer.Type.Quantization)
                {
                    return Report(NetworkDiagnostics.QuantizationMustBeKept(layer, layer.Inputs[i], inputs[i]));
                }
            }

            return true;
        }

        private bool SoftmaxIsRight(Softmax layer, TensorType input)
        {
            if (LayerArithmetic.Required(layer.Type) != Quantization.PerTensor(1f / 256, sbyte.MinValue))
            {
                return Report(NetworkDiagnostics.SoftmaxOutputQuantization(layer));
            }

            // Section 3.8: the prepared left shift has to be above 0, that is beta * scale * 2^26 at least 1.
            var scale = LayerArithmetic.Required(input).Scale;
            return (float.IsFinite(layer.Beta) && (double)layer.Beta * scale * (1 << 26) > 1)
                || Report(NetworkDiagnostics.SoftmaxFactorTooSmall(layer, layer.Beta, scale));
        }

        private bool Costs(Layer layer, long operationsPerElement)
        {
            _operations = long.CreateSaturating((Int128)_operations + ((Int128)layer.Type.Shape.Elements * operationsPerElement));
            return _operations <= NetworkLimits.Operations || Report(NetworkDiagnostics.TooManyOperations(layer));
        }

        private bool Report(Diagnostic diagnostic)
        {
            diagnostics.Report(diagnostic);
            return false;
        }

        private static bool IsScale(float scale) => float.IsFinite(scale) && scale > 0;
    }
}
