using System.Runtime.CompilerServices;

namespace CnnCompiler.TestSupport;

/// <summary>Finds what tests read: the shared material beside the checkout (or where CNNC_SHARED says) and the vectors in the repository.</summary>
public static class SharedMaterial
{
    /// <summary>Root of the repository.</summary>
    public static string Repository { get; } = FindRepository();

    /// <summary>The shared folder, or null where it is absent.</summary>
    public static string? Root { get; } = FindShared();

    /// <summary>Why a test that needs shared material is skipped.</summary>
    public const string Reason = "needs the shared material: put shared/ beside the checkout or set CNNC_SHARED";

    /// <summary>True where shared material is there.</summary>
    public static bool Exists => Root is not null;

    /// <summary>True under <c>.ci/run --all</c>: every input of every model instead of a few.</summary>
    public static bool EveryInput { get; } = Environment.GetEnvironmentVariable("CNNC_ALL") == "1";

    /// <summary>A path below the shared folder, or null where it is absent.</summary>
    public static string? Find(params ReadOnlySpan<string> parts)
    {
        if (Root is null)
        {
            return null;
        }

        var path = Path.Combine([Root, .. parts]);
        return Path.Exists(path) ? path : null;
    }

    /// <summary>A path below <c>tests/vectors</c>, which is always there.</summary>
    public static string Vectors(params ReadOnlySpan<string> parts) => Path.Combine([Repository, "tests", "vectors", .. parts]);

    private static string FindRepository([CallerFilePath] string here = "")
    {
        foreach (var start in (ReadOnlySpan<string>)[AppContext.BaseDirectory, Path.GetDirectoryName(here) ?? string.Empty])
        {
            for (var folder = new DirectoryInfo(start); folder is not null; folder = folder.Parent)
            {
                if (File.Exists(Path.Combine(folder.FullName, "CnnCompiler.sln")))
                {
                    return folder.FullName;
                }
            }
        }

        throw new DirectoryNotFoundException("no CnnCompiler.sln above the tests");
    }

    private static string? FindShared()
    {
        var set = Environment.GetEnvironmentVariable("CNNC_SHARED");
        var path = string.IsNullOrEmpty(set) ? Path.Combine(Repository, "..", "shared") : set;
        return Directory.Exists(path) ? Path.GetFullPath(path) : null;
    }
}
