using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Image.Systolic;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Passes.Algorithms;
using CnnCompiler.Passes.Selection;
using CnnCompiler.Passes.Selection.Explanation;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.Nests;

namespace CnnCompiler.Targets.Systolic;

/// <summary>Chooses algorithms of convolutions, rewrites products for the array and chooses how each runs.</summary>
internal sealed class SystolicMapper : IOperatorCosts
{
    private readonly PlanChooser _chooser;
    private readonly bool _vectorProducts;
    private readonly Dictionary<string, IReadOnlyList<PlanCandidate>> _known = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _forced;
    private readonly DiagnosticBag _diagnostics;
    private readonly List<VertexExplanation> _explanations = [];
    private readonly ChainTensors _tensors;
    private readonly HashSet<string> _names;
    private readonly List<GconvConstant> _added = [];
    private readonly List<MatrixPlan> _plans = [];
    private readonly Dictionary<string, AlgorithmDecision> _decisions = new(StringComparer.Ordinal);
    private readonly Dictionary<string, AlgorithmDecision> _owners = new(StringComparer.Ordinal);
    private readonly HashSet<string> _explained = new(StringComparer.Ordinal);
    private EquatableArray<string> _notes = [];

    private SystolicMapper(GconvProgram program, MachineDescription machine, SystolicOptions options, IReadOnlyList<ForcedChoice> forced, DiagnosticBag diagnostics)
    {
        _diagnostics = diagnostics;
        _forced = forced.GroupBy(choice => choice.Vertex, StringComparer.Ordinal).ToDictionary(choices => choices.Key, choices => choices.Last().Candidate, StringComparer.Ordinal);
        (_chooser, _vectorProducts) = (new(machine, options), options.VectorProducts);
        _tensors = new(program);
        _names = [.. _tensors.Names];
    }

    /// <summary>The mapped program, or null after reporting a choice that can't be forced.</summary>
    /// <exception cref="DiagnosticException">A layer can't run on such a machine.</exception>
    public static SystolicModule? Map(
        GconvProgram program, MachineDescription machine, SystolicOptions options, IReadOnlyList<ForcedChoice> forced, DiagnosticBag diagnostics, CancellationToken cancellation)
    {
        var mapper = new SystolicMapper(program, machine, options, forced, diagnostics);
        if (mapper.ChooseAlgorithms(program, options.Algorithms, cancellation) is not { } chosen)
        {
            return null;
        }

        var steps = new List<GconvStep>();
        foreach (var step in chosen.Steps)
        {
            cancellation.ThrowIfCancellationRequested();
            steps.Add(step.Match(
                mapper.Map,
                view => (GconvStep)view,
                softmax => softmax,
                host => host));
        }

        foreach (var name in mapper._forced.Keys.Where(name => mapper._explanations.All(explanation => explanation.Vertex != name)))
        {
            diagnostics.Report(SelectionDiagnostics.UnknownVertex(name, [.. mapper._explanations.Select(explanation => explanation.Vertex)]));
        }

        if (diagnostics.HasErrors)
        {
            return null;
        }

        var rewritten = chosen with { Steps = steps.ToEquatableArray(), Constants = chosen.Constants.Concat(mapper._added).ToEquatableArray() };
        return new(rewritten, mapper._plans.ToEquatableArray(), machine) { Selection = mapper.Explain() };
    }

    /// <inheritdoc/>
    public long Least(GconvOperator operation, ChainTensors tensors) => Best(operation, tensors, long.MaxValue)!.Value.Cost;

    /// <inheritdoc/>
    public OperatorCost? Best(GconvOperator operation, ChainTensors tensors, long limit) => new(PlanChooser.Best(Candidates(operation, tensors)).Measure, 0);

    /// <summary>All ways to run an operator as it is; not their plans' names.</summary>
    private IReadOnlyList<PlanCandidate> Candidates(GconvOperator operation, ChainTensors tensors)
    {
        var vector = new DescriptorBuilder(tensors.Shape, tensors.Element, _ => 0).Build(operation, -1, null);
        if (MatrixRewrite.Try(operation, tensors.Element, tensors.Constants, [], isSketch: true) is not { } product)
        {
            return [_chooser.Vector(vector)];
        }

        // constants of a sketch belong to nothing that is kept
        var added = product.Constants.ToDictionary(constant => constant.Name, constant => constant.Value, StringComparer.Ordinal);
        var builder = new DescriptorBuilder(
            name => added.TryGetValue(name, out var value) ? value.Shape : tensors.Shape(name), name => added.TryGetValue(name, out var value) ? value.Element : tensors.Element(name), _ => 0);
        return Candidates(builder.Build(product.Operator, -1, null), vector);
    }

    /// <inheritdoc/>
    public string? Refusal(AlgorithmChain chain, GconvOperator operation, ChainTensors tensors) =>
        _vectorProducts || !IsProduct(operation) || IsProduct(chain.Steps.OfType<GconvOperator>().First(step => step.Name == chain.Product)) ? null : "its products have operands that the array does not take";

    private bool IsProduct(GconvOperator operation) => MatrixRewrite.Recognise(operation, _tensors.Element, _tensors.Constants, []) is not null;

    /// <summary>The chain with algorithms for convolutions, where the user wants one or one costs less; null after reporting one that can't be.</summary>
    private GconvProgram? ChooseAlgorithms(GconvProgram program, bool isAuto, CancellationToken cancellation)
    {
        var (ways, decisions) = (new AlgorithmWays(program, _tensors, this), new List<AlgorithmDecision>());
        foreach (var operation in program.Steps.OfType<GconvOperator>())
        {
            cancellation.ThrowIfCancellationRequested();
            var wanted = _forced.GetValueOrDefault(operation.Name);
            var isAlgorithm = wanted == AlgorithmWays.Direct || (wanted is not null && ConvolutionAlgorithm.Find(wanted) is not null);
            if ((isAlgorithm || (isAuto && wanted is null)) && ways.Decide(operation, isAlgorithm ? wanted : null, isAuto, _diagnostics) is { } decision)
            {
                decisions.Add(decision);
            }
        }

        if (_diagnostics.HasErrors)
        {
            return null;
        }

        var chosen = ways.Apply(decisions);
        _notes = ways.Notes;
        _names.UnionWith(chosen.Steps.Select(step => step.Name).Concat(chosen.Constants.Select(constant => constant.Name)));
        foreach (var decision in decisions)
        {
            _decisions.Add(decision.Operation.Name, decision);
            foreach (var step in decision.Chain?.Steps ?? [])
            {
                _owners.Add(step.Name, decision);
            }
        }

        return chosen;
    }

    private IReadOnlyList<PlanCandidate> Candidates(SystolicOperator product, SystolicOperator vector)
    {
        var key = $"{NestMapper.Key(product)}|{NestMapper.Key(vector)}";
        return _known.TryGetValue(key, out var known) ? known : _known[key] = _chooser.Candidates(product, string.Empty, vector);
    }

    private GconvOperator Map(GconvOperator operation)
    {
        // addresses play no part in costs
        var builder = new DescriptorBuilder(_tensors.Shape, _tensors.Element, _ => 0);
        var vector = builder.Build(operation, -1, null);
        var product = MatrixRewrite.Try(operation, _tensors.Element, _tensors.Constants, _names);
        var decision = _owners.GetValueOrDefault(operation.Name) ?? (product is null ? _decisions.GetValueOrDefault(operation.Name) : null);
        if (decision is not null && _explained.Add(decision.Operation.Name) && (decision.IsForced || decision.Rejected.Count > 0))
        {
            _explanations.Add(Explained(decision));
        }

        if (product is null)
        {
            return operation;
        }

        foreach (var constant in product.Constants)
        {
            _tensors.Add(constant);
        }

        var candidates = Candidates(builder.Build(product.Operator, -1, null), vector);
        if ((decision is null ? Choose(candidates, operation.Name) : PlanChooser.Best(candidates)).Plan is not { } plan)
        {
            return operation;
        }

        _plans.Add(plan with { Operator = operation.Name });
        _added.AddRange(product.Constants);
        return product.Operator;
    }

    /// <summary>An algorithm's decision: what it was chosen instead of are the ways to run the operator as it is.</summary>
    private VertexExplanation Explained(AlgorithmDecision decision) => decision.Chain is null ? decision.Explanation : decision.Explanation with
    {
        Rejected = Candidates(decision.Operation, _tensors).Select(Rejected).Concat(decision.Rejected.Where(way => way.Name != AlgorithmWays.Direct).Select(way => way.Rejected)).ToEquatableArray(),
    };

    private static RejectedCandidate Rejected(PlanCandidate candidate) => new(candidate.Name, candidate.Measure, candidate.Measure, true, []);

    private PlanCandidate Choose(IReadOnlyList<PlanCandidate> candidates, string name)
    {
        var best = PlanChooser.Best(candidates);
        var isForced = _forced.TryGetValue(name, out var wanted);
        if (isForced && wanted != AlgorithmWays.Direct)
        {
            if (candidates.FirstOrDefault(candidate => candidate.Name == wanted) is { } found)
            {
                best = found;
            }
            else
            {
                _diagnostics.Report(SelectionDiagnostics.UnknownCandidate(name, wanted!, [.. candidates.Select(candidate => candidate.Name), AlgorithmWays.Direct, .. ConvolutionAlgorithm.All.Select(known => known.Name)]));
            }
        }

        var rejected = candidates.Where(candidate => candidate.Name != best.Name).Select(Rejected)
            .Concat((_decisions.GetValueOrDefault(name)?.Rejected ?? []).Select(way => way.Rejected));
        _explanations.Add(new(name, DecisionKind.Step, best.Name, best.Measure, isForced, rejected.ToEquatableArray()));
        return best;
    }

    // layers are decided one by one: step by step finds the optimum
    private SelectionExplanation Explain() => SelectionExplanation.OneByOne(_chooser.Unit, _explanations.Sum(explanation => explanation.OwnCost), _explanations) with { Notes = _notes };
}

/// <summary>Shapes, element types and contents of a chain's tensors by name.</summary>
internal sealed class ChainTensors
{
    private readonly Dictionary<string, (Shape Shape, ElementType Element)> _types = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Tensor> _constants = new(StringComparer.Ordinal);

    public ChainTensors(GconvProgram program)
    {
        foreach (var input in program.Inputs)
        {
            _types[input.Name] = (input.Type.Shape, input.Type.Element);
        }

        foreach (var constant in program.Constants)
        {
            Add(constant);
        }

        foreach (var step in program.Steps)
        {
            Add(step);
        }
    }

    public IEnumerable<string> Names => _types.Keys;

    public IReadOnlyDictionary<string, Tensor> Constants => _constants;

    public Shape Shape(string name) => _types[name].Shape;

    public ElementType Element(string name) => _types[name].Element;

    public void Add(GconvStep step) => _types[step.Name] = (step.Type.Shape, step.Type.Element);

    public void Add(GconvConstant constant)
    {
        _types[constant.Name] = (constant.Value.Shape, constant.Value.Element);
        _constants[constant.Name] = constant.Value;
    }
}
