using System.CommandLine;
using System.Globalization;
using CnnCompiler.Cli.Reporting;
using CnnCompiler.Primitives.Machines;
using Spectre.Console;

namespace CnnCompiler.Cli.Commands;

/// <summary><c>cnnc targets</c>: targets, their machines and the machines' values.</summary>
internal static class TargetsCommand
{
    /// <summary>The verb.</summary>
    public static Command Create(CliSession session)
    {
        var command = new VerbCommand(
            "targets",
            "Lists targets, their machines and the machines' values.",
            "cnnc targets");
        command.SetAction(_ => Run(session.Environment));
        return command;
    }

    private static int Run(CliEnvironment environment)
    {
        foreach (var target in CompilerTargets.All)
        {
            var (console, table) = Consoles.CreateTable(environment.Out, environment.OutRedirected);
            console.WriteLine($"{target.Name}: {target.Summary}");
            table.AddColumn(string.Empty);
            foreach (var machine in target.Machines)
            {
                table.AddColumn(new TableColumn(Markup.Escape(machine.Name)).RightAligned());
            }

            foreach (var (name, value) in (target.DefaultMachine.Systolic is null ? Values : SystolicValues).Where(row => target.Machines.Any(machine => row.Value(machine) != Absent)))
            {
                table.AddRow([Markup.Escape(name), .. target.Machines.Select(machine => Markup.Escape(value(machine)))]);
            }

            console.Write(table);
            console.WriteLine($"default machine: {target.DefaultMachine.Name}; another one: --machine NAME or --machine FILE.json");
        }

        return ExitCodes.Success;
    }

    private const string Absent = "-";

    private static readonly (string Name, Func<MachineDescription, string> Value)[] Values =
    [
        ("instruction set", machine => machine.IsaRevision),
        ("rows x columns", machine => $"{N(machine.Rows)}x{N(machine.Columns)}"),
        ("steps a kernel", machine => $"{N(machine.MinStepsPerKernel)} to {N(machine.StepsPerKernel)}"),
        ("context words a row", machine => N(machine.ContextWordsPerRow)),
        ("kernel slots", machine => N(machine.KernelSlots)),
        ("bus", machine => Bus(machine.Bus)),
        ("RAM, bytes", machine => N(machine.Ram.Bytes)),
        ("reserved at its bottom, bytes", machine => N(machine.Ram.ReservedBytes)),
        ("flash, bytes", machine => N(machine.FlashBytes)),
        ("host cycles: RAM to context, a word", machine => N(machine.Host.RamToContext)),
        ("host cycles: flash to RAM, a word", machine => N(machine.Host.FlashToRam)),
        ("host cycles: flash to context, a word", machine => N(machine.Host.FlashToContext)),
        ("host cycles: patch an immediate", machine => N(machine.Host.PatchImmediate)),
        ("host cycles: write a register", machine => N(machine.Host.RegisterWrite)),
        ("host cycles: a launch", machine => N(machine.Host.LaunchOverhead)),
        ("host cycles: softmax, an element", machine => N(machine.Host.SoftmaxPerElement)),
        ("host cycles: copy in RAM, a word", machine => N(machine.Host.CopyPerWord)),
        .. EnergyKeys.All.Select(key => (
            $"{EnergyKeys.Section}.{key.Name}, fJ",
            (Func<MachineDescription, string>)(machine => $"{N(machine.Energy[key])}{(machine.Energy.Of(key).Source.StartsWith("assumed", StringComparison.Ordinal) ? " (assumed)" : string.Empty)}"))),
    ];

    private static readonly (string Name, Func<MachineDescription, string> Value)[] SystolicValues =
    [
        ("configuration words", machine => machine.IsaRevision),
        ("rows x columns", machine => $"{N(machine.Rows)}x{N(machine.Columns)}"),
        ("DRAM, bytes", machine => N(machine.Ram.Bytes)),
        .. SystolicKeys.All.Select(key => (
            $"{key.Path}, {key.Unit}",
            (Func<MachineDescription, string>)(machine => machine.Systolic!.Find(key) is { } value ? $"{N(value.Value)}{(value.Source.StartsWith("assumed", StringComparison.Ordinal) ? " (assumed)" : string.Empty)}" : Absent))),
    ];

    private static string Bus(BusDescription bus) => bus.Kind switch
    {
        BusKind.Ideal => "four private ports",
        BusKind.Shared => "one access a cycle",
        _ => $"{N(bus.Banks)} banks, shift {N(bus.Shift)}, {(bus.Arbitration == BusArbitration.Fixed ? "fixed priority" : "round robin")}",
    };

    private static string N(long value) => value.ToString("N0", CultureInfo.InvariantCulture);
}
