using System.Collections.Generic;
using System.IO;
using System.Text;
using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;

namespace CnnCompiler.MSBuild;

/// <summary>The inputs that earlier runs of cnnc noted (<c>--depfile</c>), so that a changed weight file compiles its network again.</summary>
public sealed class ReadCnnDependencies : Task
{
    /// <summary>The dependency files; those that don't exist yet are passed over.</summary>
    [Required]
    public ITaskItem[] Files { get; set; } = [];

    /// <summary>Paths of the inputs.</summary>
    [Output]
    public ITaskItem[] Inputs { get; set; } = [];

    /// <inheritdoc/>
    public override bool Execute()
    {
        var inputs = new List<ITaskItem>();
        foreach (var file in Files)
        {
            if (File.Exists(file.ItemSpec))
            {
                foreach (var input in InputsOf(File.ReadAllText(file.ItemSpec)))
                {
                    inputs.Add(new TaskItem(input));
                }
            }
        }

        Inputs = [.. inputs];
        return true;
    }

    // The empty rules at the end: a line "path:" for each input.
    private static IEnumerable<string> InputsOf(string rules)
    {
        foreach (var line in rules.Split('\n'))
        {
            if (line.EndsWith(":", System.StringComparison.Ordinal))
            {
                yield return Unescape(line.Substring(0, line.Length - 1));
            }
        }
    }

    private static string Unescape(string path)
    {
        var text = new StringBuilder();
        for (var i = 0; i < path.Length; i++)
        {
            var escaped = i + 1 < path.Length && ((path[i] == '\\' && path[i + 1] is ' ' or '#') || (path[i] == '$' && path[i + 1] == '$'));
            text.Append(path[escaped ? ++i : i]);
        }

        return text.ToString();
    }
}
