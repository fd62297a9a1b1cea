using CnnCompiler.Core.Tensors;
using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using static CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayProgramBuilder;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>
/// Requantises the sums of sixteen channels that lie side by side (<see cref="SlidingKernel"/>), the arithmetic that of <see cref="RequantizePairsKernel"/>:
/// the sixteen cells are the channels, biases, multipliers and shifts constants of the code. A launch is one line, or all of them where they follow each other in sums and output alike. Where the
/// channels have a short form (<see cref="ShortRequantization"/>) there is one multiplication, and room to add up planes of sums.
/// </summary>
public sealed class RequantizeConstantsKernel : NestKernel
{
    /// <summary>Name of the strategy in mapped programs.</summary>
    public const string Strategy = "requantize-constants-are-channels";

    /// <summary>Channels of a nest.</summary>
    public const int Channels = Cell.Side * Cell.Side;

    /// <summary>Bits of the lower part of a constant that is put together from two.</summary>
    private const int LowBits = 12;

    /// <summary>Planes that are added without a loop.</summary>
    private const int Unrolled = 5;

    private const string Sums = "sums";
    private const string Output = "output";

    private readonly NestView _view;
    private readonly RequantizeForm _form;
    private readonly ShortRequantization? _short;
    private readonly int _planes;

    /// <summary>The loop that a launch walks, and its iterations.</summary>
    private readonly (string Loop, int Extent) _walk;

    /// <summary>Compiles a nest.</summary>
    public RequantizeConstantsKernel(MappedNest nest, IKernelData data)
        : base(nest)
    {
        _view = new(nest);
        _planes = _view.Extent(PlanesKernel.Plane);
        _walk = Walk(nest);
        _form = ScalarForms.AsRequantize(nest.Post) ?? throw new InvalidOperationException($"{nest.Name} is no requantisation");
        _short = RequantizeShortKernel.FormOf(nest, data.Constant) is { HasOneOffset: true } form ? form : null;
        Program = _short is null ? Build(data) : BuildShort(_short);
    }

    /// <inheritdoc/>
    public override ArrayProgram Program { get; }

    /// <inheritdoc/>
    public override int Launches => _view.Lines * _view.Extent(NestView.Pixel) / _walk.Extent;

    /// <inheritdoc/>
    public override int ParameterWords => 0;

    /// <inheritdoc/>
    public override bool HasCodeOfItsOwn => true;

    /// <inheritdoc/>
    public override IEnumerable<(string Buffer, int Words)> Extents => [];

    /// <summary>True where a nest's sixteen channels lie side by side, pixels so near that a constant leads from one to the next; the arithmetic is to be checked with <see cref="RequantizePairsKernel.Fits"/>.</summary>
    public static bool Fits(MappedNest nest)
    {
        var view = new NestView(nest);
        return view.Extent(NestView.Group) == 1 && nest.Guards is [var channels] && channels.Bound == Channels && view.Extent(NestView.Quad) == Cell.Side
            && new[] { nest.Operands[0], nest.Output }.All(a => view.Step(a, NestView.Lane) == 1 && view.Step(a, NestView.Quad) == Cell.Side
                && FitsImmediate(Next(nest, a) * (long)NestView.WordBytes));
    }

    /// <summary>True where a nest's code has room to add up planes.</summary>
    /// <param name="nest">A nest that fits.</param>
    /// <param name="constant">Constants by name.</param>
    public static bool HasPlanes(MappedNest nest, Func<string, Tensor> constant) => RequantizeShortKernel.FormOf(nest, constant) is { HasOneOffset: true };

    /// <inheritdoc/>
    public override KernelLaunch Launch(int index, int parameters, IKernelData data)
    {
        LaunchPointer?[] Pointers(MappedAccess access) => [.. Enumerable.Range(0, Cell.Side).Select(column => (LaunchPointer?)new LaunchPointer(
            false, data.AddressOf(access.Target) + ((NestView.Base(access) + _view.LineOffset(access, index) + column) * NestView.WordBytes)))];
        return new([], Pointers(Nest.Operands[0]), Pointers(Nest.Output));
    }

    /// <summary>The pixels of a line, or all positions where those of a pixel in all lines are continued by the next pixel's.</summary>
    private static (string Loop, int Extent) Walk(MappedNest nest)
    {
        var view = new NestView(nest);
        var (lines, pixels) = (view.Extent(NestView.Line), view.Extent(NestView.Pixel));
        return view.Extent(NestView.OuterLine) == 1 && lines > 1 && FitsImmediate(lines * (long)pixels)
            && new[] { nest.Operands[0], nest.Output }.All(a => view.Step(a, NestView.Pixel) == lines * view.Step(a, NestView.Line))
            ? (NestView.Line, lines * pixels) : (NestView.Pixel, pixels);
    }

    /// <summary>Elements from the last cell of a column, in the last plane, to the first one's in the next position.</summary>
    private static int Next(MappedNest nest, MappedAccess access)
    {
        var view = new NestView(nest);
        return view.Step(access, Walk(nest).Loop) - ((view.Extent(PlanesKernel.Plane) - 1) * view.Step(access, PlanesKernel.Plane)) - ((Cell.Side - 1) * Cell.Side);
    }

    /// <summary>One multiplication; its constants are put together in registers before the loop.</summary>
    private ArrayProgram BuildShort(ShortRequantization form)
    {
        var p = new ArrayProgramBuilder(Strategy);
        var (multiplier, above) = (Each("multiplier"), Each("above"));
        var pixel = Register(new(0, 0), "pixel");
        VirtualRegister[] Each(string name) => [.. Cell.All.Select(c => Register(c, name))];
        ArrayOperation[] All(Func<Cell, ArrayOperation> make)
        {
            ArrayOperation[] operations = [.. Cell.All.Select(make)];
            p.Step(operations);
            return operations;
        }

        void Set(VirtualRegister[] registers, Func<ShortChannel, int> value)
        {
            var high = All(c => Binary(OpenEdgeOpcode.SAdd, c, ArrayOperand.Zero, ArrayOperand.Immediate, null, Part(value(form.Channels[c.Index]), 2)));
            high = All(c => Binary(OpenEdgeOpcode.Sll, c, high[c.Index], ArrayOperand.Immediate, null, LowBits));
            high = All(c => Binary(OpenEdgeOpcode.SAdd, c, high[c.Index], ArrayOperand.Immediate, null, Part(value(form.Channels[c.Index]), 1)));
            high = All(c => Binary(OpenEdgeOpcode.Sll, c, high[c.Index], ArrayOperand.Immediate, null, LowBits));
            _ = All(c => Binary(OpenEdgeOpcode.SAdd, c, high[c.Index], ArrayOperand.Immediate, registers[c.Index], Part(value(form.Channels[c.Index]), 0)));
        }

        static int Part(int value, int index) => index == 2 ? value >> (2 * LowBits) : value >> (index * LowBits) & ((1 << LowBits) - 1);
        p.Block("start");
        Set(multiplier, c => c.Multiplier);
        Set(above, c => c.Above);
        p.Set(pixel, _walk.Extent);

        var loop = p.Block("pixel");
        p.Count(pixel);
        var sum = Each("sum");
        var loaded = All(c => LoadStream(c, Bytes(Nest.Operands[0], c, 0), _planes > 1 ? sum[c.Index] : null, Sums));
        void AddPlane(int plane)
        {
            loaded = All(c => LoadStream(c, Bytes(Nest.Operands[0], c, plane), null, Sums));
            loaded = All(c => Binary(OpenEdgeOpcode.SAdd, c, sum[c.Index], loaded[c.Index], sum[c.Index]));
        }

        PlanesKernel.AddRest(p, _planes, Unrolled, AddPlane);

        var products = All(c => Binary(OpenEdgeOpcode.FxpMul, c, loaded[c.Index], multiplier[c.Index]));
        var sums = All(c => Binary(OpenEdgeOpcode.SAdd, c, products[c.Index], above[c.Index]));
        var shifted = All(c => Binary(OpenEdgeOpcode.Sra, c, sums[c.Index], ArrayOperand.Immediate, null, form.Shift));
        var codes = ShortRequantization.Clamp(p, shifted, _form.Low, _form.High);
        p.Step(codes.Select(c => StoreStream(c.Cell, c, Bytes(Nest.Output, c.Cell, _planes - 1), Output)));
        p.LoopWhileNotZero(pixel, loop);
        p.Exit(new(1, 0));
        return p.Build();
    }

    /// <summary>Bytes from a cell's word to the next one of its column.</summary>
    private int Bytes(MappedAccess access, Cell cell, int plane) => NestView.WordBytes * (cell.Row < Cell.Side - 1 ? Cell.Side
        : plane < _planes - 1 ? _view.Step(access, PlanesKernel.Plane) - ((Cell.Side - 1) * Cell.Side) : Next(Nest, access));

    private ArrayProgram Build(IKernelData data)
    {
        var p = new ArrayProgramBuilder(Strategy);
        var channels = Cell.All.Select(c => RequantizeKernel.Channel(Nest, _view, 0, c.Row, c.Column, data)!.Value).ToArray();
        var split = channels.Select(c => RequantizePairsKernel.Split(c.Multiplier, c.Shift)).ToArray();
        var value = Cell.All.Select(c => Register(c, "value")).ToArray();
        var part = Cell.All.Select(c => Register(c, "part")).ToArray();
        var low = Cell.All.Select(c => Register(c, "low")).ToArray();
        var pixel = Register(new(0, 0), "pixel");

        ArrayOperation[] Each(Func<Cell, ArrayOperation> make)
        {
            ArrayOperation[] operations = [.. Cell.All.Select(make)];
            p.Step(operations);
            return operations;
        }

        ArrayOperation[] Constant(OpenEdgeOpcode opcode, Func<Cell, ArrayOperand> from, Func<Cell, int> constant, VirtualRegister[]? to = null) =>
            Each(c => Binary(opcode, c, from(c), ArrayOperand.Immediate, to?[c.Index], constant(c)));

        p.Block("start");
        var above = Constant(OpenEdgeOpcode.SAdd, _ => ArrayOperand.Zero, c => split[c.Index].Low >> LowBits);
        above = Constant(OpenEdgeOpcode.Sll, c => above[c.Index], _ => LowBits);
        _ = Constant(OpenEdgeOpcode.SAdd, c => above[c.Index], c => split[c.Index].Low & ((1 << LowBits) - 1), low);
        p.Set(pixel, _walk.Extent);

        var loop = p.Block("pixel");
        p.Count(pixel);
        var values = AddBias(Each(c => LoadStream(c, Bytes(Nest.Operands[0], c, 0), value[c.Index], Sums)));
        var fraction = Each(c => Binary(OpenEdgeOpcode.FxpMul, c, values[c.Index], low[c.Index]));
        _ = Constant(OpenEdgeOpcode.Sra, c => fraction[c.Index], _ => RequantizePairsKernel.FractionShift, part);

        // below zero the first rounding is the other way
        var sign = Constant(OpenEdgeOpcode.Sra, c => value[c.Index], _ => 31);
        var correction = Constant(OpenEdgeOpcode.Sll, c => sign[c.Index], _ => RequantizePairsKernel.CorrectionBits);
        _ = Each(c => Binary(OpenEdgeOpcode.SAdd, c, part[c.Index], correction[c.Index], part[c.Index]));
        var main = Constant(OpenEdgeOpcode.SMul, c => value[c.Index], c => split[c.Index].High);
        var sum = Each(c => Binary(OpenEdgeOpcode.SAdd, c, part[c.Index], main[c.Index]));

        // both roundings' halves at once, where they fit a constant
        const int Half = 1 << (RequantizePairsKernel.CorrectionBits - 1);
        ArrayOperation[] rounded;
        if (split.All(s => FitsImmediate((1L << s.Shift) + Half)))
        {
            sum = Constant(OpenEdgeOpcode.SAdd, c => sum[c.Index], c => (1 << split[c.Index].Shift) + Half);
            rounded = Constant(OpenEdgeOpcode.Sra, c => sum[c.Index], c => split[c.Index].Shift + 1);
        }
        else
        {
            sum = Constant(OpenEdgeOpcode.SAdd, c => sum[c.Index], _ => Half);
            sum = Constant(OpenEdgeOpcode.Sra, c => sum[c.Index], c => split[c.Index].Shift);
            sum = Constant(OpenEdgeOpcode.SAdd, c => sum[c.Index], _ => 1);
            rounded = Constant(OpenEdgeOpcode.Sra, c => sum[c.Index], _ => 1);
        }

        var codes = RequantizeTail.Clamp(p, rounded, _form.ZeroPoint, _form.Low, _form.High);
        p.Step(codes.Select(c => StoreStream(c.Cell, c, Bytes(Nest.Output, c.Cell, 0), Output)));
        p.LoopWhileNotZero(pixel, loop);
        p.Exit(new(1, 0));
        return p.Build();

        // in parts that fit a constant, or put together from two of them, whichever takes fewer steps
        ArrayOperation[] AddBias(ArrayOperation[] loaded)
        {
            var most = channels.Max(c => Math.Abs((long)c.Bias));
            var parts = Math.Max(1, (int)((most + OpenEdgeInstruction.MaxImmediate - 1) / OpenEdgeInstruction.MaxImmediate));
            if (parts <= 4)
            {
                var sums = loaded;
                for (var i = 0; i < parts; i++)
                {
                    var (from, done, index) = (sums, i + 1 == parts, i);
                    sums = Constant(
                        OpenEdgeOpcode.SAdd,
                        c => from[c.Index],
                        c => (int)(((long)channels[c.Index].Bias * (index + 1) / parts) - ((long)channels[c.Index].Bias * index / parts)),
                        done ? value : null);
                }

                return sums;
            }

            var high = Constant(OpenEdgeOpcode.SAdd, _ => ArrayOperand.Zero, c => channels[c.Index].Bias >> LowBits);
            high = Constant(OpenEdgeOpcode.Sll, c => high[c.Index], _ => LowBits);
            high = Each(c => Binary(OpenEdgeOpcode.SAdd, c, high[c.Index], value[c.Index]));
            return Constant(OpenEdgeOpcode.SAdd, c => high[c.Index], c => channels[c.Index].Bias & ((1 << LowBits) - 1), value);
        }
    }
}
