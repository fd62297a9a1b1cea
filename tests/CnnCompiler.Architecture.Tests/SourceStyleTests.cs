namespace CnnCompiler.Architecture.Tests;

/// <summary>What reviewers would have to look for in every file.</summary>
public class SourceStyleTests
{
    private const int MostLines = 700;
    private static readonly IReadOnlyList<string> Sources = SourceTree.Files(".cs", "runtime", "src", "tests", "samples");

    [Fact]
    public void No_file_has_more_than_700_lines()
    {
        Assert.NotEmpty(Sources);
        Assert.All(Sources, file => Assert.True(SourceTree.Read(file).AsSpan().Count('\n') <= MostLines, file));
    }

    [Fact]
    public void No_source_says_that_something_is_left_to_do()
    {
        // written apart, so that this file does not say it
        string[] words = ["TO" + "DO", "FIX" + "ME", "HA" + "CK:", "NotImplemented" + "Exception"];
        Assert.All(Sources, file => Assert.DoesNotContain(words, word => SourceTree.Read(file).Contains(word, StringComparison.Ordinal)));
    }

    [Fact]
    public void No_file_names_a_place_on_the_machine_it_was_written_on()
    {
        string[] places = ["/ho" + "me/", "/wo" + "rk/", "/Us" + "ers/", "C:" + "\\"];
        string[] endings = [".cs", ".csproj", ".md", ".props", ".json", ".cnn", ".txt"];
        var files = endings.SelectMany(ending => SourceTree.Files(ending, "runtime", "src", "tests", "samples", "docs", "grammar"));
        Assert.All(files, file => Assert.DoesNotContain(places, place => SourceTree.Read(file).Contains(place, StringComparison.Ordinal)));
    }

    [Fact]
    public void Libraries_may_not_touch_console_files_clock_culture_or_chance()
    {
        Assert.Contains("BannedSymbols.txt", SourceTree.Read("src/Directory.Build.props"), StringComparison.Ordinal);
        Assert.Contains("BannedSymbols.txt", SourceTree.Read("runtime/Directory.Build.props"), StringComparison.Ordinal);
        var banned = SourceTree.Read("src/BannedSymbols.txt");
        Assert.All(["System.Console;", "System.DateTime.Now;", "System.Random;", "System.IO.File;"], symbol => Assert.Contains(symbol, banned, StringComparison.Ordinal));
    }

    [Fact]
    public void Every_package_in_use_is_in_the_notices()
    {
        var notices = SourceTree.Read("THIRD-PARTY-NOTICES.md");
        var packages = SourceTree.Files(".csproj", "runtime", "src", "tests", "samples")
            .Append("tests/Directory.Build.props")
            .SelectMany(file => System.Xml.Linq.XDocument.Parse(SourceTree.Read(file)).Descendants("PackageReference"))
            .Concat(System.Xml.Linq.XDocument.Parse(SourceTree.Read("Directory.Packages.props")).Descendants("GlobalPackageReference"))
            .Select(reference => (string?)reference.Attribute("Include"))
            .OfType<string>()
            .Distinct(StringComparer.Ordinal)
            .ToList();
        Assert.NotEmpty(packages);
        Assert.All(packages, package => Assert.Contains($"| {package} ", notices, StringComparison.Ordinal));
    }
}
