using CnnCompiler.Core.Tensors;
using CnnCompiler.Passes.PostTraining;

namespace CnnCompiler.Cli.Tests;

/// <summary>Crops and brightness variants of 32x32 RGB images, from a seed.</summary>
internal static class ImageVariants
{
    private const int Size = 32;
    private const int Channels = 3;
    private const int SmallestCrop = 24;

    /// <summary>So many variants, of the images in turn, as f32 pixels from 0 to 255.</summary>
    public static SampleSet Make(IReadOnlyList<byte[]> images, int count, ulong seed)
    {
        var generator = new SplitMix64(seed);
        return new([.. Enumerable.Range(0, count).Select(i => (IReadOnlyList<Tensor>)[Variant(images[i % images.Count], generator)])]);
    }

    // A square of 24 to 32 pixels stretched to the whole by the nearest pixel; brightness 0.7 to 1.3.
    private static Tensor Variant(byte[] image, SplitMix64 generator)
    {
        var crop = SmallestCrop + generator.Below(Size - SmallestCrop + 1);
        var (top, left) = (generator.Below(Size - crop + 1), generator.Below(Size - crop + 1));
        var brightness = 0.7 + (generator.Below(601) / 1000.0);
        var pixels = new float[Size * Size * Channels];
        for (var i = 0; i < pixels.Length; i++)
        {
            var (y, x, c) = (i / (Size * Channels), i / Channels % Size, i % Channels);
            var source = ((((y * crop / Size) + top) * Size) + (x * crop / Size) + left) * Channels;
            pixels[i] = (float)Math.Min(Math.Round(image[source + c] * brightness), byte.MaxValue);
        }

        return Tensor.From<float>(ElementType.Float32, Shape.Of(1, Size, Size, Channels), pixels);
    }

    // As docs/language.md defines it for seeded weights.
    private sealed class SplitMix64(ulong state)
    {
        private ulong _state = state;

        public int Below(int limit)
        {
            _state += 0x9E3779B97F4A7C15;
            var z = _state;
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
            return (int)((z ^ (z >> 31)) % (ulong)limit);
        }
    }
}
