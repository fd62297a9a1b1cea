using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;

namespace CnnCompiler.Targets.OpenEdge.Reproduction;

/// <summary>A convolution of the paper's sweep (<c>research/openedge_paper.md</c> 1.3): 3x3, stride 1, no padding, square.</summary>
/// <param name="Size">Height and width of the input, Ix.</param>
/// <param name="Inputs">Input channels, C.</param>
/// <param name="Outputs">Output channels, K.</param>
public sealed record ConvolutionPoint(int Size, int Inputs, int Outputs)
{
    /// <summary>Height and width of the window.</summary>
    public const int Window = 3;

    private const int RamBytes = 512 * 1024;
    private const int WordBytes = 4;

    private static readonly int[] Extents = [16, 32, 48, 64, 80, 96, 144];

    /// <summary>The point that the paper compares mappings at.</summary>
    public static readonly ConvolutionPoint Baseline = new(16, 16, 16);

    /// <summary>
    /// The sweep: input size and both numbers of channels from one list, as far as input, weights and two copies of the output fit 512 KiB of 32-bit words: the rule of the authors' generator,
    /// <c>mem_banks.c</c>, whose second copy is the host's reference.
    /// </summary>
    public static IReadOnlyList<ConvolutionPoint> Sweep { get; } =
    [
        .. from size in Extents from inputs in Extents from outputs in Extents select new ConvolutionPoint(size, inputs, outputs) into point where point.PublishedBytes <= RamBytes select point,
    ];

    /// <summary>Height and width of the output.</summary>
    public int OutputSize => Size - Window + 1;

    /// <summary>Multiply-accumulate operations.</summary>
    public long Macs => (long)Window * Window * Inputs * Outputs * OutputSize * OutputSize;

    /// <summary>Bytes of RAM by the authors' rule.</summary>
    public long PublishedBytes => WordBytes * (((long)Size * Size * Inputs) + ((long)Window * Window * Inputs * Outputs) + (2L * Outputs * OutputSize * OutputSize));

    /// <summary>
    /// The layer as a network of int8. Weights are drawn by a linear congruential generator: the sum of four numbers of -32 to 31, about as trained weights of a channel lie
    /// (standard deviation 37). Times of published mappings don't depend on them; those of ours do where lanes are packed.
    /// </summary>
    public NetworkGraph Network()
    {
        const int Draws = 4;
        uint state = 12345;
        var weights = new sbyte[Outputs * Window * Window * Inputs];
        for (var i = 0; i < weights.Length; i++)
        {
            var sum = 0;
            for (var draw = 0; draw < Draws; draw++)
            {
                state = (state * 1664525) + 1013904223;
                sum += (int)(state >> 26) - 32;
            }

            weights[i] = (sbyte)Math.Clamp(sum, -sbyte.MaxValue, sbyte.MaxValue);
        }

        return new(
            FormattableString.Invariant($"conv-{Size}-{Inputs}-{Outputs}"),
            [new("x", new(ElementType.Int8, Shape.Of(1, Size, Size, Inputs), Quantization.PerTensor(0.5f, 0)))],
            [
                new Conv2D(
                    "y",
                    ["x"],
                    new(ElementType.Int8, Shape.Of(1, OutputSize, OutputSize, Outputs), Quantization.PerTensor(0.05f * Window * Inputs * Window, 0)),
                    Tensor.From<sbyte>(ElementType.Int8, Shape.Of(Outputs, Window, Window, Inputs), weights),
                    Quantization.PerTensor(0.1f, 0),
                    null,
                    new(1, 1),
                    new(1, 1),
                    new(0, 0, 0, 0),
                    1,
                    FusedActivation.None,
                    RoundingScheme.TfliteDouble),
            ],
            ["y"]);
    }
}
