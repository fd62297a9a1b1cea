using CnnCompiler.Image.Systolic;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Interpreter.Systolic;

/// <summary>A tile of an operator: which part of its products the array does with one load of weights.</summary>
/// <param name="Group">First group.</param>
/// <param name="Groups">Groups, side by side on the diagonal.</param>
/// <param name="Vector">First position.</param>
/// <param name="Vectors">Positions.</param>
/// <param name="Row">First row of a group's product.</param>
/// <param name="Rows">Rows of a group.</param>
/// <param name="Column">First column of a group's product.</param>
/// <param name="Columns">Columns of a group.</param>
/// <param name="Configuration">Index of the configuration.</param>
internal readonly record struct OperatorTile(long Group, int Groups, long Vector, int Vectors, long Row, int Rows, long Column, int Columns, int Configuration);

/// <summary>The tiles of an operator in the order in which the machine runs them.</summary>
internal static class TileSequence
{
    public static IEnumerable<OperatorTile> Of(SystolicOperator operation, MachineDescription machine)
    {
        var matrix = operation.Array!;
        var groups = operation.Extent(SystolicRole.Group);
        for (var group = 0L; group < groups; group += matrix.GroupsPacked)
        {
            foreach (var tile in OfPack(operation, machine, (int)Math.Min(matrix.GroupsPacked, groups - group), group + matrix.GroupsPacked >= groups))
            {
                yield return tile with { Group = group };
            }
        }
    }

    private static IEnumerable<OperatorTile> OfPack(SystolicOperator operation, MachineDescription machine, int packed, bool isLastPack)
    {
        var matrix = operation.Array!;
        var (vectors, rows, columns) = (operation.Extent(SystolicRole.Position), operation.Extent(SystolicRole.Row), operation.Extent(SystolicRole.Column));
        var (vectorTiles, columnTiles) = (Tiles(vectors, matrix.VectorsPerTile), Tiles(columns, machine.Columns));
        for (var outer = 0L; outer < vectorTiles * columnTiles; outer++)
        {
            var (column, vector) = matrix.Order == SystolicOrder.ColumnsOuter ? (outer / vectorTiles, outer % vectorTiles) : (outer % columnTiles, outer / columnTiles);
            (column, vector) = (column * machine.Columns, vector * matrix.VectorsPerTile);
            var isLastColumn = column + machine.Columns >= columns && (matrix.GroupsPacked == 1 || isLastPack);
            for (var row = 0L; row < rows; row += machine.Rows)
            {
                var configuration = (isLastColumn, row + machine.Rows >= rows) switch
                {
                    (true, true) => matrix.LastBoth,
                    (true, false) => matrix.LastColumns,
                    (false, true) => matrix.LastRows,
                    _ => matrix.Inner,
                };
                yield return new(
                    0,
                    packed,
                    vector,
                    (int)Math.Min(matrix.VectorsPerTile, vectors - vector),
                    row,
                    (int)Math.Min(machine.Rows, rows - row),
                    column,
                    (int)Math.Min(machine.Columns, columns - column),
                    configuration);
            }
        }
    }

    public static long Tiles(long extent, long side) => (extent + side - 1) / side;
}
