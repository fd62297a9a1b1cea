using CnnCompiler.Core.Tensors;
using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using static CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayProgramBuilder;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>
/// Adds up what the passes of a <see cref="StarKernel"/> leave side by side, takes it apart as <see cref="StarPlanesKernel"/> does, and requantises it with one
/// multiplication an output (<see cref="ShortRequantization"/> with one offset, else <see cref="CentredRequantization"/>). Columns work in pairs: the left one has T of two channels at two positions and makes codes
/// of the first half, the right one has H and those of the second half. Operands: planes, then as <see cref="RequantizeShortKernel"/>.
/// </summary>
public sealed class StarCodesKernel : NestKernel
{
    /// <summary>Name of the strategy in mapped programs.</summary>
    public const string Strategy = "star-codes-rows-are-lanes";

    /// <summary>Name of the strategy behind cells that are channels.</summary>
    public const string PointStrategy = "star-codes-of-channels";

    /// <summary>Planes at most: the code holds no more; one less where values below zero are corrected.</summary>
    public const int MostPlanes = 4;

    private const string Parameters = "parameters";
    private const string Planes = "planes";
    private const string Output = "output";
    private const int LaneBits = 16;

    /// <summary>Positions of a pair of columns at a time.</summary>
    private const int Group = Cell.Side / StarKernel.PairChannels;

    /// <summary>Index of the output among the accesses that the columns walk; the planes are before.</summary>
    private const int Written = 1;

    private readonly NestView _view;
    private readonly RequantizeForm _form;
    private readonly Requantization _requantization;
    private readonly PairWalk _walk;
    private readonly int _planes;

    /// <summary>Compiles a nest.</summary>
    public StarCodesKernel(MappedNest nest, IKernelData data)
        : base(nest)
    {
        _view = new(nest);
        _form = ScalarForms.AsRequantize(nest.Post) ?? throw new InvalidOperationException($"{nest.Name} is no requantisation");
        _requantization = Requantization.Of(nest, data.Constant) ?? throw new InvalidOperationException($"{nest.Name} has no requantisation in one multiplication");
        _walk = WalkOf(nest) ?? throw new InvalidOperationException($"{nest.Name} has no lines that its code can follow");
        _planes = _view.Extent(PlanesKernel.Plane);
        Program = Build();
    }

    /// <inheritdoc/>
    public override ArrayProgram Program { get; }

    /// <inheritdoc/>
    public override int Launches => 1;

    /// <inheritdoc/>
    public override int ParameterWords => Cell.Side * Cell.Side * 5 / 2;

    /// <inheritdoc/>
    public override IEnumerable<(string Buffer, int Words)> Extents => [];

    private int Channels => checked((int)Nest.Guards[0].Bound);

    /// <summary>True where the channels have a requantisation in one multiplication and the code holds the planes and the way from line to line.</summary>
    /// <param name="nest">The nest.</param>
    /// <param name="constant">Constants by name.</param>
    public static bool Fits(MappedNest nest, Func<string, Tensor> constant)
    {
        var planes = new NestView(nest).Extent(PlanesKernel.Plane);
        return planes <= MostPlanes && WalkOf(nest) is not null && Requantization.Of(nest, constant) is { } form && planes + (form.IsCentred ? 1 : 0) <= MostPlanes;
    }

    /// <inheritdoc/>
    public override KernelLaunch Launch(int index, int parameters, IKernelData data)
    {
        var words = new List<uint>(ParameterWords);
        var (read, write) = (new LaunchPointer?[Cell.Side], new LaunchPointer?[Cell.Side]);
        uint Address(MappedAccess access, int words) => (uint)(data.AddressOf(access.Target) + ((NestView.Base(access) + words) * NestView.WordBytes));
        for (var column = 0; column < Cell.Side; column++)
        {
            var half = column % 2;
            var (planes, output) = (Nest.Operands[0], Nest.Output);
            read[column] = new(true, words.Count * NestView.WordBytes);
            write[column] = new(false, Address(output, _walk.Start(Written, column) + (half * _view.Step(output, NestView.OuterLine))));
            CentredChannel[] channels = [.. Enumerable.Range(0, Cell.Side).Select(r => _requantization.Channels[Lane(r)])];
            words.AddRange(channels.Select(c => (uint)c.Multiplier));
            words.AddRange(Enumerable.Range(0, Cell.Side).Select(r => Address(
                planes,
                _walk.Start(0, column) + (Pixel(r) * _walk.PixelSteps[0]) + (Lane(r) * _view.Step(planes, NestView.Lane)) + (half * _view.Step(planes, NestView.OuterLine)))));
            words.AddRange(half == 0 ? [] : channels.Select(c => (uint)c.Offset));
        }

        return new([.. words], read, write);
    }

    /// <summary>The channel of a row: where there is one only, rows do it twice.</summary>
    private int Lane(int row) => Math.Min(row % StarKernel.PairChannels, Channels - 1);

    /// <summary>The position of a row, in its group.</summary>
    private static int Pixel(int row) => row / StarKernel.PairChannels;

    private static PairWalk? WalkOf(MappedNest nest)
    {
        var view = new NestView(nest);
        int[] Steps(string loop) => [view.Step(nest.Operands[0], loop), view.Step(nest.Output, loop)];
        return PairWalk.Of(Group, view.Extent(NestView.Pixel), Steps(NestView.Pixel), view.Extent(NestView.Line), Steps(NestView.Line)).FirstOrDefault(IsNear);

        // one increment each: more don't fit the code
        bool IsNear(PairWalk walk)
        {
            var (lane, record) = (view.Step(nest.Output, NestView.Lane) * (long)NestView.WordBytes, view.Extent(PlanesKernel.Plane) * (long)view.Step(nest.Operands[0], PlanesKernel.Plane));
            var pixel = walk.PixelSteps[Written] * (long)NestView.WordBytes;
            return FitsImmediate(lane) && FitsImmediate(pixel + lane) && FitsImmediate(pixel - lane) && FitsImmediate(pixel + walk.Gap(Written)) && FitsImmediate(pixel - lane + walk.Gap(Written))
                && FitsImmediate(walk.Gap(0)) && FitsImmediate(Group * walk.PixelSteps[0] * (long)NestView.WordBytes) && FitsImmediate(record * NestView.WordBytes)
                && FitsImmediate(walk.Groups) && FitsImmediate(walk.Lines);
        }
    }

    private ArrayProgram Build()
    {
        // cells whose sums make up a word
        var taps = StarPlan.Streams * (Nest.Kernel == PointStrategy ? 1 : StarKernel.Taps);
        var p = new ArrayProgramBuilder(Nest.Kernel);
        var cells = Cell.All.ToArray();
        var (wholes, highs) = (cells.Where(c => c.Column % 2 == 0).ToArray(), cells.Where(c => c.Column % 2 != 0).ToArray());
        VirtualRegister[] Of(string name) => [.. cells.Select(c => Register(c, name))];
        var (multiplier, source, sum, offset, code) = (Of("multiplier"), Of("source"), Of("sum"), Of("offset"), Of("code"));
        var (group, line) = (Register(wholes[0], "group"), Register(wholes[1], "line"));
        Cell High(Cell cell) => cell with { Column = cell.Column + 1 };

        ArrayOperation[] Each(IEnumerable<Cell> of, Func<Cell, ArrayOperation> make)
        {
            ArrayOperation[] operations = [.. of.Select(make)];
            p.Step(operations);
            return operations;
        }

        void Parameter(IEnumerable<Cell> of, VirtualRegister[] registers) => Each(of, c => LoadStream(c, NestView.WordBytes, registers[c.Index], Parameters));
        void Advance(IEnumerable<Cell> of, int bytes)
        {
            if (bytes != 0)
            {
                Each(of, c => Add(source[c.Index], source[c.Index], bytes));
            }
        }

        p.Block("start");
        Parameter(cells, multiplier);
        Parameter(cells, source);
        Parameter(highs, offset);
        p.Set(group, _walk.Groups);
        if (_walk.Lines > 1)
        {
            p.Set(line, _walk.Lines);
        }

        var positions = Later("positions");
        p.LoopWhileNotZero(group, positions);

        var store = p.Block("store");
        Store(0);

        p.Begin(positions);
        var planeStep = _view.Step(Nest.Operands[0], PlanesKernel.Plane) * NestView.WordBytes;
        Each(cells, c => Load(c, source[c.Index], sum[c.Index], Planes));
        for (var plane = 1; plane < _planes; plane++)
        {
            Advance(cells, planeStep);
            var loaded = Each(cells, c => Load(c, source[c.Index], null, Planes));
            Each(cells, c => Binary(OpenEdgeOpcode.SAdd, c, sum[c.Index], loaded[c.Index], sum[c.Index]));
        }

        var next = (Group * _walk.PixelSteps[0] * NestView.WordBytes) - ((_planes - 1) * planeStep);
        Advance(wholes, next);
        var counted = Each(highs, c => Binary(OpenEdgeOpcode.SAdd, c, sum[c.Index], ArrayOperand.Immediate, null, taps * _planes));
        var shifted = counted.Select(o => Binary(OpenEdgeOpcode.Sll, o.Cell, o, ArrayOperand.Immediate, null, LaneBits)).ToDictionary(o => o.Cell);
        p.Step(shifted.Values);
        var lows = Each(wholes, c => Binary(OpenEdgeOpcode.SSub, c, sum[c.Index], shifted[High(c)])).ToDictionary(o => o.Cell);
        Advance(highs, next);
        Each(cells, c => Binary(OpenEdgeOpcode.FxpMul, c, c.Column % 2 == 0 ? lows[c] : sum[c.Index], multiplier[c.Index], sum[c.Index]));

        // the left column has no register left for the offset: its neighbour shows it
        var shown = Each(highs, c => Move(c, offset[c.Index])).ToDictionary(o => o.Cell);
        p.Count(group);
        var above = Each(cells, c => Binary(OpenEdgeOpcode.SAdd, c, sum[c.Index], c.Column % 2 == 0 ? shown[High(c)] : offset[c.Index], _requantization.IsCentred ? sum[c.Index] : null));
        if (_requantization.IsCentred)
        {
            var corrections = Each(cells, c => SelectOnSign(c, above[c.Index], ArrayOperand.Immediate, ArrayOperand.Zero, null, -_requantization.Channels[Lane(c.Row)].Correction));
            var corrected = Each(cells, c => Binary(OpenEdgeOpcode.SAdd, c, sum[c.Index], corrections[c.Index]));
            var doubled = Each(cells, c => Binary(OpenEdgeOpcode.Sra, c, corrected[c.Index], ArrayOperand.Immediate, null, _requantization.Shift - 1));
            above = Each(cells, c => Binary(OpenEdgeOpcode.SAdd, c, doubled[c.Index], ArrayOperand.Immediate, null, _requantization.Rounding));
        }

        above = Each(cells, c => Binary(OpenEdgeOpcode.Sra, c, above[c.Index], ArrayOperand.Immediate, null, _requantization.IsCentred ? 1 : _requantization.Shift));
        ShortRequantization.Clamp(p, above, _form.Low, _form.High, c => code[c.Index]);
        p.LoopWhileNotZero(group, store);

        p.Block("line end");
        Store(_walk.Gap(Written));
        if (_walk.Lines > 1)
        {
            Advance(cells, _walk.Gap(0));
            p.Set(group, _walk.Groups);
            p.Count(line);
            p.LoopWhileNotZero(line, positions);
        }

        p.Exit(new(0, 3));
        return p.Build();

        void Store(int gap)
        {
            int Place(int row) => row < Cell.Side
                ? (Pixel(row) * _walk.PixelSteps[Written]) + (Lane(row) * _view.Step(Nest.Output, NestView.Lane))
                : Group * _walk.PixelSteps[Written];
            Each(cells, c => StoreStream(c, code[c.Index], ((Place(c.Row + 1) - Place(c.Row)) * NestView.WordBytes) + (c.Row == Cell.Side - 1 ? gap : 0), Output));
        }
    }

    /// <summary>One of the two forms with one multiplication.</summary>
    /// <param name="Channels">The channels; without a correction where they have one offset.</param>
    /// <param name="Shift">Bits behind the point.</param>
    /// <param name="Rounding">Where it is centred, what is added before the last shift.</param>
    /// <param name="IsCentred">True where values below zero are corrected.</param>
    private sealed record Requantization(IReadOnlyList<CentredChannel> Channels, int Shift, int Rounding, bool IsCentred)
    {
        public static Requantization? Of(MappedNest nest, Func<string, Tensor> constant)
        {
            if (ScalarForms.AsRequantize(nest.Post) is not { } form || RequantizeShortKernel.ChannelsOf(nest, constant) is not { } channels)
            {
                return null;
            }

            return ShortRequantization.Find(channels, form.ZeroPoint, form.Low, form.High) is { HasOneOffset: true } one
                ? new([.. one.Channels.Select(c => new CentredChannel(c.Multiplier, c.Above, 0))], one.Shift, 0, IsCentred: false)
                : CentredRequantization.Find(channels, form.ZeroPoint, form.Low, form.High) is { } two ? new(two.Channels, two.Shift, two.Rounding, IsCentred: true) : null;
        }
    }
}
