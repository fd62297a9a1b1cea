namespace CnnCompiler.Passes.PostTraining;

/// <summary>How the range of a value is chosen from what calibration saw.</summary>
public enum CalibrationMethod
{
    /// <summary>From the least number to the largest. Text name <c>minmax</c>.</summary>
    MinMax,

    /// <summary>What is left when the same small share is cut off at both ends. Text name <c>percentile</c>.</summary>
    Percentile,

    /// <summary>
    /// The threshold at which the quantised distribution loses least information (Kullback-Leibler divergence; Migacz, "8-bit Inference with TensorRT", GTC 2017). Text name <c>kl</c>.
    /// </summary>
    Entropy,
}

/// <summary>Text names of calibration methods.</summary>
public static class CalibrationMethods
{
    /// <summary>The names, in the order of the methods.</summary>
    public static IReadOnlyList<string> Names { get; } = ["minmax", "percentile", "kl"];

    /// <summary>The name of a method.</summary>
    public static string Name(this CalibrationMethod method) => Names[(int)method];

    /// <summary>The method of a name, or null.</summary>
    public static CalibrationMethod? Parse(string name)
    {
        for (var i = 0; i < Names.Count; i++)
        {
            if (Names[i] == name)
            {
                return (CalibrationMethod)i;
            }
        }

        return null;
    }
}

/// <summary>What a user may choose about post-training quantisation.</summary>
public sealed record QuantizationOptions
{
    /// <summary>How ranges of values are chosen.</summary>
    public CalibrationMethod Method { get; init; } = CalibrationMethod.Percentile;

    /// <summary>Share of the elements that <see cref="CalibrationMethod.Percentile"/> keeps at each end, in percent; above 50, at most 100.</summary>
    public double Percentile { get; init; } = 99.99;

    /// <summary>True to bring the channels of values between two layers to like ranges before.</summary>
    public bool EqualizeChannels { get; init; } = true;

    /// <summary>True to move biases by the mean error that rounded weights cause.</summary>
    public bool CorrectBias { get; init; } = true;
}
