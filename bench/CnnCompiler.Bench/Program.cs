using BenchmarkDotNet.Running;
using CnnCompiler.Bench;

// dotnet run -c Release --project bench/CnnCompiler.Bench -- --filter '*'
return BenchmarkSwitcher.FromAssembly(typeof(ArrayBenchmarks).Assembly).Run(args).Any(summary => summary.HasCriticalValidationErrors) ? 1 : 0;
