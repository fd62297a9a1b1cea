using System.Buffers.Binary;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Image.Container;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using CnnCompiler.Targets.OpenEdge.Kernels;
using CnnCompiler.Targets.OpenEdge.Mapping;
using CnnCompiler.Targets.OpenEdge.Selection;
using Compiled = System.Collections.Generic.Dictionary<
    CnnCompiler.Ir.Mapped.MappedNest, (CnnCompiler.Targets.OpenEdge.Kernels.NestKernel Kernel, CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayAssembly Code)>;

namespace CnnCompiler.Targets.OpenEdge.Emission;

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
    private readonly Dictionary<uint, int> _markInFlash = [];
    private NestKernel? _before;
    private readonly ResidentWords _inRam;
    private int _resident = -1;
    private int _residentId;
    private int _slot;

    private ImageEmitter(MappedProgram program, MachineDescription machine, MemoryLayout memory, Data data, Compiled compiled)
    {
        (_program, _machine, _memory, _data) = (program, machine, memory, data);
        _inRam = PlanResident(compiled);
    }

    /// <summary>Emits an image, or reports what exceeds the machine.</summary>
    public static CnnImage? Emit(MappedProgram program, MachineDescription machine, DiagnosticBag diagnostics, CancellationToken cancellation)
    {
        var data = new Data(program);
        var compiled = new Compiled(ReferenceEqualityComparer.Instance);
        foreach (var nest in program.Steps.OfType<MappedNest>())
        {
            cancellation.ThrowIfCancellationRequested();
            try
            {
                var kernel = KernelCompiler.Compile(nest, data);
                compiled.Add(nest, (kernel, ArrayAssembler.Assemble(kernel.Program, machine)));
            }
            catch (ArrayResourceException exception)
            {
                diagnostics.Report(OpenEdgeDiagnostics.ResourceExceeded(nest.Origin.Value.Layer, nest.Origin.Value.Keyword, exception));
            }
        }

        var parameterWords = compiled.Values.Select(c => c.Kernel.ParameterWords).DefaultIfEmpty(0).Max();
        if (diagnostics.HasErrors || MemoryLayout.Plan(program, parameterWords, machine, diagnostics) is not { } memory)
        {
            return null;
        }

        data.Memory = memory;
        var emitter = new ImageEmitter(program, machine, memory, data, compiled);
        foreach (var step in program.Steps)
        {
            cancellation.ThrowIfCancellationRequested();
            emitter.Add(step, compiled);
        }

        if (emitter._flash.Count > machine.FlashBytes)
        {
            diagnostics.Report(OpenEdgeDiagnostics.FlashTooSmall(emitter._flash.Count, machine.FlashBytes));
            return null;
        }

        var image = emitter.Finish();
        diagnostics.Report(LaunchListChecker.Check(image));
        return diagnostics.HasErrors ? null : image;
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
                .Select(k => ArrayAssembler.Assemble(k.Program, machine).Steps > 0 ? k.ParameterWords : 0).DefaultIfEmpty(0).Max();
        }
        catch (ArrayResourceException)
        {
            return null;
        }
    }

    /// <summary>Where the words that stay in RAM begin: above everything that buffers ever use.</summary>
    private int FirstConstant => _machine.Ram.ReservedBytes + (int)((_memory.PeakBytes + WordBytes - 1) / WordBytes * WordBytes);

    private ResidentWords PlanResident(Compiled compiled)
    {
        var launches = new List<ResidentLaunch>();
        var nests = new List<MappedNest?>();
        var resident = -1;
        foreach (var step in _program.Steps)
        {
            if (step is not MappedNest nest)
            {
                if (nests.Count > 0)
                {
                    // softmax waits for the array
                    nests[^1] = null;
                }

                continue;
            }

            var (kernel, code) = compiled[nest];
            var index = KernelOf(code);
            for (var launch = 0; launch < kernel.Launches; launch++)
            {
                launches.Add(new(index, resident != index, kernel.Launch(launch, _memory.Slot(0), _data).Parameters.Length, 0));
                nests.Add(nest);
                resident = index;
            }
        }

        var words = _kernels.Select(k => k.Rows.Sum(r => r.Count)).ToArray();
        var free = (_machine.Ram.Bytes - FirstConstant) / WordBytes;
        var result = new ResidentWords(_machine.Host, _machine.Bus.Kind, launches, words);
        if (result.AllWords > free)
        {
            // not all of it: then it matters how long the array hides the host
            var timer = new KernelTimer(_machine);
            var cycles = new Dictionary<MappedNest, long>(ReferenceEqualityComparer.Instance);
            for (var i = 1; i < launches.Count; i++)
            {
                if (nests[i - 1] is not { } before)
                {
                    continue;
                }

                if (!cycles.TryGetValue(before, out var one))
                {
                    cycles.Add(before, one = timer.ArrayCycles(before, _program) / compiled[before].Kernel.Launches);
                }

                launches[i] = launches[i] with { ArrayBefore = one };
            }
        }

        result.Choose(free);
        return result;
    }

    private int AddConstant(IEnumerable<uint> words)
    {
        var address = FirstConstant + (_constants.Count * WordBytes);
        _constants.AddRange(words);
        return address;
    }

    private void Add(MappedStep step, Compiled compiled)
    {
        var layer = LayerOf(step.Origin.Value);
        step.Match(
            nest: n =>
            {
                var (kernel, code) = compiled[n];
                var index = KernelOf(code);
                for (var launch = 0; launch < kernel.Launches; launch++)
                {
                    AddLaunch(layer, index, kernel, launch);
                }

                _before = kernel;

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

    /// <summary>
    /// The host puts a nest's marks into RAM beside the launch before, unless that one touches words behind the buffer's end, too: then it has to end first.
    /// </summary>
    private void AddMarks(int layer, NestKernel kernel)
    {
        var marks = Enumerable.Range(0, kernel.Launches).SelectMany(i => kernel.Launch(i, _memory.Slot(0), _data).Marks).ToArray();
        if (marks.Length > 0 && _before is not null && Touches(_before, kernel, marks.Min(m => m.Address)))
        {
            _host.Add(new HostWait(layer));
        }

        foreach (var (address, word) in marks)
        {
            if (!_markInFlash.TryGetValue(word, out var flash))
            {
                _markInFlash.Add(word, flash = AddFlash([word]));
            }

            _host.Add(new HostCopyFlash(layer, flash, address, 1));
        }
    }

    /// <summary>True where a kernel may touch words of another's input from an address on. Nests of one layer that slide over channels of their own don't.</summary>
    private bool Touches(NestKernel before, NestKernel kernel, int address)
    {
        var input = kernel.Nest.Operands[0];
        return !(before.Nest.Kernel == kernel.Nest.Kernel && before.Nest.Operands[0].Target == input.Target && before.Nest.Origin.Value.Layer == kernel.Nest.Origin.Value.Layer)
            && before.Extents.Any(e => e.Buffer == input.Target && _data.AddressOf(e.Buffer) + (e.Words * WordBytes) > address);
    }

    private void AddLaunch(int layer, int kernelIndex, NestKernel kernel, int index)
    {
        var inRam = _inRam.HasParameters(_launches.Count);
        var slot = inRam ? FirstConstant + (_constants.Count * WordBytes) : _memory.Slot(_slot);
        var launch = kernel.Launch(index, slot, _data);
        if (inRam)
        {
            _ = AddConstant(launch.Parameters);
        }
        else if (launch.Parameters.Length > 0)
        {
            // the launch before may still read the other slot; the one before that, which read this slot, has ended
            _host.Add(new HostCopyFlash(layer, AddFlash(launch.Parameters), slot, launch.Parameters.Length));
            _slot = 1 - _slot;
        }

        if (_resident != kernelIndex)
        {
            // a resident id is never loaded again: new code always gets the next id
            _resident = kernelIndex;
            _residentId = (_residentId % (_machine.KernelSlots - 1)) + 1;
            _host.Add(new HostLoadKernel(layer, kernelIndex, _residentId, 0) { Ram = _inRam.HasCode(kernelIndex) ? CodeInRam(kernelIndex) : null });
        }

        if (index == 0)
        {
            AddMarks(layer, kernel);
        }

        uint? Pointer(LaunchPointer? pointer) => pointer is { } p ? (uint)(p.Address + (p.InParameters ? slot : 0)) : null;
        _host.Add(new HostLaunch(layer, _launches.Count));
        _launches.Add(new(kernelIndex, _residentId, [.. launch.Read.Select(Pointer)], [.. launch.Write.Select(Pointer)]));
    }

    private int CodeInRam(int kernel)
    {
        if (!_codeInRam.TryGetValue(kernel, out var address))
        {
            _codeInRam.Add(kernel, address = AddConstant(_kernels[kernel].Rows.SelectMany(r => r)));
        }

        return address;
    }

    private int KernelOf(ArrayAssembly code)
    {
        var known = _kernels.FindIndex(k => k.Steps == code.Steps && k.Rows.Zip(code.Rows).All(r => r.First.SequenceEqual(r.Second)));
        if (known >= 0)
        {
            return known;
        }

        var flash = AddFlash([.. code.Rows.SelectMany(r => r)]);
        _kernels.Add(new(code.Name, code.Steps, AllColumns, code.Rows, flash));
        return _kernels.Count - 1;
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
            _constants.Count > 0 ? [new(FirstConstant, _constants.ToArray())] : [],
            _flash.ToArray(),
            [.. _program.Inputs.Select(Describe)],
            [.. _program.Outputs.Select(Describe)],
            _layers,
            _host,
            _launches,
            [.. _memory.Ranges.Select(r => new Symbol(r.Name, _memory.AddressOf(r.Name), (int)r.Bytes))]);
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

        public int AddressOf(string buffer) => Memory?.AddressOf(buffer) ?? throw new InvalidOperationException("the memory is not planned yet");

        public Tensor Constant(string name) => _constants[name];
    }
}
