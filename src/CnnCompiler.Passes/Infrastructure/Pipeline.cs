using CnnCompiler.Core;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Passes.Infrastructure;

/// <summary>An ordered list of passes; each reads the level that the one before it writes.</summary>
public sealed class Pipeline
{
    /// <summary>Makes a pipeline.</summary>
    /// <exception cref="ArgumentException">A pass does not read what the one before writes, lowers backwards, or has the name of another: the list is wrong.</exception>
    public Pipeline(params ReadOnlySpan<Pass> passes)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < passes.Length; i++)
        {
            var pass = passes[i].Description;
            if (pass.To < pass.From || (i > 0 && passes[i - 1].Description.To != pass.From) || !names.Add(pass.Name))
            {
                throw new ArgumentException($"pass {i}, {pass.Name} ({pass.From.Name()} to {pass.To.Name()}), does not fit its place", nameof(passes));
            }
        }

        Passes = EquatableArray.Create(passes);
    }

    /// <summary>The passes in order.</summary>
    public EquatableArray<Pass> Passes { get; }

    /// <summary>The passes up to the last one that stays at <paramref name="level"/> or below it: what <c>--emit</c> runs.</summary>
    public Pipeline Until(IrLevel level) => new(Passes.TakeWhile(pass => pass.Description.To <= level).ToArray());

    /// <summary>The passes that read <paramref name="level"/> or a level below it: what <c>--from</c> runs.</summary>
    public Pipeline From(IrLevel level) => new(Passes.SkipWhile(pass => pass.Description.From < level).ToArray());

    /// <summary>Reports option values (<c>pass.option</c>) that no pass of the pipeline declares or admits.</summary>
    public void CheckOptions(IReadOnlyDictionary<string, string> options, DiagnosticBag diagnostics)
    {
        var declared = Passes
            .SelectMany(pass => pass.Description.Options.Select(option => (Key: $"{pass.Description.Name}.{option.Name}", Option: option)))
            .ToDictionary(entry => entry.Key, entry => entry.Option, StringComparer.Ordinal);
        foreach (var (key, value) in options.OrderBy(entry => entry.Key, StringComparer.Ordinal))
        {
            if (!declared.TryGetValue(key, out var option))
            {
                diagnostics.Report(PassDiagnostics.UnknownOption(key, declared.Keys.Order(StringComparer.Ordinal)));
            }
            else if (option.Choices.Count > 0 && !option.Choices.Contains(value, StringComparer.Ordinal))
            {
                diagnostics.Report(PassDiagnostics.BadOptionValue(key, value, option.Choices));
            }
        }
    }
}
