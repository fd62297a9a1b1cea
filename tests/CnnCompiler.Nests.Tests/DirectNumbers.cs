using CnnCompiler.Core.Tensors;
using CnnCompiler.Passes.Training;
using CnnCompiler.Primitives.Arithmetic;

namespace CnnCompiler.Nests.Tests;

/// <summary>Numbers that direct definitions of training are written with.</summary>
internal abstract class DirectNumbers<T>
    where T : struct
{
    public abstract T Of(double value);

    public abstract T Of(Tensor tensor, long index);

    public abstract T Add(T a, T b);

    public abstract T Subtract(T a, T b);

    /// <summary>A product as a value of its own.</summary>
    public abstract T Product(T a, T b);

    /// <summary>A product as a term of a sum that <see cref="EndSum"/> makes a value.</summary>
    public abstract T Term(T a, T b);

    public abstract T EndSum(T sum);

    public abstract T Times(T value, double factor);

    public abstract T Quotient(T a, T b);

    public abstract T DivideByCount(T sum, int count);

    public abstract T Root(T value);

    public abstract T InverseRoot(T value);

    public abstract T Exp(T value);

    public abstract T Logistic(T value);

    public abstract T Power(T value, double exponent);

    public abstract T Result(T value);

    public abstract int Compare(T a, T b);
}

internal sealed class DirectReals : DirectNumbers<double>
{
    public override double Of(double value) => value;

    public override double Of(Tensor tensor, long index) => tensor.GetReal(index);

    public override double Add(double a, double b) => a + b;

    public override double Subtract(double a, double b) => a - b;

    public override double Product(double a, double b) => a * b;

    public override double Term(double a, double b) => a * b;

    public override double EndSum(double sum) => sum;

    public override double Times(double value, double factor) => value * factor;

    public override double Quotient(double a, double b) => a / b;

    public override double DivideByCount(double sum, int count) => sum / count;

    public override double Root(double value) => Math.Sqrt(value);

    public override double InverseRoot(double value) => 1 / Math.Sqrt(value);

    public override double Exp(double value) => Math.Exp(value);

    public override double Logistic(double value) => 1 / (1 + Math.Exp(-value));

    public override double Power(double value, double exponent) => Math.Pow(value, exponent);

    public override double Result(double value) => value;

    public override int Compare(double a, double b) => a.CompareTo(b);
}

internal sealed class DirectFixed(int bits) : DirectNumbers<long>
{
    public override long Of(double value) => NumberConversion.ToFixed(value, bits);

    public override long Of(Tensor tensor, long index) => tensor.GetInteger(index);

    public override long Add(long a, long b) => a + b;

    public override long Subtract(long a, long b) => a - b;

    public override long Product(long a, long b) => FixedMath.Multiply(a, b, bits);

    public override long Term(long a, long b) => a * b;

    public override long EndSum(long sum) => (sum + (1L << (bits - 1))) >> bits;

    public override long Times(long value, double factor)
    {
        var own = NumberConversion.ParameterBits([factor]);
        return FixedMath.Multiply(value, NumberConversion.ToFixed(factor, own), own);
    }

    public override long Quotient(long a, long b) => FixedMath.Divide(a, b, bits);

    // to the nearest, half away from zero
    public override long DivideByCount(long sum, int count) => Math.Sign(sum) * ((Math.Abs(sum) + (count / 2)) / count);

    public override long Root(long value) => FixedMath.Sqrt(value, bits, bits);

    public override long InverseRoot(long value) => FixedMath.ReciprocalSqrt(Math.Max(value, 1), bits, bits);

    public override long Exp(long value) => FixedMath.Exp(value, bits, bits);

    public override long Logistic(long value) => FixedMath.Logistic(value, bits, bits);

    public override long Power(long value, double exponent) => FixedMath.Exp(Times(FixedMath.Log(Math.Max(value, 1), bits, bits), exponent), bits, bits);

    public override long Result(long value) => Math.Clamp(value, int.MinValue, int.MaxValue);

    public override int Compare(long a, long b) => a.CompareTo(b);
}

/// <summary>A tensor of direct definitions: elements in row-major order.</summary>
internal sealed class DirectTensor<T>(int[] shape)
    where T : struct
{
    public int[] Shape { get; } = shape;

    public T[] Elements { get; } = new T[shape.Aggregate(1, (product, extent) => product * extent)];

    public T this[params ReadOnlySpan<int> index]
    {
        get => Elements[At(index)];
        set => Elements[At(index)] = value;
    }

    /// <summary>All indexes in order.</summary>
    public IEnumerable<int[]> Indexes()
    {
        for (var at = 0; at < Elements.Length; at++)
        {
            var (index, rest) = (new int[Shape.Length], at);
            for (var d = index.Length - 1; d >= 0; d--)
            {
                (rest, index[d]) = Math.DivRem(rest, Shape[d]);
            }

            yield return index;
        }
    }

    public bool Has(ReadOnlySpan<int> index)
    {
        for (var d = 0; d < index.Length; d++)
        {
            if (index[d] < 0 || index[d] >= Shape[d])
            {
                return false;
            }
        }

        return true;
    }

    public DirectTensor<T> Copy()
    {
        var copy = new DirectTensor<T>(Shape);
        Elements.CopyTo(copy.Elements, 0);
        return copy;
    }

    private int At(ReadOnlySpan<int> index)
    {
        var at = 0;
        for (var d = 0; d < Shape.Length; d++)
        {
            at = (at * Shape[d]) + index[d];
        }

        return at;
    }
}
