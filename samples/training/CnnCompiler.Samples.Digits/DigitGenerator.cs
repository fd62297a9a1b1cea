namespace CnnCompiler.Samples.Digits;

/// <summary>
/// Draws distorted digits: a glyph of <see cref="Glyphs"/> in a random style, turned, sheared, scaled and moved, bent by a smooth random field,
/// drawn with a round pen of random width (anti-aliased), with random contrast and noise. A digit depends on its set and index only.
/// </summary>
public static class DigitGenerator
{
    private const int Size = Digit.Size;

    /// <summary>The digit of an index; its label is <paramref name="index"/> modulo 10.</summary>
    public static Digit Generate(DigitSet set, int index)
    {
        var random = new SplitMix64(new SplitMix64(((ulong)set << 32) | (uint)index).Next());
        var label = index % 10;
        var transform = Transform.Random(random);
        var nearest = new double[Size * Size];
        Array.Fill(nearest, double.MaxValue);
        var pen = random.NextDouble(0.6, 1.8);
        foreach (var stroke in Glyphs.Strokes(label, random.NextInteger(Glyphs.StyleCount(label))))
        {
            var from = transform.Apply(stroke[0]);
            foreach (var point in stroke)
            {
                var to = transform.Apply(point);
                Draw(nearest, from, to, pen);
                from = to;
            }
        }

        return new Digit(label, Ink(nearest, pen, random));
    }

    /// <summary>The held-out digit that samples/digits shows for a label.</summary>
    public static Digit Example(int label) => Generate(DigitSet.HeldOut, 100 + label);

    /// <summary>Lowers each pixel's squared distance to the pen's path to that of one segment; pixels beyond the pen's reach are left alone.</summary>
    private static void Draw(double[] nearest, GlyphPoint from, GlyphPoint to, double pen)
    {
        var reach = pen + 1;
        var firstRow = Math.Max(0, (int)(Math.Min(from.Y, to.Y) - reach));
        var lastRow = Math.Min(Size - 1, (int)(Math.Max(from.Y, to.Y) + reach));
        var firstColumn = Math.Max(0, (int)(Math.Min(from.X, to.X) - reach));
        var lastColumn = Math.Min(Size - 1, (int)(Math.Max(from.X, to.X) + reach));
        var (dx, dy) = (to.X - from.X, to.Y - from.Y);
        var square = (dx * dx) + (dy * dy);
        for (var row = firstRow; row <= lastRow; row++)
        {
            for (var column = firstColumn; column <= lastColumn; column++)
            {
                var (px, py) = (column + 0.5 - from.X, row + 0.5 - from.Y);
                var along = square > 0 ? Math.Clamp(((px * dx) + (py * dy)) / square, 0, 1) : 0;
                var (ex, ey) = (px - (along * dx), py - (along * dy));
                ref var pixel = ref nearest[(row * Size) + column];
                pixel = Math.Min(pixel, (ex * ex) + (ey * ey));
            }
        }
    }

    private static byte[] Ink(double[] nearest, double pen, SplitMix64 random)
    {
        var contrast = random.NextDouble(0.55, 1);
        var noise = random.NextDouble(0, 0.15);
        var pixels = new byte[Size * Size];
        for (var i = 0; i < pixels.Length; i++)
        {
            var ink = nearest[i] == double.MaxValue ? 0 : Math.Clamp(pen + 0.5 - Math.Sqrt(nearest[i]), 0, 1);
            pixels[i] = (byte)Math.Round(255 * Math.Clamp((ink * contrast) + (noise * random.NextBell()), 0, 1));
        }

        return pixels;
    }

    /// <summary>From the unit square to pixels: an affine map, then a displacement by a sum of plane waves.</summary>
    private sealed record Transform(double XX, double XY, double YX, double YY, double MoveX, double MoveY, Wave[] Waves)
    {
        public static Transform Random(SplitMix64 random)
        {
            var turn = random.NextDouble(-0.35, 0.35);
            var shear = random.NextDouble(-0.35, 0.35);
            var width = random.NextDouble(13, 25);
            var height = random.NextDouble(17, 26);
            var (cos, sin) = (PortableMath.Cos(turn), PortableMath.Sin(turn));
            var waves = new Wave[3];
            for (var i = 0; i < waves.Length; i++)
            {
                waves[i] = new(
                    random.NextDouble(-0.35, 0.35), random.NextDouble(-0.35, 0.35), random.NextDouble(0, 2 * Math.PI), random.NextDouble(-1.2, 1.2), random.NextDouble(-1.2, 1.2));
            }

            return new(
                cos * width, ((cos * shear) - sin) * height, sin * width, ((sin * shear) + cos) * height, (Size / 2.0) + random.NextDouble(-3, 3), (Size / 2.0) + random.NextDouble(-3, 3), waves);
        }

        public GlyphPoint Apply(GlyphPoint point)
        {
            var (u, v) = (point.X - 0.5, point.Y - 0.5);
            var x = (XX * u) + (XY * v) + MoveX;
            var y = (YX * u) + (YY * v) + MoveY;
            var (bentX, bentY) = (x, y);
            foreach (var wave in Waves)
            {
                var height = PortableMath.Sin((wave.RateX * x) + (wave.RateY * y) + wave.Phase);
                bentX += wave.AmountX * height;
                bentY += wave.AmountY * height;
            }

            return new(bentX, bentY);
        }
    }

    /// <summary>A plane wave: radians a pixel along each axis, phase, and the displacement in pixels at its crest.</summary>
    private readonly record struct Wave(double RateX, double RateY, double Phase, double AmountX, double AmountY);
}
