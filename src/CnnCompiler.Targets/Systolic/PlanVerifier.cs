using CnnCompiler.Image.Systolic;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Primitives.Diagnostics;

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

        return problems;
    }

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
