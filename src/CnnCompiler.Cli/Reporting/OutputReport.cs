using System.Globalization;
using CnnCompiler.Cli.Files;
using CnnCompiler.Core.Tensors;

namespace CnnCompiler.Cli.Reporting;

/// <summary>An output and what can be said about it.</summary>
/// <param name="Port">Name and type.</param>
/// <param name="Value">Its codes.</param>
internal sealed record NetworkOutput(TensorPort Port, Tensor Value)
{
    private const int MostClasses = 20;

    /// <summary>Number of classes where the output looks like a classifier's (at most two dimensions, the last one of 2 to 20); else 0.</summary>
    public int Classes => Value.Shape.Rank is 1 or 2 && Value.Shape.Dimensions[^1] is >= 2 and <= MostClasses && !IsFloat ? Value.Shape.Dimensions[^1] : 0;

    /// <summary>Number of rows of a classifier's output.</summary>
    public int Rows => Classes == 0 ? 0 : (int)(Value.Shape.Elements / Classes);

    /// <summary>True for values that are not codes.</summary>
    public bool IsFloat => Value.Element == ElementType.Float32;

    /// <summary>The class with the largest code in a row; the first of equals.</summary>
    public int Top(int row)
    {
        var best = 0;
        for (var index = 1; index < Classes; index++)
        {
            if (Value.GetInteger((row * Classes) + index) > Value.GetInteger((row * Classes) + best))
            {
                best = index;
            }
        }

        return best;
    }

    /// <summary>The real value of an element.</summary>
    public double Real(long index) => Port.Type.Quantization is { } q ? q.Scale * (double)(Value.GetInteger(index) - q.ZeroPoint) : Value.GetInteger(index);
}

/// <summary>Prints outputs for people.</summary>
internal static class OutputReport
{
    private const int MostValues = 8;

    /// <summary>Writes one output: classes with their values and the recognised one, or the first values.</summary>
    public static void Write(TextWriter writer, NetworkOutput output)
    {
        writer.WriteLine($"output {DiagnosticPrinter.OneLine(output.Port.Display)}");
        if (output.Classes == 0)
        {
            WriteValues(writer, output);
            return;
        }

        for (var row = 0; row < output.Rows; row++)
        {
            for (var index = 0; index < output.Classes; index++)
            {
                var element = (row * output.Classes) + index;
                writer.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  class {index,2}  {output.Real(element),8:0.000}  (code {output.Value.GetInteger(element)})"));
            }

            var top = output.Top(row);
            var which = output.Rows == 1 ? string.Empty : string.Create(CultureInfo.InvariantCulture, $" in row {row}");
            writer.WriteLine(string.Create(CultureInfo.InvariantCulture, $"recognised{which}: {top} ({output.Real((row * output.Classes) + top):0.000})"));
        }
    }

    private static void WriteValues(TextWriter writer, NetworkOutput output)
    {
        var count = (int)Math.Min(MostValues, output.Value.Shape.Elements);
        var values = Enumerable.Range(0, count).Select(index => string.Create(CultureInfo.InvariantCulture, $"{output.Real(index):0.####}"));
        var more = output.Value.Shape.Elements > count ? ", ..." : string.Empty;
        writer.WriteLine($"  values {string.Join(", ", values)}{more}");
        writer.WriteLine($"  sha256 of its codes {output.Value.Hash()}");
    }
}
