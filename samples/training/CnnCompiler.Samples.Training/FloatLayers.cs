using System.Runtime.Intrinsics;

namespace CnnCompiler.Samples.Training;

/// <summary>
/// A layer in float32 for eight digits at once: lane i of every vector belongs to digit i, so that the loops are those of one digit. Vectors of
/// a fixed width and no fused operations: the sums are the same on every machine.
/// </summary>
internal abstract class FloatLayer(int outputs)
{
    /// <summary>Results of the last forward pass, row-major [H, W, C].</summary>
    public Vector256<float>[] Output { get; } = new Vector256<float>[outputs];

    /// <summary>Gradient of the loss by <see cref="Output"/>.</summary>
    public Vector256<float>[] OutputGradient { get; } = new Vector256<float>[outputs];

    public virtual Parameters? Parameters => null;

    public abstract void Forward(Vector256<float>[] input);

    /// <summary>Adds to the gradients of the parameters, and to that of the input (already cleared) unless it is null.</summary>
    public abstract void Backward(Vector256<float>[] input, Vector256<float>[]? inputGradient);
}

/// <summary>Square convolution of stride 1 over [H, W, C] with zero padding on all sides, then relu.</summary>
internal sealed class FloatConvolution(Parameters parameters, int height, int width, int channels, int kernel, int padding)
    : FloatLayer((height + (2 * padding) - kernel + 1) * (width + (2 * padding) - kernel + 1) * parameters.Outputs)
{
    private readonly int _outputHeight = height + (2 * padding) - kernel + 1;
    private readonly int _outputWidth = width + (2 * padding) - kernel + 1;

    public override Parameters Parameters => parameters;

    public override void Forward(Vector256<float>[] input)
    {
        var values = parameters.Values;
        var at = 0;
        for (var row = 0; row < _outputHeight; row++)
        {
            var (firstTapRow, endTapRow) = (Math.Max(0, padding - row), Math.Min(kernel, height + padding - row));
            for (var column = 0; column < _outputWidth; column++)
            {
                var (firstTap, endTap) = (Math.Max(0, padding - column), Math.Min(kernel, width + padding - column));
                var run = (endTap - firstTap) * channels;
                for (var output = 0; output < parameters.Outputs; output++)
                {
                    var sum = Vector256.Create(values[parameters.BiasStart + output]);
                    for (var tapRow = firstTapRow; tapRow < endTapRow; tapRow++)
                    {
                        var pixels = input.AsSpan((((row + tapRow - padding) * width) + column + firstTap - padding) * channels, run);
                        var weights = values.AsSpan((((output * kernel) + tapRow) * kernel * channels) + (firstTap * channels), run);
                        for (var i = 0; i < pixels.Length; i++)
                        {
                            sum += pixels[i] * weights[i];
                        }
                    }

                    Output[at++] = Vector256.Max(sum, Vector256<float>.Zero);
                }
            }
        }
    }

    public override void Backward(Vector256<float>[] input, Vector256<float>[]? inputGradient)
    {
        var values = parameters.Values;
        var gradients = parameters.Gradients;
        var at = 0;
        for (var row = 0; row < _outputHeight; row++)
        {
            var (firstTapRow, endTapRow) = (Math.Max(0, padding - row), Math.Min(kernel, height + padding - row));
            for (var column = 0; column < _outputWidth; column++)
            {
                var (firstTap, endTap) = (Math.Max(0, padding - column), Math.Min(kernel, width + padding - column));
                var run = (endTap - firstTap) * channels;
                for (var output = 0; output < parameters.Outputs; output++, at++)
                {
                    var gradient = OutputGradient[at] & Vector256.GreaterThan(Output[at], Vector256<float>.Zero);
                    if (gradient == Vector256<float>.Zero)
                    {
                        continue;
                    }

                    gradients[parameters.BiasStart + output] += gradient;
                    for (var tapRow = firstTapRow; tapRow < endTapRow; tapRow++)
                    {
                        var from = (((row + tapRow - padding) * width) + column + firstTap - padding) * channels;
                        var weight = (((output * kernel) + tapRow) * kernel * channels) + (firstTap * channels);
                        var pixels = input.AsSpan(from, run);
                        var weightGradients = gradients.AsSpan(weight, run);
                        for (var i = 0; i < pixels.Length; i++)
                        {
                            weightGradients[i] += gradient * pixels[i];
                        }

                        if (inputGradient is not null)
                        {
                            var weights = values.AsSpan(weight, run);
                            var pixelGradients = inputGradient.AsSpan(from, run);
                            for (var i = 0; i < pixelGradients.Length; i++)
                            {
                                pixelGradients[i] += gradient * weights[i];
                            }
                        }
                    }
                }
            }
        }
    }
}

/// <summary>Fully connected, with or without relu.</summary>
internal sealed class FloatDense(Parameters parameters, bool relu) : FloatLayer(parameters.Outputs)
{
    public override Parameters Parameters => parameters;

    public override void Forward(Vector256<float>[] input)
    {
        for (var output = 0; output < Output.Length; output++)
        {
            var weights = parameters.Values.AsSpan(output * parameters.FanIn, parameters.FanIn);
            var sum = Vector256.Create(parameters.Values[parameters.BiasStart + output]);
            for (var i = 0; i < weights.Length; i++)
            {
                sum += input[i] * weights[i];
            }

            Output[output] = relu ? Vector256.Max(sum, Vector256<float>.Zero) : sum;
        }
    }

    public override void Backward(Vector256<float>[] input, Vector256<float>[]? inputGradient)
    {
        for (var output = 0; output < Output.Length; output++)
        {
            var gradient = OutputGradient[output];
            if (relu)
            {
                gradient &= Vector256.GreaterThan(Output[output], Vector256<float>.Zero);
            }

            parameters.Gradients[parameters.BiasStart + output] += gradient;
            var weights = parameters.Values.AsSpan(output * parameters.FanIn, parameters.FanIn);
            var weightGradients = parameters.Gradients.AsSpan(output * parameters.FanIn, parameters.FanIn);
            for (var i = 0; i < weights.Length; i++)
            {
                weightGradients[i] += gradient * input[i];
            }

            for (var i = 0; inputGradient is not null && i < weights.Length; i++)
            {
                inputGradient[i] += gradient * weights[i];
            }
        }
    }
}

/// <summary>Max pooling of 2 x 2 with stride 2 over [H, W, C] of even height and width.</summary>
internal sealed class FloatMaxPool(int height, int width, int channels) : FloatLayer(height / 2 * (width / 2) * channels)
{
    public override void Forward(Vector256<float>[] input)
    {
        for (var at = 0; at < Output.Length; at++)
        {
            var corner = Corner(at);
            Output[at] = Vector256.Max(
                Vector256.Max(input[corner], input[corner + channels]),
                Vector256.Max(input[corner + (width * channels)], input[corner + ((width + 1) * channels)]));
        }
    }

    public override void Backward(Vector256<float>[] input, Vector256<float>[]? inputGradient)
    {
        // Taps that tie all get the gradient: after relu ties are zeros, which relu stops anyway.
        for (var at = 0; inputGradient is not null && at < Output.Length; at++)
        {
            var corner = Corner(at);
            foreach (var tap in (ReadOnlySpan<int>)[corner, corner + channels, corner + (width * channels), corner + ((width + 1) * channels)])
            {
                inputGradient[tap] += OutputGradient[at] & Vector256.Equals(input[tap], Output[at]);
            }
        }
    }

    private int Corner(int at)
    {
        var (pixel, channel) = Math.DivRem(at, channels);
        var (row, column) = Math.DivRem(pixel, width / 2);
        return (((2 * row * width) + (2 * column)) * channels) + channel;
    }
}
