using System.Runtime.InteropServices;
using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Frontend.Onnx.Wire;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Frontend.Onnx;

/// <summary>Constants of a model: stored raw or in typed fields; float16 and double become f32, bool becomes u8.</summary>
internal static class OnnxTensors
{
    private static readonly string[] TypeNames =
    [
        "undefined", "float", "uint8", "int8", "uint16", "int16", "int32", "int64", "string", "bool", "float16", "double", "uint32", "uint64", "complex64", "complex128", "bfloat16", "float8e4m3fn",
        "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz", "uint4", "int4", "float4e2m1", "float8e8m0", "uint2", "int2",
    ];

    /// <summary>Name of an element type as onnx.proto numbers it.</summary>
    public static string NameOf(int type) => (uint)type < (uint)TypeNames.Length ? TypeNames[type] : FormattableString.Invariant($"type number {type}");

    /// <summary>Our element type of a value at run time, or null.</summary>
    public static ElementType? ElementOf(int type) => type switch
    {
        1 => ElementType.Float32,
        2 => ElementType.UInt8,
        3 => ElementType.Int8,
        6 => ElementType.Int32,
        _ => null,
    };

    /// <summary>Reads a constant.</summary>
    public static Tensor Read(TensorProto proto, string name, string file)
    {
        if (proto.DataLocation != 0)
        {
            throw new DiagnosticException(OnnxDiagnostics.ExternalData(file, name));
        }

        var element = proto.DataType switch
        {
            1 or 10 or 11 => ElementType.Float32,
            2 or 9 => ElementType.UInt8,
            3 => ElementType.Int8,
            4 or 6 => ElementType.Int32,
            5 => ElementType.Int16,
            7 or 12 => ElementType.Int64,
            _ => throw new DiagnosticException(OnnxDiagnostics.UnsupportedType(file, name, NameOf(proto.DataType), "export the model with float, int8 or uint8 tensors")),
        };
        var shape = ShapeOf(proto.Dims, name, file);
        var (bytesEach, typed) = proto.DataType switch
        {
            1 => (4, proto.FloatData.Count),
            2 or 3 or 9 => (1, proto.Int32Data.Count),
            4 or 5 or 10 => (2, proto.Int32Data.Count),
            6 => (4, proto.Int32Data.Count),
            12 => (4, 0),
            11 => (8, proto.DoubleData.Count),
            _ => (8, proto.Int64Data.Count),
        };
        var count = shape.Elements;
        if (proto.RawData.Length > 0 ? proto.RawData.Length != count * bytesEach : typed != count)
        {
            throw new DiagnosticException(OnnxDiagnostics.BadGraph(file, OnnxDiagnostics.Text($"the constant {OnnxDiagnostics.Quote(name)} has other data than its shape {shape} asks for")));
        }

        return new(element, shape, proto.RawData.Length > 0 ? Raw(proto, element) : Typed(proto, element));
    }

    /// <summary>Extents of a constant, checked.</summary>
    public static Shape ShapeOf(IReadOnlyList<long> dims, string name, string file)
    {
        var product = 1L;
        foreach (var extent in dims)
        {
            if (extent < 0 || extent > NetworkLimits.Elements || (product *= extent) > NetworkLimits.Elements)
            {
                throw new DiagnosticException(OnnxDiagnostics.TooLarge(file, $"the extent of {OnnxDiagnostics.Quote(name)}", extent, NetworkLimits.Elements));
            }
        }

        return dims.Count <= NetworkLimits.Rank
            ? new(dims.Select(extent => (int)extent).ToEquatableArray())
            : throw new DiagnosticException(OnnxDiagnostics.TooLarge(file, $"the rank of {OnnxDiagnostics.Quote(name)}", dims.Count, NetworkLimits.Rank));
    }

    /// <summary>The integers of a constant.</summary>
    public static long[] Integers(Tensor tensor)
    {
        var values = new long[tensor.Shape.Elements];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = tensor.GetInteger(i);
        }

        return values;
    }

    /// <summary>The elements with the dimensions in another order: dimension d of the result is dimension permutation[d].</summary>
    public static Tensor Transpose(Tensor tensor, ReadOnlySpan<int> permutation)
    {
        var rank = permutation.Length;
        var size = tensor.Element.Size();
        var steps = new int[rank];
        var step = 1;
        for (var d = rank - 1; d >= 0; d--)
        {
            steps[d] = step;
            step *= tensor.Shape[d];
        }

        var extents = new int[rank];
        var strides = new int[rank];
        for (var d = 0; d < rank; d++)
        {
            (extents[d], strides[d]) = (tensor.Shape[permutation[d]], steps[permutation[d]]);
        }

        var source = tensor.Bytes;
        var target = new byte[source.Length];
        var index = new int[rank];
        var from = 0;
        for (var to = 0; to < target.Length; to += size)
        {
            source.Slice(from * size, size).CopyTo(target.AsSpan(to, size));
            for (var d = rank - 1; d >= 0; d--)
            {
                from += strides[d];
                if (++index[d] < extents[d])
                {
                    break;
                }

                from -= strides[d] * extents[d];
                index[d] = 0;
            }
        }

        return new(tensor.Element, Shape.Of(extents), target);
    }

    private static byte[] Raw(TensorProto proto, ElementType element)
    {
        var raw = proto.RawData.Span;
        switch (proto.DataType)
        {
            case 4:
                return Convert<int>(MemoryMarshal.Cast<byte, ushort>(raw).ToArray().Select(v => (int)v));
            case 10:
                return Convert<float>(MemoryMarshal.Cast<byte, Half>(raw).ToArray().Select(v => (float)v));
            case 11:
                return Convert<float>(MemoryMarshal.Cast<byte, double>(raw).ToArray().Select(v => (float)v));
            case 12:
                return Convert<long>(MemoryMarshal.Cast<byte, uint>(raw).ToArray().Select(v => (long)v));
            default:
                _ = element;
                return raw.ToArray();
        }
    }

    private static byte[] Typed(TensorProto proto, ElementType element) => (proto.DataType, element) switch
    {
        (10, _) => Convert<float>(proto.Int32Data.Select(v => (float)BitConverter.UInt16BitsToHalf(unchecked((ushort)v)))),
        (11, _) => Convert<float>(proto.DoubleData.Select(v => (float)v)),
        (_, ElementType.Float32) => Convert<float>(proto.FloatData),
        (_, ElementType.Int64) => Convert<long>(proto.Int64Data),
        (_, ElementType.Int32) => Convert<int>(proto.Int32Data),
        (_, ElementType.Int16) => Convert<short>(proto.Int32Data.Select(v => unchecked((short)v))),
        _ => Convert<byte>(proto.Int32Data.Select(v => unchecked((byte)v))),
    };

    private static byte[] Convert<T>(IEnumerable<T> values)
        where T : unmanaged => MemoryMarshal.AsBytes(values.ToArray().AsSpan()).ToArray();
}
