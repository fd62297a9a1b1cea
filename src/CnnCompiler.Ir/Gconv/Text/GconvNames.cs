namespace CnnCompiler.Ir.Gconv;

/// <summary>Names of enumerations in text.</summary>
public static class GconvNames
{
    /// <summary>Name of a reduction: none, add, max.</summary>
    public static string Of(GconvReduction reduction) => reduction switch
    {
        GconvReduction.None => "none",
        GconvReduction.Add => "add",
        GconvReduction.Maximum => "max",
        _ => throw new ArgumentOutOfRangeException(nameof(reduction), reduction, "unknown reduction"),
    };

    /// <summary>Name of a kind of view: reshape, join.</summary>
    public static string Of(ViewKind kind) => kind switch
    {
        ViewKind.Reshape => "reshape",
        ViewKind.Join => "join",
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "unknown kind of view"),
    };

    /// <summary>The reduction of a name, or null.</summary>
    public static GconvReduction? Reduction(string name) => Find<GconvReduction>(name, Of);

    /// <summary>The kind of loop of a name, or null.</summary>
    public static LoopKind? Kind(string name) => Find<LoopKind>(name, AffineExpressions.Name);

    private static T? Find<T>(string name, Func<T, string> nameOf)
        where T : struct, Enum
    {
        foreach (var value in Enum.GetValues<T>())
        {
            if (nameOf(value) == name)
            {
                return value;
            }
        }

        return null;
    }
}
