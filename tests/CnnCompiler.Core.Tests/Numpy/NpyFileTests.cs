using System.Buffers.Binary;
using System.Text;
using CnnCompiler.Core.Numpy;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Fuzzing;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Core.Tests.Numpy;

public sealed class NpyFileTests
{
    public static TheoryData<ElementType> ElementTypes => [.. Enum.GetValues<ElementType>()];

    [Theory]
    [MemberData(nameof(ElementTypes))]
    public void Every_element_type_and_rank_survives_a_round_trip(ElementType element)
    {
        foreach (var shape in (Shape[])[Shape.Of(), Shape.Of(5), Shape.Of(2, 3), Shape.Of(0, 4), Shape.Of(1, 2, 3, 4, 5)])
        {
            var tensor = Sample(element, shape);
            var bytes = NpyFile.Write(tensor);
            Assert.Equal(0, (bytes.Length - tensor.Bytes.Length) % 64);
            Assert.Equal(tensor, Read(bytes));
        }
    }

    [Theory]
    [InlineData("{'descr': '|i1', 'fortran_order': False, 'shape': (2, 3), }", ElementType.Int8, "2x3")]
    [InlineData("{'descr': '|u1', 'fortran_order': False, 'shape': (6,), }", ElementType.UInt8, "6")]
    [InlineData("{'descr': '<i2', 'fortran_order': False, 'shape': (3, 1), }", ElementType.Int16, "3x1")]
    [InlineData("{'descr': '<i4', 'fortran_order': False, 'shape': (), }", ElementType.Int32, "")]
    [InlineData("{'descr': '<i8', 'fortran_order': False, 'shape': (0,), }", ElementType.Int64, "0")]
    [InlineData("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 2), }", ElementType.Float32, "1x1x2")]
    [InlineData("{\"shape\": (2L, 3L), \"fortran_order\": False, \"descr\": \"<i4\"}", ElementType.Int32, "2x3")]
    public void Headers_as_NumPy_writes_them_are_read_in_all_versions(string header, ElementType element, string shape)
    {
        for (byte version = 1; version <= 3; version++)
        {
            var extents = shape.Split('x', StringSplitOptions.RemoveEmptyEntries).Select(int.Parse).ToArray();
            var expected = Sample(element, Shape.Of(extents));
            Assert.Equal(expected, Read(File(version, header, expected.Bytes)));
        }
    }

    [Fact]
    public void What_is_written_is_what_NumPy_writes()
    {
        var header = "{'descr': '<i4', 'fortran_order': False, 'shape': (2,), }";
        var expected = File(1, header.PadRight(117) + "\n", [7, 0, 0, 0, 0xF8, 0xFF, 0xFF, 0xFF]);
        Assert.Equal(expected, NpyFile.Write(Tensor.From<int>(ElementType.Int32, Shape.Of(2), [7, -8])));
    }

    [Theory]
    [InlineData("{'descr': '>f8', 'fortran_order': False, 'shape': (1,), }", "CNN0303", "'<f8'")]
    [InlineData("{'descr': '>i4', 'fortran_order': False, 'shape': (2,), }", "CNN0303", "'<i4'")]
    [InlineData("{'descr': '|b1', 'fortran_order': False, 'shape': (8,), }", "CNN0303", "'|b1'")]
    [InlineData("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", "CNN0303", "'|O'")]
    [InlineData("{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (2,), }", "CNN0303", "one array for each field")]
    [InlineData("{'descr': '<i4', 'fortran_order': True, 'shape': (2, 1), }", "CNN0304", "ascontiguousarray")]
    [InlineData("{'descr': '<i4', 'fortran_order': False, 'shape': (3,), }", "CNN0305", "needs 12 bytes")]
    [InlineData("{'descr': '<i4', 'fortran_order': False, 'shape': (1,), }", "CNN0305", "needs 4 bytes")]
    [InlineData("{'descr': '<i4', 'fortran_order': False, 'shape': (4611686018427387904, 2), }", "CNN0306", "4611686018427387904")]
    [InlineData("{'descr': '<i4', 'fortran_order': False, 'shape': (0, 3000000000, 3000000000, 3000000000), }", "CNN0306", "too large")]
    [InlineData("{'descr': '<i4', 'fortran_order': False, 'shape': (99999999999999999999999999,), }", "CNN0306", "too large")]
    [InlineData("{'descr': '<i4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1), }", "CNN0306", "32 dimensions")]
    [InlineData("{'descr': '<i4', 'fortran_order': False, 'shape': (-1,), }", "CNN0302", "extent")]
    [InlineData("{'descr': '<i4', 'fortran_order': 0, 'shape': (2,), }", "CNN0302", "True or False")]
    [InlineData("{'descr': '<i4', 'fortran_order': False, }", "CNN0302", "'shape'")]
    [InlineData("{'descr': '<i4', 'descr': '<i4', 'fortran_order': False, 'shape': (2,), }", "CNN0302", "'descr'")]
    [InlineData("{'descr': '<i4', 'fortran_order': False, 'shape': (2,), 'extra': 1}", "CNN0302", "'extra'")]
    [InlineData("{'descr': '<i4', 'fortran_order': False, 'shape': (2,), } + x", "CNN0302", "follows")]
    [InlineData("{'descr': '<i4', 'fortran_order': False, 'shape': (((((2,), }", "CNN0302", "expected at character")]
    [InlineData("{'descr': '<i4", "CNN0302", "no end")]
    [InlineData("", "CNN0302", "'{'")]
    public void Headers_that_can_not_be_read_are_refused_with_the_reason(string header, string code, string part)
    {
        var diagnostic = Refused(File(1, header, new byte[8]));
        Assert.Equal(code, diagnostic.Code);
        Assert.Contains(part, diagnostic.Message + diagnostic.Remedy, StringComparison.Ordinal);
        Assert.Equal("a.npy", diagnostic.Span.File);
        Assert.NotEmpty(diagnostic.Remedy);
    }

    [Fact]
    public void Files_that_are_no_arrays_are_refused()
    {
        Assert.Equal("CNN0300", Refused([]).Code);
        Assert.Equal("CNN0300", Refused("PK\u0003\u0004 something else"u8.ToArray()).Code);
        Assert.Equal("CNN0300", Refused([0x93, .. "NUMPY"u8]).Code);
        Assert.Equal("CNN0300", Refused([0x93, .. "NUMPY"u8, 2, 0, 8, 0]).Code);
        Assert.Equal("CNN0301", Refused(File(4, "{}", [])).Code);
        Assert.Equal("CNN0302", Refused([0x93, .. "NUMPY"u8, 2, 0, 0xFF, 0xFF, 0xFF, 0xFF, (byte)'{']).Code);
    }

    [Fact]
    public void A_huge_header_is_refused_without_being_parsed()
    {
        var diagnostic = Refused(File(2, "{'descr': '<i4', 'fortran_order': False, 'shape': (2,), }" + new string(' ', 1 << 20), new byte[8]));
        Assert.Equal("CNN0302", diagnostic.Code);
    }

    [Fact]
    public void Control_characters_of_a_file_do_not_reach_the_message()
    {
        var diagnostic = Refused(File(1, "{'descr': '\u001b[31m\n\u0007', 'fortran_order': False, 'shape': (2,), }", new byte[8]));
        Assert.DoesNotContain(diagnostic.ToString(), char.IsControl);
    }

    [Fact]
    public void Every_truncation_and_every_changed_byte_of_the_header_is_read_or_refused()
    {
        var whole = NpyFile.Write(Sample(ElementType.Int16, Shape.Of(2, 3)));
        for (var length = 0; length < whole.Length; length++)
        {
            Assert.Equal(DiagnosticSeverity.Error, Refused(whole[..length]).Severity);
        }

        var random = new SeededRandom(1);
        for (var at = 0; at < whole.Length; at++)
        {
            for (var i = 0; i < 20; i++)
            {
                var changed = whole.ToArray();
                changed[at] = (byte)random.NextBits();
                var diagnostics = new DiagnosticBag();
                Assert.NotEqual(NpyFile.Read(changed, "a.npy", diagnostics) is null, diagnostics.Diagnostics.Count == 0);
            }
        }
    }

    internal static Tensor Sample(ElementType element, Shape shape)
    {
        var bytes = new byte[shape.Elements * element.Size()];
        for (var i = 0; i < bytes.Length; i++)
        {
            bytes[i] = (byte)((i * 37) + 200);
        }

        return new(element, shape, bytes);
    }

    internal static byte[] File(byte version, string header, ReadOnlySpan<byte> data)
    {
        var length = new byte[version == 1 ? 2 : 4];
        if (version == 1)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(length, (ushort)header.Length);
        }
        else
        {
            BinaryPrimitives.WriteInt32LittleEndian(length, header.Length);
        }

        return [0x93, .. "NUMPY"u8, version, 0, .. length, .. Encoding.Latin1.GetBytes(header), .. data];
    }

    private static Tensor Read(byte[] bytes)
    {
        var diagnostics = new DiagnosticBag();
        var tensor = NpyFile.Read(bytes, "a.npy", diagnostics);
        Assert.Empty(diagnostics.Diagnostics);
        return Assert.IsType<Tensor>(tensor);
    }

    private static Diagnostic Refused(byte[] bytes)
    {
        var diagnostics = new DiagnosticBag();
        Assert.Null(NpyFile.Read(bytes, "a.npy", diagnostics));
        return Assert.Single(diagnostics.Diagnostics);
    }
}
