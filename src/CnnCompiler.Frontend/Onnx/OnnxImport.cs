using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Frontend.Binding;
using CnnCompiler.Frontend.Onnx.Wire;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Frontend.Onnx;

/// <summary>An imported model.</summary>
/// <param name="Graph">The network; inputs and outputs have the file's order of dimensions.</param>
/// <param name="TensorNames">The model's own names of values, by the network's, for reports.</param>
public sealed record OnnxModel(NetworkGraph Graph, IReadOnlyDictionary<string, string> TensorNames);

/// <summary>
/// Reads ONNX models (operator sets 7 to 25) from untrusted bytes. What is imported is what <see cref="OnnxOperators"/> lists; each node that is not supported gets a diagnostic of its own
/// (CNN0350 to CNN0360). Images become channels last inside; inputs and outputs keep the file's order.
/// </summary>
public static class OnnxReader
{
    /// <summary>Reads a model; null where it is refused, which <paramref name="diagnostics"/> then explains.</summary>
    /// <param name="bytes">The whole file.</param>
    /// <param name="file">The file as the user named it.</param>
    /// <param name="diagnostics">Takes what is wrong.</param>
    /// <param name="constants">Inputs of the graph that are known and become constants, by name; null for none.</param>
    public static OnnxModel? Read(ReadOnlyMemory<byte> bytes, string file, DiagnosticBag diagnostics, IReadOnlyDictionary<string, Tensor>? constants = null)
    {
        try
        {
            return new OnnxImport(OnnxWire.Parse(bytes, file), bytes.Length, file, diagnostics).Run(constants ?? new Dictionary<string, Tensor>(StringComparer.Ordinal));
        }
        catch (DiagnosticException refusal)
        {
            diagnostics.Report(refusal.Diagnostic);
            return null;
        }
    }
}

/// <summary>One import: walks the nodes in topological order, builds what it can and collects every refusal.</summary>
internal sealed class OnnxImport
{
    private const int MaximumRefusals = 200;

    // Bytes of constants that nodes may read together: each may copy what it reads, and nodes may share.
    private const long SmallConstants = 200_000;
    private const long ConstantFactor = 4;

    // Inputs and outputs are looked for among all nodes.
    private const int MostEdges = 256;
    private const int OldestOpset = 7;
    private const int NewestOpset = 25;

    private readonly ModelProto _model;
    private readonly GraphProto _graph;
    private readonly DiagnosticBag _diagnostics;
    private readonly Dictionary<string, OnnxValue> _values = new(StringComparer.Ordinal);
    private readonly Dictionary<string, List<NodeProto>> _readers = new(StringComparer.Ordinal);
    private readonly HashSet<string> _refused = new(StringComparer.Ordinal);
    private readonly HashSet<NodeProto> _done = new(ReferenceEqualityComparer.Instance);
    private readonly long _mostConstants;
    private long _constants;
    private int _refusals;

    public OnnxImport(ModelProto model, long bytes, string file, DiagnosticBag diagnostics)
    {
        (_model, File, _diagnostics, Net) = (model, file, diagnostics, new(file));
        _mostConstants = SmallConstants + (ConstantFactor * bytes);
        _graph = model.Graph ?? throw new DiagnosticException(OnnxDiagnostics.NotAModel(file, "it holds no graph"));
        foreach (var node in _graph.Node)
        {
            foreach (var input in node.Input)
            {
                if (!_readers.TryGetValue(input, out var readers))
                {
                    _readers.Add(input, readers = []);
                }

                readers.Add(node);
            }
        }
    }

    public string File { get; }

    public OnnxNetworkBuilder Net { get; }

    public OnnxModel? Run(IReadOnlyDictionary<string, Tensor> constants)
    {
        CheckOpset();
        if (_graph.Input.Count - _graph.Initializer.Count > MostEdges || _graph.Output.Count > MostEdges)
        {
            throw new DiagnosticException(OnnxDiagnostics.TooLarge(File, "the number of inputs or outputs", Math.Max(_graph.Input.Count - _graph.Initializer.Count, _graph.Output.Count), MostEdges));
        }

        if (_graph.SparseInitializer.Count > 0)
        {
            throw BadGraph("it has sparse constants, which are not supported");
        }

        foreach (var proto in _graph.Initializer)
        {
            var tensor = OnnxTensors.Read(proto, proto.Name, File);
            Define(proto.Name, new(proto.Name, tensor.Shape, tensor.Element) { Constant = tensor });
        }

        var inputs = ReadInputs(constants);
        Net.Reserve(_graph.Output.Select(output => output.Name));
        foreach (var (node, index) in Order())
        {
            ReadNode(node, index);
        }

        if (_refusals > 0)
        {
            return null;
        }

        var named = _graph.Output.Select(output => Net.NameOutput(Output(output.Name), output.Name)).ToList();
        if (named.Count == 0)
        {
            throw BadGraph("it has no outputs");
        }

        var graph = new NetworkGraph(Identifiers.OfFile(File), inputs.ToEquatableArray(), UsedLayers(named).ToEquatableArray(), named.ToEquatableArray());
        var problems = NetworkVerifier.Check(graph);
        _diagnostics.Report(problems);
        return problems.Any(problem => problem.Severity == DiagnosticSeverity.Error) ? null : new(graph, Net.Labels);
    }

    public long OpsetOf(string domain) => _model.OpsetImport.FirstOrDefault(set => IsOnnx(set.Domain) == IsOnnx(domain) && (IsOnnx(domain) || set.Domain == domain))?.Version ?? 1;

    public OnnxValue ValueOf(string name) => _values.TryGetValue(name, out var value) ? value : throw BadGraph($"nothing makes {OnnxDiagnostics.Quote(name)}, which a node reads");

    public OnnxValue? Known(string name) => _values.GetValueOrDefault(name);

    /// <summary>The only node that reads a value, where nothing else does, the graph's outputs included.</summary>
    public NodeProto? OnlyReader(string name) =>
        _readers.TryGetValue(name, out var readers) && readers.Count == 1 && readers[0].Input.Count(input => input == name) == 1 && _graph.Output.All(output => output.Name != name) ? readers[0] : null;

    public IReadOnlyList<NodeProto> Readers(string name) => _readers.TryGetValue(name, out var readers) ? readers : [];

    /// <summary>A node that another one has done as well.</summary>
    public void Finish(NodeProto node, OnnxValue value)
    {
        _done.Add(node);
        Define(node.Output[0], value with { Label = node.Output[0] });
    }

    public void Define(string name, OnnxValue value)
    {
        if (name.Length > 0 && !_values.TryAdd(name, value))
        {
            throw BadGraph($"{OnnxDiagnostics.Quote(name)} is made twice");
        }
    }

    private static bool IsOnnx(string domain) => domain is "" or "ai.onnx";

    private void CheckOpset()
    {
        var version = OpsetOf(string.Empty);
        if (version is < OldestOpset or > NewestOpset)
        {
            throw new DiagnosticException(OnnxDiagnostics.UnknownOpset(File, version, OldestOpset, NewestOpset));
        }
    }

    private List<NetworkInput> ReadInputs(IReadOnlyDictionary<string, Tensor> constants)
    {
        // What input codes mean is told by constants, so those come first.
        foreach (var proto in _graph.Input)
        {
            if (!_values.ContainsKey(proto.Name) && constants.TryGetValue(proto.Name, out var known))
            {
                Define(proto.Name, new(proto.Name, known.Shape, known.Element) { Constant = known });
            }
        }

        var inputs = new List<NetworkInput>();
        foreach (var proto in _graph.Input)
        {
            if (_values.ContainsKey(proto.Name))
            {
                continue;
            }

            var type = proto.Type?.TensorType ?? throw new DiagnosticException(OnnxDiagnostics.UnsupportedType(File, proto.Name, "no tensor", "use tensors as inputs"));
            var element = OnnxTensors.ElementOf(type.ElemType);
            if (element is not (ElementType.Float32 or ElementType.Int8 or ElementType.UInt8))
            {
                throw new DiagnosticException(OnnxDiagnostics.UnsupportedType(File, proto.Name, OnnxTensors.NameOf(type.ElemType), "use float, int8 or uint8 inputs"));
            }

            var shape = ShapeOf(proto.Name, type.Shape);
            inputs.Add(ReadInput(proto.Name, element.Value, shape));
        }

        return inputs;
    }

    private NetworkInput ReadInput(string label, ElementType element, Shape shape)
    {
        Net.Label = label;
        if (element == ElementType.Float32)
        {
            Define(label, Net.Input(label, new(element, shape), element, out var real));
            return real;
        }

        var codes = OnnxQuantization.OfInput(this, label);
        if (element == ElementType.Int8)
        {
            Define(label, Net.Input(label, new(element, shape, codes), element, out var signed));
            return signed;
        }

        var value = Net.Input(label, new(element, shape, codes), element, out var unsigned);
        var shifted = OnnxQuantization.Signed(codes, element);
        Define(label, value with { Name = Net.Add(new Quantize(string.Empty, [value.Name], OnnxNetworkBuilder.Open(), RoundingScheme.OnnxHalfEven), ElementType.Int8, shifted), Type = new(ElementType.Int8, shape, shifted) });
        return unsigned;
    }

    private Shape ShapeOf(string name, TensorShapeProto? shape)
    {
        if (shape is null)
        {
            throw new DiagnosticException(OnnxDiagnostics.UnknownShape(File, name));
        }

        var extents = new long[shape.Dim.Count];
        for (var d = 0; d < extents.Length; d++)
        {
            var extent = shape.Dim[d].ValueCase == TensorShapeProto.Types.Dimension.ValueOneofCase.DimValue ? shape.Dim[d].DimValue : 0;
            extents[d] = extent >= 1 ? extent : d == 0 ? 1 : throw new DiagnosticException(OnnxDiagnostics.UnknownShape(File, name));
        }

        return OnnxTensors.ShapeOf(extents, name, File);
    }

    /// <summary>The nodes so that each comes after those whose results it reads; stable, and linear in their number.</summary>
    private List<(NodeProto Node, int Index)> Order()
    {
        var maker = new Dictionary<string, int>(StringComparer.Ordinal);
        for (var i = 0; i < _graph.Node.Count; i++)
        {
            foreach (var output in _graph.Node[i].Output)
            {
                if (output.Length > 0 && (_values.ContainsKey(output) || !maker.TryAdd(output, i)))
                {
                    throw BadGraph($"{OnnxDiagnostics.Quote(output)} is made twice");
                }
            }
        }

        var waiting = new int[_graph.Node.Count];
        var followers = new List<int>[_graph.Node.Count];
        var ready = new PriorityQueue<int, int>();
        for (var i = 0; i < waiting.Length; i++)
        {
            foreach (var input in _graph.Node[i].Input)
            {
                if (maker.TryGetValue(input, out var before))
                {
                    (followers[before] ??= []).Add(i);
                    waiting[i]++;
                }
            }

            if (waiting[i] == 0)
            {
                ready.Enqueue(i, i);
            }
        }

        var ordered = new List<(NodeProto Node, int Index)>();
        while (ready.TryDequeue(out var next, out _))
        {
            ordered.Add((_graph.Node[next], next));
            foreach (var follower in followers[next] ?? [])
            {
                if (--waiting[follower] == 0)
                {
                    ready.Enqueue(follower, follower);
                }
            }
        }

        return ordered.Count == waiting.Length ? ordered : throw BadGraph("its nodes wait for each other in a circle");
    }

    private void ReadNode(NodeProto node, int index)
    {
        if (_done.Contains(node))
        {
            return;
        }

        if (node.Input.Any(_refused.Contains))
        {
            _refused.UnionWith(node.Output);
            return;
        }

        foreach (var input in node.Input)
        {
            _constants += _values.GetValueOrDefault(input)?.Constant?.Bytes.Length ?? 0;
        }

        if (_constants > _mostConstants)
        {
            throw new DiagnosticException(OnnxDiagnostics.TooLarge(File, "the bytes of constants that nodes read", _constants, _mostConstants));
        }

        var row = OnnxOperators.Find(node.Domain, node.OpType);
        var made = node.Output.Count > 0 ? node.Output[0] : string.Empty;
        try
        {
            if (row?.Build is null)
            {
                var (why, remedy) = row?.Refusal ?? ("cnnc has no layer for it", "rebuild the model from the operators that `cnnc operators` lists");
                throw new DiagnosticException(OnnxDiagnostics.UnsupportedOperator(File, index, node.OpType, made, why, remedy));
            }

            if (node.Output.Count == 0)
            {
                throw new DiagnosticException(OnnxDiagnostics.Inconsistent(File, index, node.OpType, "it makes nothing"));
            }

            Net.Label = made;
            var results = row.Build(new(this, node, index));
            for (var i = 0; i < results.Count && i < node.Output.Count; i++)
            {
                Define(node.Output[i], results[i] with { Label = node.Output[i] });
            }
        }
        catch (DiagnosticException refusal)
        {
            _refused.UnionWith(node.Output);
            if (++_refusals > MaximumRefusals)
            {
                throw new DiagnosticException(OnnxDiagnostics.MoreRefusals(File, MaximumRefusals));
            }

            _diagnostics.Report(refusal.Diagnostic);
        }
    }

    /// <summary>The network's value of a graph output: the file's order of dimensions and numbers.</summary>
    private string Output(string label)
    {
        var value = ValueOf(label);
        Net.Label = label;
        var node = new OnnxNode(this, new NodeProto { OpType = "output" }, _graph.Node.Count);
        if (value is { IsConstant: true })
        {
            throw BadGraph($"its output {OnnxDiagnostics.Quote(label)} doesn't depend on its inputs");
        }

        var name = node.First(value);
        return value switch
        {
            { IsDequantized: true } => Net.Dequantize(name),
            { Element: ElementType.UInt8 } => Net.Add(new Quantize(string.Empty, [name], OnnxNetworkBuilder.Open(), RoundingScheme.OnnxHalfEven), ElementType.UInt8, OnnxQuantization.Unsigned(Net.TypeOf(name).Quantization!)),
            _ => name,
        };
    }

    /// <summary>The layers that outputs depend on.</summary>
    private IEnumerable<Layer> UsedLayers(List<string> outputs)
    {
        var used = new HashSet<string>(outputs, StringComparer.Ordinal);
        var layers = Net.Finish();
        foreach (var layer in Enumerable.Reverse(layers))
        {
            if (used.Contains(layer.Name))
            {
                used.UnionWith(layer.Inputs);
            }
        }

        return layers.Where(layer => used.Contains(layer.Name));
    }

    private DiagnosticException BadGraph(string why) => new(OnnxDiagnostics.BadGraph(File, why));
}
