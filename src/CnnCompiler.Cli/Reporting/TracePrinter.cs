using System.Globalization;
using CnnCompiler.Image.Container;
using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Interpreter.OpenEdge;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Cli.Reporting;

/// <summary>Prints the steps of a launch as they are executed: what each cell did, and what it holds behind the step.</summary>
/// <param name="output">Where to.</param>
/// <param name="kernel">The launch's kernel.</param>
/// <param name="bus">How the columns reach RAM.</param>
internal sealed class TracePrinter(TextWriter output, KernelImage kernel, BusDescription bus)
{
    private const int InstructionWidth = 26;

    private readonly OpenEdgeStepTiming?[] _timings = new OpenEdgeStepTiming?[kernel.Steps];

    /// <summary>Prints what stands above the steps.</summary>
    public void Begin(string title)
    {
        output.WriteLine(title);
        output.WriteLine("cycles count from the write of KERNEL_ID; ROUT, R0 to R3 and the flags z (zero) and s (sign) are those behind the step");
    }

    /// <summary>Prints a step.</summary>
    public void Step(StepTrace step)
    {
        output.WriteLine();
        // a kernel without an end runs on into what lies behind its last step
        var reason = step.Step < kernel.Steps ? (_timings[step.Step] ??= OpenEdgeStepTiming.Of(kernel, step.Step, bus)).Reason : "behind the kernel's last step";
        var next = step.Next < 0 ? "ends" : step.Next == step.Step + 1 ? string.Empty : Invariant($"to step {step.Next}");
        output.WriteLine(string.Join("  ", new[]
        {
            Invariant($"cycle {step.Cycle}"), Invariant($"step {step.Step}"), Invariant($"{step.Duration} {(step.Duration == 1 ? "cycle" : "cycles")}{(reason.Length == 0 ? string.Empty : ": ")}{reason}"), next,
        }.Where(part => part.Length > 0)));
        foreach (var cell in step.Cells)
        {
            var flags = $"{(cell.Zero ? 'z' : '-')}{(cell.Sign ? 's' : '-')}";
            output.WriteLine(Invariant(
                $"  {cell.Row},{cell.Column}  {OpenEdgeDisassembler.Format(cell.Instruction).PadRight(InstructionWidth)} ROUT {cell.Rout,11}  R0 {cell.R0,11}  R1 {cell.R1,11}  R2 {cell.R2,11}  R3 {cell.R3,11}  {flags}"));
        }

        output.WriteLine($"  read pointers {Pointers(step.ReadPointers)}, write pointers {Pointers(step.WritePointers)}");
    }

    private static string Pointers(IReadOnlyList<uint> pointers) => string.Join(' ', pointers.Select(pointer => Invariant($"0x{pointer:x6}")));

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
