using System.CommandLine;
using CnnCompiler.Cli.Reporting;

namespace CnnCompiler.Cli.Commands;

/// <summary>The options of every verb about what is told: <c>--nowarn</c>, <c>--warnaserror</c>, <c>--sarif</c>.</summary>
internal sealed class DiagnosticOptions
{
    private const string Prefix = "CNN";
    private const int Digits = 4;

    private readonly Option<string[]> _noWarn = new("--nowarn")
    {
        Description = "Don't tell these warnings and notes: codes, separated by commas",
        HelpName = "CODE,...",
        Recursive = true,
        AllowMultipleArgumentsPerToken = false,
    };

    private readonly Option<string> _warnAsError = new("--warnaserror")
    {
        Description = "Treat warnings as errors: all, or those with these codes, separated by commas",
        HelpName = "CODE,...",
        Recursive = true,
        Arity = ArgumentArity.ZeroOrOne,
    };

    private readonly Option<string> _sarif = new("--sarif") { Description = "Write what is told to a file as well, as a SARIF 2.1.0 log", HelpName = "FILE", Recursive = true };

    /// <summary>Adds the options to all verbs.</summary>
    public void AddTo(RootCommand root)
    {
        root.Options.Add(_noWarn);
        root.Options.Add(_warnAsError);
        root.Options.Add(_sarif);
    }

    /// <summary>What the command line makes of warnings.</summary>
    /// <exception cref="UsageException">A code is none.</exception>
    public DiagnosticPolicy Policy(ParseResult parse) => new(
        Codes(parse.GetValue(_noWarn), "--nowarn"),
        parse.GetResult(_warnAsError) is { Implicit: false } && parse.GetValue(_warnAsError) is null,
        Codes(parse.GetValue(_warnAsError) is { } codes ? [codes] : [], "--warnaserror"));

    /// <summary>The file of the SARIF log, or null.</summary>
    public string? Sarif(ParseResult parse) => parse.GetValue(_sarif);

    private static HashSet<string> Codes(string[]? lists, string option)
    {
        var codes = new HashSet<string>(StringComparer.Ordinal);
        foreach (var code in (lists ?? []).SelectMany(list => list.Split([',', ';'], StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)))
        {
            codes.Add(IsCode(code) ? code.ToUpperInvariant() : throw CliSession.Usage($"{option} takes codes such as CNN0226, not '{code}'", "see the code in the message"));
        }

        return codes;
    }

    private static bool IsCode(string text) =>
        text.Length == Prefix.Length + Digits && text.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase) && text[Prefix.Length..].All(char.IsAsciiDigit);
}
