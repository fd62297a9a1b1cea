using System.Text.RegularExpressions;
using CnnCompiler.Fuzzing;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.Nests;

namespace CnnCompiler.Nests.Tests;

/// <summary><c>--emit timeloop</c>: each document is in the form of Timeloop's problems and mappings, and its mapping covers its problem.</summary>
public partial class TimeloopTests
{
    private static readonly string[] Lines =
    [
        "#.*", "problem:", "  shape:", "    name: \"[^\"]+\"", @"    dimensions: \[ \w+(, \w+)* \]", "    coefficients:", @"    - name: S\d+", @"      default: \d+", "    data-spaces:",
        "    - name: (Inputs|Kernel|Outputs)", "      projection:", @"      - \[ (\[\w+(, S\d+)?\](, \[\w+(, S\d+)?\])*)? \](   # .*)?", "      read-write: true", "  instance:", @"    \w+: \d+(   # \d+ in the network)?",
        "mapping:", "- target: (DRAM|Buffer)", "  type: (temporal|spatial|bypass)", @"  keep: \[ (\w+(, \w+)*)? \]", @"  bypass: \[ \w+(, \w+)* \]", @"  factors: \[ \w+=\d+(, \w+=\d+)* \](   # .*)?", @"  permutation: \[ \w+(, \w+)* \]",
    ];

    [Fact]
    public void Documents_are_problems_with_mappings_that_cover_them()
    {
        var documents = 0;
        for (var seed = 0; seed < 10; seed++)
        {
            var mapped = NestTests.Map(RandomNetworks.Network(seed), BuiltInMachines.Gconv[seed % BuiltInMachines.Gconv.Count]);
            foreach (var document in TimeloopText.Of(mapped).Split("---\n").Skip(1))
            {
                foreach (var line in document.TrimEnd('\n').Split('\n'))
                {
                    Assert.True(Lines.Any(form => Regex.IsMatch(line, $"^{form}$", RegexOptions.None, TimeSpan.FromSeconds(1))), line);
                }

                var instance = Pairs(document, Instance());
                var dimensions = Dimensions().Match(document).Groups["names"].Value.Split(", ");
                Assert.Equal(dimensions, instance.Select(pair => pair.Name));
                var factors = document.Split('\n').Where(line => line.StartsWith("  factors", StringComparison.Ordinal)).Select(line => Pairs(line.Split('#')[0], Factor())).ToList();
                Assert.Equal(3, factors.Count);
                Assert.All(instance, extent => Assert.Equal(extent.Value, factors.Aggregate(1L, (product, level) => product * level.Single(factor => factor.Name == extent.Name).Value)));
                Assert.All(document.Split('\n').Where(line => line.StartsWith("  permutation", StringComparison.Ordinal)), line => Assert.Equal(dimensions.Order(StringComparer.Ordinal), Word().Matches(line[14..]).Select(word => word.Value).Order(StringComparer.Ordinal)));
                documents++;
            }

            Assert.Equal(mapped.Nests.Count, TimeloopText.Of(mapped).Split("---\n").Length - 1);
        }

        Assert.InRange(documents, 20, int.MaxValue);
    }

    /// <summary>What never is in DRAM bypasses it, and what of it is on the chip is said.</summary>
    [Fact]
    public void What_stays_on_the_chip_is_said()
    {
        // a window from a to b, which is stored besides for d; c reads b as a whole
        var machine = NestLevels.Small("nlr", 4, 4, 2048, 256);
        var mapped = TurnTests.Mapped(
            TurnTests.Read("a = conv2d(x, filters=8, kernel=1)\n b = max_pool2d(a, kernel=4, stride=4)\n c = conv2d(b, filters=8, kernel=1)\n d = max_pool2d(a, kernel=2)\n output c, d", "i8[1, 24, 16, 4] scale 0.5 zero 3"), machine, []);
        var documents = TimeloopText.Of(mapped).Split("---\n").Skip(1).ToList();
        Assert.Equal(2, mapped.Nests[0].Chip!.OutputWindow!.Loops);
        var window = string.Join(", ", mapped.Nests[0].Chip!.OutputWindow!.Extents);
        Assert.Contains($"# Outputs: on the chip, [ {window} ] of it at a time, handed over to the next step over 2 loops, and in DRAM\n", documents[0], StringComparison.Ordinal);
        Assert.DoesNotContain("bypass", documents[0], StringComparison.Ordinal);
        Assert.Contains($"# Inputs: on the chip, [ {window} ] of it at a time, handed over by the step before over 2 loops\n", documents[1], StringComparison.Ordinal);
        Assert.Contains("# Outputs: on the chip, all of it\n", documents[1], StringComparison.Ordinal);
        Assert.Contains("- target: DRAM\n  type: bypass\n  keep: [  ]\n  bypass: [ Inputs, Outputs ]\n", documents[1], StringComparison.Ordinal);
        Assert.Contains("# Inputs: on the chip, all of it\n", documents[2], StringComparison.Ordinal);
        Assert.Contains("  keep: [ Kernel, Outputs ]\n  bypass: [ Inputs ]\n", documents[2], StringComparison.Ordinal);
        Assert.All(documents.SelectMany(document => document.TrimEnd('\n').Split('\n')), line => Assert.True(Lines.Any(form => Regex.IsMatch(line, $"^{form}$", RegexOptions.None, TimeSpan.FromSeconds(1))), line));

        // nothing is said where nothing is there
        var plain = TurnTests.Mapped(TurnTests.Read("a = conv2d(x, filters=8, kernel=1)\n output a", "i8[1, 24, 16, 4] scale 0.5 zero 3"), machine, []);
        Assert.DoesNotContain("on the chip", TimeloopText.Of(plain), StringComparison.Ordinal);
        Assert.DoesNotContain("bypass", TimeloopText.Of(plain), StringComparison.Ordinal);
    }

    private static List<(string Name, long Value)> Pairs(string text, Regex form) => [.. form.Matches(text).Select(match => (match.Groups["name"].Value, long.Parse(match.Groups["value"].Value, System.Globalization.CultureInfo.InvariantCulture)))];

    [GeneratedRegex(@"^    (?<name>\w+): (?<value>\d+)", RegexOptions.Multiline)]
    private static partial Regex Instance();

    [GeneratedRegex(@"dimensions: \[ (?<names>.*) \]")]
    private static partial Regex Dimensions();

    [GeneratedRegex(@"(?<name>\w+)=(?<value>\d+)(?=[, ])")]
    private static partial Regex Factor();

    [GeneratedRegex(@"\w+")]
    private static partial Regex Word();
}
