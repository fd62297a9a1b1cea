using CnnCompiler.Ir.Mapped;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>The kernels of the target, by the name of their strategy.</summary>
public static class KernelCompiler
{
    /// <summary>Compiles a nest with the kernel it names.</summary>
    /// <exception cref="ArrayPrograms.ArrayResourceException">The nest exceeds the array.</exception>
    /// <exception cref="InvalidOperationException">There is no kernel of that name.</exception>
    public static NestKernel Compile(MappedNest nest, IKernelData data) => nest.Kernel switch
    {
        ContractKernel.Strategy => new ContractKernel(nest),
        HalvesKernel.Strategy => new HalvesKernel(nest),
        HalvesPairsKernel.Strategy => new HalvesPairsKernel(nest),
        HalvesContractKernel.Strategy => new HalvesContractKernel(nest),
        DirectKernel.Strategy => new DirectKernel(nest, data),
        StarKernel.Strategy or StarKernel.PointStrategy => new StarKernel(nest, data),
        StarPlanesKernel.Strategy or StarPlanesKernel.PointStrategy => new StarPlanesKernel(nest),
        StarCodesKernel.Strategy or StarCodesKernel.PointStrategy => new StarCodesKernel(nest, data),
        Published.WeightParallelKernel.Strategy => new Published.WeightParallelKernel(nest),
        Published.ChannelParallelKernel.Strategy or Published.ChannelParallelKernel.PatchStrategy => new Published.ChannelParallelKernel(nest),
        Published.InputParallelKernel.Strategy => new Published.InputParallelKernel(nest),
        PlanesKernel.Strategy => new PlanesKernel(nest),
        WindowKernel.Strategy => new WindowKernel(nest),
        TotalsKernel.Strategy => new TotalsKernel(nest),
        SlidingKernel.Strategy => new SlidingKernel(nest, data),
        DenseKernel.Strategy => new DenseKernel(nest),
        DensePairsKernel.Strategy => new DensePairsKernel(nest, data),
        RequantizeKernel.Strategy => new RequantizeKernel(nest, data),
        RequantizeCellsKernel.Strategy => new RequantizeCellsKernel(nest),
        RequantizeConstantsKernel.Strategy => new RequantizeConstantsKernel(nest, data),
        RequantizePairsKernel.Strategy => new RequantizePairsKernel(nest),
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
