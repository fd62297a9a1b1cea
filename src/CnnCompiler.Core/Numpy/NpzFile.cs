using CnnCompiler.Core.Tensors;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Core.Numpy;

/// <summary>
/// Reads and writes NumPy's <c>.npz</c> archives: a zip file with one <c>.npy</c> file for each array. Reading takes stored and deflated
/// entries; writing stores them in ordinal order of their names with fixed timestamps, so that the same arrays give the same bytes.
/// </summary>
public static class NpzFile
{
    /// <summary>What an archive may unpack to unless the caller says otherwise, in bytes: about twice VGG-16's weights in int8.</summary>
    public const long DefaultMaximumUnpackedBytes = 256L << 20;

    private const string Suffix = ".npy";

    /// <summary>
    /// Reads all arrays, by name without <c>.npy</c>, in the order of the archive's directory; null where the archive is refused, which
    /// <paramref name="diagnostics"/> then explains (CNN0300 to CNN0314). Sizes are checked before memory is taken.
    /// </summary>
    /// <param name="bytes">The whole file.</param>
    /// <param name="file">The file as the user named it.</param>
    /// <param name="diagnostics">Takes what is wrong.</param>
    /// <param name="maximumUnpackedBytes">Limit of the sum of the unpacked sizes, in bytes.</param>
    public static IReadOnlyDictionary<string, Tensor>? Read(
        ReadOnlyMemory<byte> bytes, string file, DiagnosticBag diagnostics, long maximumUnpackedBytes = DefaultMaximumUnpackedBytes)
    {
        try
        {
            return ReadCore(bytes, file, maximumUnpackedBytes);
        }
        catch (DiagnosticException refusal)
        {
            diagnostics.Report(refusal.Diagnostic);
            return null;
        }
    }

    /// <summary>Writes arrays as an archive that <c>numpy.load</c> reads; the order of <paramref name="arrays"/> does not matter.</summary>
    /// <exception cref="ArgumentException">Two arrays have one name, a name is empty, or the archive would need zip64 (4 GiB or 65,535 arrays).</exception>
    public static byte[] Write(IEnumerable<KeyValuePair<string, Tensor>> arrays)
    {
        var sorted = arrays.OrderBy(a => a.Key, StringComparer.Ordinal).ToList();
        for (var i = 0; i < sorted.Count; i++)
        {
            if (sorted[i].Key.Length == 0 || (i > 0 && sorted[i].Key == sorted[i - 1].Key))
            {
                throw new ArgumentException($"the name '{sorted[i].Key}' is empty or given twice", nameof(arrays));
            }
        }

        return ZipWriter.Write(sorted.Select(a => new KeyValuePair<string, byte[]>(a.Key + Suffix, NpyFile.Write(a.Value))).ToList());
    }

    private static OrderedDictionary<string, Tensor> ReadCore(ReadOnlyMemory<byte> bytes, string file, long maximumUnpackedBytes)
    {
        var limit = Math.Min(maximumUnpackedBytes, Array.MaxLength);
        var archive = ZipReader.Open(bytes, file);
        long unpacked = 0;
        foreach (var entry in archive.Entries)
        {
            // Sizes are below 2^32 and entries below 2^16: the sum can't overflow.
            unpacked += entry.UnpackedSize;
        }

        if (unpacked > limit)
        {
            throw new DiagnosticException(NumpyDiagnostics.TooLarge(file, unpacked, limit));
        }

        var arrays = new OrderedDictionary<string, Tensor>(StringComparer.Ordinal);
        foreach (var entry in archive.Entries)
        {
            if (!entry.Name.EndsWith(Suffix, StringComparison.Ordinal))
            {
                throw new DiagnosticException(NumpyDiagnostics.UnsupportedEntry(file, entry.Name, "is not a .npy array"));
            }

            var name = entry.Name[..^Suffix.Length];
            var tensor = NpyFile.ReadCore(archive.Unpack(entry).Span, $"{file}:{Printable(entry.Name)}");
            if (!arrays.TryAdd(name, tensor))
            {
                throw new DiagnosticException(NumpyDiagnostics.DuplicateEntry(file, name));
            }
        }

        return arrays;
    }

    private static string Printable(string name) => NumpyDiagnostics.Quote(name).Trim('\'');
}
