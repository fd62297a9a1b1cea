using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using static CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayProgramBuilder;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>
/// Copies elements between two layouts, on the way clamping them or dividing them by a number of taps. One cell a column loads and computes, its
/// neighbour below stores. Nests with a lane loop use the columns as the channels of a quad, others share their lines among the columns.
/// </summary>
public sealed class PointKernel : NestKernel
{
    /// <summary>Name of the strategy in mapped programs.</summary>
    public const string Strategy = "point-columns-share-lines";

    private const string Parameters = "parameters";
    private const string Input = "input";
    private const string Output = "output";

    /// <summary>Bits that FXPMUL drops.</summary>
    private const int FixedPointShift = 15;

    private readonly PointLines _lines;
    private readonly (int Low, int High)? _clamp;
    private readonly int _divisor;
    private readonly (int Factor, int Shift) _reciprocal;

    /// <summary>Compiles a nest.</summary>
    /// <exception cref="ArrayResourceException">The averaging window is too large for an exact division on the array.</exception>
    public PointKernel(MappedNest nest)
        : base(nest)
    {
        if (ScalarForms.AsDivision(nest.Post) is var (divisor, divisionLow, divisionHigh))
        {
            (_divisor, _clamp) = (divisor, (divisionLow, divisionHigh));
            _reciprocal = Reciprocal(divisor) ?? throw new ArrayResourceException(nest.Name, "taps in an averaging window", divisor, LargestDivisor);
        }
        else if (ScalarForms.AsClamp(nest.Post) is var (_, low, high))
        {
            _clamp = (low, high);
        }

        MappedAccess[] accesses = [nest.Operands[0], nest.Output];
        _lines = nest.Loops.Any(l => l.Name == NestView.Lane)
            ? PointLines.OfLanes(nest, accesses, [NestView.Quad, NestView.OuterLine, NestView.Line], NestView.Pixel, Lanes(nest))
            : PointLines.OfLines(nest, accesses);
        Program = Build();
    }

    /// <inheritdoc/>
    public override ArrayProgram Program { get; }

    /// <inheritdoc/>
    public override int Launches => 1;

    /// <inheritdoc/>
    public override int ParameterWords => _lines.TableWords + (_divisor > 0 ? Cell.Side : 0);

    /// <inheritdoc/>
    public override IEnumerable<(string Buffer, int Words)> Extents =>
        [(Nest.Operands[0].Target, _lines.Extent(0)), (Nest.Output.Target, _lines.Extent(1))];

    /// <summary>Taps of the largest window whose sum of codes, with the rounding half, still fits 31 bits.</summary>
    public const int LargestDivisor = int.MaxValue / (1 - sbyte.MinValue);

    /// <summary>Columns that work on channels of their own: of a single quad those it has; else all four, and buffers hold whole quads.</summary>
    internal static int Lanes(MappedNest nest) => new NestView(nest).Extent(NestView.Quad) > 1 ? Cell.Side : Math.Min(Cell.Side, nest.Guards[0].Bound);

    /// <summary>
    /// A factor and a shift with (a * factor) &gt;&gt; shift = a / divisor for every a that the sum of <paramref name="divisor"/> codes can give after
    /// the rounding half is added: with factor = ceil(2^shift / divisor) and excess = factor * divisor - 2^shift that holds where a * excess is below
    /// 2^shift. The array multiplies with FXPMUL, which shifts by 15 itself; what it leaves must fit 32 bits. Null where there is none.
    /// </summary>
    public static (int Factor, int Shift)? Reciprocal(int divisor)
    {
        if (divisor > LargestDivisor)
        {
            return null;
        }

        var largest = (-sbyte.MinValue * (long)divisor) + (divisor / 2);
        for (var shift = FixedPointShift; shift < FixedPointShift + 32; shift++)
        {
            var factor = ((1L << shift) + divisor - 1) / divisor;
            var excess = (factor * divisor) - (1L << shift);
            if (factor > int.MaxValue || (Int128)largest * factor >> FixedPointShift > uint.MaxValue)
            {
                return null;
            }

            if ((Int128)largest * excess < 1L << shift)
            {
                return ((int)factor, shift);
            }
        }

        return null;
    }

    /// <inheritdoc/>
    public override KernelLaunch Launch(int index, int parameters, IKernelData data)
    {
        var words = new List<uint>(ParameterWords);
        var read = new LaunchPointer?[Cell.Side];
        for (var column = 0; column < Cell.Side; column++)
        {
            read[column] = new(true, words.Count * NestView.WordBytes);
            if (_divisor > 0)
            {
                words.Add((uint)_reciprocal.Factor);
            }

            for (var line = 0; line < _lines.LinesPerColumn; line++)
            {
                words.Add(_lines.Address(column, line, 0, data));
                words.Add((uint)(_lines.Address(column, line, 1, data) - _lines.PixelBytes[1]));
            }
        }

        return new([.. words], read, new LaunchPointer?[Cell.Side]);
    }

    private ArrayProgram Build()
    {
        var p = new ArrayProgramBuilder(Strategy);
        var columns = Enumerable.Range(0, Cell.Side).ToArray();
        var source = columns.Select(c => Register(new(0, c), "source")).ToArray();
        var value = columns.Select(c => Register(new(0, c), "value")).ToArray();
        var sign = columns.Select(c => Register(new(0, c), "sign")).ToArray();
        var factor = columns.Select(c => Register(new(0, c), "factor")).ToArray();
        var target = columns.Select(c => Register(new(1, c), "target")).ToArray();
        var pixel = Register(new(2, 0), "pixel");
        var line = Register(new(2, 1), "line");

        p.Block("start");
        if (_divisor > 0)
        {
            p.Step(columns.Select(c => LoadStream(new(0, c), NestView.WordBytes, factor[c], Parameters)));
        }

        p.Set(line, _lines.LinesPerColumn);

        var lineBlock = p.Block("line");
        p.Step(columns.SelectMany(c => new[]
        {
            LoadStream(new(0, c), NestView.WordBytes, source[c], Parameters),
            LoadStream(new(1, c), NestView.WordBytes, target[c], Parameters),
        }));
        p.Set(pixel, _lines.Pixels);
        p.Count(line);

        var pixelBlock = p.Block("pixel");
        foreach (var register in target)
        {
            p.Advance(register, _lines.PixelBytes[1]);
        }

        p.Count(pixel);
        var values = columns.Select(c => Load(new(0, c), source[c], value[c], Input)).ToArray();
        p.Step(values);
        if (_divisor > 0)
        {
            values = Divide(p, columns, value, sign, factor);
        }

        if (_clamp is var (low, high))
        {
            values = RequantizeTail.Clamp(p, values, 0, low, high);
        }

        p.Step(values.Select((v, c) => Store(new(1, c), v, target[c], Output)));
        foreach (var register in source)
        {
            p.Advance(register, _lines.PixelBytes[0]);
        }

        p.LoopWhileNotZero(pixel, pixelBlock);

        p.Block("line end");
        p.LoopWhileNotZero(line, lineBlock);
        p.Exit(new(0, 0));
        return p.Build();
    }

    /// <summary>Half away from zero: the magnitude is divided, the sign put back.</summary>
    private ArrayOperation[] Divide(ArrayProgramBuilder p, int[] columns, VirtualRegister[] value, VirtualRegister[] sign, VirtualRegister[] factor)
    {
        ArrayOperation[] Each(Func<int, ArrayOperation> make)
        {
            var operations = columns.Select(make).ToArray();
            p.Step(operations);
            return operations;
        }

        var signs = Each(c => Binary(OpenEdgeOpcode.Sra, new(0, c), value[c], ArrayOperand.Immediate, sign[c], 31));
        var flipped = Each(c => Binary(OpenEdgeOpcode.LXor, new(0, c), value[c], signs[c]));
        var magnitude = Each(c => Binary(OpenEdgeOpcode.SSub, new(0, c), flipped[c], sign[c]));
        var rounded = magnitude;
        for (var half = _divisor / 2; half > 0; half -= OpenEdgeInstruction.MaxImmediate)
        {
            var (from, part) = (rounded, Math.Min(half, OpenEdgeInstruction.MaxImmediate));
            rounded = Each(c => Binary(OpenEdgeOpcode.SAdd, new(0, c), from[c], ArrayOperand.Immediate, null, part));
        }

        var scaled = Each(c => Binary(OpenEdgeOpcode.FxpMul, new(0, c), rounded[c], factor[c]));
        var quotient = Each(c => Binary(OpenEdgeOpcode.Srl, new(0, c), scaled[c], ArrayOperand.Immediate, null, _reciprocal.Shift - FixedPointShift));
        var restored = Each(c => Binary(OpenEdgeOpcode.LXor, new(0, c), quotient[c], sign[c]));
        return Each(c => Binary(OpenEdgeOpcode.SSub, new(0, c), restored[c], sign[c]));
    }
}
