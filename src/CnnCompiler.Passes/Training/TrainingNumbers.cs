using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Passes.Lowering;
using CnnCompiler.Primitives.Arithmetic;

namespace CnnCompiler.Passes.Training;

/// <summary>
/// The numbers that a training step computes with: f32 with sums in binary64, or fixed point, i32 with f bits after the binary point and sums in i64. In fixed point a product of two values is
/// fixed_multiply(a, b, f), a sum of products is shifted right by f once, half up, and every result saturates to 32 bits.
/// </summary>
/// <param name="Fraction">Bits after the binary point, 1 to 30; null for f32.</param>
public sealed record TrainingNumbers(int? Fraction)
{
    /// <summary>f32.</summary>
    public static readonly TrainingNumbers Real = new((int?)null);

    /// <summary>True for f32.</summary>
    public bool IsReal => Fraction is null;

    /// <summary>Element type of values, weights and gradients.</summary>
    public ElementType Element => IsReal ? ElementType.Float32 : ElementType.Int32;

    internal ElementType Accumulator => IsReal ? ElementType.Float64 : ElementType.Int64;

    private int Bits => Fraction!.Value;

    /// <summary>The type of a value.</summary>
    public TensorType Type(Shape shape) => new(Element, shape, Fraction is { } bits ? Quantization.PerTensor(float.ScaleB(1, -bits), 0) : null);

    /// <summary>Real numbers as a tensor, each to the nearest, half to even.</summary>
    public Tensor Tensor(Shape shape, ReadOnlySpan<double> values)
    {
        if (IsReal)
        {
            var singles = new float[values.Length];
            for (var i = 0; i < singles.Length; i++)
            {
                singles[i] = (float)values[i];
            }

            return Core.Tensors.Tensor.From<float>(Element, shape, singles);
        }

        var integers = new int[values.Length];
        for (var i = 0; i < integers.Length; i++)
        {
            integers[i] = (int)Math.Clamp(NumberConversion.ToFixed(values[i], Bits), int.MinValue, int.MaxValue);
        }

        return Core.Tensors.Tensor.From<int>(Element, shape, integers);
    }

    /// <summary>The product of two values.</summary>
    internal ScalarExpression Product(ScalarExpression a, ScalarExpression b) => IsReal ? Scalar.Multiply(a, b) : FixedForms.Multiply(a, b, Bits);

    /// <summary>A term of a sum of products; <see cref="SumOfProducts"/> ends the sum.</summary>
    internal static ScalarExpression Term => Scalar.Multiply(Scalar.Input, Scalar.Kernel);

    /// <summary>A sum of <see cref="Term"/>s as a value.</summary>
    internal ScalarExpression SumOfProducts(ScalarExpression sum) => IsReal ? sum : Values.Rescaled(sum, Bits, 0);

    /// <summary>A value by a constant, in fixed point one of up to 30 digits.</summary>
    internal ScalarExpression Times(ScalarExpression value, double factor)
    {
        if (IsReal)
        {
            return Scalar.Multiply(value, Scalar.Real(factor));
        }

        var bits = NumberConversion.ParameterBits([factor]);
        return FixedForms.Multiply(value, FixedForms.Parameter(factor, bits), bits);
    }

    /// <summary>A constant.</summary>
    internal ScalarExpression Number(double value) => IsReal ? Scalar.Real(value) : FixedForms.Parameter(value, Bits);

    /// <summary>a / b.</summary>
    internal ScalarExpression Quotient(ScalarExpression a, ScalarExpression b) => IsReal ? Scalar.Quotient(a, b) : FixedForms.Divide(a, b, Bits);

    /// <summary>The square root of a value, 0 or more.</summary>
    internal ScalarExpression Root(ScalarExpression value) => IsReal ? Scalar.Call(ScalarFunction.Sqrt, value) : FixedForms.Call(ScalarFunction.FixedSqrt, value, Bits, Bits);

    /// <summary>1 over the square root of a value; in fixed point of one not below a unit.</summary>
    internal ScalarExpression InverseRoot(ScalarExpression value) => IsReal
        ? Scalar.Quotient(Scalar.Real(1), Scalar.Call(ScalarFunction.Sqrt, value))
        : FixedForms.Call(ScalarFunction.FixedReciprocalSqrt, Scalar.Maximum(value, Scalar.Literal(1)), Bits, Bits);

    /// <summary>e to the power of a value.</summary>
    internal ScalarExpression Exp(ScalarExpression value) => IsReal ? Scalar.Call(ScalarFunction.Exp, value) : FixedForms.Call(ScalarFunction.FixedExp, value, Bits, Bits);

    /// <summary>1 / (1 + exp(-x)).</summary>
    internal ScalarExpression Logistic(ScalarExpression value) => IsReal ? RealForms.Logistic(value) : FixedForms.Call(ScalarFunction.FixedLogistic, value, Bits, Bits);

    /// <summary>x to the power of a constant, x above 0; in fixed point of one not below a unit.</summary>
    internal ScalarExpression Power(ScalarExpression value, double exponent) => IsReal
        ? Scalar.Call(ScalarFunction.Power, value, Scalar.Real(exponent))
        : FixedForms.Call(ScalarFunction.FixedExp, Times(FixedForms.Call(ScalarFunction.FixedLog, Scalar.Maximum(value, Scalar.Literal(1)), Bits, Bits), exponent), Bits, Bits);

    /// <summary>A result: in fixed point saturated to 32 bits.</summary>
    internal ScalarExpression Result(ScalarExpression value) => IsReal ? value : FixedForms.Saturated(value);
}
