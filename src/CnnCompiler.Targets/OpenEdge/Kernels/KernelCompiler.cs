using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>
/// The kernels of the target, by the name of their strategy. A nest's kernel is needed many times while the mapping of its program is chosen: it is kept as
/// long as the nest, and made again where a constant that went into it is another one.
/// </summary>
public static class KernelCompiler
{
    private static readonly ConditionalWeakTable<MappedNest, Compiled> Kernels = [];
    private static readonly ConditionalWeakTable<NestKernel, Assembled> Codes = [];

    /// <summary>By the first constant of code: what kernels of equal nests share, however often a program is mapped.</summary>
    private static readonly ConditionalWeakTable<Tensor, ConcurrentDictionary<SharedKey, ArrayAssembly>> SharedCodes = [];

    /// <summary>Compiles a nest with the kernel it names.</summary>
    /// <exception cref="ArrayResourceException">The nest exceeds the array.</exception>
    /// <exception cref="InvalidOperationException">There is no kernel of that name.</exception>
    public static NestKernel Compile(MappedNest nest, IKernelData data)
    {
        if (Kernels.TryGetValue(nest, out var known) && known.Constants.All(c => ReferenceEquals(data.Constant(c.Name), c.Value)))
        {
            return known.Kernel;
        }

        var constants = new ReadConstants(data);
        var kernel = Make(nest, constants);
        Kernels.AddOrUpdate(nest, new(kernel, constants.Read));
        return kernel;
    }

    /// <summary>The code of a kernel.</summary>
    /// <exception cref="ArrayResourceException">The kernel exceeds the array.</exception>
    public static ArrayAssembly Assemble(NestKernel kernel, MachineDescription machine)
    {
        if (Codes.TryGetValue(kernel, out var known) && ReferenceEquals(known.Machine, machine))
        {
            return known.Code;
        }

        var code = kernel.CodeConstants is { } constants
            ? SharedCodes.GetOrCreateValue(constants[0]).GetOrAdd(new(machine, SharedPart(kernel.Nest, constants.Count), constants), _ => ArrayAssembler.Assemble(kernel.Program, machine))
            : ArrayAssembler.Assemble(kernel.Program, machine);
        Codes.AddOrUpdate(kernel, new(machine, code));
        return code;
    }

    /// <summary>A nest without what code that is shared doesn't depend on: names, where buffers begin.</summary>
    /// <param name="nest">The nest.</param>
    /// <param name="constants">Operands that are constants: those behind the first.</param>
    private static MappedNest SharedPart(MappedNest nest, int constants)
    {
        static MappedAccess Steps(MappedAccess access) => new(string.Empty, access.Element with { Constant = 0 });
        return nest with
        {
            Name = string.Empty,
            Origin = default,
            Operands = [Steps(nest.Operands[0]), .. nest.Operands.Skip(1).Take(constants).Select(o => o with { Target = string.Empty })],
            Output = Steps(nest.Output),
        };
    }

    /// <summary>What decides the code of kernels that share it.</summary>
    private sealed class SharedKey(MachineDescription machine, MappedNest nest, IReadOnlyList<Tensor> constants) : IEquatable<SharedKey>
    {
        private readonly int _hash = constants.Aggregate(nest.GetHashCode(), (hash, constant) => HashCode.Combine(hash, RuntimeHelpers.GetHashCode(constant)));
        private readonly MachineDescription _machine = machine;
        private readonly MappedNest _nest = nest;
        private readonly IReadOnlyList<Tensor> _constants = constants;

        public bool Equals(SharedKey? other) => other is not null && _hash == other._hash && ReferenceEquals(_machine, other._machine)
            && _constants.Count == other._constants.Count && _constants.Zip(other._constants).All(pair => ReferenceEquals(pair.First, pair.Second)) && _nest.Equals(other._nest);

        public override bool Equals(object? obj) => Equals(obj as SharedKey);

        public override int GetHashCode() => _hash;
    }

    private sealed record Compiled(NestKernel Kernel, IReadOnlyList<(string Name, Tensor Value)> Constants);

    private sealed record Assembled(MachineDescription Machine, ArrayAssembly Code);

    /// <summary>Constants, and which of them were asked for.</summary>
    private sealed class ReadConstants(IKernelData data) : IKernelData
    {
        private readonly List<(string Name, Tensor Value)> _read = [];

        public IReadOnlyList<(string Name, Tensor Value)> Read => _read;

        public int AddressOf(string buffer) => data.AddressOf(buffer);

        public Tensor Constant(string name)
        {
            var value = data.Constant(name);
            if (_read.All(r => r.Name != name))
            {
                _read.Add((name, value));
            }

            return value;
        }
    }

    private static NestKernel Make(MappedNest nest, IKernelData data) => nest.Kernel switch
    {
        ContractKernel.Strategy => new ContractKernel(nest),
        HalvesKernel.Strategy or HalvesKernel.InputsStrategy => new HalvesKernel(nest),
        HalvesPairsKernel.Strategy or HalvesPairsKernel.InputsStrategy => new HalvesPairsKernel(nest),
        HalvesContractKernel.Strategy => new HalvesContractKernel(nest),
        InputPairsKernel.Strategy => new InputPairsKernel(nest),
        DirectKernel.Strategy => new DirectKernel(nest, data),
        MatrixKernel.Strategy => new MatrixKernel(nest, data),
        StarKernel.Strategy or StarKernel.PointStrategy => new StarKernel(nest, data),
        StarPlanesKernel.Strategy or StarPlanesKernel.PointStrategy => new StarPlanesKernel(nest),
        StarCodesKernel.Strategy or StarCodesKernel.PointStrategy => new StarCodesKernel(nest, data),
        Published.WeightParallelKernel.Strategy => new Published.WeightParallelKernel(nest),
        Published.ChannelParallelKernel.Strategy or Published.ChannelParallelKernel.PatchStrategy => new Published.ChannelParallelKernel(nest),
        Published.InputParallelKernel.Strategy => new Published.InputParallelKernel(nest),
        PlanesKernel.Strategy => new PlanesKernel(nest),
        RowsInKernel.Strategy => new RowsInKernel(nest, data),
        RowsOutKernel.Strategy => new RowsOutKernel(nest, data),
        WindowKernel.Strategy => new WindowKernel(nest),
        TotalsKernel.Strategy => new TotalsKernel(nest),
        SlidingKernel.Strategy or SlidingKernel.PackedStrategy => new SlidingKernel(nest, data),
        SlidingPlanesKernel.Strategy => new SlidingPlanesKernel(nest),
        DenseKernel.Strategy => new DenseKernel(nest),
        DensePairsKernel.Strategy => new DensePairsKernel(nest, data),
        RequantizeKernel.Strategy => new RequantizeKernel(nest, data),
        RequantizeCellsKernel.Strategy => new RequantizeCellsKernel(nest),
        RequantizeConstantsKernel.Strategy => new RequantizeConstantsKernel(nest, data),
        RequantizeHalvesKernel.Strategy => new RequantizeHalvesKernel(nest, data),
        RequantizePairsKernel.Strategy => new RequantizePairsKernel(nest),
        RequantizeQuadsKernel.Strategy => new RequantizeQuadsKernel(nest, data),
        RequantizeShortKernel.Strategy => new RequantizeShortKernel(nest, data),
        StepsKernel.Strategy => new StepsKernel(nest),
        TableKernel.Strategy => new TableKernel(nest),
        CombineKernel.Strategy => new CombineKernel(nest),
        ConstantKernel.Strategy => new ConstantKernel(nest),
        AddKernel.Strategy => new AddKernel(nest),
        AddShortKernel.Strategy => new AddShortKernel(nest),
        PointKernel.Strategy => new PointKernel(nest),
        FillKernel.Strategy => new FillKernel(nest),
        FillRunsKernel.Strategy => new FillRunsKernel(nest),
        UnpackKernel.Strategy => new UnpackKernel(nest),
        PackKernel.Strategy => new PackKernel(nest),
        UnpackLinesKernel.Strategy => new UnpackLinesKernel(nest),
        PackLinesKernel.Strategy => new PackLinesKernel(nest),
        _ => throw new InvalidOperationException($"{nest.Name}: no kernel is called {nest.Kernel}"),
    };
}
