using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Frontend.Tests.Language;

/// <summary>The networks of samples/zoo are those that their papers describe.</summary>
public sealed class ZooTests
{
    private const double Tolerance = 0.01;

    // Parameters and multiplications as published, with the source. NaN where the source gives none.
    private static readonly Dictionary<string, (double Parameters, double Macs, string Source)> Published = new(StringComparer.Ordinal)
    {
        ["alexnet"] = (60.97e6, 724e6, "Caffe's bvlc_alexnet; Sze et al., Efficient processing of deep neural networks, 2017, table II: 61 M weights, 724 M MACs"),
        ["vgg16"] = (138.36e6, 15.47e9, "Simonyan and Zisserman, table 2: 138 M; Sze et al., table II: 15.5 G MACs; torchvision: 138,357,544 parameters"),
        ["googlenet"] = (6.998e6, 1.58e9, "Caffe's bvlc_googlenet without auxiliary classifiers: 6,998,552 parameters; Szegedy et al.: 1.5 G operations; 1.58 G by Albanie, convnet-burden"),
        ["inception_v4"] = (42.68e6, 12.27e9, "timm inception_v4: 42.68 M parameters, 12.28 GMACs"),
        ["resnet8"] = (77_706, 12.5e6, "MLPerf Tiny's pretrainedResnet_quant.tflite: weights and biases (Keras counts 78,666 with the 960 numbers of batch normalisation); 12.5 M MACs"),
        ["resnet18"] = (11.69e6, 1.814e9, "torchvision resnet18: 11,689,512 parameters, 1.81 GMACs"),
        ["resnet34"] = (21.80e6, 3.664e9, "torchvision resnet34: 21,797,672 parameters, 3.66 GMACs"),
        ["resnet50"] = (25.56e6, 4.089e9, "torchvision resnet50: 25,557,032 parameters, 4.09 GMACs"),
        ["mobilenet_v1"] = (4.23e6, 569e6, "Howard et al., table 4: 4.2 M parameters, 569 M mult-adds; Keras: 4,231,976 with batch normalisation folded"),
        ["mobilenet_v2"] = (3.50e6, 300e6, "Sandler et al., table 4: 3.4 M parameters, 300 M MAdds; torchvision mobilenet_v2: 3,504,872 parameters, 0.3 GMACs"),
        ["ds_cnn"] = (22_604, 2.66e6, "MLPerf Tiny's kws_ref_model.tflite: weights and biases (Keras counts 24,908 with the 2,304 numbers of batch normalisation); 2.66 M MACs"),
        ["densenet121"] = (7.979e6, 2.83e9, "torchvision densenet121: 7,978,856 parameters, 2.83 GMACs"),
        ["zfnet"] = (62.36e6, double.NaN, "Zeiler and Fergus, figure 3, counted by hand: 62,357,608 weights and biases"),
        ["zf_faster_rcnn"] = (59.2e6, double.NaN, "Ren et al., ZF model (faster_rcnn_end2end test.prototxt), counted by hand"),
        ["c3d"] = (79.99e6, 38.5e9, "Tran et al.: C3D with 487 classes has 79,997,991 weights and biases; 38.5 GMACs a clip (Hara et al., 2018)"),
        ["capsnet"] = (8.215e6, double.NaN, "Sabour et al., section 5: 8.2 M parameters with the decoder (biases of the capsules' predictions not counted)"),
        ["convnext_t"] = (28.59e6, 4.46e9, "Liu et al., table 1: 29 M parameters, 4.5 G; torchvision convnext_tiny: 28,589,128 parameters, 4.46 GMACs"),
    };

    public static TheoryData<string> Networks => [.. Files.Select(file => Path.GetFileNameWithoutExtension(file))];

    private static IEnumerable<string> Files => Directory.EnumerateFiles(Path.Combine(SharedMaterial.Repository, "samples", "zoo"), "*.cnn").Order(StringComparer.Ordinal);

    [Theory]
    [MemberData(nameof(Networks))]
    public void A_network_has_the_parameters_and_multiplications_that_were_published(string name)
    {
        var (parameters, macs, source) = Published[name];
        var statistics = NetworkStatistics.Of(Parse(name, []));
        Assert.True(Math.Abs(statistics.Parameters - parameters) <= Tolerance * parameters, $"{name} has {statistics.Parameters:N0} parameters, published {parameters:N0} ({source})");
        Assert.True(double.IsNaN(macs) || Math.Abs(statistics.Macs - macs) <= Tolerance * macs, $"{name} has {statistics.Macs:N0} MACs, published {macs:N0} ({source})");
    }

    [Fact]
    public void Every_published_network_is_there() => Assert.Equal(Published.Keys.Order(StringComparer.Ordinal), Networks.Select(row => row.Data));

    [Theory]
    [MemberData(nameof(Networks))]
    public void A_sample_is_in_canonical_form(string name)
    {
        var text = File.ReadAllText(FileOf(name));
        Assert.Equal(text, CnnFormatter.Format(text, name, new DiagnosticBag()));
    }

    internal static string FileOf(string name) => Files.Single(file => Path.GetFileNameWithoutExtension(file) == name);

    /// <summary>A network of the zoo, with some of its constants changed.</summary>
    internal static NetworkGraph Parse(string name, (string Constant, int Value)[] constants)
    {
        var text = File.ReadAllText(FileOf(name));
        foreach (var (constant, value) in constants)
        {
            var changed = System.Text.RegularExpressions.Regex.Replace(text, $@"(?m)^    const {constant} = \d+$", $"    const {constant} = {value}", System.Text.RegularExpressions.RegexOptions.None, TimeSpan.FromSeconds(1));
            Assert.NotEqual(text, changed);
            text = changed;
        }

        var diagnostics = new DiagnosticBag();
        var graph = CnnFrontend.Parse(text, name + ".cnn", _ => null, diagnostics);
        Assert.Empty(diagnostics.Diagnostics);
        return Assert.IsType<NetworkGraph>(graph);
    }
}
