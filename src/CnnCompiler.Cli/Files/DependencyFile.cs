using System.Text;

namespace CnnCompiler.Cli.Files;

/// <summary>The rule of a dependency file as make reads it (and ninja, CMake): <c>net.cnnb: net.cnn net.npz</c>, then an empty rule for each input, so that one which is gone does not stop make.</summary>
internal static class DependencyFile
{
    /// <summary>The bytes of the file.</summary>
    /// <param name="output">What was made.</param>
    /// <param name="inputs">What it was made from.</param>
    public static byte[] Rule(string output, IReadOnlyList<string> inputs)
    {
        var text = new StringBuilder().Append(Escape(output)).Append(':');
        foreach (var input in inputs)
        {
            text.Append(" \\\n  ").Append(Escape(input));
        }

        text.Append('\n');
        foreach (var input in inputs)
        {
            text.Append('\n').Append(Escape(input)).Append(":\n");
        }

        return Encoding.UTF8.GetBytes(text.ToString());
    }

    // GNU make 4.3, section 4.3: blanks and # by a backslash, $ doubled, backslashes only before those.
    private static string Escape(string path)
    {
        var text = new StringBuilder();
        foreach (var c in path)
        {
            text.Append(c switch { ' ' => "\\ ", '#' => "\\#", '$' => "$$", _ => c.ToString() });
        }

        return text.ToString();
    }
}
