using System.Globalization;
using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Frontend.Tflite;

/// <summary>One operator as the file states it: what it is and which tensors it joins, not yet whether it can be used.</summary>
/// <param name="Index">Index in execution order.</param>
/// <param name="Code">Builtin operator code.</param>
/// <param name="CustomCode">Name of a custom operator, otherwise empty.</param>
/// <param name="Inputs">Tensor indices; -1 for an optional one that is absent.</param>
/// <param name="Outputs">Tensor indices.</param>
/// <param name="OptionsType">Which member of the options union is stored.</param>
/// <param name="Options">The options, or null.</param>
internal sealed record TfliteOperator(int Index, int Code, string CustomCode, int[] Inputs, int[] Outputs, byte OptionsType, FlatTable? Options);

/// <summary>
/// The main subgraph of a TFLite file. Tensors are read when an operator first uses them and kept; constants are views into the file until an
/// operator takes them.
/// </summary>
internal sealed class TfliteFile
{
    /// <summary>Rank above which no operator of ours goes.</summary>
    private const int MaximumRank = 6;

    /// <summary>Largest extent: far beyond what fits any machine, and small enough that sizes of windows and paddings fit an int.</summary>
    private const int MaximumExtent = 1 << 24;

    /// <summary>What an operand of an operator costs, in bytes: its name in a layer and what is made to check it.</summary>
    private const long OperandCost = 64;

    private readonly FlatBufferReader _reader;
    private readonly FlatTables _codes;
    private readonly FlatTables _buffers;
    private readonly FlatTables _tensors;
    private readonly FlatTables _operators;
    private readonly Dictionary<int, TfliteTensor> _read = [];
    private readonly Dictionary<int, byte[]> _constants = [];

    private TfliteFile(FlatBufferReader reader, FlatTable model, FlatTable subgraph, int subgraphs)
    {
        _reader = reader;
        _codes = model.GetTables(TfliteSchema.Model.OperatorCodes);
        _buffers = model.GetTables(TfliteSchema.Model.Buffers);
        _tensors = subgraph.GetTables(TfliteSchema.SubGraph.Tensors);
        _operators = subgraph.GetTables(TfliteSchema.SubGraph.Operators);
        Inputs = subgraph.GetInt32s(TfliteSchema.SubGraph.Inputs);
        Outputs = subgraph.GetInt32s(TfliteSchema.SubGraph.Outputs);
        Subgraphs = subgraphs;
    }

    /// <summary>The file as the user named it.</summary>
    public string File => _reader.File;

    /// <summary>Tensor indices of the graph's inputs.</summary>
    public int[] Inputs { get; }

    /// <summary>Tensor indices of the graph's outputs.</summary>
    public int[] Outputs { get; }

    /// <summary>Number of subgraphs in the file.</summary>
    public int Subgraphs { get; }

    /// <summary>Number of operators of the main subgraph.</summary>
    public int OperatorCount => _operators.Count;

    /// <summary>Tensors read so far.</summary>
    public IEnumerable<TfliteTensor> TensorsRead => _read.Values;

    /// <summary>Opens the file.</summary>
    /// <exception cref="DiagnosticException">It is no TFLite model, or its outline is damaged.</exception>
    public static TfliteFile Open(ReadOnlyMemory<byte> bytes, string file)
    {
        var reader = new FlatBufferReader(bytes, file);
        if (!reader.HasIdentifier(TfliteSchema.Identifier))
        {
            throw new DiagnosticException(TfliteDiagnostics.NotAModel(file, "bytes 4 to 7 are not the identifier TFL3"));
        }

        var model = reader.Root("model");
        if (model.GetUInt32(TfliteSchema.Model.Version) is var version && version != TfliteSchema.Version)
        {
            throw new DiagnosticException(TfliteDiagnostics.UnknownVersion(file, version));
        }

        var subgraphs = model.GetTables(TfliteSchema.Model.Subgraphs);
        return subgraphs.Count > 0
            ? new(reader, model, subgraphs[0], subgraphs.Count)
            : throw model.Malformed(TfliteSchema.Model.Subgraphs, "the model has no subgraph");
    }

    /// <summary>Reads an operator.</summary>
    public TfliteOperator Operator(int index)
    {
        var table = _operators[index];
        var codeIndex = table.GetUInt32(TfliteSchema.Operator.OpcodeIndex);
        if (codeIndex >= _codes.Count)
        {
            throw table.Malformed(TfliteSchema.Operator.OpcodeIndex, FormattableString.Invariant($"code {codeIndex} of {_codes.Count}"));
        }

        // The 8-bit field is full at 127; newer files use the 32-bit one, older ones only the former. The larger of both is the code.
        var code = _codes[(int)codeIndex];
        var builtin = Math.Max((int)(sbyte)code.GetByte(TfliteSchema.OperatorCode.DeprecatedBuiltinCode), code.GetInt32(TfliteSchema.OperatorCode.BuiltinCode));
        var (inputs, outputs) = (table.GetInt32s(TfliteSchema.Operator.Inputs), table.GetInt32s(TfliteSchema.Operator.Outputs));
        _reader.Charge(OperandCost * ((long)inputs.Length + outputs.Length), table.Part);
        return new(
            index,
            builtin,
            builtin == TfliteOperatorNames.Custom ? code.GetString(TfliteSchema.OperatorCode.CustomCode) : string.Empty,
            inputs,
            outputs,
            table.GetByte(TfliteSchema.Operator.BuiltinOptionsType),
            table.GetTable(TfliteSchema.Operator.BuiltinOptions));
    }

    /// <summary>Reads a tensor, once.</summary>
    public TfliteTensor Tensor(int index)
    {
        if (_read.TryGetValue(index, out var known))
        {
            return known;
        }

        if ((uint)index >= (uint)_tensors.Count)
        {
            throw new DiagnosticException(TfliteDiagnostics.BadGraph(File, FormattableString.Invariant($"it names tensor {index} of {_tensors.Count}")));
        }

        var tensor = ReadTensor(index, _tensors[index]);
        _read.Add(index, tensor);
        return tensor;
    }

    /// <summary>The elements of a constant, copied once; the caller has checked that the tensor is constant and of our element types.</summary>
    public Tensor Constant(TfliteTensor tensor)
    {
        if (!_constants.TryGetValue(tensor.Index, out var bytes))
        {
            _reader.Charge(tensor.Data.Length, new FlatPart(null, tensor.ValueName));
            bytes = tensor.Data.ToArray();
            _constants.Add(tensor.Index, bytes);
        }

        return new(tensor.Element!.Value, tensor.Shape, bytes);
    }

    private TfliteTensor ReadTensor(int index, FlatTable table)
    {
        var label = table.GetString(TfliteSchema.Tensor.Name);
        var type = table.GetByte(TfliteSchema.Tensor.Type);
        var extents = table.GetInt32s(TfliteSchema.Tensor.Shape);
        var data = ReadBuffer(table);
        var unusable = FindUnusable(table, extents);
        var shape = Shape.Of(unusable is null ? extents : []);
        if (unusable is null && data.Length > 0 && TfliteSchema.ElementTypeOf(type) is { } element && shape.Elements * element.Size() != data.Length)
        {
            throw table.Malformed(
                TfliteSchema.Tensor.Buffer,
                FormattableString.Invariant($"{TfliteDiagnostics.Quote(label)}, {element.Name()}[{shape}], needs {shape.Elements * element.Size()} bytes, but its buffer holds {data.Length}"));
        }

        Quantization? quantization = null;
        if (unusable is null)
        {
            (quantization, unusable) = ReadQuantization(table, shape);
        }

        return new(index, label, type, shape, quantization, data, unusable);
    }

    private ReadOnlyMemory<byte> ReadBuffer(FlatTable tensor)
    {
        var index = tensor.GetUInt32(TfliteSchema.Tensor.Buffer);
        if (index == 0)
        {
            // By convention the empty buffer, whatever the vector says.
            return default;
        }

        if (index >= _buffers.Count)
        {
            throw tensor.Malformed(TfliteSchema.Tensor.Buffer, FormattableString.Invariant($"buffer {index} of {_buffers.Count}"));
        }

        var buffer = _buffers[(int)index];
        var data = buffer.GetBytes(TfliteSchema.Buffer.Data);
        var (offset, size) = (buffer.GetUInt64(TfliteSchema.Buffer.Offset), buffer.GetUInt64(TfliteSchema.Buffer.Size));
        if (data.Length > 0 || offset <= 1)
        {
            return data;
        }

        // Large models keep constants behind the FlatBuffer, at a place in the file.
        return offset <= int.MaxValue && size <= int.MaxValue
            ? _reader.Slice((long)offset, (long)size, buffer.Part)
            : throw buffer.Malformed(TfliteSchema.Buffer.Offset, "it lies beyond 2 GiB");
    }

    private static (string Why, string Remedy)? FindUnusable(FlatTable table, int[] extents)
    {
        if (table.Has(TfliteSchema.Tensor.Sparsity))
        {
            return ("it is sparse", "convert the model without sparse weights (leave out EXPERIMENTAL_SPARSITY)");
        }

        if (table.GetBoolean(TfliteSchema.Tensor.IsVariable))
        {
            return ("it is a variable that keeps its value from one inference to the next", "unroll the state into inputs and outputs of the model");
        }

        if (extents.Length > MaximumRank)
        {
            return (FormattableString.Invariant($"it has {extents.Length} dimensions; at most {MaximumRank} are supported"), "reshape it to fewer dimensions");
        }

        const string FixShapes = "convert the model with fixed input shapes";
        long elements = 1;
        foreach (var extent in extents)
        {
            if (extent <= 0)
            {
                return (FormattableString.Invariant($"its shape {Join(extents)} is not known before run time"), FixShapes);
            }

            elements = Math.Min(elements * extent, long.MaxValue / MaximumExtent);
            if (extent > MaximumExtent || elements > int.MaxValue)
            {
                return (FormattableString.Invariant($"its shape {Join(extents)} is too large: at most {MaximumExtent} along a dimension and {int.MaxValue} elements are supported"), "use a smaller network");
            }
        }

        // A free batch (dimension 0) is what converters write by default: the shape, 1, is taken. Other free dimensions would be guesses.
        var signature = table.GetInt32s(TfliteSchema.Tensor.ShapeSignature);
        return signature.Length > 1 && signature.AsSpan(1).Contains(-1) ? ($"its shape {Join(signature)} is not known before run time", FixShapes) : null;
    }

    private static (Quantization? Quantization, (string Why, string Remedy)? Unusable) ReadQuantization(FlatTable tensor, Shape shape)
    {
        // Only codes of 8 bits are interpreted: a bias takes its scale from input and weights.
        if (tensor.GetByte(TfliteSchema.Tensor.Type) is not (TfliteSchema.Int8Type or TfliteSchema.UInt8Type) || tensor.GetTable(TfliteSchema.Tensor.Quantization) is not { } table)
        {
            return default;
        }

        if (table.GetByte(TfliteSchema.Quantization.DetailsType) != 0)
        {
            return (null, ("it has a custom quantisation", "convert the model to TensorFlow's int8 quantisation"));
        }

        var scales = table.GetSingles(TfliteSchema.Quantization.Scale);
        var zeroPoints = table.GetInt64s(TfliteSchema.Quantization.ZeroPoint);
        if (scales.Length == 0)
        {
            // Converters leave minimum and maximum of float tensors here.
            return default;
        }

        foreach (var scale in scales)
        {
            if (!float.IsFinite(scale) || scale < 0)
            {
                throw table.Malformed(TfliteSchema.Quantization.Scale, string.Create(CultureInfo.InvariantCulture, $"{scale:R} is no scale"));
            }
        }

        foreach (var zeroPoint in zeroPoints)
        {
            if (zeroPoint != (int)zeroPoint)
            {
                throw table.Malformed(TfliteSchema.Quantization.ZeroPoint, FormattableString.Invariant($"{zeroPoint} does not fit 32 bits"));
            }
        }

        if (zeroPoints.Length != scales.Length && zeroPoints.Length > 1)
        {
            throw table.Malformed(TfliteSchema.Quantization.ZeroPoint, FormattableString.Invariant($"{zeroPoints.Length} zero points for {scales.Length} scales"));
        }

        // None stands for zeros, one for all.
        var zeros = new int[scales.Length];
        Array.Fill(zeros, zeroPoints.Length == 1 ? (int)zeroPoints[0] : 0);
        for (var i = 0; zeroPoints.Length > 1 && i < zeros.Length; i++)
        {
            zeros[i] = (int)zeroPoints[i];
        }

        var axis = -1;
        if (scales.Length > 1)
        {
            axis = table.GetInt32(TfliteSchema.Quantization.QuantizedDimension);
            if ((uint)axis >= (uint)shape.Rank || shape[axis] != scales.Length)
            {
                throw table.Malformed(TfliteSchema.Quantization.QuantizedDimension, FormattableString.Invariant($"{scales.Length} scales along dimension {axis} of a tensor of shape {shape}"));
            }
        }

        return (new(EquatableArray.Create<float>(scales), EquatableArray.Create<int>(zeros), axis), null);
    }

    private static string Join(int[] extents) => string.Join('x', extents.Take(2 * MaximumRank).Select(e => e.ToString(CultureInfo.InvariantCulture)));
}
