using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Ir.Gconv.Verification;

/// <summary>Checks one operator whose operands exist.</summary>
internal sealed class OperatorChecker(GconvOperator operation, Func<string, TensorType> tensors, DiagnosticBag diagnostics)
{
    private bool _sound = true;

    /// <summary>True where nothing is wrong.</summary>
    public bool Check()
    {
        // The later rules read indexes loop by loop, so these come first.
        CheckLoops();
        CheckRanks();
        if (!_sound)
        {
            return false;
        }

        CheckRange("input", operation.Input);
        if (operation.Kernel is { } kernel)
        {
            CheckRange("kernel", kernel);
        }

        for (var i = 0; i < operation.Extra.Count; i++)
        {
            CheckRange($"extra {i}", operation.Extra[i]);
            CheckParallel($"extra {i}", operation.Extra[i].Index);
        }

        CheckParallel("the output", operation.OutputIndex);
        CheckKinds();
        CheckCoverage();
        CheckReduction();
        foreach (var (invariant, problem) in new SlotChecker(operation, tensors).Problems())
        {
            Report(invariant, problem);
        }

        return _sound;
    }

    private void CheckLoops()
    {
        if (operation.Loops.Count > GconvVerifier.MostLoops)
        {
            Report(GconvInvariant.Loops, $"it has {operation.Loops.Count} loops; {GconvVerifier.MostLoops} is the most");
        }

        var seen = new HashSet<(string, LoopKind)>();
        foreach (var loop in operation.Loops)
        {
            if (loop.Extent < 1)
            {
                Report(GconvInvariant.Loops, $"loop {loop.Name} has {loop.Extent} trips");
            }

            if (!IsWord(loop.Dimension) || !Enum.IsDefined(loop.Kind))
            {
                Report(GconvInvariant.Loops, $"'{loop.Dimension}' is no name of a dimension, or its kind is unknown");
            }

            if (!seen.Add((loop.Dimension, loop.Kind)))
            {
                Report(GconvInvariant.Loops, $"there are two loops {loop.Name}");
            }
        }
    }

    private void CheckRanks()
    {
        CheckRank("input", operation.Input.Index, tensors(operation.Input.Tensor).Shape.Rank);
        if (operation.Kernel is { } kernel)
        {
            CheckRank("kernel", kernel.Index, tensors(kernel.Tensor).Shape.Rank);
        }

        for (var i = 0; i < operation.Extra.Count; i++)
        {
            CheckRank($"extra {i}", operation.Extra[i].Index, tensors(operation.Extra[i].Tensor).Shape.Rank);
        }

        CheckRank("output", operation.OutputIndex, operation.Type.Shape.Rank);
    }

    private void CheckRank(string what, EquatableArray<AffineExpression> index, int rank)
    {
        if (index.Count != rank)
        {
            Report(GconvInvariant.IndexRank, $"the index of {what} has {index.Count} expressions for {rank} dimensions");
        }

        foreach (var expression in index)
        {
            if (expression.Coefficients.Count != operation.Loops.Count)
            {
                Report(GconvInvariant.IndexRank, $"an expression of {what} has {expression.Coefficients.Count} coefficients for {operation.Loops.Count} loops");
            }
        }
    }

    private void CheckRange(string what, OperandAccess access)
    {
        var type = tensors(access.Tensor);
        if (access.Index.Any(expression => expression.Divisor < 1) || (access.Index.Divides() && access.OutOfRange != OutOfRange.SkipTap))
        {
            Report(GconvInvariant.Divisors, $"an index of {what} '{access.Tensor}' is divided by less than 1, or where no taps are skipped");
        }

        for (var d = 0; d < access.Index.Count; d++)
        {
            var (min, max) = access.Index[d].Range(operation.Loops);
            if (access.OutOfRange == OutOfRange.Never && (min < 0 || max >= type.Shape[d]))
            {
                Report(GconvInvariant.IndexInRange, $"{what} '{access.Tensor}' is indexed from {min} to {max} along dimension {d} of {type.Shape[d]}");
            }

            // Evaluators add up in 64 bits.
            if (min < -NetworkLimits.Operations || max > NetworkLimits.Operations)
            {
                Report(GconvInvariant.IndexInRange, $"{what} '{access.Tensor}' is indexed from {min} to {max}, which is too far outside");
            }
        }

        switch (access.OutOfRange)
        {
            case OutOfRange.SkipTap when what != "input" || operation.Reduce == GconvReduction.None:
                Report(GconvInvariant.OutOfRangeRules, $"{what} '{access.Tensor}' skips taps, but only the input of a reduction does");
                break;
            case OutOfRange.Never or OutOfRange.SkipTap when access.FillValue != 0:
                Report(GconvInvariant.OutOfRangeRules, $"{what} '{access.Tensor}' has a fill value but fills nothing");
                break;
            case OutOfRange.Fill when !type.Element.IsReal() && (access.FillValue < type.Element.Range().Min || access.FillValue > type.Element.Range().Max):
                Report(GconvInvariant.OutOfRangeRules, $"{what} '{access.Tensor}' is filled with {access.FillValue}, which is no {type.Element.Name()}");
                break;
            case OutOfRange.Never or OutOfRange.SkipTap or OutOfRange.Fill:
                break;
            default:
                Report(GconvInvariant.OutOfRangeRules, $"what {what} '{access.Tensor}' yields outside is unknown");
                break;
        }
    }

    private void CheckParallel(string what, EquatableArray<AffineExpression> index)
    {
        for (var loop = 0; loop < operation.Loops.Count; loop++)
        {
            if (!operation.Loops[loop].Kind.IsParallel() && index.DependsOn(loop))
            {
                Report(GconvInvariant.ParallelIndex, $"{what} is indexed by the reduced loop {operation.Loops[loop].Name}");
            }
        }
    }

    private void CheckKinds()
    {
        for (var i = 0; i < operation.Loops.Count; i++)
        {
            var loop = operation.Loops[i];
            if (loop.Extent == 1)
            {
                continue;
            }

            var actual = (operation.Input.Index.DependsOn(i), operation.Kernel?.Index.DependsOn(i) ?? false, operation.OutputIndex.DependsOn(i));
            (bool Input, bool Kernel, bool Output)? expected = (loop.Kind, operation.Kernel is not null) switch
            {
                (LoopKind.Group, true) => (true, true, true),
                (LoopKind.OutputParallel, var kernel) => (false, kernel, true),
                (LoopKind.OutputPosition, _) => (true, false, true),
                (LoopKind.KernelSize, var kernel) => (true, kernel, false),
                _ => null,
            };
            if (expected is null)
            {
                Report(GconvInvariant.LoopKinds, $"loop {loop.Name} is a group, but there is no kernel operand: it is opc");
            }
            else if (actual != expected)
            {
                Report(GconvInvariant.LoopKinds, $"loop {loop.Name} indexes {Operands(actual)}, and its kind {Operands(expected.Value)}");
            }
        }
    }

    private void CheckCoverage()
    {
        if (operation.OutputIndex.Divides())
        {
            Report(GconvInvariant.Divisors, "its output index is divided");
            return;
        }

        var extents = operation.Type.Shape.Dimensions;
        var origin = new Int128[extents.Count];
        for (var d = 0; d < extents.Count; d++)
        {
            var (min, max) = operation.OutputIndex[d].Range(operation.Loops);
            origin[d] = operation.Destination is null ? 0 : min;
            if (min < 0 || max > NetworkLimits.Elements || (operation.Destination is null && max >= extents[d]))
            {
                Report(GconvInvariant.IndexInRange, $"the output is indexed from {min} to {max} along dimension {d} of {extents[d]}");
                return;
            }
        }

        switch (OutputCoverage.ByStrides(operation.Loops, operation.OutputIndex, extents) ?? OutputCoverage.ByCounting(operation.Loops, operation.OutputIndex, origin, extents))
        {
            case false:
                Report(GconvInvariant.OutputCoverage, $"its parallel loops do not write each element of {operation.Type.Shape} exactly once");
                break;
            case null:
                Report(GconvInvariant.OutputCoverage, $"its output index is too entangled to show that each element of {operation.Type.Shape} is written exactly once");
                break;
            default:
                break;
        }
    }

    private void CheckReduction()
    {
        if (!Enum.IsDefined(operation.Reduce))
        {
            Report(GconvInvariant.Reduction, "its reduction is unknown");
        }

        foreach (var loop in operation.Loops)
        {
            if (operation.Reduce == GconvReduction.None && !loop.Kind.IsParallel() && loop.Extent > 1)
            {
                Report(GconvInvariant.Reduction, $"loop {loop.Name} has {loop.Extent} trips, but nothing is reduced");
            }
        }

        if (operation.Accumulator is not (ElementType.Int32 or ElementType.Int64 or ElementType.Float64)
            && (operation.Accumulator, operation.Reduce) is not (ElementType.Int8, GconvReduction.Maximum))
        {
            Report(GconvInvariant.AccumulatorType, $"a {operation.Accumulator} can't hold its accumulator");
        }
    }

    private static string Operands((bool Input, bool Kernel, bool Output) uses)
    {
        string[] names = [.. uses.Input ? (string[])["input"] : [], .. uses.Kernel ? (string[])["kernel"] : [], .. uses.Output ? (string[])["output"] : []];
        return names.Length == 0 ? "nothing" : string.Join(" and ", names);
    }

    private static bool IsWord(string name) =>
        name.Length > 0 && char.IsAsciiLetter(name[0]) && name.All(letter => char.IsAsciiLetterOrDigit(letter) || letter == '_');

    private void Report(GconvInvariant invariant, string problem)
    {
        _sound = false;
        diagnostics.Report(GconvDiagnostics.InvariantBroken(invariant, NodeText.Of(operation), operation.Span.Value, problem));
    }
}
