using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using static CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayProgramBuilder;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>
/// Requantises the sums of a fully connected layer, the arithmetic that of <see cref="RequantizePairsKernel"/>: the sixteen cells are sixteen channels, each
/// with bias, multiplier and shift from the stream, because every channel is used once. Sums are [quad][line][lane]; one launch for each line.
/// </summary>
public sealed class RequantizeCellsKernel : NestKernel
{
    /// <summary>Name of the strategy in mapped programs.</summary>
    public const string Strategy = "requantize-cells-are-channels";

    /// <summary>Channels of a block.</summary>
    private const int Channels = Cell.Side * Cell.Side;

    /// <summary>More lines are better served by kernels that keep a channel's parameters.</summary>
    private const int MostLines = 8;

    /// <summary>Words of a channel: bias, the multiplier's low and high part, shift.</summary>
    private const int ChannelWords = 4;
    private const string Parameters = "parameters";
    private const string Sums = "sums";
    private const string Output = "output";

    private readonly NestView _view;
    private readonly RequantizeForm _form;

    /// <summary>Compiles a nest.</summary>
    public RequantizeCellsKernel(MappedNest nest)
        : base(nest)
    {
        _view = new(nest);
        _form = ScalarForms.AsRequantize(nest.Post) ?? throw new InvalidOperationException($"{nest.Name} is no requantisation");
        Program = Build();
    }

    /// <inheritdoc/>
    public override ArrayProgram Program { get; }

    /// <inheritdoc/>
    public override int Launches => _view.Lines;

    /// <inheritdoc/>
    public override int ParameterWords => Channels * (1 + (Blocks * ChannelWords));

    /// <inheritdoc/>
    public override IEnumerable<(string Buffer, int Words)> Extents => [];

    private int Blocks => _view.Extent(NestView.Quad) / Cell.Side;

    /// <summary>True where a nest is whole blocks of channels that lie side by side; the arithmetic is to be checked with <see cref="RequantizePairsKernel.Fits"/>.</summary>
    public static bool Fits(MappedNest nest)
    {
        var view = new NestView(nest);
        return view.Extent(NestView.Group) == 1 && view.Extent(NestView.Pixel) == 1 && view.Lines <= MostLines && nest.Guards is [var channels]
            && channels.Bound % Channels == 0 && view.Extent(NestView.Quad) * Cell.Side == channels.Bound
            && view.Step(nest.Output, NestView.Lane) == 1 && view.Step(nest.Output, NestView.Quad) == Cell.Side
            && view.Step(nest.Operands[0], NestView.Lane) == 1;
    }

    /// <inheritdoc/>
    public override KernelLaunch Launch(int index, int parameters, IKernelData data)
    {
        var sums = Nest.Operands[0];
        var words = new List<uint>(ParameterWords);
        var read = new LaunchPointer?[Cell.Side];
        var write = new LaunchPointer?[Cell.Side];
        for (var column = 0; column < Cell.Side; column++)
        {
            read[column] = new(true, words.Count * NestView.WordBytes);
            write[column] = new(
                false, data.AddressOf(Nest.Output.Target) + ((NestView.Base(Nest.Output) + _view.LineOffset(Nest.Output, index) + (column * Cell.Side)) * NestView.WordBytes));
            for (var row = 0; row < Cell.Side; row++)
            {
                var element = NestView.Base(sums) + _view.LineOffset(sums, index) + (column * _view.Step(sums, NestView.Quad)) + row;
                words.Add((uint)(data.AddressOf(sums.Target) + (element * NestView.WordBytes)));
            }

            for (var block = 0; block < Blocks; block++)
            {
                var channels = Enumerable.Range(0, Cell.Side)
                    .Select(row => RequantizeKernel.Channel(Nest, _view, 0, (block * Cell.Side) + column, row, data)!.Value).ToArray();
                var split = channels.Select(c => RequantizePairsKernel.Split(c.Multiplier, c.Shift)).ToArray();
                words.AddRange(channels.Select(c => (uint)c.Bias));
                words.AddRange(split.Select(s => (uint)s.Low));
                words.AddRange(split.Select(s => (uint)s.High));
                words.AddRange(split.Select(s => (uint)s.Shift));
            }
        }

        return new([.. words], read, write);
    }

    private ArrayProgram Build()
    {
        var p = new ArrayProgramBuilder(Strategy);
        var address = Cell.All.Select(c => Register(c, "address")).ToArray();
        var value = Cell.All.Select(c => Register(c, "value")).ToArray();
        var part = Cell.All.Select(c => Register(c, "part")).ToArray();
        var block = Register(new(0, 0), "block");

        ArrayOperation[] Each(Func<Cell, ArrayOperation> make)
        {
            ArrayOperation[] operations = [.. Cell.All.Select(make)];
            p.Step(operations);
            return operations;
        }

        ArrayOperation[] Parameter(VirtualRegister[]? to = null) => Each(c => LoadStream(c, NestView.WordBytes, to?[c.Index], Parameters));
        ArrayOperation[] Constant(OpenEdgeOpcode opcode, ArrayOperation[] from, int constant, VirtualRegister[]? to = null) =>
            Each(c => Binary(opcode, c, from[c.Index], ArrayOperand.Immediate, to?[c.Index], constant));

        p.Block("start");
        Parameter(address);
        p.Set(block, Blocks);

        var loop = p.Block("block");
        _ = Each(c => Load(c, address[c.Index], value[c.Index], Sums));
        var bias = Parameter();
        _ = Each(c => Binary(OpenEdgeOpcode.SAdd, c, value[c.Index], bias[c.Index], value[c.Index]));
        var low = Parameter();
        var fraction = Each(c => Binary(OpenEdgeOpcode.FxpMul, c, value[c.Index], low[c.Index]));
        _ = Constant(OpenEdgeOpcode.Sra, fraction, RequantizePairsKernel.FractionShift, part);

        // below zero the first rounding is the other way
        var sign = Each(c => Binary(OpenEdgeOpcode.Sra, c, value[c.Index], ArrayOperand.Immediate, null, 31));
        var correction = Constant(OpenEdgeOpcode.Sll, sign, RequantizePairsKernel.CorrectionBits);
        _ = Each(c => Binary(OpenEdgeOpcode.SAdd, c, part[c.Index], correction[c.Index], part[c.Index]));
        var high = Parameter();
        var main = Each(c => Binary(OpenEdgeOpcode.SMul, c, value[c.Index], high[c.Index]));
        var sum = Each(c => Binary(OpenEdgeOpcode.SAdd, c, part[c.Index], main[c.Index]));
        _ = Constant(OpenEdgeOpcode.SAdd, sum, 1 << (RequantizePairsKernel.CorrectionBits - 1), part);
        var shift = Parameter();
        var shifted = Each(c => Binary(OpenEdgeOpcode.Sra, c, part[c.Index], shift[c.Index]));
        var rounded = Constant(OpenEdgeOpcode.Sra, Constant(OpenEdgeOpcode.SAdd, shifted, 1), 1);
        var codes = RequantizeTail.Clamp(p, rounded, _form.ZeroPoint, _form.Low, _form.High);
        p.Step(codes.Select(c => StoreStream(
            c.Cell, c, (c.Cell.Row < Cell.Side - 1 ? 1 : Channels - Cell.Side + 1) * NestView.WordBytes, Output)));
        foreach (var register in address)
        {
            p.Advance(register, Cell.Side * _view.Step(Nest.Operands[0], NestView.Quad) * NestView.WordBytes);
        }

        p.Count(block);
        p.LoopWhileNotZero(block, loop);
        p.Exit(new(1, 0));
        return p.Build();
    }
}
