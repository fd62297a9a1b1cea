using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Fuzzing;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Network;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Ir.Tests.Gconv;

/// <summary>Chains of one sum of products with loops, strides, directions, element types and ranks as no layer has them; and what they mean, in the plainest way.</summary>
internal static class RandomContractions
{
    private static readonly ElementType[] Types = [ElementType.Int8, ElementType.UInt8, ElementType.Int16, ElementType.Int32, ElementType.Int64];

    /// <summary>Sums of products of f32; every third result is rounded to f32.</summary>
    public static (GconvProgram Program, Tensor Input) MakeReal(int seed)
    {
        var (program, _) = Make(seed);
        var random = new SeededRandom((ulong)seed + 1_000_000);
        var operation = (GconvOperator)program.Steps[0];
        var input = Reals(program.Inputs[0].Type.Shape, random);
        var kernel = Reals(program.Constants[0].Value.Shape, random);
        operation = operation with
        {
            Type = new(seed % 3 == 0 ? ElementType.Float32 : ElementType.Float64, operation.Type.Shape),
            Accumulator = ElementType.Float64,
            Input = operation.Input.OutOfRange == OutOfRange.Fill ? operation.Input with { OutOfRange = OutOfRange.SkipTap, FillValue = 0 } : operation.Input,
            Pre = Scalar.Input,
            Post = Scalar.Add(Scalar.Accumulator, Scalar.Call(ScalarFunction.Real, Scalar.TapCount)),
        };
        return (program with { Inputs = [new NetworkInput("x", new(input.Element, input.Shape))], Constants = [new("k", kernel)], Steps = [operation] }, input);
    }

    /// <summary>Sum in the order of the loops, and number of taps added at last, by walking over all loops.</summary>
    public static Tensor NaiveReal(GconvProgram program, Tensor input)
    {
        var operation = (GconvOperator)program.Steps[0];
        var kernel = program.Constants[0].Value;
        var sums = new double[operation.Type.Shape.Elements];
        var taps = new int[sums.Length];
        foreach (var at in Trips(operation.Loops))
        {
            if (Flat(operation.Input.Index, input.Shape, at) is var x and >= 0)
            {
                var output = Flat(operation.OutputIndex, operation.Type.Shape, at);
                sums[output] += (double)input.AsSpan<float>()[(int)x] * kernel.AsSpan<float>()[(int)Flat(operation.Kernel!.Index, kernel.Shape, at)];
                taps[output]++;
            }
        }

        var values = sums.Zip(taps, (sum, count) => sum + count).ToArray();
        return operation.Type.Element == ElementType.Float32
            ? Tensor.From<float>(ElementType.Float32, operation.Type.Shape, values.Select(value => (float)value).ToArray())
            : Tensor.From<double>(ElementType.Float64, operation.Type.Shape, values);
    }

    public static (GconvProgram Program, Tensor Input) Make(int seed)
    {
        var random = new SeededRandom((ulong)seed);
        var loops = Loops(random);
        var skips = random.OneIn(2);
        var (inputIndex, inputShape) = Index(loops, kind => kind != LoopKind.OutputParallel, random, skips);
        var (kernelIndex, kernelShape) = Index(loops, kind => kind != LoopKind.OutputPosition, random, outside: false);
        var (outputIndex, outputShape) = Output(loops, random);
        var input = Elements(random.Choose<ElementType>(Types), inputShape, random);
        var kernel = Elements(random.Choose<ElementType>(Types), kernelShape, random);
        var pre = random.Next(0, 3) switch
        {
            0 => Scalar.Input,
            1 => Scalar.Subtract(Scalar.Input, Scalar.Literal(random.Next(-200, 200))),
            2 => Scalar.Add(Scalar.Input, Scalar.Literal(random.Next(-200, 200))),
            _ => Scalar.Multiply(Scalar.Input, Scalar.Literal(3)),
        };
        var operation = new GconvOperator(
            "y",
            new(ElementType.Int64, outputShape),
            loops,
            !skips ? new("x", inputIndex) : seed % 2 == 0 || inputIndex.Any(expression => expression.Divisor > 1) ? new("x", inputIndex, OutOfRange.SkipTap) : new("x", inputIndex, OutOfRange.Fill, random.Next(0, 100)),
            new("k", kernelIndex),
            [],
            ElementType.Int64,
            pre,
            random.OneIn(2) ? Scalar.Multiply(Scalar.Input, Scalar.Kernel) : Scalar.Multiply(Scalar.Kernel, Scalar.Input),
            GconvReduction.Add,
            Scalar.Add(Scalar.Multiply(Scalar.Accumulator, Scalar.Literal(64)), Scalar.TapCount),
            outputIndex);
        return (new("contraction", [new NetworkInput("x", new(input.Element, inputShape))], [new("k", kernel)], [operation], ["y"]), input);
    }

    /// <summary>64 * sum + number of taps, by walking over all loops.</summary>
    public static Tensor Naive(GconvProgram program, Tensor input)
    {
        var operation = (GconvOperator)program.Steps[0];
        var kernel = program.Constants[0].Value;
        var sums = new long[operation.Type.Shape.Elements];
        var loops = operation.Loops;
        foreach (var at in Trips(loops))
        {
            var x = Flat(operation.Input.Index, input.Shape, at);
            if (x >= 0 || operation.Input.OutOfRange == OutOfRange.Fill)
            {
                var element = x >= 0 ? input.GetInteger(x) : operation.Input.FillValue;
                var value = operation.Pre switch
                {
                    ScalarBinary { Operator: ScalarBinaryOperator.Subtract, Right: ScalarLiteral literal } => element - literal.Value,
                    ScalarBinary { Operator: ScalarBinaryOperator.Add, Right: ScalarLiteral literal } => element + literal.Value,
                    ScalarBinary { Right: ScalarLiteral literal } => element * literal.Value,
                    _ => element,
                };
                sums[Flat(operation.OutputIndex, operation.Type.Shape, at)] += (64 * value * kernel.GetInteger(Flat(operation.Kernel!.Index, kernel.Shape, at))) + 1;
            }
        }

        return Tensor.From<long>(ElementType.Int64, operation.Type.Shape, sums);
    }

    private static IEnumerable<long[]> Trips(EquatableArray<GconvLoop> loops)
    {
        var trips = loops.Aggregate(1L, (product, loop) => product * loop.Extent);
        for (var trip = 0L; trip < trips; trip++)
        {
            var rest = trip;
            var at = new long[loops.Count];
            for (var loop = loops.Count - 1; loop >= 0; loop--)
            {
                (rest, at[loop]) = long.DivRem(rest, loops[loop].Extent);
            }

            yield return at;
        }
    }

    private static Tensor Reals(Shape shape, SeededRandom random)
    {
        var values = new float[shape.Elements];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = random.Next(-1000, 1000) * MathF.Pow(2, random.Next(-20, 20));
        }

        return Tensor.From<float>(ElementType.Float32, shape, values);
    }

    private static long Flat(EquatableArray<AffineExpression> index, Shape shape, long[] at)
    {
        var flat = 0L;
        for (var d = 0; d < shape.Rank; d++)
        {
            var value = index[d].Constant + index[d].Coefficients.Select((coefficient, loop) => coefficient * at[loop]).Sum();
            if (value % index[d].Divisor != 0 || value < 0 || value / index[d].Divisor >= shape[d])
            {
                return -1;
            }

            value /= index[d].Divisor;

            flat = (flat * shape[d]) + value;
        }

        return flat;
    }

    private static EquatableArray<GconvLoop> Loops(SeededRandom random)
    {
        var loops = new List<GconvLoop>();
        for (var d = 0; d < random.Next(1, 3); d++)
        {
            foreach (var kind in Enum.GetValues<LoopKind>())
            {
                if (random.OneIn(2))
                {
                    loops.Add(new($"d{d}", kind, random.Next(1, 4)));
                }
            }
        }

        return loops.OrderBy(_ => random.NextBits()).ToEquatableArray();
    }

    // Each loop that the operand depends on moves through one dimension, sometimes two, in steps of up to 3 in either direction.
    private static (EquatableArray<AffineExpression> Index, Shape Shape) Index(EquatableArray<GconvLoop> loops, Func<LoopKind, bool> depends, SeededRandom random, bool outside)
    {
        var rank = random.Next(1, 4);
        var coefficients = Enumerable.Range(0, rank).Select(_ => new long[loops.Count]).ToArray();
        for (var loop = 0; loop < loops.Count; loop++)
        {
            for (var times = depends(loops[loop].Kind) ? random.OneIn(8) ? 2 : 1 : 0; times > 0; times--)
            {
                coefficients[random.Next(0, rank - 1)][loop] = random.Choose(-3, -2, -1, 1, 1, 1, 2, 3);
            }
        }

        var extents = new int[rank];
        var index = new AffineExpression[rank];
        for (var d = 0; d < rank; d++)
        {
            var (min, max) = new AffineExpression(coefficients[d].ToEquatableArray(), 0).Range(loops);
            var before = outside ? random.Next(-2, 2) : random.Next(0, 1);
            extents[d] = Math.Max(1, (int)(max - min) + 1 + before + (outside ? random.Next(-2, 2) : random.Next(0, 1)));
            index[d] = new(coefficients[d].ToEquatableArray(), (long)-min + before) { Divisor = outside && random.OneIn(4) ? random.Next(2, 4) : 1 };
        }

        return (index.ToEquatableArray(), Shape.Of(extents));
    }

    private static (EquatableArray<AffineExpression> Index, Shape Shape) Output(EquatableArray<GconvLoop> loops, SeededRandom random)
    {
        var rank = random.Next(1, 3);
        var coefficients = Enumerable.Range(0, rank).Select(_ => new long[loops.Count]).ToArray();
        var extents = Enumerable.Repeat(1, rank).ToArray();
        var constants = new long[rank];
        foreach (var loop in Enumerable.Range(0, loops.Count).Where(loop => loops[loop].Kind != LoopKind.KernelSize).OrderBy(_ => random.NextBits()))
        {
            var d = random.Next(0, rank - 1);
            var backwards = random.OneIn(3);
            coefficients[d][loop] = backwards ? -extents[d] : extents[d];
            constants[d] += backwards ? (long)extents[d] * (loops[loop].Extent - 1) : 0;
            extents[d] *= loops[loop].Extent;
        }

        return (Enumerable.Range(0, rank).Select(d => new AffineExpression(coefficients[d].ToEquatableArray(), constants[d])).ToEquatableArray(), Shape.Of(extents));
    }

    private static Tensor Elements(ElementType type, Shape shape, SeededRandom random)
    {
        var bytes = new byte[shape.Elements * type.Size()];
        for (var i = 0; i < shape.Elements; i++)
        {
            var value = (long)(type == ElementType.UInt8 ? (byte)random.NextCode() : random.NextCode());
            if (type is ElementType.Int32 or ElementType.Int64)
            {
                value *= random.Choose(1, 1000, 1 << 20);
            }

            BitConverter.GetBytes(value).AsSpan(0, type.Size()).CopyTo(bytes.AsSpan(i * type.Size()));
        }

        return new(type, shape, bytes);
    }
}
