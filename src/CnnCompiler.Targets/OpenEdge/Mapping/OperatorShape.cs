using CnnCompiler.Ir.Gconv;

namespace CnnCompiler.Targets.OpenEdge.Mapping;

/// <summary>What an operator does, as far as the choice of kernels goes.</summary>
public enum OperatorKind
{
    /// <summary>Sum of products with constant weights, requantised.</summary>
    Contraction,

    /// <summary>Sum or maximum over a window.</summary>
    Pooling,

    /// <summary>Element-wise function of two tensors.</summary>
    Binary,

    /// <summary>Every output element is a (clamped) input element, or the fill.</summary>
    Copy,

    /// <summary>None of these.</summary>
    Other,
}

/// <summary>Reads an operator by the kinds of its loops.</summary>
/// <param name="operation">The operator.</param>
/// <param name="isConstant">True for names of constants.</param>
public sealed class OperatorShape(GconvOperator operation, Func<string, bool> isConstant)
{
    /// <summary>What the operator does.</summary>
    public OperatorKind Kind => operation switch
    {
        { Kernel: { } kernel, Reduce: GconvReduction.Add, Main: ScalarBinary { Operator: ScalarBinaryOperator.Multiply, Left: ScalarInput, Right: ScalarKernel } }
            when isConstant(kernel.Tensor) && InputZeroPoint is not null => OperatorKind.Contraction,
        { Kernel: null, Main: ScalarInput, Reduce: GconvReduction.Add or GconvReduction.Maximum } when InputZeroPoint is not null => OperatorKind.Pooling,
        { Kernel: { } kernel, Reduce: GconvReduction.None } when !isConstant(kernel.Tensor) => OperatorKind.Binary,
        { Kernel: null, Main: ScalarInput, Pre: ScalarInput, Reduce: GconvReduction.None } => OperatorKind.Copy,
        _ => OperatorKind.Other,
    };

    /// <summary>What pre subtracts from the input: its zero point; null where pre does something else.</summary>
    public int? InputZeroPoint => operation.Pre switch
    {
        ScalarInput => 0,
        ScalarBinary { Operator: ScalarBinaryOperator.Subtract, Left: ScalarInput, Right: ScalarLiteral zero } => (int)zero.Value,
        _ => null,
    };

    /// <summary>The loops of a kind, extents above 1 only, in order.</summary>
    public IEnumerable<int> Loops(LoopKind kind) =>
        Enumerable.Range(0, operation.Loops.Count).Where(i => operation.Loops[i].Kind == kind && operation.Loops[i].Extent > 1);

    /// <summary>Trip count of the only loop of a kind, 1 where there is none, null where there are several.</summary>
    public (int Loop, int Extent)? Single(LoopKind kind) => Loops(kind).ToArray() switch
    {
        [] => (-1, 1),
        [var only] => (only, operation.Loops[only].Extent),
        _ => null,
    };

    /// <summary>Smallest and largest value of an index over all loops.</summary>
    public static (long Min, long Max) Range(GconvOperator operation, AffineExpression index)
    {
        var (min, max) = (index.Constant, index.Constant);
        for (var i = 0; i < operation.Loops.Count; i++)
        {
            var reach = index.Coefficients[i] * (operation.Loops[i].Extent - 1);
            (min, max) = (min + Math.Min(0, reach), max + Math.Max(0, reach));
        }

        return (min, max);
    }
}
