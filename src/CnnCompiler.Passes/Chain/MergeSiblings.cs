using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Passes.Infrastructure;

namespace CnnCompiler.Passes.Chain;

/// <summary>
/// Makes one operator of several that read the same input with the same loops, programs and layout and differ in their constants only (sibling fusion, rule F4 of <c>research/gconv.md</c> section 5): the
/// branches of an inception module, for example. The input is read once, and the array has the kernels of all side by side. Operators are siblings where
/// <list type="bullet">
/// <item>their loops differ in the extent of one loop op at most, which alone indexes the last dimension of the result, one dimension of the kernel, and further operands of one dimension;</item>
/// <item>kernel and such operands are constants, of the same extents otherwise; other operands are the same;</item>
/// <item>the algorithm of all or none was chosen by hand;</item>
/// <item>results are read by operators only, which never reach beyond the last dimension: they read the joined result at an offset.</item>
/// </list>
/// Every result is worked out as before.
/// </summary>
/// <param name="accepts">For a chain, what tells whether the target can execute an operator on its tensors.</param>
public sealed class MergeSiblings(Func<GconvProgram, Func<GconvOperator, bool>> accepts) : Pass<GconvModule, GconvModule>(
    new("merge-siblings", "makes one operator of those that read the same input in the same way with other constants", IrLevel.Gconv, IrLevel.Gconv))
{
    /// <inheritdoc/>
    protected override GconvModule Transform(GconvModule module, PassContext context)
    {
        var program = module.Program;
        var constants = program.Constants.ToDictionary(constant => constant.Name, constant => constant.Value, StringComparer.Ordinal);
        var readers = new Dictionary<string, List<GconvStep>>(StringComparer.Ordinal);
        foreach (var step in program.Steps)
        {
            foreach (var name in ChainReaders.Of(step))
            {
                (readers.TryGetValue(name, out var all) ? all : readers[name] = []).Add(step);
            }
        }

        var outputs = program.Outputs.ToHashSet(StringComparer.Ordinal);
        var candidates = program.Steps.OfType<GconvOperator>().Select(step => Sibling.Of(step, constants)).OfType<Sibling>()
            .Where(sibling => !outputs.Contains(sibling.Step.Name) && readers.GetValueOrDefault(sibling.Step.Name, []).TrueForAll(reader => ReadsInside(reader, sibling.Step)));
        var isAccepted = accepts(program);
        var merged = new Dictionary<string, (GconvOperator? Step, string Name, int Offset)>(StringComparer.Ordinal);
        var added = new List<GconvConstant>();
        foreach (var group in candidates.GroupBy(sibling => sibling.Key).Select(group => group.ToList()).Where(group => group.Count > 1))
        {
            context.Cancellation.ThrowIfCancellationRequested();
            if (!isAccepted(group[0].Step))
            {
                continue;
            }

            var (joined, offset) = (Join(group, constants, added), 0);
            foreach (var sibling in group)
            {
                merged.Add(sibling.Step.Name, (sibling == group[0] ? joined : null, joined.Name, offset));
                offset += sibling.Step.Type.Shape.Dimensions[^1];
            }
        }

        return merged.Count == 0 ? module : new(Rewrite(program, merged, added));
    }

    private static bool ReadsInside(GconvStep reader, GconvOperator sibling) => reader is GconvOperator operation && operation.Operands().Where(access => access.Tensor == sibling.Name).All(access =>
    {
        var (min, max) = access.Index[^1].Range(operation.Loops);
        return access.Index[^1].Divisor == 1 && min >= 0 && max < sibling.Type.Shape.Dimensions[^1];
    });

    private static GconvOperator Join(List<Sibling> group, Dictionary<string, Tensor> constants, List<GconvConstant> added)
    {
        var (first, extent) = (group[0], group.Sum(sibling => sibling.Step.Loops[sibling.Loop].Extent));
        var name = string.Join('+', group.Select(sibling => sibling.Step.Name));
        OperandAccess Joined(OperandAccess access, int axis, Func<Sibling, OperandAccess> of, string part)
        {
            if (axis < 0)
            {
                return access;
            }

            var constant = $"{name}.{part}";
            added.Add(new(constant, Concatenated([.. group.Select(sibling => constants[of(sibling).Tensor])], axis)));
            return access with { Tensor = constant };
        }

        var step = first.Step;
        return step with
        {
            Name = name,
            Type = step.Type with { Shape = Shape.Of([.. step.Type.Shape.Dimensions.SkipLast(1), extent]) },
            Loops = step.Loops.Select((loop, i) => i == first.Loop ? loop with { Extent = extent } : loop).ToEquatableArray(),
            Kernel = Joined(step.Kernel!, first.KernelAxis, sibling => sibling.Step.Kernel!, "kernel"),
            Extra = step.Extra.Select((access, i) => Joined(access, first.ExtraAxes[i], sibling => sibling.Step.Extra[i], FormattableString.Invariant($"extra{i}"))).ToEquatableArray(),
        };
    }

    private static Tensor Concatenated(IReadOnlyList<Tensor> tensors, int axis)
    {
        var shape = tensors[0].Shape;
        var inner = tensors[0].Element.Size();
        for (var d = axis + 1; d < shape.Rank; d++)
        {
            inner *= shape[d];
        }

        var outer = 1;
        for (var d = 0; d < axis; d++)
        {
            outer *= shape[d];
        }

        var bytes = new byte[tensors.Sum(tensor => tensor.Bytes.Length)];
        var at = 0;
        for (var block = 0; block < outer; block++)
        {
            foreach (var tensor in tensors)
            {
                var length = tensor.Shape[axis] * inner;
                tensor.Bytes.Slice(block * length, length).CopyTo(bytes.AsSpan(at));
                at += length;
            }
        }

        return new(tensors[0].Element, Shape.Of([.. shape.Dimensions.Select((extent, d) => d == axis ? tensors.Sum(tensor => tensor.Shape[axis]) : extent)]), bytes);
    }

    private static GconvProgram Rewrite(GconvProgram program, Dictionary<string, (GconvOperator? Step, string Name, int Offset)> merged, List<GconvConstant> added)
    {
        var steps = new List<GconvStep>();
        foreach (var step in program.Steps)
        {
            if (!merged.TryGetValue(step.Name, out var own))
            {
                steps.Add(step is GconvOperator reader ? Moved(reader) : step);
            }
            else if (own.Step is { } joined)
            {
                steps.Add(Moved(joined));
            }
        }

        var read = steps.SelectMany(ChainReaders.Of).Concat(program.Outputs).ToHashSet(StringComparer.Ordinal);
        return program with { Steps = steps.ToEquatableArray(), Constants = program.Constants.Concat(added).Where(constant => read.Contains(constant.Name)).ToEquatableArray() };

        GconvOperator Moved(GconvOperator reader) => reader with
        {
            Input = At(reader.Input),
            Kernel = reader.Kernel is { } kernel ? At(kernel) : null,
            Extra = reader.Extra.Select(At).ToEquatableArray(),
        };

        OperandAccess At(OperandAccess access) => merged.TryGetValue(access.Tensor, out var own)
            ? access with { Tensor = own.Name, Index = [.. access.Index.SkipLast(1), access.Index[^1] with { Constant = access.Index[^1].Constant + own.Offset }] }
            : access;
    }

    /// <summary>An operator that may have siblings.</summary>
    /// <param name="Step">The operator.</param>
    /// <param name="Loop">The loop in which they may differ.</param>
    /// <param name="KernelAxis">The dimension of the kernel that it indexes.</param>
    /// <param name="ExtraAxes">The dimension of each further operand, -1 where it indexes none.</param>
    /// <param name="Key">What siblings have in common: the operator with what may differ left out.</param>
    private sealed record Sibling(GconvOperator Step, int Loop, int KernelAxis, EquatableArray<int> ExtraAxes, (GconvOperator Form, string Shapes) Key)
    {
        public static Sibling? Of(GconvOperator written, Dictionary<string, Tensor> constants)
        {
            var step = WithoutSingleTrips(written);
            if (step is not { Destination: null, Kernel: { } kernel } || !constants.ContainsKey(kernel.Tensor) || step.OutputIndex.Count == 0)
            {
                return null;
            }

            var last = step.OutputIndex[^1];
            var loops = Enumerable.Range(0, step.Loops.Count).Where(loop => last.Coefficients[loop] != 0 && step.Loops[loop].Extent > 1).ToList();
            if (loops is not [var only] || step.Loops[only].Kind != LoopKind.OutputParallel || last.Constant != 0 || last.Coefficients[only] != 1
                || step.OutputIndex.SkipLast(1).Any(index => index.Coefficients[only] != 0))
            {
                return null;
            }

            var extras = step.Extra.Select(extra => Axis(extra, only)).ToEquatableArray();
            var tables = step.Pre.Tables().Concat(step.Main.Tables()).Concat(step.Post.Tables()).ToHashSet();
            if (Axis(kernel, only) is not (>= 0 and var axis) || !Whole(kernel, axis) || extras.Select((place, i) => place < -1 || (place >= 0 && (!Whole(step.Extra[i], place) || tables.Contains(i)))).Any(isBad => isBad))
            {
                return null;
            }

            var form = step with
            {
                Name = string.Empty,
                Type = step.Type with { Shape = Shape.Of([.. step.Type.Shape.Dimensions.SkipLast(1), 0]) },
                Loops = step.Loops.Select((loop, i) => i == only ? loop with { Extent = 0 } : loop).ToEquatableArray(),
                Kernel = kernel with { Tensor = string.Empty },
                Extra = step.Extra.Select((extra, i) => extras[i] < 0 ? extra : extra with { Tensor = string.Empty }).ToEquatableArray(),
            };
            var shapes = (step.Origin.Value.IsSettled ? "settled " : string.Empty) + string.Join(' ', step.Extra.Select((extra, i) => (extra, Place: extras[i])).Where(extra => extra.Place >= 0).Append((kernel, axis)).Select(operand => Rest(operand.Item1, operand.Item2)));
            return new(step, only, axis, extras, (form, shapes));

            string Rest(OperandAccess access, int place) =>
                $"{constants[access.Tensor].Element} {string.Join(',', constants[access.Tensor].Shape.Dimensions.Select((extent, d) => d == place ? 0 : extent))}";

            // the operator goes through all of the constant along the dimension, so that those of siblings lie one behind the other
            bool Whole(OperandAccess access, int place) => constants.TryGetValue(access.Tensor, out var value) && access.OutOfRange == OutOfRange.Never
                && access.Index[place] is { Constant: 0, Divisor: 1 } index && index.Coefficients[only] == 1 && value.Shape[place] == step.Loops[only].Extent
                && Enumerable.Range(0, step.Loops.Count).All(loop => loop == only || step.Loops[loop].Extent == 1 || index.Coefficients[loop] == 0);
        }

        /// <summary>The operator with coefficients of 0 for loops of one trip, whose coefficients say nothing.</summary>
        private static GconvOperator WithoutSingleTrips(GconvOperator step)
        {
            return step with
            {
                Input = Access(step.Input),
                Kernel = step.Kernel is { } kernel ? Access(kernel) : null,
                Extra = step.Extra.Select(Access).ToEquatableArray(),
                OutputIndex = Index(step.OutputIndex),
            };

            OperandAccess Access(OperandAccess access) => access with { Index = Index(access.Index) };

            EquatableArray<AffineExpression> Index(EquatableArray<AffineExpression> index) => index.Select(expression => expression with
            {
                Coefficients = expression.Coefficients.Select((coefficient, loop) => step.Loops[loop].Extent == 1 ? 0 : coefficient).ToEquatableArray(),
            }).ToEquatableArray();
        }

        /// <summary>The one dimension that a loop indexes; -1 for none, -2 for several.</summary>
        private static int Axis(OperandAccess access, int loop) => Enumerable.Range(0, access.Index.Count).Where(d => access.Index[d].Coefficients[loop] != 0).ToList() switch
        {
            [] => -1,
            [var one] => one,
            _ => -2,
        };
    }
}
