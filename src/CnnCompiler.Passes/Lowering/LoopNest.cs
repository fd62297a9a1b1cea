using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;

namespace CnnCompiler.Passes.Lowering;

/// <summary>The loops of an operator that is being built, and expressions over them.</summary>
internal sealed class LoopNest(params ReadOnlySpan<GconvLoop> loops)
{
    /// <summary>The loops.</summary>
    public EquatableArray<GconvLoop> Loops { get; } = EquatableArray.Create(loops);

    /// <summary>One loop of a kind for each dimension of a shape.</summary>
    public static LoopNest Over(Shape shape, LoopKind kind) =>
        new([.. shape.Dimensions.Select((extent, dimension) => new GconvLoop(DimensionName(dimension, shape.Rank), kind, extent))]);

    /// <summary>Name of a dimension: n, h, w, c for images, n, d, h, w, c for volumes, n, c for vectors; d0, d1, ... for other ranks.</summary>
    public static string DimensionName(int dimension, int rank) => rank switch
    {
        4 => "nhwc".Substring(dimension, 1),
        5 => "ndhwc".Substring(dimension, 1),
        2 => "nc".Substring(dimension, 1),
        _ => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"d{dimension}"),
    };

    /// <summary>The constant plus the sum of coefficient times loop.</summary>
    public AffineExpression At(long constant, params ReadOnlySpan<(int Loop, long Coefficient)> terms)
    {
        var coefficients = new long[Loops.Count];
        foreach (var (loop, coefficient) in terms)
        {
            coefficients[loop] += coefficient;
        }

        return new(coefficients.ToEquatableArray(), constant);
    }

    /// <summary>One loop alone.</summary>
    public AffineExpression At(int loop) => At(0, (loop, 1));

    /// <summary>Each loop alone, in order: the index of an element-wise operator.</summary>
    public EquatableArray<AffineExpression> Identity() => Enumerable.Range(0, Loops.Count).Select(loop => At(loop)).ToEquatableArray();

    /// <summary>A read that skips the taps outside, where there are any.</summary>
    public OperandAccess Padded(string tensor, Shape shape, EquatableArray<AffineExpression> index)
    {
        for (var d = 0; d < shape.Rank; d++)
        {
            var (min, max) = index[d].Range(Loops);
            if (min < 0 || max >= shape[d] || index[d].Divisor != 1)
            {
                return new(tensor, index, OutOfRange.SkipTap);
            }
        }

        return new(tensor, index);
    }
}
