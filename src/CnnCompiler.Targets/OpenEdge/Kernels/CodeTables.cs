using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>Functions of one code as 256 words.</summary>
internal static class CodeTables
{
    /// <summary>Entries.</summary>
    public const int Codes = 256;

    /// <summary>Bytes from a table's beginning to the entry of code 0.</summary>
    public const int Zero = -sbyte.MinValue * NestView.WordBytes;

    /// <summary>A function of one operand, for all codes from -128 to 127; null where it has no value for one of them, or one that exceeds 32 bits.</summary>
    /// <param name="function">Uses that operand only.</param>
    /// <param name="operand">The operand: 0 or 1.</param>
    public static int[]? Of(ScalarExpression function, int operand)
    {
        if (ScalarProgram.Compile(function) is not { } program || program.Extras.Any(e => e != operand))
        {
            return null;
        }

        var stack = new long[program.StackDepth];
        var fault = ScalarFault.None;
        var table = new int[Codes];
        var extras = new long[2];
        for (var code = 0; code < Codes; code++)
        {
            extras[operand] = code + sbyte.MinValue;
            var value = program.Run(default, extras, stack, ref fault);
            if (fault != ScalarFault.None || value != (int)value)
            {
                return null;
            }

            table[code] = (int)value;
        }

        return table;
    }

    /// <summary>A table as a nest says it: the value of the lowest code, the codes above it, and by how much the value of each differs from that of the code below.</summary>
    public static (int Lowest, Tensor Codes, Tensor Differences) Steps(ReadOnlySpan<int> table)
    {
        var (codes, differences) = (new int[Codes - 1], new int[Codes - 1]);
        for (var i = 1; i < Codes; i++)
        {
            (codes[i - 1], differences[i - 1]) = (i + sbyte.MinValue, table[i] - table[i - 1]);
        }

        return (table[0], Tensor.From<int>(ElementType.Int32, Shape.Of(Codes - 1), codes), Tensor.From<int>(ElementType.Int32, Shape.Of(Codes - 1), differences));
    }

    /// <summary>The table that a nest says.</summary>
    public static uint[] Read(MappedNest nest, IKernelData data)
    {
        var (differences, view) = (data.Constant(nest.Operands[2].Target), new NestView(nest));
        var value = nest.Post is ScalarBinary { Operator: ScalarBinaryOperator.Add, Left: ScalarAccumulator, Right: ScalarLiteral literal }
            ? (int)literal.Value
            : throw new InvalidOperationException($"{nest.Name} is no table");
        var table = new uint[Codes];
        table[0] = (uint)value;
        for (var i = 1; i < Codes; i++)
        {
            value += (int)differences.GetInteger(NestView.Base(nest.Operands[2]) + ((i - 1) * view.Step(nest.Operands[2], Mapping.StepTable.Loop)));
            table[i] = (uint)value;
        }

        return table;
    }
}
