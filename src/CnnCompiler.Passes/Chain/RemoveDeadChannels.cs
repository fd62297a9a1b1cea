using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Passes.Infrastructure;

namespace CnnCompiler.Passes.Chain;

/// <summary>
/// Leaves out the channels of 8-bit tensors that no result depends on (<see cref="LiveChannels"/>), with the weights, biases and multipliers that they have: a trained network may have whole channels of
/// weights 0. What is left of <c>conv3</c> is called <c>conv3.live</c>: another tensor, of fewer channels, which hold what they held; results keep all their channels. A layer's nominal MACs stay those of
/// the network. Where a channel is known to hold one number, what it adds to a convolution without padding goes into the bias. The chain's inputs, host steps and what they read keep all channels.
/// </summary>
public sealed class RemoveDeadChannels() : Pass<GconvModule, GconvModule>(
    new("remove-dead-channels", "leaves out channels that no result depends on, as where all weights are 0", IrLevel.Gconv, IrLevel.Gconv))
{
    private const string Suffix = ".live";

    /// <inheritdoc/>
    protected override GconvModule Transform(GconvModule module, PassContext context)
    {
        var program = module.Program;
        var live = new LiveChannels(program, context.Cancellation);
        var kept = program.Steps.Select(step => (step.Name, Channels: live.Of(step.Name))).Where(tensor => tensor.Channels is not null)
            .ToDictionary(tensor => tensor.Name, tensor => tensor.Channels!, StringComparer.Ordinal);
        if (kept.Count == 0)
        {
            return module;
        }

        var names = new HashSet<string>(program.Inputs.Select(input => input.Name).Concat(program.Constants.Select(constant => constant.Name)).Concat(program.Steps.Select(step => step.Name)), StringComparer.Ordinal);
        var renamed = kept.Keys.ToDictionary(name => name, Fresh, StringComparer.Ordinal);
        var added = new List<GconvConstant>();
        var steps = program.Steps.Select(step => step is GconvOperator operation ? Operator(operation) : step is GconvView view && renamed.ContainsKey(view.Name) ? View(view) : step).ToEquatableArray();
        var read = steps.SelectMany(ChainReaders.Of).Concat(program.Outputs).ToHashSet(StringComparer.Ordinal);
        return new(program with { Steps = steps, Constants = program.Constants.Concat(added).Where(constant => read.Contains(constant.Name)).ToEquatableArray() });

        string Fresh(string name)
        {
            var fresh = name + Suffix;
            while (!names.Add(fresh))
            {
                fresh += Suffix;
            }

            return fresh;
        }

        string Renamed(string name) => renamed.GetValueOrDefault(name, name);

        TensorType Narrowed(string name, TensorType type) => kept.TryGetValue(name, out var channels) ? type with { Shape = Shape.Of([.. type.Shape.Dimensions.SkipLast(1), channels.Length]) } : type;

        GconvView View(GconvView view) => view with { Name = Renamed(view.Name), Type = Narrowed(view.Name, view.Type), Sources = view.Sources.Select(Renamed).ToEquatableArray() };

        GconvOperator Operator(GconvOperator step)
        {
            var loops = live.Loops(step);
            var outputs = loops.Parallel < 0 ? null : kept.GetValueOrDefault(step.Name);
            var inputs = loops.Reduced < 0 ? null : kept.GetValueOrDefault(step.Input.Tensor);
            var joined = step.Destination is { } join && renamed.ContainsKey(join) ? kept[join] : null;
            if (outputs is null && inputs is null && joined is null)
            {
                return step;
            }

            return step with
            {
                Name = Renamed(step.Name),
                Type = Narrowed(step.Name, step.Type),
                Loops = step.Loops.Select((loop, i) => Channels(i) is { } channels ? loop with { Extent = channels.Length } : loop).ToEquatableArray(),
                Input = Access(step.Input),
                Kernel = step.Kernel is { } kernel ? Access(kernel) : null,
                Extra = step.Extra.Select((access, i) => inputs is not null && live.Bias(step) == i ? Biased(access, inputs) : Access(access)).ToEquatableArray(),
                OutputIndex = joined is null ? Index(step.OutputIndex) : Index([.. step.OutputIndex.SkipLast(1), Placed(step.OutputIndex[^1], joined)]),
                Destination = step.Destination is { } destination ? Renamed(destination) : null,
            };

            // a piece of a concatenation lies behind what is left of those before it
            AffineExpression Placed(AffineExpression index, int[] channels) => index with { Constant = channels.Count(channel => channel < index.Constant) };

            // with what the inputs left out add to every sum
            OperandAccess Biased(OperandAccess access, int[] inputs)
            {
                var left = Enumerable.Range(0, step.Loops[loops.Reduced].Extent).Except(inputs).ToArray();
                var values = live.Constants[access.Tensor].AsSpan<int>().ToArray();
                for (var output = 0; output < values.Length; output++)
                {
                    values[output] += (int)left.Sum(input => live.Folded(step, output, input));
                }

                return Access(access, Tensor.From<int>(ElementType.Int32, live.Constants[access.Tensor].Shape, values));
            }

            int[]? Channels(int loop) => loop == loops.Parallel ? outputs : loop == loops.Reduced ? inputs : null;

            OperandAccess Access(OperandAccess access, Tensor? instead = null)
            {
                var moved = access with { Tensor = Renamed(access.Tensor), Index = Index(access.Index) };
                if (!live.Constants.TryGetValue(access.Tensor, out var whole))
                {
                    return moved;
                }

                var part = instead ?? whole;
                foreach (var loop in (int[])[loops.Parallel, loops.Reduced])
                {
                    for (var d = 0; d < access.Index.Count; d++)
                    {
                        part = Channels(loop) is { } channels && ChannelLoops.Indexes(step, access.Index[d], loop) ? Taken(part, d, channels) : part;
                    }
                }

                if (ReferenceEquals(part, whole))
                {
                    return moved;
                }

                // operators that share a constant and its channels go on to share it
                var known = added.Find(constant => constant.Name.StartsWith(access.Tensor + Suffix, StringComparison.Ordinal) && constant.Value.Equals(part));
                if (known is null)
                {
                    added.Add(known = new(Fresh(access.Tensor), part));
                }

                return moved with { Tensor = known.Name };
            }

            // a loop of one trip, which indexes nothing, is written with the extent of the loop beside it
            EquatableArray<AffineExpression> Index(EquatableArray<AffineExpression> index) => index.Select(expression =>
            {
                var loop = Enumerable.Range(0, step.Loops.Count).FirstOrDefault(i => Channels(i) is not null && ChannelLoops.Indexes(step, expression, i), -1);
                return loop < 0
                    ? expression
                    : expression with { Coefficients = expression.Coefficients.Select((coefficient, i) => step.Loops[i].Extent == 1 && coefficient == step.Loops[loop].Extent ? Channels(loop)!.Length : coefficient).ToEquatableArray() };
            }).ToEquatableArray();
        }
    }

    /// <summary>Some indices of a dimension of a tensor, in order.</summary>
    private static Tensor Taken(Tensor tensor, int axis, int[] indices)
    {
        var shape = tensor.Shape;
        var inner = shape.Dimensions.Skip(axis + 1).Aggregate(tensor.Element.Size(), (bytes, extent) => bytes * extent);
        var outer = shape.Dimensions.Take(axis).Aggregate(1, (blocks, extent) => blocks * extent);
        var bytes = new byte[outer * indices.Length * inner];
        for (int block = 0, at = 0; block < outer; block++)
        {
            foreach (var index in indices)
            {
                tensor.Bytes.Slice(((block * shape[axis]) + index) * inner, inner).CopyTo(bytes.AsSpan(at));
                at += inner;
            }
        }

        return new(tensor.Element, Shape.Of([.. shape.Dimensions.Select((extent, d) => d == axis ? indices.Length : extent)]), bytes);
    }
}
