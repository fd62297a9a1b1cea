using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Rtl.Tests;

/// <summary>What the configurability costs in cells, as Yosys synthesises the element with it and without: <c>docs/figures-rtl.md</c>.</summary>
public partial class CellsPerElementTests(ITestOutputHelper output)
{
    private const string Page = "docs/figures-rtl.md";

    /// <summary>
    /// Transistors of static CMOS gates, as Yosys's own <c>stat -tech cmos</c> counts them (passes/cmds/stat.cc, version 0.23). A flip-flop has 16; one with
    /// an enable too: the enable is a clock gate, which a whole word shares.
    /// </summary>
    private static readonly Dictionary<string, int> Transistors = new(StringComparer.Ordinal)
    {
        ["NOT"] = 2, ["NAND"] = 4, ["NOR"] = 4, ["AND"] = 6, ["OR"] = 6, ["ANDNOT"] = 6, ["ORNOT"] = 6, ["AOI3"] = 6, ["OAI3"] = 6, ["AOI4"] = 8, ["OAI4"] = 8,
        ["NMUX"] = 10, ["MUX"] = 12, ["XOR"] = 12, ["XNOR"] = 12,
    };

    private static readonly (string Title, string Operands, string Multiplier, string Technology)[] Rows =
    [
        .. from operands in (string[])["8x32", "32x64"]
           from way in ((string, string, string)[])
           [
               ("gates after `synth`", "fused", "generic"), ("CMOS gates", "fused", "cmos"), ("CMOS gates, multiplier apart", "apart", "cmos"),
               ("iCE40, 4-input tables", "fused", "ice40"), ("Xilinx series 7, no DSP", "fused", "xilinx"),
           ]
           select (way.Item1, operands, way.Item2, way.Item3),
    ];

    [Fact]
    public void Cells_per_element_are_those_of_the_page()
    {
        RtlTier.Require();
        var folder = RtlTier.NewFolder("cells");
        var version = Version().Match(RtlTier.Run(folder, "yosys", "-V")).Value;
        Assert.NotEmpty(version);
        RtlTier.Run(folder, "yosys", "-q", "-Q", "-T", "-c", Path.Combine(RtlTier.Sources, "synthesis", "cells.tcl"));
        var page = Write(folder, version);
        output.WriteLine(page);
        Assert.All(Rows, row => Assert.InRange(Overhead(folder, row), 0.05, 0.75));

        var committed = Path.Combine(SharedMaterial.Repository, Page);
        var of = File.Exists(committed) ? Version().Match(File.ReadAllText(committed)).Value : version;
        if (of == version || Environment.GetEnvironmentVariable("CNNC_ACCEPT") == "1")
        {
            Snapshot.Check(Page, page);
        }
        else
        {
            output.WriteLine($"{Page} is of {of}, this is {version}: another version may count otherwise, so the two are not compared.");
        }
    }

    private static double Overhead(string folder, (string Title, string Operands, string Multiplier, string Technology) row)
    {
        var (plain, configurable) = (Element(folder, row, "fixed"), Element(folder, row, "configurable"));
        return ((double)Size(configurable) / Size(plain)) - 1;
    }

    private static string Write(string folder, string version)
    {
        var text = new StringBuilder();
        text.Append(string.Create(CultureInfo.InvariantCulture, $$"""
            # What configurability costs in cells

            One processing element of [runtime/rtl](../runtime/rtl/README.md) with the configurability (`configurable_pe`: carry-save adder, carry-propagate adder, bypasses) and without (`fixed_pe`), synthesised by
            `runtime/rtl/synthesis/cells.tcl` with {{version}}. A test of the tier `rtl` writes this page (`CNNC_ACCEPT=1`) and compares it where Yosys has the same version; another version may count otherwise.

            Operands and sums have 8 and 32 bits as in the machines that are shipped, or 32 and 64 bits as in the paper. Transistors are Yosys's estimates for static CMOS, 16 a flip-flop; clock gates are not counted.
            Where the multiplier is apart, its product is added as a number; elsewhere synthesis may merge its last addition with the accumulation, which only the fixed element allows.

            | bits | cells of | fixed: cells | flip-flops | transistors | configurable: cells | flip-flops | transistors | more cells | more transistors |
            |---|---|---:|---:|---:|---:|---:|---:|---:|---:|

            """).ReplaceLineEndings("\n"));
        foreach (var row in Rows)
        {
            var (plain, configurable) = (Element(folder, row, "fixed"), Element(folder, row, "configurable"));
            text.Append(CultureInfo.InvariantCulture, $"| {row.Operands.Replace("x", ", ", StringComparison.Ordinal)} | {row.Title} | {Columns(plain)} | {Columns(configurable)} | {More(plain, configurable, Cells)} | {More(plain, configurable, Estimate)} |\n");
        }

        var (plainArray, array) = (Statistics(folder, "array-8x8-8x32-fixed"), Statistics(folder, "array-8x8-8x32-configurable"));
        var (apart, fused) = (Rows.Single(row => row is { Operands: "32x64", Multiplier: "apart" }), Rows.Single(row => row is { Operands: "32x64", Multiplier: "fused", Technology: "cmos" }));
        text.Append(string.Create(CultureInfo.InvariantCulture, $$"""

            A whole array of 8x8 elements of 8 and 32 bits, configuration bits and the line of valid bits included (CMOS gates, elements kept apart from each other): {{Cells(plainArray)}} cells and {{Estimate(plainArray)}} transistors
            fixed, {{Cells(array)}} and {{Estimate(array)}} configurable: {{More(plainArray, array, Cells)}} cells and {{More(plainArray, array, Estimate)}} transistors more.

            About 16 % more area for 8x8 elements with 32-bit operands after place and route in 28 nm is remembered from the paper, whose body could not be read again. For its widths we count, in CMOS gates,
            {{More(Element(folder, apart, "fixed"), Element(folder, apart, "configurable"), Estimate)}} more transistors with the multiplier apart and {{More(Element(folder, fused, "fixed"), Element(folder, fused, "configurable"), Estimate)}} without. With 8-bit operands the multiplier is much smaller and the second adder, the second word of the
            sums' way down and its multiplexers are not, so the same configurability weighs more.

            """).ReplaceLineEndings("\n"));
        return text.ToString();
    }

    private static string Columns(Dictionary<string, int> cells) => string.Create(
        CultureInfo.InvariantCulture, $"{Cells(cells)} | {FlipFlops(cells)} | {(Estimate(cells) is > 0 and var transistors ? transistors.ToString(CultureInfo.InvariantCulture) : "")}");

    private static string More(Dictionary<string, int> plain, Dictionary<string, int> configurable, Func<Dictionary<string, int>, int> size) =>
        size(plain) == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $"{100.0 * (size(configurable) - size(plain)) / size(plain):0.0} %");

    private static int Size(Dictionary<string, int> cells) => Estimate(cells) is > 0 and var transistors ? transistors : Cells(cells);

    private static int Cells(Dictionary<string, int> cells) => cells.Values.Sum();

    private static int FlipFlops(Dictionary<string, int> cells) => cells.Where(cell => IsFlipFlop(cell.Key)).Sum(cell => cell.Value);

    private static bool IsFlipFlop(string cell) => cell.Contains("DFF", StringComparison.Ordinal) || cell == "FDRE";

    /// <summary>Transistors, or 0 where the cells are an FPGA's.</summary>
    private static int Estimate(Dictionary<string, int> cells) =>
        cells.Keys.All(cell => cell.StartsWith('$')) ? cells.Sum(cell => cell.Value * (IsFlipFlop(cell.Key) ? 16 : Transistors[cell.Key.Trim('$', '_')])) : 0;

    private static Dictionary<string, int> Element(string folder, (string Title, string Operands, string Multiplier, string Technology) row, string variant) =>
        Statistics(folder, $"element-{row.Operands}-{variant}-{row.Multiplier}-{row.Technology}");

    private static Dictionary<string, int> Statistics(string folder, string name)
    {
        using var document = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, name + ".json")));
        return document.RootElement.GetProperty("design").GetProperty("num_cells_by_type").EnumerateObject().ToDictionary(cell => cell.Name, cell => cell.Value.GetInt32(), StringComparer.Ordinal);
    }

    [GeneratedRegex(@"Yosys \d[^\n]*?\)")]
    private static partial Regex Version();
}
