using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Frontend.Binding;

/// <summary>Did you mean?</summary>
internal static class Suggestions
{
    private const int LongestName = 64;

    // What other tools call a layer (PyTorch, Keras, ONNX, Caffe), with our name for it.
    private static readonly Dictionary<string, string> OtherNames = new(StringComparer.OrdinalIgnoreCase)
    {
        ["batch_normalization"] = "batch_norm",
        ["conv"] = "conv2d",
        ["conv_transpose"] = "conv2d_transpose",
        ["deconv"] = "conv2d_transpose",
        ["depthwise"] = "depthwise_conv2d",
        ["fc"] = "dense",
        ["flatten"] = "reshape",
        ["fully_connected"] = "dense",
        ["gemm"] = "dense",
        ["global_average_pool"] = "mean",
        ["global_avg_pool"] = "mean",
        ["linear"] = "dense",
        ["maxpool"] = "max_pool2d",
        ["avgpool"] = "avg_pool2d",
        ["sigmoid"] = "logistic",
        ["slice"] = "strided_slice",
        ["upsample"] = "resize",
    };

    /// <summary>The layer that was meant by a keyword that is none: an activation, what another tool calls it, or the nearest name.</summary>
    public static string? Layer(string written, IEnumerable<string> known, DiagnosticBag diagnostics) =>
        NetworkNames.Activation(written) is { } function and not FusedActivation.None
            ? $"activation(x, function={NetworkNames.Of(function)})"
            : OtherNames.GetValueOrDefault(written) ?? Near(written, known, diagnostics);

    /// <summary>
    /// The name that is nearest to what was written, or null where none is near: at most one edit in three characters. Beyond the diagnostics that are
    /// shown nothing is sought: a hostile file may hold thousands of names.
    /// </summary>
    public static string? Near(string written, IEnumerable<string> known, DiagnosticBag diagnostics)
    {
        if (written.Length > LongestName || diagnostics.Diagnostics.Count > LanguageLimits.Diagnostics)
        {
            return null;
        }

        string? best = null;
        var least = Math.Max(1, written.Length / 3) + 1;
        foreach (var name in known)
        {
            if (name.Length <= LongestName && Math.Abs(name.Length - written.Length) < least && Distance(written, name) is var distance && distance < least)
            {
                (best, least) = (name, distance);
            }
        }

        return best;
    }

    /// <summary>Edits (insert, delete, replace, swap neighbours; case counts for nothing) from one name to another: the optimal string alignment distance.</summary>
    private static int Distance(string from, string to)
    {
        var (a, b) = (from.ToUpperInvariant(), to.ToUpperInvariant());
        var rows = new int[a.Length + 1, b.Length + 1];
        for (var i = 0; i <= a.Length; i++)
        {
            for (var j = 0; j <= b.Length; j++)
            {
                if (i == 0 || j == 0)
                {
                    rows[i, j] = i + j;
                    continue;
                }

                var replaced = rows[i - 1, j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
                rows[i, j] = Math.Min(replaced, 1 + Math.Min(rows[i - 1, j], rows[i, j - 1]));
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                {
                    rows[i, j] = Math.Min(rows[i, j], rows[i - 2, j - 2] + 1);
                }
            }
        }

        return rows[a.Length, b.Length];
    }
}
