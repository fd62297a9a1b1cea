using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using CnnCompiler.Targets.OpenEdge.Kernels;

namespace CnnCompiler.Targets.OpenEdge.Mapping;

/// <summary>A mapped program and the decisions that made it.</summary>
/// <param name="Program">The program.</param>
/// <param name="Decisions">Every decision with all its legal candidates, in the order of the chain.</param>
public sealed record OpenEdgeMapping(MappedProgram Program, IReadOnlyList<MappingDecision> Decisions)
{
    /// <summary>For each mapped step the operator, view or softmax of the chain it belongs to; empty for what brings inputs in and outputs out.</summary>
    public required IReadOnlyList<string> Owners { get; init; }

    /// <summary>The nests that would store tensors packed as their readers multiply them, of tensors that aren't.</summary>
    public required IReadOnlyList<PackedStore> Stores { get; init; }

    /// <summary>For each operator that packs its input as the input could be stored, or is, the name of that layout.</summary>
    public required IReadOnlyDictionary<string, string> Reads { get; init; }
}

/// <summary>
/// Maps a chain of general convolutions to loop nests over buffers in RAM, each executed by one of the target's kernels. Activations lie one a
/// word, row-major, inside a halo where a reader pads; inputs are unpacked, outputs packed.
/// </summary>
public sealed partial class OpenEdgeMapper
{
    private readonly GconvProgram _program;
    private readonly DiagnosticBag _diagnostics;
    private readonly Dictionary<string, Tensor> _constants;
    private readonly ValueLayouts _layouts;
    private readonly Dictionary<string, MappedBuffer> _buffers = new(StringComparer.Ordinal);
    private readonly List<MappedConstant> _newConstants = [];
    private readonly List<MappedStep> _steps = [];
    private readonly List<MappedValue> _values = [];
    private readonly List<MappedPort> _inputs = [];
    private readonly List<MappedPort> _outputs = [];

    /// <summary>The buffer of each tensor; tensors that are views share one.</summary>
    private readonly Dictionary<string, string> _bufferOf = new(StringComparer.Ordinal);

    private readonly MappingChoices _choices;
    private readonly List<MappingDecision> _decisions = [];

    private readonly StarPlans _plans;

    private OpenEdgeMapper(GconvProgram program, MappingChoices choices, DiagnosticBag diagnostics, StarPlans plans)
    {
        (_choices, _diagnostics, _plans) = (choices, diagnostics, plans);
        (_program, _original) = RowBands.Split(program, choices.Bands);
        _constants = program.Constants.ToDictionary(c => c.Name, c => c.Value, StringComparer.Ordinal);
        FindIdle();
        _layouts = new(_program, _constants.ContainsKey, choices, diagnostics);
        _decisions.AddRange(_layouts.Decisions);
    }

    /// <summary>Maps a program with the default candidates, or reports what the target can't do.</summary>
    public static MappedProgram? Map(GconvProgram program, DiagnosticBag diagnostics, CancellationToken cancellation) =>
        Map(program, MappingChoices.Defaults, diagnostics, cancellation)?.Program;

    /// <summary>Maps a program with given candidates, or reports what the target can't do.</summary>
    /// <param name="program">The program.</param>
    /// <param name="choices">The candidates taken; the others are defaults.</param>
    /// <param name="diagnostics">Takes what is wrong.</param>
    /// <param name="cancellation">Ends early.</param>
    /// <param name="plans">Plans of passes made before, for who maps a program often; null for none.</param>
    public static OpenEdgeMapping? Map(GconvProgram program, MappingChoices choices, DiagnosticBag diagnostics, CancellationToken cancellation, StarPlans? plans = null)
    {
        program = LegalForms.Of(program);
        if (!MappableForms.Check(program, diagnostics))
        {
            return null;
        }

        var mapper = new OpenEdgeMapper(program, choices, diagnostics, plans ?? new());
        return mapper.CheckTypes() && mapper.Run(cancellation) is { } mapped ? new(mapped, mapper._decisions) { Owners = mapper.OwnersByName(), Stores = mapper._packedStores, Reads = mapper._packedReads } : null;
    }

    /// <summary>True for the nests that copy an operator's dense input into a halo of its own.</summary>
    public static bool IsPaddingOfInput(MappedNest nest) => nest.Output.Target.EndsWith(PaddedSuffix, StringComparison.Ordinal);

    private const string PaddedSuffix = ".padded";

    private bool CheckTypes()
    {
        foreach (var (name, type) in _program.Inputs.Select(i => (i.Name, i.Type)).Concat(_program.Steps.Select(s => (s.Name, s.Type))))
        {
            if (type.Element != ElementType.Int8)
            {
                _diagnostics.Report(OpenEdgeDiagnostics.ElementType(name, type.Element.Name()));
            }
        }

        return !_diagnostics.HasErrors;
    }

    private MappedProgram? Run(CancellationToken cancellation)
    {
        foreach (var input in _program.Inputs)
        {
            MapInput(input);
        }

        Own(-1);
        for (var index = 0; index < _program.Steps.Count; index++)
        {
            cancellation.ThrowIfCancellationRequested();
            PackIdle(index);
            Own(index - 1);
            _program.Steps[index].Match(
                operation: o => Do(() => MapOperator(o)),
                view: v => Do(() => MapView(v)),
                softmax: s => Do(() => MapSoftmax(s)),
                host: _ => throw new InvalidOperationException("a host step passed MappableForms"));
            Own(index);
        }

        if (_diagnostics.HasErrors)
        {
            return null;
        }

        foreach (var (output, index) in _program.Outputs.Select((o, i) => (o, i)))
        {
            MapOutput(output, index);
        }

        Own(_program.Steps.Count);
        var buffers = WithKernelExtents().ToEquatableArray();
        return _diagnostics.HasErrors ? null : new(
            _program.Name,
            buffers,
            _newConstants.ToEquatableArray(),
            _steps.ToEquatableArray(),
            _inputs.ToEquatableArray(),
            _outputs.ToEquatableArray(),
            _values.ToEquatableArray());
    }

    private string[] OwnersByName() => [.. _owners.Select(o => o >= 0 && o < _program.Steps.Count ? OriginalOf(_program.Steps[o].Name) : string.Empty)];

    private static int Do(Action action)
    {
        action();
        return 0;
    }

    /// <summary>Kernels may touch whole groups of words beyond what their nests say: buffers are made long enough for that.</summary>
    private IEnumerable<MappedBuffer> WithKernelExtents()
    {
        var needed = _buffers.Values.ToDictionary(b => b.Name, b => b.Words, StringComparer.Ordinal);
        var data = new ConstantsOnly(_newConstants);
        foreach (var nest in _steps.OfType<MappedNest>())
        {
            try
            {
                foreach (var (buffer, words) in KernelCompiler.Compile(nest, data).Extents)
                {
                    needed[buffer] = Math.Max(needed[buffer], words);
                }
            }
            catch (ArrayResourceException exception)
            {
                _diagnostics.Report(OpenEdgeDiagnostics.ResourceExceeded(nest.Origin.Value.Layer, nest.Origin.Value.Keyword, exception));
            }
        }

        return _buffers.Values.Select(b => b with { Words = needed[b.Name] });
    }

    private MappedBuffer AddBuffer(string name, BufferRole role, BufferLayout layout)
    {
        var buffer = new MappedBuffer(name, role, layout, (layout.Elements + layout.Lanes - 1) / layout.Lanes);
        _buffers.Add(name, buffer);
        return buffer;
    }

    /// <summary>The buffer of a tensor, made and its halo filled when first asked for.</summary>
    private MappedBuffer BufferFor(string tensor, GconvOrigin origin)
    {
        if (_bufferOf.TryGetValue(tensor, out var known))
        {
            return _buffers[known];
        }

        var buffer = AddBuffer(tensor, BufferRole.Activation, _layouts.Of(tensor));
        _bufferOf[tensor] = buffer.Name;
        if (buffer.Layout.HaloFill is { } fill)
        {
            FillHalo(buffer, fill, origin);
        }

        return buffer;
    }

    private void Fill(MappedBuffer buffer, int code, GconvOrigin origin) => Add(FillOf(buffer, code), origin);

    private static MappedNest FillOf(MappedBuffer buffer, int code) => new(
        $"{buffer.Name}.fill",
        FillKernel.Strategy,
        [new("word", buffer.Words, Reduced: false)],
        [],
        [],
        new(buffer.Name, new([1], 0)),
        GconvReduction.None,
        new ScalarLiteral(code),
        new ScalarAccumulator());

    private void FillHalo(MappedBuffer buffer, int code, GconvOrigin origin)
    {
        foreach (var nest in HaloFills(buffer, code))
        {
            Add(nest, origin);
        }
    }

    /// <summary>
    /// Nests that fill what lies before, between and behind the lines of a tensor whose inside is written afterwards; all of it where that takes about as long. The channels of a word are filled together.
    /// </summary>
    private static IEnumerable<MappedNest> HaloFills(MappedBuffer buffer, int code)
    {
        // words' worth of a launch, of a run
        const int Launch = 250;
        const int Run = 6;
        const int Sixteen = 16;
        var layout = buffer.Layout;
        var inner = Enumerable.Range(0, layout.Shape.Count).LastOrDefault(d => layout.HaloBefore[d] + layout.HaloAfter[d] > 0);
        var lines = inner == 0 ? 1 : layout.Shape[inner - 1];
        var pitch = inner == 0 ? 0 : layout.Pitch[inner - 1];
        var line = layout.Shape[inner] * layout.Pitch[inner] / layout.Lanes;
        pitch /= layout.Lanes;
        var (first, gap) = (layout.Origin / layout.Lanes, lines == 1 ? 0 : pitch - line);
        var behind = first + ((lines - 1) * pitch) + line;
        var isPlain = Enumerable.Range(0, Math.Max(0, inner - 1)).All(d => layout.Shape[d] == 1 && layout.HaloBefore[d] + layout.HaloAfter[d] == 0);
        var groups = (gap + Sixteen - 1) / Sixteen;
        (int Start, int Runs, int Words)[] runs = [(0, 1, first), (first + line, lines - 1, gap), (behind, 1, buffer.Words - behind)];
        runs = [.. runs.Where(r => r.Runs > 0 && r.Words > 0)];
        if (!isPlain || ((lines - 1) * ((groups * Sixteen) + Run)) + first + buffer.Words - behind + (runs.Length * Launch) >= buffer.Words || lines >= FillRunsKernel.MostRuns
            || runs.Any(r => FillRunsKernel.GroupsOf(r.Words) > FillRunsKernel.MostGroups))
        {
            if (layout.Lanes == 1)
            {
                return [FillOf(buffer, code)];
            }

            runs = [(0, 1, buffer.Words)];
        }

        return runs.Select((run, index) => new MappedNest(
            FormattableString.Invariant($"{buffer.Name}.fill{index}"),
            FillRunsKernel.Strategy,
            [new(FillRunsKernel.Run, run.Runs, Reduced: false), new(FillRunsKernel.Word, run.Words, Reduced: false), .. layout.Lanes == 1 ? (MappedLoop[])[] : [new(NestView.Lane, layout.Lanes, Reduced: false)]],
            [],
            [],
            new(buffer.Name, new([pitch * layout.Lanes, layout.Lanes, .. layout.Lanes == 1 ? (long[])[] : [1]], run.Start * layout.Lanes)),
            GconvReduction.None,
            new ScalarLiteral(code),
            new ScalarAccumulator()));
    }

    private void Add(MappedNest nest, GconvOrigin origin) => _steps.Add(nest with { Origin = origin with { Macs = 0 } });

    private void Complete(string tensor)
    {
        // where both halves have the middle, no element of the buffer stands for it alone
        if (_stored.GetValueOrDefault(tensor) is null or { IsWhole: true })
        {
            _values.Add(new(tensor, _bufferOf[tensor], TypeOf(tensor).Shape.Dimensions, _steps.Count - 1));
        }
    }

    private int CompletedBy(string tensor) => _values.FindLast(value => value.Tensor == tensor)?.CompletedBy ?? _steps.Count - 1;

    private TensorType TypeOf(string tensor) => _pieces.TryGetValue(tensor, out var piece) ? piece :
        _program.Steps.FirstOrDefault(s => s.Name == tensor)?.Type ?? _program.Inputs.First(i => i.Name == tensor).Type;

    private static GconvOrigin InputOrigin(string name) => new(name, "input", 0);

    private void MapInput(NetworkInput input)
    {
        var origin = InputOrigin(input.Name);
        var shape = input.Type.Shape.Dimensions;
        var port = AddBuffer($"{input.Name}.bytes", BufferRole.Input, BufferLayout.Dense(shape, 4));
        _inputs.Add(new(input.Name, input.Type, port.Name));
        if (IsPackedAlways(input.Name))
        {
            _bufferOf.Add(input.Name, port.Name);
            Complete(input.Name);
            return;
        }

        var layout = _layouts.Of(input.Name);
        if (layout.IsDense)
        {
            Unpack(port, BufferFor(input.Name, origin), origin);
        }
        else
        {
            var words = BufferFor(input.Name, origin);
            var lines = Box($"{words.Name}.unpack", UnpackLinesKernel.Strategy, shape, At(port, port.Layout, 0), At(words, layout, 0));
            if (PackedRuns.Of(lines, lines.Operands[0], lines.Output) is { Run: var run } && run % PackedRuns.Lanes == 0)
            {
                Add(lines, origin);
            }
            else
            {
                var flat = AddBuffer($"{input.Name}.flat", BufferRole.Activation, BufferLayout.Dense(shape, 1));
                Unpack(port, flat, origin);
                Copy(flat, words, shape, origin);
            }
        }

        Complete(input.Name);
    }

    private void Unpack(MappedBuffer bytes, MappedBuffer words, GconvOrigin origin) =>
        Add(Linear($"{words.Name}.unpack", UnpackKernel.Strategy, bytes, words), origin);

    private static MappedNest Linear(string name, string strategy, MappedBuffer from, MappedBuffer to) => new(
        name,
        strategy,
        [new("element", LayoutElements.Count(from.Layout), Reduced: false)],
        [],
        [new(from.Name, new([1], 0))],
        new(to.Name, new([1], 0)),
        GconvReduction.None,
        new ScalarExtra(0),
        new ScalarAccumulator());

    /// <summary>Copies between two layouts of tensors with the same elements; the one whose shape isn't <paramref name="shape"/> is dense.</summary>
    private void Copy(MappedBuffer from, MappedBuffer to, EquatableArray<int> shape, GconvOrigin origin)
    {
        var map = new LoopMap(0);
        for (var d = 0; d < shape.Count; d++)
        {
            map.Add($"d{d}", shape[d], reduced: false, -1);
        }

        MappedAccess Access(MappedBuffer buffer)
        {
            var layout = buffer.Layout.Shape == shape ? buffer.Layout : BufferLayout.Dense(shape, 1);
            return new(buffer.Name, new(layout.Pitch.Select(p => (long)p).ToEquatableArray(), layout.Origin));
        }

        Add(
            new(
                $"{to.Name}.copy",
                PointKernel.Strategy,
                map.Loops,
                [],
                [Access(from)],
                Access(to),
                GconvReduction.None,
                new ScalarExtra(0),
                new ScalarAccumulator()),
            origin);
    }

    private void MapView(GconvView view)
    {
        var origin = view.Origin.Value;
        if (view.Kind == ViewKind.Join)
        {
            PackJoined(view);
            Complete(view.Name);
            return;
        }

        if (_constants.TryGetValue(view.Sources[0], out var constant))
        {
            MapConstant(view, constant);
            return;
        }

        var source = _buffers[_bufferOf[view.Sources[0]]];
        var layout = _layouts.Of(view.Name);
        if (source.Layout.IsDense && (layout.IsDense || IsPacked(view.Sources[0])))
        {
            // the same words, which were complete when the source was, however long ago
            _bufferOf[view.Name] = source.Name;
            _values.Add(new(view.Name, source.Name, view.Type.Shape.Dimensions, CompletedBy(view.Sources[0])));
            return;
        }

        var sourceShape = TypeOf(view.Sources[0]).Shape.Dimensions;
        if (source.Layout.Shape != sourceShape)
        {
            // the source is itself a dense view
            sourceShape = view.Type.Shape.Dimensions;
        }

        if (!source.Layout.IsDense && !layout.IsDense)
        {
            var flat = AddBuffer($"{view.Name}.flat", BufferRole.Activation, BufferLayout.Dense(sourceShape, 1));
            Copy(source, flat, sourceShape, origin);
            source = flat;
        }

        var target = BufferFor(view.Name, origin);
        Copy(source, target, source.Layout.IsDense ? view.Type.Shape.Dimensions : sourceShape, origin);
        Complete(view.Name);
    }

    /// <summary>A constant that stands for a value is written to RAM where it is needed.</summary>
    private void MapConstant(GconvView view, Tensor constant)
    {
        var (origin, shape) = (view.Origin.Value, view.Type.Shape.Dimensions);
        if (IsPackedAlways(view.Name) || !_layouts.Of(view.Name).IsDense)
        {
            var words = AddBuffer($"{view.Name}.flat", BufferRole.Activation, BufferLayout.Dense(shape, 1));
            Write(words);
            if (IsPackedAlways(view.Name))
            {
                _bufferOf[view.Name] = PackWhole(words, origin).Name;
            }
            else
            {
                Copy(words, BufferFor(view.Name, origin), shape, origin);
            }
        }
        else
        {
            Write(BufferFor(view.Name, origin));
        }

        Complete(view.Name);

        void Write(MappedBuffer words) => Add(
            new(
                $"{words.Name}.write",
                ConstantKernel.Strategy,
                [new("element", LayoutElements.Count(words.Layout), Reduced: false)],
                [],
                [new(AddConstant(view.Sources[0], constant), new([1], 0))],
                new(words.Name, new([1], 0)),
                GconvReduction.None,
                new ScalarExtra(0),
                new ScalarAccumulator()),
            origin);
    }

    /// <summary>The tensor in dense order, one element a word, or packed where it lies packed.</summary>
    private MappedBuffer DenseWords(string tensor, string suffix, GconvOrigin origin)
    {
        var source = _buffers[_bufferOf[tensor]];
        if (source.Layout.IsDense)
        {
            return source;
        }

        var flat = AddBuffer($"{tensor}.{suffix}", BufferRole.Activation, BufferLayout.Dense(source.Layout.Shape, 1));
        Copy(source, flat, source.Layout.Shape, origin);
        return flat;
    }

    private void MapSoftmax(GconvHostSoftmax softmax)
    {
        var origin = softmax.Origin.Value;
        var source = DenseWords(softmax.Source, $"for.{softmax.Name}", origin);
        var shape = softmax.Type.Shape.Dimensions;
        var direct = _program.Outputs.Count(o => o == softmax.Name) == 1 && !IsRead(softmax.Name);
        var layout = _layouts.Of(softmax.Name);
        var target = (direct, layout.IsDense) switch
        {
            (true, _) => AddBuffer($"{softmax.Name}.bytes", BufferRole.Output, BufferLayout.Dense(shape, 4)),
            (_, true) => BufferFor(softmax.Name, origin),
            _ => AddBuffer($"{softmax.Name}.flat", BufferRole.Activation, BufferLayout.Dense(shape, 1)),
        };
        var columns = shape[^1];
        _steps.Add(new MappedSoftmax(
            softmax.Name,
            source.Name,
            target.Name,
            LayoutElements.Count(target.Layout) / columns,
            columns,
            softmax.Multiplier,
            softmax.LeftShift,
            softmax.DiffMin)
        {
            Origin = origin,
        });
        if (direct)
        {
            _bufferOf[softmax.Name] = target.Name;
        }
        else if (!layout.IsDense)
        {
            Copy(target, BufferFor(softmax.Name, origin), shape, origin);
        }

        Complete(softmax.Name);
    }

    private bool IsRead(string tensor) => _program.Steps.Any(s => s.Match(
        operation: o => o.Input.Tensor == tensor || o.Kernel?.Tensor == tensor || o.Extra.Any(e => e.Tensor == tensor),
        view: v => v.Sources.Contains(tensor, StringComparer.Ordinal),
        softmax: h => h.Source == tensor,
        host: h => h.Layer.Inputs.Contains(tensor, StringComparer.Ordinal)));

    private void MapOutput(string output, int index)
    {
        var type = TypeOf(output);
        var buffer = _buffers[_bufferOf[output]];
        if (buffer.Role == BufferRole.Output)
        {
            _outputs.Add(new(output, type, buffer.Name));
            return;
        }

        if (IsPacked(output) && buffer.Role == BufferRole.Activation)
        {
            // it lies as it goes out
            _buffers[buffer.Name] = buffer with { Role = BufferRole.Output };
            _outputs.Add(new(output, type, buffer.Name));
            return;
        }

        var origin = new GconvOrigin(output, "output", 0);
        var name = FormattableString.Invariant($"{output}.bytes.{index}");
        var words = DenseWords(output, FormattableString.Invariant($"dense.{index}"), origin);
        if (words.Layout.Lanes == PackedRuns.Lanes)
        {
            var unpacked = AddBuffer(FormattableString.Invariant($"{output}.dense.{index}"), BufferRole.Activation, BufferLayout.Dense(words.Layout.Shape, 1));
            Unpack(words, 0, words.Layout.Shape, unpacked, origin);
            words = unpacked;
        }

        var port = AddBuffer(name, BufferRole.Output, BufferLayout.Dense(type.Shape.Dimensions, 4));
        Add(Linear($"{name}.pack", PackKernel.Strategy, words, port), origin);
        _outputs.Add(new(output, type, port.Name));
    }

    /// <summary>The constants, where no address is known yet.</summary>
    private sealed class ConstantsOnly(IEnumerable<MappedConstant> constants) : IKernelData
    {
        private readonly Dictionary<string, Tensor> _byName = constants.ToDictionary(c => c.Name, c => c.Value, StringComparer.Ordinal);

        public int AddressOf(string buffer) => throw new InvalidOperationException("no addresses yet");

        public Tensor Constant(string name) => _byName[name];
    }
}
