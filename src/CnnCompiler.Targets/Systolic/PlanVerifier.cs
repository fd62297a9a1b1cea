using CnnCompiler.Image.Nests;
using CnnCompiler.Image.Systolic;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.Nests;
using CnnCompiler.Targets.Nests.Chip;

namespace CnnCompiler.Targets.Systolic;

/// <summary>What plans of a mapped program have to keep: CNN0895, each naming the product. What the image requires beyond it, its reader checks.</summary>
internal static class PlanVerifier
{
    /// <summary>What is wrong; nothing for a sound module whose chain is sound.</summary>
    public static IReadOnlyList<Diagnostic> Check(SystolicModule module)
    {
        var problems = new List<Diagnostic>();
        var tensors = new ChainTensors(module.Program);
        var operators = module.Program.Steps.OfType<GconvOperator>().ToDictionary(operation => operation.Name, StringComparer.Ordinal);
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var plan in module.Plans)
        {
            if (Problem(module, plan, operators.GetValueOrDefault(plan.Operator), tensors, seen.Add(plan.Operator)) is { } problem)
            {
                problems.Add(SystolicDiagnostics.UnsoundPlan(plan.Operator, problem));
            }
        }

        Nests(module, operators, tensors, problems);
        return problems;
    }

    /// <summary>On an accelerator every operator has one nest, which computes it within the machine.</summary>
    private static void Nests(SystolicModule module, Dictionary<string, GconvOperator> operators, ChainTensors tensors, List<Diagnostic> problems)
    {
        if (module.Machine.IsaRevision != SystolicKeys.NestRevision)
        {
            return;
        }

        var builder = new DescriptorBuilder(tensors.Shape, tensors.Element, _ => 0);
        var missing = operators.Keys.ToHashSet(StringComparer.Ordinal);
        var nests = new Dictionary<string, NestStep>(StringComparer.Ordinal);
        foreach (var plan in module.Nests)
        {
            var problem = !operators.TryGetValue(plan.Operator, out var operation) ? "there is no such operator"
                : !missing.Remove(plan.Operator) ? "it has two nests"
                : Numbers(plan, operation);
            if (problem is null)
            {
                nests[plan.Operator] = plan.Encode(builder.Build(operation!, -1, null), module.Machine);
                problem = NestChecker.Problem(nests[plan.Operator], module.Machine);
            }

            if (problem is not null)
            {
                problems.Add(SystolicDiagnostics.UnsoundPlan(plan.Operator, problem));
            }
        }

        if (problems.Count == 0)
        {
            var chain = ChipProgram.Of(module.Program);
            var steps = chain.Steps.Select(step => nests.GetValueOrDefault(step.Name)).ToList();
            problems.AddRange(ChipContents.Problems(steps, (reader, writer) => chain.Touches(reader, NestPlacement.Of(steps[reader]!), writer, NestPlacement.Of(steps[writer]!)))
                .Select(problem => SystolicDiagnostics.UnsoundPlan(chain.Steps[problem.Step].Name, problem.Problem)));
        }

        problems.AddRange(missing.Order(StringComparer.Ordinal).Select(name => SystolicDiagnostics.UnsoundPlan(name, "it has no nest")));
    }

    private static string? Numbers(NestPlan plan, GconvOperator operation) =>
        plan.Loops.Count != operation.Loops.Count || plan.Outer.Concat(plan.Inner).Any(loop => loop < 0 || loop >= plan.Loops.Count) || plan.Loops.Any(loop => loop.Rows < 1 || loop.Columns < 1 || loop.Tile < 1)
            ? "it cuts or orders loops that are not there, or into nothing"
            : plan.Chip is { } chip && (chip.Boxes < 0 || chip.Extras.Append(chip.Input).Append(chip.Kernel).Append(chip.Output).Any(place => place < NestChip.Dram))
            ? "it has addresses on the chip below 0"
            : null;

    private static string? Problem(SystolicModule module, MatrixPlan plan, GconvOperator? operation, ChainTensors tensors, bool first)
    {
        var machine = module.Machine;
        if (operation is null)
        {
            return "there is no such operator";
        }

        if (!first)
        {
            return "it has two plans";
        }

        if (plan.Depths.Any(depth => !machine.Systolic!.Depths.Contains(depth.Horizontal) || !machine.Systolic.Depths.Contains(depth.Vertical)))
        {
            return $"{machine.Name} has no clock for one of its depths";
        }

        var descriptor = new DescriptorBuilder(tensors.Shape, tensors.Element, _ => 0).Build(operation, -1, null);
        if (operation is not { Reduce: GconvReduction.Add, Kernel: not null, Pre: ScalarInput } || tensors.Element(operation.Input.Tensor) != Core.Tensors.ElementType.Int8)
        {
            return "it is no product of matrices of codes";
        }

        return plan.VectorsPerTile < 1 || plan.VectorsPerTile > descriptor.Extent(SystolicRole.Position) ? "its tiles have more vectors than there are, or none"
            : plan.GroupsPacked < 1 || plan.GroupsPacked > Math.Max(machine.Rows, machine.Columns) ? "it packs more groups than the array holds, or none"
            : null;
    }
}
