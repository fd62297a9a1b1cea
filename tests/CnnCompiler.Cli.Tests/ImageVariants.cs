using CnnCompiler.Core.Tensors;
using CnnCompiler.Passes.PostTraining;

namespace CnnCompiler.Cli.Tests;

/// <summary>Crops and brightness variants of 32x32 RGB images, from a seed.</summary>
internal static class ImageVariants
{
    private const int Size = 32;
    private const int Channels = 3;
    private const int SmallestCrop = 20;

    /// <summary>So many variants, of the images in turn, as f32 pixels from 0 to 255.</summary>
    public static SampleSet Make(IReadOnlyList<byte[]> images, int count, ulong seed)
    {
        var generator = new SplitMix64(seed);
        return new([.. Enumerable.Range(0, count).Select(i => (IReadOnlyList<Tensor>)[Variant(images[i % images.Count], generator)])]);
    }

    // A square of 20 to 32 pixels, mirrored or not, stretched to the whole by the nearest pixel; contrast 0.6 to 1.4, brightness -40 to 40.
    private static Tensor Variant(byte[] image, SplitMix64 generator)
    {
        var crop = SmallestCrop + generator.Below(Size - SmallestCrop + 1);
        var (top, left, mirrored) = (generator.Below(Size - crop + 1), generator.Below(Size - crop + 1), generator.Below(2) == 1);
        var (contrast, brightness) = (0.6 + (generator.Below(801) / 1000.0), generator.Below(81) - 40);
        var pixels = new float[Size * Size * Channels];
        for (var i = 0; i < pixels.Length; i++)
        {
            var (y, x, c) = (i / (Size * Channels), i / Channels % Size, i % Channels);
            var source = ((((y * crop / Size) + top) * Size) + ((mirrored ? Size - 1 - x : x) * crop / Size) + left) * Channels;
            pixels[i] = (float)Math.Clamp(Math.Round(((image[source + c] - 127.5) * contrast) + 127.5 + brightness), 0, 255);
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
