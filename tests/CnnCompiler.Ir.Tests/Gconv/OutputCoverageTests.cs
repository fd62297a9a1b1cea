using CnnCompiler.Core;
using CnnCompiler.Fuzzing;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Gconv.Verification;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Ir.Tests.Gconv;

public sealed class OutputCoverageTests
{
    [Fact]
    public void Both_ways_agree_on_random_indexes()
    {
        var covered = 0;
        var missed = 0;
        for (var seed = 0; seed < 20_000; seed++)
        {
            var random = new SeededRandom((ulong)seed);
            var loops = Enumerable.Range(0, random.Next(0, 4)).Select(i => new GconvLoop($"d{i}", random.Choose(LoopKind.Group, LoopKind.OutputPosition, LoopKind.KernelSize), random.Next(1, 4))).ToArray();
            var (index, extents) = Index(loops, random);
            var origin = index.Select(expression => expression.Range([.. loops]).Min).ToArray();

            var byStrides = OutputCoverage.ByStrides([.. loops], index, extents);
            var byCounting = OutputCoverage.ByCounting([.. loops], index, origin, extents);

            Assert.NotNull(byCounting);
            if (byStrides is not null)
            {
                Assert.True(byStrides == byCounting, $"seed {seed}: {byStrides} by strides, {byCounting} by counting");
            }

            covered += byCounting == true ? 1 : 0;
            missed += byCounting == false && byStrides == false ? 1 : 0;
        }

        // Both answers have to occur often for the agreement to mean something.
        Assert.InRange(covered, 1000, 19_000);
        Assert.InRange(missed, 1000, 19_000);
    }

    [Fact]
    public void A_large_box_is_left_to_the_strides()
    {
        EquatableArray<GconvLoop> loops = [new("a", LoopKind.OutputPosition, 1 << 20)];
        EquatableArray<AffineExpression> index = [new([1], 0)];

        Assert.True(OutputCoverage.ByStrides(loops, index, [1 << 20]));
        Assert.Null(OutputCoverage.ByCounting(loops, index, [0], [1 << 20]));
    }

    // Mostly a mixed-radix numbering of the box in a random order of loops; then sometimes a step is changed.
    private static (EquatableArray<AffineExpression> Index, EquatableArray<int> Extents) Index(GconvLoop[] loops, SeededRandom random)
    {
        var rank = random.Next(0, 3);
        var coefficients = Enumerable.Range(0, rank).Select(_ => new long[loops.Length]).ToArray();
        var extents = Enumerable.Repeat(1, rank).ToArray();
        foreach (var loop in Enumerable.Range(0, loops.Length).OrderBy(_ => random.NextBits()).Where(loop => loops[loop].Kind.IsParallel() && rank > 0))
        {
            var dimension = random.Next(0, rank - 1);
            coefficients[dimension][loop] = extents[dimension] * random.Choose(-1, 1);
            extents[dimension] *= loops[loop].Extent;
        }

        if (random.OneIn(2) && rank > 0 && loops.Length > 0)
        {
            coefficients[random.Next(0, rank - 1)][random.Next(0, loops.Length - 1)] += random.Choose(-1, 1, 2);
            if (random.OneIn(4))
            {
                extents[random.Next(0, rank - 1)] += 1;
            }
        }

        // Reduced loops take no part in an output's index.
        foreach (var row in coefficients)
        {
            for (var loop = 0; loop < loops.Length; loop++)
            {
                row[loop] = loops[loop].Kind.IsParallel() ? row[loop] : 0;
            }
        }

        return (coefficients.Select(row => new AffineExpression(row.ToEquatableArray(), random.Next(0, 3))).ToEquatableArray(), extents.ToEquatableArray());
    }
}
