using CnnCompiler.Frontend.Onnx.Wire;
using CnnCompiler.Primitives.Diagnostics;
using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace CnnCompiler.Frontend.Onnx;

/// <summary>
/// Turns untrusted bytes into messages. Google.Protobuf checks a length only after it has allocated for it, so the wire format is walked first, by message descriptor: every length has to lie
/// inside its parent, nesting and the number of fields are bounded by what a file of that size can hold.
/// </summary>
internal static class OnnxWire
{
    private const int DeepestNesting = 32;

    // A message object takes tens of bytes for two bytes of file; more of them than this is no model.
    private const int MostMessages = 1 << 20;

    public static ModelProto Parse(ReadOnlyMemory<byte> bytes, string file)
    {
        try
        {
            var messages = 0;
            Walk(bytes.Span, ModelProto.Descriptor, 0, file, ref messages);
            return ModelProto.Parser.ParseFrom(bytes.Span);
        }
        catch (InvalidProtocolBufferException problem)
        {
            throw Damaged(file, problem.Message);
        }
    }

    private static void Walk(ReadOnlySpan<byte> bytes, MessageDescriptor type, int depth, string file, ref int messages)
    {
        if (depth > DeepestNesting)
        {
            throw Damaged(file, "messages are nested too deeply");
        }

        if (++messages > Math.Min(MostMessages, 1024 + (bytes.Length * 8L) + MostMessages))
        {
            throw new DiagnosticException(OnnxDiagnostics.TooLarge(file, "the number of messages", messages, MostMessages));
        }

        while (bytes.Length > 0)
        {
            var tag = Number(ref bytes, file);
            if (tag >> 3 is 0 or > int.MaxValue)
            {
                throw Damaged(file, "a field has no number");
            }

            switch (tag & 7)
            {
                case 0:
                    _ = Number(ref bytes, file);
                    break;
                case 1:
                    bytes = Skip(bytes, 8, file);
                    break;
                case 2:
                    var length = Number(ref bytes, file);
                    if (length > (ulong)bytes.Length)
                    {
                        throw Damaged(file, "a field is longer than what holds it");
                    }

                    if (type.FindFieldByNumber((int)(tag >> 3)) is { FieldType: FieldType.Message } field)
                    {
                        Walk(bytes[..(int)length], field.MessageType, depth + 1, file, ref messages);
                    }

                    bytes = bytes[(int)length..];
                    break;
                case 5:
                    bytes = Skip(bytes, 4, file);
                    break;
                default:
                    throw Damaged(file, "a field has a wire type that models don't use");
            }
        }
    }

    private static ReadOnlySpan<byte> Skip(ReadOnlySpan<byte> bytes, int count, string file) => bytes.Length >= count ? bytes[count..] : throw Damaged(file, "it ends inside a number");

    private static ulong Number(ref ReadOnlySpan<byte> bytes, string file)
    {
        var value = 0UL;
        for (var i = 0; i < 10; i++)
        {
            if (i >= bytes.Length)
            {
                break;
            }

            value |= (ulong)(bytes[i] & 0x7F) << (7 * i);
            if (bytes[i] < 0x80)
            {
                bytes = bytes[(i + 1)..];
                return value;
            }
        }

        throw Damaged(file, "it ends inside a number");
    }

    private static DiagnosticException Damaged(string file, string why) => new(OnnxDiagnostics.NotAModel(file, why));
}
