using CnnCompiler.Core.Tensors;

namespace CnnCompiler.Ir.Gconv.Evaluation;

/// <summary>
/// The fast way through sums of products, sum of (input + offset) * (kernel + offset): integer operands widened once, f32 ones as they are; the taps inside the image found as one range a
/// loop, the innermost loop over two strided spans. It gives what <see cref="OperatorEvaluation"/> gives without it; the tests compare them. A sum of reals keeps the order of the loops.
/// </summary>
internal sealed class ContractionKernel
{
    private readonly TapWalk _walk;
    private readonly Tensor _inputs;
    private readonly Tensor _kernels;
    private readonly int[]? _input;
    private readonly int[]? _kernel;

    // What a tap outside the input multiplies, where it is not skipped; the widened input is less by it. The sums of kernels that it multiplies, by where the kernel begins.
    private readonly long? _filled;
    private readonly Dictionary<long, long> _kernelSums = [];

    private ContractionKernel(TapWalk walk, Tensor inputs, Tensor kernels, int[]? input, int[]? kernel, long? filled) =>
        (_walk, _inputs, _kernels, _input, _kernel, _filled) = (walk, inputs, kernels, input, kernel, filled);

    /// <summary>The fast way for an operator, or null where it does not apply.</summary>
    public static ContractionKernel? TryCreate(GconvOperator operation, LoopNest nest, Operand input, Operand kernel)
    {
        if (operation.Reduce != GconvReduction.Add || Factors(operation.Main) is not { } kernelOffset || Offset(operation.Pre, Scalar.Input) is not { } offset)
        {
            return null;
        }

        if (operation.Accumulator == ElementType.Float64)
        {
            return offset == 0 && kernelOffset == 0 && input.Access.OutOfRange != OutOfRange.Fill && input.Tensor.Element == ElementType.Float32 && kernel.Tensor.Element == ElementType.Float32
                && TapWalk.TryCreate(nest, input, kernel, inOrder: true) is { } inOrder
                    ? new(inOrder, input.Tensor, kernel.Tensor, null, null, null)
                    : null;
        }

        // sum over all taps of x * w, where x is f outside = sum over the taps inside of (x - f) * w + f * sum over all taps of w
        long? filled = input.Access.OutOfRange == OutOfRange.Fill ? input.Access.FillValue + offset : null;
        if (TapWalk.TryCreate(nest, input, kernel, inOrder: false) is not { } walk
            || Widen(input.Tensor, offset - (filled ?? 0)) is not { } inputs
            || Widen(kernel.Tensor, kernelOffset) is not { } kernels)
        {
            return null;
        }

        return ((Int128)Largest(inputs) + Math.Abs(filled ?? 0)) * Largest(kernels) * walk.Trips <= long.MaxValue ? new(walk, input.Tensor, kernel.Tensor, inputs, kernels, filled) : null;
    }

    /// <summary>The sum of integers at the current output element, and its number of valid taps.</summary>
    public long Reduce(out long taps)
    {
        taps = _walk.Locate();
        var sum = taps == 0 ? 0 : Sum();
        if (_filled is not { } filled)
        {
            return sum;
        }

        taps = (long)_walk.Trips;
        return filled == 0 ? sum : sum + (filled * SumOfKernel());
    }

    /// <summary>The sum of reals at the current output element, and its number of valid taps.</summary>
    public double ReduceReal(out long taps)
    {
        taps = _walk.Locate();
        return taps == 0 ? 0 : SumReal();
    }

    private long SumOfKernel()
    {
        if (!_kernelSums.TryGetValue(_walk.KernelBase, out var sum))
        {
            sum = _walk.SumOfKernel(_kernel);
            _kernelSums.Add(_walk.KernelBase, sum);
        }

        return sum;
    }

    private long Sum()
    {
        var sum = 0L;
        var walk = new Position(_walk, stackalloc int[_walk.Depth]);
        do
        {
            sum += Inner(_input, _kernel, (int)walk.Input, walk.InputStep, (int)walk.Kernel, walk.KernelStep, walk.Count);
        }
        while (walk.Next());
        return sum;
    }

    private double SumReal()
    {
        var sum = 0.0;
        var inputs = _inputs.AsSpan<float>();
        var kernels = _kernels.AsSpan<float>();
        var walk = new Position(_walk, stackalloc int[_walk.Depth]);
        do
        {
            sum = Inner(sum, inputs, kernels, (int)walk.Input, walk.InputStep, (int)walk.Kernel, walk.KernelStep, walk.Count);
        }
        while (walk.Next());
        return sum;
    }

    private static long Inner(ReadOnlySpan<int> allInputs, ReadOnlySpan<int> allKernels, int input, int inputStep, int kernel, int kernelStep, int count)
    {
        var sum = 0L;
        if (inputStep == 1 && kernelStep == 1)
        {
            var inputs = allInputs.Slice(input, count);
            var kernels = allKernels.Slice(kernel, count);
            for (var i = 0; i < inputs.Length && i < kernels.Length; i++)
            {
                sum += (long)inputs[i] * kernels[i];
            }

            return sum;
        }

        for (var i = 0; i < count; i++)
        {
            sum += (long)allInputs[input] * allKernels[kernel];
            input += inputStep;
            kernel += kernelStep;
        }

        return sum;
    }

    private static double Inner(double sum, ReadOnlySpan<float> allInputs, ReadOnlySpan<float> allKernels, int input, int inputStep, int kernel, int kernelStep, int count)
    {
        if (inputStep == 1 && kernelStep == 1)
        {
            var inputs = allInputs.Slice(input, count);
            var kernels = allKernels.Slice(kernel, count);
            for (var i = 0; i < inputs.Length && i < kernels.Length; i++)
            {
                sum += (double)inputs[i] * kernels[i];
            }

            return sum;
        }

        for (var i = 0; i < count; i++)
        {
            sum += (double)allInputs[input] * allKernels[kernel];
            input += inputStep;
            kernel += kernelStep;
        }

        return sum;
    }

    // What is added to the kernel in input * (kernel + offset), or null.
    private static long? Factors(ScalarExpression main) => main switch
    {
        ScalarBinary { Operator: ScalarBinaryOperator.Multiply, Left: ScalarInput, Right: var kernel } => Offset(kernel, Scalar.Kernel),
        ScalarBinary { Operator: ScalarBinaryOperator.Multiply, Left: ScalarKernel, Right: ScalarInput } => 0,
        _ => null,
    };

    private static long? Offset(ScalarExpression expression, ScalarExpression leaf) => expression switch
    {
        _ when expression == leaf => 0,
        ScalarBinary { Operator: ScalarBinaryOperator.Subtract, Right: ScalarLiteral { Value: var value }, Left: var left } when left == leaf && value > int.MinValue => -value,
        ScalarBinary { Operator: ScalarBinaryOperator.Add, Right: ScalarLiteral { Value: var value }, Left: var left } when left == leaf => value,
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

    // Where the innermost loop begins, for each value of the loops around it.
    private ref struct Position
    {
        private readonly TapWalk _walk;
        private readonly Span<int> _at;
        private readonly int _inner;

        public Position(TapWalk walk, Span<int> at)
        {
            at.Clear();
            _at = at;
            (_walk, _inner) = (walk, walk.Depth - 1);
            (Input, Kernel) = (walk.InputStart, walk.KernelStart);
            (Count, InputStep, KernelStep) = _inner < 0 ? (1, 0, 0) : (walk.Counts[_inner], (int)walk.InputStep(_inner), (int)walk.KernelStep(_inner));
        }

        public long Input { get; private set; }

        public long Kernel { get; private set; }

        public int Count { get; }

        public int InputStep { get; }

        public int KernelStep { get; }

        public bool Next()
        {
            for (var i = _inner - 1; i >= 0; i--)
            {
                Input += _walk.InputStep(i);
                Kernel += _walk.KernelStep(i);
                if (++_at[i] < _walk.Counts[i])
                {
                    return true;
                }

                Input -= _walk.InputStep(i) * _walk.Counts[i];
                Kernel -= _walk.KernelStep(i) * _walk.Counts[i];
                _at[i] = 0;
            }

            return false;
        }
    }
}
