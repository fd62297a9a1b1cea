using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;

namespace CnnCompiler.Frontend.Onnx;

/// <summary>Operators that move elements; codes stay codes, and constants stay constants.</summary>
internal static class OnnxViews
{
    public static IReadOnlyList<OnnxValue> BuildIdentity(OnnxNode node) => [node.Input(0)];

    public static IReadOnlyList<OnnxValue> BuildDropout(OnnxNode node)
    {
        node.Require(node.OutputCount == 1, "its mask is read", "export the model for inference");
        node.Require(!node.HasInput(2) || node.Constant(2, "training_mode").Bytes.IndexOfAnyExcept((byte)0) < 0, "it is in training mode", "export the model for inference (model.eval())");
        return [node.Input(0)];
    }

    public static IReadOnlyList<OnnxValue> BuildConstant(OnnxNode node)
    {
        Tensor tensor;
        if (node.Find("value")?.T is { } proto)
        {
            tensor = OnnxTensors.Read(proto, node.OutputLabel, node.Import.File);
        }
        else if (node.Find("value_float") is { } single)
        {
            tensor = Tensor.From<float>(ElementType.Float32, Shape.Of(), [single.F]);
        }
        else if (node.Find("value_int") is { } integer)
        {
            tensor = Tensor.From<long>(ElementType.Int64, Shape.Of(), [integer.I]);
        }
        else if (node.Find("value_floats") is { } floats)
        {
            tensor = Tensor.From<float>(ElementType.Float32, Shape.Of(floats.Floats.Count), floats.Floats.ToArray());
        }
        else if (node.Find("value_ints") is { } integers)
        {
            tensor = Tensor.From<long>(ElementType.Int64, Shape.Of(integers.Ints.Count), integers.Ints.ToArray());
        }
        else
        {
            throw node.Unsupported("its value is a string or sparse", "use dense numbers");
        }

        return [Known(node, tensor)];
    }

    public static IReadOnlyList<OnnxValue> BuildShape(OnnxNode node)
    {
        var dims = node.Input(0).Shape.Dimensions.Select(extent => (long)extent).ToArray();
        var start = node.Axis(Math.Clamp(node.Int("start", 0), -dims.Length, dims.Length), dims.Length, endIsAllowed: true);
        var end = node.Axis(Math.Clamp(node.Int("end", dims.Length), -dims.Length, dims.Length), dims.Length, endIsAllowed: true);
        var part = dims[start..Math.Max(start, end)];
        return [Known(node, Tensor.From<long>(ElementType.Int64, Shape.Of(part.Length), part))];
    }

    public static IReadOnlyList<OnnxValue> BuildGather(OnnxNode node)
    {
        var value = node.Input(0);
        node.Require(value is { IsConstant: true, Shape.Rank: 1 } && node.Input(1).IsConstant, "it gathers from a value at run time", "use Slice or Split");
        var tensor = value.Constant!;
        var indexes = OnnxTensors.Integers(node.Constant(1, "its indices")).Select(index => node.Axis(index, tensor.Shape[0])).ToArray();
        var size = tensor.Element.Size();
        var bytes = indexes.SelectMany(index => tensor.Bytes.Slice(index * size, size).ToArray()).ToArray();
        return [Known(node, new(tensor.Element, node.Input(1).Shape, bytes))];
    }

    public static IReadOnlyList<OnnxValue> BuildCast(OnnxNode node)
    {
        var value = node.Input(0);
        var target = OnnxTensors.ElementOf((int)node.Int("to", 0));
        if (value.Constant is { } constant && value.ConstantCodes is null)
        {
            return [Known(node, Cast(node, constant, (int)node.Int("to", 0)))];
        }

        if (value.Element == target)
        {
            return [value];
        }

        node.Require(
            value.Element == ElementType.Int32 && target == ElementType.Float32, "it converts values at run time", "use QuantizeLinear and DequantizeLinear");
        var name = node.Net.Dequantize(value.ChannelsLast ? value.Name : node.First(value));
        return [value.ChannelsLast ? node.MadeLast(name) : node.MadeFirst(name)];
    }

    public static IReadOnlyList<OnnxValue> BuildFlatten(OnnxNode node)
    {
        var value = node.Input(0);
        var axis = node.Axis(node.Int("axis", 1), value.Shape.Rank, endIsAllowed: true);
        var rows = value.Shape.Dimensions.Take(axis).Aggregate(1, (product, extent) => product * extent);
        return [Shaped(node, value, [rows, (int)(value.Shape.Elements / Math.Max(rows, 1))])];
    }

    public static IReadOnlyList<OnnxValue> BuildReshape(OnnxNode node)
    {
        var value = node.Input(0);
        var wanted = node.Integers(1, "shape") ?? throw node.Inconsistent("it has no shape");
        if (wanted.Length > NetworkLimits.Rank)
        {
            throw node.Inconsistent(FormattableString.Invariant($"its shape has {wanted.Length} dimensions"));
        }

        var keepZeros = node.Int("allowzero", 0) != 0;
        var shape = new long[wanted.Length];
        var open = -1;
        var product = 1L;
        for (var d = 0; d < shape.Length; d++)
        {
            shape[d] = wanted[d] == 0 && !keepZeros ? d < value.Shape.Rank ? value.Shape[d] : throw node.Inconsistent("its shape copies a dimension that is not there") : wanted[d];
            if (shape[d] == -1 && open < 0)
            {
                open = d;
            }
            else if (shape[d] < 1)
            {
                throw node.Unsupported("its result has no elements", "use shapes with elements");
            }
            else
            {
                product *= Math.Min(shape[d], NetworkLimits.Elements + 1);
                product = Math.Min(product, NetworkLimits.Elements + 1);
            }
        }

        if (open >= 0)
        {
            shape[open] = value.Shape.Elements / product;
        }

        if ((open < 0 ? product : product * shape[open]) != value.Shape.Elements)
        {
            throw node.Inconsistent($"it makes [{string.Join(", ", shape)}] of {value.Shape}");
        }

        return [Shaped(node, value, shape.Select(extent => (int)extent).ToArray())];
    }

    public static IReadOnlyList<OnnxValue> BuildSqueeze(OnnxNode node)
    {
        var value = node.Input(0);
        var axes = node.Integers(1, "axes")?.Select(axis => node.Axis(axis, value.Shape.Rank)).ToHashSet() ?? Enumerable.Range(0, value.Shape.Rank).Where(d => value.Shape[d] == 1).ToHashSet();
        return axes.Any(axis => value.Shape[axis] != 1)
            ? throw node.Inconsistent("it removes a dimension that is not 1")
            : [Shaped(node, value, value.Shape.Dimensions.Where((_, d) => !axes.Contains(d)).ToArray())];
    }

    public static IReadOnlyList<OnnxValue> BuildUnsqueeze(OnnxNode node)
    {
        var value = node.Input(0);
        var given = node.Integers(1, "axes") ?? throw node.Inconsistent("it has no axes");
        var rank = value.Shape.Rank + given.Length;
        var axes = rank <= NetworkLimits.Rank ? given.Select(axis => node.Axis(axis, rank)).ToHashSet() : throw node.Inconsistent("it makes too many dimensions");
        if (axes.Count != given.Length)
        {
            throw node.Inconsistent("it adds a dimension twice");
        }

        var next = 0;
        return [Shaped(node, value, Enumerable.Range(0, rank).Select(d => axes.Contains(d) ? 1 : value.Shape[next++]).ToArray())];
    }

    public static IReadOnlyList<OnnxValue> BuildTranspose(OnnxNode node)
    {
        var value = node.Input(0);
        var rank = value.Shape.Rank;
        var order = node.Ints("perm")?.Select(axis => node.Axis(axis, rank)).ToArray() ?? Enumerable.Range(0, rank).Reverse().ToArray();
        if (order.Length != rank || order.Distinct().Count() != rank)
        {
            throw node.Inconsistent("its perm is no permutation of the dimensions");
        }

        if (value.Constant is { } constant)
        {
            var codes = value.ConstantCodes is { IsPerAxis: true } perAxis ? perAxis with { Axis = Array.IndexOf(order, perAxis.Axis) } : value.ConstantCodes;
            return [Known(node, OnnxTensors.Transpose(constant, order)) with { ConstantCodes = codes, Element = value.Element }];
        }

        // A transposition to channels last, or from it, is what the network's value has already.
        if (value.ChannelsLast && order.AsSpan().SequenceEqual(OnnxValue.ToLast(rank)))
        {
            return [node.MadeLike(value, value.Name, false)];
        }

        if (rank > 2 && !value.ChannelsLast && value.Flattened is null && order.AsSpan().SequenceEqual(OnnxValue.ToFirst(rank)))
        {
            return [node.MadeLike(value, value.Name, true)];
        }

        return [node.MadeLike(value, node.Net.Transpose(node.First(value), order), false)];
    }

    public static IReadOnlyList<OnnxValue> BuildConcat(OnnxNode node)
    {
        var values = Enumerable.Range(0, node.InputCount).Select(node.Input).ToList();
        if (values.Count == 0 || values[0].Shape.Rank == 0 || values.Exists(value => value.Shape.Rank != values[0].Shape.Rank))
        {
            throw node.Inconsistent("its operands have different ranks, or there are none");
        }

        var rank = values[0].Shape.Rank;
        var axis = node.Axis(node.Int("axis", node.Opset < 4 ? 1 : long.MaxValue), rank);
        if (values.TrueForAll(value => value is { Constant: { } known, ConstantCodes: null, Shape.Rank: 1 } && known.Element == values[0].Element))
        {
            var bytes = values.SelectMany(value => value.Constant!.Bytes.ToArray()).ToArray();
            return [Known(node, new(values[0].Element, Shape.Of(values.Sum(value => value.Shape[0])), bytes))];
        }

        if (values.Exists(value => value.Element != values[0].Element))
        {
            throw node.Inconsistent("its operands have different element types");
        }

        var last = values.TrueForAll(value => value.ChannelsLast);
        var codes = values.TrueForAll(value => value is { IsConstant: false } && node.Net.TypeOf(value.Flattened?.Name ?? value.Name).Quantization == node.Net.TypeOf(values[0].Flattened?.Name ?? values[0].Name).Quantization);
        node.Require(codes || values[0].Element == ElementType.Float32, "its operands have different scales", "quantise them alike");
        var names = values.Select(value => (last, codes) switch
        {
            (true, true) => node.Last(value),
            (true, _) => node.RealLast(value),
            (_, true) => node.First(value),
            _ => node.Real(value),
        }).ToEquatableArray();
        var place = !last || axis == 0 ? axis : axis == 1 ? rank - 1 : axis - 1;
        var made = node.Net.AddLike(new Concat(string.Empty, names, OnnxNetworkBuilder.Open(), place));
        return [codes ? node.MadeLike(values[0], made, last) : last ? node.MadeLast(made) : node.MadeFirst(made)];
    }

    public static IReadOnlyList<OnnxValue> BuildPad(OnnxNode node)
    {
        var value = node.Runtime(node.Input(0));
        var rank = value.Shape.Rank;
        node.Require(node.Text("mode", "constant") == "constant", "its mode is not constant", "pad with a constant");
        var amounts = node.Integers(1, "pads") ?? throw node.Inconsistent("it has no pads");
        var fill = node.HasInput(2) ? node.RealConstant(2, "its fill").AsSpan<float>()[0] : node.Float("value", 0);
        var axes = node.HasInput(3) ? OnnxTensors.Integers(node.Constant(3, "its axes")).Select(axis => node.Axis(axis, rank)).ToArray() : Enumerable.Range(0, rank).ToArray();
        if (amounts.Length != 2 * axes.Length)
        {
            throw node.Inconsistent("its pads don't fit its axes");
        }

        node.Require(fill == 0, FormattableString.Invariant($"it fills with {fill:R}"), "pad with 0");
        var (before, after) = (new int[rank], new int[rank]);
        for (var i = 0; i < axes.Length; i++)
        {
            var place = !value.ChannelsLast || axes[i] == 0 ? axes[i] : axes[i] == 1 ? rank - 1 : axes[i] - 1;
            before[place] = node.Small(amounts[i], "padding");
            after[place] = node.Small(amounts[i + axes.Length], "padding");
        }

        var name = value.ChannelsLast ? value.Name : node.First(value);
        var zero = node.Net.TypeOf(name).Quantization is { } codes ? codes.ZeroPoint : 0;
        return [node.MadeLike(value, node.Net.AddLike(new Pad(string.Empty, [name], OnnxNetworkBuilder.Open(), [.. before], [.. after], zero)), value.ChannelsLast)];
    }

    public static IReadOnlyList<OnnxValue> BuildSlice(OnnxNode node)
    {
        var value = node.Input(0);
        var rank = value.Shape.Rank;
        var starts = node.Integers(1, "starts") ?? throw node.Inconsistent("it has no starts");
        var ends = node.Integers(2, "ends") ?? throw node.Inconsistent("it has no ends");
        var axes = (node.Integers(3, "axes") ?? Enumerable.Range(0, starts.Length).Select(d => (long)d).ToArray()).Select(axis => node.Axis(axis, rank)).ToArray();
        var steps = (node.HasInput(4) ? node.Integers(4, "steps") : null) ?? Enumerable.Repeat(1L, starts.Length).ToArray();
        if (ends.Length != starts.Length || axes.Length != starts.Length || steps.Length != starts.Length)
        {
            throw node.Inconsistent("its starts, ends, axes and steps are not equally many");
        }

        var (begin, step, size) = (new int[rank], Enumerable.Repeat(1, rank).ToArray(), value.Shape.Dimensions.ToArray());
        for (var i = 0; i < starts.Length; i++)
        {
            var extent = value.Shape[axes[i]];
            if (steps[i] == 0 || Math.Abs((double)steps[i]) > NetworkLimits.Attribute)
            {
                throw node.Inconsistent(FormattableString.Invariant($"its step is {steps[i]}"));
            }

            var forward = steps[i] > 0;
            var first = Math.Clamp(starts[i] < 0 ? starts[i] + extent : starts[i], 0, forward ? extent : extent - 1);
            var end = Math.Clamp(ends[i] < 0 ? ends[i] + extent : ends[i], forward ? 0 : -1, extent);
            var count = forward ? (end - first + steps[i] - 1) / steps[i] : (first - end - steps[i] - 1) / -steps[i];
            node.Require(count >= 1, "its result has no elements", "use slices with elements");
            (begin[axes[i]], step[axes[i]], size[axes[i]]) = ((int)first, (int)steps[i], (int)count);
        }

        if (value is { Constant: { } known, ConstantCodes: null, Shape.Rank: 1 })
        {
            var bytesEach = known.Element.Size();
            var bytes = Enumerable.Range(0, size[0]).SelectMany(i => known.Bytes.Slice((begin[0] + (i * step[0])) * bytesEach, bytesEach).ToArray()).ToArray();
            return [Known(node, new(known.Element, Shape.Of(size[0]), bytes))];
        }

        _ = node.Runtime(value);
        if (value.ChannelsLast)
        {
            var order = OnnxValue.ToLast(rank);
            (begin, step, size) = (order.Select(d => begin[d]).ToArray(), order.Select(d => step[d]).ToArray(), order.Select(d => size[d]).ToArray());
        }

        var name = value.ChannelsLast ? value.Name : node.First(value);
        return [node.MadeLike(value, node.Net.AddLike(new StridedSlice(string.Empty, [name], OnnxNetworkBuilder.Open(), [.. begin], [.. step], [.. size])), value.ChannelsLast)];
    }

    public static IReadOnlyList<OnnxValue> BuildSplit(OnnxNode node)
    {
        var value = node.Runtime(node.Input(0));
        var rank = value.Shape.Rank;
        var axis = node.Axis(node.Int("axis", 0), rank);
        var parts = node.OutputCount;
        var extent = value.Shape[axis];
        var each = (extent + parts - 1) / parts;
        var sizes = node.Integers(1, "split") ?? Enumerable.Range(0, parts).Select(i => (long)Math.Min(each, extent - (i * each))).ToArray();
        if (sizes.Length != parts || Array.Exists(sizes, size => size < 1 || size > extent) || sizes.Sum() != extent)
        {
            throw node.Inconsistent("its parts don't make up the dimension");
        }

        var place = !value.ChannelsLast || axis == 0 ? axis : axis == 1 ? rank - 1 : axis - 1;
        var name = value.ChannelsLast ? value.Name : node.First(value);
        var results = new List<OnnxValue>();
        var start = 0;
        for (var i = 0; i < parts; i++)
        {
            node.Net.Label = node.OutputName(i);
            var begin = new int[rank];
            var size = node.Net.TypeOf(name).Shape.Dimensions.ToArray();
            (begin[place], size[place]) = (start, (int)sizes[i]);
            var layer = Array.TrueForAll(sizes, s => s == sizes[0])
                ? (Layer)new Split(string.Empty, [name], OnnxNetworkBuilder.Open(), place, parts, i)
                : new StridedSlice(string.Empty, [name], OnnxNetworkBuilder.Open(), [.. begin], Enumerable.Repeat(1, rank).ToEquatableArray(), [.. size]);
            results.Add(node.MadeLike(value, node.Net.AddLike(layer), value.ChannelsLast));
            start += (int)sizes[i];
        }

        return results;
    }

    public static IReadOnlyList<OnnxValue> BuildResize(OnnxNode node)
    {
        var value = node.Input(0);
        node.Require(value.Shape.Rank == 4, "its input is no image", "resize values with dimensions N, C, H, W");
        var mode = node.Text("mode", "nearest");
        var coordinates = node.OpType == "Upsample" ? "asymmetric" : node.Text("coordinate_transformation_mode", "half_pixel");
        node.Require(mode is "nearest" or "linear", $"its mode is {OnnxDiagnostics.Quote(mode)}", "use nearest or linear");
        ResizeCoordinates? kind = coordinates switch
        {
            "asymmetric" => ResizeCoordinates.Asymmetric,
            "half_pixel" or "pytorch_half_pixel" => ResizeCoordinates.HalfPixel,
            "align_corners" => ResizeCoordinates.AlignCorners,
            _ => null,
        };
        node.Require(kind is not null, $"its coordinates are {OnnxDiagnostics.Quote(coordinates)}", "use asymmetric, half_pixel or align_corners");

        // Nearest rounds half down in ONNX unless it says floor; the layer floors what asymmetric gives.
        node.Require(
            mode == "linear" || (kind == ResizeCoordinates.Asymmetric && (node.OpType == "Upsample" || node.Text("nearest_mode", "round_prefer_floor") == "floor")),
            "its nearest element is not the floor of asymmetric coordinates", "use nearest_mode floor with asymmetric coordinates, or linear");
        node.Require(node.Int("antialias", 0) == 0 && node.Find("axes") is null && node.Int("exclude_outside", 0) == 0, "it has attributes of newer operator sets", "use plain resizing");
        var upsample = node.OpType == "Upsample";
        long[] size;
        if (!upsample && node.HasInput(3))
        {
            size = OnnxTensors.Integers(node.Constant(3, "its sizes"));
        }
        else
        {
            var scales = node.RealConstant(upsample ? 1 : 2, "its scales").AsSpan<float>().ToArray();
            size = scales.Length == 4 ? value.Shape.Dimensions.Select((extent, d) => (long)Math.Clamp(Math.Floor((double)extent * scales[d]), 0, int.MaxValue)).ToArray() : [];
        }

        if (size.Length != 4 || size[0] != value.Shape[0] || size[1] != value.Shape[1])
        {
            throw node.Inconsistent("it resizes other dimensions than height and width");
        }

        var layer = new Resize(
            string.Empty, [node.RealLast(value)], OnnxNetworkBuilder.Open(), new(node.Small(size[2], "height", 1), node.Small(size[3], "width", 1)), mode == "nearest" ? ResizeMode.Nearest : ResizeMode.Bilinear,
            kind!.Value, RoundingScheme.OnnxHalfEven);
        return [node.MadeLast(node.Net.AddLike(layer))];
    }

    /// <summary>The same elements under another shape, both in the file's order.</summary>
    private static OnnxValue Shaped(OnnxNode node, OnnxValue value, int[] shape)
    {
        if (value.Constant is { } constant)
        {
            return Known(node, constant.Reshape(Shape.Of(shape))) with { ConstantCodes = value.ConstantCodes is { IsPerAxis: true } ? throw node.Unsupported("it reshapes a constant with a scale for each channel", "fold constants before exporting") : value.ConstantCodes, Element = value.Element };
        }

        // A flattened image is left as it is: a dense layer behind it takes its weights in that order.
        var isImage = value.ChannelsLast && shape.Length == 2 && shape[0] == value.Shape[0] && value.Shape[1] > 1 && value.Shape.Elements != (long)value.Shape[0] * value.Shape[1];
        return isImage
            ? new(node.OutputLabel, Shape.Of(shape), value.Element) { Flattened = value, IsDequantized = value.IsDequantized }
            : node.MadeLike(value, node.Net.Reshape(node.First(value), shape), false);
    }

    private static OnnxValue Known(OnnxNode node, Tensor tensor) => new(node.OutputLabel, tensor.Shape, tensor.Element) { Constant = tensor };

    private static Tensor Cast(OnnxNode node, Tensor tensor, int to)
    {
        var count = (int)tensor.Shape.Elements;
        double At(int i) => tensor.Element.IsReal() ? tensor.AsSpan<float>()[i] : tensor.GetInteger(i);
        switch (to)
        {
            case 1:
                return Tensor.From<float>(ElementType.Float32, tensor.Shape, Enumerable.Range(0, count).Select(i => (float)At(i)).ToArray());
            case 6:
                return Tensor.From<int>(ElementType.Int32, tensor.Shape, Enumerable.Range(0, count).Select(i => (int)At(i)).ToArray());
            case 7:
                return Tensor.From<long>(ElementType.Int64, tensor.Shape, Enumerable.Range(0, count).Select(i => tensor.Element.IsReal() ? (long)At(i) : tensor.GetInteger(i)).ToArray());
            default:
                throw node.Unsupported($"it converts a constant to {OnnxTensors.NameOf(to)}", "convert to float, int32 or int64");
        }
    }
}
