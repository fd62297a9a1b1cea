using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;

namespace CnnCompiler.Passes.Chain;

/// <summary>
/// Which channels of a chain's tensors anybody needs. Forward: a channel holds one known value where all that it is worked out from is known, as where all its weights are 0. Backward: a channel is live where
/// a result of the chain, or a live channel of an operator that reads it, depends on it; a product with a weight of 0, or with an input that is known to be at the zero point, does not.
/// </summary>
internal sealed class LiveChannels
{
    private readonly GconvProgram _program;
    private readonly Dictionary<string, TensorType> _types;
    private readonly Dictionary<string, Tensor> _constants;
    private readonly Dictionary<string, GconvOperator> _pieces;
    private readonly Dictionary<GconvOperator, OperatorFacts> _facts = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<string, long?[]> _known = new(StringComparer.Ordinal);
    private readonly Dictionary<string, bool[]> _live = new(StringComparer.Ordinal);
    private bool _changed;

    public LiveChannels(GconvProgram program, CancellationToken cancellation)
    {
        _program = program;
        _constants = program.Constants.ToDictionary(constant => constant.Name, constant => constant.Value, StringComparer.Ordinal);
        _types = program.Inputs.Select(input => (input.Name, input.Type)).Concat(program.Steps.Select(step => (step.Name, step.Type)))
            .Concat(program.Constants.Select(constant => (constant.Name, new TensorType(constant.Value.Element, constant.Value.Shape))))
            .ToDictionary(tensor => tensor.Name, tensor => tensor.Item2, StringComparer.Ordinal);
        _pieces = program.Steps.OfType<GconvOperator>().Where(step => step.Destination is not null).ToDictionary(step => step.Name, StringComparer.Ordinal);
        foreach (var step in program.Steps)
        {
            cancellation.ThrowIfCancellationRequested();
            if (step is GconvOperator operation)
            {
                var loops = ChannelLoops.Of(operation, name => _types[name], _constants);
                var facts = FactsOf(operation, loops);
                _facts.Add(operation, facts);
                _known[step.Name] = Known(operation, facts);
            }
            else
            {
                var seen = Seen(step).ToArray();
                _known[step.Name] = [.. Enumerable.Range(0, Extent(step.Name)).Select(channel => KnownThrough(seen, channel))];
            }
        }

        foreach (var name in program.Outputs)
        {
            NeedAll(name);
        }

        do
        {
            _changed = false;
            foreach (var step in program.Steps.Reverse())
            {
                cancellation.ThrowIfCancellationRequested();
                Need(step);
            }
        }
        while (_changed);
    }

    /// <summary>Indices of a tensor's live channels, ascending, at least one; null where all are live.</summary>
    public int[]? Of(string tensor) => _live.TryGetValue(tensor, out var live) && live.Contains(false) ? [.. Enumerable.Range(0, live.Length).Where(channel => live[channel])] : null;

    /// <summary>The loops of an operator over channels.</summary>
    public ChannelLoops Loops(GconvOperator operation) => _facts[operation].Loops;

    /// <summary>The constants by name.</summary>
    public IReadOnlyDictionary<string, Tensor> Constants => _constants;

    /// <summary>The tensors whose channels a view shows, each with the first place that they have in it; none where it is no view of 8-bit channels.</summary>
    public IEnumerable<(string Tensor, int From)> Seen(GconvStep step) => step switch
    {
        GconvView view when !ChannelLoops.IsEightBit(view.Type) => [],
        GconvView { Kind: ViewKind.Reshape, Sources: [var source] } view => !_constants.ContainsKey(source) && Extent(source) == Extent(view.Name) ? [(source, 0)] : [],
        GconvView { Kind: ViewKind.Join } view when view.Sources.All(source => _pieces[source] is var piece && _facts[piece].Loops.Parallel >= 0) =>
            view.Sources.Select(source => (source, (int)_pieces[source].OutputIndex[^1].Constant)),
        _ => [],
    };

    /// <summary>
    /// What a channel of a convolution's input that is left out adds to the sum of an output channel: its known value less the zero point, times the weights, at all of the kernel's taps; 0 where that is 0.
    /// </summary>
    public long Folded(GconvOperator step, int output, int input) => _facts[step] is { Terms: { } terms, Weights: { } weights } && terms[input] is { } term && term != 0 ? term * weights.Sum(output, input) : 0;

    /// <summary>The further operand to which what is left out can be added (<see cref="Folded"/>), or null.</summary>
    public int? Bias(GconvOperator step) => _facts[step].Bias;

    private OperatorFacts FactsOf(GconvOperator step, ChannelLoops loops)
    {
        var (weights, input) = (Weights(step, loops), step.Input.Index.Count > 0 ? step.Input.Index[^1] : null);
        var terms = input is not null && (ChannelLoops.Indexes(step, input, loops.Reduced) || ChannelLoops.Indexes(step, input, loops.Parallel)) ? Terms(step) : null;
        var facts = new OperatorFacts(loops, weights, terms, null);
        return loops.Reduced >= 0 && weights is not null && terms!.Any(term => term is not (null or 0)) && step.Input.OutOfRange == OutOfRange.Never && BiasOf(step, loops) is { } bias && Fits()
            ? facts with { Bias = bias }
            : facts;

        // the bias with all that may be added to it stays within 32 bits
        bool Fits()
        {
            var values = _constants[step.Extra[bias].Tensor].AsSpan<int>();
            for (var output = 0; output < values.Length; output++)
            {
                var (least, most) = ((Int128)values[output], (Int128)values[output]);
                for (var channel = 0; channel < terms!.Length; channel++)
                {
                    var more = (Int128)(terms[channel] ?? 0) * weights.Sum(output, channel);
                    (least, most) = (least + Int128.Min(0, more), most + Int128.Max(0, more));
                }

                if (least < int.MinValue || most > int.MaxValue)
                {
                    return false;
                }
            }

            return true;
        }
    }

    /// <summary>The further operand that post adds to the sum, where that is all that post does with either, and it is a constant of one number a channel: a known number can be added to it.</summary>
    private int? BiasOf(GconvOperator step, ChannelLoops loops)
    {
        var all = Whole(step.Post).ToArray();
        return all.OfType<ScalarBinary>().Where(e => e is { Operator: ScalarBinaryOperator.Add, Left: ScalarAccumulator, Right: ScalarExtra }).ToArray() is [{ Right: ScalarExtra { Index: var extra } }]
            && all.Count(e => e is ScalarAccumulator) == 1 && all.Count(e => e is ScalarExtra { Index: var index } && index == extra) == 1
            && step.Extra[extra] is var access && _constants.TryGetValue(access.Tensor, out var bias) && bias is { Element: ElementType.Int32, Shape.Rank: 1 }
            && ChannelLoops.Indexes(step, access.Index[0], loops.Parallel)
                ? extra
                : null;

        static IEnumerable<ScalarExpression> Whole(ScalarExpression expression) => Parts(expression).SelectMany(Whole).Prepend(expression);
    }

    /// <summary>Pre's result for each channel of the input, where it is known and an integer.</summary>
    private long?[] Terms(GconvOperator step)
    {
        var terms = new long?[Extent(step.Input.Tensor)];
        if (!_known.TryGetValue(step.Input.Tensor, out var known) || step.Pre.Tables().Any() || ScalarProgram.Compile(step.Pre) is not { Extras.Count: 0 } pre)
        {
            return terms;
        }

        var stack = new long[pre.StackDepth];
        for (var channel = 0; channel < terms.Length; channel++)
        {
            if (known[channel] is { } value && (step.Input.OutOfRange != OutOfRange.Fill || step.Input.FillValue == value))
            {
                var fault = ScalarFault.None;
                var term = pre.Run(new(value, 0, 0, 0), [], stack, ref fault);
                terms[channel] = fault == ScalarFault.None ? term : null;
            }
        }

        return terms;
    }

    private long? KnownThrough((string Tensor, int From)[] seen, int channel)
    {
        var values = seen.Where(part => channel >= part.From && channel < part.From + Extent(part.Tensor)).Select(part => _known.GetValueOrDefault(part.Tensor)?[channel - part.From]).Distinct().ToArray();
        return values is [{ } one] ? one : null;
    }

    private static EquatableArray<ScalarExpression> Parts(ScalarExpression expression) => expression switch
    {
        ScalarLookup e => [e.Offset],
        ScalarBinary e => [e.Left, e.Right],
        ScalarRequantize e => [e.Value, e.Multiplier, e.Shift],
        ScalarClamp e => [e.Value, e.Low, e.High],
        ScalarCall e => e.Arguments,
        _ => [],
    };

    private int Extent(string tensor) => _types[tensor].Shape is { Rank: > 0 } shape ? shape.Dimensions[^1] : 1;

    private void Need(GconvStep step)
    {
        if (Seen(step).ToArray() is { Length: > 0 } seen)
        {
            foreach (var (tensor, from) in seen)
            {
                Join(step.Name, tensor, from);
            }
        }
        else if (step is not GconvOperator operation)
        {
            NeedAll(step.Name);
            foreach (var name in step is GconvView view ? view.Sources : ChainReaders.Of(step))
            {
                NeedAll(name);
            }
        }
        else
        {
            Need(operation, _facts[operation]);
        }

        // what nobody needs stays with one channel: there are no empty tensors
        if (!Live(step.Name).Contains(true))
        {
            Live(step.Name)[0] = _changed = true;
        }
    }

    private void Need(GconvOperator step, OperatorFacts facts)
    {
        if (facts.Loops.Parallel < 0)
        {
            NeedAll(step.Name);
        }

        foreach (var access in step.Operands().Where(access => !_constants.ContainsKey(access.Tensor)))
        {
            if (access.Index.Count > 0 && ChannelLoops.Indexes(step, access.Index[^1], facts.Loops.Parallel))
            {
                Join(step.Name, access.Tensor);
            }
            else if (ReferenceEquals(access, step.Input) && facts is { Loops.Reduced: >= 0, Weights: { } weights })
            {
                var (result, needed) = (Live(step.Name), Live(access.Tensor));
                for (var channel = 0; channel < needed.Length; channel++)
                {
                    if (!needed[channel] && !(facts.Terms![channel] is { } term && (term == 0 || facts.Bias is not null)) && weights.Reads(result, channel))
                    {
                        needed[channel] = _changed = true;
                    }
                }
            }
            else
            {
                NeedAll(access.Tensor);
            }
        }
    }

    private bool[] Live(string tensor)
    {
        if (!_live.TryGetValue(tensor, out var live))
        {
            _live[tensor] = live = new bool[Extent(tensor)];
        }

        return live;
    }

    private void NeedAll(string tensor)
    {
        if (!_constants.ContainsKey(tensor) && Live(tensor) is var live && live.Contains(false))
        {
            Array.Fill(live, true);
            _changed = true;
        }
    }

    // tensors that are gone through together keep the same channels; an input of the chain keeps all
    private void Join(string first, string second, int from = 0)
    {
        var (a, b) = (Live(first), Live(second));
        if (_program.Inputs.Any(input => input.Name == second))
        {
            NeedAll(second);
        }

        for (var channel = 0; channel < b.Length; channel++)
        {
            if (a[from + channel] != b[channel])
            {
                a[from + channel] = b[channel] = _changed = true;
            }
        }
    }

    /// <summary>The value of each channel of a result, where it is the same at every place and for every input.</summary>
    private long?[] Known(GconvOperator step, OperatorFacts facts)
    {
        var known = new long?[Extent(step.Name)];
        if (facts.Loops.Parallel < 0 || step.Operands().Any(access => _types[access.Tensor].Element.IsReal())
            || ScalarCompiler.Compile(step.Post, new(ScalarType.Integer, ScalarType.Integer, ScalarType.Integer, step.Extra.Select(_ => ScalarType.Integer).ToEquatableArray()), out _) is not { } post)
        {
            return known;
        }

        var taps = AffineExpressions.Product(step.Loops.Where(loop => loop.Kind == LoopKind.KernelSize).Select(loop => loop.Extent));
        var tables = step.Extra.Select((access, i) => step.Post.Tables().Contains(i) && _constants.TryGetValue(access.Tensor, out var table)
            ? new ScalarTable([.. Enumerable.Range(0, (int)table.Shape.Elements).Select(at => table.GetInteger(at))], Extent(access.Tensor))
            : default).ToArray();
        var (extras, stack) = (new long[step.Extra.Count], new long[post.StackDepth]);
        for (var channel = 0; channel < known.Length; channel++)
        {
            if (Accumulated(step, facts, channel, taps) is { } sum && (step.Input.OutOfRange != OutOfRange.SkipTap || !post.UsesTapCount)
                && post.Extras.All(extra => Extra(step, facts.Loops.Parallel, extra, channel, tables[extra].Elements is not null) is { } value && ((extras[extra] = value) is var _)))
            {
                var fault = ScalarFault.None;
                var value = post.Run(new(0, 0, sum, taps), extras, stack, ref fault, tables);
                known[channel] = fault == ScalarFault.None ? value : null;
            }
        }

        return known;
    }

    /// <summary>The reduced value of a channel, where it is known.</summary>
    private static long? Accumulated(GconvOperator step, OperatorFacts facts, int channel, long taps)
    {
        if (facts.Loops.Reduced >= 0)
        {
            if (facts.Weights is not { } weights)
            {
                return null;
            }

            // mostly the first input with a weight is one that is not known
            var sum = 0L;
            for (var input = 0; input < facts.Terms!.Length; input++)
            {
                if (facts.Terms[input] != 0 && weights.IsNonzero(channel, input))
                {
                    if (step.Input.OutOfRange != OutOfRange.Never || facts.Terms[input] is not { } term)
                    {
                        return null;
                    }

                    sum += term * weights.Sum(channel, input);
                }
            }

            return sum;
        }

        if (ChannelLoops.IsSumOfProducts(step) && facts.Weights is { } own && !own.IsNonzero(channel, 0))
        {
            return 0;
        }

        return facts.Terms?[channel] switch
        {
            0 when ChannelLoops.IsSumOfProducts(step) => 0,
            { } one when facts.Weights is { } each && ChannelLoops.IsSumOfProducts(step) && step.Input.OutOfRange == OutOfRange.Never => one * each.Sum(channel, 0),
            { } one when step is { Main: ScalarInput, Reduce: GconvReduction.None } => one,
            { } one when step is { Main: ScalarInput, Input.OutOfRange: not OutOfRange.SkipTap } => step.Reduce == GconvReduction.Maximum ? one : one * taps,
            _ => null,
        };
    }

    /// <summary>A further operand in a channel (of a table, the place where it begins), where it is known and the same at every place.</summary>
    private long? Extra(GconvOperator step, int parallel, int extra, int channel, bool isTable)
    {
        var access = step.Extra[extra];
        if (access.OutOfRange != OutOfRange.Never)
        {
            return null;
        }

        if (!_constants.TryGetValue(access.Tensor, out var constant))
        {
            return ChannelLoops.Indexes(step, access.Index[^1], parallel) ? _known.GetValueOrDefault(access.Tensor)?[channel] : null;
        }

        var flat = 0L;
        for (var d = 0; d < access.Index.Count; d++)
        {
            var index = access.Index[d];
            if (Enumerable.Range(0, step.Loops.Count).Any(loop => loop != parallel && ChannelLoops.Indexes(step, index, loop)))
            {
                return null;
            }

            flat = (flat * constant.Shape[d]) + index.Constant + (ChannelLoops.Indexes(step, index, parallel) ? channel : 0);
        }

        return isTable ? flat : constant.GetInteger(flat);
    }

    /// <summary>Where an operator's constant kernel is not 0, by channel; null where it has no such kernel.</summary>
    private ChannelWeights? Weights(GconvOperator step, ChannelLoops loops)
    {
        if (loops == ChannelLoops.None || step.Kernel is not { } kernel || !_constants.TryGetValue(kernel.Tensor, out var weights) || weights.Element.IsReal())
        {
            return null;
        }

        return ChannelWeights.Of(weights, Axis(loops.Parallel), Axis(loops.Reduced));

        int Axis(int loop) => Enumerable.Range(0, kernel.Index.Count).FirstOrDefault(d => ChannelLoops.Indexes(step, kernel.Index[d], loop), -1);
    }

    /// <summary>What is known about an operator.</summary>
    /// <param name="Loops">Its loops over channels.</param>
    /// <param name="Weights">Its constant kernel.</param>
    /// <param name="Terms">Pre's result for each channel of the input, where it is known; null where its loops don't go through the input's channels.</param>
    /// <param name="Bias">The further operand to which known products can be added.</param>
    private sealed record OperatorFacts(ChannelLoops Loops, ChannelWeights? Weights, long?[]? Terms, int? Bias);
}
