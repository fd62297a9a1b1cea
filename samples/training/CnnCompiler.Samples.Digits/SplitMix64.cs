namespace CnnCompiler.Samples.Digits;

/// <summary>
/// The samples' random generator: SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014), so that digits
/// and weights are the same on every machine and runtime.
/// </summary>
/// <param name="seed">Any number; equal seeds give equal sequences.</param>
public sealed class SplitMix64(ulong seed)
{
    private ulong _state = seed;

    /// <summary>The next 64 bits.</summary>
    public ulong Next()
    {
        _state += 0x9E3779B97F4A7C15;
        var z = _state;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    /// <summary>An integer from 0 to <paramref name="exclusive"/> - 1.</summary>
    public int NextInteger(int exclusive) => (int)(((UInt128)Next() * (ulong)exclusive) >> 64);

    /// <summary>A number in [<paramref name="low"/>, <paramref name="high"/>).</summary>
    public double NextDouble(double low, double high) => low + ((high - low) * ((Next() >> 11) * (1.0 / (1UL << 53))));

    /// <summary>A bell-shaped number of mean 0 and standard deviation 1: the sum of four uniform ones, so within 3.5.</summary>
    public double NextBell() =>
        (NextDouble(-1, 1) + NextDouble(-1, 1) + NextDouble(-1, 1) + NextDouble(-1, 1)) * 0.8660254037844386;
}
