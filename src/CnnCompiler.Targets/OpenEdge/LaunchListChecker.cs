using System.Buffers.Binary;
using System.Globalization;
using CnnCompiler.Image.Container;
using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Targets.OpenEdge;

/// <summary>
/// Checks a finished image against the rules of <c>specs/openedge.md</c> that hardware does not check: it walks the host program once, keeping what every
/// column and context word holds, and looks at each kernel's control flow. Nothing is shared with what makes images.
/// </summary>
public sealed class LaunchListChecker
{
    private const int WordBytes = 4;

    private readonly CnnImage _image;
    private readonly MachineDescription _machine;
    private readonly List<Diagnostic> _faults = [];
    private readonly bool[] _usable;

    // What context memory, columns and, by the host's copies, RAM hold, while the host program is walked. Loads are numbered from 1.
    private readonly int[] _wordOwner;
    private readonly Loaded?[] _configured;
    private readonly (int Id, int Kernel)?[] _resident;
    private readonly bool[] _readPointerSet;
    private readonly bool[] _writePointerSet;
    private readonly List<int> _kernelOfLoad = [-1];
    private readonly uint?[] _words;
    private readonly Dictionary<int, uint> _ram = [];

    private LaunchListChecker(CnnImage image)
    {
        (_image, _machine) = (image, image.Machine);
        _usable = new bool[image.Kernels.Count];
        _wordOwner = new int[Math.Clamp(_machine.ContextWordsPerRow, 0, 1 << 20)];
        _words = new uint?[_wordOwner.Length * Math.Clamp(_machine.Rows, 0, 64)];
        _configured = new Loaded?[Math.Clamp(_machine.KernelSlots, 0, 1 << 16)];
        var columns = Math.Clamp(_machine.Columns, 0, 64);
        (_resident, _readPointerSet, _writePointerSet) = (new (int, int)?[columns], new bool[columns], new bool[columns]);
    }

    /// <summary>The faults of an image; none where it is right.</summary>
    public static IReadOnlyList<Diagnostic> Check(CnnImage image)
    {
        var checker = new LaunchListChecker(image);
        checker.CheckData();
        for (var k = 0; k < image.Kernels.Count; k++)
        {
            checker._usable[k] = checker.CheckKernel(image.Kernels[k]);
        }

        for (var s = 0; s < image.HostProgram.Count; s++)
        {
            checker.CheckStep(image.HostProgram[s], Text($"host step {s}"));
        }

        return checker._faults;
    }

    private bool CheckKernel(KernelImage kernel)
    {
        var before = _faults.Count;
        if (kernel.Steps < _machine.MinStepsPerKernel || kernel.Steps > _machine.StepsPerKernel)
        {
            _faults.Add(LaunchListDiagnostics.StepCount(kernel.Name, kernel.Steps, _machine.MinStepsPerKernel, _machine.StepsPerKernel));
        }

        if (kernel.ColumnMask < 1 || kernel.ColumnMask >= 1 << _resident.Length || (kernel.ColumnMask & (kernel.ColumnMask + 1)) != 0)
        {
            _faults.Add(LaunchListDiagnostics.ColumnMask(kernel.Name, kernel.ColumnMask));
        }

        if (_faults.Count > before)
        {
            return false;
        }

        var words = kernel.Steps * Columns(kernel);
        if (kernel.Rows.Count != _machine.Rows || kernel.Rows.Any(row => row.Count != words))
        {
            _faults.Add(LaunchListDiagnostics.Malformed($"kernel {kernel.Name}", Text($"its code is not {words} words in each of {_machine.Rows} rows")));
            return false;
        }

        CheckFlash(kernel, words);
        _faults.AddRange(KernelFlow.Check(kernel, _machine));
        return true;
    }

    private void CheckFlash(KernelImage kernel, int words)
    {
        if (!Range($"kernel {kernel.Name}", "its code", kernel.Flash, (long)words * kernel.Rows.Count, flash: true, write: false))
        {
            return;
        }

        var flash = _image.Flash.Span[kernel.Flash..];
        for (var row = 0; row < kernel.Rows.Count; row++)
        {
            for (var w = 0; w < words; w++)
            {
                if (BinaryPrimitives.ReadUInt32LittleEndian(flash[(((row * words) + w) * WordBytes)..]) != kernel.Rows[row][w])
                {
                    _faults.Add(LaunchListDiagnostics.FlashDiffers(kernel.Name, row, w));
                    return;
                }
            }
        }
    }

    private void CheckData()
    {
        long end = 0;
        for (var b = 0; b < _image.RamConstants.Count; b++)
        {
            var block = _image.RamConstants[b];
            _ = Range(Text($"RAM block {b}"), "its words", block.Address, block.Words.Length, flash: false, write: true);
            if (block.Address < end)
            {
                _faults.Add(LaunchListDiagnostics.BlockOrder(b, block.Address, end));
            }

            end = block.Address + ((long)block.Words.Length * WordBytes);
            Put(block.Address, block.Words.Span);
        }

        foreach (var tensor in _image.Inputs.Concat(_image.Outputs))
        {
            var bytes = tensor.Shape.Aggregate(tensor.Type == ImageElementType.Int8 ? 1L : WordBytes, (product, extent) => extent < 0 || product > int.MaxValue ? long.MaxValue / (1L << 32) : product * extent);
            _ = Range($"tensor {tensor.Name}", "its elements", tensor.Address, (bytes + WordBytes - 1) / WordBytes, flash: false, write: true);
        }
    }

    private void CheckStep(HostStep step, string where)
    {
        if (step.Layer < -1 || step.Layer >= _image.Layers.Count)
        {
            _faults.Add(LaunchListDiagnostics.Malformed(where, Text($"layer {step.Layer} of {_image.Layers.Count}")));
        }

        switch (step)
        {
            case HostLoadKernel load:
                Load(load, where);
                break;
            case HostPatchKernel patch:
                Patch(patch, where);
                break;
            case HostLaunch launch:
                Launch(launch, where);
                break;
            case HostCopyFlash copy:
                if (Range(where, "the source", copy.Source, copy.Words, flash: true, write: false)
                    && Range(where, "the destination", copy.Destination, copy.Words, flash: false, write: true))
                {
                    Put(copy.Destination, FlashWords(copy.Source, copy.Words));
                }

                break;
            case HostCopyRam copy:
                _ = Range(where, "the source", copy.Source, copy.Words, flash: false, write: false);
                _ = Range(where, "the destination", copy.Destination, copy.Words, flash: false, write: true);
                if (copy.Words > 0 && Math.Abs((long)copy.Source - copy.Destination) < (long)copy.Words * WordBytes)
                {
                    _faults.Add(LaunchListDiagnostics.CopyOverlap(where, copy.Source, copy.Destination, (long)copy.Words * WordBytes));
                }

                break;
            case HostSoftmax softmax:
                Softmax(softmax, where);
                break;
            case HostWait:
                break;
            default:
                _faults.Add(LaunchListDiagnostics.Malformed(where, $"no such step: {step.GetType().Name}"));
                break;
        }
    }

    private void Softmax(HostSoftmax softmax, string where)
    {
        if (softmax.Rows < 1 || softmax.Columns < 1 || softmax.SourceLayout is not (HostElementLayout.Word or HostElementLayout.PackedByte)
            || softmax.DestinationLayout is not (HostElementLayout.Word or HostElementLayout.PackedByte))
        {
            _faults.Add(LaunchListDiagnostics.Malformed(where, Text($"softmax of {softmax.Rows} rows of {softmax.Columns} in layouts {softmax.SourceLayout} and {softmax.DestinationLayout}")));
            return;
        }

        var elements = (long)softmax.Rows * softmax.Columns;
        _ = Range(where, "the source", softmax.Source, (elements + (int)softmax.SourceLayout - 1) / (int)softmax.SourceLayout, flash: false, write: false);
        _ = Range(where, "the destination", softmax.Destination, (elements + (int)softmax.DestinationLayout - 1) / (int)softmax.DestinationLayout, flash: false, write: true);
    }

    /// <summary>The words that the host puts into RAM; the array's own aren't followed.</summary>
    private void Put(int address, ReadOnlySpan<uint> words)
    {
        for (var i = 0; i < words.Length; i++)
        {
            _ram[address + (i * WordBytes)] = words[i];
        }
    }

    private uint[] FlashWords(int address, int words) =>
        [.. Enumerable.Range(0, words).Select(i => BinaryPrimitives.ReadUInt32LittleEndian(_image.Flash.Span[(address + (i * WordBytes))..]))];

    private void Patch(HostPatchKernel patch, string where)
    {
        if (Begin(patch.Kernel, patch.KernelId, patch.Start, where) is not { } words
            || !Range(where, "the source", patch.Source, patch.Words, flash: patch.From == PatchSource.Flash, write: false))
        {
            return;
        }

        var kernel = _image.Kernels[patch.Kernel];
        uint[] data = patch.From == PatchSource.Flash
            ? FlashWords(patch.Source, patch.Words)
            : [.. Enumerable.Range(0, patch.Words).Select(i => _ram.GetValueOrDefault(patch.Source + (i * WordBytes)))];
        foreach (var change in KernelChanges.Decode(data, kernel.Steps, Columns(kernel), patch.From == PatchSource.PackedRam) ?? [])
        {
            ref var word = ref _words[(change.Row * _wordOwner.Length) + patch.Start + change.Word];
            word = change.Of(word ?? 0);
        }

        for (var row = 0; row < kernel.Rows.Count; row++)
        {
            for (var word = 0; word < words; word++)
            {
                if (_words[(row * _wordOwner.Length) + patch.Start + word] != kernel.Rows[row][word])
                {
                    _faults.Add(LaunchListDiagnostics.PatchDiffers(where, kernel.Name, row, word));
                    _configured[patch.KernelId] = null;
                    return;
                }
            }
        }

        Own(patch.Kernel, patch.KernelId, patch.Start, words);
    }

    /// <summary>Context words a row of a kernel that is about to be loaded, or null where something doesn't exist.</summary>
    private int? Begin(int index, int id, int start, string where)
    {
        if (!KernelExists(index, where) || !IdExists(id, where))
        {
            return null;
        }

        var kernel = _image.Kernels[index];
        var words = kernel.Steps * Columns(kernel);
        if (start < 0 || start + words > _wordOwner.Length)
        {
            _faults.Add(LaunchListDiagnostics.ContextLines(where, kernel.Name, start, words, _wordOwner.Length));
            _configured[id] = null;
            return null;
        }

        return words;
    }

    private void Own(int kernel, int id, int start, int words)
    {
        // the words may belong to the kernel that runs: the cells hold their own copy, and the step waits until that launch has loaded
        var number = _kernelOfLoad.Count;
        _kernelOfLoad.Add(kernel);
        Array.Fill(_wordOwner, number, start, words);
        _configured[id] = new(kernel, number, start, words);
    }

    private void Load(HostLoadKernel load, string where)
    {
        if (Begin(load.Kernel, load.KernelId, load.Start, where) is not { } words)
        {
            return;
        }

        var kernel = _image.Kernels[load.Kernel];
        if (load.Ram is { } ram && (!Range(where, "the source", ram, (long)words * kernel.Rows.Count, flash: false, write: false) || !IsInRam(ram, kernel)))
        {
            _faults.Add(LaunchListDiagnostics.RamDiffers(where, kernel.Name, ram));
        }

        for (var row = 0; row < kernel.Rows.Count; row++)
        {
            for (var word = 0; word < words; word++)
            {
                _words[(row * _wordOwner.Length) + load.Start + word] = kernel.Rows[row][word];
            }
        }

        Own(load.Kernel, load.KernelId, load.Start, words);
    }

    private bool IsInRam(int address, KernelImage kernel) =>
        kernel.Rows.SelectMany(row => row).Select((word, i) => _ram.TryGetValue(address + (i * WordBytes), out var held) && held == word).All(same => same);

    private void Launch(HostLaunch step, string where)
    {
        if (step.Launch < 0 || step.Launch >= _image.Launches.Count)
        {
            _faults.Add(LaunchListDiagnostics.Malformed(where, Text($"launch {step.Launch} of {_image.Launches.Count}")));
            return;
        }

        where = Text($"{where}, launch {step.Launch}");
        var launch = _image.Launches[step.Launch];
        CheckPointers(launch, where);
        if (!KernelExists(launch.Kernel, where) || !IdExists(launch.KernelId, where))
        {
            return;
        }

        var kernel = _image.Kernels[launch.Kernel];
        if (_configured[launch.KernelId] is not { } loaded)
        {
            _faults.Add(LaunchListDiagnostics.NotLoaded(where, kernel.Name, launch.KernelId));
            return;
        }

        if (loaded.Kernel != launch.Kernel)
        {
            _faults.Add(LaunchListDiagnostics.WrongKernel(where, kernel.Name, launch.KernelId, _image.Kernels[loaded.Kernel].Name));
            kernel = _image.Kernels[loaded.Kernel];
        }

        CheckResidency(launch.KernelId, loaded, kernel, where);
        CheckPointersUsed(kernel, where);
        for (var column = 0; column < Columns(kernel); column++)
        {
            _resident[column] = (launch.KernelId, loaded.Kernel);
        }
    }

    private void CheckResidency(int id, Loaded loaded, KernelImage kernel, string where)
    {
        // Masks are prefixes and an id stands for one kernel, so that whatever replaced a higher column replaced the lower ones too: that a lower column is
        // resident and a higher one loads (and gets the lower one's code) can't happen.
        var loads = false;
        for (var column = 0; column < Columns(kernel); column++)
        {
            if (_resident[column] is { } resident && resident.Id == id)
            {
                // the same code loaded again under its id is the code that the column holds
                if (resident.Kernel != loaded.Kernel)
                {
                    _faults.Add(LaunchListDiagnostics.StillResident(where, kernel.Name, id, column, _image.Kernels[resident.Kernel].Name));
                    return;
                }

                continue;
            }

            loads = true;
        }

        for (var w = loaded.Start; loads && w < loaded.Start + loaded.Words; w++)
        {
            if (_wordOwner[w] != loaded.Number)
            {
                _faults.Add(LaunchListDiagnostics.Overwritten(where, kernel.Name, id, w, _image.Kernels[_kernelOfLoad[_wordOwner[w]]].Name));
                return;
            }
        }
    }

    private void CheckPointers(Launch launch, string where)
    {
        if (launch.ReadPointers.Count != _resident.Length || launch.WritePointers.Count != _resident.Length)
        {
            _faults.Add(LaunchListDiagnostics.Malformed(where, Text($"{launch.ReadPointers.Count} read and {launch.WritePointers.Count} write pointers for {_resident.Length} columns")));
            return;
        }

        for (var column = 0; column < _resident.Length; column++)
        {
            if (launch.ReadPointers[column] is { } read)
            {
                _readPointerSet[column] = true;
                _ = Range(where, Text($"the read pointer of column {column}"), read, 1, flash: false, write: false);
            }

            if (launch.WritePointers[column] is { } write)
            {
                _writePointerSet[column] = true;
                _ = Range(where, Text($"the write pointer of column {column}"), write, 1, flash: false, write: true);
            }
        }
    }

    private void CheckPointersUsed(KernelImage kernel, string where)
    {
        for (var column = 0; column < Columns(kernel); column++)
        {
            var code = kernel.Rows.SelectMany(row => row.Skip(column * kernel.Steps).Take(kernel.Steps)).Select(word => OpenEdgeInstructionSet.Get(new OpenEdgeInstruction(word)).Kind).ToHashSet();
            if (code.Contains(OpenEdgeInstructionKind.LoadDirect) && !_readPointerSet[column])
            {
                _faults.Add(LaunchListDiagnostics.PointerNeverSet(where, kernel.Name, column, "read"));
            }

            if (code.Contains(OpenEdgeInstructionKind.StoreDirect) && !_writePointerSet[column])
            {
                _faults.Add(LaunchListDiagnostics.PointerNeverSet(where, kernel.Name, column, "write"));
            }
        }
    }

    // Faulty kernels are reported once, where they are defined, and not followed.
    private bool KernelExists(int kernel, string where)
    {
        if (kernel >= 0 && kernel < _usable.Length)
        {
            return _usable[kernel];
        }

        _faults.Add(LaunchListDiagnostics.Malformed(where, Text($"kernel {kernel} of {_usable.Length}")));
        return false;
    }

    private bool IdExists(int id, string where)
    {
        if (id >= 1 && id < _configured.Length)
        {
            return true;
        }

        _faults.Add(LaunchListDiagnostics.KernelId(where, id, _configured.Length));
        return false;
    }

    private bool Range(string where, string what, long address, long words, bool flash, bool write)
    {
        var before = _faults.Count;
        var size = flash ? Math.Min(_image.Flash.Length, _machine.FlashBytes) : _machine.Ram.Bytes;
        if (words < 0)
        {
            _faults.Add(LaunchListDiagnostics.Malformed(where, Text($"{what} has {words} words")));
            return false;
        }

        if (address % WordBytes != 0)
        {
            _faults.Add(LaunchListDiagnostics.Unaligned(where, what + " at", address));
        }

        if (address < 0 || words > size || address + (words * WordBytes) > size)
        {
            _faults.Add(LaunchListDiagnostics.Outside(where, what, address, address + (Math.Min(words, int.MaxValue) * WordBytes), flash ? "flash" : "RAM", size));
        }
        else if (write && words > 0 && address < _machine.Ram.ReservedBytes)
        {
            _faults.Add(LaunchListDiagnostics.WritesReserve(where, what, address, _machine.Ram.ReservedBytes));
        }

        return _faults.Count == before;
    }

    private static int Columns(KernelImage kernel) => System.Numerics.BitOperations.PopCount((uint)kernel.ColumnMask);

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    /// <summary>Code in context memory under an id.</summary>
    private sealed record Loaded(int Kernel, int Number, int Start, int Words);
}
