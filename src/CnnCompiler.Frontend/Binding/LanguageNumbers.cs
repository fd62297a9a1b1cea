using System.Globalization;
using CnnCompiler.Frontend.Syntax;

namespace CnnCompiler.Frontend.Binding;

/// <summary>Numbers as written, to values.</summary>
internal static class LanguageNumbers
{
    /// <summary>The integer, or null where it is none or outside the range.</summary>
    public static long? Integer(NumberValue number, long low, long high) =>
        long.TryParse(number.Text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value) && value >= low && value <= high ? value : null;

    /// <summary>The float32 number nearest to what is written, or null where it is not finite or not above 0.</summary>
    public static float? Scale(NumberValue number) =>
        float.TryParse(number.Text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && float.IsFinite(value) && value > 0 ? value : null;
}
