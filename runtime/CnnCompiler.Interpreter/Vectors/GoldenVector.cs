using CnnCompiler.Interpreter.OpenEdge;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Interpreter.Vectors;

/// <summary>One vector of the golden format (<c>golden/openedge/README.md</c>): a program, its memory and what the hardware did with them.</summary>
/// <param name="Name">Name.</param>
/// <param name="Bus">Memory model.</param>
/// <param name="StoresGetResponses">The memory model's <c>write_rvalid</c>.</param>
/// <param name="Configuration">The 16 kernel configuration words.</param>
/// <param name="Context">Instruction words of the four row banks, 128 each.</param>
/// <param name="Memory">Initial memory: byte address (multiple of 4) and word; everything else is 0.</param>
/// <param name="Launches">Launches, one after the other.</param>
/// <param name="FinalMemory">Words that differ from the initial value at the end, by byte address.</param>
/// <param name="Reads">Words the array read.</param>
/// <param name="Writes">Words the array wrote.</param>
public sealed record GoldenVector(
    string Name,
    BusDescription Bus,
    bool StoresGetResponses,
    IReadOnlyList<ushort> Configuration,
    IReadOnlyList<IReadOnlyList<uint>> Context,
    IReadOnlyList<(uint Address, uint Word)> Memory,
    IReadOnlyList<GoldenLaunch> Launches,
    IReadOnlyList<(uint Address, uint Word)> FinalMemory,
    long Reads,
    long Writes);

/// <summary>One launch of a vector and what is expected of it.</summary>
/// <param name="Kernel">Value written to KERNEL_ID.</param>
/// <param name="ReadPointers">Written pointers, from column 0; missing ones keep their value.</param>
/// <param name="WritePointers">The same.</param>
/// <param name="Memory">Words the host writes before the launch.</param>
/// <param name="ExecFirst">First EXEC cycle.</param>
/// <param name="Done">Cycle of the interrupt.</param>
/// <param name="Exec">Cycles each column spends in EXEC.</param>
/// <param name="Conf">Cycles each column spends in CONF.</param>
/// <param name="Counters">Performance counters after the launch.</param>
public sealed record GoldenLaunch(
    int Kernel,
    IReadOnlyList<uint> ReadPointers,
    IReadOnlyList<uint> WritePointers,
    IReadOnlyList<(uint Address, uint Word)> Memory,
    long ExecFirst,
    long Done,
    PerColumn Exec,
    PerColumn Conf,
    PerformanceCounters Counters);
