using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using static CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayProgramBuilder;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>
/// Writes the parameter block of launches that follow it from one that takes half the room: words that are two numbers of 8 bits, a + b * 2^16, lie two a word, as bytes plus 128.
/// A launch of it stands before those launches, done as one. The code is the same whatever it expands.
/// </summary>
/// <remarks>
/// Every column's stream begins with four words that are copied, one a row; the first column's goes on with the number of iterations. In each a cell takes the bytes 0 and 2 of a word, then 1 and 3:
/// what the four rows make of the former are the next four words, of the latter those behind.
/// </remarks>
public sealed class ExpandKernel : NestKernel
{
    /// <summary>Name of the code.</summary>
    public const string Name = "expand-parameters";

    /// <summary>What <see cref="IKernelData.AddressOf"/> calls the block that is written.</summary>
    public const string Block = "expanded parameters";

    private const int ByteBits = 8;
    private const int LaneBits = 16;

    /// <summary>What is added to a number of 8 bits.</summary>
    private const int Offset = 128;

    /// <summary>The number of both lanes.</summary>
    private const int Lanes = 1 + (1 << LaneBits);

    private const string Packed = "packed";
    private const string Words = "expanded";

    private static readonly ArrayProgram Code = Build();

    private readonly NestKernel _kernel;
    private readonly (int First, int Count)[] _groups;

    /// <summary>Expands the parameters of a kernel.</summary>
    /// <param name="kernel">The kernel; its parameters are narrow.</param>
    /// <param name="together">Most launches of it that are done as one.</param>
    /// <param name="expanded">Launches of it whose parameters are expanded: the first ones.</param>
    public ExpandKernel(NestKernel kernel, int together, int expanded)
        : base(kernel.Nest)
    {
        (_kernel, Expanded) = (kernel, expanded);
        var groups = new List<(int First, int Count)>();
        for (var launch = 0; launch < expanded; launch++)
        {
            if (groups.Count > 0 && groups[^1].Count < together && kernel.Continues(launch))
            {
                groups[^1] = (groups[^1].First, groups[^1].Count + 1);
            }
            else
            {
                groups.Add((launch, 1));
            }
        }

        _groups = [.. groups];
    }

    /// <inheritdoc/>
    public override ArrayProgram Program => Code;

    /// <inheritdoc/>
    public override int Launches => _groups.Length;

    /// <inheritdoc/>
    public override int Trips => Iterations(0);

    /// <inheritdoc/>
    public override int ParameterWords => Enumerable.Range(0, Launches).Max(PackedWords);

    /// <inheritdoc/>
    public override IEnumerable<(string Buffer, int Words)> Extents => [];

    /// <summary>Launches of the kernel whose parameters are expanded; the others have them as they are.</summary>
    public int Expanded { get; }

    /// <summary>The launches of the kernel that follow one of this: the first, and how many.</summary>
    public (int First, int Count) Group(int index) => _groups[index];

    /// <summary>Words of the block that a launch writes.</summary>
    public int ExpandedWords(int index) => Cell.Side * ColumnWords(index);

    /// <summary>Words of the parameter block of a launch.</summary>
    public int PackedWords(int index) => 1 + (Cell.Side * Cell.Side * (1 + Iterations(index)));

    /// <summary>The launch of the kernel that reads what a launch of this has written.</summary>
    /// <param name="index">The launch of this.</param>
    /// <param name="block">RAM byte address of what it has written.</param>
    /// <param name="data">Addresses and constants.</param>
    public KernelLaunch Following(int index, int block, IKernelData data)
    {
        var (first, count) = _groups[index];
        var words = ColumnWords(index) * (long)NestView.WordBytes;
        return _kernel.InARow(first, count, block, data) with { Parameters = [], Read = [.. Enumerable.Range(0, Cell.Side).Select(c => (LaunchPointer?)new LaunchPointer(true, c * words))] };
    }

    /// <inheritdoc/>
    public override KernelLaunch Launch(int index, int parameters, IKernelData data)
    {
        var (first, count) = _groups[index];
        var launch = _kernel.InARow(first, count, 0, data);
        var starts = launch.Read.Select(r => (int)r!.Value.Address / NestView.WordBytes).Append(launch.Parameters.Length).ToArray();
        var (words, length) = (new List<uint>(PackedWords(index)), ColumnWords(index));
        var (read, write) = (new LaunchPointer?[Cell.Side], new LaunchPointer?[Cell.Side]);
        for (var column = 0; column < Cell.Side; column++)
        {
            var stream = launch.Parameters.AsSpan(starts[column]..starts[column + 1]);
            read[column] = new(true, words.Count * NestView.WordBytes);
            write[column] = new(false, data.AddressOf(Block) + (column * length * (long)NestView.WordBytes));
            words.AddRange(stream[..Cell.Side]);
            if (column == 0)
            {
                words.Add((uint)Iterations(index));
            }

            for (var word = Cell.Side; word < length; word += 2 * Cell.Side)
            {
                for (var row = word; row < word + Cell.Side; row++)
                {
                    words.Add(Bytes(stream, row) + (Bytes(stream, row + Cell.Side) << ByteBits));
                }
            }
        }

        return new([.. words], read, write);
    }

    /// <summary>A word's numbers plus 128, in bits 0 to 7 and 16 to 23; behind the end of a stream are zeros.</summary>
    private static uint Bytes(ReadOnlySpan<uint> stream, int index)
    {
        var word = index < stream.Length ? stream[index] : 0;
        var bytes = unchecked(word + (uint)(Offset * Lanes));
        return (bytes & ~(uint)(byte.MaxValue * Lanes)) == 0 ? bytes : throw new InvalidOperationException($"the word 0x{word:x8} is not two numbers of 8 bits");
    }

    private int Iterations(int index) => (_kernel.NarrowStreamWords(_groups[index].Count) - Cell.Side + (2 * Cell.Side) - 1) / (2 * Cell.Side);

    private int ColumnWords(int index) => Cell.Side + (Iterations(index) * 2 * Cell.Side);

    private static ArrayProgram Build()
    {
        var p = new ArrayProgramBuilder(Name);
        VirtualRegister[] Each(string name) => [.. Cell.All.Select(c => Register(c, name))];
        var (word, mask, offset) = (Each("word"), Each("mask"), Each("offset"));
        var count = Register(new(0, 0), "count");

        p.Block("start");
        var copied = Load(null);
        Store(copied);
        p.Step(LoadStream(count.Cell, NestView.WordBytes, count, Packed));
        foreach (var cell in Cell.All)
        {
            p.Set(mask[cell.Index], byte.MaxValue * Lanes);
            p.Set(offset[cell.Index], Offset * Lanes);
        }

        var loop = p.Block("word");
        var loaded = Load(word);
        Store(Numbers([.. loaded]));
        p.Count(count);
        var shifted = Do(c => Binary(OpenEdgeOpcode.Srl, c, word[c.Index], ArrayOperand.Immediate, null, ByteBits));
        Store(Numbers([.. shifted]));
        p.LoopWhileNotZero(count, loop);
        p.Exit(new(0, 0));
        return p.Build();

        ArrayOperation[] Do(Func<Cell, ArrayOperation> of)
        {
            ArrayOperation[] done = [.. Cell.All.Select(of)];
            p.Step(done);
            return done;
        }

        ArrayOperation[] Load(VirtualRegister[]? to) => Do(c => LoadStream(c, NestView.WordBytes, to?[c.Index], Packed));
        void Store(ArrayOperation[] values) => Do(c => StoreStream(c, values[c.Index], NestView.WordBytes, Words));
        ArrayOperation[] Numbers(ArrayOperand[] from)
        {
            var bytes = Do(c => Binary(OpenEdgeOpcode.LAnd, c, from[c.Index], mask[c.Index]));
            return Do(c => Binary(OpenEdgeOpcode.SSub, c, bytes[c.Index], offset[c.Index]));
        }
    }
}
