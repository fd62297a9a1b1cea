using System.Text;
using CnnCompiler.Frontend;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Passes.Training;
using CnnCompiler.Targets.Nests.Reproduction;

namespace CnnCompiler;

/// <summary>The networks of the GCONV Chain paper, from samples/zoo, at full resolution.</summary>
internal static class GconvNetworks
{
    private const double Rate = 0.01;
    private const int Fraction = 16;

    /// <summary>Regions are proposed and pooled in f32, on the host: what goes there and back is converted.</summary>
    private static readonly (string From, string To)[] Conversions =
    [
        ("proposal(objects, deltas,", "proposal(objects32, deltas32,"),
        ("    boxes = ", "    objects32 = dequantize(objects)\n    deltas32 = dequantize(deltas)\n    boxes = "),
        ("    rois = roi_pool(conv5,", "    features32 = dequantize(conv5)\n    rois32 = roi_pool(features32,"),
        ("    fc6 = dense(rois,", "    rois = quantize(rois32, element=fixed16)\n    fc6 = dense(rois,"),
    ];

    // batch sizes of training: what the limit of operations of a program admits; Faster R-CNN was published with one image a step
    private static readonly (string Name, string Resource, int Batch)[] Names =
    [
        ("AlexNet", "alexnet.cnn", 8),
        ("GoogLeNet", "googlenet.cnn", 8),
        ("DenseNet-121", "densenet121.cnn", 8),
        ("MobileNet", "mobilenet_v1.cnn", 8),
        ("ZF Faster R-CNN", "zf_faster_rcnn.cnn", 1),
        ("C3D", "c3d.cnn", 2),
        ("CapsNet", "capsnet.cnn", 8),
    ];

    /// <summary>
    /// Inference in fixed point of 32 bits, one network after the other: a chain with its weights is dropped before the next one is made. Not in f32, whose sums keep the order of the loops, so that no
    /// machine may add terms side by side; and with the same bytes for all networks.
    /// </summary>
    public static IReadOnlyList<GconvNetwork> Inference() => [.. Names.Select(name =>
    {
        var modules = Compile(name.Resource, Fixed(Text(name.Resource)), IrLevel.Gconv);
        return GconvNetwork.Of(name.Name, ((GconvModule)modules[IrLevel.Gconv]).Program, LayerCode.Bytes(((NetworkModule)modules[IrLevel.Network]).Graph));
    })];

    /// <summary>One step of training each, in the same fixed point.</summary>
    public static IReadOnlyList<GconvNetwork> Training() => [.. Names.Select(name =>
    {
        var graph = ((NetworkModule)Compile(name.Resource, Batched(Text(name.Resource), name.Batch), IrLevel.Network)[IrLevel.Network]).Graph;
        return GconvNetwork.Of(name.Name, Step(graph, Statistics.OnePass), otherwise: graph.Layers.Any(layer => layer is BatchNorm) ? ("one-pass-statistics", Step(graph, Statistics.TwoPasses)) : null);
    })];

    private static Ir.Gconv.GconvProgram Step(NetworkGraph graph, Statistics statistics) => TrainingStep.Of(graph, new(Fraction), Rate, statistics).Chain;

    private static string Fixed(string text) => (text.Contains("proposal(", StringComparison.Ordinal) ? Conversions : [])
        .Aggregate(text, (changed, conversion) => changed.Replace(conversion.From, conversion.To, StringComparison.Ordinal))
        .Replace(" : i8[1,", " : value[1,", StringComparison.Ordinal)
        .Replace(" : f32[1,", " : value[1,", StringComparison.Ordinal)
        .Replace(" scale 0.02 zero 0", string.Empty, StringComparison.Ordinal);

    /// <summary>The description with f32 values and so many images: what is written of one image in it is its input and the shapes of reshapes.</summary>
    private static string Batched(string text, int batch) => text
        .Replace(" : i8[1,", " : f32[1,", StringComparison.Ordinal)
        .Replace(" scale 0.02 zero 0", string.Empty, StringComparison.Ordinal)
        .Replace(" : f32[1,", FormattableString.Invariant($" : f32[{batch},"), StringComparison.Ordinal)
        .Replace("shape=(1,", FormattableString.Invariant($"shape=({batch},"), StringComparison.Ordinal)
        .Replace("shape=1x", FormattableString.Invariant($"shape={batch}x"), StringComparison.Ordinal);

    private static string Text(string resource)
    {
        using var stream = typeof(GconvNetworks).Assembly.GetManifestResourceStream(resource) ?? throw new InvalidOperationException($"the assembly lacks its resource {resource}");
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd();
    }

    private static IReadOnlyDictionary<IrLevel, IrModule> Compile(string resource, string text, IrLevel level)
    {
        var result = Compiler.Compile(new CompileRequest(resource, Encoding.UTF8.GetBytes(text), "gconv") { StopLevel = level, Elements = NetworkElements.Parse(FormattableString.Invariant($"fixed{Fraction}")), Passes = level == IrLevel.Gconv ? ["lower-to-gconv"] : null });
        return result.Succeeded ? result.Modules : throw new InvalidOperationException(string.Join('\n', result.Diagnostics));
    }
}
