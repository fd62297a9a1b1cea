using System.Numerics;
using CnnCompiler.Fuzzing;
using CnnCompiler.Image.OpenEdge;

namespace CnnCompiler.Image.Tests.OpenEdge;

public sealed class InstructionSetTests
{
    private static readonly int[] Corners =
    [
        0, 1, 2, 3, 5, 31, 32, 33, 63, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x12345678, int.MaxValue - 1, int.MaxValue,
        int.MinValue, int.MinValue + 1, -65536, -32769, -32768, -33, -32, -31, -2, -1,
    ];

    [Fact]
    public void Rows_stand_at_the_index_of_their_opcode_and_names_are_unique()
    {
        Assert.Equal(32, OpenEdgeInstructionSet.Rows.Count);
        for (var opcode = 0; opcode < 32; opcode++)
        {
            var row = OpenEdgeInstructionSet.Rows[opcode];
            Assert.Equal(opcode, (int)row.Opcode);
            Assert.Same(row, OpenEdgeInstructionSet.Get((OpenEdgeOpcode)opcode));
            Assert.Same(row, OpenEdgeInstructionSet.Get(new OpenEdgeInstruction(((uint)opcode << 19) | 0xFF07FFFF)));
            Assert.Equal(opcode >= 26, row.Kind == OpenEdgeInstructionKind.Reserved);
            Assert.Equal(opcode >= 26, !Enum.IsDefined(row.Opcode));
            Assert.Equal(opcode >= 26 ? null : row, OpenEdgeInstructionSet.Find(row.Mnemonic));
            Assert.NotEmpty(row.Summary);
        }

        Assert.Same(OpenEdgeInstructionSet.Get(OpenEdgeOpcode.Sll), OpenEdgeInstructionSet.Find("slt"));
        Assert.Same(OpenEdgeInstructionSet.Get(OpenEdgeOpcode.Srl), OpenEdgeInstructionSet.Find("SRT"));
        Assert.Null(OpenEdgeInstructionSet.Find("OP26"));
        Assert.Equal(Enumerable.Range(0, 11), OpenEdgeInstructionSet.Sources.Select(row => (int)row.Source));
        Assert.Equal(Enumerable.Range(0, 5), OpenEdgeInstructionSet.Flags.Select(row => (int)row.Flag));
    }

    [Fact]
    public void Opcodes_are_those_of_the_specification()
    {
        // openedge.md section 4, written out again.
        string[] names = ["NOP", "SADD", "SSUB", "SMUL", "FXPMUL", "SLL", "SRL", "SRA", "LAND", "LOR", "LXOR", "LNAND", "LNOR", "LXNOR", "BSFA", "BZFA", "BEQ", "BNE", "BLT", "BGE", "JUMP", "LWD", "SWD", "LWI", "SWI", "EXIT"];
        Assert.Equal(names, OpenEdgeInstructionSet.Rows.Take(26).Select(row => row.Mnemonic));
        Assert.Equal(["SMUL", "FXPMUL"], OpenEdgeInstructionSet.Rows.Where(row => row.MinimumCycles == 3).Select(row => row.Mnemonic));
        Assert.Equal(["LWD", "SWD", "LWI", "SWI"], OpenEdgeInstructionSet.Rows.Where(row => row.IsMemory).Select(row => row.Mnemonic));
        Assert.Equal(["NOP", "SWD", "SWI"], OpenEdgeInstructionSet.Rows.Where(row => row.Rout is OpenEdgeRoutEffect.Kept or OpenEdgeRoutEffect.LoadBuffer).Select(row => row.Mnemonic));
        Assert.Equal(["SWD", "SWI"], OpenEdgeInstructionSet.Rows.Where(row => row.Register == OpenEdgeRegisterEffect.Never).Select(row => row.Mnemonic));
        Assert.Equal(["BSFA", "BZFA"], OpenEdgeInstructionSet.Rows.Where(row => row.UsesFlag).Select(row => row.Mnemonic));
        Assert.Equal(["BEQ", "BNE", "BLT", "BGE"], OpenEdgeInstructionSet.Rows.Where(row => row.Immediate == OpenEdgeImmediateUse.BranchTarget).Select(row => row.Mnemonic));
    }

    [Fact]
    public void Neighbours_are_where_the_specification_puts_them()
    {
        var offsets = OpenEdgeInstructionSet.Sources.Where(row => row.IsRout).Select(row => (row.Name, row.RowOffset, row.ColumnOffset));
        Assert.Equal([("ROUT", 0, 0), ("RCL", 0, -1), ("RCR", 0, 1), ("RCT", -1, 0), ("RCB", 1, 0)], offsets);
        Assert.Equal(
            OpenEdgeInstructionSet.Sources.Where(row => row.IsRout).Select(row => (row.RowOffset, row.ColumnOffset)),
            OpenEdgeInstructionSet.Flags.Select(row => (row.RowOffset, row.ColumnOffset)));
        Assert.Equal([0, 1, 2, 3], OpenEdgeInstructionSet.Sources.Where(row => row.Register >= 0).Select(row => row.Register));
    }

    [Fact]
    public void Every_opcode_calculates_what_the_specification_says_on_corner_values()
    {
        foreach (var a in Corners)
        {
            foreach (var b in Corners)
            {
                for (var flags = 0; flags < 4; flags++)
                {
                    for (var opcode = 0; opcode < 32; opcode++)
                    {
                        var (sign, zero) = ((flags & 1) != 0, (flags & 2) != 0);
                        var result = OpenEdgeSemantics.Evaluate((OpenEdgeOpcode)opcode, a, b, sign, zero);
                        Assert.True(Expected(opcode, a, b, sign, zero) == result, $"opcode {opcode} of {a}, {b}, {flags} gives {result}");
                        var branches = opcode == 20 || (opcode is >= 16 and <= 19 && result == 1);
                        Assert.Equal(branches, OpenEdgeSemantics.WantsBranch((OpenEdgeOpcode)opcode, result));
                    }
                }
            }
        }
    }

    [Fact]
    public void Calculating_allocates_nothing()
    {
        var sum = 0;
        Run();
        var before = GC.GetAllocatedBytesForCurrentThread();
        Run();
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
        Assert.NotEqual(0, sum);

        void Run()
        {
            for (var opcode = 0; opcode < 32; opcode++)
            {
                var result = OpenEdgeSemantics.Evaluate((OpenEdgeOpcode)opcode, 12345, -678, false, true);
                sum += result + (OpenEdgeSemantics.WantsBranch((OpenEdgeOpcode)opcode, result) ? 1 : 0);
            }
        }
    }

    [Fact]
    public void Fields_stand_where_the_specification_puts_them()
    {
        // A one in each bit in turn lands in exactly the field of section 3.
        for (var bit = 0; bit < 32; bit++)
        {
            var instruction = new OpenEdgeInstruction(1u << bit);
            Assert.Equal(bit >= 28 ? 1 << (bit - 28) : 0, (int)instruction.A);
            Assert.Equal(bit is >= 24 and < 28 ? 1 << (bit - 24) : 0, (int)instruction.B);
            Assert.Equal(bit is >= 19 and < 24 ? 1 << (bit - 19) : 0, (int)instruction.Opcode);
            Assert.Equal(bit is 17 or 18 ? 1 << (bit - 17) : 0, instruction.Register);
            Assert.Equal(bit == 16, instruction.WritesRegister);
            Assert.Equal(bit is >= 13 and < 16 ? 1 << (bit - 13) : 0, (int)instruction.Flag);
            Assert.Equal(bit == 12 ? -4096 : bit < 12 ? 1 << bit : 0, instruction.Immediate);
            Assert.Equal(bit < 5 ? 1 << bit : 0, instruction.BranchTarget);
        }
    }

    [Fact]
    public void Encoding_what_was_decoded_gives_the_same_word()
    {
        var generator = new SeededRandom(1);
        for (var i = 0; i < 1_000_000; i++)
        {
            var word = generator.NextBits();
            var d = new OpenEdgeInstruction(word);
            var encoded = OpenEdgeInstruction.Encode(d.Opcode, d.A, d.B, d.WritesRegister ? d.Register : null, d.Immediate, d.Flag);
            // Without WE the register number says nothing and Encode leaves it 0.
            Assert.Equal(d.WritesRegister ? word : word & ~0x60000u, encoded.Word);
        }
    }

    [Fact]
    public void Kernel_configuration_words_round_trip()
    {
        for (var word = 0; word <= ushort.MaxValue; word++)
        {
            var configuration = OpenEdgeKernelConfiguration.Decode((ushort)word);
            Assert.Equal(word, configuration.Encode());
            Assert.Equal(BitOperations.PopCount((uint)word >> 12), configuration.Columns);
        }

        Assert.Equal(0x1 | (7 << 5) | (5 << 12), new OpenEdgeKernelConfiguration(2, 7, 5).Encode());
        Assert.Throws<InvalidOperationException>(() => new OpenEdgeKernelConfiguration(33, 0, 1).Encode());
        Assert.Throws<InvalidOperationException>(() => new OpenEdgeKernelConfiguration(3, 128, 1).Encode());
        Assert.Throws<InvalidOperationException>(() => new OpenEdgeKernelConfiguration(3, 0, 16).Encode());
    }

    [Fact]
    public void Addresses_and_registers_are_those_of_the_specification()
    {
        Assert.Equal([0, 4, 512, 1536 + 508], [OpenEdgeContextMemory.InstructionOffset(0, 0), OpenEdgeContextMemory.InstructionOffset(0, 1), OpenEdgeContextMemory.InstructionOffset(1, 0), OpenEdgeContextMemory.InstructionOffset(3, 127)]);
        Assert.Equal([2048, 2048 + 60], [OpenEdgeContextMemory.ConfigurationOffset(0), OpenEdgeContextMemory.ConfigurationOffset(15)]);
        Assert.Equal(20 + 2 * 7 + 3, OpenEdgeContextMemory.WordOf(new(7, 20, 15), 2, 3));
        Assert.Equal(2, OpenEdgeContextMemory.WordOf(new(32, 96, 15), 1, 2));
        int[] registers =
        [
            OpenEdgeRegisters.ColumnStatus, OpenEdgeRegisters.KernelId,
            .. Enumerable.Range(0, 4).SelectMany(c => (int[])[OpenEdgeRegisters.PointerIn(c), OpenEdgeRegisters.PointerOut(c)]),
            OpenEdgeRegisters.CounterEnable, OpenEdgeRegisters.CounterReset, OpenEdgeRegisters.TotalKernels,
            .. Enumerable.Range(0, 4).SelectMany(c => (int[])[OpenEdgeRegisters.ActiveCycles(c), OpenEdgeRegisters.StallCycles(c)]),
        ];
        Assert.Equal(Enumerable.Range(0, 21).Select(i => 4 * i), registers);
    }

    // Written again from the specification, with arithmetic without wrap-around.
    private static int Expected(int opcode, int a, int b, bool sign, bool zero)
    {
        BigInteger x = a, y = b;
        var count = (int)((uint)b % 32);
        BigInteger unsigned = (uint)a;
        BigInteger bits(Func<int, int, int> gate)
        {
            BigInteger sum = 0;
            for (var i = 0; i < 32; i++)
            {
                sum += (BigInteger)gate((int)(((uint)a >> i) % 2), (int)(((uint)b >> i) % 2)) << i;
            }

            return sum;
        }

        return Wrap(opcode switch
        {
            1 => x + y,
            2 => x - y,
            3 => x * y,
            4 => Floor(x * y, BigInteger.Pow(2, 15)),
            5 => x * BigInteger.Pow(2, count),
            6 => unsigned / BigInteger.Pow(2, count),
            7 => Floor(x, BigInteger.Pow(2, count)),
            8 => bits((p, q) => p == 1 && q == 1 ? 1 : 0),
            9 => bits((p, q) => p == 1 || q == 1 ? 1 : 0),
            10 => bits((p, q) => p != q ? 1 : 0),
            11 => bits((p, q) => p == 1 && q == 1 ? 0 : 1),
            12 => bits((p, q) => p == 1 || q == 1 ? 0 : 1),
            13 => bits((p, q) => p != q ? 0 : 1),
            14 => sign ? x : y,
            15 => zero ? x : y,
            16 => x == y ? 1 : 0,
            17 => x == y ? 0 : 1,
            18 => x < y ? 1 : 0,
            19 => x < y ? 0 : 1,
            20 => x + y,
            _ => 0,
        });
    }

    private static BigInteger Floor(BigInteger value, BigInteger divisor)
    {
        var quotient = BigInteger.DivRem(value, divisor, out var remainder);
        return remainder.Sign < 0 ? quotient - 1 : quotient;
    }

    private static int Wrap(BigInteger value)
    {
        var modulus = BigInteger.Pow(2, 32);
        var low = ((value % modulus) + modulus) % modulus;
        return (int)(uint)low;
    }
}
