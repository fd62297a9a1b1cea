using CnnCompiler.TestSupport;

namespace CnnCompiler.Cli.Tests;

/// <summary>What the README says can be typed.</summary>
public class ReadmeTests
{
    private const string Prefix = "dotnet run --project src/CnnCompiler.Cli -c Release -- ";
    private static readonly string[] Lines = File.ReadAllLines(Path.Combine(SharedMaterial.Repository, "README.md"));

    [Fact]
    public void Its_first_command_prints_what_it_says()
    {
        var command = Assert.Single(Lines, line => line.StartsWith(Prefix, StringComparison.Ordinal));
        var args = command[Prefix.Length..].Split(' ').Select(word => word.StartsWith("samples/", StringComparison.Ordinal) ? Path.Combine(SharedMaterial.Repository, word) : word).ToArray();
        var promised = Lines.SelectMany(line => line.Split('`')).Single(text => text.StartsWith("recognised: ", StringComparison.Ordinal));
        Assert.Equal(promised, Cnnc.Run(args).Exits(0).LastLine);
    }

    [Fact]
    public void Its_second_command_is_the_one_that_ci_runs()
    {
        var command = Assert.Single(Lines, line => line.StartsWith("dotnet test ", StringComparison.Ordinal));
        Assert.Contains($"core) {command} ", File.ReadAllText(Path.Combine(SharedMaterial.Repository, ".ci", "run")), StringComparison.Ordinal);
    }

    [Fact]
    public void The_pages_it_links_to_exist_and_so_do_those_that_they_link_to()
    {
        var pages = Directory.EnumerateFiles(Path.Combine(SharedMaterial.Repository, "docs"), "*.md", SearchOption.AllDirectories).Append(Path.Combine(SharedMaterial.Repository, "README.md"));
        Assert.All(pages, page =>
        {
            var links = File.ReadAllText(page).Split("](").Skip(1).Select(rest => rest.Split(')')[0].Split('#')[0]).Where(link => link.Length > 0 && !link.Contains("://", StringComparison.Ordinal));
            Assert.All(links, link => Assert.True(Path.Exists(Path.Combine(Path.GetDirectoryName(page)!, link)), $"{page}: {link}"));
        });
    }

    [Fact]
    public void Every_verb_of_its_table_exists()
    {
        var verbs = Lines.Where(line => line.StartsWith("| `cnnc ", StringComparison.Ordinal))
            .SelectMany(line => line.Split("`cnnc ").Skip(1).Select(call => call.Split('`', ' ')[0])).Distinct().Order(StringComparer.Ordinal).ToList();
        var known = Cnnc.Run("--help").Exits(0).Out.Split('\n').SkipWhile(line => line != "Commands:").Skip(1).TakeWhile(line => line.StartsWith("  ", StringComparison.Ordinal)).Select(line => line.Trim().Split(' ')[0]).Order(StringComparer.Ordinal).ToList();
        Assert.NotEmpty(known);
        Assert.Equal(known, verbs);
        Assert.All(verbs, verb => Cnnc.Run(verb, "--help").Exits(0));
    }
}
