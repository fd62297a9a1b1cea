using System.Runtime.CompilerServices;
using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Chain;
using CnnCompiler.Passes.Lowering;

namespace CnnCompiler.Passes.Algorithms;

/// <summary>
/// Filtering algorithms along one or two directions. For outputs m t + j of a direction, with r taps a round, window m + r - 1 and P points:
/// <code>
///   windows    for each direction, rounds q:  [.., t, q, p, ..] = sum over u of B^T[p, u] * (input at stride * (m t + u) + offset of q)
///   products   p is a loop g:                 [.., t, p, ..] = sum over q and what else is reduced of windows * transformed weights
///   results    for each direction:            m t + j = (sum over p of A^T[j, p] * products) / scale, exactly; the last one has the convolution's post
/// </code>
/// Outside the input a window has the value 0, which is the zero point less itself. A last tile that is not full is an operator of its own, and both write into one tensor.
/// </summary>
internal sealed class TransformRewrite
{
    private readonly ConvolutionNest _nest;
    private readonly GconvOperator _operation;
    private readonly TransformedAxis[] _axes;
    private readonly ChainPieces _chain;

    private TransformRewrite(ConvolutionNest nest, TransformedAxis[] axes, ChainPieces chain) => (_nest, _operation, _axes, _chain) = (nest, nest.Operation, axes, chain);

    /// <summary>Adds the steps; null, or why there are none.</summary>
    /// <param name="nest">The convolution.</param>
    /// <param name="algorithm">The algorithm.</param>
    /// <param name="chain">Takes the steps.</param>
    /// <param name="detail">What is looked at of the weights.</param>
    /// <param name="known">What transformed weights are within.</param>
    public static string? Apply(ConvolutionNest nest, ConvolutionAlgorithm algorithm, ChainPieces chain, WeightDetail detail, WeightRanges known)
    {
        var axes = new List<TransformedAxis>();
        foreach (var (name, transform) in ((string, FilterTransform)[])[("h", algorithm.Rows), ("w", algorithm.Columns)])
        {
            if (transform.Points == 1)
            {
                continue;
            }

            if (nest.Axes.FirstOrDefault(axis => axis.Name == name) is not { } found)
            {
                return $"no window of several taps slides along {name}";
            }

            if (found.Dilation != 1)
            {
                return FormattableString.Invariant($"its taps along {name} lie {found.Dilation} apart");
            }

            axes.Add(new(found, transform, nest.Operation.Loops[found.Tap].Extent, nest.Operation.Loops[found.Position].Extent));
        }

        return new TransformRewrite(nest, [.. axes], chain).Run(detail, known);
    }

    private string? Run(WeightDetail detail, WeightRanges known)
    {
        if (Windows() is not var (windows, ranges))
        {
            return "its transformed input could exceed 64 bits";
        }

        // what sums of products are within where the first directions are transformed: none, one, ..., all
        var sums = new List<IntegerRange>();
        var values = (Weights: new TransformedWeights(_nest, _axes), Element: ElementType.Int8);
        for (var count = 0; count <= _axes.Length; count++)
        {
            var weights = new TransformedWeights(_nest, _axes[..count]);
            if (!NetworkLimits.Allows(weights.Shape) || (detail == WeightDetail.None ? weights.Outline() : known.Of(weights)) is not { Element: { } narrowest } sides)
            {
                return "a transformed weight exceeds 32 bits, or there are too many of them";
            }

            values = (weights, narrowest);
            sums.Add(Sums(ranges[count], sides.Above, sides.Below));
        }

        return sums[^1].Narrowest(ElementType.Int32) is not { } element || !Results(Products(windows, Stored(values.Weights, values.Element, detail), element), sums) ? "its products or what they add up to could exceed 64 bits" : null;
    }

    private static Tensor Stored(TransformedWeights weights, ElementType element, WeightDetail detail) =>
        detail == WeightDetail.Values ? weights.Values(element) : Tensor.Zeros(element, weights.Shape);

    /// <summary>The transformed windows, and what the input is within and each point where the first directions are transformed: one, ..., all; null where 64 bits do not hold them.</summary>
    private (LaidOut Windows, List<IntegerRange[]> Ranges)? Windows()
    {
        var (input, ranges) = (LaidOut.Of(_operation.Input.Tensor, _nest.Input), new List<IntegerRange[]> { new[] { _nest.InputRange } });
        foreach (var axis in _axes)
        {
            var (transform, place) = (axis.Transform, input.PlaceOf(axis.Axis.Dimension));
            ranges.Add([.. ranges[^1].SelectMany(range => transform.Input.Chunk(transform.Window).Select(row => row.Aggregate(IntegerRange.Zero, (sum, factor) => sum + (range * factor))))]);
            if (Union(ranges[^1]).Narrowest() is not { } element)
            {
                return null;
            }

            var builder = new LoopBuilder(0);
            var others = input.Dimensions.Select((dimension, d) => d == place ? 0 : builder.Add(dimension.Name, LoopKind.OutputPosition, dimension.Extent)).ToArray();
            var tile = builder.Add(axis.Axis.Name, LoopKind.OutputPosition, axis.Tiles);
            var phase = builder.Add($"{axis.Axis.Name}_phase", LoopKind.OutputPosition, axis.Phases);
            var part = builder.Add($"{axis.Axis.Name}_part", LoopKind.OutputPosition, axis.Parts);
            var point = builder.Add(axis.Axis.Name, LoopKind.OutputParallel, transform.Points);
            var tap = builder.Add(axis.Axis.Name, LoopKind.KernelSize, transform.Window);
            long stride = axis.Axis.Stride;
            var read = builder.At(axis.Axis.Offset, (tile, stride * transform.Tile), (tap, stride), (phase, 1), (part, stride * transform.Taps));
            var windows = input.Replace(
                axis.Axis.Dimension, _chain.NameFor($"{axis.Axis.Name}.windows"), element, [new(axis.Axis.Name, axis.Tiles), new($"{axis.Axis.Name}_round", axis.Rounds), new($"{axis.Axis.Name}_point", transform.Points)]);
            AffineExpression[] written = [builder.At(tile), builder.At(0, (phase, axis.Parts), (part, 1)), builder.At(point)];
            _chain.Add(new GconvOperator(
                windows.Name,
                windows.Type,
                builder.Loops,
                builder.Skipping(input.Name, input.Type.Shape, others.Select((loop, d) => d == place ? read : builder.At(loop)).ToEquatableArray()),
                new(_chain.Add($"{axis.Axis.Name}.input", Matrix(transform.Input, transform.Window)), [builder.At(point), builder.At(tap)]),
                [],
                Accumulator(element),
                input.Name == _operation.Input.Tensor ? _operation.Pre : Scalar.Input,
                Scalar.Multiply(Scalar.Input, Scalar.Kernel),
                GconvReduction.Add,
                Scalar.Accumulator,
                others.SelectMany((loop, d) => d == place ? written : [builder.At(loop)]).ToEquatableArray()));
            input = windows;
        }

        return (input, ranges);
    }

    /// <summary>The products of all points.</summary>
    private LaidOut Products(LaidOut windows, Tensor values, ElementType element)
    {
        var builder = new LoopBuilder(_operation.Loops.Count);
        var own = new int[_operation.Loops.Count];
        for (var loop = 0; loop < own.Length; loop++)
        {
            var (dimension, kind, extent) = _operation.Loops[loop];
            own[loop] = builder.Take(loop, dimension, kind, Array.Find(_axes, axis => axis.Axis.Position == loop)?.Tiles ?? Array.Find(_axes, axis => axis.Axis.Tap == loop)?.Rounds ?? extent);
        }

        var points = _axes.Select(axis => builder.Add(axis.Axis.Name, LoopKind.Group, axis.Transform.Points)).ToArray();
        var index = new List<AffineExpression>();
        for (var d = 0; d < _nest.Input.Shape.Rank; d++)
        {
            var axis = Array.FindIndex(_axes, axis => axis.Axis.Dimension == d);
            index.AddRange(axis < 0 ? [builder.Over(_operation.Input.Index[d])] : [builder.At(own[_axes[axis].Axis.Position]), builder.At(own[_axes[axis].Axis.Tap]), builder.At(points[axis])]);
        }

        var products = LaidOut.Of(_chain.NameFor("products"), _operation.Type with { Element = element, Quantization = null });
        var written = _operation.OutputIndex.Select(expression => builder.Over(expression with { Constant = expression.Constant - First(expression) })).ToList();
        foreach (var (axis, point) in _axes.Zip(points).OrderByDescending(entry => entry.First.Axis.Result))
        {
            products = products.Replace(axis.Axis.Result, products.Name, element, [new(axis.Axis.Name, axis.Tiles), new($"{axis.Axis.Name}_point", axis.Transform.Points)]);
            written[axis.Axis.Result] = builder.At(own[axis.Axis.Position]);
            written.Insert(axis.Axis.Result + 1, builder.At(point));
        }

        _chain.Add(
            new GconvOperator(
                products.Name,
                products.Type,
                builder.Loops,
                builder.Skipping(windows.Name, windows.Type.Shape, index.ToEquatableArray()),
                new(_chain.Add("weights", values), [.. points.Select(builder.At), .. new TransformedWeights(_nest, _axes).Loops.Select(loop => builder.At(own[loop]))]),
                [],
                element,
                Scalar.Input,
                Scalar.Multiply(Scalar.Input, Scalar.Kernel),
                GconvReduction.Add,
                Scalar.Accumulator,
                written.ToEquatableArray()),
            multiplies: true);
        return products;
    }

    /// <summary>The results; false where 64 bits do not hold them. Transformed back, sums are those without the direction's transform, times its scale.</summary>
    private bool Results(LaidOut products, List<IntegerRange> sums)
    {
        for (var a = _axes.Length - 1; a >= 0; a--)
        {
            var (transform, range) = (_axes[a].Transform, sums[a]);
            if ((range * transform.Scale).Narrowest(ElementType.Int32) is not { } accumulator || range.Narrowest(ElementType.Int32) is not { } element)
            {
                return false;
            }

            var matrix = _chain.Add($"{_axes[a].Axis.Name}.output", Matrix(transform.Output, transform.Points));
            if (a > 0)
            {
                products = Inverse(_axes[a], products, matrix, accumulator, element);
            }
            else
            {
                Finish(_axes[a], products, matrix, accumulator);
            }
        }

        return true;
    }

    /// <summary>The results along a direction for all positions of its tiles.</summary>
    private LaidOut Inverse(TransformedAxis axis, LaidOut products, string matrix, ElementType accumulator, ElementType element)
    {
        var (builder, place) = (new LoopBuilder(0), products.PlaceOf(axis.Axis.Result));
        var index = products.Dimensions.Select((dimension, d) => d == place + 1
            ? builder.Add(axis.Axis.Name, LoopKind.KernelSize, dimension.Extent)
            : builder.Add(dimension.Name, LoopKind.OutputPosition, dimension.Extent)).ToArray();
        var output = builder.Add(axis.Axis.Name, LoopKind.OutputParallel, axis.Transform.Tile);
        var results = products.Replace(axis.Axis.Result, _chain.NameFor($"{axis.Axis.Name}.results"), element, [new(axis.Axis.Name, axis.Tiles * axis.Transform.Tile)]);
        _chain.Add(new GconvOperator(
            results.Name,
            results.Type,
            builder.Loops,
            new(products.Name, [.. index.Select(builder.At)]),
            new(matrix, [builder.At(output), builder.At(index[place + 1])]),
            [],
            accumulator,
            Scalar.Input,
            Scalar.Multiply(Scalar.Input, Scalar.Kernel),
            GconvReduction.Add,
            Divided(axis.Transform),
            [.. Enumerable.Range(0, index.Length).Where(d => d != place + 1).Select(d => d == place ? builder.At(0, (index[d], axis.Transform.Tile), (output, 1)) : builder.At(index[d]))]));
        return results;
    }

    /// <summary>The convolution's results, in one operator or in two that write a part each.</summary>
    private void Finish(TransformedAxis axis, LaidOut products, string matrix, ElementType accumulator)
    {
        var (whole, rest) = (axis.Outputs / axis.Transform.Tile, axis.Outputs % axis.Transform.Tile);
        var isWhole = whole == 0 || rest == 0;
        var (first, destination) = (isWhole || _operation.Destination is not null ? _operation.Name : _chain.NameFor("tiles"), isWhole ? _operation.Destination : _operation.Destination ?? _operation.Name);
        if (whole > 0)
        {
            Piece(first, 0, whole, axis.Transform.Tile);
        }

        if (rest > 0)
        {
            Piece(whole == 0 ? first : _chain.NameFor("rest"), whole, 1, rest);
        }

        if (!isWhole && _operation.Destination is null)
        {
            _chain.Add(new GconvView(_operation.Name, _operation.Type, ViewKind.Join, [.. _chain.Steps.OfType<GconvOperator>().Where(step => step.Destination is not null).Select(step => step.Name)]));
        }

        void Piece(string name, int firstTile, int tiles, int outputs)
        {
            var builder = new LoopBuilder(_operation.Loops.Count);
            var (tile, output) = (-1, -1);
            for (var loop = 0; loop < _operation.Loops.Count; loop++)
            {
                var (dimension, kind, extent) = _operation.Loops[loop];
                if (loop == axis.Axis.Position)
                {
                    tile = builder.Add(dimension, LoopKind.OutputPosition, tiles);
                    output = builder.Add(dimension, LoopKind.OutputParallel, outputs);
                    builder.Put(loop, (long)firstTile * axis.Transform.Tile, (tile, axis.Transform.Tile), (output, 1));
                }
                else if (kind.IsParallel())
                {
                    builder.Take(loop, dimension, LoopKind.OutputPosition, extent);
                }
            }

            var point = builder.Add(axis.Axis.Name, LoopKind.KernelSize, axis.Transform.Points);
            var read = _operation.OutputIndex.SelectMany((expression, d) => d == axis.Axis.Result
                ? (AffineExpression[])[builder.At(firstTile, (tile, 1)), builder.At(point)]
                : [builder.Over(expression with { Constant = expression.Constant - First(expression) })]);
            var extents = _operation.Type.Shape.Dimensions.Select((extent, d) => destination is not null && d == axis.Axis.Result ? tiles * outputs : extent);
            _chain.Add(_operation with
            {
                Name = name,
                Type = _operation.Type with { Shape = new(extents.ToEquatableArray()) },
                Loops = builder.Loops,
                Input = new(products.Name, read.ToEquatableArray()),
                Kernel = new(matrix, [builder.At(output), builder.At(point)]),
                Extra = _operation.Extra.Select(builder.Over).ToEquatableArray(),
                Accumulator = accumulator > _operation.Accumulator ? accumulator : _operation.Accumulator,
                Pre = Scalar.Input,
                Main = Scalar.Multiply(Scalar.Input, Scalar.Kernel),
                Post = _operation.Post.Replace(new(Accumulator: Divided(axis.Transform))),
                OutputIndex = builder.Over(_operation.OutputIndex),
                Destination = destination,
            });
        }
    }

    private long First(AffineExpression index) => (long)index.Range(_operation.Loops).Min;

    private static ElementType Accumulator(ElementType element) => element == ElementType.Int64 ? ElementType.Int64 : ElementType.Int32;

    /// <summary>What all sums of products are within.</summary>
    /// <param name="inputs">[points] the inputs.</param>
    /// <param name="above">[channels, points] sums of the weights above 0.</param>
    /// <param name="below">[channels, points] sums of those below.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static IntegerRange Sums(ReadOnlySpan<IntegerRange> inputs, ReadOnlySpan<long> above, ReadOnlySpan<long> below)
    {
        var all = IntegerRange.Zero;
        for (var (i, point) = (0, 0); i < above.Length; i++, point = point + 1 == inputs.Length ? 0 : point + 1)
        {
            if (above[i] != 0 || below[i] != 0)
            {
                all = all.Union((inputs[point] * above[i]) + (inputs[point] * below[i]));
            }
        }

        return all;
    }

    private static IntegerRange Union(IEnumerable<IntegerRange> ranges) => ranges.Aggregate(IntegerRange.Zero, (all, range) => all.Union(range));

    /// <summary>The accumulator divided by the scale, which divides it evenly.</summary>
    private static ScalarExpression Divided(FilterTransform transform) => transform.Scale == 1 ? Scalar.Accumulator
        : int.IsPow2(transform.Scale) ? Scalar.Call(ScalarFunction.ShiftRight, Scalar.Accumulator, Scalar.Literal(int.Log2(transform.Scale)))
        : Scalar.Divide(Scalar.Accumulator, Scalar.Literal(transform.Scale));

    private static Tensor Matrix(EquatableArray<int> matrix, int columns) =>
        Tensor.From<sbyte>(ElementType.Int8, Shape.Of(matrix.Count / columns, columns), matrix.Select(value => checked((sbyte)value)).ToArray());

    /// <summary>A dimension of a tensor: its name in loops and its extent.</summary>
    private readonly record struct Dimension(string Name, int Extent);

    /// <summary>A tensor, some of whose dimensions stand for one of another tensor.</summary>
    /// <param name="Name">Its name.</param>
    /// <param name="Element">Its element type.</param>
    /// <param name="Parts">For each dimension of the other tensor those that stand for it.</param>
    private sealed record LaidOut(string Name, ElementType Element, EquatableArray<EquatableArray<Dimension>> Parts)
    {
        public IEnumerable<Dimension> Dimensions => Parts.SelectMany(part => part);

        public TensorType Type => new(Element, Shape.Of([.. Dimensions.Select(dimension => dimension.Extent)]));

        public static LaidOut Of(string name, TensorType type) =>
            new(name, type.Element, type.Shape.Dimensions.Select((extent, d) => (EquatableArray<Dimension>)[new(LoopNest.DimensionName(d, type.Shape.Rank), extent)]).ToEquatableArray());

        /// <summary>The first dimension that stands for one of the other tensor.</summary>
        public int PlaceOf(int dimension) => Parts.Take(dimension).Sum(part => part.Count);

        public LaidOut Replace(int dimension, string name, ElementType element, EquatableArray<Dimension> by) =>
            new(name, element, Parts.Select((part, d) => d == dimension ? by : part).ToEquatableArray());
    }
}
