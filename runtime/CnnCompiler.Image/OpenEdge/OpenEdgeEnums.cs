namespace CnnCompiler.Image.OpenEdge;

/// <summary>Opcodes of OpenEdgeCGRA, with their encoded values (bits 23:19; <c>specs/openedge.md</c> section 4).</summary>
public enum OpenEdgeOpcode : byte
{
#pragma warning disable CS1591 // one line each in the instruction table, which is where they are described
    Nop = 0, SAdd = 1, SSub = 2, SMul = 3, FxpMul = 4, Sll = 5, Srl = 6, Sra = 7,
    LAnd = 8, LOr = 9, LXor = 10, LNand = 11, LNor = 12, LXnor = 13, Bsfa = 14, Bzfa = 15,
    Beq = 16, Bne = 17, Blt = 18, Bge = 19, Jump = 20, Lwd = 21, Swd = 22, Lwi = 23, Swi = 24, Exit = 25,
#pragma warning restore CS1591
}

/// <summary>Operand sources (fields A and B), with their encoded values. 11 to 15 are unused and read as zero.</summary>
public enum OpenEdgeSource : byte
{
    /// <summary>Zero.</summary>
    Zero = 0,

    /// <summary>The cell's own ROUT.</summary>
    Rout = 1,

    /// <summary>ROUT of the left neighbour (column - 1).</summary>
    Left = 2,

    /// <summary>ROUT of the right neighbour (column + 1).</summary>
    Right = 3,

    /// <summary>ROUT of the neighbour above (row - 1).</summary>
    Top = 4,

    /// <summary>ROUT of the neighbour below (row + 1).</summary>
    Bottom = 5,

    /// <summary>Register 0.</summary>
    R0 = 6,

    /// <summary>Register 1.</summary>
    R1 = 7,

    /// <summary>Register 2.</summary>
    R2 = 8,

    /// <summary>Register 3.</summary>
    R3 = 9,

    /// <summary>The 13-bit constant, sign-extended.</summary>
    Immediate = 10,
}

/// <summary>Flag sources (field F) of BSFA and BZFA. 5 to 7 are unused: both flags read as 0.</summary>
public enum OpenEdgeFlagSource : byte
{
    /// <summary>The cell's own flags.</summary>
    Own = 0,

    /// <summary>Flags of the left neighbour.</summary>
    Left = 1,

    /// <summary>Flags of the right neighbour.</summary>
    Right = 2,

    /// <summary>Flags of the neighbour above.</summary>
    Top = 3,

    /// <summary>Flags of the neighbour below.</summary>
    Bottom = 4,
}
