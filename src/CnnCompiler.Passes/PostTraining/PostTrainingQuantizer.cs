using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;
using CnnCompiler.Ir.Network.Operators;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Passes.PostTraining;

/// <summary>A network that was quantised.</summary>
/// <param name="Real">The f32 network it stands for, made ready (<see cref="RealPreparation"/>); values have the same names.</param>
/// <param name="Graph">The network on int8.</param>
public sealed record QuantizedNetwork(NetworkGraph Real, NetworkGraph Graph);

/// <summary>
/// Post-training quantisation: an f32 network in, one on int8 in TFLite's scheme out (weights symmetric and per channel, activations asymmetric, biases int32; <c>int8-arithmetic.md</c> section 2), which
/// every target takes. Ranges of values come from samples.
/// </summary>
public static class PostTrainingQuantizer
{
    /// <summary>Quantises a network; null where that is not possible, which is reported.</summary>
    /// <param name="graph">A network of f32 values.</param>
    /// <param name="samples">Typical inputs.</param>
    /// <param name="options">What may be chosen.</param>
    /// <param name="diagnostics">Takes what is wrong.</param>
    /// <param name="cancellation">Ends the work with <see cref="OperationCanceledException"/>.</param>
    public static QuantizedNetwork? Quantize(NetworkGraph graph, SampleSet samples, QuantizationOptions options, DiagnosticBag diagnostics, CancellationToken cancellation = default)
    {
        try
        {
            return IsQuantizable(graph, samples, options, diagnostics) ? Run(graph, samples, options, diagnostics, cancellation) : null;
        }
        catch (DiagnosticException refusal)
        {
            diagnostics.Report(refusal.Diagnostic);
            return null;
        }
    }

    private static bool IsQuantizable(NetworkGraph graph, SampleSet samples, QuantizationOptions options, DiagnosticBag diagnostics)
    {
        var problems = new DiagnosticBag();
        problems.Report(NetworkVerifier.Check(graph));
        // The first says it: what follows from it is on int8 too.
        var values = graph.Inputs.Select(input => (input.Span.Value, input.Name, input.Type)).Concat(graph.Layers.Select(layer => (layer.Span.Value, layer.Name, layer.Type)));
        problems.Report(values.Where(value => Operator.FormOf(value.Type) != ValueForms.Real).Take(1).Select(value => QuantizationDiagnostics.NotReal(value.Value, value.Name, value.Type)));
        if (samples.Samples.Count == 0)
        {
            problems.Report(QuantizationDiagnostics.NoSamples(graph.Name));
        }

        if (options.Method == CalibrationMethod.Percentile && options.Percentile is not (> 50 and <= 100))
        {
            problems.Report(QuantizationDiagnostics.WrongPercentile(options.Percentile));
        }

        diagnostics.Report(problems.Diagnostics);
        return !problems.HasErrors;
    }

    private static QuantizedNetwork? Run(NetworkGraph graph, SampleSet samples, QuantizationOptions options, DiagnosticBag diagnostics, CancellationToken cancellation)
    {
        var real = RealPreparation.Prepare(graph);
        var refused = real.Layers.Where(layer => !OperatorTable.Of(layer).Forms.HasFlag(ValueForms.Quantized)).ToList();
        diagnostics.Report(refused.Select(QuantizationDiagnostics.NoInt8Form));
        if (refused.Count > 0)
        {
            return null;
        }

        if (options.EqualizeChannels && ChannelEqualization.Candidates(real) is { Count: > 0 } candidates)
        {
            if (Calibration.ChannelMagnitudes(real, samples, candidates, diagnostics, cancellation) is not { } largest)
            {
                return null;
            }

            real = ChannelEqualization.Equalize(real, largest);
        }

        var averaged = real.Layers.Where(layer => options.CorrectBias && layer.StoredWeights() is not null).Select(layer => layer.Inputs[0]).ToHashSet(StringComparer.Ordinal);
        if (Calibration.Run(real, samples, options, averaged, diagnostics, cancellation) is not { } calibration)
        {
            return null;
        }

        var quantized = Build(real, new(real, calibration.Of), calibration.Means);
        var problems = NetworkVerifier.Check(quantized);
        diagnostics.Report(problems);
        return problems.Any(problem => problem.Severity == DiagnosticSeverity.Error) ? null : new(real, quantized);
    }

    private static NetworkGraph Build(NetworkGraph real, ScaleGroups groups, IReadOnlyDictionary<string, Tensor> means)
    {
        var types = LayerEdits.Types(real);
        var layers = new List<Layer>();
        foreach (var layer in real.Layers)
        {
            var result = layer with { Type = Quantized(layer.Type, groups.Of(layer.Name)) };
            layers.Add(result switch
            {
                Concat concat => concat with { Inputs = [.. concat.Inputs.Select((name, index) => Rescaled(concat, name, index))] },
                Pad pad => pad with { Value = (int)Code(pad.Value, pad.Type.Quantization!) },
                Constant constant => constant with { Value = Codes(constant.Value, constant.Type.Quantization!) },
                _ when layer.StoredWeights() is not null =>
                    WeightQuantizer.Quantize(result, groups.Of(layer.Inputs[0]), means.GetValueOrDefault(layer.Inputs[0]), types[layer.Inputs[0]].Shape),
                _ => result.With((LayerEdits.Rounding, RoundingScheme.TfliteDouble)),
            });
        }

        return real with { Inputs = [.. real.Inputs.Select(input => input with { Type = Quantized(input.Type, groups.Of(input.Name)) })], Layers = [.. layers] };

        string Rescaled(Concat concat, string name, int index)
        {
            if (groups.Of(name) == concat.Type.Quantization)
            {
                return name;
            }

            var rescaled = FormattableString.Invariant($"{concat.Name}_operand{index}");
            while (types.ContainsKey(rescaled))
            {
                rescaled += "_";
            }

            layers.Add(new Quantize(rescaled, LayerEdits.Names(name), Quantized(types[name], concat.Type.Quantization!), RoundingScheme.TfliteDouble) { Span = concat.Span });
            return rescaled;
        }
    }

    private static TensorType Quantized(TensorType type, Quantization quantization) => new(ElementType.Int8, type.Shape, quantization);

    /// <summary>The codes of real numbers.</summary>
    /// <param name="real">f32.</param>
    /// <param name="quantization">Scale and zero point.</param>
    public static Tensor Codes(Tensor real, Quantization quantization)
    {
        var numbers = real.AsSpan<float>();
        var codes = new sbyte[numbers.Length];
        for (var i = 0; i < codes.Length; i++)
        {
            codes[i] = Code(numbers[i], quantization);
        }

        return Tensor.From<sbyte>(ElementType.Int8, real.Shape, codes);
    }

    // Ties away from zero, as TFLite's QUANTIZE rounds.
    private static sbyte Code(double value, Quantization quantization) =>
        (sbyte)Math.Clamp(Math.Round(value / quantization.Scale, MidpointRounding.AwayFromZero) + quantization.ZeroPoint, sbyte.MinValue, sbyte.MaxValue);
}
