using BenchmarkDotNet.Attributes;
using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Interpreter.OpenEdge;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Bench;

/// <summary>
/// Speed of the array engine with all 16 cells busy. The time per operation is that of one array cycle: 5 million cycles a second are
/// 200 ns.
/// </summary>
[InProcess]
[WarmupCount(3)]
[IterationCount(5)]
public class ArrayBenchmarks
{
    /// <summary>Cycles of one measured launch, about.</summary>
    public const int Cycles = 1_000_000;

    private readonly uint[] _ram = new uint[131072];
    private OpenEdgeArray _array = null!;

    /// <summary>Bus.</summary>
    [Params(BusKind.Ideal, BusKind.Shared, BusKind.Banked)]
    public BusKind Bus { get; set; }

    /// <summary>Engine.</summary>
    [Params(KernelEngine.Interpreted, KernelEngine.Compiled)]
    public KernelEngine Engine { get; set; }

    /// <summary>Kernel.</summary>
    [Params(BenchKernel.Arithmetic, BenchKernel.MultiplyAndLoad, BenchKernel.Mixed)]
    public BenchKernel Kernel { get; set; }

    /// <summary>Loads the kernel.</summary>
    [GlobalSetup]
    public void Prepare()
    {
        _array = new OpenEdgeArray(Bus == BusKind.Banked ? new BusDescription(Bus, 8) : new BusDescription(Bus)) { Engine = Engine };
        BenchKernels.Load(_array, Kernel);
    }

    /// <summary>Runs it.</summary>
    [Benchmark(OperationsPerInvoke = Cycles)]
    public long ArrayCycle() => BenchKernels.Run(_array, _ram, Cycles);
}
