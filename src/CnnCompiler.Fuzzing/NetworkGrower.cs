using System.Globalization;
using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;
using CnnCompiler.Ir.Network.Operators;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Fuzzing;

/// <summary>Grows one network layer by layer; each is drawn from its operator's declaration until the operator's rules take it.</summary>
/// <param name="random">The generator.</param>
/// <param name="form">What new values hold where the operator allows it.</param>
/// <param name="rounding">Rounding scheme of most layers.</param>
internal sealed class NetworkGrower(SeededRandom random, ValueForms form, RoundingScheme rounding)
{
    private ValueForms _form = form;

    private const int Attempts = 200;
    private const int MostElements = 1200;

    private readonly List<NetworkInput> _inputs = [];
    private readonly List<Layer> _layers = [];
    private readonly List<(string Name, TensorType Type)> _values = [];
    private readonly ValueDraw _draw = new(random);
    private readonly List<(string Name, TensorType Type)> _staged = [];

    /// <summary>The network so far. Every value that nothing reads is an output, and sometimes an inner one too.</summary>
    public NetworkGraph Build(string name)
    {
        var read = _layers.SelectMany(layer => layer.Inputs).ToHashSet(StringComparer.Ordinal);
        var outputs = _layers.Select(layer => layer.Name).Where(value => !read.Contains(value) || random.OneIn(12)).ToEquatableArray();
        return new(name, _inputs.ToEquatableArray(), _layers.ToEquatableArray(), outputs);
    }

    /// <summary>Grows a layer of an operator and then others.</summary>
    public void Grow(Operator first, int more)
    {
        if (!TryGrow(first))
        {
            // An operator that isn't defined on the form: on one that it is defined on.
            _form = AnyNetworks.Forms.FirstOrDefault(other => first.Forms.HasFlag(other), _form);
            TryGrow(first);
        }

        for (var i = 0; i < more; i++)
        {
            TryGrow(OperatorTable.All[random.Below(OperatorTable.All.Count)]);
        }
    }

    /// <summary>Grows a layer of an operator; false where none was found that its rules take.</summary>
    public bool TryGrow(Operator definition)
    {
        for (var attempt = 0; attempt < Attempts; attempt++)
        {
            _staged.Clear();
            if (Attempt(definition) is { } layer && Fits(layer))
            {
                // A network has an input.
                if (_inputs.Count == 0 && _staged.Count == 0)
                {
                    continue;
                }

                foreach (var (name, type) in _staged)
                {
                    _inputs.Add(new(name, type));
                    _values.Add((name, type));
                }

                _layers.Add(layer);
                _values.Add((layer.Name, layer.Type));
                return true;
            }
        }

        return false;
    }

    private Layer? Attempt(Operator definition)
    {
        if (Operands(definition) is not { } operands)
        {
            return null;
        }

        var types = operands.Select(TypeOf).ToArray();
        var scheme = random.OneIn(8) ? random.Choose<RoundingScheme>(Enum.GetValues<RoundingScheme>()) : rounding;
        var result = Result(definition, types);
        var attributes = new AttributeDraw(random, _draw, definition, types, scheme).Draw(ref result);
        var name = string.Create(CultureInfo.InvariantCulture, $"t{_layers.Count}");
        var layer = definition.Create(new(name, operands.ToEquatableArray(), result), attributes);
        return NetworkShapes.Infer(layer, types, new DiagnosticBag()) is { Elements: <= MostElements } shape
            ? definition.Create(new(name, operands.ToEquatableArray(), result with { Shape = shape }), attributes)
            : null;
    }

    // The verifier decides, on a network of the layer alone.
    private bool Fits(Layer layer)
    {
        var inputs = layer.Inputs.Distinct(StringComparer.Ordinal).Select(name => new NetworkInput(name, TypeOf(name))).ToList();

        // What only layers may have (sums) is taken for granted here: it was checked with the layer that made it.
        var made = _layers.Where(known => layer.Inputs.Contains(known.Name, StringComparer.Ordinal)).Select(known => known.Name).ToHashSet(StringComparer.Ordinal);
        if (made.Any(name => Operator.FormOf(TypeOf(name)) == ValueForms.Sums))
        {
            return NetworkVerifier.Check(new("attempt", [.. _inputs, .. _staged.Select(s => new NetworkInput(s.Name, s.Type))], [.. _layers, layer], [layer.Name])).Count == 0;
        }

        var any = new NetworkInput("unread", new(ElementType.Float32, Shape.Of(1)));
        return NetworkVerifier.Check(new("attempt", [any, .. inputs], [layer], [layer.Name])).Count == 0;
    }

    private TensorType TypeOf(string name) => _values.Concat(_staged).First(value => value.Name == name).Type;

    private List<string>? Operands(Operator definition)
    {
        if (definition.MaximumInputs == 0)
        {
            // A constant is no network by itself: the first one comes beside an input that is passed on.
            if (_inputs.Count == 0)
            {
                Input(_draw.Type(_form, _draw.Shape(random.Next(1, 4))));
            }

            return [];
        }

        var form1 = definition.Forms.HasFlag(_form) && !random.OneIn(8) ? _form : random.Choose<ValueForms>([.. Enum.GetValues<ValueForms>().Where(candidate => candidate is not (ValueForms.None or ValueForms.Sums) && definition.Forms.HasFlag(candidate))]);
        switch (definition.Keyword)
        {
            case "proposal":
                var cells = Shape.Of(1, random.Next(1, 4), random.Next(1, 4), 2 * random.Next(1, 3));
                return [Input(new(ElementType.Float32, cells)), Input(new(ElementType.Float32, Shape.Of(1, cells[1], cells[2], 2 * cells[3])))];
            case "roi_pool":
                return [Input(new(ElementType.Float32, Shape.Of(1, random.Next(1, 6), random.Next(1, 6), random.Next(1, 5)))), Regions()];
        }

        if (First(definition, form1) is not { } first)
        {
            return null;
        }

        var operands = new List<string> { first };
        var count = definition.MaximumInputs == int.MaxValue ? random.Next(definition.MinimumInputs, 4) : definition.MinimumInputs;
        while (operands.Count < count)
        {
            operands.Add(Further(definition, TypeOf(first), operands));
        }

        return operands;
    }

    private string? First(Operator definition, ValueForms wanted)
    {
        var known = _values.Where(value => Operator.FormOf(value.Type) == wanted && value.Type.Shape.Elements <= MostElements / 2 && SuitsRank(definition, value.Type.Shape.Rank)).ToArray();
        if (known.Length > 0 && !random.OneIn(5))
        {
            // The latest values most often, so that networks get deep.
            return known[^Math.Min(known.Length, 1 + random.Below(random.OneIn(3) ? known.Length : 1))].Name;
        }

        var ranks = Enumerable.Range(random.OneIn(8) ? 0 : 1, 5).Where(rank => SuitsRank(definition, rank)).ToArray();
        return wanted == ValueForms.Sums || ranks.Length == 0 ? null : Input(_draw.Type(wanted, _draw.Shape(random.Choose(ranks))));
    }

    private static bool SuitsRank(Operator definition, int rank) => definition.Keyword switch
    {
        "conv2d" or "depthwise_conv2d" or "conv2d_transpose" or "max_pool2d" or "avg_pool2d" or "resize" or "routing" => rank == 4,
        "conv3d" or "max_pool3d" or "avg_pool3d" => rank == 5,
        "capsule_transform" => rank == 3,
        "matmul" => rank >= 2,

        // Scalars have no dimension to name, and no channels.
        _ => rank >= 1 || definition.Attributes.All(attribute => attribute.Kind is AttributeKind.Activation or AttributeKind.Rounding or AttributeKind.Real),
    };

    // Another operand beside the first: of a shape that goes with it.
    private string Further(Operator definition, TensorType first, List<string> operands)
    {
        if (random.OneIn(5))
        {
            return operands[0];
        }

        var same = _values.Where(value => Operator.FormOf(value.Type) == Operator.FormOf(first)).ToArray();
        if (same.Length > 0 && random.OneIn(4))
        {
            return random.Choose<(string Name, TensorType Type)>(same).Name;
        }

        var shape = first.Shape;
        var extents = shape.Dimensions.ToArray();
        switch (definition.Keyword)
        {
            case "concat":
                extents[random.Below(extents.Length)] = random.Next(1, 5);
                return Input(first with { Shape = Shape.Of(extents) });
            case "matmul":
                // Which of the two is transposed is drawn later; equal extents fit either way.
                var inner = random.OneIn(2) ? extents[^1] : extents[^2];
                var other = random.Next(1, 5);
                var outer = extents[..^2].Select(extent => random.OneIn(3) ? 1 : extent);
                return Input(_draw.Type(Operator.FormOf(first), Shape.Of([.. outer, .. random.OneIn(2) ? [inner, other] : (int[])[other, inner]])));
            default:
                var skipped = random.OneIn(3) ? random.Below(extents.Length) : 0;
                for (var d = 0; d < extents.Length; d++)
                {
                    extents[d] = random.OneIn(4) ? 1 : extents[d];
                }

                return Input(Beside(first, Shape.Of(extents.AsSpan(skipped))));
        }
    }

    // Scales that differ up to a thousandfold, or by a power of two, which makes ties.
    private TensorType Beside(TensorType first, Shape shape)
    {
        var type = _draw.Type(Operator.FormOf(first), shape);
        if (type.Element != ElementType.Int8)
        {
            return type;
        }

        var ratio = random.OneIn(3) ? MathF.ScaleB(1, random.Next(-4, 4)) : (float)random.NextLogarithmic(0.01, 100);
        return type with { Quantization = Quantization.PerTensor(first.Quantization!.Scale * ratio, type.Quantization!.ZeroPoint) };
    }

    private string Regions()
    {
        var known = _values.Where(value => value.Type.Element == ElementType.Float32 && value.Type.Shape.Rank == 2 && value.Type.Shape[1] == 5).ToArray();
        return known.Length > 0 ? known[^1].Name : Input(new(ElementType.Float32, Shape.Of(random.Next(1, 5), 5)));
    }

    private string Input(TensorType type)
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"in{_inputs.Count + _staged.Count}");
        _staged.Add((name, type));
        return name;
    }

    private TensorType Result(Operator definition, TensorType[] operands)
    {
        var operand = operands.Length > 0 ? operands[0] : null;
        var shape = definition.Keyword == "reshape" ? Reshaped(operand!.Shape) : definition.Keyword == "constant" ? _draw.Shape(random.Next(1, 4)) : default;
        if (definition.FormRule == FormRule.Conversion)
        {
            return definition.Keyword switch
            {
                "dequantize" => new(ElementType.Float32, shape),
                "quantize" => Near(_draw.Type(random.Choose(ValueForms.Quantized, ValueForms.Quantized, ValueForms.Fixed, ValueForms.Unsigned), shape), operand!),
                _ => _draw.Type(random.OneIn(3) ? random.Choose(ValueForms.Quantized, ValueForms.Unsigned, ValueForms.Fixed, ValueForms.Sums, ValueForms.Real) : _form, shape),
            };
        }

        var of = Operator.FormOf(operand!);
        return (definition.Quantization, of) switch
        {
            (ResultQuantization.None, _) or (_, ValueForms.Real) => new(ElementType.Float32, shape),
            (ResultQuantization.OfOperator, ValueForms.Quantized) => new(ElementType.Int8, shape, definition.FixedQuantization),
            (ResultQuantization.OfOperand, _) when definition.Keyword != "mean" || random.OneIn(2) => operand! with { Shape = shape },
            _ => Computed(definition, operands, of, shape),
        };
    }

    // A result that most of the range of is used.
    private TensorType Computed(Operator definition, TensorType[] operands, ValueForms of, Shape shape)
    {
        var type = _draw.Type(of, shape);
        if (of != ValueForms.Quantized)
        {
            return type;
        }

        var scales = operands.Select(operand => operand.Quantization!.Scale).ToArray();
        if (definition.FormRule == FormRule.SameOrSums && scales.Length == 2 && random.OneIn(6))
        {
            return new(ElementType.Int32, shape, Quantization.PerTensor(scales[0] * scales[1], 0));
        }

        var typical = definition.Keyword switch
        {
            "add" or "sub" => random.OneIn(3) ? scales.Max() * random.Choose(1.0, 2.0, 4.0) : (scales[0] + scales[1]) * random.NextLogarithmic(0.3, 2),
            "mul" => scales[0] * (double)scales[1] * random.NextLogarithmic(20, 500),
            "matmul" => scales[0] * (double)scales[1] * random.NextLogarithmic(40, 2000),
            _ => scales[0] * random.NextLogarithmic(0.2, 3),
        };
        return type with { Quantization = Quantization.PerTensor((float)typical, type.Quantization!.ZeroPoint) };
    }

    private TensorType Near(TensorType type, TensorType operand) =>
        type.Element == ElementType.Int32 || operand.Quantization is not { } from || operand.Element == ElementType.Int32
            ? type
            : type with { Quantization = Quantization.PerTensor(from.Scale * (random.OneIn(3) ? random.Choose(1f, 2f, 0.5f) : (float)random.NextLogarithmic(0.1, 10)), type.Quantization!.ZeroPoint) };

    private Shape Reshaped(Shape from)
    {
        var rest = (int)from.Elements;
        var extents = new int[random.Next(1, 5)];
        for (var i = 0; i < extents.Length; i++)
        {
            extents[i] = i == extents.Length - 1 ? rest : random.Choose([.. Enumerable.Range(1, rest).Where(divisor => rest % divisor == 0)]);
            rest /= extents[i];
        }

        return Shape.Of(extents);
    }
}
