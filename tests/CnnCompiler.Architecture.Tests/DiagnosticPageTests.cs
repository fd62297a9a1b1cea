using System.Globalization;
using System.Text.RegularExpressions;

namespace CnnCompiler.Architecture.Tests;

/// <summary>
/// <c>docs/diagnostics</c> has a section for each code that the sources give, on its area's page, with an example (which <c>DocumentedDiagnosticsTests</c> compiles) or a test that shows it,
/// and for no other code: a code that is gone is listed as retired and never comes back.
/// </summary>
public partial class DiagnosticPageTests
{
    private const string Folder = "docs/diagnostics";

    private static readonly IReadOnlyList<string> Pages = SourceTree.Files(".md", Folder).Where(page => !page.EndsWith("README.md", StringComparison.Ordinal) && !page.Contains(".received", StringComparison.Ordinal)).ToList();

    private static readonly IReadOnlyList<(string Page, int Code, string Text)> Sections = Pages.SelectMany(page => Heading().Split(SourceTree.Read(page)).Skip(1).Chunk(2)
        .Select(part => (page, int.Parse(part[0], CultureInfo.InvariantCulture), part[1]))).ToList();

    [Fact]
    public void Each_code_has_one_section_and_each_section_a_code()
    {
        Assert.NotEmpty(Sections);
        Assert.Equal(DiagnosticCodeTests.Given.Select(given => given.Code).Distinct().Order(), Sections.Select(section => section.Code).Order());
    }

    [Fact]
    public void The_sections_of_a_page_are_those_of_its_area_in_their_order() => Assert.All(Pages, page =>
    {
        var range = Range().Match(SourceTree.Read(page));
        var (first, last) = (int.Parse(range.Groups["first"].Value, CultureInfo.InvariantCulture), int.Parse(range.Groups["last"].Value, CultureInfo.InvariantCulture));
        var codes = Sections.Where(section => section.Page == page).Select(section => section.Code).ToList();
        Assert.Equal(codes.Order(), codes);
        Assert.All(codes, code => Assert.InRange(code, first, last));
    });

    [Fact]
    public void Each_section_has_an_example_or_names_a_test_that_shows_the_code() => Assert.All(Sections, section =>
    {
        if (section.Text.Contains("\n```text\n", StringComparison.Ordinal))
        {
            return;
        }

        var shown = Shown().Match(section.Text);
        Assert.True(shown.Success, $"CNN{section.Code:0000} has neither an example nor a test");
        var test = SourceTree.Read(shown.Groups["test"].Value);
        var names = DiagnosticCodeTests.Given.Where(given => given.Code == section.Code).Select(given => given.Method).Concat([$"CNN{section.Code:0000}", $"\", {section.Code}, "]);
        Assert.True(names.Any(name => test.Contains(name, StringComparison.Ordinal)), $"{shown.Groups["test"].Value} does not show CNN{section.Code:0000}");
    });

    [Fact]
    public void A_retired_code_is_given_no_more()
    {
        var retired = Code().Matches(SourceTree.Read($"{Folder}/README.md")).Select(match => int.Parse(match.Groups["code"].Value, CultureInfo.InvariantCulture)).ToList();
        Assert.NotEmpty(retired);
        Assert.Empty(retired.Intersect(DiagnosticCodeTests.Given.Select(given => given.Code)));
    }

    [GeneratedRegex(@"^## CNN(?<code>\d{4}):", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex(@"^# .*CNN(?<first>\d{4}) to CNN(?<last>\d{4})", RegexOptions.Multiline)]
    private static partial Regex Range();

    [GeneratedRegex(@"^Shown by `(?<test>[^`]+)`", RegexOptions.Multiline)]
    private static partial Regex Shown();

    [GeneratedRegex(@"^\* CNN(?<code>\d{4})", RegexOptions.Multiline)]
    private static partial Regex Code();
}
