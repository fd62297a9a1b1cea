using CnnCompiler.Image.OpenEdge;

namespace CnnCompiler.Targets.OpenEdge.ArrayPrograms;

/// <summary>Writes an <see cref="ArrayProgram"/> block by block.</summary>
/// <param name="name">Name of the kernel.</param>
public sealed class ArrayProgramBuilder(string name)
{
    private readonly List<ArrayBlock> _blocks = [];

    /// <summary>The block that operations go to.</summary>
    public ArrayBlock Current => _blocks[^1];

    /// <summary>Starts a block.</summary>
    public ArrayBlock Block(string blockName) => Begin(Later(blockName));

    /// <summary>A block that branches lead to and that <see cref="Begin"/> starts later.</summary>
    public static ArrayBlock Later(string blockName) => new(blockName);

    /// <summary>Starts a block.</summary>
    public ArrayBlock Begin(ArrayBlock block)
    {
        _blocks.Add(block);
        return block;
    }

    /// <summary>The finished program.</summary>
    public ArrayProgram Build() => new(name, _blocks);

    /// <summary>A register of one cell.</summary>
    public static VirtualRegister Register(Cell cell, string registerName) => new(cell, registerName);

    /// <summary>Operations that share a step.</summary>
    public void Step(params IEnumerable<ArrayOperation> operations)
    {
        var group = operations.ToArray();
        if (group.Length > 0)
        {
            Current.Add(group);
        }
    }

    /// <summary>One operation; its step may be shared with others.</summary>
    public ArrayOperation Do(ArrayOperation operation)
    {
        Current.Add([operation]);
        return operation;
    }

    /// <summary>register := value, in one step where it fits 13 bits, in three where it fits 25, else in five.</summary>
    public void Set(VirtualRegister register, int value) => Make(register.Cell, value, register);

    /// <summary>A constant in ROUT, and in a register.</summary>
    private ArrayOperation Make(Cell cell, int value, VirtualRegister? register)
    {
        if (FitsImmediate(value))
        {
            return Do(Binary(OpenEdgeOpcode.SAdd, cell, ArrayOperand.Zero, ArrayOperand.Immediate, register, value));
        }

        const int LowBits = 12;
        var shifted = Do(Binary(OpenEdgeOpcode.Sll, cell, Make(cell, value >> LowBits, null), ArrayOperand.Immediate, null, LowBits));
        return Do(Binary(OpenEdgeOpcode.SAdd, cell, shifted, ArrayOperand.Immediate, register, value & ((1 << LowBits) - 1)));
    }

    /// <summary>register += value, in as many steps as 13-bit constants need.</summary>
    public void Advance(VirtualRegister register, int value)
    {
        while (value != 0)
        {
            var part = Math.Clamp(value, OpenEdgeInstruction.MinImmediate, OpenEdgeInstruction.MaxImmediate);
            Do(Add(register, register, part));
            value -= part;
        }
    }

    /// <summary>counter -= 1.</summary>
    public void Count(VirtualRegister counter) => Do(Add(counter, counter, -1));

    /// <summary>Back to <paramref name="target"/> while the counter isn't 0.</summary>
    public void LoopWhileNotZero(VirtualRegister counter, ArrayBlock target) =>
        Do(new() { Cell = counter.Cell, Opcode = OpenEdgeOpcode.Bne, A = counter, B = ArrayOperand.Zero, Target = target });

    /// <summary>
    /// Brings values from row 0 to all rows: rows 1 and 3 are its neighbours on the torus and copy them, row 2 copies from row 1.
    /// </summary>
    /// <param name="top">One value a column, in the ROUT of row 0.</param>
    /// <param name="destination">Register that a copy also goes to, for each cell, or null for ROUT alone.</param>
    /// <returns>The values of all sixteen cells.</returns>
    public IReadOnlyList<ArrayOperation> SpreadDownColumns(IReadOnlyList<ArrayOperation> top, Func<Cell, VirtualRegister>? destination = null)
    {
        ArrayOperation Copy(int row, ArrayOperation from)
        {
            var cell = new Cell(row, from.Cell.Column);
            return Move(cell, from, destination?.Invoke(cell));
        }

        var second = top.Select(t => Copy(1, t)).ToArray();
        var last = top.Select(t => Copy(3, t)).ToArray();
        Step([.. second, .. last]);
        var third = second.Select(s => Copy(2, s)).ToArray();
        Step(third);
        return [.. top, .. second, .. third, .. last];
    }

    /// <summary>Ends the kernel (unless a branch is taken in the same step).</summary>
    public void Exit(Cell cell) => Do(new() { Cell = cell, Opcode = OpenEdgeOpcode.Exit });

    /// <summary>An operation with two operands.</summary>
    public static ArrayOperation Binary(
        OpenEdgeOpcode opcode, Cell cell, ArrayOperand a, ArrayOperand b, VirtualRegister? destination = null, int immediate = 0) =>
        new() { Cell = cell, Opcode = opcode, A = a, B = b, Destination = destination, Immediate = CheckedImmediate(immediate) };

    /// <summary>register := operand + constant, on the register's cell.</summary>
    public static ArrayOperation Add(VirtualRegister register, ArrayOperand operand, int immediate) =>
        Binary(OpenEdgeOpcode.SAdd, register.Cell, operand, ArrayOperand.Immediate, register, immediate);

    /// <summary>ROUT (and a register) := operand.</summary>
    public static ArrayOperation Move(Cell cell, ArrayOperand operand, VirtualRegister? destination = null) =>
        Binary(OpenEdgeOpcode.SAdd, cell, operand, ArrayOperand.Zero, destination);

    /// <summary>register := 0, keeping ROUT.</summary>
    public static ArrayOperation Clear(VirtualRegister register) => new() { Cell = register.Cell, Opcode = OpenEdgeOpcode.Nop, Destination = register };

    /// <summary>Load from the column's read pointer, which then advances by <paramref name="increment"/> bytes.</summary>
    public static ArrayOperation LoadStream(Cell cell, int increment, VirtualRegister? destination, string buffer) =>
        new() { Cell = cell, Opcode = OpenEdgeOpcode.Lwd, Immediate = CheckedImmediate(increment), Destination = destination, Buffer = buffer };

    /// <summary>Store to the column's write pointer, which then advances by <paramref name="increment"/> bytes.</summary>
    public static ArrayOperation StoreStream(Cell cell, ArrayOperand value, int increment, string buffer) =>
        new() { Cell = cell, Opcode = OpenEdgeOpcode.Swd, A = value, Immediate = CheckedImmediate(increment), Buffer = buffer };

    /// <summary>Load from an address.</summary>
    public static ArrayOperation Load(Cell cell, ArrayOperand address, VirtualRegister? destination, string buffer) =>
        new() { Cell = cell, Opcode = OpenEdgeOpcode.Lwi, B = address, Destination = destination, Buffer = buffer };

    /// <summary>Store to an address.</summary>
    public static ArrayOperation Store(Cell cell, ArrayOperand value, ArrayOperand address, string buffer) =>
        new() { Cell = cell, Opcode = OpenEdgeOpcode.Swi, A = value, B = address, Buffer = buffer };

    /// <summary>decider's sign ? a : b.</summary>
    public static ArrayOperation SelectOnSign(
        Cell cell, ArrayOperation decider, ArrayOperand a, ArrayOperand b, VirtualRegister? destination = null, int immediate = 0) =>
        new() { Cell = cell, Opcode = OpenEdgeOpcode.Bsfa, A = a, B = b, Flags = decider, Destination = destination, Immediate = CheckedImmediate(immediate) };

    /// <summary>True where a constant fits the 13-bit field.</summary>
    public static bool FitsImmediate(long value) => value is >= OpenEdgeInstruction.MinImmediate and <= OpenEdgeInstruction.MaxImmediate;

    private static int CheckedImmediate(long value) =>
        FitsImmediate(value) ? (int)value : throw new ArrayResourceException("array program", "as a 13-bit constant", value, OpenEdgeInstruction.MaxImmediate);
}
