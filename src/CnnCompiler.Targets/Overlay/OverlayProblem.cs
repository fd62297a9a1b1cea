using CnnCompiler.Core;
using CnnCompiler.Passes.Selection;

namespace CnnCompiler.Targets.Overlay;

/// <summary>
/// The selection problem of an overlay: a step for each convolution, and for each tensor that convolutions read the decision which form it lies in besides itself. Making a form costs once, reading it costs each
/// convolution whose form it is what it costs with a stored input; all others read the tensor.
/// </summary>
internal sealed class OverlayProblem : ITransitionCosts
{
    private const string Plain = "tensor";
    private readonly List<string> _tensors;
    private readonly Dictionary<string, OverlayChoice> _choices;

    public OverlayProblem(IReadOnlyList<OverlayChoice> menu, bool layouts)
    {
        Menu = menu;
        _choices = menu.ToDictionary(choice => choice.Operator, StringComparer.Ordinal);
        _tensors = [.. menu.Select(choice => choice.Tensor).Distinct(StringComparer.Ordinal)];
        var tensors = _tensors.Select(tensor => new SelectionTensor(
            NameOf(tensor),
            menu.Where(choice => layouts && choice.Tensor == tensor).SelectMany(choice => choice.Ways).Where(way => way.Stored is not null).Select(way => way.Algorithm!.Layout)
                .Distinct(StringComparer.Ordinal).Prepend(Plain).ToEquatableArray()));
        var makers = _tensors.Select((tensor, i) => new SelectionStep($"making the form of {tensor}", [new("transform units", 0)], [], [i]));
        var steps = menu.Select(choice => new SelectionStep(
            choice.Operator, choice.Ways.Select(way => new SelectionCandidate(way.Name, Own(way))).ToEquatableArray(), [_tensors.IndexOf(choice.Tensor)], []));
        Description = new("cycles", tensors.ToEquatableArray(), makers.Concat(steps).ToEquatableArray());
    }

    /// <summary>The convolutions.</summary>
    public IReadOnlyList<OverlayChoice> Menu { get; }

    /// <summary>The problem.</summary>
    public SelectionProblem Description { get; }

    /// <summary>Vertex of a convolution.</summary>
    public int StepOf(int choice) => _tensors.Count + choice;

    /// <summary>The form that a tensor lies in.</summary>
    public string LayoutOf(string tensor, CandidateSelection selection)
    {
        var index = _tensors.IndexOf(tensor);
        return Description.Tensors[index].Layouts[selection.Choices[Description.Steps.Count + index]];
    }

    /// <inheritdoc/>
    public long Store(CandidateOf producer, SelectionTensor tensor, int layout) =>
        layout == 0 ? 0 : Menu.Where(choice => NameOf(choice.Tensor) == tensor.Name).SelectMany(choice => choice.Ways).First(way => way.Algorithm?.Layout == tensor.Layouts[layout] && way.Stored is not null).Transform;

    /// <inheritdoc/>
    public long Load(SelectionTensor tensor, int layout, CandidateOf consumer, int operand)
    {
        var way = _choices[consumer.Step.Name].Ways[consumer.Candidate];
        var isStored = way.Stored is not null && way.Algorithm!.Layout == tensor.Layouts[layout];
        return (isStored ? way.Stored!.Value : way.Loaded).Cycles - Own(way);
    }

    /// <inheritdoc/>
    public long Pass(CandidateOf producer, SelectionTensor tensor, CandidateOf consumer, int operand) => SelectionCost.Illegal;

    private static string NameOf(string tensor) => $"form of {tensor}";

    private static long Own(OverlayWay way) => Math.Min(way.Loaded.Cycles, way.Stored?.Cycles ?? long.MaxValue);
}
