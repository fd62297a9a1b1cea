namespace CnnCompiler.Ir.Gconv;

/// <summary>What <see cref="GconvVerifier"/> guarantees of a chain. The name in a message is the member's in lower case with hyphens.</summary>
public enum GconvInvariant
{
    /// <summary>Every tensor has a name of its own that is not empty.</summary>
    UniqueNames,

    /// <summary>A step reads inputs, constants and earlier steps only; a program's outputs are defined.</summary>
    DefinedBeforeUse,

    /// <summary>Inputs and constants are of integers or f32; extents, ranks and elements are within <see cref="Network.NetworkLimits"/>.</summary>
    TensorTypes,

    /// <summary>Loops have extents of at least 1, dimension names are words, a dimension has at most one loop of a kind, and the trips of a program are within the limit of operations.</summary>
    Loops,

    /// <summary>An access has an expression for each dimension of its tensor, and an expression a coefficient for each loop.</summary>
    IndexRank,

    /// <summary>An index is inside its tensor for all values of the loops, unless the access says what happens outside.</summary>
    IndexInRange,

    /// <summary>
    /// A loop of more than one trip indexes what its kind says. With a kernel operand: g input, kernel and output; op kernel and output; opc input and output; ks input and kernel.
    /// Without: op the output; opc input and output; ks the input; there is no g (nothing would tell it from opc).
    /// </summary>
    LoopKinds,

    /// <summary>Further operands and the output are indexed by parallel loops only.</summary>
    ParallelIndex,

    /// <summary>Every element of the output (or of the slice written) is written exactly once.</summary>
    OutputCoverage,

    /// <summary>
    /// A slot uses what it may: pre the input; main the input (always) and the kernel (where there is one, and then always); post the accumulator and the tap count; any the further operands,
    /// each of which is used.
    /// </summary>
    SlotContents,

    /// <summary>Requantisation has a rounding scheme of 32-bit arithmetic, and literal multipliers and shifts in range.</summary>
    Requantization,

    /// <summary>Without a reduction no ks loop has more than one trip.</summary>
    Reduction,

    /// <summary>The accumulator is i32 or i64, or i8 for a maximum, where main yields an integer; f64 where it yields a real.</summary>
    AccumulatorType,

    /// <summary>Integers and reals do not mix in a slot but by conversions; functions get what they take; post yields a real where the result is f32 or f64, an integer else.</summary>
    ScalarTypes,

    /// <summary>A further operand is a table (looked up in, and never outside its tensor) or a value, not both; the offset in a table is an integer.</summary>
    Tables,

    /// <summary>An index is divided by 1 or more, and by more than 1 only in an input that skips taps.</summary>
    Divisors,

    /// <summary>Only the input skips taps, and only where taps are reduced; only a filled access has a fill value, and the tensor's type can hold it.</summary>
    OutOfRangeRules,

    /// <summary>The operators that write a tensor piecewise are those that its join lists, all before it, of its element type; nothing else reads or joins a piece.</summary>
    Pieces,

    /// <summary>The pieces of a join are boxes that do not overlap and together cover it.</summary>
    JoinCoverage,

    /// <summary>A reshape has one source of the same element type and number of elements.</summary>
    ReshapeSource,

    /// <summary>A softmax reads and writes i8 tensors of one shape with at least one dimension; its shift is 0 to 31.</summary>
    SoftmaxOperands,

    /// <summary>A host step is a layer of the closed set, its operands are of the types that this layer takes, and its result has the shape that they give.</summary>
    HostLayer,
}
