namespace CnnCompiler.TestSupport;

/// <summary>
/// Compares text with a file in the repository, in Verify's conventions: <c>Name.verified.txt</c> is the accepted text, a failure writes <c>Name.received.txt</c> beside it.
/// A file without <c>.verified.</c> in its name (a generated page of docs/) gets <c>.received</c> before its extension.
/// </summary>
public static class Snapshot
{
    private const string AcceptVariable = "CNNC_ACCEPT";

    /// <summary>True where accepted texts are written instead of compared.</summary>
    public static bool Accepts { get; } = Environment.GetEnvironmentVariable(AcceptVariable) == "1";

    /// <summary>Fails where the file differs from the text; with CNNC_ACCEPT=1 writes the text into the file instead.</summary>
    /// <param name="path">Path below the root of the repository, with '/'.</param>
    /// <param name="actual">The text, with \n line ends.</param>
    public static void Check(string path, string actual)
    {
        var file = Path.Combine(SharedMaterial.Repository, path);
        var received = path.Contains(".verified.", StringComparison.Ordinal)
            ? file.Replace(".verified.", ".received.", StringComparison.Ordinal)
            : Path.ChangeExtension(file, ".received" + Path.GetExtension(file));
        var expected = File.Exists(file) ? File.ReadAllText(file).ReplaceLineEndings("\n") : string.Empty;
        if (expected == actual)
        {
            File.Delete(received);
        }
        else if (Accepts)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            File.WriteAllText(file, actual);
            File.Delete(received);
        }
        else
        {
            File.WriteAllText(received, actual);
            throw new SnapshotDifference($"{path} differs from what the code gives, {Difference(expected, actual)}\nThe new text is in {received}. To accept it, run the tests again with {AcceptVariable}=1.");
        }
    }

    private static string Difference(string expected, string actual)
    {
        var (before, now) = (expected.Split('\n'), actual.Split('\n'));
        var line = 0;
        while (line < before.Length && line < now.Length && before[line] == now[line])
        {
            line++;
        }

        return string.Create(
            System.Globalization.CultureInfo.InvariantCulture,
            $"first in line {line + 1}:\n- {(line < before.Length ? before[line] : "(end)")}\n+ {(line < now.Length ? now[line] : "(end)")}");
    }
}

/// <summary>A snapshot differs.</summary>
/// <param name="message">What differs and how to accept it.</param>
public sealed class SnapshotDifference(string message) : Exception(message);
