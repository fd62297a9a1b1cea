using System.Text.RegularExpressions;

namespace CnnCompiler.Rtl.Tests;

/// <summary>The sources themselves: no warning of Verilator's lint, and faults put into them are found by the comparison with the engines.</summary>
public partial class HardwareSourceTests
{
    private static readonly ArrayShape Plain = new(4, 3);
    private static readonly ArrayShape Buffered = new(4, 3, DoubleBuffered: true);

    /// <summary>Every combination of parameters that changes what is elaborated.</summary>
    public static TheoryData<int, int, bool, bool> Elaborations => new MatrixTheoryData<int, int, bool, bool>([1, 3], [1, 4], [false, true], [false, true]);

    /// <summary>A fault: module, text, what it becomes, and the array that has to show it.</summary>
    public static TheoryData<string, string, string, bool> Faults => new()
    {
        { "carry_save_adder", "(c[i-1] & (a[i-1] | b[i-1]))", "(c[i-1] & a[i-1])", false },
        { "configurable_pe", "if (!vertical_bypass) total", "if (!horizontal_bypass) total", false },
        { "configurable_pe", "vertical_bypass ? saved_carry : '0", "vertical_bypass ? '0 : '0", false },
        { "configurable_pe", "vertical_bypass ? saved_sum : total", "total", false },
        { "transparent_register", "bypass ? d : stored", "stored", false },
        { "signed_multiplier", "input  logic signed [OPERAND_WIDTH-1:0] b", "input  logic [OPERAND_WIDTH-1:0] b", false },
        { "weight_register", "if (weight_load) link", "link", false },
        { "weight_register", "weight_load ? weight_in : link", "link", true },
        { "weight_register", "if (weight_swap) in_use", "in_use", true },
        { "systolic_array", "column_bypass[c] ? entering : held & ~begins", "held & ~begins", false },
        { "systolic_array", "held & ~begins", "held & ~(begins & 1'b0)", true },
        { "systolic_array", "else if (configure)", "else", false },
    };

    [Theory]
    [MemberData(nameof(Elaborations))]
    public void Verilators_lint_has_no_warning(int rows, int columns, bool configurable, bool doubleBuffered)
    {
        RtlTier.Require();
        var shape = new ArrayShape(rows, columns, Configurable: configurable, DoubleBuffered: doubleBuffered);
        var (status, output, errors) = RtlTier.TryRun(RtlTier.Sources, "verilator", ["--lint-only", "-Wall", "--top-module", "systolic_array", .. shape.Parameters, .. RtlTier.Modules()]);
        Assert.Equal((0, string.Empty, string.Empty), (status, output, errors));
    }

    [Theory]
    [MemberData(nameof(Faults))]
    public void A_fault_in_the_hardware_is_found(string module, string text, string fault, bool doubleBuffered)
    {
        RtlTier.Require();
        var folder = RtlTier.NewFolder(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"fault_{module}_{Math.Abs(StableHash(text + fault))}"));
        var sources = RtlTier.NewFolder(Path.Combine(Path.GetFileName(folder), "sources"));
        var modules = new List<string>();
        foreach (var original in RtlTier.Modules())
        {
            var source = File.ReadAllText(original);
            if (Path.GetFileNameWithoutExtension(original) == module)
            {
                Assert.Contains(text, source, StringComparison.Ordinal);
                source = source.Replace(text, fault, StringComparison.Ordinal);
            }

            modules.Add(Path.Combine(sources, Path.GetFileName(original)));
            File.WriteAllText(modules[^1], "// verilator lint_off UNUSED\n// verilator lint_off WIDTH\n" + source);
        }

        var shape = doubleBuffered ? Buffered : Plain;
        var model = ArrayModel.Build(shape, modules, folder);
        Assert.Contains(Enumerable.Range(0, 40), seed => Differs(shape, model, seed));
    }

    [Fact]
    public void Every_module_is_in_a_file_of_its_name_and_says_what_it_is() => Assert.All(RtlTier.Modules(), file =>
    {
        var source = File.ReadAllText(file);
        Assert.StartsWith("// ", source, StringComparison.Ordinal);
        Assert.Equal(Path.GetFileNameWithoutExtension(file), Assert.Single(Module().Matches(source)).Groups["name"].Value);
    });

    private static bool Differs(ArrayShape shape, ArrayModel model, int seed)
    {
        var pass = RandomPasses.Pass(shape, seed);
        return HardwareAgainstEnginesTests.Difference(shape, pass, model.Run(pass)) is not null;
    }

    private static int StableHash(string text) => text.Aggregate(17, (hash, letter) => unchecked((hash * 31) + letter));

    [GeneratedRegex(@"^module (?<name>\w+)", RegexOptions.Multiline)]
    private static partial Regex Module();
}
