using System.Globalization;
using CnnCompiler.Image.Container;
using CnnCompiler.Image.Nests;
using CnnCompiler.Image.Overlay;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Image.Systolic;

/// <summary>
/// The rules that a systolic program keeps beyond the ranges of its fields (<c>docs/image-format.md</c>): what passes can be executed without leaving
/// memory. Throws <see cref="DiagnosticException"/>.
/// </summary>
internal sealed class SystolicChecker(MachineDescription machine, int layers, string file)
{
    private const long MostTrips = 1L << 48;
    private string _place = string.Empty;

    public static void Check(SystolicProgram program, MachineDescription machine, int layers, string file) => new SystolicChecker(machine, layers, file).Check(program);

    private static string StepAt(int step) => Text($"step {step}");

    private void Check(SystolicProgram program)
    {
        for (var i = 0; i < program.Configurations.Count; i++)
        {
            _place = Text($"configuration {i}");
            var (configuration, depths) = (program.Configurations[i], machine.Systolic!.Depths);
            Require(configuration.Rows == machine.Rows && configuration.Columns == machine.Columns, Text($"is for an array of {configuration.Rows}x{configuration.Columns}"));
            Require(depths.Contains(configuration.HorizontalDepth) && depths.Contains(configuration.VerticalDepth), "has groups that the machine has no clock for");
        }

        for (var i = 0; i < program.Steps.Count; i++)
        {
            _place = StepAt(i);
            Require(program.Steps[i].Layer < layers, "belongs to a layer that is not there");
            program.Steps[i].Match(
                operation =>
                {
                    Operator(operation, program.Configurations.Count);
                    return 0;
                },
                softmax =>
                {
                    Memory(softmax.Source, (long)softmax.Rows * softmax.Columns, "source");
                    Memory(softmax.Destination, (long)softmax.Rows * softmax.Columns, "destination");
                    return 0;
                },
                host =>
                {
                    Host(host);
                    return 0;
                },
                transform =>
                {
                    new OverlayChecker(machine, Require, Memory).Check(transform);
                    return 0;
                },
                convolution =>
                {
                    Operator(convolution.Operation, program.Configurations.Count);
                    new OverlayChecker(machine, Require, Memory).Check(convolution);
                    return 0;
                },
                nest =>
                {
                    Operator(nest.Operation, program.Configurations.Count);
                    var problem = NestChecker.Problem(nest, machine);
                    Require(problem is null, problem ?? string.Empty);
                    return 0;
                });
        }

        var nests = program.Steps.Select(step => step as NestStep).ToList();
        foreach (var (step, problem) in ChipContents.Problems(nests, (reader, writer) => nests[reader]!.DramRanges.Any(range => nests[writer]!.StoredRange is { } stored && range.Start < stored.End && stored.Start < range.End)))
        {
            _place = StepAt(step);
            Require(false, problem);
        }
    }

    private void Host(SystolicHostStep step)
    {
        var (function, operands) = (step.Function, step.Function.OperandBytes);
        Require(function.Problem is null, $"asks the host for {function.Problem}");
        Require(function.ResultBytes <= int.MaxValue && operands.All(bytes => bytes <= int.MaxValue), "has a tensor of the host that is too large");
        Require(function.Operations <= MostTrips, "has more operations than 2^48");
        Memory(step.First, operands[0], "first operand");
        Memory(step.Destination, function.ResultBytes, "destination");
        Require(Apart(step.First, operands[0]), "writes over what it reads");
        if (operands.Count > 1)
        {
            Memory(step.Second, operands[1], "second operand");
            Require(Apart(step.Second, operands[1]), "writes over what it reads");
        }

        bool Apart(int address, long bytes) => step.Destination + function.ResultBytes <= address || address + bytes <= step.Destination;
    }

    private void Operator(SystolicOperator step, int configurations)
    {
        var trips = 1L;
        foreach (var loop in step.Loops)
        {
            Require(trips <= MostTrips / loop.Extent, "has more trips than 2^48");
            trips *= loop.Extent;
        }

        Access(step, step.Input, "input", parallelOnly: false);
        Require(step.Input.Outside != SystolicOutside.Skip || step.Reduce != SystolicReduction.None, "skips a tap where nothing is reduced");
        if (step.Kernel is { } kernel)
        {
            Access(step, kernel, "kernel", parallelOnly: false);
            Require(kernel.Outside != SystolicOutside.Skip, "skips taps of its kernel");
        }

        foreach (var extra in step.Extras)
        {
            Access(step, extra, "extra", parallelOnly: true);
            Require(extra.Outside != SystolicOutside.Skip, "skips a further operand");
        }

        Access(step, step.Output, "output", parallelOnly: true);
        Require(step.Output.Outside == SystolicOutside.Never, "writes outside its output");
        Require(step.Reduce != SystolicReduction.None || step.Extent(SystolicRole.Row) == 1, "has rows to reduce and no reduction");
        Program(step, step.Pre, "pre", ScalarOpcode.Input);
        Program(step, step.Main, "main", ScalarOpcode.Input, step.Kernel is null ? ScalarOpcode.Input : ScalarOpcode.Kernel);
        Program(step, step.Post, "post", ScalarOpcode.Accumulator, ScalarOpcode.TapCount);
        if (step.Array is { } matrix)
        {
            Matrix(step, matrix, configurations);
        }
    }

    private void Matrix(SystolicOperator step, SystolicMatrix matrix, int configurations)
    {
        Require(step is { Kernel: { Element: SystolicElement.Int8, Outside: SystolicOutside.Never }, Input.Element: SystolicElement.Int8 }, "gives the array operands that are not int8");
        Require(step.Input.Outside != SystolicOutside.Skip && step.Input.FillValue is >= sbyte.MinValue and <= sbyte.MaxValue, "gives the array taps that it can't take");
        Require(step is { Reduce: SystolicReduction.Add, Accumulator: SystolicElement.Int32 }, "asks the array for something other than int32 sums");
        Require(Depends(step, step.Input, SystolicRole.Column) is false && Depends(step, step.Kernel!, SystolicRole.Position) is false, "is not a product of matrices");
        Require(step.Input.Dimensions.All(dimension => dimension.Divisor == 1), "gives the array an input whose index divides");
        Require(!step.Post.Any(instruction => instruction.Opcode == ScalarOpcode.TapCount), "counts taps behind the array");
        Require(
            Math.Max(Math.Max(matrix.Inner, matrix.LastColumns), Math.Max(matrix.LastRows, matrix.LastBoth)) < configurations, "uses a configuration that is not there");
        var (rows, columns, vectors) = (step.Extent(SystolicRole.Row), step.Extent(SystolicRole.Column), step.Extent(SystolicRole.Position));
        Require(matrix.VectorsPerTile <= vectors, "streams more vectors than there are");
        Require(
            matrix.GroupsPacked == 1 || (matrix.GroupsPacked * rows <= machine.Rows && matrix.GroupsPacked * columns <= machine.Columns && matrix.GroupsPacked <= step.Extent(SystolicRole.Group)),
            "packs more groups than the array holds");
        Require(
            rows <= machine.Rows || matrix.VectorsPerTile <= machine.Systolic![SystolicKeys.AccumulatorRows], "needs more accumulators than a column has");
    }

    private static bool Depends(SystolicOperator step, SystolicAccess access, SystolicRole role) =>
        access.Dimensions.Any(dimension => step.Loops.Where((loop, i) => loop.Role == role && loop.Extent > 1 && dimension.Coefficients[i] != 0).Any());

    private void Access(SystolicOperator step, SystolicAccess access, string what, bool parallelOnly)
    {
        var elements = 1L;
        foreach (var dimension in access.Dimensions)
        {
            Require(elements <= int.MaxValue / dimension.Extent, $"has an {what} that is too large");
            elements *= dimension.Extent;
            Require(dimension.Coefficients.Count == step.Loops.Count, $"has an {what} whose index has another number of loops");
            var (low, high) = ((Int128)dimension.Constant, (Int128)dimension.Constant);
            for (var i = 0; i < step.Loops.Count; i++)
            {
                var reach = (Int128)dimension.Coefficients[i] * (step.Loops[i].Extent - 1);
                Require(!parallelOnly || step.Loops[i].Role != SystolicRole.Row || reach == 0, $"has an {what} that changes while it reduces");
                (low, high) = (low + Int128.Min(reach, 0), high + Int128.Max(reach, 0));
            }

            Require(low >= int.MinValue && high <= int.MaxValue, $"has an {what} whose index is too large");
            Require(dimension.Divisor == 1 || access.Outside != SystolicOutside.Never, $"has an {what} whose index divides although it is never outside");
            Require(access.Outside != SystolicOutside.Never || (low >= 0 && high < dimension.Extent), $"has an {what} that leaves its tensor");
        }

        Require(access.Address % access.Element.Size() == 0, $"has an {what} at an address that is not a multiple of its element's size");
        Memory(access.Address, elements * access.Element.Size(), what);
    }

    private void Program(SystolicOperator step, IReadOnlyList<ScalarInstruction> program, string what, params ReadOnlySpan<ScalarOpcode> operands)
    {
        foreach (var instruction in program)
        {
            var isOperand = instruction.Opcode <= ScalarOpcode.TapCount;
            Require(!isOperand || operands.Contains(instruction.Opcode), $"uses a value that {what} does not have");
            Require(instruction.Opcode is not (ScalarOpcode.Extra or ScalarOpcode.Lookup) || instruction.Value < step.Extras.Count, $"uses a further operand in {what} that is not there");
        }

        Require(ScalarInstructionSet.StackDepth(program) is >= 1 and <= ScalarInstructionSet.DeepestStack, $"has a program {what} that does not leave one value");
    }

    private void Memory(int address, long bytes, string what)
    {
        if (address + bytes > machine.Ram.Bytes)
        {
            throw new DiagnosticException(ImageDiagnostics.OutsideMemory(file, Place, what, address, bytes, "RAM", machine.Ram.Bytes));
        }
    }

    private void Require(bool holds, string what)
    {
        if (!holds)
        {
            throw new DiagnosticException(ImageDiagnostics.SystolicRule(file, Place, what));
        }
    }

    private string Place => $"section {ImageFormat.Systolic.Name}, {_place}";

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
