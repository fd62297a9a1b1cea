namespace CnnCompiler.Primitives.Machines;

/// <summary>How the array's four memory ports reach RAM (<c>specs/openedge.md</c> sections 6.6 and 14).</summary>
public enum BusKind
{
    /// <summary>Four private ports: every access is granted at once.</summary>
    Ideal,

    /// <summary>One access a cycle for all columns together.</summary>
    Shared,

    /// <summary>One access a cycle and bank; bank = (address &gt;&gt; shift) mod banks.</summary>
    Banked,
}

/// <summary>Who wins when several columns ask for the same bank in the same cycle.</summary>
public enum BusArbitration
{
    /// <summary>The 4-input round-robin tree of X-HEEP's crossbar; its pointer is reset at each launch.</summary>
    RoundRobin,

    /// <summary>The lowest column.</summary>
    Fixed,
}

/// <summary>The memory model of a machine or a golden vector.</summary>
/// <param name="Kind">Ideal, shared or banked.</param>
/// <param name="Banks">Number of banks (1 unless banked).</param>
/// <param name="Shift">Address bits below the bank number.</param>
/// <param name="Arbitration">Who wins.</param>
/// <param name="DenyProbability">Of 256: probability that a request is refused in a cycle (test vectors only).</param>
/// <param name="DenySeed">Seed of the refusals.</param>
/// <param name="GrantDelay">A request becomes eligible after this many refused cycles (test vectors only).</param>
/// <param name="ReadLatency">Cycles from grant to data; 1 on every real machine.</param>
public sealed record BusDescription(
    BusKind Kind,
    int Banks = 1,
    int Shift = 2,
    BusArbitration Arbitration = BusArbitration.RoundRobin,
    int DenyProbability = 0,
    uint DenySeed = 0,
    int GrantDelay = 0,
    int ReadLatency = 1);

/// <summary>Random access memory of the system.</summary>
/// <param name="Bytes">Size in bytes.</param>
/// <param name="BankBytes">Size of one bank in bytes.</param>
/// <param name="ReservedBytes">Bytes at the bottom (vectors, code, stack) that tensors may not use.</param>
/// <param name="Sparse">
/// True where every 32-bit byte address is memory, whatever <paramref name="Bytes"/> says (machines of test vectors only, the shipped ones are not).
/// Addresses of an image for such a machine are the 32-bit pattern: a negative <see cref="int"/> is an address at or above 2^31.
/// </param>
public sealed record RamDescription(int Bytes, int BankBytes, int ReservedBytes, bool Sparse = false);

/// <summary>What the host processor's steps cost, in cycles (<c>specs/openedge-system.md</c>).</summary>
/// <param name="RamToContext">Cycles a word from RAM to context memory.</param>
/// <param name="FlashToRam">Cycles a word from flash to RAM.</param>
/// <param name="FlashToContext">Cycles a word from flash to context memory.</param>
/// <param name="PatchImmediate">Cycles to put one int8 weight from packed RAM into a resident instruction word.</param>
/// <param name="RegisterWrite">Cycles a register write.</param>
/// <param name="LaunchOverhead">Cycles a launch, start to interrupt return, besides register writes.</param>
/// <param name="SoftmaxPerElement">Cycles an element of softmax.</param>
/// <param name="CopyPerWord">Cycles a word copied from RAM to RAM.</param>
public sealed record HostDescription(
    int RamToContext,
    int FlashToRam,
    int FlashToContext,
    int PatchImmediate,
    int RegisterWrite,
    int LaunchOverhead,
    int SoftmaxPerElement,
    int CopyPerWord);

/// <summary>
/// A machine as data: an OpenEdgeCGRA with geometry, context sizes, bus, memories and host costs (only the 4x4 geometry has a validated
/// specification; the reader refuses others with that reason), or a systolic array (<see cref="Systolic"/>).
/// </summary>
/// <param name="Name">Name, for example <c>openedge-banked8</c>.</param>
/// <param name="IsaRevision">Revision of the instruction set, <c>openedge-4a179fc</c>.</param>
/// <param name="Rows">Rows of the array.</param>
/// <param name="Columns">Columns of the array.</param>
/// <param name="StepsPerKernel">Most steps of a kernel.</param>
/// <param name="MinStepsPerKernel">Fewest steps of a kernel that loads correctly.</param>
/// <param name="ContextWordsPerRow">Instruction words of one row bank of the context memory.</param>
/// <param name="KernelSlots">Kernel configuration words, id 0 not usable.</param>
/// <param name="Bus">How the columns reach RAM.</param>
/// <param name="Ram">RAM.</param>
/// <param name="FlashBytes">Flash size in bytes, read by the host only.</param>
/// <param name="Host">Host costs in cycles.</param>
public sealed record MachineDescription(
    string Name,
    string IsaRevision,
    int Rows,
    int Columns,
    int StepsPerKernel,
    int MinStepsPerKernel,
    int ContextWordsPerRow,
    int KernelSlots,
    BusDescription Bus,
    RamDescription Ram,
    int FlashBytes,
    HostDescription Host)
{
    /// <summary>The systolic array that the machine is; null for OpenEdgeCGRA. The members about kernels, context, bus, flash and host are 0 then.</summary>
    public SystolicDescription? Systolic { get; init; }

    /// <summary>What events cost on OpenEdgeCGRA; the published table where the description says nothing. Systolic arrays have energies of their own.</summary>
    public EnergyDescription Energy { get; init; } = EnergyDescription.Published;
}
