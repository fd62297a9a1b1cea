using CnnCompiler.Core;
using CnnCompiler.Ir.Network;

namespace CnnCompiler.Frontend.Onnx;

/// <summary>Pools. Maxima keep codes; means of codes that were dequantised are made of their real numbers, as the file says.</summary>
internal static class OnnxPooling
{
    public static IReadOnlyList<OnnxValue> BuildMaxPool(OnnxNode node)
    {
        node.Require(node.OutputCount == 1, "its second output, the indices of maxima, is read", "use only its first output");
        node.Require(node.Int("storage_order", 0) == 0, "its storage_order is column major", "use row major order");
        var value = node.Input(0);
        var (windows, spatial) = Windows(node, value);
        var name = OnnxConvolutions.Plane(node, node.Last(value), spatial);
        Layer layer = spatial == 3
            ? new MaxPool3D(string.Empty, [name], OnnxNetworkBuilder.Open(), OnnxWindows.Triple(windows.Kernel), OnnxWindows.Triple(windows.Strides), windows.Volume(), FusedActivation.None)
            : new MaxPool2D(string.Empty, [name], OnnxNetworkBuilder.Open(), OnnxWindows.Pair(windows.Kernel, 1), OnnxWindows.Pair(windows.Strides, 1), windows.Plane(), FusedActivation.None);
        return [node.MadeLike(value, OnnxConvolutions.Line(node, node.Net.AddLike(layer), spatial), true)];
    }

    public static IReadOnlyList<OnnxValue> BuildAveragePool(OnnxNode node)
    {
        var value = node.Input(0);
        var (windows, spatial) = Windows(node, value);
        var name = OnnxConvolutions.Plane(node, node.RealLast(value), spatial);
        var counted = node.Int("count_include_pad", 0) != 0;
        var hasExcess = windows.Excess.Any(excess => excess > 0);
        if (counted && hasExcess)
        {
            // The elements that ceil_mode adds are not counted, those of the padding are: they become elements.
            name = PadWithZeros(node, name, windows);
            windows = windows with { Before = new int[windows.Before.Length], After = new int[windows.After.Length] };
            counted = false;
        }

        Layer layer = spatial == 3
            ? new AveragePool3D(string.Empty, [name], OnnxNetworkBuilder.Open(), OnnxWindows.Triple(windows.Kernel), OnnxWindows.Triple(windows.Strides), windows.Volume(), counted, FusedActivation.None)
            : new AveragePool2D(string.Empty, [name], OnnxNetworkBuilder.Open(), OnnxWindows.Pair(windows.Kernel, 1), OnnxWindows.Pair(windows.Strides, 1), windows.Plane(), FusedActivation.None) { CountPadding = counted };
        return [node.MadeLast(OnnxConvolutions.Line(node, node.Net.AddLike(layer), spatial))];
    }

    public static IReadOnlyList<OnnxValue> BuildGlobalAveragePool(OnnxNode node)
    {
        var value = node.Input(0);
        var rank = Spatial(node, value) + 2;
        var name = value.ChannelsLast ? node.RealLast(value) : node.Real(value);
        var axes = Enumerable.Range(value.ChannelsLast ? 1 : 2, rank - 2).ToEquatableArray();
        var made = node.Net.AddLike(new Mean(string.Empty, [name], OnnxNetworkBuilder.Open(), axes, true, RoundingScheme.OnnxHalfEven));
        return [value.ChannelsLast ? node.MadeLast(made) : node.MadeFirst(made)];
    }

    public static IReadOnlyList<OnnxValue> BuildGlobalMaxPool(OnnxNode node)
    {
        var value = node.Input(0);
        var spatial = Spatial(node, value);
        var kernel = value.Shape.Dimensions.Skip(2).ToArray();
        var steps = kernel.Select(_ => 1).ToArray();
        var name = OnnxConvolutions.Plane(node, node.Last(value), spatial);
        Layer layer = spatial == 3
            ? new MaxPool3D(string.Empty, [name], OnnxNetworkBuilder.Open(), OnnxWindows.Triple(kernel), OnnxWindows.Triple(steps), default, FusedActivation.None)
            : new MaxPool2D(string.Empty, [name], OnnxNetworkBuilder.Open(), OnnxWindows.Pair(kernel, 1), OnnxWindows.Pair(steps, 1), default, FusedActivation.None);
        return [node.MadeLike(value, OnnxConvolutions.Line(node, node.Net.AddLike(layer), spatial), true)];
    }

    private static string PadWithZeros(OnnxNode node, string name, OnnxWindows windows)
    {
        var rank = node.Net.TypeOf(name).Shape.Rank;
        var (before, after) = (new int[rank], new int[rank]);
        for (var d = 0; d < windows.Before.Length; d++)
        {
            var at = rank - 1 - windows.Before.Length + d;
            (before[at], after[at]) = (windows.Before[d], windows.After[d]);
        }

        return node.Net.AddLike(new Pad(string.Empty, [name], OnnxNetworkBuilder.Open(), [.. before], [.. after], 0));
    }

    private static int Spatial(OnnxNode node, OnnxValue value)
    {
        var spatial = value.Shape.Rank - 2;
        node.Require(spatial is 1 or 2 or 3, FormattableString.Invariant($"its input has {value.Shape.Rank} dimensions"), "use pools over one, two or three spatial dimensions");
        return spatial;
    }

    private static (OnnxWindows Windows, int Spatial) Windows(OnnxNode node, OnnxValue value)
    {
        var spatial = Spatial(node, value);
        var kernel = node.Ints("kernel_shape")?.Select(extent => node.Small(extent, "kernel", 1)).ToArray() ?? throw node.Inconsistent("it has no kernel_shape");
        var windows = OnnxWindows.Read(node, value.Shape.Dimensions.AsSpan()[2..], kernel);
        node.Require(windows.Dilations.All(dilation => dilation == 1), "its window has dilations", "use a window without gaps");
        return (windows, spatial);
    }
}
