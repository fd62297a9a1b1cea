using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Primitives.Machines;

/// <summary>The shipped machines: OpenEdgeCGRA inside HEEPsilon with a shared, banked and ideal bus (<c>specs/openedge.machine.json</c>, embedded unchanged).</summary>
public static class BuiltInMachines
{
    private const string Resource = "openedge.machine.json";

    /// <summary>All of them; the first is the default.</summary>
    public static IReadOnlyList<MachineDescription> All { get; } = Load();

    /// <summary>The machine that is used where the user names none: <c>openedge</c>, the shared bus.</summary>
    public static MachineDescription Default => All[0];

    /// <summary>The machine with this name, or null.</summary>
    public static MachineDescription? Find(string name) => All.FirstOrDefault(machine => machine.Name == name);

    private static IReadOnlyList<MachineDescription> Load()
    {
        using var stream = typeof(BuiltInMachines).Assembly.GetManifestResourceStream(Resource)
            ?? throw new InvalidOperationException($"the assembly lacks its resource {Resource}");
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        var diagnostics = new DiagnosticBag();
        return MachineDescriptionJson.Parse(bytes, Resource, diagnostics) ?? throw new InvalidOperationException(diagnostics.Diagnostics[0].ToString());
    }
}
