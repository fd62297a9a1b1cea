using BenchmarkDotNet.Running;
using CnnCompiler.Bench;

// dotnet run -c Release --project bench/CnnCompiler.Bench -- --filter '*'
// dotnet run -c Release --project bench/CnnCompiler.Bench -- selector
// dotnet run -c Release --project bench/CnnCompiler.Bench -- systolic
// dotnet run -c Release --project bench/CnnCompiler.Bench -- nests [NETWORK OF samples/zoo]...
// dotnet run -c Release --project bench/CnnCompiler.Bench -- tool PATH-OF-CNNC
if (args is ["tool", var tool])
{
    return ToolBench.Run(tool);
}

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

if (args is ["nests", .. var networks])
{
    NestBench.Run(networks);
    return 0;
}

return BenchmarkSwitcher.FromAssembly(typeof(ArrayBenchmarks).Assembly).Run(args).Any(summary => summary.HasCriticalValidationErrors) ? 1 : 0;
