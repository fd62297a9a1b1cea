using CnnCompiler.Image.OpenEdge;

namespace CnnCompiler.Targets.OpenEdge.ArrayPrograms;

/// <summary>A cell of the 4x4 torus; row 0 is the top.</summary>
/// <param name="Row">Row, 0 to 3.</param>
/// <param name="Column">Column, 0 to 3.</param>
public readonly record struct Cell(int Row, int Column)
{
    /// <summary>Rows and columns of the array: the only geometry with a validated specification.</summary>
    public const int Side = 4;

    /// <summary>Index, row-major.</summary>
    public int Index => (Row * Side) + Column;

    /// <summary>All cells, row by row.</summary>
    public static IEnumerable<Cell> All => from r in Enumerable.Range(0, Side) from c in Enumerable.Range(0, Side) select new Cell(r, c);

    /// <summary>How this cell reads <paramref name="other"/>'s ROUT, or null where it isn't itself or a torus neighbour.</summary>
    public OpenEdgeSource? SourceOf(Cell other) => ((other.Row - Row + Side) % Side, (other.Column - Column + Side) % Side) switch
    {
        (0, 0) => OpenEdgeSource.Rout,
        (0, Side - 1) => OpenEdgeSource.Left,
        (0, 1) => OpenEdgeSource.Right,
        (Side - 1, 0) => OpenEdgeSource.Top,
        (1, 0) => OpenEdgeSource.Bottom,
        _ => null,
    };

    /// <inheritdoc/>
    public override string ToString() => $"({Row},{Column})";
}

/// <summary>A virtual register: a variable of one cell that lives across blocks. The allocator gives it one of R0 to R3.</summary>
public sealed class VirtualRegister
{
    internal VirtualRegister(Cell cell, string name) => (Cell, Name) = (cell, name);

    /// <summary>The only cell that can read and write it.</summary>
    public Cell Cell { get; }

    /// <summary>Name for people.</summary>
    public string Name { get; }

    /// <inheritdoc/>
    public override string ToString() => $"{Name}{Cell}";
}

/// <summary>What an operand of an array operation is.</summary>
public enum ArrayOperandKind
{
    /// <summary>Zero.</summary>
    Zero,

    /// <summary>The operation's constant.</summary>
    Immediate,

    /// <summary>A virtual register of the same cell.</summary>
    Register,

    /// <summary>The result of an earlier operation of the same block, read from its cell's ROUT: the same cell or a neighbour.</summary>
    Value,

    /// <summary>
    /// What a cell's ROUT holds at the beginning of the block, the same cell's or a neighbour's: the kernel knows what the blocks before, also the
    /// end of the loop, leave there.
    /// </summary>
    Carried,
}

/// <summary>An operand.</summary>
/// <param name="Kind">Kind.</param>
/// <param name="Register">With <see cref="ArrayOperandKind.Register"/>.</param>
/// <param name="Producer">With <see cref="ArrayOperandKind.Value"/>.</param>
public readonly record struct ArrayOperand(ArrayOperandKind Kind, VirtualRegister? Register = null, ArrayOperation? Producer = null)
{
    /// <summary>Zero.</summary>
    public static readonly ArrayOperand Zero = new(ArrayOperandKind.Zero);

    /// <summary>The operation's constant.</summary>
    public static readonly ArrayOperand Immediate = new(ArrayOperandKind.Immediate);

    /// <summary>With <see cref="ArrayOperandKind.Carried"/>: whose ROUT.</summary>
    public Cell Holder { get; private init; }

    /// <summary>What a cell's ROUT holds at the beginning of the block.</summary>
    public static ArrayOperand Carried(Cell holder) => new(ArrayOperandKind.Carried) { Holder = holder };

    /// <summary>A register.</summary>
    public static implicit operator ArrayOperand(VirtualRegister register) => new(ArrayOperandKind.Register, register);

    /// <summary>An earlier result.</summary>
    public static implicit operator ArrayOperand(ArrayOperation producer) => new(ArrayOperandKind.Value, null, producer);
}

/// <summary>
/// One operation on one cell. Its result is in the cell's ROUT until the cell's next operation that writes ROUT; with a destination it is also
/// in a register.
/// </summary>
public sealed class ArrayOperation
{
    /// <summary>Where it runs.</summary>
    public required Cell Cell { get; init; }

    /// <summary>What it does.</summary>
    public required OpenEdgeOpcode Opcode { get; init; }

    /// <summary>Operand A.</summary>
    public ArrayOperand A { get; init; }

    /// <summary>Operand B.</summary>
    public ArrayOperand B { get; init; }

    /// <summary>Register that also gets the result.</summary>
    public VirtualRegister? Destination { get; init; }

    /// <summary>Constant, pointer increment in bytes.</summary>
    public int Immediate { get; init; }

    /// <summary>For a select: the operation whose flags decide (the last writer of its cell's ROUT).</summary>
    public ArrayOperation? Flags { get; init; }

    /// <summary>For a branch: where to.</summary>
    public ArrayBlock? Target { get; init; }

    /// <summary>
    /// For a memory access: the buffer it touches. A load and a store of the same buffer keep their order; accesses to different buffers don't.
    /// </summary>
    public string Buffer { get; init; } = string.Empty;

    /// <summary>True where the operation replaces ROUT and the flags; only NOP (with a destination: clear the register) keeps them.</summary>
    public bool WritesRout => Opcode != OpenEdgeOpcode.Nop;

    /// <summary>True where ROUT is undefined afterwards: a store leaves the cell's hidden load buffer there.</summary>
    public bool LeavesRoutUndefined => Opcode is OpenEdgeOpcode.Swd or OpenEdgeOpcode.Swi;

    /// <summary>True for a load.</summary>
    public bool IsLoad => Opcode is OpenEdgeOpcode.Lwd or OpenEdgeOpcode.Lwi;

    /// <summary>True for a store.</summary>
    public bool IsStore => LeavesRoutUndefined;

    /// <summary>True for a branch.</summary>
    public bool IsBranch => Opcode is >= OpenEdgeOpcode.Beq and <= OpenEdgeOpcode.Jump;

    /// <inheritdoc/>
    public override string ToString() => $"{Opcode} on {Cell}";
}

/// <summary>A basic block: groups of operations, each group in one step, in program order. Results in ROUT don't outlive a block; registers do.</summary>
public sealed class ArrayBlock
{
    private readonly List<IReadOnlyList<ArrayOperation>> _groups = [];

    internal ArrayBlock(string name) => Name = name;

    /// <summary>Name for people.</summary>
    public string Name { get; }

    /// <summary>The groups.</summary>
    public IReadOnlyList<IReadOnlyList<ArrayOperation>> Groups => _groups;

    internal void Add(IReadOnlyList<ArrayOperation> group) => _groups.Add(group);
}

/// <summary>The code of one kernel before scheduling: blocks in layout order, each falling through to the next unless it branches.</summary>
/// <param name="Name">Name for people.</param>
/// <param name="Blocks">Blocks; the last one ends in EXIT.</param>
public sealed record ArrayProgram(string Name, IReadOnlyList<ArrayBlock> Blocks);

/// <summary>A kernel that exceeds the array: the resource and both amounts.</summary>
/// <param name="kernel">Kernel.</param>
/// <param name="resource">Resource in the user's words, for example <c>steps of a kernel</c>.</param>
/// <param name="needed">Amount needed.</param>
/// <param name="available">Amount there is.</param>
public sealed class ArrayResourceException(string kernel, string resource, long needed, long available)
    : Exception($"{kernel} needs {needed} {resource}, there are {available}")
{
    /// <summary>Kernel.</summary>
    public string Kernel { get; } = kernel;

    /// <summary>Resource.</summary>
    public string Resource { get; } = resource;

    /// <summary>Amount needed.</summary>
    public long Needed { get; } = needed;

    /// <summary>Amount there is.</summary>
    public long Available { get; } = available;
}
