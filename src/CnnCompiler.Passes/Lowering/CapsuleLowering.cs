using System.Globalization;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Network;

namespace CnnCompiler.Passes.Lowering;

/// <summary>
/// squash over the last dimension, e, two operators (<c>research/gconv.md</c> section 2):
/// <code>
///   layer.norm2   e.ks, others opc   pre input * input   add                            q = |s|^2
///   layer         e.opc, others g    main q / (1 + q) * s / sqrt(q), 0 where q is 0      input s, kernel layer.norm2
/// </code>
/// f32, in binary64, left to right: layer.norm2 is f64. Fixed point: layer.norm2 is i64 with 2 f bits, and main = fixed_multiply(s, fixed_divide(fixed_sqrt(q), 1 + q), f + 30 - f'), where the
/// root and the quotient have 30 bits: sqrt(q) / (1 + q) is the same factor without the case of 0.
/// </summary>
internal static class SquashLowering
{
    public static void Lower(Squash layer, ChainBuilder chain) => Squashed(layer, chain, layer.Type, layer.Name, string.Empty, layer.Inputs[0], Bits(chain.Type(layer.Inputs[0])), Bits(layer.Type));

    /// <summary>Bits after the binary point; 0 of reals.</summary>
    public static int Bits(TensorType type) => type.Kind() == ValueKind.Fixed ? Values.Fraction(type) : 0;

    /// <summary>A squashing as part of a layer.</summary>
    public static string Squashed(Layer layer, ChainBuilder chain, TensorType type, string name, string suffix, string source, int from, int to)
    {
        var real = type.Kind() == ValueKind.Real;
        var shape = type.Shape;
        var last = shape.Rank - 1;
        var reduced = Values.Inside(type, Shape.Of([.. shape.Dimensions.Take(last), 1]));
        var norm = chain.Reduce(
            layer, reduced, chain.NameFor(layer, $"norm2{suffix}"), source, [last], GconvReduction.Add, Scalar.Multiply(Scalar.Input, Scalar.Input), Scalar.Accumulator, real ? ElementType.Float64 : ElementType.Int64);
        var (s, q) = (Scalar.Input, Scalar.Kernel);
        if (!real)
        {
            var root = FixedForms.Call(ScalarFunction.FixedSqrt, q, 2 * from, FixedForms.Unit);
            var factor = FixedForms.Divide(root, Scalar.Add(Scalar.Literal(1L << (2 * from)), q), 2 * from);
            return chain.Combine(layer, type, name, source, norm, FixedForms.Multiply(s, factor, from + FixedForms.Unit - to), FixedForms.Saturated(Scalar.Accumulator));
        }

        var squashed = Scalar.Quotient(Scalar.Multiply(Scalar.Quotient(q, Scalar.Add(Scalar.Real(1), q)), s), Scalar.Call(ScalarFunction.Sqrt, q));
        return chain.Combine(layer, type, name, source, norm, Scalar.Select(Scalar.Subtract(Scalar.Real(0), q), Scalar.Real(0), squashed), Scalar.Accumulator);
    }
}

/// <summary>
/// routing, unrolled: predictions u [N, I, J, E] with logits b [N, I, J], 0 at first. An iteration t is nine operators (<c>research/gconv.md</c> section 2):
/// <code>
///   layer.max.t, layer.exp.t, layer.sum.t, layer.coupling.t   softmax over j of layer.logits.t
///   layer.weighted.t    n.g, j.g, e.opc, i.ks   main input * kernel   add    sum over i of c * u, input u, kernel layer.coupling.t
///   layer.norm2.t, layer.squashed.t (layer at last)   squash over e
///   layer.logits.t+1    n.g, i.opc, j.g, e.ks   main input * kernel   add    post acc + b   input u, kernel layer.squashed.t; not at last
/// </code>
/// In the first iteration every coupling is 1 / J: layer.weighted.0 has no kernel operand and pre = 1 / J * input, and layer.logits.1 adds no b. f32: the values inside are f64. Fixed point: they are i64,
/// couplings with 30 bits, all others with the f of u; sums of products are shifted right, half up.
/// </summary>
internal static class RoutingLowering
{
    public static void Lower(Routing layer, ChainBuilder chain)
    {
        var predictions = layer.Inputs[0];
        var shape = chain.Type(predictions).Shape;
        var (n, i, j, e) = (shape[0], shape[1], shape[2], shape[3]);
        var logits = Values.Inside(layer.Type, Shape.Of(n, i, j));
        var capsules = Values.Inside(layer.Type, Shape.Of(n, j, e));
        string? earlier = null;
        var real = layer.Type.Kind() == ValueKind.Real;
        var from = SquashLowering.Bits(chain.Type(predictions));
        var exponential = real ? Scalar.Call(ScalarFunction.Exp, Scalar.Accumulator) : FixedForms.Call(ScalarFunction.FixedExp, Scalar.Accumulator, from, FixedForms.Unit);
        for (var t = 0; t < layer.Iterations; t++)
        {
            var suffix = string.Create(CultureInfo.InvariantCulture, $".{t}");
            var coupling = earlier is null
                ? null
                : SoftmaxLowering.Rows(layer, chain, logits, chain.NameFor(layer, $"coupling{suffix}"), suffix, earlier, exponential, FixedForms.Unit);
            var weighted = Weighted(layer, chain, predictions, coupling, capsules, chain.NameFor(layer, $"weighted{suffix}"), (n, i, j, e));
            if (t == layer.Iterations - 1)
            {
                SquashLowering.Squashed(layer, chain, layer.Type, layer.Name, suffix, weighted, from, SquashLowering.Bits(layer.Type));
                return;
            }

            var squashed = SquashLowering.Squashed(layer, chain, capsules, chain.NameFor(layer, $"squashed{suffix}"), suffix, weighted, from, from);
            earlier = Agreement(layer, chain, predictions, squashed, earlier, logits, chain.NameFor(layer, string.Create(CultureInfo.InvariantCulture, $"logits.{t + 1}")), (n, i, j, e));
        }
    }

    private static string Weighted(Layer layer, ChainBuilder chain, string predictions, string? coupling, TensorType type, string name, (int N, int I, int J, int E) extents)
    {
        var real = layer.Type.Kind() == ValueKind.Real;
        var equal = real ? Scalar.Quotient(Scalar.Real(1), Scalar.Real(extents.J)) : FixedForms.Divide(Scalar.Literal(1), Scalar.Literal(extents.J), FixedForms.Unit);
        var kind = coupling is null ? LoopKind.OutputPosition : LoopKind.Group;
        var nest = new LoopNest(new("n", kind, extents.N), new("j", kind, extents.J), new("e", LoopKind.OutputPosition, extents.E), new("i", LoopKind.KernelSize, extents.I));
        var (n, j, e, i) = (nest.At(0), nest.At(1), nest.At(2), nest.At(3));
        chain.Add(layer, new GconvOperator(
            name,
            type,
            nest.Loops,
            new(predictions, [n, i, j, e]),
            coupling is null ? null : new(coupling, [n, i, j]),
            [],
            real ? ElementType.Float64 : ElementType.Int64,
            coupling is null ? Scalar.Multiply(equal, Scalar.Input) : Scalar.Input,
            coupling is null ? Scalar.Input : Scalar.Multiply(Scalar.Input, Scalar.Kernel),
            GconvReduction.Add,
            real ? Scalar.Accumulator : Values.Rescaled(Scalar.Accumulator, FixedForms.Unit, 0),
            [n, j, e]));
        chain.Define(name, type);
        return name;
    }

    private static string Agreement(
        Layer layer, ChainBuilder chain, string predictions, string squashed, string? earlier, TensorType type, string name, (int N, int I, int J, int E) extents)
    {
        var nest = new LoopNest(
            new GconvLoop("n", LoopKind.Group, extents.N), new("i", LoopKind.OutputPosition, extents.I), new("j", LoopKind.Group, extents.J), new("e", LoopKind.KernelSize, extents.E));
        var (n, i, j, e) = (nest.At(0), nest.At(1), nest.At(2), nest.At(3));
        var agreement = type.Kind() == ValueKind.Real ? Scalar.Accumulator : Values.Rescaled(Scalar.Accumulator, SquashLowering.Bits(chain.Type(predictions)), 0);
        chain.Add(layer, new GconvOperator(
            name,
            type,
            nest.Loops,
            new(predictions, [n, i, j, e]),
            new(squashed, [n, j, e]),
            earlier is null ? [] : [new(earlier, [n, i, j])],
            type.Kind() == ValueKind.Real ? ElementType.Float64 : ElementType.Int64,
            Scalar.Input,
            Scalar.Multiply(Scalar.Input, Scalar.Kernel),
            GconvReduction.Add,
            earlier is null ? agreement : Scalar.Add(agreement, Scalar.Extra(0)),
            [n, i, j]));
        chain.Define(name, type);
        return name;
    }
}
