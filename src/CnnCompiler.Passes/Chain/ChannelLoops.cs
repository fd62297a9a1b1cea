using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;

namespace CnnCompiler.Passes.Chain;

/// <summary>
/// How an operator goes through channels, the last dimension of its tensors: index by index, with a loop of its own. Only then can some of them be left out of the loop.
/// </summary>
/// <param name="Parallel">The loop over the result's channels, or -1.</param>
/// <param name="Reduced">The loop ks over the input's channels, or -1. Each of its trips adds a product, or nothing.</param>
internal readonly record struct ChannelLoops(int Parallel, int Reduced)
{
    /// <summary>No loop over channels.</summary>
    public static ChannelLoops None => new(-1, -1);

    /// <summary>The loops of an operator.</summary>
    /// <param name="step">The operator.</param>
    /// <param name="type">Type of a tensor.</param>
    /// <param name="constants">The constants.</param>
    public static ChannelLoops Of(GconvOperator step, Func<string, TensorType> type, IReadOnlyDictionary<string, Tensor> constants)
    {
        // a fault in a channel that nobody reads is a fault all the same: operators of 8-bit tensors have none
        if (!IsEightBit(step.Type) || step.OutputIndex.Count == 0)
        {
            return None;
        }

        var tables = step.Pre.Tables().Concat(step.Main.Tables()).Concat(step.Post.Tables()).ToHashSet();
        var parallel = Loop(step.OutputIndex, step.OutputIndex.Count - 1, step.Type.Shape, step.Destination is null ? 0 : step.OutputIndex[^1].Constant);
        var reduced = IsSumOfProducts(step) && IsEightBit(type(step.Input.Tensor)) && step.Kernel is { } kernel && constants.ContainsKey(kernel.Tensor)
            ? Loop(step.Input.Index, step.Input.Index.Count - 1, type(step.Input.Tensor).Shape)
            : -1;
        return new(IsPlain(parallel) ? parallel : -1, reduced >= 0 && step.Loops[reduced].Kind == LoopKind.KernelSize && IsPlain(reduced) ? reduced : -1);

        // the loop that alone indexes a dimension, from its beginning to its end; a piece of a concatenation begins where it lies
        int Loop(EquatableArray<AffineExpression> index, int dimension, Shape shape, long from = 0)
        {
            if (dimension < 0 || index[dimension] is not { Divisor: 1 } expression || expression.Constant != from)
            {
                return -1;
            }

            var used = Enumerable.Range(0, step.Loops.Count).Where(loop => Indexes(step, expression, loop)).ToList();
            return used is [var only] && expression.Coefficients[only] == 1 && step.Loops[only].Extent == shape[dimension] ? only : -1;
        }

        // every operand that the loop indexes has one dimension for it: a constant any, another tensor its last one
        bool IsPlain(int loop) => loop >= 0 && step.OutputIndex.SkipLast(1).All(index => !Indexes(step, index, loop))
            && step.Operands().Select((access, i) => (access, Extra: i - step.Operands().Count() + step.Extra.Count)).All(operand => IsPlainIn(operand.access, operand.Extra, loop));

        bool IsPlainIn(OperandAccess access, int extra, int loop)
        {
            var used = Enumerable.Range(0, access.Index.Count).Where(d => Indexes(step, access.Index[d], loop)).ToList();
            return used.Count == 0 || (used is [var dimension] && Loop(access.Index, dimension, type(access.Tensor).Shape) == loop
                && (constants.ContainsKey(access.Tensor) ? !tables.Contains(extra) : dimension == access.Index.Count - 1 && IsEightBit(type(access.Tensor))));
        }
    }

    /// <summary>True where an index depends on a loop of more than one trip.</summary>
    public static bool Indexes(GconvOperator step, AffineExpression index, int loop) => loop >= 0 && step.Loops[loop].Extent > 1 && index.Coefficients[loop] != 0;

    /// <summary>True for 8-bit tensors that mean the same in all channels.</summary>
    public static bool IsEightBit(TensorType type) => type.Element is ElementType.Int8 or ElementType.UInt8 && type.Quantization is not { IsPerAxis: true };

    /// <summary>True where every tap adds the product of pre's result and a kernel's element, and nothing counts taps.</summary>
    public static bool IsSumOfProducts(GconvOperator step) => step is
    {
        Reduce: GconvReduction.Add,
        Main: ScalarBinary { Operator: ScalarBinaryOperator.Multiply, Left: ScalarInput, Right: ScalarKernel } or ScalarBinary { Operator: ScalarBinaryOperator.Multiply, Left: ScalarKernel, Right: ScalarInput },
    } && !step.Post.Leaves().Any(leaf => leaf is ScalarTapCount);
}
