using CnnCompiler.Ir.Gconv;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Targets.OpenEdge.Mapping;

/// <summary>
/// The memory that a chain needs whatever its mapping is: at each step the tensors it reads and writes, and those that wait for later steps, four
/// elements a word. Tensors are whole: a result is complete before the next layer begins.
/// </summary>
public static class ResidentTensors
{
    private const int Lanes = Kernels.PackedRuns.Lanes;
    private const int WordBytes = Kernels.NestView.WordBytes;

    /// <summary>An error for each layer whose tensors don't fit a machine.</summary>
    public static IReadOnlyList<Diagnostic> Check(GconvProgram program, MachineDescription machine)
    {
        var tensors = Tensors(program);
        var available = machine.Ram.Bytes - machine.Ram.ReservedBytes;
        var faults = new List<Diagnostic>();
        var layers = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < program.Steps.Count; i++)
        {
            var index = i;
            var live = tensors.Where(t => t.First <= index && index <= t.Last).OrderByDescending(t => t.Bytes).ThenBy(t => t.Name, StringComparer.Ordinal).ToArray();
            var needed = live.Sum(t => t.Bytes);
            if (needed > available && layers.Add(program.Steps[i].Origin.Value.Layer))
            {
                faults.Add(OpenEdgeDiagnostics.TensorsDoNotFit(program.Steps[i], machine.Name, needed, available, live.Select(t => Describe(t, index))));
            }
        }

        return faults;
    }

    private static string Describe(Resident tensor, int step)
    {
        var why = tensor.First == step ? "written" : tensor.Touched.Contains(step) ? "read" : "needed later";
        return FormattableString.Invariant($"{tensor.Name} ({tensor.Bytes} bytes, {why})");
    }

    /// <summary>All tensors that have memory of their own: views share that of what they see, a join's pieces that of the join.</summary>
    private static List<Resident> Tensors(GconvProgram program)
    {
        var root = new Dictionary<string, Resident>(StringComparer.Ordinal);
        var all = new List<Resident>();
        Resident New(string name, long elements, int step)
        {
            var tensor = new Resident(name, (elements + Lanes - 1) / Lanes * WordBytes, step);
            all.Add(tensor);
            return tensor;
        }

        foreach (var input in program.Inputs)
        {
            root[input.Name] = New(input.Name, input.Type.Shape.Elements, 0);
        }

        var constants = program.Constants.Select(c => c.Name).ToHashSet(StringComparer.Ordinal);
        var types = program.Steps.ToDictionary(s => s.Name, s => s.Type.Shape.Elements, StringComparer.Ordinal);
        for (var i = 0; i < program.Steps.Count; i++)
        {
            var step = program.Steps[i];
            var reads = step.Match<IEnumerable<string>>(
                operation: o => o.Extra.Select(e => e.Tensor).Append(o.Input.Tensor).Concat(o.Kernel is { } kernel ? [kernel.Tensor] : []),
                view: v => v.Kind == ViewKind.Join ? [] : v.Sources,
                softmax: s => [s.Source],
            host: h => h.Layer.Inputs);
            foreach (var read in reads.Where(r => !constants.Contains(r)))
            {
                root[read].Touch(i);
            }

            var name = step is GconvOperator { Destination: { } destination } ? destination : step.Name;
            root[name] = step is GconvView { Kind: ViewKind.Reshape } view && !constants.Contains(view.Sources[0]) ? root[view.Sources[0]] : root.GetValueOrDefault(name) ?? New(name, types[name], i);
            root[name].Touch(i);
        }

        foreach (var output in program.Outputs)
        {
            root[output].Touch(program.Steps.Count);
        }

        return all;
    }

    private sealed class Resident(string name, long bytes, int first)
    {
        public string Name { get; } = name;

        public long Bytes { get; } = bytes;

        public int First { get; } = first;

        public int Last { get; private set; } = first;

        public HashSet<int> Touched { get; } = [];

        public void Touch(int step)
        {
            Touched.Add(step);
            Last = Math.Max(Last, step);
        }
    }
}
