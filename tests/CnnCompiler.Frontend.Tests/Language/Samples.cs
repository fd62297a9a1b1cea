using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Frontend.Tests.Language;

/// <summary>Reads the samples of the repository.</summary>
internal static class Samples
{
    public static string Folder { get; } = Path.Combine(SharedMaterial.Repository, "samples");

    /// <summary>A file beside a sample, or null.</summary>
    public static byte[]? Companion(string path)
    {
        var full = Path.Combine(Folder, path);
        return File.Exists(full) ? File.ReadAllBytes(full) : null;
    }

    /// <summary>Parses a sample that has to be right.</summary>
    public static NetworkGraph Parse(string name)
    {
        var diagnostics = new DiagnosticBag();
        var graph = CnnFrontend.Parse(File.ReadAllText(Path.Combine(Folder, name)), name, Companion, diagnostics);
        Assert.Empty(diagnostics.Diagnostics);
        return Assert.IsType<NetworkGraph>(graph);
    }
}
