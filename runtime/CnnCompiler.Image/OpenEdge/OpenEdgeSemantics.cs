namespace CnnCompiler.Image.OpenEdge;

/// <summary>What instructions calculate (<c>specs/openedge.md</c> section 4): pure functions of operand values and flags, without state or allocation.</summary>
public static class OpenEdgeSemantics
{
    /// <summary>The 32-bit result. 0 for NOP, EXIT, reserved opcodes, and for loads and stores, whose values are the memory's.</summary>
    /// <param name="opcode">Opcode; only its five bits count.</param>
    /// <param name="a">Operand A.</param>
    /// <param name="b">Operand B.</param>
    /// <param name="sign">Sign flag of source F.</param>
    /// <param name="zero">Zero flag of source F.</param>
    public static int Evaluate(OpenEdgeOpcode opcode, int a, int b, bool sign, bool zero) => (OpenEdgeOpcode)((int)opcode & 31) switch
    {
        OpenEdgeOpcode.SAdd or OpenEdgeOpcode.Jump => a + b,
        OpenEdgeOpcode.SSub => a - b,
        OpenEdgeOpcode.SMul => a * b,
        OpenEdgeOpcode.FxpMul => (int)(((long)a * b) >> 15),
        OpenEdgeOpcode.Sll => a << b,
        OpenEdgeOpcode.Srl => a >>> b,
        OpenEdgeOpcode.Sra => a >> b,
        OpenEdgeOpcode.LAnd => a & b,
        OpenEdgeOpcode.LOr => a | b,
        OpenEdgeOpcode.LXor => a ^ b,
        OpenEdgeOpcode.LNand => ~(a & b),
        OpenEdgeOpcode.LNor => ~(a | b),
        OpenEdgeOpcode.LXnor => ~(a ^ b),
        OpenEdgeOpcode.Bsfa => sign ? a : b,
        OpenEdgeOpcode.Bzfa => zero ? a : b,
        OpenEdgeOpcode.Beq => a == b ? 1 : 0,
        OpenEdgeOpcode.Bne => a != b ? 1 : 0,
        OpenEdgeOpcode.Blt => a < b ? 1 : 0,
        OpenEdgeOpcode.Bge => a >= b ? 1 : 0,
        _ => 0,
    };

    /// <summary>True where the instruction, with this result, wants to branch. It does only where it is the one cell of its kernel that wants to.</summary>
    public static bool WantsBranch(OpenEdgeOpcode opcode, int result) =>
        OpenEdgeInstructionSet.Get(opcode).Kind switch
        {
            OpenEdgeInstructionKind.Branch => result != 0,
            OpenEdgeInstructionKind.Jump => true,
            _ => false,
        };

    /// <summary>The step a taken branch or jump goes to, 0 to 31.</summary>
    public static int BranchTarget(OpenEdgeInstruction instruction, int result) =>
        instruction.Opcode == OpenEdgeOpcode.Jump ? result & 31 : instruction.BranchTarget;
}
