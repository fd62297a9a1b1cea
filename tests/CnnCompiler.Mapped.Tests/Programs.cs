using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Fuzzing;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Ir.Network;

namespace CnnCompiler.Mapped.Tests;

/// <summary>Small mapped programs, and the parts to make others.</summary>
internal static class Programs
{
    public static readonly ScalarExpression First = new ScalarExtra(0);
    public static readonly ScalarExpression Accumulator = new ScalarAccumulator();

    public static MappedLoop Loop(string name, int extent, bool reduced = false) => new(name, extent, reduced);

    public static AffineExpression Affine(long constant, params long[] coefficients) => new(coefficients.ToEquatableArray(), constant);

    public static ScalarExpression Product(ScalarExpression left, ScalarExpression right) => new ScalarBinary(ScalarBinaryOperator.Multiply, left, right);

    public static ScalarExpression Minus(ScalarExpression left, long right) => new ScalarBinary(ScalarBinaryOperator.Subtract, left, new ScalarLiteral(right));

    public static ScalarExpression Plus(ScalarExpression left, ScalarExpression right) => new ScalarBinary(ScalarBinaryOperator.Add, left, right);

    public static MappedBuffer Dense(string name, BufferRole role, int[] shape, int lanes = 4, int slack = 0)
    {
        var layout = BufferLayout.Dense(shape.ToEquatableArray(), lanes);
        return new(name, role, layout, ((layout.Elements + lanes - 1) / lanes) + slack);
    }

    public static TensorType Int8(params int[] shape) => new(ElementType.Int8, Shape.Of(shape));

    public static Tensor Bytes(int[] shape, params int[] values) => Tensor.From<sbyte>(ElementType.Int8, Shape.Of(shape), Array.ConvertAll(values, v => (sbyte)v));

    public static Tensor Words(int[] shape, params int[] values) => Tensor.From<int>(ElementType.Int32, Shape.Of(shape), values);

    public static MappedNest Nest(
        string name,
        MappedLoop[] loops,
        MappedAccess[] operands,
        MappedAccess output,
        ScalarExpression term,
        ScalarExpression post,
        GconvReduction reduce = GconvReduction.None,
        MappedGuard[]? guards = null) =>
        new(name, "test", loops.ToEquatableArray(), (guards ?? []).ToEquatableArray(), operands.ToEquatableArray(), output, reduce, term, post);

    /// <summary>out[i] = in[i] + 1 over <paramref name="extent"/> bytes; one nest, in tiles of 4 with a guard where it does not divide.</summary>
    public static MappedProgram Increment(int extent)
    {
        var element = Affine(0, 4, 1);
        var nest = Nest(
            "increment",
            [Loop("tile", (extent + 3) / 4), Loop("i", 4)],
            [new("in", element)],
            new("out", element),
            First,
            Plus(Accumulator, new ScalarLiteral(1)),
            guards: extent % 4 == 0 ? [] : [new(element, extent)]);
        return OneStep(nest, [extent], [extent]);
    }

    /// <summary>A program of one step from buffer in to buffer out, both dense bytes.</summary>
    public static MappedProgram OneStep(MappedStep step, int[] input, int[] output, params MappedConstant[] constants) => new(
        "test",
        [Dense("in", BufferRole.Input, input), Dense("out", BufferRole.Output, output)],
        constants.ToEquatableArray(),
        [step],
        [new MappedPort("x", Int8(input), "in")],
        [new MappedPort("y", Int8(output), "out")],
        [new MappedValue("x", "in", input.ToEquatableArray(), -1), new MappedValue("y", "out", output.ToEquatableArray(), 0)]);

    /// <summary>
    /// A 3x3 convolution with padding 1, requantised per channel: the input goes into a buffer with a halo (two nests: fill, copy), then the contraction,
    /// with an accumulator buffer and a requantising nest.
    /// </summary>
    public static MappedProgram Convolution(int height, int width, int inputs, int outputs, int zeroPoint, int[] weights, int[] bias, int multiplier, int shift)
    {
        int[] pitch = [(width + 2) * inputs, inputs, 1];
        var halo = new BufferLayout([height, width, inputs], 4, [1, 1, 0], [1, 1, 0], pitch.ToEquatableArray(), zeroPoint);
        int[] inputShape = [height, width, inputs];
        int[] outputShape = [height, width, outputs];
        var input = Dense("in", BufferRole.Input, inputShape);
        var padded = new MappedBuffer("padded", BufferRole.Activation, halo, (halo.Elements + 3) / 4);
        var sums = Dense("sums", BufferRole.Accumulator, outputShape, lanes: 1);
        var output = Dense("out", BufferRole.Output, outputShape);
        var fill = Nest("fill", [Loop("e", halo.Elements)], [], new("padded", Affine(0, 1)), new ScalarLiteral(zeroPoint), Accumulator);
        var copy = Nest(
            "copy",
            [Loop("y", height), Loop("x", width), Loop("c", inputs)],
            [new("in", Affine(0, width * inputs, inputs, 1))],
            new("padded", Affine(halo.Origin, pitch[0], pitch[1], 1)),
            First,
            Accumulator);
        var contract = Nest(
            "contract",
            [Loop("y", height), Loop("x", width), Loop("k", outputs), Loop("r", 3, true), Loop("s", 3, true), Loop("c", inputs, true)],
            [
                new("padded", Affine(0, pitch[0], pitch[1], 0, pitch[0], pitch[1], 1)),
                new("weights", Affine(0, 0, 0, 9 * inputs, 3 * inputs, inputs, 1)),
                new("bias", Affine(0, 0, 0, 1, 0, 0, 0)),
            ],
            new("sums", Affine(0, width * outputs, outputs, 1, 0, 0, 0)),
            Product(Minus(First, zeroPoint), new ScalarExtra(1)),
            Plus(Accumulator, new ScalarExtra(2)),
            GconvReduction.Add);
        var requantize = Nest(
            "requantize",
            [Loop("e", height * width), Loop("k", outputs)],
            [new("sums", Affine(0, outputs, 1))],
            new("out", Affine(0, outputs, 1)),
            First,
            new ScalarClamp(
                new ScalarRequantize(RoundingScheme.TfliteDouble, Accumulator, new ScalarLiteral(multiplier), new ScalarLiteral(shift)),
                new ScalarLiteral(-128),
                new ScalarLiteral(127)));
        return new(
            "convolution",
            [input, padded, sums, output],
            [
                new MappedConstant("weights", Bytes([outputs, 3, 3, inputs], weights)),
                new MappedConstant("bias", Words([outputs], bias)),
            ],
            [fill, copy, contract, requantize],
            [new MappedPort("x", Int8(inputShape), "in")],
            [new MappedPort("y", Int8(outputShape), "out")],
            [
                new MappedValue("x", "in", inputShape.ToEquatableArray(), -1),
                new MappedValue("x padded", "padded", inputShape.ToEquatableArray(), 1),
                new MappedValue("sums", "sums", outputShape.ToEquatableArray(), 2),
                new MappedValue("y", "out", outputShape.ToEquatableArray(), 3),
            ]);
    }

    /// <summary>The program with step <paramref name="index"/> replaced.</summary>
    public static MappedProgram WithNest(this MappedProgram program, int index, Func<MappedNest, MappedNest> change)
    {
        var steps = program.Steps.ToArray();
        steps[index] = change((MappedNest)steps[index]);
        return program with { Steps = steps.ToEquatableArray() };
    }

    /// <summary>Numbers from low to high, both included.</summary>
    public static int[] Many(this SeededRandom random, int count, int low, int high) => [.. Enumerable.Range(0, count).Select(_ => random.Next(low, high))];
}
