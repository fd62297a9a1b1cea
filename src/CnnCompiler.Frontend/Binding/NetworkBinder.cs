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
internal sealed partial class NetworkBinder
{
    private readonly NetworkSyntax _network;
    private readonly bool _isBroken;
    private readonly bool _hasSyntaxErrors;
    private readonly IReadOnlySet<string> _skipped;
    private readonly DiagnosticBag _diagnostics = new();
    private readonly WeightsFile _weights;
    private readonly Scope _networkScope;
    private readonly List<ValueEntry> _values = [];
    private readonly List<NetworkInput> _inputs = [];
    private readonly List<Layer> _layers = [];
    private readonly List<string> _outputs = [];
    private Scope _scope;

    private NetworkBinder(SyntaxResult syntax, Func<string, byte[]?> companions, NetworkElements? elements, bool hasSyntaxErrors)
    {
        (_elements, _isInstance) = (elements ?? NetworkElements.Int8, elements is { } chosen && chosen != NetworkElements.Int8);
        (_network, _isBroken, _skipped, _hasSyntaxErrors) = (syntax.Network, syntax.IsBrokenOutsideStatements, syntax.Skipped, hasSyntaxErrors);
        _scope = _networkScope = Scope.OfNetwork(_network.Body);
        _weights = WeightsFile.Open(_network.Body, Constants(), companions, _diagnostics);
    }

    /// <summary>The network, without what was wrong in it.</summary>
    public static NetworkGraph Bind(SyntaxResult syntax, Func<string, byte[]?> companions, NetworkElements? elements, DiagnosticBag diagnostics)
    {
        var binder = new NetworkBinder(syntax, companions, elements, diagnostics.HasErrors);
        var graph = binder.Bind();
        binder.Finish(diagnostics);
        return graph;
    }

    private NetworkGraph Bind()
    {
        CheckBlocks();
        Bind(_network.Body);
        if (!_isStopped)
        {
            _outputs.AddRange(Outputs(_network.Body).OfType<ValueEntry>().Where(output => output.Type is not null).Select(output => output.Name));
            ReportOmissions();
        }

        var graph = new NetworkGraph(_network.Name?.Text ?? string.Empty, _inputs.ToEquatableArray(), _layers.ToEquatableArray(), _outputs.ToEquatableArray());
        if (_isStopped)
        {
            return graph;
        }

        Verify(graph);
        if (!_hasSyntaxErrors && !_diagnostics.HasErrors)
        {
            ReportUnused();
        }

        return graph;
    }

    private void Bind(BodySyntax body)
    {
        foreach (var statement in body.Statements)
        {
            if (!Step(1, statement.Span))
            {
                return;
            }

            switch (statement)
            {
                case InputStatement input when _scope.IsNetwork:
                    Bind(input);
                    break;
                case ConstStatement constant:
                    Bind(constant);
                    break;
                case RepeatStatement repeat:
                    Bind(repeat);
                    break;
                case LayerStatement layer:
                    Bind(layer);
                    break;
                case BrokenStatement { IsOutput: false, Names: var names }:
                    DefineUnknown(names);
                    break;
            }
        }
    }

    private ConstantEvaluator Constants() => new(_scope, _skipped, _diagnostics);

    /// <summary>Checks what is left of the network, even where something was wrong elsewhere: then without what concerns the network as a whole.</summary>
    private void Verify(NetworkGraph graph)
    {
        var isPartial = _hasSyntaxErrors || _diagnostics.HasErrors;
        MarkOrigins();
        foreach (var diagnostic in NetworkVerifier.Check(graph).Where(diagnostic => !isPartial || diagnostic.Span.Line > 0))
        {
            _origin = OriginOf(diagnostic);
            _diagnostics.Report(diagnostic);
            MarkOrigins();
        }

        _origin = null;
    }

    private Shape? BindShape(string name, ListValue written)
    {
        var constants = Constants();
        var extents = new int[written.Items.Count];
        for (var i = 0; i < extents.Length; i++)
        {
            var item = constants.Resolve(written.Items[i]);
            if (item is not NumberValue number)
            {
                if (item is not WrongValue)
                {
                    _diagnostics.Report(LanguageDiagnostics.WrongValue(item.Span, "shape", "a list of integers, such as 1x28x28x1", item.Describe()));
                }

                return null;
            }

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
        if (!Step(statement.Operands.Count + statement.Attributes.Count, statement.Span))
        {
            return;
        }

        if (_blocks.TryGetValue(statement.Kind.Text, out var block))
        {
            Call(statement, block);
            return;
        }

        if (_networkNames++ >= LanguageLimits.Layers)
        {
            Stop(LanguageDiagnostics.UnfoldsTooFar(statement.Span, "layers", LanguageLimits.Layers));
            return;
        }

        if (statement.Names.Count > 1 && statement.Kind.Text == SplitKeyword)
        {
            BindParts(statement);
            return;
        }

        if (NetworkName(statement.Name) is not { } name)
        {
            return;
        }

        var layer = Make(statement, name);
        if (statement.Names.Count > 1)
        {
            if (LayerKinds.Find(statement.Kind.Text) is not null)
            {
                _diagnostics.Report(LanguageDiagnostics.WrongNumberOfResults(statement.Names[1].Span, statement.Kind.Text, 1, statement.Names.Count));
            }

            DefineUnknown(statement.Names);
        }
        else if (Define(statement.Name, name, layer?.Type) && layer is not null)
        {
            _layers.Add(layer);
            RememberOrigin(layer);
        }
    }

    private bool Define(NameSyntax name, string networkName, TensorType? type)
    {
        var value = new ValueEntry(name.Span, networkName, type);
        if (_scope.Define(name.Text, value) is { } first)
        {
            _diagnostics.Report(LanguageDiagnostics.DuplicateName(name.Span, name.Text, first.Span));
            return false;
        }

        _values.Add(value);
        return true;
    }

    /// <summary>Defines values of which nothing is known.</summary>
    private void DefineUnknown(IEnumerable<NameSyntax> names)
    {
        foreach (var name in names)
        {
            Define(name, name.Text, null);
        }
    }

    /// <summary>A value that is read; null where there is none of that name, which is reported.</summary>
    private ValueEntry? Read(NameSyntax name)
    {
        switch (_scope.Find(name.Text))
        {
            case ValueEntry value:
                value.IsUsed = true;
                return value;
            case ConstantEntry:
                _diagnostics.Report(LanguageDiagnostics.NotAValue(name.Span, name.Text));
                return null;
        }

        if (_scope.FindLater(name.Text) is { } definition)
        {
            _diagnostics.Report(LanguageDiagnostics.DefinedLater(name.Span, name.Text, definition));
        }
        else if (!_skipped.Contains(name.Text))
        {
            var near = Suggestions.Near(name.Text, _scope.Names<ValueEntry>(), _diagnostics);
            _diagnostics.Report(LanguageDiagnostics.UnknownValue(name.Span, name.Text, near, isInBlock: _calls > 0));
        }

        return null;
    }

    /// <summary>What a body gives, in the order of its output statements; null for what is unknown. A value given twice is reported.</summary>
    private List<ValueEntry?> Outputs(BodySyntax body)
    {
        var outputs = new List<ValueEntry?>();
        var given = new HashSet<string>(StringComparer.Ordinal);
        foreach (var name in body.Statements.OfType<OutputStatement>().SelectMany(statement => statement.Names))
        {
            var value = _scope.Find(name.Text);
            if (!given.Add(value is ValueEntry known ? known.Name : name.Text))
            {
                _diagnostics.Report(LanguageDiagnostics.DuplicateOutput(name.Span, name.Text));
                outputs.Add(null);
            }
            else
            {
                outputs.Add(Read(name));
            }
        }

        return outputs;
    }

    private void ReportOmissions()
    {
        // A broken end of the network is the parser's to report; what was skipped elsewhere may have been just what is missed here.
        if (_isBroken)
        {
            return;
        }

        var broken = _network.Body.Statements.OfType<BrokenStatement>().ToList();
        var name = _network.Name?.Text ?? string.Empty;
        if (!_network.Body.Statements.Any(statement => statement is InputStatement) && !broken.Exists(statement => statement.IsInput))
        {
            _diagnostics.Report(LanguageDiagnostics.Nothing(_network.End, $"network '{name}'", "input", "input image : i8[1x28x28x1] scale 0.5 zero 0"));
        }

        if (!_network.Body.Statements.Any(statement => statement is OutputStatement) && !broken.Exists(statement => statement.IsOutput))
        {
            _diagnostics.Report(LanguageDiagnostics.Nothing(_network.End, $"network '{name}'", "output", _layers.Count > 0 ? $"output {_layers[^1].Name}" : "output image"));
        }
    }

    private void ReportUnused()
    {
        // What a block or a repeat unfolds is unused where no copy of it is used.
        foreach (var copies in _values.GroupBy(value => value.Span).Where(copies => copies.All(value => !value.IsUsed)))
        {
            _diagnostics.Report(LanguageDiagnostics.UnusedValue(copies.Key, copies.First().Name));
        }

        foreach (var block in _blocks.Values.Where(block => !_calledBlocks.Contains(block.Name.Text)))
        {
            _diagnostics.Report(LanguageDiagnostics.UnusedBlock(block.Name.Span, block.Name.Text));
        }

        _weights.ReportUnused();
    }
}
