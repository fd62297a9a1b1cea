using CnnCompiler.Core;
using CnnCompiler.Image.Overlay;
using CnnCompiler.Image.Systolic;
using CnnCompiler.Interpreter.Systolic;
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
    private const string VectorUnit = "vector-unit";
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
        var menu = new List<OverlayChoice>();
        foreach (var operation in program.Steps.OfType<GconvOperator>())
        {
            cancellation.ThrowIfCancellationRequested();
            if (mapper.Menu(operation, options) is { } choice)
            {
                menu.Add(choice);
            }
        }

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

    /// <summary>Cycles of the convolutions of a network, optimally mapped.</summary>
    public static long Convolutions(GconvProgram program, MachineDescription machine)
    {
        var mapper = new OverlayMapper(program, machine);
        var menu = program.Steps.OfType<GconvOperator>().Select(operation => mapper.Menu(operation, new())).OfType<OverlayChoice>().ToList();
        if (menu.Count == 0)
        {
            return 0;
        }

        var problem = new OverlayProblem(menu, layouts: true);
        return SelectionSolver.Solve(CostGraphBuilder.Build(problem.Description, problem).Graph!).Selection!.Cost;
    }

    private OverlayChoice? Menu(GconvOperator operation, OverlayOptions options)
    {
        if (ConvolutionForm.Of(operation, _tensors, _names) is not { } form)
        {
            return null;
        }

        var vector = new DescriptorBuilder(_tensors.Shape, _tensors.Element, _ => 0).Build(operation, -1, null);
        var store = StoreOf(vector, form);
        var ways = new List<OverlayWay>();
        foreach (var algorithm in OverlayAlgorithm.All(form, _machine).Where(algorithm => options.Algorithm is not { } only || algorithm.Name.StartsWith(only, StringComparison.Ordinal) || algorithm.Name == "im2col"))
        {
            var transform = algorithm.IsSeparate || algorithm.Window.IsTensor ? SelectionCost.Illegal : _costs.TransformCycles(algorithm);
            foreach (var dataflow in Enum.GetValues<OverlayDataflow>().Where(dataflow => options.Dataflow is not { } only || dataflow == only))
            {
                if (_costs.Best(algorithm, dataflow, isStored: false, store) is { } loaded)
                {
                    ways.Add(new(
                        $"{algorithm.Name}-{OverlayPlan.NameOf(dataflow)}", algorithm, dataflow, loaded, transform >= SelectionCost.Illegal ? null : _costs.Best(algorithm, dataflow, isStored: true, store), transform));
                }
            }
        }

        if (ways.Count == 0)
        {
            return null;
        }

        if (options.Algorithm is { } wanted && ways.Any(way => way.Name.StartsWith(wanted, StringComparison.Ordinal)))
        {
            ways.RemoveAll(way => !way.Name.StartsWith(wanted, StringComparison.Ordinal));
        }

        ways.Add(new(VectorUnit, null, default, new(0, 0, false, new StepCosts(_machine, []).OfVector(vector).Cycles), null, SelectionCost.Illegal));
        return new(operation.Name, operation.Input.Tensor, ways);
    }

    private static StoreForm StoreOf(SystolicOperator operation, ConvolutionForm form)
    {
        var strides = new long[operation.Output.Dimensions.Count];
        var stride = 1L;
        for (var d = strides.Length - 1; d >= 0; d--)
        {
            strides[d] = stride;
            stride *= operation.Output.Dimensions[d].Extent;
        }

        return new(
            ScalarInstructionSet.Operations(operation.Post), operation.Output.Element.Size(), Of(form.Loops.Batch), Of(form.Loops.Row), Of(form.Loops.Column), Of(form.Loops.Channel));

        long Of(int loop) => loop < 0 ? 0 : operation.Output.Dimensions.Select((dimension, d) => dimension.Coefficients[loop] * strides[d]).Sum();
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

/// <summary>What the mapping may use. The defaults are everything.</summary>
/// <param name="Algorithm">Only algorithms whose name begins so, where a layer has one; null for all.</param>
/// <param name="Dataflow">Only this dataflow; null for all.</param>
/// <param name="Layouts">Inputs may lie in DRAM in their form.</param>
public sealed record OverlayOptions(string? Algorithm = null, OverlayDataflow? Dataflow = null, bool Layouts = true);

/// <summary>A way to do a convolution: with its input as it lies, and with its input stored in its form.</summary>
/// <param name="Name">Name of the candidate.</param>
/// <param name="Algorithm">Algorithm; null for the vector unit.</param>
/// <param name="Dataflow">Dataflow.</param>
/// <param name="Loaded">Passes where the tensor is transformed while it is loaded.</param>
/// <param name="Stored">Passes where the form lies in DRAM; null where there is no form.</param>
/// <param name="Transform">Cycles of making the form.</param>
internal sealed record OverlayWay(string Name, OverlayAlgorithm? Algorithm, OverlayDataflow Dataflow, PassPlan Loaded, PassPlan? Stored, long Transform);

/// <summary>A convolution with its ways.</summary>
/// <param name="Operator">Name of the operator.</param>
/// <param name="Tensor">Its input.</param>
/// <param name="Ways">The ways.</param>
internal sealed record OverlayChoice(string Operator, string Tensor, IReadOnlyList<OverlayWay> Ways);
