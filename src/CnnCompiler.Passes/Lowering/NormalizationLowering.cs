using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Network;

namespace CnnCompiler.Passes.Lowering;

/// <summary>
/// batch_norm of inference, one operator: all loops opc; further operands scale, offset, mean and variance [C], indexed by the channel.
/// f32: post = extra0 * (acc - extra2) / sqrt(extra3 + epsilon) + extra1 in binary64, left to right. Fixed point: two operands instead, a = scale / sqrt(variance + epsilon) as
/// <see cref="FixedForms.Parameters(Shape, ReadOnlySpan{double})"/> says and b = offset - mean * a with the bits of the result, worked out in binary64:
/// post = clamp(fixed_multiply(acc, extra0, f + bits of a - f') + extra1).
/// </summary>
internal static class BatchNormLowering
{
    public static void Lower(BatchNorm layer, ChainBuilder chain)
    {
        if (layer.Type.Kind() == ValueKind.Fixed)
        {
            LowerFixed(layer, chain);
            return;
        }

        (string, Shape) Channel(string part, Tensor value) => (chain.Constant(layer, part, value), value.Shape);
        var normalized = Scalar.Quotient(
            Scalar.Multiply(Scalar.Extra(0), Scalar.Subtract(Scalar.Accumulator, Scalar.Extra(2))),
            Scalar.Call(ScalarFunction.Sqrt, Scalar.Add(Scalar.Extra(3), Scalar.Real(layer.Epsilon))));
        chain.Map(
            layer,
            layer.Type,
            layer.Name,
            layer.Inputs[0],
            Scalar.Add(normalized, Scalar.Extra(1)),
            Channel("scale", layer.Scale),
            Channel("offset", layer.Offset),
            Channel("mean", layer.Mean),
            Channel("variance", layer.Variance));
    }

    private static void LowerFixed(BatchNorm layer, ChainBuilder chain)
    {
        var to = Values.Fraction(layer.Type);
        var (factors, offsets) = (new double[layer.Scale.Shape.Elements], new double[layer.Scale.Shape.Elements]);
        for (var c = 0; c < factors.Length; c++)
        {
            factors[c] = layer.Scale.GetReal(c) / Math.Sqrt(layer.Variance.GetReal(c) + layer.Epsilon);
            offsets[c] = layer.Offset.GetReal(c) - (layer.Mean.GetReal(c) * factors[c]);
        }

        var (factor, bits) = FixedForms.Parameters(layer.Scale.Shape, factors);
        var product = FixedForms.Multiply(Scalar.Accumulator, Scalar.Extra(0), Values.Fraction(chain.Type(layer.Inputs[0])) + bits - to);
        chain.Map(
            layer,
            layer.Type,
            layer.Name,
            layer.Inputs[0],
            FixedForms.Saturated(Scalar.Add(product, Scalar.Extra(1))),
            (chain.Constant(layer, "factor", factor), factor.Shape),
            (chain.Constant(layer, "offset", FixedForms.Parameters(layer.Offset.Shape, offsets, to)), layer.Offset.Shape));
    }
}

/// <summary>
/// layer_norm over the dimensions from axis on, four operators (<c>research/gconv.md</c> section 2, as BN with ks on features); n is the number of elements normalised together:
/// <code>
///   layer.mean        reduced dimensions ks, others opc    main input              add    post acc / n
///   layer.centred     reduced dimensions opc, others g     main input - kernel            kernel layer.mean
///   layer.deviation   reduced dimensions ks, others opc    pre input * input       add    post sqrt(acc / n + epsilon)
///   layer             reduced dimensions opc, others g     main scale * input / kernel    kernel layer.deviation, post acc + offset
/// </code>
/// f32: the values inside are f64. scale and offset are further operands of the last, or left out. Fixed point, the values inside i64:
/// <code>
///   layer.mean        fixed_divide(acc, n &lt;&lt; f, f)
///   layer.deviation   fixed_rsqrt(divide(acc, n) + epsilon) of 2 f bits, at least 1 unit: 1 over the deviation, with min(30, 50 - f) bits
///   layer             main fixed_multiply(input, kernel, so that 24 bits are left), post clamp(fixed_multiply(acc, scale, 24 + its bits - f') + offset)
/// </code>
/// </summary>
internal static class LayerNormLowering
{
    public static void Lower(LayerNorm layer, ChainBuilder chain)
    {
        var source = layer.Inputs[0];
        var shape = chain.Type(source).Shape;
        var axes = Enumerable.Range(layer.Axis, shape.Rank - layer.Axis).ToArray();
        var inside = Values.Inside(layer.Type, shape);
        var reduced = Values.Inside(layer.Type, Shape.Of([.. shape.Dimensions.Select((extent, d) => d < layer.Axis ? extent : 1)]));
        var elements = axes.Aggregate(1L, (product, d) => product * shape[d]);
        if (layer.Type.Kind() == ValueKind.Fixed)
        {
            LowerFixed(layer, chain, axes, inside, reduced, elements);
            return;
        }

        var count = Scalar.Real(elements);
        var mean = chain.Reduce(
            layer, reduced, chain.NameFor(layer, "mean"), source, axes, GconvReduction.Add, Scalar.Input, Scalar.Quotient(Scalar.Accumulator, count), ElementType.Float64);
        var centred = chain.Combine(layer, inside, chain.NameFor(layer, "centred"), source, mean, Scalar.Subtract(Scalar.Input, Scalar.Kernel), Scalar.Accumulator);
        var deviation = chain.Reduce(
            layer,
            reduced,
            chain.NameFor(layer, "deviation"),
            centred,
            axes,
            GconvReduction.Add,
            Scalar.Multiply(Scalar.Input, Scalar.Input),
            Scalar.Call(ScalarFunction.Sqrt, Scalar.Add(Scalar.Quotient(Scalar.Accumulator, count), Scalar.Real(layer.Epsilon))),
            ElementType.Float64);
        var extras = new List<(string, Shape)>();
        var scaled = Operand("scale", layer.Scale) is { } scale ? Scalar.Multiply(scale, Scalar.Input) : Scalar.Input;
        var post = Operand("offset", layer.Offset) is { } offset ? Scalar.Add(Scalar.Accumulator, offset) : Scalar.Accumulator;
        chain.Combine(layer, layer.Type, layer.Name, centred, deviation, Scalar.Quotient(scaled, Scalar.Kernel), post, [.. extras]);

        ScalarExpression? Operand(string part, Tensor? value)
        {
            if (value is null)
            {
                return null;
            }

            extras.Add((chain.Constant(layer, part, value), value.Shape));
            return Scalar.Extra(extras.Count - 1);
        }
    }

    private static void LowerFixed(LayerNorm layer, ChainBuilder chain, int[] axes, TensorType inside, TensorType reduced, long elements)
    {
        const int normalBits = 24;
        var source = layer.Inputs[0];
        var (from, to) = (Values.Fraction(chain.Type(source)), Values.Fraction(layer.Type));
        var mean = chain.Reduce(
            layer, reduced, chain.NameFor(layer, "mean"), source, axes, GconvReduction.Add, Scalar.Input, FixedForms.Mean(Scalar.Accumulator, elements, from, from), ElementType.Int64);
        var centred = chain.Combine(layer, inside, chain.NameFor(layer, "centred"), source, mean, Scalar.Subtract(Scalar.Input, Scalar.Kernel), Scalar.Accumulator);
        var variance = Scalar.Add(Scalar.Divide(Scalar.Accumulator, Scalar.Literal(elements)), FixedForms.Parameter(layer.Epsilon, 2 * from));
        var rootBits = Math.Min(FixedForms.Unit, 50 - from);
        var deviation = chain.Reduce(
            layer,
            reduced,
            chain.NameFor(layer, "deviation"),
            centred,
            axes,
            GconvReduction.Add,
            Scalar.Multiply(Scalar.Input, Scalar.Input),
            FixedForms.Call(ScalarFunction.FixedReciprocalSqrt, Scalar.Maximum(variance, Scalar.Literal(1)), 2 * from, rootBits),
            ElementType.Int64);
        var extras = new List<(string, Shape)>();
        var (post, bits) = (Scalar.Accumulator, 0);
        if (layer.Scale is { } scale)
        {
            (var factor, bits) = FixedForms.Parameters(scale.Shape, Reals(scale));
            post = Operand("scale", factor);
            post = FixedForms.Multiply(Scalar.Accumulator, post, normalBits + bits - to);
        }
        else
        {
            post = FixedForms.Multiply(post, Scalar.Literal(1), normalBits - to);
        }

        if (layer.Offset is { } offset)
        {
            post = Scalar.Add(post, Operand("offset", FixedForms.Parameters(offset.Shape, Reals(offset), to)));
        }

        chain.Combine(
            layer, layer.Type, layer.Name, centred, deviation, FixedForms.Multiply(Scalar.Input, Scalar.Kernel, from + rootBits - normalBits), FixedForms.Saturated(post), [.. extras]);

        ScalarExpression Operand(string part, Tensor value)
        {
            extras.Add((chain.Constant(layer, part, value), value.Shape));
            return Scalar.Extra(extras.Count - 1);
        }
    }

    private static double[] Reals(Tensor tensor) => [.. Enumerable.Range(0, (int)tensor.Shape.Elements).Select(i => tensor.GetReal(i))];
}

/// <summary>
/// lrn, two operators (<c>research/gconv.md</c> section 2), the channel being the last dimension:
/// <code>
///   layer.norm   others opc, c.opc, c.ks of size trips, input at c.opc + c.ks - floor((size - 1) / 2)   pre input * input   add   post power(bias + alpha / size * acc, beta)
///   layer        all loops g   main input / kernel   kernel layer.norm
/// </code>
/// Taps outside the channels are skipped. f32: layer.norm is f64. Fixed point, layer.norm i64 with 30 bits and to the power of -beta, so that the last operator multiplies:
/// <code>
///   layer.norm   post fixed_exp(fixed_multiply(fixed_log(b), -beta, 30)), b = max(bias + fixed_multiply(acc, alpha / size, so that 30 bits are left), 1 unit) with 30 bits
///   layer        main input, kernel: fixed_multiply(input, kernel, f + 30 - f')
/// </code>
/// </summary>
internal static class LrnLowering
{
    public static void Lower(Lrn layer, ChainBuilder chain)
    {
        var source = layer.Inputs[0];
        var shape = layer.Type.Shape;
        var last = shape.Rank - 1;
        var nest = new LoopNest(
            [
                .. shape.Dimensions.Select((extent, d) => new GconvLoop(LoopNest.DimensionName(d, shape.Rank), LoopKind.OutputPosition, extent)),
                new(LoopNest.DimensionName(last, shape.Rank), LoopKind.KernelSize, layer.Size),
            ]);
        var parallel = Enumerable.Range(0, shape.Rank).Select(d => nest.At(d)).ToArray();
        AffineExpression[] index = [.. parallel[..last], nest.At(-((layer.Size - 1) / 2), (last, 1), (shape.Rank, 1))];
        var inside = Values.Inside(layer.Type, shape);
        var real = layer.Type.Kind() == ValueKind.Real;
        var from = real ? 0 : Values.Fraction(chain.Type(source));
        var norm = chain.NameFor(layer, "norm");
        chain.Add(layer, new GconvOperator(
            norm,
            inside,
            nest.Loops,
            nest.Padded(source, shape, [.. index]),
            null,
            [],
            real ? ElementType.Float64 : ElementType.Int64,
            Scalar.Multiply(Scalar.Input, Scalar.Input),
            Scalar.Input,
            GconvReduction.Add,
            real ? Power(layer) : FixedPower(layer, from),
            [.. parallel]));
        chain.Define(norm, inside);
        if (real)
        {
            chain.Combine(layer, layer.Type, layer.Name, source, norm, Scalar.Quotient(Scalar.Input, Scalar.Kernel), Scalar.Accumulator);
            return;
        }

        var product = FixedForms.Multiply(Scalar.Input, Scalar.Kernel, from + FixedForms.Unit - Values.Fraction(layer.Type));
        chain.Combine(layer, layer.Type, layer.Name, source, norm, product, FixedForms.Saturated(Scalar.Accumulator));
    }

    private static ScalarExpression Power(Lrn layer)
    {
        var sum = Scalar.Multiply(Scalar.Quotient(Scalar.Real(layer.Alpha), Scalar.Real(layer.Size)), Scalar.Accumulator);
        return Scalar.Call(ScalarFunction.Power, Scalar.Add(Scalar.Real(layer.Bias), sum), Scalar.Real(layer.Beta));
    }

    private static ScalarExpression FixedPower(Lrn layer, int from)
    {
        const int unit = FixedForms.Unit;
        var (factor, bits) = FixedForms.Parameters(Shape.Of(), [(double)layer.Alpha / layer.Size]);
        var sum = FixedForms.Multiply(Scalar.Accumulator, Scalar.Literal(factor.GetInteger(0)), (2 * from) + bits - unit);
        var power = Scalar.Maximum(Scalar.Add(FixedForms.Parameter(layer.Bias), sum), Scalar.Literal(1));
        var exponent = FixedForms.Multiply(FixedForms.Call(ScalarFunction.FixedLog, power, unit, unit), FixedForms.Parameter(-layer.Beta), unit);
        return FixedForms.Call(ScalarFunction.FixedExp, exponent, unit, unit);
    }
}
