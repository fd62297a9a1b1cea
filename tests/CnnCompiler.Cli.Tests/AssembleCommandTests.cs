using CnnCompiler.TestSupport;

namespace CnnCompiler.Cli.Tests;

/// <summary><c>cnnc asm</c>, and launches shown step by step.</summary>
public class AssembleCommandTests
{
    private static readonly string Dot = Path.Combine(SharedMaterial.Repository, "samples", "kernels", "dot.csv");
    private static readonly string Inputs = Path.Combine(SharedMaterial.Repository, "samples", "kernels", "dot.inputs.csv");

    [Fact]
    public void A_kernel_of_the_esl_simulator_runs_with_its_memory_and_streams()
    {
        using var scratch = new Scratch();
        var memory = scratch.Write("memory.csv", "Address,Data\n1000,7\n");
        var result = Cnnc.Run("asm", Dot, "--format", "esl-csv", "--run", "--inputs", Inputs, "--memory", memory, "--memory-out", scratch["after.csv"], "--outputs", scratch["outputs.csv"]).Exits(0);
        Assert.Equal("32,14,-14,1\n", File.ReadAllText(scratch["outputs.csv"]));
        Assert.Equal("Address,Data\n1000,7\n4000,1\n", File.ReadAllText(scratch["after.csv"]));
        Assert.Contains("column 2 stored: -14\n", result.Out, StringComparison.Ordinal);

        // 6 steps on 4 columns load in 4 * 9 + 6 cycles; then fetch 1, step 0: 2, three rounds of 9 + 3 + 1, step 4: 6, EXIT 1
        Assert.Contains("91 cycles from the launch to its end, 49 of them executing; 25 words read, 5 written\n", result.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void A_memory_file_that_is_spread_over_too_much_memory_is_refused()
    {
        // a word in each of one page more than there may be
        using var scratch = new Scratch();
        var memory = scratch.Write("memory.csv", "Address,Data\n" + string.Concat(Enumerable.Range(0, Interpreter.OpenEdge.SparseWords.MaxPages + 1).Select(page => $"{(long)page * Interpreter.OpenEdge.SparseWords.PageBytes},1\n")));
        Assert.Contains("memory.csv: error CNN0717: ", Cnnc.Run("asm", Dot, "--run", "--memory", memory).Exits(1).Error, StringComparison.Ordinal);
    }

    [Fact]
    public void On_an_ideal_bus_the_same_kernel_is_faster()
    {
        var result = Cnnc.Run("asm", Dot, "--run", "--inputs", Inputs, "--machine", "openedge-ideal").Exits(0);

        // fetch 1, step 0: 2, three rounds of 3 + 3 + 1, column 3 stores two words: 3, EXIT 1
        Assert.Contains("28 of them executing", result.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void Streams_lie_where_the_pointers_say()
    {
        using var scratch = new Scratch();
        Cnnc.Run("asm", Dot, "--run", "--inputs", Inputs, "--read-pointers", "0x100,512,768,1024", "--write-pointers", "2048,2052,2056,2060", "--memory-out", scratch["after.csv"]).Exits(0);
        Assert.Equal("Address,Data\n2048,32\n2052,14\n2056,-14\n2060,1\n4000,1\n", File.ReadAllText(scratch["after.csv"]));
    }

    [Fact]
    public void The_listing_says_what_steps_cost_and_assembles_to_the_same_listing()
    {
        using var scratch = new Scratch();
        var listing = Cnnc.Run("asm", Dot).Exits(0).Out;
        Assert.Contains(".step 1  ; 9 cycles: 8 accesses take turns on the shared bus\n", listing, StringComparison.Ordinal);
        Cnnc.Run("asm", Dot, "-o", scratch["dot.s"]).Exits(0);
        Assert.Equal(listing, File.ReadAllText(scratch["dot.s"]));
        Assert.Equal(listing, Cnnc.Run("asm", scratch["dot.s"]).Exits(0).Out);
        Assert.Equal(Cnnc.Run("asm", Dot, "--run", "--inputs", Inputs).Exits(0).Out, Cnnc.Run("asm", scratch["dot.s"], "--run", "--inputs", Inputs).Exits(0).Out);
    }

    [Fact]
    public void The_trace_shows_every_cell_behind_every_step()
    {
        var lines = Cnnc.Run("asm", Dot, "--run", "--inputs", Inputs, "--trace").Exits(0).Out.Split('\n');
        var steps = lines.Where(line => line.StartsWith("cycle ", StringComparison.Ordinal)).ToList();
        Assert.Equal(1 + (3 * 3) + 2, steps.Count);
        Assert.Equal("cycle 43  step 0  2 cycles: column 0 makes 1 access", steps[0]);
        Assert.Equal("cycle 57  step 3  1 cycle  to step 1", steps[3]);
        Assert.Equal("cycle 90  step 5  1 cycle  ends", steps[^1]);
        Assert.Equal(16 * steps.Count, lines.Count(line => line.Contains("  R3 ", StringComparison.Ordinal)));
        var sums = lines.Where(line => line.StartsWith("  1,2  SADD R1, R1, ROUT", StringComparison.Ordinal)).Select(line => line.Split(" R1 ", StringSplitOptions.TrimEntries)[^1].Split(' ')[0]);
        Assert.Equal(["-1", "-5", "-14"], sums);
        Assert.Contains("  read pointers 0x40000004 0x41000000 0x42000000 0x43000000, write pointers 0x80000000 0x81000000 0x82000000 0x83000000", lines);
    }

    [Fact]
    public void A_mistake_stands_at_its_cell()
    {
        using var scratch = new Scratch();
        var file = scratch.Write("k.csv", "0,,,\nNOP,\"SADD R0, R7, 1\",NOP,NOP\nNOP,NOP,NOP,NOP\nNOP,NOP,NOP,NOP\nNOP,NOP,NOP,NOP\n");
        Assert.StartsWith($"{file}(2,5): error CNN0512: ", Cnnc.Run("asm", file).Exits(1).Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_kernel_without_an_end_is_a_diagnostic_that_names_the_option()
    {
        using var scratch = new Scratch();
        var file = scratch.Write("k.s", ".kernel k\n.columns 1\n.step\n0,0: JUMP #0, ZERO\n.step\n.step\n");
        var result = Cnnc.Run("asm", file, "--run", "--max-cycles", "1000").Exits(1);
        Assert.Contains("CNN0701", result.Error, StringComparison.Ordinal);
        Assert.Contains("--max-cycles", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("add --run", "--trace")]
    [InlineData("add --run", "--max-cycles", "5")]
    [InlineData("multiples of 4", "--run", "--read-pointers", "1,2,3,4")]
    [InlineData("takes 4 addresses", "--run", "--read-pointers", "0,4")]
    [InlineData("there is no format 'csv'", "--format", "csv")]
    [InlineData("there is no machine 'openedg'", "--machine", "openedg")]
    public void Options_that_mean_nothing_are_refused(string says, params string[] options) =>
        Assert.Contains(says, Cnnc.Run(["asm", Dot, .. options]).Exits(2).Error, StringComparison.Ordinal);

    [Fact]
    public void Run_traces_the_launch_that_is_named_and_ends_as_without()
    {
        using var scratch = new Scratch();
        Cnnc.Run("compile", Cnnc.Lenet5, "-t", "openedge", "-o", scratch["a.cnnb"]).Exits(0);
        var plain = Cnnc.Run("run", scratch["a.cnnb"], "--input", Cnnc.Digit(7)).Exits(0).Out;
        var traced = Cnnc.Run("run", scratch["a.cnnb"], "--input", Cnnc.Digit(7), "--trace", "1").Exits(0).Out;
        Assert.EndsWith(plain, traced, StringComparison.Ordinal);
        Assert.StartsWith("launch 1: kernel '", traced, StringComparison.Ordinal);
        Assert.Contains("  ends\n", traced, StringComparison.Ordinal);
        var listing = Cnnc.Run("disasm", scratch["a.cnnb"]).Exits(0).Out;
        Assert.All(listing.Split('\n').Where(line => line.StartsWith(".step ", StringComparison.Ordinal)), line => Assert.Matches(@"^\.step \d+  ; (\d+ to )?\d+ cycles?(: .+)?$", line));
    }

    [Theory]
    [InlineData("there is no launch 9999", "openedge", "--trace", "9999")]
    [InlineData("there is no launch -1", "openedge", "--trace", "-1")]
    [InlineData("one document", "openedge", "--trace", "0", "--json")]
    [InlineData("which has no launches", "arrayflex", "--trace", "0")]
    public void A_launch_that_is_not_there_is_refused(string says, string target, params string[] options) =>
        Assert.Contains(says, Cnnc.Run(["run", Cnnc.Lenet5, "-t", target, "--input", Cnnc.Digit(7), .. options]).Exits(2).Error, StringComparison.Ordinal);
}
