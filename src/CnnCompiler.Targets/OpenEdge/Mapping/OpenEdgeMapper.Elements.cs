using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.Kernels;

namespace CnnCompiler.Targets.OpenEdge.Mapping;

/// <content>Functions of single elements: copies, clamps, tables, and functions of the elements of two tensors.</content>
public sealed partial class OpenEdgeMapper
{
    private string? MapCopy(GconvOperator operation)
    {
        var table = operation.Post is ScalarAccumulator || ScalarForms.AsClamp(operation.Post) is { Value: ScalarAccumulator } ? null : Tabulate(operation);
        if (table is null && operation.Post is not ScalarAccumulator && ScalarForms.AsClamp(operation.Post) is not { Value: ScalarAccumulator })
        {
            return "it isn't one function of a code for all elements, or has no code for some of them";
        }

        var (buffer, element) = Output(operation);
        MappedBuffer? halo = null;
        var map = new LoopMap(operation.Loops.Count);
        var source = (Buffer: _bufferOf[operation.Input.Tensor], Layout: LayoutOf(operation.Input.Tensor));
        var inside = InsideOf(operation, TypeOf(operation.Input.Tensor).Shape);
        if (inside is null)
        {
            // windows over a border: what is outside depends on several loops together, so the border is made before
            source = PaddedInput(operation, 0);
            inside = [.. operation.Loops.Select(l => (First: 0, Count: l.Extent))];
        }
        else if (operation.Input.OutOfRange == OutOfRange.Fill)
        {
            if (!buffer.Layout.IsDense)
            {
                // the border is filled as a whole, so the tensor must be without a halo of its own
                halo = buffer;
                buffer = AddBuffer($"{operation.Name}.bordered", BufferRole.Activation, BufferLayout.Dense(buffer.Layout.Shape, 1));
                element = LoopMap.Flatten(
                    operation.OutputIndex, buffer.Layout.Pitch.Select(p => (long)p).ToArray(), buffer.Layout.Origin, operation.Loops.Count);
            }

            var code = table is null ? Clamped(operation.Post, operation.Input.FillValue) : table[operation.Input.FillValue - sbyte.MinValue];
            Fill(buffer, code, operation.Origin.Value);
        }

        var empty = inside.Any(i => i.Count == 0);
        for (var i = 0; i < operation.Loops.Count && !empty; i++)
        {
            map.Add(operation.Loops[i].Name, inside[i].Count, reduced: false, i);
            map.Offset(i, inside[i].First);
        }

        if (!empty)
        {
            AddElements(operation, map, table, new(source.Buffer, map.Map(Element(operation, operation.Input, source.Layout))), new(buffer.Name, map.Map(element)));
        }

        if (halo is not null)
        {
            Copy(buffer, halo, halo.Layout.Shape, operation.Origin.Value);
        }

        return null;
    }

    /// <summary>The nest that copies elements, or looks them up.</summary>
    private void AddElements(GconvOperator operation, LoopMap map, int[]? table, MappedAccess input, MappedAccess output)
    {
        if (table is null)
        {
            Add(new(operation.Name, PointKernel.Strategy, map.Loops, [], [input], output, GconvReduction.None, new ScalarExtra(0), operation.Post), operation.Origin.Value);
            return;
        }

        var (lowest, codes, differences) = CodeTables.Steps(table);
        var last = map.Loops.Count;
        map.Add(StepTable.Loop, CodeTables.Codes - 1, reduced: true, -1);
        MappedAccess Longer(MappedAccess access) => access with { Element = access.Element with { Coefficients = access.Element.Coefficients.Append(0).ToEquatableArray() } };
        MappedAccess Table(string part, Tensor value) =>
            new(AddConstant($"{operation.Name}.{part}", value), new(Enumerable.Range(0, last + 1).Select(l => l == last ? 1L : 0).ToEquatableArray(), 0));
        Add(
            new(
                operation.Name,
                TableKernel.Strategy,
                map.Loops,
                [],
                [Longer(input), Table("codes", codes), Table("differences", differences)],
                Longer(output),
                GconvReduction.Add,
                new ScalarBinary(ScalarBinaryOperator.Multiply, StepTable.Term(new ScalarExtra(0), 1), new ScalarExtra(2)),
                new ScalarBinary(ScalarBinaryOperator.Add, new ScalarAccumulator(), new ScalarLiteral(lowest))),
            operation.Origin.Value);
    }

    /// <summary>The codes that an operator of single elements makes of the codes from -128 on; null where it isn't one function of a code.</summary>
    private int[]? Tabulate(GconvOperator operation)
    {
        var loops = Enumerable.Range(0, operation.Loops.Count).Where(i => operation.Loops[i].Extent > 1).ToArray();
        var operands = operation.Extra.Select(e => (Tensor: _constants[e.Tensor], Index: ConstantElement(operation, e))).ToArray();
        if (operands.Any(o => loops.Any(l => o.Index.Coefficients[l] != 0))
            || ResultFunction.Of(operation.Post, [.. operands.Select(o => (o.Tensor, o.Index.Constant))]) is not { } function)
        {
            return null;
        }

        var table = new int[CodeTables.Codes];
        for (var i = 0; i < table.Length; i++)
        {
            if (function.At(i + sbyte.MinValue) is not { } value || value != (sbyte)value)
            {
                return null;
            }

            table[i] = (int)value;
        }

        return table;
    }

    /// <summary>For each loop the values for which an operator reads inside its input; null where those are no box.</summary>
    private static (int First, int Count)[]? InsideOf(GconvOperator operation, Shape input)
    {
        var inside = operation.Loops.Select(l => (First: 0, Count: l.Extent)).ToArray();
        if (operation.Input.OutOfRange != OutOfRange.Fill)
        {
            return inside;
        }

        for (var d = 0; d < operation.Input.Index.Count; d++)
        {
            var index = operation.Input.Index[d];

            // the loop with the largest step first: it alone decides where the others can't make up for it
            foreach (var loop in Enumerable.Range(0, inside.Length).Where(l => index.Coefficients[l] != 0).OrderByDescending(l => Math.Abs(index.Coefficients[l])))
            {
                var (low, high) = Reach(index, loop);
                var values = Enumerable.Range(inside[loop].First, inside[loop].Count)
                    .Where(v => (v * index.Coefficients[loop]) + high >= 0 && (v * index.Coefficients[loop]) + low < input[d]).ToArray();
                inside[loop] = values.Length == 0 ? (0, 0) : (values[0], values.Length);
                if (values.Length == 0)
                {
                    return inside;
                }
            }

            var (first, last) = Reach(index, -1);
            if (first < 0 || last >= input[d])
            {
                return null;
            }
        }

        return inside;

        (long Low, long High) Reach(AffineExpression index, int without)
        {
            var (low, high) = (index.Constant, index.Constant);
            for (var l = 0; l < inside.Length; l++)
            {
                if (l != without)
                {
                    var (one, other) = (index.Coefficients[l] * inside[l].First, index.Coefficients[l] * (inside[l].First + inside[l].Count - 1));
                    (low, high) = (low + Math.Min(one, other), high + Math.Max(one, other));
                }
            }

            return (low, high);
        }
    }

    private static int Clamped(ScalarExpression post, int code) =>
        ScalarForms.AsClamp(post) is var (_, low, high) ? Math.Clamp(code, low, high) : code;

    private string? MapBinary(GconvOperator operation)
    {
        if (operation.Input.OutOfRange != OutOfRange.Never || operation.Kernel!.OutOfRange != OutOfRange.Never)
        {
            return "an element-wise operator reads outside its operand";
        }

        if (operation.Extra.Count > 0)
        {
            return "an element-wise operator of two values has further operands";
        }

        var term = Substitute(operation.Main, Substitute(operation.Pre, new ScalarExtra(0), new ScalarKernel()), new ScalarExtra(1));
        var map = Identity(operation);
        MappedAccess[] operands =
        [
            new(_bufferOf[operation.Input.Tensor], map.Map(Element(operation, operation.Input, LayoutOf(operation.Input.Tensor)))),
            new(_bufferOf[operation.Kernel.Tensor], map.Map(Element(operation, operation.Kernel, LayoutOf(operation.Kernel.Tensor)))),
        ];
        if (ScalarForms.AsRequantize(operation.Post) is { Multiplier: ScalarLiteral, Shift: ScalarLiteral { Value: <= 0 }, Value: ScalarAccumulator }
            && ScalarForms.AsSum(term) is var (left, right) && CodeTables.Of(left, 0) is not null && CodeTables.Of(right, 1) is not null)
        {
            var (buffer, element) = Output(operation);
            var nest = new MappedNest(operation.Name, AddKernel.Strategy, map.Loops, [], operands.ToEquatableArray(), new(buffer.Name, map.Map(element)), GconvReduction.None, term, operation.Post);
            if (AddShortKernel.Fits(nest))
            {
                Add(nest with { Kernel = AddShortKernel.Strategy }, operation.Origin.Value);
                return null;
            }

            if (AddKernel.LargestSum(nest) < RequantizeTail.Bound)
            {
                Add(nest, operation.Origin.Value);
                return null;
            }
        }

        return (term is ScalarCall { Function: ScalarFunction.HalfEvenSum } sum ? HalfEvenSums.Of(operation.Post, sum) : Combined(operation.Post, term)) is var (combined, table)
            ? MapCombined(operation, operands, combined, table)
            : "only the sum or product of a function of each operand, and a result proved never to fall where that rises, have a kernel";
    }

    /// <summary>A term that is the sum or product of functions of its operands, and the codes of its values.</summary>
    private static (ScalarExpression Term, StepTable Table)? Combined(ScalarExpression post, ScalarExpression term)
    {
        if (CombineKernel.Of(term) is not var (first, second, multiplies) || ResultFunction.Of(post, []) is not { } function)
        {
            return null;
        }

        long Combine(long a, long b) => multiplies ? a * b : a + b;
        long[] corners = [Combine(first.Min(), second.Min()), Combine(first.Min(), second.Max()), Combine(first.Max(), second.Min()), Combine(first.Max(), second.Max())];
        return StepTable.Of(function, corners.Min(), corners.Max()) is { } table ? (term, table) : null;
    }

    private string? MapCombined(GconvOperator operation, MappedAccess[] operands, ScalarExpression term, StepTable table)
    {
        var words = AddBuffer($"{operation.Name}.sums", BufferRole.Accumulator, BufferLayout.Dense(operation.Loops.Select(l => l.Extent).ToEquatableArray(), 1));
        var sums = new MappedAccess(words.Name, new(words.Layout.Pitch.Select(p => (long)p).ToEquatableArray(), 0));
        Add(
            new($"{operation.Name}.sums", CombineKernel.Strategy, Identity(operation).Loops, [], operands.ToEquatableArray(), sums, GconvReduction.None, term, new ScalarAccumulator()),
            operation.Origin.Value);
        var (buffer, element) = Output(operation);
        AddSteps(operation, operation.Name, Identity(operation), sums, new(buffer.Name, element), table, []);
        return null;
    }

    /// <summary>The nest that makes codes of sums by one table.</summary>
    /// <param name="operation">The operator.</param>
    /// <param name="name">Name of the nest.</param>
    /// <param name="map">Its loops, which get one more.</param>
    /// <param name="sums">The sums, over these loops.</param>
    /// <param name="output">The result's buffer and element, over the operator's loops.</param>
    /// <param name="table">The codes of the sums.</param>
    /// <param name="channels">Channels in quads, where there are lanes.</param>
    private void AddSteps(GconvOperator operation, string name, LoopMap map, MappedAccess sums, MappedAccess output, StepTable table, int[] channels)
    {
        var last = map.Loops.Count;
        map.Add(StepTable.Loop, table.Thresholds.Length, reduced: true, -1);
        var thresholds = new AffineExpression(Enumerable.Range(0, last + 1).Select(l => l == last ? 1L : 0).ToEquatableArray(), 0);
        Add(
            new(
                name,
                StepsKernel.Strategy,
                map.Loops,
                channels.Select(map.ChannelGuard).ToEquatableArray(),
                [
                    sums with { Element = sums.Element with { Coefficients = sums.Element.Coefficients.Append(0).ToEquatableArray() } },
                    new(AddConstant($"{operation.Name}.no.bias", Tensor.From<int>(ElementType.Int32, Shape.Of(1), [0])), thresholds with { Coefficients = thresholds.Coefficients.Select(_ => 0L).ToEquatableArray() }),
                    new(AddConstant($"{name}.thresholds", Tensor.From<int>(ElementType.Int32, Shape.Of(table.Thresholds.Length), table.Thresholds)), thresholds),
                ],
                output with { Element = map.Map(output.Element) },
                GconvReduction.Add,
                StepTable.Term(new ScalarBinary(ScalarBinaryOperator.Add, new ScalarExtra(0), new ScalarExtra(1)), 2),
                table.Post),
            operation.Origin.Value);
    }
}
