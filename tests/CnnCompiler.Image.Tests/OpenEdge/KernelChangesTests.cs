using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Fuzzing;

namespace CnnCompiler.Image.Tests.OpenEdge;

/// <summary>What turns one kernel in context memory into another comes out of its data again.</summary>
public class KernelChangesTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Changes_lead_from_any_kernel_to_any_other(bool packed)
    {
        var random = new SeededRandom(7);
        for (var trial = 0; trial < 200; trial++)
        {
            var (steps, columns) = (random.Next(3, 32), random.Next(1, 4));
            var before = Kernel();
            var after = Kernel();
            var changes = KernelChanges.Between((row, word) => before[row][word], after, packed);
            var data = KernelChanges.Encode(changes, steps, columns, packed);
            Assert.Equal(data.Length, KernelChanges.MovedWords(changes, columns, packed) + ((changes.Count(c => c.IsImmediate) + 3) / 4));
            Assert.InRange(data.Length, 0, KernelChanges.MostWords(steps, columns));
            Assert.Equal(changes, KernelChanges.Decode(data, steps, columns, packed));
            foreach (var change in changes)
            {
                Assert.NotEqual(before[change.Row][change.Word], after[change.Row][change.Word]);
                before[change.Row][change.Word] = change.Of(before[change.Row][change.Word]);
            }

            Assert.Equal(after, before);

            // a word more, a word less, a step that isn't there
            Assert.Null(KernelChanges.Decode([.. data, 0], steps, columns, packed));
            Assert.Null(KernelChanges.Decode(data.AsSpan(0, data.Length - 1), steps, columns, packed));
            if (steps < 32)
            {
                data[0] |= 1u << steps;
                Assert.Null(KernelChanges.Decode(data, steps, columns, packed));
            }

            // most words are the same, many differ in a constant
            uint[][] Kernel() =>
                [.. Enumerable.Range(0, 4).Select(_ => Enumerable.Range(0, steps * columns).Select(_ => random.Below(4) switch
                {
                    0 => random.NextBits(),
                    1 => OpenEdgeInstruction.Encode(OpenEdgeOpcode.SMul, immediate: random.Next(-200, 200)).Word,
                    _ => 5u,
                }).ToArray())];
        }
    }

    [Fact]
    public void A_word_is_changed_once()
    {
        // both masks of the first cell have step 0
        uint[] data = [1, 0, 0, 0, 1, 0, 0, 0, 9, 1];
        Assert.Null(KernelChanges.Decode(data, 3, 1, packed: true));
        data[4] = 2;
        Assert.Equal([new(0, 0, 9, false), new(0, 1, 1, true)], KernelChanges.Decode(data, 3, 1, packed: true));
    }
}
