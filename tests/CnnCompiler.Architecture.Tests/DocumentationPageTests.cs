using System.Text.RegularExpressions;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Architecture.Tests;

/// <summary>The pages name files and tests that are there, and each page can be reached from the README.</summary>
public partial class DocumentationPageTests
{
    private static readonly IReadOnlyList<string> Pages = [.. SourceTree.Files(".md", "docs", "samples", "runtime", "grammar").Where(page => !page.Contains(".received", StringComparison.Ordinal)).Prepend("README.md")];

    [Fact]
    public void Every_link_leads_to_a_file_of_the_repository()
    {
        var broken = Pages.SelectMany(page => Links(page).Where(target => !Path.Exists(Path.Combine(SharedMaterial.Repository, target))).Select(target => $"{page}: {target}"));
        Assert.Empty(broken);
    }

    [Fact]
    public void Every_page_can_be_reached_from_the_readme()
    {
        var (reached, open) = (new HashSet<string>(StringComparer.Ordinal), new Stack<string>(["README.md"]));
        while (open.TryPop(out var page))
        {
            if (reached.Add(page))
            {
                foreach (var target in Links(page))
                {
                    // A folder is reached with its pages.
                    foreach (var next in target.EndsWith(".md", StringComparison.Ordinal) ? [target] : SourceTree.Files(".md", target))
                    {
                        open.Push(next);
                    }
                }
            }
        }

        Assert.Empty(SourceTree.Files(".md", "docs").Where(page => !page.Contains(".received", StringComparison.Ordinal)).Except(reached));
    }

    [Fact]
    public void Every_test_that_a_page_names_is_there()
    {
        var classes = SourceTree.Files(".cs", "tests").Select(file => Path.GetFileNameWithoutExtension(file).Split('.')[0]).ToHashSet(StringComparer.Ordinal);
        var named = Pages.SelectMany(page => TestClass().Matches(SourceTree.Read(page)).Select(match => (Page: page, Name: match.Groups["name"].Value))).ToList();
        Assert.NotEmpty(named);
        Assert.Empty(named.Where(test => !classes.Contains(test.Name)).Select(test => $"{test.Page}: {test.Name}"));
    }

    [Theory]
    [InlineData("layer")]
    [InlineData("pass")]
    [InlineData("instruction")]
    [InlineData("target")]
    public void What_can_be_added_has_a_page_with_the_tests_that_fail_without_a_part_of_it(string what)
    {
        var page = Assert.Single(Pages, page => page.StartsWith("docs/adding-", StringComparison.Ordinal) && page.EndsWith($"-{what}.md", StringComparison.Ordinal));
        Assert.NotEmpty(TestClass().Matches(SourceTree.Read(page)));
        Assert.Contains("| what fails without | test |", SourceTree.Read(page), StringComparison.Ordinal);
    }

    private static IEnumerable<string> Links(string page) => Link().Matches(SourceTree.Read(page)).Select(match => match.Groups["target"].Value).Where(target => !target.Contains("://", StringComparison.Ordinal))
        .Select(target => Path.GetRelativePath(SharedMaterial.Repository, Path.GetFullPath(Path.Combine(SharedMaterial.Repository, Path.GetDirectoryName(page)!, target))).Replace('\\', '/'));

    [GeneratedRegex(@"\]\((?<target>[^)#\s]+)(?:#[^)]*)?\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"`(?<name>[A-Z]\w*Tests)`")]
    private static partial Regex TestClass();
}
