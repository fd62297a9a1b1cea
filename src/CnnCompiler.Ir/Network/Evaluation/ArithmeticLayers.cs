using System.Runtime.InteropServices;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Primitives.Arithmetic;

namespace CnnCompiler.Ir.Network.Evaluation;

/// <summary>Add, sub and mul of two values whose dimensions, aligned at the last, are equal or 1 (<c>int8-arithmetic.md</c> section 3.5).</summary>
internal static class ArithmeticLayers
{
    private enum Operation
    {
        Add,
        Subtract,
        Multiply,
    }

    public static void Add(Add l, TensorType first, Tensor a, TensorType second, Tensor b, byte[] output)
    {
        if (l.Type.Form() == NumberForm.Code)
        {
            var adder = new Adder(LayerArithmetic.Factors(l, first, second), l.Rounding, l.Activation, first, second, l.Type, subtract: false);
            OfCodes(l, first, a, second, b, adder.Of, output);
        }
        else
        {
            OfNumbers(l, Operation.Add, l.Activation, first, a, second, b, output);
        }
    }

    public static void Sub(Sub l, TensorType first, Tensor a, TensorType second, Tensor b, byte[] output)
    {
        if (l.Type.Form() == NumberForm.Code)
        {
            var adder = new Adder(LayerArithmetic.Factors(l, first, second), l.Rounding, l.Activation, first, second, l.Type, subtract: true);
            OfCodes(l, first, a, second, b, adder.Of, output);
        }
        else
        {
            OfNumbers(l, Operation.Subtract, l.Activation, first, a, second, b, output);
        }
    }

    public static void Mul(Mul l, TensorType first, Tensor a, TensorType second, Tensor b, byte[] output)
    {
        if (l.Type.Form() == NumberForm.Code)
        {
            var factor = LayerArithmetic.Factor(l, first, second);
            var (s1, s2, s) = (LayerArithmetic.Required(first).Scale, LayerArithmetic.Required(second).Scale, LayerArithmetic.Required(l.Type).Scale);
            var (z1, z2, z) = (first.ZeroPoint(), second.ZeroPoint(), l.Type.ZeroPoint());
            var range = LayerArithmetic.Range(l.Activation, l.Type);
            OfCodes(l, first, a, second, b, (x, y) => (sbyte)Math.Clamp((long)Requantized((x - z1) * (y - z2)) + z, range.Low, range.High), output);

            int Requantized(int product) => l.Rounding switch
            {
                RoundingScheme.TfliteDouble => FixedPoint.MultiplyByQuantizedMultiplier(product, factor.Multiplier, factor.Shift),
                RoundingScheme.TfliteSingle => FixedPoint.MultiplyByQuantizedMultiplierSingleRounding(product, factor.Multiplier, factor.Shift),
                _ => new HalfEvenFactor(s1, s2, s).Apply(product),
            };
        }
        else
        {
            OfNumbers(l, Operation.Multiply, l.Activation, first, a, second, b, output);
        }
    }

    // Two int8 codes have 2^16 different pairs at most: each result is worked out once.
    private static void OfCodes(Layer l, TensorType first, Tensor a, TensorType second, Tensor b, Func<sbyte, sbyte, sbyte> function, byte[] output)
    {
        var results = new sbyte[1 << 16];
        var known = new bool[1 << 16];
        var x = a.AsSpan<sbyte>();
        var y = b.AsSpan<sbyte>();
        var walk = new BroadcastWalk(l.Type.Shape, first.Shape, second.Shape);
        for (var position = 0; position < output.Length; position++)
        {
            var (left, right) = (x[walk.First], y[walk.Second]);
            var pair = ((byte)left << 8) | (byte)right;
            if (!known[pair])
            {
                results[pair] = function(left, right);
                known[pair] = true;
            }

            output[position] = (byte)results[pair];
            walk.Next();
        }
    }

    private static void OfNumbers(Layer l, Operation operation, FusedActivation activation, TensorType first, Tensor a, TensorType second, Tensor b, byte[] output)
    {
        var walk = new BroadcastWalk(l.Type.Shape, first.Shape, second.Shape);
        if (l.Type.Form() == NumberForm.Real)
        {
            var x = a.AsSpan<float>();
            var y = b.AsSpan<float>();
            var results = MemoryMarshal.Cast<byte, float>(output.AsSpan());
            for (var position = 0; position < results.Length; position++)
            {
                results[position] = (float)NumberForms.Activate(Of(operation, x[walk.First], y[walk.Second]), activation);
                walk.Next();
            }

            return;
        }

        var (range, to) = (LayerArithmetic.FixedRange(activation, l.Type), LayerArithmetic.Fraction(l.Type));
        var (bits1, bits2) = (LayerArithmetic.Fraction(first), LayerArithmetic.Fraction(second));
        var left = a.AsSpan<int>();
        var right = b.AsSpan<int>();
        var numbers = MemoryMarshal.Cast<byte, int>(output.AsSpan());
        for (var position = 0; position < numbers.Length; position++)
        {
            numbers[position] = (int)Math.Clamp(OfFixed(operation, left[walk.First], bits1, right[walk.Second], bits2, to), range.Low, range.High);
            walk.Next();
        }
    }

    private static double Of(Operation operation, double a, double b) => operation switch
    {
        Operation.Add => a + b,
        Operation.Subtract => a - b,
        _ => a * b,
    };

    // Sums have the bits of the finer operand; one rounding, half up.
    private static long OfFixed(Operation operation, long a, int bits1, long b, int bits2, int to)
    {
        if (operation == Operation.Multiply)
        {
            return NumberConversion.Rescale(a * b, bits1 + bits2, to);
        }

        var common = Math.Max(bits1, bits2);
        var (x, y) = (NumberConversion.Rescale(a, bits1, common), NumberConversion.Rescale(b, bits2, common));
        return NumberConversion.Rescale(operation == Operation.Add ? x + y : x - y, common, to);
    }

    private sealed class Adder(
        AdditionFactors factors, RoundingScheme rounding, FusedActivation activation, TensorType first, TensorType second, TensorType output, bool subtract)
    {
        private readonly ActivationRange _range = LayerArithmetic.Range(activation, output);
        private readonly Quantization _first = LayerArithmetic.Required(first);
        private readonly Quantization _second = LayerArithmetic.Required(second);
        private readonly Quantization _output = LayerArithmetic.Required(output);

        public sbyte Of(sbyte first, sbyte second)
        {
            var (a, b) = (first - _first.ZeroPoint, second - _second.ZeroPoint);
            var sum = (rounding, subtract) switch
            {
                (RoundingScheme.TfliteDouble, false) => Int8Addition.Sum(a, b, factors),
                (RoundingScheme.TfliteDouble, true) => Int8Addition.Difference(a, b, factors),
                (RoundingScheme.TfliteSingle, false) => Int8Addition.SumSingleRounding(a, b, factors),
                (RoundingScheme.TfliteSingle, true) => Int8Addition.DifferenceSingleRounding(a, b, factors),
                _ => HalfEvenAddition.Sum(a, subtract ? -b : b, _first.Scale, _second.Scale, _output.Scale),
            };
            return (sbyte)Math.Clamp((long)sum + _output.ZeroPoint, _range.Low, _range.High);
        }
    }
}
