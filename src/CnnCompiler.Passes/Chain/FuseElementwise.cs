using CnnCompiler.Ir.Gconv;
using CnnCompiler.Passes.Infrastructure;

namespace CnnCompiler.Passes.Chain;

/// <summary>
/// Fusion of element-wise operators, as <see cref="ElementwiseFusion"/> says. Batch normalisation behind a convolution is one: in post it costs neither a step nor a pass over the tensor, and weights keep
/// their bits, which folding into them would change. Copies are left to <see cref="WriteInPlace"/>. So are an activation, a residual sum (its second operand is a further operand of post), and the product of a local response normalisation.
/// </summary>
/// <param name="accepts">For a chain, what tells whether the target can execute an operator on its tensors.</param>
public sealed class FuseElementwise(Func<GconvProgram, Func<GconvOperator, bool>> accepts) : Pass<GconvModule, GconvModule>(
    new("fuse-elementwise", "puts operators that compute element by element into post of the operator before them", IrLevel.Gconv, IrLevel.Gconv))
{
    /// <inheritdoc/>
    protected override GconvModule Transform(GconvModule module, PassContext context) => new(new ElementwiseFusion(accepts, consumer => !WriteInPlace.IsCopy(consumer)).Run(module.Program, context.Cancellation));
}

/// <summary>
/// Views instead of copies (rule F8 of <c>research/gconv.md</c> section 5): a tensor that only a copy reads is written where the copy would bring it, into its place in a concatenation or at the
/// transposed or sliced index. A copy is an element-wise operator without a computation, and <see cref="ElementwiseFusion"/> says when it goes into its producer.
/// </summary>
/// <param name="accepts">For a chain, what tells whether the target can execute an operator on its tensors.</param>
public sealed class WriteInPlace(Func<GconvProgram, Func<GconvOperator, bool>> accepts) : Pass<GconvModule, GconvModule>(
    new("write-in-place", "lets operators write where copies would bring their results, into concatenations and transposed", IrLevel.Gconv, IrLevel.Gconv))
{
    /// <inheritdoc/>
    protected override GconvModule Transform(GconvModule module, PassContext context) => new(new ElementwiseFusion(accepts, IsCopy).Run(module.Program, context.Cancellation));

    internal static bool IsCopy(GconvOperator operation) =>
        operation is { Kernel: null, Extra.Count: 0, Pre: ScalarInput, Main: ScalarInput, Post: ScalarAccumulator, Reduce: GconvReduction.None };
}
