using CnnCompiler.Ir.Gconv;

namespace CnnCompiler.Targets.OpenEdge.Mapping;

/// <summary>
/// ONNX's sum of two codes as integers: each is scaled to a fixed point, and the sum of both compared with thresholds. The scaling rounds, so nothing is proved by it: all 65,536 pairs of
/// codes are worked out exactly, and the thresholds lie between the fixed-point sums of the pairs that give a code and of those that give a smaller one. Where these overlap, other precisions are tried.
/// </summary>
internal static class HalfEvenSums
{
    private const int MostBits = 30;
    private const int FewestBits = 12;

    // of the factors, beyond the precision of the sum: a factor has 53 bits
    private const int MoreBits = 24;
    private const int Codes = 256;
    private const long LargestTerm = 1L << 29;
    private const int LargestDenominator = 128;

    /// <summary>A term of the two codes and the codes of its values; null where no precision separates them.</summary>
    /// <param name="post">The result's program.</param>
    /// <param name="sum">The exact sum, of operands 0 and 1.</param>
    public static (ScalarExpression Term, StepTable Table)? Of(ScalarExpression post, ScalarCall sum)
    {
        if (sum.Arguments is not [var first, var second, ScalarReal { Value: > 0 } one, ScalarReal { Value: > 0 } two, ScalarReal { Value: > 0 } result]
            || ResultFunction.Of(post, []) is not { } function || Exact(function, sum) is not { } codes)
        {
            return null;
        }

        for (var bits = MostBits; bits >= FewestBits; bits--)
        {
            var (factor, other) = (Math.Round(one.Value / result.Value * Math.ScaleB(1, bits + MoreBits)), Math.Round(two.Value / result.Value * Math.ScaleB(1, bits + MoreBits)));
            if (Math.Max(factor, other) < long.MaxValue / 2
                && new ScalarBinary(ScalarBinaryOperator.Add, Scaled(first, (long)factor), Scaled(second, (long)other)) is var term && Table(term, codes) is { } table)
            {
                return (term, table);
            }
        }

        return NearRatio(first, second, (one.Value, two.Value, result.Value), codes);
    }

    /// <summary>
    /// Scales whose ratios are nearly fractions (0.1 and 0.3 as binary32) give sums that nearly are ties. These are kept apart by what is missing to the fraction p / q, made larger: with
    /// d = s q - p s', the sum of p a + p' b many times and d a + d' b, these in proportion.
    /// </summary>
    private static (ScalarExpression Term, StepTable Table)? NearRatio(ScalarExpression first, ScalarExpression second, (double One, double Two, double Result) scales, sbyte[] codes)
    {
        for (var q = 1; q <= LargestDenominator; q++)
        {
            var (p, other) = (Math.Round(scales.One * q / scales.Result), Math.Round(scales.Two * q / scales.Result));
            var (missing, otherMissing) = ((scales.One * q) - (p * scales.Result), (scales.Two * q) - (other * scales.Result));
            var most = Math.Max(Math.Abs(missing), Math.Abs(otherMissing));
            if (most * 2 * Codes > scales.Result / 4)
            {
                continue;
            }

            foreach (var units in (ReadOnlySpan<int>)[1, 4, 16, 64])
            {
                var (fine, otherFine) = most > 0 ? (Math.Round(missing / most * units), Math.Round(otherMissing / most * units)) : (0, 0);
                var coarse = 4.0 * Codes * units;
                if ((Math.Max(Math.Abs(p), Math.Abs(other)) * coarse * 2 * Codes) + LargestTerm < int.MaxValue
                    && new ScalarBinary(ScalarBinaryOperator.Add, Times(first, (p * coarse) + fine), Times(second, (other * coarse) + otherFine)) is var term
                    && Table(term, codes) is { } table)
                {
                    return (term, table);
                }
            }
        }

        return null;
    }

    private static ScalarExpression Times(ScalarExpression value, double factor) => Scalar.Multiply(value, Scalar.Literal((long)factor));

    // where one scale is far above the result's, its codes saturate; what they do beside each other is looked at as everything else is
    private static ScalarExpression Scaled(ScalarExpression value, long factor) => Scalar.Clamp(
        Scalar.Call(ScalarFunction.FixedMultiply, value, Scalar.Literal(factor), Scalar.Literal(MoreBits)), -LargestTerm, LargestTerm);

    /// <summary>The code of every pair, the first operand's code outermost; null where some pair has none.</summary>
    private static sbyte[]? Exact(ResultFunction function, ScalarCall sum)
    {
        var leaves = ScalarLeaves.Integers with { Extras = [ScalarType.Integer, ScalarType.Integer] };
        if (ScalarCompiler.Compile(sum, leaves, out _) is not { } program)
        {
            return null;
        }

        var (codes, stack, extras, fault) = (new sbyte[Codes * Codes], new long[program.StackDepth], new long[2], ScalarFault.None);
        for (var i = 0; i < codes.Length; i++)
        {
            (extras[0], extras[1]) = ((i / Codes) + sbyte.MinValue, (i % Codes) + sbyte.MinValue);
            var value = function.At(program.Run(default, extras, stack, ref fault));
            if (fault != ScalarFault.None || value is not { } code || code != (sbyte)code)
            {
                return null;
            }

            codes[i] = (sbyte)code;
        }

        return codes;
    }

    private static StepTable? Table(ScalarExpression term, sbyte[] codes)
    {
        if (Kernels.CombineKernel.Of(term) is not var (first, second, _))
        {
            return null;
        }

        var (from, to) = ((long)first.Min() + second.Min(), (long)first.Max() + second.Max());
        if (from <= int.MinValue || to >= int.MaxValue || to + 1 - from > int.MaxValue)
        {
            return null;
        }

        // for each code the smallest and the largest sum that gives it
        var (smallest, largest) = (new long[Codes], new long[Codes]);
        Array.Fill(smallest, long.MaxValue);
        Array.Fill(largest, long.MinValue);
        for (var i = 0; i < codes.Length; i++)
        {
            var (value, code) = ((long)first[i / Codes] + second[i % Codes], codes[i] - sbyte.MinValue);
            (smallest[code], largest[code]) = (Math.Min(smallest[code], value), Math.Max(largest[code], value));
        }

        var (lowest, highest) = (codes.Min() - sbyte.MinValue, codes.Max() - sbyte.MinValue);
        var thresholds = new int[StepTable.Rounded(Math.Max(1, highest - lowest))];
        Array.Fill(thresholds, (int)(to + 1));
        var above = to + 1;
        for (var code = highest; code > lowest; code--)
        {
            above = Math.Min(above, smallest[code]);
            thresholds[code - lowest - 1] = (int)above;
            if (largest.AsSpan(lowest, code - lowest).ContainsAnyInRange(above, long.MaxValue))
            {
                return null;
            }
        }

        return new(from, to, lowest + sbyte.MinValue, thresholds);
    }
}
