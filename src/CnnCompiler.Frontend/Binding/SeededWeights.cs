using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;
using CnnCompiler.Ir.Network.Operators;

namespace CnnCompiler.Frontend.Binding;

/// <summary>
/// Constants made from a seed and the names of their arrays: docs/language.md, "Seeded weights", is the definition. Scales are chosen so that values keep
/// their magnitude from layer to layer (He et al., "Delving deep into rectifiers", 2015).
/// </summary>
internal static class SeededWeights
{
    // Standard deviation of the codes: those of a byte, of which -128 counts as 0.
    private const double CodeDeviation = 73.5;

    /// <summary>What a code of a bias is worth in f32 and fixed point: 2^-15.</summary>
    public const float RealBiasScale = 1f / (1 << 15);

    /// <summary>What a code of a constant is worth in f32 and fixed point: 2^-6, so that values are from -2 to 2.</summary>
    public const float ConstantScale = 1f / (1 << 6);

    // What a code of a normalisation's parameters is worth.
    private const float ParameterScale = 1f / (1 << 8);

    /// <summary>Codes as the f32 numbers they stand for.</summary>
    public static Tensor Real(Tensor codes, float scale)
    {
        var values = new float[codes.Shape.Elements];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = codes.GetInteger(i) * scale;
        }

        return Tensor.From<float>(ElementType.Float32, codes.Shape, values);
    }

    /// <summary>Codes of weights as the f32 numbers they stand for: the product of code and scale, rounded once.</summary>
    public static Tensor Real(Tensor codes, Quantization scales)
    {
        if (!scales.IsPerAxis)
        {
            return Real(codes, scales.Scale);
        }

        var after = 1;
        for (var dimension = scales.Axis + 1; dimension < codes.Shape.Rank; dimension++)
        {
            after *= codes.Shape[dimension];
        }

        var values = new float[codes.Shape.Elements];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = codes.GetInteger(i) * scales.Scales[i / after % scales.Scales.Count];
        }

        return Tensor.From<float>(ElementType.Float32, codes.Shape, values);
    }

    /// <summary>Parameters of a normalisation: factors around 1, variances from 0.5 to 1.5, others around 0.</summary>
    public static Tensor Parameters(ulong seed, string array, string role, Shape shape)
    {
        var around = role is "gamma" or "variance" ? 1f : 0f;
        var codes = Weights(seed, array, shape);
        var values = new float[shape.Elements];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = around + (codes.GetInteger(i) * ParameterScale);
        }

        return Tensor.From<float>(ElementType.Float32, shape, values);
    }

    /// <summary>Codes from -127 to 127.</summary>
    public static Tensor Weights(ulong seed, string array, Shape shape)
    {
        var bytes = Bytes(seed, array, (int)shape.Elements);
        MemoryMarshal.Cast<byte, sbyte>(bytes.AsSpan()).Replace(sbyte.MinValue, (sbyte)0);

        return new(ElementType.Int8, shape, bytes);
    }

    /// <summary>Scales of the weights of each output channel, where <paramref name="axis"/> is theirs, or one for all, where it is null.</summary>
    public static Quantization Scales(ulong seed, string array, int channels, int? axis, long products, FusedActivation activation)
    {
        var gain = Clips(activation) ? 2.0 : 1.0;
        var scale = Math.Sqrt(gain / products) / CodeDeviation;
        if (axis is null)
        {
            return Quantization.PerTensor((float)scale, 0);
        }

        var scales = Array.ConvertAll(Bytes(seed, array, channels), b => (float)(scale * (224 + (b >> 2)) / 256));
        return new(EquatableArray.Create<float>(scales), EquatableArray.Create<int>(new int[channels]), axis.Value);
    }

    /// <summary>Codes from -2048 to 2047.</summary>
    public static Tensor Bias(ulong seed, string array, int channels)
    {
        var bytes = Bytes(seed, array, 2 * channels);
        var codes = new int[channels];
        for (var i = 0; i < channels; i++)
        {
            codes[i] = BinaryPrimitives.ReadInt16LittleEndian(bytes.AsSpan(2 * i)) >> 4;
        }

        return Tensor.From<int>(ElementType.Int32, Shape.Of(channels), codes);
    }

    /// <summary>Scale and zero point of a layer's result, where none are written.</summary>
    public static Quantization Result(Layer layer, Quantization operand)
    {
        var activation = OperatorTable.Of(layer).Attributes.FirstOrDefault(attribute => attribute.Name == "activation")?.Get(layer) as FusedActivation? ?? FusedActivation.None;
        var factor = layer is Add or Sub ? 1.5f : 1f;
        return Quantization.PerTensor(operand.Scale * factor, Clips(activation) ? sbyte.MinValue : 0);
    }

    private static bool Clips(FusedActivation activation) => activation is FusedActivation.Relu or FusedActivation.Relu6;

    /// <summary>Bytes of SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014), which starts at seed xor FNV-1a of the array's name.</summary>
    private static byte[] Bytes(ulong seed, string array, int count)
    {
        var state = seed ^ Hash(array);
        var bytes = new byte[count];
        Span<byte> last = stackalloc byte[sizeof(ulong)];
        for (var at = 0; at < count; at += sizeof(ulong))
        {
            state += 0x9E3779B97F4A7C15;
            var z = state;
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
            z ^= z >> 31;
            var rest = bytes.AsSpan(at);
            if (rest.Length >= sizeof(ulong))
            {
                BinaryPrimitives.WriteUInt64LittleEndian(rest, z);
                continue;
            }

            BinaryPrimitives.WriteUInt64LittleEndian(last, z);
            last[..rest.Length].CopyTo(rest);
        }

        return bytes;
    }

    private static ulong Hash(string text)
    {
        var hash = 0xCBF29CE484222325;
        foreach (var b in Encoding.UTF8.GetBytes(text))
        {
            hash = (hash ^ b) * 0x100000001B3;
        }

        return hash;
    }
}
