using System.Globalization;
using System.Text;
using CnnCompiler.Core;
using CnnCompiler.Image.Nests;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Text;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.Systolic;

namespace CnnCompiler.Targets.Nests;

/// <summary>
/// The text form of the mapped level of accelerators: a line for each operator, and then the chain as the GCONV level writes it.
/// <code>
/// mapped nests "lenet5" on "eyeriss" {
///   // n.opc 1, h.opc 24 in tiles of 24, 12 on rows; ...
///   nest %conv1 cut [1 1 1, 12 1 24, 1 12 24] outer [] inner [1, 2]
/// }
/// gconv "lenet5" {
///   ...
/// }
/// </code>
/// A loop is cut into rows, columns and tile; orders are of the operator's loops by their numbers, from 0. Where tensors stay on the chip a nest goes on with where its operands are: addresses in the buffer
/// of activations, <c>dram</c> for what is not there, <c>stored</c> for a result that goes to both.
/// <code>
///   nest %pool1 cut [1 1 1, 12 1 12] outer [] inner [1] boxes 0 input 0 kernel dram extras [] output 4608
/// </code>
/// Where an operator goes through its outermost loops together with the one before it or behind it, it says through how many and what part of the tensor between them is on the chip at a time:
/// <code>
///   ... output 4608 takes [1, 4, 24, 6] over 1 input extras [0] hands [1, 2, 12, 6] over 1
/// </code>
/// </summary>
public static class NestText
{
    /// <summary>The word between the level's name and the network's.</summary>
    public const string Dialect = "nests";

    private const string Nest = "nest";
    private const string Dram = "dram";
    private const string Stores = "stored";
    private const string Takes = "takes";
    private const string Hands = "hands";
    private const string Over = "over";
    private const string Input = "input";
    private const string Extras = "extras";

    /// <summary>Text and companion of a module.</summary>
    /// <param name="module">The module.</param>
    /// <param name="notes">Comment lines before the steps of a layer, by its name; null for none.</param>
    public static ModuleText Print(SystolicModule module, Func<string, IEnumerable<string>>? notes)
    {
        var text = new StringBuilder();
        text.Append($"{IrLevel.Mapped.Name()} {Dialect} {IrTextFormat.String(module.Program.Name)} on {IrTextFormat.String(module.Machine.Name)} {{\n");
        var operators = module.Program.Steps.OfType<GconvOperator>().ToDictionary(operation => operation.Name, StringComparer.Ordinal);
        foreach (var plan in module.Nests)
        {
            if (operators.TryGetValue(plan.Operator, out var operation) && operation.Loops.Count == plan.Loops.Count)
            {
                text.Append($"  // {string.Join(", ", operation.Loops.Select((loop, i) => Describe(loop, plan.Loops[i])))}\n");
            }

            var cuts = plan.Loops.Select(cut => string.Create(CultureInfo.InvariantCulture, $"{cut.Rows} {cut.Columns} {cut.Tile}"));
            text.Append($"  {Nest} {IrTextFormat.Value(plan.Operator)} cut [{string.Join(", ", cuts)}] outer [{string.Join(", ", plan.Outer)}] inner [{string.Join(", ", plan.Inner)}]{On(plan.Chip)}\n");
        }

        var chain = GconvPrinter.Print(module.Program, notes);
        return new(text.Append("}\n").Append(chain.Text).ToString(), chain.Constants);
    }

    /// <summary>The module of a text, or null and diagnostics. It is not verified.</summary>
    /// <param name="text">The text.</param>
    /// <param name="file">Its name in diagnostics and spans.</param>
    /// <param name="constants">The companion it was written with.</param>
    /// <param name="machine">The machine that it was mapped for.</param>
    /// <param name="diagnostics">Takes what is wrong.</param>
    public static SystolicModule? Parse(string text, string file, ConstantStore constants, MachineDescription machine, DiagnosticBag diagnostics)
    {
        var own = new DiagnosticBag();
        var reader = new IrTextReader(text, file, constants, own);
        var plans = new List<NestPlan>();
        reader.Recover(() =>
        {
            reader.Word(IrLevel.Mapped.Name());
            reader.Word(Dialect);
            reader.Take(IrTokenKind.String, "the network's name in quotation marks");
            reader.Word("on");
            var span = reader.Span;
            var name = reader.Take(IrTokenKind.String, "the machine's name in quotation marks");
            if (name != machine.Name)
            {
                throw new DiagnosticException(SystolicDiagnostics.OtherMachine(span, name, machine.Name));
            }

            reader.Punctuation("{");
        });
        var closed = false;
        while (!closed && !reader.AtEnd && !own.HasErrors)
        {
            reader.Recover(() =>
            {
                closed = reader.TryPunctuation("}");
                if (!closed)
                {
                    plans.Add(Plan(reader));
                }
            });
        }

        if (own.HasErrors)
        {
            diagnostics.Report(own.Diagnostics);
            return null;
        }

        var program = GconvParser.Read(reader);
        reader.Recover(() => reader.Require(reader.AtEnd, "the end of the text"));
        diagnostics.Report(own.Diagnostics);
        return own.HasErrors ? null : new(program, [], machine) { Nests = plans.ToEquatableArray() };
    }

    private static NestPlan Plan(IrTextReader reader)
    {
        reader.Word(Nest);
        var name = reader.Value();
        reader.Word("cut");
        var loops = List(reader, () => new NestLoop(reader.Int32(), reader.Int32(), reader.Int32()));
        reader.Word("outer");
        var outer = List(reader, reader.Int32);
        reader.Word("inner");
        var inner = List(reader, reader.Int32);
        return new(name, loops, outer, inner) { Chip = reader.TryWord("boxes") ? Chip(reader) : null };
    }

    private static NestChip Chip(IrTextReader reader)
    {
        var boxes = reader.Int32();
        var (input, kernel) = (Named(Input), Named("kernel"));
        reader.Word(Extras);
        var extras = List(reader, Place);
        var output = Named("output");
        return new(boxes, input, kernel, extras, output, output == NestChip.Dram || reader.TryWord(Stores)) { Taken = Window(Takes) is { } taken ? new(taken, reader.TryWord(Input), reader.TryWord(Extras) ? List(reader, reader.Int32) : []) : null, OutputWindow = Window(Hands) };

        NestWindow? Window(string word)
        {
            if (!reader.TryWord(word))
            {
                return null;
            }

            var extents = List(reader, reader.Int32);
            reader.Word(Over);
            return new(reader.Int32(), extents);
        }

        int Named(string name)
        {
            reader.Word(name);
            return Place();
        }

        int Place() => reader.TryWord(Dram) ? NestChip.Dram : reader.Int32();
    }

    /// <summary>Where operands lie on the chip.</summary>
    private static string On(NestChip? chip)
    {
        return chip is null ? string.Empty
            : string.Create(CultureInfo.InvariantCulture, $" boxes {chip.Boxes} {Input} {Place(chip.Input)} kernel {Place(chip.Kernel)} {Extras} [{string.Join(", ", chip.Extras.Select(Place))}] output {Place(chip.Output)}")
            + (chip.Stores && chip.Output != NestChip.Dram ? $" {Stores}" : string.Empty)
            + Taken(chip.Taken) + Window(Hands, chip.OutputWindow);

        static string Taken(NestTaken? taken) => taken is null ? string.Empty
            : Window(Takes, taken.Window) + (taken.Input ? $" {Input}" : string.Empty) + (taken.Extras.Count > 0 ? $" {Extras} [{string.Join(", ", taken.Extras)}]" : string.Empty);

        static string Window(string word, NestWindow? window) =>
            window is null ? string.Empty : string.Create(CultureInfo.InvariantCulture, $" {word} [{string.Join(", ", window.Extents)}] {Over} {window.Loops}");

        static string Place(int place) => place == NestChip.Dram ? Dram : place.ToString(CultureInfo.InvariantCulture);
    }

    private static EquatableArray<T> List<T>(IrTextReader reader, Func<T> item)
    {
        var items = new List<T>();
        reader.Punctuation("[");
        while (!reader.TryPunctuation("]"))
        {
            if (items.Count > 0)
            {
                reader.Punctuation(",");
            }

            items.Add(item());
        }

        return items.ToEquatableArray();
    }

    private static string Describe(GconvLoop loop, NestLoop cut) =>
        string.Create(CultureInfo.InvariantCulture, $"{loop.Name} {loop.Extent}")
        + (cut.Tile < loop.Extent ? string.Create(CultureInfo.InvariantCulture, $" in tiles of {cut.Tile}") : string.Empty)
        + (cut.Rows > 1 ? string.Create(CultureInfo.InvariantCulture, $", {cut.Rows} on rows") : string.Empty)
        + (cut.Columns > 1 ? string.Create(CultureInfo.InvariantCulture, $", {cut.Columns} on columns") : string.Empty);
}
