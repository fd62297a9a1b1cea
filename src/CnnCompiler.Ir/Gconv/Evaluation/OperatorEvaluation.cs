using System.Runtime.InteropServices;
using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Ir.Gconv.Evaluation;

/// <summary>
/// Executes one operator as it is written: for every output element the reduction over all taps of main(pre(input), kernel), then post. Nothing is
/// assumed of loops, indexes, slots or types beyond what the verifier checks. Reals are binary64, kept as their bits; a result is rounded to its element type once.
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
    private readonly ScalarTable[] _tables;
    private readonly bool _real;
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
        var leaves = new ScalarLeaves(
            ScalarLeaves.Of(_input.Tensor.Element),
            _kernel is null ? ScalarType.Integer : ScalarLeaves.Of(_kernel.Tensor.Element),
            ScalarLeaves.Of(operation.Accumulator),
            _extra.Select(extra => ScalarLeaves.Of(extra.Tensor.Element)).ToEquatableArray());
        _pre = Compile(operation.Pre, leaves);
        _main = Compile(operation.Main, leaves with { Input = _pre.Result });
        _post = Compile(operation.Post, leaves);
        _tables = Tables();
        _real = leaves.Accumulator == ScalarType.Real;
        _stack = new long[Math.Max(_pre.StackDepth, Math.Max(_main.StackDepth, _post.StackDepth))];
        _extraValues = new long[_extra.Length];
        _accumulatorRange = _real ? default : operation.Accumulator.Range();
        _outputRange = operation.Type.Element.IsReal() ? default : operation.Type.Element.Range();
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

            RunElement(loops, output);
        }
        while (_nest.Next(_nest.Parallel, loops));
    }

    private void RunElement(Span<int> loops, Span<byte> output)
    {
        _input.Plan.MoveTo(loops);
        _kernel?.Plan.MoveTo(loops);
        _output.MoveTo(loops);
        for (var i = 0; i < _extra.Length; i++)
        {
            _extra[i].Plan.MoveTo(loops);
            _extraValues[i] = _tables[i].Row > 0 ? _extra[i].Position(loops) : _extra[i].Read(loops, out _);
        }

        var accumulator = _real ? ReduceReal(loops, out var taps) : ReduceInteger(loops, out taps);
        var value = Run(_post, "post", new(0, 0, accumulator, taps));
        _output.TryLocate(loops, out var position);
        Write(output, position, value);
    }

    private long ReduceInteger(Span<int> loops, out long taps)
    {
        var sum = _contraction is { } contraction ? contraction.Reduce(out taps) : Reduce(loops, out taps);
        return Within(sum, _accumulatorRange, "the accumulator", _operator.Accumulator);
    }

    private long ReduceReal(Span<int> loops, out long taps)
    {
        if (_contraction is { } contraction)
        {
            return ScalarProgram.Bits(contraction.ReduceReal(out taps));
        }

        taps = 0;
        var sum = _operator.Reduce == GconvReduction.Maximum ? double.NegativeInfinity : 0;
        do
        {
            if (Term(loops) is not { } bits)
            {
                continue;
            }

            taps++;
            var term = ScalarProgram.Real(bits);
            sum = _operator.Reduce switch
            {
                GconvReduction.Add => sum + term,
                GconvReduction.Maximum => Math.Max(sum, term),
                _ => term,
            };
        }
        while (_nest.Next(_nest.Reduced, loops));
        return ScalarProgram.Bits(sum);
    }

    // main(pre(input), kernel), or null for a tap that is skipped.
    private long? Term(ReadOnlySpan<int> loops)
    {
        var input = _input.Read(loops, out var skipped);
        if (skipped)
        {
            return null;
        }

        input = Run(_pre, "pre", new(input, 0, 0, 0));
        return Run(_main, "main", new(input, _kernel?.Read(loops, out _) ?? 0, 0, 0));
    }

    private Int128 Reduce(Span<int> loops, out long taps)
    {
        taps = 0;
        Int128 sum = _operator.Reduce == GconvReduction.Maximum ? _accumulatorRange.Min : 0;
        do
        {
            if (Term(loops) is not { } term)
            {
                continue;
            }

            taps++;
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

    private static ScalarProgram Compile(ScalarExpression expression, ScalarLeaves leaves) =>
        ScalarCompiler.Compile(expression, leaves, out var problem) ?? throw new InvalidOperationException($"a slot passed the verifier in which {problem}");

    // Rows of 0 elements stand for operands that are values.
    private ScalarTable[] Tables()
    {
        var tables = new ScalarTable[_extra.Length];
        foreach (var expression in (ScalarExpression[])[_operator.Pre, _operator.Main, _operator.Post])
        {
            foreach (var index in expression.Tables())
            {
                var tensor = _extra[index].Tensor;
                var elements = new long[tensor.Shape.Elements];
                for (var i = 0; i < elements.Length; i++)
                {
                    elements[i] = Operand.Element(tensor, i);
                }

                tables[index] = new(elements, tensor.Shape.Rank == 0 ? 1 : tensor.Shape.Dimensions[^1]);
            }
        }

        return tables;
    }

    private long Run(ScalarProgram program, string slot, in ScalarValues values)
    {
        var fault = ScalarFault.None;
        var value = program.Run(values, _extraValues, _stack, ref fault, _tables);
        return fault == ScalarFault.None ? value : throw new DiagnosticException(GconvDiagnostics.ScalarUndefined(_operator, slot, fault));
    }

    private long Within(Int128 value, (long Min, long Max) range, string what, ElementType type) => value >= range.Min && value <= range.Max
        ? (long)value
        : throw new DiagnosticException(GconvDiagnostics.ValueOutOfRange(_operator, what, value, type.Name()));

    private void Write(Span<byte> output, long position, long value)
    {
        var index = (int)position;
        var element = _operator.Type.Element;
        if ((value < _outputRange.Min || value > _outputRange.Max) && !element.IsReal())
        {
            throw new DiagnosticException(GconvDiagnostics.ValueOutOfRange(_operator, "the result", value, element.Name()));
        }

        switch (element)
        {
            case ElementType.Float32:
                MemoryMarshal.Cast<byte, float>(output)[index] = (float)ScalarProgram.Real(value);
                break;
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

    /// <summary>An element as scalar programs keep it: an integer, or the bits of a real.</summary>
    public static long Element(Tensor tensor, long flat) => tensor.Element.IsReal() ? ScalarProgram.Bits(tensor.GetReal(flat)) : tensor.GetInteger(flat);

    /// <summary>Flat index at the current values of the loops, of an access that is never outside.</summary>
    public long Position(ReadOnlySpan<int> loops)
    {
        Plan.TryLocate(loops, out var flat);
        return flat;
    }

    /// <summary>The element at the current values of the loops.</summary>
    public long Read(ReadOnlySpan<int> loops, out bool skipped)
    {
        skipped = false;
        if (Plan.TryLocate(loops, out var flat))
        {
            return Element(Tensor, flat);
        }

        skipped = Access.OutOfRange == OutOfRange.SkipTap;
        return Tensor.Element.IsReal() ? ScalarProgram.Bits(Access.FillValue) : Access.FillValue;
    }
}
