using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;

namespace CnnCompiler.Frontend.Onnx;

/// <summary>Operators on two values that broadcast: one layout for both.</summary>
internal static class OnnxPairs
{
    /// <summary>Names of both values in one layout, and whether it is channels last.</summary>
    public static (string First, string Second, bool Last) Together(OnnxNode node, OnnxValue first, OnnxValue second, Func<string, string> convert)
    {
        var rank = Math.Max(first.Shape.Rank, second.Shape.Rank);
        var last = rank > 2 && (Fits(first, rank, true) || Fits(second, rank, true)) && Fits(first, rank, false) && Fits(second, rank, false);
        return (Place(node, first, rank, last, convert), Place(node, second, rank, last, convert), last);
    }

    /// <summary>Add or Mul between DequantizeLinear and QuantizeLinear as one integer layer, or null.</summary>
    public static IReadOnlyList<OnnxValue>? Codes(OnnxNode node, OnnxValue first, OnnxValue second, Func<EquatableArray<string>, Layer> make)
    {
        if (first is not { IsDequantized: true } || second is not { IsDequantized: true } || OnnxQuantization.Behind(node) is not { } behind)
        {
            return null;
        }

        var (element, result) = OnnxQuantization.Target(behind.Quantize);
        if (result.IsPerAxis)
        {
            return null;
        }

        var (a, b, last) = Together(node, first, second, name => name);
        var layer = make([a, b]) switch
        {
            Add l => l with { Activation = behind.Activation },
            Sub l => l with { Activation = behind.Activation },
            Mul l => l with { Activation = behind.Activation },
            var other => other,
        };
        var name = node.Net.Add(layer, ElementType.Int8, OnnxQuantization.Signed(result, element));
        return new OnnxIntegerLayer(new(Tensor.From<sbyte>(ElementType.Int8, Shape.Of(0), []), null, null, ElementType.Int8, result, behind.Activation), element, behind.Node, behind.Relu)
            .Finish(node, last ? node.MadeLast(name, element) : node.MadeFirst(name, element));
    }

    /// <summary>QLinearAdd and QLinearMul of the contributed operators (com.microsoft).</summary>
    public static Func<OnnxNode, IReadOnlyList<OnnxValue>> QLinear(Func<EquatableArray<string>, Layer> make) => node =>
    {
        var first = OnnxQuantization.Codes(node, 0, OnnxQuantization.Read(node, 1, 2, -1));
        var second = OnnxQuantization.Codes(node, 3, OnnxQuantization.Read(node, 4, 5, -1));
        var element = first.Element;
        var (a, b, last) = Together(node, first, second, name => name);
        var name = node.Net.Add(make([a, b]), ElementType.Int8, OnnxQuantization.Signed(OnnxQuantization.Read(node, 6, 7, -1), element));
        return [last ? node.MadeLast(name, element) : node.MadeFirst(name, element)];
    };

    private static bool Fits(OnnxValue value, int rank, bool isLast) =>
        isLast ? value.ChannelsLast && value.Shape.Rank == rank : value.IsConstant || value.Shape.Rank == rank || value.Shape.Elements == 1;

    private static string Place(OnnxNode node, OnnxValue value, int rank, bool last, Func<string, string> convert)
    {
        if (value.IsConstant)
        {
            var tensor = node.Reals(value, "an operand");
            var extended = tensor.Reshape(new([.. Enumerable.Repeat(1, rank - tensor.Shape.Rank), .. tensor.Shape.Dimensions]));
            return node.Net.Constant(last ? OnnxTensors.Transpose(extended, OnnxValue.ToLast(rank)) : extended);
        }

        return convert(last && value.Shape.Rank == rank ? node.Last(value) : node.First(value));
    }
}
