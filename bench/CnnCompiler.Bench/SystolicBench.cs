using System.Diagnostics;
using System.Text;
using CnnCompiler.Image.Container;
using CnnCompiler.Interpreter.Execution;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Bench;

/// <summary>
/// Prints how long ResNet-50 at 224x224 takes with seeded weights: compiling for a systolic array and running its image's bytes with the fast engine, on
/// every shipped machine.
/// </summary>
internal static class SystolicBench
{
    private const string ResNet50 = """
        network resnet50 {
            weights seed 1
            input image : i8[1x224x224x3] scale 0.02 zero 0

            block bottleneck(x, filters: int) {
                reduce = conv2d(x, filters=filters, kernel=1, activation=relu)
                middle = conv2d(reduce, filters=filters, kernel=3, padding=same, activation=relu)
                expand = conv2d(middle, filters=4 * filters, kernel=1)
                sum = add(expand, x, activation=relu)
                output sum
            }

            block first(x, filters: int, stride: int) {
                reduce = conv2d(x, filters=filters, kernel=1, activation=relu)
                middle = conv2d(reduce, filters=filters, kernel=3, stride=stride, padding=same, activation=relu)
                expand = conv2d(middle, filters=4 * filters, kernel=1)
                short = conv2d(x, filters=4 * filters, kernel=1, stride=stride)
                sum = add(expand, short, activation=relu)
                output sum
            }

            stem = conv2d(image, filters=64, kernel=7, stride=2, padding=same, activation=relu)
            pool = max_pool2d(stem, kernel=3, stride=2, padding=same)
            a = first(pool, filters=64, stride=1)
            repeat 2 { a = bottleneck(a, filters=64) }
            b = first(a, filters=128, stride=2)
            repeat 3 { b = bottleneck(b, filters=128) }
            c = first(b, filters=256, stride=2)
            repeat 5 { c = bottleneck(c, filters=256) }
            d = first(c, filters=512, stride=2)
            repeat 2 { d = bottleneck(d, filters=512) }
            mean = avg_pool2d(d, kernel=7)
            logits = dense(mean, units=1000)
            output logits
        }
        """;

    /// <summary>Runs all machines.</summary>
    public static void Run()
    {
        Console.WriteLine($"{"machine",-20} {"compile s",9} {"image MB",9} {"run s",7} {"cycles",12} {"array",12} {"simulated ms",12} {"energy mJ",9}");
        foreach (var machine in BuiltInMachines.ArrayFlex)
        {
            var start = Stopwatch.GetTimestamp();
            var compiled = Compiler.Compile(new("resnet50.cnn", Encoding.UTF8.GetBytes(ResNet50), "arrayflex") { Machine = machine });
            var bytes = compiled.Image ?? throw new InvalidOperationException(string.Join('\n', compiled.Diagnostics));
            var compiling = Stopwatch.GetElapsedTime(start).TotalSeconds;
            start = Stopwatch.GetTimestamp();
            var image = ImageReader.Read(bytes, "resnet50.cnnb", new DiagnosticBag()) ?? throw new InvalidOperationException("the image is refused");
            var input = new byte[224 * 224 * 3];
            for (var i = 0; i < input.Length; i++)
            {
                input[i] = (byte)(i * 31);
            }

            var result = ImageInterpreter.Run(image, [input]);
            var running = Stopwatch.GetElapsedTime(start).TotalSeconds;
            if (!result.Succeeded)
            {
                throw new InvalidOperationException(string.Join('\n', result.Diagnostics));
            }

            var total = result.Systolic.Aggregate((sum, layer) => sum + layer);
            Console.WriteLine(
                $"{machine.Name,-20} {compiling,9:0.0} {bytes.Length / 1e6,9:0.0} {running,7:0.0} {total.Cycles,12} {total.ArrayCycles,12} {total.Femtoseconds / 1e12,12:0.000} {(double)total.EnergyAttojoules(machine.Systolic!) / 1e15,9:0.0}");
        }
    }
}
