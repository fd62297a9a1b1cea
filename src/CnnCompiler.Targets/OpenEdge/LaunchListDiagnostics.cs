using System.Globalization;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Targets.OpenEdge;

/// <summary>What <see cref="LaunchListChecker"/> finds: CNN0850 to CNN0899. Images are made by the compiler, so all of them are errors of the compiler.</summary>
public static class LaunchListDiagnostics
{
    /// <summary>CNN0850: an index, a size or a list that has no meaning.</summary>
    public static Diagnostic Malformed(string where, string what) => Error(850, $"{where}: {what}");

    /// <summary>CNN0851: a kernel length that does not load.</summary>
    public static Diagnostic StepCount(string kernel, int steps, int least, int most) =>
        Error(851, $"kernel {kernel} has {steps} steps; {least} to {most} load correctly");

    /// <summary>CNN0852: a column mask that is not a prefix.</summary>
    public static Diagnostic ColumnMask(string kernel, int mask) =>
        Error(852, $"kernel {kernel} has the column mask {mask}; only columns from 0 on (1, 3, 7, 15) are assigned as written");

    /// <summary>CNN0853: code beyond the context memory.</summary>
    public static Diagnostic ContextLines(string where, string kernel, int start, int words, int available) =>
        Error(853, $"{where}: kernel {kernel} needs context words {start} to {start + words}, there are {available}");

    /// <summary>CNN0854: a kernel id that can't be requested.</summary>
    public static Diagnostic KernelId(string where, int id, int slots) => Error(854, $"{where}: kernel id {id}, usable are 1 to {slots - 1}");

    /// <summary>CNN0855: an id that no code was loaded for.</summary>
    public static Diagnostic NotLoaded(string where, string kernel, int id) => Error(855, $"{where}: launches {kernel} as id {id}, for which nothing was loaded");

    /// <summary>CNN0856: an id that runs another kernel.</summary>
    public static Diagnostic WrongKernel(string where, string meant, int id, string loaded) =>
        Error(856, $"{where}: launches {meant} as id {id}, for which {loaded} is loaded");

    /// <summary>CNN0857: an id that was given new code while columns still hold the old.</summary>
    public static Diagnostic StillResident(string where, string kernel, int id, int column, string resident) =>
        Error(857, $"{where}: launches {kernel} as id {id}, but column {column} still holds {resident} under that id and a resident id is never reloaded");

    /// <summary>CNN0859: context words that were overwritten since they were loaded.</summary>
    public static Diagnostic Overwritten(string where, string kernel, int id, int word, string by) =>
        Error(859, $"{where}: launches {kernel} as id {id}, but its context word {word} was overwritten with {by}");

    /// <summary>CNN0861: two branches in one step.</summary>
    public static Diagnostic TwoBranches(string kernel, int step, string first, string second) =>
        Error(861, $"kernel {kernel}, step {step}: cells {first} and {second} can both branch; where both do, neither does");

    /// <summary>CNN0862: a branch out of the kernel.</summary>
    public static Diagnostic BranchTarget(string kernel, int step, string cell, int target, int steps) =>
        Error(862, $"kernel {kernel}, step {step}, cell {cell}: branches to step {target} of {steps}");

    /// <summary>CNN0863: a jump whose target can't be told.</summary>
    public static Diagnostic ComputedJump(string kernel, int step, string cell) =>
        Error(863, $"kernel {kernel}, step {step}, cell {cell}: the target of the jump is computed and can't be checked");

    /// <summary>CNN0864: a kernel that runs past its end.</summary>
    public static Diagnostic PastTheEnd(string kernel, int step) => Error(864, $"kernel {kernel}, step {step}: runs on into what earlier kernels left behind its last step");

    /// <summary>CNN0865: a step from which no exit can be reached.</summary>
    public static Diagnostic NoExit(string kernel, int step) => Error(865, $"kernel {kernel}, step {step}: no EXIT can be reached from here");

    /// <summary>CNN0866: a read of what a store left in ROUT or the flags.</summary>
    public static Diagnostic ReadAfterStore(string kernel, int step, string cell, string what, string stored) =>
        Error(866, $"kernel {kernel}, step {step}, cell {cell}: reads {what} of cell {stored}, which are undefined since its store");

    /// <summary>CNN0867: a reserved opcode.</summary>
    public static Diagnostic Reserved(string kernel, int step, string cell, uint word) =>
        Error(867, $"kernel {kernel}, step {step}, cell {cell}: {word:x8} is no instruction");

    /// <summary>CNN0868: a column that uses a pointer which was never set.</summary>
    public static Diagnostic PointerNeverSet(string where, string kernel, int column, string pointer) =>
        Error(868, $"{where}: kernel {kernel} uses the {pointer} pointer of column {column}, which was never written");

    /// <summary>CNN0870: an unaligned address.</summary>
    public static Diagnostic Unaligned(string where, string what, long address) => Error(870, $"{where}: {what} {address} is not a multiple of 4");

    /// <summary>CNN0871: an address outside its memory.</summary>
    public static Diagnostic Outside(string where, string what, long from, long to, string memory, long size) =>
        Error(871, $"{where}: {what}, bytes {from} to {to}, is not inside the {size} bytes of {memory}");

    /// <summary>CNN0872: a write into the reserve.</summary>
    public static Diagnostic WritesReserve(string where, string what, long address, long reserved) =>
        Error(872, $"{where}: {what} at {address} lies below {reserved}, which is reserved for the host's program");

    /// <summary>CNN0873: a copy onto itself.</summary>
    public static Diagnostic CopyOverlap(string where, long source, long destination, long bytes) =>
        Error(873, $"{where}: copies {bytes} bytes from {source} to {destination}, which overlap");

    /// <summary>CNN0874: constants that are not ascending and disjoint.</summary>
    public static Diagnostic BlockOrder(int index, long address, long previousEnd) =>
        Error(874, $"RAM block {index} at {address} begins before the end of the one before it, {previousEnd}");

    /// <summary>CNN0875: code in flash that is not the kernel's.</summary>
    public static Diagnostic FlashDiffers(string kernel, int row, int word) => Error(875, $"kernel {kernel}: word {word} of row {row} in flash is another one");

    /// <summary>CNN0876: code in RAM that is not the kernel's.</summary>
    public static Diagnostic RamDiffers(string where, string kernel, long address) =>
        Error(876, $"{where}: what the image and the host put into RAM at {address} is not the code of kernel {kernel}");

    /// <summary>CNN0877: changes that don't make the kernel of what context memory holds.</summary>
    public static Diagnostic PatchDiffers(string where, string kernel, int row, int word) =>
        Error(877, $"{where}: with its changes word {word} of row {row} is not that of kernel {kernel}");

    private static Diagnostic Error(int code, FormattableString message) => new(
        string.Create(CultureInfo.InvariantCulture, $"CNN{code:0000}"),
        DiagnosticSeverity.Error,
        SourceSpan.None,
        message.ToString(CultureInfo.InvariantCulture),
        "this is an error of the compiler: please report it with the network that shows it");
}
