using CnnCompiler.Core;
using CnnCompiler.Image.Systolic;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.Systolic;

namespace CnnCompiler.Targets.Nests.Chip;

/// <summary>
/// Leaves tensors in the buffer of activations from the operators that write them to those that read them, and maps these anew: with fewer bytes to move other unrollings, tiles and orders of loops are the
/// best, and where the rest of the buffer is small, smaller boxes. <see cref="ChipSelector"/> says which tensors and which mappings. A program in which something stays already is left as it is.
/// </summary>
public sealed class KeepOnChip() : Pass<SystolicModule, SystolicModule>(
    new("keep-on-chip", "leaves tensors on the chip between operators where the buffer has room for them, and maps these operators anew", IrLevel.Mapped, IrLevel.Mapped))
{
    /// <inheritdoc/>
    protected override SystolicModule Transform(SystolicModule module, PassContext context)
    {
        if (module.Nests.Any(plan => plan.Chip is not null))
        {
            return module;
        }

        var costs = new Costs(module, context.Cancellation);
        var choices = ChipSelector.Choose(costs.Program, module.Machine.Systolic![SystolicKeys.ActivationBytes], costs);
        return module with { Nests = choices.Select((choice, step) => costs.PlanOf(step, choice)).OfType<NestPlan>().ToEquatableArray() };
    }

    /// <summary>Operators cost what their mappings do; steps of the host what they do anyway.</summary>
    private sealed class Costs : IChipCosts
    {
        private readonly (NestSpace Space, NestPlan Plan)?[] _steps;
        private readonly NestChipPlans _plans;
        private readonly CancellationToken _cancellation;

        public Costs(SystolicModule module, CancellationToken cancellation)
        {
            (Program, _plans, _cancellation) = (ChipProgram.Of(module.Program), new(module.Machine, int.MaxValue), cancellation);
            var plans = module.Nests.ToDictionary(plan => plan.Operator, StringComparer.Ordinal);
            var operators = NestMapper.Descriptors(module.Program).ToDictionary(
                entry => entry.Step.Name, entry => (_plans.Space(entry.Descriptor), plans[entry.Step.Name]), StringComparer.Ordinal);
            _steps = [.. Program.Steps.Select(step => operators.TryGetValue(step.Name, out var found) ? found : default((NestSpace, NestPlan)?))];
        }

        public ChipProgram Program { get; }

        public bool UsesChip(int step) => _steps[step] is not null;

        public ChipCost? Of(int step, NestPlacement place, long free)
        {
            _cancellation.ThrowIfCancellationRequested();
            return _steps[step] is var (space, plan) ? _plans.Of(space, plan, place, free)?.Cost : default(ChipCost);
        }

        /// <summary>The mapping chosen; null for a step of the host.</summary>
        public NestPlan? PlanOf(int step, ChipChoice choice) => _steps[step] is var (space, plan)
            ? choice.Chip is null ? plan : _plans.Of(space, plan, choice.Place, choice.Free)!.Value.Plan with { Operator = plan.Operator, Chip = choice.Chip }
            : null;
    }
}
