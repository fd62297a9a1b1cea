using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Ir.Tests.Gconv;

public sealed class GconvVerifierTests
{
    /// <summary>Invariant, text of the sample, what breaks the invariant in its place, and the node that is named.</summary>
    public static TheoryData<GconvInvariant, string, string, string> Violations => new()
    {
        { GconvInvariant.UniqueNames, "%m = gconv", "%y = gconv", "operator 'y'" },
        { GconvInvariant.UniqueNames, "%m = gconv", "%\"\" = gconv", "operator ''" },
        { GconvInvariant.UniqueNames, "constant %b =", "constant %x =", "constant 'x'" },
        { GconvInvariant.UniqueNames, "%j.1 =", "%j.0 =", "operator 'j.0'" },
        { GconvInvariant.DefinedBeforeUse, "read %x[n.opc, 2*h", "read %s[n.opc, 2*h", "operator 'm'" },
        { GconvInvariant.DefinedBeforeUse, "kernel %w", "kernel %nothing", "operator 'y'" },
        { GconvInvariant.DefinedBeforeUse, "extra %b[c.op]", "extra %nothing[c.op]", "operator 'y'" },
        { GconvInvariant.DefinedBeforeUse, "reshape %y", "reshape %flat", "view 'flat'" },
        { GconvInvariant.DefinedBeforeUse, "softmax %j", "softmax %k", "softmax 's'" },
        { GconvInvariant.DefinedBeforeUse, "output %m", "output %k", "the program" },
        { GconvInvariant.TensorTypes, "input %x : i8[2x6]", "input %x : f64[2x6]", "input 'x'" },
        { GconvInvariant.TensorTypes, "input %x : i8[2x6]", "input %x : i8[2x0]", "input 'x'" },
        { GconvInvariant.TensorTypes, "reshape %y : i32[18]", "reshape %y : i32[1x1x1x1x1x1x1x1x18]", "view 'flat'" },
        { GconvInvariant.TensorTypes, ": i32[2x3x3] {", ": i32[2000000000x2000000000x2000000000] {", "operator 'y'" },
        { GconvInvariant.Loops, "h.opc 4, h.ks 3", "h.opc 4, h.ks 0", "operator 'm'" },
        { GconvInvariant.Loops, "h.opc 4, h.ks 3", "h.opc 4, h.ks 3, h.ks 3", "operator 'm'" },
        { GconvInvariant.Loops, "h.opc 4, h.ks 3", "h.opc 4, h.ks 3, h.x.ks 3", "operator 'm'" },
        { GconvInvariant.Loops, "[n.opc 2, h.opc 4, h.ks 3] : i8[2x4] {\n    read %x[n.opc, 2*h.opc + h.ks - 1]", "[n.opc 2, h.opc 4, h.ks 3, u.ks 2000000000, v.ks 2000000000] : i8[2x4] {\n    read %x[n.opc + u.ks + v.ks, 2*h.opc + h.ks - 1]", "operator 'm'" },
        { GconvInvariant.IndexRank, "kernel %w[c.op, h.ks]", "kernel %w[c.op]", "operator 'y'" },
        { GconvInvariant.IndexRank, "read %x[n.opc, h.opc + h.ks]", "read %x[n.opc, h.opc, h.ks]", "operator 'y'" },
        { GconvInvariant.IndexRank, "write [n.opc, c.op, h.opc]", "write [n.opc, c.op]", "operator 'y'" },
        { GconvInvariant.IndexRank, "extra %b[c.op]", "extra %b[]", "operator 'y'" },
        { GconvInvariant.IndexInRange, "read %x[n.opc, h.opc + h.ks]", "read %x[n.opc, h.opc + h.ks + 1]", "operator 'y'" },
        { GconvInvariant.IndexInRange, "read %x[n.opc, h.opc + h.ks]", "read %x[n.opc, 2*h.opc + h.ks - 2]", "operator 'y'" },
        { GconvInvariant.IndexInRange, "extra %b[c.op]", "extra %b[c.op + 1]", "operator 'y'" },
        { GconvInvariant.IndexInRange, "kernel %w[c.op, h.ks]", "kernel %w[c.op, 2*h.ks]", "operator 'y'" },
        { GconvInvariant.IndexInRange, "2*h.opc + h.ks - 1] skip", "2*h.opc + h.ks - 9000000000000000000] skip", "operator 'm'" },
        { GconvInvariant.IndexInRange, "write [n.opc, c.op, h.opc]", "write [n.opc, c.op, h.opc + 1]", "operator 'y'" },
        { GconvInvariant.IndexInRange, "write [n.opc, h.opc + 6]", "write [n.opc, h.opc - 6]", "operator 'j.1'" },
        { GconvInvariant.LoopKinds, "[n.opc 2, c.op 3, h.opc 3, h.ks 4] : i32[2x3x3] {\n    read %x[n.opc, h.opc + h.ks]\n    kernel %w[c.op, h.ks]\n    extra %b[c.op]\n    pre input - 1\n    main input * kernel\n    reduce add i32\n    post acc + extra0\n    write [n.opc", "[n.g 2, c.op 3, h.opc 3, h.ks 4] : i32[2x3x3] {\n    read %x[n.g, h.opc + h.ks]\n    kernel %w[c.op, h.ks]\n    extra %b[c.op]\n    pre input - 1\n    main input * kernel\n    reduce add i32\n    post acc + extra0\n    write [n.g", "operator 'y'" },
        { GconvInvariant.LoopKinds, "kernel %w[c.op, h.ks]", "kernel %w[0, h.ks]", "operator 'y'" },
        { GconvInvariant.LoopKinds, "kernel %w[c.op, h.ks]", "kernel %w[c.op, 0]", "operator 'y'" },
        { GconvInvariant.LoopKinds, "kernel %w[c.op, h.ks]", "kernel %w[c.op, h.ks - h.opc + 2]", "operator 'y'" },
        { GconvInvariant.LoopKinds, "n.opc", "n.g", "operator 'q'" },
        { GconvInvariant.LoopKinds, "h.opc", "h.op", "operator 'q'" },
        { GconvInvariant.LoopKinds, "read %x[n.opc, 2*h.opc + h.ks - 1] skip", "read %x[n.opc, 2*h.opc - 1] skip", "operator 'm'" },
        { GconvInvariant.LoopKinds, "read %x[n.opc, 2*h.opc + h.ks - 1] skip", "read %x[0, 2*h.opc + h.ks - 1] skip", "operator 'm'" },
        { GconvInvariant.ParallelIndex, "extra %b[c.op]", "extra %b[c.op - h.ks]", "operator 'y'" },
        { GconvInvariant.ParallelIndex, "write [n.opc, c.op, h.opc]", "write [n.opc, c.op, h.opc + h.ks]", "operator 'y'" },
        { GconvInvariant.OutputCoverage, "i32[2x3x3] {", "i32[2x3x4] {", "operator 'y'" },
        { GconvInvariant.OutputCoverage, "write [n.opc, c.op, h.opc]", "write [n.opc, c.op, c.op]", "operator 'y'" },
        { GconvInvariant.OutputCoverage, "h.opc 4, h.ks 3] : i8[2x4]", "h.opc 4, h.ks 3] : i8[2x8]", "operator 'm'" },
        { GconvInvariant.SlotContents, "pre input - 1", "pre kernel - 1", "operator 'y'" },
        { GconvInvariant.SlotContents, "pre input - 1", "pre acc", "operator 'y'" },
        { GconvInvariant.SlotContents, "pre input - 1", "pre taps", "operator 'y'" },
        { GconvInvariant.SlotContents, "main input * kernel", "main input * taps", "operator 'y'" },
        { GconvInvariant.SlotContents, "main input * kernel", "main input", "operator 'y'" },
        { GconvInvariant.SlotContents, "main input * kernel", "main kernel", "operator 'y'" },
        { GconvInvariant.SlotContents, "post max(acc, -100)", "post max(input, -100)", "operator 'm'" },
        { GconvInvariant.SlotContents, "reduce max i8", "reduce max i8\n    post clamp(acc, kernel, 1)\n    write [n.opc, h.opc]\n  }\n  %unused = gconv [n.opc 2, h.opc 4] : i8[2x4] {\n    read %x[n.opc, h.opc]\n    pre input\n    main input\n    reduce none i32", "operator 'm'" },
        { GconvInvariant.SlotContents, "post acc + extra0", "post acc", "operator 'y'" },
        { GconvInvariant.SlotContents, "post acc + extra0", "post acc + extra1", "operator 'y'" },
        { GconvInvariant.Requantization, "requantize(tflite-double", "requantize(onnx-half-even", "operator 'q'" },
        { GconvInvariant.Requantization, "1073741824, -1)", "1073741824, -32)", "operator 'q'" },
        { GconvInvariant.Requantization, "1073741824, -1)", "1073741824, 31)", "operator 'q'" },
        { GconvInvariant.Requantization, "1073741824, -1)", "2147483648, -1)", "operator 'q'" },
        { GconvInvariant.Reduction, "reduce add i32", "reduce none i32", "operator 'y'" },
        { GconvInvariant.AccumulatorType, "reduce add i32", "reduce add i8", "operator 'y'" },
        { GconvInvariant.AccumulatorType, "reduce add i32", "reduce add f32", "operator 'y'" },
        { GconvInvariant.AccumulatorType, "reduce max i8", "reduce max u8", "operator 'm'" },
        { GconvInvariant.AccumulatorType, "reduce none f64", "reduce none i64", "operator 'f'" },
        { GconvInvariant.AccumulatorType, "reduce add i32", "reduce add f64", "operator 'y'" },
        { GconvInvariant.ScalarTypes, "pre real(input)", "pre input", "operator 'f'" },
        { GconvInvariant.ScalarTypes, "main exp(input * 0.125)", "main exp(input * 8)", "operator 'f'" },
        { GconvInvariant.ScalarTypes, "main exp(input * 0.125)", "main exp(input, 0.125)", "operator 'f'" },
        { GconvInvariant.ScalarTypes, "main exp(input * 0.125)", "main power(input)", "operator 'f'" },
        { GconvInvariant.ScalarTypes, "select(acc - 1.0, acc / 2.0, extra1)", "select(acc - 1.0, extra1, taps)", "operator 'f'" },
        { GconvInvariant.ScalarTypes, "+ real(lookup(", "+ (lookup(", "operator 'f'" },
        { GconvInvariant.ScalarTypes, "f32[2x11] {", "i32[2x11] {", "operator 'f'" },
        { GconvInvariant.ScalarTypes, "post acc * taps", "post acc / taps", "operator 'u'" },
        { GconvInvariant.ScalarTypes, "post acc * taps", "post real(acc)", "operator 'u'" },
        { GconvInvariant.ScalarTypes, "lookup(extra0, clamp(round_half_even(acc), 0, 3))", "lookup(extra0, acc)", "operator 'f'" },
        { GconvInvariant.SlotContents, "lookup(extra0, ", "lookup(extra2, ", "operator 'f'" },
        { GconvInvariant.SlotContents, "post acc * taps", "post select(acc, kernel, 1)", "operator 'u'" },
        { GconvInvariant.Tables, "lookup(extra0, clamp(round_half_even(acc), 0, 3))", "lookup(extra0, extra0)", "operator 'f'" },
        { GconvInvariant.Tables, "extra %t[0]", "extra %t[0] fill 1", "operator 'f'" },
        { GconvInvariant.Divisors, "(h.opc - h.ks + 1)/2", "(h.opc - h.ks + 1)/0", "operator 'u'" },
        { GconvInvariant.Divisors, "h.opc + h.ks]", "(h.opc + h.ks)/2]", "operator 'y'" },
        { GconvInvariant.Divisors, "extra %e[h.opc]", "extra %e[(h.opc)/2]", "operator 'f'" },
        { GconvInvariant.Divisors, "write [n.opc, h.opc + 6]", "write [n.opc, (h.opc + 6)/2]", "operator 'j.1'" },
        { GconvInvariant.HostLayer, "%flat = reshape %y :", "host %flat = reshape %y :", "host step 'flat'" },
        { GconvInvariant.OutOfRangeRules, "kernel %w[c.op, h.ks]", "kernel %w[c.op, h.ks] skip", "operator 'y'" },
        { GconvInvariant.OutOfRangeRules, "extra %b[c.op]", "extra %b[c.op] skip", "operator 'y'" },
        { GconvInvariant.OutOfRangeRules, "h.opc - 1] fill 7", "h.opc - 1] skip", "operator 'j.1'" },
        { GconvInvariant.OutOfRangeRules, "fill 7", "fill 128", "operator 'j.1'" },
        { GconvInvariant.Pieces, "into %j {\n    read %x[n.opc, h.opc - 1]", "into %flat {\n    read %x[n.opc, h.opc - 1]", "operator 'j.1'" },
        { GconvInvariant.Pieces, "join %j.0, %j.1", "join %j.1, %j.0", "view 'j'" },
        { GconvInvariant.Pieces, "join %j.0, %j.1", "join %j.0", "view 'j'" },
        { GconvInvariant.Pieces, "join %j.0, %j.1", "join %j.0, %j.1, %x", "view 'j'" },
        { GconvInvariant.Pieces, "i8[2x3] into %j", "i16[2x3] into %j", "view 'j'" },
        { GconvInvariant.Pieces, "softmax %j ", "softmax %j.0 ", "softmax 's'" },
        { GconvInvariant.Pieces, "[n.opc, h.opc - 1] fill 7", "[n.opc, h.opc - 1] fill 7\n    extra %j.0[n.opc, h.opc]", "operator 'j.1'" },
        { GconvInvariant.JoinCoverage, "write [n.opc, h.opc + 6]", "write [n.opc, h.opc + 5]", "view 'j'" },
        { GconvInvariant.JoinCoverage, "write [n.opc, h.opc + 6]", "write [n.opc, h.opc + 7]", "view 'j'" },
        { GconvInvariant.JoinCoverage, "i8[2x9]", "i8[2x10]", "view 'j'" },
        { GconvInvariant.ReshapeSource, "i32[18]", "i32[19]", "view 'flat'" },
        { GconvInvariant.ReshapeSource, "i32[18]", "i8[18]", "view 'flat'" },
        { GconvInvariant.ReshapeSource, "reshape %y ", "reshape %y, %y ", "view 'flat'" },
        { GconvInvariant.SoftmaxOperands, "shift=24", "shift=32", "softmax 's'" },
        { GconvInvariant.SoftmaxOperands, "softmax %j", "softmax %x", "softmax 's'" },
        { GconvInvariant.SoftmaxOperands, "softmax %j", "softmax %flat", "softmax 's'" },
    };

    [Fact]
    public void The_sample_is_sound() => Assert.Empty(GconvVerifier.Check(GconvSample.Parse(GconvSample.Text)));

    [Theory]
    [MemberData(nameof(Violations))]
    public void A_broken_invariant_is_reported_with_its_name_its_node_and_its_line(GconvInvariant invariant, string text, string replacement, string node)
    {
        var program = GconvSample.Parse(GconvSample.With(text, replacement));

        var problems = GconvVerifier.Check(program);

        Assert.Contains(problems, problem => problem.Code == "CNN0950" && problem.Message.StartsWith($"{node} breaks the invariant {GconvDiagnostics.Name(invariant)}: ", StringComparison.Ordinal));
        Assert.All(problems, problem => Assert.Equal(DiagnosticSeverity.Error, problem.Severity));
        Assert.All(problems.Where(problem => !problem.Message.StartsWith("the program", StringComparison.Ordinal) && !problem.Message.StartsWith("constant", StringComparison.Ordinal)), problem => Assert.InRange(problem.Span.Line, 2, 95));

        // An unsound chain is refused, not executed.
        var diagnostics = new DiagnosticBag();
        var inputs = program.Inputs.Select(input => input.Type.Shape.Elements == 12 ? new Tensor(ElementType.Int8, Shape.Of(12), new byte[12]) : null!).ToArray();
        Assert.Null(GconvEvaluator.Evaluate(program, inputs, diagnostics));
        Assert.NotEmpty(diagnostics.Diagnostics);
    }

    [Fact]
    public void Every_invariant_has_a_test_that_violates_it()
    {
        var violated = Violations.Select(row => row.Data.Item1).ToHashSet();

        Assert.All(Enum.GetValues<GconvInvariant>(), invariant => Assert.Contains(invariant, violated));
    }

    [Fact]
    public void What_text_cannot_say_is_refused_too()
    {
        var program = GconvSample.Parse(GconvSample.Text);
        var operation = (GconvOperator)program.Steps[0];

        Refuses(GconvInvariant.IndexRank, operation with { Input = operation.Input with { Index = [new([1, 2], 0), new([], 0)] } });
        Refuses(GconvInvariant.OutOfRangeRules, operation with { Input = operation.Input with { FillValue = 1 } });
        Refuses(GconvInvariant.OutOfRangeRules, operation with { Input = operation.Input with { OutOfRange = (OutOfRange)9 } });
        Refuses(GconvInvariant.Reduction, operation with { Reduce = (GconvReduction)9 });
        Refuses(GconvInvariant.SlotContents, operation with { Pre = Scalar.Call((ScalarFunction)99, Scalar.Input) });
        Refuses(GconvInvariant.HostLayer, new GconvHostLayer(new Network.Reshape("y", ["x"], operation.Type)) { Name = "y" });
        Refuses(GconvInvariant.HostLayer, new GconvHostLayer(new Network.Reshape("z", ["x"], operation.Type)) { Name = "y" });
        Refuses(GconvInvariant.SlotContents, operation with { Pre = new ScalarBinary((ScalarBinaryOperator)99, Scalar.Input, Scalar.Input) });
        Refuses(GconvInvariant.Loops, operation with { Loops = [operation.Loops[0] with { Kind = (LoopKind)9 }, .. operation.Loops.Skip(1)] });
        Refuses(GconvInvariant.Loops, operation with { Loops = Enumerable.Range(0, 40).Select(i => new GconvLoop($"d{i}", LoopKind.OutputPosition, 1)).ToEquatableArray() });
        Refuses(GconvInvariant.TensorTypes, operation with { Type = new((ElementType)77, operation.Type.Shape) });
        Refuses(GconvInvariant.ReshapeSource, new GconvView("y", operation.Type, (ViewKind)9, ["x"]));

        void Refuses(GconvInvariant invariant, GconvStep step)
        {
            var changed = program with { Steps = [step, .. program.Steps.Skip(1)] };
            Assert.Contains(GconvVerifier.Check(changed), problem => problem.Message.Contains(GconvDiagnostics.Name(invariant), StringComparison.Ordinal));
        }
    }

    [Fact]
    public void An_output_index_whose_loops_share_a_dimension_in_any_order_and_direction_is_accepted() => Assert.Empty(GconvVerifier.Check(GconvSample.Operator(
        "i8[2x3x4]",
        "a.opc 2, b.opc 3, c.opc 4",
        "i8[24]",
        "read %x[a.opc, b.opc, c.opc] pre input main input reduce none i32 post acc write [12*a.opc - b.opc + 3*c.opc + 2]")));

    [Fact]
    public void An_entangled_output_index_is_decided_by_counting_while_it_is_small()
    {
        // (a + b, b) modulo nothing: reaches a parallelogram, not a box.
        const string body = "read %x[a.opc, b.opc] pre input main input reduce none i32 post acc write [a.opc + b.opc, b.opc]";
        Assert.Contains(GconvVerifier.Check(GconvSample.Operator("i8[2x2]", "a.opc 2, b.opc 2", "i8[3x2]", body)), IsCoverage);

        // A loop of two trips that moves diagonally through a box of one row.
        Assert.Contains(GconvVerifier.Check(GconvSample.Operator("i8[4x1]", "a.opc 4, b.opc 1", "i8[2x2]", "read %x[a.opc, b.opc] pre input main input reduce none i32 post acc write [a.opc, a.opc]")), problem => problem.Code == "CNN0950");

        static bool IsCoverage(Diagnostic problem) => problem.Message.Contains("output-coverage", StringComparison.Ordinal);
    }

    [Fact]
    public void Trips_add_up_over_the_program()
    {
        const string operation = " = gconv [a.opc 1000, b.ks 200000000] : i8[1000] {\n read %x[a.opc + b.ks] skip\n pre input\n main input\n reduce max i8\n post acc\n write [a.opc]\n }\n";
        var program = GconvSample.Parse($"gconv \"large\" {{\n input %x : i8[5]\n %y{operation} %z{operation} output %z\n}}");

        var problem = Assert.Single(GconvVerifier.Check(program));
        Assert.StartsWith("operator 'z' breaks the invariant loops", problem.Message, StringComparison.Ordinal);
        Assert.InRange(NetworkLimits.Operations, 200_000_000_001, 399_999_999_999);
    }
}
