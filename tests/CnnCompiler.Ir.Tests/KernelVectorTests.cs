using System.Text.Json;
using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Ir.Tests;

/// <summary>
/// The single-operator vectors of the reference kernels whose operators have no weights, built from their index alone: these check the evaluator
/// against TensorFlow Lite Micro itself. Operators with weights are checked through the TFLite reader.
/// </summary>
public sealed class KernelVectorTests
{
    public static TheoryData<string> Kernels()
    {
        var data = new TheoryData<string>();
        using var index = Index();
        foreach (var kernel in index.RootElement.EnumerateArray().Where(kernel => Layer(kernel) is not null))
        {
            data.Add(kernel.GetProperty("name").GetString()!);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Outputs_are_those_of_the_reference_kernel(string name)
    {
        using var index = Index();
        var kernel = index.RootElement.EnumerateArray().Single(kernel => kernel.GetProperty("name").GetString() == name);
        var layer = Layer(kernel)!;
        var types = Tensors(kernel).Where(tensor => tensor.Name != layer.Name).ToList();
        var inputs = types.Select(tensor => new NetworkInput(tensor.Name, tensor.Type)).ToEquatableArray();
        var graph = new NetworkGraph(name, inputs, [layer], [layer.Name]);
        var files = Directory.GetFiles(SharedMaterial.Vectors("kernels", name, "golden"), "*.input.bin");
        Assert.NotEmpty(files);
        foreach (var file in files)
        {
            var bytes = File.ReadAllBytes(file);
            var tensors = new List<Tensor>();
            var offset = 0;
            foreach (var input in inputs)
            {
                var length = (int)input.Type.Shape.Elements;
                tensors.Add(new(ElementType.Int8, input.Type.Shape, bytes[offset..(offset + length)]));
                offset += length;
            }

            Assert.Equal(bytes.Length, offset);
            var diagnostics = new DiagnosticBag();
            var result = NetworkEvaluator.Evaluate(graph, tensors, diagnostics);
            Assert.Empty(diagnostics.Diagnostics);
            Assert.Equal(File.ReadAllBytes(file.Replace("input.bin", "output.bin", StringComparison.Ordinal)), result!.Outputs[0].Bytes.ToArray());
        }
    }

    private static JsonDocument Index() => JsonDocument.Parse(File.ReadAllBytes(SharedMaterial.Vectors("kernels", "index.json")));

    private static Layer? Layer(JsonElement kernel)
    {
        var tensors = Tensors(kernel);
        var (name, type) = tensors[^1];
        EquatableArray<string> inputs = tensors.Where(tensor => tensor.Name != name).Select(tensor => tensor.Name).ToEquatableArray();
        var options = kernel.GetProperty("options").GetString()!.Split(' ', StringSplitOptions.RemoveEmptyEntries)
            .Select(option => option.Split('=')).ToDictionary(option => option[0], option => option[1]);
        var activation = options.GetValueOrDefault("fusedActivationFunction") switch
        {
            "RELU" => FusedActivation.Relu,
            "RELU6" => FusedActivation.Relu6,
            "RELU_N1_TO_1" => FusedActivation.ReluN1To1,
            _ => FusedActivation.None,
        };
        int Option(string key) => int.Parse(options[key], System.Globalization.CultureInfo.InvariantCulture);
        (Spatial Kernel, Spatial Stride, Padding Padding) Pool()
        {
            Spatial kernelSize = new(Option("filterHeight"), Option("filterWidth"));
            Spatial stride = new(Option("strideH"), Option("strideW"));
            var shape = tensors[0].Type.Shape;
            return (kernelSize, stride, options["padding"] == "SAME" ? Padding.Same(shape[1], shape[2], kernelSize, stride, new(1, 1)) : default);
        }

        switch (kernel.GetProperty("op").GetString())
        {
            case "SOFTMAX":
                return new Softmax(name, inputs, type, float.Parse(options["beta"], System.Globalization.CultureInfo.InvariantCulture));
            case "ADD":
                return new Add(name, inputs, type, activation, RoundingScheme.TfliteDouble);
            case "MAX_POOL_2D":
                var max = Pool();
                return new MaxPool2D(name, inputs, type, max.Kernel, max.Stride, max.Padding, activation);
            case "AVERAGE_POOL_2D":
                var average = Pool();
                return new AveragePool2D(name, inputs, type, average.Kernel, average.Stride, average.Padding, activation);
            case "CONCATENATION":
                return new Concat(name, inputs, type, (Option("axis") + type.Shape.Rank) % type.Shape.Rank);
            case "MEAN":
                // The index has no values of constants; the reduced dimensions are in the kernel's name.
                EquatableArray<int> axes = [.. kernel.GetProperty("name").GetString()!.Split('_')[1].Select(letter => "nhwc".IndexOf(letter, StringComparison.Ordinal))];
                return new Mean(name, inputs, type, axes, options["keepDims"] == "True", RoundingScheme.TfliteDouble);
            default:
                return null;
        }
    }

    private static List<(string Name, TensorType Type)> Tensors(JsonElement kernel) =>
    [
        .. kernel.GetProperty("tensors").EnumerateArray().Where(tensor => !tensor.GetProperty("const").GetBoolean()).Select(tensor => (
            tensor.GetProperty("name").GetString()!,
            new TensorType(
                tensor.GetProperty("type").GetString() == "INT8" ? ElementType.Int8 : ElementType.Int32,
                Shape.Of([.. tensor.GetProperty("shape").EnumerateArray().Select(extent => extent.GetInt32())]),
                tensor.GetProperty("scale").GetArrayLength() == 1
                    ? Quantization.PerTensor(tensor.GetProperty("scale")[0].GetSingle(), tensor.GetProperty("zero_point")[0].GetInt32())
                    : null))),
    ];
}
