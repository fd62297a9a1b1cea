using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Frontend.Tflite;

/// <summary>
/// What the builder of one operator sees: its tensors with their types checked, and the ways to refuse it. The reader has already refused
/// operators with tensors that nothing can use, or whose values are not int8 with one scale.
/// </summary>
internal sealed class TfliteOperatorContext
{
    private const string ConvertInt8 = "convert the model with full integer (int8) quantisation";

    /// <summary>Largest stride, dilation and window: far beyond any network, and small enough that padding fits an int.</summary>
    private const int MaximumStep = 32767;

    private readonly TfliteFile _file;
    private readonly TfliteOperator _operator;
    private readonly string _name;

    public TfliteOperatorContext(TfliteFile file, TfliteOperator @operator, TfliteOperatorRow row)
    {
        (_file, _operator, _name) = (file, @operator, row.Name);
        if (@operator.Outputs.Length != 1 && (!row.HasManyOutputs || @operator.Outputs.Length == 0))
        {
            throw Inconsistent(FormattableString.Invariant($"it has {@operator.Outputs.Length} outputs instead of {(row.HasManyOutputs ? "at least one" : "one")}"));
        }

        Outputs = [.. @operator.Outputs.Select(file.Tensor)];
        foreach (var index in row.Converts ? [] : @operator.Inputs)
        {
            if (index != -1 && file.Tensor(index) is { IsConstant: false } input && input.TypeCode != Output.TypeCode)
            {
                throw Unsupported($"its input {input.Display} is {TfliteSchema.NameOfType(input.TypeCode)} and its output is {TfliteSchema.NameOfType(Output.TypeCode)}", ConvertInt8);
            }
        }
    }

    /// <summary>The tensors that the operator makes; all but operators that say otherwise make one.</summary>
    public IReadOnlyList<TfliteTensor> Outputs { get; }

    /// <summary>The tensor that the operator makes.</summary>
    public TfliteTensor Output => Outputs[0];

    /// <summary>Number of inputs, absent ones included.</summary>
    public int InputCount => _operator.Inputs.Length;

    /// <summary>The member of the options union that the operator must have.</summary>
    public FlatTable RequireOptions(byte union) => _operator.OptionsType == union && _operator.Options is { } options
        ? options
        : throw Inconsistent(FormattableString.Invariant($"its options are not those of {_name} (union member {_operator.OptionsType} instead of {union})"));

    /// <summary>The options where they are stored; some operators need none.</summary>
    public FlatTable? OptionsOrNull(byte union) => _operator.OptionsType == union ? _operator.Options : null;

    /// <summary>A value at run time; constants in its place are refused.</summary>
    public TfliteTensor Value(int input)
    {
        var tensor = Input(input);
        return tensor.IsConstant
            ? throw Unsupported($"its input {tensor.Display} is a constant", "fold constants before converting, or make the constant an input of the model")
            : tensor;
    }

    /// <summary>Refuses constants that are stored in fewer bits and dequantised at run time.</summary>
    public void RequireRuntime(int input)
    {
        if (Input(input) is { IsConstant: true } tensor)
        {
            throw Unsupported($"{tensor.Display} is a constant of {TfliteSchema.NameOfType(tensor.TypeCode)}", "convert the model without float16 or dynamic-range quantisation");
        }
    }

    /// <summary>A value at run time or a constant of the output's element type, for which a layer is added before the operator's.</summary>
    public (string Name, TensorType Type, TfliteTensor Tensor) Operand(int input, List<Layer> layers)
    {
        var tensor = Input(input);
        if (!tensor.IsConstant)
        {
            return (tensor.ValueName, tensor.Type, tensor);
        }

        RequireElement(tensor, "operand", "is", Output.TypeCode);
        if (!tensor.IsReal && tensor.Quantization is not { IsPerAxis: false, Scale: > 0, ZeroPoint: >= sbyte.MinValue and <= sbyte.MaxValue })
        {
            throw Unsupported($"its constant operand {tensor.Display} has {tensor.DisplayQuantization}", "quantise the constant with one scale and an int8 zero point, as TensorFlow's converter does");
        }

        var constant = Placed(new Constant(FormattableString.Invariant($"{Output.ValueName}_operand{input}"), [], tensor.Type, _file.Constant(tensor)));
        layers.Add(constant);
        return (constant.Name, constant.Type, tensor);
    }

    /// <summary>Refuses a layer whose shape rule gives another shape than the output's.</summary>
    public void RequireInferred(Layer layer, IReadOnlyList<TensorType> inputs)
    {
        var problems = new DiagnosticBag();
        RequireShape(NetworkShapes.Infer(layer, inputs, problems) ?? throw Inconsistent(problems.Diagnostics[0].Message));
    }

    /// <summary>Constant weights of a rank: int8 with zero points 0 and scales for the whole or along <paramref name="axis"/>, or float32 as the value.</summary>
    public Tensor Weights(int input, int rank, int axis, out Quantization? quantization)
    {
        var tensor = Input(input);
        if (!tensor.IsConstant)
        {
            throw Unsupported($"its weights, {tensor.Display}, are not constant", "freeze the weights before converting");
        }

        if (Output.IsReal && tensor.Element is ElementType.Int8 or ElementType.UInt8)
        {
            throw Unsupported(
                $"its weights, {tensor.Display}, are {TfliteSchema.NameOfType(tensor.TypeCode)} and its values FLOAT32 (hybrid, dynamic-range quantisation)",
                "convert the model with full integer (int8) quantisation and a representative dataset, or without quantisation");
        }

        RequireElement(tensor, "weights", "are", Output.IsReal ? TfliteSchema.Float32Type : TfliteSchema.Int8Type);

        if (tensor.Shape.Rank != rank)
        {
            throw Inconsistent(FormattableString.Invariant($"its weights have shape {tensor.Shape}, not {rank} dimensions"));
        }

        if (Output.IsReal)
        {
            quantization = null;
            return _file.Constant(tensor);
        }

        quantization = tensor.Quantization ?? throw Unsupported($"its weights, {tensor.Display}, have no scale", ConvertInt8);
        if (quantization.ZeroPoints.AsSpan().ContainsAnyExcept(0))
        {
            throw Unsupported($"its weights, {tensor.Display}, have a zero point other than 0", "convert the model with TensorFlow's int8 scheme, whose weights are symmetric");
        }

        if (quantization.IsPerAxis && quantization.Axis != axis)
        {
            throw Unsupported(
                FormattableString.Invariant($"its weights, {tensor.Display}, are quantised along dimension {quantization.Axis} instead of {axis}, the output channels"), ConvertInt8);
        }

        return _file.Constant(tensor);
    }

    /// <summary>The int32 (of a float32 layer: float32) bias as [channels], or null where there is none.</summary>
    public Tensor? Bias(int input, int channels)
    {
        if (input >= InputCount || _operator.Inputs[input] == -1)
        {
            return null;
        }

        var tensor = Input(input);
        if (!tensor.IsConstant)
        {
            throw Unsupported($"its bias, {tensor.Display}, is not constant", "freeze the weights before converting");
        }

        RequireElement(tensor, "bias", "is", Output.IsReal ? TfliteSchema.Float32Type : TfliteSchema.Int32Type);

        return tensor.Shape.Elements == channels
            ? _file.Constant(tensor).Reshape(Shape.Of(channels))
            : throw Inconsistent(FormattableString.Invariant($"its bias has shape {tensor.Shape} for {channels} output channels"));
    }

    /// <summary>True where an input is there.</summary>
    public bool HasInput(int input) => input < InputCount && _operator.Inputs[input] != -1;

    /// <summary>A constant int8 code, one element.</summary>
    public (int Code, Quantization? Quantization) ConstantCode(int input)
    {
        var tensor = Input(input);
        return tensor is { IsConstant: true, Element: ElementType.Int8, Shape.Elements: 1 }
            ? ((int)_file.Constant(tensor).GetInteger(0), tensor.Quantization)
            : throw Unsupported($"{tensor.Display} is not one constant of type INT8", "pad with a constant");
    }

    /// <summary>A constant vector or matrix of INT32 or INT64 numbers, flat, with its shape.</summary>
    public (long[] Numbers, Shape Shape) ConstantNumbers(int input)
    {
        var tensor = Input(input);
        if (!tensor.IsConstant)
        {
            throw Unsupported($"{tensor.Display} is computed at run time", "convert the model with fixed input shapes");
        }

        if (tensor.Element is not (ElementType.Int32 or ElementType.Int64))
        {
            throw Unsupported($"{tensor.Display} is {TfliteSchema.NameOfType(tensor.TypeCode)} instead of INT32 or INT64", "convert the model again");
        }

        // Paddings and shapes: two numbers a dimension at most.
        if (tensor.Shape.Elements > 32)
        {
            throw Inconsistent($"{tensor.Display} has {tensor.Shape} elements");
        }

        var constant = _file.Constant(tensor);
        var numbers = new long[constant.Shape.Elements];
        for (var i = 0; i < numbers.Length; i++)
        {
            numbers[i] = constant.GetInteger(i);
        }

        return (numbers, tensor.Shape);
    }

    /// <summary>The activation fused into the operator.</summary>
    public FusedActivation Activation(FlatTable options, FlatField field) => options.GetByte(field) switch
    {
        0 => FusedActivation.None,
        1 => FusedActivation.Relu,
        2 => FusedActivation.ReluN1To1,
        3 => FusedActivation.Relu6,
        4 => throw Unsupported("the activation TANH is fused into it", "use RELU, RELU6 or no activation"),
        5 => throw Unsupported("the activation SIGN_BIT is fused into it", "use RELU, RELU6 or no activation"),
        var other => throw Inconsistent(FormattableString.Invariant($"it has an unknown activation, {other}")),
    };

    /// <summary>A pair of strides, dilations or window extents, each from 1.</summary>
    public Spatial Steps(string what, int height, int width) => height is > 0 and <= MaximumStep && width is > 0 and <= MaximumStep
        ? new(height, width)
        : throw Inconsistent(FormattableString.Invariant($"its {what} is {height}x{width}; each must be from 1 to {MaximumStep}"));

    /// <summary>Resolves SAME or VALID over [N, H, W, C] and checks the output's extents against the window's (<c>int8-arithmetic.md</c> section 3.3).</summary>
    public Padding Window(FlatTable options, FlatField padding, TfliteTensor input, int channels, Spatial kernel, Spatial stride, Spatial dilation)
    {
        if (input.Shape.Rank != 4)
        {
            throw Inconsistent($"its input {input.Display} has shape {input.Shape}, not [N, H, W, C]");
        }

        var (height, width) = (input.Shape[1], input.Shape[2]);
        var resolved = options.GetByte(padding) switch
        {
            0 => Padding.Same(height, width, kernel, stride, dilation),
            1 => default,
            var other => throw Inconsistent(FormattableString.Invariant($"it has an unknown padding, {other}")),
        };
        RequireShape(Shape.Of(
            input.Shape[0],
            Along(height, resolved.Top + resolved.Bottom, kernel.Height, stride.Height, dilation.Height),
            Along(width, resolved.Left + resolved.Right, kernel.Width, stride.Width, dilation.Width),
            channels));
        return resolved;

        int Along(int extent, int padded, int window, int step, int spread)
        {
            var room = (long)extent + padded - (((long)window - 1) * spread) - 1;
            return room >= 0 ? (int)(room / step) + 1 : throw Inconsistent(FormattableString.Invariant($"its window of {window} (dilation {spread}) is larger than the {extent} elements of its input"));
        }
    }

    /// <summary>Refuses an output whose shape is not what the operator makes.</summary>
    public void RequireShape(Shape shape)
    {
        if (Output.Shape != shape)
        {
            throw Inconsistent($"from its inputs the shape of its output is {shape}, but {Output.Display} has {Output.Shape}");
        }
    }

    /// <summary>Refuses two tensors whose codes don't mean the same.</summary>
    public void RequireSameScale(TfliteTensor input, TfliteTensor output)
    {
        if (!output.IsReal && input.Quantization != output.Quantization)
        {
            throw Unsupported(
                $"{input.Display} has {input.DisplayQuantization}, {output.Display} has {output.DisplayQuantization}, and codes are copied",
                "quantise the model so that both have the same scale and zero point, as TensorFlow's converter does");
        }
    }

    /// <summary>Gives a layer its place.</summary>
    public T Placed<T>(T layer)
        where T : Layer => layer with { Span = SourceSpan.WholeFile(_file.File) };

    /// <summary>Exception: the operator is supported, but not like this.</summary>
    public DiagnosticException Unsupported(string why, string remedy) =>
        new(TfliteDiagnostics.UnsupportedUse(_file.File, _operator.Index, _name, Output.Display, why, remedy));

    /// <summary>Exception: shapes or numbers contradict each other.</summary>
    public DiagnosticException Inconsistent(string why) => new(TfliteDiagnostics.Inconsistent(_file.File, _operator.Index, _name, why));

    private void RequireElement(TfliteTensor tensor, string what, string verb, byte wanted)
    {
        if (tensor.TypeCode != wanted)
        {
            throw Unsupported($"its {what}, {tensor.Display}, {verb} {TfliteSchema.NameOfType(tensor.TypeCode)} instead of {TfliteSchema.NameOfType(wanted)}", ConvertInt8);
        }
    }

    private TfliteTensor Input(int input)
    {
        if (!HasInput(input))
        {
            throw Inconsistent(FormattableString.Invariant($"input {input} is missing"));
        }

        return _file.Tensor(_operator.Inputs[input]);
    }
}
