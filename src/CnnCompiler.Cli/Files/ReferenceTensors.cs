using System.Globalization;
using CnnCompiler.Core.Numpy;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Cli.Files;

/// <summary>
/// Tensors of another implementation, for <c>cnnc compare</c>: a <c>.npz</c>, or a folder of <c>.npy</c> and raw <c>.bin</c> files. A value <c>t12</c> of a
/// .tflite model is looked for as <c>t12</c>, <c>12</c> (its index in the file) and under the model's own name of it.
/// </summary>
internal static class ReferenceTensors
{
    /// <summary>What the reference has of these values, by value name.</summary>
    /// <param name="session">The invocation.</param>
    /// <param name="path">Folder or file.</param>
    /// <param name="types">Types of the network's values, by name.</param>
    /// <param name="labels">The model's own names, by value name.</param>
    /// <exception cref="DiagnosticException">It can't be read, or has none of them.</exception>
    public static IReadOnlyDictionary<string, Tensor> Read(
        CliSession session, string path, IReadOnlyDictionary<string, TensorType> types, IReadOnlyDictionary<string, string> labels)
    {
        var found = Directory.Exists(path) ? ReadFolder(session, path, types, labels) : ReadArchive(session, path, types, labels);
        return found.Count > 0
            ? found
            : throw new DiagnosticException(FileDiagnostics.NoReference(path, string.Join(", ", types.Keys.Take(8)) + (types.Count > 8 ? ", ..." : string.Empty)));
    }

    private static Dictionary<string, Tensor> ReadFolder(
        CliSession session, string folder, IReadOnlyDictionary<string, TensorType> types, IReadOnlyDictionary<string, string> labels)
    {
        var found = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        foreach (var (name, type) in types)
        {
            var file = Names(name, labels)
                .Where(candidate => candidate == Path.GetFileName(candidate))
                .SelectMany(candidate => (IEnumerable<string>)[$"{candidate}.npy", $"{candidate}.bin"])
                .Select(candidate => Path.Join(folder, candidate))
                .FirstOrDefault(File.Exists);
            if (file is not null)
            {
                found.Add(name, TensorFiles.Read(session, file, new(name, type)));
            }
        }

        return found;
    }

    private static Dictionary<string, Tensor> ReadArchive(
        CliSession session, string file, IReadOnlyDictionary<string, TensorType> types, IReadOnlyDictionary<string, string> labels)
    {
        var problems = new DiagnosticBag();
        var bytes = session.Read(file, "a reference", InputFiles.LargestTensor);
        var archive = NpzFile.Read(bytes, file, problems) ?? throw new DiagnosticException(problems.Diagnostics[0]);
        var found = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        foreach (var (name, type) in types)
        {
            if (Names(name, labels).FirstOrDefault(archive.ContainsKey) is { } key)
            {
                found.Add(name, TensorFiles.Fit(file, archive[key], new(name, type)));
            }
        }

        return found;
    }

    private static IEnumerable<string> Names(string name, IReadOnlyDictionary<string, string> labels)
    {
        yield return name;
        if (name.StartsWith('t') && int.TryParse(name.AsSpan(1), NumberStyles.None, CultureInfo.InvariantCulture, out var index))
        {
            yield return index.ToString(CultureInfo.InvariantCulture);
        }

        if (labels.TryGetValue(name, out var label))
        {
            yield return label;
        }
    }
}
