using System.Globalization;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Image.Overlay;
using CnnCompiler.Image.Systolic;
using CnnCompiler.Passes.Algorithms;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Targets.Overlay;

/// <summary>
/// An algorithm for a convolution: the form of its left operand and what its weights become. All are the same sums in whole numbers; what would not be is not among <see cref="All"/>.
/// </summary>
/// <param name="Name"><c>im2col</c>, <c>kn2row</c>, <c>winograd-2x2</c>, <c>winograd-1x4</c>.</param>
/// <param name="Form">The convolution.</param>
/// <param name="Window">Its left operand.</param>
/// <param name="IsSeparate">See <see cref="OverlayConvolution.IsSeparate"/>.</param>
/// <param name="WeightElement">Type of the weights.</param>
internal sealed record OverlayAlgorithm(string Name, ConvolutionForm Form, OverlayWindow Window, bool IsSeparate, ElementType WeightElement)
{
    private const int LargestCode = 128;
    private const int MostRounds = 1 << 12;

    /// <summary>Transform of rows.</summary>
    public required FilterTransform Vertical { get; init; }

    /// <summary>Transform of columns.</summary>
    public required FilterTransform Horizontal { get; init; }

    /// <summary>First tap of each round, and the distance of its taps.</summary>
    public required (int Row, int Column)[] Taps { get; init; }

    /// <summary>What its tiles reach.</summary>
    public required WindowGeometry Geometry { get; init; }

    /// <summary>What bounds of its costs need.</summary>
    public required AlgorithmTotals Totals { get; init; }

    /// <summary>Terms of a sum of a product.</summary>
    public int Terms => IsSeparate ? Window.GroupChannels : Window.Rounds.Count * Window.GroupChannels;

    /// <summary>Products of a pass.</summary>
    public int Products => IsSeparate ? Window.Rounds.Count : Window.Points;

    /// <summary>The form's name: equal where the forms of two convolutions of a tensor are.</summary>
    public string Layout => string.Create(
        CultureInfo.InvariantCulture,
        $"{Name} {Form.Rows.Kernel}x{Form.Columns.Kernel} step {Form.Rows.Step}x{Form.Columns.Step} dilation {Form.Rows.Dilation}x{Form.Columns.Dilation} from {Form.Rows.Offset},{Form.Columns.Offset} fill {Form.Fill} groups {Form.Groups} for {Form.Rows.Output}x{Form.Columns.Output}");

    /// <summary>The algorithms that compute a convolution exactly on a machine.</summary>
    public static IReadOnlyList<OverlayAlgorithm> All(ConvolutionForm form, MachineDescription machine)
    {
        var found = new List<OverlayAlgorithm>();
        if (form.Rows.Kernel * (long)form.Columns.Kernel > MostRounds)
        {
            return found;
        }

        found.Add(Make("im2col", form, FilterTransform.Plain, FilterTransform.Plain, false));
        if (form.Rows.Kernel * form.Columns.Kernel > 1 && form.Fill == form.Zero)
        {
            found.Add(Make("kn2row", form, FilterTransform.Plain, FilterTransform.Plain, true));
        }

        foreach (var transform in (FilterTransform[])[FilterTransform.Two, FilterTransform.Four])
        {
            var (vertical, horizontal) = (form.Rows.Kernel > 1 ? transform : FilterTransform.Plain, form.Columns.Kernel > 1 ? transform : FilterTransform.Plain);
            if (vertical.Points * horizontal.Points > 1
                && (form.Rows.Kernel == 1 || form.Rows.Dilation == 1) && (form.Columns.Kernel == 1 || form.Columns.Dilation == 1)
                && Make(string.Create(CultureInfo.InvariantCulture, $"winograd-{vertical.Tile}x{horizontal.Tile}"), form, vertical, horizontal, false) is var algorithm
                && algorithm.Window.Rounds.Count <= MostRounds)
            {
                found.Add(algorithm);
            }
        }

        found.RemoveAll(algorithm => !algorithm.IsExact(machine.Systolic!));
        return found;
    }

    /// <summary>Weights in the order of the passes: [groups, chunks of columns, products, terms, columns of the chunk].</summary>
    public Tensor Weights(int columnsPerPass)
    {
        var values = new int[checked(Form.Groups * Form.Outputs * Products * Terms)];
        var codes = Form.Weights.AsSpan<sbyte>();
        var points = new int[Vertical.Points * Horizontal.Points];
        var at = 0;
        for (var group = 0; group < Form.Groups; group++)
        {
            for (var first = 0; first < Form.Outputs; first += columnsPerPass)
            {
                var columns = Math.Min(Form.Outputs - first, columnsPerPass);
                for (var round = 0; round < Taps.Length; round++)
                {
                    for (var channel = 0; channel < Window.GroupChannels; channel++)
                    {
                        // kn2row: a product a round; all others: a product a point, whose terms are those of all rounds
                        var (product, term) = IsSeparate ? (round, channel) : (0, (round * Window.GroupChannels) + channel);
                        for (var output = 0; output < columns; output++)
                        {
                            Transform(codes, Taps[round], channel, group, first + output, points);
                            for (var point = 0; point < points.Length; point++)
                            {
                                values[at + ((((product + point) * Terms) + term) * columns) + output] = points[point];
                            }
                        }
                    }
                }

                at += Products * Terms * columns;
            }
        }

        var shape = Shape.Of([values.Length]);
        return WeightElement switch
        {
            ElementType.Int8 => Tensor.From<sbyte>(ElementType.Int8, shape, Array.ConvertAll(values, value => checked((sbyte)value))),
            ElementType.Int16 => Tensor.From<short>(ElementType.Int16, shape, Array.ConvertAll(values, value => checked((short)value))),
            _ => Tensor.From<int>(ElementType.Int32, shape, values),
        };
    }

    /// <summary>What the zero point adds: minus it times the sum of weights, of a round or of all; [rounds or 1, groups, columns].</summary>
    public Tensor Corrections()
    {
        var rounds = IsSeparate ? Window.Rounds.Count : 1;
        var values = new int[rounds * Form.Groups * Form.Outputs];
        var codes = Form.Weights.AsSpan<sbyte>();
        var step = Form.Strides.Of(Form.Taps[2]);
        for (var i = 0; i < values.Length && Form.Zero != 0; i++)
        {
            var (round, group, output) = (i / Form.Outputs / Form.Groups, i / Form.Outputs % Form.Groups, i % Form.Outputs);
            var sum = 0L;
            for (var tap = 0; tap < Form.Rows.Kernel * Form.Columns.Kernel; tap++)
            {
                var (row, column) = (tap / Form.Columns.Kernel, tap % Form.Columns.Kernel);
                if (IsSeparate && Taps[round] != (row, column))
                {
                    continue;
                }

                var at = Form.WeightAt(row, column, 0, group, output);
                for (var channel = 0; channel < Window.GroupChannels; channel++)
                {
                    sum += codes[(int)(at + (channel * step))];
                }
            }

            values[i] = (int)(-Form.Zero * sum);
        }

        return Tensor.From<int>(ElementType.Int32, Shape.Of([rounds, Form.Groups, Form.Outputs]), values);
    }

    private static OverlayAlgorithm Make(string name, ConvolutionForm form, FilterTransform vertical, FilterTransform horizontal, bool isSeparate)
    {
        var (rows, columns) = (Parts(form.Rows, vertical), Parts(form.Columns, horizontal));
        var parts = rows.SelectMany(_ => columns, (row, column) => (Row: row, Column: column)).ToArray();
        var window = new OverlayWindow(
            form.Batch,
            Axis(form.Rows, vertical),
            Axis(form.Columns, horizontal),
            form.Channels,
            form.Groups,
            [.. parts.Select(part => new OverlayRound(form.Rows.Offset + (form.Rows.Dilation * part.Row), form.Columns.Offset + (form.Columns.Dilation * part.Column)))],
            form.Fill);
        var largest = LargestCode * FilterTransform.Reach(vertical.Kernel, vertical.Taps) * FilterTransform.Reach(horizontal.Kernel, horizontal.Taps);
        var geometry = new WindowGeometry(window);
        return new(name, form, window, isSeparate, largest <= LargestCode ? ElementType.Int8 : largest <= short.MaxValue ? ElementType.Int16 : ElementType.Int32)
        {
            Vertical = vertical,
            Horizontal = horizontal,
            Taps = [.. parts],
            Geometry = geometry,
            Totals = AlgorithmTotals.Of(window, geometry),
        };
    }

    private static OverlayAxis Axis(ConvolutionAxis axis, FilterTransform transform) => new(axis.Input, axis.Output, axis.Step, transform.Tile, transform.Input, transform.Output, transform.Scale);

    /// <summary>
    /// First taps of a direction's parts. A transform takes r taps that lie a stride apart, so that the elements of its window do too: with stride s there are s phases of taps, each
    /// cut into ceil(taps / r) parts; what is missing in the last is 0.
    /// </summary>
    private static List<int> Parts(ConvolutionAxis axis, FilterTransform transform)
    {
        if (transform.Points == 1)
        {
            return [.. Enumerable.Range(0, axis.Kernel)];
        }

        var parts = new List<int>();
        for (var phase = 0; phase < Math.Min(axis.Step, axis.Kernel); phase++)
        {
            for (var tap = phase; tap < axis.Kernel; tap += axis.Step * transform.Taps)
            {
                parts.Add(tap);
            }
        }

        return parts;
    }

    /// <summary>G g G^T of a part of the kernel, [points]; a tap behind the kernel's end is 0.</summary>
    private void Transform(ReadOnlySpan<sbyte> codes, (int Row, int Column) first, int channel, int group, int output, Span<int> points)
    {
        var at = Form.WeightAt(first.Row, first.Column, channel, group, output);
        if (points.Length == 1)
        {
            points[0] = codes[(int)at];
            return;
        }

        var (down, across) = (Form.Strides.Of(Form.Taps[0]) * Form.Rows.Step, Form.Strides.Of(Form.Taps[1]) * Form.Columns.Step);
        points.Clear();
        for (var i = 0; i < Vertical.Taps && first.Row + (i * Form.Rows.Step) < Form.Rows.Kernel; i++)
        {
            for (var j = 0; j < Horizontal.Taps && first.Column + (j * Form.Columns.Step) < Form.Columns.Kernel; j++)
            {
                int weight = codes[(int)(at + (i * down) + (j * across))];
                for (var p = 0; p < Vertical.Points && weight != 0; p++)
                {
                    var scaled = weight * Vertical.Kernel[(p * Vertical.Taps) + i];
                    for (var q = 0; q < Horizontal.Points && scaled != 0; q++)
                    {
                        points[(p * Horizontal.Points) + q] += scaled * Horizontal.Kernel[(q * Horizontal.Taps) + j];
                    }
                }
            }
        }
    }

    /// <summary>True where no number can leave its width: operands, sums, what is divided, and 16 bits of a stored window.</summary>
    private bool IsExact(SystolicDescription machine)
    {
        Int128 left = LargestCode * FilterTransform.Reach(Vertical.Input, Vertical.Points) * FilterTransform.Reach(Horizontal.Input, Horizontal.Points);
        Int128 right = LargestCode * FilterTransform.Reach(Vertical.Kernel, Vertical.Taps) * FilterTransform.Reach(Horizontal.Kernel, Horizontal.Taps);
        var sum = left * right * Terms * (IsSeparate ? Window.Rounds.Count : 1);
        var back = sum * FilterTransform.Reach(Vertical.Output, Vertical.Points) * FilterTransform.Reach(Horizontal.Output, Horizontal.Points);
        return left < (Int128)1 << (int)Math.Min(machine[SystolicKeys.OperandBits], 16) - 1
            && right <= (Int128)1 << (int)machine[SystolicKeys.WeightBits] - 1
            && sum < (Int128)1 << (int)machine[SystolicKeys.SumBits] - 1
            && back < (Int128)1 << 63;
    }
}

/// <summary>Sums over a convolution's left operand.</summary>
/// <param name="Points">Points of a tile.</param>
/// <param name="Vectors">Tiles.</param>
/// <param name="Inside">Positions at which rounds lie inside the input, of all rounds.</param>
/// <param name="RowsRead">Rows of the input that are read.</param>
/// <param name="Results">Positions of the output.</param>
/// <param name="ElementBytes">Bytes of an element of the form.</param>
/// <param name="IsTensor">See <see cref="OverlayWindow.IsTensor"/>.</param>
internal sealed record AlgorithmTotals(long Points, long Vectors, long Inside, long RowsRead, long Results, int ElementBytes, bool IsTensor)
{
    /// <summary>The sums of a window.</summary>
    public static AlgorithmTotals Of(OverlayWindow window, WindowGeometry geometry)
    {
        var inside = new int[window.Rounds.Count];
        geometry.PositionsInside(0, window.TileRows, inside);
        return new(
            window.Points,
            (long)window.TileRows * window.Columns.Tiles,
            inside.Sum(count => (long)count),
            geometry.RowsRead(0, window.TileRows),
            (long)window.Batch * window.Rows.Output * window.Columns.Output,
            window.Element.Size(),
            window.IsTensor);
    }
}
