using System.Text;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Passes.Lowering;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Overlay.Tests;

/// <summary>Networks of the samples folder on int8.</summary>
internal static class Networks
{
    private static string Samples => Path.Combine(SharedMaterial.Repository, "samples");

    /// <summary>LeNet-5 at the gconv level.</summary>
    public static GconvProgram Lenet5() => ((GconvModule)Compile("lenet5.cnn", File.ReadAllText(Path.Combine(Samples, "lenet5.cnn")), IrLevel.Gconv)[IrLevel.Gconv]).Program;

    /// <summary>A network of the zoo on int8 with another input size.</summary>
    public static NetworkGraph Zoo(string name, int size) =>
        ((NetworkModule)Compile($"{name}.cnn", DynamapNetworks.OnInt8(File.ReadAllText(Path.Combine(Samples, "zoo", $"{name}.cnn")), size), IrLevel.Network)[IrLevel.Network]).Graph;

    /// <summary>A network at the gconv level.</summary>
    public static GconvProgram Gconv(NetworkGraph network) =>
        ((GconvModule)PassRunner.Run(new Pipeline(new LowerToGconv()), new NetworkModule(network), new PassContext())!).Program;

    private static IReadOnlyDictionary<IrLevel, IrModule> Compile(string file, string text, IrLevel level)
    {
        var result = Compiler.Compile(new CompileRequest(file, Encoding.UTF8.GetBytes(text), "overlay")
        {
            StopLevel = level,
            Companion = name => File.Exists(Path.Combine(Samples, name)) ? File.ReadAllBytes(Path.Combine(Samples, name)) : null,
        });
        Assert.Empty(result.Diagnostics);
        return result.Modules;
    }
}
