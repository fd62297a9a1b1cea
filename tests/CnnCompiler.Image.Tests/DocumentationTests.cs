using CnnCompiler.Image.Container;
using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Image.Systolic;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Image.Tests;

public sealed class DocumentationTests
{
    [Fact]
    public void The_instruction_page_is_what_the_table_says() => Snapshot.Check("docs/openedge-isa.md", OpenEdgeReference.Page());

    [Fact]
    public void The_example_of_the_instruction_page_is_assembled()
    {
        var lines = OpenEdgeReference.Page().Split('\n').SkipWhile(line => line != "## Assembler text");
        var example = string.Join('\n', lines.Where(line => line.StartsWith("    ", StringComparison.Ordinal)));
        var bag = new DiagnosticBag();
        OpenEdgeAssembler.Assemble(example + "\n.step", "docs/openedge-isa.md", bag);
        Assert.Empty(bag.Diagnostics);
        Assert.Contains(".kernel", example, StringComparison.Ordinal);
    }

    [Fact]
    public void The_image_page_names_every_section_and_number()
    {
        var page = File.ReadAllText(Path.Combine(SharedMaterial.Repository, "docs", "image-format.md"));
        Assert.All(ImageFormat.Known, section => Assert.Contains($"| `{section.Code}` | {section.Name} | {(section.Required ? "yes" : "no")} |", page, StringComparison.Ordinal));
        Assert.All(Systolic.Rows(), row => Assert.Contains(row, page, StringComparison.Ordinal));
        Assert.Contains($"Version {ImageFormat.Version}.", page, StringComparison.Ordinal);
        Assert.Contains($"at most {ImageFormat.MostSections} sections", page, StringComparison.Ordinal);
        Assert.Contains($"at most {ImageFormat.LongestName} bytes", page, StringComparison.Ordinal);
        Assert.Contains($"rank, 0 to {ImageFormat.HighestRank}", page, StringComparison.Ordinal);
    }

    private static class Systolic
    {
        /// <summary>The page's rows of scalar operations, from the table.</summary>
        public static IEnumerable<string> Rows() => ScalarInstructionSet.Rows.Select(row =>
            $"| {(int)row.Opcode} | {row.Mnemonic} | {row.Operands} |{row.Immediate switch { ScalarImmediate.None => string.Empty, ScalarImmediate.Index => " u32 index", _ => " i64" }} | {row.Operations} | {row.Meaning} |");
    }
}
