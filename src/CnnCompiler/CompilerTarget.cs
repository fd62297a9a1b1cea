using CnnCompiler.Ir.Mapped;
using CnnCompiler.Ir.Text;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Passes.Selection.Explanation;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.Nests;
using CnnCompiler.Targets.OpenEdge;
using CnnCompiler.Targets.Overlay;
using CnnCompiler.Targets.Systolic;

namespace CnnCompiler;

/// <summary>A family of machines that networks are compiled for.</summary>
/// <param name="Name">Name on the command line.</param>
/// <param name="Summary">One line for help.</param>
/// <param name="Machines">Shipped machines; the first is the default.</param>
/// <param name="Pipeline">The passes from network to image for a machine, with the choices that the user made himself.</param>
/// <param name="Mapped">The text of its mapped level.</param>
public sealed record CompilerTarget(
    string Name, string Summary, IReadOnlyList<MachineDescription> Machines, Func<MachineDescription, IReadOnlyList<ForcedChoice>, Pipeline> Pipeline, MappedText Mapped)
{
    /// <summary>The machine that is compiled for where none is named.</summary>
    public MachineDescription DefaultMachine => Machines[0];

    /// <summary>True where it searches: effort, schedules and kept costs mean something.</summary>
    public bool Searches { get; init; }

    /// <summary>True where effort means something although it does not search: at 0 no algorithm of a convolution is chosen, above it all are compared.</summary>
    public bool ChoosesAlgorithms { get; init; }

    /// <summary>The shipped machine of this name, or null.</summary>
    public MachineDescription? FindMachine(string name) => Machines.FirstOrDefault(machine => machine.Name == name);
}

/// <summary>How a target's mapped level is read from its text.</summary>
/// <param name="Dialect">The word between the level's name and the network's; empty for none.</param>
/// <param name="Parse">The module of a text for a machine, or null and diagnostics.</param>
public sealed record MappedText(string Dialect, Func<LevelSource, MachineDescription, DiagnosticBag, IrModule?> Parse);

/// <summary>The text of a level.</summary>
/// <param name="Text">The text.</param>
/// <param name="File">Its name in diagnostics.</param>
/// <param name="Constants">The companion it was written with.</param>
public sealed record LevelSource(string Text, string File, ConstantStore Constants);

/// <summary>The table of targets: one row each.</summary>
public static class CompilerTargets
{
    /// <summary>All targets.</summary>
    public static IReadOnlyList<CompilerTarget> All { get; } =
    [
        new("openedge", "OpenEdgeCGRA: a 4x4 array of 32-bit cells beside a host processor (HEEPsilon)", BuiltInMachines.All, OpenEdgeTarget.Pipeline, LoopNests) { Searches = true },
        new("arrayflex", "systolic arrays whose pipeline depth is set for each layer (ArrayFlex)", BuiltInMachines.ArrayFlex, ArrayFlexTarget.Pipeline, new(
            SystolicText.Dialect, (source, machine, diagnostics) => SystolicText.Parse(source.Text, source.File, source.Constants, machine, diagnostics))) { ChoosesAlgorithms = true },
        new("overlay", "DYNAMAP's overlay: im2col, kn2row or Winograd and a dataflow for each convolution", BuiltInMachines.Overlay, OverlayTarget.Pipeline, new(
            OverlayText.Dialect, (source, machine, diagnostics) => OverlayText.Parse(source.Text, source.File, source.Constants, machine, diagnostics))),
        new("gconv", "convolution accelerators that execute every layer as general convolutions (GCONV Chain)", BuiltInMachines.Gconv, GconvTarget.Pipeline, new(
            NestText.Dialect, (source, machine, diagnostics) => NestText.Parse(source.Text, source.File, source.Constants, machine, diagnostics))) { ChoosesAlgorithms = true },
    ];

    private static MappedText LoopNests => new(
        string.Empty, (source, _, diagnostics) => MappedParser.Parse(source.Text, source.File, source.Constants, diagnostics) is { } program ? new MappedModule(program) : null);

    /// <summary>The target of this name, or null.</summary>
    public static CompilerTarget? Find(string name) => All.FirstOrDefault(target => target.Name == name);
}
