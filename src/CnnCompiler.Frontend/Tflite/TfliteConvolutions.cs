using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;

namespace CnnCompiler.Frontend.Tflite;

/// <summary>CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED (<c>int8-arithmetic.md</c> sections 3.3 and 3.4).</summary>
internal static class TfliteConvolutions
{
    private const string NewerBias = "convert the model with int8 activations, whose bias is int32";

    /// <summary>Options of a convolution.</summary>
    internal sealed record ConvolutionOptions(FlatTable Table, FlatField Padding, Spatial Stride, Spatial Dilation, FusedActivation Activation);

    /// <summary>Options of a fully connected layer.</summary>
    internal sealed record FullyConnectedOptions(FusedActivation Activation, bool KeepNumDims);

    public static ConvolutionOptions ReadConv2D(TfliteOperatorContext operation)
    {
        var options = operation.RequireOptions(TfliteSchema.Conv2DOptions.Union);
        RequireInt32Bias(operation, options, TfliteSchema.Conv2DOptions.BiasType);
        return new(
            options,
            TfliteSchema.Conv2DOptions.Padding,
            operation.Steps("stride", options.GetInt32(TfliteSchema.Conv2DOptions.StrideH), options.GetInt32(TfliteSchema.Conv2DOptions.StrideW)),
            operation.Steps("dilation", options.GetInt32(TfliteSchema.Conv2DOptions.DilationH, 1), options.GetInt32(TfliteSchema.Conv2DOptions.DilationW, 1)),
            operation.Activation(options, TfliteSchema.Conv2DOptions.Activation));
    }

    public static IReadOnlyList<Layer> BuildConv2D(TfliteOperatorContext operation, ConvolutionOptions options)
    {
        var (input, output) = (operation.Value(0), operation.Output);
        var weights = operation.Weights(1, rank: 4, axis: 0, out var quantization);
        var (channels, depth) = (weights.Shape[0], weights.Shape[3]);
        var kernel = operation.Steps("kernel", weights.Shape[1], weights.Shape[2]);
        var padding = operation.Window(options.Table, options.Padding, input, channels, kernel, options.Stride, options.Dilation);

        // A filter shallower than the input means groups.
        var groups = input.Shape[3] / depth;
        if (groups * depth != input.Shape[3] || channels % groups != 0)
        {
            throw operation.Inconsistent(FormattableString.Invariant($"{input.Shape[3]} input channels and {channels} output channels don't divide into groups of filter depth {depth}"));
        }

        return
        [
            operation.Placed(new Conv2D(
                output.ValueName,
                [input.ValueName],
                output.Type,
                weights,
                quantization,
                operation.Bias(2, channels),
                options.Stride,
                options.Dilation,
                padding,
                groups,
                options.Activation,
                RoundingScheme.TfliteDouble)),
        ];
    }

    /// <summary>The option depth_multiplier is ignored, as by TensorFlow since 2.0: the shapes say it.</summary>
    public static ConvolutionOptions ReadDepthwiseConv2D(TfliteOperatorContext operation)
    {
        var options = operation.RequireOptions(TfliteSchema.DepthwiseConv2DOptions.Union);
        return new(
            options,
            TfliteSchema.DepthwiseConv2DOptions.Padding,
            operation.Steps("stride", options.GetInt32(TfliteSchema.DepthwiseConv2DOptions.StrideH), options.GetInt32(TfliteSchema.DepthwiseConv2DOptions.StrideW)),
            operation.Steps("dilation", options.GetInt32(TfliteSchema.DepthwiseConv2DOptions.DilationH, 1), options.GetInt32(TfliteSchema.DepthwiseConv2DOptions.DilationW, 1)),
            operation.Activation(options, TfliteSchema.DepthwiseConv2DOptions.Activation));
    }

    public static IReadOnlyList<Layer> BuildDepthwiseConv2D(TfliteOperatorContext operation, ConvolutionOptions options)
    {
        var (input, output) = (operation.Value(0), operation.Output);
        var weights = operation.Weights(1, rank: 4, axis: 3, out var quantization);
        var channels = weights.Shape[3];
        var kernel = operation.Steps("kernel", weights.Shape[1], weights.Shape[2]);
        var padding = operation.Window(options.Table, options.Padding, input, channels, kernel, options.Stride, options.Dilation);
        var multiplier = channels / input.Shape[3];
        if (weights.Shape[0] != 1 || multiplier * input.Shape[3] != channels)
        {
            throw operation.Inconsistent(FormattableString.Invariant($"weights of shape {weights.Shape} don't fit {input.Shape[3]} input channels"));
        }

        return
        [
            operation.Placed(new DepthwiseConv2D(
                output.ValueName,
                [input.ValueName],
                output.Type,
                weights,
                quantization,
                operation.Bias(2, channels),
                options.Stride,
                options.Dilation,
                padding,
                multiplier,
                options.Activation,
                RoundingScheme.TfliteDouble)),
        ];
    }

    public static FullyConnectedOptions ReadFullyConnected(TfliteOperatorContext operation)
    {
        var options = operation.RequireOptions(TfliteSchema.FullyConnectedOptions.Union);
        RequireInt32Bias(operation, options, TfliteSchema.FullyConnectedOptions.BiasType);
        return options.GetByte(TfliteSchema.FullyConnectedOptions.WeightsFormat) == 0
            ? new(operation.Activation(options, TfliteSchema.FullyConnectedOptions.Activation), options.GetBoolean(TfliteSchema.FullyConnectedOptions.KeepNumDims))
            : throw operation.Unsupported("its weights are shuffled for one processor", "convert the model without shuffled weights");
    }

    public static IReadOnlyList<Layer> BuildFullyConnected(TfliteOperatorContext operation, FullyConnectedOptions options)
    {
        var (input, output) = (operation.Value(0), operation.Output);
        var weights = operation.Weights(1, rank: 2, axis: 0, out var quantization);
        var (channels, depth) = (weights.Shape[0], weights.Shape[1]);
        if (input.Shape.Elements % depth != 0 || (options.KeepNumDims && (input.Shape.Rank == 0 || input.Shape[input.Shape.Rank - 1] != depth)))
        {
            throw operation.Inconsistent($"an input of shape {input.Shape} doesn't fit weights of shape {weights.Shape}");
        }

        var flat = Shape.Of((int)(input.Shape.Elements / depth), channels);
        var shape = options.KeepNumDims ? Shape.Of([.. input.Shape.Dimensions.Take(input.Shape.Rank - 1), channels]) : flat;
        operation.RequireShape(shape);

        // Dense makes [batch, out]; more dimensions are a view of it, and so is an input with another batch first.
        var layers = new List<Layer>();
        var rows = input.ValueName;
        if (input.Shape.Rank > 1 && input.Shape[0] != flat[0])
        {
            rows = $"{output.ValueName}_rows";
            layers.Add(operation.Placed(new Reshape(rows, [input.ValueName], input.Type with { Shape = Shape.Of(flat[0], depth) })));
        }

        var name = shape == flat ? output.ValueName : $"{output.ValueName}_flat";
        layers.Add(operation.Placed(new Dense(
            name,
            [rows],
            output.Type with { Shape = flat },
            weights,
            quantization,
            operation.Bias(2, channels),
            options.Activation,
            RoundingScheme.TfliteDouble)));
        if (shape != flat)
        {
            layers.Add(operation.Placed(new Reshape(output.ValueName, [name], output.Type)));
        }

        return layers;
    }

    /// <summary>Refuses accumulators of 64 bits.</summary>
    public static void RequireInt32Bias(TfliteOperatorContext operation, FlatTable options, FlatField field)
    {
        // 0 is "not stated" here, although it also numbers FLOAT32.
        var type = options.GetByte(field);
        if (type is not (0 or TfliteSchema.Int32Type))
        {
            throw operation.Unsupported($"its accumulator is {TfliteSchema.NameOfType(type)} instead of INT32", NewerBias);
        }
    }
}
