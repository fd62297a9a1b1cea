namespace CnnCompiler.Passes.PostTraining;

/// <summary>
/// The threshold of a distribution at which its quantised form loses least information: for each candidate, the Kullback-Leibler divergence of the distribution with what lies beyond put into the last bin
/// from the one that the levels can represent (Migacz, "8-bit Inference with TensorRT", GTC 2017). Values of both signs have 128 levels a side, others all 256.
/// </summary>
internal static class EntropyThreshold
{
    private const int OneSided = 256;
    private const int TwoSided = 128;
    private const int Step = 8;

    private const long FewestElements = 8L * Histogram.Bins;

    // Stands for probabilities that the quantised distribution lacks.
    private const double Least = 1e-10;

    /// <summary>The range cut at the threshold on both sides of 0.</summary>
    /// <param name="magnitudes">Histogram of distances from 0.</param>
    /// <param name="range">The whole range.</param>
    public static ValueRange Choose(Histogram magnitudes, ValueRange range)
    {
        // So few elements don't show the shape of a distribution.
        if (magnitudes.Width == 0 || magnitudes.Counts.Sum() < FewestElements)
        {
            return range;
        }

        var levels = range.Low < 0 && range.High > 0 ? TwoSided : OneSided;
        var (best, least) = (Histogram.Bins, double.PositiveInfinity);
        for (var bins = levels; bins <= Histogram.Bins; bins += Step)
        {
            var divergence = Divergence(magnitudes.Counts, bins, levels);
            if (divergence <= least)
            {
                (best, least) = (bins, divergence);
            }
        }

        var threshold = best * magnitudes.Width;
        return new(Math.Max(range.Low, -threshold), Math.Min(range.High, threshold));
    }

    private static double Divergence(long[] counts, int bins, int levels)
    {
        long inside = 0;
        foreach (var count in counts.AsSpan(0, bins))
        {
            inside += count;
        }

        long beyond = 0;
        foreach (var count in counts.AsSpan(bins))
        {
            beyond += count;
        }

        if (inside == 0)
        {
            return double.PositiveInfinity;
        }

        var divergence = 0.0;
        for (var level = 0; level < levels; level++)
        {
            var (start, end) = ((int)((long)level * bins / levels), (int)((long)(level + 1) * bins / levels));
            var (sum, used) = (0L, 0);
            for (var bin = start; bin < end; bin++)
            {
                sum += counts[bin];
                used += counts[bin] > 0 ? 1 : 0;
            }

            for (var bin = start; bin < end; bin++)
            {
                var p = (counts[bin] + (bin == bins - 1 ? beyond : 0)) / (double)(inside + beyond);
                if (p > 0)
                {
                    divergence += p * Math.Log(p / Math.Max(counts[bin] > 0 ? sum / (double)used / inside : 0, Least));
                }
            }
        }

        return divergence;
    }
}
