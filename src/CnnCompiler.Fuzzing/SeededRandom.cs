namespace CnnCompiler.Fuzzing;

/// <summary>
/// PCG32 (XSH-RR, O'Neill 2014): the generator of random networks, of all tests and of <c>cnnc fuzz</c>, so that a seed means the same data everywhere and for ever.
/// </summary>
public sealed class SeededRandom
{
    private const ulong Multiplier = 6364136223846793005;
    private const ulong Increment = 1442695040888963407;
    private ulong _state;

    /// <summary>A generator; equal seeds give equal sequences.</summary>
    public SeededRandom(ulong seed)
    {
        _state = seed + Increment;
        NextBits();
    }

    /// <summary>32 random bits.</summary>
    public uint NextBits()
    {
        var old = _state;
        _state = (old * Multiplier) + Increment;
        var shifted = (uint)(((old >> 18) ^ old) >> 27);
        return System.Numerics.BitOperations.RotateRight(shifted, (int)(old >> 59));
    }

    /// <summary>64 random bits.</summary>
    public ulong NextBits64() => ((ulong)NextBits() << 32) | NextBits();

    /// <summary>A number from 0 to <paramref name="bound"/> - 1.</summary>
    public int Below(int bound) => Next(0, bound - 1);

    /// <summary>A 32-bit number, all equally likely.</summary>
    public int NextInt32() => (int)NextBits();

    /// <summary>A number from <paramref name="low"/> to <paramref name="high"/>, both included (bias below 2^-32 times the range).</summary>
    public int Next(int low, int high) => (int)(low + (long)((NextBits() * (ulong)((long)high - low + 1)) >> 32));

    /// <summary>A code, all equally likely.</summary>
    public sbyte NextCode() => (sbyte)(NextBits() >> 24);

    /// <summary>True once in <paramref name="n"/> times.</summary>
    public bool OneIn(int n) => Next(1, n) == 1;

    /// <summary>One of the choices.</summary>
    /// <typeparam name="T">What is chosen from.</typeparam>
    public T Choose<T>(params ReadOnlySpan<T> choices) => choices[Next(0, choices.Length - 1)];

    /// <summary>A number in [low, high), evenly spread in its logarithm.</summary>
    public double NextLogarithmic(double low, double high) => low * Math.Pow(high / low, NextBits() / 4294967296.0);
}
