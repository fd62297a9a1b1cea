using System.Globalization;
using CnnCompiler.Core;
using CnnCompiler.Image.Systolic;

namespace CnnCompiler.Targets.Systolic.Reproduction;

/// <summary>A layer as matrix products.</summary>
/// <param name="Name">Name.</param>
/// <param name="IsDepthwise">True for one product a channel.</param>
/// <param name="Groups">Products.</param>
/// <param name="Positions">M: output positions.</param>
/// <param name="Columns">N: outputs of a product.</param>
/// <param name="Rows">K: terms of a sum.</param>
public sealed record ProductLayer(string Name, bool IsDepthwise, int Groups, int Positions, int Columns, int Rows)
{
    /// <summary>Multiplications.</summary>
    public long Macs => (long)Groups * Positions * Columns * Rows;

    /// <summary>The layer as a descriptor with nothing but its products: what the interpreter's costs are counted of.</summary>
    public SystolicOperator Operator()
    {
        SystolicLoop[] loops = [new(SystolicRole.Group, Groups), new(SystolicRole.Position, Positions), new(SystolicRole.Column, Columns), new(SystolicRole.Row, Rows)];
        return new(
            -1,
            loops,
            Access(SystolicElement.Int8, 0, 1, 3),
            Access(SystolicElement.Int8, 0, 2, 3),
            [],
            SystolicElement.Int32,
            [new(ScalarOpcode.Input)],
            [new(ScalarOpcode.Input), new(ScalarOpcode.Kernel), new(ScalarOpcode.Multiply)],
            SystolicReduction.Add,
            [new(ScalarOpcode.Accumulator)],
            Access(SystolicElement.Int32, 0, 1, 2),
            null);

        SystolicAccess Access(SystolicElement element, params ReadOnlySpan<int> dimensions)
        {
            var listed = new List<SystolicDimension>();
            foreach (var dimension in dimensions)
            {
                listed.Add(new(loops[dimension].Extent, 0, [.. Enumerable.Range(0, loops.Length).Select(loop => loop == dimension ? 1L : 0)]));
            }

            return new(0, element, SystolicOutside.Never, 0, listed);
        }
    }
}

/// <summary>A network's layers.</summary>
/// <param name="Name">Name of the network.</param>
/// <param name="Layers">Its layers.</param>
public sealed record LayerList(string Name, EquatableArray<ProductLayer> Layers)
{
    /// <summary>ResNet-34, MobileNet and ConvNeXt, from the embedded <c>arrayflex.layers.csv</c>.</summary>
    public static IReadOnlyList<LayerList> ArrayFlex { get; } = Load();

    /// <summary>Reads lists: network, layer, kind, size, channels, kernel, stride, padding, outputs; <c>#</c> begins a comment.</summary>
    public static IReadOnlyList<LayerList> Parse(string text) =>
    [
        .. text.Split('\n').Where(line => line.Length > 0 && line[0] != '#').Skip(1).Select(line => line.Split(','))
            .GroupBy(fields => fields[0], StringComparer.Ordinal)
            .Select(network => new LayerList(network.Key, network.Select(Layer).ToEquatableArray())),
    ];

    private static ProductLayer Layer(string[] fields)
    {
        var numbers = fields.Skip(3).Select(field => int.Parse(field, CultureInfo.InvariantCulture)).ToArray();
        var (size, channels, kernel, stride, padding, outputs) = (numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5]);
        var side = ((size + (2 * padding) - kernel) / stride) + 1;
        return fields[2] == "depthwise"
            ? new(fields[1], true, channels, side * side, outputs / channels, kernel * kernel)
            : new(fields[1], false, 1, side * side, outputs, kernel * kernel * channels);
    }

    private static IReadOnlyList<LayerList> Load()
    {
        using var stream = typeof(LayerList).Assembly.GetManifestResourceStream("arrayflex.layers.csv") ?? throw new InvalidOperationException("the assembly lacks its layer lists");
        using var reader = new StreamReader(stream);
        return Parse(reader.ReadToEnd());
    }
}
