using System.Runtime.InteropServices;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Ir.Gconv.Evaluation;

/// <summary>
/// Executes one operator as it is written: for every output element the reduction over all taps of main(pre(input), kernel), then post. Nothing is
/// assumed of loops, indexes, slots or types beyond what the verifier checks.
/// </summary>
internal sealed class OperatorEvaluation
{
    private readonly GconvOperator _operator;
    private readonly LoopNest _nest;
    private readonly Operand _input;
    private readonly Operand? _kernel;
    private readonly Operand[] _extra;
    private readonly AccessPlan _output;
    private readonly ScalarProgram _pre;
    private readonly ScalarProgram _main;
    private readonly ScalarProgram _post;
    private readonly long[] _stack;
    private readonly long[] _extraValues;
    private readonly (long Min, long Max) _accumulatorRange;
    private readonly (long Min, long Max) _outputRange;
    private readonly ContractionKernel? _contraction;

    /// <summary>Prepares an operator.</summary>
    /// <param name="operation">A verified operator.</param>
    /// <param name="tensors">The tensors it reads.</param>
    /// <param name="outputShape">Shape of the tensor it writes, or writes a slice of.</param>
    /// <param name="contractions">Take the fast way for sums of products where it applies.</param>
    public OperatorEvaluation(GconvOperator operation, Func<string, Tensor> tensors, Shape outputShape, bool contractions)
    {
        _operator = operation;
        _nest = new(operation.Loops);
        _input = new(operation.Input, tensors(operation.Input.Tensor), _nest);
        _kernel = operation.Kernel is { } kernel ? new(kernel, tensors(kernel.Tensor), _nest) : null;
        _extra = [.. operation.Extra.Select(access => new Operand(access, tensors(access.Tensor), _nest))];
        _output = new(operation.OutputIndex, outputShape, _nest);
        _pre = Compile(operation.Pre);
        _main = Compile(operation.Main);
        _post = Compile(operation.Post);
        _stack = new long[Math.Max(_pre.StackDepth, Math.Max(_main.StackDepth, _post.StackDepth))];
        _extraValues = new long[_extra.Length];
        _accumulatorRange = operation.Accumulator.Range();
        _outputRange = operation.Type.Element.Range();
        _contraction = contractions && _kernel is not null ? ContractionKernel.TryCreate(operation, _nest, _input, _kernel) : null;
    }

    /// <summary>Writes all output elements.</summary>
    /// <exception cref="DiagnosticException">A value exceeds what the operation that makes it can hold.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public void Run(Span<byte> output, CancellationToken cancellation)
    {
        var loops = new int[_nest.Extents.Length];
        var sinceCheck = 0;
        do
        {
            if (++sinceCheck == 1 << 12)
            {
                cancellation.ThrowIfCancellationRequested();
                sinceCheck = 0;
            }

            _input.Plan.MoveTo(loops);
            _kernel?.Plan.MoveTo(loops);
            _output.MoveTo(loops);
            for (var i = 0; i < _extra.Length; i++)
            {
                _extra[i].Plan.MoveTo(loops);
                _extraValues[i] = _extra[i].Read(loops, out _);
            }

            var taps = 0L;
            var sum = _contraction is { } contraction ? contraction.Reduce(loops, out taps) : Reduce(loops, out taps);
            var accumulator = Within(sum, _accumulatorRange, "the accumulator", _operator.Accumulator);
            var value = Within(Run(_post, "post", new(0, 0, accumulator, taps)), _outputRange, "the result", _operator.Type.Element);
            _output.TryLocate(loops, out var position);
            Write(output, position, value);
        }
        while (_nest.Next(_nest.Parallel, loops));
    }

    private Int128 Reduce(Span<int> loops, out long taps)
    {
        taps = 0;
        Int128 sum = _operator.Reduce == GconvReduction.Maximum ? _accumulatorRange.Min : 0;
        do
        {
            var input = _input.Read(loops, out var skipped);
            if (skipped)
            {
                continue;
            }

            taps++;
            input = Run(_pre, "pre", new(input, 0, 0, 0));
            var term = Run(_main, "main", new(input, _kernel?.Read(loops, out _) ?? 0, 0, 0));
            sum = _operator.Reduce switch
            {
                GconvReduction.Add => sum + term,
                GconvReduction.Maximum => Int128.Max(sum, term),
                _ => term,
            };
        }
        while (_nest.Next(_nest.Reduced, loops));
        return sum;
    }

    private static ScalarProgram Compile(ScalarExpression expression) =>
        ScalarProgram.Compile(expression) ?? throw new InvalidOperationException("a rounding without an integer definition passed the verifier");

    private long Run(ScalarProgram program, string slot, in ScalarValues values)
    {
        var fault = ScalarFault.None;
        var value = program.Run(values, _extraValues, _stack, ref fault);
        return fault == ScalarFault.None ? value : throw new DiagnosticException(GconvDiagnostics.ScalarUndefined(_operator, slot, fault));
    }

    private long Within(Int128 value, (long Min, long Max) range, string what, ElementType type) => value >= range.Min && value <= range.Max
        ? (long)value
        : throw new DiagnosticException(GconvDiagnostics.ValueOutOfRange(_operator, what, value, type.Name()));

    private void Write(Span<byte> output, long position, long value)
    {
        var index = (int)position;
        switch (_operator.Type.Element)
        {
            case ElementType.Int8 or ElementType.UInt8:
                output[index] = (byte)value;
                break;
            case ElementType.Int16:
                MemoryMarshal.Cast<byte, short>(output)[index] = (short)value;
                break;
            case ElementType.Int32:
                MemoryMarshal.Cast<byte, int>(output)[index] = (int)value;
                break;
            default:
                MemoryMarshal.Cast<byte, long>(output)[index] = value;
                break;
        }
    }
}

/// <summary>An operand: its elements and where the loops are in it.</summary>
internal sealed class Operand(OperandAccess access, Tensor tensor, LoopNest nest)
{
    public OperandAccess Access { get; } = access;

    public Tensor Tensor { get; } = tensor;

    public AccessPlan Plan { get; } = new(access.Index, tensor.Shape, nest);

    /// <summary>The element at the current values of the loops.</summary>
    public long Read(ReadOnlySpan<int> loops, out bool skipped)
    {
        skipped = false;
        if (Plan.TryLocate(loops, out var flat))
        {
            return Tensor.GetInteger(flat);
        }

        skipped = Access.OutOfRange == OutOfRange.SkipTap;
        return Access.FillValue;
    }
}
