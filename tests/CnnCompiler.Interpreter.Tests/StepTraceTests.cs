using System.Text.Json;
using CnnCompiler.Image.Container;
using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Interpreter.Execution;
using CnnCompiler.Interpreter.OpenEdge;
using CnnCompiler.Interpreter.Vectors;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Interpreter.Tests;

/// <summary>Launches shown step by step, and what the listing of a kernel says of its steps' cycles.</summary>
public sealed class StepTraceTests
{
    public static TheoryData<string> Files => new(Directory.GetFiles(SharedMaterial.Vectors("openedge"), "*.json").Select(Path.GetFileName).Order(StringComparer.Ordinal)!);

    [Theory]
    [MemberData(nameof(Files))]
    public void Every_step_of_the_measured_programs_takes_as_long_as_its_listing_says_and_the_trace_changes_nothing(string file)
    {
        var vectors = Vectors(file);
        var (exact, bounded, open) = (0, 0, 0);
        foreach (var vector in vectors.Where(vector => vector.Launches.Count == 1))
        {
            var kernel = Assert.Single(VectorImage.Build(vector).Kernels);
            if (kernel.Steps < BuiltInMachines.Default.MinStepsPerKernel)
            {
                continue; // such kernels do not load as they are written (openedge.md section 8.3)
            }

            var (steps, outcome) = Trace(vector);
            Assert.Equal((vector.Launches[0].ExecFirst, vector.Launches[0].Done), (outcome.ExecFirst, outcome.Done));
            Assert.Equal(outcome.Done - outcome.ExecFirst, 1 + steps.Sum(step => step.Duration));
            Assert.Equal(-1, steps[^1].Next);
            for (var index = 0; index < steps.Count; index++)
            {
                var step = steps[index];
                Assert.Equal(index == 0 ? 0 : steps[index - 1].Next, step.Step);
                if (step.Step >= kernel.Steps)
                {
                    continue;
                }

                var timing = OpenEdgeStepTiming.Of(kernel, step.Step, vector.Bus);
                Assert.True(step.Duration >= timing.Least && step.Duration <= (timing.Most ?? int.MaxValue), $"{vector.Name}, step {step.Step}: {step.Duration} cycles, said was {timing}");
                exact += timing.Most == timing.Least ? 1 : 0;
                bounded += timing.Most > timing.Least ? 1 : 0;
                open += timing.Most is null ? 1 : 0;
            }
        }

        Assert.True(exact > bounded + open && exact > 100, $"{exact} exact, {bounded} bounded, {open} without a bound");
    }

    [Fact]
    public void On_every_bus_the_measured_programs_reach_both_bounds()
    {
        var reached = new HashSet<(BusKind Bus, bool Most)>();
        foreach (var file in Files)
        {
            foreach (var vector in Vectors(file.Data).Where(vector => vector.Launches.Count == 1))
            {
                var kernel = VectorImage.Build(vector).Kernels[0];
                foreach (var step in Trace(vector).Steps.Where(step => step.Step < kernel.Steps))
                {
                    var timing = OpenEdgeStepTiming.Of(kernel, step.Step, vector.Bus);
                    if (timing.Most == step.Duration)
                    {
                        reached.Add((vector.Bus.Kind, true));
                    }

                    if (timing.Least == step.Duration)
                    {
                        reached.Add((vector.Bus.Kind, false));
                    }
                }
            }
        }

        Assert.Equal(6, reached.Count);
    }

    [Theory]
    [InlineData(BusKind.Ideal, "3 cycles: column 1 makes 2 of 3 accesses one after the other", 3, 3)]
    [InlineData(BusKind.Shared, "4 cycles: 3 accesses take turns on the shared bus", 4, 4)]
    [InlineData(BusKind.Banked, "3 to 4 cycles: column 1 makes 2 of 3 accesses, and those that meet in a bank take turns", 3, 4)]
    public void The_listing_says_what_a_step_waits_for(BusKind bus, string expected, int least, int most)
    {
        var kernel = Assembled("    0,0: LWD ROUT, #4\n    1,1: LWD ROUT, #4\n    2,1: SWD ROUT, #4\n");
        var timing = OpenEdgeStepTiming.Of(kernel, 0, new(bus));
        Assert.Equal((expected, least, most), (timing.ToString(), timing.Least, timing.Most));
    }

    [Fact]
    public void A_product_hides_two_accesses_and_a_step_that_waits_for_nothing_has_no_reason()
    {
        var bus = new BusDescription(BusKind.Shared);
        Assert.Equal("3 cycles: a product takes 3; beside it, column 0 makes 1 access", OpenEdgeStepTiming.Of(Assembled("    0,0: LWD ROUT, #4\n    1,1: SMUL ROUT, R0, R1\n"), 0, bus).ToString());
        Assert.Equal("4 cycles: column 0 makes 3 accesses one after the other, a product beside them", OpenEdgeStepTiming.Of(Assembled("    0,0: LWD ROUT, #4\n    1,0: LWD ROUT, #4\n    2,0: LWD ROUT, #4\n    1,1: SMUL ROUT, R0, R1\n"), 0, bus).ToString());
        Assert.Equal("1 cycle", OpenEdgeStepTiming.Of(Assembled("    0,0: SADD ROUT, R0, R1\n"), 0, bus).ToString());
        Assert.Equal("at least 2 cycles: column 0 makes 1 access", OpenEdgeStepTiming.Of(Assembled("    0,0: LWD ROUT, #4\n"), 0, bus with { GrantDelay = 1 }).ToString());
    }

    [Fact]
    public void The_listing_with_cycles_assembles_to_the_same_kernel()
    {
        var kernel = Assembled("    0,0: LWD R1, #4\n");
        var text = OpenEdgeDisassembler.Print(kernel, new(BusKind.Shared));
        Assert.Contains(".step 0  ; 2 cycles: column 0 makes 1 access\n", text, StringComparison.Ordinal);
        var again = OpenEdgeAssembler.Assemble(text, "k.s", new DiagnosticBag())!;
        Assert.Equal(kernel.Rows.SelectMany(row => row), again.Rows.SelectMany(row => row));
    }

    [Fact]
    public void A_traced_launch_of_an_image_shows_registers_flags_and_pointers_and_gives_the_same_result()
    {
        var image = TestPrograms.ImageOf(
            BusKind.Shared,
            [TestPrograms.CopyWord()],
            [new(0, 1, [TestPrograms.DataIn, null, null, null], [TestPrograms.DataOut, null, null, null])],
            [new HostLoadKernel(-1, 0, 1, 0), new HostLaunch(-1, 0), new HostWait(-1)]);
        var steps = new List<StepTrace>();
        var traced = TestPrograms.Run(image, new() { TraceLaunch = 0, Trace = steps.Add });
        var plain = TestPrograms.Run(image);
        Assert.Empty(traced.Diagnostics);
        Assert.Equal(plain.Cycles, traced.Cycles);
        Assert.Equal(plain.Launches, traced.Launches);
        Assert.Equal([0, 1, 2], steps.Select(step => step.Step));
        var cell = steps[0].Cells[0];
        Assert.Equal((0x04030201, 0x04030201, 0, false, false), (cell.Rout, cell.R0, cell.R1, cell.Sign, cell.Zero));
        Assert.Equal((uint)TestPrograms.DataIn + 4, steps[0].ReadPointers[0]);
        Assert.Equal((uint)TestPrograms.DataOut, steps[0].WritePointers[0]);
        Assert.Equal((uint)TestPrograms.DataOut + 4, steps[1].WritePointers[0]);
        Assert.Empty(Traced(image, launch: 1));

        static List<StepTrace> Traced(CnnImage image, int launch)
        {
            var steps = new List<StepTrace>();
            TestPrograms.Run(image, new() { TraceLaunch = launch, Trace = steps.Add });
            return steps;
        }
    }

    private static List<GoldenVector> Vectors(string file)
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(SharedMaterial.Vectors("openedge", file)));
        var reader = new GoldenVectorReader(SourceSpan.WholeFile(file));
        return [.. document.RootElement.EnumerateArray().Select(vector => reader.Read(vector, GoldenVectorReader.Name(vector)!))];
    }

    private static KernelImage Assembled(string step)
    {
        var problems = new DiagnosticBag();
        var kernel = OpenEdgeAssembler.Assemble($".kernel k\n.columns 0b1111\n.step\n{step}.step\n.step\n    0,0: EXIT\n", "k.s", problems);
        Assert.Empty(problems.Diagnostics);
        return kernel!;
    }

    private static (List<StepTrace> Steps, LaunchOutcome Outcome) Trace(GoldenVector vector)
    {
        var array = new OpenEdgeArray(vector.Bus) { StoresGetResponses = vector.StoresGetResponses };
        for (var row = 0; row < vector.Context.Count; row++)
        {
            for (var word = 0; word < vector.Context[row].Count; word++)
            {
                array.WriteContext(row, word, vector.Context[row][word]);
            }
        }

        for (var id = 0; id < vector.Configuration.Count; id++)
        {
            array.WriteConfiguration(id, vector.Configuration[id]);
        }

        var words = new SparseWords();
        var launch = vector.Launches[0];
        foreach (var (address, word) in vector.Memory.Concat(launch.Memory))
        {
            words.TrySet(address, word);
        }

        for (var column = 0; column < launch.ReadPointers.Count; column++)
        {
            array.WriteReadPointer(column, launch.ReadPointers[column]);
        }

        for (var column = 0; column < launch.WritePointers.Count; column++)
        {
            array.WriteWritePointer(column, launch.WritePointers[column]);
        }

        var memory = new SparseMemory(words);
        var steps = new List<StepTrace>();
        Assert.Equal(ArrayStop.Paused, array.Begin(launch.Kernel));
        Assert.Equal(ArrayStop.Done, array.ContinueTraced(ref memory, RunOptions.DefaultMaxCycles, steps.Add));
        return (steps, array.Outcome);
    }
}
