using System.Buffers.Binary;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Frontend.Tests.Tflite;

/// <summary>A folder with a model and the inputs and outputs of the reference kernels.</summary>
/// <param name="Folder">The folder.</param>
internal sealed record GoldenModel(string Folder)
{
    /// <summary>The model file.</summary>
    public string File { get; } = Path.Combine(Folder, Path.GetFileName(Folder) + ".tflite");

    /// <summary>Numbers of the vectors: 00, 01, ...</summary>
    public IReadOnlyList<string> Vectors { get; } =
        [.. Directory.GetFiles(Path.Combine(Folder, "golden"), "*.input.bin").Select(f => Path.GetFileName(f).Split('.')[0]).Order(StringComparer.Ordinal)];

    /// <summary>Folders below <paramref name="root"/> that hold a model with golden data, by path relative to it.</summary>
    public static IEnumerable<string> Find(string root) => Directory
        .GetDirectories(root, "golden", SearchOption.AllDirectories)
        .Select(golden => Path.GetRelativePath(root, Path.GetDirectoryName(golden)!))
        .Order(StringComparer.Ordinal);

    /// <summary>Bytes of a golden file.</summary>
    public byte[] Golden(string name) => System.IO.File.ReadAllBytes(Path.Combine(Folder, "golden", name));

    /// <summary>The inputs of a vector: one file holds them one after the other, in graph order.</summary>
    public IReadOnlyList<Tensor> Inputs(string vector, NetworkGraph graph)
    {
        var rest = Golden($"{vector}.input.bin").AsSpan();
        var inputs = new List<Tensor>();
        foreach (var input in graph.Inputs)
        {
            var length = (int)input.Type.Shape.Elements;
            inputs.Add(new(ElementType.Int8, input.Type.Shape, rest[..length].ToArray()));
            rest = rest[length..];
        }

        Assert.Equal(0, rest.Length);
        return inputs;
    }

    /// <summary>
    /// Builtin codes of the operators in execution order, read without any check and without the reader under test: what a model holds must not
    /// be learnt from the code that is judged by it.
    /// </summary>
    public static IReadOnlyList<int> OperatorCodes(byte[] model)
    {
        var root = Follow(0);
        var codes = Field(root, 1) is var table and not 0 ? Vector(Follow(table)) : [];
        var operators = Field(Vector(Follow(Field(root, 2)))[0], 3) is var list and not 0 ? Vector(Follow(list)) : [];
        return [.. operators.Select(o => Code(codes[Field(o, 0) is var at and not 0 ? Int32(at) : 0]))];

        int Int32(int at) => BinaryPrimitives.ReadInt32LittleEndian(model.AsSpan(at));
        int Follow(int at) => at + Int32(at);
        int[] Vector(int at) => [.. Enumerable.Range(0, Int32(at)).Select(i => Follow(at + 4 + (4 * i)))];
        int Code(int code) => Math.Max(Field(code, 0) is var old and not 0 ? model[old] : 0, Field(code, 3) is var at and not 0 ? Int32(at) : 0);

        int Field(int position, int id)
        {
            var vtable = position - Int32(position);
            var offset = 4 + (2 * id) < BinaryPrimitives.ReadUInt16LittleEndian(model.AsSpan(vtable)) ? BinaryPrimitives.ReadUInt16LittleEndian(model.AsSpan(vtable + 4 + (2 * id))) : 0;
            return offset == 0 ? 0 : position + offset;
        }
    }
}
