using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Network;

namespace CnnCompiler.Targets.OpenEdge.Mapping;

/// <summary>
/// What a slot makes of the reduced value, all else being known: any scalar program, reals and tables included, worked out by the compiler at the values that the array will meet.
/// </summary>
internal sealed class ResultFunction
{
    private readonly ScalarProgram _program;
    private readonly ScalarExpression _expression;
    private readonly ScalarTable[] _tables;
    private readonly long[] _extras;
    private readonly long[] _stack;

    private ResultFunction(ScalarExpression expression, ScalarProgram program, ScalarTable[] tables, long[] extras)
    {
        (_expression, _program, _tables, _extras) = (expression, program, tables, extras);
        _stack = new long[program.StackDepth];
    }

    /// <summary>A function, or null where the expression is none of an integer.</summary>
    /// <param name="expression">The slot's expression.</param>
    /// <param name="operands">For each further operand its tensor and flat element; those that are looked up in are tables from there on.</param>
    public static ResultFunction? Of(ScalarExpression expression, IReadOnlyList<(Tensor Tensor, long Element)> operands)
    {
        var looked = expression.Tables().ToHashSet();
        var known = Known(expression, operands, looked);
        var leaves = ScalarLeaves.Integers with { Extras = operands.Select(o => ScalarLeaves.Of(o.Tensor.Element)).ToEquatableArray() };
        if (ScalarCompiler.Compile(known, leaves, out _) is not { Result: ScalarType.Integer } program)
        {
            return null;
        }

        var tables = operands.Select((o, i) => looked.Contains(i) ? Table(o.Tensor) : default).ToArray();
        return new(known, program, tables, [.. operands.Select(o => o.Element)]);
    }

    /// <summary>The value, or null where there is none.</summary>
    /// <param name="accumulator">The reduced value, or the input's element.</param>
    public long? At(long accumulator)
    {
        var fault = ScalarFault.None;
        var value = _program.Run(new(accumulator, 0, accumulator, 0), _extras, _stack, ref fault, _tables);
        return fault == ScalarFault.None ? value : null;
    }

    /// <summary>True where it is proved that it never falls between two values.</summary>
    public bool NeverFalls(long low, long high) => Monotony.NeverFalls(_expression, low, high);

    /// <summary>The expression with the number of taps.</summary>
    public static ScalarExpression WithTaps(ScalarExpression expression, long taps) => Replace(expression, e => e is ScalarTapCount ? new ScalarLiteral(taps) : null);

    /// <summary>An expression with some parts replaced.</summary>
    /// <param name="expression">The expression.</param>
    /// <param name="replacement">What takes the place of a part, or null where it stays.</param>
    public static ScalarExpression Replace(ScalarExpression expression, Func<ScalarExpression, ScalarExpression?> replacement)
    {
        ScalarExpression In(ScalarExpression e) => Replace(e, replacement);
        return replacement(expression) ?? expression switch
        {
            ScalarLookup e => e with { Offset = In(e.Offset) },
            ScalarBinary e => e with { Left = In(e.Left), Right = In(e.Right) },
            ScalarRequantize e => e with { Value = In(e.Value), Multiplier = In(e.Multiplier), Shift = In(e.Shift) },
            ScalarClamp e => e with { Value = In(e.Value), Low = In(e.Low), High = In(e.High) },
            ScalarCall e => e with { Arguments = e.Arguments.Select(In).ToEquatableArray() },
            _ => expression,
        };
    }

    private static ScalarExpression Known(ScalarExpression expression, IReadOnlyList<(Tensor Tensor, long Element)> operands, HashSet<int> looked) =>
        Replace(expression, e => e is ScalarExtra extra && !looked.Contains(extra.Index) && operands[extra.Index] is var (tensor, element)
            ? tensor.Element.IsReal() ? new ScalarReal(tensor.GetReal(element)) : new ScalarLiteral(tensor.GetInteger(element))
            : null);

    private static ScalarTable Table(Tensor tensor)
    {
        var elements = new long[tensor.Shape.Elements];
        for (var i = 0; i < elements.Length; i++)
        {
            elements[i] = tensor.Element.IsReal() ? ScalarProgram.Bits(tensor.GetReal(i)) : tensor.GetInteger(i);
        }

        return new(elements, tensor.Shape.Rank == 0 ? 1 : tensor.Shape.Dimensions[^1]);
    }
}

/// <summary>Proofs, from the form of a scalar program alone, that it never falls where the accumulator rises.</summary>
internal static class Monotony
{
    /// <summary>True where an expression of the accumulator and constants is proved not to fall between two values of it.</summary>
    public static bool NeverFalls(ScalarExpression expression, long low, long high) => Direction(expression, low, high) is >= 0;

    /// <summary>1 where it never falls, -1 where it never rises, 0 where it is constant, null where nothing is known.</summary>
    private static int? Direction(ScalarExpression expression, long low, long high) => expression switch
    {
        ScalarAccumulator or ScalarInput => 1,
        ScalarLiteral or ScalarReal => 0,
        ScalarBinary e when Unwrapped(e, low, high) is { } sum => Direction(sum, low, high),
        ScalarBinary e => OfBinary(e, low, high),
        ScalarClamp { Low: ScalarLiteral or ScalarReal, High: ScalarLiteral or ScalarReal } e => Direction(e.Value, low, high),

        // left of the multiplication a shift keeps 32 bits only
        ScalarRequantize { Multiplier: ScalarLiteral { Value: >= 0 }, Shift: ScalarLiteral shift } e when Stays(e.Value, low, high, int.MaxValue >> (int)Math.Max(shift.Value, 0)) => Direction(e.Value, low, high),
        ScalarCall e => OfCall(e, low, high),
        _ => null,
    };

    private static int? OfBinary(ScalarBinary e, long low, long high)
    {
        var (left, right) = (Direction(e.Left, low, high), Direction(e.Right, low, high));
        return e.Operator switch
        {
            ScalarBinaryOperator.Add or ScalarBinaryOperator.Maximum or ScalarBinaryOperator.Minimum => Joined(left, right),
            ScalarBinaryOperator.Subtract => Joined(left, -right),
            ScalarBinaryOperator.Multiply when Sign(e.Right) is { } sign => left * sign,
            ScalarBinaryOperator.Multiply when Sign(e.Left) is { } sign => right * sign,
            ScalarBinaryOperator.Quotient or ScalarBinaryOperator.DivideRoundHalfAway when Sign(e.Right) is > 0 => left,
            ScalarBinaryOperator.ShiftLeft when right == 0 => left,
            _ => null,
        };
    }

    private static int? OfCall(ScalarCall e, long low, long high)
    {
        var rest = e.Arguments.Skip(1).Select(a => Sign(a)).ToArray();
        var rises = e.Function switch
        {
            ScalarFunction.Real or ScalarFunction.Single or ScalarFunction.RoundHalfEven or ScalarFunction.RoundHalfAway => true,
            ScalarFunction.ShiftRight or ScalarFunction.ShiftRightRound => rest[0] is >= 0,
            ScalarFunction.FloorDivide => rest[0] is > 0,
            ScalarFunction.FixedMultiply => rest[0] is >= 0 && rest[1] is not null,
            ScalarFunction.HalfEvenScale => rest.All(sign => sign is > 0),
            _ => false,
        };
        return rises ? Direction(e.Arguments[0], low, high) : null;
    }

    private static int? Joined(int? first, int? second) => (first, second) switch
    {
        (null, _) or (_, null) => null,
        (0, var other) => other,
        (var one, 0) => one,
        var (one, other) => one == other ? one : null,
    };

    private static int? Sign(ScalarExpression expression) => expression switch
    {
        ScalarLiteral e => Math.Sign(e.Value),
        ScalarReal { Value: var value } when !double.IsNaN(value) => Math.Sign(value),
        ScalarBinary { Operator: ScalarBinaryOperator.Multiply or ScalarBinaryOperator.Quotient } e => Sign(e.Left) * Sign(e.Right),
        _ => null,
    };

    /// <summary>The sum of sum - (shift_right(sum + 2^31, 32) &lt;&lt; 32), where that is the sum itself: it never leaves 32 bits.</summary>
    private static ScalarExpression? Unwrapped(ScalarBinary e, long low, long high) =>
        e is
        {
            Operator: ScalarBinaryOperator.Subtract,
            Right: ScalarBinary
            {
                Operator: ScalarBinaryOperator.ShiftLeft,
                Left: ScalarCall { Function: ScalarFunction.ShiftRight, Arguments: [ScalarBinary { Operator: ScalarBinaryOperator.Add, Left: var inner, Right: ScalarLiteral { Value: 1L << 31 } }, ScalarLiteral { Value: 32 }] },
                Right: ScalarLiteral { Value: 32 },
            },
        } && inner == e.Left && Stays(e.Left, low, high, int.MaxValue)
            ? e.Left
            : null;

    /// <summary>True where an integer expression that doesn't turn back stays within a magnitude: its ends do.</summary>
    private static bool Stays(ScalarExpression expression, long low, long high, long magnitude) =>
        Direction(expression, low, high) is not null && ResultFunction.Of(expression, []) is { } function
        && function.At(low) is { } first && function.At(high) is { } last && Math.Abs(first) <= magnitude && Math.Abs(last) <= magnitude;
}
