using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Image.Overlay;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Targets.Systolic;

namespace CnnCompiler.Targets.Overlay;

/// <summary>One direction of a convolution: input index = Step * output + Dilation * tap + Offset.</summary>
/// <param name="Input">Extent of the input.</param>
/// <param name="Output">Extent of the output.</param>
/// <param name="Kernel">Taps.</param>
/// <param name="Step">Stride.</param>
/// <param name="Dilation">Distance of taps.</param>
/// <param name="Offset">Minus the padding before.</param>
public sealed record ConvolutionAxis(int Input, int Output, int Kernel, int Step, int Dilation, int Offset);

/// <summary>A sum of products recognised as a convolution of [N, H, W, C] codes with constant weights; a dense layer is one of a position.</summary>
/// <param name="Operation">The operator.</param>
/// <param name="Batch">Images.</param>
/// <param name="Rows">Vertical direction.</param>
/// <param name="Columns">Horizontal direction.</param>
/// <param name="Channels">Input channels, all groups.</param>
/// <param name="Groups">Groups.</param>
/// <param name="Outputs">Output channels of a group.</param>
/// <param name="Zero">The input's zero point.</param>
/// <param name="Fill">Code of a tap outside.</param>
/// <param name="Loops">Loops of the operator's parallel part.</param>
internal sealed record ConvolutionForm(
    GconvOperator Operation, int Batch, ConvolutionAxis Rows, ConvolutionAxis Columns, int Channels, int Groups, int Outputs, int Zero, int Fill, OverlayLoops Loops)
{
    /// <summary>Weights less their zero point.</summary>
    public required Tensor Weights { get; init; }

    /// <summary>Where each lies.</summary>
    public required WeightStrides Strides { get; init; }

    /// <summary>Loops of rows, columns and channels of the kernel; -1 for none.</summary>
    public required int[] Taps { get; init; }

    /// <summary>Loops of groups and outputs; -1 for none.</summary>
    public required int[] Parallel { get; init; }

    /// <summary>The operator as a convolution, or null where it is none.</summary>
    public static ConvolutionForm? Of(GconvOperator operation, ChainTensors tensors, HashSet<string> names)
    {
        if (MatrixRewrite.Recognise(operation, tensors.Element, tensors.Constants, names) is not var (product, weights, zero))
        {
            return null;
        }

        var shape = tensors.Shape(operation.Input.Tensor);
        if (weights is null || shape.Rank is < 1 or > 4)
        {
            return null;
        }

        var reader = new Axes(operation, shape);
        var channel = reader.Read(shape.Rank - 1);
        var batch = shape.Rank > 1 ? reader.Read(0) : Axes.None;
        var rows = shape.Rank == 4 ? reader.Read(1) : Axes.None;
        var columns = shape.Rank >= 3 ? reader.Read(shape.Rank - 2) : Axes.None;
        var op = reader.Of(LoopKind.OutputParallel);
        if (channel is null || batch is null || rows is null || columns is null || op.Count > 1 || !reader.AllUsed
            || batch is not { Tap: -1, Group: -1, Offset: 0 } || rows.Group >= 0 || columns.Group >= 0
            || (batch.Position >= 0 ? batch.Step != 1 : batch.Extent != 1)
            || channel is not { Position: -1, Offset: 0 } || (channel.Tap >= 0 && channel.Dilation != 1))
        {
            return null;
        }

        var (groups, depth) = (reader.Extent(channel.Group), reader.Extent(channel.Tap));
        if (groups * depth != channel.Extent || (channel.Group >= 0 && channel.GroupStep != depth) || reader.Extent(batch.Position) != batch.Extent)
        {
            return null;
        }

        var (input, group) = (product.Operator.Input, channel.Group);
        return new(
            operation,
            batch.Extent,
            reader.Axis(rows),
            reader.Axis(columns),
            channel.Extent,
            groups,
            op.Count == 0 ? 1 : operation.Loops[op[0]].Extent,
            zero,
            input.OutOfRange == OutOfRange.Fill ? input.FillValue : zero,
            new(batch.Position, rows.Position, columns.Position, group, op.Count == 0 ? -1 : op[0]))
        {
            Weights = weights,
            Strides = new(product.Operator.Kernel!, weights.Shape),
            Taps = [rows.Tap, columns.Tap, channel.Tap],
            Parallel = [group, op.Count == 0 ? -1 : op[0]],
        };
    }

    /// <summary>Index of a weight.</summary>
    public long WeightAt(int row, int column, int channel, int group, int output) =>
        Strides.First + (row * Strides.Of(Taps[0])) + (column * Strides.Of(Taps[1])) + (channel * Strides.Of(Taps[2])) + (group * Strides.Of(Parallel[0])) + (output * Strides.Of(Parallel[1]));

    /// <summary>A dimension of the input: at most one position, one tap and one group loop.</summary>
    private sealed record Dimension(int Extent, int Offset, int Position, int Step, int Tap, int Dilation, int Group, int GroupStep);

    private sealed class Axes(GconvOperator operation, Shape shape)
    {
        private readonly HashSet<int> _used = [];

        public static Dimension None { get; } = new(1, 0, -1, 1, -1, 1, -1, 0);

        /// <summary>True where every loop that the input moves with has been read, once.</summary>
        public bool AllUsed => Enumerable.Range(0, operation.Loops.Count).All(i => operation.Loops[i] is { Kind: LoopKind.OutputParallel } or { Extent: 1 } || _used.Contains(i));

        public List<int> Of(LoopKind kind) => [.. Enumerable.Range(0, operation.Loops.Count).Where(i => operation.Loops[i].Kind == kind && operation.Loops[i].Extent > 1)];

        public int Extent(int loop) => loop < 0 ? 1 : operation.Loops[loop].Extent;

        public ConvolutionAxis Axis(Dimension dimension) => new(dimension.Extent, Extent(dimension.Position), Extent(dimension.Tap), dimension.Step, dimension.Dilation, dimension.Offset);

        public Dimension? Read(int d)
        {
            var expression = operation.Input.Index[d];
            var found = None with { Extent = shape[d], Offset = (int)expression.Constant };
            for (var i = 0; i < operation.Loops.Count; i++)
            {
                var coefficient = expression.Coefficients[i];
                if (coefficient == 0 || operation.Loops[i].Extent == 1)
                {
                    continue;
                }

                if (coefficient is < 1 or > 1 << 16 || !_used.Add(i))
                {
                    return null;
                }

                switch (operation.Loops[i].Kind)
                {
                    case LoopKind.OutputPosition when found.Position < 0:
                        found = found with { Position = i, Step = (int)coefficient };
                        break;
                    case LoopKind.KernelSize when found.Tap < 0:
                        found = found with { Tap = i, Dilation = (int)coefficient };
                        break;
                    case LoopKind.Group when found.Group < 0:
                        found = found with { Group = i, GroupStep = (int)coefficient };
                        break;
                    default:
                        return null;
                }
            }

            return found;
        }
    }
}
