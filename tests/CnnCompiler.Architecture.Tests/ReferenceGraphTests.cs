using System.Xml.Linq;

namespace CnnCompiler.Architecture.Tests;

/// <summary>Who may refer to whom (<c>docs/architecture.md</c>). The interpreter proves the bytes, not the compiler's memory: <c>runtime/</c> never sees <c>src/</c>.</summary>
public class ReferenceGraphTests
{
    /// <summary>The references that the architecture has; a new project or reference belongs here and into docs/architecture.md.</summary>
    private static readonly Dictionary<string, string[]> Allowed = new(StringComparer.Ordinal)
    {
        ["CnnCompiler.Primitives"] = [],
        ["CnnCompiler.Image"] = ["CnnCompiler.Primitives"],
        ["CnnCompiler.Interpreter"] = ["CnnCompiler.Image"],
        ["CnnCompiler.Core"] = ["CnnCompiler.Primitives"],
        ["CnnCompiler.Ir"] = ["CnnCompiler.Core"],
        ["CnnCompiler.Frontend"] = ["CnnCompiler.Ir"],
        ["CnnCompiler.Passes"] = ["CnnCompiler.Ir"],
        ["CnnCompiler.Targets"] = ["CnnCompiler.Passes", "CnnCompiler.Image", "CnnCompiler.Interpreter"],
        ["CnnCompiler"] = ["CnnCompiler.Frontend", "CnnCompiler.Targets"],
        ["CnnCompiler.Fuzzing"] = ["CnnCompiler"],
        ["CnnCompiler.Cli"] = ["CnnCompiler", "CnnCompiler.Fuzzing", "CnnCompiler.Interpreter"],

        // Build order only: it starts the command line in a process of its own.
        ["CnnCompiler.MSBuild"] = ["CnnCompiler.Cli"],
    };

    private static readonly IReadOnlyList<string> Products = SourceTree.Files(".csproj", "runtime", "src");

    [Fact]
    public void Every_product_project_refers_to_exactly_what_the_architecture_says()
    {
        Assert.Equal(Allowed.Keys.Order(StringComparer.Ordinal), Products.Select(NameOf).Order(StringComparer.Ordinal));
        Assert.All(Products, project => Assert.Equal(
            Allowed[NameOf(project)].Order(StringComparer.Ordinal),
            References(project).Select(NameOf).Order(StringComparer.Ordinal)));
    }

    [Fact]
    public void Nothing_below_runtime_refers_to_anything_below_src_not_even_through_others()
    {
        var runtime = Products.Where(project => project.StartsWith("runtime/", StringComparison.Ordinal)).ToList();
        Assert.NotEmpty(runtime);
        Assert.All(runtime, project => Assert.DoesNotContain(Closure(project), reached => !reached.StartsWith("runtime/", StringComparison.Ordinal)));
    }

    [Fact]
    public void No_source_below_runtime_names_a_namespace_of_the_compiler()
    {
        string[] compiler = ["CnnCompiler.Core", "CnnCompiler.Ir", "CnnCompiler.Frontend", "CnnCompiler.Passes", "CnnCompiler.Targets", "CnnCompiler.Cli"];
        Assert.All(SourceTree.Files(".cs", "runtime"), file => Assert.DoesNotContain(compiler, name => SourceTree.Read(file).Contains($"using {name}", StringComparison.Ordinal)));
    }

    [Fact]
    public void No_product_refers_to_tests_or_samples() =>
        Assert.All(Products, project => Assert.DoesNotContain(Closure(project), reached => reached.StartsWith("tests/", StringComparison.Ordinal) || reached.StartsWith("samples/", StringComparison.Ordinal)));

    [Fact]
    public void Every_project_is_in_the_solution()
    {
        var solution = SourceTree.Read("CnnCompiler.sln").Replace('\\', '/');
        Assert.All(SourceTree.Files(".csproj", "runtime", "src", "tests", "samples"), project => Assert.Contains($"\"{project}\"", solution, StringComparison.Ordinal));
    }

    private static HashSet<string> Closure(string project)
    {
        var reached = new HashSet<string>(StringComparer.Ordinal);
        var open = new Stack<string>([project]);
        while (open.TryPop(out var next))
        {
            foreach (var reference in References(next).Where(reached.Add))
            {
                open.Push(reference);
            }
        }

        return reached;
    }

    private static IEnumerable<string> References(string project) => XDocument.Parse(SourceTree.Read(project))
        .Descendants("ProjectReference")
        .Select(reference => Normalize(Path.Combine(Path.GetDirectoryName(project)!, (string)reference.Attribute("Include")!)));

    private static string Normalize(string path) => Path.GetRelativePath(Path.GetFullPath("/"), Path.GetFullPath(Path.Combine(Path.GetFullPath("/"), path.Replace('\\', '/')))).Replace('\\', '/');

    private static string NameOf(string project) => Path.GetFileNameWithoutExtension(project);
}
