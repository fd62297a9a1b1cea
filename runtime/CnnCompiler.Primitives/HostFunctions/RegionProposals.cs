using System.Runtime.InteropServices;

namespace CnnCompiler.Primitives.HostFunctions;

/// <summary>
/// Region proposals of Faster R-CNN in binary64, as the authors' implementation (py-faster-rcnn's proposal_layer.py and generate_anchors.py). Operands: scores f32 [1, H, W, A * 2] (background, then
/// object, for each anchor) and deltas f32 [1, H, W, A * 4]. Result f32 [Count, 5]: 0, x1, y1, x2, y2; rows without a box are 0.
/// </summary>
/// <remarks>
/// Anchors of a cell: for each ratio a box of the cell's area, its sides rounded half to even, times each scale, around the middle of the cell. Boxes: (dx, dy, dw, dh) move the middle by parts of the
/// sides and scale the sides by exponentials; clipped to the image; dropped where a side is below the minimum; the best by score (the earlier of equals, in the order of rows, columns, anchors), without
/// those that overlap a better one that is kept by more than <paramref name="Overlap"/>.
/// </remarks>
/// <param name="Height">H, cells.</param>
/// <param name="Width">W, cells.</param>
/// <param name="ImageHeight">Height of the image, pixels.</param>
/// <param name="ImageWidth">Width of the image, pixels.</param>
/// <param name="FeatureStride">Pixels of a cell's side.</param>
/// <param name="Scales">Scales of anchors.</param>
/// <param name="Ratios">Ratios of anchors, height to width.</param>
/// <param name="Before">Best boxes that suppression looks at.</param>
/// <param name="Count">Boxes of the result.</param>
/// <param name="Overlap">Intersection over union above which the worse box is dropped.</param>
/// <param name="MinimumSize">Smallest side, pixels.</param>
public sealed record RegionProposals(
    int Height,
    int Width,
    int ImageHeight,
    int ImageWidth,
    int FeatureStride,
    IReadOnlyList<float> Scales,
    IReadOnlyList<float> Ratios,
    int Before,
    int Count,
    float Overlap,
    float MinimumSize) : HostFunction
{
    // Decoding and clipping a box; the intersection over union of two.
    private const int OperationsOfBox = 24;
    private const int OperationsOfOverlap = 14;

    /// <inheritdoc/>
    public override IReadOnlyList<long> OperandBytes => [Product(Boxes, 2, sizeof(float)), Product(Boxes, 4, sizeof(float))];

    /// <inheritdoc/>
    public override long ResultBytes => Product(Count, 5, sizeof(float));

    /// <inheritdoc/>
    public override long Operations =>
        Product(Boxes, OperationsOfBox) / 2 + Product(Boxes, 64 - System.Numerics.BitOperations.LeadingZeroCount((ulong)Boxes)) / 2 + Product(Math.Min(Before, Boxes), Count, OperationsOfOverlap) / 2;

    /// <inheritdoc/>
    public override string? Problem =>
        Scales.Concat(Ratios).Any(value => !(value > 0 && float.IsFinite(value))) ? "anchors with a scale or ratio that is not above 0"
        : float.IsFinite(Overlap) && float.IsFinite(MinimumSize) ? null
        : "an overlap or least size that is no number";

    private long Boxes => Product(Height, Width, Scales.Count, Ratios.Count);

    private readonly record struct Box(double X1, double Y1, double X2, double Y2)
    {
        public double Area => (X2 - X1 + 1) * (Y2 - Y1 + 1);

        /// <summary>Intersection over union.</summary>
        public double Overlap(in Box other)
        {
            var width = Math.Max(0, Math.Min(X2, other.X2) - Math.Max(X1, other.X1) + 1);
            var height = Math.Max(0, Math.Min(Y2, other.Y2) - Math.Max(Y1, other.Y1) + 1);
            return width * height / (Area + other.Area - (width * height));
        }
    }

    /// <inheritdoc/>
    public override void Run(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, Span<byte> result)
    {
        var scores = MemoryMarshal.Cast<byte, float>(first);
        var deltas = MemoryMarshal.Cast<byte, float>(second);
        var results = MemoryMarshal.Cast<byte, float>(result);
        var anchors = Anchors();
        var found = new List<(double Score, Box Box)>();
        var index = 0;
        for (var y = 0; y < Height; y++)
        {
            for (var x = 0; x < Width; x++)
            {
                foreach (var anchor in anchors)
                {
                    var box = Decode(anchor, x * (double)FeatureStride, y * (double)FeatureStride, deltas.Slice(index * 4, 4));
                    if (box.X2 - box.X1 + 1 >= MinimumSize && box.Y2 - box.Y1 + 1 >= MinimumSize)
                    {
                        found.Add((scores[(index * 2) + 1], box));
                    }

                    index++;
                }
            }
        }

        results.Clear();
        var kept = new List<Box>();
        foreach (var (_, box) in found.OrderByDescending(entry => entry.Score).Take(Before))
        {
            if (kept.Count == Count)
            {
                break;
            }

            if (!kept.Exists(better => better.Overlap(box) > Overlap))
            {
                var row = results.Slice(kept.Count * 5, 5);
                (row[1], row[2], row[3], row[4]) = ((float)box.X1, (float)box.Y1, (float)box.X2, (float)box.Y2);
                kept.Add(box);
            }
        }
    }

    private Box[] Anchors()
    {
        var boxes = new List<Box>();
        var middle = (FeatureStride - 1) / 2.0;
        foreach (var ratio in Ratios)
        {
            var width = Math.Round(Math.Sqrt((double)FeatureStride * FeatureStride / ratio), MidpointRounding.ToEven);
            var height = Math.Round(width * ratio, MidpointRounding.ToEven);
            foreach (var scale in Scales)
            {
                var (halfWidth, halfHeight) = (((width * scale) - 1) / 2, ((height * scale) - 1) / 2);
                boxes.Add(new(middle - halfWidth, middle - halfHeight, middle + halfWidth, middle + halfHeight));
            }
        }

        return [.. boxes];
    }

    private Box Decode(in Box anchor, double left, double top, ReadOnlySpan<float> delta)
    {
        var (width, height) = (anchor.X2 - anchor.X1 + 1, anchor.Y2 - anchor.Y1 + 1);
        var x = anchor.X1 + left + (width / 2) + (delta[0] * width);
        var y = anchor.Y1 + top + (height / 2) + (delta[1] * height);
        var (halfWidth, halfHeight) = (Math.Exp(delta[2]) * width / 2, Math.Exp(delta[3]) * height / 2);
        return new(Clip(x - halfWidth, ImageWidth), Clip(y - halfHeight, ImageHeight), Clip(x + halfWidth, ImageWidth), Clip(y + halfHeight, ImageHeight));
    }

    private static double Clip(double place, int extent) => Math.Max(Math.Min(place, extent - 1), 0);
}
