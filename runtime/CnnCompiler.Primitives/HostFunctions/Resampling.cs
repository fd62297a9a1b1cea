namespace CnnCompiler.Primitives.HostFunctions;

/// <summary>Which places of a dimension an element of a resized one lies between, and how far.</summary>
/// <param name="Scaled">Its place, in units of 1/1024.</param>
/// <param name="Lower">The index before.</param>
/// <param name="Upper">The index after.</param>
public readonly record struct ResampledPosition(long Scaled, int Lower, int Upper);

/// <summary>
/// RESIZE_NEAREST_NEIGHBOR and RESIZE_BILINEAR of TensorFlow Lite's reference kernels (reference/resize_nearest_neighbor.h and resize_bilinear.h), bit for bit: places of the nearest in binary32,
/// integers interpolated with weights of 10 bits.
/// </summary>
public static class Resampling
{
    private const int Bits = 10;

    /// <summary>Index of the nearest element, in binary32.</summary>
    /// <param name="index">Index in the result.</param>
    /// <param name="input">Extent of the input.</param>
    /// <param name="output">Extent of the result.</param>
    /// <param name="alignCorners">The first and last elements of both lie on each other.</param>
    /// <param name="halfPixel">Elements lie in the middle of pixels.</param>
    public static int Nearest(int index, int input, int output, bool alignCorners, bool halfPixel)
    {
        var scale = alignCorners && output > 1 ? (input - 1) / (float)(output - 1) : input / (float)output;
        var place = (float)((index + (halfPixel ? 0.5f : 0f)) * scale);
        var nearest = alignCorners ? Math.Round((double)place, MidpointRounding.AwayFromZero) : Math.Floor((double)place);
        return (int)Math.Clamp(nearest, 0, input - 1);
    }

    /// <summary>Place of an element, in units of 1/1024.</summary>
    /// <param name="index">Index in the result.</param>
    /// <param name="input">Extent of the input.</param>
    /// <param name="output">Extent of the result.</param>
    /// <param name="alignCorners">The first and last elements of both lie on each other.</param>
    /// <param name="halfPixel">Elements lie in the middle of pixels.</param>
    public static ResampledPosition Position(int index, int input, int output, bool alignCorners, bool halfPixel)
    {
        var scale = alignCorners && output > 1
            ? (((long)(input - 1) << Bits) + ((output - 1) / 2)) / (output - 1)
            : (((long)input << Bits) + (output / 2)) / output;
        var scaled = (index * scale) + (halfPixel ? (scale / 2) - (1 << (Bits - 1)) : 0);
        return new(scaled, (int)Math.Clamp(scaled / (1 << Bits), 0, input - 1), (int)Math.Min((scaled + (1 << Bits) - 1) / (1 << Bits), input - 1));
    }

    /// <summary>The value between four, half away from zero.</summary>
    /// <param name="topLeft">At the lower row and column.</param>
    /// <param name="topRight">At the lower row and upper column.</param>
    /// <param name="bottomLeft">At the upper row and lower column.</param>
    /// <param name="bottomRight">At the upper row and column.</param>
    /// <param name="row">Place of the row.</param>
    /// <param name="column">Place of the column.</param>
    public static long Interpolate(long topLeft, long topRight, long bottomLeft, long bottomRight, in ResampledPosition row, in ResampledPosition column)
    {
        const long one = 1 << Bits;
        var (down, right) = (row.Scaled - (one * row.Lower), column.Scaled - (one * column.Lower));
        var sum = (topLeft * (one - down) * (one - right)) + (bottomLeft * down * (one - right)) + (topRight * (one - down) * right) + (bottomRight * down * right);
        return (sum + (sum > 0 ? 1 << ((2 * Bits) - 1) : -(1 << ((2 * Bits) - 1)))) / (1 << (2 * Bits));
    }
}
