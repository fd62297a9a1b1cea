using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace CnnCompiler.Cli.Commands;

/// <summary>A verb: a command whose help ends with examples.</summary>
/// <param name="name">Name.</param>
/// <param name="description">One line.</param>
/// <param name="examples">Command lines that work.</param>
internal sealed class VerbCommand(string name, string description, params string[] examples) : Command(name, description)
{
    /// <summary>Command lines that work.</summary>
    public IReadOnlyList<string> Examples { get; } = examples;
}

/// <summary>The usual help, then the examples of the verb or of all of them.</summary>
/// <param name="usual">The usual help.</param>
/// <param name="summary">What the root's help ends with.</param>
internal sealed class HelpWithExamples(HelpAction usual, string summary) : SynchronousCommandLineAction
{
    /// <inheritdoc/>
    public override int Invoke(ParseResult parseResult)
    {
        usual.Invoke(parseResult);
        var output = parseResult.InvocationConfiguration.Output;
        if (parseResult.CommandResult.Command is VerbCommand verb)
        {
            output.WriteLine(verb.Examples.Count == 1 ? "Example:" : "Examples:");
            foreach (var example in verb.Examples)
            {
                output.WriteLine($"  {example}");
            }
        }
        else
        {
            output.WriteLine(summary);
        }

        return ExitCodes.Success;
    }
}
