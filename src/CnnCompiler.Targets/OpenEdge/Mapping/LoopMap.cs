using CnnCompiler.Core;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;

namespace CnnCompiler.Targets.OpenEdge.Mapping;

/// <summary>Re-expresses affine functions of an operator's loops over the loops of a nest: loop = offset + sum of factor * nest loop.</summary>
/// <param name="sourceLoops">Number of the operator's loops.</param>
public sealed class LoopMap(int sourceLoops)
{
    private readonly List<MappedLoop> _loops = [];
    private readonly List<(int Loop, int Factor)>[] _terms = [.. Enumerable.Range(0, sourceLoops).Select(_ => new List<(int, int)>())];
    private readonly int[] _offsets = new int[sourceLoops];

    /// <summary>The nest's loops.</summary>
    public EquatableArray<MappedLoop> Loops => _loops.ToEquatableArray();

    /// <summary>Adds a loop to the nest and a term to a loop of the operator.</summary>
    /// <param name="name">Name of the new loop.</param>
    /// <param name="extent">Its trip count.</param>
    /// <param name="reduced">True where it is reduced over.</param>
    /// <param name="source">Loop of the operator it stands for (a part of), or -1 for none.</param>
    /// <param name="factor">Its weight there.</param>
    public void Add(string name, int extent, bool reduced, int source, int factor = 1)
    {
        if (source >= 0)
        {
            _terms[source].Add((_loops.Count, factor));
        }

        _loops.Add(new(name, extent, reduced));
    }

    /// <summary>Adds the loops <c>quad</c> and <c>lane</c> that together stand for a loop over channels.</summary>
    public void AddQuads(int extent, int source)
    {
        Add(Kernels.NestView.Quad, (extent + Lanes - 1) / Lanes, reduced: false, source, Lanes);
        Add(Kernels.NestView.Lane, Lanes, reduced: false, source);
    }

    /// <summary>Channels of a quad.</summary>
    public const int Lanes = 4;

    /// <summary>The first value of a loop of the operator.</summary>
    public void Offset(int source, int offset) => _offsets[source] = offset;

    /// <summary>The function over the nest's loops.</summary>
    public AffineExpression Map(AffineExpression expression)
    {
        var coefficients = new long[_loops.Count];
        var constant = expression.Constant;
        for (var i = 0; i < sourceLoops; i++)
        {
            constant += expression.Coefficients[i] * _offsets[i];
            foreach (var (loop, factor) in _terms[i])
            {
                coefficients[loop] += expression.Coefficients[i] * factor;
            }
        }

        return new(coefficients.ToEquatableArray(), constant);
    }

    /// <summary>A guard: quads and lanes stay below the number of channels.</summary>
    public MappedGuard ChannelGuard(int channels) =>
        new(Over(loop => loop switch { Kernels.NestView.Quad => Lanes, Kernels.NestView.Lane => 1, _ => 0 }), channels);

    /// <summary>A function of the nest's loops alone, by loop name.</summary>
    public AffineExpression Over(Func<string, long> coefficient) => new(_loops.Select(l => coefficient(l.Name)).ToEquatableArray(), 0);

    /// <summary>One affine function from an index in several dimensions: constant + sum of pitch times index.</summary>
    public static AffineExpression Flatten(EquatableArray<AffineExpression> index, IReadOnlyList<long> pitch, long origin, int loops)
    {
        var coefficients = new long[loops];
        foreach (var (expression, weight) in index.Zip(pitch))
        {
            origin += expression.Constant * weight;
            for (var i = 0; i < loops; i++)
            {
                coefficients[i] += expression.Coefficients[i] * weight;
            }
        }

        return new(coefficients.ToEquatableArray(), origin);
    }
}
