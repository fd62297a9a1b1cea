using CnnCompiler.Core.Tensors;
using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using static CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayProgramBuilder;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>
/// Requantises raw sums with one multiplication an output (<see cref="ShortRequantization"/>): columns of the array are the four channels of a quad, up to three
/// rows work on lines of their own, the fourth counts. A value never leaves ROUT between load and store. Where values below zero have an offset of their own,
/// two rows work and the row below each chooses its offset while it multiplies. Operands as <see cref="RequantizeKernel"/>, then the smallest and the largest
/// value of each channel's sums with their bias.
/// </summary>
public sealed class RequantizeShortKernel : NestKernel
{
    /// <summary>Name of the strategy in mapped programs.</summary>
    public const string Strategy = "requantize-rows-share-lines";

    /// <summary>Index of the operand with the smallest values; that with the largest follows.</summary>
    public const int Ranges = 4;

    private const string Parameters = "parameters";
    private const string Sums = "sums";
    private const string Output = "output";

    private readonly NestView _view;
    private readonly RequantizeForm _form;
    private readonly ShortRequantization _short;
    private readonly PointLines[] _lines;
    private readonly int[] _workers;
    private readonly int _linesOfWorker;

    /// <summary>Bytes from each line to the next, of sums and output, where they are constants of the code; null where addresses come from a table.</summary>
    private readonly int[]? _gaps;

    /// <summary>Compiles a nest.</summary>
    public RequantizeShortKernel(MappedNest nest, IKernelData data)
        : base(nest)
    {
        _view = new(nest);
        _form = ScalarForms.AsRequantize(nest.Post) ?? throw new InvalidOperationException($"{nest.Name} is no requantisation");
        _short = FormOf(nest, data.Constant) ?? throw new InvalidOperationException($"{nest.Name} has no short form");
        MappedAccess[] accesses = [nest.Operands[0], nest.Output];
        _lines =
        [
            .. RequantizeKernel.Quads(nest, accesses)
                .Select(q => PointLines.OfLanes(nest, q.Accesses, [NestView.OuterLine, NestView.Line], NestView.Pixel, q.Lanes)),
        ];
        _workers = Rows(_lines[0].LinesPerColumn, _short.HasOneOffset);
        _linesOfWorker = Rounds(_lines[0].LinesPerColumn, _workers.Length);
        _gaps = Gaps();
        Program = Build();
    }

    /// <inheritdoc/>
    public override ArrayProgram Program { get; }

    /// <inheritdoc/>
    public override int Launches => _lines.Length;

    /// <inheritdoc/>
    public override int ParameterWords => (Cell.Side * _workers.Length * (ChannelWords + (2 * TableLines))) + (HasRows ? 1 : 0);

    /// <inheritdoc/>
    public override IEnumerable<(string Buffer, int Words)> Extents =>
        [(Nest.Operands[0].Target, _lines.Max(l => l.Extent(0))), (Nest.Output.Target, _lines.Max(l => l.Extent(1)))];

    /// <summary>True where the stream says after each quad whether another one follows.</summary>
    private bool HasRows => Launches > 1;

    /// <summary>Multiplier and offset; or multiplier, bias and two offsets.</summary>
    private int ChannelWords => _short.HasOneOffset ? 2 : 4;

    private int TableLines => _gaps is null ? _linesOfWorker : 1;

    /// <summary>The short form of a nest's channels, in the order of groups, quads and lanes; null where there is none.</summary>
    /// <param name="nest">A requantisation with the ranges of its channels.</param>
    /// <param name="constant">Constants by name.</param>
    public static ShortRequantization? FormOf(MappedNest nest, Func<string, Tensor> constant) =>
        ScalarForms.AsRequantize(nest.Post) is { } form && ChannelsOf(nest, constant) is { } channels ? ShortRequantization.Find(channels, form.ZeroPoint, form.Low, form.High) : null;

    /// <summary>A nest's channels with the ranges of their values, in the order of groups, quads and lanes; null where it has no ranges.</summary>
    /// <param name="nest">A requantisation.</param>
    /// <param name="constant">Constants by name.</param>
    internal static List<RequantizedChannel>? ChannelsOf(MappedNest nest, Func<string, Tensor> constant)
    {
        if (nest.Operands.Count != Ranges + 2)
        {
            return null;
        }

        var view = new NestView(nest);
        var channels = new List<RequantizedChannel>();
        for (var group = 0; group < view.Extent(NestView.Group); group++)
        {
            for (var channel = 0; channel < nest.Guards[0].Bound; channel++)
            {
                int Of(int operand)
                {
                    var access = nest.Operands[operand];
                    return (int)constant(access.Target).GetInteger(
                        NestView.Base(access) + (group * view.Step(access, NestView.Group)) + (channel / Cell.Side * view.Step(access, NestView.Quad)) + (channel % Cell.Side * view.Step(access, NestView.Lane)));
                }

                channels.Add(new(Of(1), Of(2), Of(3), Of(Ranges), Of(Ranges + 1)));
            }
        }

        return channels;
    }

    /// <summary>The rows that work: as many as need the fewest accesses and steps for all lines.</summary>
    private static int[] Rows(int lines, bool one)
    {
        // what every round takes, and what each row adds on the shared bus
        const int Round = 13;
        const int Row = 8;
        int[][] choices = one ? [[0], [0, 1], [0, 1, 2]] : [[0], [0, 2]];
        return choices.Where(r => r.Length <= lines).MinBy(r => Rounds(lines, r.Length) * (Round + (r.Length * Row)))!;
    }

    private static int Rounds(int lines, int workers) => (lines + workers - 1) / workers;

    private int FirstLine(int worker) => Math.Min(worker * _linesOfWorker, _lines[0].LinesPerColumn - _linesOfWorker);

    /// <inheritdoc/>
    public override KernelLaunch Launch(int index, int parameters, IKernelData data) => InARow(index, 1, parameters, data);

    /// <inheritdoc/>
    public override bool Continues(int index) => HasRows;

    /// <inheritdoc/>
    public override KernelLaunch InARow(int index, int count, int parameters, IKernelData data)
    {
        var words = new List<uint>(count * ParameterWords);
        var read = new LaunchPointer?[Cell.Side];
        for (var column = 0; column < Cell.Side; column++)
        {
            read[column] = new(true, words.Count * NestView.WordBytes);
            for (var i = index; i < index + count; i++)
            {
                AddQuad(words, i, column, data);
                if (HasRows && column == 0)
                {
                    words.Add(i + 1 < index + count ? 1u : 0);
                }
            }
        }

        return new([.. words], read, new LaunchPointer?[Cell.Side]);
    }

    /// <summary>What a column reads of a quad.</summary>
    private void AddQuad(List<uint> words, int index, int column, IKernelData data)
    {
        var lines = _lines[index];
        var quads = _view.Extent(NestView.Quad);
        var (group, quad) = (index / quads, index % quads);
        var channel = _short.Channels[(group * Nest.Guards[0].Bound) + (quad * Cell.Side) + lines.Lane(column)];
        if (_short.HasOneOffset)
        {
            AddForEach(channel.Multiplier);
            AddForEach(channel.Above);
        }
        else
        {
            AddForEach(channel.Multiplier, channel.Bias);
            AddForEach(channel.Below);
            AddForEach(channel.Above);
        }

        for (var i = 0; i < TableLines; i++)
        {
            for (var access = 0; access < 2; access++)
            {
                for (var worker = 0; worker < _workers.Length; worker++)
                {
                    words.Add(lines.Address(column, FirstLine(worker) + i, access, data) - (uint)(access == 0 ? 0 : lines.PixelBytes[access]));
                }
            }
        }

        void AddForEach(params ReadOnlySpan<int> values)
        {
            for (var worker = 0; worker < _workers.Length; worker++)
            {
                foreach (var value in values)
                {
                    words.Add((uint)value);
                }
            }
        }
    }

    private int[]? Gaps()
    {
        // a longer way than this costs more steps than a table
        const int Increments = 3;
        int[]?[] all = [.. Enumerable.Range(0, _workers.Length).Select(w => _lines[0].Gaps(FirstLine(w), _linesOfWorker))];
        return all[0] is { } first && all.All(g => g is not null && g.SequenceEqual(first)) && first.All(g => Math.Abs((long)g) <= Increments * OpenEdgeInstruction.MaxImmediate)
            ? first
            : null;
    }

    private ArrayProgram Build()
    {
        var p = new ArrayProgramBuilder(Strategy);
        var cells = Enumerable.Range(0, Cell.Side).SelectMany(c => _workers.Select(r => new Cell(r, c))).ToArray();
        var helpers = cells.Select(c => c with { Row = c.Row + 1 }).ToArray();
        VirtualRegister[] Of(Cell[] of, string name) => [.. of.Select(c => Register(c, name))];
        var (multiplier, source, target) = (Of(cells, "multiplier"), Of(cells, "source"), Of(cells, "target"));
        var (offset, bias, below, above) = (Of(cells, "offset"), Of(helpers, "bias"), Of(helpers, "below"), Of(helpers, "above"));
        var lines = _lines[0];
        var (pixel, line) = _short.HasOneOffset
            ? (Register(new(Cell.Side - 1, 0), "pixel"), Register(new(Cell.Side - 1, 1), "line"))
            : (Register(helpers[0], "pixel"), Register(new(helpers[0].Row, 1), "line"));

        ArrayOperation[] Each(Func<int, ArrayOperation> make)
        {
            ArrayOperation[] operations = [.. Enumerable.Range(0, cells.Length).Select(make)];
            p.Step(operations);
            return operations;
        }

        void Parameter(params IEnumerable<VirtualRegister> registers) => p.Step(registers.Select(r => LoadStream(r.Cell, NestView.WordBytes, r, Parameters)));
        void Addresses()
        {
            Parameter(source);
            Parameter(target);
        }

        var start = p.Block("start");
        if (_short.HasOneOffset)
        {
            Parameter(multiplier);
            Parameter(offset);
        }
        else
        {
            Parameter(multiplier.Concat(bias));
            Parameter(below);
            Parameter(above);
        }

        p.Set(line, _linesOfWorker);
        if (_gaps is not null)
        {
            Addresses();
        }

        var lineBlock = p.Block("line");
        if (_gaps is null)
        {
            Addresses();
        }

        p.Set(pixel, lines.Pixels);
        p.Count(line);

        var pixelBlock = p.Block("pixel");
        p.Count(pixel);
        foreach (var register in target)
        {
            p.Advance(register, lines.PixelBytes[1]);
        }

        var loaded = Each(i => Load(cells[i], source[i], null, Sums));
        ArrayOperation[] products = [.. cells.Select((c, i) => Binary(OpenEdgeOpcode.FxpMul, c, loaded[i], multiplier[i]))];
        ArrayOperation[] sums;
        if (_short.HasOneOffset)
        {
            p.Step(products);
            sums = Each(i => Binary(OpenEdgeOpcode.SAdd, cells[i], products[i], offset[i]));
        }
        else
        {
            ArrayOperation[] values = [.. helpers.Select((c, i) => Binary(OpenEdgeOpcode.SAdd, c, loaded[i], bias[i]))];
            p.Step([.. products, .. values]);
            var chosen = Each(i => SelectOnSign(helpers[i], values[i], below[i], above[i]));
            sums = Each(i => Binary(OpenEdgeOpcode.SAdd, cells[i], products[i], chosen[i]));
        }

        var shifted = Each(i => Binary(OpenEdgeOpcode.Sra, cells[i], sums[i], ArrayOperand.Immediate, null, _short.Shift));
        var codes = ShortRequantization.Clamp(p, shifted, _form.Low, _form.High);
        p.Step(codes.Select((c, i) => Store(c.Cell, c, target[i], Output)));
        foreach (var register in source)
        {
            p.Advance(register, lines.PixelBytes[0]);
        }

        p.LoopWhileNotZero(pixel, pixelBlock);

        p.Block("line end");
        for (var i = 0; i < cells.Length && _gaps is not null; i++)
        {
            p.Advance(source[i], _gaps[0]);
            p.Advance(target[i], _gaps[1]);
        }

        p.LoopWhileNotZero(line, lineBlock);
        if (HasRows)
        {
            p.Block("quad end");
            var more = p.Do(LoadStream(new(0, 0), NestView.WordBytes, null, Parameters));
            p.Do(new() { Cell = more.Cell, Opcode = OpenEdgeOpcode.Bne, A = more, B = ArrayOperand.Zero, Target = start });
        }

        p.Exit(new(0, 0));
        return p.Build();
    }
}
