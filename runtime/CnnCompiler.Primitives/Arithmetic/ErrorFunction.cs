namespace CnnCompiler.Primitives.Arithmetic;

/// <summary>
/// The error function, erf(x) = 2 / sqrt(pi) * integral of exp(-t^2) from 0 to x, one definition for all levels: System.Math has none. Error below 4 units in the last place of binary64
/// (4e-16 relative) on all arguments, by a series of positive terms below 2.5 and a continued fraction of 1 - erf above (Abramowitz and Stegun, 7.1.6 and 7.1.14).
/// </summary>
public static class ErrorFunction
{
    private const double Crossover = 2.5;
    private const int FractionTerms = 60;

    /// <summary>erf(x); odd; not a number of what is none.</summary>
    public static double Erf(double x)
    {
        if (double.IsNaN(x))
        {
            return x;
        }

        var magnitude = Math.Abs(x);
        var value = magnitude < Crossover ? Series(magnitude) : 1 - Complement(magnitude);
        return x < 0 || (x == 0 && double.IsNegative(x)) ? -value : value;
    }

    // 2 / sqrt(pi) * exp(-x^2) * sum of 2^n x^(2n + 1) / (1 * 3 * ... * (2n + 1)): no term is negative, so nothing cancels.
    private static double Series(double x)
    {
        var term = x;
        var sum = x;
        for (var n = 1; term > sum * 1e-18; n++)
        {
            term *= 2 * x * x / ((2 * n) + 1);
            sum += term;
        }

        return 2 / Math.Sqrt(Math.PI) * Math.Exp(-x * x) * sum;
    }

    // exp(-x^2) / sqrt(pi) / (x + (1/2) / (x + 1 / (x + (3/2) / (x + ...)))), from the inside out.
    private static double Complement(double x)
    {
        if (x > 6)
        {
            // Below half a unit in the last place of 1.
            return 0;
        }

        var fraction = x;
        for (var n = FractionTerms; n > 0; n--)
        {
            fraction = x + (n / 2.0 / fraction);
        }

        return Math.Exp(-x * x) / (Math.Sqrt(Math.PI) * fraction);
    }
}
