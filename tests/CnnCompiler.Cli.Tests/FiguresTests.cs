using System.Globalization;
using System.Text;
using System.Text.Json;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Cli.Tests;

/// <summary>docs/figures.md is what <c>cnnc run --json</c> measures: figures are never typed.</summary>
public class FiguresTests
{
    private const string Page = "docs/figures.md";

    private static readonly (string Model, string Title)[] Models =
    [
        ("resnet8_cifar10", "MLPerf Tiny image classification (ResNet-8)"),
        ("kws_dscnn", "MLPerf Tiny keyword spotting (DS-CNN)"),
        ("vww_96", "MLPerf Tiny visual wake words (MobileNet v1)"),
        ("ad01_fcae", "MLPerf Tiny anomaly detection (autoencoder)"),
        ("person_detect", "TensorFlow Lite Micro person detection (MobileNet v1)"),
        ("str_ww", "MLPerf Tiny streaming wake word"),
    ];

    // Their search takes long: on other machines than the default one their lines are measured with CNNC_ALL=1, and when the page is written.
    private static readonly string[] Long = ["vww_96", "person_detect"];

    [Fact]
    public void The_page_with_figures_has_what_the_interpreter_measures_and_every_output_is_the_reference()
    {
        var models = SharedMaterial.Find("models");
        Assert.SkipUnless(models is not null, SharedMaterial.Reason);
        var page = new StringBuilder(
            """
            # Figures

            Cycles of one inference from the first host action to the last output word, measured by the interpreter on the image's bytes (`cnnc run --json`): array cycles are exact, host cycles follow the
            model of [interpreter.md](interpreter.md). MACs count every kernel tap, padding included. A test writes this page (`CNNC_ACCEPT=1`), and compares the outputs with the reference kernels' on the way; lines of the two long searches on other machines than the default one are compared with `CNNC_ALL=1`.

            | network | machine | cycles | array | exposed host | hidden host | launches | MACs | MAC/cycle |
            |---|---|---|---|---|---|---|---|---|

            """.ReplaceLineEndings("\n"));
        Add(page, "LeNet-5 (`samples/lenet5.cnn`)", Cnnc.Lenet5, Cnnc.Digit(7), null, isLong: false);
        foreach (var (model, title) in Models)
        {
            var golden = Path.Combine(models, model, "golden");
            Add(page, $"{title}", Path.Combine(models, model, $"{model}.tflite"), Path.Combine(golden, "00.input.bin"), Path.Combine(golden, "00.output.bin"), Long.Contains(model));
        }

        Snapshot.Check(Page, page.ToString());
    }

    private static void Add(StringBuilder page, string title, string network, string input, string? expected, bool isLong)
    {
        foreach (var machine in BuiltInMachines.All)
        {
            var start = string.Create(CultureInfo.InvariantCulture, $"| {title} | {machine.Name} |");
            if (isLong && machine != BuiltInMachines.Default && !SharedMaterial.EveryInput && !Snapshot.Accepts)
            {
                page.Append(File.ReadLines(Path.Combine(SharedMaterial.Repository, Page)).Single(line => line.StartsWith(start, StringComparison.Ordinal))).Append('\n');
                continue;
            }

            using var scratch = new Scratch();
            using var json = JsonDocument.Parse(Cnnc.Run("run", network, "-t", "openedge", "--machine", machine.Name, "--input", input, "--output", scratch["output"], "--json").Exits(0).Out);
            if (expected is not null)
            {
                Assert.Equal(File.ReadAllBytes(expected), File.ReadAllBytes(scratch["output"]));
            }

            var cycles = json.RootElement.GetProperty("cycles");
            string N(string name) => cycles.GetProperty(name).GetInt64().ToString("N0", CultureInfo.InvariantCulture);
            var ratio = cycles.GetProperty("macsPerCycle").GetDouble().ToString("0.000", CultureInfo.InvariantCulture);
            page.Append(CultureInfo.InvariantCulture, $"{start} {N("total")} | {N("array")} | {N("exposedHost")} | {N("hiddenHost")} | {N("launches")} | {N("macs")} | {ratio} |\n");
        }
    }
}
