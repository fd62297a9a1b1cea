using CnnCompiler.Image.Overlay;

namespace CnnCompiler.Interpreter.Overlay;

/// <summary>
/// Steps the overlay's unit through the tiles of products. Sums (NS) leave through registers beside the array, a row a cycle, while the next tile runs; what is stationary (WS, IS)
/// comes through registers beside it, a row a cycle, while the tile before runs. Operands enter skewed, so that the last element is P1 + P2 - 2 cycles later than the first.
/// </summary>
internal sealed class UnitClock(int rows, int columns, OverlayDataflow dataflow)
{
    private long _streamStart;
    private long _streamEnd;
    private long _leaveEnd;

    /// <summary>Tiles so far.</summary>
    public long Tiles { get; private set; }

    /// <summary>Multiplications so far.</summary>
    public long Multiplications { get; private set; }

    /// <summary>Cycles to the last sum; 0 where there was no tile.</summary>
    public long Cycles => Tiles == 0 ? 0 : Math.Max(_streamEnd, _leaveEnd) + rows + columns - 2;

    /// <summary>Runs the tiles of a product [vectors, terms] x [terms, outputs].</summary>
    public void Product(int vectors, int terms, int outputs)
    {
        Multiplications += (long)vectors * terms * outputs;
        switch (dataflow)
        {
            case OverlayDataflow.NonStationary:
                for (var row = 0; row < vectors; row += rows)
                {
                    for (var column = 0; column < outputs; column += columns)
                    {
                        Sums(Math.Min(rows, vectors - row), terms);
                    }
                }

                break;
            case OverlayDataflow.WeightStationary:
                Stationary(terms, outputs, vectors);
                break;
            default:
                Stationary(terms, vectors, outputs);
                break;
        }
    }

    private void Stationary(int terms, int side, int streamed)
    {
        for (var row = 0; row < terms; row += rows)
        {
            for (var column = 0; column < side; column += columns)
            {
                var loaded = (Tiles == 0 ? 0 : _streamStart) + Math.Min(rows, terms - row);
                _streamStart = Math.Max(_streamEnd, loaded);
                _streamEnd = _streamStart + streamed;
                Tiles++;
            }
        }
    }

    private void Sums(int leaving, int terms)
    {
        _streamEnd = Math.Max(_streamEnd + terms, _leaveEnd);
        _leaveEnd = _streamEnd + leaving;
        Tiles++;
    }
}

/// <summary>Two buffers for operands and two for results: when each pass loads, computes and stores.</summary>
internal sealed class PassClock
{
    private long _loadEnd;
    private long _computeEnd;
    private long _computeEndBefore;
    private long _storeEnd;
    private long _storeEndBefore;

    /// <summary>Cycles to the end of the last store.</summary>
    public long Cycles => Math.Max(_computeEnd, _storeEnd);

    /// <summary>Appends a pass.</summary>
    public void Pass(long load, long compute, long store)
    {
        _loadEnd = Math.Max(_loadEnd, _computeEndBefore) + load;
        var start = Math.Max(_computeEnd, Math.Max(_loadEnd, _storeEndBefore));
        (_computeEndBefore, _computeEnd) = (_computeEnd, start + compute);
        (_storeEndBefore, _storeEnd) = (_storeEnd, Math.Max(_storeEnd, _computeEnd) + store);
    }
}

/// <summary>Bytes that go over the bus when runs of addresses are moved: each run in whole bursts.</summary>
internal struct BurstCounter(long burst)
{
    private long _next = long.MinValue;
    private long _run;

    private long _bytes;

    /// <summary>Bytes moved so far.</summary>
    public readonly long Bytes => _bytes + Whole(_run);

    /// <summary>Moves bytes; where they follow those before, the run goes on.</summary>
    public void Move(long address, long bytes)
    {
        if (address != _next)
        {
            End();
        }

        _run += bytes;
        _next = address + bytes;
    }

    /// <summary>Ends the run.</summary>
    public void End()
    {
        _bytes += Whole(_run);
        (_run, _next) = (0, long.MinValue);
    }

    private readonly long Whole(long bytes) => (bytes + burst - 1) / burst * burst;
}
