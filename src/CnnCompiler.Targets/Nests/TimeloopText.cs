using System.Globalization;
using System.Text;
using CnnCompiler.Image.Nests;
using CnnCompiler.Image.Systolic;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.Systolic;

namespace CnnCompiler.Targets.Nests;

/// <summary>
/// Problems and mappings of a program's loop nests as Timeloop reads them (problem shapes and mapping directives of its version 3, as its documentation describes them): a document an operator. A loop is a
/// dimension, an operand a data space with a projection of sums of products. An operand that never is in DRAM bypasses it; comments say what is on the chip meanwhile, the whole tensor or a window of it that
/// the step before hands over. What else Timeloop has no word for is said in comments too: constants of indexes (padding), further operands, the programs of the slots. Its factors divide extents, so that an extent is rounded up to what its trips cover.
/// </summary>
public static class TimeloopText
{
    private const string Inputs = "Inputs";
    private const string Kernel = "Kernel";
    private const string Outputs = "Outputs";

    /// <summary>The text of a module; of one without loop nests there are no documents.</summary>
    public static string Of(SystolicModule module)
    {
        var text = new StringBuilder(Text($"# {module.Program.Name} on {module.Machine.Name}: problems and mappings for Timeloop, a document for each general convolution.\n"));
        foreach (var (step, nest, counts) in NestMapper.Predict(module))
        {
            text.Append(Text($"---\n# {step.Name}: {counts.ArrayCycles} cycles of the array, {counts.DramBytes} bytes to and from DRAM predicted here\n"));
            OnChip(text, nest);
            Problem(text, step, nest);
            Mapping(text, step, nest, module.Machine);
        }

        return text.ToString();
    }

    /// <summary>What of the operands is on the chip, where anything is.</summary>
    private static void OnChip(StringBuilder text, NestStep nest)
    {
        if (nest.Chip is not { } chip)
        {
            return;
        }

        foreach (var (name, (_, place, window)) in SpacesOf(nest).Zip(nest.Reads).Where(read => read.Second.Place != NestChip.Dram))
        {
            text.Append(Text($"# {name}: on the chip, {(window is null ? "all of it" : Part(window, "handed over by the step before"))}\n"));
        }

        if (chip.Output != NestChip.Dram)
        {
            text.Append(Text($"# {Outputs}: on the chip, {(chip.OutputWindow is { } handed ? Part(handed, "handed over to the next step") : "all of it")}{(chip.Stores ? ", and in DRAM" : string.Empty)}\n"));
        }

        static string Part(NestWindow window, string by) => Text($"[ {string.Join(", ", window.Extents)} ] of it at a time, {by} over {window.Loops} loop{(window.Loops == 1 ? string.Empty : "s")}");
    }

    /// <summary>Names of what a step reads, in the order of <see cref="NestStep.Reads"/>.</summary>
    private static IEnumerable<string> SpacesOf(NestStep nest) =>
        ((string[])(nest.Operation.Kernel is null ? [Inputs] : [Inputs, Kernel])).Concat(nest.Operation.Extras.Select((_, i) => Text($"further operand {i}")));

    private static void Problem(StringBuilder text, GconvOperator step, NestStep nest)
    {
        var names = Names(step);
        var strides = new List<(string Name, long Value)>();
        var spaces = new StringBuilder();
        Space(spaces, Inputs, nest.Operation.Input);
        if (nest.Operation.Kernel is { } kernel)
        {
            Space(spaces, Kernel, kernel);
        }

        Space(spaces, Outputs, nest.Operation.Output);
        spaces.Append("      read-write: true\n");
        text.Append(Text($"problem:\n  shape:\n    name: \"{step.Name}\"\n    dimensions: [ {string.Join(", ", names)} ]\n"));
        if (strides.Count > 0)
        {
            text.Append("    coefficients:\n").AppendJoin(string.Empty, strides.Select(stride => Text($"    - name: {stride.Name}\n      default: {stride.Value}\n")));
        }

        text.Append("    data-spaces:\n").Append(spaces).Append("  instance:\n");
        for (var loop = 0; loop < names.Count; loop++)
        {
            var covered = Covered(nest, loop);
            var extent = nest.Operation.Loops[loop].Extent;
            text.Append(Text($"    {names[loop]}: {covered}{(covered == extent ? string.Empty : Text($"   # {extent} in the network"))}\n"));
        }

        void Space(StringBuilder to, string name, SystolicAccess access)
        {
            to.Append(Text($"    - name: {name}\n      projection:\n"));
            foreach (var dimension in access.Dimensions)
            {
                var terms = new List<string>();
                for (var loop = 0; loop < names.Count; loop++)
                {
                    switch (Math.Abs(dimension.Coefficients[loop]))
                    {
                        case 0:
                            break;
                        case 1:
                            terms.Add($"[{names[loop]}]");
                            break;
                        case var value:
                            strides.Add((Text($"S{strides.Count}"), value));
                            terms.Add($"[{names[loop]}, {strides[^1].Name}]");
                            break;
                    }
                }

                to.Append(Text($"      - [ {string.Join(", ", terms)} ]"));
                to.Append(dimension is { Constant: 0, Divisor: 1 } ? string.Empty : Text($"   # {(dimension.Constant < 0 ? "-" : "+")} {Math.Abs(dimension.Constant)}{(dimension.Divisor == 1 ? string.Empty : Text($", all by {dimension.Divisor}"))}"));
                to.Append('\n');
            }
        }
    }

    private static void Mapping(StringBuilder text, GconvOperator step, NestStep nest, MachineDescription machine)
    {
        var names = Names(step);
        text.Append("mapping:\n");
        List<string> absent = [.. nest.Chip is { Input: not NestChip.Dram } ? [Inputs] : (string[])[], .. nest.Chip is { Kernel: not NestChip.Dram } ? [Kernel] : (string[])[], .. nest.Chip is { Stores: false } ? [Outputs] : (string[])[]];
        if (absent.Count > 0)
        {
            var present = SpacesOf(nest).Where(name => name is Inputs or Kernel).Append(Outputs).Except(absent, StringComparer.Ordinal);
            text.Append(Text($"- target: DRAM\n  type: bypass\n  keep: [ {string.Join(", ", present)} ]\n  bypass: [ {string.Join(", ", absent)} ]\n"));
        }

        Directive("DRAM", "temporal", nest.OuterTrips, nest.Outer, string.Empty);
        Directive("Buffer", "spatial", loop => nest.Loops[loop].Lanes, [], Text($"   # {machine.Rows} by {machine.Columns}: rows {Side(loop => nest.Loops[loop].Rows)}, columns {Side(loop => nest.Loops[loop].Columns)}"));
        Directive("Buffer", "temporal", nest.InnerTrips, nest.Inner, string.Empty);

        void Directive(string target, string type, Func<int, long> factor, IReadOnlyList<int> order, string comment)
        {
            // innermost first; loops of one trip inside
            var permutation = Enumerable.Range(0, names.Count).Except(order).Concat(order.Reverse());

            text.Append(Text($"- target: {target}\n  type: {type}\n  factors: [ {string.Join(", ", names.Select((name, loop) => Text($"{name}={factor(loop)}")))} ]{comment}\n"));
            text.Append(Text($"  permutation: [ {string.Join(", ", permutation.Select(loop => names[loop]))} ]\n"));
        }

        string Side(Func<int, int> lanes) => string.Join(" ", names.Select((name, loop) => (name, Lanes: lanes(loop))).Where(side => side.Lanes > 1).Select(side => Text($"{side.name}={side.Lanes}")).DefaultIfEmpty("none"));
    }

    /// <summary>Trips of a loop as whole tiles and lanes cover them.</summary>
    private static long Covered(NestStep nest, int loop) => nest.OuterTrips(loop) * nest.InnerTrips(loop) * nest.Loops[loop].Lanes;

    /// <summary>h.opc as H_OPC.</summary>
    private static List<string> Names(GconvOperator step) => [.. step.Loops.Select(loop => loop.Name.Replace('.', '_').ToUpperInvariant())];

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
