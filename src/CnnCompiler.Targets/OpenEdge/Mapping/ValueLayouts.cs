using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Passes.Chain;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Targets.OpenEdge.Mapping;

/// <summary>
/// Chooses the layout of every tensor before any code is made: one element a word, row-major; around it the halo that its readers' padding needs,
/// filled with the code they pad with; channels rounded up to four where the producer writes whole quads. What one convolution alone reads may lie packed as it
/// takes it (<see cref="StoredForm"/>).
/// </summary>
public sealed class ValueLayouts
{
    private readonly Dictionary<string, (int[] Before, int[] After, int Fill)> _halos = new(StringComparer.Ordinal);
    private readonly HashSet<string> _quadProduced = new(StringComparer.Ordinal);
    private readonly Dictionary<string, TensorType> _types = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (GconvOperator Reader, StoredForm[] Forms)> _forms = new(StringComparer.Ordinal);

    /// <summary>Looks at all steps of a program.</summary>
    /// <param name="program">The program.</param>
    /// <param name="isConstant">True for names of constants.</param>
    /// <param name="choices">Tensors that are to lie dense although readers pad them.</param>
    /// <param name="diagnostics">Takes what can't be laid out.</param>
    public ValueLayouts(GconvProgram program, Func<string, bool> isConstant, MappingChoices choices, DiagnosticBag diagnostics)
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
                _quadProduced.Add(operation.Destination ?? operation.Name);
            }

            if (kind == OperatorKind.Contraction && operation.Input.OutOfRange == OutOfRange.SkipTap)
            {
                Request(operation, new OperatorShape(operation, isConstant).InputZeroPoint!.Value, diagnostics);
            }
        }

        FindForms(program, isConstant, choices);
        Decisions =
        [
            .. _halos.Keys.Select(t => new MappingDecision(t, IsLayout: true, [MappingCandidates.Halo, MappingCandidates.Dense, .. FormsOf(t).Forms.Select(f => f.Candidate)])),
            .. _forms.Where(f => !_halos.ContainsKey(f.Key))
                .Select(f => new MappingDecision(f.Key, IsLayout: true, [MappingCandidates.Dense, .. f.Value.Forms.Select(form => form.Candidate)])),
        ];
        foreach (var decision in Decisions.Where(d => choices.Of(d.Key) == MappingCandidates.Dense.Name))
        {
            _halos.Remove(decision.Name);
        }
    }

    /// <summary>One decision for each tensor that some reader pads, or that may lie packed as its reader multiplies it.</summary>
    public IReadOnlyList<MappingDecision> Decisions { get; }

    /// <summary>The forms in which a tensor may lie packed, and the convolution that reads them; none where it may not.</summary>
    public (GconvOperator? Reader, IReadOnlyList<StoredForm> Forms) FormsOf(string tensor) => _forms.TryGetValue(tensor, out var found) ? found : (null, []);

    /// <summary>True where a layout holds every element that an operator's input access reaches, padding included.</summary>
    public static bool Covers(BufferLayout layout, GconvOperator operation) =>
        Reach(layout.Shape, operation).Select((r, d) => r.Before <= layout.HaloBefore[d] && r.After <= layout.HaloAfter[d]).All(covered => covered);

    /// <summary>A layout with just the halo that an operator's input access reaches into.</summary>
    public static BufferLayout Around(EquatableArray<int> shape, GconvOperator operation, int fill, bool wholeQuads = false)
    {
        var reach = Reach(shape, operation).ToArray();
        return WithHalo(shape, [.. reach.Select(r => r.Before)], [.. reach.Select(r => r.After)], fill, wholeQuads);
    }

    /// <summary>A layout without halo, with channels rounded up to whole quads where asked.</summary>
    public static BufferLayout Plain(EquatableArray<int> shape, bool wholeQuads) => WithHalo(shape, new int[shape.Count], new int[shape.Count], 0, wholeQuads);

    /// <summary>The layout of a tensor's buffer.</summary>
    public BufferLayout Of(string tensor)
    {
        var shape = _types[tensor].Shape.Dimensions;
        var rank = shape.Count;
        var halo = _halos.TryGetValue(tensor, out var requested) ? requested : (Before: new int[rank], After: new int[rank], Fill: 0);
        return WithHalo(shape, halo.Before, halo.After, halo.Fill, _quadProduced.Contains(tensor));
    }

    private static BufferLayout WithHalo(EquatableArray<int> shape, int[] before, int[] after, int fill, bool wholeQuads)
    {
        var rank = shape.Count;
        var pitch = new int[rank];
        var next = 1;
        for (var d = rank - 1; d >= 0; d--)
        {
            pitch[d] = next;
            var extent = before[d] + shape[d] + after[d];
            next *= d == rank - 1 && rank > 1 && wholeQuads ? (extent + LoopMap.Lanes - 1) / LoopMap.Lanes * LoopMap.Lanes : extent;
        }

        var padded = before.Any(h => h > 0) || after.Any(h => h > 0);
        return new(shape, 1, before.ToEquatableArray(), after.ToEquatableArray(), pitch.ToEquatableArray(), padded ? fill : null);
    }

    /// <summary>How far an operator's input access reaches beyond the tensor, for each dimension.</summary>
    private static IEnumerable<(int Before, int After)> Reach(EquatableArray<int> shape, GconvOperator operation)
    {
        for (var d = 0; d < shape.Count; d++)
        {
            var (min, max) = OperatorShape.Range(operation, operation.Input.Index[d]);
            yield return ((int)Math.Max(0, -min), (int)Math.Max(0, max - (shape[d] - 1)));
        }
    }

    private void FindForms(GconvProgram program, Func<string, bool> isConstant, MappingChoices choices)
    {
        var readers = program.Steps.SelectMany(s => LegalForms.Reads(s).Select(t => (Tensor: t, Step: s))).ToLookup(r => r.Tensor, r => r.Step, StringComparer.Ordinal);
        var layers = ChainLayers.Tensors(program).Values.ToHashSet(StringComparer.Ordinal);
        bool IsLayer(GconvOperator o) => o.Destination is null && layers.Contains(o.Name) && new OperatorShape(o, isConstant).Kind == OperatorKind.Contraction;
        IEnumerable<StoredForm> FormsReadBy(GconvOperator reader, Shape shape) =>
            QuadForm.ReadBy(reader, new(reader, isConstant), shape.Dimensions) is { } quads ? [.. HalvedForm.ReadBy(reader, shape), quads] : HalvedForm.ReadBy(reader, shape);
        foreach (var producer in program.Steps.OfType<GconvOperator>().Where(IsLayer))
        {
            if (readers[producer.Name].ToArray() is [GconvOperator reader] && IsLayer(reader) && reader.Input.Tensor == producer.Name
                && !program.Outputs.Contains(producer.Name, StringComparer.Ordinal) && !choices.PackedBefore.ContainsKey(producer.Name)
                && FormsReadBy(reader, producer.Type.Shape).ToArray() is { Length: > 0 } forms)
            {
                _forms.Add(producer.Name, (reader, forms));
            }
        }
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

        foreach (var (reach, d) in Reach(shape, operation).Select((r, d) => (r, d)))
        {
            before[d] = Math.Max(before[d], reach.Before);
            after[d] = Math.Max(after[d], reach.After);
        }

        _halos[tensor] = (before, after, earlier);
    }
}
