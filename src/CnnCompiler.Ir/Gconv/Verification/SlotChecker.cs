using CnnCompiler.Core;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Arithmetic;

namespace CnnCompiler.Ir.Gconv.Verification;

/// <summary>Checks what the slots of an operator use.</summary>
internal sealed class SlotChecker(GconvOperator operation)
{
    private readonly List<(GconvInvariant, string)> _problems = [];
    private readonly bool[] _extraUsed = new bool[operation.Extra.Count];
    private string _slot = string.Empty;
    private EquatableArray<string> _admitted = [];
    private HashSet<string> _used = [];

    public IReadOnlyList<(GconvInvariant Invariant, string Problem)> Problems()
    {
        Visit("pre", ["the input"], operation.Pre);
        Visit("main", operation.Kernel is null ? ["the input"] : ["the input", "the kernel"], operation.Main);
        foreach (var missing in _admitted.Where(name => !_used.Contains(name)))
        {
            Report($"main does not use {missing}");
        }

        Visit("post", ["the accumulator", "the tap count"], operation.Post);
        for (var i = 0; i < _extraUsed.Length; i++)
        {
            if (!_extraUsed[i])
            {
                Report($"no slot uses extra {i}");
            }
        }

        return _problems;
    }

    private void Visit(string slot, EquatableArray<string> admitted, ScalarExpression expression)
    {
        (_slot, _admitted, _used) = (slot, admitted, []);
        Visit(expression);
    }

    private bool Visit(ScalarExpression expression) => expression.Match(
        input: () => Use("the input"),
        kernel: () => Use("the kernel"),
        accumulator: () => Use("the accumulator"),
        tapCount: () => Use("the tap count"),
        extra: UseExtra,
        literal: _ => true,
        binary: e => (Enum.IsDefined(e.Operator) || Report($"{_slot} has an unknown operation")) & Visit(e.Left) & Visit(e.Right),
        requantize: e => CheckRequantize(e) & Visit(e.Value) & Visit(e.Multiplier) & Visit(e.Shift),
        clamp: e => Visit(e.Value) & Visit(e.Low) & Visit(e.High));

    private bool Use(string leaf)
    {
        _used.Add(leaf);
        return _admitted.Contains(leaf, StringComparer.Ordinal) || Report($"{_slot} uses {leaf}");
    }

    private bool UseExtra(int index)
    {
        if (index < 0 || index >= _extraUsed.Length)
        {
            return Report($"{_slot} uses extra {index} of {_extraUsed.Length}");
        }

        return _extraUsed[index] = true;
    }

    private bool CheckRequantize(ScalarRequantize requantize)
    {
        if (requantize.Rounding is not (RoundingScheme.TfliteDouble or RoundingScheme.TfliteSingle))
        {
            _problems.Add((GconvInvariant.Requantization, $"{_slot} requantises by {requantize.Rounding}, which is no 32-bit arithmetic"));
            return false;
        }

        if (requantize.Shift is ScalarLiteral { Value: < FixedPoint.MinimumShift or > 30 } || requantize.Multiplier is ScalarLiteral { Value: < int.MinValue or > int.MaxValue })
        {
            _problems.Add((GconvInvariant.Requantization, $"{_slot} has a shift outside -31 to 30 or a multiplier of more than 32 bits"));
            return false;
        }

        return true;
    }

    private bool Report(string problem)
    {
        _problems.Add((GconvInvariant.SlotContents, problem));
        return false;
    }
}
