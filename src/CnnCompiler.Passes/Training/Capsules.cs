using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Passes.Lowering;

namespace CnnCompiler.Passes.Training;

/// <summary>
/// Prediction vectors of capsules, u = w * x with x [N, I, D], w [I, J, D, E], u [N, I, J, E], and gradients, one operator each, main input * kernel, reduce add:
/// <code>
///   u    n.opc, i.g, j.op, e.op, d.ks    of x, kernel w
///   dx   n.opc, i.g, d.op, j.ks, e.ks    of du, kernel w
///   dw   i.g, d.opc, j.op, e.op, n.ks    of x, kernel du
/// </code>
/// </summary>
public static class CapsuleTransformTraining
{
    /// <summary>Adds the transform.</summary>
    public static string Add(TrainingChain chain, string name, string x, string weights) => Operator(chain, name, x, weights, null);

    /// <summary>Adds the gradient of the input.</summary>
    public static string InputGradient(TrainingChain chain, string name, string du, string weights)
    {
        var (u, w) = (chain.Shape(du), chain.Shape(weights));
        var nest = new LoopNest(
            new GconvLoop("n", LoopKind.OutputPosition, u[0]), new("i", LoopKind.Group, w[0]), new("d", LoopKind.OutputParallel, w[2]), new("j", LoopKind.KernelSize, w[1]), new("e", LoopKind.KernelSize, w[3]));
        return Product(
            chain, name, Shape.Of(u[0], w[0], w[2]), nest, new(du, [nest.At(0), nest.At(1), nest.At(3), nest.At(4)]), new(weights, [nest.At(1), nest.At(3), nest.At(2), nest.At(4)]), [nest.At(0), nest.At(1), nest.At(2)]);
    }

    /// <summary>Adds the gradient of the weights.</summary>
    public static string WeightGradient(TrainingChain chain, string name, string x, string du) => Operator(chain, name, x, null, du);

    private static string Operator(TrainingChain chain, string name, string x, string? weights, string? du)
    {
        var (n, i, d) = (chain.Shape(x)[0], chain.Shape(x)[1], chain.Shape(x)[2]);
        var (j, e) = weights is not null ? (chain.Shape(weights)[1], chain.Shape(weights)[3]) : (chain.Shape(du!)[2], chain.Shape(du!)[3]);
        var forward = weights is not null;
        var nest = new LoopNest(
            new GconvLoop("n", forward ? LoopKind.OutputPosition : LoopKind.KernelSize, n),
            new("i", LoopKind.Group, i),
            new("j", LoopKind.OutputParallel, j),
            new("e", LoopKind.OutputParallel, e),
            new("d", forward ? LoopKind.KernelSize : LoopKind.OutputPosition, d));
        var input = new OperandAccess(x, [nest.At(0), nest.At(1), nest.At(4)]);
        return forward
            ? Product(chain, name, Shape.Of(n, i, j, e), nest, input, new(weights!, [nest.At(1), nest.At(2), nest.At(4), nest.At(3)]), [nest.At(0), nest.At(1), nest.At(2), nest.At(3)])
            : Product(chain, name, Shape.Of(i, j, d, e), nest, input, new(du!, [nest.At(0), nest.At(1), nest.At(2), nest.At(3)]), [nest.At(1), nest.At(2), nest.At(4), nest.At(3)]);
    }

    private static string Product(TrainingChain chain, string name, Shape shape, LoopNest nest, OperandAccess input, OperandAccess kernel, AffineExpression[] output) => chain.Add(
        name,
        "capsule_transform",
        shape,
        nest,
        new(input, kernel) { Main = TrainingNumbers.Term, Post = chain.Numbers.Result(chain.Numbers.SumOfProducts(Scalar.Accumulator)), Reduce = GconvReduction.Add },
        output);
}

/// <summary>
/// Squashing over the last dimension, e: v = s * sqrt(q) / (1 + q) with q = |s|^2; and its gradient. f = sqrt(q) / (1 + q).
/// <code>
///   v.norm2   e.ks, others opc   pre input * input     add                          q
///   v         e.opc, others g    main input * f(kernel)                             of s, kernel v.norm2
///   ds.dot    e.ks, others g     main input * kernel   add                          of dv, kernel s
///   ds.rate   all g              main input * (1 - kernel) / (sqrt(kernel) * (1 + kernel)^2), 0 where q is 0      of ds.dot, kernel v.norm2
///   ds        all g              main input * f(extra0) + kernel * extra1           of dv, kernel s, extras v.norm2, ds.rate
/// </code>
/// </summary>
public static class SquashTraining
{
    /// <summary>Adds the squashing; returns its result and the squares of the lengths.</summary>
    public static (string Result, string Norm) Add(TrainingChain chain, string name, string s)
    {
        var numbers = chain.Numbers;
        var norm = chain.Reduce(
            $"{name}.norm2", "squash", s, null, [chain.Shape(s).Rank - 1], keep: true, numbers.Product(Scalar.Input, Scalar.Input), numbers.Result(Scalar.Accumulator));
        return (chain.Elements(name, "squash", s, norm, numbers.Product(Scalar.Input, Factor(numbers, Scalar.Kernel)), numbers.Result(Scalar.Accumulator)), norm);
    }

    /// <summary>Adds the gradient.</summary>
    public static string Gradient(TrainingChain chain, string name, string dv, string s, string norm)
    {
        var (numbers, q) = (chain.Numbers, Scalar.Kernel);
        var last = chain.Shape(s).Rank - 1;
        var dot = chain.Reduce($"{name}.dot", "squash_gradient", dv, s, [last], keep: true, TrainingNumbers.Term, numbers.Result(numbers.SumOfProducts(Scalar.Accumulator)));
        var more = Scalar.Add(numbers.Number(1), q);
        var below = numbers.Product(numbers.Root(Floor(numbers, q)), numbers.Product(more, more));
        var rate = numbers.Quotient(numbers.Product(Scalar.Input, Scalar.Subtract(numbers.Number(1), q)), below);
        var rates = chain.Elements(
            $"{name}.rate", "squash_gradient", dot, norm, Scalar.Select(Scalar.Subtract(numbers.Number(0), q), numbers.Number(0), rate), numbers.Result(Scalar.Accumulator));
        var sum = Scalar.Add(numbers.Product(Scalar.Input, Factor(numbers, Scalar.Extra(0))), numbers.Product(Scalar.Kernel, Scalar.Extra(1)));
        return chain.Elements(name, "squash_gradient", dv, s, sum, numbers.Result(Scalar.Accumulator), norm, rates);
    }

    private static ScalarExpression Factor(TrainingNumbers numbers, ScalarExpression q) => numbers.Quotient(numbers.Root(q), Scalar.Add(numbers.Number(1), q));

    // both sides of a select are worked out: a quotient of integers by 0 is a fault
    private static ScalarExpression Floor(TrainingNumbers numbers, ScalarExpression q) => numbers.IsReal ? q : Scalar.Maximum(q, Scalar.Literal(1));
}

/// <summary>
/// Routing between capsules, u [N, I, J, E] to v [N, J, E], as <see cref="Ir.Network.Routing"/> of the network level; an iteration:
/// <code>
///   v.coupling.t   softmax over j of the logits (four operators of <see cref="SoftmaxTraining"/>); 1 / J at first, without an operator
///   v.weighted.t   n.g, j.g, e.opc, i.ks    main input * kernel   add    of u, kernel the couplings
///   v.t            squash over e
///   v.logits.t     n.g, i.opc, j.g, e.ks    main input * kernel   add    post acc + extra      of u, kernel v.t, extra the logits before; not at last
/// </code>
/// The gradient takes the couplings of the last iteration as constants (Sabour et al. 2017 leave them to the forward step): squash's gradient ds, then
/// <code>
///   du   n.g, i.op, j.g, e.opc    main input * kernel    of ds, kernel the couplings
/// </code>
/// </summary>
public static class RoutingTraining
{
    /// <summary>What the gradient needs.</summary>
    /// <param name="Result">The capsules.</param>
    /// <param name="Weighted">The weighted sums before the last squashing.</param>
    /// <param name="Norm">Squares of their lengths.</param>
    /// <param name="Coupling">The last couplings; null where all are 1 / J.</param>
    public readonly record struct Values(string Result, string Weighted, string Norm, string? Coupling);

    /// <summary>Adds the iterations.</summary>
    public static Values Add(TrainingChain chain, string name, string u, int iterations)
    {
        var (numbers, shape) = (chain.Numbers, chain.Shape(u));
        var (n, i, j, e) = (shape[0], shape[1], shape[2], shape[3]);
        string? logits = null;
        for (var t = 0; ; t++)
        {
            var coupling = logits is null ? null : SoftmaxTraining.Add(chain, FormattableString.Invariant($"{name}.coupling.{t}"), logits);
            var weighted = Weighted(chain, FormattableString.Invariant($"{name}.weighted.{t}"), u, coupling);
            var (result, norm) = SquashTraining.Add(chain, t == iterations - 1 ? name : FormattableString.Invariant($"{name}.{t}"), weighted);
            if (t == iterations - 1)
            {
                return new(result, weighted, norm, coupling);
            }

            var nest = new LoopNest(new GconvLoop("n", LoopKind.Group, n), new("i", LoopKind.OutputPosition, i), new("j", LoopKind.Group, j), new("e", LoopKind.KernelSize, e));
            var agreement = numbers.SumOfProducts(Scalar.Accumulator);
            EquatableArray<AffineExpression> place = [nest.At(0), nest.At(1), nest.At(2)];
            logits = chain.Add(
                FormattableString.Invariant($"{name}.logits.{t}"),
                "routing",
                Shape.Of(n, i, j),
                nest,
                new(new(u, [nest.At(0), nest.At(1), nest.At(2), nest.At(3)]), new(result, [nest.At(0), nest.At(2), nest.At(3)]))
                {
                    Extra = logits is null ? [] : [new(logits, place)],
                    Main = TrainingNumbers.Term,
                    Post = numbers.Result(logits is null ? agreement : Scalar.Add(agreement, Scalar.Extra(0))),
                    Reduce = GconvReduction.Add,
                },
                [.. place]);
        }
    }

    /// <summary>Adds the gradient of the predictions.</summary>
    public static string Gradient(TrainingChain chain, string name, string dv, string u, Values values)
    {
        var (numbers, shape) = (chain.Numbers, chain.Shape(u));
        var ds = SquashTraining.Gradient(chain, $"{name}.weighted", dv, values.Weighted, values.Norm);
        var kind = values.Coupling is null ? LoopKind.OutputPosition : LoopKind.Group;
        var nest = new LoopNest(new GconvLoop("n", kind, shape[0]), new("i", LoopKind.OutputParallel, shape[1]), new("j", kind, shape[2]), new("e", LoopKind.OutputPosition, shape[3]));
        return chain.Add(
            name,
            "routing_gradient",
            shape,
            nest,
            new(new(ds, [nest.At(0), nest.At(2), nest.At(3)]), values.Coupling is null ? null : new(values.Coupling, [nest.At(0), nest.At(1), nest.At(2)]))
            {
                Main = values.Coupling is null ? Scalar.Input : numbers.Product(Scalar.Input, Scalar.Kernel),
                Post = numbers.Result(values.Coupling is null ? numbers.Times(Scalar.Accumulator, 1.0 / shape[2]) : Scalar.Accumulator),
            },
            [nest.At(0), nest.At(1), nest.At(2), nest.At(3)]);
    }

    private static string Weighted(TrainingChain chain, string name, string u, string? coupling)
    {
        var (numbers, shape) = (chain.Numbers, chain.Shape(u));
        var kind = coupling is null ? LoopKind.OutputPosition : LoopKind.Group;
        var nest = new LoopNest(new GconvLoop("n", kind, shape[0]), new("j", kind, shape[2]), new("e", LoopKind.OutputPosition, shape[3]), new("i", LoopKind.KernelSize, shape[1]));
        return chain.Add(
            name,
            "routing",
            Shape.Of(shape[0], shape[2], shape[3]),
            nest,
            new(new(u, [nest.At(0), nest.At(3), nest.At(1), nest.At(2)]), coupling is null ? null : new(coupling, [nest.At(0), nest.At(3), nest.At(1)]))
            {
                Main = coupling is null ? Scalar.Input : TrainingNumbers.Term,
                Post = numbers.Result(coupling is null ? numbers.Times(Scalar.Accumulator, 1.0 / shape[2]) : numbers.SumOfProducts(Scalar.Accumulator)),
                Reduce = GconvReduction.Add,
            },
            [nest.At(0), nest.At(1), nest.At(2)]);
    }
}

/// <summary>
/// Attention of heads: queries, keys and values [B, L, D], b a batch and head; six operators:
/// <code>
///   y.scores   b.g, q.opc, k.op, d.ks    main input * kernel   add   post acc / sqrt(D)    of queries, kernel keys
///   y.weights  softmax over k (<see cref="SoftmaxTraining"/>)
///   y          b.g, q.opc, d.op, k.ks    main input * kernel   add                         of y.weights, kernel values
/// </code>
/// </summary>
public static class Attention
{
    /// <summary>Adds the operators.</summary>
    public static string Add(TrainingChain chain, string name, string queries, string keys, string values)
    {
        var (numbers, q, k) = (chain.Numbers, chain.Shape(queries), chain.Shape(keys));
        var scores = new LoopNest(new GconvLoop("b", LoopKind.Group, q[0]), new("q", LoopKind.OutputPosition, q[1]), new("k", LoopKind.OutputParallel, k[1]), new("d", LoopKind.KernelSize, q[2]));
        var score = chain.Add(
            $"{name}.scores",
            "attention",
            Shape.Of(q[0], q[1], k[1]),
            scores,
            new(new(queries, [scores.At(0), scores.At(1), scores.At(3)]), new(keys, [scores.At(0), scores.At(2), scores.At(3)]))
            {
                Main = TrainingNumbers.Term,
                Post = numbers.Result(numbers.Times(numbers.SumOfProducts(Scalar.Accumulator), 1 / Math.Sqrt(q[2]))),
                Reduce = GconvReduction.Add,
            },
            [scores.At(0), scores.At(1), scores.At(2)]);
        var weights = SoftmaxTraining.Add(chain, $"{name}.weights", score);
        var d = chain.Shape(values)[2];
        var sums = new LoopNest(new GconvLoop("b", LoopKind.Group, q[0]), new("q", LoopKind.OutputPosition, q[1]), new("d", LoopKind.OutputParallel, d), new("k", LoopKind.KernelSize, k[1]));
        return chain.Add(
            name,
            "attention",
            Shape.Of(q[0], q[1], d),
            sums,
            new(new(weights, [sums.At(0), sums.At(1), sums.At(3)]), new(values, [sums.At(0), sums.At(3), sums.At(2)]))
            {
                Main = TrainingNumbers.Term,
                Post = numbers.Result(numbers.SumOfProducts(Scalar.Accumulator)),
                Reduce = GconvReduction.Add,
            },
            [sums.At(0), sums.At(1), sums.At(2)]);
    }
}
