namespace CnnCompiler.Primitives.HostFunctions;

/// <summary>
/// What a host processor computes where no array can: indexes that depend on data or have no affine form. A closed set; the one definition that the evaluators of the levels and the interpreters of
/// images call.
/// </summary>
public abstract record HostFunction
{
    /// <summary>Bytes of each operand, dense and row-major.</summary>
    public abstract IReadOnlyList<long> OperandBytes { get; }

    /// <summary>Bytes of the result, dense and row-major.</summary>
    public abstract long ResultBytes { get; }

    /// <summary>Scalar operations, from the shapes alone; where data decide how many there are, the most.</summary>
    public abstract long Operations { get; }

    /// <summary>What is wrong with the parameters, in words that follow "has "; null where nothing is.</summary>
    public abstract string? Problem { get; }

    /// <summary>Computes.</summary>
    /// <param name="first">First operand.</param>
    /// <param name="second">Second operand; empty where there is one only.</param>
    /// <param name="result">The result; what it held is overwritten.</param>
    public abstract void Run(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, Span<byte> result);

    /// <summary>Calls the case of the function's kind.</summary>
    public T Match<T>(Func<RegionProposals, T> proposals, Func<RegionPooling, T> pooling, Func<Resizing, T> resizing) => this switch
    {
        RegionProposals it => proposals(it),
        RegionPooling it => pooling(it),
        Resizing it => resizing(it),
        _ => throw new System.Diagnostics.UnreachableException(),
    };

    /// <summary>A product that stops at the largest number instead of passing it.</summary>
    private protected static long Product(params ReadOnlySpan<long> factors)
    {
        var product = 1L;
        foreach (var factor in factors)
        {
            product = factor != 0 && product > long.MaxValue / factor ? long.MaxValue : product * factor;
        }

        return product;
    }
}
