using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Targets;

namespace CnnCompiler;

/// <summary>The compiler as a function: what embedders, the command line and the build task call. Thread-safe, no I/O, no state.</summary>
public static class Compiler
{
    /// <summary>
    /// Compiles a network. What is wrong with the request's contents is told by diagnostics; the levels reached until then are in the result.
    /// </summary>
    /// <exception cref="OperationCanceledException">The request's token was cancelled.</exception>
    public static CompileResult Compile(CompileRequest request)
    {
        var compilation = new Compilation(request);
        try
        {
            compilation.Run();
        }
        catch (DiagnosticException refusal)
        {
            compilation.Diagnostics.Report(refusal.Diagnostic);
        }

        return compilation.Result();
    }

    /// <summary>What sources are read, for help and messages.</summary>
    public static IReadOnlyList<string> SourceKinds { get; } = NetworkReaders.All.Select(reader => reader.Summary).ToList();

    /// <summary>True where <see cref="Compile"/> would find a front end for a file.</summary>
    public static bool IsSource(string file, ReadOnlyMemory<byte> bytes) => NetworkReaders.Choose(file, bytes) is not null;

    private sealed class Compilation(CompileRequest request)
    {
        private readonly Dictionary<IrLevel, IrModule> _modules = [];
        private ReadOnlyMemory<byte>? _image;
        private NetworkSource? _source;

        public DiagnosticBag Diagnostics { get; } = new();

        public void Run()
        {
            if (CompilerTargets.Find(request.Target) is not { } target)
            {
                Diagnostics.Report(CompilerDiagnostics.UnknownTarget(request.Target, CompilerTargets.All.Select(known => known.Name)));
                return;
            }

            if (NetworkReaders.Choose(request.FileName, request.Source) is not { } reader)
            {
                Diagnostics.Report(CompilerDiagnostics.UnknownSource(request.FileName, string.Join(" and ", SourceKinds)));
                return;
            }

            request.Cancellation.ThrowIfCancellationRequested();
            _source = reader.Read(request, Diagnostics);
            if (_source is null || Diagnostics.HasErrors)
            {
                return;
            }

            var module = new NetworkModule(_source.Graph);
            _modules[IrLevel.Network] = module;
            request.AfterFrontend?.Invoke(module);
            if (RunPasses(target, module) is IImageModule image)
            {
                _image = image.Bytes();
            }
        }

        public CompileResult Result() => new(
            Diagnostics.Diagnostics,
            _modules,
            Diagnostics.HasErrors ? null : _image,
            _source?.TensorNames ?? new Dictionary<string, string>(StringComparer.Ordinal));

        private IrModule? RunPasses(CompilerTarget target, IrModule module)
        {
            var context = new PassContext
            {
                Diagnostics = Diagnostics,
                VerifyEach = request.VerifyEach,
                Options = request.Options,
                Cancellation = request.Cancellation,
                AfterPass = snapshot =>
                {
                    _modules[snapshot.After.Level] = snapshot.After;
                    request.AfterPass?.Invoke(snapshot);
                },
            };
            return PassRunner.Run(target.Pipeline(request.Machine ?? target.DefaultMachine, request.Forced).Until(request.StopLevel), module, context);
        }
    }
}
