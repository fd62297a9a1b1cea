namespace CnnCompiler.Ir.Mapped;

/// <summary>Where the elements of a tensor lie in a buffer.</summary>
public static class LayoutElements
{
    /// <summary>Most elements that a tensor may have here.</summary>
    public const int MaxElements = 1 << 26;

    /// <summary>Why a layout has no meaning, or null.</summary>
    public static string? Fault(BufferLayout layout)
    {
        var rank = layout.Shape.Count;
        if (layout.HaloBefore.Count != rank || layout.HaloAfter.Count != rank || layout.Pitch.Count != rank)
        {
            return "the layout's halo or pitch has another rank than its shape";
        }

        if (layout.Lanes is not (1 or 2 or 4))
        {
            return "a word has 1, 2 or 4 lanes";
        }

        long last = 0;
        long count = 1;
        for (var d = 0; d < rank; d++)
        {
            if (layout.Shape[d] < 1 || layout.HaloBefore[d] < 0 || layout.HaloAfter[d] < 0 || layout.Pitch[d] < 0)
            {
                return "extents are at least 1, halo and pitch at least 0";
            }

            var extent = (long)layout.HaloBefore[d] + layout.Shape[d] + layout.HaloAfter[d];
            if (extent > MaxElements || (last += (extent - 1) * layout.Pitch[d]) >= MaxElements || (count *= layout.Shape[d]) > MaxElements
                || (d == 0 && extent * layout.Pitch[d] > MaxElements))
            {
                return "the layout is larger than any memory";
            }
        }

        return null;
    }

    /// <summary>Number of elements of the tensor, without halo.</summary>
    public static int Count(BufferLayout layout)
    {
        var count = 1;
        foreach (var extent in layout.Shape.AsSpan())
        {
            count *= extent;
        }

        return count;
    }

    /// <summary>The element index of each logical element, in row-major order. The layout has no <see cref="Fault"/>.</summary>
    public static int[] Of(BufferLayout layout)
    {
        var shape = layout.Shape.AsSpan();
        var pitch = layout.Pitch.AsSpan();
        var elements = new int[Count(layout)];
        Span<int> index = shape.Length <= 16 ? stackalloc int[16] : new int[shape.Length];
        index.Clear();
        var element = layout.Origin;
        for (var i = 0; i < elements.Length; i++)
        {
            elements[i] = element;
            for (var d = shape.Length - 1; d >= 0; d--)
            {
                element += pitch[d];
                if (++index[d] < shape[d])
                {
                    break;
                }

                element -= pitch[d] * shape[d];
                index[d] = 0;
            }
        }

        return elements;
    }
}
