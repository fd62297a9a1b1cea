using CnnCompiler.Core.Tensors;
using CnnCompiler.Frontend.Tflite;
using CnnCompiler.Fuzzing;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;
using Builder = CnnCompiler.Frontend.Tests.Tflite.TfliteModelBuilder;

namespace CnnCompiler.Frontend.Tests.Tflite;

/// <summary>Models of one operator with random attributes, shapes and scales: what is imported computes what the reference arithmetic, written as loops, gives.</summary>
public sealed partial class TfliteRandomModelTests
{
    private const int Models = 60;

    private static void Each(ulong stream, Action<SeededRandom> test)
    {
        for (var i = 0u; i < Models; i++)
        {
            test(new SeededRandom((stream << 32) | i));
        }
    }

    [Fact]
    public void Convolutions() => Each(1, random =>
    {
        var (batch, height, width) = (random.Next(1, 2), random.Next(3, 8), random.Next(3, 8));
        var (groups, depth, perGroup) = (random.Next(1, 3), random.Next(1, 4), random.Next(1, 3));
        var (kh, kw, channels) = (random.Next(1, 3), random.Next(1, 3), groups * perGroup);
        var (sh, sw, isSame, activation) = (random.Next(1, 3), random.Next(1, 3), random.OneIn(2), random.Below(4));
        var (dh, dw) = (kh < 3 ? random.Next(1, 2) : 1, kw < 3 ? random.Next(1, 2) : 1);
        var (x, y) = (Code(random), Code(random));
        var weights = Codes(random, channels * kh * kw * depth);
        var scales = Scales(random, channels, random.OneIn(3));
        var bias = random.OneIn(3) ? null : Enumerable.Range(0, channels).Select(_ => random.Next(-3000, 3000)).ToArray();
        var (top, oh) = ReferenceArithmetic.Window(isSame, height, kh, sh, dh);
        var (left, ow) = ReferenceArithmetic.Window(isSame, width, kw, sw, dw);

        var model = new Builder();
        var input = model.Value("x", [batch, height, width, groups * depth], scale: x.Scale, zeroPoint: x.Zero);
        var filter = model.Constant("w", [channels, kh, kw, depth], Builder.Int8, Bytes(weights), scales.Length == 1 ? Builder.Quantization(scales[0], 0) : Builder.PerAxis(0, scales));
        var output = model.Value("y", [batch, oh, ow, channels], scale: y.Scale, zeroPoint: y.Zero);
        model.Operator(3, bias is null ? [input, filter] : [input, filter, model.Numbers("b", [channels], bias)], [output], 1, new()
        {
            [0] = (byte)(isSame ? 0 : 1), [1] = sw, [2] = sh, [3] = (byte)activation, [4] = dw, [5] = dh,
        });

        var data = Codes(random, batch * height * width * groups * depth);
        var expected = new List<sbyte>();
        foreach (var (n, i, j, k) in Indices(batch, oh, ow, channels))
        {
            long sum = bias?[k] ?? 0;
            foreach (var (a, b, c, _) in Indices(kh, kw, depth, 1))
            {
                var (row, column) = ((i * sh) + (a * dh) - top, (j * sw) + (b * dw) - left);
                if (row >= 0 && row < height && column >= 0 && column < width)
                {
                    var channel = (k / perGroup * depth) + c;
                    sum += (data[(((((n * height) + row) * width) + column) * groups * depth) + channel] - x.Zero) * weights[(((((k * kh) + a) * kw) + b) * depth) + c];
                }
            }

            expected.Add(ReferenceArithmetic.Clamp((long)ReferenceArithmetic.Requantize(sum, x.Scale * (double)scales[k % scales.Length] / y.Scale) + y.Zero, activation, y.Scale, y.Zero));
        }

        Check(model, [input], [output], [data], expected);
    });

    [Fact]
    public void Transposed_convolutions() => Each(2, random =>
    {
        var (batch, height, width, depth, channels) = (random.Next(1, 2), random.Next(1, 5), random.Next(1, 5), random.Next(1, 3), random.Next(1, 4));
        var (kh, kw, sh, sw) = (random.Next(1, 4), random.Next(1, 4), random.Next(1, 3), random.Next(1, 3));
        var (isSame, activation) = (random.OneIn(2), random.Below(4));

        // Any result that the forward convolution takes to the input's extents.
        var (oh, ow) = (Result(height, kh, sh), Result(width, kw, sw));
        var (top, left) = (ReferenceArithmetic.Window(isSame, oh, kh, sh, 1).Before, ReferenceArithmetic.Window(isSame, ow, kw, sw, 1).Before);
        var (x, y) = (Code(random), Code(random));
        var (weights, scales) = (Codes(random, channels * kh * kw * depth), Scales(random, channels, random.OneIn(3)));
        var bias = random.OneIn(2) ? null : Enumerable.Range(0, channels).Select(_ => random.Next(-3000, 3000)).ToArray();

        var model = new Builder();
        var input = model.Value("x", [batch, height, width, depth], scale: x.Scale, zeroPoint: x.Zero);
        var filter = model.Constant("w", [channels, kh, kw, depth], Builder.Int8, Bytes(weights), scales.Length == 1 ? Builder.Quantization(scales[0], 0) : Builder.PerAxis(0, scales));
        var shape = model.Numbers("shape", [4], batch, oh, ow, channels);
        var output = model.Value("y", [batch, oh, ow, channels], scale: y.Scale, zeroPoint: y.Zero);
        model.Operator(67, bias is null ? [shape, filter, input] : [shape, filter, input, model.Numbers("b", [channels], bias)], [output], 49, new()
        {
            [0] = (byte)(isSame ? 0 : 1), [1] = sw, [2] = sh, [3] = (byte)activation,
        });

        var data = Codes(random, batch * height * width * depth);
        var sums = new long[batch * oh * ow * channels];
        foreach (var (n, i, j, c) in Indices(batch, height, width, depth))
        {
            foreach (var (a, b, k, _) in Indices(kh, kw, channels, 1))
            {
                var (row, column) = ((i * sh) + a - top, (j * sw) + b - left);
                if (row >= 0 && row < oh && column >= 0 && column < ow)
                {
                    sums[(((((n * oh) + row) * ow) + column) * channels) + k] +=
                        (data[(((((n * height) + i) * width) + j) * depth) + c] - x.Zero) * weights[(((((k * kh) + a) * kw) + b) * depth) + c];
                }
            }
        }

        Check(model, [input], [output], [data], sums.Select((sum, at) => ReferenceArithmetic.Clamp(
            (long)ReferenceArithmetic.Requantize(sum + (bias?[at % channels] ?? 0), x.Scale * (double)scales[at % channels % scales.Length] / y.Scale) + y.Zero, activation, y.Scale, y.Zero)));

        int Result(int extent, int kernel, int stride) => isSame ? random.Next(((extent - 1) * stride) + 1, extent * stride) : ((extent - 1) * stride) + kernel;
    });

    [Fact]
    public void Dense_layers_with_a_scale_for_each_channel() => Each(3, random =>
    {
        var (batch, depth, channels, activation) = (random.Next(1, 3), random.Next(1, 9), random.Next(2, 5), random.Below(4));
        var (x, y) = (Code(random), Code(random));
        var (weights, scales) = (Codes(random, channels * depth), Scales(random, channels, false));
        var model = new Builder();
        var input = model.Value("x", [batch, depth], scale: x.Scale, zeroPoint: x.Zero);
        var output = model.Value("y", [batch, channels], scale: y.Scale, zeroPoint: y.Zero);
        model.Operator(9, [input, model.Constant("w", [channels, depth], Builder.Int8, Bytes(weights), Builder.PerAxis(0, scales))], [output], 8, new() { [0] = (byte)activation });
        var data = Codes(random, batch * depth);
        Check(model, [input], [output], [data], Indices(batch, channels, 1, 1).Select(at => ReferenceArithmetic.Clamp(
            (long)ReferenceArithmetic.Requantize(Enumerable.Range(0, depth).Sum(c => (data[(at.A * depth) + c] - x.Zero) * weights[(at.B * depth) + c]), x.Scale * (double)scales[at.B] / y.Scale) + y.Zero, activation, y.Scale, y.Zero)));
    });

    [Theory]
    [InlineData(0, 11)]
    [InlineData(41, 28)]
    [InlineData(18, 21)]
    public void Sums_differences_and_products_with_a_constant(int operation, byte union) => Each(4 + (ulong)operation, random =>
    {
        var (rows, columns, isFirst, activation) = (random.Next(1, 4), random.Next(1, 5), random.OneIn(2), random.Below(4));
        int[] shape = random.OneIn(2) ? [columns] : random.OneIn(2) ? [rows, 1] : [rows, columns];
        var (a, b, y) = (Code(random), Code(random), Code(random));
        var values = Codes(random, shape.Aggregate(1, (p, q) => p * q));
        var model = new Builder();
        var input = model.Value("x", [rows, columns], scale: a.Scale, zeroPoint: a.Zero);
        var constant = model.Constant("c", shape, Builder.Int8, Bytes(values), Builder.Quantization(b.Scale, b.Zero));
        var output = model.Value("y", [rows, columns], scale: y.Scale, zeroPoint: y.Zero);
        model.Operator(operation, isFirst ? [constant, input] : [input, constant], [output], union, new() { [0] = (byte)activation });
        var data = Codes(random, rows * columns);
        Check(model, [input], [output], [data], Indices(rows, columns, 1, 1).Select(at =>
        {
            var (value, other) = (data[(at.A * columns) + at.B], values[shape is [var _] ? at.B : shape[1] == 1 ? at.A : (at.A * columns) + at.B]);
            var (first, second) = isFirst ? ((int)other, (int)value) : (value, other);
            var (p, q) = isFirst ? (b, a) : (a, b);
            return operation == 18
                ? ReferenceArithmetic.Clamp((long)ReferenceArithmetic.Requantize((first - p.Zero) * (second - q.Zero), p.Scale * (double)q.Scale / y.Scale) + y.Zero, activation, y.Scale, y.Zero)
                : ReferenceArithmetic.Add(first, second, operation == 0 ? 1 : -1, p, q, y, activation);
        }));
    });

    [Fact]
    public void Matrix_products() => Each(50, random =>
    {
        var (batch, m, k, n) = (random.Next(1, 3), random.Next(1, 4), random.Next(1, 6), random.Next(1, 4));
        var (isFirstTurned, isSecondTurned, isShared) = (random.OneIn(2), random.OneIn(2), random.OneIn(2));
        var (a, b, y) = (Code(random), Code(random), Code(random));
        var model = new Builder();
        var first = model.Value("a", isFirstTurned ? [batch, k, m] : [batch, m, k], scale: a.Scale, zeroPoint: a.Zero);
        var second = model.Value("b", [isShared ? 1 : batch, .. isSecondTurned ? [n, k] : (int[])[k, n]], scale: b.Scale, zeroPoint: b.Zero);
        var output = model.Value("y", [batch, m, n], scale: y.Scale, zeroPoint: y.Zero);
        model.Operator(126, [first, second], [output], 101, new() { [0] = isFirstTurned, [1] = isSecondTurned });
        var (p, q) = (Codes(random, batch * m * k), Codes(random, (isShared ? 1 : batch) * k * n));
        Check(model, [first, second], [output], [p, q], Indices(batch, m, n, 1).Select(at =>
        {
            var sum = Enumerable.Range(0, k).Sum(c =>
                (p[(at.A * m * k) + (isFirstTurned ? (c * m) + at.B : (at.B * k) + c)] - a.Zero) * (q[((isShared ? 0 : at.A) * k * n) + (isSecondTurned ? (at.C * k) + c : (c * n) + at.C)] - b.Zero));
            return ReferenceArithmetic.Clamp((long)ReferenceArithmetic.Requantize(sum, (double)(a.Scale * b.Scale) / y.Scale) + y.Zero, 0, y.Scale, y.Zero);
        }));
    });

    [Fact]
    public void Concatenations_of_other_scales_and_activations_that_change_the_scale() => Each(51, random =>
    {
        var (rows, first, second) = (random.Next(1, 3), random.Next(1, 4), random.Next(1, 4));
        var (a, b, y) = (Code(random), Code(random), Code(random));
        b = random.OneIn(3) ? y : b;
        var model = new Builder();
        var (p, q) = (model.Value("a", [rows, first], scale: a.Scale, zeroPoint: a.Zero), model.Value("b", [rows, second], scale: b.Scale, zeroPoint: b.Zero));
        var joined = model.Value("joined", [rows, first + second], scale: y.Scale, zeroPoint: y.Zero);
        var z = Code(random);
        var output = model.Value("y", [rows, first + second], scale: z.Scale, zeroPoint: z.Zero);
        model.Operator(2, [p, q], [joined], 10, new() { [0] = 1 });
        model.Operator(21, [joined], [output]);
        var (left, right) = (Codes(random, rows * first), Codes(random, rows * second));
        Check(model, [p, q], [output], [left, right], Indices(rows, first + second, 1, 1).Select(at =>
        {
            var code = at.B < first ? ReferenceArithmetic.Rescale(left[(at.A * first) + at.B], a, y) : b == y ? right[(at.A * second) + at.B - first] : ReferenceArithmetic.Rescale(right[(at.A * second) + at.B - first], b, y);
            return ReferenceArithmetic.Clamp(y == z ? code : ReferenceArithmetic.Rescale(code, y, z), 3, z.Scale, z.Zero);
        }));
    });

    private static (float Scale, int Zero) Code(SeededRandom random) => ((float)random.NextLogarithmic(0.02, 0.5), random.Next(-60, 60));

    private static float[] Scales(SeededRandom random, int channels, bool isOne) => [.. Enumerable.Range(0, isOne ? 1 : channels).Select(_ => (float)random.NextLogarithmic(0.0005, 0.05))];

    private static sbyte[] Codes(SeededRandom random, int count) => [.. Enumerable.Range(0, count).Select(_ => (sbyte)random.Next(-128, 127))];

    private static byte[] Bytes(sbyte[] codes) => [.. codes.Select(code => (byte)code)];

    private static IEnumerable<(int A, int B, int C, int D)> Indices(int a, int b, int c, int d) =>
        from i in Enumerable.Range(0, a) from j in Enumerable.Range(0, b) from k in Enumerable.Range(0, c) from l in Enumerable.Range(0, d) select (i, j, k, l);

    private static void Check(Builder model, int[] inputs, int[] outputs, sbyte[][] data, IEnumerable<sbyte> expected) =>
        Assert.Equal(expected, Run(model, inputs, outputs, data.Select(Bytes)).SelectMany(output => output.AsSpan<sbyte>().ToArray()));

    /// <summary>The outputs of a model on these bytes.</summary>
    private static IReadOnlyList<Tensor> Run(Builder model, int[] inputs, int[] outputs, IEnumerable<byte[]> data)
    {
        var diagnostics = new DiagnosticBag();
        var graph = TfliteReader.Read(model.Build(inputs, outputs), "m.tflite", diagnostics);
        Assert.True(graph is not null, string.Join('\n', diagnostics.Diagnostics));
        var evaluation = NetworkEvaluator.Evaluate(graph, [.. graph.Inputs.Zip(data, (input, bytes) => new Tensor(input.Type.Element, input.Type.Shape, bytes))], diagnostics);
        Assert.True(evaluation is not null, string.Join('\n', diagnostics.Diagnostics));
        return [.. evaluation.Outputs];
    }
}
