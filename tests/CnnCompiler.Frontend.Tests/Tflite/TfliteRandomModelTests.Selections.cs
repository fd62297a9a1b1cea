using System.Runtime.InteropServices;
using CnnCompiler.Fuzzing;
using Builder = CnnCompiler.Frontend.Tests.Tflite.TfliteModelBuilder;

namespace CnnCompiler.Frontend.Tests.Tflite;

/// <summary>Operators that move elements, resize, and convert at the edges.</summary>
public sealed partial class TfliteRandomModelTests
{
    [Fact]
    public void Strided_slices_as_in_numpy() => Each(60, random =>
    {
        int[] shape = [random.Next(1, 6), random.Next(1, 6), random.Next(1, 6)];
        var (begin, end, steps) = (new int[3], new int[3], new int[3]);
        var (beginMask, endMask, shrinkMask) = (random.Below(8), random.Below(8), random.OneIn(2) ? 0 : random.Below(8));
        var chosen = new List<int>[3];
        for (var d = 0; d < 3; d++)
        {
            do
            {
                (begin[d], end[d], steps[d]) = (random.Next(-shape[d], shape[d] - 1), random.Next(-shape[d] - 2, shape[d] + 2), random.OneIn(3) ? -random.Next(1, 3) : random.Next(1, 3));
                chosen[d] = (shrinkMask >> d & 1) != 0 ? [begin[d] < 0 ? begin[d] + shape[d] : begin[d]] : Range(d);
            }
            while (chosen[d].Count == 0);
        }

        var model = new Builder();
        var input = model.Value("x", shape);
        var output = model.Value("y", [.. Enumerable.Range(0, 3).Where(d => (shrinkMask >> d & 1) == 0).Select(d => chosen[d].Count)]);
        model.Operator(45, [input, model.Numbers("b", [3], begin), model.Numbers("e", [3], end), model.Numbers("s", [3], steps)], [output], 32, new() { [0] = beginMask, [1] = endMask, [4] = shrinkMask });
        var data = Codes(random, shape[0] * shape[1] * shape[2]);
        Check(model, [input], [output], [data], from i in chosen[0] from j in chosen[1] from k in chosen[2] select data[(((i * shape[1]) + j) * shape[2]) + k]);

        // Python's slice(begin, end, step).indices(extent), element by element.
        List<int> Range(int d)
        {
            var extent = shape[d];
            var from = (beginMask >> d & 1) != 0 ? (steps[d] > 0 ? 0 : extent - 1) : begin[d] < 0 ? begin[d] + extent : begin[d];
            var to = (endMask >> d & 1) != 0 ? (steps[d] > 0 ? extent : -1) : end[d] < 0 ? Math.Max(end[d] + extent, -1) : Math.Min(end[d], extent);
            var places = new List<int>();
            for (var at = from; steps[d] > 0 ? at < to : at > to; at += steps[d])
            {
                if (at >= 0 && at < extent)
                {
                    places.Add(at);
                }
            }

            return places;
        }
    });

    [Fact]
    public void Splits_packs_and_slices() => Each(61, random =>
    {
        var (rows, parts, columns) = (random.Next(1, 3), random.Next(2, 4), random.Next(1, 4));
        var kind = random.Below(4);
        var model = new Builder();
        var input = model.Value("x", [rows, parts * columns]);
        int[] outputs;
        int[] widths;
        switch (kind)
        {
            case 0:
                widths = [.. Enumerable.Repeat(columns, parts)];
                outputs = [.. widths.Select((w, i) => model.Value($"y{i}", [rows, w]))];
                model.Operator(49, [model.Numbers("axis", [], -1), input], outputs, 35, new() { [0] = parts });
                break;
            case 1:
                widths = [columns, (parts * columns) - columns];
                outputs = [.. widths.Select((w, i) => model.Value($"y{i}", [rows, w]))];
                model.Operator(102, [input, model.Numbers("sizes", [2], columns, -1), model.Numbers("axis", [], 1)], outputs, 79, new() { [0] = 2 });
                break;
            case 2:
                widths = [.. Enumerable.Repeat(1, parts * columns)];
                outputs = [.. widths.Select((_, i) => model.Value($"y{i}", [rows]))];
                model.Operator(88, [input], outputs, 64, new() { [0] = parts * columns, [1] = 1 });
                break;
            default:
                widths = [columns];
                outputs = [model.Value("y", [rows, columns])];
                model.Operator(65, [input, model.Numbers("b", [2], 0, 0), model.Numbers("s", [2], -1, columns)], outputs, 48, new());
                break;
        }

        var data = Codes(random, rows * parts * columns);
        var starts = widths.Select((_, i) => widths.Take(i).Sum()).ToArray();
        Check(model, [input], outputs, [data], widths.SelectMany((width, part) => Indices(rows, width, 1, 1).Select(at => data[(at.A * parts * columns) + starts[part] + at.B])));
    });

    [Fact]
    public void Packed_values_lie_along_a_new_axis() => Each(62, random =>
    {
        var (rows, columns, count, axis) = (random.Next(1, 3), random.Next(1, 3), random.Next(1, 3), random.Below(3));
        var model = new Builder();
        var inputs = Enumerable.Range(0, count).Select(i => model.Value($"x{i}", [rows, columns])).ToArray();
        int[] shape = axis switch { 0 => [count, rows, columns], 1 => [rows, count, columns], _ => [rows, columns, count] };
        var output = model.Value("y", shape);
        model.Operator(83, inputs, [output], 59, new() { [0] = count, [1] = random.OneIn(2) ? axis : axis - 3 });
        var data = inputs.Select(_ => Codes(random, rows * columns)).ToArray();
        Check(model, inputs, [output], data, Indices(shape[0], shape[1], shape[2], 1).Select(at => axis switch
        {
            0 => data[at.A][(at.B * columns) + at.C],
            1 => data[at.B][(at.A * columns) + at.C],
            _ => data[at.C][(at.A * columns) + at.B],
        }));
    });

    [Fact]
    public void Resizes_of_the_nearest_and_bilinear() => Each(63, random =>
    {
        var (height, width, channels, oh, ow) = (random.Next(1, 5), random.Next(1, 5), random.Next(1, 2), random.Next(1, 9), random.Next(1, 9));
        var (isNearest, places) = (random.OneIn(2), random.Below(3));
        var (corners, pixels) = (places == 1, places == 2);
        var model = new Builder();
        var (input, output) = (model.Value("x", [1, height, width, channels]), model.Value("y", [1, oh, ow, channels]));
        model.Operator(isNearest ? 97 : 23, [input, model.Numbers("size", [2], oh, ow)], [output], (byte)(isNearest ? 74 : 15), isNearest ? new() { [0] = corners, [1] = pixels } : new() { [2] = corners, [3] = pixels });
        var data = Codes(random, height * width * channels);
        Check(model, [input], [output], [data], Indices(oh, ow, channels, 1).Select(at => isNearest
            ? At(Nearest(at.A, height, oh), Nearest(at.B, width, ow), at.C)
            : Bilinear(Place(at.A, height, oh), Place(at.B, width, ow), at.C)));

        sbyte At(int row, int column, int channel) => data[(((row * width) + column) * channels) + channel];

        int Nearest(int index, int extent, int result)
        {
            var scale = corners && result > 1 ? (extent - 1) / (float)(result - 1) : extent / (float)result;
            var place = (index + (pixels ? 0.5f : 0f)) * scale;
            return Math.Max(0, Math.Min(corners ? (int)MathF.Round(place, MidpointRounding.AwayFromZero) : (int)MathF.Floor(place), extent - 1));
        }

        // Ten bits of fraction, as reference/resize_bilinear.h for integers.
        (int Scaled, int Lower, int Upper) Place(int index, int extent, int result)
        {
            var scale = corners && result > 1 ? (((extent - 1) << 10) + ((result - 1) / 2)) / (result - 1) : ((extent << 10) + (result / 2)) / result;
            var scaled = pixels ? (index * scale) + (scale / 2) - (1 << 9) : index * scale;
            return (scaled, Math.Max(scaled / 1024, 0), Math.Min((scaled + 1023) / 1024, extent - 1));
        }

        sbyte Bilinear((int Scaled, int Lower, int Upper) row, (int Scaled, int Lower, int Upper) column, int channel)
        {
            var (down, right) = ((long)row.Scaled - (1024 * row.Lower), (long)column.Scaled - (1024 * column.Lower));
            var sum = (At(row.Lower, column.Lower, channel) * (1024 - down) * (1024 - right)) + (At(row.Upper, column.Lower, channel) * down * (1024 - right))
                + (At(row.Lower, column.Upper, channel) * (1024 - down) * right) + (At(row.Upper, column.Upper, channel) * down * right);
            return (sbyte)((sum + (sum > 0 ? 1 << 19 : -(1 << 19))) / (1 << 20));
        }
    });

    [Fact]
    public void Conversions_at_the_edges_of_a_network() => Each(64, random =>
    {
        var (x, y) = (Code(random), Code(random));
        var count = random.Next(1, 20);
        var reals = Enumerable.Range(0, count).Select(_ => (float)((random.NextLogarithmic(0.01, 2) - 0.9) * 40)).ToArray();

        // float32 to int8, another int8, float32 again.
        var model = new Builder();
        var input = model.Value("x", [1, count], Builder.Float32);
        var first = model.Value("codes", [1, count], scale: x.Scale, zeroPoint: x.Zero);
        var second = model.Value("others", [1, count], scale: y.Scale, zeroPoint: y.Zero);
        var output = model.Value("y", [1, count], Builder.Float32);
        model.Operator(114, [input], [first]);
        model.Operator(114, [first], [second]);
        model.Operator(6, [second], [output]);
        var expected = reals.Select(real =>
        {
            var code = (int)Math.Clamp(MathF.Round(real / x.Scale, MidpointRounding.AwayFromZero) + x.Zero, -128, 127);
            return (float)(y.Scale * (double)(ReferenceArithmetic.Rescale(code, x, y) - y.Zero));
        });
        Assert.Equal(expected, Run(model, [input], [output], [MemoryMarshal.AsBytes<float>(reals).ToArray()])[0].AsSpan<float>().ToArray());

        // uint8 in and out, as converters of TensorFlow 2 write it: the same scale, 128 apart.
        model = new Builder();
        var bytes = model.Value("bytes", [1, count], Builder.UInt8, x.Scale, x.Zero + 128);
        var codes = model.Value("codes", [1, count], scale: x.Scale, zeroPoint: x.Zero);
        var again = model.Value("again", [1, count], Builder.UInt8, x.Scale, x.Zero + 128);
        model.Operator(114, [bytes], [codes]);
        model.Operator(114, [codes], [again]);
        var data = Bytes(Codes(random, count));
        var outputs = Run(model, [bytes], [codes, again], [data]);
        Assert.Equal(data.Select(b => (sbyte)(b - 128)), outputs[0].AsSpan<sbyte>().ToArray());
        Assert.Equal(data, outputs[1].Bytes.ToArray());
    });

    [Theory]
    [InlineData(14)]
    [InlineData(28)]
    public void Functions_of_float_values(int operation) => Each(65, random =>
    {
        var reals = Enumerable.Range(0, 9).Select(_ => (float)((random.NextLogarithmic(0.01, 2) - 0.9) * 8)).ToArray();
        var model = new Builder();
        var (input, output) = (model.Value("x", [1, 9], Builder.Float32), model.Value("y", [1, 9], Builder.Float32));
        model.Operator(operation, [input], [output]);
        var results = Run(model, [input], [output], [MemoryMarshal.AsBytes<float>(reals).ToArray()])[0].AsSpan<float>().ToArray();
        Assert.All(reals.Zip(results), pair => Assert.Equal(operation == 14 ? 1 / (1 + Math.Exp(-pair.First)) : Math.Tanh(pair.First), pair.Second, 1e-6));
    });
}
