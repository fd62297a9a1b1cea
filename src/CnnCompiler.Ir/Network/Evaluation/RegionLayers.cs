using System.Runtime.InteropServices;
using CnnCompiler.Core.Tensors;

namespace CnnCompiler.Ir.Network.Evaluation;

/// <summary>Region proposals and pooling of regions, in binary64, as the authors' implementations (py-faster-rcnn's proposal_layer.py and generate_anchors.py, Caffe's roi_pooling_layer).</summary>
internal static class RegionLayers
{
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

    /// <summary>
    /// Anchors of a cell: for each ratio a box of the cell's area, its sides rounded half to even, times each scale, around the middle of the cell. Boxes: (dx, dy, dw, dh) move the middle by parts of the
    /// sides and scale the sides by exponentials; clipped to the image; dropped where a side is below the minimum; the best by score (the earlier of equals, in the order of rows, columns, anchors), without
    /// those that overlap a better one that is kept by more than <see cref="Proposal.Overlap"/>.
    /// </summary>
    public static void Proposal(Proposal l, Shape shape, ReadOnlySpan<float> scores, ReadOnlySpan<float> deltas, Span<byte> output)
    {
        var anchors = Anchors(l);
        var found = new List<(double Score, Box Box)>();
        var index = 0;
        for (var y = 0; y < shape[1]; y++)
        {
            for (var x = 0; x < shape[2]; x++)
            {
                foreach (var anchor in anchors)
                {
                    var box = Decode(anchor, x * (double)l.FeatureStride, y * (double)l.FeatureStride, deltas.Slice(index * 4, 4), l.Size);
                    if (box.X2 - box.X1 + 1 >= l.MinimumSize && box.Y2 - box.Y1 + 1 >= l.MinimumSize)
                    {
                        found.Add((scores[(index * 2) + 1], box));
                    }

                    index++;
                }
            }
        }

        var results = MemoryMarshal.Cast<byte, float>(output);
        var kept = new List<Box>();
        foreach (var (_, box) in found.OrderByDescending(entry => entry.Score).Take(l.Before))
        {
            if (kept.Count == l.Count)
            {
                break;
            }

            if (!kept.Exists(better => better.Overlap(box) > l.Overlap))
            {
                var row = results.Slice(kept.Count * 5, 5);
                (row[1], row[2], row[3], row[4]) = ((float)box.X1, (float)box.Y1, (float)box.X2, (float)box.Y2);
                kept.Add(box);
            }
        }
    }

    /// <summary>
    /// Maximum of each bin of each region: corners times the spatial scale, rounded half away from zero, at least one element; bin i of n from floor(i * size / n) to ceil((i + 1) * size / n), clipped to the
    /// features.
    /// </summary>
    public static void RoiPool(RoiPool l, Shape shape, ReadOnlySpan<float> features, ReadOnlySpan<float> regions, Span<byte> output)
    {
        var (height, width, channels) = (shape[1], shape[2], shape[3]);
        var results = MemoryMarshal.Cast<byte, float>(output);
        for (var position = 0; position < results.Length; position += channels)
        {
            var (region, bin) = Math.DivRem(position / channels, l.Size.Height * l.Size.Width);
            var corners = regions.Slice((region * 5) + 1, 4);
            var (top, bottom) = Bin(corners[1], corners[3], l.SpatialScale, bin / l.Size.Width, l.Size.Height, height);
            var (left, right) = Bin(corners[0], corners[2], l.SpatialScale, bin % l.Size.Width, l.Size.Width, width);
            var result = results.Slice(position, channels);
            result.Fill(top < bottom && left < right ? float.NegativeInfinity : 0);
            for (var y = top; y < bottom; y++)
            {
                for (var x = left; x < right; x++)
                {
                    var pixel = features.Slice(((y * width) + x) * channels, channels);
                    for (var c = 0; c < channels; c++)
                    {
                        result[c] = Math.Max(result[c], pixel[c]);
                    }
                }
            }
        }
    }

    private static Box[] Anchors(Proposal l)
    {
        var boxes = new List<Box>();
        var middle = (l.FeatureStride - 1) / 2.0;
        foreach (var ratio in l.Ratios)
        {
            var width = Math.Round(Math.Sqrt((double)l.FeatureStride * l.FeatureStride / ratio), MidpointRounding.ToEven);
            var height = Math.Round(width * ratio, MidpointRounding.ToEven);
            foreach (var scale in l.Scales)
            {
                var (halfWidth, halfHeight) = (((width * scale) - 1) / 2, ((height * scale) - 1) / 2);
                boxes.Add(new(middle - halfWidth, middle - halfHeight, middle + halfWidth, middle + halfHeight));
            }
        }

        return [.. boxes];
    }

    private static Box Decode(in Box anchor, double left, double top, ReadOnlySpan<float> delta, Spatial image)
    {
        var (width, height) = (anchor.X2 - anchor.X1 + 1, anchor.Y2 - anchor.Y1 + 1);
        var x = anchor.X1 + left + (width / 2) + (delta[0] * width);
        var y = anchor.Y1 + top + (height / 2) + (delta[1] * height);
        var (halfWidth, halfHeight) = (Math.Exp(delta[2]) * width / 2, Math.Exp(delta[3]) * height / 2);
        return new(Clip(x - halfWidth, image.Width), Clip(y - halfHeight, image.Height), Clip(x + halfWidth, image.Width), Clip(y + halfHeight, image.Height));
    }

    private static double Clip(double place, int extent) => Math.Max(Math.Min(place, extent - 1), 0);

    private static (int First, int End) Bin(double from, double to, double spatialScale, int bin, int bins, int extent)
    {
        var start = Math.Round(from * spatialScale, MidpointRounding.AwayFromZero);
        var size = Math.Max(Math.Round(to * spatialScale, MidpointRounding.AwayFromZero) - start + 1, 1);
        var (first, end) = (Math.Floor(bin * size / bins) + start, Math.Ceiling((bin + 1) * size / bins) + start);
        return ((int)Math.Clamp(first, 0, extent), (int)Math.Clamp(end, 0, extent));
    }
}
