using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using static CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayProgramBuilder;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>
/// Element-wise sum of two int8 tensors, requantised: clamp(requantize(f(x) + g(y)) + zero point). f and g are any functions of one code: they
/// are tabulated (256 words each, in the parameter block) and looked up. Columns of the array share the lines of the tensors.
/// </summary>
public sealed class AddKernel : NestKernel
{
    /// <summary>Name of the strategy in mapped programs.</summary>
    public const string Strategy = "add-columns-share-lines";

    private const string Parameters = "parameters";
    private const string Tables = "tables";
    private const string Input = "input";
    private const string Output = "output";
    private const int Codes = 256;

    private readonly RequantizeForm _form;
    private readonly PointLines _lines;
    private readonly int _multiplier;
    private readonly int _shift;
    private readonly uint[] _tables;

    /// <summary>Compiles a nest.</summary>
    public AddKernel(MappedNest nest)
        : base(nest)
    {
        _form = ScalarForms.AsRequantize(nest.Post) ?? throw new InvalidOperationException($"{nest.Name} is no requantisation");
        _multiplier = (int)((ScalarLiteral)_form.Multiplier).Value;
        _shift = (int)((ScalarLiteral)_form.Shift).Value;
        var (left, right) = ScalarForms.AsSum(nest.Term) ?? throw new InvalidOperationException($"{nest.Name} is no sum");
        _tables = [.. Tabulate(left, 0), .. Tabulate(right, 1)];
        _lines = PointLines.OfLines(nest, [nest.Operands[0], nest.Output, nest.Operands[1]]);
        Program = Build();
    }

    /// <inheritdoc/>
    public override ArrayProgram Program { get; }

    /// <inheritdoc/>
    public override int Launches => 1;

    /// <inheritdoc/>
    public override int ParameterWords => (Cell.Side * ColumnParameters) + _lines.TableWords + _tables.Length;

    /// <inheritdoc/>
    public override IEnumerable<(string Buffer, int Words)> Extents => [];

    private bool WithDoubling => _shift >= 0;

    private int ColumnParameters => WithDoubling ? 8 : 7;

    /// <summary>The largest magnitude of the sum before requantisation, over all pairs of codes.</summary>
    public static long LargestSum(MappedNest nest)
    {
        var (left, right) = ScalarForms.AsSum(nest.Term) ?? throw new InvalidOperationException($"{nest.Name} is no sum");
        var (first, second) = (Tabulate(left, 0).Select(v => (long)(int)v).ToArray(), Tabulate(right, 1).Select(v => (long)(int)v).ToArray());
        return Math.Max(first.Max() + second.Max(), -(first.Min() + second.Min()));
    }

    /// <summary>A function of one code, for all codes from -128 to 127.</summary>
    /// <param name="function">Uses one operand only.</param>
    /// <param name="operand">That operand.</param>
    private static uint[] Tabulate(ScalarExpression function, int operand)
    {
        var program = ScalarProgram.Compile(function) ?? throw new InvalidOperationException("no exact definition");
        var stack = new long[program.StackDepth];
        var fault = ScalarFault.None;
        var table = new uint[Codes];
        var extras = new long[2];
        for (var code = 0; code < Codes; code++)
        {
            extras[operand] = code + sbyte.MinValue;
            table[code] = (uint)checked((int)program.Run(default, extras, stack, ref fault));
        }

        return fault == ScalarFault.None ? table : throw new InvalidOperationException($"table of an addition: {fault}");
    }

    /// <inheritdoc/>
    public override KernelLaunch Launch(int index, int parameters, IKernelData data)
    {
        var (high, low, _, doubling, shift, half) = RequantizeTail.Parameters(_multiplier, _shift);
        var words = new List<uint>(ParameterWords);
        var tables = parameters + ((ParameterWords - _tables.Length) * NestView.WordBytes);
        var zero = -sbyte.MinValue * NestView.WordBytes;
        var read = new LaunchPointer?[Cell.Side];
        for (var column = 0; column < Cell.Side; column++)
        {
            read[column] = new(true, words.Count * NestView.WordBytes);
            words.AddRange(
            [
                (uint)high, (uint)(tables + zero), (uint)half, (uint)(tables + (Codes * NestView.WordBytes) + zero),
                (uint)low, (uint)shift, (uint)high,
            ]);
            if (WithDoubling)
            {
                words.Add((uint)doubling);
            }

            for (var line = 0; line < _lines.LinesPerColumn; line++)
            {
                words.Add(_lines.Address(column, line, 0, data));
                words.Add((uint)(_lines.Address(column, line, 1, data) - _lines.PixelBytes[1]));
                words.Add(_lines.Address(column, line, 2, data));
            }
        }

        words.AddRange(_tables);
        return new([.. words], read, new LaunchPointer?[Cell.Side]);
    }

    private ArrayProgram Build()
    {
        var p = new ArrayProgramBuilder(Strategy);
        var tails = Enumerable.Range(0, Cell.Side).Select(c => new RequantizeTail(c)).ToArray();
        var first = tails.Select(t => Register(t.Low, "first")).ToArray();
        var firstTable = tails.Select(t => Register(t.Low, "firstTable")).ToArray();
        var second = tails.Select(t => Register(t.High, "second")).ToArray();
        var secondTable = tails.Select(t => Register(t.High, "secondTable")).ToArray();
        var target = tails.Select(t => Register(t.Collector, "target")).ToArray();
        var pixel = Register(tails[0].Value, "pixel");
        var line = Register(tails[1].Value, "line");

        p.Block("start");
        p.Step(tails.SelectMany((t, i) => new[]
        {
            LoadStream(t.Value, NestView.WordBytes, t.ValueHigh, Parameters),
            LoadStream(t.Low, NestView.WordBytes, firstTable[i], Parameters),
            LoadStream(t.Collector, NestView.WordBytes, t.Half, Parameters),
            LoadStream(t.High, NestView.WordBytes, secondTable[i], Parameters),
        }));
        p.Step(tails.SelectMany(t => new[]
        {
            LoadStream(t.Low, NestView.WordBytes, t.MultiplierLow, Parameters),
            LoadStream(t.Collector, NestView.WordBytes, t.Shift, Parameters),
            LoadStream(t.High, NestView.WordBytes, t.MultiplierHigh, Parameters),
        }));
        if (WithDoubling)
        {
            p.Step(tails.Select(t => LoadStream(t.High, NestView.WordBytes, t.Doubling, Parameters)));
        }

        p.Set(line, _lines.LinesPerColumn);

        var lineBlock = p.Block("line");
        p.Step(tails.SelectMany((t, i) => new[]
        {
            LoadStream(t.Low, NestView.WordBytes, first[i], Parameters),
            LoadStream(t.Collector, NestView.WordBytes, target[i], Parameters),
            LoadStream(t.High, NestView.WordBytes, second[i], Parameters),
        }));
        p.Set(pixel, _lines.Pixels);
        p.Count(line);

        var pixelBlock = p.Block("pixel");
        foreach (var register in target)
        {
            p.Advance(register, _lines.PixelBytes[1]);
        }

        p.Count(pixel);
        var codes = tails.Select((t, i) => Load(t.Low, first[i], null, Input)).Concat(tails.Select((t, i) => Load(t.High, second[i], null, Input))).ToArray();
        p.Step(codes);
        var offsets = codes.Select(c => Binary(OpenEdgeOpcode.Sll, c.Cell, c, ArrayOperand.Immediate, null, 2)).ToArray();
        p.Step(offsets);
        var addresses = offsets.Select((o, i) =>
            Binary(OpenEdgeOpcode.SAdd, o.Cell, o, i < Cell.Side ? firstTable[i] : secondTable[i - Cell.Side])).ToArray();
        p.Step(addresses);
        var terms = addresses.Select(a => Load(a.Cell, a, null, Tables)).ToArray();
        p.Step(terms);
        var sums = tails.Select((t, i) => Binary(OpenEdgeOpcode.SAdd, t.Value, terms[i], terms[i + Cell.Side])).ToArray();
        p.Step(sums);
        var results = RequantizeTail.Emit(p, tails, sums, WithDoubling, _form.ZeroPoint, _form.Low, _form.High);
        for (var i = 0; i < Cell.Side; i++)
        {
            p.Advance(first[i], _lines.PixelBytes[0]);
            p.Advance(second[i], _lines.PixelBytes[2]);
        }

        p.Step(results.Select((r, i) => Store(r.Cell, r, target[i], Output)));
        p.LoopWhileNotZero(pixel, pixelBlock);

        p.Block("line end");
        p.LoopWhileNotZero(line, lineBlock);
        p.Exit(new(0, 0));
        return p.Build();
    }
}
