using CnnCompiler.Core;

namespace CnnCompiler.Passes.Selection.Published;

/// <summary>
/// A network with the published costs as a selection problem, in whole picoseconds: a candidate a legal algorithm and dataflow, forks and joins stored as tensors
/// (the research notes, sections 6 and 10).
/// </summary>
public sealed class PublishedDynamapInstance : ITransitionCosts
{
    private const double PicosecondsPerMillisecond = 1e9;
    private readonly PublishedDynamapCosts _costs;
    private readonly Dictionary<string, DynamapConvolution> _layers = new(StringComparer.Ordinal);
    private readonly List<SelectionTensor> _tensors = [];
    private readonly List<SelectionStep> _steps = [];
    private readonly Dictionary<int, List<DynamapConvolution>> _chainOf = [];
    private readonly List<List<DynamapConvolution>> _chains = [];

    internal PublishedDynamapInstance(DynamapOverlay overlay) => _costs = new(overlay);

    /// <summary>The description, for <see cref="CostGraphBuilder"/>.</summary>
    public SelectionProblem Problem => new("ps", _tensors.ToEquatableArray(), _steps.ToEquatableArray());

    /// <summary>The convolutions by name.</summary>
    public IReadOnlyDictionary<string, DynamapConvolution> Layers => _layers;

    /// <summary>The convolutions that follow each other directly, each chain from a stored tensor to a stored tensor.</summary>
    public IReadOnlyList<IReadOnlyList<DynamapConvolution>> Chains => _chains;

    /// <summary>Algorithm of a candidate, from its name.</summary>
    public static DynamapAlgorithm AlgorithmOf(string candidate) => Enum.Parse<DynamapAlgorithm>(candidate.AsSpan(0, candidate.IndexOf(' ', StringComparison.Ordinal)));

    /// <inheritdoc/>
    public long Store(CandidateOf producer, SelectionTensor tensor, int layout) => 0;

    /// <inheritdoc/>
    public long Load(SelectionTensor tensor, int layout, CandidateOf consumer, int operand) => ToConvolution(null, consumer);

    /// <inheritdoc/>
    public long Pass(CandidateOf producer, SelectionTensor tensor, CandidateOf consumer, int operand)
    {
        var from = _layers.ContainsKey(producer.Step.Name) ? AlgorithmOf(producer.Name) : (DynamapAlgorithm?)null;
        if (_layers.ContainsKey(consumer.Step.Name))
        {
            return ToConvolution(from, consumer);
        }

        // A pool or a join takes the map as it was made, stored as a tensor.
        var layer = _layers[producer.Step.Name];
        return Whole(_costs.TransitionMilliseconds(layer.Height, layer.Width, layer.Outputs, 1, from, null));
    }

    /// <summary>Adds a stored tensor.</summary>
    internal int Stored(string name)
    {
        _tensors.Add(new(name, ["tensor"]));
        return _tensors.Count - 1;
    }

    /// <summary>Adds a convolution; returns its result, which one step reads.</summary>
    internal int Convolution(string name, int input, DynamapConvolution layer)
    {
        _layers.Add(name, layer);
        var candidates = layer.Algorithms.SelectMany(algorithm => _costs.Overlay.Dataflows.Select(dataflow =>
            new SelectionCandidate($"{algorithm} {dataflow}", Whole(_costs.Milliseconds(layer, algorithm, dataflow)))));
        var output = Add(name, candidates.ToEquatableArray(), [input], null);
        if (!_chainOf.TryGetValue(input, out var chain))
        {
            chain = [];
            _chains.Add(chain);
        }

        chain.Add(layer);
        _chainOf.Add(output, chain);
        return output;
    }

    /// <summary>Adds a pool that costs nothing; returns its result, which one step reads.</summary>
    internal int Pool(string name, int input) => Add(name, [new("Pool", 0)], [input], null);

    /// <summary>Adds a pool or a join whose result is stored.</summary>
    internal int Join(string name, EquatableArray<int> inputs) => Add(name, [new("Store", 0)], inputs, Stored(name + ".map"));

    private int Add(string name, EquatableArray<SelectionCandidate> candidates, EquatableArray<int> inputs, int? output)
    {
        if (output is null)
        {
            _tensors.Add(new(name + ".out", []));
            output = _tensors.Count - 1;
        }

        _steps.Add(new(name, candidates, inputs, [output.Value]));
        return output.Value;
    }

    private long ToConvolution(DynamapAlgorithm? from, CandidateOf consumer)
    {
        var layer = _layers[consumer.Step.Name];
        return Whole(_costs.TransitionMilliseconds(layer.Height, layer.Width, layer.Inputs, layer.KernelHeight * layer.KernelWidth, from, AlgorithmOf(consumer.Name)));
    }

    /// <summary>Whole picoseconds.</summary>
    internal static long Whole(double milliseconds) => (long)Math.Round(milliseconds * PicosecondsPerMillisecond);
}
