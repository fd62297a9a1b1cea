using System.Globalization;
using CnnCompiler.Core;
using CnnCompiler.Frontend.Syntax;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Frontend.Binding;

/// <summary>Constants, blocks and repeats: they are unfolded while the network is bound, within limits that are checked before each step.</summary>
internal sealed partial class NetworkBinder
{
    private readonly Dictionary<string, BlockStatement> _blocks = new(StringComparer.Ordinal);
    private readonly HashSet<string> _calledBlocks = new(StringComparer.Ordinal);
    private readonly HashSet<LayerStatement> _refusedCalls = new(ReferenceEqualityComparer.Instance);
    private readonly List<Origin?> _origins = [];
    private readonly Dictionary<SourceSpan, List<(string Layer, Origin Origin)>> _unfoldedLayers = [];
    private Origin? _origin;
    private int _unfolded;
    private int _networkNames;
    private int _calls;
    private bool _isStopped;

    private void Bind(ConstStatement constant)
    {
        var constants = Constants();
        ValueSyntax value = constants.Integer(constant.Value) is { } integer
            ? new NumberValue(constant.Value.Span, integer.ToString(CultureInfo.InvariantCulture))
            : new WrongValue(constant.Value.Span);
        if (Step(constants.Operands, constant.Span))
        {
            Define(constant.Name, value);
        }
    }

    private void Define(NameSyntax name, ValueSyntax constant)
    {
        if (_scope.Define(name.Text, new ConstantEntry(name.Span, constant)) is { } first)
        {
            _diagnostics.Report(LanguageDiagnostics.DuplicateName(name.Span, name.Text, first.Span));
        }
    }

    private EquatableArray<AttributeSyntax> Resolve(EquatableArray<AttributeSyntax> attributes)
    {
        if (attributes.Count == 0)
        {
            return attributes;
        }

        var constants = Constants();
        var resolved = attributes.Select(attribute => attribute with { Value = constants.Resolve(attribute.Value) }).ToEquatableArray();
        Step(constants.Operands, attributes[0].Name.Span);
        return resolved;
    }

    private void Bind(RepeatStatement repeat)
    {
        if (Rounds(repeat) is not { } rounds)
        {
            return;
        }

        var (around, origin) = (_scope, _origin);
        MarkOrigins();
        _origin = new(default, null, null, origin);
        for (var i = 0L; i < rounds.Count && Step(1, repeat.Span); i++)
        {
            _scope = around.Round(repeat.Body);
            if (rounds.Counter is { } counter)
            {
                Define(counter, new NumberValue(counter.Span, (rounds.First + i).ToString(CultureInfo.InvariantCulture)));
            }

            Bind(repeat.Body);
            _scope.Carry();
        }

        MarkOrigins();
        (_scope, _origin) = (around, origin);
    }

    private (long Count, NameSyntax? Counter, long First)? Rounds(RepeatStatement repeat)
    {
        var constants = Constants();
        if (repeat is { First: { } from, Last: { } to })
        {
            var (first, last) = (constants.Integer(from), constants.Integer(to));
            if (repeat.Count is not WordValue counter)
            {
                _diagnostics.Report(LanguageDiagnostics.WrongValue(repeat.Count.Span, "repeat", "followed by a name before 'in'", repeat.Count.Describe()));
                return null;
            }

            if (!Step(constants.Operands, repeat.Span) || first is null || last is null)
            {
                return null;
            }

            var count = (Int128)last.Value - first.Value + 1;
            if (count > LanguageLimits.Unfolded)
            {
                Stop(LanguageDiagnostics.UnfoldsTooFar(from.Span, "statements", LanguageLimits.Unfolded));
                return null;
            }

            return ((long)Int128.Max(0, count), new(counter.Text, counter.Span), first.Value);
        }

        var rounds = constants.Integer(repeat.Count);
        if (!Step(constants.Operands, repeat.Span) || rounds is null)
        {
            return null;
        }

        if (rounds is >= 0 and <= LanguageLimits.Unfolded)
        {
            return (rounds.Value, null, 0);
        }

        Stop(LanguageDiagnostics.NumberOutOfRange(repeat.Count.Span, "the number of rounds", rounds.Value.ToString(CultureInfo.InvariantCulture), 0, LanguageLimits.Unfolded));
        return null;
    }

    private void Call(LayerStatement call, BlockStatement block)
    {
        var inputs = call.Operands.Select(Read).ToList();
        if (_refusedCalls.Contains(call) || block.IsBroken)
        {
            DefineUnknown(call.Names);
            return;
        }

        var values = block.Parameters.Where(parameter => parameter.Type is null).ToList();
        var constants = block.Parameters.Where(parameter => parameter.Type is not null).ToList();
        var attributes = new AttributeReader(call with { Attributes = Resolve(call.Attributes) }, [.. constants.Select(parameter => parameter.Name.Text)], _diagnostics);
        if (inputs.Count != values.Count)
        {
            var expected = values.Count switch { 0 => "no value", 1 => "one value", var many => string.Create(CultureInfo.InvariantCulture, $"{many} values") };
            attributes.Report(LanguageDiagnostics.WrongNumberOfOperands(call.Kind.Span, call.Kind.Text, inputs.Count, expected));
        }

        if (call.Quantization is { } quantization)
        {
            attributes.Report(LanguageDiagnostics.QuantizedCall(quantization.Scale.Span, block.Name.Text));
        }

        var results = block.Body.Statements.OfType<OutputStatement>().Sum(output => output.Names.Count);
        if (results != call.Names.Count && results > 0)
        {
            attributes.Report(LanguageDiagnostics.WrongNumberOfResults(call.Name.Span, block.Name.Text, results, call.Names.Count));
        }

        var arguments = constants.Select(parameter => attributes.Constant(parameter.Name.Text, parameter.Type!.Text == "word", parameter.Default is null)).ToList();
        if (!attributes.Failed && _calls >= LanguageLimits.Calls)
        {
            attributes.Report(LanguageDiagnostics.CallsTooDeep(call.Kind.Span));
        }

        // What a call with a taken name would unfold to has the names of the other one's layers.
        if (attributes.Failed || call.Names.Any(name => _scope.Refuses(name.Text)) || NetworkName(call.Name) is not { } instance)
        {
            DefineUnknown(call.Names);
            return;
        }

        var (around, origin) = (_scope, _origin);
        MarkOrigins();
        _calls++;
        _origin = new(call.Span, instance, block.Name.Text, origin);
        _scope = Scope.OfCall(_networkScope, instance, block);
        for (var i = 0; i < values.Count; i++)
        {
            Define(values[i].Name, inputs[i]?.Name ?? values[i].Name.Text, inputs[i]?.Type);
        }

        for (var i = 0; i < constants.Count; i++)
        {
            Define(constants[i].Name, arguments[i] ?? Default(constants[i]));
        }

        Bind(block.Body);
        var outputs = _isStopped ? [] : Outputs(block.Body);
        MarkOrigins();
        _calls--;
        (_scope, _origin) = (around, origin);
        for (var i = 0; i < call.Names.Count; i++)
        {
            var output = i < outputs.Count ? outputs[i] : null;
            Define(call.Names[i], output?.Name ?? call.Names[i].Text, output?.Type);
        }
    }

    /// <summary>The default of a parameter, which may read the constants before it.</summary>
    private ValueSyntax Default(ParameterSyntax parameter)
    {
        var constants = Constants();
        var value = constants.Resolve(parameter.Default!);
        Step(constants.Operands, parameter.Name.Span);
        var isWord = parameter.Type!.Text == "word";
        if (value is WrongValue || (isWord && value is WordValue or TextValue) || (!isWord && value is NumberValue number && LanguageNumbers.Integer(number, long.MinValue, long.MaxValue) is not null))
        {
            return value;
        }

        _diagnostics.Report(LanguageDiagnostics.WrongValue(value.Span, parameter.Name.Text, isWord ? "a word" : "an integer", value.Describe()));
        return new WrongValue(value.Span);
    }

    /// <summary>What blocks may not be: named twice or as a layer, without an output, recursive, or called above their definition. Statements out of place.</summary>
    private void CheckBlocks()
    {
        var order = new Dictionary<BlockStatement, int>(ReferenceEqualityComparer.Instance);
        foreach (var block in _network.Body.Statements.OfType<BlockStatement>())
        {
            if (LayerKinds.Find(block.Name.Text) is not null)
            {
                _diagnostics.Report(LanguageDiagnostics.BlockNamedAsLayer(block.Name.Span, block.Name.Text));
            }
            else if (!_blocks.TryAdd(block.Name.Text, block))
            {
                _diagnostics.Report(LanguageDiagnostics.DuplicateName(block.Name.Span, block.Name.Text, _blocks[block.Name.Text].Name.Span));
            }

            order.Add(block, order.Count);
            CheckHeader(block);
        }

        var calls = order.Keys.ToDictionary(block => block, block => Calls(block.Body).ToList(), (IEqualityComparer<BlockStatement>)ReferenceEqualityComparer.Instance);
        foreach (var (block, called) in calls)
        {
            CheckPlaces(block.Body, "block");
            foreach (var (call, target) in called)
            {
                if (target != block)
                {
                    _calledBlocks.Add(target.Name.Text);
                }

                if (order[target] < order[block])
                {
                    continue;
                }

                _refusedCalls.Add(call);
                _diagnostics.Report(Reaches(target, block, calls)
                    ? LanguageDiagnostics.Recursion(call.Kind.Span, block.Name.Text, target.Name.Text)
                    : LanguageDiagnostics.DefinedLater(call.Kind.Span, target.Name.Text, target.Name.Span));
            }
        }

        foreach (var (call, target) in Calls(_network.Body))
        {
            _calledBlocks.Add(target.Name.Text);
            if ((target.Span.Line, target.Span.Column).CompareTo((call.Span.Line, call.Span.Column)) > 0)
            {
                _refusedCalls.Add(call);
                _diagnostics.Report(LanguageDiagnostics.DefinedLater(call.Kind.Span, target.Name.Text, target.Name.Span));
            }
        }

        foreach (var repeat in _network.Body.Statements.OfType<RepeatStatement>())
        {
            CheckPlaces(repeat.Body, "repeat");
        }
    }

    private void CheckHeader(BlockStatement block)
    {
        if (block.IsBroken)
        {
            return;
        }

        foreach (var parameter in block.Parameters.Where(parameter => parameter.Type is { Text: not ("int" or "word") }))
        {
            _diagnostics.Report(LanguageDiagnostics.UnknownParameterType(parameter.Type!.Span, parameter.Type.Text));
        }

        if (!_isBroken && !block.Body.Statements.Any(statement => statement is OutputStatement or BrokenStatement { IsOutput: true }))
        {
            _diagnostics.Report(LanguageDiagnostics.Nothing(block.Name.Span, $"block '{block.Name.Text}'", "output", "output x at its end"));
        }
    }

    private void CheckPlaces(BodySyntax body, string place)
    {
        // Where a closing brace is missing, the rest of the network seems to be inside.
        if (_isBroken)
        {
            return;
        }

        foreach (var statement in body.Statements)
        {
            var misplaced = statement switch
            {
                InputStatement => "an input",
                WeightsStatement or SeedStatement => "weights",
                BlockStatement => "a block",
                OutputStatement when place == "repeat" => "an output",
                _ => null,
            };
            if (misplaced is not null)
            {
                _diagnostics.Report(LanguageDiagnostics.Misplaced(statement.Span, misplaced, place));
            }

            if (statement is RepeatStatement repeat)
            {
                CheckPlaces(repeat.Body, "repeat");
            }
        }
    }

    private IEnumerable<(LayerStatement Call, BlockStatement Block)> Calls(BodySyntax body)
    {
        foreach (var statement in body.Statements)
        {
            if (statement is LayerStatement layer && _blocks.TryGetValue(layer.Kind.Text, out var block))
            {
                yield return (layer, block);
            }
            else if (statement is RepeatStatement repeat)
            {
                foreach (var call in Calls(repeat.Body))
                {
                    yield return call;
                }
            }
        }
    }

    private bool Reaches(BlockStatement from, BlockStatement to, Dictionary<BlockStatement, List<(LayerStatement Call, BlockStatement Block)>> calls)
    {
        // Each question costs as much as the file is long; beyond the diagnostics that are shown none is asked.
        if (_diagnostics.Diagnostics.Count > LanguageLimits.Diagnostics)
        {
            return false;
        }

        var seen = new HashSet<BlockStatement>(ReferenceEqualityComparer.Instance) { from };
        var next = new Stack<BlockStatement>([from]);
        while (next.TryPop(out var block))
        {
            if (ReferenceEquals(block, to))
            {
                return true;
            }

            foreach (var (_, called) in calls[block])
            {
                if (seen.Add(called))
                {
                    next.Push(called);
                }
            }
        }

        return false;
    }

    /// <summary>The name in the network; null where it is too long, which is reported.</summary>
    private string? NetworkName(NameSyntax name)
    {
        var full = _scope.NetworkName(name.Text);
        if (full is null)
        {
            Stop(LanguageDiagnostics.NameTooLong(name.Span, name.Text));
        }

        return full;
    }

    /// <summary>Counts work; false where there is no more to be done.</summary>
    private bool Step(int work, SourceSpan span)
    {
        const int hopeless = 10 * LanguageLimits.Diagnostics;
        _unfolded += work;
        if (!_isStopped && _unfolded > LanguageLimits.Unfolded)
        {
            Stop(LanguageDiagnostics.UnfoldsTooFar(span, "statements", LanguageLimits.Unfolded));
        }

        _isStopped |= _origin is not null && _diagnostics.HasErrors && _diagnostics.Diagnostics.Count > hopeless;
        return !_isStopped;
    }

    private void Stop(Diagnostic diagnostic)
    {
        _diagnostics.Report(diagnostic);
        _isStopped = true;
    }

    /// <summary>What has been reported since the last call comes from the current origin.</summary>
    private void MarkOrigins()
    {
        while (_origins.Count < _diagnostics.Diagnostics.Count)
        {
            _origins.Add(_origin);
        }
    }

    private void RememberOrigin(Layer layer)
    {
        if (_origin is null)
        {
            return;
        }

        if (!_unfoldedLayers.TryGetValue(layer.Span.Value, out var layers))
        {
            _unfoldedLayers.Add(layer.Span.Value, layers = []);
        }

        layers.Add((layer.Name, _origin));
    }

    /// <summary>Where the layer was unfolded that the verifier speaks of.</summary>
    private Origin? OriginOf(Diagnostic diagnostic)
    {
        if (!_unfoldedLayers.TryGetValue(diagnostic.Span, out var layers))
        {
            return null;
        }

        var named = layers.FindIndex(layer => diagnostic.Message.Contains($"'{layer.Layer}'", StringComparison.Ordinal));
        return layers[Math.Max(0, named)].Origin;
    }

    /// <summary>Reports what was found: of what a block or repeat unfolds the first copy, with its calls as notes.</summary>
    private void Finish(DiagnosticBag diagnostics)
    {
        MarkOrigins();
        var seen = new HashSet<(string, SourceSpan)>();
        for (var i = 0; i < _origins.Count; i++)
        {
            var diagnostic = _diagnostics.Diagnostics[i];
            if (_origins[i] is not null && !seen.Add((diagnostic.Code, diagnostic.Span)))
            {
                continue;
            }

            diagnostics.Report(diagnostic);
            for (var origin = _origins[i]; origin is not null; origin = origin.Around)
            {
                if (origin is { Instance: { } instance, Block: { } block })
                {
                    diagnostics.Report(LanguageDiagnostics.InCall(origin.Span, instance, block));
                }
            }
        }
    }

    /// <summary>A call of a block, or a repeat (without names), that what is bound is in.</summary>
    private sealed record Origin(SourceSpan Span, string? Instance, string? Block, Origin? Around);
}
