using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;

namespace CnnCompiler.Passes.Chain;

/// <summary>
/// Puts an operator that computes element by element into post of the operator before it (rules F1 to F3, F5 and F6 of <c>research/gconv.md</c> section 5). Nothing is added in another order: results keep
/// their bits. The consumer E goes into the producer P where
/// <list type="bullet">
/// <item>E reduces nothing, and reads P's tensor as its input or kernel, each element once: an index is one loop of E from 0 to the end of the dimension, each loop in one index;</item>
/// <item>nothing else reads P's tensor, neither a step nor a view nor the caller;</item>
/// <item>E's program uses the element once, or P's result is the reduced value itself: nothing is worked out twice;</item>
/// <item>E's other operand, which becomes a further operand, is never read outside its tensor;</item>
/// <item>the target takes the joined program.</item>
/// </list>
/// E's other indexes are said over P's loops: each loop of E is an affine function of them, P's output index. An f32 tensor that is no longer written rounds by <see cref="ScalarFunction.Single"/>.
/// </summary>
/// <param name="accepts">For a chain, what tells whether the target can execute an operator on its tensors.</param>
/// <param name="takes">Consumers to look at.</param>
internal sealed class ElementwiseFusion(Func<GconvProgram, Func<GconvOperator, bool>> accepts, Func<GconvOperator, bool> takes)
{
    /// <summary>The chain with all such consumers in their producers; itself where there is none.</summary>
    public GconvProgram Run(GconvProgram program, CancellationToken cancellation)
    {
        while (Sweep(program, cancellation) is { } fused)
        {
            program = fused;
        }

        return program;
    }

    /// <summary>One sweep over the chain, each consumer into its producer as it then is; null where nothing changes.</summary>
    private GconvProgram? Sweep(GconvProgram program, CancellationToken cancellation)
    {
        var readers = new ChainReaders(program.Steps, program.Outputs);
        var shapes = program.Steps.ToDictionary(step => step.Name, step => step.Type, StringComparer.Ordinal);
        var steps = new List<GconvStep?>();
        var places = new Dictionary<string, int>(StringComparer.Ordinal);
        var (changed, isAccepted) = (false, accepts(program));
        foreach (var step in program.Steps)
        {
            cancellation.ThrowIfCancellationRequested();
            var result = step;
            if (step is GconvOperator consumer && takes(consumer))
            {
                foreach (var isKernel in (bool[])[false, true])
                {
                    if ((isKernel ? consumer.Kernel : consumer.Input) is { } access && readers[access.Tensor] == 1 && places.TryGetValue(access.Tensor, out var place)
                        && steps[place] is GconvOperator { Destination: null } producer && Join(producer, consumer, isKernel, shapes[access.Tensor].Shape) is { } joined && isAccepted(joined))
                    {
                        (steps[place], result, changed) = (null, joined, true);
                        break;
                    }
                }
            }

            places[step.Name] = steps.Count;
            steps.Add(result);
        }

        return changed ? program with { Steps = steps.OfType<GconvStep>().ToEquatableArray() } : null;
    }

    /// <summary>Producer and consumer as one operator, or null where they can't be one.</summary>
    private static GconvOperator? Join(GconvOperator producer, GconvOperator consumer, bool isKernel, Shape shape)
    {
        if (consumer.Reduce != GconvReduction.None || consumer.Loops.Any(loop => loop.Kind == LoopKind.KernelSize && loop.Extent > 1)
            || (isKernel ? consumer.Kernel! : consumer.Input) is var access && LoopsOfElement(access, consumer.Loops, shape) is not { } dimensionOf)
        {
            return null;
        }

        var other = isKernel ? consumer.Input : consumer.Kernel;
        if (other is { OutOfRange: not OutOfRange.Never })
        {
            return null;
        }

        // the consumer's program over the producer's result: its further operands behind the producer's, the other operand behind those
        var first = producer.Extra.Count;
        var element = producer.Type.Element == ElementType.Float32 ? Scalar.Call(ScalarFunction.Single, producer.Post) : producer.Post;
        var operand = other is null ? null : Scalar.Extra(first + consumer.Extra.Count);
        var (input, kernel) = isKernel ? (operand!, element) : (element, operand);
        var pre = consumer.Pre.Replace(new(Input: input, FirstExtra: first));
        var main = consumer.Main.Replace(new(Input: pre, Kernel: kernel, FirstExtra: first));
        var uses = Uses(consumer, isKernel);
        if (uses == 0 || (uses > 1 && element is not ScalarAccumulator) || consumer.Post.Leaves().Any(leaf => leaf is ScalarTapCount))
        {
            return null;
        }

        var extras = producer.Extra.Concat(consumer.Extra.Concat(other is null ? [] : [other]).Select(extra => extra with { Index = Over(extra.Index) })).ToEquatableArray();
        return producer with
        {
            Name = consumer.Name,
            Type = consumer.Type,
            Extra = extras,
            Post = consumer.Post.Replace(new(Accumulator: main, FirstExtra: first)),
            OutputIndex = Over(consumer.OutputIndex),
            Destination = consumer.Destination,
        };

        EquatableArray<AffineExpression> Over(EquatableArray<AffineExpression> index) => index.Select(expression =>
        {
            var (coefficients, constant) = (new long[producer.Loops.Count], expression.Constant);
            for (var loop = 0; loop < consumer.Loops.Count; loop++)
            {
                if (expression.Coefficients[loop] is var factor && factor != 0 && dimensionOf.TryGetValue(loop, out var dimension))
                {
                    var place = producer.OutputIndex[dimension];
                    constant += factor * place.Constant;
                    for (var i = 0; i < coefficients.Length; i++)
                    {
                        coefficients[i] += factor * place.Coefficients[i];
                    }
                }
            }

            return new AffineExpression(coefficients.ToEquatableArray(), constant) { Divisor = expression.Divisor };
        }).ToEquatableArray();
    }

    /// <summary>How often the consumer's programs use the element, each use of pre and main counted as often as main and post use those.</summary>
    private static int Uses(GconvOperator consumer, bool isKernel)
    {
        var inPost = consumer.Post.Leaves().Count(leaf => leaf is ScalarAccumulator);
        return isKernel
            ? inPost * consumer.Main.Leaves().Count(leaf => leaf is ScalarKernel)
            : inPost * consumer.Main.Leaves().Count(leaf => leaf is ScalarInput) * consumer.Pre.Leaves().Count(leaf => leaf is ScalarInput);
    }

    /// <summary>The dimension that each loop of more than one trip indexes, where the loops go through the tensor's elements, each once; else null.</summary>
    private static Dictionary<int, int>? LoopsOfElement(OperandAccess access, EquatableArray<GconvLoop> loops, Shape shape)
    {
        if (access.OutOfRange != OutOfRange.Never)
        {
            return null;
        }

        var dimensionOf = new Dictionary<int, int>();
        for (var d = 0; d < shape.Rank; d++)
        {
            var used = Enumerable.Range(0, loops.Count).Where(loop => access.Index[d].Coefficients[loop] != 0 && loops[loop].Extent > 1).ToList();
            if (used.Count == 0 && shape[d] == 1)
            {
                continue;
            }

            if (used is not [var only] || access.Index[d] is not { Constant: 0, Divisor: 1 } || access.Index[d].Coefficients[only] != 1 || loops[only].Extent != shape[d] || !dimensionOf.TryAdd(only, d))
            {
                return null;
            }
        }

        return Enumerable.Range(0, loops.Count).All(loop => loops[loop].Extent == 1 || dimensionOf.ContainsKey(loop)) ? dimensionOf : null;
    }
}
