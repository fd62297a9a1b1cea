namespace CnnCompiler.Ir.Network.Operators;

/// <summary>All operators.</summary>
public static class OperatorTable
{
    private static readonly Dictionary<string, Operator> ByKeyword;

    static OperatorTable()
    {
        All = [.. ProductOperators.All, .. PoolOperators.All, .. ElementwiseOperators.All, .. NormalizationOperators.All, .. SelectionOperators.All];
        ByKeyword = All.ToDictionary(definition => definition.Keyword, StringComparer.Ordinal);
    }

    /// <summary>All of them, in the order of the docs.</summary>
    public static IReadOnlyList<Operator> All { get; }

    /// <summary>The operator of a keyword, or null.</summary>
    public static Operator? Find(string keyword) => ByKeyword.GetValueOrDefault(keyword);

    /// <summary>The operator of a layer.</summary>
    public static Operator Of(Layer layer) => ByKeyword[layer.Keyword];
}

/// <summary>Declares operators of one layer type without casts.</summary>
/// <typeparam name="T">The layer.</typeparam>
internal static class Declare<T>
    where T : Layer
{
    public delegate Core.Tensors.Shape? ShapeRule(T layer, IReadOnlyList<Core.Tensors.TensorType> inputs, ShapeRules rules);

    public delegate bool Requirement(T layer, IReadOnlyList<Core.Tensors.TensorType> inputs, LayerRules rules);

    public static Operator Of(
        string keyword,
        string summary,
        ValueForms forms,
        OperatorAttribute[] attributes,
        Func<LayerHead, AttributeValues, T> make,
        ShapeRule shape,
        Requirement check,
        int inputs = 1,
        int? mostInputs = null,
        FormRule rule = FormRule.Same,
        ResultQuantization quantization = ResultQuantization.OfOperand,
        Core.Tensors.Quantization? fixedQuantization = null) => new(
            keyword, summary, forms, attributes, (head, values) => make(head, values), (layer, types, rules) => shape((T)layer, types, rules), (layer, types, rules) => check((T)layer, types, rules))
        {
            MinimumInputs = inputs,
            MaximumInputs = mostInputs ?? inputs,
            FormRule = rule,
            Quantization = quantization,
            FixedQuantization = fixedQuantization,
        };
}
