using System.Globalization;
using System.Text;
using CnnCompiler.Core;
using CnnCompiler.Image.Systolic;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Text;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Targets.Systolic;

/// <summary>
/// The text form of the mapped level of systolic machines: the plans, and then the chain as the GCONV level writes it.
/// <code>
/// mapped systolic "lenet5" on "arrayflex-16x16" {
///   // gemm groups 1 M 576 N 6 K 25; ...
///   product %conv1 packed 1 vectors 576 columns_outer depths [2 2, 2 2, 1 1, 1 1] double_buffered trimmed
/// }
/// gconv "lenet5" {
///   ...
/// }
/// </code>
/// Depths are kh and kv of the tiles that are last in no direction, of the last of columns, of the last of rows, and of that which is last in both. The machine is named, not described: it is given
/// where the text is read. Comments say what the array sees of each step.
/// </summary>
public static class SystolicText
{
    /// <summary>The word between the level's name and the network's.</summary>
    public const string Dialect = "systolic";

    private const string ColumnsOuter = "columns_outer";
    private const string VectorsOuter = "vectors_outer";
    private const string DoubleBuffered = "double_buffered";
    private const string Trimmed = "trimmed";

    /// <summary>Text and companion of a module.</summary>
    /// <param name="module">The module.</param>
    /// <param name="notes">Comment lines before the steps of a layer, by its name; null for none.</param>
    public static ModuleText Print(SystolicModule module, Func<string, IEnumerable<string>>? notes)
    {
        var text = new StringBuilder();
        text.Append($"{IrLevel.Mapped.Name()} {Dialect} {IrTextFormat.String(module.Program.Name)} on {IrTextFormat.String(module.Machine.Name)} {{\n");
        var plans = module.Plans.ToDictionary(plan => plan.Operator, StringComparer.Ordinal);
        foreach (var step in module.Program.Steps)
        {
            text.Append(step.Match(
                operation => plans.TryGetValue(operation.Name, out var plan) ? Product(operation, plan) : Comment(step, Vector(operation)),
                view => Comment(view, $"{view.Kind.ToString().ToLowerInvariant()} of {string.Join(", ", view.Sources)}"),
                softmax => Comment(softmax, $"softmax of {softmax.Source}, in the vector unit"),
                host => Comment(host, $"{host.Layer.Keyword} of {string.Join(", ", host.Layer.Inputs)}, a step of the host")));
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
        var plans = new List<MatrixPlan>();
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
        return own.HasErrors ? null : new(program, plans.ToEquatableArray(), machine);
    }

    private static MatrixPlan Plan(IrTextReader reader)
    {
        reader.Word("product");
        var name = reader.Value();
        reader.Word("packed");
        var packed = reader.Int32();
        reader.Word("vectors");
        var vectors = reader.Int32();
        var columnsOuter = reader.TryWord(ColumnsOuter);
        reader.Require(columnsOuter || reader.TryWord(VectorsOuter), $"{ColumnsOuter} or {VectorsOuter}");
        reader.Word("depths");
        reader.Punctuation("[");
        var depths = new CollapseDepth[4];
        for (var i = 0; i < depths.Length; i++)
        {
            if (i > 0)
            {
                reader.Punctuation(",");
            }

            depths[i] = new(reader.Int32(), reader.Int32());
        }

        reader.Punctuation("]");
        return new(
            name,
            packed,
            vectors,
            columnsOuter ? SystolicOrder.ColumnsOuter : SystolicOrder.VectorsOuter,
            reader.TryWord(DoubleBuffered),
            reader.TryWord(Trimmed),
            depths[0],
            depths[1],
            depths[2],
            depths[3]);
    }

    private static string Comment(GconvStep step, string what) => $"  // {step.Name}: {step.Type} = {what}\n";

    private static string Product(GconvOperator operation, MatrixPlan plan) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"  // {operation.Name}: {operation.Type} = gemm groups {Extent(operation, LoopKind.Group)} M {Extent(operation, LoopKind.OutputPosition)} N {Extent(operation, LoopKind.OutputParallel)} K {Extent(operation, LoopKind.KernelSize)}")
        + $"; m = {Loops(operation, LoopKind.OutputPosition)}; n = {Loops(operation, LoopKind.OutputParallel)}; k = {Loops(operation, LoopKind.KernelSize)}"
        + $"; A[m, k] = {operation.Input.Tensor}{(operation.Input.OutOfRange == OutOfRange.Never ? string.Empty : string.Create(CultureInfo.InvariantCulture, $", {operation.Input.FillValue} outside"))}"
        + $"; B[k, n] = {operation.Kernel!.Tensor}\n"
        + string.Create(CultureInfo.InvariantCulture, $"  product {IrTextFormat.Value(plan.Operator)} packed {plan.GroupsPacked} vectors {plan.VectorsPerTile} {(plan.Order == SystolicOrder.ColumnsOuter ? ColumnsOuter : VectorsOuter)}")
        + $" depths [{string.Join(", ", plan.Depths.Select(depth => string.Create(CultureInfo.InvariantCulture, $"{depth.Horizontal} {depth.Vertical}")))}]"
        + $"{(plan.DoubleBuffered ? $" {DoubleBuffered}" : string.Empty)}{(plan.Trimmed ? $" {Trimmed}" : string.Empty)}\n";

    private static string Vector(GconvOperator operation) => string.Create(
        CultureInfo.InvariantCulture,
        $"vector unit, {AffineExpressions.Product(operation.Loops.Where(loop => loop.Kind.IsParallel()).Select(loop => loop.Extent))} outputs of {Extent(operation, LoopKind.KernelSize)} taps");

    private static long Extent(GconvOperator operation, LoopKind kind) => AffineExpressions.Product(operation.Loops.Where(loop => loop.Kind == kind).Select(loop => loop.Extent));

    private static string Loops(GconvOperator operation, LoopKind kind) =>
        string.Join(' ', operation.Loops.Where(loop => loop.Kind == kind).Select(loop => string.Create(CultureInfo.InvariantCulture, $"{loop.Name}[{loop.Extent}]"))) is { Length: > 0 } text ? text : "1";
}
