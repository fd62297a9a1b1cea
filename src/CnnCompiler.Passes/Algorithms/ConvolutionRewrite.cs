using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Network;

namespace CnnCompiler.Passes.Algorithms;

/// <summary>What takes the place of a convolution.</summary>
/// <param name="Steps">Operators and views; the last has the convolution's name, or is a piece of the tensor that the convolution writes a piece of.</param>
/// <param name="Constants">Constants that they read besides the convolution's own.</param>
/// <param name="Product">Name of the operator that multiplies by the weights.</param>
public sealed record AlgorithmChain(EquatableArray<GconvStep> Steps, EquatableArray<GconvConstant> Constants, string Product);

/// <summary>What a rewrite looks at of the weights.</summary>
public enum WeightDetail
{
    /// <summary>Nothing: types may be narrower than they have to be, and transformed weights are 0. For bounds of costs.</summary>
    None,

    /// <summary>What they are within: all types are as they have to be, and transformed weights are 0. For costs.</summary>
    Ranges,

    /// <summary>The weights themselves.</summary>
    Values,
}

/// <summary>
/// Rewrites a convolution of integers into several general convolutions with the same integers: the same sums of products in another order. That every value inside fits its type follows from the
/// range of the input's codes and from the weights (<see cref="IntegerRange"/>); what would not fit 64 bits is refused, and so is what is no such convolution.
/// </summary>
public sealed class ConvolutionRewrite
{
    private readonly GconvProgram _program;
    private readonly Dictionary<string, TensorType> _types;
    private readonly Dictionary<string, Tensor> _constants;
    private readonly WeightRanges _ranges = new();
    private (GconvOperator? Operation, ConvolutionNest? Nest, string Refusal) _last = (null, null, string.Empty);

    /// <summary>Prepares a chain.</summary>
    /// <param name="program">A sound chain.</param>
    public ConvolutionRewrite(GconvProgram program)
    {
        _program = program;
        _constants = program.Constants.ToDictionary(constant => constant.Name, constant => constant.Value, StringComparer.Ordinal);
        _types = program.Inputs.Select(input => (input.Name, input.Type))
            .Concat(program.Constants.Select(constant => (constant.Name, Type: new TensorType(constant.Value.Element, constant.Value.Shape))))
            .Concat(program.Steps.Select(step => (step.Name, step.Type)))
            .ToDictionary(tensor => tensor.Name, tensor => tensor.Type, StringComparer.Ordinal);
    }

    /// <summary>The algorithm for an operator of the chain, or null and why it can't be.</summary>
    /// <param name="operation">The operator.</param>
    /// <param name="algorithm">The algorithm.</param>
    /// <param name="refusal">Why it can't be.</param>
    /// <param name="detail">What is looked at of the weights: with less than all of them the steps can be costed, not executed.</param>
    public AlgorithmChain? Try(GconvOperator operation, ConvolutionAlgorithm algorithm, out string refusal, WeightDetail detail = WeightDetail.Values)
    {
        // algorithms of one convolution are asked for one after the other
        if (!ReferenceEquals(_last.Operation, operation))
        {
            _last = (operation, ConvolutionNest.Of(operation, name => _types[name], _constants, out var why), why);
        }

        refusal = _last.Refusal;
        if (_last.Nest is not { } nest)
        {
            return null;
        }

        var chain = new ChainPieces(operation, _types.ContainsKey);
        refusal = algorithm.Kind switch
        {
            AlgorithmKind.Patches => PatchRewrite.Apply(nest, chain),
            AlgorithmKind.Taps => TapRewrite.Apply(nest, chain, detail),
            _ => TransformRewrite.Apply(nest, algorithm, chain, detail, _ranges),
        } ?? string.Empty;
        if (refusal.Length == 0 && chain.Steps.Find(step => !NetworkLimits.Allows(step.Type.Shape)) is { } large)
        {
            refusal = FormattableString.Invariant($"'{large.Name}' would be {large.Type.Shape}, beyond {NetworkLimits.Rank} dimensions or {NetworkLimits.Elements} elements");
        }

        return refusal.Length == 0 ? new(chain.Steps.ToEquatableArray(), chain.Constants.ToEquatableArray(), chain.Product) : null;
    }

    /// <summary>The chain with some of its operators, by name, replaced.</summary>
    public GconvProgram Replace(IReadOnlyDictionary<string, AlgorithmChain> chains)
    {
        var steps = _program.Steps
            .SelectMany(step => chains.TryGetValue(step.Name, out var chain) ? chain.Steps : (IEnumerable<GconvStep>)[step])
            .Select(step => step is GconvView { Kind: ViewKind.Join } join && join.Sources.Any(chains.ContainsKey) ? join with { Sources = join.Sources.SelectMany(Pieces).ToEquatableArray() } : step)
            .ToEquatableArray();
        var read = steps.OfType<GconvOperator>().SelectMany(Chain.OperatorOperands.Operands).Select(access => access.Tensor)
            .Concat(steps.SelectMany(Chain.ChainReaders.Of)).Concat(_program.Outputs).ToHashSet(StringComparer.Ordinal);
        return _program with { Steps = steps, Constants = _program.Constants.Concat(chains.Values.SelectMany(chain => chain.Constants)).Where(constant => read.Contains(constant.Name)).ToEquatableArray() };

        IEnumerable<string> Pieces(string source) => chains.TryGetValue(source, out var chain)
            ? chain.Steps.OfType<GconvOperator>().Where(step => step.Destination is not null).Select(step => step.Name)
            : [source];
    }
}

/// <summary>Steps and constants that take the place of an operator, and names for them.</summary>
/// <param name="operation">The operator.</param>
/// <param name="isTaken">Tells whether a name is in use.</param>
internal sealed class ChainPieces(GconvOperator operation, Func<string, bool> isTaken)
{
    private readonly HashSet<string> _names = new(StringComparer.Ordinal);

    public List<GconvStep> Steps { get; } = [];

    public List<GconvConstant> Constants { get; } = [];

    /// <summary>Name of the operator that multiplies by the weights.</summary>
    public string Product { get; private set; } = string.Empty;

    /// <summary>A name for a part of the operator.</summary>
    public string NameFor(string part)
    {
        var name = $"{operation.Name}.{part}";
        for (var number = 2; isTaken(name) || !_names.Add(name); number++)
        {
            name = FormattableString.Invariant($"{operation.Name}.{part}.{number}");
        }

        return name;
    }

    /// <summary>Adds a constant and returns its name.</summary>
    public string Add(string part, Tensor value)
    {
        var name = NameFor(part);
        Constants.Add(new(name, value));
        return name;
    }

    /// <summary>Adds a step.</summary>
    /// <param name="step">The step.</param>
    /// <param name="multiplies">True for the one that multiplies by the weights: it has the operator's nominal MACs.</param>
    public void Add(GconvStep step, bool multiplies = false)
    {
        var origin = operation.Origin.Value;
        Product = multiplies ? step.Name : Product;
        Steps.Add(step with { Origin = multiplies ? origin : origin with { Macs = 0 }, Span = operation.Span });
    }
}
