using System.Security.Cryptography;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Interpreter.OpenEdge;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Passes.Selection;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using CnnCompiler.Targets.OpenEdge.Emission;
using CnnCompiler.Targets.OpenEdge.Kernels;

namespace CnnCompiler.Targets.OpenEdge.Selection;

/// <summary>
/// What a nest costs on a machine. Array cycles are measured: the nest's first launch runs on the interpreter's array engine, which is cycle-exact,
/// once with its code to be loaded and once resident, and two in a row as one where that may be; all launches of a nest run the same code over the same loop counts, and no branch depends on
/// data, so the others take as long as the second (on banked buses up to bank conflicts, which depend on the addresses of each). Around that the host model of
/// <c>openedge-system.md</c> is applied: a launch's parameters are copied while the launch before runs, so the longer of the two counts (and on
/// a shared bus the copied words slow the array down); registers and overhead come on top. Where parameters and code are taken to lie in RAM from the
/// beginning, nothing is copied. Loading code where it changes isn't counted, but for kernels that have code of their own, of which the words count that differ.
/// </summary>
/// <param name="machine">The machine.</param>
/// <param name="store">Costs of other compilations; null for none.</param>
public sealed partial class KernelTimer(MachineDescription machine, ICostStore? store = null)
{
    private const long MaxCycles = 1L << 40;
    private const int KernelId = 1;

    private MeasuredCosts Measured { get; init; } = new(store);

    /// <summary>Cost of all launches of a nest, host included, or <see cref="NestCost.Illegal"/> where it exceeds the array.</summary>
    /// <param name="nest">The nest.</param>
    /// <param name="program">Its program.</param>
    /// <param name="withEnergy">True where energies are asked for, too.</param>
    /// <param name="before">The nest before it, whose code context memory holds; null where that isn't known.</param>
    public NestCost Cost(MappedNest nest, MappedProgram program, bool withEnergy = false, MappedNest? before = null)
    {
        try
        {
            var (kernel, data) = Compile(nest, program);
            var code = KernelCompiler.Assemble(kernel, machine);
            var cycles = ArrayCycles(code, kernel, data);
            var (first, next) = (cycles.First, cycles.Next);
            var launch = kernel.Launch(0, data.Parameters, data);
            var marks = SlidingKernel.SharesMarks(nest, before) ? 0
                : Enumerable.Range(0, kernel.Launches).SelectMany(i => kernel.Launch(i, data.Parameters, data).Marks).Distinct().LongCount() * machine.Host.FlashToRam;
            var load = kernel.HasCodeOfItsOwn ? LoadOf(code, program, before) : null;
            var registers = 1 + launch.Read.Count(p => p is not null) + launch.Write.Count(p => p is not null);
            var start = machine.Host.LaunchOverhead + ((long)registers * machine.Host.RegisterWrite);
            var onArray = withEnergy ? ArrayEnergy(code, kernel, data) : 0;
            var (inRam, fromFlash) = (Cycles(ParameterPlace.Ram), Cycles(ParameterPlace.Flash));
            return withEnergy ? new(inRam, fromFlash, Energy(ParameterPlace.Ram, inRam), Energy(ParameterPlace.Flash, fromFlash)) : new(inRam, fromFlash);

            // in RAM, launches in a row are one
            int Begun(ParameterPlace place) => place == ParameterPlace.Ram ? Groups(kernel) : kernel.Launches;
            long Starts(ParameterPlace place) => start * (long)Begun(place);
            int Copied(ParameterPlace place) => place == ParameterPlace.Flash ? launch.Parameters.Length : 0;
            bool IsFetched(ParameterPlace place) => kernel.StaysInFlash && place == ParameterPlace.Flash;
            CodeForm? Form(ParameterPlace place) => IsFetched(place) ? load?.Words : load?.FastestFromRam(machine.Host);
            long Loading(ParameterPlace place) => Form(place) is not { } form ? 0 : IsFetched(place) ? form.CyclesFromFlash(machine.Host) : form.CyclesFromRam(machine.Host);

            long Cycles(ParameterPlace place)
            {
                var copied = Copied(place);
                var copy = (long)copied * machine.Host.FlashToRam;
                var slower = machine.Bus.Kind == BusKind.Shared ? copied : 0;
                var loaded = machine.Bus.Kind == BusKind.Shared ? Form(place)?.BusWords ?? 0 : 0;
                return marks + loaded + Math.Max(0, Loading(place) - next) + Math.Max(first + slower, copy) + ((Begun(place) - 1L) * Math.Max(next + slower, copy))
                    + ((kernel.Launches - Begun(place)) * cycles.InARow) + Starts(place);
            }

            long Energy(ParameterPlace place, long total)
            {
                var copied = Copied(place) * (long)kernel.Launches;
                var form = Form(place);
                var (loaded, codeFromFlash) = (form?.Data.Length ?? 0, IsFetched(place) ? form?.Data.Length ?? 0 : 0);
                var work = Starts(place) + (copied * machine.Host.FlashToRam) + Loading(place);
                return onArray + HostEnergy(total, cycles.Of(kernel.Launches, Begun(place)), work, copied + codeFromFlash, copied + loaded - codeFromFlash, form?.ContextWords(Cell.Side) ?? 0);
            }
        }
        catch (ArrayResourceException)
        {
            return NestCost.Illegal;
        }
    }

    /// <summary>What of a nest's own code is loaded behind the nest before.</summary>
    private CodeLoad LoadOf(ArrayAssembly code, MappedProgram program, MappedNest? before)
    {
        var context = new ContextContents(machine.Rows);
        if (before is not null)
        {
            context.Load(KernelCompiler.Assemble(Compile(before, program).Kernel, machine).Rows);
        }

        return CodeLoad.Of(0, code.Rows, code.Steps, Cell.Side, context.Word);
    }

    /// <summary>Cycles of all launches of a nest on the array alone, those in a row done as one.</summary>
    /// <exception cref="ArrayResourceException">The nest exceeds the array.</exception>
    public long ArrayCycles(MappedNest nest, MappedProgram program) => ArrayCycles(Compile(nest, program).Kernel, program);

    /// <summary>Cycles of all launches of a kernel on the array alone.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="program">Its program.</param>
    /// <param name="begun">How many of them are launches of their own, not done in a row with the one before; null for as few as can be.</param>
    /// <exception cref="ArrayResourceException">The kernel exceeds the array.</exception>
    public long ArrayCycles(NestKernel kernel, MappedProgram program, int? begun = null) =>
        ArrayCycles(KernelCompiler.Assemble(kernel, machine), kernel, new Addresses(program)).Of(kernel.Launches, begun ?? Groups(kernel));

    /// <summary>Launches of a kernel, those in a row counted once.</summary>
    private static int Groups(NestKernel kernel) => 1 + Enumerable.Range(1, kernel.Launches - 1).Count(i => !kernel.Continues(i));

    private static (NestKernel Kernel, Addresses Data) Compile(MappedNest nest, MappedProgram program)
    {
        var data = new Addresses(program);
        return (KernelCompiler.Compile(nest, data), data);
    }

    /// <summary>What each launch of a nest takes.</summary>
    /// <param name="First">The first launch, which loads the code.</param>
    /// <param name="Next">Each of the others.</param>
    /// <param name="InARow">Each that is done as a part of the launch before it.</param>
    private readonly record struct LaunchTimes(long First, long Next, long InARow)
    {
        /// <summary>All launches.</summary>
        /// <param name="launches">How many.</param>
        /// <param name="begun">How many of them are launches of their own.</param>
        public long Of(int launches, int begun) => First + ((begun - 1L) * Next) + ((launches - begun) * InARow);
    }

    private LaunchTimes ArrayCycles(ArrayAssembly code, NestKernel kernel, Addresses data)
    {
        var key = Key(code, kernel, data);
        var first = Measured.Get(key + " loaded", () => Run(code, kernel, data, before: 0), () => Content(code, kernel, data, before: 0));
        if (kernel.Launches < 2)
        {
            return new(first, first, first);
        }

        var next = Measured.Get(key + " resident", () => Run(code, kernel, data, before: 1), () => Content(code, kernel, data, before: 1));
        return kernel.Continues(1)
            ? new(first, next, Measured.Get(key + " in a row", () => RunOn(code, kernel, data, 0, 2).Outcome.Done - first, () => Content(code, kernel, data, before: 0) + " in a row"))
            : new(first, next, next);
    }

    /// <summary>What decides the time: the code, in which loop counts are constants, or known beside it, but weights don't matter; where memory has banks all addresses, too.</summary>
    private string Key(ArrayAssembly code, NestKernel kernel, Addresses data)
    {
        var words = code.Rows.SelectMany(r => r).ToArray();
        for (var i = 0; kernel.MultipliesDataOnly && i < words.Length; i++)
        {
            words[i] = new OpenEdgeInstruction(words[i]) is { Opcode: OpenEdgeOpcode.SMul } product ? product.WithImmediate(0).Word : words[i];
        }

        uint[] content = machine.Bus.Kind == BusKind.Banked ? [.. words, .. Placed(kernel.InARow(0, kernel.Launches > 1 && kernel.Continues(1) ? 2 : 1, data.Parameters, data), data)] : words;
        var hash = Convert.ToHexStringLower(SHA256.HashData(System.Runtime.InteropServices.MemoryMarshal.AsBytes(content.AsSpan())));
        return string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{hash} {kernel.Trips}");
    }

    /// <summary>What is measured, for other compilations: the bus, all that its cycles depend on, and the launches before.</summary>
    private string Content(ArrayAssembly code, NestKernel kernel, Addresses data, int before) => string.Create(
        System.Globalization.CultureInfo.InvariantCulture, $"openedge 2 {machine.Bus} steps {code.Steps} before {before} {Key(code, kernel, data)}");

    /// <summary>The words of a launch in memory and where everything lies.</summary>
    private static IEnumerable<uint> Placed(KernelLaunch launch, Addresses data) => launch.Parameters
        .Concat(launch.Marks.SelectMany(m => new[] { (uint)m.Address, m.Word }))
        .Concat(launch.Read.Concat(launch.Write).Select(p => Value(p, data)))
        .Append((uint)data.Parameters);

    private static uint Value(LaunchPointer? pointer, Addresses data) => pointer is { } p ? (uint)(p.Address + (p.InParameters ? data.Parameters : 0)) : 0;

    private OpenEdgeArray RunOn(ArrayAssembly code, NestKernel kernel, Addresses data, int before, int inARow = 1)
    {
        var launch = kernel.InARow(0, inARow, data.Parameters, data);
        var words = new SparseWords();
        for (var i = 0; i < launch.Parameters.Length; i++)
        {
            words.TrySet((uint)(data.Parameters + (i * NestView.WordBytes)), launch.Parameters[i]);
        }

        foreach (var (address, word) in launch.Marks)
        {
            words.TrySet((uint)address, word);
        }

        var array = new OpenEdgeArray(machine.Bus);
        for (var row = 0; row < Cell.Side; row++)
        {
            for (var i = 0; i < code.Rows[row].Count; i++)
            {
                array.WriteContext(row, i, code.Rows[row][i]);
            }
        }

        array.WriteConfiguration(KernelId, new OpenEdgeKernelConfiguration(code.Steps, 0, (1 << Cell.Side) - 1).Encode());
        for (var column = 0; column < Cell.Side; column++)
        {
            array.WriteReadPointer(column, Value(launch.Read[column], data));
            array.WriteWritePointer(column, Value(launch.Write[column], data));
        }

        var memory = new SparseMemory(words);
        for (var run = 0; run <= before; run++)
        {
            array.Begin(KernelId);
            if (array.Continue(ref memory, MaxCycles) is var stop && stop != ArrayStop.Done)
            {
                throw new InvalidOperationException($"{kernel.Nest.Name} did not end: {stop}");
            }
        }

        return array;
    }

    /// <summary>Buffers one after the other; no memory is short here.</summary>
    private sealed class Addresses : IKernelData
    {
        /// <summary>Bytes from the parameters to the block that a launch expands.</summary>
        private const int FarBehind = 1 << 24;

        private readonly Dictionary<string, int> _addresses = new(StringComparer.Ordinal);
        private readonly Dictionary<string, Tensor> _constants;

        public Addresses(MappedProgram program)
        {
            _constants = program.Constants.ToDictionary(c => c.Name, c => c.Value, StringComparer.Ordinal);
            var next = 0;
            foreach (var buffer in program.Buffers)
            {
                _addresses.Add(buffer.Name, next);
                next += buffer.Words * NestView.WordBytes;
            }

            Parameters = next;
        }

        public int Parameters { get; }

        public int AddressOf(string buffer) => buffer == ExpandKernel.Block ? Parameters + FarBehind : _addresses[buffer];

        public Tensor Constant(string name) => _constants[name];
    }
}
