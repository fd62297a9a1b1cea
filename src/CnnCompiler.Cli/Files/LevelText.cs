using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Ir.Network;
using CnnCompiler.Ir.Text;
using CnnCompiler.Passes.Infrastructure;

namespace CnnCompiler.Cli.Files;

/// <summary>The text form of a program with the constants that it names but does not hold.</summary>
/// <param name="Text">The text.</param>
/// <param name="Constants">The companion.</param>
internal sealed record LevelText(string Text, ConstantStore Constants)
{
    /// <summary>The text form of a program at any level.</summary>
    public static LevelText Of(IrModule module)
    {
        switch (module)
        {
            case NetworkModule network:
                var graph = NetworkPrinter.Print(network.Graph);
                return new(graph.Text, graph.Constants);
            case GconvModule gconv:
                var chain = GconvPrinter.Print(gconv.Program);
                return new(chain.Text, chain.Constants);
            case MappedModule mapped:
                var program = MappedPrinter.Print(mapped.Program);
                return new(program.Text, program.Constants);
            default:
                return new(module.Print(), ConstantStore.Empty);
        }
    }
}
