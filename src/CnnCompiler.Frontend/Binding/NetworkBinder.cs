using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Frontend.Syntax;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Frontend.Binding;

/// <summary>
/// From syntax to a network: names, attributes, weights, types. A value whose definition is wrong stays known without a type, and what reads it is not
/// blamed for that.
/// </summary>
internal sealed class NetworkBinder
{
    private readonly NetworkSyntax _network;
    private readonly bool _isBroken;
    private readonly IReadOnlySet<string> _skipped;
    private readonly DiagnosticBag _diagnostics;
    private readonly WeightsFile _weights;
    private readonly Dictionary<string, Value> _values = new(StringComparer.Ordinal);
    private readonly Dictionary<string, SourceSpan> _definitions = new(StringComparer.Ordinal);
    private readonly List<NetworkInput> _inputs = [];
    private readonly List<Layer> _layers = [];
    private readonly List<string> _outputs = [];
    private readonly HashSet<string> _outputNames = new(StringComparer.Ordinal);

    private NetworkBinder(SyntaxResult syntax, Func<string, byte[]?> companions, DiagnosticBag diagnostics)
    {
        (_network, _isBroken, _skipped, _diagnostics) = (syntax.Network, syntax.IsBrokenOutsideStatements, syntax.Skipped, diagnostics);
        _weights = WeightsFile.Open(_network, companions, diagnostics);
    }

    /// <summary>The network, without what was wrong in it.</summary>
    public static NetworkGraph Bind(SyntaxResult syntax, Func<string, byte[]?> companions, DiagnosticBag diagnostics) =>
        new NetworkBinder(syntax, companions, diagnostics).Bind();

    private NetworkGraph Bind()
    {
        foreach (var name in _network.Statements.SelectMany(Defined))
        {
            _definitions.TryAdd(name.Text, name.Span);
        }

        foreach (var statement in _network.Statements)
        {
            switch (statement)
            {
                case InputStatement input:
                    Bind(input);
                    break;
                case LayerStatement layer:
                    Bind(layer);
                    break;
                case BrokenStatement { IsOutput: false, Names: [var name] }:
                    Define(name, null, used: true);
                    break;
            }
        }

        foreach (var output in _network.Statements.OfType<OutputStatement>().SelectMany(statement => statement.Names))
        {
            BindOutput(output);
        }

        ReportOmissions();
        var graph = new NetworkGraph(_network.Name?.Text ?? string.Empty, _inputs.ToEquatableArray(), _layers.ToEquatableArray(), _outputs.ToEquatableArray());
        Verify(graph);
        if (!_diagnostics.HasErrors)
        {
            ReportUnused();
        }

        return graph;
    }

    /// <summary>Checks what is left of the network, even where something was wrong elsewhere: then without what concerns the network as a whole.</summary>
    private void Verify(NetworkGraph graph)
    {
        var isPartial = _diagnostics.HasErrors;
        _diagnostics.Report(NetworkVerifier.Check(graph).Where(diagnostic => !isPartial || diagnostic.Span.Line > 0));
    }

    private static IEnumerable<NameSyntax> Defined(StatementSyntax statement) => statement switch
    {
        InputStatement input => [input.Name],
        LayerStatement layer => [layer.Name],
        BrokenStatement { IsOutput: false } broken => broken.Names,
        _ => [],
    };

    private void Bind(InputStatement input)
    {
        var element = ElementTypes.Parse(input.ElementType.Text);
        if (element is null)
        {
            var known = Enum.GetValues<ElementType>().Select(type => type.Name());
            _diagnostics.Report(LanguageDiagnostics.UnknownElementType(
                input.ElementType.Span, input.ElementType.Text, Suggestions.Near(input.ElementType.Text, known, _diagnostics)));
        }

        var shape = BindShape(input.Name.Text, input.Shape);
        var quantization = BindQuantization(input.Name, input.Quantization);
        TensorType? type = element is { } known2 && shape is { } extents && quantization is not null ? new(known2, extents, quantization) : null;
        if (Define(input.Name, type, used: false) && type is not null)
        {
            _inputs.Add(new(input.Name.Text, type) { Span = input.Span });
        }
    }

    private Shape? BindShape(string name, ListValue written)
    {
        var extents = new int[written.Items.Count];
        for (var i = 0; i < extents.Length; i++)
        {
            var number = (NumberValue)written.Items[i];
            if (LanguageNumbers.Integer(number, 1, NetworkLimits.Elements) is not { } extent)
            {
                _diagnostics.Report(LanguageDiagnostics.NumberOutOfRange(number.Span, $"an extent of '{name}'", number.Text, 1, NetworkLimits.Elements));
                return null;
            }

            extents[i] = (int)extent;
        }

        var shape = Shape.Of(extents);
        if (NetworkLimits.Allows(shape))
        {
            return shape;
        }

        _diagnostics.Report(LanguageDiagnostics.ShapeTooLarge(written.Span, $"'{name}'", LanguageDiagnostics.Shorten(shape.ToString()), NetworkLimits.Rank, NetworkLimits.Elements));
        return null;
    }

    private void Bind(LayerStatement statement)
    {
        var layer = Make(statement);
        if (!Define(statement.Name, layer?.Type, used: false) || layer is null)
        {
            return;
        }

        _layers.Add(layer);
    }

    private Layer? Make(LayerStatement statement)
    {
        var inputs = statement.Operands.Select(Read).ToList();
        if (LayerKinds.Find(statement.Kind.Text) is not { } kind)
        {
            var known = LayerKinds.All.Select(row => row.Keyword);
            _diagnostics.Report(LanguageDiagnostics.UnknownLayer(statement.Kind.Span, statement.Kind.Text, Suggestions.Near(statement.Kind.Text, known, _diagnostics)));
            return null;
        }

        var attributes = new AttributeReader(statement, kind.Attributes, _diagnostics);
        if (inputs.Count < kind.MinimumOperands || inputs.Count > kind.MaximumOperands)
        {
            attributes.Report(LanguageDiagnostics.WrongNumberOfOperands(statement.Kind.Span, kind.Keyword, inputs.Count, kind.Operands));
        }

        var types = inputs.OfType<TensorType>().ToArray();
        var usable = types.Length == inputs.Count && types.Length > 0 ? types : null;
        var layer = kind.Bind(new LayerBuilder(statement, attributes, usable, _weights));
        var quantization = kind.Quantization switch
        {
            _ when statement.Quantization is not null => BindQuantization(statement.Name, statement.Quantization),
            ResultQuantization.OfOperand => usable?[0].Quantization,
            ResultQuantization.OfSoftmax => Quantization.PerTensor(1f / 256, sbyte.MinValue),
            _ => BindQuantization(statement.Name, null),
        };
        if (layer is null || attributes.Failed || usable is null)
        {
            return null;
        }

        layer = layer with { Span = statement.Span };
        return NetworkShapes.Infer(layer, usable, _diagnostics) is { } shape && quantization is not null
            ? layer with { Type = new(ElementType.Int8, shape, quantization) }
            : null;
    }

    /// <summary>Scale and zero point as written, or from the weight file; null where they are missing or wrong, which is reported.</summary>
    private Quantization? BindQuantization(NameSyntax name, QuantizationSyntax? written)
    {
        if (written is null)
        {
            return StoredQuantization(name);
        }

        var scale = LanguageNumbers.Scale(written.Scale);
        if (scale is null)
        {
            _diagnostics.Report(LanguageDiagnostics.WrongScale(written.Scale.Span, written.Scale.Text));
        }

        long? zeroPoint = 0;
        if (written.ZeroPoint is { } number)
        {
            zeroPoint = LanguageNumbers.Integer(number, sbyte.MinValue, sbyte.MaxValue);
            if (zeroPoint is null)
            {
                _diagnostics.Report(LanguageDiagnostics.NumberOutOfRange(number.Span, "the zero point", number.Text, sbyte.MinValue, sbyte.MaxValue));
            }
        }

        return scale is { } s && zeroPoint is { } z ? Quantization.PerTensor(s, (int)z) : null;
    }

    private Quantization? StoredQuantization(NameSyntax name)
    {
        var (scaleName, zeroName) = ($"{name.Text}.scale", $"{name.Text}.zero_point");
        if (_weights.IsUnreadable)
        {
            return null;
        }

        if (_weights.Find(scaleName) is not { } scale)
        {
            _diagnostics.Report(LanguageDiagnostics.NoQuantization(name.Span, name.Text, _weights.Path));
            return null;
        }

        if (scale.Element != ElementType.Float32 || scale.Shape.Elements != 1)
        {
            _diagnostics.Report(LanguageDiagnostics.WrongArray(name.Span, scaleName, scale, "one f32 number"));
            return null;
        }

        var zeroPoint = 0L;
        if (_weights.Find(zeroName) is { } zero)
        {
            if (zero.Element == ElementType.Float32 || zero.Shape.Elements != 1 || zero.GetInteger(0) is < sbyte.MinValue or > sbyte.MaxValue)
            {
                _diagnostics.Report(LanguageDiagnostics.WrongArray(name.Span, zeroName, zero, "one integer from -128 to 127"));
                return null;
            }

            zeroPoint = zero.GetInteger(0);
        }

        return Quantization.PerTensor(scale.AsSpan<float>()[0], (int)zeroPoint);
    }

    private bool Define(NameSyntax name, TensorType? type, bool used)
    {
        if (_values.TryAdd(name.Text, new(name.Span, type) { IsUsed = used }))
        {
            return true;
        }

        _diagnostics.Report(LanguageDiagnostics.DuplicateName(name.Span, name.Text, _values[name.Text].Span));
        return false;
    }

    /// <summary>Type of a value that is read; null where it has none. An unknown name is reported.</summary>
    private TensorType? Read(NameSyntax name)
    {
        if (_values.TryGetValue(name.Text, out var value))
        {
            value.IsUsed = true;
            return value.Type;
        }

        if (_definitions.TryGetValue(name.Text, out var definition))
        {
            _diagnostics.Report(LanguageDiagnostics.DefinedLater(name.Span, name.Text, definition));
        }
        else if (!_skipped.Contains(name.Text))
        {
            _diagnostics.Report(LanguageDiagnostics.UnknownValue(name.Span, name.Text, Suggestions.Near(name.Text, _values.Keys, _diagnostics)));
        }

        return null;
    }

    private void BindOutput(NameSyntax name)
    {
        if (!_outputNames.Add(name.Text))
        {
            _diagnostics.Report(LanguageDiagnostics.DuplicateOutput(name.Span, name.Text));
        }
        else if (Read(name) is not null)
        {
            _outputs.Add(name.Text);
        }
    }

    private void ReportOmissions()
    {
        // A broken end of the network is the parser's to report; what was skipped elsewhere may have been just what is missed here.
        if (_isBroken)
        {
            return;
        }

        var broken = _network.Statements.OfType<BrokenStatement>().ToList();
        var name = _network.Name?.Text ?? string.Empty;
        if (!_network.Statements.Any(statement => statement is InputStatement) && !broken.Exists(statement => statement.IsInput))
        {
            _diagnostics.Report(LanguageDiagnostics.Nothing(_network.End, name, "input", "input image : i8[1x28x28x1] scale 0.5 zero 0"));
        }

        if (!_network.Statements.Any(statement => statement is OutputStatement) && !broken.Exists(statement => statement.IsOutput))
        {
            _diagnostics.Report(LanguageDiagnostics.Nothing(_network.End, name, "output", _layers.Count > 0 ? $"output {_layers[^1].Name}" : "output image"));
        }
    }

    private void ReportUnused()
    {
        foreach (var (name, value) in _values.Where(pair => !pair.Value.IsUsed))
        {
            _diagnostics.Report(LanguageDiagnostics.UnusedValue(value.Span, name));
        }

        _weights.ReportUnused();
    }

    private sealed class Value(SourceSpan span, TensorType? type)
    {
        public SourceSpan Span { get; } = span;

        public TensorType? Type { get; } = type;

        public bool IsUsed { get; set; }
    }
}
