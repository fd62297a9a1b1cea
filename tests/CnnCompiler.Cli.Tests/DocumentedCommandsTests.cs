using System.Text.RegularExpressions;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Cli.Tests;

/// <summary>
/// Every command line of README and docs, run as it stands in a folder that holds a copy of <c>samples</c> and of the vectors, and files under the names that the pages use for a user's own.
/// A line in a fenced block runs whole; <c>`cnnc ...`</c> within a text runs where it says all there is to say: one with a placeholder (capitals, <c>...</c>) or just a verb has known verbs and options.
/// </summary>
public partial class DocumentedCommandsTests
{

    public static TheoryData<string> Pages => [.. Directory.EnumerateFiles(SharedMaterial.Repository, "*.md", SearchOption.AllDirectories)
        .Select(path => Path.GetRelativePath(SharedMaterial.Repository, path).Replace('\\', '/'))
        .Where(path => path == "README.md" || (path.StartsWith("docs/", StringComparison.Ordinal) && !path.StartsWith("docs/diagnostics/", StringComparison.Ordinal)) || path.StartsWith("samples/", StringComparison.Ordinal))
        .Where(path => Commands(path).Count > 0)
        .Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Pages))]
    public void Every_command_line_of_a_page_does_what_it_is_there_for(string page)
    {
        using var scratch = new Scratch();
        DocumentedFiles.Prepare(scratch);
        foreach (var command in Commands(page))
        {
            if (command.Line.Contains(DocumentedFiles.Shared, StringComparison.Ordinal) && !SharedMaterial.Exists)
            {
                continue;
            }

            if (command.IsWhole)
            {
                var (code, output) = DocumentedFiles.Execute(scratch.Folder, command.Words);
                Assert.True(code == command.ExitCode, $"{page}: {command.Line}\nexit code {code}\n{output}");
            }
            else
            {
                Known(page, command);
            }
        }
    }

    [Fact]
    public void The_tour_of_the_readme_has_ten_commands()
    {
        var tour = string.Join('\n', File.ReadAllLines(Path.Combine(SharedMaterial.Repository, "README.md")).SkipWhile(line => line != "## A tour").Skip(1).TakeWhile(line => !line.StartsWith("## ", StringComparison.Ordinal)));
        Assert.Equal(10, Fenced().Matches(tour).SelectMany(block => block.Groups["text"].Value.Split('\n')).Count(line => line.StartsWith("cnnc ", StringComparison.Ordinal)));
        Assert.Contains(Pages, page => page.Data == "README.md");
    }

    /// <summary>Verb and options exist.</summary>
    private static void Known(string page, Command command)
    {
        var verb = command.Words[0];
        if (verb.StartsWith('-'))
        {
            Cnnc.Run(verb).Exits(0);
            return;
        }

        var help = Cnnc.Run(verb, "--help").Exits(0).Out + Cnnc.Run("--help").Out;
        Assert.All(command.Words.Where(word => word.StartsWith('-') && word.Length > 1), option => Assert.True(
            Regex.IsMatch(help, $@"(?:^|[\s,]){Regex.Escape(option.Split('=')[0])}(?:[\s,]|$)"), $"{page}: {command.Line}: {option}"));
    }

    private static List<Command> Commands(string page)
    {
        var text = File.ReadAllText(Path.Combine(SharedMaterial.Repository, page));
        var fenced = Fenced().Matches(text).SelectMany(block => block.Groups["text"].Value.Split('\n'))
            .Select(line => line.StartsWith("$ ", StringComparison.Ordinal) ? line[2..] : line)
            .Where(line => line.StartsWith("cnnc ", StringComparison.Ordinal)).Select(line => new Command(line, InBlock: true));
        var inline = Inline().Matches(Fenced().Replace(text, string.Empty)).Select(match => new Command(match.Groups["line"].Value, InBlock: false));
        return [.. fenced, .. inline];
    }

    [GeneratedRegex(@"^```(?:sh|console)?\n(?<text>.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Fenced();

    [GeneratedRegex(@"`(?<line>cnnc [^`\n]+)`")]
    private static partial Regex Inline();

    /// <summary>A capital word or dots stand for what a user puts there.</summary>
    [GeneratedRegex(@"\.\.\.|(?:^|[\s=,/])[A-Z]+(?:[\s=,.:/]|$)")]
    private static partial Regex Placeholder();

    /// <summary>One command line. <c># exits with N</c> behind it says that it is there to fail.</summary>
    private sealed record Command(string Line, bool InBlock)
    {
        public string[] Words { get; } = Line.Split('#')[0].Split(' ', StringSplitOptions.RemoveEmptyEntries)[1..];

        public int ExitCode => Line.Split("# exits with ") is [_, var code] ? code[0] - '0' : 0;

        public bool IsWhole => InBlock || (Words.Length > 1 && Words.Any(word => !word.StartsWith('-') && word != Words[0]) && !Placeholder().IsMatch(Line));
    }
}
