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
            _ when words is { Kernel: not null, Reduce: GconvReduction.Add } => "a sum of products of two computed values has no kernel; one of them has to be constant",
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

    /// <summary>How the elements of a tensor lie in the buffer that holds it, or will or would where none does, one a word.</summary>
    private BufferLayout LayoutOf(string tensor)
    {
        if (_stored.ContainsKey(tensor) || !_bufferOf.TryGetValue(tensor, out var buffer))
        {
            return _layouts.Of(tensor);
        }

        var layout = _buffers[buffer].Layout;
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
    private (MappedBuffer Buffer, AffineExpression Element) Output(GconvOperator operation) =>
        (BufferFor(operation.Destination ?? operation.Name, operation.Origin.Value), OutputPlace(operation).Element);

    /// <summary>The element written, of a buffer that needn't be there yet.</summary>
    private (string Buffer, AffineExpression Element) OutputPlace(GconvOperator operation)
    {
        var tensor = operation.Destination ?? operation.Name;
        var (name, layout) = _bufferOf.TryGetValue(tensor, out var known) ? (known, _buffers[known].Layout) : (tensor, _layouts.Of(tensor));
        return (name, LoopMap.Flatten(operation.OutputIndex, layout.Pitch.Select(p => (long)p).ToArray(), layout.Origin, operation.Loops.Count));
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

    /// <summary>Replaces the input and the kernel of a scalar program.</summary>
    private static ScalarExpression Substitute(ScalarExpression expression, ScalarExpression input, ScalarExpression kernel) =>
        ResultFunction.Replace(expression, e => e switch { ScalarInput => input, ScalarKernel => kernel, _ => null });

    private Tensor ConstantOf(OperandAccess access) => _constants[access.Tensor];
}
