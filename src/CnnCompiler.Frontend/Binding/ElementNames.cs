using CnnCompiler.Core.Tensors;

namespace CnnCompiler.Frontend.Binding;

/// <summary>Element types as the language writes them: those of tensors, fixed point, and <c>value</c>.</summary>
internal static class ElementNames
{
    /// <summary>The type that is another in each reading of a file.</summary>
    public const string Value = "value";

    /// <summary>All that can be suggested.</summary>
    public static IEnumerable<string> Known => [.. Enum.GetValues<ElementType>().Select(type => type.Name()), "fixed8", "fixed16", Value];

    /// <summary>Element type and, of fixed point, its quantisation; null for a name that is none.</summary>
    public static (ElementType Element, Quantization? Quantization)? Parse(string name, NetworkElements elements)
    {
        if (name == Value)
        {
            return (elements.Element, elements.Quantization);
        }

        return NetworkElements.Parse(name) is { Element: ElementType.Int32 } fixedPoint
            ? (ElementType.Int32, fixedPoint.Quantization)
            : ElementTypes.Parse(name) is { } element ? (element, null) : null;
    }
}
