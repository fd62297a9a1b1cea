using System.Text;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;
using CnnCompiler.Ir.Text;
using static CnnCompiler.Ir.Text.IrTextFormat;

namespace CnnCompiler.Ir.Gconv;

/// <summary>The text form of a chain and the companion with its large constants.</summary>
/// <param name="Text">The text; lines end in \n.</param>
/// <param name="Constants">The companion.</param>
public sealed record GconvText(string Text, ConstantStore Constants);

/// <summary>
/// Writes a chain as text, which <see cref="GconvParser"/> reads back as an equal chain:
/// <code>
/// gconv "resnet8" {
///   input %t0 : i8[1x32x32x3] scale 1 zero -128
///   constant %t22.weights = @t22.weights#0123456789abcdef:i8[16x3x3x3]
///   origin conv2d %t22 macs 442368
///   %t22 = gconv [n.opc 1, h.opc 32, w.opc 32, c.g 1, c.op 16, h.ks 3, w.ks 3, c.ks 3] : i8[1x32x32x16] scale 0.039393552 zero -128 {
///     | dim  Ng  Nop  Nopc  Nks  s  ps  dil
///     | n     1    1     1    1  1   0    1
///     ...
///     read %t0[n.opc, h.opc + h.ks - 1, w.opc + w.ks - 1, 3*c.g + c.ks] skip
///     kernel %t22.weights[16*c.g + c.op, h.ks, w.ks, c.ks]
///     extra %t22.bias[16*c.g + c.op]
///     ...
///     pre input - -128
///     main input * kernel
///     reduce add i32
///     post clamp(requantize(tflite-double, acc + extra0, extra1, extra2) + -128, -128, 127)
///     write [n.opc, h.opc, w.opc, 16*c.g + c.op]
///   }
///   output %t22
/// }
/// </code>
/// The table (<see cref="GconvTable"/>) may be left out; where it is there, it must be the operator's. A piece of a join says <c>into %join</c> after its type;
/// a layer that the host executes stands as in the text of the network, after the word <c>host</c>.
/// </summary>
public static class GconvPrinter
{
    private const string BodyIndent = "    ";

    /// <summary>Text and companion of a chain.</summary>
    /// <param name="program">The chain.</param>
    /// <param name="notes">Comment lines before the steps of a layer, by its name; null for none.</param>
    public static GconvText Print(GconvProgram program, Func<string, IEnumerable<string>>? notes = null)
    {
        var constants = new ConstantStoreBuilder();
        var text = new StringBuilder();
        text.Append("gconv ").Append(IrTextFormat.String(program.Name)).Append(" {\n");
        foreach (var input in program.Inputs)
        {
            text.Append("  input ").Append(Value(input.Name)).Append(" : ").Append(Type(input.Type)).Append('\n');
        }

        foreach (var constant in program.Constants)
        {
            text.Append("  constant ").Append(Value(constant.Name)).Append(" = ").Append(Constant(constant.Value, constant.Name, constants)).Append('\n');
        }

        var layer = string.Empty;
        foreach (var step in program.Steps)
        {
            if (step.Origin.Value.Layer is { } next && next != layer)
            {
                text.AppendNotes(notes?.Invoke(next));
                layer = next;
            }

            if (OriginText.Print(step.Origin.Value) is { } origin)
            {
                text.Append("  ").Append(origin).Append('\n');
            }

            text.Append("  ").Append(step.Match(
                operation => Named(operation, Operator(operation)),
                view => Named(view, View(view)),
                softmax => Named(softmax, Softmax(softmax)),
                host => $"host {NetworkPrinter.Print(host.Layer, constants)}\n"));
        }

        foreach (var output in program.Outputs)
        {
            text.Append("  output ").Append(Value(output)).Append('\n');
        }

        text.Append("}\n");
        return new(text.ToString(), constants.Build());
    }

    private static string Named(GconvStep step, string text) => $"{Value(step.Name)} = {text}";

    private static string Operator(GconvOperator operation)
    {
        var text = new StringBuilder();
        var loops = operation.Loops.Select(loop => loop.Name).ToArray();
        text.Append("gconv [").AppendJoin(", ", operation.Loops.Select(loop => $"{loop.Name} {Integer(loop.Extent)}")).Append("] : ").Append(Type(operation.Type));
        text.Append(operation.Destination is { } destination ? $" into {Value(destination)} {{\n" : " {\n");
        text.Append(GconvTable.Print(GconvTable.Of(operation), BodyIndent));
        Line("read", Access(operation.Input, loops));
        if (operation.Kernel is { } kernel)
        {
            Line("kernel", Access(kernel, loops));
        }

        foreach (var extra in operation.Extra)
        {
            Line("extra", Access(extra, loops));
        }

        Line("pre", ScalarText.Print(operation.Pre));
        Line("main", ScalarText.Print(operation.Main));
        Line("reduce", $"{GconvNames.Of(operation.Reduce)} {operation.Accumulator.Name()}");
        Line("post", ScalarText.Print(operation.Post));
        Line("write", AffineText.Print(operation.OutputIndex, loops));
        return text.Append("  }\n").ToString();

        void Line(string keyword, string rest) => text.Append(BodyIndent).Append(keyword).Append(' ').Append(rest).Append('\n');
    }

    private static string Access(OperandAccess access, string[] loops) => Value(access.Tensor) + AffineText.Print(access.Index, loops) + access.OutOfRange switch
    {
        OutOfRange.SkipTap => " skip",
        OutOfRange.Fill => $" fill {Integer(access.FillValue)}",
        _ => string.Empty,
    };

    private static string View(GconvView view) =>
        $"{GconvNames.Of(view.Kind)} {string.Join(", ", view.Sources.Select(Value))} : {Type(view.Type)}\n";

    private static string Softmax(GconvHostSoftmax softmax) =>
        $"softmax {Value(softmax.Source)} multiplier={Integer(softmax.Multiplier)} shift={Integer(softmax.LeftShift)} diff={Integer(softmax.DiffMin)} : {Type(softmax.Type)}\n";
}
