using CnnCompiler.Image.OpenEdge;

namespace CnnCompiler.Interpreter.OpenEdge;

/// <summary>The state of a cell behind a step.</summary>
/// <param name="Row">Row.</param>
/// <param name="Column">Column.</param>
/// <param name="Instruction">What it executed in the step.</param>
/// <param name="Rout">ROUT.</param>
/// <param name="R0">Register 0.</param>
/// <param name="R1">Register 1.</param>
/// <param name="R2">Register 2.</param>
/// <param name="R3">Register 3.</param>
/// <param name="Zero">The zero flag.</param>
/// <param name="Sign">The sign flag.</param>
public readonly record struct CellTrace(int Row, int Column, OpenEdgeInstruction Instruction, int Rout, int R0, int R1, int R2, int R3, bool Zero, bool Sign);

/// <summary>A step of a launch that was executed, and the state of the array behind it.</summary>
/// <param name="Cycle">Cycle of the launch in which it began (<c>openedge.md</c> section 9).</param>
/// <param name="Duration">Cycles it took.</param>
/// <param name="Step">Its number in the kernel.</param>
/// <param name="Next">The step after it; -1 where it ended the kernel.</param>
/// <param name="Cells">The kernel's cells, row by row.</param>
/// <param name="ReadPointers">Byte address of each column's next LWD.</param>
/// <param name="WritePointers">Byte address of each column's next SWD.</param>
public sealed record StepTrace(long Cycle, int Duration, int Step, int Next, IReadOnlyList<CellTrace> Cells, IReadOnlyList<uint> ReadPointers, IReadOnlyList<uint> WritePointers);
