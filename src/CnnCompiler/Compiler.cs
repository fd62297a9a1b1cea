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
    public static bool IsSource(string file, ReadOnlyMemory<byte> bytes) => LevelTexts.IsLevelText(file) || NetworkReaders.Choose(file, bytes) is not null;

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

            if (request.Machine is { } machine && machine.IsaRevision != target.DefaultMachine.IsaRevision)
            {
                Diagnostics.Report(CompilerDiagnostics.OtherMachine(machine.Name, target.Name));
                return;
            }

            request.Cancellation.ThrowIfCancellationRequested();
            var module = request.From is not null || LevelTexts.IsLevelText(request.FileName) ? LevelTexts.Read(request, target, request.From, Diagnostics) : ReadNetwork();
            if (module is null || Diagnostics.HasErrors)
            {
                return;
            }

            if (request.StopLevel < module.Level)
            {
                Diagnostics.Report(CompilerDiagnostics.StopsBeforeStart(module.Level.Name(), request.StopLevel.Name()));
                return;
            }

            _modules[module.Level] = module;
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
            _source?.TensorNames ?? new Dictionary<string, string>(StringComparer.Ordinal))
        {
            TensorIndices = _source?.TensorIndices ?? new Dictionary<string, int>(StringComparer.Ordinal),
        };

        private NetworkModule? ReadNetwork()
        {
            if (NetworkReaders.Choose(request.FileName, request.Source) is not { } reader)
            {
                Diagnostics.Report(CompilerDiagnostics.UnknownSource(request.FileName, string.Join(" and ", SourceKinds)));
                return null;
            }

            _source = reader.Read(request, Diagnostics);
            return _source is null ? null : new(_source.Graph);
        }

        private IrModule? RunPasses(CompilerTarget target, IrModule module)
        {
            var context = new PassContext
            {
                Diagnostics = Diagnostics,
                VerifyEach = request.VerifyEach,
                Options = request.Options,
                Search = request.Search,
                Cancellation = request.Cancellation,
                AfterPass = snapshot =>
                {
                    _modules[snapshot.After.Level] = snapshot.After;
                    request.AfterPass?.Invoke(snapshot);
                },
            };
            if (Without(target.Pipeline(request.Machine ?? target.DefaultMachine, request.Forced), request.Disabled, target.Name) is not { } pipeline)
            {
                return null;
            }

            return (request.Passes is { } names ? Chosen(pipeline, names, target.Name, module.Level) : pipeline.From(module.Level).Until(request.StopLevel)) is { } passes
                ? PassRunner.Run(passes, module, context)
                : null;
        }

        private Pipeline? Without(Pipeline pipeline, IReadOnlyList<string> disabled, string target)
        {
            foreach (var name in disabled)
            {
                if (pipeline.Passes.FirstOrDefault(pass => pass.Description.Name == name) is not { Description: var pass })
                {
                    Diagnostics.Report(CompilerDiagnostics.UnknownPass(name, target, pipeline.Passes.Select(known => known.Description.Name)));
                    return null;
                }

                if (pass.From != pass.To)
                {
                    Diagnostics.Report(CompilerDiagnostics.PassNeeded(
                        name, pass.From.Name(), pass.To.Name(), pipeline.Passes.Where(known => known.Description.From == known.Description.To).Select(known => known.Description.Name)));
                    return null;
                }
            }

            return new([.. pipeline.Passes.Where(pass => !disabled.Contains(pass.Description.Name, StringComparer.Ordinal))]);
        }

        private Pipeline? Chosen(Pipeline pipeline, IReadOnlyList<string> names, string target, IrLevel level)
        {
            var passes = new List<Pass>();
            foreach (var name in names)
            {
                if (pipeline.Passes.FirstOrDefault(pass => pass.Description.Name == name) is not { } pass)
                {
                    Diagnostics.Report(CompilerDiagnostics.UnknownPass(name, target, pipeline.Passes.Select(known => known.Description.Name)));
                    return null;
                }

                if (pass.Description.From != level)
                {
                    Diagnostics.Report(CompilerDiagnostics.PassOutOfPlace(name, pass.Description.From.Name(), level.Name()));
                    return null;
                }

                passes.Add(pass);
                level = pass.Description.To;
            }

            return new([.. passes]);
        }
    }
}
