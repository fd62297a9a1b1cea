using System.Globalization;
using System.Text;
using CnnCompiler.Core;
using CnnCompiler.Ir.Text;

namespace CnnCompiler.Ir.Gconv;

/// <summary>
/// A row of the table by which the paper states a general convolution (<c>research/gconv.md</c> section 1): one data dimension.
/// </summary>
/// <param name="Dimension">The dimension.</param>
/// <param name="Groups">Ng: trips of its loop g, 1 without one.</param>
/// <param name="Kernels">Nop.</param>
/// <param name="Positions">Nopc.</param>
/// <param name="Taps">Nks.</param>
/// <param name="Stride">s: step of opc in the input's index; 1 without such a step.</param>
/// <param name="Padding">ps: how far the dimension's index in the input begins before the tensor; 0 where no index is this dimension's alone.</param>
/// <param name="Dilation">dil: step of ks in the input's index; 1 without such a step.</param>
public sealed record GconvTableRow(string Dimension, long Groups, long Kernels, long Positions, long Taps, long Stride, long Padding, long Dilation)
{
    /// <summary>The numbers in the order of the columns.</summary>
    public IReadOnlyList<long> Numbers => [Groups, Kernels, Positions, Taps, Stride, Padding, Dilation];
}

/// <summary>The Ng / Nop / Nopc / Nks table: a view of an operator's loops and input index, printed for people and checked when it is read back.</summary>
public static class GconvTable
{
    private static readonly string[] Columns = ["Ng", "Nop", "Nopc", "Nks", "s", "ps", "dil"];

    /// <summary>The table of an operator: a row a dimension, in the order of the loops.</summary>
    public static EquatableArray<GconvTableRow> Of(GconvOperator operation) =>
        operation.Loops.Select(loop => loop.Dimension).Distinct(StringComparer.Ordinal).Select(dimension => Row(operation, dimension)).ToEquatableArray();

    /// <summary>The lines of a table: <c>| h 1 1 32 3 1 1 1</c>, after a head.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="indent">What each line begins with.</param>
    public static string Print(EquatableArray<GconvTableRow> rows, string indent)
    {
        var lines = rows.Select(row => (string[])[row.Dimension, .. row.Numbers.Select(IrTextFormat.Integer)]).Prepend(["dim", .. Columns]).ToArray();
        var widths = Enumerable.Range(0, Columns.Length + 1).Select(column => lines.Max(line => line[column].Length)).ToArray();
        var text = new StringBuilder();
        foreach (var line in lines)
        {
            text.Append(indent).Append("| ").Append(line[0].PadRight(widths[0]));
            for (var column = 1; column < line.Length; column++)
            {
                text.Append(CultureInfo.InvariantCulture, $"  {line[column].PadLeft(widths[column])}");
            }

            text.Append('\n');
        }

        return text.ToString();
    }

    /// <summary>Takes a table, if there is one.</summary>
    public static EquatableArray<GconvTableRow>? Parse(IrTextReader reader)
    {
        if (!reader.TryPunctuation("|"))
        {
            return null;
        }

        reader.Word("dim");
        foreach (var column in Columns)
        {
            reader.Word(column);
        }

        var rows = new List<GconvTableRow>();
        while (reader.TryPunctuation("|"))
        {
            var dimension = reader.Take(IrTokenKind.Word, "a dimension");
            rows.Add(new(dimension, reader.Integer(), reader.Integer(), reader.Integer(), reader.Integer(), reader.Integer(), reader.Integer(), reader.Integer()));
        }

        return rows.ToEquatableArray();
    }

    private static GconvTableRow Row(GconvOperator operation, string dimension)
    {
        long Extent(LoopKind kind) => Find(operation, dimension, kind) is var loop and >= 0 ? operation.Loops[loop].Extent : 1;
        return new(
            dimension,
            Extent(LoopKind.Group),
            Extent(LoopKind.OutputParallel),
            Extent(LoopKind.OutputPosition),
            Extent(LoopKind.KernelSize),
            Step(operation, dimension, LoopKind.OutputPosition),
            Padding(operation, dimension),
            Step(operation, dimension, LoopKind.KernelSize));
    }

    private static int Find(GconvOperator operation, string dimension, LoopKind kind)
    {
        for (var loop = 0; loop < operation.Loops.Count; loop++)
        {
            if (operation.Loops[loop].Kind == kind && operation.Loops[loop].Dimension == dimension)
            {
                return loop;
            }
        }

        return -1;
    }

    private static long Step(GconvOperator operation, string dimension, LoopKind kind)
    {
        var loop = Find(operation, dimension, kind);
        var steps = loop < 0 ? [] : operation.Input.Index.Select(expression => expression.Coefficients[loop]).Where(step => step != 0).ToArray();
        return steps.Length == 1 ? steps[0] : 1;
    }

    private static long Padding(GconvOperator operation, string dimension)
    {
        foreach (var expression in operation.Input.Index)
        {
            var dimensions = Enumerable.Range(0, operation.Loops.Count)
                .Where(loop => expression.Coefficients[loop] != 0)
                .Select(loop => operation.Loops[loop].Dimension)
                .Distinct(StringComparer.Ordinal)
                .ToArray();
            if (dimensions is [var only] && only == dimension)
            {
                return -expression.Constant;
            }
        }

        return 0;
    }
}
