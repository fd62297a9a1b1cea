using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Frontend.Onnx.Wire;
using CnnCompiler.Ir.Network;

namespace CnnCompiler.Frontend.Onnx;

/// <summary>Scales and zero points: they belong to operators in ONNX and to values in a network.</summary>
internal static class OnnxQuantization
{
    private const int Shift = 128;

    /// <summary>What i8 codes mean that are codes of an element type less 128 where they were unsigned.</summary>
    public static Quantization Signed(Quantization codes, ElementType element) =>
        element == ElementType.UInt8 ? codes with { ZeroPoints = codes.ZeroPoints.Select(zero => zero - Shift).ToEquatableArray() } : codes;

    /// <summary>The other way round.</summary>
    public static Quantization Unsigned(Quantization codes) => codes with { ZeroPoints = codes.ZeroPoints.Select(zero => zero + Shift).ToEquatableArray() };

    /// <summary>i8 codes of a constant.</summary>
    public static Tensor Signed(Tensor codes)
    {
        if (codes.Element != ElementType.UInt8)
        {
            return codes;
        }

        var bytes = codes.Bytes.ToArray();
        foreach (ref var code in bytes.AsSpan())
        {
            code ^= 0x80;
        }

        return new(ElementType.Int8, codes.Shape, bytes);
    }

    /// <summary>Scale and zero point that a node gives in two of its inputs; the axis is -1 where one scale is for all.</summary>
    public static Quantization Read(OnnxNode node, int scale, int zero, int axis)
    {
        var scales = node.RealConstant(scale, "its scale");
        var zeros = node.HasInput(zero) ? OnnxTensors.Integers(IntegerConstant(node, zero)) : new long[scales.Shape.Elements];
        if (scales.Shape.Rank > 1 || zeros.Length != scales.Shape.Elements || zeros.Length == 0)
        {
            throw node.Unsupported("its scales are not one for the tensor or one for each index of an axis (blocked quantisation)", "quantise per tensor or per channel");
        }

        foreach (var value in scales.AsSpan<float>())
        {
            node.Require(float.IsFinite(value) && value > 0, FormattableString.Invariant($"its scale is {value:R}"), "use scales above 0");
        }

        return new([.. scales.AsSpan<float>()], zeros.Select(z => (int)Math.Clamp(z, int.MinValue, int.MaxValue)).ToEquatableArray(), zeros.Length == 1 ? -1 : axis);
    }

    /// <summary>Scale 1 with a zero point (ConvInteger, MatMulInteger).</summary>
    public static Quantization ReadZero(OnnxNode node, int zero, int axis)
    {
        var zeros = node.HasInput(zero) ? OnnxTensors.Integers(IntegerConstant(node, zero)) : [0];
        return new(zeros.Select(_ => 1f).ToEquatableArray(), zeros.Select(z => (int)z).ToEquatableArray(), zeros.Length == 1 ? -1 : axis);
    }

    /// <summary>The network's value of codes that an operator reads with a scale and zero point; refused where they are known to mean something else.</summary>
    public static OnnxValue Codes(OnnxNode node, int input, Quantization codes)
    {
        var value = node.Input(input);
        node.Require(value.Element is ElementType.Int8 or ElementType.UInt8 && value.ConstantCodes is null, "its operand does not hold 8-bit codes", "use int8 or uint8 tensors");
        if (value.Constant is { } constant)
        {
            var shifted = Signed(constant);
            return new(value.Label, value.Shape, value.Element) { Name = node.Net.Constant(shifted, Signed(codes, value.Element)), Type = new(ElementType.Int8, value.Shape, Signed(codes, value.Element)) };
        }

        node.Require(
            node.Net.TypeOf(value.Flattened?.Name ?? value.Name).Quantization == Signed(codes, value.Element),
            "its operand was made with another scale or zero point", "give a tensor the same scale and zero point wherever it is read");
        return value;
    }

    /// <summary>What the codes of a graph input mean: what the first of its readers says, looked for behind operators that keep codes.</summary>
    public static Quantization OfInput(OnnxImport import, string label)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal) { label };
        var waiting = new Queue<string>([label]);
        while (waiting.TryDequeue(out var name))
        {
            foreach (var reader in import.Readers(name))
            {
                var at = reader.Input.IndexOf(name);
                var node = new OnnxNode(import, reader, 0);
                (int Scale, int Zero)? place = (reader.OpType, at) switch
                {
                    ("DequantizeLinear" or "QLinearConv" or "QLinearMatMul" or "QLinearAdd" or "QLinearMul" or "QLinearGlobalAveragePool", 0) => (1, 2),
                    ("QLinearMatMul" or "QLinearAdd" or "QLinearMul", 3) => (4, 5),
                    ("ConvInteger" or "MatMulInteger", 0 or 1) => (-1, at + 2),
                    _ => null,
                };
                if (place is { } found)
                {
                    return found.Scale < 0
                        ? ReadZero(node, found.Zero, -1)
                        : Read(node, found.Scale, found.Zero, -1);
                }

                if (OnnxOperators.Find(reader.Domain, reader.OpType) is { KeepsCodes: true } && reader.Output.Count > 0 && seen.Add(reader.Output[0]))
                {
                    waiting.Enqueue(reader.Output[0]);
                }
            }
        }

        return Quantization.PerTensor(1, 0);
    }

    /// <summary>The real numbers of a constant's codes: f32 scale * (code - zero point).</summary>
    public static Tensor Dequantize(Tensor codes, Quantization quantization)
    {
        var result = new float[codes.Shape.Elements];
        var inner = 1L;
        for (var d = quantization.Axis + 1; quantization.IsPerAxis && d < codes.Shape.Rank; d++)
        {
            inner *= codes.Shape[d];
        }

        for (var i = 0; i < result.Length; i++)
        {
            var channel = quantization.IsPerAxis ? (int)(i / inner % codes.Shape[quantization.Axis]) : 0;
            result[i] = (float)(codes.GetInteger(i) - quantization.ZeroPoints[channel]) * quantization.Scales[channel];
        }

        return Tensor.From<float>(ElementType.Float32, codes.Shape, result);
    }

    public static IReadOnlyList<OnnxValue> BuildDequantize(OnnxNode node)
    {
        var value = node.Input(0);
        var axis = value.Shape.Rank > 0 ? node.Axis(node.Int("axis", 1), Math.Max(2, value.Shape.Rank)) : 0;
        node.Require(node.Int("block_size", 0) == 0, "it is quantised in blocks", "quantise per tensor or per channel");
        var codes = Read(node, 1, 2, axis);
        if (value.Constant is { } constant)
        {
            node.Require(!constant.Element.IsReal(), "it dequantises float numbers", "remove it");
            node.Require(!codes.IsPerAxis || (axis < constant.Shape.Rank && constant.Shape[axis] == codes.Scales.Count), "its scales don't fit its axis", "export the model again");
            return [new(node.OutputLabel, value.Shape, ElementType.Float32) { Constant = constant, ConstantCodes = codes }];
        }

        node.Require(!codes.IsPerAxis, "a value at run time has a scale for each channel", "quantise activations per tensor");
        var operand = Codes(node, 0, codes);
        return [operand with { Element = ElementType.Float32, IsDequantized = true }];
    }

    public static IReadOnlyList<OnnxValue> BuildQuantize(OnnxNode node)
    {
        var value = node.Input(0);
        node.Require(node.Int("block_size", 0) == 0, "it quantises in blocks", "quantise per tensor or per channel");
        var (element, codes) = Target(node);
        node.Require(!codes.IsPerAxis, "a value at run time gets a scale for each channel", "quantise activations per tensor");
        var signed = Signed(codes, element);
        node.Require(value.Element == ElementType.Float32, "it quantises integers", "quantise float values");
        if (value.IsConstant)
        {
            throw node.Unsupported("it quantises a constant", "fold constants before exporting");
        }

        if (value is { IsDequantized: true, Flattened: null } && node.Net.TypeOf(value.Name).Quantization == signed)
        {
            return [value with { Element = element, IsDequantized = false }];
        }

        var name = node.Net.Add(new Quantize(string.Empty, [value.ChannelsLast ? value.Name : node.First(value)], OnnxNetworkBuilder.Open(), RoundingScheme.OnnxHalfEven), ElementType.Int8, signed);
        return [value.ChannelsLast ? node.MadeLast(name, element) : node.MadeFirst(name, element)];
    }

    /// <summary>Element type and meaning of the codes that a QuantizeLinear makes.</summary>
    public static (ElementType Element, Quantization Codes) Target(OnnxNode node)
    {
        var wanted = (int)node.Int("output_dtype", 0);
        var element = node.HasInput(2) ? IntegerConstant(node, 2).Element : wanted == 0 ? ElementType.UInt8 : OnnxTensors.ElementOf(wanted);
        return element is ElementType.Int8 or ElementType.UInt8
            ? (element.Value, Read(node, 1, 2, 1))
            : throw node.Unsupported("it makes codes that are not int8 or uint8", "quantise to 8 bits");
    }

    /// <summary>The QuantizeLinear that is all that reads a node's result, behind a Relu at most: then layer and quantisation are one integer layer.</summary>
    public static (NodeProto Node, OnnxNode Quantize, FusedActivation Activation, NodeProto? Relu)? Behind(OnnxNode node)
    {
        var next = node.Import.OnlyReader(node.OutputLabel);
        NodeProto? relu = null;
        if (next is { OpType: "Relu", Output.Count: 1 })
        {
            relu = next;
            next = node.Import.OnlyReader(next.Output[0]);
        }

        return next is { OpType: "QuantizeLinear", Output.Count: 1 } && next.Input.IndexOf(relu?.Output[0] ?? node.OutputLabel) == 0 && next.Input.Skip(1).All(name => name.Length == 0 || node.Import.Known(name) is { IsConstant: true })
            ? (next, new OnnxNode(node.Import, next, 0), relu is null ? FusedActivation.None : FusedActivation.Relu, relu)
            : null;
    }

    private static Tensor IntegerConstant(OnnxNode node, int input)
    {
        var tensor = node.Constant(input, "its zero point");
        return tensor.Element.IsReal() ? throw node.Inconsistent("its zero point is not an integer") : tensor;
    }
}
