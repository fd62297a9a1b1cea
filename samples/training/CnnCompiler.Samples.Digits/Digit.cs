namespace CnnCompiler.Samples.Digits;

/// <summary>Sets of digits that share no seed.</summary>
public enum DigitSet
{
    /// <summary>What the network learns from; also used to calibrate the ranges of the quantisation.</summary>
    Training = 1,

    /// <summary>What the network has never seen; accuracy is measured on it.</summary>
    HeldOut = 2,
}

/// <summary>A handwritten-looking digit.</summary>
/// <param name="Label">0 to 9.</param>
/// <param name="Pixels">28 x 28 grey values, row by row: 0 paper, 255 ink.</param>
public sealed record Digit(int Label, byte[] Pixels)
{
    /// <summary>Rows and columns.</summary>
    public const int Size = 28;

    /// <summary>The grey values as the network's input codes, [1, 28, 28, 1]: real value grey / 255, scale 1/255, zero point -128.</summary>
    public sbyte[] ToCodes() => Array.ConvertAll(Pixels, pixel => (sbyte)(pixel - 128));
}
