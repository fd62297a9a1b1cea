using CnnCompiler.Ir.Text;

namespace CnnCompiler.Ir.Network;

/// <summary>The text form of a network and the companion with its large constants.</summary>
/// <param name="Text">The text; lines end in \n.</param>
/// <param name="Constants">The companion.</param>
public sealed record NetworkText(string Text, ConstantStore Constants);

/// <summary>Names of enumerations in text and language.</summary>
public static class NetworkNames
{
    /// <summary>Name of a rounding scheme: tflite-double, tflite-single, onnx-half-even.</summary>
    public static string Of(RoundingScheme rounding) => rounding switch
    {
        RoundingScheme.TfliteDouble => "tflite-double",
        RoundingScheme.TfliteSingle => "tflite-single",
        RoundingScheme.OnnxHalfEven => "onnx-half-even",
        _ => throw new ArgumentOutOfRangeException(nameof(rounding), rounding, "unknown rounding scheme"),
    };

    /// <summary>Name of an activation: none, relu, relu6, relu_n1_to_1.</summary>
    public static string Of(FusedActivation activation) => activation switch
    {
        FusedActivation.None => "none",
        FusedActivation.Relu => "relu",
        FusedActivation.Relu6 => "relu6",
        FusedActivation.ReluN1To1 => "relu_n1_to_1",
        _ => throw new ArgumentOutOfRangeException(nameof(activation), activation, "unknown activation"),
    };

    /// <summary>The rounding scheme of a name, or null.</summary>
    public static RoundingScheme? Rounding(string name) => Find<RoundingScheme>(name, Of);

    /// <summary>The activation of a name, or null.</summary>
    public static FusedActivation? Activation(string name) => Find<FusedActivation>(name, Of);

    /// <summary>Keyword of a function: logistic, tanh, hard_swish, leaky_relu, gelu, gelu_tanh, exp, sqrt.</summary>
    public static string Of(UnaryFunction function) => function switch
    {
        UnaryFunction.Logistic => "logistic",
        UnaryFunction.Tanh => "tanh",
        UnaryFunction.HardSwish => "hard_swish",
        UnaryFunction.LeakyRelu => "leaky_relu",
        UnaryFunction.Gelu => "gelu",
        UnaryFunction.GeluTanh => "gelu_tanh",
        UnaryFunction.Exp => "exp",
        UnaryFunction.Sqrt => "sqrt",
        _ => throw new ArgumentOutOfRangeException(nameof(function), function, "unknown function"),
    };

    /// <summary>Name of a resize mode: nearest, bilinear.</summary>
    public static string Of(ResizeMode mode) => mode switch
    {
        ResizeMode.Nearest => "nearest",
        ResizeMode.Bilinear => "bilinear",
        _ => throw new ArgumentOutOfRangeException(nameof(mode), mode, "unknown mode"),
    };

    /// <summary>Name of a resize's coordinates: asymmetric, half_pixel, align_corners.</summary>
    public static string Of(ResizeCoordinates coordinates) => coordinates switch
    {
        ResizeCoordinates.Asymmetric => "asymmetric",
        ResizeCoordinates.HalfPixel => "half_pixel",
        ResizeCoordinates.AlignCorners => "align_corners",
        _ => throw new ArgumentOutOfRangeException(nameof(coordinates), coordinates, "unknown coordinates"),
    };

    /// <summary>The function of a keyword, or null.</summary>
    public static UnaryFunction? Unary(string name) => Find<UnaryFunction>(name, Of);

    /// <summary>The resize mode of a name, or null.</summary>
    public static ResizeMode? Mode(string name) => Find<ResizeMode>(name, Of);

    /// <summary>The coordinates of a name, or null.</summary>
    public static ResizeCoordinates? Coordinates(string name) => Find<ResizeCoordinates>(name, Of);

    private static T? Find<T>(string name, Func<T, string> nameOf)
        where T : struct, Enum
    {
        foreach (var value in Enum.GetValues<T>())
        {
            if (nameOf(value) == name)
            {
                return value;
            }
        }

        return null;
    }
}
