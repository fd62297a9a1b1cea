namespace CnnCompiler.Samples.Digits;

/// <summary>A point of a glyph: x to the right, y down, the glyph in the unit square.</summary>
/// <param name="X">Column.</param>
/// <param name="Y">Row.</param>
public readonly record struct GlyphPoint(double X, double Y);

/// <summary>The digits 0 to 9 as pen strokes, each in a few ways of writing it.</summary>
public static class Glyphs
{
    private const int CurveSteps = 10;

    private static readonly GlyphPoint[][][][] _styles =
    [
        [ // 0: an oval; a narrow oval; one that is not closed at the top
            [Arc(0.5, 0.5, 0.27, 0.4, 0, 360)],
            [Arc(0.5, 0.5, 0.2, 0.4, 0, 360)],
            [Arc(0.5, 0.5, 0.26, 0.4, -70, 275)],
        ],
        [ // 1: a stroke; with a flag; with flag and foot
            [Line((0.5, 0.1), (0.5, 0.9))],
            [Line((0.34, 0.28), (0.52, 0.1), (0.52, 0.9))],
            [Line((0.34, 0.27), (0.5, 0.1), (0.5, 0.9)), Line((0.32, 0.9), (0.68, 0.9))],
        ],
        [ // 2: a straight base; a loop at the base; an angular one
            [[.. Curve((0.25, 0.3), (0.27, 0.02), (0.78, 0.02), (0.74, 0.33)), .. Curve((0.74, 0.33), (0.7, 0.55), (0.4, 0.7), (0.25, 0.9)), .. Line((0.25, 0.9), (0.78, 0.9))]],
            [[.. Curve((0.26, 0.25), (0.35, 0.0), (0.8, 0.05), (0.72, 0.35)), .. Curve((0.72, 0.35), (0.65, 0.6), (0.35, 0.95), (0.26, 0.85)), .. Curve((0.26, 0.85), (0.25, 0.68), (0.55, 0.9), (0.8, 0.85))]],
            [[.. Curve((0.26, 0.22), (0.4, 0.04), (0.75, 0.06), (0.72, 0.3)), .. Line((0.72, 0.3), (0.24, 0.9), (0.78, 0.9))]],
        ],
        [ // 3: two bows; a flat top
            [[.. Curve((0.27, 0.2), (0.4, 0.02), (0.76, 0.08), (0.72, 0.3)), .. Curve((0.72, 0.3), (0.7, 0.46), (0.52, 0.48), (0.44, 0.48))], [.. Curve((0.44, 0.48), (0.64, 0.48), (0.79, 0.56), (0.76, 0.72)), .. Curve((0.76, 0.72), (0.72, 0.96), (0.36, 0.97), (0.24, 0.8))]],
            [[.. Line((0.27, 0.1), (0.73, 0.1), (0.46, 0.43)), .. Curve((0.46, 0.43), (0.68, 0.42), (0.79, 0.56), (0.76, 0.72)), .. Curve((0.76, 0.72), (0.72, 0.96), (0.36, 0.97), (0.24, 0.8))]],
        ],
        [ // 4: open; closed; closed with the bar low
            [Line((0.32, 0.1), (0.24, 0.56), (0.78, 0.56)), Line((0.64, 0.28), (0.62, 0.92))],
            [Line((0.64, 0.92), (0.64, 0.08), (0.2, 0.64), (0.82, 0.64))],
            [Line((0.3, 0.12), (0.26, 0.5), (0.76, 0.5)), Line((0.7, 0.1), (0.66, 0.9))],
        ],
        [ // 5: angular neck; in one curve
            [[.. Line((0.73, 0.1), (0.33, 0.1), (0.29, 0.47)), .. Curve((0.29, 0.47), (0.5, 0.33), (0.8, 0.43), (0.76, 0.68)), .. Curve((0.76, 0.68), (0.72, 0.97), (0.36, 0.95), (0.24, 0.82))]],
            [Line((0.36, 0.1), (0.76, 0.1)), [.. Curve((0.36, 0.1), (0.34, 0.25), (0.3, 0.4), (0.3, 0.45)), .. Curve((0.3, 0.45), (0.6, 0.38), (0.78, 0.5), (0.74, 0.7)), .. Curve((0.74, 0.7), (0.68, 0.94), (0.4, 0.93), (0.26, 0.86))]],
        ],
        [ // 6: a curved back; a straight back
            [[.. Curve((0.68, 0.1), (0.42, 0.18), (0.24, 0.42), (0.25, 0.68))], Arc(0.5, 0.69, 0.25, 0.21, 0, 360)],
            [[.. Line((0.56, 0.08), (0.3, 0.56)), .. Arc(0.5, 0.7, 0.24, 0.2, 215, -150)]],
        ],
        [ // 7: plain; crossed; with a serif and a bent back
            [Line((0.24, 0.1), (0.77, 0.1), (0.42, 0.9))],
            [Line((0.24, 0.1), (0.77, 0.1), (0.42, 0.9)), Line((0.38, 0.5), (0.72, 0.5))],
            [[.. Line((0.24, 0.2), (0.26, 0.1), (0.76, 0.12)), .. Curve((0.76, 0.12), (0.6, 0.35), (0.5, 0.6), (0.48, 0.9))]],
        ],
        [ // 8: two ovals; one stroke
            [Arc(0.5, 0.3, 0.2, 0.2, 0, 360), Arc(0.5, 0.7, 0.25, 0.21, 0, 360)],
            [[.. Curve((0.7, 0.22), (0.55, 0.02), (0.25, 0.1), (0.3, 0.3)), .. Curve((0.3, 0.3), (0.35, 0.48), (0.76, 0.5), (0.74, 0.74)), .. Curve((0.74, 0.74), (0.7, 0.97), (0.28, 0.97), (0.27, 0.72)), .. Curve((0.27, 0.72), (0.28, 0.5), (0.75, 0.42), (0.7, 0.22))]],
        ],
        [ // 9: a straight stem; a bent stem; a hook
            [Arc(0.49, 0.32, 0.23, 0.22, 0, 360), Line((0.73, 0.3), (0.7, 0.92))],
            [Arc(0.5, 0.31, 0.23, 0.21, 0, 360), [.. Curve((0.73, 0.3), (0.75, 0.55), (0.62, 0.8), (0.44, 0.92))]],
            [Arc(0.5, 0.31, 0.23, 0.21, 0, 360), [.. Curve((0.73, 0.3), (0.76, 0.6), (0.76, 0.95), (0.3, 0.86))]],
        ],
    ];

    /// <summary>Number of ways a digit is written.</summary>
    public static int StyleCount(int digit) => _styles[digit].Length;

    /// <summary>The strokes of a digit in one style: each a polyline in the unit square.</summary>
    public static ReadOnlySpan<GlyphPoint[]> Strokes(int digit, int style) => _styles[digit][style];

    private static GlyphPoint[] Line(params ReadOnlySpan<(double X, double Y)> corners)
    {
        // Straight lines are divided, so that a distortion bends them.
        const int steps = 6;
        var points = new List<GlyphPoint>();
        for (var i = 1; i < corners.Length; i++)
        {
            var (from, to) = (corners[i - 1], corners[i]);
            for (var step = 0; step < steps; step++)
            {
                var t = (double)step / steps;
                points.Add(new(from.X + ((to.X - from.X) * t), from.Y + ((to.Y - from.Y) * t)));
            }
        }

        points.Add(new(corners[^1].X, corners[^1].Y));
        return [.. points];
    }

    private static GlyphPoint[] Curve((double X, double Y) a, (double X, double Y) b, (double X, double Y) c, (double X, double Y) d)
    {
        var points = new GlyphPoint[CurveSteps + 1];
        for (var step = 0; step <= CurveSteps; step++)
        {
            var t = (double)step / CurveSteps;
            var s = 1 - t;
            var (wa, wb, wc, wd) = (s * s * s, 3 * s * s * t, 3 * s * t * t, t * t * t);
            points[step] = new((wa * a.X) + (wb * b.X) + (wc * c.X) + (wd * d.X), (wa * a.Y) + (wb * b.Y) + (wc * c.Y) + (wd * d.Y));
        }

        return points;
    }

    private static GlyphPoint[] Arc(double centreX, double centreY, double radiusX, double radiusY, double fromDegrees, double toDegrees)
    {
        const int steps = 2 * CurveSteps;
        var points = new GlyphPoint[steps + 1];
        for (var step = 0; step <= steps; step++)
        {
            var angle = (fromDegrees + ((toDegrees - fromDegrees) * step / steps)) * Math.PI / 180;
            points[step] = new(centreX + (radiusX * PortableMath.Cos(angle)), centreY + (radiusY * PortableMath.Sin(angle)));
        }

        return points;
    }
}
