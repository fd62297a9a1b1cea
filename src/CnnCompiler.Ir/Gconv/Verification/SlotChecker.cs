using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Arithmetic;

namespace CnnCompiler.Ir.Gconv.Verification;

/// <summary>Checks what the slots of an operator use.</summary>
internal sealed class SlotChecker(GconvOperator operation, Func<string, TensorType> tensors)
{
    private readonly List<(GconvInvariant, string)> _problems = [];
    private readonly bool[] _extraUsed = new bool[operation.Extra.Count];
    private readonly bool[] _tables = new bool[operation.Extra.Count];
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
            if (!_extraUsed[i] && !_tables[i])
            {
                Report($"no slot uses extra {i}");
            }
        }

        // Types are found for programs that use what they may.
        if (_problems.Count == 0)
        {
            CheckTables();
            CheckTypes();
        }

        return _problems;
    }

    private void CheckTables()
    {
        for (var i = 0; i < _tables.Length; i++)
        {
            if (_tables[i] && _extraUsed[i])
            {
                _problems.Add((GconvInvariant.Tables, $"extra {i} is used as a table and as a value"));
            }
            else if (_tables[i] && operation.Extra[i].OutOfRange != OutOfRange.Never)
            {
                _problems.Add((GconvInvariant.Tables, $"extra {i} is a table, but filled outside"));
            }
        }
    }

    private void CheckTypes()
    {
        var extras = operation.Extra.Select(extra => Leaf(extra.Tensor)).ToEquatableArray();
        var leaves = new ScalarLeaves(
            Leaf(operation.Input.Tensor), operation.Kernel is { } kernel ? Leaf(kernel.Tensor) : ScalarType.Integer, ScalarLeaves.Of(operation.Accumulator), extras);
        if (Type("pre", operation.Pre, leaves) is not { } pre || Type("main", operation.Main, leaves with { Input = pre }) is not { } main)
        {
            return;
        }

        if (main != leaves.Accumulator)
        {
            _problems.Add((GconvInvariant.AccumulatorType, $"main yields {Name(main)}, but the accumulator is {operation.Accumulator.Name()}"));
        }
        else if (Type("post", operation.Post, leaves) is { } post && post != ScalarLeaves.Of(operation.Type.Element))
        {
            _problems.Add((GconvInvariant.ScalarTypes, $"post yields {Name(post)}, but the result is {operation.Type.Element.Name()}"));
        }

        ScalarType Leaf(string tensor) => ScalarLeaves.Of(tensors(tensor).Element);
    }

    private ScalarType? Type(string slot, ScalarExpression expression, ScalarLeaves leaves)
    {
        if (ScalarCompiler.Compile(expression, leaves, out var problem) is { } program)
        {
            return program.Result;
        }

        _problems.Add((GconvInvariant.ScalarTypes, $"in {slot} {problem}"));
        return null;
    }

    private static string Name(ScalarType type) => type == ScalarType.Real ? "a real" : "an integer";

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
        real: _ => true,
        lookup: e => UseTable(e.Extra) & Visit(e.Offset),
        binary: e => (Enum.IsDefined(e.Operator) || Report($"{_slot} has an unknown operation")) & Visit(e.Left) & Visit(e.Right),
        requantize: e => CheckRequantize(e) & Visit(e.Value) & Visit(e.Multiplier) & Visit(e.Shift),
        clamp: e => Visit(e.Value) & Visit(e.Low) & Visit(e.High),
        call: e => e.Arguments.Aggregate(Enum.IsDefined(e.Function) || Report($"{_slot} has an unknown function"), (sound, argument) => sound & Visit(argument)));

    private bool Use(string leaf)
    {
        _used.Add(leaf);
        return _admitted.Contains(leaf, StringComparer.Ordinal) || Report($"{_slot} uses {leaf}");
    }

    private bool UseExtra(int index) => Exists(index) && (_extraUsed[index] = true);

    private bool UseTable(int index) => Exists(index) && (_tables[index] = true);

    private bool Exists(int index) => (index >= 0 && index < _extraUsed.Length) || Report($"{_slot} uses extra {index} of {_extraUsed.Length}");

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
