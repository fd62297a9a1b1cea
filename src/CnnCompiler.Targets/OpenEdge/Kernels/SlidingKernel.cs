using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using static CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayProgramBuilder;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>
/// Depthwise convolution that loads every input once a line: the sixteen cells are sixteen channels, or where there are no more eight or four channels of two or four lines; the weights are constants of
/// the code. A launch slides along its lines of outputs; each input is multiplied for all outputs whose windows it lies in, their sums move from register to register as the window
/// moves on. Operand 0 is the input over the reduced loops, of which <see cref="Slide"/> runs along the line, operand 1 the weights; the output is
/// [line][pixel][channel], behind as many pixels of a line as there are sums under way before the first is complete. A window that is too large is several nests
/// (<see cref="SlidingPlan"/>), each with a part of it and a plane of sums.
/// </summary>
/// <remarks>
/// All registers may hold sums and the input, so there is no counter: the word that one cell would read first behind the last input of the line is a mark that
/// no code can be (<see cref="KernelLaunch.Marks"/>). It lies behind the end of the input's buffer. Where a part of a window is done before, its steps are counted if that leaves a register; else a
/// guard bounds the pixels, and what the line has beyond is computed for nothing.
/// <para>
/// With <see cref="PackedStrategy"/> a word of the input is four channels: four cells load the sixteen, each shows its word to three neighbours, and each of the
/// four takes its byte. Any word may then be an input, so that a column without such a cell reads marks alone, one a step. Nests that agree on
/// where they end find each other's.
/// </para>
/// </remarks>
public sealed class SlidingKernel : NestKernel
{
    /// <summary>Name of the strategy in mapped programs.</summary>
    public const string Strategy = "slide-cells-are-channels";

    /// <summary>Name of the strategy that reads four channels a word.</summary>
    public const string PackedStrategy = "slide-packed-cells-are-channels";

    /// <summary>The reduced loop along the line.</summary>
    public const string Slide = "slide";

    /// <summary>A loop of one iteration. Its coefficient is the elements from the first input to the end of the buffer, behind which marks lie; of an input of four channels a word, to the end of the marks.</summary>
    public const string Marks = "marks";

    /// <summary>Channels of a launch.</summary>
    public const int Channels = Cell.Side * Cell.Side;

    /// <summary>Ends a line: above all codes.</summary>
    private const uint Mark = 1u << 30;

    /// <summary>Sums under way at most: all registers but the input's hold them.</summary>
    private const int MostUnderWay = 3;

    private const int MostSteps = 32;

    /// <summary>Bits of a code: shifted out, nothing but its sign is left.</summary>
    private const int CodeBits = 8;

    private const string Input = "input";
    private const string Sums = "sums";

    /// <summary>Cells that take the bytes of one word: that which loads it, and three neighbours of it. They have bytes 0, 1, 2 and 3.</summary>
    private static readonly Cell[][] Stars =
    [
        [new(0, 0), new(0, 3), new(1, 0), new(0, 1)],
        [new(3, 0), new(3, 3), new(2, 0), new(3, 1)],
        [new(1, 2), new(1, 1), new(0, 2), new(1, 3)],
        [new(2, 2), new(2, 1), new(3, 2), new(2, 3)],
    ];

    /// <summary>Reads the marks where inputs are packed: its byte is the uppermost, so that it has a step to itself, in a column that loads nothing else.</summary>
    private static readonly Cell Ends = Stars[0][^1];

    private static readonly int[] RowMajor = [.. Cell.All.Select(c => (c.Row * Cell.Side) + c.Column)];

    private static readonly int[] ByStars = [.. Cell.All.Select(c => Enumerable.Range(0, Channels).First(i => Stars[i / PackedRuns.Lanes][i % PackedRuns.Lanes] == c))];

    private readonly NestView _view;
    private readonly int _stride;
    private readonly int _underWay;
    private readonly bool _isPacked;

    /// <summary>True where a line ends inside the buffer, so that its steps are counted.</summary>
    private readonly bool _isCounted;

    /// <summary>For each cell its place among the sixteen of a launch: lines one after the other, channels of each.</summary>
    private readonly int[] _places;

    /// <summary>Channels of a line that a launch computes; sixteen, or as few as there are, and then several lines at a time.</summary>
    private readonly int _ofLine;

    /// <summary>The loads of a step: words from its first input.</summary>
    private readonly int[] _loads;

    /// <summary>Words from line to line, of input and output.</summary>
    private readonly (int Input, int Output) _line;

    /// <summary>Words between neighbouring inputs of a line.</summary>
    private readonly int _pitch;

    /// <summary>From the first tap to the others across the line, words of the input and elements of the weights.</summary>
    private readonly (int Input, int Weight)[] _across;

    /// <summary>Compiles a nest.</summary>
    public SlidingKernel(MappedNest nest, IKernelData data)
        : base(nest)
    {
        _view = new(nest);
        _isPacked = nest.Kernel == PackedStrategy;
        _places = _isPacked ? ByStars : RowMajor;
        var taps = _view.Extent(Slide);
        _pitch = InWords(_view.Step(nest.Operands[0], taps > 1 ? Slide : NestView.Pixel));
        _stride = StrideOf(nest);
        _underWay = UnderWay(taps, _stride);
        (int Input, int Weight)[] across = [(0, 0)];
        foreach (var loop in _view.Reduced.Where(l => l.Name != Slide))
        {
            var (input, weight) = (InWords(_view.Step(nest.Operands[0], loop.Name)), _view.Step(nest.Operands[1], loop.Name));
            across = [.. across.SelectMany(a => Enumerable.Range(0, loop.Extent).Select(i => (a.Input + (i * input), a.Weight + (i * weight))))];
        }

        _across = across;
        _line = (InWords(_view.Step(nest.Operands[0], NestView.Line)), _view.Step(nest.Output, NestView.Line));
        _loads = Loads(taps, _stride, _pitch, _across.Select(a => a.Input));
        _isCounted = !_isPacked && Trips * _stride * _pitch < _view.Step(nest.Operands[0], Marks);
        for (_ofLine = PackedRuns.Lanes; _ofLine < Channels; _ofLine *= 2)
        {
            if (_ofLine >= nest.Guards[0].Bound && _view.Extent(NestView.OuterLine) == 1 && LinesAtOnce <= _view.Lines && IsNear())
            {
                break;
            }
        }

        Program = Build(data);
    }

    /// <inheritdoc/>
    public override ArrayProgram Program { get; }

    /// <inheritdoc/>
    public override int Launches => (_view.Lines + LinesAtOnce - 1) / LinesAtOnce;

    /// <inheritdoc/>
    public override int ParameterWords => 0;

    /// <inheritdoc/>
    public override int Trips => TripsOf(Nest);

    /// <inheritdoc/>
    public override bool HasCodeOfItsOwn => true;

    /// <inheritdoc/>
    public override bool MultipliesDataOnly => true;

    /// <inheritdoc/>
    public override IEnumerable<(string Buffer, int Words)> Extents =>
    [
        (Nest.Operands[0].Target, _isPacked ? Math.Max(WordsRead, EndOfMarks(Nest)) : WordsRead),
        (Nest.Output.Target, Result(_view.Lines - 1) + (Trips * ResultPitch) + Channels),
    ];

    private int LinesAtOnce => Channels / _ofLine;

    private int ResultPitch => _view.Step(Nest.Output, NestView.Pixel);

    /// <summary>Words of the input's buffer up to the last one that is loaded.</summary>
    private int WordsRead => First(_view.Lines - 1) + (Trips * _stride * _pitch) + _across.Max(a => a.Input) + InWords(Channels);

    /// <summary>Word of the input's buffer from which on its marks lie.</summary>
    private int FirstMark => EndOfMarks(Nest) - Trips;

    /// <summary>Outputs whose windows an input lies in: sums that are under way at the same time.</summary>
    /// <param name="taps">Taps along the line.</param>
    /// <param name="stride">Inputs from window to window.</param>
    public static int UnderWay(int taps, int stride) => (taps + stride - 1) / stride;

    /// <summary>Steps of a line: its outputs, and as many more as sums are under way before the first is complete.</summary>
    /// <param name="pixels">Outputs of a line.</param>
    /// <param name="underWay">Sums under way.</param>
    public static int Steps(int pixels, int underWay) => pixels + underWay - 1;

    /// <summary>True where a nest finds the marks that another one, which ran just before, had put in place.</summary>
    /// <param name="nest">The nest.</param>
    /// <param name="before">The one before; null for none.</param>
    public static bool SharesMarks(MappedNest nest, MappedNest? before) =>
        nest.Kernel == PackedStrategy && before?.Kernel == PackedStrategy && before.Operands[0].Target == nest.Operands[0].Target
        && EndOfMarks(before) == EndOfMarks(nest) && TripsOf(before) >= TripsOf(nest);

    /// <summary>Word of the input's buffer at which its marks end: the same for all channels of an operator, and all parts of its window.</summary>
    private static int EndOfMarks(MappedNest nest) => (NestView.Base(nest.Operands[0]) + new NestView(nest).Step(nest.Operands[0], Marks)) / PackedRuns.Lanes;

    private static int StrideOf(MappedNest nest)
    {
        var view = new NestView(nest);
        return view.Extent(Slide) > 1 ? view.Step(nest.Operands[0], NestView.Pixel) / view.Step(nest.Operands[0], Slide) : 1;
    }

    private static int TripsOf(MappedNest nest)
    {
        var view = new NestView(nest);
        return Steps(view.Extent(NestView.Pixel), UnderWay(view.Extent(Slide), StrideOf(nest)));
    }

    /// <summary>True where a window's sums, steps and distances fit the array.</summary>
    /// <param name="taps">Taps along the line.</param>
    /// <param name="stride">Inputs from window to window.</param>
    /// <param name="pitch">Words between neighbouring inputs of a line.</param>
    /// <param name="across">Words from the first tap to the others across the line.</param>
    /// <param name="resultPitch">Elements between neighbouring sums.</param>
    /// <param name="isPacked">True where a word of the input is four channels.</param>
    public static bool Fits(int taps, int stride, int pitch, IReadOnlyList<int> across, int resultPitch, bool isPacked)
    {
        var loads = Loads(taps, stride, pitch, across);
        return UnderWay(taps, stride) <= MostUnderWay && CodeSteps(taps, stride, across.Count, isPacked) <= MostSteps
            && IsNear(resultPitch, isPacked)
            && Enumerable.Range(0, loads.Length).All(i => FitsImmediate((Distance(loads, i, stride * pitch) - (isPacked ? 1 : (Cell.Side - 1) * Cell.Side)) * (long)NestView.WordBytes));
    }

    /// <summary>True where the steps of a line can be counted: as few sums are under way that a register is left, and a step to set it.</summary>
    /// <param name="taps">Taps along the line.</param>
    /// <param name="stride">Inputs from window to window.</param>
    /// <param name="across">Taps across the line.</param>
    public static bool CanCount(int taps, int stride, int across) => UnderWay(taps, stride) < MostUnderWay && CodeSteps(taps, stride, across, isPacked: false) < MostSteps;

    /// <summary>Steps of the code without a counter.</summary>
    private static int CodeSteps(int taps, int stride, int across, bool isPacked)
    {
        // loading (and taking bytes, twice also before the loop), multiplying, adding, storing, the end of the loop
        const int Around = 4;
        const int Bytes = 2;
        var loads = Math.Min(taps, stride) * across;
        return (isPacked ? ((loads + 1) * (1 + Bytes)) - 1 : loads + 1) + (2 * taps * across) - 1 + Around - 1;
    }

    /// <summary>True where a constant leads from the sums of an output to those of the next one.</summary>
    /// <param name="resultPitch">Elements between neighbouring sums.</param>
    /// <param name="isPacked">True where a word of the input is four channels: cells have their channels in another order then.</param>
    public static bool IsNear(int resultPitch, bool isPacked) => FitsImmediate((resultPitch - (isPacked ? PackedRuns.Lanes : (Cell.Side - 1) * Cell.Side)) * (long)NestView.WordBytes);

    /// <summary>Words of the input's buffer that the last launch reads, marks included.</summary>
    public IEnumerable<int> WordsOfLastLaunch()
    {
        var first = First(FirstLine(Launches - 1));
        var marks = _isPacked ? Enumerable.Range(FirstMark, Trips) : [];
        return Enumerable.Range(0, Cell.Side).SelectMany(Loading)
            .SelectMany(c => Enumerable.Range(0, Trips + 1).SelectMany(step => _loads.Take(step < Trips ? _loads.Length : 1).Select(load => first + InputOf(c) + (step * _stride * _pitch) + load)))
            .Concat(marks);
    }

    private int InWords(int elements) => _isPacked ? elements / PackedRuns.Lanes : elements;

    /// <summary>The inputs of a step, but those between the windows, which nothing multiplies.</summary>
    private static int[] Loads(int taps, int stride, int pitch, IEnumerable<int> across) =>
        [.. Enumerable.Range(0, Math.Min(taps, stride)).SelectMany(i => across.Select(a => (i * pitch) + a))];

    /// <summary>Words from a load's inputs to those of the next one.</summary>
    private static int Distance(int[] loads, int index, int step) => (index + 1 < loads.Length ? loads[index + 1] : step + loads[0]) - loads[index];

    /// <inheritdoc/>
    public override KernelLaunch Launch(int index, int parameters, IKernelData data)
    {
        var line = FirstLine(index);
        var (input, output) = (data.AddressOf(Nest.Operands[0].Target), data.AddressOf(Nest.Output.Target));
        var columns = Enumerable.Range(0, Cell.Side).ToArray();
        LaunchPointer? From(int word) => new(false, input + (word * NestView.WordBytes));
        LaunchPointer? To(int word) => new(false, output + (word * NestView.WordBytes));
        return new(
            [],
            [
                .. columns.Select(c => !_isPacked ? From(First(line) + InputOf(new(0, c)))
                    : c == Ends.Column ? From(FirstMark)
                    : Loading(c).Select(cell => From(First(line) + InputOf(cell))).FirstOrDefault()),
            ],
            [.. columns.Select(c => To(Result(line) + OutputOf(new(0, c))))])
        {
            Marks = _isCounted ? [] : _isPacked
                ? [.. Enumerable.Range(0, Trips).Select(step => (input + ((FirstMark + step) * NestView.WordBytes), step < Trips - 1 ? 0 : Mark))]
                : [(input + ((First(line) + (Trips * _stride * _pitch)) * NestView.WordBytes), Mark)],
        };
    }

    /// <summary>Word of a line's first input.</summary>
    private int First(int line) => InWords(NestView.Base(Nest.Operands[0]) + _view.LineOffset(Nest.Operands[0], line));

    /// <summary>Element of the first word that a line writes: that of an output which isn't there.</summary>
    private int Result(int line) => NestView.Base(Nest.Output) + _view.LineOffset(Nest.Output, line) - ((_underWay - 1) * ResultPitch);

    /// <summary>First line of a launch: where lines are left over, some are computed twice.</summary>
    private int FirstLine(int launch) => Math.Min(launch * LinesAtOnce, _view.Lines - LinesAtOnce);

    private int ChannelOf(Cell cell) => _places[cell.Index] % _ofLine;

    private int LineOf(Cell cell) => _places[cell.Index] / _ofLine;

    /// <summary>Words from a line's first input to a cell's.</summary>
    private int InputOf(Cell cell) => InWords(ChannelOf(cell)) + (LineOf(cell) * _line.Input);

    /// <summary>Words from a line's first sum to a cell's.</summary>
    private int OutputOf(Cell cell) => ChannelOf(cell) + (LineOf(cell) * _line.Output);

    /// <summary>Cells of a column that load, from above.</summary>
    private IEnumerable<Cell> Loading(int column) => Cell.All.Where(c => c.Column == column && (!_isPacked || Stars.Any(s => s[0] == c)));

    /// <summary>Bytes from a cell's load to the next one of its column.</summary>
    private int BehindLoad(Cell cell, int load)
    {
        var cells = Loading(cell.Column).ToArray();
        var next = Array.IndexOf(cells, cell) + 1;
        return ((next < cells.Length ? InputOf(cells[next]) : Distance(_loads, load, _stride * _pitch) + InputOf(cells[0])) - InputOf(cell)) * NestView.WordBytes;
    }

    /// <summary>Bytes from a cell's sum to the next one that its column stores.</summary>
    private int BehindStore(Cell cell) =>
        ((cell.Row < Cell.Side - 1 ? OutputOf(cell with { Row = cell.Row + 1 }) : ResultPitch + OutputOf(cell with { Row = 0 })) - OutputOf(cell)) * NestView.WordBytes;

    /// <summary>True where constants lead from each access to the next one of its column.</summary>
    private bool IsNear() => Cell.All.All(c => FitsImmediate(BehindStore(c)))
        && Enumerable.Range(0, Cell.Side).SelectMany(Loading).All(c => Enumerable.Range(0, _loads.Length).All(load => FitsImmediate(BehindLoad(c, load))));

    private int Weight(IKernelData data, Cell cell, int tap, int across)
    {
        var access = Nest.Operands[1];
        var (quad, lane) = (ChannelOf(cell) / Cell.Side, ChannelOf(cell) % Cell.Side);
        return (quad * Cell.Side) + lane >= Nest.Guards[0].Bound
            ? 0
            : (int)data.Constant(access.Target).GetInteger(
                NestView.Base(access) + (quad * _view.Step(access, NestView.Quad)) + (lane * _view.Step(access, NestView.Lane))
                + (tap * _view.Step(access, Slide)) + across);
    }

    private ArrayProgram Build(IKernelData data)
    {
        var p = new ArrayProgramBuilder(Nest.Kernel);
        var taps = _view.Extent(Slide);
        var x = Cell.All.ToDictionary(c => c, c => Register(c, "x"));
        VirtualRegister[][] sums = [.. Cell.All.Select(c => Enumerable.Range(0, _underWay).Select(_ => Register(c, "sum")).ToArray())];
        var (mark, step) = (Register(Ends, "mark"), Register(new(0, 0), "step"));

        // what is multiplied in a step, in order: input of the step, its tap of which output (0: the newest)
        var work = (from i in Enumerable.Range(0, _stride)
                    from a in Enumerable.Range(0, _across.Length)
                    from age in Enumerable.Range(0, _underWay).Reverse()
                    where i + (age * _stride) < taps
                    select (Load: (i * _across.Length) + a, Across: a, Age: age, Tap: i + (age * _stride))).ToArray();

        p.Block("start");
        Load(0, null);
        if (_isCounted)
        {
            p.Set(step, Trips);
        }

        var loop = p.Block("pixel");
        for (var w = 0; w < work.Length; w++)
        {
            var (load, across, age, tap) = work[w];
            if (w > 0 && work[w - 1].Load != load)
            {
                Load(load, null);
            }

            var first = age == 0 && w == Array.FindIndex(work, o => o.Age == 0);
            var last = w == Array.FindLastIndex(work, o => o.Age == age);
            VirtualRegister? Target(Cell c) => !last ? sums[c.Index][age] : age + 1 < _underWay ? sums[c.Index][age + 1] : null;
            ArrayOperation[] values =
            [
                .. Cell.All.Select(c => Binary(
                    OpenEdgeOpcode.SMul, c, x[c], ArrayOperand.Immediate, first ? Target(c) : null, Weight(data, c, tap, _across[across].Weight))),
            ];
            p.Step(values);
            if (!first)
            {
                values = [.. values.Select(m => Binary(OpenEdgeOpcode.SAdd, m.Cell, sums[m.Cell.Index][age], m, Target(m.Cell)))];
                p.Step(values);
            }

            if (last && age == _underWay - 1)
            {
                p.Step(values.Select(v => StoreStream(v.Cell, v, BehindStore(v.Cell), Sums)));
            }
        }

        if (_isCounted)
        {
            Load(0, null);
            p.Count(step);
            p.LoopWhileNotZero(step, loop);
        }
        else
        {
            Load(0, loop);
        }

        p.Exit(new(1, 0));
        return p.Build();

        // all sixteen inputs; the pointers then are at those of the next load. Goes on with a block unless it finds a mark
        void Load(int index, ArrayBlock? target)
        {
            ArrayOperation Continue(Cell cell, ArrayOperand value) => new() { Cell = cell, Opcode = OpenEdgeOpcode.Bge, A = ArrayOperand.Zero, B = value, Target = target };
            if (!_isPacked)
            {
                ArrayOperation[] all =
                    [.. Cell.All.Select(c => LoadStream(c, BehindLoad(c, index), x[c], Input))];
                p.Step(all);
                if (target is not null)
                {
                    p.Do(Continue(all[0].Cell, p.Do(Binary(OpenEdgeOpcode.Sra, all[0].Cell, all[0], ArrayOperand.Immediate, null, CodeBits))));
                }

                return;
            }

            ArrayOperation[] words = [.. Stars.Select(s => LoadStream(s[0], BehindLoad(s[0], index), null, Input))];
            p.Step(target is null ? words : [.. words, LoadStream(Ends, NestView.WordBytes, mark, Input)]);
            ArrayOperation[] shifted =
                [.. Stars.SelectMany((s, i) => s.SkipLast(1).Select((c, lane) => Binary(OpenEdgeOpcode.Sll, c, words[i], ArrayOperand.Immediate, null, CodeBits * (PackedRuns.Lanes - 1 - lane))))];
            const int Top = CodeBits * (PackedRuns.Lanes - 1);
            p.Step([.. shifted, .. Stars.Select((s, i) => Binary(OpenEdgeOpcode.Sra, s[^1], words[i], ArrayOperand.Immediate, x[s[^1]], Top))]);
            ArrayOperation[] codes = [.. shifted.Select(o => Binary(OpenEdgeOpcode.Sra, o.Cell, o, ArrayOperand.Immediate, x[o.Cell], Top))];
            p.Step(target is null ? codes : [.. codes, Continue(Ends, mark)]);
        }
    }
}
