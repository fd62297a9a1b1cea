using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Parsing;
using CnnCompiler.Cli.Commands;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Cli;

/// <summary>The verbs as one command, and what happens to a command line that does not fit them.</summary>
internal static class CommandLine
{
    private const string Summary = "Compiles trained int8 convolutional networks to binaries for OpenEdgeCGRA, and runs such binaries cycle by cycle.";

    private const string Closing = """
        Examples:
          cnnc run samples/lenet5.cnn -t openedge --input samples/digits/7.npy
          cnnc compile model.tflite -t openedge -o model.cnnb
          cnnc run model.cnnb --input image.npy --output scores.npy

        Exit codes: 0 done, 1 errors in the input or a comparison that failed, 2 wrong command line, 3 defect of cnnc (a report is written), 130 cancelled.
        cnnc VERB --help tells more about a verb.
        """;

    private static readonly List<(string Name, Func<CliSession, Command> Create)> Verbs =
    [
        ("compile", CompileCommand.Create),
        ("run", RunCommand.Create),
        ("report", ReportCommand.Create),
        ("import", ImportCommand.Create),
        ("quantize", QuantizeCommand.Create),
        ("compare", CompareCommand.Create),
        ("fuzz", FuzzCommand.Create),
        ("opt", OptCommand.Create),
        ("asm", AssembleCommand.Create),
        ("disasm", DisassembleCommand.Create),
        ("verify-vectors", VerifyVectorsCommand.Create),
        ("check", CheckCommand.Create),
        ("fmt", FormatCommand.Create),
        ("targets", TargetsCommand.Create),
        ("operators", OperatorsCommand.Create),
        ("reproduce", ReproduceCommand.Create),
        ("explore", ExploreCommand.Create),
        ("passes", PassesCommand.Create),
        ("replay", ReplayCommand.Create),
    ];

    /// <summary>Parses and runs; the exit code.</summary>
    public static int Invoke(string[] args, CliSession session)
    {
        var environment = session.Environment;
        var root = new RootCommand(Summary);

        // A verb's options are put together when it is meant: what all of them say of targets and machines takes longer than many a command.
        var meant = Verbs.Where(verb => args.Length > 0 && verb.Name == args[0]).ToList();
        foreach (var (_, create) in meant.Count > 0 ? meant : Verbs)
        {
            root.Subcommands.Add(create(session));
        }

        var version = new Option<bool>("--version") { Description = "Show the version" };
        foreach (var builtIn in root.Options.OfType<VersionOption>().ToList())
        {
            root.Options.Remove(builtIn);
        }

        root.Options.Add(version);
        var telling = new DiagnosticOptions();
        telling.AddTo(root);
        foreach (var help in root.Options.OfType<HelpOption>())
        {
            help.Action = new HelpWithExamples((HelpAction)help.Action!, Closing);
        }

        root.SetAction(parse =>
        {
            if (parse.GetValue(version))
            {
                environment.Out.WriteLine(CliVersion.Text);
                return ExitCodes.Success;
            }

            throw CliSession.Usage("a verb is missing", $"choose one of {string.Join(", ", Verbs.Select(verb => verb.Name))}; cnnc --help tells more");
        });

        // no response files: a name that begins with @ is a file's name
        var parse = root.Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (parse.Errors.Count > 0 && !AsksForHelp(parse))
        {
            session.Printer.Print(Explain(parse, root));
            return ExitCodes.Usage;
        }

        session.Printer.Policy = telling.Policy(parse);
        session.SarifFile = telling.Sarif(parse);
        return parse.Invoke(new InvocationConfiguration
        {
            Output = environment.Out,
            Error = environment.Error,
            EnableDefaultExceptionHandler = false,
            ProcessTerminationTimeout = null,
        });
    }

    private static bool AsksForHelp(ParseResult parse) => parse.Action is HelpWithExamples;

    private static IEnumerable<Diagnostic> Explain(ParseResult parse, RootCommand root)
    {
        var command = parse.CommandResult.Command;
        if (command == root && parse.UnmatchedTokens is [var verb, ..] && !verb.StartsWith('-'))
        {
            yield return FileDiagnostics.UnknownName("verb", verb, Verbs.Select(known => known.Name).ToList());
            yield break;
        }

        var options = command.Options.SelectMany(option => (IEnumerable<string>)[option.Name, .. option.Aliases]).Where(name => name.StartsWith('-')).ToList();
        var unknown = parse.UnmatchedTokens.FirstOrDefault(token => token.StartsWith('-'));
        if (unknown is not null)
        {
            yield return FileDiagnostics.UnknownName("option", unknown, options.Where(name => name.StartsWith("--", StringComparison.Ordinal)).ToList());
            yield break;
        }

        foreach (var message in parse.Errors.Select(error => error.Message).Distinct(StringComparer.Ordinal))
        {
            yield return FileDiagnostics.Usage(message.TrimEnd('.'), command == root ? "see cnnc --help" : $"see cnnc {command.Name} --help");
        }
    }
}
