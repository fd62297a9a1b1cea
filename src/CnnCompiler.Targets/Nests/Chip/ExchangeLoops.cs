using CnnCompiler.Core;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Targets.Systolic;

namespace CnnCompiler.Targets.Nests.Chip;

/// <summary>
/// Lets operators that follow each other go through the tiles of the tensor between them together: both have loops along the same dimensions outermost, and only the tiles that are needed lie on the chip
/// instead of the tensor in DRAM. <see cref="TurnSelector"/> says which operators and with which loops. A program in which tiles are handed over already is left as it is.
/// </summary>
public sealed class ExchangeLoops() : Pass<SystolicModule, SystolicModule>(
    new("exchange-loops", "lets operators that follow each other go through tiles together, with a window of the tensor between them on the chip", IrLevel.Mapped, IrLevel.Mapped))
{
    /// <summary>Unrollings in a row without gain after which the search of a mapping ends: each operator is mapped for many outermost loops.</summary>
    internal const int Patience = 6;

    /// <inheritdoc/>
    protected override SystolicModule Transform(SystolicModule module, PassContext context)
    {
        if (module.Nests.Any(plan => plan.Chip is { Taken: not null } or { OutputWindow: not null }))
        {
            return module;
        }

        var plans = module.Nests.ToDictionary(plan => plan.Operator, StringComparer.Ordinal);
        var operators = NestMapper.Descriptors(module.Program).ToDictionary(entry => entry.Step.Name, entry => entry.Descriptor, StringComparer.Ordinal);
        var program = ChipProgram.Of(module.Program);
        var steps = program.Steps.Select(step => operators.TryGetValue(step.Name, out var operation) && plans[step.Name] is var plan ? new TurnStep(plan.Chip, operation, plan) : new(null, null, null)).ToList();
        var chosen = TurnSelector.Choose(program, steps, module.Machine, new(module.Machine, Patience), context.Cancellation);
        return module with { Nests = chosen.Select(step => step.Plan is { } plan ? plan with { Chip = step.Chip } : null).OfType<NestPlan>().ToEquatableArray() };
    }
}
