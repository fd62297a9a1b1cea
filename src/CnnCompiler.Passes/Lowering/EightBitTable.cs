using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Passes.Lowering;

/// <summary>
/// Functions of one code as tables. The table is what the layer itself gives for every code, so that both levels have one definition; whatever the layer does with a code, the chain looks it up.
/// </summary>
internal static class EightBitTable
{
    /// <summary>Adds the operator <c>layer = lookup(layer.table, acc - lowest code)</c>.</summary>
    public static void Lower(Layer layer, ChainBuilder chain)
    {
        var input = chain.Type(layer.Inputs[0]);
        var (low, high) = input.Element.Range();
        var table = Of(layer, input, [.. Enumerable.Range((int)low, (int)(high - low + 1)).Select(code => (long)code)]);
        var offset = low == 0 ? Scalar.Accumulator : Scalar.Add(Scalar.Accumulator, Scalar.Literal(-low));
        chain.Map(layer, layer.Type, layer.Name, layer.Inputs[0], Scalar.Lookup(0, offset), (chain.Constant(layer, "table", table), Shape.Of(1)));
    }

    /// <summary>What an element-wise layer gives for some elements.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="input">Type of its input.</param>
    /// <param name="elements">The elements.</param>
    public static Tensor Of(Layer layer, TensorType input, ReadOnlySpan<long> elements)
    {
        var shape = Shape.Of(elements.Length);
        var bytes = new byte[elements.Length * input.Element.Size()];
        for (var i = 0; i < elements.Length; i++)
        {
            System.Runtime.InteropServices.MemoryMarshal.AsBytes(elements.Slice(i, 1))[..input.Element.Size()].CopyTo(bytes.AsSpan(i * input.Element.Size()));
        }

        var diagnostics = new DiagnosticBag();
        return NetworkEvaluator.EvaluateLayer(
                layer with { Type = layer.Type with { Shape = shape } }, [input with { Shape = shape }], [new(input.Element, shape, bytes)], diagnostics)
            ?? throw new DiagnosticException(diagnostics.Diagnostics[0]);
    }
}
