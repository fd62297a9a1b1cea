using System.Runtime.Intrinsics;
using CnnCompiler.Samples.Digits;

namespace CnnCompiler.Samples.Training;

/// <summary>The weights and biases of one layer, their gradients and the moments of Adam (Kingma and Ba, ICLR 2015).</summary>
internal sealed class Parameters
{
    private const float FirstDecay = 0.9f;
    private const float SecondDecay = 0.999f;
    private const float Epsilon = 1e-8f;

    private readonly float[] _mean;
    private readonly float[] _variance;

    /// <summary>Random weights, biases of zero.</summary>
    /// <param name="name">Name of the layer.</param>
    /// <param name="shape">Shape of the weights, output channels first: OHWI, or [out, in].</param>
    /// <param name="random">Draws the initial weights.</param>
    public Parameters(string name, int[] shape, SplitMix64 random)
    {
        Name = name;
        Shape = shape;
        Outputs = shape[0];
        FanIn = shape.Skip(1).Aggregate(1, (product, extent) => product * extent);
        Values = new float[(Outputs * FanIn) + Outputs];
        Gradients = new Vector256<float>[Values.Length];
        _mean = new float[Values.Length];
        _variance = new float[Values.Length];

        // He and others, "Delving deep into rectifiers", ICCV 2015: variance 2 / fan-in.
        var bound = Math.Sqrt(6.0 / FanIn);
        for (var i = 0; i < Outputs * FanIn; i++)
        {
            Values[i] = (float)random.NextDouble(-bound, bound);
        }
    }

    public string Name { get; }

    public int[] Shape { get; }

    public int Outputs { get; }

    /// <summary>Weights of one output.</summary>
    public int FanIn { get; }

    /// <summary>Weights, then one bias for each output.</summary>
    public float[] Values { get; }

    /// <summary>Gradient of the loss of each lane's digit, in the order of <see cref="Values"/>, summed over the batch.</summary>
    public Vector256<float>[] Gradients { get; }

    /// <summary>Index of the first bias.</summary>
    public int BiasStart => Outputs * FanIn;

    /// <summary>One step of Adam with the mean gradient of a batch; clears the gradients.</summary>
    /// <param name="rate">Learning rate.</param>
    /// <param name="batch">Digits in the batch.</param>
    /// <param name="step">Steps done, this one included.</param>
    public void Step(float rate, int batch, int step)
    {
        var firstCorrection = 1 - (float)PortableMath.Exp(step * -0.10536051565782628);
        var secondCorrection = 1 - (float)PortableMath.Exp(step * -0.0010005003335835335);
        for (var i = 0; i < Values.Length; i++)
        {
            var gradient = Vector256.Sum(Gradients[i]) / batch;
            Gradients[i] = Vector256<float>.Zero;
            _mean[i] = (FirstDecay * _mean[i]) + ((1 - FirstDecay) * gradient);
            _variance[i] = (SecondDecay * _variance[i]) + ((1 - SecondDecay) * gradient * gradient);
            Values[i] -= rate * (_mean[i] / firstCorrection) / (MathF.Sqrt(_variance[i] / secondCorrection) + Epsilon);
        }
    }
}
