using System.Globalization;
using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Ir.Mapped;

/// <summary>
/// Checks a mapped program without running it, and without sharing anything with the evaluator or a lowering: names, layouts, ports, then, step by step,
/// that every access stays inside its target, that every element read was written before, and that every value's elements are written exactly once.
/// Accesses are enumerated over the loops they depend on, guards included, so the answer is exact.
/// </summary>
public static class MappedVerifier
{
    /// <summary>Reports every broken invariant (of a step's access or a value the first element).</summary>
    public static IReadOnlyList<Diagnostic> Check(MappedProgram program)
    {
        var structure = new DiagnosticBag();
        CheckNames(program, structure);
        CheckBuffers(program, structure);
        CheckPorts(program, structure);
        foreach (var step in program.Steps)
        {
            _ = step.Match(
                nest => CheckNest(program, nest, structure),
                softmax => CheckSoftmax(program, softmax, structure));
        }

        CheckValues(program, structure);
        if (!structure.HasErrors)
        {
            new MappedCoverage(program, structure).Check();
        }

        return structure.Diagnostics;
    }

    private static void CheckNames(MappedProgram program, DiagnosticBag diagnostics)
    {
        Unique("buffers or constants", program.Buffers.Select(buffer => buffer.Name).Concat(program.Constants.Select(constant => constant.Name)));
        Unique("steps", program.Steps.Select(step => step.Name));
        Unique("inputs", program.Inputs.Select(port => port.Name));
        Unique("outputs", program.Outputs.Select(port => port.Name));
        Unique("values", program.Values.Select(value => value.Tensor));

        void Unique(string kind, IEnumerable<string> names)
        {
            foreach (var group in names.GroupBy(name => name, StringComparer.Ordinal).Where(group => group.Skip(1).Any()))
            {
                diagnostics.Report(MappedDiagnostics.DuplicateName(kind, group.Key));
            }
        }
    }

    private static void CheckBuffers(MappedProgram program, DiagnosticBag diagnostics)
    {
        long words = 0;
        foreach (var buffer in program.Buffers)
        {
            words += Math.Max(0, buffer.Words);
            var layout = buffer.Layout;
            if (LayoutElements.Fault(layout) is { } fault)
            {
                diagnostics.Report(MappedDiagnostics.Malformed($"buffer {buffer.Name}", fault));
            }
            else if (layout.Elements > (long)buffer.Words * layout.Lanes)
            {
                diagnostics.Report(MappedDiagnostics.LayoutTooLarge(buffer.Name, layout.Elements, buffer.Words, layout.Lanes));
            }
            else if (HasOverlap(layout))
            {
                diagnostics.Report(MappedDiagnostics.Malformed($"buffer {buffer.Name}", "two logical elements lie at the same place"));
            }
            else if (layout.HaloFill is { } fill && layout.Lanes == 4 && fill != (sbyte)fill)
            {
                diagnostics.Report(MappedDiagnostics.DoesNotFit($"buffer {buffer.Name}", buffer.Name, 0, fill, 8));
            }
        }

        if (words > LayoutElements.MaxElements / 4)
        {
            diagnostics.Report(MappedDiagnostics.TooLarge("buffers", "all buffers' words", LayoutElements.MaxElements / 4));
        }

        foreach (var constant in program.Constants)
        {
            if (constant.Value.Element.IsReal())
            {
                diagnostics.Report(MappedDiagnostics.Malformed($"constant {constant.Name}", "its elements are not integers"));
            }
        }
    }

    private static bool HasOverlap(BufferLayout layout)
    {
        var taken = new bool[layout.Elements];
        foreach (var element in LayoutElements.Of(layout))
        {
            if (taken[element])
            {
                return true;
            }

            taken[element] = true;
        }

        return false;
    }

    private static void CheckPorts(MappedProgram program, DiagnosticBag diagnostics)
    {
        foreach (var (port, role) in program.Inputs.Select(port => (port, BufferRole.Input)).Concat(program.Outputs.Select(port => (port, BufferRole.Output))))
        {
            if (Find(program, port.Buffer) is not { } buffer)
            {
                diagnostics.Report(MappedDiagnostics.UnknownName($"port {port.Name}", port.Buffer));
                continue;
            }

            var what = buffer.Role != role ? $"its role is {buffer.Role}"
                : port.Type.Element != ElementType.Int8 || buffer.Layout.Lanes != 4 ? "it does not hold packed bytes"
                : !buffer.Layout.IsDense ? "it is not dense"
                : LayoutElements.Fault(buffer.Layout) is null && !HasElements(port.Type.Shape.Dimensions, LayoutElements.Count(buffer.Layout))
                    ? $"it has the shape {new Shape(buffer.Layout.Shape)} and the port {port.Type.Shape}"
                : null;
            if (what is not null)
            {
                diagnostics.Report(MappedDiagnostics.BadPort(port.Name, port.Buffer, what));
            }
        }
    }

    private static bool CheckNest(MappedProgram program, MappedNest nest, DiagnosticBag diagnostics)
    {
        var where = $"step {nest.Name}";
        var before = diagnostics.Diagnostics.Count;
        foreach (var loop in nest.Loops)
        {
            Require(loop.Extent >= 1, $"loop {loop.Name} has extent {loop.Extent}");
        }

        foreach (var affine in nest.Operands.Append(nest.Output).Select(access => access.Element).Concat(nest.Guards.Select(guard => guard.Value)))
        {
            Require(affine.Coefficients.Count == nest.Loops.Count, $"an affine function of {affine.Coefficients.Count} loops, there are {nest.Loops.Count}");
        }

        if (diagnostics.Diagnostics.Count > before)
        {
            return false;
        }

        foreach (var access in nest.Operands)
        {
            if (Find(program, access.Target) is null && !program.Constants.Any(constant => constant.Name == access.Target))
            {
                diagnostics.Report(MappedDiagnostics.UnknownName(where, access.Target));
            }
        }

        if (Find(program, nest.Output.Target) is null)
        {
            diagnostics.Report(MappedDiagnostics.UnknownName(where, nest.Output.Target));
        }

        Require(nest.Reduce != GconvReduction.None || nest.Loops.All(loop => !loop.Reduced || loop.Extent == 1), $"has reduced loops and no reduction");
        Slot("term", ScalarProgram.Compile(nest.Term), program => !program.UsesInput && !program.UsesKernel && !program.UsesTapCount && !program.UsesAccumulator);
        var post = ScalarProgram.Compile(nest.Post);
        Slot("post", post, program => !program.UsesInput && !program.UsesKernel && !program.UsesTapCount);
        Independent(nest.Output.Element, loop => MappedDiagnostics.Malformed(where, $"the element written depends on the reduced loop {loop}"));
        foreach (var operand in post?.Extras.Where(operand => operand >= 0 && operand < nest.Operands.Count) ?? [])
        {
            Independent(nest.Operands[operand].Element, loop => MappedDiagnostics.PostDependsOnReducedLoop(where, operand, loop));
        }

        for (var g = 0; g < nest.Guards.Count; g++)
        {
            var guard = g;
            Independent(nest.Guards[g].Value, loop => MappedDiagnostics.GuardOnReducedLoop(where, guard, loop));
        }

        return true;

        void Require(bool condition, FormattableString otherwise)
        {
            if (!condition)
            {
                diagnostics.Report(MappedDiagnostics.Malformed(where, otherwise.ToString(CultureInfo.InvariantCulture)));
            }
        }

        void Slot(string name, ScalarProgram? slot, Func<ScalarProgram, bool> allowed)
        {
            Require(slot is not null, $"{name} asks for a rounding without an exact integer definition");
            if (slot is not null)
            {
                Require(allowed(slot), $"{name} uses what has no meaning there");
                Require(slot.Extras.All(operand => operand >= 0 && operand < nest.Operands.Count), $"{name} uses an operand that is not there");
            }
        }

        void Independent(AffineExpression affine, Func<string, Diagnostic> otherwise)
        {
            for (var l = 0; l < nest.Loops.Count; l++)
            {
                if (nest.Loops[l] is { Reduced: true, Extent: > 1 } && affine.Coefficients[l] != 0)
                {
                    diagnostics.Report(otherwise(nest.Loops[l].Name));
                }
            }
        }
    }

    private static bool CheckSoftmax(MappedProgram program, MappedSoftmax step, DiagnosticBag diagnostics)
    {
        var where = $"step {step.Name}";
        foreach (var name in (ReadOnlySpan<string>)[step.Source, step.Destination])
        {
            if (Find(program, name) is not { } buffer)
            {
                diagnostics.Report(MappedDiagnostics.UnknownName(where, name));
            }
            else if (!buffer.Layout.IsDense || LayoutElements.Fault(buffer.Layout) is not null || !HasElements([step.Rows, step.Columns], LayoutElements.Count(buffer.Layout)))
            {
                diagnostics.Report(MappedDiagnostics.Malformed(where, string.Create(
                    CultureInfo.InvariantCulture, $"buffer {name} is not dense with {step.Rows} rows of {step.Columns}")));
            }
        }

        if (step.LeftShift is < 0 or > 31)
        {
            diagnostics.Report(MappedDiagnostics.Malformed(where, string.Create(CultureInfo.InvariantCulture, $"left shift {step.LeftShift}")));
        }

        return true;
    }

    private static void CheckValues(MappedProgram program, DiagnosticBag diagnostics)
    {
        foreach (var value in program.Values)
        {
            var where = $"value {value.Tensor}";
            if (Find(program, value.Buffer) is not { } buffer)
            {
                diagnostics.Report(MappedDiagnostics.UnknownName(where, value.Buffer));
            }
            else if (LayoutElements.Fault(buffer.Layout) is null && !HasElements(value.Shape, LayoutElements.Count(buffer.Layout)))
            {
                diagnostics.Report(MappedDiagnostics.Malformed(where, $"its shape {new Shape(value.Shape)} has another number of elements than buffer {value.Buffer}, {new Shape(buffer.Layout.Shape)}"));
            }

            if (value.CompletedBy < -1 || value.CompletedBy >= program.Steps.Count)
            {
                diagnostics.Report(MappedDiagnostics.BadStepIndex(value.Tensor, value.CompletedBy, program.Steps.Count));
            }
        }
    }

    private static bool HasElements(EquatableArray<int> shape, int elements)
    {
        long count = 1;
        foreach (var extent in shape.AsSpan())
        {
            count = extent < 0 || count > elements ? long.MaxValue / int.MaxValue : count * extent;
        }

        return count == elements;
    }

    private static MappedBuffer? Find(MappedProgram program, string name) => program.Buffers.FirstOrDefault(buffer => buffer.Name == name);
}
