using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using CnnCompiler.Interpreter.Systolic;

namespace CnnCompiler.Rtl.Tests;

/// <summary>Parameters of <c>systolic_array</c>.</summary>
/// <param name="Rows">R.</param>
/// <param name="Columns">C.</param>
/// <param name="SumWidth">Bits of a sum.</param>
/// <param name="Configurable">False: the plain array with a fixed pipeline.</param>
/// <param name="DoubleBuffered">True: a second weight register an element.</param>
public sealed record ArrayShape(int Rows, int Columns, int SumWidth = 32, bool Configurable = true, bool DoubleBuffered = false)
{
    /// <summary>Bits of an operand: what both engines compute with.</summary>
    public const int OperandWidth = 8;

    /// <summary>ROWS_COLUMNS_OPERAND_SUM_BUFFERS, as the bench checks it.</summary>
    public string Name => string.Create(CultureInfo.InvariantCulture, $"{Rows}_{Columns}_{OperandWidth}_{SumWidth}_{(DoubleBuffered ? 1 : 0)}");

    /// <summary>The parameters for Verilator.</summary>
    public string[] Parameters => [
        $"-GROWS={Rows}", $"-GCOLUMNS={Columns}", $"-GOPERAND_WIDTH={OperandWidth}", $"-GSUM_WIDTH={SumWidth}",
        $"-GCONFIGURABLE=1'b{(Configurable ? 1 : 0)}", $"-GDOUBLE_BUFFERED=1'b{(DoubleBuffered ? 1 : 0)}"];

    /// <inheritdoc/>
    public override string ToString() => $"{Rows}x{Columns}{(SumWidth == 32 ? "" : $", {SumWidth}-bit sums")}{(Configurable ? "" : ", fixed")}{(DoubleBuffered ? ", double-buffered" : "")}";
}

/// <summary>A sum that left the array.</summary>
/// <param name="Tile">Tile, from 0.</param>
/// <param name="Vector">Activation vector it belongs to, by its order in the column.</param>
/// <param name="Column">Column it left.</param>
/// <param name="Cycle">Cycle of the pass at whose end it is in its register.</param>
/// <param name="Value">The sum, sign-extended.</param>
public readonly record struct LeavingSum(int Tile, int Vector, int Column, long Cycle, long Value);

/// <summary>What the hardware did with a pass.</summary>
/// <param name="Sums">In order of tile, column, cycle.</param>
/// <param name="Ends">First cycle after each tile.</param>
public sealed record HardwarePass(IReadOnlyList<LeavingSum> Sums, IReadOnlyList<long> Ends);

/// <summary>The array as Verilator's model, with the bench of <c>runtime/rtl/bench</c>.</summary>
public sealed class ArrayModel
{
    private static readonly ConcurrentDictionary<ArrayShape, Lazy<ArrayModel>> Models = new();

    private readonly ArrayShape _shape;
    private readonly string _folder;
    private int _runs;

    private ArrayModel(ArrayShape shape, IReadOnlyList<string> modules, string folder)
    {
        (_shape, _folder) = (shape, folder);
        RtlTier.Run(
            folder, "verilator",
            [
                "-Wall", "--cc", "--exe", "--build", "-j", "2", "--x-initial", "unique", "--top-module", "systolic_array", "--Mdir", folder, "-o", "bench", .. shape.Parameters,
                "-CFLAGS", $"-O1 -Wall -Wextra -Werror=unused-variable -DBENCH_SHAPE=\\\"{shape.Name}\\\"", .. modules, Path.Combine(RtlTier.Sources, "bench", "bench.cpp"),
            ]);
    }

    /// <summary>The model of a shape, built once.</summary>
    public static ArrayModel Of(ArrayShape shape) => Models.GetOrAdd(
        shape, static key => new(() => new(key, RtlTier.Modules(), RtlTier.NewFolder($"{key.Name}_{(key.Configurable ? "configurable" : "fixed")}")))).Value;

    /// <summary>A model of changed sources.</summary>
    /// <param name="shape">Its parameters.</param>
    /// <param name="modules">Paths of all modules.</param>
    /// <param name="folder">An empty folder.</param>
    public static ArrayModel Build(ArrayShape shape, IReadOnlyList<string> modules, string folder) => new(shape, modules, folder);

    /// <summary>Runs tiles one after the other on the hardware.</summary>
    public HardwarePass Run(IReadOnlyList<SystolicTile> tiles)
    {
        var file = Path.Combine(_folder, string.Create(CultureInfo.InvariantCulture, $"pass{Interlocked.Increment(ref _runs)}.txt"));
        File.WriteAllText(file, Vectors(_shape, tiles));
        return Parse(RtlTier.Run(_folder, Path.Combine(_folder, "bench"), file));
    }

    /// <summary>The bench's input (runtime/rtl/bench/bench.cpp says its form).</summary>
    public static string Vectors(ArrayShape shape, IReadOnlyList<SystolicTile> tiles)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"array {shape.Name.Replace('_', ' ')}\n");
        foreach (var tile in tiles)
        {
            text.Append(CultureInfo.InvariantCulture, $"tile {tile.Rows} {tile.Columns} {tile.Vectors} {(tile.Trimmed ? 1 : 0)}\n");
            Append(text, "vertical", Enumerable.Range(0, shape.Rows).Select(row => tile.Configuration.BypassesRow(row) ? 1 : 0));
            Append(text, "horizontal", Enumerable.Range(0, shape.Columns).Select(column => tile.Configuration.BypassesColumn(column) ? 1 : 0));
            Append(text, "weights", tile.Weights.ToArray().Select(code => (int)code));
            Append(text, "activations", tile.Activations.ToArray().Select(code => (int)code));
        }

        return text.ToString();
    }

    private static void Append(StringBuilder text, string name, IEnumerable<int> values) => text.Append(name).Append(' ').AppendJoin(' ', values).Append('\n');

    private static HardwarePass Parse(string output)
    {
        var sums = new List<LeavingSum>();
        var ends = new List<long>();
        foreach (var line in output.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            var words = line.Split(' ');
            if (words[1] == "end")
            {
                ends.Add(Number(words[2]));
            }
            else
            {
                sums.Add(new((int)Number(words[0]), 0, (int)Number(words[1]), Number(words[2]), Number(words[3])));
            }
        }

        return new(
            [.. sums.GroupBy(sum => (sum.Tile, sum.Column)).OrderBy(group => group.Key).SelectMany(group => group.OrderBy(sum => sum.Cycle).Select((sum, vector) => sum with { Vector = vector }))],
            ends);
    }

    private static long Number(string word) => long.Parse(word, CultureInfo.InvariantCulture);
}
