using System.Collections;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Primitives.Machines;

/// <summary>The shipped machines: OpenEdgeCGRA inside HEEPsilon with a shared, banked and ideal bus (<c>specs/openedge.machine.json</c>, embedded unchanged), systolic arrays, overlays and accelerators of general convolutions.</summary>
public static class BuiltInMachines
{
    /// <summary>All machines of OpenEdgeCGRA; the first is the default.</summary>
    public static IReadOnlyList<MachineDescription> All { get; } = new Shipped("openedge.machine.json");

    /// <summary>Systolic arrays with ArrayFlex's pipeline; the first is the default.</summary>
    public static IReadOnlyList<MachineDescription> ArrayFlex { get; } = new Shipped("arrayflex.machine.json");

    /// <summary>DYNAMAP's overlays; the first is the default.</summary>
    public static IReadOnlyList<MachineDescription> Overlay { get; } = new Shipped("overlay.machine.json");

    /// <summary>Convolution accelerators that execute GCONV chains; the first is the default.</summary>
    public static IReadOnlyList<MachineDescription> Gconv { get; } = new Shipped("gconv.machine.json");

    /// <summary>The machine that is used where the user names none: <c>openedge</c>, the shared bus.</summary>
    public static MachineDescription Default => All[0];

    /// <summary>The machine with this name, or null.</summary>
    public static MachineDescription? Find(string name) => All.Concat(ArrayFlex).Concat(Overlay).Concat(Gconv).FirstOrDefault(machine => machine.Name == name);

    /// <summary>The machines of a file, which is read when one is asked for: a command mostly needs one file of the four.</summary>
    private sealed class Shipped(string resource) : IReadOnlyList<MachineDescription>
    {
        private readonly Lazy<IReadOnlyList<MachineDescription>> _machines = new(() => Load(resource));

        public int Count => _machines.Value.Count;

        public MachineDescription this[int index] => _machines.Value[index];

        public IEnumerator<MachineDescription> GetEnumerator() => _machines.Value.GetEnumerator();

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

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
}
