using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Frontend.Onnx.Wire;
using CnnCompiler.Ir.Network;

namespace CnnCompiler.Frontend.Onnx;

/// <summary>A layer in a graph of QuantizeLinear and DequantizeLinear that is one integer layer.</summary>
/// <param name="Product">Its numbers.</param>
/// <param name="Element">Element type of the result in the file.</param>
/// <param name="Node">The QuantizeLinear behind it.</param>
/// <param name="Relu">The Relu between, or null.</param>
internal sealed record OnnxIntegerLayer(OnnxProduct Product, ElementType Element, NodeProto Node, NodeProto? Relu)
{
    /// <summary>Ends the layer, the Relu and the QuantizeLinear with one value.</summary>
    public IReadOnlyList<OnnxValue> Finish(OnnxNode node, OnnxValue value)
    {
        if (Relu is not null)
        {
            node.Import.Finish(Relu, value);
        }

        node.Import.Finish(Node, value);
        return [value];
    }
}

/// <summary>Gemm, MatMul, MatMulInteger, QLinearMatMul.</summary>
internal static class OnnxProducts
{
    private const RoundingScheme HalfEven = RoundingScheme.OnnxHalfEven;

    /// <summary>
    /// The integer layer of a pattern DequantizeLinear, operator, (Relu,) QuantizeLinear, or null where the operator isn't in one. An i32 bias needs the product of the scales, as ONNX Runtime's own folding does.
    /// </summary>
    public static OnnxIntegerLayer? Integer(OnnxNode node, OnnxValue data, OnnxValue weights, int axis, OnnxValue? bias)
    {
        if (data is not { IsDequantized: true } || weights is not { Constant: { Element: ElementType.Int8 or ElementType.UInt8 } codes, ConstantCodes: { } meaning }
            || (meaning.IsPerAxis && meaning.Axis != axis) || bias is not (null or { Constant.Element: ElementType.Int32, ConstantCodes: not null })
            || OnnxQuantization.Behind(node) is not { } behind)
        {
            return null;
        }

        var operand = node.Net.TypeOf(data.Flattened?.Name ?? data.Name).Quantization!;
        if (bias?.ConstantCodes is { } scaled && !ScalesMultiply(scaled, operand.Scale, meaning, (int)bias.Shape.Elements))
        {
            return null;
        }

        var (element, result) = OnnxQuantization.Target(behind.Quantize);
        return result.IsPerAxis
            ? null
            : new(
                new(OnnxQuantization.Signed(codes), OnnxQuantization.Signed(meaning, codes.Element), bias?.Constant, ElementType.Int8, OnnxQuantization.Signed(result, element), behind.Activation),
                element, behind.Node, behind.Relu);
    }

    public static IReadOnlyList<OnnxValue> BuildGemm(OnnxNode node)
    {
        var (first, second) = (node.Input(0), node.Input(1));
        var (alpha, beta) = (node.Float("alpha", 1), node.Float("beta", 1));
        var (transposeFirst, transposeSecond) = (node.Int("transA", 0) != 0, node.Int("transB", 0) != 0);
        var bias = node.HasInput(2) && beta != 0 ? node.Input(2) : null;
        if (first.Shape.Rank != 2 || second.Shape.Rank != 2)
        {
            throw node.Inconsistent($"operands {first.Shape} and {second.Shape} instead of two matrices");
        }

        if (alpha == 1 && beta == 1 && !transposeFirst && Integer(node, first, second, transposeSecond ? 0 : 1, bias) is { } integer)
        {
            var (input, product) = Rows(node, first, integer.Product with { Weights = transposeSecond ? integer.Product.Weights : OnnxTensors.Transpose(integer.Product.Weights, [1, 0]) }, codes: true);
            return integer.Finish(node, node.MadeFirst(Dense(node, input, product), integer.Element));
        }

        string made;
        var vector = bias is { IsConstant: true } && bias.Shape.Elements > 0 && (bias.Shape.Elements == 1 || (bias.Shape.Elements == bias.Shape.Dimensions[^1] && bias.Shape.Elements == second.Shape[transposeSecond ? 0 : 1]));
        var fused = vector && alpha == 1;
        if (second.IsConstant)
        {
            var weights = node.RealConstant(1, "its weights");
            var product = new OnnxProduct(
                transposeSecond ? weights : OnnxTensors.Transpose(weights, [1, 0]), null, fused ? Scaled(node.Reals(bias!, "its bias"), beta, second.Shape[transposeSecond ? 0 : 1]) : null, ElementType.Float32, null, FusedActivation.None);
            var (input, arranged) = transposeFirst ? (node.Net.Transpose(node.Real(first), [1, 0]), product) : Rows(node, first, product, codes: false);
            made = Dense(node, input, arranged);
        }
        else
        {
            fused = false;
            made = node.Net.Add(new MatMul(string.Empty, [node.Real(first), node.Real(second)], OnnxNetworkBuilder.Open(), transposeFirst, transposeSecond, FusedActivation.None, HalfEven), ElementType.Float32);
        }

        if (alpha != 1)
        {
            made = node.Net.AddLike(new Mul(string.Empty, [made, node.Net.Constant(Number(alpha))], OnnxNetworkBuilder.Open(), FusedActivation.None, HalfEven));
        }

        if (bias is not null && !fused)
        {
            var addend = bias.IsConstant ? node.Net.Constant(Scaled(node.Reals(bias, "its bias"), beta, 0)) : node.Real(bias);
            if (!bias.IsConstant && beta != 1)
            {
                addend = node.Net.AddLike(new Mul(string.Empty, [addend, node.Net.Constant(Number(beta))], OnnxNetworkBuilder.Open(), FusedActivation.None, HalfEven));
            }

            made = node.Net.AddLike(new Add(string.Empty, [made, addend], OnnxNetworkBuilder.Open(), FusedActivation.None, HalfEven));
        }

        return [node.MadeFirst(made)];
    }

    public static IReadOnlyList<OnnxValue> BuildMatMul(OnnxNode node)
    {
        var (first, second) = (node.Input(0), node.Input(1));
        if (second is { IsConstant: true, Shape.Rank: 2 } && first.Shape.Rank >= 2 && Integer(node, first, second, 1, null) is { } integer)
        {
            var (codes, product) = Rows(node, first, integer.Product with { Weights = OnnxTensors.Transpose(integer.Product.Weights, [1, 0]) }, codes: true);
            return integer.Finish(node, node.MadeFirst(Batched(node, first, Dense(node, codes, product)), integer.Element));
        }

        if (second is { IsConstant: true, Shape.Rank: 2 } && first is { IsConstant: false, Shape.Rank: >= 2 })
        {
            var weights = OnnxTensors.Transpose(node.RealConstant(1, "its weights"), [1, 0]);
            var (input, product) = Rows(node, first, new(weights, null, null, ElementType.Float32, null, FusedActivation.None), codes: false);
            return [node.MadeFirst(Batched(node, first, Dense(node, input, product)))];
        }

        return [node.MadeFirst(Multiply(node, first, second, node.Real(first), node.Real(second), ElementType.Float32, null))];
    }

    public static IReadOnlyList<OnnxValue> BuildMatMulInteger(OnnxNode node)
    {
        var first = OnnxQuantization.Codes(node, 0, OnnxQuantization.ReadZero(node, 2, -1));
        return Integers(node, first, 1, OnnxQuantization.ReadZero(node, 3, node.Input(1).Shape.Rank - 1), ElementType.Int32, ElementType.Int32, Quantization.PerTensor(1, 0));
    }

    public static IReadOnlyList<OnnxValue> BuildQLinearMatMul(OnnxNode node)
    {
        var first = OnnxQuantization.Codes(node, 0, OnnxQuantization.Read(node, 1, 2, -1));
        var element = node.Constant(7, "its zero point").Element;
        var result = OnnxQuantization.Signed(OnnxQuantization.Read(node, 6, 7, -1), element);
        return Integers(node, first, 3, OnnxQuantization.Read(node, 4, 5, node.Input(3).Shape.Rank - 1), element, ElementType.Int8, result);
    }

    private static IReadOnlyList<OnnxValue> Integers(OnnxNode node, OnnxValue first, int input, Quantization codes, ElementType element, ElementType stored, Quantization result)
    {
        var second = node.Input(input);
        if (second is { Constant: { Shape.Rank: 2 } weights, ConstantCodes: null } && first.Shape.Rank >= 2)
        {
            var meaning = OnnxQuantization.Signed(codes, weights.Element);
            var product = new OnnxProduct(
                OnnxTensors.Transpose(OnnxQuantization.Signed(weights), [1, 0]), meaning with { Axis = meaning.IsPerAxis ? 0 : -1 }, null, stored, result, FusedActivation.None);
            var (rows, arranged) = Rows(node, first, product, codes: true);
            return [node.MadeFirst(Batched(node, first, Dense(node, rows, arranged)), element)];
        }

        node.Require(!codes.IsPerAxis, "its second operand has a scale for each column and is not a constant matrix", "use one scale");
        var operand = OnnxQuantization.Codes(node, input, codes);
        return [node.MadeFirst(Multiply(node, first, operand, node.First(first), node.First(operand), stored, result), element)];
    }

    /// <summary>A matrix product of two values, or of a value and a constant that became one; vectors become matrices and back.</summary>
    private static string Multiply(OnnxNode node, OnnxValue first, OnnxValue second, string left, string right, ElementType element, Quantization? result)
    {
        if (first.Shape.Rank == 0 || second.Shape.Rank == 0)
        {
            throw node.Inconsistent("an operand has no dimensions");
        }

        left = first.Shape.Rank == 1 ? node.Net.Reshape(left, 1, first.Shape[0]) : left;
        right = second.Shape.Rank == 1 ? node.Net.Reshape(right, second.Shape[0], 1) : right;
        var made = node.Net.Add(new MatMul(string.Empty, [left, right], OnnxNetworkBuilder.Open(), false, false, FusedActivation.None, HalfEven), element, result);
        if (first.Shape.Rank > 1 && second.Shape.Rank > 1)
        {
            return made;
        }

        var shape = node.Net.TypeOf(made).Shape.Dimensions.ToList();
        if (second.Shape.Rank == 1)
        {
            shape.RemoveAt(shape.Count - 1);
        }

        if (first.Shape.Rank == 1)
        {
            shape.RemoveAt(shape.Count - (second.Shape.Rank == 1 ? 1 : 2));
        }

        return node.Net.Reshape(made, [.. shape]);
    }

    /// <summary>The rows that a dense layer multiplies. Of a flattened channels-last image the weights are put in its order instead.</summary>
    private static (string Name, OnnxProduct Product) Rows(OnnxNode node, OnnxValue value, OnnxProduct product, bool codes)
    {
        if (value.Flattened is { } image && product.Weights.Shape[1] == value.Shape[1])
        {
            var name = node.Net.Reshape(image.Name, [.. value.Shape.Dimensions]);
            int[] extents = [product.Weights.Shape[0], .. image.Shape.Dimensions.Skip(1)];
            var arranged = OnnxTensors.Transpose(product.Weights.Reshape(Shape.Of(extents)), OnnxValue.ToLast(extents.Length)).Reshape(product.Weights.Shape);
            return (codes ? name : node.Net.Dequantize(name), product with { Weights = arranged });
        }

        return (codes ? node.First(value) : node.Real(value), product);
    }

    private static string Dense(OnnxNode node, string input, OnnxProduct product)
    {
        var shape = node.Net.TypeOf(input).Shape;
        if (shape.Dimensions[^1] != product.Weights.Shape[1])
        {
            throw node.Inconsistent($"rows of {shape} by weights {product.Weights.Shape}");
        }

        var codes = product.Codes is { IsPerAxis: true } perChannel ? perChannel with { Axis = 0 } : product.Codes;
        var bias = product.Bias is { } given ? given.Reshape(Shape.Of(product.Weights.Shape[0])) : null;
        return node.Net.Add(new Dense(string.Empty, [input], OnnxNetworkBuilder.Open(), product.Weights, codes, bias, product.Activation, HalfEven), product.Element, product.Result);
    }

    private static string Batched(OnnxNode node, OnnxValue first, string made) => node.Net.Reshape(made, [.. first.Shape.Dimensions.SkipLast(1), node.Net.TypeOf(made).Shape[1]]);

    private static Tensor Number(float value) => Tensor.From<float>(ElementType.Float32, Shape.Of(1), [value]);

    private static Tensor Scaled(Tensor tensor, float factor, int repeated)
    {
        var values = tensor.AsSpan<float>().ToArray().Select(value => value * factor).ToArray();
        return repeated == 0
            ? Tensor.From<float>(ElementType.Float32, tensor.Shape, values)
            : Tensor.From<float>(ElementType.Float32, Shape.Of(repeated), values.Length == 1 ? Enumerable.Repeat(values[0], repeated).ToArray() : values);
    }

    private static bool ScalesMultiply(Quantization bias, float data, Quantization weights, int channels)
    {
        if ((weights.IsPerAxis && weights.Scales.Count != channels) || (bias.IsPerAxis && bias.Scales.Count != channels))
        {
            return false;
        }

        for (var channel = 0; channel < channels; channel++)
        {
            var expected = (double)data * weights.Scales[weights.IsPerAxis ? channel : 0];
            if (bias.ZeroPoints[bias.IsPerAxis ? channel : 0] != 0 || Math.Abs(bias.Scales[bias.IsPerAxis ? channel : 0] - expected) > 1e-6 * expected)
            {
                return false;
            }
        }

        return true;
    }
}
