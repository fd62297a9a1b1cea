using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using CnnCompiler.Passes.Selection;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Cli.Files;

/// <summary>
/// Measured costs in a folder, a small file each, named by the digest of its key and holding key, cost and the digest of both: a damaged or foreign file is measured again, never believed.
/// Files are written under another name and renamed, so that compilations may share a folder.
/// </summary>
/// <param name="files">The files.</param>
/// <param name="folder">The folder; made when the first cost is kept.</param>
internal sealed class CostFolder(IFileStore files, string folder) : ICostStore
{
    private const string Extension = ".cost";
    private const long LargestCost = 4096;
    private bool _failed;

    /// <summary>Notes on files that could not be used, each kind once.</summary>
    public DiagnosticBag Notes { get; } = new();

    /// <inheritdoc/>
    public long? Find(string key)
    {
        var path = PathOf(key);
        if (!files.IsFile(path))
        {
            return null;
        }

        var text = files.Read(path, "a kept cost", LargestCost, new DiagnosticBag()) is { } bytes ? Encoding.UTF8.GetString(bytes) : string.Empty;
        if (text.Split('\n') is [var kept, var cost, var digest, ""] && kept == key && digest == Digest(kept, cost)
            && long.TryParse(cost, NumberStyles.None, CultureInfo.InvariantCulture, out var cycles))
        {
            return cycles;
        }

        if (Notes.Diagnostics.All(d => d.Code != FileDiagnostics.DamagedCost(path).Code))
        {
            Notes.Report(FileDiagnostics.DamagedCost(path));
        }

        return null;
    }

    /// <inheritdoc/>
    public void Keep(string key, long cost)
    {
        if (_failed)
        {
            return;
        }

        var text = cost.ToString(CultureInfo.InvariantCulture);
        var problems = new DiagnosticBag();
        try
        {
            files.MakeFolder(folder);
            files.Write(PathOf(key), Encoding.UTF8.GetBytes($"{key}\n{text}\n{Digest(key, text)}\n"), problems);
        }
        catch (DiagnosticException refusal)
        {
            problems.Report(refusal.Diagnostic);
        }

        if (problems.HasErrors)
        {
            _failed = true;
            Notes.Report(FileDiagnostics.CostsNotKept(folder, problems.Diagnostics[0].Message));
        }
    }

    private string PathOf(string key) => Path.Join(folder, Digest(key, string.Empty) + Extension);

    private static string Digest(string key, string cost) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{key}\n{cost}")));
}
