using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>Value of a pointer register at a launch.</summary>
/// <param name="InParameters">True where <paramref name="Address"/> counts from the start of the launch's parameter block.</param>
/// <param name="Address">Byte address.</param>
public readonly record struct LaunchPointer(bool InParameters, long Address);

/// <summary>What one launch needs besides its code.</summary>
/// <param name="Parameters">Words of the parameter block: initial registers, tables and weights, as the kernel reads them.</param>
/// <param name="Read">Read pointer of each column, or null where the kernel uses none.</param>
/// <param name="Write">Write pointer of each column, or null where the kernel uses none.</param>
public sealed record KernelLaunch(uint[] Parameters, LaunchPointer?[] Read, LaunchPointer?[] Write)
{
    /// <summary>Words that the host puts into RAM before the nest's first launch: byte address and word.</summary>
    public IReadOnlyList<(int Address, uint Word)> Marks { get; init; } = [];
}

/// <summary>Where buffers are, and the constants.</summary>
public interface IKernelData
{
    /// <summary>RAM byte address of a buffer.</summary>
    int AddressOf(string buffer);

    /// <summary>A constant's elements.</summary>
    Tensor Constant(string name);
}

/// <summary>
/// A loop nest compiled for the array: one code, launched once or several times, each launch with a parameter block of its own. The block is
/// copied from flash to RAM before the launch; the code reads nothing else but the nest's buffers.
/// </summary>
/// <param name="nest">The nest.</param>
public abstract class NestKernel(MappedNest nest)
{
    /// <summary>The nest it executes.</summary>
    public MappedNest Nest { get; } = nest;

    /// <summary>The code.</summary>
    public abstract ArrayProgram Program { get; }

    /// <summary>Number of launches.</summary>
    public abstract int Launches { get; }

    /// <summary>Trips of a loop that data ends, not a constant of the code; 0 where there is no such loop. With the code it decides how long a launch takes.</summary>
    public virtual int Trips => 0;

    /// <summary>True where the code holds constants of the nest, so that no other nest shares it.</summary>
    public virtual bool HasCodeOfItsOwn => false;

    /// <summary>
    /// The constants that go into the code, where these, the loops, and the steps of all accesses decide all of it: kernels of nests that differ in nothing but names and where their buffers begin
    /// then share it. Null where it isn't worth while.
    /// </summary>
    public virtual IReadOnlyList<Tensor>? CodeConstants => null;

    /// <summary>True where constants that multiply are weights: a launch takes as long with any others.</summary>
    public virtual bool MultipliesDataOnly => false;

    /// <summary>True where nests of this kind come in so large numbers that their code isn't expected to stay in RAM.</summary>
    public virtual bool StaysInFlash => false;

    /// <summary>Words of the largest parameter block.</summary>
    public abstract int ParameterWords { get; }

    /// <summary>
    /// Words that the kernel may touch beyond what the nest says (whole groups of four or sixteen at the end of a line or tensor): the buffer must
    /// be at least this long. The words beyond are never read as results.
    /// </summary>
    public abstract IEnumerable<(string Buffer, int Words)> Extents { get; }

    /// <summary>True where a launch can be done in a row with the one before it: as one launch, where the parameter blocks of both lie in RAM from the beginning.</summary>
    /// <param name="index">Launch, from 1.</param>
    public virtual bool Continues(int index) => false;

    /// <summary>
    /// Words of the longest column's stream of parameters, of launches in a row, where they are narrow: four words each, then words that are two numbers of 8 bits, a + b * 2^16,
    /// and nothing else. Such parameters may lie packed in RAM (<see cref="ExpandKernel"/>). 0 where they aren't.
    /// </summary>
    /// <param name="count">How many launches.</param>
    public virtual int NarrowStreamWords(int count) => 0;

    /// <summary>The data of launches in a row, done as one; its block has as many words as theirs together.</summary>
    /// <param name="index">The first.</param>
    /// <param name="count">How many: 1, or more where all others of them <see cref="Continues(int)"/>.</param>
    /// <param name="parameters">RAM byte address at which the parameter block will be.</param>
    /// <param name="data">Addresses and constants.</param>
    public virtual KernelLaunch InARow(int index, int count, int parameters, IKernelData data) =>
        count == 1 ? Launch(index, parameters, data) : throw new InvalidOperationException($"launches of {Nest.Kernel} are done one by one");

    /// <summary>The data of one launch.</summary>
    /// <param name="index">Launch, from 0.</param>
    /// <param name="parameters">RAM byte address at which the parameter block will be.</param>
    /// <param name="data">Addresses and constants.</param>
    public abstract KernelLaunch Launch(int index, int parameters, IKernelData data);
}

/// <summary>Reads a nest by the names of its loops.</summary>
/// <param name="nest">The nest.</param>
public sealed class NestView(MappedNest nest)
{
    /// <summary>Group of a grouped contraction.</summary>
    public const string Group = "group";

    /// <summary>Four output channels.</summary>
    public const string Quad = "quad";

    /// <summary>Channel inside a quad.</summary>
    public const string Lane = "lane";

    /// <summary>Outer line loop.</summary>
    public const string OuterLine = "line.outer";

    /// <summary>Line loop.</summary>
    public const string Line = "line";

    /// <summary>Position inside a line.</summary>
    public const string Pixel = "pixel";

    /// <summary>Bytes of a word.</summary>
    public const int WordBytes = 4;

    /// <summary>Trip count of a loop; 1 where there is none of that name.</summary>
    public int Extent(string loop) => IndexOf(loop) is var i and >= 0 ? nest.Loops[i].Extent : 1;

    /// <summary>Coefficient of a loop in an access, in elements; 0 where there is no such loop.</summary>
    public int Step(MappedAccess access, string loop) => IndexOf(loop) is var i and >= 0 ? checked((int)access.Element.Coefficients[i]) : 0;

    /// <summary>Element of an access at given values of loops; the others are 0.</summary>
    public static int Base(MappedAccess access) => checked((int)access.Element.Constant);

    /// <summary>The reduced loops, outermost first.</summary>
    public IEnumerable<MappedLoop> Reduced => nest.Loops.Where(l => l.Reduced);

    /// <summary>Number of lines: outer times inner.</summary>
    public int Lines => Extent(OuterLine) * Extent(Line);

    /// <summary>Element offset of a line.</summary>
    public int LineOffset(MappedAccess access, int line)
    {
        var inner = Extent(Line);
        return (line / inner * Step(access, OuterLine)) + (line % inner * Step(access, Line));
    }

    /// <summary>The elements of an access at all taps, in row-major order of the reduced loops, as words.</summary>
    /// <param name="access">An access to a constant.</param>
    /// <param name="start">Element of the first tap.</param>
    /// <param name="constant">The constant.</param>
    public IEnumerable<uint> Taps(MappedAccess access, int start, Tensor constant)
    {
        IEnumerable<int> elements = [start];
        foreach (var loop in Reduced)
        {
            var step = Step(access, loop.Name);
            elements = elements.SelectMany(e => Enumerable.Range(0, loop.Extent).Select(i => e + (i * step)));
        }

        return elements.Select(e => (uint)constant.GetInteger(e));
    }

    private int IndexOf(string loop)
    {
        for (var i = 0; i < nest.Loops.Count; i++)
        {
            if (nest.Loops[i].Name == loop)
            {
                return i;
            }
        }

        return -1;
    }
}
