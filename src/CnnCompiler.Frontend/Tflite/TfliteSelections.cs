using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;

namespace CnnCompiler.Frontend.Tflite;

/// <summary>Operators that take values apart and put them together: STRIDED_SLICE, SLICE, SPLIT, SPLIT_V, PACK, UNPACK; and the resizes.</summary>
internal static class TfliteSelections
{
    /// <summary>Places of a slice: bits of a mask stand for dimensions.</summary>
    internal sealed record SliceOptions(int BeginMask, int EndMask, int ShrinkMask);

    public static SliceOptions ReadStridedSlice(TfliteOperatorContext operation)
    {
        var options = operation.RequireOptions(TfliteSchema.StridedSliceOptions.Union);
        if (options.GetInt32(TfliteSchema.StridedSliceOptions.EllipsisMask) != 0 || options.GetInt32(TfliteSchema.StridedSliceOptions.NewAxisMask) != 0)
        {
            throw operation.Unsupported("it uses an ellipsis or a new axis", "write the slice with a range for each dimension, and a reshape after it");
        }

        return options.GetBoolean(TfliteSchema.StridedSliceOptions.Offset)
            ? throw operation.Unsupported("its ends are offsets from its beginnings", "write the slice with ends")
            : new(
                options.GetInt32(TfliteSchema.StridedSliceOptions.BeginMask),
                options.GetInt32(TfliteSchema.StridedSliceOptions.EndMask),
                options.GetInt32(TfliteSchema.StridedSliceOptions.ShrinkAxisMask));
    }

    /// <summary>Begin and end as NumPy takes them: from the end where they are negative, cut to the extent; a dimension to shrink has one element.</summary>
    public static IReadOnlyList<Layer> BuildStridedSlice(TfliteOperatorContext operation, SliceOptions options)
    {
        var input = operation.Value(0);
        var (begins, ends, steps) = (operation.ConstantNumbers(1).Numbers, operation.ConstantNumbers(2).Numbers, operation.ConstantNumbers(3).Numbers);
        var rank = input.Shape.Rank;
        if (begins.Length != ends.Length || begins.Length != steps.Length || begins.Length > rank || steps.Any(step => step is 0 or < -short.MaxValue or > short.MaxValue))
        {
            throw operation.Inconsistent($"from [{string.Join(", ", begins)}] to [{string.Join(", ", ends)}] in steps of [{string.Join(", ", steps)}] is no slice of {input.Shape}");
        }

        var (begin, stride, size) = (new int[rank], new int[rank], new int[rank]);
        var kept = new List<int>();
        for (var d = 0; d < rank; d++)
        {
            var extent = input.Shape[d];
            var (from, to, step) = d < begins.Length ? (begins[d], ends[d], steps[d]) : (0, extent, 1);
            var (isOpen, isOpenEnd, shrinks) = (d >= begins.Length || (options.BeginMask >> d & 1) != 0, d >= begins.Length || (options.EndMask >> d & 1) != 0, (options.ShrinkMask >> d & 1) != 0 && d < begins.Length);
            var start = Place(from, step > 0 ? 0 : -1, step > 0 ? extent : extent - 1);
            var stop = Place(to, step > 0 ? 0 : -1, step > 0 ? extent : extent - 1);
            if (shrinks)
            {
                (start, stop, step) = (from < 0 ? from + extent : from, (from < 0 ? from + extent : from) + 1, 1);
            }
            else
            {
                (start, stop) = (isOpen ? (step > 0 ? 0 : extent - 1) : start, isOpenEnd ? (step > 0 ? extent : -1) : stop);
            }

            var count = step > 0 ? (stop - start + step - 1) / step : (start - stop - step - 1) / -step;
            if (count < 1 || start < 0 || start >= extent)
            {
                throw operation.Inconsistent(FormattableString.Invariant($"nothing of the {extent} elements of dimension {d} is from {from} to {to} in steps of {step}"));
            }

            (begin[d], stride[d], size[d]) = ((int)start, (int)step, (int)count);
            if (!shrinks)
            {
                kept.Add((int)count);
            }

            long Place(long place, long low, long high) => Math.Clamp(place < 0 ? place + extent : place, low, high);
        }

        operation.RequireShape(Shape.Of([.. kept]));
        return Slice(operation, input, operation.Output, begin, stride, size);
    }

    public static IReadOnlyList<Layer> BuildSlice(TfliteOperatorContext operation)
    {
        var input = operation.Value(0);
        var (begins, sizes) = (operation.ConstantNumbers(1).Numbers, operation.ConstantNumbers(2).Numbers);
        var rank = input.Shape.Rank;
        if (begins.Length != rank || sizes.Length != rank || Enumerable.Range(0, rank).Any(d => begins[d] < 0 || sizes[d] < -1 || sizes[d] == 0 || begins[d] >= input.Shape[d] || begins[d] + Math.Max(1, sizes[d]) > input.Shape[d]))
        {
            throw operation.Inconsistent($"[{string.Join(", ", sizes)}] elements from [{string.Join(", ", begins)}] on are not in {input.Shape}");
        }

        int[] size = [.. Enumerable.Range(0, rank).Select(d => (int)(sizes[d] == -1 ? input.Shape[d] - begins[d] : sizes[d]))];
        operation.RequireShape(Shape.Of(size));
        return Slice(operation, input, operation.Output, [.. begins.Select(b => (int)b)], [.. begins.Select(_ => 1)], size);
    }

    public static IReadOnlyList<Layer> BuildSplit(TfliteOperatorContext operation)
    {
        var input = operation.Value(1);
        var axis = Axis(operation, 0, input);
        var parts = operation.RequireOptions(TfliteSchema.SplitOptions.Union).GetInt32(TfliteSchema.SplitOptions.Parts);
        if (parts != operation.Outputs.Count || input.Shape[axis] % parts != 0)
        {
            throw operation.Inconsistent(FormattableString.Invariant($"{input.Shape[axis]} elements along axis {axis} don't split into {parts} parts for {operation.Outputs.Count} outputs"));
        }

        return Parts(operation, input, axis, [.. Enumerable.Repeat((long)input.Shape[axis] / parts, parts)]);
    }

    public static IReadOnlyList<Layer> BuildSplitV(TfliteOperatorContext operation)
    {
        var input = operation.Value(0);
        var axis = Axis(operation, 2, input);
        var sizes = operation.ConstantNumbers(1).Numbers;
        var rest = input.Shape[axis] - sizes.Where(size => size != -1).Sum();
        return sizes.Length == operation.Outputs.Count && sizes.Count(size => size == -1) <= 1 && sizes.All(size => size is -1 or > 0) && (sizes.Contains(-1) ? rest > 0 : rest == 0)
            ? Parts(operation, input, axis, [.. sizes.Select(size => size == -1 ? rest : size)])
            : throw operation.Inconsistent($"{input.Shape[axis]} elements don't split into [{string.Join(", ", sizes)}] for {operation.Outputs.Count} outputs");
    }

    public static IReadOnlyList<Layer> BuildPack(TfliteOperatorContext operation)
    {
        var options = operation.RequireOptions(TfliteSchema.PackOptions.Union);
        var output = operation.Output;
        var asked = options.GetInt32(TfliteSchema.PackOptions.Axis);
        var axis = asked < 0 ? asked + output.Shape.Rank : asked;
        if ((uint)axis >= (uint)output.Shape.Rank || operation.InputCount == 0 || operation.InputCount != options.GetInt32(TfliteSchema.PackOptions.Count) || operation.InputCount != output.Shape[axis])
        {
            throw operation.Inconsistent(FormattableString.Invariant($"it packs {operation.InputCount} values along axis {asked} into {output.Shape}"));
        }

        var layers = new List<Layer>();
        var slab = Shape.Of([.. output.Shape.Dimensions.Select((extent, d) => d == axis ? 1 : extent)]);
        var names = new string[operation.InputCount];
        for (var i = 0; i < names.Length; i++)
        {
            var part = operation.Operand(i, layers);
            operation.RequireSameScale(part.Tensor, output);
            if (!part.Type.Shape.Dimensions.SequenceEqual(output.Shape.Dimensions.Where((_, d) => d != axis)))
            {
                throw operation.Inconsistent($"shape {part.Type.Shape} can't be packed into {output.Shape}");
            }

            names[i] = names.Length == 1 ? output.ValueName : FormattableString.Invariant($"{output.ValueName}_part{i}");
            layers.Add(operation.Placed(new Reshape(names[i], [part.Name], output.Type with { Shape = slab })));
        }

        if (names.Length > 1)
        {
            layers.Add(operation.Placed(new Concat(output.ValueName, names.ToEquatableArray(), output.Type, axis)));
        }

        return layers;
    }

    public static IReadOnlyList<Layer> BuildUnpack(TfliteOperatorContext operation)
    {
        var options = operation.RequireOptions(TfliteSchema.UnpackOptions.Union);
        var input = operation.Value(0);
        var asked = options.GetInt32(TfliteSchema.UnpackOptions.Axis);
        var axis = asked < 0 ? asked + input.Shape.Rank : asked;
        if ((uint)axis >= (uint)input.Shape.Rank || operation.Outputs.Count != input.Shape[axis] || options.GetInt32(TfliteSchema.UnpackOptions.Count) != operation.Outputs.Count)
        {
            throw operation.Inconsistent(FormattableString.Invariant($"it takes {input.Shape} apart along axis {asked} into {operation.Outputs.Count} values"));
        }

        return Parts(operation, input, axis, [.. operation.Outputs.Select(_ => 1L)], isDropped: true);
    }

    /// <summary>New height and width, a constant; rounding and places as in the reference kernels.</summary>
    public static IReadOnlyList<Layer> BuildResize(TfliteOperatorContext operation, ResizeMode mode)
    {
        var (input, output) = (operation.Value(0), operation.Output);
        var (union, corners, pixels) = mode == ResizeMode.Bilinear
            ? (TfliteSchema.ResizeBilinearOptions.Union, TfliteSchema.ResizeBilinearOptions.AlignCorners, TfliteSchema.ResizeBilinearOptions.HalfPixelCenters)
            : (TfliteSchema.ResizeNearestOptions.Union, TfliteSchema.ResizeNearestOptions.AlignCorners, TfliteSchema.ResizeNearestOptions.HalfPixelCenters);
        var options = operation.RequireOptions(union);
        var coordinates = (options.GetBoolean(corners), options.GetBoolean(pixels)) switch
        {
            (false, false) => ResizeCoordinates.Asymmetric,
            (false, true) => ResizeCoordinates.HalfPixel,
            (true, false) => ResizeCoordinates.AlignCorners,
            _ => throw operation.Inconsistent("it aligns corners and takes the middle of pixels at once"),
        };
        var (size, _) = operation.ConstantNumbers(1);
        operation.RequireSameScale(input, output);
        if (size.Length != 2 || input.Shape.Rank != 4 || size.Any(extent => extent is < 1 or > short.MaxValue))
        {
            throw operation.Inconsistent($"{input.Shape} can't be resized to [{string.Join(", ", size)}]");
        }

        operation.RequireShape(Shape.Of(input.Shape[0], (int)size[0], (int)size[1], input.Shape[3]));
        return [operation.Placed(new Resize(output.ValueName, [input.ValueName], output.Type, new((int)size[0], (int)size[1]), mode, coordinates, RoundingScheme.TfliteDouble))];
    }

    private static int Axis(TfliteOperatorContext operation, int index, TfliteTensor input)
    {
        var (numbers, _) = operation.ConstantNumbers(index);
        var axis = numbers.Length == 1 ? numbers[0] < 0 ? numbers[0] + input.Shape.Rank : numbers[0] : -1;
        return axis >= 0 && axis < input.Shape.Rank ? (int)axis : throw operation.Inconsistent($"[{string.Join(", ", numbers)}] is no axis of {input.Shape}");
    }

    /// <summary>The outputs one after the other along an axis.</summary>
    private static List<Layer> Parts(TfliteOperatorContext operation, TfliteTensor input, int axis, long[] sizes, bool isDropped = false)
    {
        var layers = new List<Layer>();
        var at = 0;
        for (var i = 0; i < sizes.Length; i++)
        {
            var (output, index) = (operation.Outputs[i], i);
            int[] size = [.. input.Shape.Dimensions.Select((extent, d) => d == axis ? (int)sizes[index] : extent)];
            var expected = Shape.Of([.. size.Where((_, d) => !isDropped || d != axis)]);
            if (output.Shape != expected)
            {
                throw operation.Inconsistent($"part {i} has shape {expected}, but {output.Display} has {output.Shape}");
            }

            var begin = new int[size.Length];
            begin[axis] = at;
            layers.AddRange(Slice(operation, input, output, begin, [.. size.Select(_ => 1)], size));
            at += (int)sizes[i];
        }

        return layers;
    }

    // A slice, and a reshape where dimensions of one element are left out.
    private static IReadOnlyList<Layer> Slice(TfliteOperatorContext operation, TfliteTensor input, TfliteTensor output, int[] begin, int[] stride, int[] size)
    {
        operation.RequireSameScale(input, output);
        var sliced = Shape.Of(size);
        var name = sliced == output.Shape ? output.ValueName : $"{output.ValueName}_slice";
        var slice = operation.Placed(new StridedSlice(
            name, [input.ValueName], output.Type with { Shape = sliced }, begin.ToEquatableArray(), stride.ToEquatableArray(), size.ToEquatableArray()));
        return sliced == output.Shape ? [slice] : [slice, operation.Placed(new Reshape(output.ValueName, [name], output.Type))];
    }
}
