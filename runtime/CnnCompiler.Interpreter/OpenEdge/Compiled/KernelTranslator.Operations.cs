using System.Reflection.Emit;
using CnnCompiler.Image.OpenEdge;

namespace CnnCompiler.Interpreter.OpenEdge;

/// <content>Instructions that are not memory accesses.</content>
internal sealed partial class KernelTranslator<TMemory>
{
    private void Instruction(CellInstruction instruction, List<Branching> branches)
    {
        Value(instruction);
        switch (instruction.Opcode)
        {
            case OpenEdgeOpcode.Beq or OpenEdgeOpcode.Bne or OpenEdgeOpcode.Blt or OpenEdgeOpcode.Bge:
                branches.Add(new Branching(Kept(), false, instruction.Extra));
                break;
            case OpenEdgeOpcode.Jump:
                var isFixed = OpenEdgeArray.IsConstant(instruction.A) && OpenEdgeArray.IsConstant(instruction.B);
                branches.Add(new Branching(Kept(), true, isFixed ? (array.ConstantAt(instruction.A) + array.ConstantAt(instruction.B)) & 31 : null));
                break;
        }

        StoreSlots(instruction.Result, instruction.Register);

        LocalBuilder Kept()
        {
            var local = _il.DeclareLocal(typeof(int));
            _il.Emit(OpCodes.Dup);
            _il.Emit(OpCodes.Stloc, local);
            return local;
        }
    }

    private void Value(CellInstruction instruction)
    {
        switch (instruction.Opcode)
        {
            case OpenEdgeOpcode.SAdd or OpenEdgeOpcode.Jump:
                Both(instruction, OpCodes.Add);
                break;
            case OpenEdgeOpcode.SSub:
                Both(instruction, OpCodes.Sub);
                break;
            case OpenEdgeOpcode.SMul:
                Both(instruction, OpCodes.Mul);
                break;
            case OpenEdgeOpcode.FxpMul:
                LoadSlot(instruction.A);
                _il.Emit(OpCodes.Conv_I8);
                LoadSlot(instruction.B);
                _il.Emit(OpCodes.Conv_I8);
                _il.Emit(OpCodes.Mul);
                _il.Emit(OpCodes.Ldc_I4, 15);
                _il.Emit(OpCodes.Shr);
                _il.Emit(OpCodes.Conv_I4);
                break;
            case OpenEdgeOpcode.Sll:
                Shift(instruction, OpCodes.Shl);
                break;
            case OpenEdgeOpcode.Srl:
                Shift(instruction, OpCodes.Shr_Un);
                break;
            case OpenEdgeOpcode.Sra:
                Shift(instruction, OpCodes.Shr);
                break;
            case OpenEdgeOpcode.LAnd:
                Both(instruction, OpCodes.And);
                break;
            case OpenEdgeOpcode.LOr:
                Both(instruction, OpCodes.Or);
                break;
            case OpenEdgeOpcode.LXor:
                Both(instruction, OpCodes.Xor);
                break;
            case OpenEdgeOpcode.LNand:
                Both(instruction, OpCodes.And);
                _il.Emit(OpCodes.Not);
                break;
            case OpenEdgeOpcode.LNor:
                Both(instruction, OpCodes.Or);
                _il.Emit(OpCodes.Not);
                break;
            case OpenEdgeOpcode.LXnor:
                Both(instruction, OpCodes.Xor);
                _il.Emit(OpCodes.Not);
                break;
            case OpenEdgeOpcode.Bsfa:
                // b ^ ((a ^ b) & (flags >> 31)): a where the sign is set
                var flags = instruction.Extra;
                Select(instruction, instruction.B, () => LoadSlot(flags));
                break;
            case OpenEdgeOpcode.Bzfa:
                SelectZero(instruction);
                break;
            case OpenEdgeOpcode.Beq:
                Both(instruction, OpCodes.Ceq);
                break;
            case OpenEdgeOpcode.Bne:
                Both(instruction, OpCodes.Ceq);
                Negate();
                break;
            case OpenEdgeOpcode.Blt:
                Both(instruction, OpCodes.Clt);
                break;
            case OpenEdgeOpcode.Bge:
                Both(instruction, OpCodes.Clt);
                Negate();
                break;
            default: // NOP that clears a register, EXIT, reserved
                _il.Emit(OpCodes.Ldc_I4_0);
                break;
        }
    }

    private void Both(CellInstruction instruction, OpCode operation)
    {
        LoadSlot(instruction.A);
        LoadSlot(instruction.B);
        _il.Emit(operation);
    }

    /// <summary>Only five bits of the amount count.</summary>
    private void Shift(CellInstruction instruction, OpCode operation)
    {
        LoadSlot(instruction.A);
        if (OpenEdgeArray.IsConstant(instruction.B))
        {
            _il.Emit(OpCodes.Ldc_I4, array.ConstantAt(instruction.B) & 31);
        }
        else
        {
            LoadSlot(instruction.B);
            _il.Emit(OpCodes.Ldc_I4, 31);
            _il.Emit(OpCodes.And);
        }

        _il.Emit(operation);
    }

    private void Negate()
    {
        _il.Emit(OpCodes.Ldc_I4_0);
        _il.Emit(OpCodes.Ceq);
    }

    /// <summary><paramref name="usual"/>, one of the operands, or where the sign of <paramref name="sign"/> is set the other one; without a jump, as data decide.</summary>
    private void Select(CellInstruction instruction, int usual, Action sign)
    {
        LoadSlot(usual);
        Both(instruction, OpCodes.Xor);
        sign();
        _il.Emit(OpCodes.Ldc_I4, 31);
        _il.Emit(OpCodes.Shr);
        _il.Emit(OpCodes.And);
        _il.Emit(OpCodes.Xor);
    }

    /// <summary>a where the flags' ROUT is 0 and not by a clear, else b.</summary>
    private void SelectZero(CellInstruction instruction) => Select(
        instruction,
        instruction.A,
        () =>
        {
            // negative where v is not 0, or the flags are those of a clear
            LoadSlot(instruction.Extra);
            LoadSlot(instruction.Extra);
            _il.Emit(OpCodes.Neg);
            _il.Emit(OpCodes.Or);
            _il.Emit(OpCodes.Ldloc, _cleared);
            _il.Emit(OpCodes.Ldc_I4, 31 - instruction.FlagCell);
            _il.Emit(OpCodes.Shl);
            _il.Emit(OpCodes.Or);
        });
}
