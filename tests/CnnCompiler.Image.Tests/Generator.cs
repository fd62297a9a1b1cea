namespace CnnCompiler.Image.Tests;

/// <summary>SplitMix64: the same numbers on every machine and runtime.</summary>
internal sealed class Generator(ulong seed)
{
    private ulong _state = seed;

    public uint Word() => (uint)(Next() >> 32);

    public ulong Next()
    {
        _state += 0x9E3779B97F4A7C15;
        var z = _state;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    /// <summary>A number from 0 to limit - 1.</summary>
    public int Below(int limit) => (int)(Word() * (ulong)limit >> 32);

    /// <summary>A number from low to high, both included.</summary>
    public int Between(int low, int high) => low + Below(high - low + 1);

    public bool Coin() => (Next() >> 63) != 0;

    public T Pick<T>(params ReadOnlySpan<T> items) => items[Below(items.Length)];
}
