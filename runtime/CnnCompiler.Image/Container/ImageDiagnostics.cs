using System.Globalization;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Image.Container;

/// <summary>Diagnostics of images, CNN0601 to CNN0699.</summary>
internal static class ImageDiagnostics
{
    private const string Rebuild = "compile the network again, or get the file again if it was copied";

    public static Diagnostic NotAnImage(string file) => Error(601, file, "this is not an image (.cnnb)", "give a file that cnnc compile wrote");

    public static Diagnostic ChangedAsText(string file) =>
        Error(602, file, "this image was changed by a transfer as text (its line ends differ)", "transfer it as binary");

    public static Diagnostic UnknownVersion(string file, uint version) =>
        version > ImageFormat.Version
            ? Error(603, file, $"this image has format version {Number(version)}; this cnnc reads versions up to {ImageFormat.Version}", "use a newer cnnc, or compile the network with this one")
            : Error(603, file, $"this image has format version {Number(version)}, which never was", Rebuild);

    public static Diagnostic WrongLength(string file, long found, ulong expected) =>
        Error(604, file, $"the file has {Number(found)} bytes and its header says {expected.ToString(CultureInfo.InvariantCulture)}", Rebuild);

    public static Diagnostic HeaderDamaged(string file) => Error(605, file, "the header or section table is damaged: its checksum differs", Rebuild);

    public static Diagnostic SectionDamaged(string file, string section) => Error(606, file, $"section {section} is damaged: its checksum differs", Rebuild);

    public static Diagnostic FileDamaged(string file) => Error(607, file, "the file is damaged: its checksum differs", Rebuild);

    public static Diagnostic UnknownRequiredSection(string file, string section) =>
        Error(608, file, $"the image needs section {section}, which this cnnc does not know", "use a newer cnnc");

    public static Diagnostic SectionTwice(string file, string section) => Error(609, file, $"section {section} is there twice", Rebuild);

    public static Diagnostic SectionMissing(string file, string section) => Error(610, file, $"section {section} is missing", Rebuild);

    public static Diagnostic BadLayout(string file, string section, string what) => Error(611, file, $"section {section} {what}", Rebuild);

    public static Diagnostic TooManySections(string file, uint count) =>
        Error(612, file, $"the header says {Number(count)} sections; an image has at most {ImageFormat.MostSections}", Rebuild);

    public static Diagnostic SectionEnds(string file, string place, string what) => Error(613, file, $"{place}: the section ends inside {what}", Rebuild);

    public static Diagnostic SectionHasRest(string file, string section, long bytes) => Error(614, file, $"section {section} has {Number(bytes)} bytes behind its last item", Rebuild);

    public static Diagnostic CountTooLarge(string file, string place, string what, uint count, long bytes) =>
        Error(615, file, $"{place}: {Number(count)} {what} do not fit the {Number(bytes)} bytes that are left", Rebuild);

    public static Diagnostic BadText(string file, string place, string why) => Error(616, file, $"{place}: the name {why}", Rebuild);

    public static Diagnostic BadMachine(string file, Diagnostic problem) =>
        Error(617, file, $"the machine of the image is refused: {problem.Message}", problem.Remedy);

    public static Diagnostic Misaligned(string file, string place, string what, long address) =>
        Error(618, file, $"{place}: {what} {Address(address)} is not a multiple of 4", Rebuild);

    public static Diagnostic OutsideMemory(string file, string place, string what, long address, long bytes, string memory, long size) =>
        Error(619, file, $"{place}: {what} {Address(address)} with {Number(bytes)} bytes is outside the {Number(size)} bytes of {memory}", Rebuild);

    public static Diagnostic BadIndex(string file, string place, string what, long index, int count) =>
        Error(620, file, $"{place}: there is no {what} {Number(index)}; the image has {Number(count)}", Rebuild);

    public static Diagnostic OutOfRange(string file, string place, string what, long value, long low, long high) =>
        Error(621, file, $"{place}: {what} is {Number(value)}, outside {Number(low)} to {Number(high)}", Rebuild);

    public static Diagnostic ContextExceeded(string file, string place, int start, int words, int limit) =>
        Error(622, file, $"{place}: {Number(words)} words a row from word {Number(start)} exceed the context memory's {Number(limit)}", Rebuild);

    public static Diagnostic TensorTooLarge(string file, string place) => Error(623, file, $"{place}: its shape has more elements than a memory can hold", Rebuild);

    public static Diagnostic BadScale(string file, string place) => Error(624, file, $"{place}: its scale is not a positive number", Rebuild);

    public static Diagnostic NotAscending(string file, string place, long address) =>
        Error(625, file, $"{place}: address {Address(address)} lies before the end of the block before it", Rebuild);

    public static Diagnostic CopyOverlaps(string file, string place) => Error(626, file, $"{place}: source and destination of a copy overlap", Rebuild);

    public static Diagnostic UnknownCode(string file, string place, string what, uint code) =>
        Error(627, file, $"{place}: {what} {Number(code)} is not known", "use a newer cnnc");

    public static Diagnostic FlashTooLarge(string file, long bytes, long limit) =>
        Error(628, file, $"section {ImageFormat.Flash.Name} has {Number(bytes)} bytes; the machine's flash has {Number(limit)}", "use a machine with more flash");

    public static Diagnostic NotWords(string file, string section, long bytes) =>
        Error(629, file, $"section {section} has {Number(bytes)} bytes, not a whole number of words", Rebuild);

    public static Diagnostic HeaderReserved(string file) =>
        Error(630, file, $"the header says something that version {ImageFormat.Version} has no meaning for", "use a newer cnnc, or compile the network with this one");

    public static Diagnostic SystolicRule(string file, string place, string what) => Error(631, file, $"{place} {what}", Rebuild);

    public static Diagnostic OtherMachine(string file, string machine) =>
        Error(632, file, $"the program of the image is not one for its machine '{machine}'", Rebuild);

    private static Diagnostic Error(int number, string file, string message, string remedy) =>
        new(string.Create(CultureInfo.InvariantCulture, $"CNN{number:D4}"), DiagnosticSeverity.Error, SourceSpan.WholeFile(file), message, remedy);

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Address(long address) => string.Create(CultureInfo.InvariantCulture, $"0x{address:x}");
}
