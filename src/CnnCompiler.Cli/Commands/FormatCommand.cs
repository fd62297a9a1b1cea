using System.CommandLine;
using System.Text;
using CnnCompiler.Cli.Files;
using CnnCompiler.Frontend;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Cli.Commands;

/// <summary><c>cnnc fmt</c>: rewrites .cnn files in their canonical form, comments kept.</summary>
internal sealed class FormatCommand
{
    private readonly CliSession _session;
    private readonly Argument<string[]> _files = new("FILE") { Description = "The .cnn files", Arity = ArgumentArity.OneOrMore };
    private readonly Option<bool> _check = new("--check") { Description = "Write nothing; fail where a file is not in canonical form" };

    private FormatCommand(CliSession session) => _session = session;

    /// <summary>The verb.</summary>
    public static Command Create(CliSession session)
    {
        var verb = new FormatCommand(session);
        var command = new VerbCommand("fmt", "Rewrites .cnn files in their canonical form, comments kept.", "cnnc fmt samples/lenet5.cnn", "cnnc fmt --check samples/lenet5.cnn");
        command.Arguments.Add(verb._files);
        command.Options.Add(verb._check);
        command.SetAction(verb.Run);
        return command;
    }

    private int Run(ParseResult parse)
    {
        var check = parse.GetValue(_check);
        var status = ExitCodes.Success;
        foreach (var file in parse.GetRequiredValue(_files))
        {
            var source = _session.Read(file, "a network", InputFiles.LargestSource);
            _session.Printer.AddSource(file, source);
            var problems = new DiagnosticBag();
            var formatted = CnnFormatter.Format(Decode(source, file), file, problems);
            _session.Printer.Print(problems.Diagnostics);
            if (formatted is null)
            {
                status = ExitCodes.Failure;
                continue;
            }

            var bytes = Encoding.UTF8.GetBytes(formatted);
            if (bytes.AsSpan().SequenceEqual(source))
            {
                continue;
            }

            _session.Environment.Out.WriteLine(check ? $"{file}: not in canonical form" : $"{file}: rewritten");
            if (check)
            {
                status = ExitCodes.Failure;
            }
            else
            {
                _session.Write(file, bytes);
            }
        }

        return status;
    }

    /// <summary>The text, without a byte order mark; bytes that are no text would be lost on the way back.</summary>
    private static string Decode(byte[] source, string file)
    {
        if (source.Length > LanguageLimits.Bytes)
        {
            throw new DiagnosticException(LanguageDiagnostics.FileTooLong(file, source.Length, "bytes"));
        }

        try
        {
            return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(source).TrimStart('\uFEFF');
        }
        catch (DecoderFallbackException)
        {
            throw new DiagnosticException(FileDiagnostics.NotUtf8(file));
        }
    }
}
