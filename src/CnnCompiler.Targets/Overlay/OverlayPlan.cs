using System.Globalization;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Image.Overlay;
using CnnCompiler.Image.Systolic;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Targets.Systolic;

namespace CnnCompiler.Targets.Overlay;

/// <summary>How the overlay executes a convolution.</summary>
/// <param name="Operator">Name of the operator.</param>
/// <param name="Algorithm">The algorithm.</param>
/// <param name="Dataflow">The dataflow.</param>
/// <param name="Passes">How it is cut.</param>
/// <param name="Stored">Name of the form that its input lies in; null where the tensor is transformed while it is loaded.</param>
/// <param name="Transforms">True where the form is made before it: it is the first that reads it.</param>
/// <param name="Predicted">Cycles that the cost model predicts, those of making the form included.</param>
internal sealed record OverlayPlan(string Operator, OverlayAlgorithm Algorithm, OverlayDataflow Dataflow, PassPlan Passes, string? Stored, bool Transforms, long Predicted)
{
    /// <summary>Name of the weights in the order of the passes.</summary>
    public required string Weights { get; init; }

    /// <summary>Name of the corrections.</summary>
    public required string Corrections { get; init; }

    /// <summary>The left operand.</summary>
    public OverlayWindow Window => Algorithm.Window;

    /// <summary>What the convolution reads, besides its further operands.</summary>
    public IEnumerable<string> Reads => Stored is null
        ? [Algorithm.Form.Operation.Input.Tensor, Weights, Corrections]
        : [Algorithm.Form.Operation.Input.Tensor, Stored, Weights, Corrections];

    /// <summary>Weights and corrections.</summary>
    public IEnumerable<GconvConstant> Constants => [new(Weights, Algorithm.Weights(Passes.Columns)), new(Corrections, Algorithm.Corrections())];

    /// <summary>The words.</summary>
    public SystolicStep[] Encode(DescriptorBuilder builder, int layer, Func<string, int> addressOf)
    {
        var form = Algorithm.Form;
        var original = builder.Build(form.Operation with { Kernel = null, Pre = Scalar.Input, Main = Scalar.Input }, layer, null);
        var source = addressOf(form.Operation.Input.Tensor);

        // loops of the kernel are in the window and its rounds
        var kept = Enumerable.Range(0, original.Loops.Count).Where(i => original.Loops[i].Role != SystolicRole.Row).ToList();
        var window = Window;
        var (inputElements, inputElement) = Stored is null ? (window.InputBytes, SystolicElement.Int8) : (window.Bytes / window.Element.Size(), window.Element);
        var operation = original with
        {
            Loops = [.. kept.Select(i => original.Loops[i])],
            Input = Flat(Stored is null ? source : addressOf(Stored), inputElement, inputElements),
            Kernel = Flat(addressOf(Weights), Element, (long)window.Groups * form.Outputs * Algorithm.Products * Algorithm.Terms),
            Extras = [.. original.Extras.Select(Without)],
            Pre = [new(ScalarOpcode.Input)],
            Main = [new(ScalarOpcode.Input)],
            Reduce = SystolicReduction.None,
            Output = Without(original.Output),
        };
        var convolution = new OverlayConvolution(
            operation,
            window,
            Algorithm.IsSeparate,
            Stored is not null,
            Dataflow,
            Passes.Rows,
            Passes.Columns,
            Passes.ColumnsOuter,
            addressOf(Corrections),
            new(kept.IndexOf(form.Loops.Batch), kept.IndexOf(form.Loops.Row), kept.IndexOf(form.Loops.Column), kept.IndexOf(form.Loops.Group), kept.IndexOf(form.Loops.Channel)));
        return Transforms ? [new OverlayTransform(layer, source, addressOf(Stored!), window), convolution] : [convolution];

        SystolicAccess Flat(int address, SystolicElement element, long elements) =>
            new(address, element, SystolicOutside.Never, 0, [new((int)elements, 0, [.. kept.Select(_ => 0L)])]);

        SystolicAccess Without(SystolicAccess access) => access with
        {
            Dimensions = [.. access.Dimensions.Select(dimension => dimension with { Coefficients = [.. kept.Select(i => dimension.Coefficients[i])] })],
        };
    }

    /// <summary>A line for the mapped level.</summary>
    public string Print() => string.Create(
        CultureInfo.InvariantCulture,
        $"{Algorithm.Name} {NameOf(Dataflow)} of {Algorithm.Form.Operation.Input.Tensor}; {Algorithm.Products} products of {Algorithm.Terms} terms, {Window.Rounds.Count} rounds; {Passes.Rows} rows of tiles and {Passes.Columns} columns a pass, {(Passes.ColumnsOuter ? "columns" : "rows")} outside; input {(Stored is null ? "transformed while it is loaded" : "stored in its form")}; {Predicted} cycles");

    /// <summary>NS, WS or IS.</summary>
    public static string NameOf(OverlayDataflow dataflow) => dataflow switch
    {
        OverlayDataflow.NonStationary => "NS",
        OverlayDataflow.WeightStationary => "WS",
        _ => "IS",
    };

    private SystolicElement Element => Algorithm.WeightElement switch
    {
        ElementType.Int8 => SystolicElement.Int8,
        ElementType.Int16 => SystolicElement.Int16,
        _ => SystolicElement.Int32,
    };
}
