using System.Globalization;
using System.Runtime.InteropServices;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using CnnCompiler.Targets.OpenEdge.Kernels;
using CnnCompiler.Targets.OpenEdge.Selection;

namespace CnnCompiler.Targets.OpenEdge.Emission;

/// <summary>A launch of a program.</summary>
/// <param name="Kernel">What is launched.</param>
/// <param name="Index">Which launch of it; of several in a row the first.</param>
/// <param name="Count">How many of its launches this one does.</param>
/// <param name="Step">The program's step.</param>
/// <param name="Image">Index of its code among those of the sequence.</param>
/// <param name="Code">Index of what the host loads before it, -1 where its code is resident.</param>
/// <param name="Expand">The launch before, which writes the parameters of this one; null where they are constants.</param>
internal sealed record PlannedLaunch(NestKernel Kernel, int Index, int Count, int Step, int Image, int Code, (ExpandKernel Kernel, int Index)? Expand);

/// <summary>All launches of a program in order, and the code that they need: what follows from the program before it is known what lies where in RAM.</summary>
internal sealed class LaunchSequence
{
    private readonly List<ArrayAssembly> _images = [];
    private readonly List<CodeLoad> _codes = [];
    private readonly List<PlannedLaunch> _launches = [];
    private readonly int[] _first;

    /// <summary>Follows a program.</summary>
    /// <param name="program">The program.</param>
    /// <param name="compiled">The kernel of each nest, and its code.</param>
    /// <param name="rows">Row banks of context memory.</param>
    /// <param name="expanded">What writes the parameters of some nests, and its code.</param>
    public LaunchSequence(
        MappedProgram program,
        IReadOnlyDictionary<MappedNest, (NestKernel Kernel, ArrayAssembly Code)> compiled,
        int rows,
        IReadOnlyDictionary<MappedNest, (ExpandKernel Kernel, ArrayAssembly Code)> expanded)
    {
        Expanded = expanded;
        var known = new Dictionary<string, int>(StringComparer.Ordinal);
        var context = new ContextContents(rows);
        var resident = -1;
        _first = new int[program.Steps.Count + 1];
        for (var step = 0; step < program.Steps.Count; step++)
        {
            _first[step] = _launches.Count;
            if (program.Steps[step] is not MappedNest nest)
            {
                continue;
            }

            var (kernel, code) = compiled[nest];
            var image = ImageOf(code);
            var asTheyAre = 0;
            if (expanded.TryGetValue(nest, out var expand))
            {
                asTheyAre = expand.Kernel.Expanded;
                var expanding = ImageOf(expand.Code);
                for (var i = 0; i < expand.Kernel.Launches; i++)
                {
                    var (first, count) = expand.Kernel.Group(i);
                    _launches.Add(new(expand.Kernel, i, 1, step, expanding, Load(expanding, expand.Code), null));
                    _launches.Add(new(kernel, first, count, step, image, Load(image, code), (expand.Kernel, i)));
                }
            }

            for (var launch = asTheyAre; launch < kernel.Launches; launch++)
            {
                _launches.Add(new(kernel, launch, 1, step, image, Load(image, code), null));
            }
        }

        _first[^1] = _launches.Count;

        int Load(int image, ArrayAssembly code)
        {
            if (resident == image)
            {
                return -1;
            }

            resident = image;
            var load = CodeLoad.Of(image, code.Rows, code.Steps, Cell.Side, context.Word);
            context.Load(code.Rows);
            var key = string.Create(CultureInfo.InvariantCulture, $"{image} {Hex(load.Words.Data)} {Hex(load.Packed.Data)}");
            if (!known.TryGetValue(key, out var number))
            {
                known.Add(key, number = _codes.Count);
                _codes.Add(load);
            }

            return number;
        }

        static string Hex(uint[] data) => Convert.ToHexString(MemoryMarshal.AsBytes(data.AsSpan()));
    }

    /// <summary>The code of all kernels.</summary>
    public IReadOnlyList<ArrayAssembly> Images => _images;

    /// <summary>What the host loads before launches.</summary>
    public IReadOnlyList<CodeLoad> Codes => _codes;

    /// <summary>The launches.</summary>
    public IReadOnlyList<PlannedLaunch> Launches => _launches;

    /// <summary>What writes the parameters of some nests.</summary>
    public IReadOnlyDictionary<MappedNest, (ExpandKernel Kernel, ArrayAssembly Code)> Expanded { get; }

    /// <summary>The launches of a step: the first, and the first behind it.</summary>
    public (int First, int End) Of(int step) => (_first[step], _first[step + 1]);

    /// <summary>The launches as the choice of what stays in RAM sees them.</summary>
    /// <param name="program">The program.</param>
    /// <param name="words">Words of the parameter block of a kernel's launch.</param>
    /// <param name="timer">What measures how long the array hides the host; null where that doesn't matter.</param>
    public IReadOnlyList<ResidentLaunch> Resident(MappedProgram program, Func<NestKernel, int, int> words, KernelTimer? timer)
    {
        var resident = new List<ResidentLaunch>(_launches.Count);
        var cycles = new Dictionary<NestKernel, long>(ReferenceEqualityComparer.Instance);
        for (var i = 0; i < _launches.Count; i++)
        {
            // a softmax waits for the array
            var launch = _launches[i];
            var hides = timer is not null && i > 0 && Enumerable.Range(_launches[i - 1].Step, launch.Step - _launches[i - 1].Step).All(step => program.Steps[step] is MappedNest);
            resident.Add(new(
                launch.Code,
                launch.Expand is null ? words(launch.Kernel, launch.Index) : 0,
                launch.Step,
                hides ? Cycles(_launches[i - 1], timer!) : 0,
                launch.Kernel is ExpandKernel expand ? expand.ExpandedWords(launch.Index) : 0));
        }

        return resident;

        long Cycles(PlannedLaunch launch, KernelTimer measure)
        {
            if (!cycles.TryGetValue(launch.Kernel, out var one))
            {
                cycles.Add(launch.Kernel, one = measure.ArrayCycles(launch.Kernel, program, launch.Kernel.Launches) / launch.Kernel.Launches);
            }

            return one * launch.Count;
        }
    }

    private int ImageOf(ArrayAssembly code)
    {
        var known = _images.FindIndex(image => image.Steps == code.Steps && image.Rows.Zip(code.Rows).All(r => r.First.SequenceEqual(r.Second)));
        if (known < 0)
        {
            known = _images.Count;
            _images.Add(code);
        }

        return known;
    }
}
