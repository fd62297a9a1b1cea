namespace CnnCompiler.Image.OpenEdge;

/// <summary>A word of a kernel that context memory doesn't hold yet.</summary>
/// <param name="Row">Row bank, 0 to 3.</param>
/// <param name="Word">Word of the kernel in it: step i of the j-th column at j * n + i.</param>
/// <param name="Value">The whole word, or an int8 constant.</param>
/// <param name="IsImmediate">True where only the word's 13-bit constant changes.</param>
public readonly record struct ContextChange(int Row, int Word, uint Value, bool IsImmediate)
{
    /// <summary>The word that comes of what context memory holds.</summary>
    public uint Of(uint held) => IsImmediate ? new OpenEdgeInstruction(held).WithImmediate((sbyte)Value).Word : Value;
}

/// <summary>
/// The data of a <see cref="Container.HostPatchKernel"/> in flash or RAM: for every row bank and column of the kernel a mask of the steps whose words are
/// written as a whole; where constants are packed as many masks again of the steps whose words get another constant; the whole words; and the
/// constants as int8, four a word, low byte first. All in the order of rows, columns, steps.
/// </summary>
public static class KernelChanges
{
    private const int Rows = 4;
    private const int BytesOfWord = sizeof(uint);

    /// <summary>What turns one kernel's worth of context memory into another.</summary>
    /// <param name="held">Context memory: row, word of the kernel.</param>
    /// <param name="rows">The kernel's words by row.</param>
    /// <param name="packed">True to tell constants within int8 apart.</param>
    public static IReadOnlyList<ContextChange> Between(Func<int, int, uint?> held, IReadOnlyList<IReadOnlyList<uint>> rows, bool packed)
    {
        var changes = new List<ContextChange>();
        for (var row = 0; row < rows.Count; row++)
        {
            for (var word = 0; word < rows[row].Count; word++)
            {
                var (old, value) = (held(row, word), rows[row][word]);
                if (old == value)
                {
                    continue;
                }

                var immediate = new OpenEdgeInstruction(value).Immediate;
                changes.Add(packed && immediate is >= sbyte.MinValue and <= sbyte.MaxValue && old is { } o && new OpenEdgeInstruction(o).WithImmediate(immediate).Word == value
                    ? new(row, word, (uint)immediate, IsImmediate: true)
                    : new(row, word, value, IsImmediate: false));
            }
        }

        return changes;
    }

    /// <summary>Words of the data that are moved one by one, masks included; constants are apart.</summary>
    /// <param name="changes">The changes.</param>
    /// <param name="columns">Columns of the kernel.</param>
    /// <param name="packed">True where constants are packed.</param>
    public static int MovedWords(IReadOnlyList<ContextChange> changes, int columns, bool packed) => Masks(columns, packed) + changes.Count(c => !c.IsImmediate);

    /// <summary>The data.</summary>
    /// <param name="changes">In the order of rows and words.</param>
    /// <param name="steps">Steps n a column.</param>
    /// <param name="columns">Columns of the kernel.</param>
    /// <param name="packed">True where constants are packed.</param>
    public static uint[] Encode(IReadOnlyList<ContextChange> changes, int steps, int columns, bool packed)
    {
        var masks = new uint[Masks(columns, packed)];
        foreach (var change in changes)
        {
            masks[(change.IsImmediate ? Rows * columns : 0) + (change.Row * columns) + (change.Word / steps)] |= 1u << (change.Word % steps);
        }

        uint[] bytes = [.. changes.Where(c => c.IsImmediate).Chunk(BytesOfWord).Select(four => four.Select((c, i) => (c.Value & 255) << (8 * i)).Aggregate(0u, (word, b) => word | b))];
        return [.. masks, .. changes.Where(c => !c.IsImmediate).Select(c => c.Value), .. bytes];
    }

    /// <summary>The changes, or null where the data are malformed: steps that the kernel doesn't have, a word twice, another length, or something behind the last constant.</summary>
    /// <param name="data">The data.</param>
    /// <param name="steps">Steps n a column.</param>
    /// <param name="columns">Columns of the kernel.</param>
    /// <param name="packed">True where constants are packed.</param>
    public static IReadOnlyList<ContextChange>? Decode(ReadOnlySpan<uint> data, int steps, int columns, bool packed)
    {
        var masks = Masks(columns, packed);
        if (data.Length < masks)
        {
            return null;
        }

        var places = new List<(int Row, int Word, bool IsImmediate)>();
        for (var cell = 0; cell < Rows * columns; cell++)
        {
            var (whole, immediate) = (data[cell], packed ? data[(Rows * columns) + cell] : 0);
            if ((whole & immediate) != 0 || (ulong)(whole | immediate) >> steps != 0)
            {
                return null;
            }

            for (var step = 0; step < steps; step++)
            {
                if (((whole | immediate) >> step & 1) != 0)
                {
                    places.Add((cell / columns, (cell % columns * steps) + step, (immediate >> step & 1) != 0));
                }
            }
        }

        var bytes = places.Count(p => p.IsImmediate);
        var firstByte = masks + places.Count - bytes;
        if (data.Length != firstByte + ((bytes + BytesOfWord - 1) / BytesOfWord))
        {
            return null;
        }

        if (bytes % BytesOfWord != 0 && data[^1] >> (8 * (bytes % BytesOfWord)) != 0)
        {
            return null;
        }

        var changes = new List<ContextChange>(places.Count);
        var (nextWord, nextByte) = (masks, 0);
        foreach (var (row, word, isImmediate) in places)
        {
            var value = isImmediate ? (uint)(int)(sbyte)(data[firstByte + (nextByte / BytesOfWord)] >> (8 * (nextByte++ % BytesOfWord))) : data[nextWord++];
            changes.Add(new(row, word, value, isImmediate));
        }

        return changes;
    }

    /// <summary>Words of the data at most.</summary>
    public static int MostWords(int steps, int columns) => Masks(columns, packed: true) + (Rows * columns * steps);

    private static int Masks(int columns, bool packed) => Rows * columns * (packed ? 2 : 1);
}
