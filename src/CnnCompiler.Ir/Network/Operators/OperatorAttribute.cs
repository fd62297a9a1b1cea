using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;

namespace CnnCompiler.Ir.Network.Operators;

/// <summary>What an attribute's value is; in the comment its .NET type.</summary>
public enum AttributeKind
{
    /// <summary>A whole number: <see cref="int"/>.</summary>
    Integer,

    /// <summary>A real number: <see cref="float"/>.</summary>
    Real,

    /// <summary>Yes or no: <see cref="bool"/>.</summary>
    Flag,

    /// <summary>Whole numbers: <see cref="EquatableArray{T}"/> of int.</summary>
    Integers,

    /// <summary>Real numbers: <see cref="EquatableArray{T}"/> of float.</summary>
    Reals,

    /// <summary>Height and width: <see cref="Network.Spatial"/>.</summary>
    Spatial,

    /// <summary>Depth, height and width: <see cref="Network.Volume"/>.</summary>
    Volume,

    /// <summary>Top, bottom, left, right: <see cref="Network.Padding"/>.</summary>
    Padding,

    /// <summary>Front, back, top, bottom, left, right: <see cref="Network.VolumePadding"/>.</summary>
    VolumePadding,

    /// <summary>A fused activation: <see cref="FusedActivation"/>.</summary>
    Activation,

    /// <summary>A rounding scheme: <see cref="RoundingScheme"/>.</summary>
    Rounding,

    /// <summary>A resize mode: <see cref="Network.ResizeMode"/>.</summary>
    ResizeMode,

    /// <summary>Coordinates of a resize: <see cref="Network.ResizeCoordinates"/>.</summary>
    ResizeCoordinates,

    /// <summary>A stored array: <see cref="Core.Tensors.Tensor"/>.</summary>
    Tensor,

    /// <summary>A stored array that may be absent: <see cref="Core.Tensors.Tensor"/> or null.</summary>
    OptionalTensor,

    /// <summary>Scales and zero points of the weights: <see cref="Quantization"/> or null.</summary>
    WeightQuantization,
}

/// <summary>One attribute of an operator, stated once: text, language, verifier and docs read it from here.</summary>
/// <param name="Name">Its name in the language.</param>
/// <param name="Kind">What its value is.</param>
/// <param name="Summary">What it means, for docs.</param>
/// <param name="Get">Its value in a layer of the operator.</param>
public sealed record OperatorAttribute(string Name, AttributeKind Kind, string Summary, Func<Layer, object?> Get)
{
    /// <summary>Its name in IR text.</summary>
    public string TextName { get; init; } = Name;

    /// <summary>The value where none is given, or null where one has to be.</summary>
    public object? Default { get; init; }

    /// <summary>True where IR text has it even if it is the default.</summary>
    public bool IsAlwaysPrinted { get; init; }

    /// <summary>Smallest whole number, of each of several.</summary>
    public int Low { get; init; } = 1;

    /// <summary>Largest whole number, of each of several.</summary>
    public int High { get; init; } = NetworkLimits.Attribute;

    /// <summary>The whole numbers of a value, which <see cref="Low"/> and <see cref="High"/> bound; none for other kinds.</summary>
    internal static IReadOnlyList<int> Numbers(object? value) => value switch
    {
        int number => [number],
        EquatableArray<int> list => list,
        Network.Spatial pair => [pair.Height, pair.Width],
        Network.Volume volume => [volume.Depth, volume.Height, volume.Width],
        Network.Padding sides => [sides.Top, sides.Bottom, sides.Left, sides.Right],
        Network.VolumePadding sides => [sides.Front, sides.Back, sides.Plane.Top, sides.Plane.Bottom, sides.Plane.Left, sides.Plane.Right],
        _ => [],
    };

    /// <summary>True where a value has to be given.</summary>
    public bool IsRequired => Default is null && Kind is not (AttributeKind.OptionalTensor or AttributeKind.WeightQuantization);
}

/// <summary>Values of attributes by name, from which an operator makes its layer.</summary>
/// <param name="values">A value for each attribute, of the type that its kind has.</param>
public sealed class AttributeValues(IReadOnlyDictionary<string, object?> values)
{
    /// <summary>A value.</summary>
    /// <exception cref="InvalidOperationException">There is none, or it is of another kind: the caller did not fill in what the operator declares.</exception>
    public T Get<T>(string name) => values.GetValueOrDefault(name) is T value ? value : throw new InvalidOperationException($"no {typeof(T).Name} for attribute {name}");

    /// <summary>A value that may be absent.</summary>
    public T? Optional<T>(string name)
        where T : class => values.GetValueOrDefault(name) as T;
}

/// <summary>Short forms for declaring attributes of layers of one kind.</summary>
/// <typeparam name="T">The layer.</typeparam>
internal static class Attributes<T>
    where T : Layer
{
    public static OperatorAttribute Weights(Func<T, Tensor> get, string summary) => new("weights", AttributeKind.Tensor, summary, Of(get));

    public static OperatorAttribute WeightQuantization(Func<T, Quantization?> get) =>
        new("scales", AttributeKind.WeightQuantization, "scales and zero points of the weights: one, or one an output channel", Of(get));

    public static OperatorAttribute Bias(Func<T, Tensor?> get) => new("bias", AttributeKind.OptionalTensor, "one value an output channel", Of(get));

    public static OperatorAttribute Tensor(string name, Func<T, Tensor> get, string summary) => new(name, AttributeKind.Tensor, summary, Of(get));

    public static OperatorAttribute OptionalTensor(string name, Func<T, Tensor?> get, string summary) => new(name, AttributeKind.OptionalTensor, summary, Of(get));

    public static OperatorAttribute Stride(Func<T, Spatial> get) => new("stride", AttributeKind.Spatial, "step between windows", Of(get)) { Default = new Spatial(1, 1), IsAlwaysPrinted = true };

    public static OperatorAttribute Dilation(Func<T, Spatial> get) => new("dilation", AttributeKind.Spatial, "step between the taps of a kernel", Of(get)) { Default = new Spatial(1, 1) };

    public static OperatorAttribute Kernel(Func<T, Spatial> get) => new("kernel", AttributeKind.Spatial, "extents of a window", Of(get));

    public static OperatorAttribute Padding(Func<T, Padding> get) =>
        new("padding", AttributeKind.Padding, "rows and columns around the input", Of(get)) { TextName = "pad", Default = default(Padding), IsAlwaysPrinted = true, Low = 0 };

    public static OperatorAttribute VolumeStride(Func<T, Volume> get) => new("stride", AttributeKind.Volume, "step between windows", Of(get)) { Default = new Volume(1, 1, 1), IsAlwaysPrinted = true };

    public static OperatorAttribute VolumeDilation(Func<T, Volume> get) => new("dilation", AttributeKind.Volume, "step between the taps of a kernel", Of(get)) { Default = new Volume(1, 1, 1) };

    public static OperatorAttribute VolumeKernel(Func<T, Volume> get) => new("kernel", AttributeKind.Volume, "extents of a window", Of(get));

    public static OperatorAttribute VolumePadding(Func<T, VolumePadding> get) =>
        new("padding", AttributeKind.VolumePadding, "planes, rows and columns around the input", Of(get)) { TextName = "pad", Default = default(VolumePadding), IsAlwaysPrinted = true, Low = 0 };

    public static OperatorAttribute Groups(Func<T, int> get) => new("groups", AttributeKind.Integer, "groups of channels that don't see each other", Of(get)) { Default = 1 };

    public static OperatorAttribute Activation(Func<T, FusedActivation> get) =>
        new("activation", AttributeKind.Activation, "clamp of the result", Of(get)) { TextName = "act", Default = FusedActivation.None };

    public static OperatorAttribute Rounding(Func<T, RoundingScheme> get) =>
        new("rounding", AttributeKind.Rounding, "how a quantised result is rounded", Of(get)) { TextName = "round", Default = RoundingScheme.TfliteDouble, IsAlwaysPrinted = true };

    public static OperatorAttribute Integer(string name, Func<T, int> get, string summary, int? otherwise = null, int low = 1, int high = NetworkLimits.Attribute) =>
        new(name, AttributeKind.Integer, summary, Of(get)) { Default = otherwise, Low = low, High = high };

    public static OperatorAttribute Integers(string name, Func<T, EquatableArray<int>> get, string summary, int low = 0, int high = NetworkLimits.Attribute) =>
        new(name, AttributeKind.Integers, summary, Of(get)) { Low = low, High = high };

    public static OperatorAttribute Real(string name, Func<T, float> get, string summary, float? otherwise = null) =>
        new(name, AttributeKind.Real, summary, Of(get)) { Default = otherwise, IsAlwaysPrinted = true };

    public static OperatorAttribute Reals(string name, Func<T, EquatableArray<float>> get, string summary) => new(name, AttributeKind.Reals, summary, Of(get));

    public static OperatorAttribute Flag(string name, Func<T, bool> get, string summary) => new(name, AttributeKind.Flag, summary, Of(get)) { Default = false };

    public static OperatorAttribute Spatial(string name, Func<T, Spatial> get, string summary, Spatial? otherwise = null, int low = 1) =>
        new(name, AttributeKind.Spatial, summary, Of(get)) { Default = otherwise, Low = low };

    public static OperatorAttribute Other(string name, AttributeKind kind, Func<T, object> get, string summary, object otherwise) =>
        new(name, kind, summary, layer => get((T)layer)) { Default = otherwise, IsAlwaysPrinted = true };

    private static Func<Layer, object?> Of<TValue>(Func<T, TValue> get) => layer => get((T)layer);
}
