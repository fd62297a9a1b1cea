using System.Collections.Concurrent;
using System.Globalization;
using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Interpreter.OpenEdge;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Passes.Selection;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using CnnCompiler.Targets.OpenEdge.Kernels;

namespace CnnCompiler.Targets.OpenEdge.Selection;

/// <content>Energy: what a launch executes doesn't depend on data either, so one launch is counted for all.</content>
public sealed partial class KernelTimer
{
    /// <summary>How cycles and energy make the cost.</summary>
    public CostWeights Weights { get; private init; } = CostWeights.OfCycles;

    /// <summary>Energies of launches that ran for their cycles and weren't asked for yet.</summary>
    private ConcurrentDictionary<string, long> Noted { get; init; } = new(StringComparer.Ordinal);

    /// <summary>The energies, as a part of what is measured.</summary>
    private string EnergyContent { get; } = $" energy {string.Join(',', EnergyKeys.All.Select(key => machine.Energy[key].ToString(CultureInfo.InvariantCulture)))}";

    /// <summary>The same measurements under other weights.</summary>
    public KernelTimer With(CostWeights weights) => new(machine, store) { Measured = Measured, Noted = Noted, Weights = weights };

    /// <summary>Cycles and femtojoules of all launches of a nest on the array and in RAM, without the host.</summary>
    /// <exception cref="ArrayResourceException">The nest exceeds the array.</exception>
    public (long Cycles, long Femtojoules) ArrayCost(MappedNest nest, MappedProgram program) => ArrayCost(Compile(nest, program).Kernel, program);

    /// <summary>Cycles and femtojoules of all launches of a kernel on the array and in RAM, without the host.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="program">Its program.</param>
    /// <param name="begun">How many of them are launches of their own, not done in a row with the one before; null for as few as can be.</param>
    /// <exception cref="ArrayResourceException">The kernel exceeds the array.</exception>
    public (long Cycles, long Femtojoules) ArrayCost(NestKernel kernel, MappedProgram program, int? begun = null)
    {
        var data = new Addresses(program);
        var code = KernelCompiler.Assemble(kernel, machine);
        return (ArrayCycles(kernel, program, begun), ArrayEnergy(code, kernel, data));
    }

    /// <summary>Femtojoules of the host and of what it moves, while cells are idle.</summary>
    /// <param name="total">Cycles, host included.</param>
    /// <param name="array">Cycles of the array among them.</param>
    /// <param name="work">Cycles in which the host works.</param>
    /// <param name="flash">Words from flash.</param>
    /// <param name="ram">Words that the host reads from RAM or writes to it.</param>
    /// <param name="context">Words into context memory.</param>
    public long HostEnergy(long total, long array, long work, long flash, long ram, long context) => new ArrayActivity
    {
        IdleCellCycles = Cell.Side * Cell.Side * Math.Max(0, total - array),
        RamWrites = ram,
        FlashWords = flash,
        ContextWords = context,
        HostCycles = work,
        HostWaitCycles = Math.Max(0, total - work),
    }.Energy(machine.Energy).Total;

    private long ArrayEnergy(ArrayAssembly code, NestKernel kernel, Addresses data)
    {
        var key = Key(code, kernel, data);
        var first = LaunchEnergy(key + " loaded", code, kernel, data, before: 0);
        return kernel.Launches < 2 ? first : first + ((kernel.Launches - 1L) * LaunchEnergy(key + " resident", code, kernel, data, before: 1));
    }

    private long LaunchEnergy(string key, ArrayAssembly code, NestKernel kernel, Addresses data, int before) => Measured.Get(
        key + " energy",
        () => Noted.TryRemove(key, out var noted) ? noted : Energy(RunOn(code, kernel, data, before)),
        () => Content(code, kernel, data, before) + EnergyContent);

    private long Energy(OpenEdgeArray array) => array.Activity.Energy(machine.Energy).Total;

    /// <summary>Runs launches, the last of which counts; notes its energy.</summary>
    private long Run(ArrayAssembly code, NestKernel kernel, Addresses data, int before)
    {
        var array = RunOn(code, kernel, data, before);
        Noted.TryAdd($"{Key(code, kernel, data)} {(before == 0 ? "loaded" : "resident")}", Energy(array));
        return array.Outcome.Done;
    }
}
