using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Passes.Selection;
using CnnCompiler.Passes.Selection.Explanation;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Targets.Systolic;

/// <summary>Rewrites products for the array and chooses how each runs.</summary>
internal sealed class SystolicMapper
{
    private readonly PlanChooser _chooser;
    private readonly Dictionary<string, string> _forced;
    private readonly DiagnosticBag _diagnostics;
    private readonly List<VertexExplanation> _explanations = [];
    private readonly ChainTensors _tensors;
    private readonly HashSet<string> _names;
    private readonly List<GconvConstant> _added = [];
    private readonly List<MatrixPlan> _plans = [];

    private SystolicMapper(GconvProgram program, MachineDescription machine, SystolicOptions options, IReadOnlyList<ForcedChoice> forced, DiagnosticBag diagnostics)
    {
        _diagnostics = diagnostics;
        _forced = forced.GroupBy(choice => choice.Vertex, StringComparer.Ordinal).ToDictionary(choices => choices.Key, choices => choices.Last().Candidate, StringComparer.Ordinal);
        _chooser = new(machine, options);
        _tensors = new(program);
        _names = [.. _tensors.Names];
    }

    /// <summary>The mapped program, or null after reporting a choice that can't be forced.</summary>
    /// <exception cref="DiagnosticException">A layer can't run on such a machine.</exception>
    public static SystolicModule? Map(
        GconvProgram program, MachineDescription machine, SystolicOptions options, IReadOnlyList<ForcedChoice> forced, DiagnosticBag diagnostics, CancellationToken cancellation)
    {
        var mapper = new SystolicMapper(program, machine, options, forced, diagnostics);
        var steps = new List<GconvStep>();
        foreach (var step in program.Steps)
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

        var rewritten = program with { Steps = steps.ToEquatableArray(), Constants = program.Constants.Concat(mapper._added).ToEquatableArray() };
        return new(rewritten, mapper._plans.ToEquatableArray(), machine) { Selection = mapper.Explain() };
    }

    private GconvOperator Map(GconvOperator operation)
    {
        // addresses play no part in costs
        var builder = new DescriptorBuilder(_tensors.Shape, _tensors.Element, _ => 0);
        var vector = builder.Build(operation, -1, null);
        if (MatrixRewrite.Try(operation, _tensors.Element, _tensors.Constants, _names) is not { } product)
        {
            return operation;
        }

        foreach (var constant in product.Constants)
        {
            _tensors.Add(constant);
        }

        if (Choose(_chooser.Candidates(builder.Build(product.Operator, -1, null), operation.Name, vector), operation.Name).Plan is not { } plan)
        {
            return operation;
        }

        _plans.Add(plan);
        _added.AddRange(product.Constants);
        return product.Operator;
    }

    private PlanCandidate Choose(IReadOnlyList<PlanCandidate> candidates, string name)
    {
        var best = PlanChooser.Best(candidates);
        var isForced = _forced.TryGetValue(name, out var wanted);
        if (isForced && candidates.All(candidate => candidate.Name != wanted))
        {
            _diagnostics.Report(SelectionDiagnostics.UnknownCandidate(name, wanted!, [.. candidates.Select(candidate => candidate.Name)]));
        }
        else if (isForced)
        {
            best = candidates.First(candidate => candidate.Name == wanted);
        }

        var rejected = candidates.Where(candidate => candidate.Name != best.Name).Select(candidate => new RejectedCandidate(candidate.Name, candidate.Measure, candidate.Measure, true, []));
        _explanations.Add(new(name, DecisionKind.Step, best.Name, best.Measure, isForced, rejected.ToEquatableArray()));
        return best;
    }

    private SelectionExplanation Explain()
    {
        var total = _explanations.Sum(explanation => explanation.OwnCost);
        var decisions = _explanations.Where(explanation => explanation.Rejected.Count > 0).Select(explanation => explanation with
        {
            Rejected = explanation.Rejected.Select(rejected => rejected with { ForcedCost = total - explanation.OwnCost + rejected.OwnCost }).ToEquatableArray(),
        });

        // layers are decided one by one: step by step finds the optimum
        return new(_chooser.Unit, total, total, total, decisions.ToEquatableArray());
    }
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
