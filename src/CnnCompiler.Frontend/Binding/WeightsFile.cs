using CnnCompiler.Core.Numpy;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Frontend.Syntax;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Frontend.Binding;

/// <summary>The arrays of the network's companion file. What is wrong with the file as a whole is reported once; its arrays are then unknown, not missing.</summary>
internal sealed class WeightsFile
{
    private readonly DiagnosticBag _diagnostics;
    private readonly IReadOnlyDictionary<string, Tensor>? _arrays;
    private readonly HashSet<string> _used = new(StringComparer.Ordinal);
    private readonly SourceSpan _span;

    private WeightsFile(string? path, SourceSpan span, IReadOnlyDictionary<string, Tensor>? arrays, bool isUnreadable, DiagnosticBag diagnostics) =>
        (Path, _span, _arrays, IsUnreadable, _diagnostics) = (path, span, arrays, isUnreadable, diagnostics);

    /// <summary>The path as written, or null where the network names no file.</summary>
    public string? Path { get; }

    /// <summary>True where the file was refused, which has been reported.</summary>
    public bool IsUnreadable { get; }

    /// <summary>Reads the file that the network's first weights statement names.</summary>
    public static WeightsFile Open(NetworkSyntax network, Func<string, byte[]?> companions, DiagnosticBag diagnostics)
    {
        var statements = network.Statements.OfType<WeightsStatement>().ToList();
        foreach (var second in statements.Skip(1))
        {
            diagnostics.Report(LanguageDiagnostics.SecondWeightsFile(second.Span));
        }

        if (statements.Count == 0)
        {
            return new(null, default, null, network.Statements.OfType<BrokenStatement>().Any(statement => statement.IsWeights), diagnostics);
        }

        var (path, span) = (statements[0].Path, statements[0].PathSpan);
        if (companions(path) is not { } bytes)
        {
            diagnostics.Report(LanguageDiagnostics.NoWeightsFile(span, path));
            return new(path, span, null, isUnreadable: true, diagnostics);
        }

        var arrays = NpzFile.Read(bytes, path, diagnostics);
        return new(path, span, arrays, arrays is null, diagnostics);
    }

    /// <summary>An array, or null where there is none; nothing is reported.</summary>
    public Tensor? Find(string name)
    {
        if (_arrays is null || !_arrays.TryGetValue(name, out var tensor))
        {
            return null;
        }

        _used.Add(name);
        return tensor;
    }

    /// <summary>
    /// An array of a layer, or null: where it is missing, or has another element type or none of the given shapes (an empty list for any), which is reported at the layer.
    /// </summary>
    public Tensor? Require(string name, NameSyntax keyword, ElementType element, params ReadOnlySpan<Shape> shapes)
    {
        if (IsUnreadable)
        {
            return null;
        }

        if (Path is null)
        {
            _diagnostics.Report(LanguageDiagnostics.NoWeightsStatement(keyword.Span, keyword.Text));
            return null;
        }

        if (Find(name) is not { } tensor)
        {
            var unused = _arrays!.Keys.Where(array => !_used.Contains(array));
            _diagnostics.Report(LanguageDiagnostics.NoArray(keyword.Span, Path, name, Suggestions.Near(name, unused, _diagnostics)));
            return null;
        }

        if (tensor.Element == element && (shapes.IsEmpty || shapes.Contains(tensor.Shape)))
        {
            return tensor;
        }

        var expected = shapes.IsEmpty ? element.Name() : string.Join(" or ", shapes.ToArray().Select(shape => $"{element.Name()}[{shape}]"));
        _diagnostics.Report(LanguageDiagnostics.WrongArray(keyword.Span, name, tensor, expected));
        return null;
    }

    /// <summary>Warns of each array that nothing has read.</summary>
    public void ReportUnused()
    {
        foreach (var name in (_arrays?.Keys ?? []).Where(array => !_used.Contains(array)))
        {
            _diagnostics.Report(LanguageDiagnostics.UnusedArray(_span, Path!, name));
        }
    }
}
