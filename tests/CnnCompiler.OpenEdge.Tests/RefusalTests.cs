using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.OpenEdge.Tests;

/// <summary>What the machine can't hold is refused by name, with resource and amounts.</summary>
public class RefusalTests
{
    private static readonly Quantization Codes = Quantization.PerTensor(0.5f, 0);

    private static TensorType Type(params int[] shape) => new(ElementType.Int8, Shape.Of(shape), Codes);

    private static NetworkGraph Pool(int size) => new(
        "pool",
        [new("x", Type(1, size, size, 4))],
        [new AveragePool2D("y", ["x"], Type(1, 1, 1, 4), new(size, size), new(1, 1), new(0, 0, 0, 0), FusedActivation.None)],
        ["y"]);

    private static string Refuse(NetworkGraph network, string code, MachineDescription? machine = null)
    {
        var diagnostics = new DiagnosticBag();
        Assert.Null(AllLevels.Compile(network, diagnostics, machine is null ? null : [machine]));
        return Assert.Single(diagnostics.Diagnostics.DistinctBy(d => d.Message), d => d.Code == code).Message;
    }

    [Fact]
    public void Kernels_with_steps_too_far_for_the_code_are_refused_with_their_steps()
    {
        // neighbouring outputs are 4 * 16,384 bytes apart: the constants that reach them take more steps than a kernel has
        const int Channels = 160_000;
        var machine = BuiltInMachines.Default with { Ram = BuiltInMachines.Default.Ram with { Bytes = 1 << 27 } };
        var network = new NetworkGraph(
            "wide",
            [new("x", Type(1, 2, 2, Channels))],
            [new AveragePool2D("y", ["x"], Type(1, 2, 2, Channels), new(1, 1), new(1, 1), new(0, 0, 0, 0), FusedActivation.None)],
            ["y"]);
        var message = Refuse(network, "CNN0802", machine);
        Assert.Contains("layer y (avg_pool2d) needs", message);
        Assert.Contains("steps of a kernel, the machine has 32", message);
    }

    [Fact]
    public void Averages_divide_exactly_by_every_window()
    {
        foreach (var divisor in Enumerable.Range(1, 700).Append(784).Append(4096).Append(50_176))
        {
            var (factor, shift) = Targets.OpenEdge.Kernels.PointKernel.Reciprocal(divisor)!.Value;
            for (long a = 0; a <= (128L * divisor) + (divisor / 2); a++)
            {
                if ((long)((ulong)(uint)((a * factor) >> 15) >> (shift - 15)) != a / divisor)
                {
                    Assert.Fail($"{a} / {divisor}");
                }
            }
        }

        Assert.Null(Targets.OpenEdge.Kernels.PointKernel.Reciprocal(Targets.OpenEdge.Kernels.PointKernel.LargestDivisor + 1));
    }

    [Fact]
    public void A_tensor_larger_than_the_memory_is_refused_with_the_amounts()
    {
        var network = new NetworkGraph(
            "large",
            [new("x", Type(1, 512, 512, 1))],
            [new Activation("y", ["x"], Type(1, 512, 512, 1), FusedActivation.Relu)],
            ["y"]);
        var message = Refuse(network, "CNN0830", BuiltInMachines.Default);
        Assert.Contains("491520 bytes are available", message);
    }

    [Fact]
    public void A_machine_with_less_memory_refuses_what_the_default_one_takes()
    {
        var small = BuiltInMachines.Default with { Ram = BuiltInMachines.Default.Ram with { Bytes = 40_000 } };
        var network = new NetworkGraph(
            "medium",
            [new("x", Type(1, 32, 32, 4))],
            [new Activation("y", ["x"], Type(1, 32, 32, 4), FusedActivation.Relu)],
            ["y"]);
        Assert.NotNull(AllLevels.Compile(network, new(), [BuiltInMachines.Default]));
        Refuse(network, "CNN0830", small);
    }

    [Fact]
    public void A_flash_too_small_for_code_and_weights_is_refused()
    {
        var small = BuiltInMachines.Default with { FlashBytes = 1024 };
        Assert.Contains("has 1024", Refuse(Pool(4), "CNN0804", small));
    }

    [Fact]
    public void An_accumulator_beyond_the_exact_range_is_refused_with_channel_and_bound()
    {
        const int Channels = 8;
        var bias = new int[4];
        bias[2] = int.MaxValue - 500;
        var network = new NetworkGraph(
            "huge",
            [new("x", Type(1, Channels))],
            [
                new Dense(
                    "y",
                    ["x"],
                    Type(1, 4),
                    Tensor.From<sbyte>(ElementType.Int8, Shape.Of(4, Channels), Enumerable.Repeat((sbyte)1, 4 * Channels).ToArray()),
                    new([1e-6f], [0], -1),
                    Tensor.From<int>(ElementType.Int32, Shape.Of(4), bias),
                    FusedActivation.None,
                    RoundingScheme.TfliteDouble),
            ],
            ["y"]);
        var message = Refuse(network, "CNN0801");
        Assert.Contains("layer y (dense), channel 2", message);
        Assert.Contains("2147484171", message);
    }
}
