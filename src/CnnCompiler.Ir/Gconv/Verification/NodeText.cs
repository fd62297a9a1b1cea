namespace CnnCompiler.Ir.Gconv.Verification;

/// <summary>How messages name a step.</summary>
internal static class NodeText
{
    public static string Of(GconvStep step) => $"{step.Match(_ => "operator", _ => "view", _ => "softmax", _ => "host step")} '{step.Name}'";
}
