namespace CnnCompiler.Interpreter.OpenEdge;

/// <summary>
/// The states of a kernel (a step, for one state of the shared bus's pointer) that its launch can reach by fixed branches, in blocks that are entered only at their first.
/// </summary>
internal sealed class KernelGraph
{
    /// <summary>Blocks in the order in which they were found.</summary>
    public List<KernelBlock> Blocks { get; } = [];

    /// <summary>Finds blocks.</summary>
    /// <param name="starts">States that may be entered from outside: that of a launch and that in which the kernel stands.</param>
    /// <param name="stepOf">The decoded step of a state.</param>
    /// <param name="branchesOf">The branches of a state.</param>
    public static KernelGraph Build(IEnumerable<int> starts, Func<int, Step> stepOf, Func<int, IReadOnlyList<int>> branchesOf)
    {
        var found = new List<int>();
        var seen = new bool[Slots.Steps * 4];
        var leads = new bool[Slots.Steps * 4];
        var entered = new int[Slots.Steps * 4];
        foreach (var start in starts)
        {
            Reach(start, true);
        }

        for (var i = 0; i < found.Count; i++)
        {
            var state = found[i];
            var step = stepOf(state);
            Reach(Following(state, step), step.EndsOrBranches);
            foreach (var pc in branchesOf(state))
            {
                Reach((pc << 2) | step.NextPointer, true);
            }
        }

        var graph = new KernelGraph();
        foreach (var first in found.Where(s => leads[s] || entered[s] > 1))
        {
            var block = new KernelBlock(first);
            for (var state = first; ;)
            {
                var step = stepOf(state);
                block.States.Add(state);
                block.Operations += step.AccessCount + step.InstructionCount;
                if (step.EndsOrBranches)
                {
                    break;
                }

                state = Following(state, step);
                if (leads[state] || entered[state] > 1)
                {
                    break;
                }
            }

            graph.Blocks.Add(block);
        }

        return graph;

        void Reach(int state, bool leading)
        {
            entered[state]++;
            leads[state] |= leading;
            if (!seen[state])
            {
                seen[state] = true;
                found.Add(state);
            }
        }
    }

    /// <summary>The state after a step that doesn't branch.</summary>
    public static int Following(int state, Step step) => (((state >> 2) + 1) & 31) << 2 | step.NextPointer;

    /// <summary>The blocks in groups, none of which has many more operations than <paramref name="operations"/>.</summary>
    public IEnumerable<List<KernelBlock>> Groups(int operations)
    {
        var group = new List<KernelBlock>();
        foreach (var block in Blocks)
        {
            if (group.Count > 0 && group.Sum(b => b.Operations) + block.Operations > operations)
            {
                yield return group;
                group = [];
            }

            group.Add(block);
        }

        yield return group;
    }
}

/// <summary>States that follow one another.</summary>
/// <param name="first">The first.</param>
internal sealed class KernelBlock(int first)
{
    /// <summary>The first state.</summary>
    public int First => first;

    /// <summary>The states in order.</summary>
    public List<int> States { get; } = [];

    /// <summary>Operations and accesses.</summary>
    public int Operations { get; set; }
}
