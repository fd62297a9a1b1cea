using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using static CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayProgramBuilder;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>
/// Adds the bias to raw sums and requantises them, per channel: columns of the array are the four channels of a quad. Operands: 0 the
/// accumulators, 1 bias, 2 multiplier, 3 shift (constants indexed by channel). Where a channel has several positions, a launch handles one quad and
/// keeps its parameters in registers; where it has one (a fully connected layer), one launch handles all quads and loads parameters for each.
/// </summary>
public sealed class RequantizeKernel : NestKernel
{
    /// <summary>Name of the strategy in mapped programs.</summary>
    public const string Strategy = "requantize-columns-are-channels";

    private const string Parameters = "parameters";
    private const string Sums = "sums";
    private const string Output = "output";

    private readonly NestView _view;
    private readonly RequantizeForm _form;
    private readonly PointLines[] _lines;
    private readonly bool _quadsAlongLine;
    private readonly bool _withLeftShift;
    private readonly bool _withDoubling;

    /// <summary>Compiles a nest.</summary>
    /// <param name="nest">The nest.</param>
    /// <param name="data">Constants: whether some channel shifts left or not at all decides the code.</param>
    public RequantizeKernel(MappedNest nest, IKernelData data)
        : base(nest)
    {
        _view = new(nest);
        _form = ScalarForms.AsRequantize(nest.Post) ?? throw new InvalidOperationException($"{nest.Name} is no requantisation");
        _quadsAlongLine = _view.Extent(NestView.Pixel) == 1 && _view.Extent(NestView.Quad) > 1 && _view.Extent(NestView.Group) == 1;
        var shifts = data.Constant(nest.Operands[3].Target).AsSpan<int>().ToArray();
        _withLeftShift = shifts.Any(s => s > 0);
        _withDoubling = shifts.Any(s => s >= 0);
        MappedAccess[] accesses = [nest.Operands[0], nest.Output];
        _lines = _quadsAlongLine
            ? [PointLines.OfLanes(nest, accesses, [NestView.OuterLine, NestView.Line], NestView.Quad, Cell.Side)]
            : [.. Quads(nest, accesses).Select(q => PointLines.OfLanes(nest, q.Accesses, [NestView.OuterLine, NestView.Line], NestView.Pixel, q.Lanes))];
        Program = Build();
    }

    /// <inheritdoc/>
    public override ArrayProgram Program { get; }

    /// <inheritdoc/>
    public override int Launches => _lines.Length;

    /// <inheritdoc/>
    public override int ParameterWords => _lines[0].TableWords + (ChannelWords * Cell.Side * (_quadsAlongLine ? _lines[0].Pixels * _lines[0].LinesPerColumn : 1));

    /// <inheritdoc/>
    public override IEnumerable<(string Buffer, int Words)> Extents =>
        [(Nest.Operands[0].Target, _lines.Max(l => l.Extent(0))), (Nest.Output.Target, _lines.Max(l => l.Extent(1)))];

    private int ChannelWords => 6 + (_withLeftShift ? 1 : 0) + (_withDoubling ? 1 : 0);

    /// <summary>The accesses of each quad of each group, and its channels.</summary>
    public static IEnumerable<(MappedAccess[] Accesses, int Lanes)> Quads(MappedNest nest, MappedAccess[] accesses)
    {
        var view = new NestView(nest);
        for (var group = 0; group < view.Extent(NestView.Group); group++)
        {
            for (var quad = 0; quad < view.Extent(NestView.Quad); quad++)
            {
                MappedAccess[] moved = [.. accesses.Select(a => a with
                {
                    Element = a.Element with { Constant = a.Element.Constant + (group * view.Step(a, NestView.Group)) + (quad * view.Step(a, NestView.Quad)) },
                })];
                yield return (moved, Math.Min(Cell.Side, nest.Guards[0].Bound - (quad * Cell.Side)));
            }
        }
    }

    /// <summary>Bias, multiplier and shift of a channel, or null where the quad has no such channel.</summary>
    public static (int Bias, int Multiplier, int Shift)? Channel(MappedNest nest, NestView view, int group, int quad, int lane, IKernelData data)
    {
        if ((quad * Cell.Side) + lane >= nest.Guards[0].Bound)
        {
            return null;
        }

        int Constant(int operand)
        {
            var access = nest.Operands[operand];
            var element = NestView.Base(access) + (group * view.Step(access, NestView.Group)) + (quad * view.Step(access, NestView.Quad))
                + (lane * view.Step(access, NestView.Lane));
            return (int)data.Constant(access.Target).GetInteger(element);
        }

        return (Constant(1), Constant(2), Constant(3));
    }

    /// <inheritdoc/>
    public override KernelLaunch Launch(int index, int parameters, IKernelData data)
    {
        var lines = _lines[index];
        var (group, quad) = (index / _view.Extent(NestView.Quad), index % _view.Extent(NestView.Quad));
        var words = new List<uint>(ParameterWords);
        var read = new LaunchPointer?[Cell.Side];
        for (var column = 0; column < Cell.Side; column++)
        {
            read[column] = new(true, words.Count * NestView.WordBytes);
            if (!_quadsAlongLine)
            {
                AddChannel(words, group, quad, lines.Lane(column), data);
            }

            for (var line = 0; line < lines.LinesPerColumn; line++)
            {
                words.Add(lines.Address(column, line, 0, data));
                words.Add((uint)(lines.Address(column, line, 1, data) - lines.PixelBytes[1]));
                for (var pixel = 0; _quadsAlongLine && pixel < lines.Pixels; pixel++)
                {
                    AddChannel(words, 0, pixel, column, data);
                }
            }
        }

        return new([.. words], read, new LaunchPointer?[Cell.Side]);
    }

    /// <summary>The parameters of a channel, in the order in which the cells of its column load them.</summary>
    private void AddChannel(List<uint> words, int group, int quad, int lane, IKernelData data)
    {
        if (Channel(Nest, _view, group, quad, lane, data) is not var (bias, multiplier, right))
        {
            words.AddRange(Enumerable.Repeat(0u, ChannelWords));
            return;
        }

        var (high, low, left, doubling, shift, half) = RequantizeTail.Parameters(multiplier, right);
        words.AddRange([(uint)bias, (uint)low, (uint)half, (uint)high, (uint)high, (uint)shift]);
        if (_withDoubling)
        {
            words.Add((uint)doubling);
        }

        if (_withLeftShift)
        {
            words.Add((uint)left);
        }
    }

    private ArrayProgram Build()
    {
        var p = new ArrayProgramBuilder(Strategy);
        var columns = Enumerable.Range(0, Cell.Side).ToArray();
        var tails = columns.Select(c => new RequantizeTail(c)).ToArray();
        var source = tails.Select(t => Register(t.Value, "source")).ToArray();
        var bias = tails.Select(t => Register(t.Value, "bias")).ToArray();
        var leftShift = tails.Select(t => Register(t.Value, "leftShift")).ToArray();
        var target = tails.Select(t => Register(t.Collector, "target")).ToArray();
        var pixel = Register(tails[0].Low, "pixel");
        var line = Register(tails[1].Low, "line");
        var lines = _lines[0];

        void LoadChannel()
        {
            p.Step(tails.SelectMany((t, i) => new[]
            {
                LoadStream(t.Value, NestView.WordBytes, bias[i], Parameters),
                LoadStream(t.Low, NestView.WordBytes, t.MultiplierLow, Parameters),
                LoadStream(t.Collector, NestView.WordBytes, t.Half, Parameters),
                LoadStream(t.High, NestView.WordBytes, t.MultiplierHigh, Parameters),
            }));
            p.Step(tails.SelectMany(t => new[]
            {
                LoadStream(t.Value, NestView.WordBytes, t.ValueHigh, Parameters),
                LoadStream(t.Collector, NestView.WordBytes, t.Shift, Parameters),
            }));
            if (_withDoubling)
            {
                p.Step(tails.Select(t => LoadStream(t.High, NestView.WordBytes, t.Doubling, Parameters)));
            }

            if (_withLeftShift)
            {
                p.Step(tails.Select((t, i) => LoadStream(t.Value, NestView.WordBytes, leftShift[i], Parameters)));
            }
        }

        p.Block("start");
        if (!_quadsAlongLine)
        {
            LoadChannel();
        }

        p.Set(line, lines.LinesPerColumn);

        var lineBlock = p.Block("line");
        p.Step(tails.SelectMany((t, i) => new[]
        {
            LoadStream(t.Value, NestView.WordBytes, source[i], Parameters),
            LoadStream(t.Collector, NestView.WordBytes, target[i], Parameters),
        }));
        p.Set(pixel, lines.Pixels);
        p.Count(line);

        var pixelBlock = p.Block("pixel");
        if (_quadsAlongLine)
        {
            LoadChannel();
        }

        foreach (var register in target)
        {
            p.Advance(register, lines.PixelBytes[1]);
        }

        p.Count(pixel);
        var loads = tails.Select((t, i) => Load(t.Value, source[i], null, Sums)).ToArray();
        p.Step(loads);
        var values = loads.Select((l, i) => Binary(OpenEdgeOpcode.SAdd, l.Cell, l, bias[i])).ToArray();
        p.Step(values);
        if (_withLeftShift)
        {
            values = [.. values.Select((v, i) => Binary(OpenEdgeOpcode.Sll, v.Cell, v, leftShift[i]))];
            p.Step(values);
        }

        var codes = RequantizeTail.Emit(p, tails, values, _withDoubling, _form.ZeroPoint, _form.Low, _form.High);
        foreach (var register in source)
        {
            p.Advance(register, lines.PixelBytes[0]);
        }

        p.Step(codes.Select((c, i) => Store(c.Cell, c, target[i], Output)));
        p.LoopWhileNotZero(pixel, pixelBlock);

        p.Block("line end");
        p.LoopWhileNotZero(line, lineBlock);
        p.Exit(new(0, 0));
        return p.Build();
    }
}
