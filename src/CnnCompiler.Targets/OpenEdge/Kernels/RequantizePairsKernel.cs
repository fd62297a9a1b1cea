using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using static CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayProgramBuilder;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>
/// Adds the bias to raw sums and requantises them with two multiplications an output (<c>openedge-int8-kernels.md</c> C): columns of the array are the
/// four channels of a quad; in each, two pairs of cells work on lines of their own, the upper cell of a pair multiplying by the high part of the
/// multiplier, the lower one by the low part. Operands as <see cref="RequantizeKernel"/>. Only for values below 2^23 and shifts to the right by at
/// least one (<see cref="Fits"/>).
/// <para>
/// With q = qa * 2^(16+e) + qb and e = 7 the two roundings of TFLite are
/// <c>y = (x * qa + ((x * qb &gt;&gt; 15) &gt;&gt; (e + 1)) + 2^(14-e) - [x &lt; 0] * 2^(15-e) + 2^(s-1)) &gt;&gt; s</c> with s = 15 - e + r.
/// </para>
/// </summary>
public sealed class RequantizePairsKernel : NestKernel
{
    /// <summary>Name of the strategy in mapped programs.</summary>
    public const string Strategy = "requantize-pairs-share-lines";

    /// <summary>Values must stay below this: then x * qa and x * qb / 2^15 fit 32 bits.</summary>
    public const long Bound = 1L << 23;

    /// <summary>Pairs of cells in a column.</summary>
    public const int Workers = 2;

    /// <summary>Bits of the multiplier's low part beyond sixteen; the only number that fits values of 23 bits: b - 16 and 30 - b are both 7.</summary>
    private const int Extra = 7;

    /// <summary>The low part's product, halved 15 times already, is shifted right by so many more bits.</summary>
    public const int FractionShift = Extra + 1;

    /// <summary>Values below zero are lowered by two to this power.</summary>
    public const int CorrectionBits = 15 - Extra;

    private const string Parameters = "parameters";
    private const string Sums = "sums";
    private const string Output = "output";
    private const int ChannelWords = 4;

    private readonly NestView _view;
    private readonly RequantizeForm _form;
    private readonly PointLines[] _lines;
    private readonly int _linesOfWorker;

    /// <summary>Bytes from each line to the next, of sums and output, where they are constants of the code; null where addresses come from a table.</summary>
    private readonly int[]? _gaps;

    /// <summary>Compiles a nest.</summary>
    public RequantizePairsKernel(MappedNest nest)
        : base(nest)
    {
        _view = new(nest);
        _form = ScalarForms.AsRequantize(nest.Post) ?? throw new InvalidOperationException($"{nest.Name} is no requantisation");
        MappedAccess[] accesses = [nest.Operands[0], nest.Output];
        _lines =
        [
            .. RequantizeKernel.Quads(nest, accesses)
                .Select(q => PointLines.OfLanes(nest, q.Accesses, [NestView.OuterLine, NestView.Line], NestView.Pixel, q.Lanes)),
        ];
        _linesOfWorker = (_lines[0].LinesPerColumn + Workers - 1) / Workers;
        _gaps = Gaps();
        Program = Build();
    }

    /// <inheritdoc/>
    public override ArrayProgram Program { get; }

    /// <inheritdoc/>
    public override int Launches => _lines.Length;

    /// <inheritdoc/>
    public override int ParameterWords => Cell.Side * Workers * (ChannelWords + (2 * TableLines));

    /// <inheritdoc/>
    public override IEnumerable<(string Buffer, int Words)> Extents =>
        [(Nest.Operands[0].Target, _lines.Max(l => l.Extent(0))), (Nest.Output.Target, _lines.Max(l => l.Extent(1)))];

    private int TableLines => _gaps is null ? _linesOfWorker : 1;

    private int FirstLine(int worker) => worker == 0 ? 0 : _lines[0].LinesPerColumn - _linesOfWorker;

    /// <summary>True where the short form is exact.</summary>
    /// <param name="bound">Upper bound of the values' magnitude, bias included.</param>
    /// <param name="shifts">The channels' shifts; negative is to the right.</param>
    /// <param name="lines">Lines of positions.</param>
    public static bool Fits(long bound, ReadOnlySpan<int> shifts, int lines)
    {
        const int LargestShift = 31 - (15 - Extra);
        if (bound >= Bound || lines < Workers)
        {
            return false;
        }

        foreach (var shift in shifts)
        {
            if (shift is > -1 or < -LargestShift)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>High and low part of a multiplier, and the shift that leaves one bit for rounding.</summary>
    public static (int High, int Low, int Shift) Split(int multiplier, int shift) =>
        (multiplier >> (16 + Extra), multiplier & ((1 << (16 + Extra)) - 1), 14 - Extra - shift);

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
            var channel = RequantizeKernel.Channel(Nest, _view, group, quad, lines.Lane(column), data);
            var (high, low, shift) = channel is var (_, multiplier, right) ? Split(multiplier, right) : default;
            uint bias = (uint)(channel?.Bias ?? 0);
            words.AddRange([bias, (uint)low, bias, (uint)low, (uint)high, (uint)shift, (uint)high, (uint)shift]);
            for (var i = 0; i < TableLines; i++)
            {
                for (var worker = 0; worker < Workers; worker++)
                {
                    // with an odd number of lines both do the middle one
                    var line = FirstLine(worker) + i;
                    words.Add(lines.Address(column, line, 0, data));
                    words.Add((uint)(lines.Address(column, line, 1, data) - lines.PixelBytes[1]));
                }
            }
        }

        return new([.. words], read, new LaunchPointer?[Cell.Side]);
    }

    private int[]? Gaps()
    {
        // a longer way than this costs more steps than a kernel has left
        const int Increments = 3;
        var (first, second) = (_lines[0].Gaps(FirstLine(0), _linesOfWorker), _lines[0].Gaps(FirstLine(1), _linesOfWorker));
        return first is not null && second is not null && first.SequenceEqual(second) && first.All(g => Math.Abs((long)g) <= Increments * OpenEdgeInstruction.MaxImmediate)
            ? first
            : null;
    }

    private ArrayProgram Build()
    {
        var p = new ArrayProgramBuilder(Strategy);
        var pairs = Enumerable.Range(0, Cell.Side).SelectMany(c => Enumerable.Range(0, Workers).Select(w => (Upper: new Cell(2 * w, c), Lower: new Cell((2 * w) + 1, c))))
            .ToArray();
        VirtualRegister[] Upper(string name) => [.. pairs.Select(t => Register(t.Upper, name))];
        VirtualRegister[] Lower(string name) => [.. pairs.Select(t => Register(t.Lower, name))];
        var (bias, high, value, source) = (Upper("bias"), Upper("high"), Upper("value"), Upper("source"));
        var (low, shift, target) = (Lower("low"), Lower("shift"), Lower("target"));
        var lines = _lines[0];

        ArrayOperation[] Each(Func<int, ArrayOperation> make)
        {
            ArrayOperation[] operations = [.. Enumerable.Range(0, pairs.Length).Select(make)];
            p.Step(operations);
            return operations;
        }

        void Parameter(VirtualRegister[] upper, VirtualRegister[] lower) =>
            p.Step(upper.Concat(lower).Select(r => LoadStream(r.Cell, NestView.WordBytes, r, Parameters)));

        ArrayOperation Constant(OpenEdgeOpcode opcode, ArrayOperation from, int constant, VirtualRegister? to = null) =>
            Binary(opcode, from.Cell, from, ArrayOperand.Immediate, to, constant);

        var (pixel, line) = (Register(pairs[0].Lower, "pixel"), Register(pairs[Workers].Lower, "line"));

        p.Block("start");
        Parameter(bias, low);
        Parameter(high, shift);
        p.Set(line, _linesOfWorker);
        if (_gaps is not null)
        {
            Parameter(source, target);
        }

        var lineBlock = p.Block("line");
        if (_gaps is null)
        {
            Parameter(source, target);
        }

        p.Set(pixel, lines.Pixels);
        p.Count(line);

        var pixelBlock = p.Block("pixel");
        p.Count(pixel);
        foreach (var register in target)
        {
            p.Advance(register, lines.PixelBytes[1]);
        }

        var loaded = Each(i => Load(pairs[i].Upper, source[i], null, Sums));
        var values = Each(i => Binary(OpenEdgeOpcode.SAdd, pairs[i].Upper, loaded[i], bias[i], value[i]));
        var copies = Each(i => Move(pairs[i].Lower, values[i]));
        ArrayOperation[] main = [.. pairs.Select((t, i) => Binary(OpenEdgeOpcode.SMul, t.Upper, values[i], high[i]))];
        ArrayOperation[] fraction = [.. pairs.Select((t, i) => Binary(OpenEdgeOpcode.FxpMul, t.Lower, copies[i], low[i]))];
        p.Step([.. main, .. fraction]);
        var part = Each(i => Constant(OpenEdgeOpcode.Sra, fraction[i], Extra + 1));
        var sum = Each(i => Binary(OpenEdgeOpcode.SAdd, pairs[i].Lower, part[i], main[i]));

        // below zero the first rounding is the other way
        var sign = Each(i => Binary(OpenEdgeOpcode.Sra, pairs[i].Upper, value[i], ArrayOperand.Immediate, null, 31));
        var correction = Each(i => Constant(OpenEdgeOpcode.LAnd, sign[i], -(1 << (15 - Extra))));
        sum = Each(i => Constant(OpenEdgeOpcode.SAdd, sum[i], 1 << (14 - Extra)));
        sum = Each(i => Binary(OpenEdgeOpcode.SAdd, pairs[i].Lower, sum[i], correction[i]));
        foreach (var register in source)
        {
            p.Advance(register, lines.PixelBytes[0]);
        }

        sum = Each(i => Binary(OpenEdgeOpcode.Sra, pairs[i].Lower, sum[i], shift[i]));

        sum = Each(i => Constant(OpenEdgeOpcode.SAdd, sum[i], 1));
        sum = Each(i => Constant(OpenEdgeOpcode.Sra, sum[i], 1));
        var codes = RequantizeTail.Clamp(p, sum, _form.ZeroPoint, _form.Low, _form.High);
        p.Step(codes.Select((c, i) => Store(c.Cell, c, target[i], Output)));
        p.LoopWhileNotZero(pixel, pixelBlock);

        p.Block("line end");
        for (var i = 0; i < pairs.Length && _gaps is not null; i++)
        {
            p.Advance(source[i], _gaps[0]);
            p.Advance(target[i], _gaps[1]);
        }

        p.LoopWhileNotZero(line, lineBlock);
        p.Exit(new(0, 0));
        return p.Build();
    }
}
