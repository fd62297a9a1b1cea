using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace CnnCompiler.Primitives.HostFunctions;

/// <summary>Element types of <see cref="Resizing"/>.</summary>
public enum ResizedElement : byte
{
    /// <summary>8-bit two's complement.</summary>
    Int8 = 1,

    /// <summary>32-bit two's complement.</summary>
    Int32 = 2,

    /// <summary>IEEE binary32.</summary>
    Float32 = 3,
}

/// <summary>
/// Another height and width: [N, H, W, C] to [N, OH, OW, C]. The nearest element as TensorFlow Lite chooses it; between four, integers by its weights of 10 bits (<see cref="Resampling"/>), reals in
/// binary64: (a * (1 - x) + b * x) * (1 - y) + (c * (1 - x) + d * x) * y, of places clamped to the input.
/// </summary>
/// <param name="Element">Element type.</param>
/// <param name="Batch">N.</param>
/// <param name="Height">H.</param>
/// <param name="Width">W.</param>
/// <param name="Channels">C.</param>
/// <param name="ResultHeight">OH.</param>
/// <param name="ResultWidth">OW.</param>
/// <param name="Bilinear">True: between four elements; false: the nearest.</param>
/// <param name="AlignCorners">The first and last elements of both lie on each other.</param>
/// <param name="HalfPixel">Elements lie in the middle of pixels.</param>
public sealed record Resizing(
    ResizedElement Element, int Batch, int Height, int Width, int Channels, int ResultHeight, int ResultWidth, bool Bilinear, bool AlignCorners, bool HalfPixel) : HostFunction
{
    // Four products of three factors, their sum and its rounding.
    private const int OperationsOfInterpolation = 16;

    /// <inheritdoc/>
    public override IReadOnlyList<long> OperandBytes => [Product(Batch, Height, Width, Channels, Size)];

    /// <inheritdoc/>
    public override long ResultBytes => Product(Batch, ResultHeight, ResultWidth, Channels, Size);

    /// <inheritdoc/>
    public override long Operations => Product(Batch, ResultHeight, ResultWidth, Channels, Bilinear ? OperationsOfInterpolation : 1);

    /// <inheritdoc/>
    public override string? Problem => AlignCorners && HalfPixel ? "aligned corners and elements in the middle of pixels" : null;

    private int Size => Element == ResizedElement.Int8 ? 1 : sizeof(int);

    /// <inheritdoc/>
    public override void Run(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, Span<byte> result)
    {
        if (!Bilinear)
        {
            Nearest(first, result);
        }
        else if (Element == ResizedElement.Float32)
        {
            Reals(MemoryMarshal.Cast<byte, float>(first), MemoryMarshal.Cast<byte, float>(result));
        }
        else
        {
            Integers(first, result);
        }
    }

    private void Nearest(ReadOnlySpan<byte> input, Span<byte> result)
    {
        var (size, position) = (Channels * Size, 0);
        for (var n = 0; n < Batch; n++)
        {
            for (var y = 0; y < ResultHeight; y++)
            {
                var row = ((n * Height) + Resampling.Nearest(y, Height, ResultHeight, AlignCorners, HalfPixel)) * Width;
                for (var x = 0; x < ResultWidth; x++)
                {
                    input.Slice((row + Resampling.Nearest(x, Width, ResultWidth, AlignCorners, HalfPixel)) * size, size).CopyTo(result[position..]);
                    position += size;
                }
            }
        }
    }

    private void Integers(ReadOnlySpan<byte> input, Span<byte> result)
    {
        var position = 0;
        for (var n = 0; n < Batch; n++)
        {
            for (var y = 0; y < ResultHeight; y++)
            {
                var row = Resampling.Position(y, Height, ResultHeight, AlignCorners, HalfPixel);
                var (upper, lower) = (((n * Height) + row.Lower) * Width, ((n * Height) + row.Upper) * Width);
                for (var x = 0; x < ResultWidth; x++)
                {
                    var column = Resampling.Position(x, Width, ResultWidth, AlignCorners, HalfPixel);
                    for (var c = 0; c < Channels; c++)
                    {
                        var value = Resampling.Interpolate(
                            At(input, upper + column.Lower, c), At(input, upper + column.Upper, c), At(input, lower + column.Lower, c), At(input, lower + column.Upper, c), row, column);
                        if (Element == ResizedElement.Int8)
                        {
                            result[position] = (byte)value;
                        }
                        else
                        {
                            BinaryPrimitives.WriteInt32LittleEndian(result[position..], (int)Math.Clamp(value, int.MinValue, int.MaxValue));
                        }

                        position += Size;
                    }
                }
            }
        }
    }

    private long At(ReadOnlySpan<byte> input, int pixel, int channel)
    {
        var index = (pixel * Channels) + channel;
        return Element == ResizedElement.Int8 ? (sbyte)input[index] : BinaryPrimitives.ReadInt32LittleEndian(input[(index * sizeof(int))..]);
    }

    private void Reals(ReadOnlySpan<float> input, Span<float> result)
    {
        var position = 0;
        for (var n = 0; n < Batch; n++)
        {
            for (var y = 0; y < ResultHeight; y++)
            {
                var (top, bottom, down) = Place(y, Height, ResultHeight);
                for (var x = 0; x < ResultWidth; x++)
                {
                    var (left, right, across) = Place(x, Width, ResultWidth);
                    var (upper, lower) = (((n * Height) + top) * Width, ((n * Height) + bottom) * Width);
                    for (var c = 0; c < Channels; c++)
                    {
                        var above = (input[((upper + left) * Channels) + c] * (1 - across)) + (input[((upper + right) * Channels) + c] * across);
                        var below = (input[((lower + left) * Channels) + c] * (1 - across)) + (input[((lower + right) * Channels) + c] * across);
                        result[position++] = (float)((above * (1 - down)) + (below * down));
                    }
                }
            }
        }
    }

    // The elements around a place, and how far it is from the first.
    private (int Lower, int Upper, double Fraction) Place(int index, int input, int output)
    {
        var place = AlignCorners && output > 1 ? (double)index * (input - 1) / (output - 1)
            : HalfPixel ? ((index + 0.5) * input / output) - 0.5
            : (double)index * input / output;
        var clamped = Math.Clamp(place, 0, input - 1);
        var lower = (int)clamped;
        return (lower, Math.Min(lower + 1, input - 1), clamped - lower);
    }
}
