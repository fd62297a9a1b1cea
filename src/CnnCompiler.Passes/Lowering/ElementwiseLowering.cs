using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Arithmetic;

namespace CnnCompiler.Passes.Lowering;

/// <summary>
/// add, sub and mul, one operator: the first value is the input, the second the kernel operand; one loop a dimension of the result, dimensions aligned at the last, kinds as
/// <see cref="Broadcast"/> says. With the prepared factors of <c>int8-arithmetic.md</c> section 3.5:
/// <code>
///   i8, tflite-*         pre                                      main                                                  post
///   add                  requantize((x - z1) &lt;&lt; 20, m1, s1)       pre + requantize((k - z2) &lt;&lt; 20, m2, s2)              clamp(requantize(acc, mo, so) + z, low, high)
///   sub                  as add                                   pre + (0 - requantize((k - z2) &lt;&lt; 20, m2, s2))         as add
///   mul                  x - z1                                   pre * (k - z2)                                        clamp(requantize(acc, m, s) + z, low, high)
///   i8, onnx-half-even
///   add, sub             x                                        half_even_sum(pre - z1, +-(k - z2), s1, s2, so)       clamp(acc + z, low, high)
///   mul                  x - z1                                   pre * (k - z2)                                        clamp(half_even_scale(acc, s1, s2, so) + z, low, high)
///   fixed point
///   add, sub             x &lt;&lt; f - f1                               pre +- (k &lt;&lt; f - f2), f the larger of f1 and f2        clamp(rescaled from f to fo)
///   mul                  x                                        pre * k                                               clamp(rescaled from f1 + f2 to fo)
///   f32                  x                                        pre + k, pre - k, pre * k                             acc, clamped by an activation
/// </code>
/// The subtractions of add are there even where a zero point is 0.
/// </summary>
internal static class ArithmeticLowering
{
    public static void Lower(Add layer, ChainBuilder chain) => Lower(layer, chain, layer.Rounding, layer.Activation, subtract: false);

    public static void Lower(Sub layer, ChainBuilder chain) => Lower(layer, chain, layer.Rounding, layer.Activation, subtract: true);

    public static void Lower(Mul layer, ChainBuilder chain)
    {
        var (first, second, result) = (chain.Type(layer.Inputs[0]), chain.Type(layer.Inputs[1]), layer.Type);
        var (post, accumulator) = result.Kind() switch
        {
            ValueKind.Real => (Scalar.Accumulator, ElementType.Float64),
            ValueKind.Fixed => (Values.Rescaled(Scalar.Accumulator, Values.Fraction(first) + Values.Fraction(second), Values.Fraction(result)), ElementType.Int64),
            _ when layer.Rounding == RoundingScheme.OnnxHalfEven =>
                (ContractionSlots.HalfEven(Scalar.Accumulator, first, Scalar.Real(second.Quantization!.Scale), result), ElementType.Int32),
            _ => (Requantized(layer.Rounding, RequantizationFactors.Product(first.Quantization!.Scale, second.Quantization!.Scale, result.Quantization!.Scale), result), ElementType.Int32),
        };
        var kernel = second.Kind() == ValueKind.Code && ChainBuilder.ZeroPoint(second) is var zero and not 0 ? Scalar.Subtract(Scalar.Kernel, Scalar.Literal(zero)) : Scalar.Kernel;
        Operator(layer, chain, accumulator, chain.WithoutZeroPoint(layer.Inputs[0]), Scalar.Multiply(Scalar.Input, kernel), Values.Clamp(post, layer.Activation, result));
    }

    private static void Lower(Layer layer, ChainBuilder chain, RoundingScheme rounding, FusedActivation activation, bool subtract)
    {
        var (first, second, result) = (chain.Type(layer.Inputs[0]), chain.Type(layer.Inputs[1]), layer.Type);
        var operation = subtract ? ScalarBinaryOperator.Subtract : ScalarBinaryOperator.Add;
        switch (result.Kind())
        {
            case ValueKind.Real:
                Operator(layer, chain, ElementType.Float64, Scalar.Input, new ScalarBinary(operation, Scalar.Input, Scalar.Kernel), Values.Clamp(Scalar.Accumulator, activation, result));
                break;
            case ValueKind.Fixed:
                var (one, two) = (Values.Fraction(first), Values.Fraction(second));
                var common = Math.Max(one, two);
                Operator(
                    layer,
                    chain,
                    ElementType.Int64,
                    Values.Rescaled(Scalar.Input, one, common),
                    new ScalarBinary(operation, Scalar.Input, Values.Rescaled(Scalar.Kernel, two, common)),
                    Values.Clamp(Values.Rescaled(Scalar.Accumulator, common, Values.Fraction(result)), activation, result));
                break;
            case var _ when rounding == RoundingScheme.OnnxHalfEven:
                var other = WithoutZeroPoint(Scalar.Kernel, second);
                Operator(
                    layer,
                    chain,
                    ElementType.Int32,
                    Scalar.Input,
                    Scalar.Call(
                        ScalarFunction.HalfEvenSum,
                        WithoutZeroPoint(Scalar.Input, first),
                        subtract ? Scalar.Subtract(Scalar.Literal(0), other) : other,
                        Scalar.Real(first.Quantization!.Scale),
                        Scalar.Real(second.Quantization!.Scale),
                        Scalar.Real(result.Quantization!.Scale)),
                    Values.Clamp(Scalar.Add(Scalar.Accumulator, Scalar.Literal(ChainBuilder.ZeroPoint(result))), activation, result));
                break;
            default:
                var factors = RequantizationFactors.Addition(first.Quantization!.Scale, second.Quantization!.Scale, result.Quantization!.Scale);
                var rescaled = Rescaled(Scalar.Kernel, second, factors.Second, rounding);
                Operator(
                    layer,
                    chain,
                    ElementType.Int32,
                    Rescaled(Scalar.Input, first, factors.First, rounding),
                    Scalar.Add(Scalar.Input, subtract ? Scalar.Subtract(Scalar.Literal(0), rescaled) : rescaled),
                    Values.Clamp(Requantized(rounding, factors.Output, result), activation, result));
                break;
        }
    }

    private static void Operator(Layer layer, ChainBuilder chain, ElementType accumulator, ScalarExpression pre, ScalarExpression main, ScalarExpression post)
    {
        var (first, second, result) = (chain.Type(layer.Inputs[0]).Shape, chain.Type(layer.Inputs[1]).Shape, layer.Type.Shape);
        var nest = Broadcast.Nest(first, second, result);
        chain.Add(layer, new GconvOperator(
            layer.Name,
            layer.Type,
            nest.Loops,
            new(layer.Inputs[0], Broadcast.Index(first, result, nest)),
            new(layer.Inputs[1], Broadcast.Index(second, result, nest)),
            [],
            accumulator,
            pre,
            main,
            GconvReduction.None,
            post,
            nest.Identity()));
    }

    private static ScalarExpression Requantized(RoundingScheme rounding, Requantization factor, TensorType result) => Scalar.Add(
        Scalar.Requantize(rounding, Scalar.Accumulator, Scalar.Literal(factor.Multiplier), Scalar.Literal(factor.Shift)), Scalar.Literal(ChainBuilder.ZeroPoint(result)));

    private static ScalarExpression Rescaled(ScalarExpression code, TensorType type, Requantization factor, RoundingScheme rounding) => Scalar.Requantize(
        rounding, Scalar.ShiftLeft(WithoutZeroPoint(code, type), Int8Addition.LeftShift), Scalar.Literal(factor.Multiplier), Scalar.Literal(factor.Shift));

    private static ScalarExpression WithoutZeroPoint(ScalarExpression code, TensorType type) => Scalar.Subtract(code, Scalar.Literal(ChainBuilder.ZeroPoint(type)));
}

/// <summary>
/// activation and clip, one operator that copies and clamps: all loops opc, post = clamp(acc, low, high). Codes and fixed-point numbers are clamped to those that the bounds round to.
/// </summary>
internal static class ClampLowering
{
    public static void Lower(Activation layer, ChainBuilder chain) =>
        chain.Map(layer, layer.Type, layer.Name, layer.Inputs[0], Values.Clamp(Scalar.Accumulator, layer.Function, layer.Type));

    public static void Lower(Clip layer, ChainBuilder chain)
    {
        ScalarExpression post;
        if (layer.Type.Kind() == ValueKind.Real)
        {
            post = Scalar.Clamp(Scalar.Accumulator, (double)layer.Low, (double)layer.High);
        }
        else if (layer.Type.Kind() == ValueKind.Fixed)
        {
            var from = Values.Fraction(layer.Type);
            post = Scalar.Clamp(
                Scalar.Accumulator,
                Math.Clamp(NumberConversion.ToFixed(layer.Low, from), int.MinValue, int.MaxValue),
                Math.Clamp(NumberConversion.ToFixed(layer.High, from), int.MinValue, int.MaxValue));
        }
        else
        {
            // A clamp is known by what becomes of the two ends.
            var (low, high) = layer.Type.Element.Range();
            var ends = EightBitTable.Of(layer, chain.Type(layer.Inputs[0]), [low, high]);
            post = Scalar.Clamp(Scalar.Accumulator, ends.GetInteger(0), ends.GetInteger(1));
        }

        chain.Map(layer, layer.Type, layer.Name, layer.Inputs[0], post);
    }
}

/// <summary>
/// logistic, tanh, hard_swish, leaky_relu, gelu, gelu_tanh, exp and sqrt, one operator: all loops opc. Codes: post = lookup(extra0, acc - lowest code), a table of 256 codes that the definition of
/// the layer gives (<see cref="EightBitTable"/>). f32, in binary64, left to right:
/// <code>
///   logistic     1 / (1 + exp(0 - x))
///   tanh         tanh(x)
///   hard_swish   x * clamp(x + 3, 0, 6) / 6
///   leaky_relu   select(x, x, alpha * x)
///   gelu         x * (1 + erf(x / sqrt 2)) / 2
///   gelu_tanh    x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x * x * x))) / 2
///   exp          exp(x)
///   sqrt         sqrt(x)
/// </code>
/// </summary>
internal static class UnaryLowering
{
    public static void Lower(Unary layer, ChainBuilder chain)
    {
        var input = chain.Type(layer.Inputs[0]);
        switch (input.Kind())
        {
            case ValueKind.Code:
                EightBitTable.Lower(layer, chain);
                break;
            case ValueKind.Real:
                chain.Map(layer, layer.Type, layer.Name, layer.Inputs[0], Real(layer, Scalar.Accumulator));
                break;
            default:
                chain.Map(layer, layer.Type, layer.Name, layer.Inputs[0], FixedForms.Unary(layer, Scalar.Accumulator, Values.Fraction(input), Values.Fraction(layer.Type)));
                break;
        }
    }

    private static ScalarExpression Real(Unary layer, ScalarExpression x) => layer.Function switch
    {
        UnaryFunction.Logistic => RealForms.Logistic(x),
        UnaryFunction.Tanh => Scalar.Call(ScalarFunction.Tanh, x),
        UnaryFunction.HardSwish => Scalar.Quotient(Scalar.Multiply(x, Scalar.Clamp(Scalar.Add(x, Scalar.Real(3)), 0.0, 6.0)), Scalar.Real(6)),
        UnaryFunction.LeakyRelu => Scalar.Select(x, x, Scalar.Multiply(Scalar.Real(layer.Alpha), x)),
        UnaryFunction.Gelu => Half(x, Scalar.Call(ScalarFunction.Erf, Scalar.Quotient(x, Scalar.Real(Math.Sqrt(2))))),
        UnaryFunction.GeluTanh => Half(x, Scalar.Call(ScalarFunction.Tanh, Scalar.Multiply(
            Scalar.Real(Math.Sqrt(2 / Math.PI)),
            Scalar.Add(x, Scalar.Multiply(Scalar.Multiply(Scalar.Multiply(Scalar.Real(0.044715), x), x), x))))),
        UnaryFunction.Exp => Scalar.Call(ScalarFunction.Exp, x),
        UnaryFunction.Sqrt => Scalar.Call(ScalarFunction.Sqrt, x),
        _ => throw new InvalidOperationException($"no case for {layer.Function}"),
    };

    // x * (1 + y) / 2
    private static ScalarExpression Half(ScalarExpression x, ScalarExpression y) => Scalar.Quotient(Scalar.Multiply(x, Scalar.Add(Scalar.Real(1), y)), Scalar.Real(2));
}
