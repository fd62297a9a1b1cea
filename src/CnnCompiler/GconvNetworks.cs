using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Passes.Lowering;
using CnnCompiler.Targets.Nests.Reproduction;

namespace CnnCompiler;

/// <summary>The networks of the GCONV Chain paper, from samples/zoo, at full resolution.</summary>
internal static class GconvNetworks
{
    private static readonly (string Name, string Resource)[] Names =
    [
        ("AlexNet", "alexnet.cnn"),
        ("GoogLeNet", "googlenet.cnn"),
        ("DenseNet-121", "densenet121.cnn"),
        ("MobileNet", "mobilenet_v1.cnn"),
        ("ZF Faster R-CNN", "zf_faster_rcnn.cnn"),
        ("C3D", "c3d.cnn"),
        ("CapsNet", "capsnet.cnn"),
    ];

    /// <summary>All of them, one after the other: a chain with its weights is dropped before the next one is made.</summary>
    public static IReadOnlyList<GconvNetwork> All() => [.. Names.Select(name => Read(name.Name, name.Resource))];

    private static GconvNetwork Read(string name, string resource)
    {
        using var stream = typeof(GconvNetworks).Assembly.GetManifestResourceStream(resource) ?? throw new InvalidOperationException($"the assembly lacks its resource {resource}");
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        var result = Compiler.Compile(new CompileRequest(resource, bytes, "gconv") { StopLevel = IrLevel.Gconv, Passes = ["lower-to-gconv"] });
        return result.Modules.TryGetValue(IrLevel.Gconv, out var module)
            ? GconvNetwork.Of(name, ((GconvModule)module).Program, LayerCode.Bytes(((NetworkModule)result.Modules[IrLevel.Network]).Graph))
            : throw new InvalidOperationException(string.Join('\n', result.Diagnostics));
    }
}
