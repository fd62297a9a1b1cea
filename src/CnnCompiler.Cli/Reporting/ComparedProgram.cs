using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Infrastructure;

namespace CnnCompiler.Cli.Reporting;

/// <summary>What a comparison has to know of a program: its inputs, the tensors that levels may share, its outputs.</summary>
/// <param name="Inputs">Inputs in graph order.</param>
/// <param name="Order">Names of tensors in the order of the program.</param>
/// <param name="Types">Their types.</param>
/// <param name="Outputs">Names of the outputs in graph order.</param>
internal sealed record ComparedProgram(
    IReadOnlyList<NetworkInput> Inputs, IReadOnlyList<string> Order, IReadOnlyDictionary<string, TensorType> Types, IReadOnlyList<string> Outputs)
{
    /// <summary>Of the highest level that a compilation has.</summary>
    public static ComparedProgram Of(IrModule module)
    {
        var all = module.Inputs.Select(input => (input.Name, input.Type)).Concat(module.Tensors).ToList();
        var types = new Dictionary<string, TensorType>(StringComparer.Ordinal);
        foreach (var (name, type) in all)
        {
            types[name] = type;
        }

        return new([.. module.Inputs], [.. all.Select(tensor => tensor.Name)], types, [.. module.Outputs]);
    }
}
