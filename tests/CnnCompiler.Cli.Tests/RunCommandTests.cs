using System.Globalization;
using System.Text.Json;
using CnnCompiler.Core.Numpy;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Cli.Tests;

public class RunCommandTests
{
    public static TheoryData<int> Digits => [.. Enumerable.Range(0, 10)];

    [Theory]
    [MemberData(nameof(Digits))]
    public void The_first_command_of_the_readme_prints_the_recognised_digit(int digit)
    {
        var result = Cnnc.Run("run", Cnnc.Lenet5, "-t", "openedge", "--input", Cnnc.Digit(digit)).Exits(0);
        Assert.Contains(string.Create(CultureInfo.InvariantCulture, $"recognised: {digit} ("), result.Out, StringComparison.Ordinal);
        Assert.Contains("measured by the interpreter", result.Out, StringComparison.Ordinal);
        Assert.Contains("| conv1 ", result.Out, StringComparison.Ordinal);
        Assert.Empty(result.Error);
    }

    [Fact]
    public void An_image_runs_without_its_source_and_gives_the_same_outputs_and_cycles()
    {
        using var scratch = new Scratch();
        Cnnc.Run("compile", Cnnc.Lenet5, "-t", "openedge", "-o", scratch["a.cnnb"]).Exits(0);
        var fromImage = Cnnc.Run("run", scratch["a.cnnb"], "--input", Cnnc.Digit(3), "--output", scratch["a.bin"]).Exits(0);
        var fromSource = Cnnc.Run("run", Cnnc.Lenet5, "--input", Cnnc.Digit(3), "--output", scratch["b.bin"]).Exits(0);
        Assert.Equal(fromSource.Out, fromImage.Out);
        Assert.Equal(File.ReadAllBytes(scratch["b.bin"]), File.ReadAllBytes(scratch["a.bin"]));
    }

    [Theory]
    [InlineData("scores.npy")]
    [InlineData("scores.bin")]
    public void Inputs_are_read_and_outputs_written_as_npy_or_raw_bytes(string name)
    {
        using var scratch = new Scratch();
        var image = scratch.Write("echo.cnnb", EchoImage.Bytes);
        var input = scratch.Write(name, name.EndsWith(".npy", StringComparison.Ordinal) ? EchoImage.Npy(7) : EchoImage.Codes(7));
        var result = Cnnc.Run("run", image, "-i", input, "-o", scratch["out.npy"]).Exits(0);
        Assert.Contains("recognised: 7 (0.996)", result.Out, StringComparison.Ordinal);
        Assert.DoesNotContain('\u001b', result.Out);
        Cnnc.Run("run", image, "-i", input, "-o", scratch["out.bin"]).Exits(0);
        Assert.Equal(EchoImage.Codes(7), File.ReadAllBytes(scratch["out.bin"]));
        var written = NpyFile.Read(File.ReadAllBytes(scratch["out.npy"]), "out.npy", new DiagnosticBag());
        Assert.Equal(new Tensor(ElementType.Int8, Shape.Of(1, 10), EchoImage.Codes(7)), written);
    }

    [Fact]
    public void Json_has_a_version_the_codes_and_cycles_that_add_up()
    {
        using var scratch = new Scratch();
        var image = scratch.Write("echo.cnnb", EchoImage.Bytes);
        using var json = JsonDocument.Parse(Cnnc.Run("run", image, "-i", scratch.Write("in.npy", EchoImage.Npy(2)), "--json").Exits(0).Out);
        var root = json.RootElement;
        Assert.Equal(1, root.GetProperty("version").GetInt32());
        Assert.Equal("openedge", root.GetProperty("machine").GetString());
        var cycles = root.GetProperty("cycles");
        Assert.Equal(cycles.GetProperty("total").GetInt64(), cycles.GetProperty("array").GetInt64() + cycles.GetProperty("exposedHost").GetInt64());
        Assert.Equal(9, cycles.GetProperty("total").GetInt64()); // three words copied in RAM, three cycles each
        var output = root.GetProperty("outputs")[0];
        Assert.Equal(2, output.GetProperty("recognised")[0].GetInt32());
        Assert.Equal(EchoImage.Codes(2), output.GetProperty("codes").EnumerateArray().Select(code => (byte)code.GetSByte()));
        Assert.Equal("echo", root.GetProperty("layers")[0].GetProperty("name").GetString());
    }

    [Fact]
    public void Layers_and_what_lies_outside_add_up_to_the_sum()
    {
        using var json = JsonDocument.Parse(Cnnc.Run("run", Cnnc.Lenet5, "--input", Cnnc.Digit(0), "--json").Exits(0).Out);
        var root = json.RootElement;
        foreach (var key in (string[])["total", "array", "exposedHost", "hiddenHost", "launches", "macs"])
        {
            var layers = root.GetProperty("layers").EnumerateArray().Sum(layer => layer.GetProperty(key).GetInt64());
            Assert.Equal(root.GetProperty("cycles").GetProperty(key).GetInt64(), layers + root.GetProperty("noLayer").GetProperty(key).GetInt64());
        }
    }

    [Fact]
    public void Missing_inputs_are_asked_for_by_name_and_type()
    {
        using var scratch = new Scratch();
        var image = scratch.Write("echo.cnnb", EchoImage.Bytes);
        var result = Cnnc.Run("run", image).Exits(1);
        Assert.Contains("CNN0010", result.Error, StringComparison.Ordinal);
        Assert.Contains("'scores' i8[1x10] scale 0.00390625 zero -128", result.Error, StringComparison.Ordinal);
        var input = scratch.Write("in.npy", EchoImage.Npy(0));
        Assert.Contains("CNN0010", Cnnc.Run("run", image, "-i", input, "-i", input).Exits(1).Error, StringComparison.Ordinal);
    }

    [Fact]
    public void An_input_of_another_shape_type_or_size_is_refused_with_what_was_expected()
    {
        using var scratch = new Scratch();
        var image = scratch.Write("echo.cnnb", EchoImage.Bytes);
        string Error(string name, byte[] bytes) => Cnnc.Run("run", image, "-i", scratch.Write(name, bytes), "-o", scratch["out.bin"]).Exits(1).Error;
        var shape = Error("shape.npy", NpyFile.Write(new(ElementType.Int8, Shape.Of(5, 2), EchoImage.Codes(0))));
        Assert.Contains("CNN0011", shape, StringComparison.Ordinal);
        Assert.Contains("i8[5x2]", shape, StringComparison.Ordinal);
        var real = Error("real.npy", NpyFile.Write(Tensor.From<float>(ElementType.Float32, Shape.Of(1, 10), new float[10])));
        Assert.Contains("/ 0.00390625) + -128", real, StringComparison.Ordinal);
        var size = Error("size.bin", new byte[11]);
        Assert.Contains("CNN0012", size, StringComparison.Ordinal);
        Assert.Contains("10 bytes; the file has 11", size, StringComparison.Ordinal);
        Assert.Contains("CNN03", Error("broken.npy", [1, 2, 3]), StringComparison.Ordinal);
        Assert.False(File.Exists(scratch["out.bin"]));
    }

    [Fact]
    public void Extents_of_one_do_not_matter_in_an_input()
    {
        using var scratch = new Scratch();
        var image = scratch.Write("echo.cnnb", EchoImage.Bytes);
        var input = scratch.Write("in.npy", NpyFile.Write(new(ElementType.Int8, Shape.Of(10), EchoImage.Codes(4))));
        Assert.Contains("recognised: 4", Cnnc.Run("run", image, "-i", input).Exits(0).Out, StringComparison.Ordinal);
    }

    [Fact]
    public void More_outputs_than_the_network_has_or_one_file_for_two_are_refused()
    {
        using var scratch = new Scratch();
        var image = scratch.Write("echo.cnnb", EchoImage.Bytes);
        var input = scratch.Write("in.npy", EchoImage.Npy(0));
        Assert.Contains("CNN0013", Cnnc.Run("run", image, "-i", input, "-o", scratch["a"], "-o", scratch["b"]).Exits(1).Error, StringComparison.Ordinal);
        Assert.Equal(["echo.cnnb", "in.npy"], scratch.Names);
    }

    [Fact]
    public void A_damaged_image_is_refused_by_a_diagnostic()
    {
        using var scratch = new Scratch();
        var input = scratch.Write("in.npy", EchoImage.Npy(0));
        var bytes = EchoImage.Bytes.ToArray();
        bytes[^1] ^= 1;
        Assert.Contains("error CNN06", Cnnc.Run("run", scratch.Write("flipped.cnnb", bytes), "-i", input).Exits(1).Error, StringComparison.Ordinal);
        Assert.Contains("error CNN06", Cnnc.Run("run", scratch.Write("cut.cnnb", bytes[..40]), "-i", input).Exits(1).Error, StringComparison.Ordinal);
        Assert.Contains("error CNN06", Cnnc.Run("disasm", scratch.Write("empty.cnnb", Array.Empty<byte>())).Exits(1).Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_of_no_known_kind_is_refused()
    {
        using var scratch = new Scratch();
        Assert.Contains("CNN0008", Cnnc.Run("run", scratch.Write("a.txt", "hello")).Exits(1).Error, StringComparison.Ordinal);
        Assert.Contains("CNN0008", Cnnc.Run("disasm", scratch.Write("a.cnn", "network n {}")).Exits(1).Error, StringComparison.Ordinal);
    }

    [Fact]
    public void An_image_can_not_be_moved_to_another_machine()
    {
        using var scratch = new Scratch();
        var result = Cnnc.Run("run", scratch.Write("echo.cnnb", EchoImage.Bytes), "--machine", "openedge-ideal").Exits(2);
        Assert.Contains("--machine has no effect on an image", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--verify-each")]
    [InlineData("--print-after", "emit-image")]
    public void What_is_about_compiling_is_refused_for_an_image(params string[] options)
    {
        using var scratch = new Scratch();
        var result = Cnnc.Run(["run", scratch.Write("echo.cnnb", EchoImage.Bytes), .. options]).Exits(2);
        Assert.Contains("have no effect on an image", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_kernel_beyond_max_cycles_is_a_diagnostic_that_names_the_option()
    {
        var result = Cnnc.Run("run", Cnnc.Lenet5, "--input", Cnnc.Digit(0), "--max-cycles", "10").Exits(1);
        Assert.Contains("CNN0701", result.Error, StringComparison.Ordinal);
        Assert.Contains("--max-cycles", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Disasm_prints_the_image_as_text()
    {
        using var scratch = new Scratch();
        var text = Cnnc.Run("disasm", scratch.Write("echo.cnnb", EchoImage.Bytes)).Exits(0).Out;
        Assert.Contains("openedge", text, StringComparison.Ordinal);
        Assert.Contains("scores", text, StringComparison.Ordinal);
        Assert.Contains("echo", text, StringComparison.Ordinal);
    }
}
