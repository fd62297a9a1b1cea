using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;

namespace CnnCompiler.Targets.OpenEdge.Mapping;

/// <summary>
/// Splits operators of a chain into bands of output rows, each an operator of its own that writes its rows of the result: what an operator needs
/// besides its tensors (accumulators, padded or packed copies of its input) then is needed for a band only.
/// </summary>
public static class RowBands
{
    /// <summary>The chain with some operators split.</summary>
    /// <param name="program">The chain.</param>
    /// <param name="bands">Bands by operator; what can't be split so often is split as often as it can.</param>
    /// <returns>The chain, and for each band the operator it is of.</returns>
    public static (GconvProgram Program, IReadOnlyDictionary<string, string> Original) Split(GconvProgram program, IReadOnlyDictionary<string, int> bands)
    {
        var original = new Dictionary<string, string>(StringComparer.Ordinal);
        if (bands.Count == 0)
        {
            return (program, original);
        }

        var names = program.Steps.Select(s => s.Name).Concat(program.Inputs.Select(i => i.Name)).Concat(program.Constants.Select(c => c.Name))
            .ToHashSet(StringComparer.Ordinal);
        var steps = new List<GconvStep>();
        foreach (var step in program.Steps)
        {
            if (step is not GconvOperator operation || !bands.TryGetValue(step.Name, out var count) || Rows(operation) is not { } rows || Height(rows, count) >= rows.Count)
            {
                steps.Add(step);
                continue;
            }

            var pieces = new List<string>();
            var height = Height(rows, count);
            for (var first = 0; first < rows.Count; first += height)
            {
                var name = FormattableString.Invariant($"{step.Name}.rows{first}");
                while (!names.Add(name))
                {
                    name += "+";
                }

                pieces.Add(name);
                original.Add(name, step.Name);
                steps.Add(Band(operation, rows, first, Math.Min(height, rows.Count - first)) with { Name = name });
            }

            steps.Add(new GconvView(step.Name, step.Type, ViewKind.Join, pieces.ToEquatableArray()) { Origin = step.Origin, Span = step.Span });
        }

        return (program with { Steps = steps.ToEquatableArray() }, original);
    }

    /// <summary>The rows of an operator's result: the loop that runs over them, their number, and how many must stay together so that bands begin with a packed word.</summary>
    public readonly record struct RowLoop(int Dimension, int Loop, int Count, int Unit);

    /// <summary>The most bands that an operator can be split into; 1 where it can't be.</summary>
    public static int MostBands(GconvOperator operation) => Rows(operation) is { } rows ? (rows.Count + rows.Unit - 1) / rows.Unit : 1;

    /// <summary>The rows of an operator: the outermost dimension of its result that has several elements, unless it is the innermost; null where no loop runs over it alone.</summary>
    public static RowLoop? Rows(GconvOperator operation)
    {
        var shape = operation.Type.Shape;
        var dimension = Leading(shape);
        if (operation.Destination is not null || dimension >= shape.Rank - 1 || operation.Input.OutOfRange == OutOfRange.Fill)
        {
            return null;
        }

        var index = operation.OutputIndex[dimension];
        var loops = Enumerable.Range(0, operation.Loops.Count).Where(i => index.Coefficients[i] != 0 && operation.Loops[i].Extent > 1).ToArray();
        if (loops is not [var loop] || index.Constant != 0 || index.Coefficients[loop] != 1 || operation.Loops[loop].Kind is LoopKind.KernelSize or LoopKind.OutputParallel
            || Enumerable.Range(0, shape.Rank).Any(d => d != dimension && operation.OutputIndex[d].Coefficients[loop] != 0))
        {
            return null;
        }

        var row = RowElements(shape, dimension);
        var unit = Kernels.PackedRuns.Lanes / (int)System.Numerics.BigInteger.GreatestCommonDivisor(Kernels.PackedRuns.Lanes, row);
        return new(dimension, loop, operation.Loops[loop].Extent, unit);
    }

    /// <summary>The outermost dimension with several elements, else the innermost.</summary>
    public static int Leading(Shape shape)
    {
        var dimension = 0;
        while (dimension < shape.Rank - 1 && shape[dimension] == 1)
        {
            dimension++;
        }

        return dimension;
    }

    /// <summary>Rows of a tensor: extent of its leading dimension, 1 of a scalar.</summary>
    public static int Rows(Shape shape) => shape.Rank == 0 ? 1 : shape[Leading(shape)];

    /// <summary>Elements of a row: what lies inside of a dimension.</summary>
    public static int RowElements(Shape shape, int dimension)
    {
        var elements = 1;
        for (var d = dimension + 1; d < shape.Rank; d++)
        {
            elements *= shape[d];
        }

        return elements;
    }

    private static int Height(RowLoop rows, int bands)
    {
        var height = (rows.Count + bands - 1) / bands;
        return (height + rows.Unit - 1) / rows.Unit * rows.Unit;
    }

    private static GconvOperator Band(GconvOperator operation, RowLoop rows, int first, int count)
    {
        AffineExpression Moved(AffineExpression e) => e with { Constant = e.Constant + (first * e.Coefficients[rows.Loop]) };
        EquatableArray<AffineExpression> MovedAll(EquatableArray<AffineExpression> index) => index.Select(Moved).ToEquatableArray();
        OperandAccess Access(OperandAccess access) => access with { Index = MovedAll(access.Index) };
        var shape = operation.Type.Shape.Dimensions.Select((e, d) => d == rows.Dimension ? count : e);
        var origin = operation.Origin.Value;
        return operation with
        {
            Type = operation.Type with { Shape = new(shape.ToEquatableArray()) },
            Loops = operation.Loops.Select((l, i) => i == rows.Loop ? l with { Extent = count } : l).ToEquatableArray(),
            Input = Access(operation.Input),
            Kernel = operation.Kernel is { } kernel ? Access(kernel) : null,
            Extra = operation.Extra.Select(Access).ToEquatableArray(),
            OutputIndex = MovedAll(operation.OutputIndex),
            Destination = operation.Name,
            Origin = origin.Part(first, count, rows.Count),
        };
    }
}
