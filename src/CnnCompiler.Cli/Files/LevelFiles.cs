using System.Text;
using CnnCompiler.Core.Numpy;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Passes.Infrastructure;

namespace CnnCompiler.Cli.Files;

/// <summary>The text of a level as files.</summary>
internal static class LevelFiles
{
    private const string ConstantsExtension = ".npz";

    /// <summary>Text to standard output (no file, or <see cref="CliSession.StandardOutput"/>), or to a file with its large constants in (file).npz beside it.</summary>
    public static void Write(CliSession session, string? output, ModuleText level)
    {
        var text = level.Text.EndsWith('\n') ? level.Text : level.Text + "\n";
        if (output is null or CliSession.StandardOutput)
        {
            session.Environment.Out.Write(text);
            return;
        }

        if (level.Constants.Constants.Count > 0 && !output.StartsWith("/dev/", StringComparison.Ordinal))
        {
            var constants = level.Constants.Constants.Select(constant => new KeyValuePair<string, Tensor>(constant.Name, constant.Value));
            session.Write(output + ConstantsExtension, NpzFile.Write(constants));
        }

        session.Write(output, Encoding.UTF8.GetBytes(text));
    }
}
