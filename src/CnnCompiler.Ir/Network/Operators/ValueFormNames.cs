namespace CnnCompiler.Ir.Network.Operators;

/// <summary>Names of what values hold, for messages and docs.</summary>
public static class ValueFormNames
{
    private static readonly (ValueForms Form, string Name)[] Names =
    [
        (ValueForms.Quantized, "i8"), (ValueForms.Unsigned, "u8"), (ValueForms.Fixed, "fixed point"), (ValueForms.Sums, "i32 sums"), (ValueForms.Real, "f32"),
    ];

    /// <summary>The names, separated by commas: <c>i8, fixed point, f32</c>.</summary>
    public static string Of(ValueForms forms) => string.Join(", ", Names.Where(entry => forms.HasFlag(entry.Form)).Select(entry => entry.Name));
}
