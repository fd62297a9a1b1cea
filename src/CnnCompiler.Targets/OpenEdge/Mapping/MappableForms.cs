using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Targets.OpenEdge.Mapping;

/// <summary>The forms of steps that the array has no kernels for at all, told before anything is mapped.</summary>
internal static class MappableForms
{
    /// <summary>Reports every step that no kernel could execute, each by its layer; true where there is none.</summary>
    public static bool Check(GconvProgram program, DiagnosticBag diagnostics)
    {
        var refused = false;
        var layers = new HashSet<string>(StringComparer.Ordinal);
        foreach (var step in program.Steps)
        {
            var why = step.Match(operation => Refusal(operation, program), view => Refusal(view, program), _ => null, host => $"{host.Layer.Keyword} is a host step that the target's host does not have");

            // A layer may be several steps; its first one says it.
            if (why is not null && layers.Add(step.Origin.Value.Layer ?? step.Name))
            {
                diagnostics.Report(OpenEdgeDiagnostics.NoKernel(step, why));
            }

            refused |= why is not null;
        }

        return !refused;
    }

    private static string? Refusal(GconvView view, GconvProgram program) =>
        view.Sources.Any(source => program.Constants.Any(constant => constant.Name == source)) ? "it is a constant that stands for a value; the array's kernels read values that were computed" : null;

    private static string? Refusal(GconvOperator operation, GconvProgram program)
    {
        if (operation.Type.Element.IsReal() || operation.Accumulator.IsReal() || Operands(operation).Any(name => IsReal(program, name)))
        {
            return "it computes with floating-point numbers; the array has integers only";
        }

        if (operation.Input.Index.Divides())
        {
            return "its taps depend on whether an index divides evenly";
        }

        if (operation.Type.Element != ElementType.Int8)
        {
            return $"its result or a value inside it is {operation.Type.Element.Name()}; the kernels write i8";
        }

        return ScalarProgram.Compile(operation.Pre) is null || ScalarProgram.Compile(operation.Main) is null || ScalarProgram.Compile(operation.Post) is null
                || UsesFunction(operation.Pre) || UsesFunction(operation.Main) || UsesFunction(operation.Post)
            ? "it uses a function or a table of a single element, for which there is no kernel"
            : null;
    }

    private static IEnumerable<string> Operands(GconvOperator operation) =>
        operation.Extra.Select(extra => extra.Tensor).Append(operation.Input.Tensor).Concat(operation.Kernel is { } kernel ? [kernel.Tensor] : []);

    private static bool IsReal(GconvProgram program, string tensor) =>
        program.Inputs.Any(input => input.Name == tensor && input.Type.Element.IsReal())
        || program.Constants.Any(constant => constant.Name == tensor && constant.Value.Element.IsReal())
        || program.Steps.Any(step => step.Name == tensor && step.Type.Element.IsReal());

    private static bool UsesFunction(ScalarExpression expression) => expression.Match(
        input: () => false,
        kernel: () => false,
        accumulator: () => false,
        tapCount: () => false,
        extra: _ => false,
        literal: _ => false,
        real: _ => true,
        lookup: _ => true,
        binary: e => UsesFunction(e.Left) || UsesFunction(e.Right),
        requantize: e => UsesFunction(e.Value) || UsesFunction(e.Multiplier) || UsesFunction(e.Shift),
        clamp: e => UsesFunction(e.Value) || UsesFunction(e.Low) || UsesFunction(e.High),
        call: _ => true);
}
