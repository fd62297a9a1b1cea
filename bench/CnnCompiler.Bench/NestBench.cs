using System.Diagnostics;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.Systolic;

namespace CnnCompiler.Bench;

/// <summary>
/// Prints how long the mapping of networks of samples/zoo takes on every accelerator of general convolutions (1 s on one core is wanted): processor time of the pass <c>map-to-nests</c>, with the algorithms of
/// convolutions chosen and without, the compilation of its code included where it runs the first time; and the cycles of both.
/// </summary>
internal static class NestBench
{
    private static readonly string[] Networks = ["alexnet", "googlenet", "densenet121", "mobilenet_v1", "zf_faster_rcnn", "c3d", "capsnet", "vgg16"];

    /// <summary>Maps.</summary>
    /// <param name="names">Networks; the seven of the reproduction and VGG-16 where there are none.</param>
    public static void Run(string[] names)
    {
        Console.WriteLine("| network | machine | auto s | direct s | ratio | auto cycles | direct cycles |");
        Console.WriteLine("|---|---|---|---|---|---|---|");
        foreach (var network in names.Length > 0 ? names : Networks)
        {
            var source = File.ReadAllBytes($"samples/zoo/{network}.cnn");
            foreach (var machine in BuiltInMachines.Gconv)
            {
                var (auto, cycles) = Map(source, machine, "auto");
                var (direct, plainCycles) = Map(source, machine, "direct");
                Console.WriteLine(FormattableString.Invariant($"| {network} | {machine.Name} | {auto:0.00} | {direct:0.00} | {auto / direct:0.0} | {cycles} | {plainCycles} |"));
            }
        }
    }

    private static (double Seconds, long Cycles) Map(byte[] source, MachineDescription machine, string algorithms)
    {
        var (before, seconds) = (TimeSpan.Zero, 0.0);
        var result = Compiler.Compile(new CompileRequest("network.cnn", source, "gconv")
        {
            Machine = machine,
            StopLevel = IrLevel.Mapped,
            Options = new Dictionary<string, string>(StringComparer.Ordinal) { ["map-to-nests.algorithms"] = algorithms },
            AfterPass = _ =>
            {
                using var process = Process.GetCurrentProcess();
                (seconds, before) = ((process.TotalProcessorTime - before).TotalSeconds, process.TotalProcessorTime);
            },
        });
        var module = result.Succeeded ? (SystolicModule)result.Modules[IrLevel.Mapped] : throw new InvalidOperationException(string.Join('\n', result.Diagnostics));
        return (seconds, module.NestPredictions.Sum(prediction => prediction.Counts.Cycles(machine)));
    }
}
