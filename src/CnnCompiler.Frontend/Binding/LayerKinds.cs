using CnnCompiler.Ir.Network;
using CnnCompiler.Ir.Network.Operators;

namespace CnnCompiler.Frontend.Binding;

/// <summary>An attribute of the language: what an operator declares, or what only the language has because the level has it in weights or types.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Summary">What it means.</param>
/// <param name="Default">The value where none is written, in words; null where one has to be.</param>
/// <param name="Declared">The operator's declaration, or null.</param>
internal sealed record LanguageAttribute(string Name, string Summary, string? Default, OperatorAttribute? Declared);

/// <summary>A layer of the language: an operator, and how it is written.</summary>
internal sealed class LayerKind
{
    private static readonly LanguageAttribute _filters = new("filters", "output channels", null, null);
    private static readonly LanguageAttribute _kernel = new("kernel", "extents of the kernel", null, null);
    private static readonly LanguageAttribute _shape = new("shape", "extents of the result", null, null);

    // What the level has in the shape of weights, or in the type of the result.
    private static readonly Dictionary<string, LanguageAttribute[]> _additions = new(StringComparer.Ordinal)
    {
        ["conv2d"] = [_filters, _kernel],
        ["conv2d_transpose"] = [_filters, _kernel],
        ["conv3d"] = [_filters, _kernel],
        ["depthwise_conv2d"] = [_kernel],
        ["dense"] = [new("units", "values of the result", null, null)],
        ["capsule_transform"] = [new("capsules", "capsules of the result, J", null, null), new("length", "numbers of each of them, E", null, null)],
        ["reshape"] = [_shape],
        ["constant"] = [_shape, new("element", "i8, u8, i32, f32, fixed0 to fixed30, or value", "value", null)],
        ["quantize"] = [new("element", "i8, u8, fixed0 to fixed30, or value", "i8", null)],
    };

    private static readonly LanguageAttribute _sums = new("sums", "the result is the i32 sums of the products themselves", "no", null);

    public LayerKind(Operator definition)
    {
        Definition = definition;
        var added = _additions.GetValueOrDefault(definition.Keyword) ?? [];
        var declared = definition.Attributes.Where(attribute => attribute.Kind is not (AttributeKind.Tensor or AttributeKind.WeightQuantization)).Select(Declared);
        Attributes = [.. added, .. declared, .. definition.FormRule == FormRule.SameOrSums ? (LanguageAttribute[])[_sums] : []];
        Names = [.. Attributes.Select(attribute => attribute.Name)];
    }

    /// <summary>The operator.</summary>
    public Operator Definition { get; }

    /// <summary>Its name.</summary>
    public string Keyword => Definition.Keyword;

    /// <summary>Its attributes.</summary>
    public IReadOnlyList<LanguageAttribute> Attributes { get; }

    /// <summary>Their names.</summary>
    public IReadOnlyList<string> Names { get; }

    /// <summary>The number of operands as a message names it.</summary>
    public string Operands => (Definition.MinimumInputs, Definition.MaximumInputs) switch
    {
        (0, 0) => "no value",
        (1, 1) => "one value",
        (2, 2) => "two values",
        _ => "one or more values",
    };

    private LanguageAttribute Declared(OperatorAttribute attribute)
    {
        if (attribute.Kind == AttributeKind.OptionalTensor)
        {
            return new(attribute.TextName, $"stored in the weight file, or none: {attribute.Summary}", "stored", attribute);
        }

        var otherwise = (Keyword, attribute.Name) switch
        {
            ("max_pool2d" or "avg_pool2d" or "max_pool3d" or "avg_pool3d", "stride") => "the kernel",
            ("pad", "value") => "the zero point, which means 0",
            ("strided_slice", "steps") => "1 for each dimension",
            _ => attribute.Default is { } value ? LanguageText.Of(value) : null,
        };
        return new(attribute.Name, attribute.Summary, otherwise, attribute);
    }
}

/// <summary>Values of attributes as the language writes them.</summary>
internal static class LanguageText
{
    /// <summary>The text of a value.</summary>
    public static string Of(object value) => value switch
    {
        bool flag => flag ? "yes" : "no",
        Spatial { Height: var height, Width: var width } => FormattableString.Invariant(height == width ? $"{height}" : (FormattableString)$"{height}x{width}"),
        Volume { Depth: var depth, Height: var height, Width: var width } =>
            FormattableString.Invariant(depth == height && height == width ? $"{depth}" : (FormattableString)$"{depth}x{height}x{width}"),
        Padding or VolumePadding => "valid",
        FusedActivation activation => NetworkNames.Of(activation),
        RoundingScheme rounding => $"\"{NetworkNames.Of(rounding)}\"",
        ResizeMode mode => NetworkNames.Of(mode),
        ResizeCoordinates coordinates => NetworkNames.Of(coordinates),
        float.NegativeInfinity or float.PositiveInfinity => "none",
        float number => FormattableString.Invariant($"{number:R}"),
        _ => FormattableString.Invariant($"{value}"),
    };
}

/// <summary>All layers of the language: those of <see cref="OperatorTable"/>.</summary>
internal static class LayerKinds
{
    private static readonly Dictionary<string, LayerKind> _byKeyword = OperatorTable.All.ToDictionary(definition => definition.Keyword, definition => new LayerKind(definition), StringComparer.Ordinal);

    /// <summary>In the order of the table.</summary>
    public static readonly IReadOnlyList<LayerKind> All = [.. OperatorTable.All.Select(definition => _byKeyword[definition.Keyword])];

    /// <summary>Fused activations by their words; none is the default.</summary>
    public static readonly (string Word, FusedActivation Value)[] Activations = Words<FusedActivation>(NetworkNames.Of);

    /// <summary>Rounding schemes by their words; TFLite's reference kernels are the default.</summary>
    public static readonly (string Word, RoundingScheme Value)[] Roundings = Words<RoundingScheme>(NetworkNames.Of);

    /// <summary>Modes of a resize.</summary>
    public static readonly (string Word, ResizeMode Value)[] Modes = Words<ResizeMode>(NetworkNames.Of);

    /// <summary>Coordinates of a resize.</summary>
    public static readonly (string Word, ResizeCoordinates Value)[] Coordinates = Words<ResizeCoordinates>(NetworkNames.Of);

    /// <summary>The kind of a keyword, or null.</summary>
    public static LayerKind? Find(string keyword) => _byKeyword.GetValueOrDefault(keyword);

    private static (string Word, T Value)[] Words<T>(Func<T, string> nameOf)
        where T : struct, Enum => [.. Enum.GetValues<T>().Select(value => (nameOf(value), value))];
}
