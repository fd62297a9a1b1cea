using System.Text;
using CnnCompiler.Core;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Text;
using static CnnCompiler.Ir.Text.IrTextFormat;

namespace CnnCompiler.Ir.Mapped;

/// <summary>The text form of a mapped program and the companion with its large constants.</summary>
/// <param name="Text">The text; lines end in \n.</param>
/// <param name="Constants">The companion.</param>
public sealed record MappedText(string Text, ConstantStore Constants);

/// <summary>
/// Writes a mapped program as text, which <see cref="MappedParser"/> reads back as an equal program:
/// <code>
/// mapped "lenet5" {
///   buffer %in input [28, 28, 1] lanes 4 pitch [28, 1, 1] words 196
///   buffer %conv1 activation [28, 28, 4] lanes 4 pitch [128, 4, 1] halo [2, 2, 0] [2, 2, 0] fill -128 words 1024
///   constant %conv1.weights = @conv1.weights#0123456789abcdef:i8[4x5x5x1]
///   input "image" = %in : i8[1x28x28x1] scale 1 zero -128
///   origin conv2d %conv1 macs 78400
///   nest "conv1" kernel "contract" {
///     for [y 28, x 28, k 4, r 5 reduced, s 5 reduced]
///     if 4*y + k &lt; 100
///     read %padded[32*y + x + 32*r + s]
///     read %conv1.weights[25*k + 5*r + s]
///     term (extra0 - -128) * extra1
///     reduce add
///     post clamp(acc, -128, 127)
///     write %conv1[128*y + 4*x + k + 264]
///   }
///   softmax "prob" %logits -> %prob rows 1 columns 10 multiplier 1 shift 22 diff -62
///   output "prob" = %prob : i8[1x10] scale 0.00390625 zero -128
///   value "conv1" = %conv1 [1, 28, 28, 4] after 3
/// }
/// </code>
/// extraN in term and post is the N-th element read. A loop whose name is no word, or not its own, is called otherwise and followed by its name in quotation marks.
/// </summary>
public static class MappedPrinter
{
    /// <summary>Text and companion of a program.</summary>
    /// <param name="program">The program.</param>
    /// <param name="notes">Comment lines before the steps of a layer, by its name; null for none.</param>
    public static MappedText Print(MappedProgram program, Func<string, IEnumerable<string>>? notes = null)
    {
        var constants = new ConstantStoreBuilder();
        var text = new StringBuilder();
        text.Append("mapped ").Append(IrTextFormat.String(program.Name)).Append(" {\n");
        foreach (var buffer in program.Buffers)
        {
            Line($"buffer {Value(buffer.Name)} {MappedNames.Of(buffer.Role)} {Layout(buffer.Layout)} words {Integer(buffer.Words)}");
        }

        foreach (var constant in program.Constants)
        {
            Line($"constant {Value(constant.Name)} = {IrTextFormat.Constant(constant.Value, constant.Name, constants)}");
        }

        foreach (var port in program.Inputs)
        {
            Line($"input {Port(port)}");
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
                Line(origin);
            }

            _ = step.Match(
                nest => Nest(nest, Line),
                softmax => Line(
                    $"softmax {IrTextFormat.String(softmax.Name)} {Value(softmax.Source)} -> {Value(softmax.Destination)} rows {Integer(softmax.Rows)} columns {Integer(softmax.Columns)} "
                    + $"multiplier {Integer(softmax.Multiplier)} shift {Integer(softmax.LeftShift)} diff {Integer(softmax.DiffMin)}"));
        }

        foreach (var port in program.Outputs)
        {
            Line($"output {Port(port)}");
        }

        foreach (var value in program.Values)
        {
            Line($"value {IrTextFormat.String(value.Tensor)} = {Value(value.Buffer)} {List(value.Shape)} after {Integer(value.CompletedBy)}");
        }

        return new(text.Append("}\n").ToString(), constants.Build());

        bool Line(string line)
        {
            text.Append("  ").Append(line).Append('\n');
            return true;
        }
    }

    private static string Layout(BufferLayout layout)
    {
        var text = $"{List(layout.Shape)} lanes {Integer(layout.Lanes)} pitch {List(layout.Pitch)}";
        var none = Enumerable.Repeat(0, layout.Shape.Count).ToEquatableArray();
        if (layout.HaloBefore != none || layout.HaloAfter != none)
        {
            text += $" halo {List(layout.HaloBefore)} {List(layout.HaloAfter)}";
        }

        return layout.HaloFill is { } fill ? $"{text} fill {Integer(fill)}" : text;
    }

    private static string Port(MappedPort port) => $"{IrTextFormat.String(port.Name)} = {Value(port.Buffer)} : {IrTextFormat.Type(port.Type)}";

    private static bool Nest(MappedNest nest, Func<string, bool> line)
    {
        var names = Names(nest.Loops);
        line($"nest {IrTextFormat.String(nest.Name)} kernel {IrTextFormat.String(nest.Kernel)} {{");
        line($"  for [{string.Join(", ", nest.Loops.Select((loop, l) => Loop(loop, names[l])))}]");
        foreach (var guard in nest.Guards)
        {
            line($"  if {AffineText.Print(guard.Value, names)} < {Integer(guard.Bound)}");
        }

        foreach (var operand in nest.Operands)
        {
            line($"  read {Access(operand)}");
        }

        line($"  term {ScalarText.Print(nest.Term)}");
        line($"  reduce {GconvNames.Of(nest.Reduce)}");
        line($"  post {ScalarText.Print(nest.Post)}");
        line($"  write {Access(nest.Output)}");
        return line("}");

        string Access(MappedAccess access) => $"{Value(access.Target)}[{AffineText.Print(access.Element, names)}]";
    }

    private static string Loop(MappedLoop loop, string name)
    {
        var text = name == loop.Name ? name : $"{name} {IrTextFormat.String(loop.Name)}";
        return $"{text} {Integer(loop.Extent)}{(loop.Reduced ? " reduced" : string.Empty)}";
    }

    private static string[] Names(EquatableArray<MappedLoop> loops)
    {
        var taken = loops.Select(loop => loop.Name).ToHashSet(StringComparer.Ordinal);
        var names = new string[loops.Count];
        for (var l = 0; l < names.Length; l++)
        {
            var own = loops[l].Name;
            names[l] = own;
            var number = l;
            while (!IsWord(names[l]) || (names[l] == own ? loops.Count(loop => loop.Name == own) > 1 : !taken.Add(names[l])))
            {
                names[l] = $"loop{Integer(number)}";
                number += names.Length;
            }
        }

        return names;
    }

    private static bool IsWord(string name) =>
        name.Length > 0 && (char.IsAsciiLetter(name[0]) || name[0] == '_') && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '.');
}

/// <summary>Names of enumerations in text.</summary>
internal static class MappedNames
{
    public static string Of(BufferRole role) => role switch
    {
        BufferRole.Input => "input",
        BufferRole.Output => "output",
        BufferRole.Activation => "activation",
        BufferRole.Accumulator => "accumulator",
        _ => throw new ArgumentOutOfRangeException(nameof(role), role, "unknown role"),
    };

    public static BufferRole? Role(string name)
    {
        foreach (var role in Enum.GetValues<BufferRole>())
        {
            if (Of(role) == name)
            {
                return role;
            }
        }

        return null;
    }
}
