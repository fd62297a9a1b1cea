using CnnCompiler.Core.Numpy;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Image.Container;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Cli.Tests;

/// <summary>A small image whose host program copies its input to its output: what verbs do with images can be seen without the compiler.</summary>
internal static class EchoImage
{
    public const int Classes = 10;
    private const int InputAddress = 0x8000;
    private const int OutputAddress = 0x8100;

    public static byte[] Bytes { get; } = ImageWriter.Write(Make());

    public static byte[] Codes(int top) => [.. Enumerable.Range(0, Classes).Select(index => index == top ? (byte)127 : (byte)0x80)];

    public static byte[] Npy(int top) => NpyFile.Write(new(ElementType.Int8, Shape.Of(1, Classes), Codes(top)));

    private static CnnImage Make() => new(
        BuiltInMachines.Default,
        [],
        [],
        ReadOnlyMemory<byte>.Empty,
        [new("scores", [1, Classes], ImageElementType.Int8, 1f / 256, -128, InputAddress)],
        [new("copy", [1, Classes], ImageElementType.Int8, 1f / 256, -128, OutputAddress)],
        [new("echo", "reshape", 0)],
        [new HostCopyRam(0, InputAddress, OutputAddress, 3)],
        [],
        []);
}
