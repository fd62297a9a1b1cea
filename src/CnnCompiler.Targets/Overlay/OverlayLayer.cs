using System.Globalization;
using CnnCompiler.Image.Systolic;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.Systolic;

namespace CnnCompiler.Targets.Overlay;

/// <summary>A convolution of a chain with what does not depend on the shape of the unit.</summary>
/// <param name="Operation">The operator.</param>
/// <param name="Algorithms">The algorithms that are exact on the machine's widths; not none.</param>
/// <param name="Vector">The operator as the vector unit executes it.</param>
/// <param name="Store">What its results are for the store unit.</param>
internal sealed record OverlayLayer(GconvOperator Operation, IReadOnlyList<OverlayAlgorithm> Algorithms, SystolicOperator Vector, StoreForm Store)
{
    /// <summary>Equal where two convolutions cost the same in every way on every machine.</summary>
    public string CostKey { get; } = KeyOf(Algorithms[0].Form, Vector, Store);

    /// <summary>The convolutions of a chain, in its order.</summary>
    /// <param name="program">The chain.</param>
    /// <param name="machine">An overlay; its shape does not matter.</param>
    /// <param name="tensors">The chain's tensors.</param>
    /// <param name="names">Names in use; new ones are added.</param>
    public static IReadOnlyList<OverlayLayer> Of(GconvProgram program, MachineDescription machine, ChainTensors tensors, HashSet<string> names)
    {
        var layers = new List<OverlayLayer>();
        var builder = new DescriptorBuilder(tensors.Shape, tensors.Element, _ => 0);
        foreach (var operation in program.Steps.OfType<GconvOperator>())
        {
            if (ConvolutionForm.Of(operation, tensors, names) is { } form && OverlayAlgorithm.All(form, machine) is { Count: > 0 } algorithms)
            {
                var vector = builder.Build(operation, -1, null);
                layers.Add(new(operation, algorithms, vector, StoreOf(vector, form)));
            }
        }

        return layers;
    }

    private static StoreForm StoreOf(SystolicOperator operation, ConvolutionForm form)
    {
        var strides = new long[operation.Output.Dimensions.Count];
        var stride = 1L;
        for (var d = strides.Length - 1; d >= 0; d--)
        {
            strides[d] = stride;
            stride *= operation.Output.Dimensions[d].Extent;
        }

        return new(
            ScalarInstructionSet.Operations(operation.Post), operation.Output.Element.Size(), Of(form.Loops.Batch), Of(form.Loops.Row), Of(form.Loops.Column), Of(form.Loops.Channel));

        long Of(int loop) => loop < 0 ? 0 : operation.Output.Dimensions.Select((dimension, d) => dimension.Coefficients[loop] * strides[d]).Sum();
    }

    private static string KeyOf(ConvolutionForm form, SystolicOperator vector, StoreForm store)
    {
        // what the vector unit counts besides the convolution's shape
        var operations = (ScalarInstructionSet.Operations(vector.Pre), ScalarInstructionSet.Operations(vector.Main));
        var extras = vector.Extras.Sum(extra => extra.Dimensions.Aggregate((long)extra.Element.Size(), (bytes, dimension) => bytes * dimension.Extent));
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{form.Batch} {form.Rows} {form.Columns} {form.Channels} {form.Groups} {form.Outputs} {form.Fill == form.Zero} {store} {operations} {vector.Kernel!.Element} {extras}");
    }
}
