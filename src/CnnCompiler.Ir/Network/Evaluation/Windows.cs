namespace CnnCompiler.Ir.Network.Evaluation;

/// <summary>A tap of a window that lies inside: its pixel, and its place in the kernel, both flat.</summary>
internal readonly record struct Tap(int Pixel, int Kernel);

/// <summary>The taps of a window along one dimension.</summary>
/// <param name="Input">Extent of the input.</param>
/// <param name="Output">Extent of the result.</param>
/// <param name="Kernel">Taps.</param>
/// <param name="Stride">Step of the window; of a transposed one, of the input.</param>
/// <param name="Dilation">Step of the taps.</param>
/// <param name="Before">Padding before.</param>
/// <param name="Transposed">
/// False: tap k of output o reads input o * stride + k * dilation - before. True: it reads input i where i * stride + k * dilation - before = o.
/// </param>
internal readonly record struct WindowAxis(int Input, int Output, int Kernel, int Stride, int Dilation, int Before, bool Transposed = false)
{
    /// <summary>A dimension that there isn't.</summary>
    public static readonly WindowAxis None = new(1, 1, 1, 1, 1, 0);

    /// <summary>Taps that may be inside at once.</summary>
    public int Most => Math.Min(Kernel, Input);

    /// <summary>First tap that may be inside, and the one after the last.</summary>
    public (int First, int End) Range(int output)
    {
        if (Transposed)
        {
            return (0, Kernel);
        }

        var origin = ((long)output * Stride) - Before;
        var first = origin >= 0 ? 0 : (-origin + Dilation - 1) / Dilation;
        var end = origin >= Input ? 0 : Math.Min(Kernel, ((Input - 1 - origin) / Dilation) + 1);
        return ((int)Math.Min(first, Kernel), (int)end);
    }

    /// <summary>The input that a tap reads, or -1.</summary>
    public int Index(int output, int tap)
    {
        if (!Transposed)
        {
            return (int)(((long)output * Stride) - Before + ((long)tap * Dilation));
        }

        var place = (long)output + Before - ((long)tap * Dilation);
        return place >= 0 && place % Stride == 0 && place / Stride < Input ? (int)(place / Stride) : -1;
    }
}

/// <summary>Windows over [N, D, H, W, C]; planes have a depth of 1. Taps are in row-major order of the kernel.</summary>
internal sealed class Windows(WindowAxis depth, WindowAxis rows, WindowAxis columns)
{
    private readonly Tap[] _taps = new Tap[depth.Most * rows.Most * columns.Most];

    /// <summary>Pixels of the input.</summary>
    public int Inputs { get; } = depth.Input * rows.Input * columns.Input;

    /// <summary>Pixels of the result.</summary>
    public int Outputs { get; } = depth.Output * rows.Output * columns.Output;

    /// <summary>Taps of the kernel, those outside included.</summary>
    public int Kernel { get; } = (int)Math.Min((long)depth.Kernel * rows.Kernel * columns.Kernel, int.MaxValue);

    /// <summary>One window for each pixel, of that pixel.</summary>
    public static Windows OfPixels(int count) => new(WindowAxis.None, WindowAxis.None, new(count, count, 1, 1, 1, 0));

    /// <summary>The taps of a result pixel that lie inside; valid until the next call.</summary>
    public ReadOnlySpan<Tap> At(int output)
    {
        var (rest, x) = Math.DivRem(output, columns.Output);
        var (z, y) = Math.DivRem(rest, rows.Output);
        var (firstZ, endZ) = depth.Range(z);
        var (firstY, endY) = rows.Range(y);
        var (firstX, endX) = columns.Range(x);
        var count = 0;
        for (var kz = firstZ; kz < endZ; kz++)
        {
            var planeStart = depth.Index(z, kz);
            for (var ky = firstY; ky < endY && planeStart >= 0; ky++)
            {
                var rowStart = rows.Index(y, ky);
                for (var kx = firstX; kx < endX && rowStart >= 0; kx++)
                {
                    var column = columns.Index(x, kx);
                    if (column >= 0)
                    {
                        _taps[count++] = new((((planeStart * rows.Input) + rowStart) * columns.Input) + column, (((kz * rows.Kernel) + ky) * columns.Kernel) + kx);
                    }
                }
            }
        }

        return _taps.AsSpan(0, count);
    }
}
