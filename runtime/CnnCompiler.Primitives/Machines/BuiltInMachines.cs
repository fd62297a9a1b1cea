using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Primitives.Machines;

/// <summary>The shipped machines: OpenEdgeCGRA inside HEEPsilon with a shared, banked and ideal bus (<c>specs/openedge.machine.json</c>, embedded unchanged), systolic arrays, overlays and accelerators of general convolutions.</summary>
public static class BuiltInMachines
{
    /// <summary>All machines of OpenEdgeCGRA; the first is the default.</summary>
    public static IReadOnlyList<MachineDescription> All { get; } = Load("openedge.machine.json");

    /// <summary>Systolic arrays with ArrayFlex's pipeline; the first is the default.</summary>
    public static IReadOnlyList<MachineDescription> ArrayFlex { get; } = Load("arrayflex.machine.json");

    /// <summary>DYNAMAP's overlays; the first is the default.</summary>
    public static IReadOnlyList<MachineDescription> Overlay { get; } = Load("overlay.machine.json");

    /// <summary>Convolution accelerators that execute GCONV chains; the first is the default.</summary>
    public static IReadOnlyList<MachineDescription> Gconv { get; } = Load("gconv.machine.json");

    /// <summary>The machine that is used where the user names none: <c>openedge</c>, the shared bus.</summary>
    public static MachineDescription Default => All[0];

    /// <summary>The machine with this name, or null.</summary>
    public static MachineDescription? Find(string name) => All.Concat(ArrayFlex).Concat(Overlay).Concat(Gconv).FirstOrDefault(machine => machine.Name == name);

    private static IReadOnlyList<MachineDescription> Load(string resource)
    {
        using var stream = typeof(BuiltInMachines).Assembly.GetManifestResourceStream(resource)
            ?? throw new InvalidOperationException($"the assembly lacks its resource {resource}");
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        var diagnostics = new DiagnosticBag();
        return MachineDescriptionJson.Parse(bytes, resource, diagnostics) ?? throw new InvalidOperationException(diagnostics.Diagnostics[0].ToString());
    }
}
