using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Passes.Infrastructure;

/// <summary>Runs pipelines.</summary>
public static class PassRunner
{
    /// <summary>
    /// Runs the passes one after the other. Null where the module given is unsound, a pass reports an error, or (with
    /// <see cref="PassContext.VerifyEach"/>) a pass makes an unsound module; the context's diagnostics then say why.
    /// </summary>
    /// <param name="pipeline">The passes.</param>
    /// <param name="module">What the first pass reads; the result where there is no pass.</param>
    /// <param name="context">Diagnostics, settings, hooks.</param>
    /// <exception cref="OperationCanceledException">The context's token was cancelled.</exception>
    public static IrModule? Run(Pipeline pipeline, IrModule module, PassContext context)
    {
        pipeline.CheckOptions(context.Options, context.Diagnostics);
        context.Diagnostics.Report(module.Verify());
        for (var index = 0; index < pipeline.Passes.Count && !context.Diagnostics.HasErrors; index++)
        {
            context.Cancellation.ThrowIfCancellationRequested();
            var pass = pipeline.Passes[index];
            if (Apply(pass, module, context) is not { } result)
            {
                return null;
            }

            context.AfterPass?.Invoke(new(index, pass, module, result));
            if (context.VerifyEach && !IsSound(pass, result, context.Diagnostics))
            {
                return null;
            }

            module = result;
        }

        return context.Diagnostics.HasErrors ? null : module;
    }

    private static IrModule? Apply(Pass pass, IrModule module, PassContext context)
    {
        try
        {
            var result = pass.Run(module, context);
            return result is null && !context.Diagnostics.HasErrors
                ? throw new InvalidOperationException($"{pass.Description.Name} gave no result and no reason")
                : result;
        }
        catch (DiagnosticException exception)
        {
            context.Diagnostics.Report(exception.Diagnostic);
            return null;
        }
    }

    private static bool IsSound(Pass pass, IrModule result, DiagnosticBag diagnostics)
    {
        var problems = result.Verify();
        diagnostics.Report(problems);
        if (!problems.Any(problem => problem.Severity == DiagnosticSeverity.Error))
        {
            return true;
        }

        diagnostics.Report(PassDiagnostics.UnsoundResult(pass.Description));
        return false;
    }
}
