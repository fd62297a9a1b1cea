using System.Globalization;
using System.Text.RegularExpressions;

namespace CnnCompiler.Architecture.Tests;

/// <summary>Diagnostic codes as the sources give them: a code belongs to one factory method and lies in its area's range.</summary>
public partial class DiagnosticCodeTests
{
    /// <summary>First code of each area; the ranges of <c>DiagnosticAreas</c>.</summary>
    private static readonly int[] Areas = AreaStart().Matches(SourceTree.Read("runtime/CnnCompiler.Primitives/Diagnostics/Diagnostic.cs"))
        .Select(match => int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture)).ToArray();

    private static readonly IReadOnlyList<string> Factories = SourceTree.Files("Diagnostics.cs", "runtime", "src");

    /// <summary>Every code with the method that gives it.</summary>
    internal static IReadOnlyList<(string File, string Method, int Code)> Given => Codes;

    private static readonly IReadOnlyList<(string File, string Method, int Code)> Codes = Factories
        .SelectMany(file => Methods(file).SelectMany(method => CodesOf(method.Body).Select(code => (file, method.Name, code)))).ToList();

    [Fact]
    public void Every_factory_method_gives_exactly_one_code()
    {
        Assert.NotEmpty(Factories);
        Assert.All(Factories, file =>
        {
            Assert.NotEmpty(Methods(file));
            Assert.All(Methods(file), method => Assert.True(CodesOf(method.Body).Count() == 1, $"{file}, {method.Name}: {CodesOf(method.Body).Count()} codes"));
        });
    }

    [Fact]
    public void No_code_is_given_by_two_factory_methods()
    {
        var twice = Codes.GroupBy(entry => entry.Code).Where(group => group.Count() > 1)
            .Select(group => $"CNN{group.Key:0000} in {string.Join(" and ", group.Select(entry => $"{entry.File} {entry.Method}"))}");
        Assert.Empty(twice);
    }

    [Fact]
    public void All_codes_of_a_file_belong_to_one_area() => Assert.All(
        Codes.GroupBy(entry => entry.File),
        group => Assert.Single(group.Select(entry => Areas.Last(start => start <= entry.Code)).Distinct()));

    [Fact]
    public void Codes_are_given_by_factories_only()
    {
        var elsewhere = SourceTree.Files(".cs", "runtime", "src")
            .Where(file => !file.EndsWith("Diagnostics.cs", StringComparison.Ordinal))
            .Where(file => Literal().IsMatch(WithoutComments(SourceTree.Read(file))));
        Assert.Empty(elsewhere);
    }

    /// <summary>The public factory methods of a file, each with its text up to the next member.</summary>
    private static List<(string Name, string Body)> Methods(string file)
    {
        var members = Member().Split(WithoutComments(SourceTree.Read(file)));
        return members.Select(text => (Match: Factory().Match(text), Text: text)).Where(member => member.Match.Success).Select(member => (member.Match.Groups[1].Value, member.Text)).ToList();
    }

    private static IEnumerable<int> CodesOf(string source) => Code().Matches(source)
        .Select(match => int.Parse(match.Groups[1].Success ? match.Groups[1].Value : match.Groups[2].Value, CultureInfo.InvariantCulture)).Distinct();

    private static string WithoutComments(string source) => Comment().Replace(source, string.Empty);

    [GeneratedRegex(@"const int \w+ = (\d+);")]
    private static partial Regex AreaStart();

    [GeneratedRegex(@"""CNN(\d{4})""|\b(?:Error|Warning|Note|Make|Create|Report|New|Fault)\(\s*(\d{1,3})\s*,")]
    private static partial Regex Code();

    [GeneratedRegex(@"""CNN\d{4}""")]
    private static partial Regex Literal();

    [GeneratedRegex(@"^\s*//.*$", RegexOptions.Multiline)]
    private static partial Regex Comment();

    [GeneratedRegex(@"^    (?=(?:public|private|internal) )", RegexOptions.Multiline)]
    private static partial Regex Member();

    [GeneratedRegex(@"\Apublic static Diagnostic (\w+)\(")]
    private static partial Regex Factory();
}
