using System.Globalization;
using CnnCompiler.Fuzzing;
using CnnCompiler.Image.Container;
using CnnCompiler.Interpreter.Execution;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Rtl.Tests;

/// <summary>The tiles of an emitted image, with the data they have in a run, on the hardware: the sums, their cycles, and the cycles of each operator that the interpreter counts.</summary>
public class EmittedTilesTests(ITestOutputHelper output)
{
    /// <summary>Bytes of its input, int8 [1, 28, 28, 1].</summary>
    private const int Lenet5Input = 28 * 28;

    /// <summary>Arrays and options: groups that do not divide the sides, depths that differ by direction and by tile, two weight registers, trimmed tiles.</summary>
    public static TheoryData<int, int, string[]> Machines => new()
    {
        { 16, 16, [] },
        { 5, 7, ["asymmetric", "double-buffered"] },
        { 5, 7, ["trimmed", "depth-per-tile"] },
    };

    [Theory]
    [MemberData(nameof(Machines))]
    public void Every_tile_of_lenet_5_runs_on_the_hardware_as_in_the_interpreter(int rows, int columns, string[] on)
    {
        RtlTier.Require();
        var image = Lenet5(BuiltInMachines.ArrayFlex[3] with { Name = $"array-{rows}x{columns}", Rows = rows, Columns = columns }, on);
        var operators = new List<SteppedOperator>();
        var input = new byte[Lenet5Input];
        var random = new SeededRandom(5);
        foreach (ref var element in input.AsSpan())
        {
            element = (byte)random.NextCode();
        }

        var result = ImageInterpreter.Run(image, [input], new RunOptions { AlwaysWalkCycles = true, AfterSteppedOperator = operators.Add });
        Assert.True(result.Succeeded, string.Join('\n', result.Diagnostics));
        Assert.NotEmpty(operators);
        Assert.Equal(result.Systolic.Sum(layer => layer.ArrayCycles), operators.Sum(one => one.Pass.Cycles));
        foreach (var one in operators)
        {
            var shape = new ArrayShape(rows, columns, DoubleBuffered: one.DoubleBuffered);
            var hardware = ArrayModel.Of(shape).Run(one.Tiles);
            Assert.Null(HardwareAgainstEnginesTests.Difference(shape, one.Tiles, hardware));
            Assert.Equal(one.Pass.Cycles, hardware.Ends[^1]);
        }

        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{rows}x{columns}: {operators.Count} operators, {operators.Sum(one => one.Tiles.Count)} tiles, {operators.Sum(one => one.Pass.Cycles)} cycles"));
    }

    private static CnnImage Lenet5(MachineDescription machine, string[] on)
    {
        var samples = Path.Combine(SharedMaterial.Repository, "samples");
        var compiled = Compiler.Compile(new("lenet5.cnn", File.ReadAllBytes(Path.Combine(samples, "lenet5.cnn")), "arrayflex")
        {
            Machine = machine,
            Companion = name => File.ReadAllBytes(Path.Combine(samples, name)),
            Options = on.Append("vector-products").ToDictionary(name => "map-to-systolic." + name, name => name == "vector-products" ? "off" : "on", StringComparer.Ordinal),
        });
        var diagnostics = new DiagnosticBag();
        var image = compiled.Image is { } bytes ? ImageReader.Read(bytes, "lenet5.cnnb", diagnostics) : null;
        Assert.True(image is not null, string.Join('\n', compiled.Diagnostics.Concat(diagnostics.Diagnostics)));
        return image;
    }
}
