using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;

namespace CnnCompiler.Ir.Gconv;

/// <summary>What the values are that a slot may use.</summary>
/// <param name="Input">The input element.</param>
/// <param name="Kernel">The kernel element.</param>
/// <param name="Accumulator">The reduced value.</param>
/// <param name="Extras">The further operands; null where all are integers and none is a table.</param>
public sealed record ScalarLeaves(ScalarType Input, ScalarType Kernel, ScalarType Accumulator, EquatableArray<ScalarType>? Extras)
{
    /// <summary>All of them integers.</summary>
    public static readonly ScalarLeaves Integers = new(ScalarType.Integer, ScalarType.Integer, ScalarType.Integer, null);

    /// <summary>What an element of a tensor is to a scalar program.</summary>
    public static ScalarType Of(ElementType element) => element.IsReal() ? ScalarType.Real : ScalarType.Integer;
}

/// <summary>Compiles scalar expressions, finding the type of every part.</summary>
public static class ScalarCompiler
{
    /// <summary>The program of an expression, or null and what is wrong with it.</summary>
    /// <param name="expression">The expression.</param>
    /// <param name="leaves">What the values are that it may use.</param>
    /// <param name="problem">Empty, or what is wrong.</param>
    public static ScalarProgram? Compile(ScalarExpression expression, ScalarLeaves leaves, out string problem)
    {
        var emitter = new Emitter(leaves);
        var type = emitter.Emit(expression);
        problem = emitter.Problem;
        return type is { } result ? new([.. emitter.Code], emitter.Depth, result) : null;
    }

    private sealed class Emitter(ScalarLeaves leaves)
    {
        private int _depth;

        public List<ScalarInstruction> Code { get; } = [];

        public int Depth { get; private set; }

        public string Problem { get; private set; } = string.Empty;

        public ScalarType? Emit(ScalarExpression expression) => expression.Match(
            input: () => Push(ScalarCode.Input, 0, leaves.Input),
            kernel: () => Push(ScalarCode.Kernel, 0, leaves.Kernel),
            accumulator: () => Push(ScalarCode.Accumulator, 0, leaves.Accumulator),
            tapCount: () => Push(ScalarCode.TapCount, 0, ScalarType.Integer),
            extra: index => Push(ScalarCode.Extra, index, Extra(index)),
            literal: value => Push(ScalarCode.Literal, value, ScalarType.Integer),
            real: value => Push(ScalarCode.Literal, ScalarProgram.Bits(value), ScalarType.Real),
            lookup: Lookup,
            binary: Binary,
            requantize: Requantize,
            clamp: e => Emit(e.Value) is { } value && Is(e.Low, value, "a bound of clamp") && Is(e.High, value, "a bound of clamp")
                ? Join(value == ScalarType.Real ? ScalarCode.ClampReal : ScalarCode.Clamp, 0, 3, value)
                : null,
            call: Call);

        private ScalarType Extra(int index) => leaves.Extras is { } extras && index >= 0 && index < extras.Count ? extras[index] : ScalarType.Integer;

        private ScalarType? Lookup(ScalarLookup lookup) => leaves.Extras is null
            ? Fail("there are no tables here")
            : Is(lookup.Offset, ScalarType.Integer, "an offset in a table") ? Join(ScalarCode.Lookup, lookup.Extra, 1, Extra(lookup.Extra)) : null;

        private ScalarType? Binary(ScalarBinary binary)
        {
            if (Emit(binary.Left) is not { } type || !Is(binary.Right, type, "the second operand of an operation"))
            {
                return null;
            }

            ScalarCode? code = (binary.Operator, type) switch
            {
                (ScalarBinaryOperator.Add, ScalarType.Integer) => ScalarCode.Add,
                (ScalarBinaryOperator.Subtract, ScalarType.Integer) => ScalarCode.Subtract,
                (ScalarBinaryOperator.Multiply, ScalarType.Integer) => ScalarCode.Multiply,
                (ScalarBinaryOperator.Maximum, ScalarType.Integer) => ScalarCode.Maximum,
                (ScalarBinaryOperator.Minimum, ScalarType.Integer) => ScalarCode.Minimum,
                (ScalarBinaryOperator.ShiftLeft, ScalarType.Integer) => ScalarCode.ShiftLeft,
                (ScalarBinaryOperator.DivideRoundHalfAway, ScalarType.Integer) => ScalarCode.DivideRoundHalfAway,
                (ScalarBinaryOperator.Add, ScalarType.Real) => ScalarCode.AddReal,
                (ScalarBinaryOperator.Subtract, ScalarType.Real) => ScalarCode.SubtractReal,
                (ScalarBinaryOperator.Multiply, ScalarType.Real) => ScalarCode.MultiplyReal,
                (ScalarBinaryOperator.Maximum, ScalarType.Real) => ScalarCode.MaximumReal,
                (ScalarBinaryOperator.Minimum, ScalarType.Real) => ScalarCode.MinimumReal,
                (ScalarBinaryOperator.Quotient, ScalarType.Real) => ScalarCode.QuotientReal,
                _ => null,
            };
            return code is { } known ? Join(known, 0, 2, type) : Fail($"there is no operation {binary.Operator} of {Name(type)}");
        }

        private ScalarType? Requantize(ScalarRequantize requantize)
        {
            if (requantize.Rounding is not (RoundingScheme.TfliteDouble or RoundingScheme.TfliteSingle))
            {
                return Fail("a requantisation asks for a rounding that 32-bit arithmetic does not have");
            }

            const string what = "an operand of a requantisation";
            return Is(requantize.Value, ScalarType.Integer, what) && Is(requantize.Multiplier, ScalarType.Integer, what) && Is(requantize.Shift, ScalarType.Integer, what)
                ? Join(requantize.Rounding == RoundingScheme.TfliteDouble ? ScalarCode.RequantizeDouble : ScalarCode.RequantizeSingle, 0, 3, ScalarType.Integer)
                : null;
        }

        private ScalarType? Call(ScalarCall call)
        {
            if (!Enum.IsDefined(call.Function))
            {
                return Fail("a function is unknown");
            }

            var function = ScalarFunctions.Of(call.Function);
            if (call.Arguments.Count != function.Parameters.Count)
            {
                return Fail($"{function.Name} has {call.Arguments.Count} arguments; it takes {function.Parameters.Count}");
            }

            // The first parameter of no stated type says what the others of its kind are.
            ScalarType? same = null;
            for (var i = 0; i < call.Arguments.Count; i++)
            {
                if ((function.Parameters[i].Type ?? same) is { } expected)
                {
                    if (!Is(call.Arguments[i], expected, $"argument {i + 1} of {function.Name}"))
                    {
                        return null;
                    }
                }
                else if ((same = Emit(call.Arguments[i])) is null)
                {
                    return null;
                }
            }

            return Join(ScalarCode.Call, (long)call.Function, function.Parameters.Count, function.Result ?? same!.Value, same == ScalarType.Real);
        }

        private bool Is(ScalarExpression expression, ScalarType expected, string what)
        {
            if (Emit(expression) is not { } type)
            {
                return false;
            }

            return type == expected || Fail($"{what} is {Name(type)}, not {Name(expected)}") is not null;
        }

        private ScalarType? Push(ScalarCode code, long value, ScalarType type)
        {
            Code.Add(new(code, value));
            Depth = Math.Max(Depth, ++_depth);
            return type;
        }

        private ScalarType? Join(ScalarCode code, long value, int operands, ScalarType type, bool real = false)
        {
            Code.Add(new(code, value, real));
            _depth -= operands - 1;
            return type;
        }

        private ScalarType? Fail(string problem)
        {
            Problem = problem;
            return null;
        }

        private static string Name(ScalarType type) => type == ScalarType.Real ? "a real" : "an integer";
    }
}

/// <summary>Operations of a compiled program; those of two reals come last.</summary>
internal enum ScalarCode : byte
{
    Input,
    Kernel,
    Accumulator,
    TapCount,
    Extra,
    Literal,
    Lookup,
    Add,
    Subtract,
    Multiply,
    Maximum,
    Minimum,
    ShiftLeft,
    DivideRoundHalfAway,
    RequantizeDouble,
    RequantizeSingle,
    Clamp,
    ClampReal,
    Call,
    AddReal,
    SubtractReal,
    MultiplyReal,
    MaximumReal,
    MinimumReal,
    QuotientReal,
}

/// <summary>An instruction of a compiled program.</summary>
/// <param name="Code">Operation.</param>
/// <param name="Value">Literal, index of a further operand, or function.</param>
/// <param name="Real">True where a function of either type is one of reals.</param>
internal readonly record struct ScalarInstruction(ScalarCode Code, long Value, bool Real = false);
