using CnnCompiler.Core.Numpy;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Cli.Tests;

public class CompareCommandTests
{
    [Fact]
    public void All_levels_of_the_sample_are_equal()
    {
        var result = Cnnc.Run("compare", Cnnc.Lenet5, "--input", Cnnc.Digit(5)).Exits(0);
        Assert.All(["network", "gconv", "mapped", "image"], level => Assert.Contains($"| {level} ", result.Out, StringComparison.Ordinal));
        Assert.Equal("all levels are equal", result.LastLine);
    }

    [Fact]
    public void The_first_tensor_and_element_that_differ_from_a_reference_are_named_with_both_values()
    {
        using var scratch = new Scratch();
        var values = Values();
        var bytes = values["pool1"].Bytes.ToArray();
        var shape = values["pool1"].Shape;
        var place = (((3 * shape[2]) + 5) * shape[3]) + 2;
        bytes[place] ^= 1;
        bytes[place + 1] ^= 1;
        var changed = new Tensor(ElementType.Int8, shape, bytes);
        var reference = scratch.Write("reference.npz", NpzFile.Write(values.Select(value => new KeyValuePair<string, Tensor>(value.Key, value.Key == "pool1" ? changed : value.Value))));
        var result = Cnnc.Run("compare", Cnnc.Lenet5, "--input", Cnnc.Digit(5), "--reference", reference, "--levels", "network").Exits(1);
        var (expected, actual) = (changed.GetInteger(place), values["pool1"].GetInteger(place));
        var lines = result.Out.Split('\n').ToList();
        var first = lines.IndexOf(FormattableString.Invariant($"level network, tensor pool1, element [0, 3, 5, 2]: reference has {expected}, network has {actual}; 2 elements of this tensor differ"));
        Assert.True(first >= 0, result.Out);

        // then all tensors, each with its shape and type
        var table = string.Join('\n', lines.Skip(first + 1));
        Assert.All(values, value => Assert.Matches($@"\| {value.Key} +\| {value.Value.Shape} +\| i8 +\|", table));
        Assert.Matches(@"\| pool1 .*\| +2 of [\d,]+ \| +1 \|", table);
        Assert.Matches(@"\| conv1 .*\| +- \| +- \|", table);
    }

    [Fact]
    public void Two_targets_are_compared_level_by_level()
    {
        var result = Cnnc.Run("compare", Cnnc.Lenet5, "--input", Cnnc.Digit(5), "-t", "openedge", "--with", "arrayflex", "--levels", "network,image").Exits(0);
        Assert.All(["network", "openedge image", "arrayflex image"], level => Assert.Contains($"| {level} ", result.Out, StringComparison.Ordinal));
        Assert.Equal("all levels are equal", result.LastLine);
        Assert.Contains("CNN0002", Cnnc.Run("compare", Cnnc.Lenet5, "--input", Cnnc.Digit(5), "--with", "arrayflux").Exits(2).Error, StringComparison.Ordinal);
    }

    [Fact]
    public void The_table_of_all_tensors_can_be_had_where_all_are_equal()
    {
        var result = Cnnc.Run("compare", Cnnc.Lenet5, "--input", Cnnc.Digit(5), "--levels", "network,gconv", "--tensors").Exits(0);
        Assert.All(Values(), value => Assert.Matches($@"\| {value.Key} +\| {value.Value.Shape} +\| i8 +\| +- \|", result.Out));
        Assert.Equal("all levels are equal", result.LastLine);
    }

    [Fact]
    public void A_reference_may_be_a_folder_of_arrays_and_raw_bytes_and_hold_some_of_the_values_only()
    {
        using var scratch = new Scratch();
        var values = Values();
        scratch.Write("conv1.npy", NpyFile.Write(values["conv1"]));
        scratch.Write("probabilities.bin", values["probabilities"].Bytes.ToArray());
        var result = Cnnc.Run("compare", Cnnc.Lenet5, "--input", Cnnc.Digit(5), "--reference", scratch.Folder, "--levels", "network,gconv").Exits(0);
        Assert.Matches(@"\| network \|\s+2 \|", result.Out);
        Assert.Equal("all levels are equal", result.LastLine);
    }

    [Fact]
    public void A_reference_with_nothing_of_the_network_is_refused()
    {
        using var scratch = new Scratch();
        Assert.Contains("CNN0016", Cnnc.Run("compare", Cnnc.Lenet5, "--input", Cnnc.Digit(5), "--reference", scratch.Folder, "--levels", "network").Exits(1).Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Golden_tensors_of_a_tflite_model_are_found_by_their_index()
    {
        var golden = SharedMaterial.Find("models", "resnet8_cifar10", "golden");
        Assert.SkipUnless(golden is not null, SharedMaterial.Reason);
        var model = Path.Combine(golden, "..", "resnet8_cifar10.tflite");
        var result = Cnnc.Run(
            "compare", model, "--input", Path.Combine(golden, "00.input.bin"), "--reference", Path.Combine(golden, "00.tensors"), "--levels", "network,gconv").Exits(0);
        Assert.Equal("all levels are equal", result.LastLine);
        Assert.Matches(@"\| network \|\s+1\d \|", result.Out);
    }

    private static IReadOnlyDictionary<string, Tensor> Values()
    {
        var compiled = Compiler.Compile(new(Cnnc.Lenet5, File.ReadAllBytes(Cnnc.Lenet5), "openedge")
        {
            StopLevel = IrLevel.Network,
            Companion = name => File.ReadAllBytes(Path.Combine(Path.GetDirectoryName(Cnnc.Lenet5)!, name)),
        });
        var input = NpyFile.Read(File.ReadAllBytes(Cnnc.Digit(5)), "5.npy", new DiagnosticBag())!;
        var module = compiled.Modules[IrLevel.Network];
        return module.Evaluate([input.Reshape(module.Inputs[0].Type.Shape)], new DiagnosticBag(), CancellationToken.None)!.Values;
    }
}
