using System.CommandLine;
using CnnCompiler.Cli.Reporting;
using CnnCompiler.Frontend;
using CnnCompiler.Fuzzing;
using CnnCompiler.Ir.Network.Operators;
using Spectre.Console;

namespace CnnCompiler.Cli.Commands;

/// <summary><c>cnnc operators</c>: what the importers take of each model format, and what a target does with each operator.</summary>
internal sealed class OperatorsCommand
{
    private readonly CliSession _session;
    private readonly Argument<string[]> _names = new("OPERATOR") { Description = "Only these, by their names in the language or in a model format (default: all)", Arity = ArgumentArity.ZeroOrMore };
    private readonly Option<string> _target = new("--target", "-t")
    {
        Description = $"What this target makes of each operator: {string.Join(", ", CompilerTargets.All.Select(target => target.Name))} (default: the operators of the model formats)",
        HelpName = "TARGET",
    };

    private OperatorsCommand(CliSession session) => _session = session;

    /// <summary>The verb.</summary>
    public static Command Create(CliSession session)
    {
        var verb = new OperatorsCommand(session);
        var command = new VerbCommand(
            "operators",
            "Lists the operators of each model format with what they become, or of the network with what a target makes of them.",
            "cnnc operators CONV_2D QLinearConv",
            "cnnc operators -t openedge",
            "cnnc operators -t openedge conv2d softmax");
        command.Arguments.Add(verb._names);
        command.Options.Add(verb._target);
        command.SetAction(verb.Run);
        return command;
    }

    private int Run(ParseResult parse)
    {
        var wanted = parse.GetValue(_names) ?? [];
        if (parse.GetValue(_target) is { } name)
        {
            PrintTarget(CompilationOptions.FindTarget(name), wanted);
        }
        else
        {
            PrintFormats(wanted);
        }

        return ExitCodes.Success;
    }

    private void PrintTarget(CompilerTarget target, IReadOnlyList<string> wanted)
    {
        var chosen = Choose(OperatorTable.All, definition => definition.Keyword, wanted);
        var rows = chosen.SelectMany(definition => OperatorProbe.Ask(target, definition, cancellation: _session.Environment.Cancellation)).Select(TargetOperatorsPage.Cells);
        Print(["operator", "numbers", "attributes", "compiles", "lowered to", "runs as", "refused"], rows);
    }

    private void PrintFormats(IReadOnlyList<string> wanted) => Print(
        ["format", "operator", "attributes", "types", "becomes"],
        Choose(ImportedOperator.All, row => row.Name, wanted).Select(row => (IReadOnlyList<string>)[row.Format, row.Name, row.Attributes.Replace(" ", ", ", StringComparison.Ordinal), row.Types, row.Becomes]));

    private static IEnumerable<T> Choose<T>(IReadOnlyList<T> all, Func<T, string> nameOf, IReadOnlyList<string> wanted)
    {
        foreach (var name in wanted.Where(name => !all.Any(entry => nameOf(entry).Equals(name, StringComparison.OrdinalIgnoreCase))))
        {
            throw new UsageException(FileDiagnostics.UnknownName("operator", name, all.Select(nameOf).Distinct(StringComparer.Ordinal).ToList()));
        }

        return all.Where(entry => wanted.Count == 0 || wanted.Contains(nameOf(entry), StringComparer.OrdinalIgnoreCase));
    }

    private void Print(string[] headings, IEnumerable<IReadOnlyList<string>> rows)
    {
        var (console, table) = Consoles.CreateTable(_session.Environment.Out, _session.Environment.OutRedirected);
        foreach (var heading in headings)
        {
            table.AddColumn(heading);
        }

        foreach (var row in rows)
        {
            table.AddRow([.. row.Select(Markup.Escape)]);
        }

        console.Write(table);
    }
}
