namespace CnnCompiler.Interpreter.Tests;

/// <summary>xorshift32 (Marsaglia 2003, shifts 13, 17, 5): the same numbers on every machine.</summary>
internal sealed class TestGenerator(uint seed)
{
    private uint _state = seed == 0 ? 1 : seed;

    public uint Next()
    {
        _state ^= _state << 13;
        _state ^= _state >> 17;
        _state ^= _state << 5;
        return _state;
    }

    public int Below(int bound) => (int)(Next() % (uint)bound);
}
