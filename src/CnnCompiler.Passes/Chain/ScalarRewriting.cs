using CnnCompiler.Core;
using CnnCompiler.Ir.Gconv;

namespace CnnCompiler.Passes.Chain;

/// <summary>What stands in a scalar program for its leaves; null leaves one as it is.</summary>
/// <param name="Input">For the input element.</param>
/// <param name="Kernel">For the kernel element.</param>
/// <param name="Accumulator">For the reduced value.</param>
/// <param name="FirstExtra">Added to the numbers of further operands.</param>
internal sealed record ScalarReplacement(ScalarExpression? Input = null, ScalarExpression? Kernel = null, ScalarExpression? Accumulator = null, int FirstExtra = 0);

/// <summary>Scalar programs put into each other.</summary>
internal static class ScalarRewriting
{
    /// <summary>The expression with its leaves replaced; what replaces them is not looked into.</summary>
    public static ScalarExpression Replace(this ScalarExpression expression, ScalarReplacement by) => expression.Match(
        input: () => by.Input ?? expression,
        kernel: () => by.Kernel ?? expression,
        accumulator: () => by.Accumulator ?? expression,
        tapCount: () => expression,
        extra: index => new ScalarExtra(index + by.FirstExtra),
        literal: _ => expression,
        real: _ => expression,
        lookup: e => new ScalarLookup(e.Extra + by.FirstExtra, e.Offset.Replace(by)),
        binary: e => e with { Left = e.Left.Replace(by), Right = e.Right.Replace(by) },
        requantize: e => e with { Value = e.Value.Replace(by), Multiplier = e.Multiplier.Replace(by), Shift = e.Shift.Replace(by) },
        clamp: e => e with { Value = e.Value.Replace(by), Low = e.Low.Replace(by), High = e.High.Replace(by) },
        call: e => e with { Arguments = e.Arguments.Select(argument => argument.Replace(by)).ToEquatableArray() });

    /// <summary>Leaves of an expression that hold a value of an operator: input, kernel or reduced value, each as often as it is used.</summary>
    public static IEnumerable<ScalarExpression> Leaves(this ScalarExpression expression) => expression.Match<IEnumerable<ScalarExpression>>(
        input: () => [expression],
        kernel: () => [expression],
        accumulator: () => [expression],
        tapCount: () => [expression],
        extra: _ => [],
        literal: _ => [],
        real: _ => [],
        lookup: e => e.Offset.Leaves(),
        binary: e => e.Left.Leaves().Concat(e.Right.Leaves()),
        requantize: e => e.Value.Leaves().Concat(e.Multiplier.Leaves()).Concat(e.Shift.Leaves()),
        clamp: e => e.Value.Leaves().Concat(e.Low.Leaves()).Concat(e.High.Leaves()),
        call: e => e.Arguments.SelectMany(argument => argument.Leaves()));
}
