namespace CnnCompiler.Samples.Digits;

/// <summary>
/// Functions made of IEEE additions, multiplications and roundings only. <see cref="Math"/> calls the C library of the machine for these, whose
/// last bit differs from one to the next, and one bit is enough to train another network.
/// </summary>
public static class PortableMath
{
    /// <summary>Sine of an angle in radians; error below 1e-9 for |angle| up to 1000.</summary>
    public static double Sin(double angle)
    {
        var x = angle - (Math.Round(angle / (2 * Math.PI)) * (2 * Math.PI));
        if (x > Math.PI / 2)
        {
            x = Math.PI - x;
        }
        else if (x < -Math.PI / 2)
        {
            x = -Math.PI - x;
        }

        var square = x * x;
        var term = x;
        var sum = x;
        for (var n = 1; n <= 8; n++)
        {
            term *= -square / (2 * n * ((2 * n) + 1));
            sum += term;
        }

        return sum;
    }

    /// <summary>Cosine of an angle in radians; as exact as <see cref="Sin"/>.</summary>
    public static double Cos(double angle) => Sin(angle + (Math.PI / 2));

    /// <summary>e to the power <paramref name="x"/>, for x from -700 to 700; relative error below 1e-14.</summary>
    public static double Exp(double x)
    {
        var power = Math.Round(x * 1.4426950408889634);
        var rest = x - (power * 0.6931471805599453);
        var term = 1.0;
        var sum = 1.0;
        for (var n = 1; n <= 14; n++)
        {
            term *= rest / n;
            sum += term;
        }

        return Math.ScaleB(sum, (int)power);
    }
}
