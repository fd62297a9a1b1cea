namespace CnnCompiler.Passes.PostTraining;

/// <summary>How often numbers of a range occur, in bins of equal width.</summary>
internal sealed class Histogram
{
    /// <summary>Number of bins, as in the published entropy calibration.</summary>
    public const int Bins = 2048;

    private readonly double _low;
    private readonly bool _magnitudes;

    private Histogram(double low, double width, bool magnitudes) => (_low, Width, _magnitudes) = (low, width, magnitudes);

    /// <summary>Elements in each bin.</summary>
    public long[] Counts { get; } = new long[Bins];

    /// <summary>Width of a bin; 0 where all elements are equal.</summary>
    public double Width { get; }

    /// <summary>Of numbers in a range.</summary>
    public static Histogram Of(ValueRange range) => new(range.Low, (range.High - range.Low) / Bins, magnitudes: false);

    /// <summary>Of distances from 0. Zeros are left out: every quantisation represents them exactly.</summary>
    public static Histogram OfMagnitudes(ValueRange range) => new(0, Math.Max(Math.Abs(range.Low), Math.Abs(range.High)) / Bins, magnitudes: true);

    /// <summary>Counts elements.</summary>
    public void Add(ReadOnlySpan<float> elements)
    {
        if (Width == 0)
        {
            return;
        }

        var perWidth = 1 / Width;
        foreach (var element in elements)
        {
            if (!_magnitudes || element != 0)
            {
                var bin = (int)(((_magnitudes ? Math.Abs((double)element) : element) - _low) * perWidth);
                Counts[Math.Clamp(bin, 0, Bins - 1)]++;
            }
        }
    }

    /// <summary>The range that leaves out a share of 1 - <paramref name="share"/> at each end, to a bin.</summary>
    public ValueRange Between(double share)
    {
        var (cut, all) = (1 - share, Counts.Sum());
        var (first, last) = (0, Bins - 1);
        for (long below = Counts[0]; first < last && below <= all * cut; below += Counts[++first])
        {
        }

        for (long above = Counts[Bins - 1]; last > first && above <= all * cut; above += Counts[--last])
        {
        }

        return new(_low + (first * Width), _low + ((last + 1) * Width));
    }
}
