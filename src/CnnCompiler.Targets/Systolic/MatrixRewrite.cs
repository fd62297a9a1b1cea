using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;

namespace CnnCompiler.Targets.Systolic;

/// <summary>An operator in the form that the array computes, and the constants that it adds.</summary>
/// <param name="Operator">The operator: input codes as they are, taps outside read the zero point, post begins with a correction.</param>
/// <param name="Constants">Weights less their zero point, and -(zero point) * sum of weights for each group and column, as far as they are needed.</param>
internal sealed record RewrittenProduct(GconvOperator Operator, EquatableArray<GconvConstant> Constants);

/// <summary>
/// Recognises sums of products that are matrix products by the assignment g: products, op: N, opc: M, ks: K, and takes the zero point out of them:
/// sum of (x - z) * w = sum of x * w - z * sum of w, where a tap outside the input counts as x = z. The array then multiplies int8 codes only, and no matrix
/// of patches exists: taps keep their affine index and its validity predicate.
/// </summary>
internal static class MatrixRewrite
{
    /// <summary>Most terms of a sum whose value can't leave 32 bits: 2^31 / 2^14.</summary>
    private const long MostRows = 131_071;

    /// <summary>The form for the array, or null where the operator is no such product.</summary>
    /// <param name="operation">The operator.</param>
    /// <param name="typeOf">Element types of tensors.</param>
    /// <param name="constants">Constants by name.</param>
    /// <param name="names">Names in use; a new one is added.</param>
    /// <param name="isSketch">True where corrections may be 0: it can be costed then, not executed.</param>
    public static RewrittenProduct? Try(GconvOperator operation, Func<string, ElementType> typeOf, IReadOnlyDictionary<string, Tensor> constants, HashSet<string> names, bool isSketch = false)
    {
        if (Recognise(operation, typeOf, constants, names) is not { } found)
        {
            return null;
        }

        var (product, weights, zero) = (found.Product, found.Weights, found.Zero);
        if (zero == 0)
        {
            return product;
        }

        if (weights is null)
        {
            return null;
        }

        var kernel = product.Operator.Kernel!;
        var correction = Correction(operation, kernel, weights, zero, names, isSketch);
        var access = new OperandAccess(correction.Name, operation.Loops.Select((loop, i) => (loop, i)).Where(entry => IsCorrected(entry.loop)).Select(entry => Loop(operation, entry.i)).ToEquatableArray());
        return new(
            product.Operator with
            {
                Extra = operation.Extra.Append(access).ToEquatableArray(),
                Post = Replace(operation.Post, Scalar.Add(Scalar.Accumulator, Scalar.Extra(operation.Extra.Count))),
            },
            [.. product.Constants, correction]);
    }

    /// <summary>The product before its zero point is corrected, its weights less theirs (null where they are no constant) and the zero point; null where the operator is no such product.</summary>
    /// <param name="operation">The operator.</param>
    /// <param name="typeOf">Element types of tensors.</param>
    /// <param name="constants">Constants by name.</param>
    /// <param name="names">Names in use; a new one is added.</param>
    public static (RewrittenProduct Product, Tensor? Weights, int Zero)? Recognise(
        GconvOperator operation, Func<string, ElementType> typeOf, IReadOnlyDictionary<string, Tensor> constants, HashSet<string> names)
    {
        if (operation is not { Reduce: GconvReduction.Add, Accumulator: ElementType.Int32, Kernel: { OutOfRange: OutOfRange.Never } kernel }
            || KernelZero(operation.Main) is not { } kernelZero
            || typeOf(operation.Input.Tensor) != ElementType.Int8
            || ZeroPoint(operation.Pre) is not { } zero
            || CountsTaps(operation.Post)
            || operation.Input.Index.Any(expression => expression.Divisor > 1)
            || AffineExpressions.Product(operation.Loops.Where(loop => loop.Kind == LoopKind.KernelSize).Select(loop => loop.Extent)) > MostRows
            || operation.Loops.Any(loop => Mixes(operation, loop)))
        {
            return null;
        }

        var added = new List<GconvConstant>();
        var weights = constants.GetValueOrDefault(kernel.Tensor);
        if (kernelZero != 0 || typeOf(kernel.Tensor) != ElementType.Int8)
        {
            if (weights is null || Centred(weights, kernelZero) is not { } centred)
            {
                return null;
            }

            weights = centred;
            added.Add(new(Name($"{operation.Name}.centred", names), centred));
            kernel = kernel with { Tensor = added[0].Name };
            operation = operation with { Kernel = kernel, Main = Scalar.Multiply(Scalar.Input, Scalar.Kernel) };
        }

        var fill = operation.Input.OutOfRange == OutOfRange.Fill ? operation.Input.FillValue : zero;
        if (fill is < sbyte.MinValue or > sbyte.MaxValue || zero is < sbyte.MinValue or > sbyte.MaxValue)
        {
            return null;
        }

        var product = operation with
        {
            Pre = Scalar.Input,
            Input = operation.Input.OutOfRange == OutOfRange.Never ? operation.Input : operation.Input with { OutOfRange = OutOfRange.Fill, FillValue = fill },
        };
        return (new(product, added.ToEquatableArray()), weights, zero);
    }

    /// <summary>The zero point that pre subtracts; null where pre is something else.</summary>
    public static int? ZeroPoint(ScalarExpression pre) => pre switch
    {
        ScalarInput => 0,
        ScalarBinary { Operator: ScalarBinaryOperator.Subtract, Left: ScalarInput, Right: ScalarLiteral literal } => (int)Math.Clamp(literal.Value, int.MinValue, int.MaxValue),
        _ => null,
    };

    /// <summary>The zero point that main subtracts from the kernel; null where main is no product.</summary>
    private static int? KernelZero(ScalarExpression main) => main switch
    {
        ScalarBinary { Operator: ScalarBinaryOperator.Multiply, Left: ScalarInput, Right: ScalarKernel } or ScalarBinary { Operator: ScalarBinaryOperator.Multiply, Left: ScalarKernel, Right: ScalarInput } => 0,
        ScalarBinary { Operator: ScalarBinaryOperator.Multiply, Left: ScalarInput, Right: ScalarBinary { Operator: ScalarBinaryOperator.Subtract, Left: ScalarKernel, Right: ScalarLiteral literal } } =>
            (int)Math.Clamp(literal.Value, int.MinValue, int.MaxValue),
        _ => null,
    };

    /// <summary>Weights less their zero point as int8, or null where one does not fit.</summary>
    private static Tensor? Centred(Tensor weights, int zero)
    {
        if (weights.Element.IsReal())
        {
            return null;
        }

        var values = new sbyte[weights.Shape.Elements];
        for (var i = 0; i < values.Length; i++)
        {
            var value = weights.GetInteger(i) - zero;
            values[i] = (sbyte)value;
            if (values[i] != value)
            {
                return null;
            }
        }

        return Tensor.From<sbyte>(ElementType.Int8, weights.Shape, values);
    }

    private static string Name(string name, HashSet<string> names)
    {
        while (!names.Add(name))
        {
            name += "'";
        }

        return name;
    }

    private static bool Mixes(GconvOperator operation, GconvLoop loop)
    {
        var index = operation.Loops.ToList().IndexOf(loop);
        return loop.Extent > 1
            && ((loop.Kind == LoopKind.OutputParallel && operation.Input.Index.DependsOn(index)) || (loop.Kind == LoopKind.OutputPosition && operation.Kernel!.Index.DependsOn(index)));
    }

    private static bool IsCorrected(GconvLoop loop) => loop.Kind is LoopKind.Group or LoopKind.OutputParallel;

    private static AffineExpression Loop(GconvOperator operation, int loop) =>
        new(Enumerable.Range(0, operation.Loops.Count).Select(i => i == loop ? 1L : 0).ToEquatableArray(), 0);

    private static GconvConstant Correction(GconvOperator operation, OperandAccess kernel, Tensor weights, int zero, HashSet<string> names, bool isSketch)
    {
        var loops = operation.Loops;
        var outer = Enumerable.Range(0, loops.Count).Where(i => IsCorrected(loops[i])).ToArray();
        var inner = Enumerable.Range(0, loops.Count).Where(i => loops[i].Kind == LoopKind.KernelSize).ToArray();
        var shape = Shape.Of([.. outer.Select(i => loops[i].Extent)]);
        if (isSketch)
        {
            return new(Name($"{operation.Name}.zeros", names), Tensor.Zeros(ElementType.Int32, shape));
        }

        var values = new int[shape.Elements];
        var codes = weights.AsSpan<sbyte>();
        var strides = new WeightStrides(kernel, weights.Shape);
        var terms = new long[AffineExpressions.Product(inner.Select(i => loops[i].Extent))];
        var at = new int[loops.Count];
        for (var term = 0; term < terms.Length; term++)
        {
            terms[term] = strides.Flat(at) - strides.First;
            Next(loops, inner, at);
        }

        for (var i = 0; i < values.Length; i++)
        {
            var (sum, first) = (0L, strides.Flat(at));
            foreach (var term in terms)
            {
                sum += codes[(int)(first + term)];
            }

            values[i] = (int)(-zero * sum);
            Next(loops, outer, at);
        }

        return new(Name($"{operation.Name}.zeros", names), Tensor.From<int>(ElementType.Int32, shape, values));
    }

    private static bool Next(EquatableArray<GconvLoop> loops, int[] listed, int[] at)
    {
        for (var i = listed.Length - 1; i >= 0; i--)
        {
            if (++at[listed[i]] < loops[listed[i]].Extent)
            {
                return true;
            }

            at[listed[i]] = 0;
        }

        return false;
    }

    /// <summary>Post with its accumulator replaced.</summary>
    private static ScalarExpression Replace(ScalarExpression expression, ScalarExpression accumulator) => expression.Match(
        input: () => expression,
        kernel: () => expression,
        accumulator: () => accumulator,
        tapCount: () => expression,
        extra: _ => expression,
        literal: _ => expression,
        real: _ => expression,
        lookup: e => e with { Offset = Replace(e.Offset, accumulator) },
        binary: b => b with { Left = Replace(b.Left, accumulator), Right = Replace(b.Right, accumulator) },
        requantize: r => r with { Value = Replace(r.Value, accumulator), Multiplier = Replace(r.Multiplier, accumulator), Shift = Replace(r.Shift, accumulator) },
        clamp: c => c with { Value = Replace(c.Value, accumulator), Low = Replace(c.Low, accumulator), High = Replace(c.High, accumulator) },
        call: c => (ScalarExpression)(c with { Arguments = c.Arguments.Select(argument => Replace(argument, accumulator)).ToEquatableArray() }));

    private static bool CountsTaps(ScalarExpression expression) => expression.Match(
        input: () => false,
        kernel: () => false,
        accumulator: () => false,
        tapCount: () => true,
        extra: _ => false,
        literal: _ => false,
        real: _ => false,
        lookup: e => CountsTaps(e.Offset),
        binary: b => CountsTaps(b.Left) || CountsTaps(b.Right),
        requantize: r => CountsTaps(r.Value) || CountsTaps(r.Multiplier) || CountsTaps(r.Shift),
        clamp: c => CountsTaps(c.Value) || CountsTaps(c.Low) || CountsTaps(c.High),
        call: c => c.Arguments.Any(CountsTaps));
}

/// <summary>Where a constant's element lies, by the loops that it is read with.</summary>
internal readonly struct WeightStrides
{
    private readonly long[] _strides;

    /// <summary>Strides of an access to a dense tensor of a shape.</summary>
    public WeightStrides(OperandAccess access, Shape shape)
    {
        _strides = new long[access.Index.Count == 0 ? 0 : access.Index[0].Coefficients.Count];
        var extent = 1L;
        for (var d = shape.Rank - 1; d >= 0; d--)
        {
            First += access.Index[d].Constant * extent;
            for (var loop = 0; loop < _strides.Length; loop++)
            {
                _strides[loop] += access.Index[d].Coefficients[loop] * extent;
            }

            extent *= shape[d];
        }
    }

    /// <summary>Index of the element at the beginning of all loops.</summary>
    public long First { get; }

    /// <summary>Elements between two turns of a loop; 0 for no loop (-1).</summary>
    public long Of(int loop) => loop < 0 || loop >= _strides.Length ? 0 : _strides[loop];

    /// <summary>Index of the element at some turn of each loop.</summary>
    public long Flat(ReadOnlySpan<int> at)
    {
        var flat = First;
        for (var loop = 0; loop < _strides.Length; loop++)
        {
            flat += _strides[loop] * at[loop];
        }

        return flat;
    }
}
