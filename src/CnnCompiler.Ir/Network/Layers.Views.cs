using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;

namespace CnnCompiler.Ir.Network;

/// <summary>How a resize fills in.</summary>
public enum ResizeMode
{
    /// <summary>The nearest element. Text name <c>nearest</c>.</summary>
    Nearest,

    /// <summary>Linear in both directions. Text name <c>bilinear</c>.</summary>
    Bilinear,
}

/// <summary>Which source coordinate a result coordinate stands for.</summary>
public enum ResizeCoordinates
{
    /// <summary>i * in / out. Text name <c>asymmetric</c>.</summary>
    Asymmetric,

    /// <summary>(i + 0.5) * in / out - 0.5. Text name <c>half_pixel</c>.</summary>
    HalfPixel,

    /// <summary>i * (in - 1) / (out - 1). Text name <c>align_corners</c>.</summary>
    AlignCorners,
}

/// <summary>Dimensions in another order: dimension d of the result is dimension <see cref="Permutation"/>[d] of the input.</summary>
public sealed record Transpose(
    string Name, EquatableArray<string> Inputs, TensorType Type, EquatableArray<int> Permutation) : Layer(Name, Inputs, Type)
{
    /// <inheritdoc/>
    public override string Keyword => "transpose";
}

/// <summary>Every stride-th element from begin on, in each dimension; the number of them is the result's extent. A stride may be negative.</summary>
public sealed record StridedSlice(
    string Name, EquatableArray<string> Inputs, TensorType Type, EquatableArray<int> Begin, EquatableArray<int> Stride, EquatableArray<int> Size) : Layer(Name, Inputs, Type)
{
    /// <inheritdoc/>
    public override string Keyword => "strided_slice";
}

/// <summary>One of the parts of an even split along a dimension.</summary>
public sealed record Split(
    string Name, EquatableArray<string> Inputs, TensorType Type, int Axis, int Parts, int Index) : Layer(Name, Inputs, Type)
{
    /// <inheritdoc/>
    public override string Keyword => "split";
}

/// <summary>Resizes height and width of [N, H, W, C] to <see cref="Size"/>.</summary>
public sealed record Resize(
    string Name, EquatableArray<string> Inputs, TensorType Type, Spatial Size, ResizeMode Mode, ResizeCoordinates Coordinates, RoundingScheme Rounding) : Layer(Name, Inputs, Type)
{
    /// <inheritdoc/>
    public override string Keyword => "resize";
}

/// <summary>
/// Region proposals of Faster R-CNN (Ren et al. 2015, section 3.3), a host step: inputs are object scores [1, H, W, A * 2] (background, then object, for each anchor) and box deltas [1, H, W, A * 4]; anchors are the ratios of each scale around each cell of <see cref="FeatureStride"/> pixels; boxes are decoded, clipped to the image (Size), small ones dropped, the best kept, suppressed by overlap. Result f32 [Count, 5]: 0, x1, y1, x2, y2; rows without a box are 0.
/// </summary>
public sealed record Proposal(
    string Name, EquatableArray<string> Inputs, TensorType Type, Spatial Size, int FeatureStride, EquatableArray<float> Scales, EquatableArray<float> Ratios, int Before, int Count, float Overlap, float MinimumSize) : Layer(Name, Inputs, Type)
{
    /// <inheritdoc/>
    public override string Keyword => "proposal";
}

/// <summary>
/// Max pooling of regions (Girshick 2015, section 2.1), a host step where bins are uneven: features [1, H, W, C] and regions f32 [R, 5] in image coordinates, scaled by <see cref="SpatialScale"/> and rounded; result [R, PH, PW, C]; an empty bin is 0.
/// </summary>
public sealed record RoiPool(
    string Name, EquatableArray<string> Inputs, TensorType Type, Spatial Size, float SpatialScale) : Layer(Name, Inputs, Type)
{
    /// <inheritdoc/>
    public override string Keyword => "roi_pool";
}
