using System.Runtime.Intrinsics;
using CnnCompiler.Samples.Digits;

namespace CnnCompiler.Samples.Training;

/// <summary>
/// LeNet-5 (LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition", Proc. IEEE 1998) in float32 with today's
/// relu, max pooling and softmax: 28 x 28 input padded by 2, 6 and 16 filters of 5 x 5, 120, 84 and 10 neurons.
/// </summary>
internal sealed class LeNet5
{
    /// <summary>Digits in one pass.</summary>
    public const int Lanes = 8;

    /// <summary>Digits of one step of the optimiser.</summary>
    public const int Batch = 32;

    private readonly Vector256<float>[] _input = new Vector256<float>[Digit.Size * Digit.Size];

    public LeNet5(SplitMix64 random)
    {
        Layers =
        [
            new FloatConvolution(new Parameters("conv1", [6, 5, 5, 1], random), 28, 28, 1, 5, 2),
            new FloatMaxPool(28, 28, 6),
            new FloatConvolution(new Parameters("conv2", [16, 5, 5, 6], random), 14, 14, 6, 5, 0),
            new FloatMaxPool(10, 10, 16),
            new FloatDense(new Parameters("dense1", [120, 400], random), relu: true),
            new FloatDense(new Parameters("dense2", [84, 120], random), relu: true),
            new FloatDense(new Parameters("logits", [10, 84], random), relu: false),
        ];
    }

    public FloatLayer[] Layers { get; }

    /// <summary>Runs eight digits through all layers; the results are in the layers.</summary>
    public void Forward(ReadOnlySpan<Digit> digits)
    {
        Span<float> lanes = stackalloc float[Lanes];
        for (var pixel = 0; pixel < _input.Length; pixel++)
        {
            for (var lane = 0; lane < Lanes; lane++)
            {
                lanes[lane] = digits[lane].Pixels[pixel] / 255f;
            }

            _input[pixel] = Vector256.Create<float>(lanes);
        }

        var input = _input;
        foreach (var layer in Layers)
        {
            layer.Forward(input);
            input = layer.Output;
        }
    }

    /// <summary>Learns from a batch of digits; the result is the number it recognised before.</summary>
    public int Learn(ReadOnlySpan<Digit> digits, float rate, int step)
    {
        var right = 0;
        for (var first = 0; first < digits.Length; first += Lanes)
        {
            var eight = digits.Slice(first, Lanes);
            Forward(eight);
            right += Recognised(eight);
            SoftmaxGradient(eight);
            for (var i = Layers.Length - 1; i >= 0; i--)
            {
                var inputGradient = i > 0 ? Layers[i - 1].OutputGradient : null;
                inputGradient?.AsSpan().Clear();
                Layers[i].Backward(i > 0 ? Layers[i - 1].Output : _input, inputGradient);
            }
        }

        foreach (var layer in Layers)
        {
            layer.Parameters?.Step(rate, digits.Length, step);
        }

        return right;
    }

    /// <summary>How many of the eight digits of the last forward pass have the largest logit at their label.</summary>
    public int Recognised(ReadOnlySpan<Digit> digits)
    {
        var logits = Layers[^1].Output;
        var right = 0;
        for (var lane = 0; lane < Lanes; lane++)
        {
            var best = 0;
            for (var i = 1; i < logits.Length; i++)
            {
                best = logits[i][lane] > logits[best][lane] ? i : best;
            }

            right += best == digits[lane].Label ? 1 : 0;
        }

        return right;
    }

    /// <summary>Gradient of cross-entropy after softmax: probability less one at the label.</summary>
    private void SoftmaxGradient(ReadOnlySpan<Digit> digits)
    {
        var logits = Layers[^1].Output;
        var gradient = Layers[^1].OutputGradient;
        var powers = new double[logits.Length];
        for (var lane = 0; lane < Lanes; lane++)
        {
            var largest = double.NegativeInfinity;
            foreach (var logit in logits)
            {
                largest = Math.Max(largest, logit[lane]);
            }

            var sum = 0.0;
            for (var i = 0; i < logits.Length; i++)
            {
                powers[i] = PortableMath.Exp(Math.Max(-600, logits[i][lane] - largest));
                sum += powers[i];
            }

            for (var i = 0; i < logits.Length; i++)
            {
                gradient[i] = gradient[i].WithElement(lane, (float)((powers[i] / sum) - (i == digits[lane].Label ? 1 : 0)));
            }
        }
    }
}
