using CnnCompiler.Ir.Gconv;

namespace CnnCompiler.Passes.Chain;

/// <summary>How often each tensor of a chain is read: once for each operand that it is, view, host step and output.</summary>
internal sealed class ChainReaders
{
    private readonly Dictionary<string, int> _reads = new(StringComparer.Ordinal);

    public ChainReaders(IEnumerable<GconvStep> steps, IEnumerable<string> outputs)
    {
        foreach (var name in steps.SelectMany(Of).Concat(outputs))
        {
            _reads[name] = this[name] + 1;
        }
    }

    /// <summary>Reads of a tensor.</summary>
    public int this[string name] => _reads.GetValueOrDefault(name);

    /// <summary>What a step reads, with repetitions; a join reads nothing.</summary>
    public static IEnumerable<string> Of(GconvStep step) => step.Match<IEnumerable<string>>(
        operation => operation.Operands().Select(access => access.Tensor),
        view => view.Kind == ViewKind.Join ? [] : view.Sources,
        softmax => [softmax.Source],
        host => host.Layer.Inputs);
}

/// <summary>Operands of an operator.</summary>
internal static class OperatorOperands
{
    /// <summary>Input, kernel where there is one, further operands.</summary>
    public static IEnumerable<OperandAccess> Operands(this GconvOperator operation) =>
        (operation.Kernel is { } kernel ? [operation.Input, kernel] : (IEnumerable<OperandAccess>)[operation.Input]).Concat(operation.Extra);
}
