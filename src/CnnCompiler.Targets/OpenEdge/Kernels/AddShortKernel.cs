using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using static CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayProgramBuilder;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>
/// Element-wise sum of two int8 tensors with its requantisation in one multiplication an operand (<see cref="ShortAddition"/>), both operands and the result being
/// <see cref="PairStreams"/>: left columns multiply the first codes, right ones the second codes.
/// </summary>
public sealed class AddShortKernel : NestKernel
{
    /// <summary>Name of the strategy in mapped programs.</summary>
    public const string Strategy = "add-columns-in-pairs";

    private readonly RequantizeForm _form;
    private readonly ShortAddition _short;
    private readonly PairStreams _streams;

    /// <summary>Compiles a nest.</summary>
    public AddShortKernel(MappedNest nest)
        : base(nest)
    {
        _form = ScalarForms.AsRequantize(nest.Post) ?? throw new InvalidOperationException($"{nest.Name} is no requantisation");
        _short = ShortAddition.Of(nest) ?? throw new InvalidOperationException($"{nest.Name} has no short form");
        _streams = StreamsOf(nest) ?? throw new InvalidOperationException($"{nest.Name} has no lines that its code can follow");
        Program = Build();
    }

    /// <inheritdoc/>
    public override ArrayProgram Program { get; }

    /// <inheritdoc/>
    public override int Launches => 1;

    /// <inheritdoc/>
    public override bool HasCodeOfItsOwn => true;

    /// <inheritdoc/>
    public override int ParameterWords => 0;

    /// <inheritdoc/>
    public override IEnumerable<(string Buffer, int Words)> Extents => _streams.Extents;

    /// <summary>True where a sum has a short form, and lines that the kernel can follow.</summary>
    public static bool Fits(MappedNest nest) => StreamsOf(nest) is not null && ShortAddition.Of(nest) is not null;

    /// <inheritdoc/>
    public override KernelLaunch Launch(int index, int parameters, IKernelData data) => _streams.Launch(data);

    private static PairStreams? StreamsOf(MappedNest nest) => PairStreams.Of(nest, nest.Operands[0], nest.Operands[1], nest.Output);

    private ArrayProgram Build()
    {
        var p = new ArrayProgramBuilder(Strategy);
        var cells = Cell.All.ToArray();
        VirtualRegister[] Of(string name) => [.. cells.Select(c => Register(c, name))];
        var (weight, offset, partial, code) = (Of("weight"), Of("offset"), Of("partial"), Of("code"));

        ArrayOperation[] Each(Func<Cell, int, ArrayOperation> make)
        {
            ArrayOperation[] operations = [.. cells.Select(make)];
            p.Step(operations);
            return operations;
        }

        return _streams.Build(p, Constants, Codes, code);

        void Constants()
        {
            foreach (var cell in cells)
            {
                p.Set(weight[cell.Index], cell.Column % 2 == 0 ? _short.First : _short.Second);
                p.Set(offset[cell.Index], _short.Offset);
            }
        }

        void Codes()
        {
            var codes = _streams.Load(p, 0);
            Each((c, i) => Binary(OpenEdgeOpcode.SMul, c, codes[i], weight[i], partial[i]));
            _streams.Count(p);
            codes = _streams.Load(p, 1);
            var products = Each((c, i) => Binary(OpenEdgeOpcode.SMul, c, codes[i], weight[i]));
            var sums = Each((c, i) => Binary(OpenEdgeOpcode.SAdd, c, partial[i], products[PairStreams.Partner(c).Index]));
            var raised = Each((c, i) => Binary(OpenEdgeOpcode.SAdd, c, sums[i], offset[i]));
            var shifted = Each((c, i) => Binary(OpenEdgeOpcode.Sra, c, raised[i], ArrayOperand.Immediate, null, _short.Shift));
            ShortRequantization.Clamp(p, shifted, _form.Low, _form.High, c => code[c.Index]);
        }
    }
}
