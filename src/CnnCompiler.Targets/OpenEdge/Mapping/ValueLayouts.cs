using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Targets.OpenEdge.Mapping;

/// <summary>
/// Chooses the layout of every tensor before any code is made: one element a word, row-major; around it the halo that its readers' padding needs,
/// filled with the code they pad with; channels rounded up to four where the producer writes whole quads.
/// </summary>
public sealed class ValueLayouts
{
    private readonly Dictionary<string, (int[] Before, int[] After, int Fill)> _halos = new(StringComparer.Ordinal);
    private readonly HashSet<string> _quadProduced = new(StringComparer.Ordinal);
    private readonly Dictionary<string, TensorType> _types = new(StringComparer.Ordinal);

    /// <summary>Looks at all steps of a program.</summary>
    public ValueLayouts(GconvProgram program, Func<string, bool> isConstant, DiagnosticBag diagnostics)
    {
        foreach (var input in program.Inputs)
        {
            _types[input.Name] = input.Type;
        }

        foreach (var step in program.Steps)
        {
            _types[step.Name] = step.Type;
            if (step is not GconvOperator operation)
            {
                continue;
            }

            var kind = new OperatorShape(operation, isConstant).Kind;
            if (kind is OperatorKind.Contraction or OperatorKind.Pooling)
            {
                _quadProduced.Add(operation.Name);
            }

            if (kind == OperatorKind.Contraction && operation.Input.OutOfRange == OutOfRange.SkipTap)
            {
                Request(operation, new OperatorShape(operation, isConstant).InputZeroPoint!.Value, diagnostics);
            }
        }
    }

    /// <summary>The layout of a tensor's buffer.</summary>
    public BufferLayout Of(string tensor)
    {
        var shape = _types[tensor].Shape.Dimensions;
        var rank = shape.Count;
        var halo = _halos.TryGetValue(tensor, out var requested) ? requested : (Before: new int[rank], After: new int[rank], Fill: 0);
        var pitch = new int[rank];
        var next = 1;
        for (var d = rank - 1; d >= 0; d--)
        {
            pitch[d] = next;
            var extent = halo.Before[d] + shape[d] + halo.After[d];
            next *= d == rank - 1 && rank > 1 && _quadProduced.Contains(tensor) ? (extent + LoopMap.Lanes - 1) / LoopMap.Lanes * LoopMap.Lanes : extent;
        }

        return new(
            shape,
            1,
            halo.Before.ToEquatableArray(),
            halo.After.ToEquatableArray(),
            pitch.ToEquatableArray(),
            halo.Before.Any(h => h > 0) || halo.After.Any(h => h > 0) ? halo.Fill : null);
    }

    private void Request(GconvOperator operation, int fill, DiagnosticBag diagnostics)
    {
        var tensor = operation.Input.Tensor;
        var shape = _types[tensor].Shape.Dimensions;
        var (before, after, earlier) = _halos.TryGetValue(tensor, out var known) ? known : (new int[shape.Count], new int[shape.Count], fill);
        if (earlier != fill)
        {
            diagnostics.Report(OpenEdgeDiagnostics.ConflictingPadding(operation, tensor, earlier, fill));
        }

        for (var d = 0; d < shape.Count; d++)
        {
            var (min, max) = OperatorShape.Range(operation, operation.Input.Index[d]);
            before[d] = Math.Max(before[d], (int)Math.Max(0, -min));
            after[d] = Math.Max(after[d], (int)Math.Max(0, max - (shape[d] - 1)));
        }

        _halos[tensor] = (before, after, earlier);
    }
}
