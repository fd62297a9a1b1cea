using CnnCompiler.Image.Systolic;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Interpreter.Systolic;

/// <summary>
/// Cycles, events and traffic of a step. The array's part counts tiles one after the other; units and DRAM follow the model of <c>docs/targets/arrayflex.md</c>:
/// the output unit works in the array's pace while post has no more operations than it has stages, transfers run beside array and units and are waited for where they
/// take longer.
/// </summary>
/// <param name="machine">The machine.</param>
/// <param name="configurations">What configuration indices refer to.</param>
public sealed class StepCosts(MachineDescription machine, IReadOnlyList<SystolicConfiguration> configurations)
{
    private const int WordBytes = 4;
    private readonly SystolicDescription _systolic = machine.Systolic!;

    /// <summary>An operator on the array.</summary>
    public SystolicLayerRun OfArray(SystolicOperator operation)
    {
        var matrix = operation.Array!;
        var clock = new FastClock(matrix.DoubleBuffered);
        var (tiles, femtoseconds, rowTiles) = (0L, 0L, TileSequence.Tiles(operation.Extent(SystolicRole.Row), machine.Rows));
        foreach (var tile in TileSequence.Of(operation, machine))
        {
            var (configuration, before) = (configurations[tile.Configuration], clock.Cycles);
            clock.Add(configuration, FastArray.Cost(configuration, tile.Groups * tile.Rows, tile.Groups * tile.Columns, tile.Vectors, matrix.Trimmed));
            femtoseconds += (clock.Cycles - before) * Period(configuration);
            tiles++;
        }

        var (vectors, outputs) = (operation.Extent(SystolicRole.Position), operation.Extent(SystolicRole.Group) * operation.Extent(SystolicRole.Position) * operation.Extent(SystolicRole.Column));
        var operations = ScalarInstructionSet.Operations(operation.Post);
        var rows = tiles / rowTiles / TileSequence.Tiles(vectors, matrix.VectorsPerTile) * vectors;
        var units = operations + ((TileSequence.Tiles(Math.Max(1, operations), _systolic[SystolicKeys.OutputStages]) - 1) * rows);
        var events = clock.Events;
        var edge = (events.ActivationReads + events.WeightReads) * operation.Input.Element.Size();

        // partial sums of several row tiles are written to the accumulators and read again
        var accumulators = rowTiles > 1 ? 2 * events.SumsOut : 0;
        var run = new SystolicLayerRun(
            clock.Cycles, units, 0, 0, tiles, events, operations * outputs, Words(edge) + accumulators + Words(outputs * operation.Output.Element.Size()), 0, 0, femtoseconds);
        return WithTransfers(run, ReadBytes(operation, matrix), outputs * operation.Output.Element.Size(), Period(configurations[matrix.Inner]));
    }

    /// <summary>An operator in the vector unit: a lane a column, outputs side by side; a reduction takes its operations one after the other.</summary>
    public SystolicLayerRun OfVector(SystolicOperator operation)
    {
        var outputs = operation.Extent(SystolicRole.Group) * operation.Extent(SystolicRole.Position) * operation.Extent(SystolicRole.Column);
        var taps = operation.Extent(SystolicRole.Row);

        // a tap loads its operands and reduces; an output stores
        long tap = ScalarInstructionSet.Operations(operation.Pre) + ScalarInstructionSet.Operations(operation.Main) + 1 + (operation.Reduce == SystolicReduction.None ? 0 : 1);
        var each = (taps * tap) + ScalarInstructionSet.Operations(operation.Post) + 1;

        // what reduces nothing streams through the output unit: an element a lane and cycle for each time it has to pass
        var perElement = operation.Reduce == SystolicReduction.None
            ? TileSequence.Tiles(each, _systolic[SystolicKeys.OutputStages])
            : TileSequence.Tiles(each, _systolic[SystolicKeys.LaneOperations]);
        var cycles = TileSequence.Tiles(outputs, machine.Columns) * perElement;
        var read = Bytes(operation.Input) + (operation.Kernel is { } kernel ? Bytes(kernel) : 0) + operation.Extras.Sum(Bytes);
        var moved = outputs * ((taps * (operation.Input.Element.Size() + (operation.Kernel?.Element.Size() ?? 0))) + operation.Output.Element.Size());
        var run = new SystolicLayerRun(0, cycles, 0, 0, 0, default, each * outputs, Words(moved), 0, 0, 0);
        return WithTransfers(run, read, outputs * operation.Output.Element.Size(), _systolic.PeriodFemtoseconds(1, 1));
    }

    /// <summary>Softmax: a row a lane.</summary>
    public SystolicLayerRun OfSoftmax(SystolicSoftmax softmax)
    {
        var elements = (long)softmax.Rows * softmax.Columns;
        var cycles = TileSequence.Tiles(softmax.Rows, machine.Columns) * softmax.Columns * _systolic[SystolicKeys.SoftmaxCycles];
        var run = new SystolicLayerRun(0, cycles, 0, 0, 0, default, elements * _systolic[SystolicKeys.SoftmaxCycles], 2 * Words(elements), 0, 0, 0);
        return WithTransfers(run, elements, elements, _systolic.PeriodFemtoseconds(1, 1));
    }

    /// <summary>A step of the host: its operations one after the other, operands and result from and to DRAM.</summary>
    public SystolicLayerRun OfHost(SystolicHostStep host)
    {
        var (read, written) = (host.Function.OperandBytes.Sum(), host.Function.ResultBytes);
        var cycles = host.Function.Operations * _systolic[SystolicKeys.HostCycles];
        return WithTransfers(new(0, cycles, 0, 0, 0, default, host.Function.Operations, 0, 0, 0, 0), read, written, _systolic.PeriodFemtoseconds(1, 1));
    }

    private SystolicLayerRun WithTransfers(SystolicLayerRun run, long read, long written, long period)
    {
        var transfer = TileSequence.Tiles(read + written, _systolic[SystolicKeys.OffChipBytes]);
        var busy = run.ArrayCycles + run.UnitCycles;
        var stall = Math.Max(0, transfer - busy);
        return run with
        {
            StallCycles = stall,
            HiddenTransferCycles = transfer - stall,
            DramReads = Words(read),
            DramWrites = Words(written),
            Femtoseconds = run.Femtoseconds + ((run.UnitCycles + stall) * period),
        };
    }

    /// <summary>Bytes read from DRAM: what a buffer can't hold until it is used again comes again.</summary>
    private long ReadBytes(SystolicOperator operation, SystolicMatrix matrix)
    {
        var (rows, columns) = (operation.Extent(SystolicRole.Row), operation.Extent(SystolicRole.Column));
        var vectorTiles = TileSequence.Tiles(operation.Extent(SystolicRole.Position), matrix.VectorsPerTile);
        var columnTiles = TileSequence.Tiles(columns, machine.Columns);
        var weights = rows * columns * operation.Extent(SystolicRole.Group) * operation.Kernel!.Element.Size();
        var columnsOuter = matrix.Order == SystolicOrder.ColumnsOuter;
        var weightsKept = columnsOuter ? rows * Math.Min(columns, machine.Columns) : rows * columns;
        var inputKept = columnsOuter ? Bytes(operation.Input) : TileSequence.Tiles(Bytes(operation.Input), vectorTiles);
        var weightPasses = weightsKept <= _systolic[SystolicKeys.WeightBytes] ? 1 : vectorTiles;
        var inputPasses = inputKept <= _systolic[SystolicKeys.ActivationBytes] ? 1 : columnTiles;
        return (weights * weightPasses) + (Bytes(operation.Input) * inputPasses) + operation.Extras.Sum(Bytes);
    }

    private static long Bytes(SystolicAccess access) => access.Dimensions.Aggregate((long)access.Element.Size(), (bytes, dimension) => bytes * dimension.Extent);

    private static long Words(long bytes) => TileSequence.Tiles(bytes, WordBytes);

    private long Period(SystolicConfiguration configuration) => _systolic.PeriodFemtoseconds(configuration.HorizontalDepth, configuration.VerticalDepth);
}
