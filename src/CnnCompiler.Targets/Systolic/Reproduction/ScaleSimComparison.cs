using System.Globalization;
using CnnCompiler.Image.Systolic;
using CnnCompiler.Interpreter.Systolic;

namespace CnnCompiler.Targets.Systolic.Reproduction;

/// <summary>A layer that SCALE-Sim simulated.</summary>
/// <param name="Topology">Network.</param>
/// <param name="Layer">Layer.</param>
/// <param name="Dataflow">ws, os or is.</param>
/// <param name="Rows">Rows of the array.</param>
/// <param name="Columns">Columns of the array.</param>
/// <param name="IsStallFree">True for CALC mode, which has no stalls; USER mode's cycles are printed, not compared.</param>
/// <param name="Positions">M: output pixels.</param>
/// <param name="Filters">N: filters.</param>
/// <param name="Window">K: window elements.</param>
/// <param name="Cycles">Its total: index of the last cycle.</param>
/// <param name="Seconds">Time it took.</param>
public sealed record ScaleSimRow(
    string Topology, string Layer, string Dataflow, int Rows, int Columns, bool IsStallFree, long Positions, long Filters, long Window, long Cycles, double Seconds);

/// <summary>Our count beside SCALE-Sim's.</summary>
/// <param name="Row">The layer.</param>
/// <param name="Cycles">Our cycles; SCALE-Sim reports one less.</param>
/// <param name="ByEngine">True where the engine counted; false for a closed form.</param>
public sealed record ScaleSimFigure(ScaleSimRow Row, long Cycles, bool ByEngine)
{
    /// <summary>True where both agree.</summary>
    public bool Agrees => Cycles - 1 == Row.Cycles;
}

/// <summary>Compares with SCALE-Sim v2's results: weight-stationary layers by the engine, others by their closed forms (<c>research/systolic_peers.md</c> section 1.1).</summary>
public static class ScaleSimComparison
{
    /// <summary>Reads results: CSV with a header line that names at least the columns of <see cref="ScaleSimRow"/>; null where one is missing or a number is none.</summary>
    public static IReadOnlyList<ScaleSimRow>? Parse(string text)
    {
        var lines = text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        var header = lines.Length == 0 ? [] : lines[0].Split(',');
        string[] names = ["topology", "layer", "dataflow", "array_rows", "array_cols", "bw_mode", "M_ofpx", "N_filters", "K_window", "sim_total_cycles", "wall_s"];
        var places = names.Select(name => Array.IndexOf(header, name)).ToArray();
        if (places.Any(place => place < 0))
        {
            return null;
        }

        var rows = new List<ScaleSimRow>();
        foreach (var line in lines.Skip(1))
        {
            var fields = line.Split(',');
            if (fields.Length != header.Length)
            {
                return null;
            }

            var numbers = new long[names.Length];
            foreach (var i in (ReadOnlySpan<int>)[3, 4, 6, 7, 8, 9])
            {
                if (!long.TryParse(fields[places[i]], NumberStyles.None, CultureInfo.InvariantCulture, out numbers[i]) || numbers[i] < 1 || (i < 5 && numbers[i] > SystolicConfiguration.LargestSide))
                {
                    return null;
                }
            }

            if (!double.TryParse(fields[places[10]], CultureInfo.InvariantCulture, out var seconds))
            {
                return null;
            }

            rows.Add(new(
                fields[places[0]],
                fields[places[1]],
                fields[places[2]],
                (int)numbers[3],
                (int)numbers[4],
                fields[places[5]] == "CALC",
                numbers[6],
                numbers[7],
                numbers[8],
                numbers[9],
                seconds));
        }

        return rows;
    }

    /// <summary>Our cycles of a layer.</summary>
    public static ScaleSimFigure Count(ScaleSimRow row) => row.Dataflow == "ws"
        ? new(row, ByEngine(row), true)
        : new(row, row.Dataflow == "os"
            ? Folds(row.Positions, row.Rows) * Folds(row.Filters, row.Columns) * (row.Rows + row.Columns + row.Window - 2)
            : Folds(row.Window, row.Rows) * Folds(row.Positions, row.Columns) * ((2L * row.Rows) + row.Columns + row.Filters - 2), false);

    private static long ByEngine(ScaleSimRow row)
    {
        var configuration = SystolicConfiguration.Of(row.Rows, row.Columns, 1, 1);
        var clock = new FastClock(doubleBuffered: false);
        for (var column = 0L; column < row.Filters; column += row.Columns)
        {
            for (var first = 0L; first < row.Window; first += row.Rows)
            {
                clock.Add(configuration, FastArray.Cost(configuration, (int)Math.Min(row.Rows, row.Window - first), (int)Math.Min(row.Columns, row.Filters - column), (int)row.Positions, trimmed: false));
            }
        }

        return clock.Cycles;
    }

    private static long Folds(long extent, int side) => (extent + side - 1) / side;
}
