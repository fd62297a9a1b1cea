using CnnCompiler.Image.Container;
using CnnCompiler.Image.Systolic;

namespace CnnCompiler.Interpreter.Systolic;

/// <summary>An operator's products as tiles with data for <see cref="SteppedArray"/>, and their sums put together again.</summary>
internal sealed class SteppedProduct
{
    private readonly SystolicOperator _operation;
    private readonly List<OperatorTile> _parts;
    private readonly long _groups;
    private readonly int _vectors;
    private readonly int _columns;

    public SteppedProduct(SystolicOperator operation, CnnImage image, byte[] memory)
    {
        _operation = operation;
        (_groups, _vectors, _columns) = (operation.Extent(SystolicRole.Group), checked((int)operation.Extent(SystolicRole.Position)), checked((int)operation.Extent(SystolicRole.Column)));
        _parts = [.. TileSequence.Of(operation, image.Machine)];
        var loader = new ActivationLoader(new(operation.Input, operation.Loops.Count, memory), operation.Loops, memory);
        var weights = new WeightMatrix(operation, memory);
        Tiles = [.. _parts.Select(part => Tile(part, image.Systolic!.Configurations[part.Configuration], loader, weights))];
    }

    /// <summary>The tiles in the order of the machine.</summary>
    public IReadOnlyList<SystolicTile> Tiles { get; }

    /// <summary>Sums over row tiles, modulo 2^32: [G, M, N].</summary>
    public int[] Add(SystolicPass pass)
    {
        var sums = new int[checked(_groups * _vectors * _columns)];
        for (var i = 0; i < _parts.Count; i++)
        {
            var part = _parts[i];
            var width = part.Groups * part.Columns;
            for (var j = 0; j < pass.Tiles[i].Sums.Length; j++)
            {
                var (vector, column) = (part.Vector + (j / width), j % width);
                sums[((((part.Group + (column / part.Columns)) * _vectors) + vector) * _columns) + part.Column + (column % part.Columns)] += pass.Tiles[i].Sums[j];
            }
        }

        return sums;
    }

    private SystolicTile Tile(OperatorTile part, SystolicConfiguration configuration, ActivationLoader loader, WeightMatrix weights)
    {
        var loops = new int[_operation.Loops.Count];
        var (groups, positions) = (new LoopSet(_operation.Loops, SystolicRole.Group), new LoopSet(_operation.Loops, SystolicRole.Position));
        var (rows, columns) = (part.Groups * part.Rows, part.Groups * part.Columns);
        var (matrix, activations, vector) = (new sbyte[rows * columns], new sbyte[part.Vectors * rows], new sbyte[loader.Rows]);
        for (var group = 0; group < part.Groups; group++)
        {
            groups.Set(part.Group + group, loops);
            positions.Set(0, loops);
            var block = weights.Load(loops);
            for (var row = 0; row < part.Rows; row++)
            {
                for (var column = 0; column < part.Columns; column++)
                {
                    matrix[(((group * part.Rows) + row) * columns) + (group * part.Columns) + column] = (sbyte)block[((part.Row + row) * _columns) + part.Column + column];
                }
            }

            for (var i = 0; i < part.Vectors; i++)
            {
                positions.Set(part.Vector + i, loops);
                loader.Load(loops, vector);
                vector.AsSpan((int)part.Row, part.Rows).CopyTo(activations.AsSpan((i * rows) + (group * part.Rows)));
            }
        }

        return new(configuration, rows, columns, part.Vectors, matrix, activations) { Trimmed = _operation.Array!.Trimmed };
    }
}
