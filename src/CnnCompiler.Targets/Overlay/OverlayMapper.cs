using CnnCompiler.Core;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Passes.Selection;
using CnnCompiler.Passes.Selection.Explanation;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.Systolic;

namespace CnnCompiler.Targets.Overlay;

/// <summary>
/// Chooses for every convolution algorithm, dataflow and passes, and for every tensor that convolutions read whether it also lies in DRAM in one of their forms: one selection problem, solved exactly.
/// </summary>
internal sealed class OverlayMapper
{
    private readonly GconvProgram _program;
    private readonly MachineDescription _machine;
    private readonly ChainTensors _tensors;
    private readonly HashSet<string> _names;
    private readonly OverlayCosts _costs;

    private OverlayMapper(GconvProgram program, MachineDescription machine)
    {
        (_program, _machine, _tensors, _costs) = (program, machine, new(program), new(machine));
        _names = [.. _tensors.Names];
    }

    /// <summary>The mapped program, or null after reporting a choice that can't be forced.</summary>
    public static SystolicModule? Map(
        GconvProgram program, MachineDescription machine, OverlayOptions options, IReadOnlyList<ForcedChoice> forced, DiagnosticBag diagnostics, CancellationToken cancellation)
    {
        var mapper = new OverlayMapper(program, machine);
        var menu = mapper.Menu(mapper.Layers(), options, cancellation);

        if (menu.Count == 0)
        {
            foreach (var choice in forced)
            {
                diagnostics.Report(SelectionDiagnostics.UnknownVertex(choice.Vertex, []));
            }

            return forced.Count > 0 ? null : new SystolicModule(program, [], machine);
        }

        var problem = new OverlayProblem(menu, options.Layouts);
        var built = CostGraphBuilder.Build(problem.Description, problem);
        diagnostics.Report(built.Diagnostics);
        if (built.Graph is not { } graph || ForcedChoice.Apply(graph, forced) is not { } applied)
        {
            return null;
        }

        diagnostics.Report(applied.Diagnostics);
        var solved = applied.Graph is { } free ? SelectionSolver.Solve(free) : null;
        diagnostics.Report(solved?.Diagnostics ?? []);
        if (solved?.Selection is not { } selection)
        {
            return null;
        }

        return new(program, [], machine)
        {
            Selection = SelectionExplainer.Explain(graph, selection, forced),
            Conversions = mapper.Plans(problem, selection).ToEquatableArray(),
        };
    }

    /// <summary>The best plans, the convolutions (those that the vector unit executes included) and the cycles of all of them; without a certificate.</summary>
    public static (IReadOnlyList<OverlayPlan> Plans, IReadOnlyList<OverlayLayer> Layers, long Cycles) Choose(GconvProgram program, MachineDescription machine, OverlayOptions options)
    {
        var mapper = new OverlayMapper(program, machine);
        var layers = mapper.Layers();
        var problem = new OverlayProblem(mapper.Menu(layers, options, default), options.Layouts);
        var selection = SelectionSolver.Solve(CostGraphBuilder.Build(problem.Description, problem).Graph!).Selection!;
        return (mapper.Plans(problem, selection), layers, selection.Cost);
    }

    /// <summary>Cycles where each convolution takes the way that is cheapest with its input in form already, and the forms are made for whoever wants one.</summary>
    public static long Greedy(GconvProgram program, MachineDescription machine)
    {
        var mapper = new OverlayMapper(program, machine);
        var forms = new HashSet<(string Tensor, string Layout)>();
        var sum = 0L;
        foreach (var choice in mapper.Menu(mapper.Layers(), new(), default))
        {
            var way = choice.Ways.MinBy(way => Math.Min(way.Loaded.Cycles, way.Stored?.Cycles ?? long.MaxValue))!;
            var isStored = way.Stored is { } stored && stored.Cycles < way.Loaded.Cycles;
            sum += isStored ? way.Stored!.Value.Cycles : way.Loaded.Cycles;
            sum += isStored && forms.Add((choice.Tensor, way.Algorithm!.Layout)) ? way.Transform : 0;
        }

        return sum;
    }

    private IReadOnlyList<OverlayLayer> Layers() => OverlayLayer.Of(_program, _machine, _tensors, _names);

    private List<OverlayChoice> Menu(IReadOnlyList<OverlayLayer> layers, OverlayOptions options, CancellationToken cancellation)
    {
        var menu = new List<OverlayChoice>();
        foreach (var layer in layers)
        {
            cancellation.ThrowIfCancellationRequested();
            menu.Add(OverlayMenu.Of(layer, _machine, _costs, options));
        }

        return menu;
    }

    private List<OverlayPlan> Plans(OverlayProblem problem, CandidateSelection selection)
    {
        var plans = new List<OverlayPlan>();
        var made = new Dictionary<string, string>(StringComparer.Ordinal);
        for (var i = 0; i < problem.Menu.Count; i++)
        {
            var choice = problem.Menu[i];
            var way = choice.Ways[selection.Choices[problem.StepOf(i)]];
            if (way.Algorithm is not { } algorithm)
            {
                continue;
            }

            var layout = problem.LayoutOf(choice.Tensor, selection);
            var isStored = layout == algorithm.Layout && way.Stored is not null;
            var makes = isStored && !made.ContainsKey(choice.Tensor);
            if (makes)
            {
                made.Add(choice.Tensor, Name($"{choice.Tensor}.form"));
            }

            var passes = isStored ? way.Stored!.Value : way.Loaded;
            plans.Add(new(choice.Operator, algorithm, way.Dataflow, passes, isStored ? made[choice.Tensor] : null, makes, passes.Cycles + (makes ? way.Transform : 0))
            {
                Weights = Name($"{choice.Operator}.words"),
                Corrections = Name($"{choice.Operator}.zeros"),
            });
        }

        return plans;
    }

    private string Name(string name)
    {
        while (!_names.Add(name))
        {
            name += "'";
        }

        return name;
    }
}
