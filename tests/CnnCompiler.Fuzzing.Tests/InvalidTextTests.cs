using System.Text;
using CnnCompiler.Core.Numpy;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Fuzzing.Tests;

/// <summary>Damaged texts, of the language and of every level: never an exception; a program, or an error whose place is inside the file.</summary>
public class InvalidTextTests
{
    private const int MutantsOfLanguage = 2_000;
    private const int MutantsOfLevels = 3_000;
    private const int Networks = 40;

    private static readonly string[] Descriptions = ["samples/lenet5.cnn", "samples/zoo/ds_cnn.cnn", "samples/zoo/resnet8.cnn"];

    [Fact]
    public void Damaged_descriptions_are_compiled_or_refused_inside_the_file()
    {
        var texts = Descriptions.Select(name => (Name: Path.GetFileName(name), Text: File.ReadAllText(Path.Combine(SharedMaterial.Repository, name)))).ToArray();
        var weights = File.ReadAllBytes(Path.Combine(SharedMaterial.Repository, "samples", "lenet5.npz"));
        var refused = 0;
        for (var i = 0; i < MutantsOfLanguage; i++)
        {
            var (name, text) = texts[i % texts.Length];
            refused += IsRefusedInside(new(name, TextMutator.Mutate(text, (ulong)i), "openedge") { StopLevel = IrLevel.Network, Companion = file => file == "lenet5.npz" ? weights : (ReadOnlyMemory<byte>?)null }, $"{name}, mutant {i}") ? 1 : 0;
        }

        Assert.InRange(refused, MutantsOfLanguage / 2, MutantsOfLanguage - 1);
    }

    public static TheoryData<IrLevel, string> Levels()
    {
        var data = new TheoryData<IrLevel, string>();
        foreach (var level in ModuleText.Levels)
        {
            foreach (var target in level == IrLevel.Mapped ? CompilerTargets.All : [CompilerTargets.All[0]])
            {
                data.Add(level, target.Name);
            }
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Levels))]
    public void Damaged_texts_of_a_level_are_taken_or_refused_inside_the_file(IrLevel level, string target)
    {
        var texts = Enumerable.Range(0, Networks).Select(seed => Text(level == IrLevel.Mapped ? ForEveryTarget(seed) : seed, level, CompilerTargets.Find(target)!)).OfType<(string Text, byte[] Constants)>().ToArray();
        Assert.True(texts.Length >= Networks / 5, $"only {texts.Length} networks reach the {level.Name()} level");
        var refused = 0;
        for (var i = 0; i < MutantsOfLevels; i++)
        {
            var (text, constants) = texts[i % texts.Length];
            var request = new CompileRequest("net.cnnir", TextMutator.Mutate(text, (ulong)i), target) { StopLevel = level, From = level, Companion = _ => constants };
            refused += IsRefusedInside(request, $"{level.Name()} of {target}, mutant {i}") ? 1 : 0;
        }

        Assert.InRange(refused, MutantsOfLevels / 2, MutantsOfLevels - 1);
    }

    // The third of each three networks is of what every target has.
    private static int ForEveryTarget(int seed) => (3 * seed) + 2;

    private static (string Text, byte[] Constants)? Text(int seed, IrLevel level, CompilerTarget target)
    {
        var diagnostics = new DiagnosticBag();
        var module = PassRunner.Run(target.Pipeline(target.DefaultMachine, []).Until(level), new NetworkModule(NetworkFuzzer.Network(seed)), new PassContext { Diagnostics = diagnostics });
        if (module is null)
        {
            return null;
        }

        var text = module.Text();
        return (text.Text, NpzFile.Write(text.Constants.Constants.Select(constant => new KeyValuePair<string, Tensor>(constant.Name, constant.Value))));
    }

    private static bool IsRefusedInside(CompileRequest request, string mutant)
    {
        var result = Compiler.Compile(request);
        var text = Encoding.UTF8.GetString(request.Source.Span);
        var lines = text.Split('\n');
        foreach (var diagnostic in result.Diagnostics.Where(diagnostic => diagnostic.Severity == DiagnosticSeverity.Error))
        {
            var (span, shown) = (diagnostic.Span, $"{mutant}: {diagnostic}{Environment.NewLine}{text}");
            Assert.True(span.File.StartsWith(request.FileName, StringComparison.Ordinal), shown);

            // What is no program at all is refused as a whole.
            if (diagnostic.Code is "CNN0092" or "CNN0098")
            {
                Assert.Equal(SourceSpan.WholeFile(request.FileName), span);
                continue;
            }

            Assert.True(span.Line >= 1 && span.Line <= lines.Length, shown);
            Assert.True(span.Column >= 1 && span.Column <= lines[span.Line - 1].Length + 1, shown);
            Assert.False(diagnostic.Message.Any(char.IsControl), shown);
        }

        return !result.Succeeded;
    }
}
