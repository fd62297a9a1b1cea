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
/// dimension, an operand a data space with a projection of sums of products. What Timeloop has no word for is said in comments: constants of indexes (padding), further operands, the programs of the slots.
/// Its factors divide extents, so that an extent is rounded up to what its trips cover.
/// </summary>
public static class TimeloopText
{
    /// <summary>The text of a module; of one without loop nests there are no documents.</summary>
    public static string Of(SystolicModule module)
    {
        var text = new StringBuilder(Text($"# {module.Program.Name} on {module.Machine.Name}: problems and mappings for Timeloop, a document for each general convolution.\n"));
        foreach (var (step, nest, counts) in NestMapper.Predict(module))
        {
            text.Append(Text($"---\n# {step.Name}: {counts.ArrayCycles} cycles of the array, {counts.DramBytes} bytes to and from DRAM predicted here\n"));
            Problem(text, step, nest);
            Mapping(text, step, nest, module.Machine);
        }

        return text.ToString();
    }

    private static void Problem(StringBuilder text, GconvOperator step, NestStep nest)
    {
        var names = Names(step);
        var strides = new List<(string Name, long Value)>();
        var spaces = new StringBuilder();
        Space(spaces, "Inputs", nest.Operation.Input);
        if (nest.Operation.Kernel is { } kernel)
        {
            Space(spaces, "Kernel", kernel);
        }

        Space(spaces, "Outputs", nest.Operation.Output);
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
