using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.Systolic;

namespace CnnCompiler.Bench;

/// <summary>
/// Prints how long the mapping of networks of samples/zoo takes on every accelerator of general convolutions (1 s on one core is wanted): processor time of the passes <c>map-to-nests</c>,
/// <c>keep-on-chip</c> and <c>exchange-loops</c> and of all three, with the algorithms of convolutions chosen and without, the compilation of their code included where it runs the first time; the cycles of both, with
/// operators one after the other, and with everything in DRAM; and a digest of the mappings, which tells whether another version of the search finds the same.
/// </summary>
internal static class NestBench
{
    private static readonly string[] Networks = ["alexnet", "googlenet", "densenet121", "mobilenet_v1", "zf_faster_rcnn", "c3d", "capsnet", "vgg16"];

    /// <summary>Maps.</summary>
    /// <param name="names">Networks, or NETWORK/MACHINE for a cell, of whose times the first is then that of a process that has compiled nothing yet; the seven of the reproduction and VGG-16 where there are none.</param>
    public static void Run(string[] names)
    {
        Console.WriteLine("| network | machine | map s | keep s | exchange s | all s | direct: all s | cycles | direct cycles | cycles one by one | cycles from DRAM | digest |");
        Console.WriteLine("|---|---|---|---|---|---|---|---|---|---|---|---|");
        foreach (var name in names.Length > 0 ? names : Networks)
        {
            var (network, only) = name.Split('/') is [var first, var second] ? (first, second) : (name, null);
            var source = File.ReadAllBytes($"samples/zoo/{network}.cnn");
            foreach (var machine in BuiltInMachines.Gconv.Where(machine => only is null || machine.Name == only))
            {
                var (map, keep, exchange, module) = Map(source, machine, "auto");
                var direct = Map(source, machine, "direct");
                var oneByOne = Map(source, machine, "auto", "exchange-loops").Module;
                var plain = Map(source, machine, "auto", "keep-on-chip", "exchange-loops").Module;
                Console.WriteLine(FormattableString.Invariant(
                    $"| {network} | {machine.Name} | {map:0.00} | {keep:0.00} | {exchange:0.00} | {map + keep + exchange:0.00} | {direct.Map + direct.Keep + direct.Exchange:0.00} | {Cycles(module)} | {Cycles(direct.Module)} | {Cycles(oneByOne)} | {Cycles(plain)} | {Digest(module, direct.Module)} |"));
            }
        }
    }

    private static (double Map, double Keep, double Exchange, SystolicModule Module) Map(byte[] source, MachineDescription machine, string algorithms, params string[] disabled)
    {
        var (before, seconds) = (TimeSpan.Zero, new Dictionary<string, double>(StringComparer.Ordinal));
        var result = Compiler.Compile(new CompileRequest("network.cnn", source, "gconv")
        {
            Machine = machine,
            StopLevel = IrLevel.Mapped,
            Disabled = disabled,
            Options = new Dictionary<string, string>(StringComparer.Ordinal) { ["map-to-nests.algorithms"] = algorithms },
            AfterPass = pass =>
            {
                using var process = Process.GetCurrentProcess();
                (seconds[pass.Pass.Description.Name], before) = ((process.TotalProcessorTime - before).TotalSeconds, process.TotalProcessorTime);
            },
        });
        var module = result.Succeeded ? (SystolicModule)result.Modules[IrLevel.Mapped] : throw new InvalidOperationException(string.Join('\n', result.Diagnostics));
        return (seconds["map-to-nests"], seconds.GetValueOrDefault("keep-on-chip"), seconds.GetValueOrDefault("exchange-loops"), module);
    }

    private static long Cycles(SystolicModule module) => module.NestPredictions.Sum(prediction => prediction.Counts.Cycles(module.Machine));

    private static string Digest(params SystolicModule[] modules) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', modules.SelectMany(module => module.Nests)))))[..8];
}
