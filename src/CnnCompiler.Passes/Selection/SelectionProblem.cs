using CnnCompiler.Core;

namespace CnnCompiler.Passes.Selection;

/// <summary>A way to do a step.</summary>
/// <param name="Name">Name, unique in the step: algorithm, dataflow, tiling, as the target calls it.</param>
/// <param name="Cost">Cost of the step itself in the problem's unit, from 0, or <see cref="SelectionCost.Illegal"/>.</param>
public sealed record SelectionCandidate(string Name, long Cost);

/// <summary>A value between steps.</summary>
/// <param name="Name">Name, unique among steps and tensors.</param>
/// <param name="Layouts">
/// The layouts it may be stored in: a decision of its own, the same for all who touch it. Empty where it goes from one step to one other
/// and its form is settled by the two candidates alone.
/// </param>
public sealed record SelectionTensor(string Name, EquatableArray<string> Layouts);

/// <summary>A step: a layer or several fused ones.</summary>
/// <param name="Name">Name, unique among steps and tensors.</param>
/// <param name="Candidates">The ways to do it.</param>
/// <param name="Inputs">[operands] indices of the tensors read.</param>
/// <param name="Outputs">[results] indices of the tensors written.</param>
public sealed record SelectionStep(string Name, EquatableArray<SelectionCandidate> Candidates, EquatableArray<int> Inputs, EquatableArray<int> Outputs);

/// <summary>What is to be decided, in the order of a network.</summary>
/// <param name="Unit">Unit of all costs, as printed.</param>
/// <param name="Tensors">The values. One without layouts has one writer and one reader; network inputs, outputs and forks have layouts.</param>
/// <param name="Steps">The steps.</param>
public sealed record SelectionProblem(string Unit, EquatableArray<SelectionTensor> Tensors, EquatableArray<SelectionStep> Steps);

/// <summary>A step with one of its candidates.</summary>
/// <param name="Step">The step.</param>
/// <param name="Candidate">Index of the candidate.</param>
public readonly record struct CandidateOf(SelectionStep Step, int Candidate)
{
    /// <summary>Name of the candidate.</summary>
    public string Name => Step.Candidates[Candidate].Name;
}

/// <summary>
/// What it costs to bring a tensor from one form into another: layout conversions, transforms, context reloads. The target answers; measured costs come
/// from a <see cref="MeasuredCosts"/>. All in the problem's unit, from 0, or <see cref="SelectionCost.Illegal"/>.
/// </summary>
public interface ITransitionCosts
{
    /// <summary>A step's result, as the candidate makes it, stored in a layout.</summary>
    long Store(CandidateOf producer, SelectionTensor tensor, int layout);

    /// <summary>A stored tensor, read as the candidate wants its operand.</summary>
    long Load(SelectionTensor tensor, int layout, CandidateOf consumer, int operand);

    /// <summary>A tensor without layouts, as one candidate makes it and the other wants it.</summary>
    long Pass(CandidateOf producer, SelectionTensor tensor, CandidateOf consumer, int operand);
}
