using System.Text;

namespace CnnCompiler.Image.Container;

/// <summary>A kind of section of an image.</summary>
/// <param name="Code">Four ASCII letters, which are the section's id in the file.</param>
/// <param name="Name">Name for people.</param>
/// <param name="Required">True where an image must have the section, and the flag that the writer sets: a reader that does not know the section refuses the image.</param>
public sealed record ImageSection(string Code, string Name, bool Required = true)
{
    /// <summary>The id: the letters of <see cref="Code"/> as they lie in the file, as a little-endian word.</summary>
    public uint Id { get; } = Code[0] | (uint)Code[1] << 8 | (uint)Code[2] << 16 | (uint)Code[3] << 24;
}

/// <summary>Numbers and names of the image format; <c>docs/image-format.md</c> describes every byte.</summary>
public static class ImageFormat
{
    /// <summary>The version that is written, and the newest that is read.</summary>
    public const int Version = 1;

    /// <summary>Bytes of the header.</summary>
    public const int HeaderBytes = 32;

    /// <summary>Bytes of an entry of the section table.</summary>
    public const int EntryBytes = 32;

    /// <summary>Bytes of the checksum at the end.</summary>
    public const int TrailerBytes = 4;

    /// <summary>Offset of a header word that is 0.</summary>
    public const int ReservedOffset = 24;

    /// <summary>Offset of the checksum of header and section table.</summary>
    public const int HeaderChecksumOffset = 28;

    /// <summary>Most sections of a file.</summary>
    public const int MostSections = 64;

    /// <summary>Longest name, in UTF-8 bytes.</summary>
    public const int LongestName = 4096;

    /// <summary>Most extents of a tensor.</summary>
    public const int HighestRank = 8;

    /// <summary>Flag of a section that a reader must know.</summary>
    public const uint RequiredFlag = 1;

    /// <summary>The machine description, JSON.</summary>
    public static ImageSection Machine { get; } = new("MACH", "machine");

    /// <summary>Array code: where in flash it lies.</summary>
    public static ImageSection Kernels { get; } = new("KERN", "kernels");

    /// <summary>Words that are in RAM before the first host step.</summary>
    public static ImageSection RamConstants { get; } = new("RAMC", "RAM constants");

    /// <summary>Contents of the flash.</summary>
    public static ImageSection Flash { get; } = new("FLSH", "flash");

    /// <summary>Network inputs.</summary>
    public static ImageSection Inputs { get; } = new("INPT", "inputs");

    /// <summary>Network outputs.</summary>
    public static ImageSection Outputs { get; } = new("OUTP", "outputs");

    /// <summary>Layers, for reports.</summary>
    public static ImageSection Layers { get; } = new("LAYR", "layers");

    /// <summary>The host program.</summary>
    public static ImageSection HostProgram { get; } = new("HOST", "host program");

    /// <summary>Launches.</summary>
    public static ImageSection Launches { get; } = new("LNCH", "launches");

    /// <summary>Names of addresses; an image without them runs the same.</summary>
    public static ImageSection Symbols { get; } = new("SYMB", "symbols", Required: false);

    /// <summary>The program of a systolic array: only images of such machines have it, and they must.</summary>
    public static ImageSection Systolic { get; } = new("SYST", "systolic program");

    /// <summary>Sections of every image, in the order in which they are written.</summary>
    public static IReadOnlyList<ImageSection> Sections { get; } =
        [Machine, Layers, Kernels, Launches, HostProgram, Inputs, Outputs, RamConstants, Flash, Symbols];

    /// <summary>All sections that are known: those of every image, then those of systolic machines.</summary>
    public static IReadOnlyList<ImageSection> Known { get; } = [.. Sections, Systolic];

    /// <summary>The first eight bytes. As in PNG, the line ends and the end-of-file character show what a transfer as text has done to the file.</summary>
    public static ReadOnlySpan<byte> Magic => "CNNB\r\n\u001a\n"u8;

    /// <summary>UTF-8 that refuses what is not valid instead of replacing it.</summary>
    internal static Encoding StrictUtf8 { get; } = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Rounds up to whole words.</summary>
    internal static long Align(long bytes) => (bytes + 3) & ~3L;
}
