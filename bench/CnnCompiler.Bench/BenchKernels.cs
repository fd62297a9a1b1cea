using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Interpreter.OpenEdge;

namespace CnnCompiler.Bench;

/// <summary>What the cells do.</summary>
public enum BenchKernel
{
    /// <summary>Sixteen single-cycle operations a step: the worst case, a step is a cycle.</summary>
    Arithmetic,

    /// <summary>Alternating loads and multiplications as in a convolution.</summary>
    MultiplyAndLoad,

    /// <summary>Operations of all kinds drawn by a fixed generator; half the steps have loads and stores.</summary>
    Mixed,
}

/// <summary>Endless 30-step loops on all 16 cells.</summary>
public static class BenchKernels
{
    private const int Steps = 30;

    /// <summary>Puts a kernel into context memory under id 1.</summary>
    public static void Load(OpenEdgeArray array, BenchKernel kernel)
    {
        var state = 0x2545F491u;
        for (var step = 0; step < Steps; step++)
        {
            for (var cell = 0; cell < 16; cell++)
            {
                var word = step == Steps - 1
                    ? OpenEdgeInstruction.Encode(cell == 0 ? OpenEdgeOpcode.Jump : OpenEdgeOpcode.SAdd, OpenEdgeSource.Zero, cell == 0 ? OpenEdgeSource.Zero : OpenEdgeSource.R1)
                    : Word(kernel, step, cell, ref state);
                array.WriteContext(cell >> 2, ((cell & 3) * Steps) + step, word.Word);
            }
        }

        array.WriteConfiguration(1, (Steps - 1) | (15 << 12));
    }

    /// <summary>Runs id 1 for some cycles; returns the cycle it reached.</summary>
    public static long Run(OpenEdgeArray array, uint[] ram, long cycles)
    {
        for (var column = 0; column < 4; column++)
        {
            array.WriteReadPointer(column, 65536 + (4096 * (uint)column));
            array.WriteWritePointer(column, 131072 + (4096 * (uint)column));
        }

        array.Begin(1);
        var memory = new FlatMemory(ram, 8192);
        return array.Continue(ref memory, cycles) == ArrayStop.Paused ? array.Cycle : throw new InvalidOperationException("the kernel ended");
    }

    private static OpenEdgeInstruction Word(BenchKernel kernel, int step, int cell, ref uint state)
    {
        var random = Next(ref state);
        var register = (int)(random >> 4) & 3;
        var neighbour = (OpenEdgeSource)(1 + ((random >> 8) % 5));
        var own = (OpenEdgeSource)((uint)OpenEdgeSource.R0 + ((random >> 12) & 3));
        switch (kernel)
        {
            case BenchKernel.MultiplyAndLoad:
                return (step % 3) switch
                {
                    0 => OpenEdgeInstruction.Encode(OpenEdgeOpcode.Lwd, register: 0, immediate: step < 15 ? 4 : -4),
                    1 => OpenEdgeInstruction.Encode(OpenEdgeOpcode.SMul, OpenEdgeSource.R0, neighbour),
                    _ => OpenEdgeInstruction.Encode(OpenEdgeOpcode.SAdd, neighbour, own, register),
                };
            case BenchKernel.Mixed when step % 2 == 0 && (random >> 20) % 4 == 0:
                return OpenEdgeInstruction.Encode((random >> 24 & 1) == 0 ? OpenEdgeOpcode.Lwd : OpenEdgeOpcode.Swd, own, register: register, immediate: 0);
            case BenchKernel.Mixed:
                var opcode = (OpenEdgeOpcode)(1 + ((random >> 16) % 15));
                return OpenEdgeInstruction.Encode(opcode, neighbour, own, (random & 1) == 0 ? register : null, (int)((random >> 16) & 1023));
            default:
                return OpenEdgeInstruction.Encode(
                    (random & 3) switch { 0 => OpenEdgeOpcode.SAdd, 1 => OpenEdgeOpcode.SSub, 2 => OpenEdgeOpcode.LXor, _ => OpenEdgeOpcode.Sra },
                    neighbour,
                    own,
                    (random & 16) != 0 ? register : null);
        }
    }

    private static uint Next(ref uint state)
    {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        return state;
    }
}
