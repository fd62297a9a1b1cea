using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;

namespace CnnCompiler.Targets.OpenEdge.Mapping;

/// <summary>
/// Says operators that no kernel executes as they are in forms that kernels have, with the same values: weights without zero point, weights that are constants by another name, inputs whose taps
/// depend on an even division as inputs with zero points between their elements, and operators with more loops than kernels have as several that write a part of the result each.
/// </summary>
internal sealed class LegalForms
{
    /// <summary>Position loops of a contraction; a window has one more, its lanes.</summary>
    private const int MostPositionLoops = 3;

    /// <summary>Parts of an operator.</summary>
    private const int MostParts = 256;

    private readonly Dictionary<string, Tensor> _constants;
    private readonly Dictionary<string, TensorType> _types;
    private readonly Dictionary<string, string> _aliases = new(StringComparer.Ordinal);
    private readonly HashSet<string> _names;
    private readonly List<GconvConstant> _added = [];
    private readonly List<GconvStep> _steps = [];

    private LegalForms(GconvProgram program)
    {
        _constants = program.Constants.ToDictionary(c => c.Name, c => c.Value, StringComparer.Ordinal);
        _types = program.Inputs.Select(i => (i.Name, i.Type)).Concat(program.Steps.Select(s => (s.Name, s.Type))).ToDictionary(p => p.Name, p => p.Type, StringComparer.Ordinal);
        _names = [.. _constants.Keys, .. _types.Keys];
        foreach (var view in program.Steps.OfType<GconvView>().Where(v => v.Kind == ViewKind.Reshape && _constants.TryGetValue(v.Sources[0], out var value) && value.Shape == v.Type.Shape))
        {
            _aliases.Add(view.Name, view.Sources[0]);
        }
    }

    /// <summary>The program in forms that kernels have as far as there are any; of such a program the program itself.</summary>
    public static GconvProgram Of(GconvProgram program)
    {
        var forms = new LegalForms(program);
        foreach (var step in program.Steps)
        {
            if (step is GconvOperator operation)
            {
                forms.Add(operation);
            }
            else
            {
                forms._steps.Add(step);
            }
        }

        var read = forms._steps.SelectMany(Reads).Concat(program.Outputs).ToHashSet(StringComparer.Ordinal);
        return program with
        {
            Constants = program.Constants.Concat(forms._added).ToEquatableArray(),
            Steps = forms._steps.Where(s => !forms._aliases.ContainsKey(s.Name) || read.Contains(s.Name)).ToEquatableArray(),
        };
    }

    /// <summary>The tensors and constants that a step reads.</summary>
    internal static IEnumerable<string> Reads(GconvStep step) => step.Match<IEnumerable<string>>(
        operation: o => o.Extra.Select(e => e.Tensor).Append(o.Input.Tensor).Concat(o.Kernel is { } kernel ? [kernel.Tensor] : []),
        view: v => v.Sources,
        softmax: s => [s.Source],
        host: h => h.Layer.Inputs);

    private void Add(GconvOperator operation)
    {
        operation = WithoutKernelZeroPoint(WithConstantKernel(operation));
        if (operation.Input.Index.Divides() && Shape(operation) is { Kind: OperatorKind.Contraction, InputZeroPoint: { } zero } && !UsesTaps(operation))
        {
            operation = Spread(operation, zero);
        }

        AddParts(operation, 1);
    }

    private OperatorShape Shape(GconvOperator operation) => new(operation, _constants.ContainsKey);

    private static bool UsesTaps(GconvOperator operation) => ResultFunction.WithTaps(operation.Post, 0) != operation.Post;

    private string NameFor(string name)
    {
        while (!_names.Add(name))
        {
            name += "+";
        }

        return name;
    }

    private GconvOperator WithConstantKernel(GconvOperator operation) =>
        operation is { Reduce: GconvReduction.Add, Kernel: { } kernel } && _aliases.TryGetValue(kernel.Tensor, out var constant)
            ? operation with { Kernel = kernel with { Tensor = constant } }
            : operation;

    private GconvOperator WithoutKernelZeroPoint(GconvOperator operation)
    {
        if (operation is not
            {
                Kernel: { } kernel,
                Reduce: GconvReduction.Add,
                Main: ScalarBinary
                {
                    Operator: ScalarBinaryOperator.Multiply,
                    Left: ScalarInput,
                    Right: ScalarBinary { Operator: ScalarBinaryOperator.Subtract, Left: ScalarKernel, Right: ScalarLiteral zero },
                },
            }
            || !_constants.TryGetValue(kernel.Tensor, out var weights) || weights.Element != ElementType.Int8)
        {
            return operation;
        }

        var centred = new short[weights.Shape.Elements];
        for (var i = 0; i < centred.Length; i++)
        {
            centred[i] = (short)(weights.GetInteger(i) - zero.Value);
        }

        var name = NameFor($"{kernel.Tensor}.centred");
        var value = Tensor.From<short>(ElementType.Int16, weights.Shape, centred);
        _constants.Add(name, value);
        _added.Add(new(name, value));
        return operation with { Kernel = kernel with { Tensor = name }, Main = new ScalarBinary(ScalarBinaryOperator.Multiply, new ScalarInput(), new ScalarKernel()) };
    }

    /// <summary>The operator on its input with zero points between the elements, where a tap adds nothing.</summary>
    private GconvOperator Spread(GconvOperator operation, int zero)
    {
        var (tensor, index) = (operation.Input.Tensor, operation.Input.Index);
        var type = _types[tensor];
        var loops = new List<GconvLoop>();
        var (read, write) = (new List<(int Loop, long Step)[]>(), new List<(int Loop, long Step)[]>());
        for (var d = 0; d < index.Count; d++)
        {
            var (extent, every) = (type.Shape[d], index[d].Divisor);
            var dimension = FormattableString.Invariant($"d{d}");
            loops.Add(new(dimension, LoopKind.OutputPosition, extent));
            if (every == 1)
            {
                read.Add([(loops.Count - 1, 1)]);
                write.Add([(loops.Count - 1, 1)]);
                continue;
            }

            // what isn't the first of so many is read from beyond the end: it is filled
            loops.Add(new(FormattableString.Invariant($"between{d}"), LoopKind.OutputPosition, every));
            read.Add([(loops.Count - 2, 1), (loops.Count - 1, extent)]);
            write.Add([(loops.Count - 2, every), (loops.Count - 1, 1)]);
        }

        AffineExpression At((int Loop, long Step)[] terms) =>
            new(Enumerable.Range(0, loops.Count).Select(l => terms.FirstOrDefault(t => t.Loop == l && t.Step != 0).Step).ToEquatableArray(), 0);
        var name = NameFor($"{operation.Name}.spread");
        var spread = type with { Shape = new(index.Select((e, d) => type.Shape[d] * e.Divisor).ToEquatableArray()) };
        _types.Add(name, spread);
        _steps.Add(new GconvOperator(
            name,
            spread,
            loops.ToEquatableArray(),
            new(tensor, read.Select(At).ToEquatableArray(), OutOfRange.Fill, zero),
            null,
            [],
            ElementType.Int32,
            new ScalarInput(),
            new ScalarInput(),
            GconvReduction.None,
            new ScalarAccumulator(),
            write.Select(At).ToEquatableArray())
        {
            Origin = operation.Origin.Value with { Macs = 0 },
            Span = operation.Span,
        });
        return operation with { Input = new(name, index.Select(e => e with { Divisor = 1 }).ToEquatableArray(), OutOfRange.SkipTap) };
    }

    private void AddParts(GconvOperator operation, int parts)
    {
        if (operation.Destination is not null || SplitLoop(operation) is not { } first || operation.Loops[first].Extent > MostParts)
        {
            _steps.Add(operation);
            return;
        }

        var pieces = new List<GconvOperator> { operation };
        while (pieces.Count > 0 && SplitLoop(pieces[0]) is { } loop)
        {
            parts *= pieces[0].Loops[loop].Extent;
            if (parts > MostParts)
            {
                _steps.Add(operation);
                return;
            }

            pieces = [.. pieces.SelectMany(p => Enumerable.Range(0, p.Loops[loop].Extent).Select(v => Part(p, loop, v, operation.Name)))];
        }

        var named = pieces.Select((p, i) => p with { Name = NameFor(FormattableString.Invariant($"{operation.Name}.part{i}")) }).ToArray();
        foreach (var piece in named)
        {
            _types.Add(piece.Name, piece.Type);
            _steps.Add(piece);
        }

        _steps.Add(new GconvView(operation.Name, operation.Type, ViewKind.Join, named.Select(p => p.Name).ToEquatableArray()) { Origin = operation.Origin.Value with { Macs = 0 }, Span = operation.Span });
    }

    /// <summary>A loop of which an operator has more than kernels have; null where it has few enough.</summary>
    private int? SplitLoop(GconvOperator operation)
    {
        var shape = Shape(operation);
        int[] Many(LoopKind kind, int most) => shape.Loops(kind).ToArray() is var loops && loops.Length > most ? loops : [];
        int[] candidates = shape.Kind switch
        {
            OperatorKind.Contraction => [.. Many(LoopKind.Group, 1), .. Many(LoopKind.OutputParallel, 1), .. Many(LoopKind.OutputPosition, MostPositionLoops)],
            OperatorKind.Pooling => Many(LoopKind.OutputPosition, MostPositionLoops + 1),
            _ => [],
        };

        // parts are boxes of the result: what comes outermost in every dimension it moves along
        var boxes = candidates.Where(l => operation.OutputIndex.All(e => e.Coefficients[l] == 0
            || Enumerable.Range(0, operation.Loops.Count).All(o => operation.Loops[o].Extent == 1 || e.Coefficients[o] <= e.Coefficients[l]))).ToArray();
        return boxes.Length == 0 ? null : boxes.MinBy(l => operation.Loops[l].Extent);
    }

    private static GconvOperator Part(GconvOperator operation, int loop, int value, string destination)
    {
        AffineExpression Moved(AffineExpression e) => e with { Constant = e.Constant + (value * e.Coefficients[loop]) };
        EquatableArray<AffineExpression> MovedAll(EquatableArray<AffineExpression> index) => index.Select(Moved).ToEquatableArray();
        OperandAccess Access(OperandAccess access) => access with { Index = MovedAll(access.Index) };
        var part = operation with
        {
            Loops = operation.Loops.Select((l, i) => i == loop ? l with { Extent = 1 } : l).ToEquatableArray(),
            Input = Access(operation.Input),
            Kernel = operation.Kernel is { } kernel ? Access(kernel) : null,
            Extra = operation.Extra.Select(Access).ToEquatableArray(),
            OutputIndex = MovedAll(operation.OutputIndex),
            Destination = destination,
            Origin = operation.Origin.Value.Part(value, 1, operation.Loops[loop].Extent),
        };
        var extents = part.OutputIndex.Select(e => e.Range(part.Loops)).Select(r => (int)(r.Max - r.Min + 1));
        return part with { Type = operation.Type with { Shape = new(extents.ToEquatableArray()) } };
    }
}
