using System.Runtime.InteropServices;

namespace CnnCompiler.Primitives.HostFunctions;

/// <summary>
/// Maximum of each bin of each region, in f32, as Caffe's roi_pooling_layer. Operands: features [1, H, W, C] and regions [R, 5] in image coordinates (0, x1, y1, x2, y2). Result [R, PH, PW, C]; an empty
/// bin is 0. Corners times the spatial scale are rounded half away from zero, a region has at least one element; bin i of n goes from floor(i * size / n) to ceil((i + 1) * size / n), clipped to the
/// features.
/// </summary>
/// <param name="Height">H.</param>
/// <param name="Width">W.</param>
/// <param name="Channels">C.</param>
/// <param name="Regions">R.</param>
/// <param name="PooledHeight">PH.</param>
/// <param name="PooledWidth">PW.</param>
/// <param name="SpatialScale">Features per pixel of the image.</param>
public sealed record RegionPooling(int Height, int Width, int Channels, int Regions, int PooledHeight, int PooledWidth, float SpatialScale) : HostFunction
{
    /// <inheritdoc/>
    public override IReadOnlyList<long> OperandBytes => [Product(Height, Width, Channels, sizeof(float)), Product(Regions, 5, sizeof(float))];

    /// <inheritdoc/>
    public override long ResultBytes => Product(Regions, PooledHeight, PooledWidth, Channels, sizeof(float));

    // A region may be as large as the features, and its neighbouring bins share an element at each border at most.
    /// <inheritdoc/>
    public override long Operations => Product(Regions, Height + (long)PooledHeight, Width + (long)PooledWidth, Channels);

    /// <inheritdoc/>
    public override string? Problem => float.IsFinite(SpatialScale) ? null : "a spatial scale that is no number";

    /// <inheritdoc/>
    public override void Run(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, Span<byte> result)
    {
        var features = MemoryMarshal.Cast<byte, float>(first);
        var regions = MemoryMarshal.Cast<byte, float>(second);
        var results = MemoryMarshal.Cast<byte, float>(result);
        for (var position = 0; position < results.Length; position += Channels)
        {
            var (region, bin) = Math.DivRem(position / Channels, PooledHeight * PooledWidth);
            var corners = regions.Slice((region * 5) + 1, 4);
            var (top, bottom) = Bin(corners[1], corners[3], bin / PooledWidth, PooledHeight, Height);
            var (left, right) = Bin(corners[0], corners[2], bin % PooledWidth, PooledWidth, Width);
            var pooled = results.Slice(position, Channels);
            pooled.Fill(top < bottom && left < right ? float.NegativeInfinity : 0);
            for (var y = top; y < bottom; y++)
            {
                for (var x = left; x < right; x++)
                {
                    var pixel = features.Slice(((y * Width) + x) * Channels, Channels);
                    for (var c = 0; c < Channels; c++)
                    {
                        pooled[c] = Math.Max(pooled[c], pixel[c]);
                    }
                }
            }
        }
    }

    private (int First, int End) Bin(double from, double to, int bin, int bins, int extent)
    {
        var start = Math.Round(from * SpatialScale, MidpointRounding.AwayFromZero);
        var size = Math.Max(Math.Round(to * SpatialScale, MidpointRounding.AwayFromZero) - start + 1, 1);
        var (first, end) = (Math.Floor(bin * size / bins) + start, Math.Ceiling((bin + 1) * size / bins) + start);
        return ((int)Math.Clamp(first, 0, extent), (int)Math.Clamp(end, 0, extent));
    }
}
