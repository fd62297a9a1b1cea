namespace CnnCompiler.Frontend.Tests.Tflite;

/// <summary>
/// Makes small TFLite models field by field (numbers as in schema.fbs), so that tests can state each thing that the reader has to handle or to
/// refuse. Tensors are int8 with scale 0.5 and zero point 0 unless said otherwise.
/// </summary>
internal sealed class TfliteModelBuilder
{
    public const byte Float32 = 0;
    public const byte Int32 = 2;
    public const byte UInt8 = 3;
    public const byte Int64 = 4;
    public const byte Int16 = 7;
    public const byte Int8 = 9;

    private readonly List<FlatObject> _buffers = [new()];
    private readonly List<FlatObject> _codes = [];

    public FlatObject Model { get; } = new();

    public FlatObject Subgraph { get; } = new();

    public List<FlatObject> Subgraphs { get; } = [];

    public List<FlatObject> Tensors { get; } = [];

    public List<FlatObject> Operators { get; } = [];

    public TfliteModelBuilder()
    {
        Subgraphs.Add(Subgraph);
        Model[0] = 3;
    }

    /// <summary>A value at run time.</summary>
    public int Value(string name, int[] shape, byte type = Int8, float scale = 0.5f, long zeroPoint = 0) => Add(name, shape, type, 0, Quantization(scale, zeroPoint));

    /// <summary>A constant.</summary>
    public int Constant(string name, int[] shape, byte type, byte[] data, FlatObject? quantization = null)
    {
        _buffers.Add(new() { [0] = data });
        return Add(name, shape, type, _buffers.Count - 1, quantization);
    }

    /// <summary>Constant int8 weights that count up.</summary>
    public int Weights(int[] shape, FlatObject? quantization = null, byte type = Int8) => Constant(
        "weights", shape, type, [.. Enumerable.Range(0, shape.Aggregate(1, (a, b) => a * b)).Select(i => (byte)(i % 100))], quantization ?? Quantization(0.25f, 0));

    /// <summary>A constant of int32 numbers.</summary>
    public int Numbers(string name, int[] shape, params int[] numbers) => Constant(name, shape, Int32, [.. numbers.SelectMany(BitConverter.GetBytes)]);

    /// <summary>One scale, or one for each index of a dimension.</summary>
    public static FlatObject Quantization(float scale, long zeroPoint) => new() { [2] = new[] { scale }, [3] = new[] { zeroPoint } };

    /// <summary>One scale for each index of a dimension.</summary>
    public static FlatObject PerAxis(int axis, params float[] scales) => new() { [2] = scales, [3] = new long[scales.Length], [6] = axis };

    /// <summary>An operator; <paramref name="options"/> are stored as member <paramref name="union"/>.</summary>
    public FlatObject Operator(int code, int[] inputs, int[] outputs, byte union = 0, FlatObject? options = null)
    {
        _codes.Add(code < 127 ? new() { [0] = (byte)code, [3] = code } : new() { [0] = (byte)127, [3] = code });
        var operation = new FlatObject { [0] = _codes.Count - 1, [1] = inputs, [2] = outputs };
        if (options is not null)
        {
            operation[3] = union;
            operation[4] = options;
        }

        Operators.Add(operation);
        return operation;
    }

    /// <summary>The code entry of the operator added last.</summary>
    public FlatObject LastCode => _codes[^1];

    /// <summary>The file, with the graph's inputs and outputs.</summary>
    public byte[] Build(int[] inputs, int[] outputs)
    {
        Subgraph[0] = Tensors.ToArray();
        Subgraph[1] = inputs;
        Subgraph[2] = outputs;
        Subgraph[3] = Operators.ToArray();
        Model[1] = _codes.ToArray();
        Model[2] = Subgraphs.ToArray();
        Model[4] = _buffers.ToArray();
        return FlatBufferWriter.Write(Model, "TFL3");
    }

    private int Add(string name, int[] shape, byte type, int buffer, FlatObject? quantization)
    {
        var tensor = new FlatObject { [0] = shape, [1] = type, [2] = buffer, [3] = name };
        if (quantization is not null)
        {
            tensor[4] = quantization;
        }

        Tensors.Add(tensor);
        return Tensors.Count - 1;
    }
}
