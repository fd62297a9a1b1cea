using CnnCompiler.Frontend.Tflite;
using CnnCompiler.Fuzzing;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.TestSupport;
using Builder = CnnCompiler.Frontend.Tests.Tflite.TfliteModelBuilder;

namespace CnnCompiler.Frontend.Tests.Tflite;

/// <summary>Files made to break the reader: it ends, takes little memory and explains itself.</summary>
public sealed class TfliteReaderHostileTests
{
    private static IEnumerable<byte[]> SmallModels => GoldenModel.Find(SharedMaterial.Vectors("kernels"))
        .Select(folder => File.ReadAllBytes(new GoldenModel(SharedMaterial.Vectors("kernels", folder)).File));

    [Fact]
    public void Files_that_are_no_models_are_refused()
    {
        foreach (var bytes in (byte[][])[[], [1], "TFL3"u8.ToArray(), new byte[100], "PK\u0003\u0004TFL"u8.ToArray()])
        {
            Assert.Equal("CNN0320", Assert.Single(TfliteReaderRefusalTests.Refuse(bytes)).Code);
        }

        Assert.Equal("CNN0321", Assert.Single(TfliteReaderRefusalTests.Refuse([8, 0, 0, 0, .. "TFL3"u8])).Code);
        Assert.Equal("CNN0321", Assert.Single(TfliteReaderRefusalTests.Refuse([0xFF, 0xFF, 0xFF, 0xFF, .. "TFL3"u8])).Code);
    }

    [Fact]
    public void Every_truncation_of_the_single_operator_models_is_read_or_refused()
    {
        foreach (var model in SmallModels)
        {
            for (var length = 0; length < model.Length; length++)
            {
                ReadOrRefuse(model[..length]);
            }
        }
    }

    [Fact]
    public void Mutants_of_real_models_are_read_or_refused_within_bounded_memory()
    {
        var read = ModelMutants.Check([.. SmallModels], 7, ModelMutants.ChangeFlatBuffer, Read, Limit);

        // Both happen often, or the changes would not reach the reader's depths.
        Assert.InRange(read, ModelMutants.Count / 20, ModelMutants.Count * 19 / 20);
    }

    [Fact]
    public void Mutants_of_models_of_every_operator_are_read_or_refused_within_bounded_memory()
    {
        var read = ModelMutants.Check([.. OperatorModels.All], 8, ModelMutants.ChangeFlatBuffer, Read, Limit);
        Assert.InRange(read, ModelMutants.Count / 20, ModelMutants.Count * 19 / 20);
    }

    [Fact]
    public void Every_imported_operator_has_a_model_here()
    {
        Assert.All(OperatorModels.All, model => Assert.True(Read(model, new DiagnosticBag())));
        Assert.Equal(
            ImportedOperator.All.Where(row => row.Format == "tflite").Select(row => row.Name).Order(StringComparer.Ordinal),
            OperatorModels.All.SelectMany(model => GoldenModel.OperatorCodes(model)).Select(OperatorModels.NameOf).Distinct().Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Every_other_operator_of_the_schema_is_refused_by_name()
    {
        foreach (var code in Enumerable.Range(0, 206).Except(OperatorModels.Codes))
        {
            var model = new Builder();
            var (x, y) = (model.Value("x", [1, 7]), model.Value("y", [1, 7]));
            model.Operator(code, [x], [y]);
            var diagnostic = Assert.Single(TfliteReaderRefusalTests.Refuse(model.Build([x], [y])));
            Assert.Equal("CNN0323", diagnostic.Code);
            Assert.True(diagnostic.Remedy.Length > 10);
        }
    }

    [Fact]
    public void Changed_outlines_of_a_real_network_are_read_or_refused()
    {
        Assert.SkipUnless(SharedMaterial.Exists, SharedMaterial.Reason);
        var model = File.ReadAllBytes(SharedMaterial.Find("models", "resnet8_cifar10", "resnet8_cifar10.tflite")!);
        var random = new SeededRandom(8);
        for (var i = 0; i < 500; i++)
        {
            var changed = model.ToArray();
            for (var n = 0; n < 20; n++)
            {
                ModelMutants.ChangeFlatBuffer(changed, random);
            }

            ReadOrRefuse(changed);
        }
    }

    [Fact]
    public void Tables_that_share_bytes_to_look_huge_are_refused()
    {
        // 2,000 tensors that are one, with 4,000 scales: 32 MB of scales from 50 kB.
        var model = new Builder();
        var x = model.Value("x", [1, 4000]);
        model.Tensors[x][4] = Builder.PerAxis(1, Enumerable.Repeat(1f, 4000).ToArray());
        for (var i = 0; i < 2000; i++)
        {
            model.Tensors.Add(model.Tensors[x]);
        }

        model.Operator(2, [.. Enumerable.Range(0, 2000)], [2000], 10, new());
        var bytes = model.Build([.. Enumerable.Range(0, 2000)], [2000]);
        Assert.InRange(bytes.Length, 1, 200_000);
        Assert.Equal("CNN0322", Bounded(bytes)[^1].Code);
    }

    [Fact]
    public void Constants_that_share_bytes_may_not_add_up_to_much_more_than_the_file()
    {
        // One buffer of 100 kB as the weights of 100 layers: as tensors of their own they are 10 MB.
        var model = new Builder();
        var x = model.Value("x", [1, 300]);
        var w = model.Weights([300, 300]);
        var values = new List<int> { x };
        for (var i = 0; i < 100; i++)
        {
            model.Tensors.Add(model.Tensors[w]);
            var weights = model.Tensors.Count - 1;
            values.Add(model.Value($"y{i}", [1, 300]));
            model.Operator(9, [values[^2], weights], [values[^1]], 8, new());
        }

        Assert.Equal("CNN0322", Assert.Single(Bounded(model.Build([x], [values[^1]]))).Code);
    }

    [Fact]
    public void An_operator_that_is_repeated_with_very_many_operands_is_refused()
    {
        var model = new Builder();
        var x = model.Value("x", [1, 1]);
        var y = model.Value("y", [1, 5000]);
        var operation = model.Operator(2, [.. Enumerable.Repeat(x, 5000)], [y], 10, new() { [0] = 1 });
        for (var i = 0; i < 500; i++)
        {
            model.Operators.Add(operation);
        }

        Bounded(model.Build([x], [y]));
    }

    [Fact]
    public void Very_many_refused_operators_are_listed_up_to_a_limit()
    {
        var model = new Builder();
        var x = model.Value("x", [1, 7]);
        var operation = model.Operator(18, [x], []);
        for (var i = 0; i < 20_000; i++)
        {
            model.Operators.Add(operation);
        }

        var diagnostics = Bounded(model.Build([x], [x]));
        Assert.Equal(201, diagnostics.Count);
        Assert.Equal("CNN0331", diagnostics[^1].Code);
    }

    private static bool Read(byte[] bytes, DiagnosticBag diagnostics) => TfliteReader.Read(bytes, "m.tflite", diagnostics) is not null;

    private static bool ReadOrRefuse(byte[] bytes) => ModelMutants.ReadOrRefuse(bytes, Read, Limit);

    private static IReadOnlyList<Diagnostic> Bounded(byte[] bytes)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        var diagnostics = TfliteReaderRefusalTests.Refuse(bytes);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, Limit(bytes));
        return diagnostics;
    }

    /// <summary>A small multiple of the file, and what any import takes.</summary>
    private static long Limit(byte[] bytes) => 1_000_000 + (32L * bytes.Length);
}
