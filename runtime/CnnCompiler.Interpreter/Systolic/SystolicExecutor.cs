using System.Globalization;
using System.Runtime.InteropServices;
using CnnCompiler.Image.Container;
using CnnCompiler.Image.Nests;
using CnnCompiler.Image.Overlay;
using CnnCompiler.Image.Systolic;
using CnnCompiler.Interpreter.Execution;
using CnnCompiler.Interpreter.Nests;
using CnnCompiler.Interpreter.Overlay;
using CnnCompiler.Primitives.Arithmetic;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Interpreter.Systolic;

/// <summary>Runs a systolic program's steps on a memory.</summary>
internal sealed class SystolicExecutor(CnnImage image, byte[] memory, RunOptions options, SourceSpan span, CancellationToken cancellation)
{
    private const int StepsBetweenChecks = 1 << 12;
    private readonly StepCosts _costs = new(image.Machine, image.Systolic!.Configurations);
    private readonly byte[] _chip = image.Machine.IsaRevision == SystolicKeys.NestRevision ? new byte[image.Machine.Systolic![SystolicKeys.ActivationBytes]] : [];
    private readonly OverlayUnit _overlay = new(image.Machine, memory, cancellation);
    private readonly Queue<NestUnit> _inTurn = new();
    private int _step;

    /// <summary>What each layer cost; index 0 is for steps without layer, layer i at i + 1.</summary>
    public SystolicLayerRun[] Layers { get; } = new SystolicLayerRun[image.Layers.Count + 1];

    /// <summary>Runs to the end, or to the end of the layer that the options name.</summary>
    public void Run()
    {
        var steps = image.Systolic!.Steps;
        var last = options.StopAfterLayer is { } layer ? steps.Select((step, i) => step.Layer == layer ? i : -1).DefaultIfEmpty(-1).Max() : steps.Count - 1;
        var arrayCycles = 0L;
        for (_step = 0; _step <= last; _step++)
        {
            cancellation.ThrowIfCancellationRequested();
            var step = steps[_step];
            if (step is NestStep && _inTurn.Count == 0)
            {
                RunInTurn(ChipContents.LastInTurn(steps, _step));
            }

            var cost = step.Match(
                Execute, Execute, Execute, transform => _overlay.Run(transform, cycles => CheckLength(transform.Layer, cycles)), Execute, nest => CostOf(_inTurn.Dequeue()));
            Layers[step.Layer + 1] += cost;
            arrayCycles += cost.ArrayCycles;
            options.AfterSystolicStep?.Invoke(_step, memory, _chip);
            options.AfterSystolicStepCost?.Invoke(_step, cost);
            options.Progress?.Invoke(new(_step, steps.Count, step.Layer, arrayCycles));
        }
    }

    private SystolicLayerRun Execute(SystolicOperator operation)
    {
        var cost = operation.Array is null ? _costs.OfVector(operation) : _costs.OfArray(operation);
        CheckLength(operation.Layer, cost.Cycles);

        var output = new OutputUnit(operation, memory);
        if (operation.Array is null)
        {
            RunVector(operation, output);
        }
        else if (options.AlwaysWalkCycles)
        {
            cost = cost with { ArrayCycles = RunStepped(operation, output, out var events), Events = events };
        }
        else
        {
            RunFast(operation, output);
        }

        return cost;
    }

    private SystolicLayerRun Execute(SystolicSoftmax softmax)
    {
        var cost = _costs.OfSoftmax(softmax);
        CheckLength(softmax.Layer, cost.Cycles);
        var input = MemoryMarshal.Cast<byte, sbyte>(memory.AsSpan(softmax.Source, softmax.Rows * softmax.Columns));
        var output = MemoryMarshal.Cast<byte, sbyte>(memory.AsSpan(softmax.Destination, softmax.Rows * softmax.Columns));
        for (var row = 0; row < softmax.Rows; row++)
        {
            var (start, count) = (row * softmax.Columns, softmax.Columns);
            if (!Int8Softmax.Row(input.Slice(start, count), output.Slice(start, count), softmax.Multiplier, softmax.LeftShift, softmax.DiffMin))
            {
                throw Fail(ExecutionDiagnostics.SoftmaxUndefined(span, Place(softmax.Layer), row));
            }
        }

        return cost;
    }

    private SystolicLayerRun Execute(SystolicHostStep host)
    {
        var cost = _costs.OfHost(host);
        CheckLength(host.Layer, cost.Cycles);
        var operands = host.Function.OperandBytes;
        host.Function.Run(
            memory.AsSpan(host.First, (int)operands[0]),
            operands.Count > 1 ? memory.AsSpan(host.Second, (int)operands[1]) : [],
            memory.AsSpan(host.Destination, (int)host.Function.ResultBytes));
        return cost;
    }

    private SystolicLayerRun Execute(OverlayConvolution convolution)
    {
        var output = new OutputUnit(convolution.Operation, memory);
        return _overlay.Run(
            convolution,
            (loops, sum) =>
            {
                output.MoveTo(loops);
                Finish(convolution.Operation, output, loops, sum, 0, null);
            },
            cycles => CheckLength(convolution.Layer, cycles));
    }

    private void CheckLength(int layer, long cycles)
    {
        if (cycles > options.MaxCycles)
        {
            throw Fail(ExecutionDiagnostics.SystolicStepTooLong(span, Place(layer), cycles, options.MaxCycles));
        }
    }

    /// <summary>Runs nests from this step to the one that they hand tiles over to in the end; their costs are taken when their turn in the program comes.</summary>
    private void RunInTurn(int last)
    {
        var first = _step;
        List<NestStep> nests = [.. Enumerable.Range(first, last - first + 1).Select(step => (NestStep)image.Systolic!.Steps[step])];
        var units = new NestUnit[nests.Count];
        for (var i = 0; i < units.Length; i++)
        {
            var (operation, place) = (nests[i].Operation, Place(nests[i].Operation.Layer, first + i));
            var trips = operation.Loops.Aggregate((Int128)1, (product, loop) => product * loop.Extent);
            var lanes = nests[i].Loops.Aggregate((Int128)1, (product, loop) => product * loop.Lanes);
            if (trips / lanes > options.MaxCycles)
            {
                throw Fail(ExecutionDiagnostics.SystolicStepTooLong(span, place, (long)(trips / lanes), options.MaxCycles));
            }

            var collected = options.AfterHandover is not null && nests[i].Chip is { Stores: false, OutputWindow: not null } ? new byte[ChipContents.Bytes(operation.Output)] : null;
            units[i] = new(nests[i], memory, _chip, collected, fault => Fail(ExecutionDiagnostics.ScalarUndefined(span, place, fault)), cancellation);
            _inTurn.Enqueue(units[i]);
        }

        new NestsInTurn(nests, units).Run();
    }

    private SystolicLayerRun CostOf(NestUnit unit)
    {
        var counts = unit.Counts(image.Machine);
        if (unit.Collected is { } collected)
        {
            options.AfterHandover?.Invoke(_step, collected);
        }

        options.AfterNest?.Invoke(_step, counts);
        return unit.Cost(counts, image.Machine);
    }

    /// <summary>The vector unit: every output element, its taps, its post program.</summary>
    private void RunVector(SystolicOperator operation, OutputUnit output)
    {
        var unit = new VectorUnit(operation, memory);
        var loops = new int[operation.Loops.Count];
        var parallel = new LoopSet(operation.Loops, SystolicRole.Group, SystolicRole.Column, SystolicRole.Position);
        var sinceCheck = 0;
        do
        {
            if (++sinceCheck == StepsBetweenChecks)
            {
                cancellation.ThrowIfCancellationRequested();
                sinceCheck = 0;
            }

            output.MoveTo(loops);
            var sum = unit.Sum(loops, output, out var taps, out var fault);
            Finish(operation, output, loops, sum, taps, fault);
        }
        while (parallel.Next(loops));
    }

    /// <summary>The fast engine: a row of the activations times the group's weights for every position.</summary>
    private void RunFast(SystolicOperator operation, OutputUnit output)
    {
        var loops = new int[operation.Loops.Count];
        var (groups, positions, columns) = (new LoopSet(operation.Loops, SystolicRole.Group), new LoopSet(operation.Loops, SystolicRole.Position), new LoopSet(operation.Loops, SystolicRole.Column));
        var loader = new ActivationLoader(new(operation.Input, loops.Length, memory), operation.Loops, memory);
        var weights = new WeightMatrix(operation, memory);
        var vector = new sbyte[loader.Rows];
        var sums = new int[columns.Trips];
        do
        {
            var matrix = weights.Load(loops);
            do
            {
                cancellation.ThrowIfCancellationRequested();
                loader.Load(loops, vector);
                Array.Clear(sums);
                MatrixProduct.AddRow(vector, matrix, sums.Length, sums);
                for (var column = 0; column < sums.Length; column++)
                {
                    output.MoveTo(loops);
                    Finish(operation, output, loops, sums[column], 0, null);
                    columns.Next(loops);
                }
            }
            while (positions.Next(loops));
        }
        while (groups.Next(loops));
    }

    /// <summary>The stepping engine: the tiles as the machine runs them, every element every cycle.</summary>
    private long RunStepped(SystolicOperator operation, OutputUnit output, out SystolicEvents events)
    {
        var stepped = new SteppedProduct(operation, image, memory);
        var pass = SteppedArray.Run(stepped.Tiles, operation.Array!.DoubleBuffered);
        events = pass.Events;
        options.AfterSteppedOperator?.Invoke(new(_step, operation.Array.DoubleBuffered, stepped.Tiles, pass));
        var sums = stepped.Add(pass);
        var loops = new int[operation.Loops.Count];
        var (groups, positions, columns) = (new LoopSet(operation.Loops, SystolicRole.Group), new LoopSet(operation.Loops, SystolicRole.Position), new LoopSet(operation.Loops, SystolicRole.Column));
        for (var i = 0L; i < sums.LongLength; i++)
        {
            columns.Set(i % columns.Trips, loops);
            positions.Set(i / columns.Trips % positions.Trips, loops);
            groups.Set(i / columns.Trips / positions.Trips, loops);
            output.MoveTo(loops);
            Finish(operation, output, loops, sums[i], 0, null);
        }

        return pass.Cycles;
    }

    private void Finish(SystolicOperator operation, OutputUnit output, ReadOnlySpan<int> loops, Int128 accumulator, long taps, string? fault)
    {
        fault ??= output.Write(loops, accumulator, taps);
        if (fault is not null)
        {
            throw Fail(ExecutionDiagnostics.ScalarUndefined(span, Place(operation.Layer), fault));
        }
    }

    private string Place(int layer) => Place(layer, _step);

    private string Place(int layer, int step) => layer < 0
        ? string.Create(CultureInfo.InvariantCulture, $"step {step}")
        : string.Create(CultureInfo.InvariantCulture, $"step {step}, layer '{image.Layers[layer].Name}'");

    private static DiagnosticException Fail(Diagnostic diagnostic) => new(diagnostic);
}
