using CnnCompiler.Ir.Network;

namespace CnnCompiler.Frontend.Onnx;

/// <summary>Strides, dilations and padding of a window along each spatial dimension (ONNX operators specification, Conv and MaxPool).</summary>
/// <param name="Kernel">Extents of the kernel.</param>
/// <param name="Strides">Steps.</param>
/// <param name="Dilations">Distances of taps.</param>
/// <param name="Before">Elements before.</param>
/// <param name="After">Elements after.</param>
/// <param name="Excess">Elements beyond those that ceil_mode adds to the last window.</param>
internal sealed record OnnxWindows(int[] Kernel, int[] Strides, int[] Dilations, int[] Before, int[] After, int[] Excess)
{
    /// <summary>Reads the attributes of a convolution or pool over spatial extents.</summary>
    public static OnnxWindows Read(OnnxNode node, ReadOnlySpan<int> spatial, int[] kernel)
    {
        var count = spatial.Length;
        if (kernel.Length != count || (node.Ints("kernel_shape") is { } shape && !shape.SequenceEqual(kernel.Select(k => (long)k))))
        {
            throw node.Inconsistent("its kernel has other dimensions than its input");
        }

        var strides = Each(node, "strides", count, 1);
        var dilations = Each(node, "dilations", count, 1);
        var (before, after, excess) = (new int[count], new int[count], new int[count]);
        var automatic = node.Text("auto_pad", "NOTSET");
        if (automatic == "NOTSET")
        {
            var pads = Each(node, "pads", 2 * count, 0);
            (before, after) = (pads[..count], pads[count..]);
        }

        for (var d = 0; d < count; d++)
        {
            var span = NetworkShapes.EffectiveKernel(kernel[d], dilations[d]);
            switch (automatic)
            {
                case "SAME_UPPER" or "SAME_LOWER":
                    var output = (spatial[d] + strides[d] - 1) / strides[d];
                    var total = (int)Math.Min(NetworkLimits.Attribute, Math.Max(0, ((output - 1L) * strides[d]) + span - spatial[d]));
                    (before[d], after[d]) = automatic == "SAME_UPPER" ? (total / 2, total - (total / 2)) : (total - (total / 2), total / 2);
                    break;
                case "NOTSET" or "VALID":
                    break;
                default:
                    throw node.Inconsistent("its auto_pad is none of NOTSET, SAME_UPPER, SAME_LOWER and VALID");
            }

            var room = (long)spatial[d] + before[d] + after[d] - span;
            if (node.Int("ceil_mode", 0) != 0 && room >= 0 && room % strides[d] != 0)
            {
                // A last window that starts behind the input and the padding before it is left out.
                var last = ((room / strides[d]) + 1) * strides[d];
                excess[d] = last < (long)spatial[d] + before[d] ? (int)(last - room) : 0;
            }
        }

        return new(kernel, strides, dilations, before, after, excess);
    }

    private static int[] Each(OnnxNode node, string attribute, int count, int least)
    {
        var values = node.Ints(attribute);
        return values is null ? Enumerable.Repeat(least, count).ToArray()
            : values.Length == count ? values.Select(value => node.Small(value, attribute, least)).ToArray()
            : throw node.Inconsistent(FormattableString.Invariant($"its {attribute} are {values.Length} numbers instead of {count}"));
    }

    public Padding Plane(bool withExcess = true) => new(
        At(Before, 2), At(After, 2) + (withExcess ? At(Excess, 2) : 0), At(Before, 1), At(After, 1) + (withExcess ? At(Excess, 1) : 0));

    public VolumePadding Volume(bool withExcess = true) => new(At(Before, 3), At(After, 3) + (withExcess ? At(Excess, 3) : 0), Plane(withExcess));

    /// <summary>A pair of the last two dimensions; <paramref name="absent"/> where there is but one.</summary>
    public static Spatial Pair(int[] numbers, int absent) => new(numbers.Length < 2 ? absent : numbers[^2], numbers[^1]);

    public static Volume Triple(int[] numbers) => new(numbers[^3], numbers[^2], numbers[^1]);

    private static int At(int[] numbers, int fromLast) => fromLast <= numbers.Length ? numbers[^fromLast] : 0;
}
