using System.CommandLine;
using CnnCompiler.Cli.Files;
using CnnCompiler.Image.Container;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Cli.Commands;

/// <summary><c>cnnc disasm</c>: an image as text.</summary>
internal static class DisassembleCommand
{
    /// <summary>The verb.</summary>
    public static Command Create(CliSession session)
    {
        var file = new Argument<string>("FILE") { Description = "An image (.cnnb)" };
        var command = new VerbCommand(
            "disasm",
            "Prints what is in an image: machine, tensors, kernels as assembly, host program, launches.",
            "cnnc disasm model.cnnb");
        command.Arguments.Add(file);
        command.SetAction(parse => Run(session, parse.GetRequiredValue(file)));
        return command;
    }

    private static int Run(CliSession session, string file)
    {
        var bytes = session.Read(file, "an image", InputFiles.LargestImage);
        if (!ImageSource.IsImage(file, bytes))
        {
            throw new DiagnosticException(FileDiagnostics.UnknownKind(file, "an image (.cnnb)"));
        }

        session.Environment.Out.Write(ImagePrinter.Print(ImageSource.Read(session, file, bytes)));
        return ExitCodes.Success;
    }
}
