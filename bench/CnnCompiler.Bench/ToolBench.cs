using System.Diagnostics;
using System.Globalization;

namespace CnnCompiler.Bench;

/// <summary>
/// Wall time of the tool as a user waits for it, from the packed and installed tool: <c>cnnc --version</c> (0.08 s are wanted) and the compilation of LeNet-5 (0.4 s without a search), as seconds and as ratios to
/// <c>dotnet --version</c> on the same machine in the same minute.
/// </summary>
public static class ToolBench
{
    private const int Rounds = 15;

    /// <summary>Measures; 1 where a command fails.</summary>
    /// <param name="tool">The installed <c>cnnc</c>.</param>
    public static int Run(string tool)
    {
        var output = Path.Combine(Path.GetTempPath(), $"cnnc-bench-{Environment.ProcessId}.cnnb");
        try
        {
            (string Name, string Program, string[] Arguments)[] commands =
            [
                ("dotnet --version", "dotnet", ["--version"]),
                ("cnnc --version", tool, ["--version"]),
                ("cnnc compile samples/lenet5.cnn -t openedge --effort 0", tool, ["compile", "samples/lenet5.cnn", "-t", "openedge", "--effort", "0", "-o", output]),
                ("cnnc compile samples/lenet5.cnn -t openedge", tool, ["compile", "samples/lenet5.cnn", "-t", "openedge", "-o", output]),
            ];
            var times = commands.Select(_ => new List<double>()).ToArray();

            // one round after the other, so that what else the machine does meets all alike; the first warms the file cache
            for (var round = 0; round <= Rounds; round++)
            {
                for (var index = 0; index < commands.Length; index++)
                {
                    var (name, program, arguments) = commands[index];
                    if (Seconds(program, arguments) is not { } seconds)
                    {
                        Console.Error.WriteLine($"{name} failed; run this in the root of the repository, with the path of an installed cnnc");
                        return 1;
                    }

                    if (round > 0)
                    {
                        times[index].Add(seconds);
                    }
                }
            }

            var medians = times.Select(all => all.Order().ElementAt(all.Count / 2)).ToList();
            Console.WriteLine("| command | least s | median s | to dotnet --version |");
            Console.WriteLine("|---|---|---|---|");
            for (var index = 0; index < commands.Length; index++)
            {
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {commands[index].Name} | {times[index].Min():0.000} | {medians[index]:0.000} | {medians[index] / medians[0]:0.00} |"));
            }

            return 0;
        }
        finally
        {
            File.Delete(output);
        }
    }

    private static double? Seconds(string program, string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        var before = Stopwatch.GetTimestamp();
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        process.StandardOutput.ReadToEnd();
        error.GetAwaiter().GetResult();
        process.WaitForExit();
        return process.ExitCode == 0 ? Stopwatch.GetElapsedTime(before).TotalSeconds : null;
    }
}
