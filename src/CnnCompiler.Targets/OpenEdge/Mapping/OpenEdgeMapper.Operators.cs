using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.Kernels;

namespace CnnCompiler.Targets.OpenEdge.Mapping;

/// <content>Operators that move or combine elements one by one.</content>
public sealed partial class OpenEdgeMapper
{
    private void MapOperator(GconvOperator operation)
    {
        var before = _steps.Count;
        var (words, pack) = IntoWords(OnWords(operation));
        var shape = new OperatorShape(words, _constants.ContainsKey);
        var refusal = shape.Kind switch
        {
            OperatorKind.Contraction => MapContraction(words, shape),
            OperatorKind.Pooling => MapPooling(words, shape),
            OperatorKind.Binary => MapBinary(words),
            OperatorKind.Copy => MapCopy(words),
            _ => "no kernel computes this combination of pre, main, reduce and post",
        };
        if (refusal is null)
        {
            pack();
        }
        else
        {
            _diagnostics.Report(OpenEdgeDiagnostics.NoKernel(operation, refusal));
        }

        if (refusal is not null || !_bufferOf.ContainsKey(operation.Destination ?? operation.Name))
        {
            // refused: go on with a stand-in, so that the other layers are looked at too
            _steps.RemoveRange(before, _steps.Count - before);
            _bufferOf.TryAdd(operation.Name, operation.Name);
            _buffers.TryAdd(operation.Name, new(operation.Name, BufferRole.Activation, _layouts.Of(operation.Name), _layouts.Of(operation.Name).Elements));
        }
        else if (operation.Destination is null)
        {
            Complete(operation.Name);
        }
    }

    /// <summary>How the elements of a tensor lie in the buffer that holds it.</summary>
    private BufferLayout LayoutOf(string tensor)
    {
        var layout = _buffers[_bufferOf[tensor]].Layout;
        var shape = TypeOf(tensor).Shape.Dimensions;
        return layout.Shape == shape ? layout : BufferLayout.Dense(shape, layout.Lanes);
    }

    /// <summary>An operand's element in its buffer, over the operator's loops.</summary>
    private static AffineExpression Element(GconvOperator operation, OperandAccess access, BufferLayout layout) =>
        LoopMap.Flatten(access.Index, layout.Pitch.Select(p => (long)p).ToArray(), layout.Origin, operation.Loops.Count);

    /// <summary>A constant operand's flat element, over the operator's loops.</summary>
    private AffineExpression ConstantElement(GconvOperator operation, OperandAccess access)
    {
        var layout = BufferLayout.Dense(_constants[access.Tensor].Shape.Dimensions, 1);
        return LoopMap.Flatten(access.Index, layout.Pitch.Select(p => (long)p).ToArray(), 0, operation.Loops.Count);
    }

    /// <summary>The element written, over the operator's loops, in the operator's own buffer or in the one it writes a part of.</summary>
    private (MappedBuffer Buffer, AffineExpression Element) Output(GconvOperator operation)
    {
        var buffer = BufferFor(operation.Destination ?? operation.Name, operation.Origin.Value);
        var layout = buffer.Layout;
        return (buffer, LoopMap.Flatten(operation.OutputIndex, layout.Pitch.Select(p => (long)p).ToArray(), layout.Origin, operation.Loops.Count));
    }

    private string? MapBinary(GconvOperator operation)
    {
        var term = Substitute(operation.Main, Substitute(operation.Pre, new ScalarExtra(0), new ScalarKernel()), new ScalarExtra(1));
        if (ScalarForms.AsRequantize(operation.Post) is not { Multiplier: ScalarLiteral, Shift: ScalarLiteral { Value: <= 0 } } form
            || form.Value is not ScalarAccumulator
            || ScalarForms.AsSum(term) is not var (left, right)
            || ScalarProgram.Compile(left) is not { Extras: [0] }
            || ScalarProgram.Compile(right) is not { Extras: [1] })
        {
            return "only sums of a function of each operand, requantised with two roundings and without left shift, have a kernel";
        }

        if (operation.Input.OutOfRange != OutOfRange.Never || operation.Kernel!.OutOfRange != OutOfRange.Never)
        {
            return "an element-wise operator reads outside its operand";
        }

        var map = Identity(operation);
        var (buffer, element) = Output(operation);
        Add(
            new(
                operation.Name,
                AddKernel.Strategy,
                map.Loops,
                [],
                [
                    new(_bufferOf[operation.Input.Tensor], map.Map(Element(operation, operation.Input, LayoutOf(operation.Input.Tensor)))),
                    new(_bufferOf[operation.Kernel.Tensor], map.Map(Element(operation, operation.Kernel, LayoutOf(operation.Kernel.Tensor)))),
                ],
                new(buffer.Name, map.Map(element)),
                GconvReduction.None,
                term,
                operation.Post),
            operation.Origin.Value);
        return AddKernel.LargestSum((MappedNest)_steps[^1]) < RequantizeTail.Bound
            ? null
            : "the sum of the rescaled operands may reach 2^30, beyond which the array does not requantise exactly";
    }

    private static LoopMap Identity(GconvOperator operation)
    {
        var map = new LoopMap(operation.Loops.Count);
        for (var i = 0; i < operation.Loops.Count; i++)
        {
            map.Add(operation.Loops[i].Name, operation.Loops[i].Extent, reduced: false, i);
        }

        return map;
    }

    private string? MapCopy(GconvOperator operation)
    {
        if (operation.Post is not ScalarAccumulator && ScalarForms.AsClamp(operation.Post) is not { Value: ScalarAccumulator })
        {
            return "only copies and clamps of single elements have a kernel";
        }

        var (buffer, element) = Output(operation);
        MappedBuffer? halo = null;
        var map = new LoopMap(operation.Loops.Count);
        if (operation.Input.OutOfRange == OutOfRange.Fill)
        {
            if (!buffer.Layout.IsDense)
            {
                // the border is filled as a whole, so the tensor must be without a halo of its own
                halo = buffer;
                buffer = AddBuffer($"{operation.Name}.bordered", BufferRole.Activation, BufferLayout.Dense(buffer.Layout.Shape, 1));
                element = LoopMap.Flatten(
                    operation.OutputIndex, buffer.Layout.Pitch.Select(p => (long)p).ToArray(), buffer.Layout.Origin, operation.Loops.Count);
            }

            Fill(buffer, Clamped(operation.Post, operation.Input.FillValue), operation.Origin.Value);
        }

        var inputShape = TypeOf(operation.Input.Tensor).Shape.Dimensions;
        for (var i = 0; i < operation.Loops.Count; i++)
        {
            var (first, count) = (0, operation.Loops[i].Extent);
            if (operation.Input.OutOfRange == OutOfRange.Fill)
            {
                var dimension = operation.Input.Index.Select((e, d) => (e, d)).Where(p => p.e.Coefficients[i] != 0).Select(p => p.d).ToArray();
                if (dimension.Length != 1 || operation.Input.Index[dimension[0]] is not { } index || index.Coefficients[i] != 1)
                {
                    return "only plain padding has a kernel";
                }

                first = (int)Math.Max(0, -index.Constant);
                count = (int)Math.Min(count, inputShape[dimension[0]] - index.Constant) - first;
            }

            map.Add(operation.Loops[i].Name, count, reduced: false, i);
            map.Offset(i, first);
        }

        Add(
            new(
                operation.Name,
                PointKernel.Strategy,
                map.Loops,
                [],
                [new(_bufferOf[operation.Input.Tensor], map.Map(Element(operation, operation.Input, LayoutOf(operation.Input.Tensor))))],
                new(buffer.Name, map.Map(element)),
                GconvReduction.None,
                new ScalarExtra(0),
                operation.Post),
            operation.Origin.Value);
        if (halo is not null)
        {
            Copy(buffer, halo, halo.Layout.Shape, operation.Origin.Value);
        }

        return null;
    }

    private static int Clamped(ScalarExpression post, int code) =>
        ScalarForms.AsClamp(post) is var (_, low, high) ? Math.Clamp(code, low, high) : code;

    /// <summary>Replaces the input and the kernel of a scalar program.</summary>
    private static ScalarExpression Substitute(ScalarExpression expression, ScalarExpression input, ScalarExpression kernel) => expression switch
    {
        ScalarInput => input,
        ScalarKernel => kernel,
        ScalarBinary b => b with { Left = Substitute(b.Left, input, kernel), Right = Substitute(b.Right, input, kernel) },
        ScalarRequantize r => r with
        {
            Value = Substitute(r.Value, input, kernel),
            Multiplier = Substitute(r.Multiplier, input, kernel),
            Shift = Substitute(r.Shift, input, kernel),
        },
        ScalarClamp c => c with
        {
            Value = Substitute(c.Value, input, kernel),
            Low = Substitute(c.Low, input, kernel),
            High = Substitute(c.High, input, kernel),
        },
        _ => expression,
    };

    private Tensor ConstantOf(OperandAccess access) => _constants[access.Tensor];
}
