using System.Numerics;
using System.Runtime.InteropServices;

namespace CnnCompiler.Interpreter.Systolic;

/// <summary>Products of int8 rows and widened matrices, modulo 2^32.</summary>
internal static class MatrixProduct
{
    /// <summary>sums[n] += sum over k of row[k] * matrix[k, n].</summary>
    public static void AddRow(ReadOnlySpan<sbyte> row, ReadOnlySpan<int> matrix, int columns, Span<int> sums)
    {
        var vectors = MemoryMarshal.Cast<int, Vector<int>>(sums);
        var whole = vectors.Length * Vector<int>.Count;
        for (var k = 0; k < row.Length; k++)
        {
            int factor = row[k];
            if (factor == 0)
            {
                continue;
            }

            var weights = matrix.Slice(k * columns, columns);
            var wide = MemoryMarshal.Cast<int, Vector<int>>(weights);
            for (var i = 0; i < vectors.Length && i < wide.Length; i++)
            {
                vectors[i] += wide[i] * factor;
            }

            for (var n = whole; n < sums.Length; n++)
            {
                sums[n] += factor * weights[n];
            }
        }
    }
}
