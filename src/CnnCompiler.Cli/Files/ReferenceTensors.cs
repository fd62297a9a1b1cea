using System.Globalization;
using CnnCompiler.Core.Numpy;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Cli.Files;

/// <summary>
/// Tensors of another implementation, for <c>cnnc compare</c>: a <c>.npz</c>, or a folder of <c>.npy</c> and raw <c>.bin</c> files. A value of
/// a .tflite model is looked for under its name in the network, as <c>12</c> and <c>t12</c> (its index in the file) and under the model's own name of it.
/// </summary>
internal static class ReferenceTensors
{
    /// <summary>What the reference has of these values, by value name.</summary>
    /// <param name="session">The invocation.</param>
    /// <param name="path">Folder or file.</param>
    /// <param name="types">Types of the network's values, by name.</param>
    /// <param name="compiled">The compilation, which knows the model's own names.</param>
    /// <exception cref="DiagnosticException">It can't be read, or has none of them.</exception>
    public static IReadOnlyDictionary<string, Tensor> Read(
        CliSession session, string path, IReadOnlyDictionary<string, TensorType> types, CompileResult compiled)
    {
        var found = session.Files.IsFolder(path) ? ReadFolder(session, path, types, compiled) : ReadArchive(session, path, types, compiled);
        return found.Count > 0
            ? found
            : throw new DiagnosticException(FileDiagnostics.NoReference(path, string.Join(", ", types.Keys.Take(8)) + (types.Count > 8 ? ", ..." : string.Empty)));
    }

    private static Dictionary<string, Tensor> ReadFolder(
        CliSession session, string folder, IReadOnlyDictionary<string, TensorType> types, CompileResult compiled)
    {
        var found = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        foreach (var (name, type) in types)
        {
            var file = Names(name, compiled)
                .Where(candidate => candidate == Path.GetFileName(candidate))
                .SelectMany(candidate => (IEnumerable<string>)[$"{candidate}.npy", $"{candidate}.bin"])
                .Select(candidate => Path.Join(folder, candidate))
                .FirstOrDefault(session.Files.IsFile);
            if (file is not null)
            {
                found.Add(name, TensorFiles.Read(session, file, new(name, type)));
            }
        }

        return found;
    }

    private static Dictionary<string, Tensor> ReadArchive(
        CliSession session, string file, IReadOnlyDictionary<string, TensorType> types, CompileResult compiled)
    {
        var problems = new DiagnosticBag();
        var bytes = session.Read(file, "a reference", InputFiles.LargestTensor);
        var archive = NpzFile.Read(bytes, file, problems) ?? throw new DiagnosticException(problems.Diagnostics[0]);
        var found = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        foreach (var (name, type) in types)
        {
            if (Names(name, compiled).FirstOrDefault(archive.ContainsKey) is { } key)
            {
                found.Add(name, TensorFiles.Fit(file, archive[key], new(name, type)));
            }
        }

        return found;
    }

    private static IEnumerable<string> Names(string name, CompileResult compiled)
    {
        yield return name;
        if (compiled.TensorIndices.TryGetValue(name, out var index))
        {
            yield return index.ToString(CultureInfo.InvariantCulture);
            yield return string.Create(CultureInfo.InvariantCulture, $"t{index}");
        }

        if (compiled.TensorNames.TryGetValue(name, out var label))
        {
            yield return label;
        }
    }
}
