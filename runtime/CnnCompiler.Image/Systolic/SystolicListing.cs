using System.Globalization;
using System.Text;
using CnnCompiler.Image.Container;
using CnnCompiler.Image.OpenEdge;

namespace CnnCompiler.Image.Systolic;

/// <summary>Lists a systolic program: every field of every descriptor, from the same declarations as the bytes.</summary>
public static class SystolicListing
{
    /// <summary>Appends the listing of an image's program.</summary>
    public static void Append(StringBuilder text, SystolicProgram program, IReadOnlyList<LayerInfo> layers)
    {
        var fields = new SystolicFields(new FieldPrinter(text));
        text.Append(CultureInfo.InvariantCulture, $"\nconfigurations: {program.Configurations.Count}\n");
        for (var i = 0; i < program.Configurations.Count; i++)
        {
            var configuration = program.Configurations[i];
            text.Append(CultureInfo.InvariantCulture, $"  {i,4}  kh {configuration.HorizontalDepth} kv {configuration.VerticalDepth}:");
            fields.Configuration(configuration);
            text.Append('\n');
        }

        text.Append(CultureInfo.InvariantCulture, $"\nprogram: {program.Steps.Count}\n");
        for (var i = 0; i < program.Steps.Count; i++)
        {
            var step = program.Steps[i];
            text.Append(CultureInfo.InvariantCulture, $"  {i,4} ");
            fields.Step(step);
            text.Append(step.Layer < 0 ? "\n" : $"\n        ; {OpenEdgeDisassembler.Quote(layers[step.Layer].Name)}{Product(step)}\n");
        }
    }

    private static string Product(SystolicStep step) => step is SystolicOperator { Array: not null } product
        ? string.Create(
            CultureInfo.InvariantCulture,
            $": {product.Extent(SystolicRole.Group)} products, M {product.Extent(SystolicRole.Position)}, N {product.Extent(SystolicRole.Column)}, K {product.Extent(SystolicRole.Row)}")
        : string.Empty;
}
