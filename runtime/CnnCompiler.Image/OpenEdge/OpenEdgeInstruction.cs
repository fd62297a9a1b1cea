namespace CnnCompiler.Image.OpenEdge;

/// <summary>
/// One 32-bit instruction word of OpenEdgeCGRA: 31:28 A, 27:24 B, 23:19 opcode, 18:17 RD, 16 WE, 15:13 F, 12:0 constant
/// (<c>specs/openedge.md</c> section 3). Every 32-bit value is a word: reserved field values behave as the specification says.
/// </summary>
/// <param name="Word">The encoded word. Word 0 is NOP.</param>
public readonly record struct OpenEdgeInstruction(uint Word)
{
    /// <summary>Smallest constant.</summary>
    public const int MinImmediate = -4096;

    /// <summary>Largest constant.</summary>
    public const int MaxImmediate = 4095;

    private const uint ImmediateBits = 0x1FFF;

    /// <summary>Encodes an instruction.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The register is not 0 to 3 or the constant does not fit 13 bits.</exception>
    public static OpenEdgeInstruction Encode(
        OpenEdgeOpcode opcode,
        OpenEdgeSource a = OpenEdgeSource.Zero,
        OpenEdgeSource b = OpenEdgeSource.Zero,
        int? register = null,
        int immediate = 0,
        OpenEdgeFlagSource flag = OpenEdgeFlagSource.Own)
    {
        if (register is < 0 or > 3)
        {
            throw new ArgumentOutOfRangeException(nameof(register), register, "registers are 0 to 3");
        }

        if (immediate is < MinImmediate or > MaxImmediate)
        {
            throw new ArgumentOutOfRangeException(nameof(immediate), immediate, "constants are -4096 to 4095");
        }

        var word = ((uint)a << 28) | ((uint)b << 24) | ((uint)opcode << 19) | ((uint)flag << 13) | ((uint)immediate & ImmediateBits);
        return new(register is { } r ? word | ((uint)r << 17) | (1u << 16) : word);
    }

    /// <summary>Source of operand A, 0 to 15.</summary>
    public OpenEdgeSource A => (OpenEdgeSource)(Word >> 28);

    /// <summary>Source of operand B, 0 to 15.</summary>
    public OpenEdgeSource B => (OpenEdgeSource)((Word >> 24) & 15);

    /// <summary>Opcode, 0 to 31; 26 to 31 are reserved.</summary>
    public OpenEdgeOpcode Opcode => (OpenEdgeOpcode)((Word >> 19) & 31);

    /// <summary>Destination register number, meaningful with <see cref="WritesRegister"/>.</summary>
    public int Register => (int)((Word >> 17) & 3);

    /// <summary>True where the result also goes to <see cref="Register"/>.</summary>
    public bool WritesRegister => (Word & 0x10000) != 0;

    /// <summary>Flag source, 0 to 7.</summary>
    public OpenEdgeFlagSource Flag => (OpenEdgeFlagSource)((Word >> 13) & 7);

    /// <summary>The constant, sign-extended from 13 bits.</summary>
    public int Immediate => (int)(Word << 19) >> 19;

    /// <summary>The instruction with another constant, of which the low 13 bits count.</summary>
    public OpenEdgeInstruction WithImmediate(int immediate) => new((Word & ~ImmediateBits) | ((uint)immediate & ImmediateBits));

    /// <summary>Branch target: the low five bits of the constant.</summary>
    public int BranchTarget => (int)(Word & 31);
}
