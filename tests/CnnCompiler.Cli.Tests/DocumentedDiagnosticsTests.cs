using System.Text;
using System.Text.RegularExpressions;
using CnnCompiler.Core.Numpy;
using CnnCompiler.Core.Tensors;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Cli.Tests;

/// <summary>
/// The examples in <c>docs/diagnostics</c>: each gives its code and no other, and behind it stands what cnnc says, word by word. CNNC_ACCEPT=1 writes that in.
/// </summary>
public partial class DocumentedDiagnosticsTests
{
    private static readonly string[] Notes = ["CNN0207", "CNN0249"]; // said beside another diagnostic only

    public static TheoryData<string> Pages => [.. Directory.EnumerateFiles(Path.Combine(SharedMaterial.Repository, "docs", "diagnostics"), "*.md").Select(path => Path.GetFileName(path)!)
        .Where(name => name is not "README.md" && !name.Contains(".received", StringComparison.Ordinal)).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Pages))]
    public void Each_example_gives_exactly_its_code_and_the_page_says_what_is_told(string name)
    {
        using var scratch = new Scratch();
        DocumentedFiles.Prepare(scratch);
        File.Copy(Path.Combine(SharedMaterial.Repository, "runtime", "CnnCompiler.Primitives", "Machines", "openedge.machine.json"), scratch["openedge.machine.json"]);
        File.Copy(Path.Combine(SharedMaterial.Repository, "runtime", "CnnCompiler.Primitives", "Machines", "arrayflex.machine.json"), scratch["arrayflex.machine.json"]);
        scratch.Write("tiny.machine.json", Buffers().Replace(File.ReadAllText(Path.Combine(SharedMaterial.Repository, "runtime", "CnnCompiler.Primitives", "Machines", "gconv.machine.json")), "${key}1"));
        scratch.Write("empty.csv", string.Empty);
        scratch.Write("letters.csv", "1,2,3,x\n");
        scratch.Write("damaged.npz", "PK\u0003\u0004 this is no archive");
        scratch.Write("none.npz", NpzFile.Write([new("x", Tensor.From<float>(ElementType.Float32, Shape.Of(0, 6, 6, 2), []))]));
        scratch.Write("gap.csv", "1,,,\n1,2,,\n");
        scratch.Write("latin1.cnn", "network caf\u00e9 {"u8.ToArray().Select(letter => letter > 127 ? (byte)0xE9 : letter).ToArray());
        var path = $"docs/diagnostics/{name}";
        var page = File.ReadAllText(Path.Combine(SharedMaterial.Repository, path)).ReplaceLineEndings("\n");
        var wrong = new StringBuilder();
        var told = Example().Replace(page, match =>
        {
            var (code, kind, text) = (match.Groups["code"].Value, match.Groups["kind"].Value, match.Groups["text"].Value);
            var output = Run(scratch, kind, text);
            var codes = Code().Matches(output).Select(found => found.Value).Where(told => Notes.Contains(code) || !Notes.Contains(told)).Distinct().ToList();
            if (Notes.Contains(code) ? !codes.Contains(code) : codes is not [var only] || only != code)
            {
                wrong.Append(code).Append(": ").AppendLine(output);
            }

            return $"{match.Groups["before"].Value}```text\n{output}```\n";
        });
        Assert.True(wrong.Length == 0, wrong.ToString());
        Snapshot.Check(path, told);
    }

    private static string Run(Scratch scratch, string kind, string text)
    {
        var words = kind.Split(' ');
        if (words[0] == "console")
        {
            return DocumentedFiles.Execute(scratch.Folder, text.Trim().Split(' ')[1..]).Output;
        }

        var file = scratch.Write($"example.{(words[0] == "asm" ? "s" : words[0])}", text);
        string[] command = words[0] switch
        {
            "json" => ["compile", scratch["net.cnn"], "-t", words.Length > 1 ? words[1] : "openedge", "--machine", file, "-o", scratch["example.cnnb"]],
            "asm" or "csv" => ["asm", file],
            "cnnir" => ["compile", file, "-t", words.Length > 1 ? words[1] : "openedge", "-o", scratch["example.cnnb"]],
            _ when words.Length > 1 => ["compile", file, "-t", words[1], "-o", scratch["example.cnnb"]],
            _ => ["check", file],
        };
        return Cnnc.Run(command).Error.Replace(scratch.Folder + Path.DirectorySeparatorChar, string.Empty, StringComparison.Ordinal);
    }

    /// <summary>A heading with its code, an example, and what it gives.</summary>
    [GeneratedRegex(@"(?<before>^\#\# (?<code>CNN\d{4}):[^\n]*\n(?:(?!^\#|^```).*\n)*```(?<kind>(?:cnn|asm|csv|json|cnnir|console)[^\n]*)\n(?<text>(?:(?!^```$).*\n)*)```\n\n)```text\n(?:(?!^```$).*\n)*```\n", RegexOptions.Multiline)]
    private static partial Regex Example();

    /// <summary>Sizes of the buffers of a gconv machine.</summary>
    [GeneratedRegex(@"(?<key>""(?:activationBytes|weightBytes|accumulatorRows)"": \{ ""value"": )\d+")]
    private static partial Regex Buffers();

    [GeneratedRegex(@"CNN\d{4}(?=: )")]
    private static partial Regex Code();
}
