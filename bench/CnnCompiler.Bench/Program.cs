using BenchmarkDotNet.Running;
using CnnCompiler.Bench;

// dotnet run -c Release --project bench/CnnCompiler.Bench -- --filter '*'
// dotnet run -c Release --project bench/CnnCompiler.Bench -- selector
// dotnet run -c Release --project bench/CnnCompiler.Bench -- systolic
if (args is ["selector"])
{
    SelectorBench.Run();
    return 0;
}

if (args is ["systolic"])
{
    SystolicBench.Run();
    return 0;
}

return BenchmarkSwitcher.FromAssembly(typeof(ArrayBenchmarks).Assembly).Run(args).Any(summary => summary.HasCriticalValidationErrors) ? 1 : 0;
