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
        "mapping:", "- target: (DRAM|Buffer)", "  type: (temporal|spatial)", @"  factors: \[ \w+=\d+(, \w+=\d+)* \](   # .*)?", @"  permutation: \[ \w+(, \w+)* \]",
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
