namespace CnnCompiler.Image.Systolic;

/// <summary>
/// How deep the pipeline of a systolic array is: one bypass bit a column for its horizontal registers and one a row for its vertical ones
/// (ArrayFlex; <c>research/arrayflex.md</c> section 3). A bypassed register is transparent and its clock is gated; neighbouring columns (rows) without
/// a register between them are a group, which data cross in one cycle. The registers of the last column and row are never bypassed.
/// </summary>
public sealed class SystolicConfiguration
{
    /// <summary>Most rows or columns of an array.</summary>
    public const int LargestSide = 1024;

    private readonly int[] _rowGroups;
    private readonly int[] _columnGroups;

    /// <summary>Takes the bypass bits: one a column and one a row, true for a transparent register; the last of each is false.</summary>
    /// <exception cref="ArgumentException">A side has no element or more than <see cref="LargestSide"/>, or a last bit is set.</exception>
    public SystolicConfiguration(ReadOnlySpan<bool> horizontalBypass, ReadOnlySpan<bool> verticalBypass)
    {
        _columnGroups = Groups(horizontalBypass, nameof(horizontalBypass));
        _rowGroups = Groups(verticalBypass, nameof(verticalBypass));
    }

    /// <summary>Rows R.</summary>
    public int Rows => _rowGroups.Length;

    /// <summary>Columns C.</summary>
    public int Columns => _columnGroups.Length;

    /// <summary>Groups of rows: vertical registers in use a column.</summary>
    public int RowGroups => _rowGroups[^1] + 1;

    /// <summary>Groups of columns: horizontal registers in use a row.</summary>
    public int ColumnGroups => _columnGroups[^1] + 1;

    /// <summary>Columns of the largest group: kh.</summary>
    public int HorizontalDepth => Largest(_columnGroups);

    /// <summary>Rows of the largest group: kv.</summary>
    public int VerticalDepth => Largest(_rowGroups);

    /// <summary>Groups of kh columns and kv rows; where they do not divide the array the last group is shorter.</summary>
    /// <param name="rows">R.</param>
    /// <param name="columns">C.</param>
    /// <param name="horizontalDepth">kh, 1 or more.</param>
    /// <param name="verticalDepth">kv, 1 or more.</param>
    public static SystolicConfiguration Of(int rows, int columns, int horizontalDepth, int verticalDepth) => new(Bits(columns, horizontalDepth), Bits(rows, verticalDepth));

    /// <summary>Group of a row, from 0 at the top.</summary>
    public int RowGroup(int row) => _rowGroups[row];

    /// <summary>Group of a column, from 0 at the left.</summary>
    public int ColumnGroup(int column) => _columnGroups[column];

    /// <summary>True where the register to the right of a column is transparent.</summary>
    public bool BypassesColumn(int column) => column + 1 < Columns && _columnGroups[column] == _columnGroups[column + 1];

    /// <summary>True where the register below a row is transparent.</summary>
    public bool BypassesRow(int row) => row + 1 < Rows && _rowGroups[row] == _rowGroups[row + 1];

    private static bool[] Bits(int side, int depth)
    {
        var bits = new bool[side];
        for (var i = 0; i < side - 1; i++)
        {
            bits[i] = (i + 1) % depth != 0;
        }

        return bits;
    }

    private static int[] Groups(ReadOnlySpan<bool> bypass, string name)
    {
        if (bypass.Length is < 1 or > LargestSide || bypass[^1])
        {
            throw new ArgumentException("an array has 1 to 1024 rows and columns, and a register after the last", name);
        }

        var groups = new int[bypass.Length];
        for (var i = 1; i < groups.Length; i++)
        {
            groups[i] = groups[i - 1] + (bypass[i - 1] ? 0 : 1);
        }

        return groups;
    }

    private static int Largest(int[] groups)
    {
        var most = 0;
        var count = 0;
        for (var i = 0; i < groups.Length; i++)
        {
            count = i > 0 && groups[i] == groups[i - 1] ? count + 1 : 1;
            most = Math.Max(most, count);
        }

        return most;
    }
}
