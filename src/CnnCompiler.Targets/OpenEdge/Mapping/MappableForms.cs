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
            var why = step.Match(operation => Refusal(operation, program), _ => null, _ => null, host => $"{host.Layer.Keyword} is a host step that the target's host does not have");

            // A layer may be several steps; its first one says it.
            if (why is not null && layers.Add(step.Origin.Value.Layer ?? step.Name))
            {
                diagnostics.Report(OpenEdgeDiagnostics.NoKernel(step, why));
            }

            refused |= why is not null;
        }

        return !refused;
    }

    private static string? Refusal(GconvOperator operation, GconvProgram program)
    {
        if (operation.Type.Element.IsReal() || operation.Accumulator.IsReal() || IsReal(program, operation.Input.Tensor) || (operation.Kernel is { } kernel && IsReal(program, kernel.Tensor)))
        {
            return "it computes with floating-point numbers; the array has integers only";
        }

        if (operation.Input.Index.Divides())
        {
            return "its taps depend on whether an index divides evenly, and it is no sum of products with constant weights";
        }

        if (operation.Type.Element != ElementType.Int8)
        {
            return $"its result or a value inside it is {operation.Type.Element.Name()}; the kernels write i8";
        }

        return operation.Extra.Any(extra => program.Constants.All(constant => constant.Name != extra.Tensor)) ? "a further operand is computed; the kernels take constants" : null;
    }

    private static bool IsReal(GconvProgram program, string tensor) =>
        program.Inputs.Any(input => input.Name == tensor && input.Type.Element.IsReal())
        || program.Constants.Any(constant => constant.Name == tensor && constant.Value.Element.IsReal())
        || program.Steps.Any(step => step.Name == tensor && step.Type.Element.IsReal());
}
