using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.Kernels;

namespace CnnCompiler.Targets.OpenEdge.Mapping;

/// <content>
/// Tensors that lie packed, four elements a word: what reads one unpacks the rows it needs just before, what writes one packs its rows just after. A
/// tensor is packed from the beginning, or once it becomes idle. Operators don't know: they read and write pieces, tensors of their own.
/// </content>
public sealed partial class OpenEdgeMapper
{
    /// <summary>Types of the pieces.</summary>
    private readonly Dictionary<string, TensorType> _pieces = new(StringComparer.Ordinal);

    /// <summary>Buffers that are packed as soon as no step before the given one touches them.</summary>
    private readonly Dictionary<string, int> _idleFrom = new(StringComparer.Ordinal);

    /// <summary>For each mapped step the step of the chain it belongs to; -1 for what brings the inputs in.</summary>
    private readonly List<int> _owners = [];

    /// <summary>For each band of an operator that is split the operator's name.</summary>
    private readonly IReadOnlyDictionary<string, string> _original;

    /// <summary>The name of an operator; of a band the name of the operator it is of.</summary>
    private string OriginalOf(string step) => _original.GetValueOrDefault(step, step);

    private void FindIdle()
    {
        foreach (var (buffer, name) in _choices.PackedBefore.Where(p => p.Value != MappingChoices.Always))
        {
            var first = Enumerable.Range(0, _program.Steps.Count).FirstOrDefault(i => OriginalOf(_program.Steps[i].Name) == name, -1);
            if (first >= 0)
            {
                _idleFrom[buffer] = first;
            }
        }
    }

    private bool IsPackedAlways(string tensor) => _choices.PackedBefore.GetValueOrDefault(tensor) == MappingChoices.Always;

    private bool IsPacked(string tensor) => _buffers[_bufferOf[tensor]].Layout.Lanes == PackedRuns.Lanes;

    private void Own(int step)
    {
        while (_owners.Count < _steps.Count)
        {
            _owners.Add(step);
        }
    }

    /// <summary>Packs what is idle when a step of the chain begins.</summary>
    private void PackIdle(int next)
    {
        foreach (var (buffer, from) in _idleFrom.OrderBy(p => p.Key, StringComparer.Ordinal).ToArray())
        {
            var aliases = _bufferOf.Where(p => p.Value == buffer).Select(p => p.Key).ToHashSet(StringComparer.Ordinal);
            if (aliases.Count == 0 || Enumerable.Range(next, Math.Max(0, from - next)).Any(i => Touches(_program.Steps[i], aliases)))
            {
                continue;
            }

            var packed = PackWhole(_buffers[buffer], OriginOf(buffer));
            foreach (var alias in aliases)
            {
                _bufferOf[alias] = packed.Name;
            }

            _idleFrom.Remove(buffer);
        }
    }

    private static bool Touches(GconvStep step, HashSet<string> tensors) => tensors.Contains(step.Name) || LegalForms.Reads(step).Any(tensors.Contains)
        || (step is GconvOperator { Destination: { } destination } && tensors.Contains(destination));

    private GconvOrigin OriginOf(string tensor) => _program.Steps.FirstOrDefault(s => s.Name == tensor)?.Origin.Value ?? InputOrigin(tensor);

    private MappedBuffer PackWhole(MappedBuffer words, GconvOrigin origin)
    {
        var layout = words.Layout;
        if (_inputs.FirstOrDefault(i => i.Name == words.Name) is { } port && _buffers[port.Buffer].Layout.Shape == layout.Shape)
        {
            // what came in packed is still there
            return _buffers[port.Buffer];
        }

        var packed = AddBuffer($"{words.Name}.packed", BufferRole.Activation, BufferLayout.Dense(layout.Shape, PackedRuns.Lanes));
        Pack(words, layout.Shape, packed, 0, origin);
        return packed;
    }

    /// <summary>Packs a box of words, which lies in its buffer by the buffer's layout, to consecutive elements of a packed tensor.</summary>
    private void Pack(MappedBuffer words, EquatableArray<int> shape, MappedBuffer packed, long first, GconvOrigin origin)
    {
        var nest = Box($"{words.Name}.pack", PackLinesKernel.Strategy, shape, At(words, words.Layout, 0), At(packed, BufferLayout.Dense(shape, PackedRuns.Lanes), first));
        if (PackedRuns.Of(nest, nest.Output, nest.Operands[0]) is null)
        {
            var flat = AddBuffer($"{words.Name}.flat", BufferRole.Activation, BufferLayout.Dense(shape, 1));
            Add(Box($"{flat.Name}.copy", PointKernel.Strategy, shape, At(words, words.Layout, 0), At(flat, flat.Layout, 0)), origin);
            nest = Box(nest.Name, nest.Kernel, shape, At(flat, flat.Layout, 0), nest.Output);
        }

        Add(nest, origin);
    }

    /// <summary>Unpacks a box from consecutive elements of a packed tensor to words, inside the halo that their buffer's layout has.</summary>
    private void Unpack(MappedBuffer packed, long first, EquatableArray<int> shape, MappedBuffer words, GconvOrigin origin)
    {
        if (words.Layout.HaloFill is { } fill)
        {
            FillHalo(words, fill, origin);
        }

        var source = At(packed, BufferLayout.Dense(shape, PackedRuns.Lanes), first);
        var nest = Box($"{words.Name}.unpack", UnpackLinesKernel.Strategy, shape, source, At(words, words.Layout, 0));
        if (PackedRuns.Of(nest, nest.Operands[0], nest.Output) is var (_, _, _, run) && (run % PackedRuns.Lanes == 0 || words.Layout.IsDense))
        {
            Add(nest, origin);
            return;
        }

        var flat = AddBuffer($"{words.Name}.flat", BufferRole.Activation, BufferLayout.Dense(shape, 1));
        Add(Box(nest.Name, nest.Kernel, shape, source, At(flat, flat.Layout, 0)), origin);
        Add(Box($"{words.Name}.copy", PointKernel.Strategy, shape, At(flat, flat.Layout, 0), At(words, words.Layout, 0)), origin);
    }

    private static (MappedBuffer Buffer, BufferLayout Layout, long First) At(MappedBuffer buffer, BufferLayout layout, long first) => (buffer, layout, first);

    /// <summary>A nest that copies a box element by element.</summary>
    private static MappedNest Box(
        string name, string strategy, EquatableArray<int> shape, (MappedBuffer Buffer, BufferLayout Layout, long First) from, (MappedBuffer Buffer, BufferLayout Layout, long First) to) =>
        Box(name, strategy, shape, from, Access(to));

    private static MappedNest Box(string name, string strategy, EquatableArray<int> shape, (MappedBuffer Buffer, BufferLayout Layout, long First) from, MappedAccess to) => new(
        name,
        strategy,
        shape.Select((e, d) => new MappedLoop(FormattableString.Invariant($"d{d}"), e, Reduced: false)).ToEquatableArray(),
        [],
        [Access(from)],
        to,
        GconvReduction.None,
        new ScalarExtra(0),
        new ScalarAccumulator());

    private static MappedAccess Access((MappedBuffer Buffer, BufferLayout Layout, long First) at) =>
        new(at.Buffer.Name, new(at.Layout.Pitch.Select(p => (long)p).ToEquatableArray(), at.Layout.Origin + at.First));

    /// <summary>The operator on words: of each packed tensor it reads, the rows it needs are unpacked into a piece that takes the tensor's place.</summary>
    private GconvOperator OnWords(GconvOperator operation)
    {
        var shape = new OperatorShape(operation, _constants.ContainsKey);
        int? fill = shape.Kind == OperatorKind.Contraction && operation.Input.OutOfRange == OutOfRange.SkipTap ? shape.InputZeroPoint : null;
        operation = operation with { Input = Words(operation, operation.Input, "input", fill) };
        return operation.Kernel is { } kernel && !_constants.ContainsKey(kernel.Tensor)
            ? operation with { Kernel = Words(operation, kernel, "operand", fill: null) }
            : operation;
    }

    private OperandAccess Words(GconvOperator operation, OperandAccess access, string role, int? fill)
    {
        if (_stored.ContainsKey(access.Tensor))
        {
            // packed just as this operator takes it
            return access;
        }

        var source = _buffers[_bufferOf[access.Tensor]];
        var type = TypeOf(access.Tensor);
        var (lead, first, count) = RowsRead(operation, access, type.Shape);
        var pads = fill is not null && !ValueLayouts.Covers(LayoutOf(access.Tensor), operation);
        if (source.Layout.Lanes != PackedRuns.Lanes && !(pads && count < RowBands.Rows(type.Shape)))
        {
            return access;
        }

        var shape = type.Shape.Dimensions.Select((e, d) => d == lead ? count : e).ToEquatableArray();
        var moved = access with
        {
            Tensor = source.Layout.Lanes == 1 ? operation.Name + PaddedSuffix : $"{operation.Name}.unpacked.{role}",
            Index = access.Index.Select((e, d) => d == lead ? e with { Constant = e.Constant - first } : e).ToEquatableArray(),
        };
        var layout = pads ? ValueLayouts.Around(shape, operation with { Input = moved }, fill!.Value) : BufferLayout.Dense(shape, 1);
        var piece = AddPiece(moved.Tensor, type with { Shape = new(shape) }, layout);
        var elements = (long)first * RowBands.RowElements(type.Shape, lead);
        var origin = operation.Origin.Value;
        if (source.Layout.Lanes == PackedRuns.Lanes)
        {
            Unpack(source, elements, shape, piece, origin);
            return moved;
        }

        if (layout.HaloFill is { } halo)
        {
            FillHalo(piece, halo, origin);
        }

        var from = LayoutOf(access.Tensor);
        Add(Box($"{piece.Name}.copy", PointKernel.Strategy, shape, At(source, from, (long)first * from.Pitch[lead]), At(piece, layout, 0)), origin);
        return moved;
    }

    /// <summary>The rows of a tensor that an operator reads: all it touches, from where a packed word begins.</summary>
    private static (int Dimension, int First, int Count) RowsRead(GconvOperator operation, OperandAccess access, Shape shape)
    {
        if (shape.Rank == 0)
        {
            return (0, 0, 1);
        }

        var lead = RowBands.Leading(shape);
        var (min, max) = OperatorShape.Range(operation, access.Index[lead]);
        var first = (int)Math.Clamp(min, 0, shape[lead] - 1);
        var last = (int)Math.Clamp(max, 0, shape[lead] - 1);
        while ((long)first * RowBands.RowElements(shape, lead) % PackedRuns.Lanes != 0)
        {
            first--;
        }

        return (lead, first, last - first + 1);
    }

    /// <summary>A tensor of an operator's own.</summary>
    private MappedBuffer AddPiece(string name, TensorType type, BufferLayout layout)
    {
        _pieces.Add(name, type);
        _bufferOf.Add(name, name);
        return AddBuffer(name, BufferRole.Activation, layout);
    }

    /// <summary>
    /// The operator writing words, and what packs them afterwards: a piece with its rows where it writes whole rows, which begin with a packed word;
    /// else its part of all the tensor's words, which the join packs.
    /// </summary>
    private (GconvOperator Operation, Action Pack) IntoWords(GconvOperator operation)
    {
        var tensor = operation.Destination ?? operation.Name;
        if (!IsPackedAlways(tensor))
        {
            return (operation, () => { });
        }

        var type = TypeOf(tensor);
        if (_bufferOf.TryAdd(tensor, tensor))
        {
            AddBuffer(tensor, BufferRole.Activation, BufferLayout.Dense(type.Shape.Dimensions, PackedRuns.Lanes));
        }

        var kind = new OperatorShape(operation, _constants.ContainsKey).Kind;
        var quads = kind is OperatorKind.Contraction or OperatorKind.Pooling;
        var lead = RowBands.Leading(type.Shape);
        var row = RowBands.RowElements(type.Shape, lead);
        var (min, max) = OperatorShape.Range(operation, operation.OutputIndex[lead]);
        var shape = type.Shape.Dimensions.Select((e, d) => d == lead ? (int)(max - min + 1) : e).ToEquatableArray();
        if (new Shape(shape) == operation.Type.Shape && min * row % PackedRuns.Lanes == 0 && ((max + 1) * row % PackedRuns.Lanes == 0 || max == type.Shape[lead] - 1))
        {
            var piece = AddPiece($"{operation.Name}.words", operation.Type, ValueLayouts.Plain(shape, quads));
            var index = operation.OutputIndex.Select((e, d) => d == lead ? e with { Constant = e.Constant - min } : e).ToEquatableArray();
            return (operation with { Destination = piece.Name, OutputIndex = index }, () => Pack(piece, shape, _buffers[tensor], min * row, operation.Origin.Value));
        }

        var all = WordsOfAll(tensor);
        if (!_bufferOf.ContainsKey(all))
        {
            AddPiece(all, type, ValueLayouts.Plain(type.Shape.Dimensions, quads));
        }

        return (operation with { Destination = all }, () => { });
    }

    private static string WordsOfAll(string tensor) => $"{tensor}.words";

    /// <summary>Packs a joined tensor whose pieces are no whole rows.</summary>
    private void PackJoined(GconvView join)
    {
        if (_pieces.ContainsKey(WordsOfAll(join.Name)))
        {
            Pack(_buffers[WordsOfAll(join.Name)], join.Type.Shape.Dimensions, _buffers[join.Name], 0, join.Origin.Value);
        }
    }
}
