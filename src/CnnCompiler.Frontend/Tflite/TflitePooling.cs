using CnnCompiler.Ir.Network;

namespace CnnCompiler.Frontend.Tflite;

/// <summary>AVERAGE_POOL_2D and MAX_POOL_2D (<c>int8-arithmetic.md</c> section 3.6).</summary>
internal static class TflitePooling
{
    /// <summary>Options of a pool.</summary>
    internal sealed record PoolOptions(FlatTable Table, Spatial Kernel, Spatial Stride, FusedActivation Activation);

    public static PoolOptions ReadPool(TfliteOperatorContext operation)
    {
        var options = operation.RequireOptions(TfliteSchema.Pool2DOptions.Union);
        return new(
            options,
            operation.Steps("window", options.GetInt32(TfliteSchema.Pool2DOptions.FilterHeight), options.GetInt32(TfliteSchema.Pool2DOptions.FilterWidth)),
            operation.Steps("stride", options.GetInt32(TfliteSchema.Pool2DOptions.StrideH), options.GetInt32(TfliteSchema.Pool2DOptions.StrideW)),
            operation.Activation(options, TfliteSchema.Pool2DOptions.Activation));
    }

    public static IReadOnlyList<Layer> BuildAveragePool(TfliteOperatorContext operation, PoolOptions options)
    {
        var (input, output, padding) = Prepare(operation, options);
        return [operation.Placed(new AveragePool2D(output.ValueName, [input.ValueName], output.Type, options.Kernel, options.Stride, padding, options.Activation))];
    }

    public static IReadOnlyList<Layer> BuildMaxPool(TfliteOperatorContext operation, PoolOptions options)
    {
        var (input, output, padding) = Prepare(operation, options);
        return [operation.Placed(new MaxPool2D(output.ValueName, [input.ValueName], output.Type, options.Kernel, options.Stride, padding, options.Activation))];
    }

    private static (TfliteTensor Input, TfliteTensor Output, Padding Padding) Prepare(TfliteOperatorContext operation, PoolOptions options)
    {
        var (input, output) = (operation.Value(0), operation.Output);
        operation.RequireSameScale(input, output);
        var channels = input.Shape.Rank == 4 ? input.Shape[3] : 0;
        return (input, output, operation.Window(options.Table, TfliteSchema.Pool2DOptions.Padding, input, channels, options.Kernel, options.Stride, new(1, 1)));
    }
}
