using CnnCompiler.Core.Numpy;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Frontend.Syntax;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Frontend.Binding;

/// <summary>The arrays of the network's companion file, or the seed that stands for it. What is wrong with the file as a whole is reported once; its arrays are then unknown, not missing.</summary>
internal sealed class WeightsFile
{
    private readonly DiagnosticBag _diagnostics;
    private readonly IReadOnlyDictionary<string, Tensor>? _arrays;
    private readonly HashSet<string> _used = new(StringComparer.Ordinal);
    private readonly SourceSpan _span;

    private long _seeded;

    private WeightsFile(string? path, SourceSpan span, IReadOnlyDictionary<string, Tensor>? arrays, bool isUnreadable, DiagnosticBag diagnostics) =>
        (Path, _span, _arrays, IsUnreadable, _diagnostics) = (path, span, arrays, isUnreadable, diagnostics);

    /// <summary>The seed that the arrays are made from, or null where they are in a file.</summary>
    public ulong? Seed { get; private init; }

    /// <summary>The path as written, or null where the network names no file.</summary>
    public string? Path { get; }

    /// <summary>True where the file was refused, which has been reported.</summary>
    public bool IsUnreadable { get; }

    /// <summary>Reads the file, or takes the seed, that the network's first weights statement names.</summary>
    public static WeightsFile Open(BodySyntax network, ConstantEvaluator constants, Func<string, byte[]?> companions, DiagnosticBag diagnostics)
    {
        var statements = network.Statements.Where(statement => statement is WeightsStatement or SeedStatement).ToList();
        foreach (var second in statements.Skip(1))
        {
            diagnostics.Report(LanguageDiagnostics.SecondWeightsFile(second.Span));
        }

        switch (statements.FirstOrDefault())
        {
            case WeightsStatement { Path: var path, PathSpan: var span }:
                if (companions(path) is not { } bytes)
                {
                    diagnostics.Report(LanguageDiagnostics.NoWeightsFile(span, path));
                    return new(path, span, null, isUnreadable: true, diagnostics);
                }

                var arrays = NpzFile.Read(bytes, path, diagnostics);
                return new(path, span, arrays, arrays is null, diagnostics);
            case SeedStatement { Seed: var written }:
                var seed = constants.Integer(written);
                if (seed < 0)
                {
                    diagnostics.Report(LanguageDiagnostics.NumberOutOfRange(written.Span, "the seed", seed.Value.ToString(System.Globalization.CultureInfo.InvariantCulture), 0, long.MaxValue));
                }

                return new(null, written.Span, null, isUnreadable: seed is null or < 0, diagnostics) { Seed = seed is >= 0 ? (ulong)seed.Value : null };
            default:
                return new(null, default, null, network.Statements.OfType<BrokenStatement>().Any(statement => statement.IsWeights), diagnostics);
        }
    }

    /// <summary>Takes the weights of a layer from those that may be made from the seed; false where there are too many in all, which is reported.</summary>
    public bool Reserve(NameSyntax keyword, string layer, Shape shape)
    {
        if (NetworkLimits.Allows(shape) && _seeded + shape.Elements <= LanguageLimits.SeededWeights)
        {
            _seeded += shape.Elements;
            return true;
        }

        _diagnostics.Report(LanguageDiagnostics.TooManySeededWeights(keyword.Span, layer, shape.ToString()));
        return false;
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

    /// <summary>Reports an array that is wrong in another way.</summary>
    public void Refuse(Diagnostic diagnostic) => _diagnostics.Report(diagnostic);

    /// <summary>Warns of each array that nothing has read.</summary>
    public void ReportUnused()
    {
        foreach (var name in (_arrays?.Keys ?? []).Where(array => !_used.Contains(array)))
        {
            _diagnostics.Report(LanguageDiagnostics.UnusedArray(_span, Path!, name));
        }
    }
}
