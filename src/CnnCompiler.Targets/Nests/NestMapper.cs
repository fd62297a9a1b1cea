using System.Globalization;
using System.Text;
using CnnCompiler.Core;
using CnnCompiler.Image.Nests;
using CnnCompiler.Image.Systolic;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.Systolic;

namespace CnnCompiler.Targets.Nests;

/// <summary>Maps every operator of a chain; equal ones are mapped once.</summary>
internal static class NestMapper
{
    /// <summary>The mapped program.</summary>
    /// <param name="program">The chain.</param>
    /// <param name="plans">Mappings on the machine, those found before too.</param>
    /// <param name="cancellation">Ends early.</param>
    /// <exception cref="DiagnosticException">An operator can't run on such a machine.</exception>
    public static SystolicModule Map(GconvProgram program, NestPlans plans, CancellationToken cancellation)
    {
        var mapped = new List<NestPlan>();
        foreach (var (step, descriptor) in Descriptors(program))
        {
            cancellation.ThrowIfCancellationRequested();
            mapped.Add(plans.Of(descriptor) is { } plan
                ? plan with { Operator = step.Name }
                : throw new DiagnosticException(SystolicDiagnostics.NoUnit(step, string.Create(CultureInfo.InvariantCulture, $"not even one element of each operand fits the buffers of {plans.Machine.Name}"))));
        }

        return new(program, [], plans.Machine) { Nests = mapped.ToEquatableArray() };
    }

    /// <summary>
    /// The best mapping on a machine: that of the search, or where it is better the one found without the unrollings that GCONV adds. Among many mappings as fast as each other the search looks at the
    /// energy of the first few only, and additions put others there.
    /// </summary>
    /// <param name="space">The operator on the machine.</param>
    /// <param name="patience">Unrollings in a row that gain no cycles after which a search ends.</param>
    /// <param name="place">What lies on the chip; nothing where null.</param>
    /// <param name="free">Bytes of the buffer of activations that its boxes may take.</param>
    /// <param name="limit">Cycles that it may take: where none takes as few there is none.</param>
    /// <param name="leads">The outermost loops with their tiles, where another operator goes through these with it; none for any order.</param>
    public static NestFound? Best(
        NestSpace space, int patience = int.MaxValue, NestPlacement? place = null, long free = long.MaxValue, long limit = long.MaxValue, EquatableArray<NestLead> leads = default)
    {
        if (NestSearch.Best(space, true, patience, place, free, limit, leads) is not { } best)
        {
            return null;
        }

        // a search that loses patience counts from the first mapping that it finds, and a limit would be another one
        var most = patience == int.MaxValue ? best.Cycles : limit;
        return space.WithoutAdditions is { } plain && NestSearch.Best(plain, true, patience, place, free, most, leads) is { } other
            && Cost(place is { } there ? other.Plan with { Chip = there.At0(space.Operation.Extras.Count) } : other.Plan, space) is var (cycles, energy) && (cycles, energy).CompareTo((best.Cycles, best.Energy)) < 0
            ? other with { Cycles = cycles, Energy = energy }
            : best;
    }

    /// <summary>The best mapping of an operator that is mapped once.</summary>
    public static NestPlan? Best(SystolicOperator operation, MachineDescription machine, int patience = int.MaxValue) => Best(new NestSpace(operation, machine), patience)?.Plan;

    /// <summary>Cycles of a mapping, and its energy in attojoules.</summary>
    public static (long Cycles, Int128 Energy) Cost(NestPlan plan, NestSpace space)
    {
        var counts = NestModel.Count(plan.Encode(space.Operation, space.Machine), space);
        return (counts.Cycles(space.Machine), space.Energy.Of(counts));
    }

    /// <summary>The operators of a chain with their descriptors; addresses play no part.</summary>
    public static IEnumerable<(GconvOperator Step, SystolicOperator Descriptor)> Descriptors(GconvProgram program)
    {
        var tensors = new ChainTensors(program);
        var builder = new DescriptorBuilder(tensors.Shape, tensors.Element, _ => 0);
        return program.Steps.OfType<GconvOperator>().Select(step => (step, builder.Build(step, -1, null)));
    }

    /// <summary>What a nest is and does for each operator of a mapped program, by the model.</summary>
    public static IEnumerable<(GconvOperator Step, NestStep Nest, NestCounts Counts)> Predict(SystolicModule module)
    {
        var plans = module.Nests.ToDictionary(plan => plan.Operator, StringComparer.Ordinal);
        foreach (var (step, descriptor) in Descriptors(module.Program))
        {
            var nest = plans[step.Name].Encode(descriptor, module.Machine);
            yield return (step, nest, NestModel.Count(nest, module.Machine));
        }
    }

    /// <summary>Everything that the search sees of an operator.</summary>
    public static string Key(SystolicOperator operation)
    {
        var text = new StringBuilder();
        text.AppendJoin(' ', operation.Loops).Append(CultureInfo.InvariantCulture, $" {operation.Accumulator} {operation.Reduce} ");
        foreach (var program in (IReadOnlyList<ScalarInstruction>[])[operation.Pre, operation.Main, operation.Post])
        {
            text.AppendJoin(' ', program.Select(instruction => string.Create(
                CultureInfo.InvariantCulture, $"{instruction.Opcode}{(instruction.Opcode is ScalarOpcode.Lookup or ScalarOpcode.Extra ? instruction.Value : 0)}"))).Append(';');
        }

        foreach (var access in operation.Extras.Prepend(operation.Output).Prepend(operation.Input).Concat(operation.Kernel is { } kernel ? [kernel] : []))
        {
            text.Append(CultureInfo.InvariantCulture, $"/{access.Element}");
            foreach (var dimension in access.Dimensions)
            {
                text.Append(CultureInfo.InvariantCulture, $" {dimension.Extent} {dimension.Constant} {dimension.Divisor} ").AppendJoin(',', dimension.Coefficients);
            }
        }

        return text.ToString();
    }
}
