using CnnCompiler.Ir.Gconv;

namespace CnnCompiler.Passes.Lowering;

/// <summary>Functions of reals that several layers use.</summary>
internal static class RealForms
{
    /// <summary>1 / (1 + exp(0 - x)).</summary>
    public static ScalarExpression Logistic(ScalarExpression x) => Scalar.Quotient(
        Scalar.Real(1), Scalar.Add(Scalar.Real(1), Scalar.Call(ScalarFunction.Exp, Scalar.Subtract(Scalar.Real(0), x))));
}
