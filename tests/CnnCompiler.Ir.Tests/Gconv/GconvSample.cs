using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Text;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Ir.Tests.Gconv;

/// <summary>A small sound chain with every kind of step, which tests change word by word.</summary>
internal static class GconvSample
{
    public const string Text = """
        gconv "sample" {
          input %x : i8[2x6]
          constant %w = i8[3x4]{1, 2, 3, 4, -5, 6, -7, 8, 9, -10, 11, -12}
          constant %b = i32[3]{100, -200, 300}
          %y = gconv [n.opc 2, c.op 3, h.opc 3, h.ks 4] : i32[2x3x3] {
            read %x[n.opc, h.opc + h.ks]
            kernel %w[c.op, h.ks]
            extra %b[c.op]
            pre input - 1
            main input * kernel
            reduce add i32
            post acc + extra0
            write [n.opc, c.op, h.opc]
          }
          %flat = reshape %y : i32[18]
          %m = gconv [n.opc 2, h.opc 4, h.ks 3] : i8[2x4] {
            read %x[n.opc, 2*h.opc + h.ks - 1] skip
            pre input
            main input
            reduce max i8
            post max(acc, -100)
            write [n.opc, h.opc]
          }
          %q = gconv [n.opc 2, h.opc 6] : i8[2x6] {
            read %x[n.opc, h.opc]
            extra %b[0]
            pre input
            main input
            reduce none i32
            post requantize(tflite-double, acc + extra0, 1073741824, -1)
            write [n.opc, h.opc]
          }
          %j.0 = gconv [n.opc 2, h.opc 6] : i8[2x6] into %j {
            read %x[n.opc, h.opc]
            pre input
            main input
            reduce none i32
            post acc
            write [n.opc, h.opc]
          }
          %j.1 = gconv [n.opc 2, h.opc 3] : i8[2x3] into %j {
            read %x[n.opc, h.opc - 1] fill 7
            pre input
            main input
            reduce none i32
            post acc
            write [n.opc, h.opc + 6]
          }
          %j = join %j.0, %j.1 : i8[2x9]
          constant %t = i16[4]{7, -8, 9, -10}
          constant %e = f32[11]{0, 1, -0.5, 3, 1E-05, 5, 6, 7, 8, 9, 1.5}
          %u = gconv [n.opc 2, h.opc 11, h.ks 3] : i32[2x11] {
            read %x[n.opc, (h.opc - h.ks + 1)/2] skip
            pre input
            main input
            reduce add i64
            post acc * taps
            write [n.opc, h.opc]
          }
          %f = gconv [n.opc 2, h.opc 11] : f32[2x11] {
            read %u[n.opc, h.opc]
            extra %t[0]
            extra %e[h.opc]
            pre real(input)
            main exp(input * 0.125)
            reduce none f64
            post select(acc - 1.0, acc / 2.0, extra1) + real(lookup(extra0, clamp(round_half_even(acc), 0, 3)))
            write [n.opc, h.opc]
          }
          %s = softmax %j multiplier=1476210432 shift=24 diff=-124 : i8[2x9] scale 0.00390625 zero -128
          output %flat
          output %m
          output %s
          output %f
        }
        """;

    /// <summary>The chain of a text that has to be well-formed.</summary>
    public static GconvProgram Parse(string text)
    {
        var diagnostics = new DiagnosticBag();
        var program = GconvParser.Parse(text, "sample.gconv", ConstantStore.Empty, diagnostics);
        Assert.Empty(diagnostics.Diagnostics);
        return program!;
    }

    /// <summary>The sample with a text replaced wherever it stands; it has to stand there.</summary>
    public static string With(string text, string replacement)
    {
        var lines = Text.ReplaceLineEndings("\n");
        Assert.Contains(text, lines, StringComparison.Ordinal);
        return lines.Replace(text, replacement, StringComparison.Ordinal);
    }

    /// <summary>A chain of one operator that reads %x and is its only output.</summary>
    public static GconvProgram Operator(string input, string loops, string type, string body) =>
        Parse($"gconv \"one\" {{\n input %x : {input}\n %y = gconv [{loops}] : {type} {{\n{body}\n}}\n output %y\n}}");
}
