using System.Globalization;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Cli.Tests;

/// <summary><c>cnnc explore</c>.</summary>
public class ExploreCommandTests
{
    private static readonly string Network = Cnnc.Lenet5;

    [Fact]
    public void The_front_is_printed_as_CSV_that_says_of_what_it_is()
    {
        var run = Cnnc.Run("explore", Network, "--elements", "24", "--machine", "overlay-16x16").Exits(0);
        var lines = Lines(run.Out);
        Assert.Equal("# cycles of lenet5 on overlay-16x16, the front within 24 elements", lines[0]);
        Assert.Equal("rows,columns,elements,cost,activationBytes,weightBytes,accumulatorRows,readBytes,writeBytes", lines[1]);
        var front = lines.Skip(2).Select(line => line.Split(',').Select(Whole).ToArray()).ToList();
        Assert.True(front.Count > 2);
        Assert.All(front, cells => Assert.Equal(cells[0] * cells[1], cells[2]));
        Assert.All(front.Zip(front.Skip(1)), pair => Assert.True(pair.First[2] < pair.Second[2] && pair.First[3] > pair.Second[3]));
        Assert.Contains("shapes decided", run.Error, StringComparison.Ordinal);
        Assert.Contains("84 shapes, ", run.Error, StringComparison.Ordinal);
        Assert.Equal(lines[^1], Lines(Cnnc.Run("explore", Network, "--elements", "24", "--machine", "overlay-16x16", "--fastest").Exits(0).Out)[^1]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Parts_merge_to_the_whole(bool fastest)
    {
        using var scratch = new Scratch();
        string[] arguments = ["explore", Network, "--elements", "20", "--machine", "overlay-16x16", .. fastest ? (string[])["--fastest"] : []];
        var files = Enumerable.Range(1, 3).Select(part => scratch.Write($"{part}.csv", Cnnc.Run([.. arguments, "--shard", $"{part}/3"]).Exits(0).Out)).ToArray();
        Assert.Equal(Cnnc.Run(arguments).Exits(0).Out, Cnnc.Run(["explore", "--merge", .. files]).Exits(0).Out);

        Assert.Contains("of 3 parts 2 is missing", Cnnc.Run("explore", "--merge", files[0], files[2]).Exits(2).Error, StringComparison.Ordinal);
        Assert.Contains("a part is given twice", Cnnc.Run(["explore", "--merge", .. files, files[0]]).Exits(2).Error, StringComparison.Ordinal);
        var other = scratch.Write("other.csv", Cnnc.Run("explore", Network, "--elements", "21", "--machine", "overlay-16x16", "--shard", "2/3").Exits(0).Out);
        Assert.Contains("two explorations", Cnnc.Run("explore", "--merge", files[0], other, files[2]).Exits(2).Error, StringComparison.Ordinal);
        Assert.Contains("--merge explores nothing", Cnnc.Run(["explore", "--elements", "20", "--merge", .. files]).Exits(2).Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Networks_are_explored_together_and_under_the_published_costs()
    {
        var one = Last(Cnnc.Run("explore", Network, "--elements", "12", "--fastest").Exits(0));
        var two = Last(Cnnc.Run("explore", Network, Network, "--elements", "12", "--fastest").Exits(0));
        Assert.Equal((one[0], one[1], 2 * one[3]), (two[0], two[1], two[3]));
        Assert.Equal([62, 98, 6076, 882317184], Last(Cnnc.Run("explore", "--published", "--fastest").Exits(0)));
        var zoo = Path.Combine(SharedMaterial.Repository, "samples", "zoo", "googlenet.cnn");
        Assert.Equal([62, 98, 6076, 882317184], Last(Cnnc.Run("explore", "--published", "--fastest", zoo).Exits(0)));
    }

    [Fact]
    public void Budgets_are_divided()
    {
        var cells = Last(Cnnc.Run("explore", Network, "--elements", "6", "--buffer-bytes", "40960", "--bandwidth", "64", "--fastest").Exits(0));
        const long bytesOfSum = 6;
        Assert.InRange(cells[4] + cells[5] + (cells[6] * bytesOfSum * cells[1]), 1, 40960);
        Assert.InRange(cells[7] + cells[8], 1, 64);
    }

    [Fact]
    public void A_machine_may_come_from_a_file()
    {
        using var scratch = new Scratch();
        var shipped = Path.Combine(SharedMaterial.Repository, "runtime", "CnnCompiler.Primitives", "Machines");
        var slow = scratch.Write("slow.json", File.ReadAllText(Path.Combine(shipped, "overlay.machine.json")).Replace("\"bytesPerCycle\": { \"value\": 128", "\"bytesPerCycle\": { \"value\": 1", StringComparison.Ordinal));
        var (fast, other) = (Last(Cnnc.Run("explore", Network, "--elements", "40", "--fastest").Exits(0)), Last(Cnnc.Run("explore", Network, "--elements", "40", "--fastest", "--machine", slow).Exits(0)));
        Assert.True(other[3] > fast[3]);
        Assert.Equal(1, other[7]);
        Assert.Contains("did you mean 'overlay-u200'", Cnnc.Run("explore", Network, "--machine", "overlay-u20").Exits(2).Error, StringComparison.Ordinal);
        Assert.Contains("CNN0", Cnnc.Run("explore", Network, "--machine", Path.Combine(shipped, "arrayflex.machine.json")).Exits(1).Error, StringComparison.Ordinal);
        Assert.Contains("CNN0", Cnnc.Run("explore", Network, "--machine", scratch["absent.json"]).Exits(1).Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("what is to be explored isn't clear")]
    [InlineData("--elements is 0", "NETWORK", "--elements", "0")]
    [InlineData("--elements is 2000000", "NETWORK", "--elements", "2000000")]
    [InlineData("--buffer-bytes is 8", "NETWORK", "--buffer-bytes", "8")]
    [InlineData("--bandwidth is 1000000", "NETWORK", "--bandwidth", "1000000")]
    [InlineData("--shard takes i/n", "NETWORK", "--shard", "0/3")]
    [InlineData("--shard takes i/n", "NETWORK", "--shard", "4/3")]
    [InlineData("--shard takes i/n", "NETWORK", "--shard", "half")]
    [InlineData("know neither buffers nor machines", "--published", "--bandwidth", "64")]
    [InlineData("know neither buffers nor machines", "--published", "--machine", "overlay-u200")]
    [InlineData("is not what cnnc explore prints", "--merge", "NETWORK")]
    public void What_is_wrong_with_the_command_line_is_told(string expected, params string[] arguments) =>
        Assert.Contains(expected, Cnnc.Run(["explore", .. arguments.Select(argument => argument == "NETWORK" ? Network : argument)]).Exits(2).Error, StringComparison.Ordinal);

    [Theory]
    [InlineData("")]
    [InlineData("rows,columns,elements,cost\n")]
    [InlineData("# x\nrows,columns,elements,cost\n1,2,3,4\n")]
    [InlineData("# x\nrows,columns,elements,cost\n1,2\n")]
    [InlineData("# x\nrows,columns,elements,cost\n1,-2,-2,4\n")]
    [InlineData("# x; part 3/2\nrows,columns,elements,cost\n1,2,2,4\n")]
    [InlineData("# x; part a\nrows,columns,elements,cost\n1,2,2,4\n")]
    public void A_file_that_is_no_part_is_refused(string text)
    {
        using var scratch = new Scratch();
        Assert.Contains("is not what cnnc explore prints", Cnnc.Run("explore", "--merge", scratch.Write("part.csv", text)).Exits(2).Error, StringComparison.Ordinal);
    }

    private static long Whole(string cell) => long.Parse(cell, CultureInfo.InvariantCulture);

    private static string[] Lines(string text) => text.TrimEnd('\n').Split('\n');

    private static long[] Last(CnncResult run) => [.. run.LastLine.Split(',').Select(Whole)];
}
