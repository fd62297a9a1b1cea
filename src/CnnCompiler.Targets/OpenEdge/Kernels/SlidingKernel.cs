using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using static CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayProgramBuilder;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>
/// Depthwise convolution that loads every input once a line: the sixteen cells are sixteen channels, the weights constants of the code. A launch slides
/// along one line of outputs; each input is multiplied for all outputs whose windows it lies in, their sums move from register to register as the window
/// moves on. Operand 0 is the input over the reduced loops, of which <see cref="Slide"/> runs along the line, operand 1 the weights; the output is
/// [line][pixel][channel], behind as many pixels of a line as there are sums under way before the first is complete.
/// </summary>
/// <remarks>
/// All registers hold sums and the input, so there is no counter: the word that one cell would read first behind the last input of the line is a mark that
/// no code can be (<see cref="KernelLaunch.Marks"/>). It lies behind the end of the input's buffer.
/// </remarks>
public sealed class SlidingKernel : NestKernel
{
    /// <summary>Name of the strategy in mapped programs.</summary>
    public const string Strategy = "slide-cells-are-channels";

    /// <summary>The reduced loop along the line.</summary>
    public const string Slide = "slide";

    /// <summary>Channels of a launch.</summary>
    public const int Channels = Cell.Side * Cell.Side;

    /// <summary>Ends a line: above all codes.</summary>
    private const uint Mark = 1u << 30;

    /// <summary>Bits of a code: shifted out, nothing but its sign is left.</summary>
    private const int CodeBits = 8;

    private const string Input = "input";
    private const string Sums = "sums";

    private readonly NestView _view;
    private readonly int _stride;
    private readonly int _underWay;

    /// <summary>Elements between neighbouring inputs of a line.</summary>
    private readonly int _pitch;

    /// <summary>Elements from the first tap to the others across the line, of input and weights.</summary>
    private readonly (int Input, int Weight)[] _across;

    /// <summary>Compiles a nest.</summary>
    public SlidingKernel(MappedNest nest, IKernelData data)
        : base(nest)
    {
        _view = new(nest);
        var taps = _view.Extent(Slide);
        _pitch = _view.Step(nest.Operands[0], taps > 1 ? Slide : NestView.Pixel);
        _stride = taps > 1 ? _view.Step(nest.Operands[0], NestView.Pixel) / _pitch : 1;
        _underWay = UnderWay(taps, _stride);
        (int Input, int Weight)[] across = [(0, 0)];
        foreach (var loop in _view.Reduced.Where(l => l.Name != Slide))
        {
            var (input, weight) = (_view.Step(nest.Operands[0], loop.Name), _view.Step(nest.Operands[1], loop.Name));
            across = [.. across.SelectMany(a => Enumerable.Range(0, loop.Extent).Select(i => (a.Input + (i * input), a.Weight + (i * weight))))];
        }

        _across = across;
        Program = Build(data);
    }

    /// <inheritdoc/>
    public override ArrayProgram Program { get; }

    /// <inheritdoc/>
    public override int Launches => _view.Lines;

    /// <inheritdoc/>
    public override int ParameterWords => 0;

    /// <inheritdoc/>
    public override int Trips => Steps(_view.Extent(NestView.Pixel), _underWay);

    /// <inheritdoc/>
    public override bool HasCodeOfItsOwn => true;

    /// <inheritdoc/>
    public override IEnumerable<(string Buffer, int Words)> Extents =>
    [
        (Nest.Operands[0].Target, First(_view.Lines - 1) + (Trips * _stride * _pitch) + _across.Max(a => a.Input) + Channels),
        (Nest.Output.Target, Result(_view.Lines - 1) + (Trips * ResultPitch) + Channels),
    ];

    private int ResultPitch => _view.Step(Nest.Output, NestView.Pixel);

    /// <summary>Outputs whose windows an input lies in: sums that are under way at the same time.</summary>
    /// <param name="taps">Taps along the line.</param>
    /// <param name="stride">Inputs from window to window.</param>
    public static int UnderWay(int taps, int stride) => (taps + stride - 1) / stride;

    /// <summary>Steps of a line: its outputs, and as many more as sums are under way before the first is complete.</summary>
    /// <param name="pixels">Outputs of a line.</param>
    /// <param name="underWay">Sums under way.</param>
    public static int Steps(int pixels, int underWay) => pixels + underWay - 1;

    /// <summary>True where a window's sums, steps and distances fit the array.</summary>
    /// <param name="taps">Taps along the line.</param>
    /// <param name="stride">Inputs from window to window.</param>
    /// <param name="pitch">Elements between neighbouring inputs of a line.</param>
    /// <param name="across">Elements from the first tap to the others across the line.</param>
    /// <param name="resultPitch">Elements between neighbouring sums.</param>
    public static bool Fits(int taps, int stride, int pitch, IReadOnlyList<int> across, int resultPitch)
    {
        // all registers but the input's hold sums; loading, multiplying, adding, storing, the end of the loop
        const int Registers = 3;
        const int Around = 4;
        const int MostSteps = 32;
        var loads = Loads(taps, stride, pitch, across);
        return UnderWay(taps, stride) <= Registers
            && loads.Length + (2 * taps * across.Count) - 1 + Around <= MostSteps
            && IsNear(resultPitch)
            && Enumerable.Range(0, loads.Length).All(i => FitsImmediate(Advance(loads, i, stride * pitch) * (long)NestView.WordBytes));
    }

    /// <summary>True where a constant leads from the sums of an output to those of the next one.</summary>
    /// <param name="resultPitch">Elements between neighbouring sums.</param>
    public static bool IsNear(int resultPitch) => FitsImmediate((resultPitch - ((Cell.Side - 1) * Cell.Side)) * (long)NestView.WordBytes);

    /// <summary>The inputs of a step, but those between the windows, which nothing multiplies.</summary>
    private static int[] Loads(int taps, int stride, int pitch, IEnumerable<int> across) =>
        [.. Enumerable.Range(0, Math.Min(taps, stride)).SelectMany(i => across.Select(a => (i * pitch) + a))];

    /// <summary>Elements from the last cell's input to the first cell's of the next load.</summary>
    private static int Advance(int[] loads, int index, int step) =>
        (index + 1 < loads.Length ? loads[index + 1] : step + loads[0]) - loads[index] - ((Cell.Side - 1) * Cell.Side);

    /// <inheritdoc/>
    public override KernelLaunch Launch(int index, int parameters, IKernelData data)
    {
        var (input, output) = (data.AddressOf(Nest.Operands[0].Target), data.AddressOf(Nest.Output.Target));
        var columns = Enumerable.Range(0, Cell.Side).ToArray();
        return new(
            [],
            [.. columns.Select(c => (LaunchPointer?)new LaunchPointer(false, input + ((First(index) + c) * NestView.WordBytes)))],
            [.. columns.Select(c => (LaunchPointer?)new LaunchPointer(false, output + ((Result(index) + c) * NestView.WordBytes)))])
        {
            Marks = [(input + ((First(index) + (Trips * _stride * _pitch)) * NestView.WordBytes), Mark)],
        };
    }

    /// <summary>Element of a line's first input.</summary>
    private int First(int line) => NestView.Base(Nest.Operands[0]) + _view.LineOffset(Nest.Operands[0], line);

    /// <summary>Element of the first word that a line writes: that of an output which isn't there.</summary>
    private int Result(int line) => NestView.Base(Nest.Output) + _view.LineOffset(Nest.Output, line) - ((_underWay - 1) * ResultPitch);

    private int Weight(IKernelData data, Cell cell, int tap, int across)
    {
        var access = Nest.Operands[1];
        var (quad, lane) = (cell.Row, cell.Column);
        return (quad * Cell.Side) + lane >= Nest.Guards[0].Bound
            ? 0
            : (int)data.Constant(access.Target).GetInteger(
                NestView.Base(access) + (quad * _view.Step(access, NestView.Quad)) + (lane * _view.Step(access, NestView.Lane))
                + (tap * _view.Step(access, Slide)) + across);
    }

    private ArrayProgram Build(IKernelData data)
    {
        var p = new ArrayProgramBuilder(Strategy);
        var taps = _view.Extent(Slide);
        var x = Cell.All.ToDictionary(c => c, c => Register(c, "x"));
        VirtualRegister[][] sums = [.. Cell.All.Select(c => Enumerable.Range(0, _underWay).Select(_ => Register(c, "sum")).ToArray())];
        var loads = Loads(taps, _stride, _pitch, _across.Select(a => a.Input));

        // what is multiplied in a step, in order: input of the step, its tap of which output (0: the newest)
        var work = (from i in Enumerable.Range(0, _stride)
                    from a in Enumerable.Range(0, _across.Length)
                    from age in Enumerable.Range(0, _underWay).Reverse()
                    where i + (age * _stride) < taps
                    select (Load: (i * _across.Length) + a, Across: a, Age: age, Tap: i + (age * _stride))).ToArray();

        p.Block("start");
        Load(0);

        var loop = p.Block("pixel");
        for (var w = 0; w < work.Length; w++)
        {
            var (load, across, age, tap) = work[w];
            if (w > 0 && work[w - 1].Load != load)
            {
                Load(load);
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
                p.Step(values.Select(v => StoreStream(
                    v.Cell, v, v.Cell.Row < Cell.Side - 1 ? Cell.Side * NestView.WordBytes : (ResultPitch - ((Cell.Side - 1) * Cell.Side)) * NestView.WordBytes, Sums)));
            }
        }

        var next = Load(0);
        var above = Binary(OpenEdgeOpcode.Sra, new(0, 0), next, ArrayOperand.Immediate, null, CodeBits);
        p.Do(above);
        p.Do(new() { Cell = above.Cell, Opcode = OpenEdgeOpcode.Bge, A = ArrayOperand.Zero, B = above, Target = loop });
        p.Exit(new(1, 0));
        return p.Build();

        // all sixteen inputs; the pointer then is at those of the next load. Returns the first cell's.
        ArrayOperation Load(int index)
        {
            var advance = Advance(loads, index, _stride * _pitch);
            ArrayOperation[] all =
                [.. Cell.All.Select(c => LoadStream(c, (c.Row < Cell.Side - 1 ? Cell.Side : advance) * NestView.WordBytes, x[c], Input))];
            p.Step(all);
            return all[0];
        }
    }
}
