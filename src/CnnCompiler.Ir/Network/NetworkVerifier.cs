using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network.Operators;
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
                Define(input.Span.Value, input.Name, "an input", input.Type, input.Type, isInput: true);
            }

            var all = graph.Layers.Select(layer => layer.Name).ToHashSet(StringComparer.Ordinal);
            foreach (var layer in graph.Layers)
            {
                Define(layer.Span.Value, layer.Name, $"a {layer.Keyword}", layer.Type, CheckLayer(layer, all) ? layer.Type : null, isInput: false);
            }

            foreach (var output in graph.Outputs)
            {
                if (!_values.ContainsKey(output))
                {
                    diagnostics.Report(IrDiagnostics.UnknownOutput(graph.Name, output));
                }
            }
        }

        private void Define(SourceSpan span, string name, string what, TensorType type, TensorType? usable, bool isInput)
        {
            if (name.Length == 0)
            {
                diagnostics.Report(IrDiagnostics.EmptyName(span, what));
            }

            if (usable is not null && !IsValue(span, name, type, isInput))
            {
                usable = null;
            }

            if (!_values.TryAdd(name, usable))
            {
                diagnostics.Report(IrDiagnostics.DuplicateName(span, name));
            }
        }

        private bool IsValue(SourceSpan span, string name, TensorType type, bool isInput)
        {
            if (!NetworkLimits.Allows(type.Shape))
            {
                return Report(NetworkDiagnostics.TooManyElements(span, name, type.Shape));
            }

            if (type.Element is ElementType.Int8 or ElementType.UInt8 && type.Quantization is not { Axis: -1, Scales.Count: 1, ZeroPoints.Count: 1 })
            {
                return Report(NetworkDiagnostics.NotQuantized(span, name));
            }

            var form = Operator.FormOf(type);
            if (form == ValueForms.None || (form == ValueForms.Sums && isInput))
            {
                return Report(NetworkDiagnostics.NotAValueType(span, name, type));
            }

            var (low, high) = form switch { ValueForms.Quantized => (sbyte.MinValue, sbyte.MaxValue), ValueForms.Unsigned => (byte.MinValue, byte.MaxValue), _ => (0, 0) };
            return type.Quantization is not { } quantization || (LayerRules.IsScale(quantization.Scale) && quantization.ZeroPoint >= low && quantization.ZeroPoint <= high)
                ? true
                : Report(NetworkDiagnostics.ScaleOrZeroPointOutOfRange(span, $"'{name}'", quantization.Scale, quantization.ZeroPoint));
        }

        private bool CheckLayer(Layer layer, HashSet<string> all)
        {
            if (OperatorTable.Of(layer) is var definition && (Inputs(layer, definition, all) is not { } inputs || !HasDefinedEnumerations(layer, definition) || !definition.Accepts(layer, inputs, diagnostics)))
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

            // The rules read quantisations, so the result has to have a sound type; Define reports it where not.
            if (Operator.FormOf(layer.Type) == ValueForms.None || (layer.Type.Quantization is { } quantization && !LayerRules.IsScale(quantization.Scale)))
            {
                return true;
            }

            return ResultFormIsRight(layer, definition, inputs) && definition.Check(layer, inputs, new(layer, diagnostics, Costs));
        }

        private bool ResultFormIsRight(Layer layer, Operator definition, TensorType[] inputs)
        {
            if (definition.FormRule == FormRule.Conversion || inputs.Length == 0)
            {
                return true;
            }

            var (operand, result) = (Operator.FormOf(inputs[0]), Operator.FormOf(layer.Type));
            var areSums = definition.FormRule == FormRule.SameOrSums && operand == ValueForms.Quantized && result is ValueForms.Sums or ValueForms.Fixed;
            return result == operand || areSums || Report(NetworkDiagnostics.FormsDiffer(layer, "result", layer.Type, inputs[0]));
        }

        private TensorType[]? Inputs(Layer layer, Operator definition, HashSet<string> all)
        {
            if (layer.Inputs.Count < definition.MinimumInputs || layer.Inputs.Count > definition.MaximumInputs)
            {
                diagnostics.Report(IrDiagnostics.WrongInputCount(layer, (definition.MinimumInputs, definition.MaximumInputs) switch
                {
                    var (least, most) when least == most => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"it takes {least}"),
                    var (least, _) => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"it takes {least} or more"),
                }));
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

        private bool HasDefinedEnumerations(Layer layer, Operator definition)
        {
            foreach (var attribute in definition.Attributes)
            {
                var isDefined = attribute.Get(layer) switch
                {
                    FusedActivation value => Enum.IsDefined(value),
                    RoundingScheme value => Enum.IsDefined(value),
                    ResizeMode value => Enum.IsDefined(value),
                    ResizeCoordinates value => Enum.IsDefined(value),
                    _ => true,
                };
                if (!isDefined)
                {
                    return Report(IrDiagnostics.UndefinedEnumeration(layer, attribute.Kind == AttributeKind.Rounding ? "rounding scheme" : attribute.Name));
                }
            }

            return true;
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
    }
}
