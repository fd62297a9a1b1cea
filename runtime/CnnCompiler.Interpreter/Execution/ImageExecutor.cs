using System.Buffers.Binary;
using System.Globalization;
using CnnCompiler.Image.Container;
using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Interpreter.OpenEdge;
using CnnCompiler.Primitives.Arithmetic;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Interpreter.Execution;

/// <summary>What all <see cref="ImageExecutor{TMemory}"/> share.</summary>
internal static class ImageExecutor
{
    public static readonly RunCycles NoCycles = new(0, 0, 0, 0, 0, 0, 0);
}

/// <summary>
/// Executes the host program of an image, step by step. Effects happen in program order: a launch runs to its end when the host starts
/// it, and the steps that run beside it in time come after it; the race check makes sure that nobody could tell.
/// </summary>
internal sealed class ImageExecutor<TMemory>(
    CnnImage image, TMemory memory, RunOptions options, SourceSpan span, CancellationToken cancellation)
    where TMemory : struct, IWordMemory
{
    /// <summary>Cycles between two looks at the cancellation token.</summary>
    private const long Slice = 1 << 20;

    private const long TracedSlice = 1 << 10;

    private readonly HostClock _clock = new(image.Machine.Host, image.Machine.Bus.Kind, image.Layers.Count, options.OnHostWork);
    private readonly List<LaunchReport> _launches = [];
    private readonly List<(long Reads, long Writes)> _accesses = [.. Enumerable.Repeat((0L, 0L), image.Layers.Count + 1)];
    private readonly ActivityCounter _activities = new(image.Layers.Count);
    private TMemory _memory = memory;
    private OpenEdgeArray? _array;
    private long _arrayCycles;
    private long _hostReads;
    private long _hostWrites;
    private int _step;
    private bool _beside;
    private LaunchPlace _besideLaunch;

    /// <summary>Where launches note the words they touch while host steps run beside them; null where no image has such steps.</summary>
    public TouchedWords? Touched { get; init; }

    /// <summary>
    /// True to run what the hardware would run, without asking whether the launch means it: golden vectors are about the hazards too.
    /// </summary>
    public bool RunsHazards { get; init; }

    /// <inheritdoc cref="OpenEdgeArray.StoresGetResponses"/>
    public bool StoresGetResponses { get; init; } = true;

    /// <summary>Executes the host program.</summary>
    public void Run()
    {
        _array = new OpenEdgeArray(image.Machine.Bus)
        {
            AlwaysWalkCycles = options.AlwaysWalkCycles,
            Engine = options.Engine,
            StoresGetResponses = StoresGetResponses,
        };
        var end = image.HostProgram.Count;
        if (options.StopAfterLayer is { } layer)
        {
            while (end > 0 && image.HostProgram[end - 1].Layer != layer)
            {
                end--;
            }
        }

        for (_step = 0; _step < end; _step++)
        {
            cancellation.ThrowIfCancellationRequested();
            Execute(image.HostProgram[_step]);
            _activities.AddHost(image.HostProgram[_step].Layer, _hostReads, _hostWrites);
            _hostReads = _hostWrites = 0;
        }

        FinishLaunch();
    }

    /// <summary>The result of a run that ended or failed.</summary>
    public RunResult Result(IReadOnlyList<Diagnostic> diagnostics, IReadOnlyList<ReadOnlyMemory<byte>> outputs, ReadOnlyMemory<uint> ram)
    {
        var layers = image.Layers.Select((layer, index) => new LayerReport(layer, Cycles(index, layer.Macs))).ToList();
        var outside = Cycles(-1, 0);
        var parts = layers.Select(l => l.Cycles).Append(outside).ToList();
        var total = new RunCycles(
            parts.Sum(p => p.Array),
            parts.Sum(p => p.HiddenHost),
            parts.Sum(p => p.ExposedHost),
            parts.Sum(p => p.Launches),
            parts.Sum(p => p.Reads),
            parts.Sum(p => p.Writes),
            parts.Sum(p => p.Macs));
        return new RunResult(diagnostics, outputs, total, layers, outside, _launches, ram)
        {
            Activities = [.. layers.Select((layer, index) => _activities.Of(index, layer.Cycles, _clock.Layer(index).Beside))],
            OutsideActivity = _activities.Of(-1, outside, _clock.Layer(-1).Beside),
        };
    }

    private RunCycles Cycles(int layer, long macs)
    {
        ref readonly var times = ref _clock.Layer(layer);
        return new RunCycles(times.Array, times.HiddenHost, times.ExposedHost, times.Launches, _accesses[layer + 1].Reads, _accesses[layer + 1].Writes, macs);
    }

    private void Execute(HostStep step) => step.Match<Action>(
        load => () => LoadKernel(load),
        patch => () => PatchKernel(patch),
        copy => () => CopyFlash(copy),
        copy => () => CopyRam(copy),
        launch => () => Launch(launch),
        _ => Wait,
        softmax => () => Softmax(softmax))();

    private void LoadKernel(HostLoadKernel load)
    {
        var kernel = image.Kernels[load.Kernel];
        var words = ContextWords(kernel, load.KernelId, load.Start);
        var flash = image.Flash.Span[kernel.Flash..];
        for (var row = 0; row < 4; row++)
        {
            for (var word = 0; word < words; word++)
            {
                var offset = 4 * ((row * words) + word);
                var value = load.Ram is { } ram ? Read((uint)(ram + offset)) : BinaryPrimitives.ReadUInt32LittleEndian(flash[offset..]);
                _array!.WriteContext(row, load.Start + word, value);
            }
        }

        Configure(kernel, load.KernelId, load.Start);
        _activities.AddHost(load.Layer, flash: load.Ram is null ? 4L * words : 0, context: (4L * words) + 2);
        _clock.LoadKernel(load.Layer, (4L * words) + 2, fromRam: load.Ram is not null);
    }

    /// <summary>Context words a row of a kernel, which fit behind the first.</summary>
    private int ContextWords(KernelImage kernel, int id, int start)
    {
        var words = kernel.Steps * int.PopCount(kernel.ColumnMask);
        if (!RunsHazards)
        {
            CheckId(Here, id);
            if (start < 0 || start + words > image.Machine.ContextWordsPerRow)
            {
                throw Failure(ExecutionDiagnostics.BadKernelImage(span, $"'{kernel.Name}'", $"{words} context words a row from word {start} do not fit into {image.Machine.ContextWordsPerRow}"));
            }
        }

        return words;
    }

    private void Configure(KernelImage kernel, int id, int start) =>
        _array!.WriteConfiguration(id, (ushort)((kernel.Steps - 1) | (start & 127) << 5 | kernel.ColumnMask << 12));

    private void PatchKernel(HostPatchKernel patch)
    {
        var kernel = image.Kernels[patch.Kernel];
        _ = ContextWords(kernel, patch.KernelId, patch.Start);
        var columns = int.PopCount(kernel.ColumnMask);
        var data = new uint[Math.Min(patch.Words, KernelChanges.MostWords(kernel.Steps, columns) + 1)];
        var flash = patch.From == PatchSource.Flash;
        for (var word = 0; word < data.Length; word++)
        {
            data[word] = flash ? BinaryPrimitives.ReadUInt32LittleEndian(image.Flash.Span[(patch.Source + (4 * word))..]) : Read((uint)(patch.Source + (4 * word)));
        }

        var packed = patch.From == PatchSource.PackedRam;
        if (KernelChanges.Decode(data, kernel.Steps, columns, packed) is not { } changes)
        {
            throw Failure(ExecutionDiagnostics.BadKernelImage(span, $"'{kernel.Name}'", $"the {patch.Words} words at {patch.Source} of {Here} are no changes of a kernel of {kernel.Steps} steps in {columns} columns"));
        }

        foreach (var change in changes)
        {
            var word = patch.Start + change.Word;
            _array!.WriteContext(change.Row, word, change.Of(_array.ReadContext(change.Row, word)));
        }

        Configure(kernel, patch.KernelId, patch.Start);
        var (moved, immediates) = (KernelChanges.MovedWords(changes, columns, packed) + 2, changes.Count(c => c.IsImmediate));
        _activities.AddHost(patch.Layer, flash: flash ? data.Length : 0, context: changes.Count + 2);
        _clock.LoadKernel(patch.Layer, moved, fromRam: !flash, immediates);
    }

    private void CopyFlash(HostCopyFlash copy)
    {
        var flash = image.Flash.Span[copy.Source..];
        for (var word = 0; word < copy.Words; word++)
        {
            Write((uint)copy.Destination + (4 * (uint)word), BinaryPrimitives.ReadUInt32LittleEndian(flash[(4 * word)..]));
        }

        _activities.AddHost(copy.Layer, flash: copy.Words);
        _clock.CopyFlash(copy.Layer, copy.Words);
    }

    private void CopyRam(HostCopyRam copy)
    {
        for (uint offset = 0; offset < 4 * (uint)copy.Words; offset += 4)
        {
            Write((uint)copy.Destination + offset, Read((uint)copy.Source + offset));
        }

        _clock.CopyRam(copy.Layer, copy.Words);
    }

    private void Wait()
    {
        FinishLaunch();
        _clock.WaitForArray();
    }

    private void Launch(HostLaunch step)
    {
        Wait();
        var launch = image.Launches[step.Launch];
        var kernel = image.Kernels[launch.Kernel];
        var place = new LaunchPlace(step.Launch, kernel.Name, step.Layer < 0 ? string.Empty : image.Layers[step.Layer].Name);
        if (!RunsHazards)
        {
            CheckId(place.ToString(), launch.KernelId);
        }

        var array = _array!;
        var registers = 1;
        for (var column = 0; column < launch.ReadPointers.Count; column++)
        {
            if (launch.ReadPointers[column] is { } pointer)
            {
                array.WriteReadPointer(column, pointer);
                registers++;
            }
        }

        for (var column = 0; column < launch.WritePointers.Count; column++)
        {
            if (launch.WritePointers[column] is { } pointer)
            {
                array.WriteWritePointer(column, pointer);
                registers++;
            }
        }

        var stop = array.Begin(launch.KernelId);
        if (stop == ArrayStop.Paused && !RunsHazards)
        {
            CheckResident(place, kernel);
        }

        _beside = Touched is not null && HostMovesBeside();
        if (stop == ArrayStop.Paused)
        {
            if (_beside)
            {
                Touched!.Clear();
                var tracked = new TrackedMemory<TMemory>(_memory, Touched);
                stop = Continue(ref tracked, step);
            }
            else
            {
                stop = Continue(ref _memory, step);
            }
        }

        if (stop != ArrayStop.Done)
        {
            throw Failure(Explain(stop, place, launch.KernelId));
        }

        var outcome = array.Outcome;
        _clock.Launch(step.Layer, registers, outcome.ExecFirst, outcome.Done);
        _besideLaunch = place;
        _arrayCycles += outcome.Done;
        _activities.AddLaunch(step.Layer, array);
        _accesses[step.Layer + 1] = (_accesses[step.Layer + 1].Reads + outcome.Reads, _accesses[step.Layer + 1].Writes + outcome.Writes);
        _launches.Add(new LaunchReport(step.Launch, step.Layer, _clock.LastLaunch.Start, 0, outcome));
        options.Progress?.Invoke(new RunProgress(_step, image.HostProgram.Count, step.Layer, _arrayCycles));
    }

    private ArrayStop Continue<TAny>(ref TAny memory, HostLaunch step)
        where TAny : struct, IWordMemory
    {
        var array = _array!;
        var trace = options.TraceLaunch == step.Launch ? options.Trace : null;
        while (true)
        {
            var slice = Math.Min(options.MaxCycles, array.Cycle + (trace is null ? Slice : TracedSlice));
            var stop = trace is null ? array.Continue(ref memory, slice) : array.ContinueTraced(ref memory, slice, trace);
            if (stop != ArrayStop.Paused || array.Cycle >= options.MaxCycles)
            {
                return stop;
            }

            cancellation.ThrowIfCancellationRequested();
            options.Progress?.Invoke(new RunProgress(_step, image.HostProgram.Count, step.Layer, _arrayCycles + array.Cycle));
        }
    }

    /// <summary>Closes the last launch: the host has stopped lengthening it.</summary>
    private void FinishLaunch()
    {
        _beside = false;
        if (_launches.Count > 0)
        {
            var last = _launches[^1];
            _launches[^1] = last with { BusWaits = _clock.LastLaunch.End - last.Start - last.Outcome.Done };
        }
    }

    /// <summary>True where a step that moves words in RAM runs beside the launch that is about to start.</summary>
    private bool HostMovesBeside()
    {
        for (var next = _step + 1; next < image.HostProgram.Count; next++)
        {
            switch (image.HostProgram[next])
            {
                case HostCopyFlash { Words: > 0 } or HostCopyRam { Words: > 0 } or HostLoadKernel { Ram: not null } or HostPatchKernel { From: not PatchSource.Flash }:
                    return true;
                case HostWait or HostLaunch or HostSoftmax:
                    return false;
            }
        }

        return false;
    }

    /// <summary>What the columns would execute must be what the launch means: code, length and columns.</summary>
    private void CheckResident(LaunchPlace place, KernelImage kernel)
    {
        var array = _array!;
        if (array.Mask != kernel.ColumnMask || array.StepsPerColumn != kernel.Steps)
        {
            throw Failure(ExecutionDiagnostics.OtherCodeResident(
                span, place, $"the configuration word has {array.StepsPerColumn} steps and column mask {array.Mask}, the kernel {kernel.Steps} and {kernel.ColumnMask}"));
        }

        for (var row = 0; row < 4; row++)
        {
            var meant = kernel.Rows[row];
            var index = 0;
            for (var column = 0; column < 4; column++)
            {
                if ((kernel.ColumnMask >> column & 1) == 0)
                {
                    continue;
                }

                for (var step = 0; step < kernel.Steps; step++, index++)
                {
                    var loaded = array.Store(row, column, step);
                    if (loaded != meant[index])
                    {
                        throw Failure(ExecutionDiagnostics.OtherCodeResident(
                            span, place, $"step {step} of cell ({row},{column}) holds word 0x{loaded:x8} instead of 0x{meant[index]:x8}"));
                    }
                }
            }
        }
    }

    private void Softmax(HostSoftmax step)
    {
        Wait();
        var input = new sbyte[step.Columns];
        var output = new sbyte[step.Columns];
        for (var row = 0; row < step.Rows; row++)
        {
            var first = row * step.Columns;
            for (var column = 0; column < step.Columns; column++)
            {
                input[column] = ReadElement((uint)step.Source, step.SourceLayout, first + column);
            }

            if (!Int8Softmax.Row(input, output, step.Multiplier, step.LeftShift, step.DiffMin))
            {
                throw Failure(ExecutionDiagnostics.SoftmaxUndefined(span, Here, row));
            }

            for (var column = 0; column < step.Columns; column++)
            {
                WriteElement((uint)step.Destination, step.DestinationLayout, first + column, output[column]);
            }
        }

        _clock.Softmax(step.Layer, (long)step.Rows * step.Columns);
    }

    private sbyte ReadElement(uint address, HostElementLayout layout, int index)
    {
        if (layout == HostElementLayout.PackedByte)
        {
            return (sbyte)(Read(address + ((uint)index & ~3u)) >> (8 * (index & 3)));
        }

        var value = (int)Read(address + (4 * (uint)index));
        return value is >= sbyte.MinValue and <= sbyte.MaxValue
            ? (sbyte)value
            : throw Failure(ExecutionDiagnostics.NotInt8(span, Here, address + (4 * (uint)index), value));
    }

    private void WriteElement(uint address, HostElementLayout layout, int index, sbyte value)
    {
        if (layout == HostElementLayout.PackedByte)
        {
            address += (uint)index & ~3u;
            var shift = 8 * (index & 3);
            Write(address, (Read(address) & ~(255u << shift)) | ((uint)(byte)value << shift));
        }
        else
        {
            Write(address + (4 * (uint)index), (uint)(int)value);
        }
    }

    private uint Read(uint address)
    {
        _hostReads++;
        if (_beside && Touched!.WasWritten((int)(address >> 2)))
        {
            throw Failure(ExecutionDiagnostics.Race(span, Here, "reads", address, "writes", _besideLaunch));
        }

        return _memory.TryRead(address, out var word)
            ? word
            : throw new InvalidOperationException("a host step left RAM although it was checked");
    }

    private void Write(uint address, uint word)
    {
        _hostWrites++;
        if (_beside && (Touched!.WasWritten((int)(address >> 2)) || Touched.WasRead((int)(address >> 2))))
        {
            var arrayDoes = Touched.WasWritten((int)(address >> 2)) ? "writes" : "reads";
            throw Failure(ExecutionDiagnostics.Race(span, Here, "writes", address, arrayDoes, _besideLaunch));
        }

        if (!_memory.TryWrite(address, word))
        {
            throw RunsHazards
                ? Failure(SparseMemoryFull(Here, address))
                : new InvalidOperationException("a host step left RAM although it was checked");
        }
    }

    private Diagnostic SparseMemoryFull(string who, uint address) =>
        ExecutionDiagnostics.SparseMemoryFull(span, who, address, SparseWords.MaxPages * (long)SparseWords.PageBytes);

    private void CheckId(string who, int id)
    {
        if (id < 1 || id >= image.Machine.KernelSlots)
        {
            throw Failure(ExecutionDiagnostics.BadKernelId(span, who, id, image.Machine.KernelSlots - 1));
        }
    }

    private Diagnostic Explain(ArrayStop stop, LaunchPlace place, int id)
    {
        var step = _array!.ProgramCounter;
        var fault = _array.Fault;
        return stop switch
        {
            ArrayStop.BadKernelId => ExecutionDiagnostics.BadKernelId(span, place.ToString(), id, image.Machine.KernelSlots - 1),
            ArrayStop.NoColumns => ExecutionDiagnostics.KernelHasNoColumns(span, place),
            ArrayStop.NeverGranted => ExecutionDiagnostics.NeverGranted(span, place, step),
            ArrayStop.StoreResponseTakenAsData => ExecutionDiagnostics.StoreResponseTakenAsData(span, place, step, fault.Row, fault.Column),
            ArrayStop.Paused => ExecutionDiagnostics.KernelNeverEnds(span, place, step, options.MaxCycles),
            _ when RunsHazards => SparseMemoryFull($"{place}, step {step.ToString(CultureInfo.InvariantCulture)}", fault.Address),
            _ when (fault.Address & 3) != 0 => ExecutionDiagnostics.MisalignedAccess(span, place, step, fault.Row, fault.Column, fault.IsWrite, fault.Address),
            _ when fault.Address < image.Machine.Ram.Bytes =>
                ExecutionDiagnostics.ReservedWrite(span, place, step, fault.Row, fault.Column, fault.Address, image.Machine.Ram.ReservedBytes),
            _ => ExecutionDiagnostics.UnmappedAccess(span, place, step, fault.Row, fault.Column, fault.IsWrite, fault.Address, image.Machine.Ram.Bytes),
        };
    }

    private string Here => ImageCheck.Name(_step, image.HostProgram[_step]);

    private static DiagnosticException Failure(Diagnostic diagnostic) => new(diagnostic);
}
