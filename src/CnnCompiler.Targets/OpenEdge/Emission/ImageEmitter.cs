using System.Buffers.Binary;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Image.Container;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Passes.Selection;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using CnnCompiler.Targets.OpenEdge.Kernels;
using CnnCompiler.Targets.OpenEdge.Mapping;
using CnnCompiler.Targets.OpenEdge.Selection;
using Compiled = System.Collections.Generic.Dictionary<
    CnnCompiler.Ir.Mapped.MappedNest, (CnnCompiler.Targets.OpenEdge.Kernels.NestKernel Kernel, CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayAssembly Code)>;

namespace CnnCompiler.Targets.OpenEdge.Emission;

/// <summary>What a program's image will cost, about.</summary>
/// <param name="Layers">Cycles of the layers in the order of the program.</param>
/// <param name="IsResident">True where all parameters and code lie in RAM from the beginning as they are.</param>
public sealed record ImageEstimate(IReadOnlyList<LayerPrediction> Layers, bool IsResident)
{
    /// <summary>True where all parameters and code would find room in RAM.</summary>
    public bool HasRoom { get; init; }

    /// <summary>Cycles of all layers.</summary>
    public long Cycles => Layers.Sum(layer => layer.Cost);

    /// <summary>Femtojoules of all layers.</summary>
    public long Femtojoules => Layers.Sum(layer => layer.Femtojoules ?? 0);

    /// <summary>What a goal makes small.</summary>
    public double Measure(OptimizationGoal goal) => goal switch
    {
        OptimizationGoal.Cycles => Cycles,
        OptimizationGoal.Energy => Femtojoules,
        _ => (double)Cycles * Femtojoules,
    };
}

/// <summary>
/// Makes an image of a mapped program: assembles the kernels, plans the memory, and writes launches with their parameter blocks and the host
/// program. The host copies the parameters of the next launch, and its code where that changes, while the array runs.
/// </summary>
public sealed class ImageEmitter
{
    private const int AllColumns = (1 << Cell.Side) - 1;
    private const int WordBytes = NestView.WordBytes;

    private readonly MappedProgram _program;
    private readonly MachineDescription _machine;
    private readonly Data _data;
    private readonly List<byte> _flash = [];
    private readonly List<KernelImage> _kernels = [];
    private readonly List<Launch> _launches = [];
    private readonly List<HostStep> _host = [];
    private readonly List<LayerInfo> _layers = [];
    private readonly Dictionary<string, int> _layerOf = new(StringComparer.Ordinal);
    private readonly MemoryLayout _memory;
    private readonly List<uint> _constants = [];
    private readonly Dictionary<int, int> _codeInRam = [];
    private readonly Dictionary<(int Code, bool IsPacked), int> _codeInFlash = [];

    /// <summary>Marks that are in RAM, by the buffer behind whose end they lie.</summary>
    private readonly Dictionary<string, HashSet<(int Address, uint Word)>> _marksOf = new(StringComparer.Ordinal);

    private readonly Dictionary<string, int> _marksInFlash = new(StringComparer.Ordinal);
    private NestKernel? _before;
    private readonly ResidentWords _inRam;
    private readonly ParameterPlan? _plan;
    private readonly Dictionary<int, int> _parametersInFlash = [];
    private readonly LaunchSequence _sequence;
    private readonly int _firstConstant;
    private readonly ParameterWay _way;
    private int _residentId;

    /// <summary>The launch of the sequence whose copies come next.</summary>
    private int _nextCopy;

    private ImageEmitter(MappedProgram program, MachineDescription machine, MemoryLayout memory, Data data, Compiled compiled, KernelTimer timer, bool always = false)
    {
        (_program, _machine, _memory, _data) = (program, machine, memory, data);
        data.Memory = memory;
        _way = new ParameterPlanner(program, compiled, machine, memory, data, timer).Plan(always);
        (_sequence, _inRam, _plan) = (_way.Sequence, _way.InRam, _way.Plan);
        _firstConstant = machine.Ram.Bytes - (int)(_inRam.Words * WordBytes);
        _kernels.AddRange(_sequence.Images.Select(code => new KernelImage(code.Name, code.Steps, AllColumns, code.Rows, AddFlash([.. code.Rows.SelectMany(row => row)]))));
    }

    /// <summary>Emits an image, or reports what exceeds the machine.</summary>
    /// <param name="program">The program.</param>
    /// <param name="machine">The machine.</param>
    /// <param name="diagnostics">Takes what is wrong.</param>
    /// <param name="cancellation">Ends early.</param>
    /// <param name="ranges">Takes what lies where in RAM and when; null where nobody asks.</param>
    public static CnnImage? Emit(
        MappedProgram program, MachineDescription machine, DiagnosticBag diagnostics, CancellationToken cancellation, ICollection<MemoryRange>? ranges = null)
    {
        var data = new Data(program);
        var compiled = new Compiled(ReferenceEqualityComparer.Instance);
        foreach (var nest in program.Steps.OfType<MappedNest>())
        {
            cancellation.ThrowIfCancellationRequested();
            try
            {
                var kernel = KernelCompiler.Compile(nest, data);
                compiled.Add(nest, (kernel, KernelCompiler.Assemble(kernel, machine)));
            }
            catch (ArrayResourceException exception)
            {
                diagnostics.Report(OpenEdgeDiagnostics.ResourceExceeded(nest.Origin.Value.Layer, nest.Origin.Value.Keyword, exception));
            }
        }

        if (diagnostics.HasErrors || Of(program, machine, data, compiled, new(machine), diagnostics) is not { } emitter)
        {
            return null;
        }

        // layers are numbered in the order of the program, whatever is copied early
        foreach (var step in program.Steps)
        {
            _ = emitter.LayerOf(step.Origin.Value with { Macs = 0 });
        }

        for (var step = 0; step < program.Steps.Count; step++)
        {
            cancellation.ThrowIfCancellationRequested();
            emitter.Add(step);
        }

        if (emitter._flash.Count > machine.FlashBytes)
        {
            diagnostics.Report(OpenEdgeDiagnostics.FlashTooSmall(emitter._flash.Count, machine.FlashBytes));
            return null;
        }

        var image = emitter.Finish();
        diagnostics.Report(LaunchListChecker.Check(image));
        if (ranges is not null)
        {
            emitter.Describe(ranges);
        }

        return diagnostics.HasErrors ? null : image;
    }

    /// <summary>
    /// Cycles of a program, about: the array's are measured, host cycles that it doesn't hide come from the plan of copies; and whether all parameters and code
    /// lie in RAM from the beginning. Null where it doesn't fit.
    /// </summary>
    /// <returns>Cycles of the layers in the order of the program, and whether everything is resident.</returns>
    /// <param name="program">The program.</param>
    /// <param name="machine">The machine.</param>
    /// <param name="timer">The measure.</param>
    public static ImageEstimate? Estimate(MappedProgram program, MachineDescription machine, KernelTimer timer)
    {
        const int Pointers = 2 * Cell.Side;
        var data = new Data(program);
        var compiled = new Compiled(ReferenceEqualityComparer.Instance);
        try
        {
            foreach (var nest in program.Steps.OfType<MappedNest>())
            {
                var kernel = KernelCompiler.Compile(nest, data);
                compiled.Add(nest, (kernel, KernelCompiler.Assemble(kernel, machine)));
            }
        }
        catch (ArrayResourceException)
        {
            return null;
        }

        if (Of(program, machine, data, compiled, timer, new DiagnosticBag(), always: true) is not { } emitter)
        {
            return null;
        }

        var layers = new List<LayerPrediction>();
        var moves = new EstimatedMoves(machine.Host);
        foreach (var layer in program.Steps.GroupBy(step => step.Origin.Value.Layer, StringComparer.Ordinal))
        {
            layers.Add(new(layer.Key, string.Join(", ", layer.SelectMany(step => step.Match(Names, _ => ["softmax on the host"])).Distinct(StringComparer.Ordinal)), 0));
        }

        for (var step = 0; step < program.Steps.Count; step++)
        {
            var at = layers.FindIndex(layer => layer.Layer == program.Steps[step].Origin.Value.Layer);
            var (cycles, array, femtojoules) = program.Steps[step].Match(
                nest =>
                {
                    var begun = emitter._way.Starts(step);
                    var expands = emitter._sequence.Expanded.TryGetValue(nest, out var expand);
                    var (onArray, energy) = timer.ArrayCost(compiled[nest].Kernel, program, begun - (expands ? expand.Kernel.Launches : 0));
                    if (expands)
                    {
                        var (cyclesToExpand, energyToExpand) = timer.ArrayCost(expand.Kernel, program);
                        (onArray, energy) = (onArray + cyclesToExpand, energy + energyToExpand);
                    }

                    var (first, end) = emitter._sequence.Of(step);
                    var starts = begun * (long)(machine.Host.LaunchOverhead + ((1 + Pointers) * machine.Host.RegisterWrite));
                    moves.Begin(at, end - first, starts);
                    var sum = onArray + starts;
                    for (var launch = first; launch < end; launch += emitter._way.InARow(launch))
                    {
                        sum += emitter._plan!.ExposedBefore[launch] + (machine.Bus.Kind == BusKind.Shared ? emitter._plan.BusWordsBefore[launch] : 0);
                        if (emitter._sequence.Launches[launch].Code >= 0)
                        {
                            var (form, source, _) = emitter.CodeBefore(launch);
                            moves.Load(at, form, source == PatchSource.Flash);
                        }
                    }

                    return (sum, onArray, energy);
                },
                softmax =>
                {
                    var work = ((long)softmax.Rows * softmax.Columns * machine.Host.SoftmaxPerElement) + machine.Host.LaunchOverhead;
                    moves.Work(at, work);
                    return (work, 0, 0L);
                });
            layers[at] = layers[at] with { Cost = layers[at].Cost + cycles, Femtojoules = (layers[at].Femtojoules ?? 0) + femtojoules };
            moves.Array(at, array);
        }

        foreach (var copy in emitter._plan!.Copies.SelectMany(beside => beside))
        {
            moves.Copy(copy.Launch, copy.Words);
        }

        layers = [.. layers.Select((layer, at) => layer with { Femtojoules = layer.Femtojoules + moves.Energy(at, layer.Cost, timer) })];

        return new(layers, emitter._inRam.IsAll && emitter._sequence.Expanded.Count == 0) { HasRoom = emitter._way.HasRoom && emitter._sequence.Expanded.Count == 0 };

        IEnumerable<string> Names(MappedNest nest) => emitter._sequence.Expanded.ContainsKey(nest) ? [ExpandKernel.Name, nest.Kernel] : [nest.Kernel];
    }

    /// <summary>True where a program's kernels and memory fit a machine.</summary>
    public static bool Fits(MappedProgram program, MachineDescription machine) =>
        ParameterWords(program, machine) is { } words && MemoryLayout.Plan(program, words, machine, new DiagnosticBag()) is not null;

    /// <summary>Words of the largest parameter block of a program's launches, or null where a kernel exceeds the array.</summary>
    public static int? ParameterWords(MappedProgram program, MachineDescription machine)
    {
        var data = new Data(program);
        try
        {
            return program.Steps.OfType<MappedNest>().Select(n => KernelCompiler.Compile(n, data))
                .Select(k => KernelCompiler.Assemble(k, machine).Steps > 0 ? k.ParameterWords : 0).DefaultIfEmpty(0).Max();
        }
        catch (ArrayResourceException)
        {
            return null;
        }
    }

    /// <summary>An emitter with its memory planned; null where the buffers don't fit. Where every parameter block finds room above the buffers, there need be no slots for them.</summary>
    private static ImageEmitter? Of(
        MappedProgram program, MachineDescription machine, Data data, Compiled compiled, KernelTimer timer, DiagnosticBag diagnostics, bool always = false)
    {
        if (MemoryLayout.Plan(program, 0, machine, new DiagnosticBag()) is { } tight && new ImageEmitter(program, machine, tight, data, compiled, timer, always) is { _plan: not null } emitter)
        {
            return emitter;
        }

        var words = compiled.Values.Select(c => c.Kernel.ParameterWords).DefaultIfEmpty(0).Max();
        return MemoryLayout.Plan(program, words, machine, diagnostics) is { } roomy ? new(program, machine, roomy, data, compiled, timer, always) : null;
    }

    private int AddConstant(IEnumerable<uint> words)
    {
        var address = _firstConstant + (_constants.Count * WordBytes);
        _constants.AddRange(words);
        return address;
    }

    private void Add(int index)
    {
        var step = _program.Steps[index];
        var layer = LayerOf(step.Origin.Value);
        step.Match(
            nest: n =>
            {
                var (first, end) = _sequence.Of(index);
                for (int launch = first, count; launch < end; launch += count)
                {
                    count = _way.InARow(launch);
                    AddLaunch(layer, launch, count);
                }

                _before = _sequence.Launches[end - 1].Kernel;
                _ = _marksOf.Remove(n.Output.Target);

                return 0;
            },
            softmax: s =>
            {
                _host.Add(new HostSoftmax(
                    layer,
                    _memory.AddressOf(s.Source),
                    LayoutOf(s.Source),
                    _memory.AddressOf(s.Destination),
                    LayoutOf(s.Destination),
                    s.Rows,
                    s.Columns,
                    s.Multiplier,
                    s.LeftShift,
                    s.DiffMin));
                return 0;
            });
    }

    private void AddCopy(ParameterCopy copy)
    {
        var launch = _sequence.Launches[copy.Launch];
        var layer = LayerOf(launch);
        if (copy.IsCode)
        {
            var code = CodeInFlash(launch.Code, _way.Forms[launch.Code]);
            _host.Add(new HostCopyFlash(layer, code + (copy.Offset * WordBytes), _plan!.CodeAddresses[copy.Launch]!.Value + (copy.Offset * WordBytes), copy.Words));
            return;
        }

        var address = _plan!.Addresses[copy.Launch];
        if (!_parametersInFlash.TryGetValue(copy.Launch, out var flash))
        {
            _parametersInFlash.Add(copy.Launch, flash = AddFlash(launch.Kernel.Launch(launch.Index, address, _data).Parameters));
        }

        _host.Add(new HostCopyFlash(layer, flash + (copy.Offset * WordBytes), address + (copy.Offset * WordBytes), copy.Words));
    }

    /// <summary>
    /// The host puts those of a nest's marks into RAM that aren't there yet, beside the launch before, unless that one touches words behind the buffer's end, too: then it has to end first.
    /// </summary>
    private void AddMarks(int layer, NestKernel kernel)
    {
        var target = kernel.Nest.Operands.Count > 0 ? kernel.Nest.Operands[0].Target : string.Empty;
        var inPlace = _marksOf.GetValueOrDefault(target, []);
        var marks = Enumerable.Range(0, kernel.Launches).SelectMany(i => kernel.Launch(i, 0, _data).Marks).Where(m => !inPlace.Contains(m)).Distinct().ToArray();
        if (marks.Length == 0)
        {
            return;
        }

        if (_before is not null && Touches(_before, kernel, marks))
        {
            _host.Add(new HostWait(layer));
        }

        inPlace.UnionWith(marks);
        _marksOf[target] = inPlace;

        for (int first = 0, next; first < marks.Length; first = next)
        {
            // neighbours in one copy
            for (next = first + 1; next < marks.Length && marks[next].Address == marks[next - 1].Address + WordBytes; next++)
            {
            }

            uint[] words = [.. marks[first..next].Select(m => m.Word)];
            var key = string.Join(' ', words);
            if (!_marksInFlash.TryGetValue(key, out var flash))
            {
                _marksInFlash.Add(key, flash = AddFlash(words));
            }

            _host.Add(new HostCopyFlash(layer, flash, marks[first].Address, words.Length));
        }
    }

    /// <summary>True where a kernel may touch words of another's input from its first mark on. Of nests of one layer that slide it is known what they read.</summary>
    private bool Touches(NestKernel before, NestKernel kernel, (int Address, uint Word)[] marks)
    {
        var input = kernel.Nest.Operands[0];
        if (before is SlidingKernel sliding && before.Nest.Operands[0].Target == input.Target && before.Nest.Origin.Value.Layer == kernel.Nest.Origin.Value.Layer)
        {
            var read = sliding.WordsOfLastLaunch().Select(word => _data.AddressOf(input.Target) + (word * WordBytes)).ToHashSet();
            return marks.Any(m => read.Contains(m.Address));
        }

        return before.Extents.Any(e => e.Buffer == input.Target && _data.AddressOf(e.Buffer) + (e.Words * WordBytes) > marks.Min(m => m.Address));
    }

    /// <summary>Adds launches that are done as one.</summary>
    private void AddLaunch(int layer, int number, int count)
    {
        var planned = _sequence.Launches[number];
        var kernel = planned.Kernel;
        var inRam = _inRam.HasParameters(number);
        var block = inRam ? _firstConstant + (_constants.Count * WordBytes) : _plan!.Addresses[number];
        if (kernel is ExpandKernel)
        {
            _data.Expanded = _plan!.Addresses[number + 1];
        }

        var launch = planned.Expand is var (expand, group) ? expand.Following(group, block, _data) : kernel.InARow(planned.Index, count, block, _data);
        if (inRam)
        {
            _ = AddConstant(launch.Parameters);
        }

        for (; _nextCopy <= number; _nextCopy++)
        {
            foreach (var copy in _plan!.Copies[_nextCopy])
            {
                AddCopy(copy);
            }
        }

        if (planned.Code >= 0)
        {
            // a resident id is never loaded again: new code always gets the next id
            _residentId = (_residentId % (_machine.KernelSlots - 1)) + 1;
            var (form, source, address) = CodeBefore(number);
            _host.Add(form.IsPatch
                ? new HostPatchKernel(layer, planned.Image, _residentId, 0, source, address(), form.Data.Length)
                : new HostLoadKernel(layer, planned.Image, _residentId, 0) { Ram = source == PatchSource.Flash ? null : address() });
        }

        if (planned.Index == 0)
        {
            AddMarks(layer, kernel);
        }

        uint? Pointer(LaunchPointer? pointer) => pointer is { } p ? (uint)(p.Address + (p.InParameters ? block : 0)) : null;
        _host.Add(new HostLaunch(layer, _launches.Count));
        _launches.Add(new(planned.Image, _residentId, [.. launch.Read.Select(Pointer)], [.. launch.Write.Select(Pointer)]));
    }

    /// <summary>The form in which code is loaded before a launch, from where, and its address there once it is emitted.</summary>
    private (CodeForm Form, PatchSource Source, Func<int> Address) CodeBefore(int launch)
    {
        var number = _sequence.Launches[launch].Code;
        var code = _sequence.Codes[number];
        var form = _way.Forms[number];
        var source = form.IsPacked ? PatchSource.PackedRam : PatchSource.Ram;
        return _inRam.HasCode(number) ? (form, source, () => CodeInRam(number, form))
            : _plan!.CodeAddresses[launch] is { } address ? (form, source, () => address)
            : (code.Words, PatchSource.Flash, () => CodeInFlash(number, code.Words));
    }

    private int CodeInRam(int number, CodeForm form)
    {
        if (!_codeInRam.TryGetValue(number, out var address))
        {
            _codeInRam.Add(number, address = AddConstant(form.Data));
        }

        return address;
    }

    /// <summary>Flash address of code in a form; a whole kernel lies there once.</summary>
    private int CodeInFlash(int number, CodeForm form)
    {
        if (!form.IsPatch)
        {
            return _kernels[_sequence.Codes[number].Kernel].Flash;
        }

        if (!_codeInFlash.TryGetValue((number, form.IsPacked), out var address))
        {
            _codeInFlash.Add((number, form.IsPacked), address = AddFlash(form.Data));
        }

        return address;
    }

    private int AddFlash(uint[] words)
    {
        var address = _flash.Count;
        Span<byte> bytes = stackalloc byte[WordBytes];
        foreach (var word in words)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(bytes, word);
            _flash.AddRange(bytes);
        }

        return address;
    }

    private int LayerOf(PlannedLaunch launch) => LayerOf(_program.Steps[launch.Step].Origin.Value with { Macs = 0 });

    private int LayerOf(GconvOrigin origin)
    {
        if (!_layerOf.TryGetValue(origin.Layer, out var index))
        {
            index = _layers.Count;
            _layerOf.Add(origin.Layer, index);
            _layers.Add(new(origin.Layer, origin.Keyword, 0));
        }

        _layers[index] = _layers[index] with { Macs = _layers[index].Macs + origin.Macs };
        return index;
    }

    private HostElementLayout LayoutOf(string buffer) =>
        _program.Buffers.First(b => b.Name == buffer).Layout.Lanes == 1 ? HostElementLayout.Word : HostElementLayout.PackedByte;

    private CnnImage Finish()
    {
        _host.Add(new HostWait(_layers.Count - 1));
        return new(
            _machine,
            _kernels,
            _constants.Count > 0 ? [new(_firstConstant, _constants.ToArray())] : [],
            _flash.ToArray(),
            [.. _program.Inputs.Select(Describe)],
            [.. _program.Outputs.Select(Describe)],
            _layers,
            _host,
            _launches,
            [.. _memory.Ranges.Select(r => new Symbol(r.Name, _memory.AddressOf(r.Name), (int)r.Bytes))]);
    }

    private void Describe(ICollection<MemoryRange> ranges)
    {
        var steps = _program.Steps.Select(step => _layerOf[step.Origin.Value.Layer]).ToArray();
        foreach (var range in _memory.Ranges.Where(_ => steps.Length > 0))
        {
            ranges.Add(new(range.Name, _memory.AddressOf(range.Name), range.Bytes, steps[range.FirstStep], steps[Math.Min(range.LastStep, steps.Length - 1)]));
        }

        // blocks that are copied, from the launch beside which that begins, or expanded, from the launch that does; two slots hold them where there are some
        var begun = new HashSet<(int, bool)>();
        for (var beside = 0; beside < _sequence.Launches.Count && !_memory.HasSlots; beside++)
        {
            foreach (var copy in _plan!.Copies[beside].Where(copy => begun.Add((copy.Launch, copy.IsCode))))
            {
                if (copy.IsCode)
                {
                    Add("code", copy.Launch, _plan.CodeAddresses[copy.Launch], CodeBefore(copy.Launch).Form.Data.Length);
                }
                else
                {
                    Add("parameters", copy.Launch, _plan.Addresses[copy.Launch], _sequence.Launches[copy.Launch].Kernel.ParameterWords);
                }
            }

            if (_sequence.Launches[beside].Kernel is ExpandKernel expand)
            {
                Add(ExpandKernel.Block, beside + 1, _plan.Addresses[beside + 1], expand.ExpandedWords(_sequence.Launches[beside].Index));
            }

            void Add(string what, int number, int? address, int words)
            {
                var launch = _sequence.Launches[number];
                if (address is { } at)
                {
                    ranges.Add(new(
                        FormattableString.Invariant($"{what} of {launch.Kernel.Nest.Name}, launch {launch.Index}"), at, words * (long)WordBytes, LayerOf(_sequence.Launches[beside]), LayerOf(launch)));
                }
            }
        }

        if (_constants.Count > 0)
        {
            ranges.Add(new("parameters and code", _firstConstant, _constants.Count * (long)WordBytes, 0, _layers.Count - 1));
        }
    }

    private TensorDescriptor Describe(MappedPort port) => new(
        port.Name,
        [.. port.Type.Shape.Dimensions],
        ImageElementType.Int8,
        port.Type.Quantization?.Scale ?? 1,
        port.Type.Quantization?.ZeroPoint ?? 0,
        _memory.AddressOf(port.Buffer));

    /// <summary>Addresses, once they are planned, and constants.</summary>
    private sealed class Data(MappedProgram program) : IKernelData
    {
        private readonly Dictionary<string, Tensor> _constants = program.Constants.ToDictionary(c => c.Name, c => c.Value, StringComparer.Ordinal);

        public MemoryLayout? Memory { get; set; }

        /// <summary>The block that the next launch expands.</summary>
        public int Expanded { get; set; }

        public int AddressOf(string buffer) => buffer == ExpandKernel.Block ? Expanded
            : Memory?.AddressOf(buffer) ?? throw new InvalidOperationException("the memory is not planned yet");

        public Tensor Constant(string name) => _constants[name];
    }
}
