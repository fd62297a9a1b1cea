using CnnCompiler.Frontend.Onnx;
using CnnCompiler.Frontend.Onnx.Wire;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.TestSupport;
using Google.Protobuf;
using Xunit;

namespace CnnCompiler.Frontend.Tests.Onnx;

/// <summary>Files that no exporter writes end with a diagnostic, within memory bounded by the file.</summary>
public sealed class OnnxHostileTests
{
    [Fact]
    public void Mutants_of_real_models_are_read_or_refused_within_bounded_memory()
    {
        Assert.SkipUnless(SharedMaterial.Exists, SharedMaterial.Reason);
        var models = OnnxCase.Folders.Select(folder => new OnnxCase(folder).Baked()).ToList();
        var read = ModelMutants.Check(models, 20_251, ModelMutants.ChangeProtocolBuffer, (bytes, diagnostics) => OnnxReader.Read(bytes, "m.onnx", diagnostics) is not null, Limit);

        // The models are a few hundred bytes, so most changes meet a name or a length; enough still are models for the importer itself to be reached.
        Assert.InRange(read, ModelMutants.Count / 20, ModelMutants.Count / 2);
    }

    [Fact]
    public void A_length_beyond_its_parent_is_refused_before_anything_is_allocated()
    {
        // Field 7 (graph) of almost 2^31 bytes; inside a graph, an initializer of as many.
        Assert.Equal("CNN0350", Refusal([0x3A, 0xFF, 0xFF, 0xFF, 0xFF, 0x07]));
        Assert.Equal("CNN0350", Refusal([0x3A, 0x06, 0x2A, 0xFF, 0xFF, 0xFF, 0xFF, 0x07]));
        Assert.Equal("CNN0350", Refusal([0x3A]));
        Assert.Equal("CNN0350", Refusal([]));
    }

    [Fact]
    public void Nodes_that_wait_for_each_other_are_refused() => Assert.Equal("CNN0356", Refusal(Model(Node("Relu", "a", "b"), Node("Relu", "b", "a")), "circle"));

    [Fact]
    public void A_value_that_nothing_makes_is_refused() => Assert.Equal("CNN0356", Refusal(Model(Node("Relu", "missing", "y")), "'missing'"));

    [Fact]
    public void A_value_that_is_made_twice_is_refused() => Assert.Equal("CNN0356", Refusal(Model(Node("Relu", "x", "y"), Node("Tanh", "x", "y")), "twice"));

    [Fact]
    public void An_unknown_operator_is_refused_by_its_name_and_number() => Assert.Equal("CNN0352", Refusal(Model(Node("Relu", "x", "h"), Node("NonZero", "h", "y")), "node 1, NonZero, which makes 'y'"));

    [Fact]
    public void A_known_operator_in_a_form_that_no_layer_has_is_refused_by_its_name_and_number() =>
        Assert.Equal("CNN0353", Refusal(Model(Node("Relu", "x", "h"), Node("Upsample", "h", "y")), "node 1, Upsample, which makes 'y', can't be used like this: its input is no image"));

    [Fact]
    public void Constants_and_inputs_of_types_that_networks_have_not_are_refused_by_name()
    {
        var model = Model(Node("Add", "x", "y", "w"));
        model.Graph.Initializer.Add(new TensorProto { Name = "w", DataType = 8, Dims = { 1 } });
        Assert.Equal("CNN0354", Refusal(model, "'w' holds "));
        model = Model(Node("Relu", "x", "y"));
        model.Graph.Input[0].Type.TensorType.ElemType = 8;
        Assert.Equal("CNN0354", Refusal(model, "'x' holds "));
    }

    [Fact]
    public void A_node_that_makes_nothing_is_refused()
    {
        var model = Model(Node("Relu", "x", "y"), Node("Relu", "x", "h"));
        model.Graph.Node[1].Output.Clear();
        Assert.Equal("CNN0355", Refusal(model, "node 1, Relu, contradicts itself: it makes nothing"));
    }

    [Fact]
    public void A_shape_that_is_known_at_run_time_only_is_refused_unless_it_is_the_batch()
    {
        var model = Model(Node("Relu", "x", "y"));
        var shape = model.Graph.Input[0].Type.TensorType.Shape;
        shape.Dim.Add(new TensorShapeProto.Types.Dimension { DimParam = "width" });
        Assert.Equal("CNN0357", Refusal(model, "'x'"));
        shape.Dim.RemoveAt(0);
        Assert.NotNull(OnnxReader.Read(model.ToByteArray(), "m.onnx", new DiagnosticBag()));
        model.Graph.Input[0].Type.TensorType.Shape = null;
        Assert.Equal("CNN0357", Refusal(model, "'x'"));
    }

    [Fact]
    public void After_two_hundred_refused_nodes_the_rest_is_not_listed()
    {
        var diagnostics = new DiagnosticBag();
        Assert.Null(OnnxReader.Read(Model([.. Enumerable.Range(0, 300).Select(i => Node("NonZero", "x", $"y{i}"))]).ToByteArray(), "m.onnx", diagnostics));
        Assert.Equal(201, diagnostics.Diagnostics.Count);
        Assert.All(diagnostics.Diagnostics.SkipLast(1), refusal => Assert.Equal("CNN0352", refusal.Code));
        Assert.Equal("CNN0359", diagnostics.Diagnostics[^1].Code);
    }

    [Fact]
    public void Weights_in_another_file_are_refused_by_name()
    {
        var model = Model(Node("Add", "x", "y", "w"));
        model.Graph.Initializer.Add(new TensorProto { Name = "w", DataType = 1, Dims = { 3 }, DataLocation = 1 });
        Assert.Equal("CNN0358", Refusal(model, "'w'"));
    }

    [Fact]
    public void A_constant_of_another_size_than_its_shape_is_refused()
    {
        var model = Model(Node("Add", "x", "y", "w"));
        model.Graph.Initializer.Add(new TensorProto { Name = "w", DataType = 1, Dims = { 1 << 27 }, RawData = ByteString.CopyFrom(new byte[12]) });
        Assert.Equal("CNN0356", Refusal(model, "'w'"));
    }

    [Fact]
    public void Constants_that_double_again_and_again_end_at_a_limit()
    {
        var model = Model();
        model.Graph.Initializer.Add(new TensorProto { Name = "c0", DataType = 1, Dims = { 4 }, RawData = ByteString.CopyFrom(new byte[16]) });
        for (var i = 0; i < 40; i++)
        {
            var node = Node("Concat", $"c{i}", $"c{i + 1}", $"c{i}");
            node.Attribute.Add(new AttributeProto { Name = "axis", I = 0 });
            model.Graph.Node.Add(node);
        }

        Assert.Equal("CNN0351", Refusal(model, "constants"));
    }

    [Fact]
    public void Older_operator_sets_are_refused()
    {
        var model = Model(Node("Relu", "x", "y"));
        model.OpsetImport[0].Version = 1;
        Assert.Equal("CNN0360", Refusal(model, "operator set 1"));
    }

    private static NodeProto Node(string operation, string input, string output, params string[] more)
    {
        var node = new NodeProto { OpType = operation, Output = { output } };
        node.Input.Add(input);
        node.Input.AddRange(more);
        return node;
    }

    private static ModelProto Model(params NodeProto[] nodes)
    {
        var type = new TypeProto { TensorType = new() { ElemType = 1, Shape = new() { Dim = { new TensorShapeProto.Types.Dimension { DimValue = 3 } } } } };
        var graph = new GraphProto { Input = { new ValueInfoProto { Name = "x", Type = type } }, Output = { new ValueInfoProto { Name = "y", Type = type } } };
        graph.Node.AddRange(nodes);
        return new() { Graph = graph, OpsetImport = { new OperatorSetIdProto { Version = 17 } } };
    }

    private static string Refusal(ModelProto model, string mentions = "") => Refusal(model.ToByteArray(), mentions);

    private static string Refusal(byte[] bytes, string mentions = "")
    {
        var diagnostics = new DiagnosticBag();
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Null(OnnxReader.Read(bytes, "m.onnx", diagnostics));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, Limit(bytes));
        var refusal = Assert.Single(diagnostics.Diagnostics);
        Assert.Contains(mentions, refusal.Message, StringComparison.Ordinal);
        return refusal.Code;
    }

    /// <summary>A small multiple of the file, and what any import takes.</summary>
    private static long Limit(byte[] bytes) => 2_000_000 + (64L * bytes.Length);
}
