using System.Globalization;
using System.Text;
using CnnCompiler.Frontend.Binding;
using CnnCompiler.Ir.Network;
using CnnCompiler.Ir.Network.Operators;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Frontend.Tests.Language;

/// <summary>docs/operators.md is what <see cref="OperatorTable"/> and the language declare: nothing in it is typed.</summary>
public sealed class OperatorsPageTests
{
    private const string Header =
        """
        # Operators

        Every layer of the network level, as `OperatorTable` declares it; a test writes this page (`CNNC_ACCEPT=1`). The language, IR text and the verifier read the same declarations. What is required beyond ranges is in
        [network-invariants.md](network-invariants.md), how layers are written in [language.md](language.md).

        Numbers: i8 with one scale and zero point; fixed point (i32, scale 2^-f); f32; u8 and i32 sums of products at the edges. Arrays are read from the weight file as `NAME.array`.

        """;

    [Fact]
    public void The_page_of_operators_is_what_the_table_declares()
    {
        var page = new StringBuilder(Header.ReplaceLineEndings("\n"));
        foreach (var kind in LayerKinds.All)
        {
            Append(page, kind);
        }

        Snapshot.Check("docs/operators.md", page.ToString());
    }

    private static void Append(StringBuilder page, Binding.LayerKind kind)
    {
        var definition = kind.Definition;
        page.Append(CultureInfo.InvariantCulture, $"\n## {kind.Keyword}\n\n{definition.Summary}.\n\n");
        page.Append(CultureInfo.InvariantCulture, $"* reads {kind.Operands}; defined on {ValueFormNames.Of(definition.Forms)}{(definition.FormRule == FormRule.SameOrSums ? "; of i8 operands the result may be the i32 sums themselves" : string.Empty)}\n");
        page.Append(CultureInfo.InvariantCulture, $"* scale and zero point of the result: {Quantization(definition)}\n");
        var arrays = definition.Attributes.Where(attribute => attribute.Kind is AttributeKind.Tensor or AttributeKind.OptionalTensor).ToList();
        if (arrays.Count > 0)
        {
            page.Append(CultureInfo.InvariantCulture, $"* arrays: {string.Join("; ", arrays.Select(array => $"`{array.TextName}` {array.Summary}{(array.IsRequired ? string.Empty : " (may be absent)")}"))}\n");
        }

        if (kind.Attributes.Count == 0)
        {
            return;
        }

        page.Append("\n| attribute | in IR text | is | default | means |\n|---|---|---|---|---|\n");
        foreach (var attribute in kind.Attributes)
        {
            page.Append(CultureInfo.InvariantCulture, $"| `{attribute.Name}` | {(attribute.Declared is { } declared ? $"`{declared.TextName}`" : "(in weights or type)")} | {Values(attribute)} | {attribute.Default ?? "required"} | {attribute.Summary} |\n");
        }
    }

    private static string Quantization(Operator definition) => definition.Quantization switch
    {
        ResultQuantization.Own => "written after the layer, or in the weight file",
        ResultQuantization.OfOperand => "those of the (first) operand",
        ResultQuantization.OfOperator => FormattableString.Invariant($"of i8 {definition.FixedQuantization!.Scale:R} and {definition.FixedQuantization.ZeroPoint}"),
        _ => "none, it is f32",
    };

    private static string Values(LanguageAttribute attribute) => attribute.Declared switch
    {
        null => attribute.Name switch { "kernel" => "extents", "element" => "a type", "sums" => "yes or no", "shape" => "extents", _ => "an integer" },
        { Kind: AttributeKind.Integer } integer => Range(integer, "an integer"),
        { Kind: AttributeKind.Integers } integers => Range(integers, "integers"),
        { Kind: AttributeKind.Spatial } pair => Range(pair, "height x width"),
        { Kind: AttributeKind.Volume } volume => Range(volume, "depth x height x width"),
        { Kind: AttributeKind.Real } => "a number",
        { Kind: AttributeKind.Reals } => "numbers",
        { Kind: AttributeKind.Flag } => "yes or no",
        { Kind: AttributeKind.Padding } => "same, valid or (top, bottom, left, right)",
        { Kind: AttributeKind.VolumePadding } => "same, valid or (front, back, top, bottom, left, right)",
        { Kind: AttributeKind.OptionalTensor } => "stored or none",
        { Kind: AttributeKind.Activation } => Words<FusedActivation>(NetworkNames.Of),
        { Kind: AttributeKind.Rounding } => Words<RoundingScheme>(NetworkNames.Of),
        { Kind: AttributeKind.ResizeMode } => Words<ResizeMode>(NetworkNames.Of),
        { Kind: AttributeKind.ResizeCoordinates } => Words<ResizeCoordinates>(NetworkNames.Of),
        var other => throw new InvalidOperationException($"{other.Kind} is not written"),
    };

    private static string Range(OperatorAttribute attribute, string what) => attribute.Name == "value"
        ? $"{what} in the range of the codes"
        : FormattableString.Invariant($"{what}, {attribute.Low} to {attribute.High}");

    private static string Words<T>(Func<T, string> nameOf)
        where T : struct, Enum => string.Join(", ", Enum.GetValues<T>().Select(nameOf));
}
