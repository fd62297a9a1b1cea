using CnnCompiler.Core.Tensors;

namespace CnnCompiler.Ir.Gconv.Evaluation;

/// <summary>
/// The fast way through sums of products, sum of (input + offset) * kernel: both operands widened once, the taps inside the image found as one range a
/// loop, the innermost loop over two strided spans. It gives what <see cref="OperatorEvaluation"/> gives without it; the tests compare them.
/// </summary>
internal sealed class ContractionKernel
{
    private readonly AccessPlan _inputPlan;
    private readonly AccessPlan _kernelPlan;
    private readonly int[] _input;
    private readonly int[] _kernel;
    private readonly bool _skips;
    private readonly ReducedLoop[] _loops;

    private ContractionKernel(Operand input, Operand kernel, int[] inputs, int[] kernels, ReducedLoop[] loops)
    {
        (_inputPlan, _kernelPlan) = (input.Plan, kernel.Plan);
        (_input, _kernel) = (inputs, kernels);
        _skips = input.Access.OutOfRange == OutOfRange.SkipTap;
        _loops = loops;
    }

    /// <summary>The fast way for an operator, or null where it does not apply.</summary>
    public static ContractionKernel? TryCreate(GconvOperator operation, LoopNest nest, Operand input, Operand kernel)
    {
        if (operation.Reduce != GconvReduction.Add
            || (operation.Main != Scalar.Multiply(Scalar.Input, Scalar.Kernel) && operation.Main != Scalar.Multiply(Scalar.Kernel, Scalar.Input))
            || Offset(operation.Pre) is not { } offset
            || input.Access.OutOfRange == OutOfRange.Fill
            || kernel.Access.OutOfRange != OutOfRange.Never
            || Widen(input.Tensor, offset) is not { } inputs
            || Widen(kernel.Tensor, 0) is not { } kernels)
        {
            return null;
        }

        var loops = new List<ReducedLoop>();
        var skips = input.Access.OutOfRange == OutOfRange.SkipTap;
        for (var d = 0; d < input.Plan.Rank && skips; d++)
        {
            // One range a loop describes the valid taps only where no dimension depends on two loops.
            if (nest.Reduced.Count(loop => input.Plan.Coefficient(d, loop) != 0 && nest.Extents[loop] > 1) > 1)
            {
                return null;
            }
        }

        foreach (var loop in nest.Reduced)
        {
            loops.Add(new(loop, nest.Extents[loop], input.Plan.FlatCoefficient(loop), kernel.Plan.FlatCoefficient(loop)));
        }

        // The loop with the shortest steps goes innermost; a sum does not mind its order.
        var ordered = loops.Where(loop => loop.Extent > 1).OrderByDescending(loop => Math.Abs(loop.InputStep) + Math.Abs(loop.KernelStep)).ToArray();
        var taps = ordered.Aggregate((Int128)1, (product, loop) => product * loop.Extent);
        return (Int128)Largest(inputs) * Largest(kernels) * taps <= long.MaxValue ? new(input, kernel, inputs, kernels, ordered) : null;
    }

    /// <summary>The sum at the current output element, and its number of valid taps.</summary>
    public long Reduce(ReadOnlySpan<int> loops, out long taps)
    {
        taps = 1;
        Span<int> first = stackalloc int[_loops.Length];
        Span<int> count = stackalloc int[_loops.Length];
        var (inputStart, kernelStart) = (_inputPlan.FlatBase(), _kernelPlan.FlatBase());
        if (_skips && !FixedDimensionsAreInside())
        {
            taps = 0;
            return 0;
        }

        for (var i = 0; i < _loops.Length; i++)
        {
            (first[i], count[i]) = _skips ? ValidRange(_loops[i]) : (0, _loops[i].Extent);
            taps *= count[i];
            inputStart += first[i] * _loops[i].InputStep;
            kernelStart += first[i] * _loops[i].KernelStep;
        }

        return taps == 0 ? 0 : Sum(count, inputStart, kernelStart);
    }

    private long Sum(ReadOnlySpan<int> count, long inputStart, long kernelStart)
    {
        if (_loops.Length == 0)
        {
            return (long)_input[inputStart] * _kernel[kernelStart];
        }

        var sum = 0L;
        var outer = _loops.Length - 1;
        var inner = _loops[outer];
        Span<int> at = stackalloc int[outer];
        at.Clear();
        while (true)
        {
            sum += Inner((int)inputStart, (int)inner.InputStep, (int)kernelStart, (int)inner.KernelStep, count[outer]);
            var i = outer - 1;
            for (; i >= 0; i--)
            {
                inputStart += _loops[i].InputStep;
                kernelStart += _loops[i].KernelStep;
                if (++at[i] < count[i])
                {
                    break;
                }

                inputStart -= _loops[i].InputStep * count[i];
                kernelStart -= _loops[i].KernelStep * count[i];
                at[i] = 0;
            }

            if (i < 0)
            {
                return sum;
            }
        }
    }

    private long Inner(int input, int inputStep, int kernel, int kernelStep, int count)
    {
        var sum = 0L;
        if (inputStep == 1 && kernelStep == 1)
        {
            var inputs = _input.AsSpan(input, count);
            var kernels = _kernel.AsSpan(kernel, count);
            for (var i = 0; i < inputs.Length && i < kernels.Length; i++)
            {
                sum += (long)inputs[i] * kernels[i];
            }

            return sum;
        }

        for (var i = 0; i < count; i++)
        {
            sum += (long)_input[input] * _kernel[kernel];
            input += inputStep;
            kernel += kernelStep;
        }

        return sum;
    }

    // Dimensions that no reduced loop moves through are inside for all taps or for none.
    private bool FixedDimensionsAreInside()
    {
        for (var d = 0; d < _inputPlan.Rank; d++)
        {
            var moves = false;
            foreach (var loop in _loops)
            {
                moves |= _inputPlan.Coefficient(d, loop.Index) != 0;
            }

            if (!moves && (_inputPlan.Base(d) < 0 || _inputPlan.Base(d) >= _inputPlan.Extent(d)))
            {
                return false;
            }
        }

        return true;
    }

    private (int First, int Count) ValidRange(in ReducedLoop loop)
    {
        var (first, last) = (0L, loop.Extent - 1L);
        for (var d = 0; d < _inputPlan.Rank; d++)
        {
            var step = _inputPlan.Coefficient(d, loop.Index);
            if (step == 0)
            {
                continue;
            }

            // 0 <= start + step * k <= end
            var (start, end) = (_inputPlan.Base(d), _inputPlan.Extent(d) - 1L);
            var (low, high) = step > 0 ? (-start, end - start) : (start - end, start);
            step = Math.Abs(step);
            first = Math.Max(first, CeilingDivide(low, step));
            last = Math.Min(last, FloorDivide(high, step));
        }

        return last < first ? (0, 0) : ((int)first, (int)(last - first + 1));
    }

    private static long FloorDivide(long value, long divisor) => value >= 0 ? value / divisor : -((-value + divisor - 1) / divisor);

    private static long CeilingDivide(long value, long divisor) => -FloorDivide(-value, divisor);

    private static long? Offset(ScalarExpression pre) => pre switch
    {
        ScalarInput => 0,
        ScalarBinary { Operator: ScalarBinaryOperator.Subtract, Left: ScalarInput, Right: ScalarLiteral { Value: var value } } when value > int.MinValue => -value,
        ScalarBinary { Operator: ScalarBinaryOperator.Add, Left: ScalarInput, Right: ScalarLiteral { Value: var value } } => value,
        _ => null,
    };

    private static int[]? Widen(Tensor tensor, long offset)
    {
        var widened = new int[tensor.Shape.Elements];
        for (var i = 0; i < widened.Length; i++)
        {
            var value = (Int128)tensor.GetInteger(i) + offset;
            widened[i] = (int)value;
            if (widened[i] != value)
            {
                return null;
            }
        }

        return widened;
    }

    private static long Largest(ReadOnlySpan<int> values)
    {
        var largest = 0L;
        foreach (var value in values)
        {
            largest = Math.Max(largest, Math.Abs((long)value));
        }

        return largest;
    }

    private readonly record struct ReducedLoop(int Index, int Extent, long InputStep, long KernelStep);
}
