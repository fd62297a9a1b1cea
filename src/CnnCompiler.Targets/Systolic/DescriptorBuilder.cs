using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Image.Systolic;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Targets.Systolic;

/// <summary>Operators of the GCONV level as descriptors of the image.</summary>
/// <param name="shapeOf">Shapes of tensors, as operators see them.</param>
/// <param name="typeOf">Their element types.</param>
/// <param name="addressOf">Their RAM byte addresses.</param>
internal sealed class DescriptorBuilder(Func<string, Shape> shapeOf, Func<string, ElementType> typeOf, Func<string, int> addressOf)
{
    /// <summary>The descriptor.</summary>
    /// <exception cref="DiagnosticException">The units can't execute the operator.</exception>
    public SystolicOperator Build(GconvOperator operation, int layer, SystolicMatrix? matrix)
    {
        var leaves = LeavesOf(operation);
        var pre = Program(operation, operation.Pre, leaves);
        return new(
            layer,
            [.. operation.Loops.Select(loop => new SystolicLoop(Role(loop.Kind), loop.Extent))],
            Access(operation.Input),
            operation.Kernel is { } kernel ? Access(kernel) : null,
            [.. operation.Extra.Select(Access)],
            Element(operation.Accumulator),
            pre.Code,
            Program(operation, operation.Main, leaves with { Input = pre.Result }).Code,
            operation.Reduce switch { GconvReduction.None => SystolicReduction.None, GconvReduction.Add => SystolicReduction.Add, _ => SystolicReduction.Maximum },
            Program(operation, operation.Post, leaves).Code,
            new(
                addressOf(operation.Destination ?? operation.Name),
                Element(operation.Type.Element),
                SystolicOutside.Never,
                0,
                Dimensions(shapeOf(operation.Destination ?? operation.Name), operation.OutputIndex)),
            matrix);
    }

    /// <summary>True where the units have the operations of the operator's programs and room for them.</summary>
    public bool Fits(GconvOperator operation)
    {
        var leaves = LeavesOf(operation);
        return Fitting(operation.Pre, leaves) is { } pre && Fitting(operation.Main, leaves with { Input = pre.Result }) is not null && Fitting(operation.Post, leaves) is not null;
    }

    private ScalarLeaves LeavesOf(GconvOperator operation) => new(
        ScalarLeaves.Of(typeOf(operation.Input.Tensor)),
        operation.Kernel is { } weights ? ScalarLeaves.Of(typeOf(weights.Tensor)) : ScalarType.Integer,
        ScalarLeaves.Of(operation.Accumulator),
        operation.Extra.Select(access => ScalarLeaves.Of(typeOf(access.Tensor))).ToEquatableArray());

    private SystolicAccess Access(OperandAccess access) => new(
        addressOf(access.Tensor),
        Element(typeOf(access.Tensor)),
        access.OutOfRange switch { OutOfRange.Never => SystolicOutside.Never, OutOfRange.SkipTap => SystolicOutside.Skip, _ => SystolicOutside.Fill },
        access.FillValue,
        Dimensions(shapeOf(access.Tensor), access.Index));

    private static SystolicDimension[] Dimensions(Shape shape, EquatableArray<AffineExpression> index) =>
        [.. index.Select((expression, d) => new SystolicDimension(shape[d], expression.Constant, [.. expression.Coefficients]) { Divisor = expression.Divisor })];

    private static (IReadOnlyList<ScalarInstruction> Code, ScalarType Result) Program(GconvOperator operation, ScalarExpression expression, ScalarLeaves leaves) =>
        Fitting(expression, leaves) ?? throw new DiagnosticException(SystolicDiagnostics.NoUnit(operation, "its scalar program has an operation that the units lack, or is too long"));

    private static (IReadOnlyList<ScalarInstruction> Code, ScalarType Result)? Fitting(ScalarExpression expression, ScalarLeaves leaves) =>
        ScalarEmission.Emit(expression, leaves) is { } program && ScalarInstructionSet.StackDepth(program.Code) <= ScalarInstructionSet.DeepestStack && program.Code.Count <= ScalarInstructionSet.LongestProgram
            ? program
            : null;

    private static SystolicRole Role(LoopKind kind) => kind switch
    {
        LoopKind.Group => SystolicRole.Group,
        LoopKind.OutputParallel => SystolicRole.Column,
        LoopKind.OutputPosition => SystolicRole.Position,
        _ => SystolicRole.Row,
    };

    private static SystolicElement Element(ElementType type) => type switch
    {
        ElementType.Int8 => SystolicElement.Int8,
        ElementType.UInt8 => SystolicElement.UInt8,
        ElementType.Int16 => SystolicElement.Int16,
        ElementType.Int32 => SystolicElement.Int32,
        ElementType.Int64 => SystolicElement.Int64,
        ElementType.Float32 => SystolicElement.Float32,
        ElementType.Float64 => SystolicElement.Float64,
        _ => throw new InvalidOperationException($"no case for {type}"),
    };
}
