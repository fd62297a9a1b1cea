using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Passes.Chain;

namespace CnnCompiler.Passes.Algorithms;

/// <summary>A direction in which a window slides: input index = Stride * position + Dilation * tap + Offset.</summary>
/// <param name="Name">Its dimension in the operator's loops: h, w, d.</param>
/// <param name="Dimension">The dimension of the input.</param>
/// <param name="Position">Loop over positions.</param>
/// <param name="Tap">Loop over taps.</param>
/// <param name="Result">The dimension of the result that the positions alone index.</param>
/// <param name="Stride">Elements between neighbouring positions.</param>
/// <param name="Dilation">Elements between neighbouring taps.</param>
/// <param name="Offset">Minus the padding before.</param>
internal sealed record WindowAxis(string Name, int Dimension, int Position, int Tap, int Result, int Stride, int Dilation, long Offset);

/// <summary>A sum of products of integers with constant weights, where a window slides over the input in one or more directions.</summary>
/// <param name="Operation">The operator.</param>
/// <param name="Input">Type of its input.</param>
/// <param name="Weights">Its weights.</param>
/// <param name="Zero">What pre subtracts from the input.</param>
/// <param name="WeightZero">What main subtracts from the weights.</param>
/// <param name="Axes">The directions, by dimension of the input.</param>
internal sealed record ConvolutionNest(GconvOperator Operation, TensorType Input, Tensor Weights, int Zero, long WeightZero, EquatableArray<WindowAxis> Axes)
{
    private Array? _centred;

    /// <summary>Values of the input less its zero point, and 0 for what is outside.</summary>
    public IntegerRange InputRange => (IntegerRange.Of(Input.Element) + new IntegerRange(-Zero, -Zero)).Union(IntegerRange.Zero);

    /// <summary>The operator as a convolution, or null and why it is none.</summary>
    public static ConvolutionNest? Of(GconvOperator operation, Func<string, TensorType> typeOf, IReadOnlyDictionary<string, Tensor> constants, out string refusal)
    {
        refusal = string.Empty;
        if (operation is not { Reduce: GconvReduction.Add, Kernel: { OutOfRange: OutOfRange.Never } kernel } || WeightZeroOf(operation.Main) is not { } weightZero || ZeroOf(operation.Pre) is not { } zero)
        {
            refusal = "it is no sum of products of an input less its zero point and a weight";
            return null;
        }

        var input = typeOf(operation.Input.Tensor);
        if (!constants.TryGetValue(kernel.Tensor, out var weights))
        {
            refusal = "its weights are no constant";
        }
        else if (input.Element.IsReal() || weights.Element.IsReal())
        {
            refusal = "it adds reals, which round otherwise in another order";
        }
        else if (operation.Post.Leaves().Any(leaf => leaf is ScalarTapCount))
        {
            refusal = "its result depends on the number of taps inside the input";
        }
        else if (operation.Input.OutOfRange == OutOfRange.Fill && operation.Input.FillValue != zero)
        {
            refusal = FormattableString.Invariant($"outside its input it reads {operation.Input.FillValue}, which is not its zero point {zero}");
        }
        else if (operation.Input.Index.Divides())
        {
            refusal = "its input's indexes are divided";
        }

        if (refusal.Length > 0)
        {
            return null;
        }

        var axes = new List<WindowAxis>();
        for (var d = 0; d < input.Shape.Rank && refusal.Length == 0; d++)
        {
            if (AxisOf(operation, d, out refusal) is { } axis)
            {
                axes.Add(axis);
            }
        }

        if (refusal.Length == 0 && axes.Count == 0)
        {
            refusal = "no window slides over its input";
        }

        return refusal.Length > 0 ? null : new(operation, input, weights!, zero, weightZero, axes.ToEquatableArray());
    }

    /// <summary>Where a weight lies by the operator's loops: of the first one, and between two trips of each loop.</summary>
    public (long First, long[] Steps) WeightStrides()
    {
        var (first, steps, extent) = (0L, new long[Operation.Loops.Count], 1L);
        for (var d = Weights.Shape.Rank - 1; d >= 0; d--)
        {
            var index = Operation.Kernel!.Index[d];
            first += index.Constant * extent;
            for (var loop = 0; loop < steps.Length; loop++)
            {
                steps[loop] += index.Coefficients[loop] * extent;
            }

            extent *= Weights.Shape[d];
        }

        return (first, steps);
    }

    /// <summary>All weights less their zero point; kept, they are asked for again.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public T[] Centred<T>()
        where T : unmanaged, IBinaryInteger<T>
    {
        if (_centred is T[] known)
        {
            return known;
        }

        var weights = GC.AllocateUninitializedArray<T>((int)Weights.Shape.Elements);
        if (Weights.Element == ElementType.Int8)
        {
            var codes = Weights.AsSpan<sbyte>();
            var (zero, i) = (T.CreateTruncating(WeightZero), 0);
            if (typeof(T) == typeof(int))
            {
                var several = MemoryMarshal.Cast<sbyte, Vector<sbyte>>(codes);
                var wide = MemoryMarshal.Cast<T, Vector<int>>(weights.AsSpan());
                var zeros = new Vector<int>((int)WeightZero);
                for (var v = 0; v < several.Length; v++)
                {
                    Vector.Widen(several[v], out var low, out var high);
                    (wide[4 * v], wide[(4 * v) + 1]) = (Vector.WidenLower(low) - zeros, Vector.WidenUpper(low) - zeros);
                    (wide[(4 * v) + 2], wide[(4 * v) + 3]) = (Vector.WidenLower(high) - zeros, Vector.WidenUpper(high) - zeros);
                }

                i = several.Length * Vector<sbyte>.Count;
            }

            for (; i < codes.Length; i++)
            {
                weights[i] = T.CreateTruncating(codes[i]) - zero;
            }
        }
        else
        {
            for (var i = 0; i < weights.Length; i++)
            {
                weights[i] = T.CreateTruncating(Weights.GetInteger(i) - WeightZero);
            }
        }

        _centred = weights;
        return weights;
    }

    private static int? ZeroOf(ScalarExpression pre) => pre switch
    {
        ScalarInput => 0,
        ScalarBinary { Operator: ScalarBinaryOperator.Subtract, Left: ScalarInput, Right: ScalarLiteral { Value: >= int.MinValue and <= int.MaxValue and var zero } } => (int)zero,
        _ => null,
    };

    private static long? WeightZeroOf(ScalarExpression main) => main switch
    {
        ScalarBinary { Operator: ScalarBinaryOperator.Multiply, Left: ScalarInput, Right: ScalarKernel } => 0,
        ScalarBinary
        {
            Operator: ScalarBinaryOperator.Multiply,
            Left: ScalarInput,
            Right: ScalarBinary { Operator: ScalarBinaryOperator.Subtract, Left: ScalarKernel, Right: ScalarLiteral { Value: >= int.MinValue and <= int.MaxValue and var zero } },
        } => zero,
        _ => null,
    };

    /// <summary>The direction of a dimension of the input, or null where no window slides along it.</summary>
    private static WindowAxis? AxisOf(GconvOperator operation, int dimension, out string refusal)
    {
        refusal = string.Empty;
        var index = operation.Input.Index[dimension];
        var loops = Enumerable.Range(0, operation.Loops.Count).Where(loop => operation.Loops[loop].Extent > 1 && index.Coefficients[loop] != 0).ToList();
        if (loops.All(loop => operation.Loops[loop].Kind != LoopKind.KernelSize) || loops.All(loop => operation.Loops[loop].Kind != LoopKind.OutputPosition))
        {
            return null;
        }

        if (loops.Count == 2 && loops.Find(loop => operation.Loops[loop].Kind == LoopKind.OutputPosition) is var position && loops.Find(loop => loop != position) is var tap
            && loops.TrueForAll(loop => operation.Input.Index.Count(other => other.Coefficients[loop] != 0) == 1 && index.Coefficients[loop] is > 0 and <= int.MaxValue)
            && Enumerable.Range(0, operation.OutputIndex.Count).Where(d => operation.OutputIndex[d].Coefficients[position] != 0).ToList() is [var result]
            && operation.OutputIndex[result].Coefficients[position] == 1
            && Enumerable.Range(0, operation.Loops.Count).All(loop => loop == position || operation.Loops[loop].Extent == 1 || operation.OutputIndex[result].Coefficients[loop] == 0))
        {
            return new(operation.Loops[position].Dimension, dimension, position, tap, result, (int)index.Coefficients[position], (int)index.Coefficients[tap], index.Constant);
        }

        refusal = FormattableString.Invariant($"dimension {dimension} of its input is indexed by other loops than one over positions and one over taps");
        return null;
    }
}
