using CnnCompiler.Core;

namespace CnnCompiler.Ir.Gconv;

/// <summary>Facts about loops and affine expressions.</summary>
public static class AffineExpressions
{
    /// <summary>True for g, op and opc, which span the output; false for ks, which is reduced.</summary>
    public static bool IsParallel(this LoopKind kind) => kind != LoopKind.KernelSize;

    /// <summary>The keyword of a kind: g, op, opc, ks.</summary>
    public static string Name(this LoopKind kind) => kind switch
    {
        LoopKind.Group => "g",
        LoopKind.OutputParallel => "op",
        LoopKind.OutputPosition => "opc",
        LoopKind.KernelSize => "ks",
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "unknown kind"),
    };

    /// <summary>Smallest and largest value before any division, over all values of the loops (exact: the expression is affine and the loops are a box).</summary>
    /// <param name="expression">The expression, with a coefficient for each loop.</param>
    /// <param name="loops">The loops.</param>
    public static (Int128 Min, Int128 Max) Range(this AffineExpression expression, EquatableArray<GconvLoop> loops)
    {
        Int128 min = expression.Constant;
        Int128 max = expression.Constant;
        for (var i = 0; i < loops.Count; i++)
        {
            var reach = (Int128)expression.Coefficients[i] * (loops[i].Extent - 1);
            min += Int128.Min(reach, 0);
            max += Int128.Max(reach, 0);
        }

        return (min, max);
    }

    /// <summary>True where the indexes of an access are divided.</summary>
    public static bool Divides(this EquatableArray<AffineExpression> index)
    {
        foreach (var expression in index.AsSpan())
        {
            if (expression.Divisor != 1)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Product of extents, each at least 1; the largest 64-bit number where it exceeds that.</summary>
    public static long Product(IEnumerable<int> extents)
    {
        var product = 1L;
        foreach (var extent in extents)
        {
            product = long.CreateSaturating((Int128)product * extent);
        }

        return product;
    }

    /// <summary>True where an index depends on a loop.</summary>
    public static bool DependsOn(this EquatableArray<AffineExpression> index, int loop)
    {
        foreach (var expression in index.AsSpan())
        {
            if (expression.Coefficients[loop] != 0)
            {
                return true;
            }
        }

        return false;
    }
}
